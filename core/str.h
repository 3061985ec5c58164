#ifndef IM_CORE_STR_H
#define IM_CORE_STR_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A view of bytes somebody else owns; not NUL-terminated. p is NULL for "absent", which differs from "empty". */
struct im_str {
    const char *p;
    size_t len;
};

#define IM_STR(literal) ((struct im_str){(literal), sizeof(literal) - 1})

static inline struct im_str im_str(const char *s)
{
    return (struct im_str){s, s ? strlen(s) : 0};
}

static inline bool im_str_eq(struct im_str a, struct im_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* The eight bytes that are there, the first one lowest. */
static inline uint64_t im_str_eight(const char *p)
{
    uint64_t eight;
    memcpy(&eight, p, sizeof eight);
    return le64toh(eight);
}

/* The same where there may be fewer: 0 stands for what would be at `end` and behind it. There are eight before `end`.
 */
static inline uint64_t im_str_eight_until(const char *p, const char *end)
{
    if (end - p >= 8)
        return im_str_eight(p);
    unsigned bits = (unsigned)(p - (end - 8)) * 8; /* of what is before p: up to all 64 of them */
    return im_str_eight(end - 8) >> (bits - 8) >> 8;
}

/* All of s, which is less than eight bytes, and 0 after it; what is read twice is the same. */
static inline uint64_t im_str_short(struct im_str s)
{
    uint32_t first, last;
    uint16_t one, other;
    if (s.len >= sizeof first) {
        memcpy(&first, s.p, sizeof first);
        memcpy(&last, s.p + s.len - sizeof last, sizeof last);
        return le32toh(first) | (uint64_t)le32toh(last) << (s.len - sizeof last) * 8;
    }
    if (s.len < sizeof one)
        return s.len == 0 ? 0 : (unsigned char)*s.p;
    memcpy(&one, s.p, sizeof one);
    memcpy(&other, s.p + s.len - sizeof other, sizeof other);
    return le16toh(one) | (uint64_t)le16toh(other) << (s.len - sizeof other) * 8;
}

/* The high bit of each of eight bytes that a JSON string cannot have as it is (RFC 8259, 7): below 0x20, '"', '\\'. To
 * change 2 in each brings '"' down to 0x20, and what is below stays there. To take from each byte what it must not be
 * below, or 1 after what is looked for became 0, borrows from the next byte where it is so: what is found first is
 * right, and so is that there is nothing. */
static inline uint64_t im_json_special(uint64_t eight)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t low = eight ^ ones * ('"' ^ 0x20), backslash = eight ^ ones * '\\';
    return ((low - ones * 0x21) | (backslash - ones)) & ~eight & high;
}

/* Is there such a byte among 32? Compared sixteen at a time, where the processor can. */
static inline bool im_json_special_32(const char *p)
{
    typedef uint8_t bytes __attribute__((vector_size(16)));
    typedef uint64_t words __attribute__((vector_size(16)));
    bytes a, b;
    memcpy(&a, p, sizeof a);
    memcpy(&b, p + sizeof a, sizeof b);
    words found = (words)((a < 0x20) | (a == '"') | (a == '\\') | (b < 0x20) | (b == '"') | (b == '\\'));
    return (found[0] | found[1]) != 0;
}

/* Parses all of s as an unsigned decimal number. False: empty, a stray character, or out of range. */
bool im_str_u64(struct im_str s, uint64_t *out);

/* Has s a C0 control character or DEL? */
bool im_str_control(struct im_str s);

/* Is s well-formed UTF-8 (no surrogates, no overlong forms, nothing above U+10FFFF)? */
bool im_str_utf8(struct im_str s);

#endif
