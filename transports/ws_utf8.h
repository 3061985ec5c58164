#ifndef IM_TRANSPORTS_WS_UTF8_H
#define IM_TRANSPORTS_WS_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UTF-8 (RFC 3629) checked as it arrives, in pieces cut anywhere. Zero-initialised: at the start of a text. */
struct im_ws_utf8 {
    uint8_t need;      /* continuation octets still to come */
    uint8_t low, high; /* what the next of them may be */
};

/* False at the first octet that no well-formed text can have there. */
bool im_ws_utf8_feed(struct im_ws_utf8 *, const uint8_t *p, size_t n);
static inline bool im_ws_utf8_complete(const struct im_ws_utf8 *u)
{
    return u->need == 0;
}

#endif
