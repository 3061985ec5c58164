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

/* The high bit of each of eight bytes that a JSON string cannot have as it is (RFC 8259, 7): below 0x20, '"', '\\'. To
 * take from each byte what it must not be below, or 1 after what is looked for became 0, borrows from the next byte
 * where it is so: what is found first is right, and so is that there is nothing. */
static inline uint64_t im_json_special(uint64_t eight)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t quote = eight ^ ones * '"', backslash = eight ^ ones * '\\';
    return ((eight - ones * 0x20) | (quote - ones) | (backslash - ones)) & ~eight & high;
}

/* Is there such a byte among 32? */
static inline bool im_json_special_32(const char *p)
{
    return (im_json_special(im_str_eight(p)) | im_json_special(im_str_eight(p + 8)) |
            im_json_special(im_str_eight(p + 16)) | im_json_special(im_str_eight(p + 24))) != 0;
}

/* How much of s, from its beginning, stands in a JSON string as it is. */
size_t im_str_json_plain(struct im_str);

/* Parses all of s as an unsigned decimal number. False: empty, a stray character, or out of range. */
bool im_str_u64(struct im_str s, uint64_t *out);

/* Has s a C0 control character or DEL? */
bool im_str_control(struct im_str s);

/* Is s well-formed UTF-8 (no surrogates, no overlong forms, nothing above U+10FFFF)? */
bool im_str_utf8(struct im_str s);

#endif
