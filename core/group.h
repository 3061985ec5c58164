#ifndef IM_CORE_GROUP_H
#define IM_CORE_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/reason.h"
#include "core/str.h"

/* Who may do what in a group, as tables (core/tbl/roles.def, permissions.def, changes.def). Pure functions, any thread.
 */

enum im_role {
#define IM_ROLE(sym, name, en, zh) IM_ROLE_##sym,
#include "core/tbl/roles.def"
#undef IM_ROLE
    IM_ROLE_COUNT
};

enum im_action {
#define IM_ACTION(sym, name, least, outranks, help) IM_MAY_##sym,
#include "core/tbl/permissions.def"
#undef IM_ACTION
    IM_ACTION_COUNT
};

enum im_change {
#define IM_CHANGE(sym, name, action, needs_user, en, zh) IM_CHANGE_##sym,
#include "core/tbl/changes.def"
#undef IM_CHANGE
    IM_CHANGE_COUNT
};

/* A group's settings, as bits. */
#define IM_GROUP_PUBLIC 1u /* anybody may join, and it is listed */
#define IM_GROUP_PAST   2u /* members see what was written before they came */

struct im_role_info {
    const char *name;
    const char *text[IM_LANG_COUNT];
};
struct im_action_info {
    const char *name;
    enum im_role least;
    bool outranks;
    const char *help;
};
struct im_change_info {
    const char *name;
    enum im_action action;
    bool needs_user;
    const char *text[IM_LANG_COUNT];
};
const struct im_role_info *im_role_info(enum im_role);
const struct im_action_info *im_action_info(enum im_action);
const struct im_change_info *im_change_info(enum im_change);
/* By name; false: there is none. */
bool im_role_find(struct im_str name, enum im_role *out);
bool im_change_find(struct im_str name, enum im_change *out);

/* Who leaves while muted is SILENCED, and muted again on coming back: a mute outlasts a way out of the group. */
static inline bool im_role_member(enum im_role role)
{
    return role >= IM_ROLE_MUTED;
}
/* May `actor` do this (to somebody of role `target`, where the action is done to somebody)? IM_OK, or the reason:
 * IM_NOT_MEMBER, IM_BANNED, IM_MUTED, IM_FORBIDDEN. */
enum im_reason im_may(enum im_role actor, enum im_action, enum im_role target);

#endif
