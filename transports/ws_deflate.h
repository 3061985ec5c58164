#ifndef IM_TRANSPORTS_WS_DEFLATE_H
#define IM_TRANSPORTS_WS_DEFLATE_H

#include "core/bytes.h"
#include "core/reason.h"
#include "core/str.h"
#include "transports/ws_pool.h"

/* permessage-deflate (RFC 7692). */

struct im_ws_deflate {
    bool on;
    bool ours_kept;   /* our window lives on from message to message */
    bool theirs_kept; /* so does the peer's */
    uint8_t bits;     /* of our window */
};
#define IM_WS_DEFLATE_ANSWER 160

enum im_ws_offer { IM_WS_OFFER_NONE, IM_WS_OFFER_TAKEN, IM_WS_OFFER_MALFORMED };
/* Takes the first offer in one Sec-WebSocket-Extensions value that can be met, and writes the answer's value (7.1).
 * Malformed: not the header's grammar (RFC 6455, 9.1). keep: let windows live on where the peer allows it. */
enum im_ws_offer im_ws_deflate_negotiate(struct im_str value, bool keep, struct im_ws_deflate *,
                                         char answer[IM_WS_DEFLATE_ANSWER]);

/* Decompression of one message at a time (7.2.2). */

/* A stream, from the pool or new. `kept` ones live as long as their connection and are not among those the pool counts;
 * the others go back before anything else is read. */
struct z_stream_s *im_ws_inflater_borrow(struct im_ws_pool *, bool kept);
void im_ws_inflater_return(struct im_ws_pool *, struct z_stream_s **, bool kept); /* *stream may be NULL */
/* Appends to out. IM_WS_DEFLATE: corrupt. IM_WS_TOO_BIG: out would exceed `most` bytes. */
enum im_reason im_ws_inflate(struct z_stream_s *, const uint8_t *p, size_t n, struct im_ws_buffer *out, size_t most);
/* After the message's last byte. */
enum im_reason im_ws_inflate_end(struct z_stream_s *, struct im_ws_buffer *out, size_t most);

/* Compression (7.2.1). */

/* plain as a compressed frame that begins at *off: a reference that the caller drops. NULL: compressing does not pay.
 * No window is kept, so one result serves every peer into whose window plain fits, and else those with the same bits;
 * it is remembered while plain is shared. *runs grows by one unless it was.
 * `first` is the frame's first octet, and the same whenever plain is. */
struct im_bytes *im_ws_deflate_shared(struct im_ws_pool *, struct im_bytes *plain, uint8_t first, int bits, int level,
                                      size_t *off, uint64_t *runs);
/* The same with a window that is kept in *stream (NULL at first; end it with im_ws_deflater_end). */
struct im_bytes *im_ws_deflate_kept(struct z_stream_s **stream, struct im_str plain, uint8_t first, int bits, int level,
                                    size_t *off);
void im_ws_deflater_end(struct z_stream_s **);

/* Frees every stream and message of the pool. */
void im_ws_deflate_clear(struct im_ws_pool *);

#endif
