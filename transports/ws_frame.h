#ifndef IM_TRANSPORTS_WS_FRAME_H
#define IM_TRANSPORTS_WS_FRAME_H

#include "core/reason.h"
#include "core/str.h"
#include "transports/ws_deflate.h"
#include "transports/ws_pool.h"
#include "transports/ws_utf8.h"

/* RFC 6455, 5: frames, without any I/O. */

enum {
    IM_WS_CONTINUATION = 0x0,
    IM_WS_TEXT = 0x1,
    IM_WS_BINARY = 0x2,
    IM_WS_CLOSE = 0x8,
    IM_WS_PING = 0x9,
    IM_WS_PONG = 0xa,
    IM_WS_FIN = 0x80,
    IM_WS_RSV1 = 0x40,
};
#define IM_WS_HEAD_MAX  10 /* of an unmasked frame */
#define IM_WS_FRAME_MAX (2 + IM_WS_CONTROL_MAX)

/* What a peer may do. Passed to each call, so that a reload takes effect at once. */
struct im_ws_limits {
    size_t message_bytes; /* less than SIZE_MAX / 2 */
    uint32_t fragments;   /* of one message */
    uint32_t controls;    /* control frames per second, and in one go */
    uint64_t message_ms;  /* from a message's first byte to its last */
};

/*      header ──► payload ──► header …        a frame's bytes
 *      `opcode` is the message's while fragments of it are awaited, else 0; control frames come between fragments. */
struct im_ws_parser {
    struct im_ws_pool *pool;
    struct z_stream_s *inflater; /* NULL unless the peer's window is kept */
    struct im_ws_buffer message; /* as far as it has come; compressed, if it is, until it is complete */
    uint8_t *control;            /* payload of a control frame that came in pieces; malloc'd */
    uint64_t left;               /* of the frame's payload */
    uint64_t taken;              /* payload bytes of the message, as they came */
    uint64_t begun_ms;           /* when the message began */
    uint64_t controls_us;        /* when the allowance of control frames is whole again */
    uint32_t fragments;
    uint32_t mask; /* in memory order, turned so that its first byte is the next one */
    struct im_ws_utf8 utf8;
    uint8_t head[14];
    uint8_t head_len;
    uint8_t control_len;
    uint8_t opcode;
    struct im_ws_deflate deflate;
    bool packed;   /* the message is compressed */
    bool payload;  /* the frame's head is complete */
    bool skipping; /* data is of no interest any more; see im_ws_parser_skip */
};

enum im_ws_event_kind {
    IM_WS_EV_NONE, /* all input is taken */
    IM_WS_EV_MESSAGE,
    IM_WS_EV_PING,
    IM_WS_EV_PONG,
    IM_WS_EV_CLOSE,
    IM_WS_EV_ERROR, /* nothing may be fed after it */
};

struct im_ws_event {
    enum im_ws_event_kind kind;
    enum im_reason reason; /* ERROR */
    bool text;             /* MESSAGE: else binary */
    uint16_t code;         /* CLOSE: 0 if there was none */
    struct im_str data;    /* payload; CLOSE: the text. Valid until im_ws_event_done() */
};

/* Zeroed memory becomes a parser. The pool must outlive it. */
void im_ws_parser_init(struct im_ws_parser *, struct im_ws_pool *, const struct im_ws_deflate *);
void im_ws_parser_clear(struct im_ws_parser *);
/* Takes bytes from *in up to the next event. Call im_ws_event_done() after each event that is not NONE. */
void im_ws_feed(struct im_ws_parser *, const struct im_ws_limits *, uint64_t now_ms, struct im_str *in,
                struct im_ws_event *);
void im_ws_event_done(struct im_ws_parser *);
/* From now on only control frames count; the payload of data frames is passed over. */
void im_ws_parser_skip(struct im_ws_parser *);

/* The head of an unmasked frame; returns its length. */
size_t im_ws_frame_head(uint8_t head[IM_WS_HEAD_MAX], uint8_t first, uint64_t len);
/* A whole control frame; n <= IM_WS_CONTROL_MAX. */
size_t im_ws_control_frame(uint8_t out[IM_WS_FRAME_MAX], uint8_t opcode, struct im_str payload);
/* A whole close frame; code 0: none. Text that does not fit is cut between code points. */
size_t im_ws_close_frame(uint8_t out[IM_WS_FRAME_MAX], uint16_t code, struct im_str text);
/* May a peer send this close code (7.4)? */
bool im_ws_close_code_ok(uint16_t code);

#endif
