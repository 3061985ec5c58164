#include "core/group.h"

#include <stddef.h>

static const struct im_role_info roles[IM_ROLE_COUNT] = {
#define IM_ROLE(sym, name, en, zh) {name, {en, zh}},
#include "core/tbl/roles.def"
#undef IM_ROLE
};

static const struct im_action_info actions[IM_ACTION_COUNT] = {
#define IM_ACTION(sym, name, least, outranks, help) {name, IM_ROLE_##least, outranks, help},
#include "core/tbl/permissions.def"
#undef IM_ACTION
};

static const struct im_change_info changes[IM_CHANGE_COUNT] = {
#define IM_CHANGE(sym, name, action, needs_user, en, zh) {name, IM_MAY_##action, needs_user, {en, zh}},
#include "core/tbl/changes.def"
#undef IM_CHANGE
};

const struct im_role_info *im_role_info(enum im_role role)
{
    return &roles[role];
}

const struct im_action_info *im_action_info(enum im_action action)
{
    return &actions[action];
}

const struct im_change_info *im_change_info(enum im_change change)
{
    return &changes[change];
}

bool im_role_find(struct im_str name, enum im_role *out)
{
    for (size_t i = 0; i < IM_ROLE_COUNT; i++)
        if (im_str_eq(name, im_str(roles[i].name))) {
            *out = (enum im_role)i;
            return true;
        }
    return false;
}

bool im_change_find(struct im_str name, enum im_change *out)
{
    for (size_t i = 0; i < IM_CHANGE_COUNT; i++)
        if (im_str_eq(name, im_str(changes[i].name))) {
            *out = (enum im_change)i;
            return true;
        }
    return false;
}

enum im_reason im_may(enum im_role actor, enum im_action action, enum im_role target)
{
    const struct im_action_info *a = &actions[action];
    if (actor == IM_ROLE_BANNED)
        return IM_BANNED;
    if (actor < a->least && actor == IM_ROLE_MUTED && a->least == IM_ROLE_MEMBER)
        return IM_MUTED;
    if (actor < a->least)
        return im_role_member(actor) ? IM_FORBIDDEN : IM_NOT_MEMBER;
    return a->outranks && target >= actor ? IM_FORBIDDEN : IM_OK;
}
