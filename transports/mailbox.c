#include "transports/mailbox.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/mem.h"

struct im_mailbox {
    pthread_mutex_t lock; /* all below but wake_fd */
    pthread_cond_t room;
    struct im_letters letters, empties;
    struct im_mailbox_stats stats;
    bool wide;
    im_tickets *tickets;
    int wake_fd;
};

void im_letters_add(struct im_letters *list, struct im_letter *letter)
{
    letter->next = NULL;
    letter->ticket = 0;
    if (list->last)
        list->last->next = letter;
    else
        list->first = letter;
    list->last = letter;
    list->count++;
}

void im_letters_keep(struct im_letters *list, struct im_letter *letter)
{
    enum { SPARE_MAX = 4096 };
    if (list->count < SPARE_MAX)
        im_letters_add(list, letter);
    else
        free(letter);
}

void im_letters_join(struct im_letters *to, struct im_letters *from)
{
    if (!from->first)
        return;
    if (to->last)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->count += from->count;
    *from = (struct im_letters){0};
}

struct im_letter *im_letters_next(struct im_letters *list)
{
    struct im_letter *letter = list->first;
    if (!letter)
        return NULL;
    list->first = letter->next;
    if (!list->first)
        list->last = NULL;
    list->count--;
    return letter;
}

struct im_mailbox *im_mailbox_new(im_tickets *tickets)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct im_mailbox *box = im_zalloc(sizeof *box);
    box->wake_fd = fd;
    box->tickets = tickets;
    pthread_mutex_init(&box->lock, NULL);
    pthread_cond_init(&box->room, NULL);
    return box;
}

void im_mailbox_free(struct im_mailbox **at)
{
    struct im_mailbox *box = *at;
    *at = NULL;
    if (!box)
        return;
    assert(!box->letters.first && !box->empties.first);
    pthread_cond_destroy(&box->room);
    pthread_mutex_destroy(&box->lock);
    close(box->wake_fd);
    free(box);
}

int im_mailbox_fd(const struct im_mailbox *box)
{
    return box->wake_fd;
}

static void wake(const struct im_mailbox *box)
{
    ssize_t wrote = write(box->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    (void)wrote; /* the counter cannot be full: it is written only when the box was empty */
}

void im_mailbox_post(struct im_mailbox *box, struct im_letters *letters, struct im_letters *empties, size_t most)
{
    bool first = false;
    pthread_mutex_lock(&box->lock);
    for (bool waited = false; most > 0 && !box->wide && box->letters.count > most; waited = true) {
        box->stats.waits += !waited;
        pthread_cond_wait(&box->room, &box->lock);
    }
    if (letters->first) {
        first = !box->letters.first;
        if (box->tickets)
            letters->first->ticket = atomic_fetch_add(box->tickets, 1) + 1;
        box->stats.posted += letters->count;
        box->stats.batches++;
    }
    im_letters_join(&box->letters, letters);
    im_letters_join(&box->empties, empties);
    if (box->letters.count > box->stats.most)
        box->stats.most = box->letters.count;
    pthread_mutex_unlock(&box->lock);
    if (first)
        wake(box);
}

void im_mailbox_widen(struct im_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    box->wide = true;
    pthread_cond_signal(&box->room);
    pthread_mutex_unlock(&box->lock);
}

void im_mailbox_take(struct im_mailbox *box, struct im_letters *letters, struct im_letters *empties)
{
    uint64_t count;
    ssize_t got = read(box->wake_fd, &count, sizeof count);
    (void)got;
    pthread_mutex_lock(&box->lock);
    im_letters_join(letters, &box->letters);
    im_letters_join(empties, &box->empties);
    pthread_cond_signal(&box->room);
    pthread_mutex_unlock(&box->lock);
}

bool im_mailbox_empty(struct im_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    bool none = !box->letters.first;
    pthread_mutex_unlock(&box->lock);
    return none;
}

void im_mailbox_look(struct im_mailbox *box, struct im_mailbox_stats *stats)
{
    pthread_mutex_lock(&box->lock);
    *stats = box->stats;
    stats->waiting = box->letters.count;
    pthread_mutex_unlock(&box->lock);
}
