#ifndef IM_CORE_NAME_H
#define IM_CORE_NAME_H

#include "core/reason.h"
#include "core/str.h"

#define IM_NAME_POINTS_MAX 32
#define IM_NAME_BYTES_MAX  (IM_NAME_POINTS_MAX * 4)
#define IM_KEY_BYTES_MAX   (IM_NAME_BYTES_MAX * 3)

/* A user's id (喵喵号) or a group's name without its '#': 1 to 32 code points, letters, marks and digits of any
 * script plus '.', '_' and '-'. `text` is NFC as the owner writes it; `key` is case-folded, and two ids are the same
 * user exactly when their keys are equal bytes. Both NUL-terminated. Of a group, as im_conv_parse() gives it, text and
 * key begin with '#'. */
struct im_name {
    uint16_t text_len, key_len;
    char bytes[IM_NAME_BYTES_MAX + 2 + IM_KEY_BYTES_MAX +
               2]; /* text, then key: names are short, and kept as long as they are */
};

/* Returns IM_OK or IM_BAD_ID; the detail says what is wrong. error may be NULL. */
enum im_reason im_name_parse(struct im_str in, struct im_name *out, struct im_error *error);

/* A conversation by its name: an id, or '#' and a group's name. */
enum im_reason im_conv_parse(struct im_str in, struct im_name *out, struct im_error *error);
static inline bool im_conv_is_group(struct im_str name_or_key)
{
    return name_or_key.len > 0 && name_or_key.p[0] == '#';
}

static inline struct im_str im_name_text(const struct im_name *n)
{
    return (struct im_str){n->bytes, n->text_len};
}
static inline struct im_str im_name_key(const struct im_name *n)
{
    return (struct im_str){n->bytes + n->text_len + 1, n->key_len};
}

/* Of two texts that are valid already. */
void im_name_set(struct im_name *, struct im_str text, struct im_str key);
/* A copy of the bytes that are used, to be freed with free(): not to be assigned to, nor as a whole from. */
struct im_name *im_name_dup(const struct im_name *);
void im_name_copy(struct im_name *out, const struct im_name *); /* of such a one, too */

#endif
