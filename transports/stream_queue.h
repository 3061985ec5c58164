#ifndef IM_TRANSPORTS_STREAM_QUEUE_H
#define IM_TRANSPORTS_STREAM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/bytes.h"

/* What waits to leave at the end of a turn: small writes are gathered in blocks, large ones referred to. Zero is
 * empty, and costs no memory. */
struct im_block;
struct im_queue {
    struct im_block *first, *last;
};

/* Blocks that wait for their next use: those that the queues of one event loop need again and again. Zero is empty. */
struct im_queue_pool {
    struct im_block *spare[2]; /* small ones, large ones */
    size_t count[2], least[2]; /* least: of count since the last trim */
};
/* Frees what has not been needed since the last time. Is there any left? */
bool im_queue_pool_trim(struct im_queue_pool *);
void im_queue_pool_clear(struct im_queue_pool *);

void im_queue_copy(struct im_queue *, struct im_queue_pool *, const uint8_t *p, size_t len);
/* Holds a reference to the owner of the bytes; NULL: they stay for good. */
void im_queue_refer(struct im_queue *, const uint8_t *p, size_t len, struct im_bytes *owner);
/* Hands as much of it as it can to the socket in one call; what has left is gone from the queue. How many bytes, or -1
 * and errno as from sendmsg(); never SIGPIPE. The queue must not be empty. */
ssize_t im_queue_send(struct im_queue *, struct im_queue_pool *, int fd);
/* The next bytes, at most so many, in one piece: where they lie, or, if they lie in several, copied to `room`. */
struct im_str im_queue_next(const struct im_queue *, uint8_t *room, size_t most);
/* The bytes that lie together at the front. *owner: whose they are if they are referred to, else NULL. */
struct im_str im_queue_first(const struct im_queue *, struct im_bytes **owner);
void im_queue_drain(struct im_queue *, struct im_queue_pool *, size_t n); /* they have left */
void im_queue_clear(struct im_queue *, struct im_queue_pool *);

#endif
