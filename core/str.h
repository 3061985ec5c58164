#ifndef IM_CORE_STR_H
#define IM_CORE_STR_H

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

/* How much of s, from its beginning, stands in a JSON string as it is (RFC 8259, 7). */
size_t im_str_json_plain(struct im_str);

/* Parses all of s as an unsigned decimal number. False: empty, a stray character, or out of range. */
bool im_str_u64(struct im_str s, uint64_t *out);

/* Has s a C0 control character or DEL? */
bool im_str_control(struct im_str s);

/* Is s well-formed UTF-8 (no surrogates, no overlong forms, nothing above U+10FFFF)? */
bool im_str_utf8(struct im_str s);

#endif
