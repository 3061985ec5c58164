#include <stdlib.h>
#include <time.h>

#include "core/dialect_human.h"
#include "core/mem.h"

/* What human mode shows. Of a line, everything up to the first ": " is the server's word: marks stand there, where a
 * text cannot forge them; and the lines of a text after its first are indented. */

struct page {
    struct im_out *out;
    enum im_lang lang;
    const struct im_dialect_env *env;
    struct im_str self; /* key of the reader, where it is known */
    bool brief;         /* texts are cut short */
};

static void put_str(struct page *p, struct im_str s)
{
    im_out_safe(p->out, s, false);
}

static void put_text(struct page *p, enum im_human_text text, const struct im_str args[3])
{
    im_human_fill(p->out, im_human_text(p->lang, text), args);
}

static void put_plain(struct page *p, enum im_human_text text)
{
    put_text(p, text, IM_ARGS({0}));
}

static void put_counted(struct page *p, enum im_human_text text, uint64_t n)
{
    char digits[24];
    put_text(p, text, IM_ARGS(im_human_number(n, digits)));
}

/* A line of the server's own: it begins with "* ". */
static void put_note(struct page *p, enum im_human_text text, struct im_str arg)
{
    im_out_str(p->out, "* ");
    put_text(p, text, IM_ARGS(arg));
}

static void put_newline(struct page *p, size_t i)
{
    if (i > 0)
        im_out_char(p->out, '\n');
}

/* "a (b, c)": what separates the n-th mark from what is before it. */
static void put_mark(struct page *p, size_t *n)
{
    im_out_str(p->out, (*n)++ == 0 ? " (" : ", ");
}

static void end_marks(struct page *p, size_t n)
{
    if (n > 0)
        im_out_char(p->out, ')');
}

enum stamp { STAMP_MINUTE, STAMP_DAY, STAMP_WHOLE };
#define STAMP_MAX 48

static struct im_str stamp(const struct page *p, int64_t ts_ms, enum stamp part, char buffer[STAMP_MAX])
{
    time_t local = (time_t)(ts_ms / 1000 + p->env->utc_offset_s);
    struct tm tm = {0};
    gmtime_r(&local, &tm);
    size_t len = strftime(buffer, STAMP_MAX, "%Y-%m-%d %H:%M", &tm);
    if (part == STAMP_WHOLE || len < 6)
        return (struct im_str){buffer, len};
    return part == STAMP_DAY ? (struct im_str){buffer, len - 6} : (struct im_str){buffer + len - 5, 5};
}

static void put_time(struct page *p, int64_t ts_ms, enum stamp part)
{
    char buffer[STAMP_MAX];
    put_str(p, stamp(p, ts_ms, part, buffer));
}

/* At most `most` bytes of whole characters. */
static struct im_str cut(struct im_str s, size_t most)
{
    if (s.len <= most)
        return s;
    while (most > 0 && ((unsigned char)s.p[most] & 0xc0) == 0x80)
        most--;
    return (struct im_str){s.p, most};
}

/* The lines after the first are indented, so that a text cannot pass for a message of somebody else. */
static void put_body(struct page *p, struct im_str body)
{
    enum { BRIEF = 100 };
    while (body.len > 0) {
        const char *end = memchr(body.p, '\n', body.len);
        struct im_str line = {body.p, end ? (size_t)(end - body.p) : body.len};
        if (p->brief) {
            struct im_str part = cut(line, BRIEF);
            put_str(p, part);
            if (part.len < body.len)
                im_out_str(p->out, "…");
            return;
        }
        put_str(p, line);
        if (end == NULL)
            return;
        im_out_str(p->out, "\n      ");
        body = (struct im_str){body.p + line.len + 1, body.len - line.len - 1};
    }
}

static void put_reactions(struct page *p, struct im_str lines, size_t *n)
{
    while (lines.len > 0) {
        const char *end = memchr(lines.p, '\n', lines.len);
        struct im_str line = {lines.p, end ? (size_t)(end - lines.p) : lines.len};
        size_t len = line.len;
        lines.p += len + (end != NULL);
        lines.len -= len + (end != NULL);
        while (len > 0 && line.p[len - 1] != ' ')
            len--; /* the last word tells whether the reader gave it, too */
        if (len == 0)
            continue;
        put_mark(p, n);
        put_str(p, (struct im_str){line.p, len - 1});
    }
}

static void put_marks(struct page *p, const struct im_event *e)
{
    const struct im_msg *m = &e->msg;
    size_t n = 0;
    if (m->bot)
        put_mark(p, &n), put_plain(p, IM_TEXT_BOT);
    if (m->ref > 0)
        put_mark(p, &n), put_counted(p, e->type == IM_EV_EDIT ? IM_TEXT_EDITS : IM_TEXT_REPLY, m->ref);
    if (m->deleted)
        put_mark(p, &n), put_plain(p, IM_TEXT_DELETED);
    else if (m->edited_ms > 0)
        put_mark(p, &n), put_plain(p, IM_TEXT_EDITED);
    put_reactions(p, m->reactions, &n);
    end_marks(p, n);
}

static bool action(const struct im_msg *m)
{
    return m->mime.p == NULL && m->body.len > 4 && memcmp(m->body.p, "/me ", 4) == 0;
}

/* Who says what: "a: hi", "a → b: hi", "* a waves". */
static void put_speech(struct page *p, const struct im_event *e, bool to)
{
    const struct im_msg *m = &e->msg;
    if (action(m))
        im_out_str(p->out, "* ");
    put_str(p, m->from);
    if (to) {
        im_out_str(p->out, " → ");
        put_str(p, m->to);
    }
    put_marks(p, e);
    if (m->deleted)
        return;
    im_out_str(p->out, action(m) ? " " : ": ");
    if (m->mime.p == NULL) {
        put_body(p, action(m) ? (struct im_str){m->body.p + 4, m->body.len - 4} : m->body);
        return;
    }
    im_out_char(p->out, '[');
    put_str(p, m->mime);
    im_out_printf(p->out, ", %zu]", m->body.len);
}

/* What happened, other than that somebody spoke. */
static void put_happening(struct page *p, const struct im_event *e)
{
    const struct im_msg *m = &e->msg;
    char digits[24];
    struct im_str ref = im_human_number(m->ref, digits);
    switch (e->type) {
    case IM_EV_DELETE:
        put_text(p, m->kind == IM_CONV_SELF ? IM_TEXT_DELETES_OWN_VIEW : IM_TEXT_DELETES, IM_ARGS(m->from, ref));
        break;
    case IM_EV_REACT:
        put_text(p, m->on ? IM_TEXT_REACTS : IM_TEXT_UNREACTS, IM_ARGS(m->from, ref, m->body));
        break;
    default:
        im_human_fill(p->out, im_change_info(m->change)->text[p->lang],
                      IM_ARGS(m->from, m->user,
                              m->change == IM_CHANGE_ROLE ? im_str(im_role_info(m->role)->text[p->lang]) : m->body));
        break;
    }
}

static bool speech(const struct im_event *e)
{
    return e->type == IM_EV_MSG || e->type == IM_EV_EDIT;
}

/* Is the reader mentioned? */
static bool mentioned(struct im_str self, const struct im_msg *m)
{
    struct im_str list = m->mentions;
    if (self.len == 0 || im_str_eq(m->from_key, self))
        return false;
    while (list.len > 0) {
        const char *end = memchr(list.p, ' ', list.len);
        struct im_str id = {list.p, end ? (size_t)(end - list.p) : list.len};
        struct im_name name;
        if (im_str_eq(id, IM_STR("*")) ||
            (im_name_parse(id, &name, NULL) == IM_OK && im_str_eq(im_name_key(&name), self)))
            return true;
        list.p += id.len + (end != NULL);
        list.len -= id.len + (end != NULL);
    }
    return false;
}

#define MENTION_MARK "» "

/* A line of the past, with its number; `where` may be absent. */
static void put_shown(struct page *p, const struct im_event *e, struct im_str where)
{
    if (mentioned(p->self, &e->msg))
        im_out_str(p->out, MENTION_MARK);
    put_time(p, e->msg.ts_ms, STAMP_WHOLE);
    if (where.len > 0) {
        im_out_char(p->out, ' ');
        put_str(p, where);
    }
    im_out_str(p->out, " [");
    im_out_u64(p->out, e->msg.seq);
    im_out_str(p->out, "] ");
    if (speech(e)) {
        put_speech(p, e, false);
        return;
    }
    im_out_str(p->out, "* ");
    put_happening(p, e);
}

struct make {
    const struct im_dialect_env *env;
    enum im_lang lang;
};

/* A durable event as it comes: the same for all readers of a language. */
static void make_live(struct im_out *out, const struct im_event *e, bool own, const void *arg)
{
    const struct make *make = arg;
    const struct im_msg *m = &e->msg;
    struct page p = {.out = out, .lang = make->lang, .env = make->env};
    put_time(&p, m->ts_ms, STAMP_MINUTE);
    im_out_char(out, ' ');
    bool to = own && speech(e);
    if (!to && (own || m->kind == IM_CONV_GROUP)) {
        put_str(&p, m->to);
        im_out_char(out, ' ');
    }
    if (speech(e)) {
        put_speech(&p, e, to);
        return;
    }
    im_out_str(out, "* ");
    put_happening(&p, e);
}

/* So that short forms may refer to it. */
static void remember(struct im_link *link, const struct im_event *e, bool own)
{
    const struct im_msg *m = &e->msg;
    if (!own)
        im_human_remember(link, m->from, m->from_key);
    if (m->user.len > 0)
        im_human_remember(link, m->user, m->user_key);
    bool to = own || m->kind != IM_CONV_DIRECT;
    struct im_human_seen *seen = im_human_remember(link, to ? m->to : m->from, to ? m->to_key : m->from_key);
    if (seen == NULL || e->type != IM_EV_MSG)
        return;
    uint64_t *newest = own ? &seen->own : &seen->last;
    if (*newest < m->seq)
        *newest = m->seq;
}

static struct im_bytes *marked(struct im_bytes *b)
{
    struct im_out out = {0};
    im_out_str(&out, MENTION_MARK);
    im_out_put(&out, b->data, b->len);
    im_bytes_drop(&b);
    return im_out_take(&out);
}

static struct im_bytes *encode_durable(struct im_link *link, struct im_event *e, bool own)
{
    remember(link, e, own);
    enum im_form form = link->lang == IM_ZH ? IM_FORM_HUMAN_ZH : IM_FORM_HUMAN_EN;
    struct im_bytes *b =
        im_dialect_cached(link, e, form, own, make_live, &(struct make){.env = link->env, .lang = link->lang});
    return speech(e) && mentioned(im_str(link->human ? link->human->self : NULL), &e->msg) ? marked(b) : b;
}

/* Answers. */

static void put_more(struct page *p, struct im_link *link, enum im_op op, uint64_t at, struct im_str text)
{
    if (im_human_offer_more(link, op, at, text)) {
        im_out_char(p->out, '\n');
        put_note(p, IM_TEXT_MORE, IM_STR(""));
    }
}

static void put_login(struct page *p, struct im_link *link, const struct im_reply *r)
{
    struct im_name name;
    if (im_name_parse(r->login.user, &name, NULL) == IM_OK) {
        struct im_human *h = im_human_of(link);
        free(h->self);
        h->self = im_strndup(im_name_key(&name).p, name.key_len);
    }
    put_note(p, IM_TEXT_WELCOME, r->login.user);
}

static void put_send(struct page *p, struct im_link *link, const struct im_reply *r)
{
    const struct im_event *e = r->send.msg;
    remember(link, e, true);
    if (!r->send.online && e->msg.kind == IM_CONV_DIRECT)
        put_note(p, IM_TEXT_AWAY, e->msg.to);
}

/* The answer to edit, delete and react: what the request said is to be said. */
static void put_changed(struct page *p, const struct im_reply *r)
{
    enum im_human_text done = im_human_id_text(r->id);
    char digits[24];
    if (r->send.msg->msg.pos == 0)
        put_note(p, IM_TEXT_SAME, IM_STR(""));
    else if (done != IM_TEXT_NONE)
        put_note(p, done, im_human_number(r->send.msg->msg.ref, digits));
}

static void put_history(struct page *p, struct im_link *link, const struct im_reply *r)
{
    if (r->history.count == 0)
        put_note(p, IM_TEXT_NO_MESSAGES, IM_STR(""));
    for (size_t i = 0; i < r->history.count; i++) {
        const struct im_event *e = r->history.events[i];
        remember(link, e, im_str_eq(e->msg.from_key, r->self));
        put_newline(p, i);
        put_shown(p, e, (struct im_str){0});
    }
    bool more = r->history.more && r->history.count > 0;
    put_more(p, link, IM_OP_HISTORY, more ? r->history.events[0]->msg.seq : 0, (struct im_str){0});
}

static void put_search(struct page *p, struct im_link *link, const struct im_reply *r)
{
    if (r->search.count == 0)
        put_note(p, IM_TEXT_NOT_FOUND, IM_STR(""));
    for (size_t i = 0; i < r->search.count; i++) {
        const struct im_event *e = r->search.hits[i].events[r->search.hits[i].at];
        bool own = im_str_eq(e->msg.from_key, r->self);
        remember(link, e, own);
        put_newline(p, i);
        put_shown(p, e, im_msg_conv(&e->msg, own));
    }
    put_more(p, link, IM_OP_SEARCH, r->search.next, (struct im_str){0});
}

static void put_conv_marks(struct page *p, const struct im_conv_row *row)
{
    size_t n = 0;
    if (row->unread > 0)
        put_mark(p, &n), put_counted(p, IM_TEXT_UNREAD, row->unread);
    if (row->mention_seq > row->read_seq)
        put_mark(p, &n), put_plain(p, IM_TEXT_MENTIONS_YOU);
    const struct im_msg *last = row->last ? &row->last->msg : NULL;
    if (last && last->kind == IM_CONV_DIRECT && im_str_eq(last->from_key, p->self) && row->peer_received >= last->seq)
        put_mark(p, &n), put_plain(p, row->peer_read >= last->seq ? IM_TEXT_READ_BY_PEER : IM_TEXT_GOT_BY_PEER);
    end_marks(p, n);
}

static void put_conversations(struct page *p, struct im_link *link, const struct im_reply *r)
{
    p->brief = true;
    if (r->conversations.count == 0)
        put_note(p, IM_TEXT_NO_CONVERSATIONS, IM_STR(""));
    for (size_t i = r->conversations.count < IM_HUMAN_SEEN_MAX ? r->conversations.count : IM_HUMAN_SEEN_MAX; i > 0; i--)
        im_human_remember_name(link, r->conversations.rows[i - 1].name);
    for (size_t i = 0; i < r->conversations.count; i++) {
        const struct im_conv_row *row = &r->conversations.rows[i];
        put_newline(p, i);
        im_out_str(p->out, "  ");
        put_str(p, row->name);
        put_conv_marks(p, row);
        if (row->last) {
            im_out_str(p->out, "  ");
            put_shown(p, row->last, (struct im_str){0});
        }
    }
}

/* Groups. */

static void leave_target(struct im_link *link, const struct im_msg *m)
{
    bool left = m->change == IM_CHANGE_LEAVE || m->change == IM_CHANGE_DESTROY;
    if (left && link->target && im_str_eq(im_name_key(link->target), m->to_key)) {
        free(link->target);
        link->target = NULL;
    }
}

/* Who comes into a group wants to talk there. */
static void put_group_changed(struct page *p, struct im_link *link, const struct im_reply *r)
{
    const struct im_event *e = r->group.msg;
    bool talking = im_human_id_text(r->id) == IM_TEXT_TALKING && im_human_talk_to(link, e->msg.to, NULL) == IM_OK;
    im_human_remember(link, e->msg.to, e->msg.to_key);
    leave_target(link, &e->msg);
    if (e->msg.pos > 0) {
        im_out_str(p->out, "* ");
        put_str(p, e->msg.to);
        im_out_str(p->out, ": ");
        put_happening(p, e);
    } else if (!talking) {
        put_note(p, IM_TEXT_SAME, IM_STR(""));
    }
    if (talking) {
        put_newline(p, e->msg.pos > 0);
        put_note(p, IM_TEXT_TALKING, e->msg.to);
    }
}

static void put_group_row(struct page *p, const struct im_group_row *g)
{
    char members[24], online[24], since[STAMP_MAX];
    im_out_str(p->out, "* ");
    put_str(p, g->name);
    im_out_str(p->out, ": ");
    if (g->topic.len > 0)
        put_body(p, g->topic);
    else
        put_plain(p, IM_TEXT_NO_TOPIC);
    im_out_str(p->out, "\n      ");
    put_plain(p, g->settings & IM_GROUP_PUBLIC ? IM_TEXT_PUBLIC : IM_TEXT_PRIVATE);
    im_out_str(p->out, "; ");
    put_plain(p, g->settings & IM_GROUP_PAST ? IM_TEXT_PAST_ALL : IM_TEXT_PAST_JOINED);
    im_out_str(p->out, "; ");
    put_text(p, IM_TEXT_COUNTS, IM_ARGS(im_human_number(g->members, members), im_human_number(g->online, online)));
    if (g->role != IM_ROLE_NONE) {
        im_out_str(p->out, "; ");
        put_text(p, IM_TEXT_YOUR_ROLE, IM_ARGS(im_str(im_role_info(g->role)->text[p->lang])));
    }
    im_out_str(p->out, "; ");
    put_text(p, IM_TEXT_SINCE, IM_ARGS(stamp(p, g->created_ms, STAMP_DAY, since)));
}

static void put_members(struct page *p, struct im_link *link, const struct im_reply *r)
{
    struct im_str last = {0};
    for (size_t i = 0; i < r->group.count; i++) {
        const struct im_member_row *row = &r->group.members[i];
        size_t n = 0;
        last = row->name;
        if (i < IM_HUMAN_SEEN_MAX)
            im_human_remember_name(link, row->name);
        put_newline(p, i);
        im_out_str(p->out, "  ");
        put_str(p, row->name);
        if (row->role != IM_ROLE_MEMBER)
            put_mark(p, &n), put_str(p, im_str(im_role_info(row->role)->text[p->lang]));
        if (row->online)
            put_mark(p, &n), put_plain(p, IM_TEXT_HERE);
        end_marks(p, n);
    }
    put_more(p, link, IM_OP_GROUP, 0, r->group.more ? last : (struct im_str){0});
}

static void put_groups(struct page *p, struct im_link *link, const struct im_reply *r)
{
    struct im_str last = {0};
    p->brief = true;
    if (r->group.count == 0)
        put_note(p, IM_TEXT_NO_GROUPS, IM_STR(""));
    for (size_t i = 0; i < r->group.count; i++) {
        const struct im_group_row *row = &r->group.groups[i];
        last = row->name;
        if (i < IM_HUMAN_SEEN_MAX)
            im_human_remember_name(link, row->name);
        put_newline(p, i);
        im_out_str(p->out, "  ");
        put_str(p, row->name);
        im_out_printf(p->out, " (%u)", (unsigned)row->members);
        if (row->topic.len > 0) {
            im_out_str(p->out, "  ");
            put_body(p, row->topic);
        }
    }
    put_more(p, link, IM_OP_GROUP, 0, r->group.more ? last : (struct im_str){0});
}

static void put_group(struct page *p, struct im_link *link, const struct im_reply *r)
{
    switch (r->group.what) {
    case IM_GROUP_CHANGED:
        put_group_changed(p, link, r);
        break;
    case IM_GROUP_INFO:
        im_human_remember_name(link, r->group.groups->name);
        put_group_row(p, r->group.groups);
        break;
    case IM_GROUP_MEMBERS:
        put_members(p, link, r);
        break;
    case IM_GROUP_LIST:
        put_groups(p, link, r);
        break;
    }
}

/* People. */

static enum im_human_text presence_text(enum im_presence state)
{
    static const enum im_human_text texts[IM_PRESENCE_COUNT] = {
        [IM_OFFLINE] = IM_TEXT_IS_OFFLINE,
        [IM_ONLINE] = IM_TEXT_IS_ONLINE,
        [IM_AWAY] = IM_TEXT_IS_AWAY,
        [IM_DND] = IM_TEXT_IS_DND,
    };
    return texts[state];
}

static void put_presence(struct page *p, const struct im_presence_row *row)
{
    char digits[24], seen[STAMP_MAX];
    im_out_str(p->out, "* ");
    if (im_conv_is_group(row->user)) {
        put_text(p, IM_TEXT_GROUP_ONLINE, IM_ARGS(row->user, im_human_number(row->online, digits)));
        return;
    }
    put_text(p, presence_text(row->state), IM_ARGS(row->user));
    if (row->state == IM_OFFLINE && row->seen_ms > 0) {
        im_out_str(p->out, " (");
        put_text(p, IM_TEXT_LAST_HERE, IM_ARGS(stamp(p, row->seen_ms, STAMP_WHOLE, seen)));
        im_out_char(p->out, ')');
    }
    if (row->text.len > 0) {
        im_out_str(p->out, ": ");
        put_str(p, row->text);
    }
}

static void put_done(struct page *p, const struct im_reply *r)
{
    enum im_human_text done = im_human_id_text(r->id);
    if (done != IM_TEXT_NONE)
        put_note(p, done, IM_STR(""));
}

static void put_presences(struct page *p, struct im_link *link, const struct im_reply *r)
{
    if (r->presence.count == 0)
        put_done(p, r);
    for (size_t i = 0; i < r->presence.count; i++) {
        if (i < IM_HUMAN_SEEN_MAX)
            im_human_remember_name(link, r->presence.rows[i].user);
        put_newline(p, i);
        put_presence(p, &r->presence.rows[i]);
    }
}

static void put_blocked(struct page *p, const struct im_reply *r)
{
    if (!r->block.list)
        put_done(p, r);
    else if (r->block.count == 0)
        put_note(p, IM_TEXT_NOBODY_BLOCKED, IM_STR(""));
    for (size_t i = 0; i < r->block.count; i++) {
        put_newline(p, i);
        im_out_str(p->out, "  ");
        put_str(p, r->block.users[i]);
    }
}

static void put_profile(struct page *p, struct im_link *link, const struct im_reply *r)
{
    const struct im_profile *profile = r->profile.profile;
    if (profile == NULL || im_human_id_text(r->id) != IM_TEXT_NONE) {
        put_done(p, r);
        return;
    }
    size_t n = 0;
    im_human_remember_name(link, profile->user);
    put_presence(p, &profile->presence);
    im_out_str(p->out, "\n      ");
    put_str(p, profile->user);
    if (profile->name.len > 0)
        put_mark(p, &n), put_str(p, profile->name);
    if (profile->bot)
        put_mark(p, &n), put_plain(p, IM_TEXT_BOT);
    end_marks(p, n);
    if (profile->avatar.len > 0) {
        im_out_str(p->out, "\n      ");
        put_text(p, IM_TEXT_AVATAR, IM_ARGS(profile->avatar));
    }
}

static void put_devices(struct page *p, const struct im_reply *r)
{
    char seen[STAMP_MAX];
    if (!r->devices.list)
        put_done(p, r);
    else if (r->devices.count == 0)
        put_note(p, IM_TEXT_NO_DEVICES, IM_STR(""));
    for (size_t i = 0; i < r->devices.count; i++) {
        const struct im_device_row *row = &r->devices.rows[i];
        size_t n = 0;
        put_newline(p, i);
        im_out_str(p->out, "  ");
        if (row->name.len > 0)
            put_str(p, row->name);
        else
            put_plain(p, IM_TEXT_DEFAULT_DEVICE);
        if (row->current)
            put_mark(p, &n), put_plain(p, IM_TEXT_THIS_DEVICE);
        else if (row->online)
            put_mark(p, &n), put_plain(p, IM_TEXT_HERE);
        else if (row->seen_ms > 0)
            put_mark(p, &n), put_text(p, IM_TEXT_LAST_HERE, IM_ARGS(stamp(p, row->seen_ms, STAMP_WHOLE, seen)));
        end_marks(p, n);
    }
}

static void put_ok(struct page *p, struct im_link *link, const struct im_reply *r)
{
    switch (r->op) {
    case IM_OP_REGISTER:
    case IM_OP_LOGIN:
        put_login(p, link, r);
        break;
    case IM_OP_SEND:
        put_send(p, link, r);
        break;
    case IM_OP_EDIT:
    case IM_OP_DELETE:
    case IM_OP_REACT:
        put_changed(p, r);
        break;
    case IM_OP_HISTORY:
        put_history(p, link, r);
        break;
    case IM_OP_SEARCH:
        put_search(p, link, r);
        break;
    case IM_OP_CONVERSATIONS:
        put_conversations(p, link, r);
        break;
    case IM_OP_GROUP:
        put_group(p, link, r);
        break;
    case IM_OP_PRESENCE:
        put_presences(p, link, r);
        break;
    case IM_OP_BLOCK:
        put_blocked(p, r);
        break;
    case IM_OP_PROFILE:
        put_profile(p, link, r);
        break;
    case IM_OP_DEVICES:
        put_devices(p, r);
        break;
    case IM_OP_REPORT:
        put_note(p, IM_TEXT_REPORT_DONE, r->report.ticket);
        break;
    default:
        put_done(p, r);
        break;
    }
}

static void put_reason(struct page *p, const char *mark, enum im_reason reason, struct im_str detail)
{
    im_out_str(p->out, mark);
    if (reason == IM_USAGE) {
        put_str(p, detail);
        return;
    }
    im_out_str(p->out, im_reason_info(reason)->text[p->lang]);
    if (detail.len > 0) {
        im_out_str(p->out, " (");
        put_str(p, detail);
        im_out_char(p->out, ')');
    }
}

static void put_err(struct page *p, const struct im_reply *r)
{
    if (r->err.reason == IM_BAD_FIELD && im_human_id_text(r->id) == IM_TEXT_LOGIN_HOW) {
        im_out_str(p->out, "! ");
        put_plain(p, IM_TEXT_LOGIN_HOW); /* nobody vouches for who it is */
        return;
    }
    put_reason(p, "! ", r->err.reason, r->err.detail);
    if (r->err.after_ms > 0) {
        im_out_str(p->out, " (");
        put_counted(p, IM_TEXT_AGAIN, (r->err.after_ms + 999) / 1000);
        im_out_char(p->out, ')');
    }
}

static void put_receipt(struct page *p, const struct im_link *link, const struct im_event *e)
{
    char digits[24];
    struct im_name user;
    if (link->human == NULL || !link->human->receipts || e->receipt.read == 0 ||
        im_name_parse(e->receipt.user, &user, NULL) != IM_OK ||
        im_str_eq(im_name_key(&user), im_str(link->human->self)))
        return;
    im_out_str(p->out, "* ");
    if (im_conv_is_group(e->receipt.conv)) {
        put_str(p, e->receipt.conv);
        im_out_str(p->out, ": ");
    }
    put_text(p, IM_TEXT_HAS_READ, IM_ARGS(e->receipt.user, im_human_number(e->receipt.read, digits)));
}

static void put_notice(struct page *p, const struct im_event *e)
{
    if (e->notice.text.len > 0)
        im_out_safe(p->out, e->notice.text, true);
    else
        put_reason(p, "* ", e->notice.reason, IM_STR(""));
}

static void put_passing(struct page *p, struct im_link *link, struct im_event *e)
{
    switch (e->type) {
    case IM_EV_OK:
        put_ok(p, link, &e->reply);
        break;
    case IM_EV_ERR:
        put_err(p, &e->reply);
        break;
    case IM_EV_NOTICE:
        put_notice(p, e);
        break;
    case IM_EV_PRESENCE:
        put_presence(p, &e->presence);
        break;
    case IM_EV_RECEIPT:
        put_receipt(p, link, e);
        break;
    case IM_EV_RESET:
        put_note(p, IM_TEXT_RESET, IM_STR(""));
        break;
    case IM_EV_BYE:
        put_reason(p, "* ", e->bye.reason, IM_STR(""));
        break;
    default: /* typing comes and goes too fast for lines */
        break;
    }
}

struct im_bytes *im_human_encode(struct im_link *link, struct im_event *e, bool own)
{
    if (im_event_durable(e))
        return encode_durable(link, e, own);
    struct im_out out = {0};
    struct page page = {.out = &out, .lang = link->lang, .env = link->env};
    if (e->type == IM_EV_OK)
        page.self = e->reply.self;
    put_passing(&page, link, e);
    if (out.len == 0) {
        im_out_clear(&out);
        return NULL;
    }
    return im_out_take(&out);
}
