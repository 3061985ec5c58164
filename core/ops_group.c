#include <stdlib.h>

#include "core/request.h"

/* Groups: changes are events, which the store judges; the rest is looking. */

/* Of a change that names one of the two, the other stays as it is. */
static enum im_reason read_settings(const struct im_command *cmd, struct im_msg *msg, struct im_error *error)
{
    bool all = im_str_eq(cmd->past, IM_STR("all"));
    if (im_command_has(cmd, IM_F_past) && !all && !im_str_eq(cmd->past, IM_STR("joined")))
        return im_fail(error, IM_BAD_FIELD, "history: must be \"all\" or \"joined\"");
    msg->settings = (all ? IM_GROUP_PAST : 0) | (im_command_has(cmd, IM_F_open) && cmd->open ? IM_GROUP_PUBLIC : 0);
    if (msg->change == IM_CHANGE_CREATE)
        return IM_OK;
    msg->keeps =
        (im_command_has(cmd, IM_F_past) ? 0 : IM_GROUP_PAST) | (im_command_has(cmd, IM_F_open) ? 0 : IM_GROUP_PUBLIC);
    return msg->keeps == (IM_GROUP_PAST | IM_GROUP_PUBLIC)
               ? im_fail(error, IM_BAD_FIELD, "give public, history, or both")
               : IM_OK;
}

static enum im_reason read_role(const struct im_command *cmd, struct im_msg *msg, struct im_error *error)
{
    if (!im_command_has(cmd, IM_F_role) || !im_role_find(cmd->role, &msg->role) || !im_role_member(msg->role))
        return im_fail(error, IM_BAD_FIELD, "role: must be one of muted, member, admin, owner");
    return IM_OK;
}

static enum im_reason read_user(struct im_core *core, const struct im_command *cmd, struct im_msg *msg,
                                struct im_name *user, struct im_error *error)
{
    if (!im_command_has(cmd, IM_F_user))
        return im_fail(error, IM_BAD_FIELD, "user: is missing");
    enum im_reason reason = im_name_parse(cmd->user, user, error);
    if (reason == IM_OK) {
        msg->user = im_conv_text(core, user);
        msg->user_key = im_name_key(user);
    }
    return reason;
}

static enum im_reason change(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                             enum im_change change, const struct im_name *conv, struct im_error *error)
{
    struct im_name user;
    struct im_msg msg = {
        .kind = IM_CONV_GROUP, .to = im_conv_text(core, conv), .to_key = im_name_key(conv), .change = change};
    enum im_reason reason = IM_OK;
    if (im_change_info(change)->needs_user)
        reason = read_user(core, cmd, &msg, &user, error);
    if (reason == IM_OK && change == IM_CHANGE_ROLE)
        reason = read_role(cmd, &msg, error);
    if (reason == IM_OK && (change == IM_CHANGE_CREATE || change == IM_CHANGE_SET))
        reason = read_settings(cmd, &msg, error);
    if (reason == IM_OK && change == IM_CHANGE_TOPIC && !im_command_has(cmd, IM_F_text))
        reason = im_fail(error, IM_BAD_FIELD, "text: is missing");
    if (reason == IM_OK && (change == IM_CHANGE_CREATE || change == IM_CHANGE_TOPIC) &&
        im_command_has(cmd, IM_F_text)) {
        reason = im_check_line(core, "text", cmd->text, error);
        msg.body = cmd->text;
    }
    if (reason == IM_OK && change == IM_CHANGE_CREATE && !core->config->groups_create)
        reason = im_fail(error, IM_FORBIDDEN, "groups are made by the operator here");
    return reason == IM_OK ? im_append(core, s, cmd, IM_EV_MEMBER, &msg, NULL, error) : reason;
}

static void groups_done(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    struct im_store_groups *g = &r->store.groups;
    for (size_t i = 0; op->status == IM_OK && i < g->count; i++) {
        struct im_name name;
        if (im_conv_parse(g->rows[i].name, &name, NULL) != IM_OK)
            continue;
        const struct im_group *here = im_group_find(r->core, im_name_key(&name));
        g->rows[i].online = here ? im_group_online(here) : 0;
    }
    if (op->status == IM_OK && s && r->id.len > 0) {
        im_reply(s, &(struct im_reply){.op = r->op,
                                       .id = im_out_view(&r->id),
                                       .group = {.what = g->group.p ? IM_GROUP_INFO : IM_GROUP_LIST,
                                                 .groups = g->rows,
                                                 .count = g->count,
                                                 .more = g->more}});
    } else {
        if (op->status != IM_OK)
            im_request_fail(r, s, op->status);
        free(g->rows);
    }
    im_request_finish(r, s);
}

static uint32_t page_limit(const struct im_command *cmd)
{
    enum { DEFAULT_LIMIT = 100, LIMIT_MAX = 500 };
    uint64_t limit = im_command_has(cmd, IM_F_limit) && cmd->limit > 0 ? cmd->limit : DEFAULT_LIMIT;
    return (uint32_t)(limit < LIMIT_MAX ? limit : LIMIT_MAX);
}

/* `next` is the last name of the page before. */
static enum im_reason keep_next(struct im_request *r, const struct im_command *cmd, struct im_str *after)
{
    struct im_name name;
    if (!im_command_has(cmd, IM_F_next))
        return IM_OK;
    enum im_reason reason = im_conv_parse(cmd->next, &name, NULL);
    if (reason != IM_OK)
        return reason;
    im_out_put(&r->text, im_name_key(&name).p, name.key_len);
    *after = im_out_view(&r->text);
    return IM_OK;
}

static enum im_reason ask(struct im_request *r, struct im_session *s, enum im_reason reason)
{
    if (reason == IM_OK) {
        im_request_submit(r, s);
        return IM_OK;
    }
    im_request_finish(r, NULL);
    return reason;
}

static enum im_reason ask_groups(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                                 const struct im_name *conv)
{
    struct im_request *r = im_request_new(core, s, cmd, IM_STORE_GROUPS, groups_done);
    r->store.groups.key = im_out_view(&r->self);
    r->store.groups.limit = page_limit(cmd);
    if (conv) {
        r->name = *conv;
        r->store.groups.group = im_name_key(&r->name);
    }
    return ask(r, s, keep_next(r, cmd, &r->store.groups.after));
}

static void members_done(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    struct im_store_members *m = &r->store.members;
    for (size_t i = 0; op->status == IM_OK && i < m->count; i++) {
        struct im_name name;
        if (im_name_parse(m->rows[i].name, &name, NULL) == IM_OK && s)
            m->rows[i].online =
                im_presence_of(im_user_find(r->core, im_name_key(&name)), im_name_text(&name), im_out_view(&r->self))
                    .state != IM_OFFLINE;
    }
    if (op->status == IM_OK && s && r->id.len > 0) {
        im_reply(s, &(struct im_reply){.op = r->op,
                                       .id = im_out_view(&r->id),
                                       .group = {.what = IM_GROUP_MEMBERS,
                                                 .conv = im_name_text(&r->name),
                                                 .members = m->rows,
                                                 .count = m->count,
                                                 .more = m->more}});
    } else {
        if (op->status != IM_OK)
            im_request_fail(r, s, op->status);
        free(m->rows);
    }
    im_request_finish(r, s);
}

static enum im_reason ask_members(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                                  const struct im_name *conv)
{
    struct im_request *r = im_request_new(core, s, cmd, IM_STORE_MEMBERS, members_done);
    r->name = *conv;
    r->store.members.key = im_out_view(&r->self);
    r->store.members.group = im_name_key(&r->name);
    r->store.members.limit = page_limit(cmd);
    return ask(r, s, keep_next(r, cmd, &r->store.members.after));
}

enum im_reason im_op_group(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                           struct im_error *error)
{
    struct im_name conv;
    enum im_change what;
    if (im_str_eq(cmd->act, IM_STR("list")))
        return ask_groups(core, s, cmd, NULL);
    if (!im_command_has(cmd, IM_F_conv))
        return im_fail(error, IM_BAD_FIELD, "conv: is missing");
    enum im_reason reason = im_conv_parse(cmd->conv, &conv, error);
    if (reason != IM_OK)
        return reason;
    if (!im_conv_is_group(im_name_key(&conv)))
        return im_fail(error, IM_BAD_FIELD, "conv: the name of a group begins with '#'");
    if (im_str_eq(cmd->act, IM_STR("info")))
        return ask_groups(core, s, cmd, &conv);
    if (im_str_eq(cmd->act, IM_STR("members")))
        return ask_members(core, s, cmd, &conv);
    if (!im_change_find(cmd->act, &what))
        return im_fail(error, IM_BAD_FIELD,
                       "do: must be one of create, join, leave, invite, kick, ban, unban, role, topic, set, delete, "
                       "info, members, list");
    return change(core, s, cmd, what, &conv, error);
}
