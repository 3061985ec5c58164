#include <assert.h>
#include <stdlib.h>

#include "core/private.h"

/* What clients ask: one handler per row of core/tbl/ops.def. A handler answers at once, or submits a store operation
 * whose completion answers; a reason other than IM_OK becomes the err reply. */

enum who { IM_WHO_ANY, IM_WHO_NEW, IM_WHO_USER };

typedef enum im_reason handler(struct im_core *, struct im_session *, const struct im_command *, struct im_error *);

#define IM_OP(sym, name, who, required, optional, function) static handler op_##function;
#include "core/tbl/ops.def"
#undef IM_OP

static const struct {
    enum who who;
    uint32_t required;
    handler *run;
} ops[IM_OP_COUNT] = {
#define IM_OP(sym, name, who, required, optional, function) [IM_OP_##sym] = {who, required, op_##function},
#include "core/tbl/ops.def"
#undef IM_OP
};

#define BUSY_AFTER_MS 500

void im_op_run(struct im_core *core, struct im_session *s, struct im_command *cmd)
{
    struct im_error error = {0};
    enum im_reason reason;
    assert((cmd->have & ops[cmd->op].required) == ops[cmd->op].required);
    if (ops[cmd->op].who == IM_WHO_USER && s->user == NULL)
        reason = IM_LOGIN_FIRST;
    else if (ops[cmd->op].who == IM_WHO_NEW && s->state != IM_SESSION_OPEN)
        reason = IM_LOGGED_IN;
    else
        reason = ops[cmd->op].run(core, s, cmd, &error);
    if (reason == IM_OK)
        return;
    im_session_err(core, s, cmd->op, cmd->id, reason, error.detail, reason == IM_BUSY ? BUSY_AFTER_MS : 0);
    if (cmd->or_close)
        im_session_end(core, s, reason, false);
}

/* A request the store will answer. */
struct request {
    struct im_core *core;
    uint64_t session;
    enum im_op op;
    struct im_out id; /* the client's, kept; absent when empty */
    union {
        struct im_store_op head;
        struct im_store_append append;
        struct im_store_login login;
        struct im_store_history history;
        struct im_store_conversations conversations;
    } store;
    struct im_name name; /* login: who; history: the peer */
    struct im_out self;  /* key of the user who asks */
    uint64_t since, weight;
    bool has_since, wrong_epoch;
    bool or_close; /* of the command */
};

static struct request *request_new(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                                   enum im_store_op_kind kind, void (*done)(struct im_store_op *))
{
    struct request *r = im_zalloc(sizeof *r);
    r->core = core;
    r->session = s->id;
    r->op = cmd->op;
    im_out_put(&r->id, cmd->id.p, cmd->id.len);
    if (s->user)
        im_out_put(&r->self, s->user->name.key, s->user->name.key_len);
    r->store.head = (struct im_store_op){.kind = kind, .done = done, .owner = r};
    return r;
}

static struct im_str view(const struct im_out *out)
{
    return (struct im_str){out->bytes ? im_out_data(out) : NULL, out->len};
}

static void submit(struct request *r, struct im_session *s)
{
    s->inflight++;
    s->reads += r->store.head.kind >= IM_STORE_FIRST_READ;
    r->core->pending_ops++;
    im_store_submit(r->core->store, &r->store.head);
}

/* The session that asked, if it is still there to be answered. */
static struct im_session *answered(struct request *r)
{
    struct im_session *s = im_session_find(r->core, r->session);
    r->core->pending_ops--;
    if (s) {
        s->inflight--;
        s->reads -= r->store.head.kind >= IM_STORE_FIRST_READ;
    }
    return s && !im_session_closing(s) ? s : NULL;
}

static void finish(struct request *r, struct im_session *s)
{
    if (s)
        im_session_review(r->core, s);
    im_out_clear(&r->id);
    im_out_clear(&r->self);
    free(r);
}

static void fail(struct request *r, struct im_session *s, enum im_reason reason)
{
    if (s == NULL)
        return;
    im_session_err(r->core, s, r->op, view(&r->id), reason, "", reason == IM_BUSY ? BUSY_AFTER_MS : 0);
    if (r->or_close)
        im_session_end(r->core, s, reason, false);
}

static void reply(struct im_session *s, const struct im_reply *r)
{
    im_session_send(s, im_event_reply(r), false);
}

/* The plain ok, for those who gave an id. */
static void ok(struct im_session *s, const struct im_command *cmd)
{
    if (cmd->id.p)
        reply(s, &(struct im_reply){.op = cmd->op, .id = cmd->id});
}

static bool has_control(struct im_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

static void keep(char **slot, struct im_str s)
{
    free(*slot);
    *slot = im_strndup(s.p, s.len);
}

static enum im_reason op_hello(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                               struct im_error *error)
{
    if (im_command_has(cmd, IM_F_v) && cmd->v != 1)
        return im_fail(error, IM_BAD_FIELD, "v: this server speaks version 1");
    if (im_command_has(cmd, IM_F_device)) {
        if (s->state != IM_SESSION_OPEN)
            return im_fail(error, IM_LOGGED_IN, "device: must be named before login");
        if (cmd->device.len == 0 || has_control(cmd->device))
            return im_fail(error, IM_BAD_FIELD, "device: must not be empty or have control characters");
        keep(&s->device, cmd->device);
    }
    if (im_command_has(cmd, IM_F_agent))
        keep(&s->agent, cmd->agent);
    if (im_command_has(cmd, IM_F_lang))
        s->link->lang = cmd->lang.len >= 2 && memcmp(cmd->lang.p, "zh", 2) == 0 ? IM_ZH : IM_EN;
    reply(s, &(struct im_reply){
                 .op = cmd->op, .id = cmd->id, .hello = {.epoch = im_str(core->store->epoch), .config = core->config}});
    return IM_OK;
}

/* The session this device has already; a named device has one at a time. */
static struct im_session *same_device(struct im_user *user, const char *device)
{
    struct im_session *s = NULL;
    if (user == NULL || device == NULL)
        return NULL;
    DL_FOREACH2(user->sessions, s, user_next)
    {
        if (s->device && strcmp(s->device, device) == 0)
            break;
    }
    return s;
}

static void seat(struct im_core *core, struct im_session *s, struct im_user *user, uint64_t stored)
{
    s->cursor = &user->cursor;
    if (s->device) {
        s->cursor = &s->own_cursor;
        s->own_cursor = (struct im_cursor){.user = user, .device = s->device};
    }
    im_cursor_stored(core, s->cursor, stored);
}

static void log_in(struct request *r, struct im_session *s)
{
    struct im_core *core = r->core;
    const struct im_store_login *login = &r->store.login;
    struct im_user *user = im_user_find(core, im_name_key(&r->name));
    struct im_session *old = same_device(user, s->device);
    if (user && user->session_count - (old != NULL) >= core->config->sessions_per_user) {
        im_session_state_set(core, s, IM_SESSION_OPEN);
        fail(r, s, IM_TOO_MANY);
        return;
    }
    enum im_reason reason = im_name_parse(im_str(login->name), &r->name, NULL);
    assert(reason == IM_OK);
    (void)reason;
    user = im_user_get(core, &r->name);
    user->name = r->name; /* the same key; the spelling its owner chose */
    seat(core, s, user, old && old->own_cursor.pos > login->cursor ? old->own_cursor.pos : login->cursor);
    bool reset = r->wrong_epoch || (r->has_since && r->since > login->head);
    uint64_t from = r->has_since && !reset ? r->since : s->cursor->pos;
    reply(s, &(struct im_reply){.op = r->op,
                                .id = view(&r->id),
                                .login = {.user = im_name_text(&user->name), .session = s->id, .pos = from}});
    if (reset)
        im_session_send(s, im_event_reset(from), false);
    im_session_login(core, s, user, from, login->head);
    if (old)
        im_session_end(core, old, IM_REPLACED, false);
}

static void login_done(struct im_store_op *op)
{
    struct request *r = op->owner;
    struct im_session *s = answered(r);
    if (s && op->status == IM_OK) {
        log_in(r, s);
    } else if (s) {
        im_session_state_set(r->core, s, IM_SESSION_OPEN);
        fail(r, s, op->status);
    }
    finish(r, s);
}

static enum im_reason op_login(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                               struct im_error *error)
{
    struct im_name name;
    enum im_reason reason = im_name_parse(cmd->user, &name, error);
    if (reason != IM_OK)
        return reason;
    struct request *r = request_new(core, s, cmd, IM_STORE_LOGIN, login_done);
    r->name = name;
    r->has_since = im_command_has(cmd, IM_F_since);
    r->since = cmd->since;
    r->or_close = cmd->or_close;
    r->wrong_epoch = im_command_has(cmd, IM_F_epoch) && !im_str_eq(cmd->epoch, im_str(core->store->epoch));
    r->store.login.key = im_name_key(&r->name);
    r->store.login.text = im_name_text(&r->name);
    im_out_put(&r->self, s->device ? s->device : "", s->device ? strlen(s->device) : 0);
    r->store.login.device = s->device ? view(&r->self) : IM_STR("");
    im_session_state_set(core, s, IM_SESSION_LOGGING_IN);
    submit(r, s);
    return IM_OK;
}

static bool same_content(const struct im_msg *a, const struct im_msg *b)
{
    return im_str_eq(a->to_key, b->to_key) && im_str_eq(a->body, b->body) && im_str_eq(a->mime, b->mime);
}

static void reply_send(struct request *r, struct im_session *s, struct im_event *msg, bool online, bool dup)
{
    if (s && r->id.len > 0)
        reply(s, &(struct im_reply){.op = r->op,
                                    .id = view(&r->id),
                                    .send = {.msg = im_event_hold(msg), .online = online, .dup = dup}});
}

static void send_done(struct im_store_op *op)
{
    struct request *r = op->owner;
    struct im_core *core = r->core;
    struct im_session *s = answered(r);
    struct im_event *event = r->store.append.event, *earlier = r->store.append.earlier;
    bool online = im_user_online(im_user_find(core, event->msg.to_key));
    core->pending_bytes -= r->weight;
    if (op->status != IM_OK) {
        fail(r, s, op->status);
    } else if (earlier == NULL) {
        core->counters->n[IM_C_APPENDED]++;
        core->counters->n[IM_C_WAITING] += !online;
        reply_send(r, s, event, online, false);
        im_route(core, event, r->session);
    } else if (same_content(&event->msg, &earlier->msg)) {
        core->counters->n[IM_C_DUPLICATES]++;
        reply_send(r, s, earlier, online, true);
    } else {
        fail(r, s, IM_CID_CONFLICT);
    }
    im_event_drop(&r->store.append.earlier);
    im_event_drop(&r->store.append.event);
    finish(r, s);
}

static enum im_reason check_body(const struct im_core *core, const struct im_command *cmd, struct im_str *body,
                                 struct im_error *error)
{
    bool text = im_command_has(cmd, IM_F_text), mime = im_command_has(cmd, IM_F_mime);
    if (text == im_command_has(cmd, IM_F_body) || text == mime)
        return im_fail(error, IM_BAD_FIELD, "give either text, or body and mime");
    const char *name = text ? "text" : "body";
    *body = text ? cmd->text : cmd->body;
    if (body->len == 0)
        return im_fail(error, IM_BAD_FIELD, "%s: must not be empty", name);
    if (body->len > core->config->text_bytes)
        return im_fail(error, IM_TOO_LONG, "%s: at most %llu bytes", name,
                       (unsigned long long)core->config->text_bytes);
    if (memchr(body->p, '\0', body->len))
        return im_fail(error, IM_BAD_FIELD, "%s: NUL is not allowed", name);
    if (mime && (cmd->mime.len == 0 || has_control(cmd->mime)))
        return im_fail(error, IM_BAD_FIELD, "mime: must not be empty or have control characters");
    if (im_command_has(cmd, IM_F_cid) && (cmd->cid.len == 0 || has_control(cmd->cid)))
        return im_fail(error, IM_BAD_FIELD, "cid: must not be empty or have control characters");
    return IM_OK;
}

static enum im_reason op_send(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                              struct im_error *error)
{
    struct im_name to;
    struct im_str body;
    enum im_reason reason;
    if (cmd->to.len > 0 && cmd->to.p[0] == '#')
        return IM_NO_SUCH_GROUP;
    if ((reason = im_name_parse(cmd->to, &to, error)) != IM_OK ||
        (reason = check_body(core, cmd, &body, error)) != IM_OK)
        return reason;
    if (core->pending_bytes > core->config->pending_bytes)
        return IM_BUSY;
    const struct im_user *peer = im_user_find(core, im_name_key(&to));
    struct im_msg msg = {
        .kind = IM_CONV_DIRECT,
        .ts_ms = core->wall_ms,
        .from = im_name_text(&s->user->name),
        .from_key = im_name_key(&s->user->name),
        .to = im_name_text(peer ? &peer->name : &to),
        .to_key = im_name_key(&to),
        .body = body,
    };
    if (im_command_has(cmd, IM_F_cid))
        msg.cid = cmd->cid;
    if (im_command_has(cmd, IM_F_mime))
        msg.mime = cmd->mime;
    struct request *r = request_new(core, s, cmd, IM_STORE_APPEND, send_done);
    r->store.append.event = im_event_msg(&msg);
    r->weight = im_event_weight(r->store.append.event);
    core->pending_bytes += r->weight;
    submit(r, s);
    return IM_OK;
}

static enum im_reason op_ack(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                             struct im_error *error)
{
    if (cmd->pos > s->sent_pos)
        return im_fail(error, IM_BAD_FIELD, "pos: ahead of what was sent to this session");
    im_cursor_advance(core, s->cursor, cmd->pos);
    ok(s, cmd);
    return IM_OK;
}

static void history_done(struct im_store_op *op)
{
    struct request *r = op->owner;
    struct im_session *s = answered(r);
    struct im_store_history *h = &r->store.history;
    if (op->status != IM_OK || s == NULL || r->id.len == 0) {
        fail(r, op->status == IM_OK ? NULL : s, op->status);
        for (size_t i = 0; i < h->count; i++)
            im_event_drop(&h->events[i]);
        free(h->events);
    } else {
        struct im_str conv = im_name_text(&r->name);
        if (h->count > 0)
            conv = im_msg_conv(&h->events[0]->msg, im_str_eq(h->events[0]->msg.from_key, view(&r->self)));
        reply(s,
              &(struct im_reply){.op = r->op,
                                 .id = view(&r->id),
                                 .self = view(&r->self),
                                 .history = {.conv = conv, .events = h->events, .count = h->count, .more = h->more}});
    }
    finish(r, s);
}

static enum im_reason check_range(const struct im_command *cmd, struct im_error *error)
{
    int ends = im_command_has(cmd, IM_F_before) + im_command_has(cmd, IM_F_after) + im_command_has(cmd, IM_F_around);
    if (ends > 1)
        return im_fail(error, IM_BAD_FIELD, "give one of before, after and around");
    if (im_command_has(cmd, IM_F_limit) && cmd->limit == 0)
        return im_fail(error, IM_BAD_FIELD, "limit: must be at least 1");
    return IM_OK;
}

static enum im_reason op_history(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                                 struct im_error *error)
{
    enum { DEFAULT_LIMIT = 50 };
    struct im_name peer;
    enum im_reason reason;
    if (cmd->conv.len > 0 && cmd->conv.p[0] == '#')
        return IM_NO_SUCH_GROUP;
    if ((reason = im_name_parse(cmd->conv, &peer, error)) != IM_OK || (reason = check_range(cmd, error)) != IM_OK)
        return reason;
    uint64_t limit = im_command_has(cmd, IM_F_limit) ? cmd->limit : DEFAULT_LIMIT;
    if (limit > core->config->history)
        limit = core->config->history;
    struct request *r = request_new(core, s, cmd, IM_STORE_HISTORY, history_done);
    struct im_store_history *h = &r->store.history;
    r->name = peer;
    h->key = view(&r->self);
    h->peer = im_name_key(&r->name);
    h->before = cmd->before;
    h->after = cmd->after;
    h->has_after = im_command_has(cmd, IM_F_after);
    if (im_command_has(cmd, IM_F_around)) { /* seq is dense, so a window is a range of seqs */
        h->has_after = true;
        h->after = cmd->around > limit / 2 ? cmd->around - limit / 2 - 1 : 0;
    }
    h->limit = (uint32_t)limit;
    h->bytes = (uint32_t)core->config->queue_soft_bytes;
    submit(r, s);
    return IM_OK;
}

static void conversations_done(struct im_store_op *op)
{
    struct request *r = op->owner;
    struct im_session *s = answered(r);
    struct im_store_conversations *c = &r->store.conversations;
    if (op->status != IM_OK || s == NULL || r->id.len == 0) {
        fail(r, op->status == IM_OK ? NULL : s, op->status);
        for (size_t i = 0; i < c->count; i++)
            im_event_drop(&c->rows[i].last);
        free(c->rows);
    } else {
        reply(s, &(struct im_reply){.op = r->op,
                                    .id = view(&r->id),
                                    .self = view(&r->self),
                                    .conversations = {.rows = c->rows, .count = c->count}});
    }
    finish(r, s);
}

static enum im_reason op_conversations(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                                       struct im_error *error)
{
    (void)error;
    struct request *r = request_new(core, s, cmd, IM_STORE_CONVERSATIONS, conversations_done);
    r->store.conversations.key = view(&r->self);
    r->store.conversations.limit = (uint32_t)core->config->conversations;
    r->store.conversations.bytes = (uint32_t)core->config->queue_soft_bytes;
    submit(r, s);
    return IM_OK;
}

/* Rows and their strings in one block, as the reply owns them. */
static struct im_presence_row *presence_rows(struct im_core *core, const struct im_name *names, size_t count)
{
    struct im_presence_row *rows = im_alloc(count * (sizeof *rows + IM_NAME_BYTES_MAX) + 1);
    char *at = (char *)&rows[count];
    for (size_t i = 0; i < count; i++) {
        const struct im_user *user = im_user_find(core, im_name_key(&names[i]));
        struct im_str text = im_name_text(user ? &user->name : &names[i]);
        memcpy(at, text.p, text.len);
        rows[i].user = (struct im_str){at, text.len};
        rows[i].state = im_user_online(user) ? IM_ONLINE : IM_OFFLINE;
        at += text.len;
    }
    return rows;
}

static enum im_reason op_presence(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                                  struct im_error *error)
{
    if (cmd->users_count > core->config->watch)
        return im_fail(error, IM_TOO_MANY, "users: at most %llu", (unsigned long long)core->config->watch);
    struct im_name *names = im_alloc((cmd->users_count + 1) * sizeof *names);
    enum im_reason reason = IM_OK;
    for (size_t i = 0; i < cmd->users_count && reason == IM_OK; i++)
        reason = im_name_parse(cmd->users[i], &names[i], error);
    if (reason == IM_OK) {
        im_watch_set(core, s, names, cmd->users_count);
        if (cmd->id.p)
            reply(s, &(struct im_reply){.op = cmd->op,
                                        .id = cmd->id,
                                        .presence = {.rows = presence_rows(core, names, cmd->users_count),
                                                     .count = cmd->users_count}});
    }
    free(names);
    return reason;
}

static enum im_reason op_ping(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                              struct im_error *error)
{
    (void)core, (void)error;
    ok(s, cmd);
    return IM_OK;
}

static enum im_reason op_bye(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                             struct im_error *error)
{
    (void)error;
    ok(s, cmd);
    im_session_end(core, s, IM_BYE, true);
    return IM_OK;
}
