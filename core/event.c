#include "core/event.h"

#include <assert.h>
#include <stdlib.h>

#include "core/mem.h"

static struct im_event *event_new(enum im_event_type type, size_t tail)
{
    struct im_event *e = im_alloc(sizeof *e + tail);
    memset(e, 0, sizeof *e);
    atomic_init(&e->refs, 1);
    e->type = type;
    return e;
}

/* Appends s to the tail at *at and returns the view of the copy. */
static struct im_str keep(char **at, struct im_str s)
{
    if (s.p == NULL)
        return s;
    struct im_str copy = {*at, s.len};
    if (s.len > 0)
        memcpy(*at, s.p, s.len);
    *at += s.len;
    return copy;
}

struct im_event *im_event_msg(const struct im_msg *m)
{
    size_t tail = m->from.len + m->from_key.len + m->to.len + m->to_key.len + m->cid.len + m->mime.len + m->body.len;
    struct im_event *e = event_new(IM_EV_MSG, tail);
    char *at = e->tail;
    e->msg = *m;
    e->msg.from = keep(&at, m->from);
    e->msg.from_key = keep(&at, m->from_key);
    e->msg.to = keep(&at, m->to);
    e->msg.to_key = keep(&at, m->to_key);
    e->msg.cid = keep(&at, m->cid);
    e->msg.mime = keep(&at, m->mime);
    e->msg.body = keep(&at, m->body);
    return e;
}

struct im_event *im_event_notice(enum im_reason reason, struct im_str text)
{
    struct im_event *e = event_new(IM_EV_NOTICE, text.len);
    char *at = e->tail;
    e->notice.reason = reason;
    e->notice.text = keep(&at, text);
    return e;
}

struct im_event *im_event_presence(struct im_str user, enum im_presence state)
{
    struct im_event *e = event_new(IM_EV_PRESENCE, user.len);
    char *at = e->tail;
    e->presence.user = keep(&at, user);
    e->presence.state = state;
    return e;
}

struct im_event *im_event_reset(uint64_t pos)
{
    struct im_event *e = event_new(IM_EV_RESET, 0);
    e->reset.pos = pos;
    return e;
}

struct im_event *im_event_bye(enum im_reason reason, bool reconnect, uint64_t after_ms)
{
    struct im_event *e = event_new(IM_EV_BYE, 0);
    e->bye.reason = reason;
    e->bye.reconnect = reconnect;
    e->bye.after_ms = after_ms;
    return e;
}

/* The one string a reply of this op carries, beside its id. */
static struct im_str *reply_string(struct im_reply *r)
{
    switch (r->op) {
    case IM_OP_HELLO:
        return &r->hello.epoch;
    case IM_OP_LOGIN:
        return &r->login.user;
    case IM_OP_HISTORY:
        return &r->history.conv;
    default:
        return NULL;
    }
}

struct im_event *im_event_reply(const struct im_reply *r)
{
    struct im_reply copy = *r;
    struct im_str *string = reply_string(&copy);
    struct im_event *e = event_new(IM_EV_OK, r->id.len + r->self.len + (string ? string->len : 0));
    char *at = e->tail;
    copy.id = keep(&at, r->id);
    copy.self = keep(&at, r->self);
    if (string)
        *string = keep(&at, *string);
    e->reply = copy;
    return e;
}

struct im_event *im_event_err(enum im_op op, struct im_str id, enum im_reason reason, struct im_str detail,
                              uint64_t after_ms)
{
    struct im_event *e = event_new(IM_EV_ERR, id.len + detail.len);
    char *at = e->tail;
    e->reply.op = op;
    e->reply.id = keep(&at, id);
    e->reply.err.reason = reason;
    e->reply.err.detail = keep(&at, detail);
    e->reply.err.after_ms = after_ms;
    return e;
}

struct im_event *im_event_hold(struct im_event *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

static void release_reply(struct im_reply *r)
{
    switch (r->op) {
    case IM_OP_SEND:
        im_event_drop(&r->send.msg);
        break;
    case IM_OP_HISTORY:
        for (size_t i = 0; i < r->history.count; i++)
            im_event_drop(&r->history.events[i]);
        free(r->history.events);
        break;
    case IM_OP_CONVERSATIONS:
        for (size_t i = 0; i < r->conversations.count; i++)
            im_event_drop(&r->conversations.rows[i].last);
        free(r->conversations.rows);
        break;
    case IM_OP_PRESENCE:
        free(r->presence.rows);
        break;
    default:
        break;
    }
}

void im_event_drop(struct im_event **e)
{
    struct im_event *old = *e;
    *e = NULL;
    if (old == NULL || atomic_fetch_sub_explicit(&old->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (old->type == IM_EV_OK)
        release_reply(&old->reply);
    for (unsigned form = 0; form < IM_FORM_COUNT; form++) {
        im_bytes_drop(&old->forms[form][0]);
        im_bytes_drop(&old->forms[form][1]);
    }
    free(old);
}

size_t im_event_weight(const struct im_event *e)
{
    if (!im_event_durable(e))
        return sizeof *e;
    const struct im_msg *m = &e->msg;
    return sizeof *e + m->from.len + m->from_key.len + m->to.len + m->to_key.len + m->cid.len + m->mime.len +
           m->body.len;
}

struct im_str im_msg_conv(const struct im_msg *m, bool own)
{
    return m->kind == IM_CONV_GROUP || own ? m->to : m->from;
}
