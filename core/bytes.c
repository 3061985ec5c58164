#include "core/bytes.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

#include "core/mem.h"

struct im_bytes *im_bytes_new(const void *data, size_t len)
{
    assert(len <= UINT32_MAX);
    struct im_bytes *b = im_alloc(sizeof *b + len);
    b->refs = 1;
    b->len = (uint32_t)len;
    if (len > 0)
        memcpy(b->data, data, len);
    return b;
}

struct im_bytes *im_bytes_hold(struct im_bytes *b)
{
    b->refs++;
    return b;
}

void im_bytes_drop(struct im_bytes **b)
{
    struct im_bytes *old = *b;
    *b = NULL;
    if (old && --old->refs == 0)
        free(old);
}

void im_out_grow(struct im_out *out, size_t more)
{
    size_t cap = out->cap ? out->cap : 128;
    while (cap <= out->len + more)
        cap *= 2;
    out->bytes = im_realloc(out->bytes, sizeof *out->bytes + cap);
    out->cap = cap;
}

void im_out_str(struct im_out *out, const char *s)
{
    im_out_put(out, s, strlen(s));
}

/* n, of at most eight digits, in decimal: the first digit lowest, each a byte of 0 to 9. All at once: first the halves
 * are split off, then pairs, then digits; the divisions by 100 and 10 are multiplications that are exact so far. */
static inline uint64_t eight_digits(uint32_t n)
{
    uint64_t halves = n / 10000 | (uint64_t)(n % 10000) << 32;
    uint64_t hundreds = halves * 10486 >> 20 & 0x7f0000007fu;
    uint64_t pairs = hundreds | (halves - hundreds * 100) << 16;
    uint64_t tens = pairs * 103 >> 10 & 0x000f000f000f000fu;
    return tens | (pairs - tens * 10) << 8;
}

enum { DIGITS = 8, BASE = 100000000 };

/* The eight digits, but so many at the beginning. */
static inline uint8_t *put_digits(uint8_t *at, uint64_t digits, unsigned skip)
{
    uint64_t text = htole64((digits | 0x3030303030303030u) >> skip * 8);
    memcpy(at, &text, sizeof text);
    return at + DIGITS - skip;
}

/* Apart, so that the usual number has nothing to save before a call. */
static __attribute__((noinline)) uint8_t *put_long(uint8_t *at, uint64_t n)
{
    return put_digits(im_put_u64(at, n / BASE), eight_digits((uint32_t)(n % BASE)), 0);
}

uint8_t *im_put_u64(uint8_t *at, uint64_t n)
{
    if (n >= BASE)
        return put_long(at, n);
    uint64_t digits = eight_digits((uint32_t)n);
    return put_digits(at, digits, (unsigned)__builtin_ctzll(digits | (uint64_t)1 << 56) / 8); /* the last one counts */
}

void im_out_u64(struct im_out *out, uint64_t n)
{
    im_out_reserve(out, IM_PUT_NUMBER);
    im_out_until(out, im_put_u64(im_out_end(out), n));
}

void im_out_i64(struct im_out *out, int64_t n)
{
    im_out_reserve(out, IM_PUT_NUMBER);
    im_out_until(out, im_put_i64(im_out_end(out), n));
}

/* RFC 8259, 7: what must be escaped; DEL and above pass as they are. */
static const char *json_escape(unsigned char c, char buffer[8])
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        snprintf(buffer, 8, "\\u%04x", c);
        return buffer;
    }
}

/* Copies what stands as it is, in words, the last of which may overlap; returns how much that was. There is room for
 * eight bytes more. */
static inline __attribute__((always_inline)) size_t copy_plain(uint8_t *to, struct im_str s)
{
    enum { WORD = sizeof(uint64_t) };
    size_t i = 0, last = s.len < WORD ? 0 : s.len - WORD;
    for (; s.len - i >= 4 * WORD && !im_json_special_32(s.p + i); i += 4 * WORD)
        memcpy(to + i, s.p + i, 4 * WORD);
    do {
        i = i < last ? i : last;
        uint64_t eight = s.len < WORD ? im_str_short(s) : im_str_eight(s.p + i);
        uint64_t special = im_json_special(eight), bytes = htole64(eight);
        memcpy(to + i, &bytes, WORD);
        if (special) /* as the 0 after a short string is */
            return i + (size_t)__builtin_ctzll(special) / 8;
        i += WORD;
    } while (i < s.len);
    return s.len;
}

static void escape_rest(struct im_out *out, struct im_str s)
{
    while (s.len > 0) {
        char buffer[8];
        im_out_str(out, json_escape((unsigned char)*s.p, buffer));
        s = (struct im_str){s.p + 1, s.len - 1};
        im_out_reserve(out, s.len + sizeof(uint64_t));
        size_t plain = copy_plain(out->bytes->data + out->len, s);
        out->len += plain;
        s = (struct im_str){s.p + plain, s.len - plain};
    }
    im_out_char(out, '"');
}

void im_out_json(struct im_out *out, struct im_str s)
{
    im_out_reserve(out, s.len + 2 + sizeof(uint64_t));
    uint8_t *at = im_out_end(out);
    *at++ = '"';
    size_t plain = copy_plain(at, s);
    at += plain;
    if (plain == s.len)
        *at++ = '"';
    im_out_until(out, at);
    if (plain < s.len)
        escape_rest(out, (struct im_str){s.p + plain, s.len - plain});
}

/* What is seldom is apart, so that there is nothing to save before a name is copied. */
static __attribute__((noinline)) uint8_t *put_escaped(uint8_t *at, struct im_str s)
{
    struct im_out out = {0};
    im_out_json(&out, s);
    memcpy(at, out.bytes->data, out.len);
    at += out.len;
    im_out_clear(&out);
    return at;
}

uint8_t *im_put_json(uint8_t *at, struct im_str s)
{
    size_t plain = copy_plain(at + 1, s);
    if (plain < s.len)
        return put_escaped(at, s);
    *at = '"';
    at[plain + 1] = '"';
    return at + plain + 2;
}

/* Could this code point steer a terminal or reorder what stands around it? */
static bool unsafe_point(utf8proc_int32_t c, bool lines)
{
    if (c == '\n')
        return !lines;
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f || c == 0x2028 ||
           c == 0x2029 || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void im_out_safe(struct im_out *out, struct im_str s, bool lines)
{
    size_t i = 0;
    while (i < s.len) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c < 0x7f) {
            im_out_char(out, s.p[i++]);
            continue;
        }
        utf8proc_int32_t point;
        utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)s.p + i, (utf8proc_ssize_t)(s.len - i), &point);
        if (n <= 0)
            im_out_printf(out, "\\x%02x", c), n = 1;
        else if (!unsafe_point(point, lines))
            im_out_put(out, s.p + i, (size_t)n);
        else
            im_out_printf(out, point < 0x80 ? "\\x%02x" : "\\u{%04x}", (unsigned)point);
        i += (size_t)n;
    }
}

void im_out_printf(struct im_out *out, const char *format, ...)
{
    char buffer[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    assert(n >= 0);
    if ((size_t)n < sizeof buffer) {
        im_out_put(out, buffer, (size_t)n);
        return;
    }
    im_out_reserve(out, (size_t)n + 1);
    va_start(args, format);
    vsnprintf((char *)out->bytes->data + out->len, (size_t)n + 1, format, args);
    va_end(args);
    out->len += (size_t)n;
}

struct im_bytes *im_out_take(struct im_out *out)
{
    im_out_reserve(out, 1);
    struct im_bytes *b = out->bytes;
    assert(out->len <= UINT32_MAX);
    b->refs = 1;
    b->len = (uint32_t)out->len;
    *out = (struct im_out){0};
    return b;
}

void im_out_clear(struct im_out *out)
{
    free(out->bytes);
    *out = (struct im_out){0};
}
