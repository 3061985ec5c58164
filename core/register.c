#include <stdlib.h>

#include "core/auth.h"

/* Making an account, and changing its password. */

static size_t count_points(struct im_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((uint8_t)s.p[i] & 0xc0) != 0x80;
    return n;
}

static enum im_reason check_password(const struct im_core *core, const char *field, struct im_str password,
                                     struct im_error *error)
{
    if (memchr(password.p, '\0', password.len))
        return im_fail(error, IM_BAD_FIELD, "%s: NUL is not allowed", field);
    if (count_points(password) < core->config->password_min)
        return im_fail(error, IM_WEAK_PASSWORD, "%s: at least %llu characters", field,
                       (unsigned long long)core->config->password_min);
    return IM_OK;
}

/* Registering: is the id free ─► is the invitation good ─► hash ─► take a use of the invitation ─► make the account; or
 * give the use back if that fails, as when somebody else had the id in the meantime. */

static void write_invite(struct im_request *r, const struct im_invite *invite, struct im_str before, int64_t expires_ms,
                         im_auth_step *then)
{
    struct im_auth *a = im_auth_of(r);
    im_out_clear(&a->value);
    im_invite_write(invite, &a->value);
    im_out_clear(&a->invite_value);
    im_out_put(&a->invite_value, before.p, before.len);
    im_auth_replace(r,
                    &(struct im_record){.kind = IM_RECORD_INVITE,
                                        .key = im_str(a->invite_key),
                                        .value = im_out_view(&a->value),
                                        .expires_ms = expires_ms},
                    im_out_view(&a->invite_value), then);
}

static im_auth_step give_back;

static void given_back(struct im_request *r, struct im_session *s, enum im_reason status, const struct im_record *found)
{
    (void)found;
    if (status == IM_CONFLICT) /* somebody else used it just now */
        im_auth_read(r, IM_RECORD_INVITE, im_str(im_auth_of(r)->invite_key), give_back);
    else
        im_auth_fail(r, s, im_auth_of(r)->wrong, "");
}

static void give_back(struct im_request *r, struct im_session *s, enum im_reason status, const struct im_record *found)
{
    struct im_invite invite;
    if (status != IM_OK || found == NULL || !im_invite_read(found->value, &invite)) {
        im_auth_fail(r, s, im_auth_of(r)->wrong, ""); /* it was withdrawn */
        return;
    }
    invite.uses++;
    write_invite(r, &invite, found->value, im_auth_of(r)->invite_expires_ms, given_back);
}

/* The account is there, even if whoever asked for it has gone meanwhile. */
static void come_in(struct im_request *r, struct im_session *s)
{
    im_auth_of(r)->alone = false;
    if (s)
        im_login_issue(r, s);
    else
        im_auth_end(r, NULL);
}

static void account_made(struct im_request *r, struct im_session *s, enum im_reason status,
                         const struct im_record *found)
{
    struct im_auth *a = im_auth_of(r);
    (void)found;
    a->wrong = status == IM_CONFLICT ? IM_USER_EXISTS : status;
    if (status != IM_OK && *a->invite_key) {
        im_auth_read(r, IM_RECORD_INVITE, im_str(a->invite_key), give_back);
    } else if (status != IM_OK) {
        im_auth_fail(r, s, a->wrong, "");
    } else {
        im_core_revoke(r->core, im_name_key(&r->name), (struct im_str){0}); /* in open mode others may sit there */
        a->overtaken = false;
        come_in(r, s);
    }
}

static void make_account(struct im_request *r)
{
    struct im_auth *a = im_auth_of(r);
    a->account = (struct im_account){.created_ms = r->core->wall_ms};
    memcpy(a->account.password, a->job.encoded, sizeof a->account.password);
    im_auth_write_account(r, account_made);
}

static im_auth_step use_invite;

/* A spent invitation is kept for a while: its last use may be given back. */
enum { SPENT_MS = 60000 };

static void invite_used(struct im_request *r, struct im_session *s, enum im_reason status,
                        const struct im_record *found)
{
    const struct im_auth *a = im_auth_of(r);
    (void)found;
    if (status == IM_OK)
        make_account(r);
    else if (status == IM_CONFLICT) /* somebody else used it just now */
        im_auth_read(r, IM_RECORD_INVITE, im_str(a->invite_key), use_invite);
    else
        im_auth_fail(r, s, status, "");
}

static bool read_invite(const struct im_request *r, const struct im_record *found, struct im_invite *out)
{
    return found && im_invite_read(found->value, out) && out->uses > 0 &&
           (found->expires_ms == 0 || found->expires_ms > r->core->wall_ms);
}

static void use_invite(struct im_request *r, struct im_session *s, enum im_reason status, const struct im_record *found)
{
    struct im_auth *a = im_auth_of(r);
    struct im_invite invite;
    if (status != IM_OK) {
        im_auth_fail(r, s, status, "");
    } else if (!read_invite(r, found, &invite)) {
        im_auth_fail(r, s, IM_BAD_INVITE, "");
    } else {
        a->alone = true; /* a use that is taken makes an account */
        a->invite_expires_ms = found->expires_ms;
        write_invite(r, &invite, found->value, --invite.uses == 0 ? r->core->wall_ms + SPENT_MS : found->expires_ms,
                     invite_used);
    }
}

static void registering_hashed(struct im_request *r, struct im_session *s, enum im_reason status,
                               const struct im_record *found)
{
    (void)found;
    const struct im_auth *a = im_auth_of(r);
    if (status != IM_OK)
        im_auth_fail(r, s, status, "");
    else if (*a->invite_key)
        im_auth_read(r, IM_RECORD_INVITE, im_str(a->invite_key), use_invite);
    else
        make_account(r);
}

static void invite_looked_at(struct im_request *r, struct im_session *s, enum im_reason status,
                             const struct im_record *found)
{
    struct im_invite invite;
    if (status != IM_OK)
        im_auth_fail(r, s, status, "");
    else if (!read_invite(r, found, &invite))
        im_auth_failed(r, s, IM_BAD_INVITE, false, "invitation");
    else
        im_auth_hash(r, im_auth_of(r)->password, NULL, registering_hashed);
}

static void id_looked_at(struct im_request *r, struct im_session *s, enum im_reason status,
                         const struct im_record *found)
{
    const struct im_auth *a = im_auth_of(r);
    if (status != IM_OK)
        im_auth_fail(r, s, status, "");
    else if (found)
        im_auth_fail(r, s, IM_USER_EXISTS, "");
    else if (*a->invite_key)
        im_auth_read(r, IM_RECORD_INVITE, im_str(a->invite_key), invite_looked_at);
    else
        im_auth_hash(r, a->password, NULL, registering_hashed);
}

static enum im_reason check_registration(const struct im_core *core, const struct im_command *cmd)
{
    const struct im_config *config = core->config;
    if (config->auth_register == IM_REGISTRATION_OFF || config->auth_mode == IM_AUTH_TOKEN)
        return IM_REGISTER_OFF;
    if (config->auth_register == IM_REGISTRATION_INVITE && !im_command_has(cmd, IM_F_invite))
        return IM_BAD_INVITE;
    return IM_OK;
}

enum im_reason im_op_register(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                              struct im_error *error)
{
    struct im_name name;
    enum im_reason reason = check_registration(core, cmd);
    if (reason != IM_OK || (reason = im_name_parse(cmd->user, &name, error)) != IM_OK ||
        (reason = check_password(core, "password", cmd->password, error)) != IM_OK)
        return reason;
    struct im_request *r = im_auth_new(core, s, cmd);
    struct im_auth *a = im_auth_of(r);
    r->name = name;
    a->by_password = true;
    if (core->config->auth_register == IM_REGISTRATION_INVITE)
        im_secret_key(cmd->invite, a->invite_key);
    if (im_auth_wait(r, s, false) > 0)
        im_auth_fail(r, s, IM_BACK_OFF, "");
    else
        im_auth_read(r, IM_RECORD_ACCOUNT, im_name_key(&r->name), id_looked_at);
    return IM_OK;
}

/* Changing the password: check the old one ─► hash the new one ─► revoke, one by one, the tokens that were got for the
 * old one ─► write ─► revoke those that were got meanwhile ─► answer. From the first revoking on it goes on even if the
 * session does not; and wherever it is broken off, no token outlives the password it was got for. */

static im_auth_step next_token, password_written;

/* a->token_key is how far the list has been gone through; the session's own token stays. */
static void seek_token(struct im_request *r)
{
    im_auth_list(r, IM_RECORD_TOKEN, im_str(im_auth_of(r)->token_key), 1, next_token);
}

static void token_dropped(struct im_request *r, struct im_session *s, enum im_reason status,
                          const struct im_record *found)
{
    (void)found;
    if (status == IM_OK)
        seek_token(r);
    else
        im_auth_fail(r, s, status, "");
}

static void next_token(struct im_request *r, struct im_session *s, enum im_reason status, const struct im_record *found)
{
    struct im_auth *a = im_auth_of(r);
    struct im_token token;
    if (status != IM_OK) {
        im_auth_fail(r, s, status, "");
    } else if (found) {
        im_auth_note_token(a, found->key);
        if (strcmp(a->own_key, a->token_key) != 0 && im_token_read(found->value, &token) &&
            token.use == IM_TOKEN_SESSION)
            im_auth_drop(r, IM_RECORD_TOKEN, im_str(a->token_key), token_dropped);
        else
            seek_token(r);
    } else if (!a->written) {
        memcpy(a->account.password, a->job.encoded, sizeof a->account.password);
        im_auth_write_account(r, password_written);
    } else {
        im_request_tell(r, s, IM_OK);
        im_auth_end(r, s);
    }
}

/* Those of the user who came with the old password, or with a token got for it. */
static void end_others(struct im_core *core, struct im_str user_key, uint64_t but)
{
    struct im_user *user = im_user_find(core, user_key);
    struct im_session *s, *next;
    if (user == NULL)
        return;
    DL_FOREACH_SAFE2(user->sessions, s, next, user_next)
    {
        if (s->by_password && s->id != but)
            im_session_end(core, s, IM_REVOKED, false); /* may be the user's end */
    }
}

static void password_written(struct im_request *r, struct im_session *s, enum im_reason status,
                             const struct im_record *found)
{
    (void)found;
    if (status != IM_OK) {
        im_auth_fail(r, s, status, "");
        return;
    }
    im_auth_overtake(r->core, im_name_key(&r->name), (struct im_str){0});
    end_others(r->core, im_name_key(&r->name), r->session);
    im_auth_of(r)->written = true;
    im_auth_note_token(im_auth_of(r), IM_STR(""));
    seek_token(r);
}

static void changing_hashed(struct im_request *r, struct im_session *s, enum im_reason status,
                            const struct im_record *found)
{
    struct im_auth *a = im_auth_of(r);
    (void)found;
    if (status != IM_OK) {
        im_auth_fail(r, s, status, "");
        return;
    }
    a->alone = true;
    seek_token(r);
}

static void old_checked(struct im_request *r, struct im_session *s, enum im_reason status,
                        const struct im_record *found)
{
    (void)found;
    if (im_auth_wait(r, s, true) > 0) {
        im_auth_fail(r, s, IM_BACK_OFF, "");
    } else if (status == IM_BAD_LOGIN) {
        im_auth_failed(r, s, IM_BAD_LOGIN, true, "");
    } else if (status != IM_OK) {
        im_auth_fail(r, s, status, "");
    } else {
        im_auth_forgive(r);
        im_auth_hash(r, im_auth_of(r)->fresh, NULL, changing_hashed);
    }
}

static void account_read(struct im_request *r, struct im_session *s, enum im_reason status,
                         const struct im_record *found)
{
    const struct im_auth *a = im_auth_of(r);
    if (status != IM_OK || !im_auth_keep_account(r, found))
        im_auth_fail(r, s, status != IM_OK ? status : IM_SYSTEM, "");
    else if (found == NULL)
        im_auth_fail(r, s, IM_FORBIDDEN, "this id is not registered");
    else if (a->account.bot)
        im_auth_fail(r, s, IM_FORBIDDEN, "a bot has no password");
    else if (*a->account.password == '\0')
        im_auth_hash(r, a->fresh, NULL, changing_hashed);
    else if (a->password == NULL)
        im_auth_fail(r, s, IM_PASSWORD_NEEDED, "password: the old one is missing");
    else if (im_auth_wait(r, s, true) > 0)
        im_auth_fail(r, s, IM_BACK_OFF, "");
    else
        im_auth_hash(r, a->password, a->account.password, old_checked);
}

enum im_reason im_op_password(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                              struct im_error *error)
{
    if (core->config->auth_mode == IM_AUTH_TOKEN)
        return im_fail(error, IM_FORBIDDEN, "only tokens log in here");
    enum im_reason reason = check_password(core, "new", cmd->fresh, error);
    if (reason != IM_OK)
        return reason;
    struct im_request *r = im_auth_new(core, s, cmd);
    im_name_copy(&r->name, s->user->name);
    if (s->token_key)
        memcpy(im_auth_of(r)->own_key, s->token_key, IM_SECRET_KEY);
    im_auth_read(r, IM_RECORD_ACCOUNT, im_name_key(&r->name), account_read);
    return IM_OK;
}
