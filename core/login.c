#include <assert.h>
#include <stdlib.h>

#include "core/auth.h"
#include "core/jwt.h"

/* The last step: the session sits down with its user. */

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

static const struct im_ban *ban_of(const struct im_request *r)
{
    return im_bans_user(&r->core->bans, IM_BAN_USER, im_name_key(&r->name), r->core->wall_ms);
}

static enum im_reason check_room(const struct im_request *r, const struct im_user *user, const struct im_session *old)
{
    const struct im_config *config = r->core->config;
    const struct im_auth *a = im_auth_of(r);
    if (a->overtaken)
        return IM_CONFLICT;
    if (ban_of(r))
        return IM_BANNED;
    if (old && config->device_duplicate == IM_DUPLICATE_REFUSE)
        return IM_DEVICE_IN_USE;
    if (user && a->seat == IM_SEAT_CHAT && user->session_count - (old != NULL) >= config->sessions_per_user)
        return IM_TOO_MANY;
    return IM_OK;
}

/* What the session is from now on. Moves out of *a what outlives the request. */
static void furnish(struct im_session *s, struct im_auth *a)
{
    s->seat = a->seat;
    s->by_password = a->by_password;
    free(s->device); /* the same, or there was none */
    s->device = a->device;
    s->hook_to = a->hook_to;
    a->device = NULL;
    a->hook_to = NULL;
    if (*a->token_key)
        s->token_key = im_strndup(a->token_key, strlen(a->token_key));
}

static void seat(struct im_core *core, struct im_session *s, struct im_user *user, uint64_t stored)
{
    if (s->seat == IM_SEAT_SENDER)
        return;
    s->cursor = &user->cursor;
    if (s->device) {
        s->cursor = &s->own_cursor;
        s->own_cursor = (struct im_cursor){.user = user, .device = s->device, .quiet = s->seat == IM_SEAT_QUIET};
    }
    im_cursor_stored(core, s->cursor, stored);
}

static void tell(struct im_request *r, struct im_session *s, const struct im_user *user, uint64_t from)
{
    const struct im_auth *a = im_auth_of(r);
    struct im_str token = im_str(*a->secret ? a->secret : NULL);
    im_reply(s, &(struct im_reply){.op = r->op,
                                   .id = im_out_view(&r->id),
                                   .login = {.user = im_name_text(user->name),
                                             .session = s->id,
                                             .pos = from,
                                             .token = token,
                                             .expires_ms = a->expires_ms}});
}

static void refuse(struct im_request *r, struct im_session *s, enum im_reason reason)
{
    free(r->store.login.seats);
    free(r->store.login.blocked);
    const struct im_ban *ban = reason == IM_BANNED ? ban_of(r) : NULL;
    im_auth_fail(r, s, reason, ban ? ban->why : "");
}

static void log_in(struct im_request *r, struct im_session *s)
{
    struct im_core *core = r->core;
    struct im_store_login *login = &r->store.login;
    struct im_auth *a = im_auth_of(r);
    struct im_user *user = im_user_find(core, im_name_key(&r->name));
    struct im_session *old = same_device(user, a->device);
    enum im_reason reason = check_room(r, user, old);
    if (reason != IM_OK) {
        refuse(r, s, reason);
        return;
    }
    reason = im_name_parse(im_str(login->name), &r->name, NULL);
    assert(reason == IM_OK);
    user = im_user_get(core, &r->name);
    im_user_spell(core, user, &r->name);
    user->bot = a->account.bot;
    furnish(s, a);
    seat(core, s, user, old && old->own_cursor.pos > login->cursor ? old->own_cursor.pos : login->cursor);
    bool reset = r->wrong_epoch || (r->has_since && r->since > login->head);
    uint64_t from = s->cursor ? s->cursor->pos : login->head;
    if (r->has_since && !reset)
        from = r->since;
    tell(r, s, user, from);
    if (reset)
        im_session_send(s, im_event_reset(from), false);
    im_session_login(core, s, user, from, login);
    if (old)
        im_session_end(core, old, IM_REPLACED, false);
    im_auth_end(r, s);
}

static void login_done(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    if (op->status == IM_OK && s)
        log_in(r, s);
    else
        refuse(r, s, op->status);
}

/* What the device acked so far counts, even if its session before ends while the store answers. */
static void flush_device(struct im_core *core, const struct im_name *name, const char *device)
{
    struct im_session *old = same_device(im_user_find(core, im_name_key(name)), device);
    if (old && old->cursor)
        im_cursor_flush(core, old->cursor);
}

static void enter(struct im_request *r, struct im_session *s)
{
    struct im_core *core = r->core;
    const struct im_auth *a = im_auth_of(r);
    flush_device(core, &r->name, a->device);
    r->store.login = (struct im_store_login){
        .op = {.kind = IM_STORE_LOGIN, .done = login_done, .owner = r},
        .key = im_name_key(&r->name),
        .text = im_name_text(&r->name),
        .device = im_str(a->device ? a->device : ""),
        .ts_ms = core->wall_ms,
        .max_devices = (uint32_t)core->config->devices_max,
    };
    im_request_submit(r, s);
}

/* A token, so that the device need not keep the password. One per device, and no more devices than there may be. */

static void token_written(struct im_request *r, struct im_session *s, enum im_reason status,
                          const struct im_record *found)
{
    (void)found;
    if (status == IM_OK)
        enter(r, s);
    else
        im_auth_fail(r, s, status, "");
}

static void make_token(struct im_request *r)
{
    const struct im_core *core = r->core;
    struct im_auth *a = im_auth_of(r);
    const struct im_token token = {.use = IM_TOKEN_SESSION, .user = r->name, .created_ms = core->wall_ms};
    uint8_t random[32];
    core->random(core->random_arg, random, sizeof random);
    im_secret_write(random, a->secret);
    im_secret_key(im_str(a->secret), a->token_key);
    a->expires_ms = core->wall_ms + (int64_t)core->config->token_ms;
    im_out_clear(&a->value);
    im_token_write(&token, &a->value);
    im_auth_put(r,
                &(struct im_record){.kind = IM_RECORD_TOKEN,
                                    .key = im_str(a->token_key),
                                    .owner = im_name_key(&r->name),
                                    .name = im_str(a->device),
                                    .value = im_out_view(&a->value),
                                    .expires_ms = a->expires_ms},
                token_written);
}

static void oldest_dropped(struct im_request *r, struct im_session *s, enum im_reason status,
                           const struct im_record *found)
{
    (void)found;
    if (status == IM_OK)
        make_token(r);
    else
        im_auth_fail(r, s, status, "");
}

/* The token that has to go for another device's to come; NULL: none. */
static const struct im_record *superfluous(const struct im_request *r, const struct im_record *rows)
{
    const struct im_record *oldest = NULL;
    int64_t oldest_ms = INT64_MAX;
    size_t sessions = 0;
    for (size_t i = 0; rows && i < r->store.records.count; i++) {
        struct im_token token;
        if (!im_token_read(rows[i].value, &token) || token.use != IM_TOKEN_SESSION)
            continue;
        if (im_str_eq(rows[i].name, im_str(im_auth_of(r)->device)))
            return NULL; /* the new one takes its place */
        sessions++;
        if (token.created_ms < oldest_ms) {
            oldest = &rows[i];
            oldest_ms = token.created_ms;
        }
    }
    return sessions >= r->core->config->devices_max ? oldest : NULL;
}

static void tokens_listed(struct im_request *r, struct im_session *s, enum im_reason status,
                          const struct im_record *found)
{
    struct im_auth *a = im_auth_of(r);
    const struct im_record *old = superfluous(r, found);
    if (status != IM_OK) {
        im_auth_fail(r, s, status, "");
    } else if (old) {
        im_auth_note_token(a, old->key);
        im_auth_drop(r, IM_RECORD_TOKEN, im_str(a->token_key), oldest_dropped);
    } else {
        make_token(r);
    }
}

void im_login_issue(struct im_request *r, struct im_session *s)
{
    enum { OTHERS = 256 }; /* tokens for bots and webhooks, which are listed as well */
    struct im_core *core = r->core;
    const struct im_auth *a = im_auth_of(r);
    const struct im_session *old = same_device(im_user_find(core, im_name_key(&r->name)), a->device);
    if (old && core->config->device_duplicate == IM_DUPLICATE_REFUSE)
        im_auth_fail(r, s, IM_DEVICE_IN_USE, ""); /* before its token is replaced */
    else if (a->device && core->random)
        im_auth_list(r, IM_RECORD_TOKEN, (struct im_str){0}, (uint32_t)core->config->devices_max + OTHERS,
                     tokens_listed);
    else
        enter(r, s);
}

/* With a password. */

static void renewed(struct im_request *r, struct im_session *s, enum im_reason status, const struct im_record *found)
{
    (void)found, (void)status; /* a hash with old parameters is good enough until the next time */
    im_login_issue(r, s);
}

static void password_checked(struct im_request *r, struct im_session *s, enum im_reason status,
                             const struct im_record *found)
{
    struct im_auth *a = im_auth_of(r);
    (void)found;
    if (im_auth_wait(r, s, true) > 0) { /* of many guesses at once, only the first few are answered */
        im_auth_fail(r, s, IM_BACK_OFF, "");
    } else if (status == IM_BAD_LOGIN) {
        im_auth_failed(r, s, IM_BAD_LOGIN, true, "");
    } else if (status != IM_OK) {
        im_auth_fail(r, s, status, "");
    } else {
        im_auth_forgive(r);
        memcpy(a->account.password, a->job.encoded, sizeof a->account.password);
        if (a->job.stale)
            im_auth_write_account(r, renewed);
        else
            im_login_issue(r, s);
    }
}

static void with_password(struct im_request *r, struct im_session *s, enum im_reason status,
                          const struct im_record *found)
{
    struct im_auth *a = im_auth_of(r);
    if (status != IM_OK || !im_auth_keep_account(r, found)) {
        im_auth_fail(r, s, status != IM_OK ? status : IM_SYSTEM, "");
        return;
    }
    bool usable = !a->account.disabled && !a->account.deleted;
    im_auth_hash(r, a->password, usable ? a->account.password : "", password_checked);
}

/* Without one. */

static void account_made(struct im_request *r, struct im_session *s, enum im_reason status,
                         const struct im_record *found)
{
    (void)found;
    if (status == IM_OK || status == IM_CONFLICT) /* or it was made this very moment */
        enter(r, s);
    else
        im_auth_fail(r, s, status, "");
}

/* It is known who it is: may this user come? */
static void with_account(struct im_request *r, struct im_session *s, enum im_reason status,
                         const struct im_record *found)
{
    const struct im_core *core = r->core;
    struct im_auth *a = im_auth_of(r);
    bool accounts = core->config->auth_mode != IM_AUTH_OPEN;
    if (status != IM_OK || !im_auth_keep_account(r, found))
        im_auth_fail(r, s, status != IM_OK ? status : IM_SYSTEM, "");
    else if (a->account.disabled || a->account.deleted)
        im_auth_failed(r, s, a->wrong, false, "the account is closed");
    else if (found || !accounts)
        enter(r, s);
    else if (!a->vouched)
        im_auth_failed(r, s, a->wrong, false, "there is no account");
    else {
        a->account = (struct im_account){.created_ms = core->wall_ms};
        im_auth_write_account(r, account_made);
    }
}

/* Nothing but an id, in open mode. */
static void with_nothing(struct im_request *r, struct im_session *s, enum im_reason status,
                         const struct im_record *found)
{
    if (status != IM_OK || !im_auth_keep_account(r, found))
        im_auth_fail(r, s, status != IM_OK ? status : IM_SYSTEM, "");
    else if (found)
        im_auth_fail(r, s, IM_PASSWORD_NEEDED, "");
    else
        enter(r, s);
}

/* What is wrong with the token for this login; NULL: nothing. */
static const char *misfit(const struct im_request *r, const struct im_record *record, const struct im_token *token)
{
    const struct im_auth *a = im_auth_of(r);
    if (record->expires_ms != 0 && record->expires_ms <= r->core->wall_ms)
        return "expired";
    if ((token->use == IM_TOKEN_HOOK) != (a->seat == IM_SEAT_SENDER))
        return "of another use";
    if (r->name.key_len > 0 && !im_str_eq(im_name_key(&r->name), im_name_key(&token->user)))
        return "of another user";
    if (token->use == IM_TOKEN_SESSION && a->device && !im_str_eq(record->name, im_str(a->device)))
        return "of another device";
    return NULL;
}

static void with_token(struct im_request *r, struct im_session *s, enum im_reason status, const struct im_record *found)
{
    struct im_auth *a = im_auth_of(r);
    struct im_token token;
    const char *problem = found && im_token_read(found->value, &token) ? misfit(r, found, &token) : "not known";
    if (status != IM_OK) {
        im_auth_fail(r, s, status, "");
        return;
    }
    if (problem) {
        im_auth_failed(r, s, a->wrong, false, problem);
        return;
    }
    r->name = token.user;
    a->expires_ms = found->expires_ms;
    a->by_password = token.use == IM_TOKEN_SESSION;
    if (a->by_password && a->device == NULL)
        a->device = im_strndup(found->name.p, found->name.len);
    if (token.use == IM_TOKEN_HOOK) {
        a->wait_ms = im_rates_take(r->core->hook_rates, im_str(a->token_key), r->core->config, r->core->mono_ms);
        if (a->wait_ms > 0) {
            im_auth_fail(r, s, IM_FLOOD, "");
            return;
        }
        a->hook_to = im_name_dup(&token.to);
    }
    im_auth_read(r, IM_RECORD_ACCOUNT, im_name_key(&r->name), with_account);
}

/* Which way in. Each is the beginning of a chain of steps above. */

static void by_signed_token(struct im_request *r, struct im_session *s, struct im_str token)
{
    const struct im_core *core = r->core;
    const struct im_config *config = core->config;
    static const struct im_keys none;
    struct im_auth *a = im_auth_of(r);
    struct im_jwt jwt;
    struct im_error error = {0};
    enum im_reason reason = im_jwt_verify(token, core->keys ? core->keys : &none, im_str(config->jwt_audience),
                                          core->wall_ms, (int64_t)config->jwt_leeway_ms, &jwt, &error);
    if (reason == IM_OK && r->name.key_len > 0 && !im_str_eq(im_name_key(&r->name), im_name_key(&jwt.user)))
        reason = im_fail(&error, IM_BAD_TOKEN, "of another user");
    if (reason == IM_OK && a->seat == IM_SEAT_SENDER)
        reason = im_fail(&error, IM_BAD_TOKEN, "of another use");
    if (reason != IM_OK) {
        im_auth_failed(r, s, reason, false, error.detail);
        return;
    }
    r->name = jwt.user;
    a->expires_ms = jwt.expires_ms;
    a->vouched = true;
    im_auth_read(r, IM_RECORD_ACCOUNT, im_name_key(&r->name), with_account);
}

static void by_token(struct im_request *r, struct im_session *s, struct im_str token)
{
    struct im_auth *a = im_auth_of(r);
    a->wrong = IM_BAD_TOKEN;
    if (im_auth_wait(r, s, false) > 0) {
        im_auth_fail(r, s, IM_BACK_OFF, "");
    } else if (im_jwt_is(token)) {
        by_signed_token(r, s, token);
    } else {
        im_secret_key(token, a->token_key);
        im_auth_read(r, IM_RECORD_TOKEN, im_str(a->token_key), with_token);
    }
}

static void by_password(struct im_request *r, struct im_session *s)
{
    im_auth_of(r)->by_password = true;
    if (im_auth_wait(r, s, true) > 0)
        im_auth_fail(r, s, IM_BACK_OFF, "");
    else
        im_auth_read(r, IM_RECORD_ACCOUNT, im_name_key(&r->name), with_password);
}

static void by_word_of_others(struct im_request *r)
{
    im_auth_of(r)->vouched = true;
    im_auth_read(r, IM_RECORD_ACCOUNT, im_name_key(&r->name), with_account);
}

/* Who it is by the Unix socket's peer, unless another id is asked for. */
static bool by_credentials(const struct im_core *core, const struct im_session *s, const struct im_command *cmd,
                           struct im_name *name)
{
    struct im_name own;
    if (!s->has_uid || core->unix_user == NULL || !core->unix_user(core->unix_user_arg, s->uid, &own))
        return false;
    if (im_command_has(cmd, IM_F_user) && !im_str_eq(im_name_key(name), im_name_key(&own)))
        return false;
    *name = own;
    return true;
}

enum way { WAY_TOKEN, WAY_PASSWORD, WAY_VOUCHED, WAY_OPEN };

static enum im_reason choose(const struct im_core *core, const struct im_session *s, const struct im_command *cmd,
                             struct im_name *name, enum way *way, struct im_error *error)
{
    bool user = im_command_has(cmd, IM_F_user), password = im_command_has(cmd, IM_F_password);
    if (cmd->trusted)
        *way = WAY_VOUCHED;
    else if (im_command_has(cmd, IM_F_token))
        *way = WAY_TOKEN;
    else if (!password && by_credentials(core, s, cmd, name))
        *way = WAY_VOUCHED;
    else if (!user)
        return im_fail(error, IM_BAD_FIELD, "give user, or token");
    else if (core->config->auth_mode == IM_AUTH_TOKEN)
        return im_fail(error, IM_FORBIDDEN, "only tokens log in here");
    else if (password)
        *way = WAY_PASSWORD;
    else if (core->config->auth_mode == IM_AUTH_OPEN)
        *way = WAY_OPEN;
    else
        return IM_PASSWORD_NEEDED;
    return IM_OK;
}

enum im_reason im_op_login(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                           struct im_error *error)
{
    struct im_name name = {0};
    enum way way = WAY_OPEN;
    enum im_reason reason = im_command_has(cmd, IM_F_user) ? im_name_parse(cmd->user, &name, error) : IM_OK;
    if (reason == IM_OK)
        reason = choose(core, s, cmd, &name, &way, error);
    if (reason != IM_OK)
        return reason;
    struct im_request *r = im_auth_new(core, s, cmd);
    r->name = name;
    r->has_since = im_command_has(cmd, IM_F_since);
    r->since = cmd->since;
    r->wrong_epoch = im_command_has(cmd, IM_F_epoch) && !im_str_eq(cmd->epoch, im_str(core->store->epoch));
    if (way == WAY_TOKEN)
        by_token(r, s, cmd->token);
    else if (way == WAY_PASSWORD)
        by_password(r, s);
    else if (way == WAY_VOUCHED)
        by_word_of_others(r);
    else
        im_auth_read(r, IM_RECORD_ACCOUNT, im_name_key(&r->name), with_nothing);
    return IM_OK;
}

/* The end of a token. */

void im_login_forget(struct im_core *core, struct im_session *s, const struct im_command *cmd)
{
    if (s->token_key == NULL || !s->by_password) {
        im_reply_ok(s, cmd);
        return;
    }
    struct im_request *r = im_request_new(core, s, cmd, IM_STORE_RECORD_DROP, im_request_done);
    im_out_str(&r->text, s->token_key);
    r->store.record_drop.kind = IM_RECORD_TOKEN;
    r->store.record_drop.key = im_out_view(&r->text);
    im_request_submit(r, s);
}
