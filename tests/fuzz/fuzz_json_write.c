#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "core/config.h"
#include "core/dialect_json.h"
#include "core/mem.h"

/* Every event that im.v1 has, filled from the input and written; beside it what it should say, built as a tree from the
 * same values. The input is pieces, each ended by a NUL: the name of what is to be said, then what goes into it. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS_MAX = 3 };

struct input {
    const char *p, *end;
    char *text; /* room for all the strings that are taken, eight times the input, for escapes, and some more */
};

static void must(bool condition)
{
    if (!condition)
        abort();
}

static struct im_str piece(struct input *in)
{
    size_t left = (size_t)(in->end - in->p), len = strnlen(in->p, left);
    struct im_str s = {in->p, len};
    in->p += len < left ? len + 1 : len;
    return s;
}

/* Text, valid UTF-8 and without NUL as all text in events is; never absent. */
static struct im_str string(struct input *in)
{
    struct im_str s = piece(in), copy = {in->text, s.len};
    bool valid = im_str_utf8(s);
    for (size_t i = 0; i < s.len; i++) {
        char ascii = (char)(s.p[i] & 0x7f);
        *in->text++ = valid ? s.p[i] : ascii ? ascii : 'x';
    }
    return copy;
}

static struct im_str maybe(struct input *in)
{
    struct im_str s = string(in);
    return im_str_eq(s, IM_STR("-")) ? (struct im_str){0} : s;
}

/* Of decimal digits, whatever they are: JSON's numbers end at INT64_MAX with jansson, and ours do in all that is told.
 */
static uint64_t number(struct input *in)
{
    struct im_str s = piece(in);
    uint64_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n = n * 10 + (unsigned char)s.p[i] - '0';
    return n & INT64_MAX;
}

static int64_t time_ms(struct input *in)
{
    bool before = in->p < in->end && *in->p == '-';
    in->p += before;
    int64_t ms = (int64_t)number(in);
    return before ? -ms : ms;
}

static bool flag(struct input *in)
{
    return number(in) % 2;
}

static unsigned choice(struct input *in, unsigned count)
{
    return (unsigned)(number(in) % count);
}

/* What it should say. */

static json_t *text_of(struct im_str s)
{
    return json_stringn(s.len ? s.p : "", s.len);
}

static void has(json_t *o, const char *key, json_t *value)
{
    must(json_object_set_new(o, key, value) == 0);
}

static void has_text(json_t *o, const char *key, struct im_str s)
{
    if (s.p)
        has(o, key, text_of(s));
}

static void has_filled(json_t *o, const char *key, struct im_str s)
{
    if (s.len > 0)
        has(o, key, text_of(s));
}

static void has_number(json_t *o, const char *key, uint64_t n)
{
    has(o, key, json_integer((json_int_t)n));
}

static void has_some(json_t *o, const char *key, int64_t n)
{
    if (n != 0)
        has(o, key, json_integer(n));
}

static void has_position(json_t *o, const char *key, uint64_t n)
{
    has(o, key, json_sprintf("%" PRIu64, n));
}

static void has_true(json_t *o, const char *key, bool on)
{
    if (on)
        has(o, key, json_true());
}

static void has_reason(json_t *o, enum im_reason reason, enum im_lang lang)
{
    has_number(o, "code", im_reason_info(reason)->code);
    has(o, "name", json_string(im_reason_info(reason)->name));
    has(o, "text", json_string(im_reason_info(reason)->text[lang]));
}

static void has_settings(json_t *o, unsigned settings)
{
    has(o, "public", json_boolean(settings & IM_GROUP_PUBLIC));
    has(o, "history", json_string(settings & IM_GROUP_PAST ? "all" : "joined"));
}

static void has_role(json_t *o, enum im_role role)
{
    has(o, "role", json_string(im_role_info(role)->name));
}

/* Durable events. */

/* Some ids, one after the other: as the event has them, and as a list. */
static struct im_str take_mentions(struct input *in, json_t *list)
{
    char *start = in->text;
    for (unsigned n = choice(in, ROWS_MAX + 1); n > 0; n--) {
        struct im_str id = string(in);
        if (id.len == 0 || memchr(id.p, ' ', id.len)) {
            in->text -= id.len;
            continue;
        }
        *in->text++ = ' ';
        json_array_append_new(list, text_of(id));
    }
    return (struct im_str){start, (size_t)(in->text - start) - (in->text > start)};
}

static struct im_str take_reactions(struct input *in, json_t *list)
{
    char *start = in->text;
    for (unsigned n = choice(in, ROWS_MAX + 1); n > 0; n--) {
        struct im_str emoji = string(in);
        unsigned count = choice(in, 1000);
        bool mine = flag(in);
        json_t *one = json_object();
        if (emoji.len > 0 && memchr(emoji.p, '\n', emoji.len)) /* it stands on a line */
            emoji.len = (size_t)((char *)memchr(emoji.p, '\n', emoji.len) - emoji.p);
        in->text = (char *)emoji.p + emoji.len;
        in->text += sprintf(in->text, " %u %d\n", count, mine);
        has_text(one, "emoji", emoji);
        has_number(one, "count", count);
        has_true(one, "mine", mine);
        json_array_append_new(list, one);
    }
    return (struct im_str){start, (size_t)(in->text - start)};
}

static void has_list(json_t *o, const char *key, json_t *list)
{
    if (json_array_size(list) > 0)
        has(o, key, json_incref(list));
}

static struct im_msg take_msg(struct input *in, json_t *mentions, json_t *reactions)
{
    struct im_msg m = {.kind = (enum im_conv_kind)choice(in, IM_CONV_SELF + 1)};
    m.pos = number(in);
    m.seq = number(in);
    m.ts_ms = time_ms(in);
    m.from = m.from_key = string(in);
    m.to = m.to_key = string(in);
    m.cid = maybe(in);
    m.body = maybe(in);
    m.mime = maybe(in);
    m.ref = number(in);
    m.deleted = flag(in);
    m.on = flag(in);
    m.bot = flag(in);
    m.edited_ms = time_ms(in);
    m.user = m.user_key = maybe(in);
    m.change = (enum im_change)choice(in, IM_CHANGE_COUNT);
    m.role = (enum im_role)choice(in, IM_ROLE_COUNT);
    m.settings = choice(in, (IM_GROUP_PUBLIC | IM_GROUP_PAST) + 1);
    m.mentions = take_mentions(in, mentions);
    m.reactions = take_reactions(in, reactions);
    return m;
}

static void has_place(json_t *o, const struct im_msg *m, bool own)
{
    has_text(o, "conv", m->kind == IM_CONV_DIRECT && !own ? m->from : m->to);
    if (m->kind != IM_CONV_SELF)
        has_number(o, "seq", m->seq);
    has_position(o, "pos", m->pos);
    has(o, "ts", json_integer(m->ts_ms));
}

static void has_message(json_t *o, const struct im_msg *m, json_t *mentions, json_t *reactions)
{
    has_text(o, m->mime.p && !m->deleted ? "body" : "text", m->deleted ? IM_STR("") : m->body);
    has_text(o, "mime", m->deleted ? (struct im_str){0} : m->mime);
    has_some(o, "reply", (int64_t)m->ref);
    has_some(o, "edited", m->edited_ms);
    has_true(o, "bot", m->bot);
    has_true(o, "deleted", m->deleted);
    has_list(o, "mentions", mentions);
    has_list(o, "reactions", reactions);
}

static void has_change(json_t *o, const struct im_msg *m)
{
    bool create = m->change == IM_CHANGE_CREATE, topic = m->change == IM_CHANGE_TOPIC, set = m->change == IM_CHANGE_SET;
    has(o, "do", json_string(im_change_info(m->change)->name));
    has_filled(o, "user", m->user);
    if (!set && !topic && m->change != IM_CHANGE_DESTROY)
        has_role(o, m->role);
    if (topic || (create && m->body.len > 0))
        has(o, "topic", text_of(m->body));
    if (create || set)
        has_settings(o, m->settings);
}

static void has_details(json_t *o, enum im_event_type type, const struct im_msg *m, json_t *mentions, json_t *reactions)
{
    has_text(o, "cid", m->cid);
    if (type != IM_EV_MSG && type != IM_EV_MEMBER)
        has_number(o, "ref", m->ref);
    if (type == IM_EV_MSG) {
        has_message(o, m, mentions, reactions);
    } else if (type == IM_EV_EDIT) {
        has_text(o, "text", m->deleted ? IM_STR("") : m->body);
        has_list(o, "mentions", mentions);
        has_true(o, "deleted", m->deleted);
    } else if (type == IM_EV_DELETE) {
        has(o, "for", json_string(m->kind == IM_CONV_SELF ? "me" : "all"));
    } else if (type == IM_EV_REACT) {
        has_text(o, "emoji", m->body);
        has(o, "on", json_boolean(m->on));
    } else {
        has_change(o, m);
    }
}

/* `own` as for the link, or as it follows from who reads. */
static struct im_event *take_durable(struct input *in, enum im_event_type type, bool own, const struct im_str *reader,
                                     json_t *o)
{
    static const char *const ops[] = {"msg", "edit", "delete", "react", "member"};
    json_t *mentions = json_array(), *reactions = json_array();
    struct im_msg m = take_msg(in, mentions, reactions);
    has(o, "op", json_string(ops[type]));
    has_place(o, &m, reader ? im_str_eq(*reader, m.from_key) : own);
    has_text(o, "from", m.from);
    has_text(o, "to", m.to);
    has_details(o, type, &m, mentions, reactions);
    json_decref(mentions);
    json_decref(reactions);
    return im_event_new(type, &m);
}

/* Answers. */

/* As JSON text: a whole number, a string, or none. */
static struct im_str take_id(struct input *in, json_t *o)
{
    struct im_str s = maybe(in), id = {in->text, 0};
    uint64_t n;
    if (s.p == NULL)
        return s;
    json_t *value = im_str_u64(s, &n) ? json_integer((json_int_t)(n & INT64_MAX)) : text_of(s);
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    id.len = strlen(text);
    has(o, "id", value);
    memcpy(in->text, text, id.len);
    in->text += id.len;
    free(text);
    return id;
}

static struct im_event **take_events(struct input *in, struct im_str reader, json_t *list, size_t *count)
{
    struct im_event **events = im_alloc((ROWS_MAX + 1) * sizeof *events);
    *count = choice(in, ROWS_MAX + 1);
    for (size_t i = 0; i < *count; i++) {
        json_t *one = json_object();
        events[i] = take_durable(in, (enum im_event_type)choice(in, IM_EV_LAST_DURABLE + 1), false, &reader, one);
        json_array_append_new(list, one);
    }
    return events;
}

static void say_nothing(struct input *in, struct im_reply *r, json_t *o)
{
    (void)in, (void)r, (void)o;
}

static void say_hello(struct input *in, struct im_reply *r, json_t *o)
{
    static const char *const registers[] = {"off", "invite", "on"};
    struct im_config *c = im_zalloc(sizeof *c);
    json_t *limits = json_object(), *auth = json_array();
    r->hello.config = c;
    r->hello.epoch = string(in);
    c->auth_mode = choice(in, IM_AUTH_TOKEN + 1);
    c->auth_register = choice(in, 3);
    c->ping_ms = number(in);
#define IM_LIMIT(name, value, help) has_number(limits, name, value = number(in));
#include "core/tbl/limits.def"
#undef IM_LIMIT
    has_number(o, "v", 1);
    has_text(o, "epoch", r->hello.epoch);
    has(o, "register", json_string(c->auth_mode == IM_AUTH_TOKEN ? "off" : registers[c->auth_register]));
    if (c->auth_mode == IM_AUTH_OPEN)
        json_array_append_new(auth, json_string("open"));
    if (c->auth_mode != IM_AUTH_TOKEN)
        json_array_append_new(auth, json_string("password"));
    json_array_append_new(auth, json_string("token"));
    has(o, "auth", auth);
    has(o, "limits", limits);
    has_number(o, "ping", c->ping_ms);
}

static void say_login(struct input *in, struct im_reply *r, json_t *o)
{
    has_text(o, "user", r->login.user = string(in));
    has_position(o, "session", r->login.session = number(in));
    has_position(o, "pos", r->login.pos = number(in));
    has_text(o, "token", r->login.token = maybe(in));
    r->login.expires_ms = time_ms(in);
    if (r->login.token.p)
        has_some(o, "expires", r->login.expires_ms);
}

static struct im_event *take_committed(struct input *in, bool dup, json_t *o)
{
    json_t *event = json_object();
    struct im_event *e = take_durable(in, (enum im_event_type)choice(in, IM_EV_LAST_DURABLE + 1), true, NULL, event);
    json_decref(event);
    if (e->msg.pos == 0) {
        has_text(o, "conv", e->msg.to);
        has_true(o, "same", true);
    } else {
        has_place(o, &e->msg, true);
        has_true(o, "dup", dup);
    }
    return e;
}

static void say_send(struct input *in, struct im_reply *r, json_t *o)
{
    r->send.online = flag(in);
    r->send.dup = flag(in);
    r->send.msg = take_committed(in, r->send.dup, o);
    if (r->op == IM_OP_SEND)
        has(o, "online", json_boolean(r->send.online));
}

static void say_history(struct input *in, struct im_reply *r, json_t *o)
{
    json_t *list = json_array();
    has_text(o, "conv", r->history.conv = string(in));
    has(o, "more", json_boolean(r->history.more = flag(in)));
    r->history.events = take_events(in, r->self, list, &r->history.count);
    has(o, "messages", list);
}

static void say_search(struct input *in, struct im_reply *r, json_t *o)
{
    json_t *list = json_array();
    r->search.next = number(in);
    if (r->search.next > 0)
        has_position(o, "next", r->search.next);
    r->search.count = choice(in, ROWS_MAX + 1);
    r->search.hits = im_zalloc((ROWS_MAX + 1) * sizeof *r->search.hits);
    for (size_t i = 0; i < r->search.count; i++) {
        struct im_hit *hit = &r->search.hits[i];
        json_t *one = json_object(), *messages = json_array();
        has_number(one, "at", hit->at = number(in));
        hit->events = take_events(in, r->self, messages, &hit->count);
        has(one, "messages", messages);
        json_array_append_new(list, one);
    }
    has(o, "results", list);
}

static void has_conversation(struct input *in, struct im_conv_row *row, json_t *o)
{
    has_text(o, "conv", row->name = string(in));
    has_number(o, "seq", row->last_seq = number(in));
    has_number(o, "unread", row->unread = number(in));
    has_number(o, "read", row->read_seq = number(in));
    has_some(o, "mention", (int64_t)(row->mention_seq = number(in)));
    if (row->name.len > 0 && row->name.p[0] == '#') {
        has_role(o, row->role = (enum im_role)choice(in, IM_ROLE_COUNT));
        has_number(o, "members", row->members = (uint32_t)number(in));
        has_text(o, "topic", row->topic = maybe(in));
    } else {
        json_t *peer = json_object();
        has_number(peer, "read", row->peer_read = number(in));
        has_number(peer, "received", row->peer_received = number(in));
        has(o, "peer", peer);
    }
}

static void say_conversations(struct input *in, struct im_reply *r, json_t *o)
{
    json_t *list = json_array();
    r->conversations.count = choice(in, ROWS_MAX + 1);
    r->conversations.rows = im_zalloc((ROWS_MAX + 1) * sizeof *r->conversations.rows);
    for (size_t i = 0; i < r->conversations.count; i++) {
        struct im_conv_row *row = &r->conversations.rows[i];
        json_t *one = json_object(), *last = json_object();
        has_conversation(in, row, one);
        if (flag(in)) {
            row->last = take_durable(in, IM_EV_MSG, false, &r->self, last);
            has(one, "last", json_incref(last));
        }
        json_decref(last);
        json_array_append_new(list, one);
    }
    has(o, "conversations", list);
}

static void say_changed(struct input *in, struct im_reply *r, json_t *o)
{
    r->group.what = IM_GROUP_CHANGED;
    r->group.dup = flag(in);
    r->group.msg = take_committed(in, r->group.dup, o);
}

static void say_info(struct input *in, struct im_reply *r, json_t *o)
{
    struct im_group_row *row = r->group.groups = im_zalloc(sizeof *row);
    r->group.what = IM_GROUP_INFO;
    r->group.count = 1;
    has_text(o, "conv", row->name = string(in));
    has_text(o, "topic", row->topic = maybe(in));
    has_settings(o, row->settings = choice(in, (IM_GROUP_PUBLIC | IM_GROUP_PAST) + 1));
    has_role(o, row->role = (enum im_role)choice(in, IM_ROLE_COUNT));
    has_number(o, "members", row->members = (uint32_t)number(in));
    has_number(o, "online", row->online = (uint32_t)number(in));
    has(o, "created", json_integer(row->created_ms = time_ms(in)));
}

static void say_members(struct input *in, struct im_reply *r, json_t *o)
{
    struct im_member_row *rows = r->group.members = im_zalloc((ROWS_MAX + 1) * sizeof *rows);
    json_t *list = json_array();
    r->group.what = IM_GROUP_MEMBERS;
    has_text(o, "conv", r->group.conv = string(in));
    r->group.more = flag(in);
    r->group.count = choice(in, ROWS_MAX + 1);
    for (size_t i = 0; i < r->group.count; i++) {
        json_t *one = json_object();
        has_text(one, "user", rows[i].name = string(in));
        has_role(one, rows[i].role = (enum im_role)choice(in, IM_ROLE_COUNT));
        has(one, "online", json_boolean(rows[i].online = flag(in)));
        json_array_append_new(list, one);
    }
    has(o, "members", list);
    if (r->group.more && r->group.count > 0)
        has_text(o, "next", rows[r->group.count - 1].name);
}

static void say_groups(struct input *in, struct im_reply *r, json_t *o)
{
    struct im_group_row *rows = r->group.groups = im_zalloc((ROWS_MAX + 1) * sizeof *rows);
    json_t *list = json_array();
    r->group.what = IM_GROUP_LIST;
    r->group.more = flag(in);
    r->group.count = choice(in, ROWS_MAX + 1);
    for (size_t i = 0; i < r->group.count; i++) {
        json_t *one = json_object();
        has_text(one, "conv", rows[i].name = string(in));
        has_text(one, "topic", rows[i].topic = maybe(in));
        has_number(one, "members", rows[i].members = (uint32_t)number(in));
        json_array_append_new(list, one);
    }
    has(o, "groups", list);
    if (r->group.more && r->group.count > 0)
        has_text(o, "next", rows[r->group.count - 1].name);
}

static void take_presence(struct input *in, struct im_presence_row *row, json_t *o)
{
    row->user = string(in);
    row->state = (enum im_presence)choice(in, IM_PRESENCE_COUNT);
    row->text = maybe(in);
    row->seen_ms = time_ms(in);
    row->online = (uint32_t)number(in);
    if (row->user.len > 0 && row->user.p[0] == '#') {
        has_text(o, "conv", row->user);
        has_number(o, "online", row->online);
        return;
    }
    has_text(o, "user", row->user);
    has(o, "state", json_string(im_presence_name(row->state)));
    has_filled(o, "text", row->text);
    has_some(o, "seen", row->seen_ms);
}

static void say_presences(struct input *in, struct im_reply *r, json_t *o)
{
    json_t *list = json_array();
    r->presence.rows = im_zalloc((ROWS_MAX + 1) * sizeof *r->presence.rows);
    r->presence.count = choice(in, ROWS_MAX + 1);
    for (size_t i = 0; i < r->presence.count; i++) {
        json_t *one = json_object();
        take_presence(in, &r->presence.rows[i], one);
        json_array_append_new(list, one);
    }
    has(o, "users", list);
}

static void say_blocked(struct input *in, struct im_reply *r, json_t *o)
{
    json_t *list = json_array();
    r->block.users = im_zalloc((ROWS_MAX + 1) * sizeof *r->block.users);
    r->block.list = true;
    r->block.count = choice(in, ROWS_MAX + 1);
    for (size_t i = 0; i < r->block.count; i++)
        json_array_append_new(list, text_of(r->block.users[i] = string(in)));
    has(o, "users", list);
}

static void say_profile(struct input *in, struct im_reply *r, json_t *o)
{
    struct im_profile *p = r->profile.profile = im_zalloc(sizeof *p);
    has_filled(o, "name", p->name = maybe(in));
    has_filled(o, "avatar", p->avatar = maybe(in));
    has_true(o, "bot", p->bot = flag(in));
    p->presence.state = (enum im_presence)choice(in, IM_PRESENCE_COUNT);
    has(o, "state", json_string(im_presence_name(p->presence.state)));
    has_filled(o, "text", p->presence.text = maybe(in));
    has_some(o, "seen", p->presence.seen_ms = time_ms(in));
    has_text(o, "user", p->user = string(in));
}

static void say_devices(struct input *in, struct im_reply *r, json_t *o)
{
    struct im_device_row *rows = r->devices.rows = im_zalloc((ROWS_MAX + 1) * sizeof *rows);
    json_t *list = json_array();
    r->devices.list = true;
    r->devices.count = choice(in, ROWS_MAX + 1);
    for (size_t i = 0; i < r->devices.count; i++) {
        json_t *one = json_object();
        rows[i].name = maybe(in);
        has(one, "device", text_of(rows[i].name));
        has(one, "seen", json_integer(rows[i].seen_ms = time_ms(in)));
        has(one, "online", json_boolean(rows[i].online = flag(in)));
        has(one, "current", json_boolean(rows[i].current = flag(in)));
        json_array_append_new(list, one);
    }
    has(o, "devices", list);
}

static void say_report(struct input *in, struct im_reply *r, json_t *o)
{
    has_text(o, "ticket", r->report.ticket = string(in));
}

static const struct answer {
    const char *name;
    enum im_op op;
    void (*say)(struct input *, struct im_reply *, json_t *);
} answers[] = {
    {"ok ping", IM_OP_PING, say_nothing},
    {"ok hello", IM_OP_HELLO, say_hello},
    {"ok register", IM_OP_REGISTER, say_login},
    {"ok login", IM_OP_LOGIN, say_login},
    {"ok send", IM_OP_SEND, say_send},
    {"ok edit", IM_OP_EDIT, say_send},
    {"ok delete", IM_OP_DELETE, say_send},
    {"ok react", IM_OP_REACT, say_send},
    {"ok history", IM_OP_HISTORY, say_history},
    {"ok search", IM_OP_SEARCH, say_search},
    {"ok conversations", IM_OP_CONVERSATIONS, say_conversations},
    {"ok group", IM_OP_GROUP, say_changed},
    {"ok group info", IM_OP_GROUP, say_info},
    {"ok group members", IM_OP_GROUP, say_members},
    {"ok group list", IM_OP_GROUP, say_groups},
    {"ok presence", IM_OP_PRESENCE, say_presences},
    {"ok block", IM_OP_BLOCK, say_blocked},
    {"ok profile", IM_OP_PROFILE, say_profile},
    {"ok devices", IM_OP_DEVICES, say_devices},
    {"ok report", IM_OP_REPORT, say_report},
};
enum { ANSWERS = sizeof answers / sizeof *answers };

static struct im_event *take_answer(struct input *in, const struct answer *a, json_t *o)
{
    struct im_reply r = {.op = a->op};
    has(o, "op", json_string("ok"));
    r.id = take_id(in, o);
    r.self = string(in);
    a->say(in, &r, o);
    return im_event_reply(&r);
}

/* Everything else. */

static struct im_event *take_err(struct input *in, enum im_lang lang, json_t *o)
{
    struct im_str id = take_id(in, o);
    enum im_reason reason = (enum im_reason)choice(in, IM_REASON_COUNT);
    struct im_str detail = maybe(in);
    uint64_t after_ms = number(in);
    has_reason(o, reason, lang);
    has_filled(o, "detail", detail);
    has(o, "retry", json_boolean(im_reason_info(reason)->retry));
    has_some(o, "after", (int64_t)after_ms);
    return im_event_err(IM_OP_NONE, id, reason, detail, after_ms);
}

static struct im_event *take_receipt(struct input *in, enum im_lang lang, json_t *o)
{
    (void)lang;
    struct im_str conv = string(in), user = string(in);
    uint64_t received = number(in), read = number(in);
    has_text(o, "conv", conv);
    has_text(o, "user", user);
    has_some(o, "received", (int64_t)received);
    has_some(o, "read", (int64_t)read);
    return im_event_receipt(IM_CONV_DIRECT, conv, user, received, read);
}

static struct im_event *take_typing(struct input *in, enum im_lang lang, json_t *o)
{
    (void)lang;
    struct im_str conv = string(in), user = string(in);
    bool on = flag(in);
    uint64_t for_ms = number(in);
    has_text(o, "conv", conv);
    has_text(o, "user", user);
    has(o, "on", json_boolean(on));
    if (on)
        has_number(o, "for", for_ms);
    return im_event_typing(conv, user, on, for_ms);
}

static struct im_event *take_watched(struct input *in, enum im_lang lang, json_t *o)
{
    (void)lang;
    struct im_presence_row row = {0};
    take_presence(in, &row, o);
    return im_event_presence(&row);
}

static struct im_event *take_notice(struct input *in, enum im_lang lang, json_t *o)
{
    enum im_reason reason = (enum im_reason)choice(in, IM_REASON_COUNT);
    struct im_str text = maybe(in);
    if (text.len == 0) {
        has_reason(o, reason, lang);
    } else {
        has_number(o, "code", im_reason_info(reason)->code);
        has_text(o, "text", text);
    }
    return im_event_notice(reason, text);
}

static struct im_event *take_reset(struct input *in, enum im_lang lang, json_t *o)
{
    (void)lang;
    uint64_t pos = number(in);
    has_position(o, "pos", pos);
    return im_event_reset(pos);
}

static struct im_event *take_bye(struct input *in, enum im_lang lang, json_t *o)
{
    enum im_reason reason = (enum im_reason)choice(in, IM_REASON_COUNT);
    bool reconnect = flag(in);
    uint64_t after_ms = number(in);
    has_reason(o, reason, lang);
    has(o, "reconnect", json_boolean(reconnect));
    if (reconnect)
        has_number(o, "after", after_ms);
    return im_event_bye(reason, reconnect, after_ms);
}

static const struct {
    const char *name;
    struct im_event *(*take)(struct input *, enum im_lang, json_t *);
} others[] = {{"err", take_err},       {"receipt", take_receipt}, {"typing", take_typing}, {"presence", take_watched},
              {"notice", take_notice}, {"reset", take_reset},     {"bye", take_bye}};
enum { OTHERS = sizeof others / sizeof *others };

static const char *const durables[] = {"msg", "edit", "delete", "react", "member"};
enum { DURABLES = sizeof durables / sizeof *durables };

static const char *name_of(unsigned kind)
{
    if (kind < DURABLES)
        return durables[kind];
    return kind < DURABLES + ANSWERS ? answers[kind - DURABLES].name : others[kind - DURABLES - ANSWERS].name;
}

/* By its name, or, so that no input says nothing, by what else is there. */
static unsigned take_kind(struct input *in)
{
    struct im_str name = piece(in);
    unsigned sum = 0;
    for (unsigned kind = 0; kind < DURABLES + ANSWERS + OTHERS; kind++)
        if (im_str_eq(name, im_str(name_of(kind))))
            return kind;
    for (size_t i = 0; i < name.len; i++)
        sum += (unsigned char)name.p[i];
    return sum % (DURABLES + ANSWERS + OTHERS);
}

/* Written to share and written for one reader it is the same line, and that says what it should. */
static void check(struct im_event *e, enum im_lang lang, bool own, json_t *expected)
{
    struct im_link link = {.dialect = &im_dialect_json, .lang = lang};
    struct im_out out = {0};
    struct im_bytes *b = im_json_encode(&link, e, own);
    im_json_write(&link, e, own, &out);
    must(im_str_eq((struct im_str){(const char *)b->data, b->len}, (struct im_str){im_out_data(&out), out.len}));
    json_t *said = json_loadb((const char *)b->data, b->len, JSON_REJECT_DUPLICATES, NULL);
    must(json_is_object(said) && !memchr(b->data, '\n', b->len));
    must(json_equal(said, expected));
    json_decref(said);
    im_out_clear(&out);
    im_bytes_drop(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { SOME_MORE = 64 };
    char *room = im_alloc(8 * size + SOME_MORE);
    struct input in = {(const char *)data, (const char *)data + size, room};
    unsigned kind = take_kind(&in);
    enum im_lang lang = (enum im_lang)choice(&in, IM_LANG_COUNT);
    bool own = flag(&in);
    json_t *expected = json_object();
    struct im_event *e;
    if (kind < DURABLES) {
        e = take_durable(&in, (enum im_event_type)kind, own, NULL, expected);
    } else if (kind < DURABLES + ANSWERS) {
        e = take_answer(&in, &answers[kind - DURABLES], expected);
    } else {
        has(expected, "op", json_string(name_of(kind)));
        e = others[kind - DURABLES - ANSWERS].take(&in, lang, expected);
    }
    check(e, lang, own, expected);
    if (e->type == IM_EV_OK && e->reply.op == IM_OP_HELLO)
        free((struct im_config *)e->reply.hello.config);
    json_decref(expected);
    im_event_drop(&e);
    free(room);
    return 0;
}
