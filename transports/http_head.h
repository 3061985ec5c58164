#ifndef IM_TRANSPORTS_HTTP_HEAD_H
#define IM_TRANSPORTS_HTTP_HEAD_H

#include "core/reason.h"
#include "core/str.h"

/* The head of an HTTP/1.x request or response (RFC 9112, 2 to 5), parsed as it arrives, without any I/O. Strict: lines
 * end with CRLF, names are tokens, nothing is folded, and what may occur once does. */

enum im_http_field {
#define IM_HTTP_FIELDS(X)                                                                                              \
    X(HOST, "host", true)                                                                                              \
    X(CONNECTION, "connection", false)                                                                                 \
    X(UPGRADE, "upgrade", false)                                                                                       \
    X(WS_KEY, "sec-websocket-key", true)                                                                               \
    X(WS_VERSION, "sec-websocket-version", true)                                                                       \
    X(WS_PROTOCOL, "sec-websocket-protocol", false)                                                                    \
    X(WS_EXTENSIONS, "sec-websocket-extensions", false)                                                                \
    X(ORIGIN, "origin", true)                                                                                          \
    X(CONTENT_LENGTH, "content-length", true)                                                                          \
    X(CONTENT_TYPE, "content-type", true)                                                                              \
    X(TRANSFER_ENCODING, "transfer-encoding", false)                                                                   \
    X(EXPECT, "expect", false)                                                                                         \
    X(RETRY_AFTER, "retry-after", false)                                                                               \
    X(IF_NONE_MATCH, "if-none-match", false)                                                                           \
    X(ACCEPT, "accept", false)                                                                                         \
    X(ACCEPT_ENCODING, "accept-encoding", false)                                                                       \
    X(ACCEPT_LANGUAGE, "accept-language", false)
#define X(sym, name, once) IM_HEAD_##sym,
    IM_HTTP_FIELDS(X)
#undef X
        IM_HEAD_COUNT
};

/* A part of the head. */
struct im_http_span {
    uint32_t off, len;
};

enum { IM_HEAD_KEPT_MAX = 32 }; /* fields of the kinds above in one head; more is refused */

/* Zero-initialise, for a response set `response`; im_http_head_clear() makes it ready for the next, and frees. */
struct im_http_head {
    char *bytes;
    uint32_t len, cap;
    uint8_t state;
    uint8_t minor; /* HTTP/1.minor */
    uint8_t count;
    bool response;
    uint16_t status;                                 /* of a response */
    struct im_http_span method, target, name, value; /* method, target: of a request */
    struct {
        uint8_t field;
        struct im_http_span value;
    } kept[IM_HEAD_KEPT_MAX];
};

/* Takes bytes from *in up to the head's end, and then sets *done. Other than IM_OK: the head is refused (HTTP_BAD,
 * HTTP_HEAD when longer than max, HTTP_VERSION) at the first byte that proves it. */
enum im_reason im_http_head_feed(struct im_http_head *, size_t max, struct im_str *in, bool *done);
void im_http_head_clear(struct im_http_head *);

static inline struct im_str im_http_head_part(const struct im_http_head *h, struct im_http_span s)
{
    return (struct im_str){h->bytes + s.off, s.len};
}
/* The first value of a field; absent if there is none. */
struct im_str im_http_head_get(const struct im_http_head *, enum im_http_field);
/* Walks the values of a field, in order: *at starts at 0. False at the end. */
bool im_http_head_next(const struct im_http_head *, enum im_http_field, size_t *at, struct im_str *value);
/* Does any value of a list field have this element (case-insensitively)? */
bool im_http_head_lists(const struct im_http_head *, enum im_http_field, const char *element);

/* Takes the next element of a comma-separated list, without the space around it. False at the end. */
bool im_http_element(struct im_str *rest, struct im_str *element);
bool im_http_token_char(uint8_t c);
bool im_http_is(struct im_str s, const char *lower); /* case-insensitive */

#endif
