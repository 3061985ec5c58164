#ifndef IM_TOOLS_IMD_HOOK_RECORD_H
#define IM_TOOLS_IMD_HOOK_RECORD_H

#include "core/bytes.h"
#include "transports/hook.h"

/* An outgoing webhook as it rests in the store (IM_RECORD_HOOK: its name, its owner's key), and as an operator writes
 * it. Rules that are read are the caller's to clear, also when they were refused. */

bool im_hook_record_read(struct im_str value, struct im_hook_rule *out);
void im_hook_record_write(const struct im_hook_rule *, struct im_out *out);

/* 1 to IM_HOOK_NAME_MAX of a-z, 0-9, '.', '_' and '-': it stands in fields of HTTP. */
enum im_reason im_hook_check_name(struct im_str name, struct im_error *);
enum im_reason im_hook_set_url(struct im_hook_rule *, struct im_str url, struct im_error *);
/* Visible ASCII, 8 to IM_HOOK_SECRET_MAX. */
enum im_reason im_hook_set_secret(struct im_hook_rule *, struct im_str secret, struct im_error *);
/* Lists with commas; absent: all. */
enum im_reason im_hook_set_events(struct im_hook_rule *, struct im_str list, struct im_error *);
enum im_reason im_hook_set_conversations(struct im_hook_rule *, struct im_str list, struct im_error *);

#endif
