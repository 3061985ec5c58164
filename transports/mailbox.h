#ifndef IM_TRANSPORTS_MAILBOX_H
#define IM_TRANSPORTS_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Letters from one thread to one other, in order. The sender collects a list and posts it as a whole, so that a batch
 * costs one lock and, if the receiver has nothing to do, one wake-up. A letter is embedded first in its owner's struct;
 * whoever has it owns it. Empty ones go back the way they came, with the letters of the other direction. */
struct im_letter {
    struct im_letter *next;
    unsigned long long ticket; /* of a batch's first, where there are any; otherwise 0 */
};

typedef atomic_ullong im_tickets; /* the last one that was taken */

/* Zero-initialise. */
struct im_letters {
    struct im_letter *first, *last;
    size_t count;
};
void im_letters_add(struct im_letters *, struct im_letter *);
/* The same for one that nobody needs now; frees it if there are enough of those. */
void im_letters_keep(struct im_letters *, struct im_letter *);
/* All of `from` behind `to`; `from` is empty afterwards. */
void im_letters_join(struct im_letters *to, struct im_letters *from);
struct im_letter *im_letters_next(struct im_letters *); /* takes the first one out; NULL: there is none */

struct im_mailbox;
/* Batches in all mailboxes that share `tickets` are numbered in the order in which they are posted; NULL: they need no
 * numbers. What a ticket was taken for by the time that the counter is read is in its box. NULL: the system refuses. */
struct im_mailbox *im_mailbox_new(im_tickets *tickets);
void im_mailbox_free(struct im_mailbox **); /* must be empty; *box may be NULL */

/* Readable while letters wait; im_mailbox_take() makes it quiet again. */
int im_mailbox_fd(const struct im_mailbox *);

/* Posts all of `letters`, and sends `empties` back along with them; both are empty afterwards. With most > 0, first
 * waits until no more than that are in the box: only for a sender for whom the receiver never waits. */
void im_mailbox_post(struct im_mailbox *, struct im_letters *letters, struct im_letters *empties, size_t most);
/* For the receiver: from now on the sender waits for no room. */
void im_mailbox_widen(struct im_mailbox *);
/* Everything that waits, added to `letters` and `empties`. */
void im_mailbox_take(struct im_mailbox *, struct im_letters *letters, struct im_letters *empties);

bool im_mailbox_empty(struct im_mailbox *); /* no letters; any thread */

/* Any thread. */
struct im_mailbox_stats {
    size_t waiting, most; /* letters now, and at the worst moment */
    unsigned long long posted, batches, waits;
};
void im_mailbox_look(struct im_mailbox *, struct im_mailbox_stats *);

#endif
