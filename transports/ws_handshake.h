#ifndef IM_TRANSPORTS_WS_HANDSHAKE_H
#define IM_TRANSPORTS_WS_HANDSHAKE_H

#include "core/str.h"

/* Values of the opening handshake (RFC 6455, 4 and 9.1). */

/* Is it the base64 form of 16 bytes? */
bool im_ws_key_ok(struct im_str key);
#define IM_WS_ACCEPT_LEN 28
/* Sec-WebSocket-Accept for a key, NUL-terminated. */
void im_ws_accept(struct im_str key, char out[IM_WS_ACCEPT_LEN + 1]);

/* Walks a Sec-WebSocket-Extensions value; start with {.rest = value}. */
struct im_ws_extension {
    struct im_str rest;
    struct im_str name, value; /* of the extension or parameter; value absent if it has none, and without quotes */
    bool inside;               /* an extension has begun: parameters may follow */
};
enum im_ws_extension_part { IM_WS_EXT_END, IM_WS_EXT_NAME, IM_WS_EXT_PARAMETER, IM_WS_EXT_MALFORMED };
enum im_ws_extension_part im_ws_extension_next(struct im_ws_extension *);

#endif
