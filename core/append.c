#include <stdlib.h>

#include "core/request.h"

/* What becomes an event in the log: asked for here, judged and committed by the store, then answered and routed. */

/* The same request again, or another one under the same cid? What was deleted meanwhile has lost its text. */
static bool same_content(const struct im_event *again, const struct im_event *earlier)
{
    const struct im_msg *x = &again->msg, *y = &earlier->msg;
    bool erased = (earlier->type == IM_EV_MSG || earlier->type == IM_EV_EDIT) && y->body.len == 0;
    return again->type == earlier->type && x->kind == y->kind && im_str_eq(x->to_key, y->to_key) &&
           (erased || (im_str_eq(x->body, y->body) && im_str_eq(x->mime, y->mime))) && x->ref == y->ref &&
           x->on == y->on && x->change == y->change && ((x->settings ^ y->settings) & ~x->keeps) == 0 &&
           im_str_eq(x->user_key, y->user_key);
}

static void answer(struct im_request *r, struct im_session *s, struct im_event *msg, bool online, bool dup)
{
    struct im_reply reply = {.op = r->op, .id = im_out_view(&r->id)};
    if (s == NULL || r->id.len == 0)
        return;
    if (r->op == IM_OP_GROUP) {
        reply.group.what = IM_GROUP_CHANGED;
        reply.group.msg = im_event_hold(msg);
        reply.group.dup = dup;
    } else {
        reply.send.msg = im_event_hold(msg);
        reply.send.online = online;
        reply.send.dup = dup;
    }
    im_reply(s, &reply);
}

/* Is somebody there who gets it now? */
static bool reached(struct im_core *core, const struct im_msg *m)
{
    if (m->kind != IM_CONV_GROUP)
        return !m->hidden && im_user_online(im_user_find(core, m->to_key));
    const struct im_group *group = im_group_find(core, m->to_key);
    const struct im_seat *seat;
    if (group == NULL)
        return false;
    DL_FOREACH(group->seats, seat)
    {
        if (im_user_online(seat->user) && !im_str_eq(im_name_key(&seat->user->name), m->from_key))
            return true;
    }
    return false;
}

static void appended(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_core *core = r->core;
    struct im_session *s = im_request_answered(r);
    struct im_event *event = r->store.append.event, *earlier = r->store.append.earlier;
    core->pending_bytes -= r->weight;
    if (op->status != IM_OK) {
        im_request_fail(r, s, op->status);
    } else if (earlier && !same_content(event, earlier)) {
        im_request_fail(r, s, IM_CID_CONFLICT);
    } else if (earlier) {
        core->counters->n[IM_C_DUPLICATES]++;
        answer(r, s, earlier, reached(core, &earlier->msg), true);
    } else {
        bool online = event->type == IM_EV_MSG && reached(core, &event->msg);
        core->counters->n[IM_C_APPENDED] += event->msg.pos > 0;
        core->counters->n[IM_C_WAITING] += event->type == IM_EV_MSG && !online;
        answer(r, s, event, online, false);
        if (event->msg.pos > 0)
            im_route(core, event, r->session);
    }
    im_event_drop(&r->store.append.earlier);
    im_event_drop(&r->store.append.event);
    im_request_finish(r, s);
}

static struct im_policy policy(const struct im_config *config)
{
    return (struct im_policy){
        .edit_ms = config->edit_ms,
        .delete_ms = config->delete_ms,
        .group_members = (uint32_t)config->group_members,
        .groups_per_user = (uint32_t)config->groups_per_user,
        .reactions = (uint32_t)config->reactions_max,
        .accounts = config->auth_mode != IM_AUTH_OPEN,
    };
}

struct im_str im_conv_text(struct im_core *core, const struct im_name *conv)
{
    const struct im_name *known = NULL;
    if (im_conv_is_group(im_name_key(conv))) {
        const struct im_group *group = im_group_find(core, im_name_key(conv));
        known = group ? &group->name : NULL;
    } else {
        const struct im_user *user = im_user_find(core, im_name_key(conv));
        known = user ? &user->name : NULL;
    }
    return im_name_text(known ? known : conv);
}

/* What a muted user may not do; one may still come, go, and delete what one has said. */
static bool says(enum im_event_type type, const struct im_msg *msg)
{
    return type == IM_EV_MSG || type == IM_EV_EDIT || type == IM_EV_REACT ||
           (type == IM_EV_MEMBER &&
            (msg->change == IM_CHANGE_CREATE || msg->change == IM_CHANGE_INVITE || msg->change == IM_CHANGE_TOPIC));
}

enum im_reason im_append(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                         enum im_event_type type, struct im_msg *msg, struct im_error *error)
{
    if (im_command_has(cmd, IM_F_cid) && (cmd->cid.len == 0 || im_str_control(cmd->cid)))
        return im_fail(error, IM_BAD_FIELD, "cid: must not be empty or have control characters");
    if (core->pending_bytes > core->config->pending_bytes)
        return IM_BUSY;
    const struct im_ban *mute = im_bans_user(&core->bans, IM_BAN_MUTE, im_name_key(&s->user->name), core->wall_ms);
    if (mute && says(type, msg))
        return im_fail(error, IM_MUTED, "%s", mute->why);
    msg->ts_ms = core->wall_ms;
    msg->from = im_name_text(&s->user->name);
    msg->from_key = im_name_key(&s->user->name);
    msg->bot = s->user->bot;
    if (im_command_has(cmd, IM_F_cid))
        msg->cid = cmd->cid;
    struct im_request *r = im_request_new(core, s, cmd, IM_STORE_APPEND, appended);
    r->store.append.event = im_event_new(type, msg);
    r->store.append.policy = policy(core->config);
    r->weight = im_event_weight(r->store.append.event);
    core->pending_bytes += r->weight;
    im_request_submit(r, s);
    return IM_OK;
}

struct own_append {
    struct im_store_append op;
    struct im_core *core;
    void (*done)(void *arg, enum im_reason);
    void *arg;
};

static void own_appended(struct im_store_op *op)
{
    struct own_append *a = op->owner;
    a->core->pending_ops--;
    if (op->status == IM_OK && a->op.event->msg.pos > 0) {
        a->core->counters->n[IM_C_APPENDED]++;
        im_route(a->core, a->op.event, 0);
    }
    a->done(a->arg, op->status);
    im_event_drop(&a->op.earlier);
    im_event_drop(&a->op.event);
    free(a);
}

void im_core_append(struct im_core *core, struct im_event *event, void (*done)(void *arg, enum im_reason), void *arg)
{
    struct own_append *a = im_zalloc(sizeof *a);
    a->core = core;
    a->done = done;
    a->arg = arg;
    a->op = (struct im_store_append){.op = {.kind = IM_STORE_APPEND, .done = own_appended, .owner = a},
                                     .event = event,
                                     .policy = policy(core->config)};
    a->op.policy.edit_ms = a->op.policy.delete_ms = 0; /* administration comes when it comes */
    core->pending_ops++;
    im_store_submit(core->store, &a->op.op);
}
