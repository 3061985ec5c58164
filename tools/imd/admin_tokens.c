#include <sodium/randombytes.h>
#include <stdlib.h>

#include "core/mem.h"
#include "tools/imd/admin.h"
#include "tools/imd/job.h"
#include "tools/safe_json.h"

/* Tokens and invitations: secrets that are shown once and stored as their hashes. */

#define LIST_MAX 2000
/* A token is named by the beginning of its record's key, which tells nothing of the token. */
#define SHORT_KEY 12

/* Draws a secret; its record's key goes to job->key. */
static void draw(struct imd_job *job, char secret[IM_SECRET_MAX])
{
    uint8_t random[32];
    randombytes_buf(random, sizeof random);
    im_secret_write(random, secret);
    im_secret_key(im_str(secret), job->key);
}

static void tell(struct imd_job *job)
{
    imd_job_end(job, NULL);
}

/* token.create */

static void token_owner(struct imd_job *job)
{
    struct im_account account;
    struct im_record *row = job->op.records.rows;
    bool found = job->op.records.count > 0 && im_account_read(row->value, &account) && !account.deleted;
    uint64_t ms;
    free(row);
    if (!found) {
        imd_job_fail(job, IM_NO_SUCH_USER, "%s has no account; see: imctl help user add bot",
                     im_name_text(&job->name).p);
        return;
    }
    if (!imd_job_period(job, "expires", 0, &ms))
        return;
    char secret[IM_SECRET_MAX];
    struct im_token token = {.use = IM_TOKEN_API, .user = job->name, .created_ms = imd_job_now_ms()};
    struct im_str label = im_rpc_string(job->call, "label");
    if (label.len >= sizeof token.label) {
        imd_job_fail(job, IM_TOO_LONG, "label: at most %zu bytes", sizeof token.label - 1);
        return;
    }
    memcpy(token.label, label.p ? label.p : "", label.len);
    int64_t expires_ms = ms > 0 ? token.created_ms + (int64_t)ms : 0;
    draw(job, secret);
    im_token_write(&token, &job->value);
    job->result = json_object();
    im_json_set_text(job->result, "token", im_str(secret));
    im_json_set_text(job->result, "id", (struct im_str){job->key, SHORT_KEY});
    imd_job_time(job->result, "expires", expires_ms);
    job->op.put = (struct im_store_record_put){.record = {.kind = IM_RECORD_TOKEN,
                                                          .key = im_str(job->key),
                                                          .owner = im_name_key(&job->name),
                                                          .value = {im_out_data(&job->value), job->value.len},
                                                          .expires_ms = expires_ms}};
    imd_job_run(job, IM_STORE_RECORD_PUT, tell);
}

static void token_create(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    if (imd_job_user(job, "user"))
        imd_job_find(job, IM_RECORD_ACCOUNT, im_name_key(&job->name), token_owner);
}

/* token.list */

static json_t *token_row(const struct im_record *record, const struct im_token *token)
{
    static const char *const uses[] = {"session", "api", "hook"};
    json_t *row = json_object();
    im_json_set_text(row, "id",
                     (struct im_str){record->key.p, record->key.len < SHORT_KEY ? record->key.len : SHORT_KEY});
    im_json_set_text(row, "user", im_name_text(&token->user));
    im_json_set_text(row, "use", im_str(uses[token->use]));
    im_json_set_text(row, "device", record->name);
    im_json_set_text(row, "label", im_str(token->label));
    im_json_set_text(row, "to", token->use == IM_TOKEN_HOOK ? im_name_text(&token->to) : (struct im_str){0});
    imd_job_time(row, "created", token->created_ms);
    imd_job_time(row, "expires", record->expires_ms);
    return row;
}

static void tokens_listed(struct imd_job *job)
{
    struct im_store_records *records = &job->op.records;
    json_t *result = json_object(), *rows = json_array();
    for (size_t i = 0; i < records->count; i++) {
        struct im_token token;
        if (im_token_read(records->rows[i].value, &token))
            json_array_append_new(rows, token_row(&records->rows[i], &token));
    }
    json_object_set_new(result, "tokens", rows);
    json_object_set_new(result, "more", json_boolean(records->more));
    free(records->rows);
    imd_job_end(job, result);
}

static void token_list(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    bool one = im_rpc_string(call, "user").p != NULL;
    if (one && !imd_job_user(job, "user"))
        return;
    job->op.records = (struct im_store_records){
        .kind = IM_RECORD_TOKEN, .owner = one ? im_name_key(&job->name) : (struct im_str){0}, .limit = LIST_MAX};
    imd_job_run(job, IM_STORE_RECORDS, tokens_listed);
}

/* token.revoke */

static void token_dropped(struct imd_job *job)
{
    size_t sessions = im_core_revoke_token(job->imd->core, im_str(job->key));
    job->result = json_object();
    im_json_set_number(job->result, "sessions", sessions);
    tell(job);
}

static bool is_meant(struct im_str key, struct im_str id)
{
    return id.len >= 4 && key.len >= id.len && memcmp(key.p, id.p, id.len) == 0;
}

static void revoke_listed(struct imd_job *job)
{
    struct im_store_records *records = &job->op.records;
    struct im_str id = im_rpc_string(job->call, "id");
    size_t matches = 0;
    for (size_t i = 0; i < records->count; i++) {
        if (!is_meant(records->rows[i].key, id) || records->rows[i].key.len >= sizeof job->key)
            continue;
        matches++;
        memcpy(job->key, records->rows[i].key.p, records->rows[i].key.len);
        job->key[records->rows[i].key.len] = '\0';
    }
    free(records->rows);
    if (matches != 1) {
        imd_job_fail(job, IM_NOT_FOUND,
                     matches ? "several tokens begin with that; give more of the id"
                             : "no token with that id; see: imctl token list");
        return;
    }
    job->op.drop = (struct im_store_record_drop){.kind = IM_RECORD_TOKEN, .key = im_str(job->key)};
    imd_job_run(job, IM_STORE_RECORD_DROP, token_dropped);
}

static void token_revoke(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    job->op.records = (struct im_store_records){.kind = IM_RECORD_TOKEN, .limit = UINT32_MAX};
    imd_job_run(job, IM_STORE_RECORDS, revoke_listed);
}

/* invite.create, invite.list, invite.revoke */

static void invite_create(struct im_rpc_call *call)
{
    enum { WEEK_MS = 7 * 24 * 3600 * 1000 };
    struct imd_job *job = imd_job_new(call);
    char code[IM_SECRET_MAX];
    uint64_t uses = 1, ms;
    im_rpc_uint(call, "uses", &uses);
    if (uses == 0 || uses > 1000000) {
        imd_job_fail(job, IM_BAD_FIELD, "uses: 1 to 1000000");
        return;
    }
    if (!imd_job_period(job, "expires", WEEK_MS, &ms))
        return;
    struct im_invite invite = {.uses = (uint32_t)uses, .created_ms = imd_job_now_ms()};
    int64_t expires_ms = invite.created_ms + (int64_t)ms;
    draw(job, code);
    im_invite_write(&invite, &job->value);
    job->result = json_object();
    im_json_set_text(job->result, "code", im_str(code));
    im_json_set_text(job->result, "id", (struct im_str){job->key, SHORT_KEY});
    im_json_set_number(job->result, "uses", uses);
    imd_job_time(job->result, "expires", expires_ms);
    imd_job_put(job, IM_RECORD_INVITE, im_str(job->key), expires_ms, tell);
}

static void invites_listed(struct imd_job *job)
{
    struct im_store_records *records = &job->op.records;
    json_t *result = json_object(), *rows = json_array();
    for (size_t i = 0; i < records->count; i++) {
        struct im_invite invite;
        const struct im_record *r = &records->rows[i];
        if (!im_invite_read(r->value, &invite) || invite.uses == 0)
            continue;
        json_t *row = json_object();
        im_json_set_text(row, "id", (struct im_str){r->key.p, r->key.len < SHORT_KEY ? r->key.len : SHORT_KEY});
        im_json_set_number(row, "uses", invite.uses);
        imd_job_time(row, "created", invite.created_ms);
        imd_job_time(row, "expires", r->expires_ms);
        json_array_append_new(rows, row);
    }
    json_object_set_new(result, "invites", rows);
    free(records->rows);
    imd_job_end(job, result);
}

static void invite_list(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    job->op.records = (struct im_store_records){.kind = IM_RECORD_INVITE, .limit = LIST_MAX};
    imd_job_run(job, IM_STORE_RECORDS, invites_listed);
}

static void invite_found(struct imd_job *job)
{
    struct im_store_records *records = &job->op.records;
    struct im_str id = im_rpc_string(job->call, "id");
    bool found = false;
    for (size_t i = 0; i < records->count && !found; i++) {
        const struct im_record *r = &records->rows[i];
        found = is_meant(r->key, id) && r->key.len < sizeof job->key;
        if (found)
            memcpy(job->key, r->key.p, r->key.len);
    }
    free(records->rows);
    if (!found) {
        imd_job_fail(job, IM_NOT_FOUND, "no invitation with that id; see: imctl invite list");
        return;
    }
    job->op.drop = (struct im_store_record_drop){.kind = IM_RECORD_INVITE, .key = im_str(job->key)};
    imd_job_run(job, IM_STORE_RECORD_DROP, tell);
}

static void invite_revoke(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    job->op.records = (struct im_store_records){.kind = IM_RECORD_INVITE, .limit = UINT32_MAX};
    imd_job_run(job, IM_STORE_RECORDS, invite_found);
}

const struct im_rpc_command imd_token_commands[] = {
    {
        .name = "token.create",
        .section = IM_RPC_ACCOUNTS,
        .access = IM_RPC_WRITE,
        .args = {{"user", IM_RPC_USER, true, NULL, "Who logs in with it."},
                 {"label", IM_RPC_STRING, false, NULL, "What you call it, in the list."},
                 {"expires", IM_RPC_STRING, false, NULL, "After how long it ends, such as 30d; never unless given."}},
        .help = "Make a token that logs in as a user, for bots and scripts. It is told this once.",
        .usage = "USER [label=TEXT] [expires=TIME]",
        .example = "token create weather expires=365d",
        .show = "fields",
        .run = token_create,
    },
    {
        .name = "token.list",
        .section = IM_RPC_ACCOUNTS,
        .args = {{"user", IM_RPC_USER, false, NULL, "Only this user's."}},
        .help = "The tokens there are: of devices that signed in, of bots, of incoming webhooks.",
        .example = "token list weather",
        .show = "table tokens id user use device label to created expires",
        .run = token_list,
    },
    {
        .name = "token.revoke",
        .section = IM_RPC_ACCOUNTS,
        .access = IM_RPC_WRITE,
        .args = {{"id", IM_RPC_TOKEN, true, NULL, "From the list, or as much of it as is needed."}},
        .help = "End a token, and the sessions that came in with it.",
        .example = "token revoke 3fa9c2",
        .show = "fields",
        .run = token_revoke,
    },
    {
        .name = "invite.create",
        .section = IM_RPC_ACCOUNTS,
        .access = IM_RPC_WRITE,
        .args = {{"uses", IM_RPC_UINT, false, NULL, "How many may register with it; one unless given."},
                 {"expires", IM_RPC_STRING, false, NULL, "After how long it ends; 7d unless given."}},
        .help = "Make an invitation code, with which people register when auth.register is \"invite\". It is told "
                "this once.",
        .usage = "[uses=N] [expires=TIME]",
        .example = "invite create uses=30 expires=1d",
        .show = "fields",
        .run = invite_create,
    },
    {
        .name = "invite.list",
        .section = IM_RPC_ACCOUNTS,
        .help = "The invitations there are, and how often each may still be used.",
        .example = "invite list",
        .show = "table invites id uses created expires",
        .run = invite_list,
    },
    {
        .name = "invite.revoke",
        .section = IM_RPC_ACCOUNTS,
        .access = IM_RPC_WRITE,
        .args = {{"id", IM_RPC_INVITE, true, NULL, "From the list, or as much of it as is needed."}},
        .help = "End an invitation.",
        .example = "invite revoke 77b0",
        .show = "fields",
        .run = invite_revoke,
    },
    {.name = NULL},
};
