#include <stdlib.h>

#include "core/mention.h"
#include "stores/result.h"
#include "stores/rules.h"
#include "stores/sqlite_write.h"

/* An event on its way into the log. Ids are 0 for what is not there, or not yet. */
struct append {
    struct im_writer *w;
    struct im_store_append *op;
    struct im_event *event;
    struct im_msg *m;
    int64_t from, to, user; /* to: not of groups; user: whom a change concerns */
    struct im_db_conv conv; /* where it goes */
    int64_t about;          /* which conversation it is about; only of a user's own log is that another one */
    int64_t ref;            /* pos of the message it is about, */
    unsigned ref_flags;
    sqlite3_stmt *rows[2]; /* whose strings the rules are shown */
    struct im_rules_in in;
    struct im_rules_out out;
};

static bool in_group(const struct append *a)
{
    return im_conv_is_group(a->m->to_key);
}

static bool is_message(const struct append *a)
{
    return a->event->type == IM_EV_MSG;
}

static int find_cid(struct append *a, uint64_t *pos)
{
    sqlite3_stmt *s = im_db_use(&a->w->db, IM_SQL_CID);
    sqlite3_bind_int64(s, 1, a->from);
    im_db_bind_str(s, 2, a->m->cid);
    int rc = sqlite3_step(s);
    *pos = rc == SQLITE_ROW ? im_db_u64(s, 0) : 0;
    return im_db_done(s, rc);
}

static int find(sqlite3_stmt *s, bool *found)
{
    int rc = sqlite3_step(s);
    *found = rc == SQLITE_ROW;
    return im_db_done(s, rc);
}

/* Finds another user, and what stands between them and the sender. */
static int look_up_other(struct append *a, struct im_str key, int64_t *id)
{
    struct im_db *db = &a->w->db;
    struct im_cache_user other;
    int rc = im_cache_user(a->w->cache, db, key, &other);
    *id = other.id;
    if (rc == SQLITE_OK && other.blocks > 0) {
        sqlite3_stmt *s = im_db_use(db, IM_SQL_BLOCKED);
        sqlite3_bind_int64(s, 1, *id);
        im_db_bind_str(s, 2, a->m->from_key);
        rc = find(s, &a->in.blocked);
    }
    return rc == SQLITE_OK && a->op->policy.accounts ? im_cache_account(a->w->cache, db, key, &a->in.peer_known) : rc;
}

static int look_up_group(struct append *a)
{
    sqlite3_stmt *s;
    int64_t groups = 0;
    int rc = im_db_group(&a->w->db, a->m->to_key, &a->conv, &s);
    if (rc == SQLITE_OK && a->conv.conv) {
        a->rows[0] = s;
        a->in.group_exists = true;
        a->in.members = (uint32_t)im_db_u64(s, 3);
        a->in.owners = (uint32_t)im_db_u64(s, 4);
        a->in.settings = (unsigned)im_db_u64(s, 5);
        a->in.topic = im_db_str(s, 6);
    }
    if (rc == SQLITE_OK && a->m->user_key.p)
        rc = look_up_other(a, a->m->user_key, &a->user);
    if (rc == SQLITE_OK && a->conv.conv)
        rc = im_db_member(&a->w->db, a->from, a->conv.conv, &a->in.actor);
    if (rc == SQLITE_OK && a->conv.conv)
        rc = im_db_member(&a->w->db, a->user, a->conv.conv, &a->in.target);
    if (rc == SQLITE_OK && a->event->type == IM_EV_MEMBER && a->from && a->op->policy.groups_per_user > 0)
        rc = IM_DB_ASK(&a->w->db, GROUPS_OF, &groups, a->from, IM_ROLE_MUTED);
    a->in.actor_groups = (uint32_t)groups;
    a->about = a->conv.conv;
    return rc;
}

/* Of a group, all that a message to it asks about. */
static int look_up_place(struct append *a)
{
    int rc = im_cache_group(a->w->cache, &a->w->db, a->m->to_key, &a->conv, &a->in.settings);
    if (rc != SQLITE_OK || a->conv.conv == 0)
        return rc;
    a->in.group_exists = true;
    a->about = a->conv.conv;
    return im_cache_role(a->w->cache, &a->w->db, a->from, a->conv.conv, &a->in.actor);
}

static int look_up_direct(struct append *a)
{
    int rc = look_up_other(a, a->m->to_key, &a->to);
    if (rc == SQLITE_OK && a->from && a->to)
        rc = im_cache_direct(a->w->cache, &a->w->db, a->from, a->to, &a->conv);
    a->about = a->conv.conv;
    return rc;
}

static int look_up_reactions(struct append *a)
{
    sqlite3_stmt *s = im_db_use(&a->w->db, IM_SQL_REACTIONS);
    sqlite3_bind_int64(s, 1, a->ref);
    sqlite3_bind_int64(s, 2, IM_READS_ALL);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        a->in.reactions++;
        a->in.emoji_there = a->in.emoji_there || im_str_eq(im_db_str(s, 0), a->m->body);
    }
    rc = im_db_done(s, rc);
    if (rc != SQLITE_OK || !a->in.emoji_there)
        return rc;
    s = im_db_use(&a->w->db, IM_SQL_REACTION);
    sqlite3_bind_int64(s, 1, a->ref);
    im_db_bind_str(s, 2, a->m->body);
    sqlite3_bind_int64(s, 3, a->from);
    return find(s, &a->in.reacted);
}

/* Does the sender see the event whose row this is? */
static int sees(struct append *a, sqlite3_stmt *ref, bool *out)
{
    *out = !(a->ref_flags & IM_ROW_HIDDEN) || sqlite3_column_int64(ref, 2) == a->from;
    if (!in_group(a))
        return SQLITE_OK;
    int64_t span;
    int rc = IM_DB_ASK(&a->w->db, SPAN_AT, &span, a->from, a->about, (int64_t)a->m->ref);
    *out = span != 0;
    return rc;
}

static int look_up_ref(struct append *a)
{
    struct im_db *db = &a->w->db;
    sqlite3_stmt *s = a->rows[1] = im_db_use(db, IM_SQL_REF);
    sqlite3_bind_int64(s, 1, a->about);
    im_db_bind_u64(s, 2, a->m->ref);
    sqlite3_bind_int64(s, 3, a->from);
    int rc = sqlite3_step(s);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? SQLITE_OK : rc;
    a->ref = sqlite3_column_int64(s, 0);
    a->ref_flags = (unsigned)im_db_u64(s, 4);
    a->in.ref_type = (enum im_event_type)im_db_u64(s, 1);
    a->in.ref_own = sqlite3_column_int64(s, 2) == a->from;
    a->in.ref_ts_ms = sqlite3_column_int64(s, 3);
    a->in.ref_deleted = a->ref_flags & IM_ROW_DELETED;
    a->in.ref_hidden = a->ref_flags & IM_ROW_HIDDEN;
    a->in.ref_body = im_db_str(s, 5);
    a->in.ref_mime = im_db_str(s, 6);
    rc = sees(a, s, &a->in.ref_exists);
    if (rc == SQLITE_OK && a->event->type == IM_EV_REACT)
        rc = look_up_reactions(a);
    if (rc == SQLITE_OK && a->m->kind == IM_CONV_SELF) {
        int64_t hidden;
        rc = IM_DB_ASK(db, HIDDEN, &hidden, a->ref, a->from);
        a->in.hidden_already = hidden != 0;
    }
    return rc;
}

static int look_up(struct append *a)
{
    int rc = !in_group(a) ? look_up_direct(a) : is_message(a) ? look_up_place(a) : look_up_group(a);
    if (rc == SQLITE_OK && a->m->ref && a->from && a->about)
        rc = look_up_ref(a);
    if (rc == SQLITE_OK && a->m->kind == IM_CONV_SELF) {
        a->conv = (struct im_db_conv){0};
        rc = a->from ? im_db_self(&a->w->db, a->from, &a->conv) : SQLITE_OK;
    }
    return rc;
}

/* A row that is still being read keeps its strings. */
static void let_go(struct append *a)
{
    for (unsigned i = 0; i < 2; i++)
        if (a->rows[i])
            sqlite3_reset(a->rows[i]);
}

/* From here on it is allowed. */

static int add_conv(struct append *a, int64_t x, int64_t y)
{
    sqlite3_stmt *s = im_db_use(&a->w->db, IM_SQL_CONV_ADD);
    sqlite3_bind_int(s, 1, a->m->kind);
    im_db_bind_id(s, 2, x);
    im_db_bind_id(s, 3, y);
    int rc = im_db_run(s);
    a->conv.conv = sqlite3_last_insert_rowid(a->w->db.sqlite);
    return rc;
}

static int add_reader(struct append *a, int64_t user)
{
    sqlite3_stmt *s = im_db_use(&a->w->db, IM_SQL_MEMBER_ADD);
    sqlite3_bind_int64(s, 1, user);
    sqlite3_bind_int64(s, 2, a->conv.conv);
    sqlite3_bind_int(s, 3, IM_ROLE_NONE);
    sqlite3_bind_null(s, 4);
    return im_db_run(s);
}

static int add_direct(struct append *a)
{
    int rc = add_conv(a, a->from < a->to ? a->from : a->to, a->from < a->to ? a->to : a->from);
    a->w->tally.convs++;
    if (rc == SQLITE_OK)
        rc = add_reader(a, a->from);
    return rc == SQLITE_OK && a->to != a->from ? add_reader(a, a->to) : rc;
}

static int add_group(struct append *a)
{
    int rc = add_conv(a, 0, 0);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_stmt *s = im_db_use(&a->w->db, IM_SQL_GROUP_ADD);
    sqlite3_bind_int64(s, 1, a->conv.conv);
    im_db_bind_str(s, 2, a->m->to_key);
    im_db_bind_str(s, 3, a->m->to);
    im_db_bind_str(s, 4, a->m->body.p ? a->m->body : IM_STR(""));
    sqlite3_bind_int64(s, 5, a->m->settings);
    sqlite3_bind_int64(s, 6, a->m->ts_ms);
    a->in.settings = a->m->settings;
    a->w->tally.groups++;
    return im_db_run(s);
}

/* Those whom the event names come to be, and the conversation. */
static int need(struct append *a)
{
    int rc = SQLITE_OK;
    if (a->from == 0)
        rc = im_write_user(a->w, a->m->from_key, a->m->from, &a->from);
    if (rc == SQLITE_OK && a->to == 0 && !in_group(a))
        rc = im_write_user(a->w, a->m->to_key, a->m->to, &a->to);
    if (rc == SQLITE_OK && a->user == 0 && a->m->user_key.p)
        rc = im_write_user(a->w, a->m->user_key, a->m->user, &a->user);
    if (rc != SQLITE_OK || a->conv.conv)
        return rc;
    if (a->m->kind == IM_CONV_DIRECT)
        return add_direct(a);
    return a->m->kind == IM_CONV_GROUP ? add_group(a) : add_conv(a, a->from, 0);
}

/* The row of a member of the conversation, for im_db_done(). */
static int find_member(struct append *a, struct im_str key, sqlite3_stmt **out, bool *found)
{
    bool group = a->m->kind == IM_CONV_GROUP;
    sqlite3_stmt *s = *out = im_db_use(&a->w->db, group ? IM_SQL_MEMBER_NAMED : IM_SQL_USER);
    im_db_bind_str(s, 1, key);
    if (group)
        sqlite3_bind_int64(s, 2, a->conv.conv);
    int rc = sqlite3_step(s);
    int64_t id = sqlite3_column_int64(s, 0);
    *found = rc == SQLITE_ROW && (group ? im_role_member(im_db_role(s, 2)) : id == a->from || id == a->to);
    return rc;
}

/* The string stays until the next one is looked for. */
static struct im_str member_id(void *arg, struct im_str key)
{
    struct append *a = arg;
    bool found;
    if (a->rows[0])
        sqlite3_reset(a->rows[0]);
    find_member(a, key, &a->rows[0], &found);
    return found ? im_db_str(a->rows[0], 1) : (struct im_str){0};
}

static bool has_at(struct im_str text)
{
    static const char wide[] = "\xef\xbc\xa0";
    if (text.len == 0)
        return false;
    return memchr(text.p, '@', text.len) || memmem(text.p, text.len, wide, sizeof wide - 1);
}

static void resolve_mentions(struct append *a)
{
    struct im_str text = im_msg_searched(a->m) ? a->m->body : IM_STR("");
    if (a->m->mentions.p == NULL && !has_at(text))
        return;
    im_event_mention(a->event, im_mentions(text, a->m->mentions, a->out.may_all, member_id, a));
    let_go(a);
}

static int mark_mention(struct append *a, struct im_str id, int64_t seq)
{
    struct im_name name;
    sqlite3_stmt *s;
    bool found;
    if (im_str_eq(id, IM_STR("*")))
        return IM_DB_RUN(&a->w->db, MENTION_ADD, a->conv.conv, 0, seq);
    if (im_name_parse(id, &name, NULL) != IM_OK)
        return SQLITE_OK;
    int rc = find_member(a, im_name_key(&name), &s, &found);
    int64_t user = sqlite3_column_int64(s, 0);
    rc = im_db_done(s, rc);
    bool other = found && user != a->from;
    return rc == SQLITE_OK && other ? IM_DB_RUN(&a->w->db, MENTION_ADD, a->conv.conv, user, seq) : rc;
}

/* Notes whom the message with this seq mentions from now on. */
static int mark_mentions(struct append *a, uint64_t seq)
{
    struct im_str list = a->m->mentions;
    int rc = SQLITE_OK;
    for (size_t start = 0; start < list.len && rc == SQLITE_OK;) {
        const char *space = memchr(list.p + start, ' ', list.len - start);
        size_t end = space ? (size_t)(space - list.p) : list.len;
        rc = mark_mention(a, (struct im_str){list.p + start, end - start}, (int64_t)seq);
        start = end + 1;
    }
    return rc;
}

static unsigned flags_of(const struct im_msg *m, enum im_event_type type)
{
    unsigned hidden = m->kind == IM_CONV_DIRECT && m->hidden ? IM_ROW_HIDDEN : 0;
    return hidden | (m->on && type == IM_EV_REACT ? IM_ROW_ON : 0) | (m->bot ? IM_ROW_BOT : 0) |
           (m->body.p ? 0 : IM_ROW_BODILESS);
}

/* What a message does not have. */
static void bind_rest(sqlite3_stmt *s, const struct append *a)
{
    im_db_bind_id(s, 14, a->event->type == IM_EV_EDIT ? a->ref : 0);
    if (a->event->type == IM_EV_MEMBER) {
        sqlite3_bind_int(s, 15, (int)a->m->change);
        sqlite3_bind_int(s, 16, (int)a->m->role);
        sqlite3_bind_int64(s, 17, a->m->settings);
    } else {
        for (int i = 15; i <= 17; i++)
            sqlite3_bind_null(s, i);
    }
    im_db_bind_id(s, 18, a->user);
    im_db_bind_id(s, 19, a->m->kind == IM_CONV_SELF ? a->about : 0);
}

static int add_event(struct append *a)
{
    const struct im_msg *m = a->m;
    bool message = is_message(a);
    sqlite3_stmt *s = im_db_use(&a->w->db, message ? IM_SQL_EVENT_ADD : IM_SQL_EVENT_ADD_WHOLE);
    im_db_bind_u64(s, 1, m->pos);
    sqlite3_bind_int64(s, 2, a->conv.conv);
    im_db_bind_u64(s, 3, m->seq);
    sqlite3_bind_int(s, 4, (int)a->event->type);
    sqlite3_bind_int64(s, 5, a->from);
    sqlite3_bind_int64(s, 6, m->ts_ms);
    im_db_bind_str(s, 7, m->cid);
    im_db_bind_str(s, 8, m->mime);
    im_db_bind_str(s, 9, m->body.p ? m->body : IM_STR(""));
    im_db_bind_u64(s, 10, a->conv.uncounted);
    sqlite3_bind_int(s, 11, (int)flags_of(m, a->event->type));
    im_db_bind_id(s, 12, (int64_t)m->ref);
    im_db_bind_str(s, 13, m->mentions);
    if (!message)
        bind_rest(s, a);
    return im_db_run(s);
}

/* Of what is rarely said, at once; the cache has put nothing off then. */
static int note_now(struct append *a, bool shown, bool hidden)
{
    struct im_db *db = &a->w->db;
    int64_t seq = (int64_t)a->m->seq, pos = (int64_t)a->m->pos;
    im_cache_forget_conv(a->w->cache, a->conv.conv);
    int rc = shown ? IM_DB_RUN(db, CONV_SAID, a->conv.conv, seq, pos, (int64_t)a->conv.uncounted)
                   : IM_DB_RUN(db, CONV_LAST, a->conv.conv, seq, pos, (int64_t)a->conv.uncounted, hidden ? 0 : seq,
                               hidden ? 0 : pos);
    return rc == SQLITE_OK && hidden ? IM_DB_RUN(db, MEMBER_OWN, a->from, a->conv.conv, seq, pos) : rc;
}

static int note_last(struct append *a)
{
    struct im_cache *cache = a->w->cache;
    bool hidden = a->m->kind == IM_CONV_DIRECT && a->m->hidden, put_off = is_message(a) && !hidden;
    a->conv.last_seq = a->m->seq;
    int rc = put_off ? im_cache_said(cache, &a->w->db, &a->conv, a->m->pos) : im_cache_flush(cache, &a->w->db);
    if (rc == SQLITE_OK && !put_off)
        rc = note_now(a, im_event_shown(a->event->type) && !hidden, hidden);
    return rc == SQLITE_OK && a->m->kind != IM_CONV_SELF ? im_chunk_full(a->w, a->conv.conv, a->m->seq) : rc;
}

static int edit(struct append *a)
{
    struct im_db *db = &a->w->db;
    int rc = a->ref_flags & IM_ROW_EDITED ? SQLITE_OK : IM_DB_RUN(db, EVENT_FLAG, a->ref, IM_ROW_EDITED);
    if (rc == SQLITE_OK && !a->m->hidden)
        rc = IM_DB_RUN(db, MENTIONS_DROP, a->conv.conv, (int64_t)a->m->ref);
    if (rc == SQLITE_OK && !a->m->hidden)
        rc = mark_mentions(a, a->m->ref);
    return rc == SQLITE_OK ? im_chunk_changed(a->w, a->conv.conv, a->m->ref, true) : rc;
}

static int erase(struct append *a)
{
    struct im_db *db = &a->w->db;
    if (a->m->kind == IM_CONV_SELF)
        return IM_DB_RUN(db, HIDE_ADD, a->ref, a->from);
    int rc = IM_DB_RUN(db, EDITS_BLANK, a->ref);
    if (rc == SQLITE_OK)
        rc = IM_DB_RUN(db, EVENT_BLANK, a->ref);
    if (rc == SQLITE_OK)
        rc = IM_DB_RUN(db, MENTIONS_DROP, a->conv.conv, (int64_t)a->m->ref);
    if (rc == SQLITE_OK && a->ref_flags & IM_ROW_REACTED)
        rc = IM_DB_RUN(db, REACTIONS_DROP, a->ref);
    return rc == SQLITE_OK ? im_chunk_changed(a->w, a->conv.conv, a->m->ref, true) : rc;
}

static int react(struct append *a)
{
    sqlite3_stmt *s = im_db_use(&a->w->db, a->m->on ? IM_SQL_REACTION_ADD : IM_SQL_REACTION_DROP);
    sqlite3_bind_int64(s, 1, a->ref);
    im_db_bind_str(s, 2, a->m->body);
    sqlite3_bind_int64(s, 3, a->from);
    if (a->m->on) {
        im_db_bind_u64(s, 4, a->m->pos);
        sqlite3_bind_int(s, 5, a->m->hidden);
    }
    int rc = im_db_run(s);
    if (rc == SQLITE_OK && !(a->ref_flags & IM_ROW_REACTED))
        rc = IM_DB_RUN(&a->w->db, EVENT_FLAG, a->ref, IM_ROW_REACTED);
    return rc;
}

static int change(struct append *a)
{
    bool other = a->out.concerns_other;
    im_cache_forget_group(a->w->cache, a->m->to_key);
    im_cache_forget_roles(a->w->cache);
    return im_write_change(a->w, a->m, a->conv.conv, a->in.settings, other ? a->user : a->from,
                           other ? a->in.target : a->in.actor, a->out.ends);
}

/* What it does beside being there. */
static int take_effect(struct append *a)
{
    switch (a->event->type) {
    case IM_EV_EDIT:
        return edit(a);
    case IM_EV_DELETE:
        return erase(a);
    case IM_EV_REACT:
        return react(a);
    case IM_EV_MEMBER:
        return change(a);
    default:
        return a->m->mentions.p && !a->m->hidden ? mark_mentions(a, a->m->seq) : SQLITE_OK;
    }
}

static int put(struct append *a)
{
    struct im_writer *w = a->w;
    int rc = need(a);
    if (rc != SQLITE_OK)
        return rc;
    a->m->hidden = a->out.hidden;
    if (a->event->type == IM_EV_MEMBER) {
        a->m->role = a->out.role;
        a->m->settings = a->out.settings;
    }
    if (is_message(a) || a->event->type == IM_EV_EDIT)
        resolve_mentions(a);
    a->m->pos = ++w->tally.head;
    a->m->seq = a->conv.last_seq + 1;
    a->conv.uncounted += a->event->type != IM_EV_MSG || a->m->hidden;
    w->tally.events++;
    rc = add_event(a);
    if (rc == SQLITE_OK)
        rc = note_last(a);
    if (rc == SQLITE_OK)
        rc = take_effect(a);
    return rc == SQLITE_OK && a->out.read
               ? im_cache_read(w->cache, &w->db, a->from, a->conv.conv, a->m->seq, a->m->seq - a->conv.uncounted)
               : rc;
}

int im_write_append(struct im_writer *w, struct im_store_append *op, enum im_reason *status)
{
    struct append a = {.w = w, .op = op, .event = op->event, .m = &op->event->msg};
    struct im_cache_user from = {0};
    uint64_t before = 0;
    a.in.event = op->event;
    a.in.policy = &op->policy;
    int rc = is_message(&a) ? SQLITE_OK : im_cache_flush(w->cache, &w->db);
    if (rc == SQLITE_OK)
        rc = im_cache_user(w->cache, &w->db, a.m->from_key, &from);
    a.from = from.id;
    if (rc == SQLITE_OK && a.from && a.m->cid.p)
        rc = find_cid(&a, &before);
    if (rc == SQLITE_OK && before)
        return im_db_event(&w->db, before, &op->earlier);
    if (rc == SQLITE_OK)
        rc = look_up(&a);
    if (rc == SQLITE_OK)
        *status = im_rules_judge(&a.in, &a.out);
    let_go(&a);
    return rc == SQLITE_OK && *status == IM_OK && !a.out.nothing ? put(&a) : rc;
}
