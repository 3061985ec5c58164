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
    atomic_init(&b->refs, 1);
    b->len = (uint32_t)len;
    if (len > 0)
        memcpy(b->data, data, len);
    return b;
}

struct im_bytes *im_bytes_hold(struct im_bytes *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void im_bytes_drop(struct im_bytes **b)
{
    struct im_bytes *old = *b;
    *b = NULL;
    if (old && atomic_fetch_sub_explicit(&old->refs, 1, memory_order_acq_rel) == 1)
        free(old);
}

void im_out_reserve(struct im_out *out, size_t more)
{
    if (out->len + more < out->cap)
        return;
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

/* 1233 / 4096 is nearly the logarithm of 2: so many digits that number of bits has, or one more. */
static size_t digits_of(uint64_t n)
{
    static const uint64_t powers[] = {0,
                                      10u,
                                      100u,
                                      1000u,
                                      10000u,
                                      100000u,
                                      1000000u,
                                      10000000u,
                                      100000000u,
                                      1000000000u,
                                      10000000000u,
                                      100000000000u,
                                      1000000000000u,
                                      10000000000000u,
                                      100000000000000u,
                                      1000000000000000u,
                                      10000000000000000u,
                                      100000000000000000u,
                                      1000000000000000000u,
                                      10000000000000000000u};
    size_t about = (size_t)(64 - __builtin_clzll(n | 1)) * 1233 / 4096;
    return about + (n >= powers[about]);
}

/* In its place, two digits at a time: half the divisions. */
void im_out_u64(struct im_out *out, uint64_t n)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    size_t len = digits_of(n);
    im_out_reserve(out, len);
    uint8_t *at = out->bytes->data + (out->len += len);
    *at = '\0';
    for (; n >= 100; n /= 100)
        memcpy(at -= 2, pairs + n % 100 * 2, 2);
    if (n >= 10)
        memcpy(at - 2, pairs + n * 2, 2);
    else
        at[-1] = (uint8_t)('0' + n);
}

void im_out_i64(struct im_out *out, int64_t n)
{
    if (n < 0)
        im_out_char(out, '-');
    im_out_u64(out, n < 0 ? -(uint64_t)n : (uint64_t)n);
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

/* Copies what stands as it is, in words as long as may be, of which the last two may overlap; returns how much that
 * was. There is room for all of it. */
static size_t copy_plain(uint8_t *to, struct im_str s)
{
    enum { WORD = sizeof(uint64_t), HALF = WORD / 2 };
    uint32_t first, last;
    size_t i = 0;
    for (; s.len - i >= 4 * WORD && !im_json_special_32(s.p + i); i += 4 * WORD)
        memcpy(to + i, s.p + i, 4 * WORD);
    for (; s.len - i >= WORD && im_json_special(im_str_eight(s.p + i)) == 0; i += WORD)
        memcpy(to + i, s.p + i, WORD);
    if (i == s.len) /* or nothing at all */
        return i;
    if (s.len >= WORD && s.len - i < WORD && im_json_special(im_str_eight(s.p + s.len - WORD)) == 0) {
        memcpy(to + s.len - WORD, s.p + s.len - WORD, WORD);
        return s.len;
    }
    if (s.len < WORD && s.len >= HALF) {
        memcpy(&first, s.p, HALF);
        memcpy(&last, s.p + s.len - HALF, HALF);
        if (im_json_special(first | (uint64_t)last << 32) == 0) {
            memcpy(to, &first, HALF);
            memcpy(to + s.len - HALF, &last, HALF);
            return s.len;
        }
    }
    for (; i < s.len && (unsigned char)s.p[i] >= 0x20 && s.p[i] != '"' && s.p[i] != '\\'; i++)
        to[i] = (uint8_t)s.p[i];
    return i;
}

static void escape_rest(struct im_out *out, struct im_str s)
{
    while (s.len > 0) {
        char buffer[8];
        im_out_str(out, json_escape((unsigned char)*s.p, buffer));
        s = (struct im_str){s.p + 1, s.len - 1};
        im_out_reserve(out, s.len + 1);
        size_t plain = copy_plain(out->bytes->data + out->len, s);
        out->len += plain;
        s = (struct im_str){s.p + plain, s.len - plain};
    }
    im_out_char(out, '"');
}

void im_out_json(struct im_out *out, struct im_str s)
{
    if (out->len + s.len + 2 >= out->cap)
        im_out_reserve(out, s.len + 2);
    uint8_t *at = out->bytes->data + out->len;
    *at++ = '"';
    size_t plain = copy_plain(at, s);
    out->len += 1 + plain;
    if (plain < s.len) {
        escape_rest(out, (struct im_str){s.p + plain, s.len - plain});
        return;
    }
    at[plain] = '"';
    at[plain + 1] = '\0';
    out->len++;
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
    atomic_init(&b->refs, 1);
    b->len = (uint32_t)out->len;
    *out = (struct im_out){0};
    return b;
}

void im_out_clear(struct im_out *out)
{
    free(out->bytes);
    *out = (struct im_out){0};
}
