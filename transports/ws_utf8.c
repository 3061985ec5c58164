#include "transports/ws_utf8.h"

#include <string.h>

/* What may follow a first octet (RFC 3629, 4): no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool begin(struct im_ws_utf8 *u, uint8_t c)
{
    u->low = 0x80;
    u->high = 0xbf;
    if (c >= 0xc2 && c <= 0xdf) {
        u->need = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
        u->need = 2;
        if (c == 0xe0)
            u->low = 0xa0;
        else if (c == 0xed)
            u->high = 0x9f;
    } else if (c >= 0xf0 && c <= 0xf4) {
        u->need = 3;
        if (c == 0xf0)
            u->low = 0x90;
        else if (c == 0xf4)
            u->high = 0x8f;
    } else {
        return false;
    }
    return true;
}

static bool next(struct im_ws_utf8 *u, uint8_t c)
{
    if (c < u->low || c > u->high)
        return false;
    u->need--;
    u->low = 0x80;
    u->high = 0xbf;
    return true;
}

static size_t skip_ascii(const uint8_t *p, size_t n)
{
    size_t i = 0;
    for (uint64_t word; n - i >= sizeof word; i += sizeof word) {
        memcpy(&word, p + i, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (i < n && p[i] < 0x80)
        i++;
    return i;
}

bool im_ws_utf8_feed(struct im_ws_utf8 *u, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (u->need > 0) {
            if (!next(u, p[i]))
                return false;
            continue;
        }
        i += skip_ascii(p + i, n - i);
        if (i < n && !begin(u, p[i]))
            return false;
    }
    return true;
}
