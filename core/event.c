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

/* The strings of a durable event. */
#define MSG_STRINGS(X)                                                                                                 \
    X(from) X(from_key) X(to) X(to_key) X(cid) X(mime) X(body) X(mentions) X(user) X(user_key) X(reactions)

static size_t msg_bytes(const struct im_msg *m)
{
    size_t n = 0;
#define ADD(field) n += m->field.len;
    MSG_STRINGS(ADD)
#undef ADD
    return n;
}

struct im_event *im_event_new(enum im_event_type type, const struct im_msg *m)
{
    struct im_event *e = im_alloc(sizeof *e + msg_bytes(m));
    char *at = e->tail;
    atomic_init(&e->refs, 1);
    e->type = type;
    assert(im_event_durable(e));
    e->msg = *m;
    memset(e->forms, 0, sizeof e->forms);
    e->mentions = NULL;
#define KEEP(field) e->msg.field = keep(&at, m->field);
    MSG_STRINGS(KEEP)
#undef KEEP
    return e;
}

void im_event_mention(struct im_event *e, char *mentions)
{
    if (e->mentions)
        free(e->mentions);
    e->mentions = mentions;
    e->msg.mentions = im_str(mentions);
}

struct im_event *im_event_notice(enum im_reason reason, struct im_str text)
{
    struct im_event *e = event_new(IM_EV_NOTICE, text.len);
    char *at = e->tail;
    e->notice.reason = reason;
    e->notice.text = keep(&at, text);
    return e;
}

struct im_event *im_event_presence(const struct im_presence_row *row)
{
    struct im_event *e = event_new(IM_EV_PRESENCE, row->user.len + row->text.len);
    char *at = e->tail;
    e->presence = *row;
    e->presence.user = keep(&at, row->user);
    e->presence.text = keep(&at, row->text);
    return e;
}

struct im_event *im_event_receipt(enum im_conv_kind kind, struct im_str conv, struct im_str user, uint64_t received,
                                  uint64_t read)
{
    struct im_event *e = event_new(IM_EV_RECEIPT, conv.len + user.len);
    char *at = e->tail;
    e->receipt.kind = kind;
    e->receipt.conv = keep(&at, conv);
    e->receipt.user = keep(&at, user);
    e->receipt.received = received;
    e->receipt.read = read;
    return e;
}

struct im_event *im_event_typing(struct im_str conv, struct im_str user, bool on, uint64_t for_ms)
{
    struct im_event *e = event_new(IM_EV_TYPING, conv.len + user.len);
    char *at = e->tail;
    e->typing.conv = keep(&at, conv);
    e->typing.user = keep(&at, user);
    e->typing.on = on;
    e->typing.for_ms = for_ms;
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

/* The strings a reply of this op carries in itself, beside its id. */
static size_t reply_strings(struct im_reply *r, struct im_str *strings[2])
{
    switch (r->op) {
    case IM_OP_HELLO:
        strings[0] = &r->hello.epoch;
        return 1;
    case IM_OP_REGISTER:
    case IM_OP_LOGIN:
        strings[0] = &r->login.user;
        strings[1] = &r->login.token;
        return 2;
    case IM_OP_HISTORY:
        strings[0] = &r->history.conv;
        return 1;
    case IM_OP_GROUP:
        strings[0] = &r->group.conv;
        return 1;
    case IM_OP_REPORT:
        strings[0] = &r->report.ticket;
        return 1;
    default:
        return 0;
    }
}

struct im_event *im_event_reply(const struct im_reply *r)
{
    struct im_reply copy = *r;
    struct im_str *strings[2];
    size_t n = reply_strings(&copy, strings), tail = r->id.len + r->self.len;
    for (size_t i = 0; i < n; i++)
        tail += strings[i]->len;
    struct im_event *e = event_new(IM_EV_OK, tail);
    char *at = e->tail;
    copy.id = keep(&at, r->id);
    copy.self = keep(&at, r->self);
    for (size_t i = 0; i < n; i++)
        *strings[i] = keep(&at, *strings[i]);
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

static void release_events(struct im_event **events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        im_event_drop(&events[i]);
    free(events);
}

static void release_reply(struct im_reply *r)
{
    switch (r->op) {
    case IM_OP_SEND:
    case IM_OP_EDIT:
    case IM_OP_DELETE:
    case IM_OP_REACT:
        im_event_drop(&r->send.msg);
        break;
    case IM_OP_HISTORY:
        release_events(r->history.events, r->history.count);
        break;
    case IM_OP_SEARCH:
        for (size_t i = 0; i < r->search.count; i++)
            release_events(r->search.hits[i].events, r->search.hits[i].count);
        free(r->search.hits);
        break;
    case IM_OP_CONVERSATIONS:
        for (size_t i = 0; i < r->conversations.count; i++)
            im_event_drop(&r->conversations.rows[i].last);
        free(r->conversations.rows);
        break;
    case IM_OP_GROUP:
        im_event_drop(&r->group.msg);
        free(r->group.groups);
        free(r->group.members);
        break;
    case IM_OP_PRESENCE:
        free(r->presence.rows);
        break;
    case IM_OP_BLOCK:
        free(r->block.users);
        break;
    case IM_OP_PROFILE:
        free(r->profile.profile);
        break;
    case IM_OP_DEVICES:
        free(r->devices.rows);
        break;
    default:
        break;
    }
}

void im_event_forget_forms(struct im_event *e)
{
    for (unsigned form = 0; form < IM_FORM_COUNT; form++) {
        if (e->forms[form][0])
            im_bytes_drop(&e->forms[form][0]);
        if (e->forms[form][1])
            im_bytes_drop(&e->forms[form][1]);
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
    im_event_forget_forms(old);
    if (old->mentions)
        free(old->mentions);
    free(old);
}

size_t im_event_weight(const struct im_event *e)
{
    if (!im_event_durable(e))
        return sizeof *e;
    return sizeof *e + msg_bytes(&e->msg);
}

struct im_str im_msg_conv(const struct im_msg *m, bool own)
{
    return m->kind != IM_CONV_DIRECT || own ? m->to : m->from;
}

static const char *const presence_names[] = {"offline", "online", "away", "dnd"};

const char *im_presence_name(enum im_presence state)
{
    return presence_names[state];
}

bool im_presence_find(struct im_str name, enum im_presence *out)
{
    for (int i = IM_ONLINE; i < IM_PRESENCE_COUNT; i++)
        if (im_str_eq(name, im_str(presence_names[i]))) {
            *out = (enum im_presence)i;
            return true;
        }
    return false;
}
