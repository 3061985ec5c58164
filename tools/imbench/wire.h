#ifndef IM_TOOLS_IMBENCH_WIRE_H
#define IM_TOOLS_IMBENCH_WIRE_H

#include "core/bytes.h"

/* Framing, on the client's side and without any I/O. It shares nothing with the server's, which it measures and checks:
 * a mistake there is not made here again. */

enum wire_framing { WIRE_WEBSOCKET, WIRE_LINES };

enum wire_kind {
    WIRE_PART, /* there is no whole message yet */
    WIRE_TEXT,
    WIRE_PING,
    WIRE_CLOSE, /* data: the reason's text */
    WIRE_OTHER, /* nothing to do */
    WIRE_BAD,   /* not what a server may send */
};

struct wire_message {
    enum wire_kind kind;
    struct im_str data; /* in the input */
    bool packed;        /* of TEXT: by permessage-deflate */
    size_t used;        /* bytes of the input; 0: none, as of PART and BAD */
};

/* The first message in the input. */
struct wire_message wire_take(enum wire_framing, struct im_str in);
void wire_put(enum wire_framing, struct im_out *, struct im_str text);
void wire_put_packed(struct im_out *, struct im_str packed); /* of a WebSocket */
void wire_put_pong(struct im_out *, struct im_str data);     /* of a WebSocket */

/* A WebSocket's opening. */
struct wire_request {
    const char *host, *path, *subprotocol, *extension; /* the last two may be NULL */
};
void wire_put_request(struct im_out *, const struct wire_request *);
/* The end of the answer's head in the input, or 0 if it has not all come. *good: whether it agrees to the upgrade. */
size_t wire_take_answer(struct im_str in, bool *good);

#endif
