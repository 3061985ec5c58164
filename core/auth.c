#include "core/auth.h"

#include <assert.h>
#include <sodium/utils.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/address.h"
#include "core/backoff.h"

static char *copy(const struct im_command *cmd, enum im_field field, struct im_str s)
{
    return im_command_has(cmd, field) ? im_strndup(s.p, s.len) : NULL;
}

static void wipe(char **secret)
{
    if (*secret)
        sodium_memzero(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

struct im_request *im_auth_new(struct im_core *core, struct im_session *s, const struct im_command *cmd)
{
    struct im_request *r = im_request_new(core, s, cmd, IM_STORE_RECORDS, NULL);
    struct im_auth *a = im_zalloc(sizeof *a);
    r->more = a;
    r->or_close = cmd->or_close;
    a->password = copy(cmd, IM_F_password, cmd->password);
    a->fresh = copy(cmd, IM_F_fresh, cmd->fresh);
    a->device = s->device ? im_strndup(s->device, strlen(s->device)) : NULL;
    a->seat = cmd->seat;
    a->wrong = IM_BAD_LOGIN;
    a->request = r;
    DL_APPEND(core->auths, a);
    if (s->user == NULL)
        im_session_state_set(core, s, IM_SESSION_LOGGING_IN);
    return r;
}

void im_auth_end(struct im_request *r, struct im_session *s)
{
    struct im_auth *a = im_auth_of(r);
    DL_DELETE(r->core->auths, a);
    wipe(&a->password);
    wipe(&a->fresh);
    sodium_memzero(a->secret, sizeof a->secret);
    im_out_clear(&a->account_value);
    im_out_clear(&a->value);
    im_out_clear(&a->invite_value);
    free(a->device);
    free(a->hook_to);
    im_request_finish(r, s);
}

void im_auth_overtake(struct im_core *core, struct im_str user_key, struct im_str device)
{
    struct im_auth *a;
    DL_FOREACH(core->auths, a)
    {
        bool same = !device.p || im_str_eq(device, im_str(a->device ? a->device : ""));
        if (same && im_str_eq(user_key, im_name_key(&a->request->name)))
            a->overtaken = true;
    }
}

void im_auth_note_token(struct im_auth *a, struct im_str key)
{
    assert(key.len < sizeof a->token_key);
    memcpy(a->token_key, key.p, key.len);
    a->token_key[key.len] = '\0';
}

static uint64_t after_ms(const struct im_request *r, const struct im_session *s, enum im_reason reason)
{
    if (reason == IM_BACK_OFF)
        return im_auth_wait(r, s, r->name.key_len > 0);
    if (reason == IM_FLOOD)
        return im_auth_of(r)->wait_ms;
    return reason == IM_BUSY ? IM_BUSY_AFTER_MS : 0;
}

void im_auth_fail(struct im_request *r, struct im_session *s, enum im_reason reason, const char *detail)
{
    if (s) {
        if (s->state == IM_SESSION_LOGGING_IN)
            im_session_state_set(r->core, s, IM_SESSION_OPEN);
        im_session_err(r->core, s, r->op, im_out_view(&r->id), reason, detail, after_ms(r, s, reason));
        if (r->or_close)
            im_session_end(r->core, s, reason, false);
    }
    im_auth_end(r, s && !im_session_closing(s) ? s : NULL);
}

/* Back-off. */

enum { WHO_MAX = 1 + IM_KEY_BYTES_MAX };

/* Behind a reverse proxy on this machine everybody has its address: one who guesses would lock out all. */
static struct im_str address_key(const struct im_core *core, const struct im_session *s, char out[WHO_MAX])
{
    uint8_t ip[16];
    char host[IM_ADDRESS_TEXT];
    if (!im_address_peer(s->address, ip) || (im_address_is_loopback(ip) && !core->config->count_loopback))
        return (struct im_str){0};
    im_address_network(ip);
    im_address_write(ip, host);
    snprintf(out, WHO_MAX, "a%s", host);
    return im_str(out);
}

static struct im_str account_key(const struct im_request *r, char out[WHO_MAX])
{
    out[0] = 'u';
    memcpy(out + 1, im_name_key(&r->name).p, r->name.key_len);
    return (struct im_str){out, 1 + (size_t)r->name.key_len};
}

uint64_t im_auth_wait(const struct im_request *r, const struct im_session *s, bool account)
{
    const struct im_core *core = r->core;
    char address_buffer[WHO_MAX], account_buffer[WHO_MAX];
    struct im_str address = address_key(core, s, address_buffer);
    uint64_t one = address.p ? im_backoff_wait(core->backoff, address, core->mono_ms) : 0;
    uint64_t other = 0;
    if (account)
        other = im_backoff_wait(core->backoff, account_key(r, account_buffer), core->mono_ms);
    return one > other ? one : other;
}

void im_auth_failed(struct im_request *r, struct im_session *s, enum im_reason reason, bool account, const char *why)
{
    struct im_core *core = r->core;
    const struct im_backoff_rule rule = {core->config->backoff_start_ms, core->config->backoff_most_ms,
                                         core->config->backoff_table};
    char buffer[WHO_MAX];
    struct im_str address = address_key(core, s, buffer);
    if (address.p)
        im_backoff_failed(core->backoff, address, &rule, core->mono_ms);
    if (account)
        im_backoff_failed(core->backoff, account_key(r, buffer), &rule, core->mono_ms);
    core->counters->n[IM_C_LOGINS_FAILED]++;
    IM_LOG(core->log, IM_LOG_INFO, "login", "failed", IM_KN("session", (int64_t)s->id),
           IM_KV("user", im_name_text(&r->name)), IM_KS("transport", s->transport), IM_KS("address", s->address),
           IM_KS("reason", im_reason_name(reason)), IM_KS("problem", why));
    im_auth_fail(r, s, reason, "");
}

void im_auth_forgive(const struct im_request *r)
{
    char buffer[WHO_MAX];
    im_backoff_forget(r->core->backoff, account_key(r, buffer));
}

/* Operations. */

static void go_on(struct im_request *r, struct im_session *s, enum im_reason status, const struct im_record *found)
{
    struct im_auth *a = im_auth_of(r);
    if (s || a->alone)
        a->then(r, s, status, found);
    else
        im_auth_end(r, NULL);
}

static void stored(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    go_on(r, im_request_answered(r), op->status, NULL);
}

static void read_done(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_record *rows = r->store.records.rows;
    struct im_session *s = im_request_answered(r);
    go_on(r, s, op->status, op->status == IM_OK && r->store.records.count > 0 ? rows : NULL);
    free(rows);
}

static struct im_store_op start(struct im_request *r, enum im_store_op_kind kind, im_auth_step *then)
{
    im_auth_of(r)->then = then;
    return (struct im_store_op){.kind = kind, .done = kind == IM_STORE_RECORDS ? read_done : stored, .owner = r};
}

/* The session's requests are counted as long as it is in the table, closing or not. */
static void submit(struct im_request *r)
{
    struct im_session *s = im_session_find(r->core, r->session);
    if (s) {
        im_request_submit(r, s);
    } else {
        r->core->pending_ops++;
        im_store_submit(r->core->store, &r->store.head);
    }
}

void im_auth_read(struct im_request *r, enum im_record_kind kind, struct im_str key, im_auth_step *then)
{
    r->store.records =
        (struct im_store_records){.op = start(r, IM_STORE_RECORDS, then), .kind = kind, .key = key, .limit = 1};
    submit(r);
}

void im_auth_list(struct im_request *r, enum im_record_kind kind, struct im_str after, uint32_t limit,
                  im_auth_step *then)
{
    r->store.records = (struct im_store_records){.op = start(r, IM_STORE_RECORDS, then),
                                                 .kind = kind,
                                                 .owner = im_name_key(&r->name),
                                                 .after = after,
                                                 .limit = limit};
    submit(r);
}

static void put(struct im_request *r, const struct im_record *record, bool check, struct im_str expect,
                im_auth_step *then)
{
    r->store.record_put = (struct im_store_record_put){
        .op = start(r, IM_STORE_RECORD_PUT, then), .record = *record, .check = check, .expect = expect};
    submit(r);
}

void im_auth_replace(struct im_request *r, const struct im_record *record, struct im_str expect, im_auth_step *then)
{
    put(r, record, true, expect, then);
}

void im_auth_put(struct im_request *r, const struct im_record *record, im_auth_step *then)
{
    put(r, record, false, (struct im_str){0}, then);
}

void im_auth_drop(struct im_request *r, enum im_record_kind kind, struct im_str key, im_auth_step *then)
{
    r->store.record_drop =
        (struct im_store_record_drop){.op = start(r, IM_STORE_RECORD_DROP, then), .kind = kind, .key = key};
    submit(r);
}

static void hashed(struct im_hash_job *job)
{
    struct im_request *r = job->owner;
    struct im_session *s = im_session_find(r->core, r->session);
    r->core->pending_ops--;
    r->core->counters->n[IM_C_PASSWORDS]++;
    if (s)
        s->inflight--;
    go_on(r, s && !im_session_closing(s) ? s : NULL, job->status, NULL);
}

void im_auth_hash(struct im_request *r, const char *password, const char *encoded, im_auth_step *then)
{
    struct im_core *core = r->core;
    struct im_auth *a = im_auth_of(r);
    struct im_session *s = im_session_find(core, r->session);
    a->then = then;
    a->job = (struct im_hash_job){.password = im_str(password), .verify = encoded != NULL, .done = hashed, .owner = r};
    if (encoded)
        snprintf(a->job.encoded, sizeof a->job.encoded, "%s", encoded);
    core->pending_ops++;
    if (s)
        s->inflight++;
    if (core->hasher && core->hasher->submit(core->hasher, &a->job) == IM_OK)
        return;
    core->pending_ops--;
    if (s)
        s->inflight--;
    im_auth_fail(r, s && !im_session_closing(s) ? s : NULL, IM_BUSY, "");
}

bool im_auth_keep_account(struct im_request *r, const struct im_record *found)
{
    struct im_auth *a = im_auth_of(r);
    im_out_clear(&a->account_value);
    if (found == NULL)
        return true;
    im_out_put(&a->account_value, found->value.p, found->value.len);
    return im_account_read(found->value, &a->account);
}

void im_auth_write_account(struct im_request *r, im_auth_step *then)
{
    struct im_auth *a = im_auth_of(r);
    im_out_clear(&a->value);
    im_account_write(&a->account, &a->value);
    const struct im_record record = {
        .kind = IM_RECORD_ACCOUNT, .key = im_name_key(&r->name), .value = im_out_view(&a->value)};
    im_auth_replace(r, &record, im_out_view(&a->account_value), then);
}
