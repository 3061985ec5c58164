#include "transports/mailbox.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/mem.h"

enum {
    BAG_SIZE = 16 * 1024,
    SPARE_MAX = 64,
};

struct im_bag {
    struct im_bag *next;
    size_t used, read, room; /* bytes */
    char data[];
};

enum { BAG_ROOM = BAG_SIZE - sizeof(struct im_bag) };

struct im_mailbox {
    pthread_mutex_t lock; /* all below but wake_fd */
    pthread_cond_t room;
    struct im_mail mail, back;
    struct im_mailbox_stats stats;
    bool wide; /* however many are in it */
    im_tickets *tickets;
    int wake_fd;
};

static void push(struct im_mail *mail, struct im_bag *bag)
{
    bag->next = NULL;
    if (mail->last)
        mail->last->next = bag;
    else
        mail->first = bag;
    mail->last = bag;
    mail->bags++;
}

static struct im_bag *pop(struct im_mail *mail)
{
    struct im_bag *bag = mail->first;
    mail->first = bag->next;
    if (!mail->first)
        mail->last = NULL;
    mail->bags--;
    return bag;
}

static void join(struct im_mail *to, struct im_mail *from)
{
    if (!from->first)
        return;
    if (to->last)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->letters += from->letters;
    to->bags += from->bags;
    *from = (struct im_mail){0};
}

/* The bag that was used last: it may still be in the cache. A letter that no bag holds gets one of its own. */
static struct im_bag *new_bag(struct im_mail *spare, size_t size)
{
    if (spare->first && size <= BAG_ROOM)
        return pop(spare);
    size_t room = size <= BAG_ROOM ? BAG_ROOM : size;
    struct im_bag *bag = im_alloc(sizeof *bag + room);
    *bag = (struct im_bag){.room = room};
    return bag;
}

/* Letters, and the places for new ones, lie in the other thread's cache: they are asked for some letters ahead. */
enum { WRITE_AHEAD = 256, READ_AHEAD = 512, AHEAD_BYTES = 192 };

static void ask_for(const struct im_letter *letter, size_t ahead)
{
    im_warm((const void *)((uintptr_t)letter + ahead), AHEAD_BYTES);
}

void *im_mail_write(struct im_mail *mail, struct im_mail *spare, size_t size)
{
    size = (size + 7) / 8 * 8;
    assert(size <= UINT32_MAX);
    if (!mail->last || mail->last->room - mail->last->used < size)
        push(mail, new_bag(spare, size));
    struct im_letter *letter = (struct im_letter *)(void *)(mail->last->data + mail->last->used);
    mail->last->used += size;
    mail->letters++;
    ask_for(letter, WRITE_AHEAD);
    *letter = (struct im_letter){.size = (uint32_t)size};
    return letter;
}

void *im_mail_grow(struct im_mail *mail, struct im_letter *last, size_t more)
{
    struct im_bag *bag = mail->last;
    char *end = bag->data + bag->used;
    assert((char *)last + last->size == end && more % 8 == 0);
    if (bag->room - bag->used < more)
        return NULL;
    bag->used += more;
    last->size += (uint32_t)more;
    return end;
}

static struct im_letter *first_letter(const struct im_mail *mail)
{
    for (struct im_bag *bag = mail->first; bag; bag = bag->next)
        if (bag->read < bag->used)
            return (struct im_letter *)(void *)(bag->data + bag->read);
    return NULL;
}

const struct im_letter *im_mail_first(const struct im_mail *mail)
{
    return first_letter(mail);
}

void *im_mail_read(struct im_mail *mail, struct im_mail *spent)
{
    while (mail->first) {
        struct im_bag *bag = mail->first;
        if (bag->read < bag->used) {
            struct im_letter *letter = (struct im_letter *)(void *)(bag->data + bag->read);
            bag->read += letter->size;
            ask_for(letter, READ_AHEAD);
            return letter;
        }
        bag->read = 0;
        push(spent, pop(mail));
    }
    mail->letters = 0;
    return NULL;
}

void im_mail_keep(struct im_mail *spare, struct im_mail *spent)
{
    while (spent->first) {
        struct im_bag *bag = pop(spent);
        if (bag->room != BAG_ROOM || spare->bags == SPARE_MAX) {
            free(bag);
            continue;
        }
        bag->used = 0;
        bag->next = spare->first;
        spare->first = bag;
        if (!spare->last)
            spare->last = bag;
        spare->bags++;
    }
}

void im_mail_free(struct im_mail *mail)
{
    while (mail->first)
        free(pop(mail));
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
    assert(!box->mail.first && !box->back.first);
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

/* A receiver that is long away finds full bags, and not one for each batch. The sender keeps its own. */
static bool fit_in(struct im_mail *to, struct im_mail *from)
{
    struct im_bag *last = to->last, *only = from->first;
    if (!last || only != from->last || only->used > last->room - last->used)
        return false;
    memcpy(last->data + last->used, only->data, only->used);
    last->used += only->used;
    to->letters += from->letters;
    only->used = 0;
    from->letters = 0;
    return true;
}

static uint32_t take_ticket(im_tickets *tickets)
{
    uint32_t ticket = atomic_fetch_add(tickets, 1) + 1;
    return ticket ? ticket : take_ticket(tickets); /* 0 is none */
}

void im_mailbox_post(struct im_mailbox *box, struct im_mail *mail, struct im_mail *spent, size_t most)
{
    bool first = false;
    pthread_mutex_lock(&box->lock);
    for (bool waited = false; most > 0 && !box->wide && box->mail.letters > most; waited = true) {
        box->stats.waits += !waited;
        pthread_cond_wait(&box->room, &box->lock);
    }
    if (mail->letters > 0) {
        first = box->mail.letters == 0;
        if (box->tickets)
            first_letter(mail)->ticket = take_ticket(box->tickets);
        box->stats.posted += mail->letters;
        box->stats.batches++;
        if (!fit_in(&box->mail, mail))
            join(&box->mail, mail);
    }
    join(&box->back, spent);
    if (box->mail.letters > box->stats.most)
        box->stats.most = box->mail.letters;
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

void im_mailbox_take(struct im_mailbox *box, struct im_mail *mail, struct im_mail *back)
{
    uint64_t count;
    ssize_t got = read(box->wake_fd, &count, sizeof count);
    (void)got;
    pthread_mutex_lock(&box->lock);
    join(mail, &box->mail);
    join(back, &box->back);
    pthread_cond_signal(&box->room);
    pthread_mutex_unlock(&box->lock);
}

bool im_mailbox_empty(struct im_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    bool none = box->mail.letters == 0;
    pthread_mutex_unlock(&box->lock);
    return none;
}

void im_mailbox_look(struct im_mailbox *box, struct im_mailbox_stats *stats)
{
    pthread_mutex_lock(&box->lock);
    *stats = box->stats;
    stats->waiting = box->mail.letters;
    pthread_mutex_unlock(&box->lock);
}
