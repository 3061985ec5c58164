#include "transports/stream_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "core/mem.h"

enum { BLOCK_BYTES = 2048, PIECES_MAX = 64 };

struct im_block {
    struct im_block *next;
    const uint8_t *p; /* what is left of it */
    size_t len, room; /* room: behind it, in data */
    struct im_bytes *owner;
    uint8_t data[];
};

static struct im_block *add(struct im_queue *q, size_t room)
{
    struct im_block *b = im_alloc(sizeof *b + room);
    *b = (struct im_block){.p = b->data, .room = room};
    if (q->last)
        q->last->next = b;
    else
        q->first = b;
    q->last = b;
    return b;
}

void im_queue_copy(struct im_queue *q, const uint8_t *p, size_t len)
{
    const size_t usual = BLOCK_BYTES - sizeof(struct im_block);
    struct im_block *b = q->last;
    if (!b || b->room < len)
        b = add(q, len > usual ? len : usual);
    memcpy(b->data + (b->p - b->data) + b->len, p, len);
    b->len += len;
    b->room -= len;
}

void im_queue_refer(struct im_queue *q, const uint8_t *p, size_t len, struct im_bytes *owner)
{
    struct im_block *b = add(q, 0);
    b->p = p;
    b->len = len;
    b->owner = owner ? im_bytes_hold(owner) : NULL;
}

static void drop_first(struct im_queue *q)
{
    struct im_block *b = q->first;
    q->first = b->next;
    if (!q->first)
        q->last = NULL;
    im_bytes_drop(&b->owner);
    free(b);
}

static void drain(struct im_queue *q, size_t n)
{
    while (n > 0) {
        struct im_block *b = q->first;
        if (n < b->len) {
            b->p += n;
            b->len -= n;
            return;
        }
        n -= b->len;
        drop_first(q);
    }
}

ssize_t im_queue_send(struct im_queue *q, int fd)
{
    struct iovec pieces[PIECES_MAX];
    struct msghdr message = {.msg_iov = pieces};
    for (const struct im_block *b = q->first; b && message.msg_iovlen < PIECES_MAX; b = b->next)
        pieces[message.msg_iovlen++] = (struct iovec){(void *)b->p, b->len};
    assert(message.msg_iovlen > 0);
    ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (n > 0)
        drain(q, (size_t)n);
    return n;
}

void im_queue_clear(struct im_queue *q)
{
    while (q->first)
        drop_first(q);
}
