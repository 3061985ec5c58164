#ifndef IM_TRANSPORTS_MAILBOX_H
#define IM_TRANSPORTS_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Letters from one thread to one other, in order. The sender writes them one behind the other into bags, and posts what
 * one turn of its loop has to say as a whole: one lock for a batch and, if the receiver has nothing to do, one wake-up.
 * Both go straight through the memory. Bags go back the way they came, with the letters of the other direction. */

/* Embedded first in what is sent. */
struct im_letter {
    uint32_t size;   /* of all of it, in bytes; a multiple of 8 */
    uint32_t ticket; /* of a batch's first, where there are any; otherwise 0 */
};

typedef atomic_uint im_tickets; /* the last one that was taken. They come round: compare differences */

/* Letters in bags; or spare bags. Zero-initialise. */
struct im_mail {
    struct im_bag *first, *last;
    size_t bags;
    size_t letters; /* written into it since it was last empty */
};
/* A new last letter, aligned to 8 bytes; its head is set and nothing else. It stays where it is until it is posted. */
void *im_mail_write(struct im_mail *, struct im_mail *spare, size_t size);
/* So much more room, a multiple of 8, at the end of the letter that was written last and is not posted yet: it has not
 * moved. NULL: its bag is full. */
void *im_mail_grow(struct im_mail *, struct im_letter *last, size_t more);
const struct im_letter *im_mail_first(const struct im_mail *); /* not read yet; NULL: there is none */
/* The next letter, which lives for as long as its bag; NULL: there is none left. Bags that were read to the end go to
 * `spent`, and can be read from there once more. */
void *im_mail_read(struct im_mail *, struct im_mail *spent);
/* Makes spare bags of `spent`, as many as may be useful; the others are freed. */
void im_mail_keep(struct im_mail *spare, struct im_mail *spent);
void im_mail_free(struct im_mail *);

struct im_mailbox;
/* Batches in all mailboxes that share `tickets` are numbered in the order in which they are posted; NULL: they need no
 * numbers. What a ticket was taken for by the time that the counter is read is in its box. NULL: the system refuses. */
struct im_mailbox *im_mailbox_new(im_tickets *tickets);
void im_mailbox_free(struct im_mailbox **); /* must be empty; *box may be NULL */

/* Readable while letters wait; im_mailbox_take() makes it quiet again. */
int im_mailbox_fd(const struct im_mailbox *);

/* Posts all letters of `mail`, and sends the bags of `spent` back along with them; both hold none afterwards. With
 * most > 0, first waits until no more than that are in the box: only for a sender for whom the receiver never waits. */
void im_mailbox_post(struct im_mailbox *, struct im_mail *mail, struct im_mail *spent, size_t most);
/* Nobody waits for room in it any more. */
void im_mailbox_widen(struct im_mailbox *);
/* Everything that waits, behind what `mail` and `back` have. */
void im_mailbox_take(struct im_mailbox *, struct im_mail *mail, struct im_mail *back);

bool im_mailbox_empty(struct im_mailbox *); /* no letters; any thread */

/* Any thread. */
struct im_mailbox_stats {
    size_t waiting, most; /* letters now, and at the worst moment */
    unsigned long long posted, batches, waits;
};
void im_mailbox_look(struct im_mailbox *, struct im_mailbox_stats *);

#endif
