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

bool im_str_utf8(struct im_str s)
{
    size_t i = 0;
    while (i < s.len) {
        uint64_t eight;
        if (i + sizeof eight <= s.len && (memcpy(&eight, s.p + i, sizeof eight), eight & 0x8080808080808080u) == 0) {
            i += sizeof eight;
            continue;
        }
        if ((unsigned char)s.p[i] < 0x80) {
            i++;
            continue;
        }
        utf8proc_int32_t point;
        utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)s.p + i, (utf8proc_ssize_t)(s.len - i), &point);
        if (n <= 0)
            return false;
        i += (size_t)n;
    }
    return true;
}

/* Is one of these eight bytes below 0x20, '"' or '\\'? Of bytes above 0x7f it may say so, too. */
static bool has_special(uint64_t eight)
{
    static const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t quote = eight ^ ones * '"', backslash = eight ^ ones * '\\';
    return ((eight - ones * 0x20) | (quote - ones) | (backslash - ones)) & high;
}

size_t im_str_json_plain(struct im_str s)
{
    size_t i = 0;
    uint64_t eight;
    for (;;) {
        while (i + sizeof eight <= s.len && (memcpy(&eight, s.p + i, sizeof eight), !has_special(eight)))
            i += sizeof eight;
        size_t some = i + sizeof eight < s.len ? i + sizeof eight : s.len;
        for (; i < some; i++)
            if ((unsigned char)s.p[i] < 0x20 || s.p[i] == '"' || s.p[i] == '\\')
                return i;
        if (i == s.len)
            return i;
    }
}

bool im_str_control(struct im_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}
