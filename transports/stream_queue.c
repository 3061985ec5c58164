#include "transports/stream_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "core/mem.h"

enum {
    SMALL_BYTES = 1024, /* what most turns have for one reader */
    LARGE_BYTES = 16 * 1024,
    PIECES_MAX = 64,
};

struct im_block {
    struct im_block *next;
    const uint8_t *p; /* what is left of it */
    size_t len, room; /* room: behind it, in data */
    struct im_bytes *owner;
    enum { SMALL, LARGE, OTHER } size; /* not OTHER: can be used again */
    uint8_t data[];
};

static struct im_block *add(struct im_queue *q, struct im_block *b)
{
    if (q->last)
        q->last->next = b;
    else
        q->first = b;
    return q->last = b;
}

static const size_t rooms[] = {[SMALL] = SMALL_BYTES, [LARGE] = LARGE_BYTES};

static struct im_block *take_spare(struct im_queue_pool *pool, int size)
{
    struct im_block *b = pool->spare[size];
    pool->spare[size] = b->next;
    if (--pool->count[size] < pool->least[size])
        pool->least[size] = pool->count[size];
    return b;
}

/* Who has filled a block gets room for much. What stands between bytes that are referred to fills none. */
static struct im_block *new_block(struct im_queue_pool *pool, size_t len, const struct im_block *before)
{
    bool more = before && before->size != OTHER;
    int size = len > LARGE_BYTES ? OTHER : !more && len <= SMALL_BYTES ? SMALL : LARGE;
    size_t room = size == OTHER ? len : rooms[size];
    struct im_block *b = size == OTHER ? NULL : pool->spare[size];
    if (!b)
        b = im_alloc(sizeof *b + room);
    else
        take_spare(pool, size);
    b->next = NULL;
    b->p = b->data;
    b->len = 0;
    b->room = room;
    b->owner = NULL;
    b->size = size;
    return b;
}

static void drop_block(struct im_queue_pool *pool, struct im_block *b)
{
    if (b->owner)
        im_bytes_drop(&b->owner);
    if (b->size == OTHER) {
        free(b);
        return;
    }
    b->next = pool->spare[b->size];
    pool->spare[b->size] = b;
    pool->count[b->size]++;
}

bool im_queue_pool_trim(struct im_queue_pool *pool)
{
    for (int size = SMALL; size <= LARGE; size++) {
        for (size_t n = pool->least[size]; n > 0; n--)
            free(take_spare(pool, size));
        pool->least[size] = pool->count[size];
    }
    return pool->count[SMALL] + pool->count[LARGE] > 0;
}

void im_queue_pool_clear(struct im_queue_pool *pool)
{
    while (im_queue_pool_trim(pool))
        continue;
}

void im_queue_copy(struct im_queue *q, struct im_queue_pool *pool, const uint8_t *p, size_t len)
{
    struct im_block *b = q->last;
    if (!b || b->room < len)
        b = add(q, new_block(pool, len, b));
    memcpy(b->data + (b->p - b->data) + b->len, p, len);
    b->len += len;
    b->room -= len;
}

void im_queue_refer(struct im_queue *q, const uint8_t *p, size_t len, struct im_bytes *owner)
{
    struct im_block *b = im_alloc(sizeof *b);
    *b = (struct im_block){.p = p, .len = len, .owner = owner ? im_bytes_hold(owner) : NULL, .size = OTHER};
    add(q, b);
}

static void drop_first(struct im_queue *q, struct im_queue_pool *pool)
{
    struct im_block *b = q->first;
    q->first = b->next;
    if (!q->first)
        q->last = NULL;
    drop_block(pool, b);
}

void im_queue_drain(struct im_queue *q, struct im_queue_pool *pool, size_t n)
{
    while (n > 0) {
        struct im_block *b = q->first;
        if (n < b->len) {
            b->p += n;
            b->len -= n;
            return;
        }
        n -= b->len;
        drop_first(q, pool);
    }
}

struct im_str im_queue_first(const struct im_queue *q, struct im_bytes **owner)
{
    *owner = q->first->owner;
    return (struct im_str){(const char *)q->first->p, q->first->len};
}

struct im_str im_queue_next(const struct im_queue *q, uint8_t *room, size_t most)
{
    const struct im_block *b = q->first;
    size_t len = 0;
    if (!b->next || b->len >= most)
        return (struct im_str){(const char *)b->p, b->len < most ? b->len : most};
    for (; b && len < most; b = b->next) {
        size_t n = b->len < most - len ? b->len : most - len;
        memcpy(room + len, b->p, n);
        len += n;
    }
    return (struct im_str){(const char *)room, len};
}

static ssize_t send_pieces(const struct im_queue *q, int fd)
{
    struct iovec pieces[PIECES_MAX];
    struct msghdr message = {.msg_iov = pieces};
    for (const struct im_block *b = q->first; b && message.msg_iovlen < PIECES_MAX; b = b->next)
        pieces[message.msg_iovlen++] = (struct iovec){(void *)b->p, b->len};
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

ssize_t im_queue_send(struct im_queue *q, struct im_queue_pool *pool, int fd)
{
    assert(q->first);
    ssize_t n = q->first->next ? send_pieces(q, fd) : send(fd, q->first->p, q->first->len, MSG_NOSIGNAL);
    if (n > 0)
        im_queue_drain(q, pool, (size_t)n);
    return n;
}

void im_queue_clear(struct im_queue *q, struct im_queue_pool *pool)
{
    while (q->first)
        drop_first(q, pool);
}
