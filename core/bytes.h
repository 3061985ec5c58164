#ifndef IM_CORE_BYTES_H
#define IM_CORE_BYTES_H

#include <stdint.h>

#include "core/str.h"

/* Immutable, reference-counted bytes: an encoded message that any number of one thread's links share. Counting is not
 * atomic, for that would make each delivery wait until all it has written so far is in the cache: all references are
 * one thread's, and only the last of them may be passed on to another. */
struct im_bytes {
    unsigned refs;
    uint32_t len;
    uint8_t data[];
};

struct im_bytes *im_bytes_new(const void *data, size_t len); /* one reference, the caller's */
struct im_bytes *im_bytes_hold(struct im_bytes *b);          /* returns b */
void im_bytes_drop(struct im_bytes **b);                     /* sets *b to NULL; *b may be NULL */
static inline struct im_str im_bytes_str(const struct im_bytes *b)
{
    return (struct im_str){(const char *)b->data, b->len};
}

/* A growing buffer that becomes im_bytes without a copy. Zero-initialise; im_out_take() or im_out_clear() ends it. */
struct im_out {
    struct im_bytes *bytes;
    size_t len, cap;
};

void im_out_grow(struct im_out *out, size_t more);
/* Room for so many bytes, and a NUL after them. */
static inline void im_out_reserve(struct im_out *out, size_t more)
{
    if (out->len + more >= out->cap)
        im_out_grow(out, more);
}
static inline void im_out_put(struct im_out *out, const void *data, size_t len)
{
    if (len == 0)
        return;
    im_out_reserve(out, len);
    memcpy(out->bytes->data + out->len, data, len);
    out->len += len;
    out->bytes->data[out->len] = '\0';
}
/* What is known when it is compiled costs no call. */
#define IM_OUT_LITERAL(out, literal) im_out_put(out, literal, sizeof(literal) - 1)
void im_out_str(struct im_out *out, const char *s);
static inline void im_out_char(struct im_out *out, char c)
{
    im_out_put(out, &c, 1);
}
/* To write more than one thing where im_out_reserve() has made room: from im_out_end() on, each from where the one
 * before it ended; the end of the last goes to im_out_until(). */
static inline uint8_t *im_out_end(struct im_out *out)
{
    return out->bytes->data + out->len;
}
static inline void im_out_until(struct im_out *out, uint8_t *end)
{
    out->len = (size_t)(end - out->bytes->data);
    *end = '\0';
}
#define IM_PUT_LITERAL(at, literal) ((uint8_t *)memcpy(at, literal, sizeof(literal) - 1) + sizeof(literal) - 1)
uint8_t *im_put_u64(uint8_t *at, uint64_t n);
static inline uint8_t *im_put_i64(uint8_t *at, int64_t n)
{
    *at = '-';
    return im_put_u64(at + (n < 0), n < 0 ? -(uint64_t)n : (uint64_t)n);
}
uint8_t *im_put_json(uint8_t *at, struct im_str s); /* as im_out_json() */
/* How much room these need at most. */
#define IM_PUT_NUMBER      25
#define IM_PUT_JSON(bytes) ((bytes)*6 + 10)

void im_out_u64(struct im_out *out, uint64_t n);
void im_out_i64(struct im_out *out, int64_t n);
/* A JSON string with its quotes. s must be valid UTF-8. */
void im_out_json(struct im_out *out, struct im_str s);
/* Text made safe for a terminal: C0, C1, DEL and bidi controls as \xNN or \u{NNNN}; with lines = false also LF. */
void im_out_safe(struct im_out *out, struct im_str s, bool lines);
void im_out_printf(struct im_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct im_bytes *
im_out_take(struct im_out *out); /* one reference, the caller's; out is empty again. May move the bytes */
void im_out_clear(struct im_out *out);
/* What is in it, with a NUL after the last byte; valid until it grows. */
static inline const char *im_out_data(const struct im_out *out)
{
    return out->bytes ? (const char *)out->bytes->data : "";
}

#endif
