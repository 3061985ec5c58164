#include "tests/conform/store_act.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"

struct ring {
    char texts[64][8192];
    unsigned next;
};

__attribute__((format(printf, 2, 0))) static const char *ring_printf(struct ring *ring, const char *format,
                                                                     va_list args)
{
    char *text = ring->texts[ring->next++ % (sizeof ring->texts / sizeof *ring->texts)];
    int n = vsnprintf(text, sizeof *ring->texts, format, args);
    assert_true(n >= 0 && (size_t)n < sizeof *ring->texts);
    return text;
}

const char *text_printf(const char *format, ...)
{
    static struct ring ring;
    va_list args;
    va_start(args, format);
    const char *text = ring_printf(&ring, format, args);
    va_end(args);
    return text;
}

/* For parts of what is returned in the end. */
__attribute__((format(printf, 1, 2))) static const char *part(const char *format, ...)
{
    static struct ring ring;
    va_list args;
    va_start(args, format);
    const char *text = ring_printf(&ring, format, args);
    va_end(args);
    return text;
}

static const char *view(struct im_str s)
{
    return part("%.*s", (int)s.len, s.p ? s.p : "");
}

static enum im_conv_kind kind_of(const char *conv)
{
    return conv && conv[0] == '#' ? IM_CONV_GROUP : IM_CONV_DIRECT;
}

static struct im_str key_if(const char *name)
{
    return name ? key_of(name) : (struct im_str){0};
}

static const struct im_policy no_limits = {.reactions = 100, .group_members = 1000, .groups_per_user = 1000};

struct im_store_append op_act(const struct act *a)
{
    struct im_msg m = {.kind = a->for_me ? IM_CONV_SELF : kind_of(a->to),
                       .ts_ms = a->ts_ms ? a->ts_ms : ACT_TIME,
                       .from = im_str(a->from),
                       .from_key = key_of(a->from),
                       .to = im_str(a->to),
                       .to_key = key_of(a->to),
                       .cid = im_str(a->cid),
                       .mime = im_str(a->mime),
                       .body = im_str(a->text),
                       .mentions = im_str(a->mentions),
                       .ref = a->ref,
                       .on = a->type == IM_EV_REACT && !a->off,
                       .change = a->change,
                       .role = a->role,
                       .settings = a->settings,
                       .keeps = a->keeps,
                       .user = im_str(a->user),
                       .user_key = key_if(a->user)};
    if (a->type == IM_EV_MSG && a->text == NULL)
        m.body = IM_STR("");
    return (struct im_store_append){
        .op.kind = IM_STORE_APPEND, .event = im_event_new(a->type, &m), .policy = a->policy ? *a->policy : no_limits};
}

enum im_reason try_act(struct box *b, const struct act *a)
{
    struct im_store_append op = op_act(a);
    enum im_reason reason = box_do(b, &op.op);
    if (reason != IM_OK)
        assert_true(op.event->msg.pos == 0 && op.event->msg.seq == 0 && op.earlier == NULL);
    im_event_drop(&op.earlier);
    im_event_drop(&op.event);
    return reason;
}

struct im_event *event_of(struct box *b, const struct act *a)
{
    struct im_store_append op = op_act(a);
    enum im_reason reason = box_do(b, &op.op);
    if (reason != IM_OK || op.event->msg.pos == 0)
        fail_msg("%s: %s", told(op.event), im_reason_name(reason));
    assert_null(op.earlier);
    return op.event;
}

uint64_t do_act(struct box *b, const struct act *a)
{
    struct im_event *e = event_of(b, a);
    uint64_t seq = e->msg.seq;
    im_event_drop(&e);
    return seq;
}

void same_act(struct box *b, const struct act *a)
{
    struct im_store_append op = op_act(a);
    enum im_reason reason = box_do(b, &op.op);
    if (reason != IM_OK || op.event->msg.pos != 0 || op.event->msg.seq != 0 || op.earlier)
        fail_msg("%s: %s", told(op.event), im_reason_name(reason));
    im_event_drop(&op.event);
}

void deny_act(struct box *b, enum im_reason expected, const struct act *a)
{
    uint64_t events = box_stats(b).events;
    enum im_reason reason = try_act(b, a);
    if (reason != expected)
        fail_msg("%s to %s: %s, not %s", a->from, a->to, im_reason_name(reason), im_reason_name(expected));
    assert_int_equal(box_stats(b).events, events);
}

uint64_t say(struct box *b, const char *from, const char *to, const char *text)
{
    return do_act(b, ACT(.from = from, .to = to, .text = text));
}

uint64_t create(struct box *b, const char *from, const char *group, unsigned settings)
{
    return do_act(b, ACT(IM_EV_MEMBER, from, group, .change = IM_CHANGE_CREATE, .settings = settings));
}

uint64_t change(struct box *b, const char *from, const char *group, enum im_change what, const char *user)
{
    return do_act(b, ACT(IM_EV_MEMBER, from, group, .change = what, .user = user));
}

uint64_t give_role(struct box *b, const char *from, const char *group, const char *user, enum im_role role)
{
    return do_act(b, ACT(IM_EV_MEMBER, from, group, .change = IM_CHANGE_ROLE, .user = user, .role = role));
}

void bring_in(struct box *b, const char *owner, const char *group, const char *user, enum im_role role)
{
    change(b, owner, group, IM_CHANGE_INVITE, user);
    change(b, user, group, IM_CHANGE_JOIN, NULL);
    if (role != IM_ROLE_MEMBER)
        give_role(b, owner, group, user, role);
}

uint64_t edit(struct box *b, const char *from, const char *conv, uint64_t ref, const char *text)
{
    return do_act(b, ACT(IM_EV_EDIT, from, conv, text, .ref = ref));
}

uint64_t erase(struct box *b, const char *from, const char *conv, uint64_t ref)
{
    return do_act(b, ACT(IM_EV_DELETE, from, conv, .ref = ref));
}

void forget(struct box *b, const char *from, const char *conv, uint64_t ref)
{
    do_act(b, ACT(IM_EV_DELETE, from, conv, .ref = ref, .for_me = true));
}

uint64_t react(struct box *b, const char *from, const char *conv, uint64_t ref, const char *emoji)
{
    return do_act(b, ACT(IM_EV_REACT, from, conv, emoji, .ref = ref));
}

enum im_reason block(struct box *b, const char *user, const char *other, bool on, uint32_t max)
{
    struct im_store_block op = {.op.kind = IM_STORE_BLOCK,
                                .key = key_of(user),
                                .other = key_of(other),
                                .other_text = im_str(other),
                                .on = on,
                                .max = max};
    return box_do(b, &op.op);
}

uint64_t mark(struct box *b, const char *user, const char *conv, uint64_t seq)
{
    struct im_store_mark row = {.key = key_of(user), .kind = kind_of(conv), .peer = key_of(conv), .seq = seq};
    struct im_store_marks op = {.op.kind = IM_STORE_MARKS, .rows = &row, .count = 1};
    assert_int_equal(box_do(b, &op.op), IM_OK);
    return row.seq;
}

void put_record(struct box *b, enum im_record_kind kind, const char *key, const char *owner, const char *name,
                const char *value)
{
    struct im_store_record_put op = {
        .op.kind = IM_STORE_RECORD_PUT,
        .record = {
            .kind = kind, .key = im_str(key), .owner = im_str(owner), .name = im_str(name), .value = im_str(value)}};
    assert_int_equal(box_do(b, &op.op), IM_OK);
}

void sweep(struct box *b, const struct im_store_sweep *what)
{
    struct im_store_sweep op = *what;
    op.op = (struct im_store_op){.kind = IM_STORE_SWEEP};
    for (unsigned steps = 0; steps == 0 || op.more; steps++) {
        assert_int_equal(box_do(b, &op.op), IM_OK);
        assert_true(op.erased <= op.limit);
        assert_true(steps < 10000);
    }
}

static const char *told_msg(const struct im_msg *m)
{
    char text[4096];
    size_t len = 0;
#define PUT(...) len += (size_t)snprintf(text + len, sizeof text - len, __VA_ARGS__)
    PUT("%s:%s", view(m->from), m->deleted ? "x" : view(m->body));
    if (m->deleted)
        assert_int_equal(m->body.len, 0);
    if (m->ref)
        PUT(" ^%u", (unsigned)m->ref);
    if (m->edited_ms)
        PUT(" *%d", (int)(m->edited_ms - ACT_TIME));
    if (m->reactions.len > 0)
        PUT(" [%s]", view(m->reactions));
    if (m->mentions.len > 0)
        PUT(" {%s}", view(m->mentions));
    if (m->bot)
        PUT(" bot");
    if (m->hidden)
        PUT(" ?");
#undef PUT
    assert_true(len < sizeof text);
    for (char *p = text; (p = strchr(p, '\n'));)
        *p = p[1] == ']' ? ' ' : ',';
    return part("%s", text);
}

static const char *told_change(const struct im_msg *m)
{
    const char *name = im_change_info(m->change)->name, *role = im_role_info(m->role)->name;
    const char *body = m->body.len > 0 ? part(" '%s'", view(m->body)) : "";
    const char *settings = m->settings ? part(" /%u", m->settings) : "";
    return part("%s %s%s%s=%s%s%s", view(m->from), name, m->user.p ? " " : "", view(m->user), role, body, settings);
}

static const char *tell(const struct im_event *e)
{
    const struct im_msg *m = &e->msg;
    unsigned ref = (unsigned)m->ref;
    switch (e->type) {
    case IM_EV_MSG:
        return told_msg(m);
    case IM_EV_EDIT:
        return part("%s~%u:%s%s%s%s", view(m->from), ref, view(m->body), m->mentions.len ? " {" : "", view(m->mentions),
                    m->mentions.len ? "}" : "");
    case IM_EV_DELETE:
        return m->kind == IM_CONV_SELF ? part("%s-%u@%s", view(m->from), ref, view(m->to))
                                       : part("%s-%u", view(m->from), ref);
    case IM_EV_REACT:
        return part("%s%c%u%s", view(m->from), m->on ? '+' : '!', ref, view(m->body));
    case IM_EV_MEMBER:
        return told_change(m);
    default:
        fail_msg("an event of type %d", e->type);
        return NULL;
    }
}

const char *told(const struct im_event *e)
{
    return text_printf("%s", tell(e));
}

const char *told_all(struct im_event *const *events, size_t count)
{
    char text[8192] = "";
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%s", i ? "; " : "", tell(events[i]));
    }
    return text_printf("%s", text);
}

const char *since(struct box *b, const char *user, uint64_t after)
{
    struct im_store_since op = op_since(user, after, 1000, 1 << 20);
    assert_int_equal(box_do(b, &op.op), IM_OK);
    for (size_t i = 0; i < op.count; i++)
        assert_true(op.events[i]->msg.pos > (i ? op.events[i - 1]->msg.pos : after));
    assert_int_equal(op.upto, box_stats(b).head > after ? box_stats(b).head : after);
    const char *text = told_all(op.events, op.count);
    drop_events(&op.events, &op.count);
    return text;
}

const char *history(struct box *b, const char *user, const char *conv)
{
    struct im_store_history op = op_before(user ? user : "", conv, 0, 1000);
    if (user == NULL)
        op.key = (struct im_str){0};
    enum im_reason reason = box_do(b, &op.op);
    if (reason != IM_OK)
        return im_reason_name(reason);
    assert_false(op.more);
    for (size_t i = 1; i < op.count; i++)
        assert_true(op.events[i]->msg.seq > op.events[i - 1]->msg.seq);
    const char *text = told_all(op.events, op.count);
    drop_events(&op.events, &op.count);
    return text;
}

const char *found(struct box *b, const char *user, const char *conv, const char *query)
{
    struct im_store_search op = op_search(user, conv, query, 1000, 0);
    enum im_reason reason = box_do(b, &op.op);
    if (reason != IM_OK)
        return im_reason_name(reason);
    assert_int_equal(op.next, 0);
    char text[4096] = "";
    for (size_t i = 0; i < op.count; i++) {
        const struct im_msg *m = &op.hits[i].events[op.hits[i].at]->msg;
        size_t len = strlen(text);
        assert_int_equal(op.hits[i].count, 1);
        snprintf(text + len, sizeof text - len, "%s%s/%u", i ? " " : "",
                 view(im_msg_conv(m, im_str_eq(m->from_key, key_of(user)))), (unsigned)m->seq);
    }
    drop_hits(&op);
    return text_printf("%s", text);
}

static const char *told_row(const struct im_conv_row *r)
{
    char text[8192];
    size_t len = 0;
#define PUT(condition, ...)                                                                                            \
    do {                                                                                                               \
        if (condition)                                                                                                 \
            len += (size_t)snprintf(text + len, sizeof text - len, __VA_ARGS__);                                       \
    } while (0)
    PUT(true, "%s %u", view(r->name), (unsigned)r->last_seq);
    PUT(r->unread, " -%u", (unsigned)r->unread);
    PUT(r->read_seq, " r%u", (unsigned)r->read_seq);
    PUT(r->mention_seq, " @%u", (unsigned)r->mention_seq);
    PUT(r->peer_read || r->peer_received, " p%u/%u", (unsigned)r->peer_read, (unsigned)r->peer_received);
    PUT(r->members, " %s of %u", im_role_info(r->role)->name, (unsigned)r->members);
    PUT(r->topic.len, " '%s'", view(r->topic));
    PUT(r->last, " <%s>", tell(r->last));
#undef PUT
    return part("%s", text);
}

const char *conversations(struct box *b, const char *user)
{
    struct im_store_conversations op = op_conversations(user, 1000);
    assert_int_equal(box_do(b, &op.op), IM_OK);
    char text[8192] = "";
    for (size_t i = 0; i < op.count; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%s", i ? "; " : "", told_row(&op.rows[i]));
    }
    drop_rows(&op);
    return text_printf("%s", text);
}

static int by_key(const void *a, const void *b)
{
    const struct im_seat_row *x = a, *y = b;
    size_t len = x->key.len < y->key.len ? x->key.len : y->key.len;
    int order = memcmp(x->key.p, y->key.p, len);
    return order ? order : (int)x->key.len - (int)y->key.len;
}

const char *seats(struct box *b, const char *user)
{
    struct im_store_login op = op_login(user, NULL);
    assert_int_equal(box_do(b, &op.op), IM_OK);
    char text[4096] = "";
    if (op.seat_count > 0)
        qsort(op.seats, op.seat_count, sizeof *op.seats, by_key);
    for (size_t i = 0; i < op.seat_count; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%s %s %u", i ? "; " : "", view(op.seats[i].name),
                 im_role_info(op.seats[i].role)->name, (unsigned)op.seats[i].members);
    }
    drop_login(&op);
    return text_printf("%s", text);
}

const char *members(struct box *b, const char *user, const char *group)
{
    struct im_store_members op = {
        .op.kind = IM_STORE_MEMBERS, .key = key_if(user), .group = key_of(group), .limit = 1000};
    enum im_reason reason = box_do(b, &op.op);
    if (reason != IM_OK)
        return im_reason_name(reason);
    assert_false(op.more);
    char text[4096] = "";
    for (size_t i = 0; i < op.count; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%s %s", i ? "; " : "", view(op.rows[i].name),
                 im_role_info(op.rows[i].role)->name);
    }
    free(op.rows);
    return text_printf("%s", text);
}
