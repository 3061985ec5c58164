#ifndef IM_TRANSPORTS_WS_POOL_H
#define IM_TRANSPORTS_WS_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"

/* What all WebSockets of one event loop share, so that an idle one owns neither buffers nor zlib streams: they are
 * borrowed for as long as a message is under way. */

struct z_stream_s;

struct im_ws_buffer {
    uint8_t *p;
    size_t len, cap;
};

/* A message compressed once for all who get it. */
struct im_ws_packed {
    struct im_bytes *plain;  /* held: its address is the key */
    struct im_bytes *framed; /* a whole frame from `off` on; NULL: compressing does not pay */
    uint8_t off;
    int8_t bits, level;
};

enum {
    IM_WS_PACKED = 8,              /* compressed messages remembered: the forms one event may take, for two windows */
    IM_WS_SPARE_BYTES = 64 * 1024, /* a bigger buffer is not kept */
    IM_WS_CONTROL_MAX = 125,       /* RFC 6455, 5.5 */
};

struct im_ws_pool {
    unsigned refs;
    unsigned inflating;              /* streams out */
    struct im_ws_buffer spare;       /* empty, or one buffer nobody uses */
    struct z_stream_s *inflater;     /* NULL, or one stream nobody uses */
    struct z_stream_s *deflater[16]; /* by window bits; made at the first use */
    int8_t deflater_level[16];
    struct im_ws_packed packed[IM_WS_PACKED];
    unsigned packed_next;
    struct im_out frame; /* one that is being made; its memory stays */
    uint8_t control[IM_WS_CONTROL_MAX];
};

struct im_ws_pool *im_ws_pool_new(void);
struct im_ws_pool *im_ws_pool_hold(struct im_ws_pool *);
/* Returns true if that was the last reference and the pool is gone. Sets *pool to NULL. */
bool im_ws_pool_drop(struct im_ws_pool **pool);

/* An empty buffer, with room if the pool has one to spare. */
void im_ws_buffer_borrow(struct im_ws_pool *, struct im_ws_buffer *);
void im_ws_buffer_return(struct im_ws_pool *, struct im_ws_buffer *);
/* Room for `more` bytes; grows by doubling, to no more than `most` bytes (at least len + more). */
void im_ws_buffer_reserve(struct im_ws_buffer *, size_t more, size_t most);
/* A buffer that must wait for the rest of its message keeps no more room than it needs. */
void im_ws_buffer_settle(struct im_ws_pool *, struct im_ws_buffer *);

#endif
