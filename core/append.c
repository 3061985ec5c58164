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
           im_str_eq(x->user_key, y->user_key) && (x->change != IM_CHANGE_ROLE || x->role == y->role);
}

/* A client's append on its way. The request's id is in it, or, if it is long, follows in the same block. */
enum {
    ID_ROOM = 24,
    SPARE_MAX = 64, /* wait for their next use */
};
struct append {
    struct im_store_append op;
    struct im_core *core;
    struct im_session *session; /* there, while core->sessions_gone is as it was; else to be found by its id */
    uint64_t session_id, sessions_gone;
    struct im_user *to; /* as im_talk.peer, while core->users_change is as it was */
    uint64_t users_change;
    uint64_t talk; /* the number of the session's talk; 0: none */
    uint64_t weight;
    enum im_op asked;
    struct im_str id; /* absent: no answer is wanted */
    char id_room[ID_ROOM];
};

static struct append *append_new(struct im_core *core, size_t id_len)
{
    struct append *a = core->appends;
    if (id_len > ID_ROOM)
        return im_alloc(sizeof *a + id_len);
    if (a == NULL)
        return im_alloc(sizeof *a);
    core->appends = a->op.op.owner;
    core->append_count--;
    return a;
}

static void append_free(struct append *a)
{
    struct im_core *core = a->core;
    if (a->id.len > ID_ROOM || core->append_count == SPARE_MAX) {
        free(a);
        return;
    }
    a->op.op.owner = core->appends;
    core->appends = a;
    core->append_count++;
}

void im_appends_clear(struct im_core *core)
{
    while (core->appends) {
        struct append *a = core->appends;
        core->appends = a->op.op.owner;
        free(a);
    }
}

static void answer(const struct append *a, struct im_session *s, struct im_event *msg, bool online, bool dup)
{
    struct im_reply reply = {.op = a->asked, .id = a->id};
    if (s == NULL || a->id.p == NULL)
        return;
    if (a->asked == IM_OP_SEND && s->link->ops->tell) {
        struct im_event ok; /* only what an answer to send has is looked at */
        ok.type = IM_EV_OK;
        reply.send.msg = msg;
        reply.send.online = online;
        reply.send.dup = dup;
        ok.reply = reply;
        im_session_tell(s, &ok, false);
        return;
    }
    if (a->asked == IM_OP_GROUP) {
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

static void refuse(const struct append *a, struct im_session *s, enum im_reason reason)
{
    if (s)
        im_session_err(a->core, s, a->asked, a->id, reason, "", reason == IM_BUSY ? IM_BUSY_AFTER_MS : 0);
}

/* Is somebody in the group who gets it now? */
static bool reached(const struct im_group *group, const struct im_msg *m)
{
    const struct im_seat *seat;
    if (group == NULL)
        return false;
    DL_FOREACH(group->seats, seat)
    {
        if (im_user_online(seat->user) && !im_str_eq(im_name_key(seat->user->name), m->from_key))
            return true;
    }
    return false;
}

/* The users it goes between are looked up once. */
static void committed(const struct append *a, struct im_session *s, struct im_event *event, bool dup)
{
    struct im_core *core = a->core;
    const struct im_msg *m = &event->msg;
    bool group = im_conv_is_group(m->to_key), online;
    struct im_user *from = s ? s->user : im_user_find(core, m->from_key), *to = NULL;
    if (group) {
        online = m->kind == IM_CONV_GROUP && reached(im_group_find(core, m->to_key), m);
    } else {
        to = a->talk > 0 && a->users_change == core->users_change ? a->to : im_user_find(core, m->to_key);
        online = !m->hidden && im_user_online(to);
    }
    online = online && event->type == IM_EV_MSG;
    core->counters->n[IM_C_DUPLICATES] += dup;
    core->counters->n[IM_C_APPENDED] += !dup && m->pos > 0;
    core->counters->n[IM_C_WAITING] += !dup && event->type == IM_EV_MSG && !online;
    answer(a, s, event, online, dup);
    if (!dup && m->pos > 0)
        im_route(core, event, a->session_id, from, to);
    im_event_forget_forms(event);
}

static struct im_session *sender(const struct append *a)
{
    if (a->sessions_gone == a->core->sessions_gone)
        return a->session;
    return im_session_find(a->core, a->session_id);
}

static void appended(struct im_store_op *op)
{
    struct append *a = op->owner;
    struct im_core *core = a->core;
    struct im_session *s = im_store_answered(core, sender(a), op->kind);
    if (s && a->talk > 0 && a->talk == s->talk->number)
        s->talk->hint = a->op.hint;
    struct im_event *event = a->op.event, *earlier = a->op.earlier;
    core->pending_bytes -= a->weight;
    if (op->status != IM_OK)
        refuse(a, s, op->status);
    else if (earlier && !same_content(event, earlier))
        refuse(a, s, IM_CID_CONFLICT);
    else
        committed(a, s, earlier ? earlier : event, earlier != NULL);
    im_event_drop(&a->op.earlier);
    im_event_drop(&a->op.event);
    if (s && s != core->running)
        im_session_review(core, s);
    append_free(a);
}

struct im_policy im_policy_of(const struct im_config *config)
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
        known = user ? user->name : NULL;
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
                         enum im_event_type type, struct im_msg *msg, struct im_talk *talk, struct im_error *error)
{
    if (im_command_has(cmd, IM_F_cid) && (cmd->cid.len == 0 || im_str_control(cmd->cid)))
        return im_fail(error, IM_BAD_FIELD, "cid: must not be empty or have control characters");
    if (core->pending_bytes > core->config->pending_bytes)
        return IM_BUSY;
    const struct im_ban *mute = im_bans_user(&core->bans, IM_BAN_MUTE, im_name_key(s->user->name), core->wall_ms);
    if (mute && says(type, msg))
        return im_fail(error, IM_MUTED, "%s", mute->why);
    msg->ts_ms = core->wall_ms;
    msg->from = im_name_text(s->user->name);
    msg->from_key = im_name_key(s->user->name);
    msg->bot = s->user->bot;
    if (im_command_has(cmd, IM_F_cid))
        msg->cid = cmd->cid;
    struct append *a = append_new(core, cmd->id.len);
    a->op.op = (struct im_store_op){.kind = IM_STORE_APPEND, .done = appended, .owner = a};
    a->op.event = im_event_new(type, msg);
    a->op.policy = core->policy;
    a->op.hint.valid = 0;
    a->op.earlier = NULL;
    a->core = core;
    a->session = s;
    a->session_id = s->id;
    a->sessions_gone = core->sessions_gone;
    a->talk = 0;
    a->weight = im_event_weight(a->op.event);
    a->asked = cmd->op;
    a->id = cmd->id;
    if (cmd->id.p)
        a->id.p = memcpy(cmd->id.len > ID_ROOM ? (char *)(a + 1) : a->id_room, cmd->id.p, cmd->id.len);
    if (talk) {
        a->op.hint = talk->hint;
        a->talk = talk->number;
        a->to = talk->peer;
        a->users_change = talk->users_change;
    }
    core->pending_bytes += a->weight;
    im_store_ask(core, s, &a->op.op);
    return IM_OK;
}

struct own_append {
    struct im_store_append op;
    struct im_core *core;
    void (*done)(void *arg, enum im_reason, const struct im_event *);
    void *arg;
};

static void own_appended(struct im_store_op *op)
{
    struct own_append *a = op->owner;
    a->core->pending_ops--;
    if (op->status == IM_OK && a->op.event->msg.pos > 0) {
        a->core->counters->n[IM_C_APPENDED]++;
        im_route(a->core, a->op.event, 0, im_user_find(a->core, a->op.event->msg.from_key),
                 im_user_find(a->core, a->op.event->msg.to_key));
    }
    a->done(a->arg, op->status, a->op.event);
    im_event_drop(&a->op.earlier);
    im_event_drop(&a->op.event);
    free(a);
}

void im_core_append(struct im_core *core, struct im_event *event,
                    void (*done)(void *arg, enum im_reason, const struct im_event *), void *arg)
{
    struct own_append *a = im_zalloc(sizeof *a);
    a->core = core;
    a->done = done;
    a->arg = arg;
    a->op = (struct im_store_append){
        .op = {.kind = IM_STORE_APPEND, .done = own_appended, .owner = a}, .event = event, .policy = core->policy};
    a->op.policy.edit_ms = a->op.policy.delete_ms = 0; /* administration comes when it comes */
    core->pending_ops++;
    im_store_submit(core->store, &a->op.op);
}
