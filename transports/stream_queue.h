#ifndef IM_TRANSPORTS_STREAM_QUEUE_H
#define IM_TRANSPORTS_STREAM_QUEUE_H

#include <stddef.h>
#include <sys/types.h>

#include "core/bytes.h"

/* What waits to leave through a plain socket: small writes are gathered in blocks, large ones referred to. Zero is
 * empty, and costs no memory. */
struct im_block;
struct im_queue {
    struct im_block *first, *last;
};

/* Blocks that wait for their next use: those that the queues of one event loop need again and again. Zero is empty. */
struct im_queue_pool {
    struct im_block *spare[2]; /* small ones, large ones */
    unsigned count[2];
};
void im_queue_pool_clear(struct im_queue_pool *);

void im_queue_copy(struct im_queue *, struct im_queue_pool *, const uint8_t *p, size_t len);
/* Holds a reference to the owner of the bytes; NULL: they stay for good. */
void im_queue_refer(struct im_queue *, const uint8_t *p, size_t len, struct im_bytes *owner);
/* Hands as much of it as it can to the socket in one call; what has left is gone from the queue. How many bytes, or -1
 * and errno as from sendmsg(); never SIGPIPE. The queue must not be empty. */
ssize_t im_queue_send(struct im_queue *, struct im_queue_pool *, int fd);
void im_queue_clear(struct im_queue *, struct im_queue_pool *);

#endif
