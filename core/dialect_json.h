#ifndef IM_CORE_DIALECT_JSON_H
#define IM_CORE_DIALECT_JSON_H

#include "core/dialect.h"

/* The writing half of im_dialect_json. What it may write is described in core/tbl/shapes.def. */
struct im_bytes *im_json_encode(struct im_link *, struct im_event *, bool own);
void im_json_write(const struct im_link *, const struct im_event *, bool own, struct im_out *);
/* The reading half, by way of a tree, whatever the message. With cmd->op set, of an object that is this request's
 * fields alone: without `op` and `id`. */
enum im_reason im_json_parse(struct im_str message, struct im_command *cmd, struct im_error *error);

#endif
