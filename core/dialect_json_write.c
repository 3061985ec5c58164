#include "core/dialect_json.h"

#include <assert.h>

#include "core/config.h"

/* im.v1, written: by hand, `op` first. Keys are given with what goes before them; those of the hot messages as
 * literals, which costs no call. */

#define PUT_STR(out, key, s) (IM_OUT_LITERAL(out, key), im_out_json(out, s))

static void put_str(struct im_out *out, const char *key, struct im_str s)
{
    if (s.p == NULL)
        return;
    im_out_str(out, key);
    im_out_json(out, s);
}

/* Strings that say nothing when they are empty. */
static void put_filled(struct im_out *out, const char *key, struct im_str s)
{
    if (s.len > 0)
        put_str(out, key, s);
}

static void put_u64(struct im_out *out, const char *key, uint64_t n)
{
    im_out_str(out, key);
    im_out_u64(out, n);
}

static void put_some(struct im_out *out, const char *key, uint64_t n)
{
    if (n > 0)
        put_u64(out, key, n);
}

static void put_ms(struct im_out *out, const char *key, int64_t ms)
{
    im_out_str(out, key);
    im_out_i64(out, ms);
}

static void put_time(struct im_out *out, const char *key, int64_t ms)
{
    if (ms != 0)
        put_ms(out, key, ms);
}

static void put_quoted(struct im_out *out, const char *key, uint64_t n)
{
    put_u64(out, key, n);
    im_out_char(out, '"');
}

static void put_bool(struct im_out *out, const char *key, bool on)
{
    im_out_str(out, key);
    im_out_str(out, on ? "true" : "false");
}

static void put_true(struct im_out *out, const char *key, bool on)
{
    if (on)
        put_bool(out, key, true);
}

static void put_role(struct im_out *out, enum im_role role)
{
    put_str(out, ",\"role\":", im_str(im_role_info(role)->name));
}

static void put_settings(struct im_out *out, unsigned settings)
{
    put_bool(out, ",\"public\":", settings & IM_GROUP_PUBLIC);
    im_out_str(out, settings & IM_GROUP_PAST ? ",\"history\":\"all\"" : ",\"history\":\"joined\"");
}

/* Durable events */

/* Cuts the first piece, up to `end`, off *rest. False: nothing is left. */
static bool cut(struct im_str *rest, char end, struct im_str *piece)
{
    if (rest->len == 0)
        return false;
    const char *at = memchr(rest->p, end, rest->len);
    size_t n = at ? (size_t)(at - rest->p) : rest->len, skip = n + (at != NULL);
    *piece = (struct im_str){rest->p, n};
    *rest = (struct im_str){rest->p + skip, rest->len - skip};
    return true;
}

/* Cuts the last word off *rest, which has one. */
static struct im_str cut_last(struct im_str *rest)
{
    size_t n = rest->len;
    while (n > 0 && rest->p[n - 1] != ' ')
        n--;
    assert(n > 0);
    struct im_str word = {rest->p + n, rest->len - n};
    rest->len = n - 1;
    return word;
}

static void put_mentions(struct im_out *out, struct im_str mentions)
{
    struct im_str id;
    if (mentions.len == 0)
        return;
    im_out_str(out, ",\"mentions\":[");
    for (bool first = true; cut(&mentions, ' ', &id); first = false) {
        if (!first)
            im_out_char(out, ',');
        im_out_json(out, id);
    }
    im_out_char(out, ']');
}

static void put_reactions(struct im_out *out, struct im_str reactions)
{
    struct im_str line;
    if (reactions.len == 0)
        return;
    im_out_str(out, ",\"reactions\":[");
    for (bool first = true; cut(&reactions, '\n', &line); first = false) {
        struct im_str mine = cut_last(&line), count = cut_last(&line);
        put_str(out, first ? "{\"emoji\":" : ",{\"emoji\":", line);
        im_out_str(out, ",\"count\":");
        im_out_put(out, count.p, count.len);
        put_true(out, ",\"mine\":", !im_str_eq(mine, IM_STR("0")));
        im_out_char(out, '}');
    }
    im_out_char(out, ']');
}

static void make_msg(struct im_out *out, const struct im_msg *m)
{
    if (m->deleted) {
        im_out_str(out, ",\"text\":\"\"");
    } else if (m->mime.p) {
        put_str(out, ",\"body\":", m->body);
        put_str(out, ",\"mime\":", m->mime);
    } else if (m->body.p) {
        PUT_STR(out, ",\"text\":", m->body);
    }
    if (m->cid.p)
        PUT_STR(out, ",\"cid\":", m->cid);
    put_some(out, ",\"reply\":", m->ref);
    put_mentions(out, m->mentions);
    put_true(out, ",\"bot\":", m->bot);
    put_time(out, ",\"edited\":", m->edited_ms);
    put_true(out, ",\"deleted\":", m->deleted);
    put_reactions(out, m->reactions);
}

static void make_edit(struct im_out *out, const struct im_msg *m)
{
    put_u64(out, ",\"ref\":", m->ref);
    if (m->deleted)
        im_out_str(out, ",\"text\":\"\"");
    else
        put_str(out, ",\"text\":", m->body);
    put_mentions(out, m->mentions);
    put_true(out, ",\"deleted\":", m->deleted);
    put_str(out, ",\"cid\":", m->cid);
}

static void make_delete(struct im_out *out, const struct im_msg *m)
{
    put_u64(out, ",\"ref\":", m->ref);
    im_out_str(out, m->kind == IM_CONV_SELF ? ",\"for\":\"me\"" : ",\"for\":\"all\"");
    put_str(out, ",\"cid\":", m->cid);
}

static void make_react(struct im_out *out, const struct im_msg *m)
{
    put_u64(out, ",\"ref\":", m->ref);
    put_str(out, ",\"emoji\":", m->body);
    put_bool(out, ",\"on\":", m->on);
    put_str(out, ",\"cid\":", m->cid);
}

static void make_member(struct im_out *out, const struct im_msg *m)
{
    put_str(out, ",\"do\":", im_str(im_change_info(m->change)->name));
    put_filled(out, ",\"user\":", m->user);
    switch (m->change) {
    case IM_CHANGE_SET:
        put_settings(out, m->settings);
        break;
    case IM_CHANGE_TOPIC:
        put_str(out, ",\"topic\":", m->body.p ? m->body : IM_STR(""));
        break;
    case IM_CHANGE_DESTROY:
        break;
    default:
        put_role(out, m->role);
    }
    if (m->change == IM_CHANGE_CREATE) {
        put_filled(out, ",\"topic\":", m->body);
        put_settings(out, m->settings);
    }
    put_str(out, ",\"cid\":", m->cid);
}

static const struct {
    struct im_str op;
    void (*make)(struct im_out *, const struct im_msg *);
} durables[IM_EV_LAST_DURABLE + 1] = {
#define OP(name)                                                                                                       \
    {                                                                                                                  \
        "{\"op\":\"" name "\"", sizeof("{\"op\":\"" name "\"") - 1                                                     \
    }
    [IM_EV_MSG] = {OP("msg"), make_msg},          [IM_EV_EDIT] = {OP("edit"), make_edit},
    [IM_EV_DELETE] = {OP("delete"), make_delete}, [IM_EV_REACT] = {OP("react"), make_react},
    [IM_EV_MEMBER] = {OP("member"), make_member},
#undef OP
};

/* Where in the log the event is, and when it came; and whose it is, where that is not known. A user's own log has no
 * seq to tell. Every message has it twice, once in the `ok`, so it is written in one go. */
static void put_place(struct im_out *out, const struct im_msg *m, bool own, bool people)
{
    struct im_str conv = im_msg_conv(m, own);
    im_out_reserve(out, IM_PUT_JSON(conv.len + m->from.len + m->to.len) + 3 * IM_PUT_NUMBER + 128);
    uint8_t *at = IM_PUT_LITERAL(im_out_end(out), ",\"conv\":");
    at = im_put_json(at, conv);
    if (m->kind != IM_CONV_SELF)
        at = im_put_u64(IM_PUT_LITERAL(at, ",\"seq\":"), m->seq);
    at = im_put_u64(IM_PUT_LITERAL(at, ",\"pos\":\""), m->pos);
    at = IM_PUT_LITERAL(at, "\"");
    if (people) {
        at = im_put_json(IM_PUT_LITERAL(at, ",\"from\":"), m->from);
        at = im_put_json(IM_PUT_LITERAL(at, ",\"to\":"), m->to);
    }
    im_out_until(out, im_put_i64(IM_PUT_LITERAL(at, ",\"ts\":"), m->ts_ms));
}

static void make_durable(struct im_out *out, const struct im_event *e, bool own, const void *arg)
{
    (void)arg;
    struct im_str op = durables[e->type].op;
    im_out_put(out, op.p, op.len);
    put_place(out, &e->msg, own, true);
    durables[e->type].make(out, &e->msg);
    im_out_char(out, '}');
}

static void put_durable(struct im_out *out, const struct im_event *e, struct im_str reader)
{
    make_durable(out, e, im_str_eq(e->msg.from_key, reader), NULL);
}

static void put_durables(struct im_out *out, struct im_event *const *events, size_t count, struct im_str reader)
{
    im_out_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            im_out_char(out, ',');
        put_durable(out, events[i], reader);
    }
    im_out_char(out, ']');
}

/* Replies */

static struct im_str choice(const char *path, unsigned value)
{
    return im_choice(im_config_find(im_config_rows, im_config_row_count, im_str(path))->choices, value);
}

static void put_limits(struct im_out *out, const struct im_config *c)
{
    const char *before = ",\"limits\":{";
#define IM_LIMIT(name, value, help)                                                                                    \
    im_out_str(out, before);                                                                                           \
    put_u64(out, "\"" name "\":", value);                                                                              \
    before = ",";
#include "core/tbl/limits.def"
#undef IM_LIMIT
    im_out_char(out, '}');
}

static void put_hello(struct im_out *out, const struct im_reply *r)
{
    static const char *const methods[] = {
        [IM_AUTH_OPEN] = ",\"auth\":[\"open\",\"password\",\"token\"]",
        [IM_AUTH_PASSWORD] = ",\"auth\":[\"password\",\"token\"]",
        [IM_AUTH_TOKEN] = ",\"auth\":[\"token\"]",
    };
    const struct im_config *c = r->hello.config;
    put_str(out, ",\"v\":1,\"epoch\":", r->hello.epoch);
    im_out_str(out, methods[c->auth_mode]);
    put_str(out, ",\"register\":",
            c->auth_mode == IM_AUTH_TOKEN ? IM_STR("off") : choice("auth.register", c->auth_register));
    put_limits(out, c);
    put_u64(out, ",\"ping\":", c->ping_ms);
}

static void put_login(struct im_out *out, const struct im_reply *r)
{
    put_str(out, ",\"user\":", r->login.user);
    put_quoted(out, ",\"session\":\"", r->login.session);
    put_quoted(out, ",\"pos\":\"", r->login.pos);
    if (r->login.token.p == NULL)
        return;
    put_str(out, ",\"token\":", r->login.token);
    put_time(out, ",\"expires\":", r->login.expires_ms);
}

/* What a request that appends has come to. */
static void put_committed(struct im_out *out, const struct im_event *e, bool dup)
{
    if (e->msg.pos == 0) { /* it was so already */
        put_str(out, ",\"conv\":", im_msg_conv(&e->msg, true));
        put_true(out, ",\"same\":", true);
        return;
    }
    put_place(out, &e->msg, true, false);
    put_true(out, ",\"dup\":", dup);
}

static void put_send(struct im_out *out, const struct im_reply *r)
{
    put_committed(out, r->send.msg, r->send.dup);
    if (r->op != IM_OP_SEND)
        return;
    if (r->send.online)
        IM_OUT_LITERAL(out, ",\"online\":true");
    else
        IM_OUT_LITERAL(out, ",\"online\":false");
}

static void put_history(struct im_out *out, const struct im_reply *r)
{
    put_str(out, ",\"conv\":", r->history.conv);
    im_out_str(out, ",\"messages\":");
    put_durables(out, r->history.events, r->history.count, r->self);
    put_bool(out, ",\"more\":", r->history.more);
}

static void put_search(struct im_out *out, const struct im_reply *r)
{
    im_out_str(out, ",\"results\":[");
    for (size_t i = 0; i < r->search.count; i++) {
        const struct im_hit *hit = &r->search.hits[i];
        im_out_str(out, i > 0 ? ",{\"messages\":" : "{\"messages\":");
        put_durables(out, hit->events, hit->count, r->self);
        put_u64(out, ",\"at\":", hit->at);
        im_out_char(out, '}');
    }
    im_out_char(out, ']');
    if (r->search.next > 0)
        put_quoted(out, ",\"next\":\"", r->search.next);
}

static void put_conversation(struct im_out *out, const struct im_conv_row *row, struct im_str reader)
{
    put_str(out, "{\"conv\":", row->name);
    if (row->last) {
        im_out_str(out, ",\"last\":");
        put_durable(out, row->last, reader);
    }
    put_u64(out, ",\"seq\":", row->last_seq);
    put_u64(out, ",\"unread\":", row->unread);
    put_u64(out, ",\"read\":", row->read_seq);
    put_some(out, ",\"mention\":", row->mention_seq);
    if (im_conv_is_group(row->name)) {
        put_role(out, row->role);
        put_u64(out, ",\"members\":", row->members);
        put_str(out, ",\"topic\":", row->topic);
    } else {
        put_u64(out, ",\"peer\":{\"read\":", row->peer_read);
        put_u64(out, ",\"received\":", row->peer_received);
        im_out_char(out, '}');
    }
    im_out_char(out, '}');
}

static void put_conversations(struct im_out *out, const struct im_reply *r)
{
    im_out_str(out, ",\"conversations\":[");
    for (size_t i = 0; i < r->conversations.count; i++) {
        if (i > 0)
            im_out_char(out, ',');
        put_conversation(out, &r->conversations.rows[i], r->self);
    }
    im_out_char(out, ']');
}

static void put_group_info(struct im_out *out, const struct im_group_row *g)
{
    put_str(out, ",\"conv\":", g->name);
    put_str(out, ",\"topic\":", g->topic);
    put_settings(out, g->settings);
    put_role(out, g->role);
    put_u64(out, ",\"members\":", g->members);
    put_u64(out, ",\"online\":", g->online);
    put_ms(out, ",\"created\":", g->created_ms);
}

static void put_members(struct im_out *out, struct im_str conv, const struct im_member_row *rows, size_t count,
                        bool more)
{
    put_str(out, ",\"conv\":", conv);
    im_out_str(out, ",\"members\":[");
    for (size_t i = 0; i < count; i++) {
        put_str(out, i > 0 ? ",{\"user\":" : "{\"user\":", rows[i].name);
        put_role(out, rows[i].role);
        put_bool(out, ",\"online\":", rows[i].online);
        im_out_char(out, '}');
    }
    im_out_char(out, ']');
    if (more && count > 0)
        put_str(out, ",\"next\":", rows[count - 1].name);
}

static void put_groups(struct im_out *out, const struct im_group_row *rows, size_t count, bool more)
{
    im_out_str(out, ",\"groups\":[");
    for (size_t i = 0; i < count; i++) {
        put_str(out, i > 0 ? ",{\"conv\":" : "{\"conv\":", rows[i].name);
        put_str(out, ",\"topic\":", rows[i].topic);
        put_u64(out, ",\"members\":", rows[i].members);
        im_out_char(out, '}');
    }
    im_out_char(out, ']');
    if (more && count > 0)
        put_str(out, ",\"next\":", rows[count - 1].name);
}

static void put_group(struct im_out *out, const struct im_reply *r)
{
    switch (r->group.what) {
    case IM_GROUP_CHANGED:
        put_committed(out, r->group.msg, r->group.dup);
        break;
    case IM_GROUP_INFO:
        put_group_info(out, r->group.groups);
        break;
    case IM_GROUP_MEMBERS:
        put_members(out, r->group.conv, r->group.members, r->group.count, r->group.more);
        break;
    case IM_GROUP_LIST:
        put_groups(out, r->group.groups, r->group.count, r->group.more);
        break;
    }
}

/* How a user is; the same wherever it is told. */
static void put_state(struct im_out *out, const struct im_presence_row *row)
{
    put_str(out, ",\"state\":", im_str(im_presence_name(row->state)));
    put_filled(out, ",\"text\":", row->text);
    put_time(out, ",\"seen\":", row->seen_ms);
}

static void put_presence(struct im_out *out, const struct im_presence_row *row)
{
    if (im_conv_is_group(row->user)) {
        put_str(out, "\"conv\":", row->user);
        put_u64(out, ",\"online\":", row->online);
    } else {
        put_str(out, "\"user\":", row->user);
        put_state(out, row);
    }
}

static void put_presences(struct im_out *out, const struct im_reply *r)
{
    if (r->presence.rows == NULL)
        return;
    im_out_str(out, ",\"users\":[");
    for (size_t i = 0; i < r->presence.count; i++) {
        im_out_str(out, i > 0 ? ",{" : "{");
        put_presence(out, &r->presence.rows[i]);
        im_out_char(out, '}');
    }
    im_out_char(out, ']');
}

static void put_blocked(struct im_out *out, const struct im_reply *r)
{
    if (!r->block.list)
        return;
    im_out_str(out, ",\"users\":[");
    for (size_t i = 0; i < r->block.count; i++) {
        if (i > 0)
            im_out_char(out, ',');
        im_out_json(out, r->block.users[i]);
    }
    im_out_char(out, ']');
}

static void put_profile(struct im_out *out, const struct im_reply *r)
{
    const struct im_profile *p = r->profile.profile;
    if (p == NULL)
        return;
    put_str(out, ",\"user\":", p->user);
    put_filled(out, ",\"name\":", p->name);
    put_filled(out, ",\"avatar\":", p->avatar);
    put_true(out, ",\"bot\":", p->bot);
    put_state(out, &p->presence);
}

static void put_devices(struct im_out *out, const struct im_reply *r)
{
    if (!r->devices.list)
        return;
    im_out_str(out, ",\"devices\":[");
    for (size_t i = 0; i < r->devices.count; i++) {
        const struct im_device_row *row = &r->devices.rows[i];
        put_str(out, i > 0 ? ",{\"device\":" : "{\"device\":", row->name.p ? row->name : IM_STR(""));
        put_ms(out, ",\"seen\":", row->seen_ms);
        put_bool(out, ",\"online\":", row->online);
        put_bool(out, ",\"current\":", row->current);
        im_out_char(out, '}');
    }
    im_out_char(out, ']');
}

static void put_report(struct im_out *out, const struct im_reply *r)
{
    put_str(out, ",\"ticket\":", r->report.ticket);
}

/* What the ok of an op says beside itself; nothing where there is no row. */
static void (*const answers[IM_OP_COUNT])(struct im_out *, const struct im_reply *) = {
    [IM_OP_HELLO] = put_hello,     [IM_OP_REGISTER] = put_login,
    [IM_OP_LOGIN] = put_login,     [IM_OP_SEND] = put_send,
    [IM_OP_EDIT] = put_send,       [IM_OP_DELETE] = put_send,
    [IM_OP_REACT] = put_send,      [IM_OP_HISTORY] = put_history,
    [IM_OP_SEARCH] = put_search,   [IM_OP_CONVERSATIONS] = put_conversations,
    [IM_OP_GROUP] = put_group,     [IM_OP_PRESENCE] = put_presences,
    [IM_OP_BLOCK] = put_blocked,   [IM_OP_PROFILE] = put_profile,
    [IM_OP_DEVICES] = put_devices, [IM_OP_REPORT] = put_report,
};

static void put_id(struct im_out *out, struct im_str id)
{
    if (id.p == NULL)
        return;
    IM_OUT_LITERAL(out, ",\"id\":");
    im_out_put(out, id.p, id.len);
}

static void make_ok(struct im_out *out, const struct im_event *e, enum im_lang lang)
{
    (void)lang;
    IM_OUT_LITERAL(out, "{\"op\":\"ok\"");
    put_id(out, e->reply.id);
    if (answers[e->reply.op])
        answers[e->reply.op](out, &e->reply);
}

static void put_reason(struct im_out *out, enum im_reason reason, enum im_lang lang)
{
    const struct im_reason_info *info = im_reason_info(reason);
    put_u64(out, ",\"code\":", info->code);
    put_str(out, ",\"name\":", im_str(info->name));
    put_str(out, ",\"text\":", im_str(info->text[lang]));
}

static void make_err(struct im_out *out, const struct im_event *e, enum im_lang lang)
{
    const struct im_reply *r = &e->reply;
    im_out_str(out, "{\"op\":\"err\"");
    put_id(out, r->id);
    put_reason(out, r->err.reason, lang);
    put_filled(out, ",\"detail\":", r->err.detail);
    put_bool(out, ",\"retry\":", im_reason_info(r->err.reason)->retry);
    put_some(out, ",\"after\":", r->err.after_ms);
}

/* Ephemeral events */

static void make_receipt(struct im_out *out, const struct im_event *e, enum im_lang lang)
{
    (void)lang;
    put_str(out, "{\"op\":\"receipt\",\"conv\":", e->receipt.conv);
    put_str(out, ",\"user\":", e->receipt.user);
    put_some(out, ",\"received\":", e->receipt.received);
    put_some(out, ",\"read\":", e->receipt.read);
}

static void make_typing(struct im_out *out, const struct im_event *e, enum im_lang lang)
{
    (void)lang;
    put_str(out, "{\"op\":\"typing\",\"conv\":", e->typing.conv);
    put_str(out, ",\"user\":", e->typing.user);
    put_bool(out, ",\"on\":", e->typing.on);
    if (e->typing.on)
        put_u64(out, ",\"for\":", e->typing.for_ms);
}

static void make_presence(struct im_out *out, const struct im_event *e, enum im_lang lang)
{
    (void)lang;
    im_out_str(out, "{\"op\":\"presence\",");
    put_presence(out, &e->presence);
}

static void make_notice(struct im_out *out, const struct im_event *e, enum im_lang lang)
{
    im_out_str(out, "{\"op\":\"notice\"");
    if (e->notice.text.len > 0) {
        put_u64(out, ",\"code\":", im_reason_info(e->notice.reason)->code);
        put_str(out, ",\"text\":", e->notice.text);
    } else {
        put_reason(out, e->notice.reason, lang);
    }
}

static void make_reset(struct im_out *out, const struct im_event *e, enum im_lang lang)
{
    (void)lang;
    put_quoted(out, "{\"op\":\"reset\",\"pos\":\"", e->reset.pos);
}

static void make_bye(struct im_out *out, const struct im_event *e, enum im_lang lang)
{
    im_out_str(out, "{\"op\":\"bye\"");
    put_reason(out, e->bye.reason, lang);
    put_bool(out, ",\"reconnect\":", e->bye.reconnect);
    if (e->bye.reconnect)
        put_u64(out, ",\"after\":", e->bye.after_ms);
}

static void (*const others[])(struct im_out *, const struct im_event *, enum im_lang) = {
    [IM_EV_RECEIPT] = make_receipt, [IM_EV_TYPING] = make_typing, [IM_EV_PRESENCE] = make_presence,
    [IM_EV_NOTICE] = make_notice,   [IM_EV_RESET] = make_reset,   [IM_EV_BYE] = make_bye,
    [IM_EV_OK] = make_ok,           [IM_EV_ERR] = make_err,
};

void im_json_write(const struct im_link *link, const struct im_event *e, bool own, struct im_out *out)
{
    if (im_event_durable(e)) {
        make_durable(out, e, own, NULL);
        return;
    }
    others[e->type](out, e, link->lang);
    im_out_char(out, '}');
}

struct im_bytes *im_json_encode(struct im_link *link, struct im_event *e, bool own)
{
    struct im_out out = {0};
    if (im_event_durable(e))
        return im_dialect_cached(link, e, IM_FORM_JSON, own, make_durable, NULL);
    im_json_write(link, e, own, &out);
    return im_out_take(&out);
}
