#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/private.h"

/* Which limit it was: of what is asked only one can be in the way so. */
static void tell_limit(const struct im_config *c, enum im_op op, char *out, size_t size)
{
    const struct {
        enum im_op op;
        const char *what;
        uint64_t most;
    } rows[] = {
        {IM_OP_LOGIN, "sessions of one user", c->sessions_per_user},
        {IM_OP_GROUP, "groups of one user", c->groups_per_user},
        {IM_OP_REACT, "different reactions to a message", c->reactions_max},
        {IM_OP_BLOCK, "blocked users", c->blocked_max},
        {IM_OP_REPORT, "reports that are open", c->reports_max},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].op == op)
            snprintf(out, size, "%s: at most %" PRIu64, rows[i].what, rows[i].most);
}

struct im_session *im_session_find(struct im_core *core, uint64_t id)
{
    struct im_session *s;
    HASH_FIND_BYHASHVALUE(hh, core->sessions, &id, sizeof id, im_hash_ids(core->hash_key, id, 0), s);
    return s;
}

bool im_session_closing(const struct im_session *s)
{
    return s->state == IM_SESSION_CLOSING;
}

const char *im_session_state_name(enum im_session_state state)
{
    static const char *const names[] = {"open", "logging_in", "behind", "live", "closing"};
    return names[state];
}

static void note_step(const struct im_core *core, struct im_session *s)
{
    uint64_t after_ms = core->mono_ms - s->opened_ms;
    s->steps[s->step_count++ % IM_STEPS_MAX] = (struct im_step){
        .after_ms = after_ms < UINT32_MAX ? (uint32_t)after_ms : UINT32_MAX, .state = (uint8_t)s->state};
}

void im_session_state_set(struct im_core *core, struct im_session *s, enum im_session_state state)
{
    IM_LOG(core->log, IM_LOG_DEBUG, "session", "state", IM_KN("session", (int64_t)s->id),
           IM_KS("from", im_session_state_name(s->state)), IM_KS("to", im_session_state_name(state)));
    s->state = state;
    note_step(core, s);
}

uint64_t im_session_since(const struct im_session *s)
{
    return s->opened_ms + s->steps[(s->step_count - 1) % IM_STEPS_MAX].after_ms;
}

void im_session_send(struct im_session *s, struct im_event *e, bool own)
{
    if (im_session_closing(s)) {
        im_event_drop(&e);
        return;
    }
    s->sent++;
    s->link->ops->send(s->link, e, own);
}

void im_session_tell(struct im_session *s, struct im_event *e, bool own)
{
    if (s->link->ops->tell == NULL) {
        im_session_send(s, im_event_hold(e), own);
        return;
    }
    if (im_session_closing(s))
        return;
    s->sent++;
    s->link->ops->tell(s->link, e, own);
}

void im_session_err(struct im_core *core, struct im_session *s, enum im_op op, struct im_str id, enum im_reason reason,
                    const char *detail, uint64_t after_ms)
{
    char limit[80] = "";
    if (reason == IM_TOO_MANY && !*detail)
        tell_limit(core->config, op, limit, sizeof limit);
    if (*limit)
        detail = limit;
    core->counters->refused[reason]++;
    im_session_send(s, im_event_err(op, id, reason, im_str(detail), after_ms), false);
}

static void refill(const struct im_core *core, struct im_session *s)
{
    if (im_bucket_fill(&s->bucket, core->config, core->mono_ms))
        s->flood_ms = 0;
}

static void take_tokens(struct im_core *core, struct im_session *s, uint64_t n)
{
    if (core->config->rate == 0)
        return;
    refill(core, s);
    im_bucket_take(&s->bucket, n);
    if (im_bucket_has_one(&s->bucket) || s->out_of_rate)
        return;
    s->out_of_rate = true;
    if (s->flood_ms == 0)
        s->flood_ms = core->mono_ms;
    DL_APPEND2(core->throttled, s, rate_prev, rate_next);
}

/* Asking after many users is many questions. */
static uint64_t price(const struct im_command *cmd)
{
    enum { USERS_PER_TOKEN = 8 };
    return 1 + cmd->users_count / USERS_PER_TOKEN;
}

static void unthrottle(struct im_core *core, struct im_session *s)
{
    if (s->out_of_rate)
        DL_DELETE2(core->throttled, s, rate_prev, rate_next);
    s->out_of_rate = false;
}

/* What somebody types may depend on the answer to the line before: whom one talks to, which message was the latest. */
static bool one_at_a_time(const struct im_session *s)
{
    return s->link->dialect == &im_dialect_human && s->inflight > 0;
}

/* Backpressure: why reading should stop now. */
static bool should_hold(const struct im_core *core, const struct im_session *s, size_t queued)
{
    return s->ending || one_at_a_time(s) || s->state == IM_SESSION_LOGGING_IN || s->out_of_rate ||
           s->inflight >= core->config->inflight || s->reads > 0 || queued > core->config->queue_soft_bytes;
}

static void review_hold(struct im_core *core, struct im_session *s, size_t queued)
{
    bool hold = should_hold(core, s, queued);
    if (hold == s->held)
        return;
    s->held = hold;
    core->counters->n[IM_C_HELD] += hold;
    s->link->ops->hold(s->link, hold);
}

static bool may_end(const struct im_session *s, size_t queued)
{
    return s->ending && s->inflight == 0 && !(s->end_when_live && s->state == IM_SESSION_BEHIND) &&
           (queued == 0 || s->link->lost);
}

void im_session_review(struct im_core *core, struct im_session *s)
{
    if (im_session_closing(s))
        return;
    size_t queued = s->link->ops->queued(s->link);
    if (queued == 0 && s->user && s->cursor == &s->user->cursor)
        im_cursor_advance(core, s->cursor, s->sent_pos);
    if (may_end(s, queued)) {
        im_session_end(core, s, s->end_reason, false);
        return;
    }
    review_hold(core, s, queued);
    if (s->state == IM_SESSION_BEHIND && !s->reading && queued <= core->config->queue_soft_bytes / 4)
        im_read_on(core, s);
}

static void say_bye(struct im_core *core, struct im_session *s, enum im_reason reason)
{
    if (reason == IM_BYE)
        return; /* the peer's own wish, already answered */
    bool reconnect = im_reason_info(reason)->retry;
    uint64_t after = 0;
    if (reason == IM_DRAIN && core->drain_spread_ms > 0) /* spread by id: no randomness in here */
        after = im_hash(core->hash_key, &s->id, sizeof s->id) % core->drain_spread_ms;
    im_session_send(s, im_event_bye(reason, reconnect, after), false);
}

/* Takes the session out of everything but the list of links: its user is not online through it any more. */
static void detach(struct im_core *core, struct im_session *s, enum im_reason reason)
{
    IM_LOG(core->log, IM_LOG_INFO, "session", "ended", IM_KN("session", (int64_t)s->id),
           IM_KV("user", s->user ? im_name_text(s->user->name) : IM_STR("")), IM_KS("transport", s->transport),
           IM_KS("address", s->address), IM_KS("reason", im_reason_name(reason)));
    unthrottle(core, s);
    im_watch_set(core, s, NULL, 0);
    if (s->user) {
        if (s->cursor)
            im_cursor_flush(core, s->cursor);
        s->cursor = NULL;
        im_user_leave(core, s);
    } else {
        DL_DELETE2(core->logins, s, login_prev, login_next);
    }
    im_session_state_set(core, s, IM_SESSION_CLOSING);
}

void im_session_end(struct im_core *core, struct im_session *s, enum im_reason reason, bool when_answered)
{
    if (im_session_closing(s))
        return;
    if (!when_answered) {
        say_bye(core, s, reason);
        detach(core, s, reason);
        s->link->ops->close(s->link, reason);
        return;
    }
    if (!s->ending) {
        s->ending = true;
        s->end_reason = reason;
    }
    im_session_review(core, s);
}

enum im_reason im_core_opened(struct im_core *core, struct im_link *link, const struct im_link_info *info)
{
    if (core->draining) {
        core->counters->refused[IM_DRAIN]++;
        return IM_DRAIN;
    }
    if (im_bans_peer(&core->bans, info->address.p, core->wall_ms)) {
        core->counters->refused[IM_BANNED]++;
        return IM_BANNED;
    }
    struct im_session *s = im_zalloc(sizeof *s);
    s->id = ++core->last_session_id;
    s->link = link;
    s->state = IM_SESSION_OPEN;
    s->transport = info->transport;
    s->address = im_strndup(info->address.p, info->address.len);
    s->tls = info->tls;
    s->tls_version = info->tls_version;
    s->tls_cipher = info->tls_cipher;
    s->has_uid = info->has_uid;
    s->uid = info->uid;
    s->opened_ms = s->active_ms = core->mono_ms;
    note_step(core, s);
    im_bucket_start(&s->bucket, core->config, core->mono_ms);
    link->session = s;
    link->env = &core->env;
    link->lang = core->config->lang == 0 ? IM_EN : IM_ZH;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, core->sessions, &s->id, sizeof s->id, im_hash_ids(core->hash_key, s->id, 0), s);
    DL_APPEND2(core->logins, s, login_prev, login_next);
    IM_LOG(core->log, IM_LOG_DEBUG, "session", "opened", IM_KN("session", (int64_t)s->id),
           IM_KS("transport", s->transport), IM_KS("address", s->address));
    return IM_OK;
}

void im_session_login(struct im_core *core, struct im_session *s, struct im_user *user, uint64_t from,
                      struct im_store_login *login)
{
    bool hears = s->seat != IM_SEAT_SENDER;
    DL_DELETE2(core->logins, s, login_prev, login_next);
    im_user_join(core, user, s, login);
    s->sent_pos = from;
    s->goal_pos = login->head;
    im_session_state_set(core, s, !hears || im_session_caught_up(s) ? IM_SESSION_LIVE : IM_SESSION_BEHIND);
    core->counters->n[IM_C_LOGINS]++;
    IM_LOG(core->log, IM_LOG_INFO, "session", "login", IM_KN("session", (int64_t)s->id),
           IM_KV("user", im_name_text(user->name)), IM_KS("transport", s->transport), IM_KS("address", s->address));
}

void im_core_input(struct im_core *core, struct im_link *link, struct im_str message)
{
    struct im_session *s = link->session;
    if (im_session_closing(s) || s->ending)
        return;
    struct im_command cmd = {0};
    struct im_error error;
    error.detail[0] = '\0';
    enum im_reason reason = link->dialect->decode(link, message, &cmd, &error);
    im_core_decoded(core, link, &cmd, reason, error.detail);
}

void im_core_decoded(struct im_core *core, struct im_link *link, struct im_command *cmd, enum im_reason reason,
                     const char *detail)
{
    struct im_session *s = link->session;
    if (reason == IM_OK) {
        im_core_command(core, link, cmd);
        return;
    }
    if (!im_session_closing(s) && !s->ending) {
        s->active_ms = core->mono_ms;
        s->commands++;
        core->counters->n[IM_C_COMMANDS]++;
        take_tokens(core, s, 1);
        im_session_err(core, s, cmd->op, cmd->id, reason, detail, 0);
        im_session_review(core, s);
    }
    im_command_release(cmd);
}

/* What a prompt store was given comes back at once, while all that it touches is at hand. */
static void run(struct im_core *core, struct im_session *s, struct im_command *cmd)
{
    struct im_store *store = core->store;
    assert(core->running == NULL); /* a completion calls down, and nobody calls up from there */
    store->attended = store->prompt;
    im_op_run(core, s, cmd);
    if (!store->attended)
        return;
    store->attended = false;
    core->running = s;
    store->ops->drain(store);
    core->running = NULL;
}

void im_core_command(struct im_core *core, struct im_link *link, struct im_command *cmd)
{
    struct im_session *s = link->session;
    if (!im_session_closing(s) && !s->ending) {
        s->active_ms = core->mono_ms;
        s->commands++;
        core->counters->n[IM_C_COMMANDS]++;
        take_tokens(core, s, price(cmd));
        if (cmd->op != IM_OP_NONE)
            run(core, s, cmd);
        im_session_review(core, s);
    }
    im_command_release(cmd);
}

void im_core_input_end(struct im_core *core, struct im_link *link)
{
    struct im_session *s = link->session;
    s->end_when_live = true;
    im_session_end(core, s, IM_BYE, true);
}

void im_core_writable(struct im_core *core, struct im_link *link)
{
    im_session_review(core, link->session);
}

void im_core_closed(struct im_core *core, struct im_link *link, enum im_reason reason)
{
    struct im_session *s = link->session;
    if (reason == IM_OK)
        reason = IM_GONE;
    core->counters->closed[reason]++;
    if (!im_session_closing(s))
        detach(core, s, reason);
    HASH_DEL(core->sessions, s);
    core->sessions_gone++;
    link->session = NULL;
    free(s->own_sends);
    free(s->device);
    free(s->hook_to);
    free(s->talk);
    free(s->token_key);
    free(s->agent);
    free(s->address);
    free(s);
}

static uint64_t login_timeout(const struct im_core *core, const struct im_session *s)
{
    return s->link->dialect == &im_dialect_human ? core->config->human_timeout_ms : core->config->login_timeout_ms;
}

static void tick_logins(struct im_core *core)
{
    struct im_session *s, *next;
    DL_FOREACH_SAFE2(core->logins, s, next, login_next)
    {
        if (core->mono_ms - s->opened_ms >= login_timeout(core, s))
            im_session_end(core, s, IM_LOGIN_TIMEOUT, false);
    }
}

static void tick_throttled(struct im_core *core)
{
    struct im_session *s, *next;
    DL_FOREACH_SAFE2(core->throttled, s, next, rate_next)
    {
        if (s->flood_ms > 0 && core->mono_ms - s->flood_ms >= core->config->flood_ms) {
            im_session_end(core, s, IM_FLOOD, false);
            continue;
        }
        refill(core, s);
        if (im_bucket_has_one(&s->bucket) || core->config->rate == 0) {
            unthrottle(core, s);
            im_session_review(core, s);
        }
    }
}

void im_core_tick(struct im_core *core)
{
    tick_logins(core);
    tick_throttled(core);
    im_rates_tick(core->hook_rates, core->config, core->mono_ms);
    if (core->mono_ms - core->cursors_ms >= core->config->cursor_interval_ms) {
        core->cursors_ms = core->mono_ms;
        im_cursors_flush(core);
        im_marks_flush(core);
    }
    im_receipts_tick(core);
    im_presence_tick(core, false);
    im_sweep_tick(core);
    if (core->drain_rate > 0)
        im_drain_tick(core);
}
