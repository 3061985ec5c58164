#include "core/str.h"

#include <string.h>
#include <utf8proc.h>

bool im_str_u64(struct im_str s, uint64_t *out)
{
    uint64_t n = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned char)s.p[i] - '0';
        if (digit > 9 || n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}

/* How many bytes from the beginning are ASCII; it may say fewer. Most text is, and is looked through in large steps. */
static size_t ascii(const char *p, size_t len)
{
    enum { STEP = 32 };
    const uint64_t high = 0x8080808080808080u;
    size_t i = 0;
    for (uint64_t w[STEP / sizeof(uint64_t)]; len - i >= STEP; i += STEP) {
        memcpy(w, p + i, STEP);
        if ((w[0] | w[1] | w[2] | w[3]) & high)
            break;
    }
    for (uint64_t w; len - i >= sizeof w; i += sizeof w) {
        memcpy(&w, p + i, sizeof w);
        if (w & high)
            break;
    }
    while (i < len && (unsigned char)p[i] < 0x80)
        i++;
    return i;
}

bool im_str_utf8(struct im_str s)
{
    size_t i = s.len > 0 ? ascii(s.p, s.len) : 0;
    while (i < s.len) {
        utf8proc_int32_t point;
        utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)s.p + i, (utf8proc_ssize_t)(s.len - i), &point);
        if (n <= 0)
            return false;
        i += (size_t)n;
        if (i < s.len && (unsigned char)s.p[i] < 0x80)
            i += ascii(s.p + i, s.len - i);
    }
    return true;
}

bool im_str_control(struct im_str s)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    size_t i = 0;
    for (; s.len - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t eight = im_str_eight(s.p + i);
        if (((eight - ones * 0x20) | ((eight ^ ones * 0x7f) - ones)) & ~eight & high)
            return true;
    }
    for (; i < s.len; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}
