#include <stdlib.h>

#include "core/private.h"

/* The log read at a session's pace, and the events just committed. */

struct since_request {
    struct im_store_since op;
    struct im_core *core;
    uint64_t session;
};

bool im_session_caught_up(const struct im_session *s)
{
    return s->sent_pos >= s->goal_pos && s->sent_pos >= s->user->head_pos;
}

static void note_own_send(struct im_session *s, uint64_t pos)
{
    if (s->own_sends == NULL)
        s->own_sends = im_alloc(IM_OWN_SENDS_MAX * sizeof *s->own_sends);
    if (s->own_send_count < IM_OWN_SENDS_MAX)
        s->own_sends[s->own_send_count++] = pos;
}

static void forget_own_sends(struct im_session *s)
{
    free(s->own_sends);
    s->own_sends = NULL;
    s->own_send_count = 0;
}

static bool sent_here(const struct im_session *s, uint64_t pos)
{
    for (size_t i = 0; i < s->own_send_count; i++)
        if (s->own_sends[i] == pos)
            return true;
    return false;
}

static void deliver_read(struct im_core *core, struct im_session *s, struct im_store_since *op)
{
    for (size_t i = 0; i < op->count; i++) {
        if (sent_here(s, op->events[i]->msg.pos))
            continue;
        bool own = im_str_eq(op->events[i]->msg.from_key, im_name_key(s->user->name));
        if (s->seat == IM_SEAT_CHAT)
            im_receipt_fresh(core, s->user, op->events[i]);
        im_session_tell(s, op->events[i], own);
    }
    core->counters->n[IM_C_DELIVERED] += op->count;
    core->counters->n[IM_C_REPLAYED] += op->count;
    s->sent_pos = op->upto;
    if (im_session_caught_up(s)) {
        im_session_state_set(core, s, IM_SESSION_LIVE);
        forget_own_sends(s);
    }
}

void im_session_skip(struct im_core *core, struct im_session *s, uint64_t pos)
{
    if (im_session_closing(s) || s->cursor == NULL)
        return;
    if (s->sent_pos < pos)
        s->sent_pos = pos;
    im_cursor_advance(core, s->cursor, pos);
    im_session_send(s, im_event_reset(pos), false);
    if (s->state == IM_SESSION_BEHIND && im_session_caught_up(s)) {
        im_session_state_set(core, s, IM_SESSION_LIVE);
        forget_own_sends(s);
    }
    im_session_review(core, s);
}

static void since_done(struct im_store_op *op)
{
    struct since_request *r = op->owner;
    struct im_core *core = r->core;
    struct im_session *s = im_session_find(core, r->session);
    core->pending_ops--;
    if (s && !im_session_closing(s)) {
        s->reading = false;
        if (op->status == IM_OK) {
            if (r->op.after == s->sent_pos) /* not skipped meanwhile */
                deliver_read(core, s, &r->op);
            im_session_review(core, s);
        } else {
            im_session_end(core, s, op->status, false);
        }
    }
    for (size_t i = 0; i < r->op.count; i++)
        im_event_drop(&r->op.events[i]);
    free(r->op.events);
    free(r);
}

/* One step of reading must fit under the hard limit on top of what is queued, or a reader that is behind could never
 * catch up: JSON makes six bytes of a control character, and every event has up to half a KiB around its text. */
static void set_step(struct im_store_since *op, const struct im_config *config)
{
    uint64_t bytes = (config->queue_hard_bytes - config->queue_soft_bytes / 4) / 8;
    uint64_t limit = 1 + bytes / 512;
    op->bytes = (uint32_t)(config->replay_bytes < bytes ? config->replay_bytes : bytes);
    op->limit = (uint32_t)(config->replay < limit ? config->replay : limit);
}

void im_read_on(struct im_core *core, struct im_session *s)
{
    const struct im_name *name = s->user->name;
    struct since_request *r = im_zalloc(sizeof *r + name->key_len);
    char *key = (char *)(r + 1);
    memcpy(key, im_name_key(name).p, name->key_len);
    r->core = core;
    r->session = s->id;
    r->op = (struct im_store_since){
        .op = {.kind = IM_STORE_SINCE, .done = since_done, .owner = r},
        .key = {key, name->key_len},
        .after = s->sent_pos,
    };
    set_step(&r->op, core->config);
    s->reading = true;
    core->pending_ops++;
    im_store_submit(core->store, &r->op.op);
}

static void deliver_live(struct im_core *core, struct im_session *s, struct im_event *e, bool own, uint64_t origin)
{
    if (s->state == IM_SESSION_BEHIND && s->id == origin)
        note_own_send(s, e->msg.pos);
    if (s->state != IM_SESSION_LIVE || e->msg.pos <= s->sent_pos)
        return;
    if (s->id != origin) {
        if (s->link->ops->queued(s->link) > core->config->queue_soft_bytes) {
            im_session_state_set(core, s, IM_SESSION_BEHIND);
            core->counters->n[IM_C_FELL_BEHIND]++;
            return;
        }
        im_session_tell(s, e, own);
        core->counters->n[IM_C_DELIVERED]++;
    }
    s->sent_pos = e->msg.pos;
}

static void route_to(struct im_core *core, struct im_user *user, struct im_event *e, bool own, uint64_t origin)
{
    if (user == NULL)
        return;
    if (user->head_pos < e->msg.pos)
        user->head_pos = e->msg.pos;
    if (user->chat_count > 0 && !own)
        im_receipt_fresh(core, user, e);
    struct im_session *s;
    DL_FOREACH2(user->sessions, s, user_next)
    {
        deliver_live(core, s, e, own, origin);
    }
}

static void route_group(struct im_core *core, struct im_event *e, uint64_t origin)
{
    struct im_group *group = im_group_find(core, e->msg.to_key);
    struct im_seat *seat;
    if (group == NULL)
        return;
    DL_FOREACH(group->seats, seat)
    {
        route_to(core, seat->user, e, im_str_eq(e->msg.from_key, im_name_key(seat->user->name)), origin);
    }
}

void im_route(struct im_core *core, struct im_event *e, uint64_t origin, struct im_user *from, struct im_user *to)
{
    const struct im_msg *m = &e->msg;
    if (core->tap)
        core->tap(core->tap_arg, e, origin);
    if (m->kind == IM_CONV_GROUP) {
        if (e->type == IM_EV_MEMBER)
            im_group_before(core, m);
        route_group(core, e, origin);
        if (e->type == IM_EV_MEMBER && m->change == IM_CHANGE_INVITE && !m->hidden)
            route_to(core, im_user_find(core, m->user_key), e, false, origin);
        if (e->type == IM_EV_MEMBER)
            im_group_after(core, m);
        return;
    }
    route_to(core, from, e, true, origin);
    if (m->kind != IM_CONV_DIRECT || m->hidden || from == to)
        return;
    route_to(core, to, e, false, origin);
    if (from && to)
        im_receipt_along(core, from, to);
}
