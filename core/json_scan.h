#ifndef IM_CORE_JSON_SCAN_H
#define IM_CORE_JSON_SCAN_H

#include "core/command.h"

/* Reads the usual im.v1 request in place: a flat object in which every member is `op`, `id`, or a field of that op, of
 * the type and within the limit of core/tbl/fields.def. False for everything else, right or wrong, with cmd untouched:
 * jansson reads that (core/dialect_json.c) and says what is wrong. What is read here is what would be read there
 * (tests/fuzz/fuzz_json.c). Views point into the message, or, of strings with escapes, into cmd->memory. That the
 * message is valid UTF-8 is for the caller to know. */
bool im_json_scan(struct im_str message, struct im_command *cmd);

/* The tables that both ways of reading follow. */
enum im_json_type { IM_JSON_STR, IM_JSON_U64, IM_JSON_POS, IM_JSON_BOOL, IM_JSON_STRS };
struct im_json_name {
    char text[16]; /* NUL after it, and up to the end */
    size_t len;
};
struct im_json_field {
    struct im_json_name name;
    enum im_json_type type;
    uint64_t max;
    size_t offset, count_offset; /* in struct im_command */
};
extern const struct im_json_field im_json_fields[IM_FIELD_COUNT];
struct im_json_op {
    struct im_json_name name;
    uint64_t required, optional; /* IM_BIT masks */
};
extern const struct im_json_op im_json_ops[IM_OP_COUNT];
#define IM_JSON_ID_MAX 64 /* bytes of a string id */

#endif
