#include <event2/event.h>
#include <stdlib.h>

#include "core/ban.h"
#include "tools/imd/admin.h"
#include "tools/imd/job.h"
#include "tools/safe_json.h"

/* Bans of users and networks, and mutes. The store keeps them; the core is told when they are kept. */

/* At the start. */

struct loading {
    struct im_store_records op;
    struct imd *imd;
    bool over;
};

static void loaded(struct im_store_op *op)
{
    struct loading *l = op->owner;
    size_t closed;
    l->over = true;
    for (size_t i = 0; i < l->op.count; i++) {
        struct im_ban ban;
        if (!im_ban_read(l->op.rows[i].key, l->op.rows[i].value, &ban) || !imd_ban(l->imd, &ban, &closed))
            IM_LOG(l->imd->log, IM_LOG_ERROR, "core", "a ban is not understood", IM_KV("key", l->op.rows[i].key));
    }
    free(l->op.rows);
}

enum im_reason imd_bans_load(struct imd *imd, struct im_error *error)
{
    struct loading l = {.imd = imd};
    l.op = (struct im_store_records){
        .op = {.kind = IM_STORE_RECORDS, .done = loaded, .owner = &l}, .kind = IM_RECORD_BAN, .limit = IM_BANS_MAX};
    im_store_submit(imd->store, &l.op.op);
    while (!l.over)
        event_base_loop(imd->base, EVLOOP_ONCE);
    if (l.op.op.status == IM_OK)
        return IM_OK;
    return im_fail(error, l.op.op.status, "the bans cannot be read from the store");
}

/* Whom it is about. */

/* A word may be an address or an id; one that is an address is taken as that. */
static bool read_whom(struct im_rpc_call *call, enum im_ban_kind kind, struct im_ban *ban)
{
    struct im_str who = im_rpc_string(call, "who"), user = im_rpc_string(call, "user");
    struct im_error error = {0}, no_net = {0};
    if ((who.p != NULL) == (user.p != NULL)) {
        im_rpc_fail(call, IM_BAD_FIELD, "say whom: a user, an address or a network, or user=NAME");
        return false;
    }
    ban->kind = kind;
    if (kind == IM_BAN_USER && who.p && im_ban_net(who, ban, &no_net) == IM_OK)
        return true;
    ban->kind = kind;
    if (im_name_parse(who.p ? who : user, &ban->user, &error) == IM_OK)
        return true;
    bool net = who.p && (memchr(who.p, '/', who.len) || memchr(who.p, ':', who.len));
    im_rpc_fail(call, net ? IM_BAD_FIELD : IM_BAD_ID, "%s", net ? no_net.detail : error.detail);
    return false;
}

static json_t *describe(const struct im_ban *ban)
{
    char buffer[IM_BAN_KEY_MAX];
    struct im_str key = im_ban_key(ban, buffer);
    json_t *row = json_object();
    im_json_set_text(row, "kind", im_str(im_ban_kind_name(ban->kind)));
    im_json_set_text(row, "who",
                     ban->kind == IM_BAN_NET ? (struct im_str){key.p + 4, key.len - 4} : im_name_text(&ban->user));
    im_json_set_text(row, "reason", im_str(ban->why));
    imd_job_time(row, "since", ban->since_ms);
    imd_job_time(row, "until", ban->until_ms);
    im_json_set_number(row, "by_uid", ban->by_uid);
    return row;
}

static void put_done(struct imd_job *job)
{
    struct im_ban ban;
    size_t closed = 0;
    struct im_str value = {im_out_data(&job->value), job->value.len};
    imd_clock(job->imd);
    if (!im_ban_read(im_str(job->text), value, &ban) || !imd_ban(job->imd, &ban, &closed)) {
        imd_job_fail(job, IM_TOO_MANY, "there are as many bans as the server takes");
        return;
    }
    json_t *result = describe(&ban);
    im_json_set_number(result, "closed", closed);
    imd_job_end(job, result);
}

static bool read_why(struct im_rpc_call *call, struct im_ban *ban)
{
    struct im_str why = im_rpc_string(call, "reason");
    if (why.len > IM_BAN_WHY_MAX || (why.p && im_str_control(why))) {
        im_rpc_fail(call, IM_BAD_FIELD, "reason: at most %d bytes, no control characters", IM_BAN_WHY_MAX);
        return false;
    }
    memcpy(ban->why, why.p ? why.p : "", why.len);
    return true;
}

static void put(struct im_rpc_call *call, enum im_ban_kind kind)
{
    struct im_ban ban = {.by_uid = call->peer.uid, .since_ms = imd_job_now_ms()};
    uint64_t for_ms;
    char key[IM_BAN_KEY_MAX];
    struct imd *imd = call->rpc->host;
    if (!read_whom(call, kind, &ban) || !read_why(call, &ban) || !imd_read_period(call, "for", 0, &for_ms))
        return;
    if (im_core_bans(imd->core)->count >= IM_BANS_MAX) {
        im_rpc_fail(call, IM_TOO_MANY, "there are %d bans, which is all the server takes", IM_BANS_MAX);
        return;
    }
    if (for_ms > 0)
        ban.until_ms = ban.since_ms + (int64_t)for_ms;
    struct imd_job *job = imd_job_new(call);
    imd_job_text(job, im_ban_key(&ban, key));
    im_ban_write(&ban, &job->value);
    job->op.put = (struct im_store_record_put){.record = {.kind = IM_RECORD_BAN,
                                                          .key = im_str(job->text),
                                                          .value = {im_out_data(&job->value), job->value.len},
                                                          .expires_ms = ban.until_ms}};
    imd_job_run(job, IM_STORE_RECORD_PUT, put_done);
}

static void ban_add(struct im_rpc_call *call)
{
    put(call, IM_BAN_USER);
}

static void mute(struct im_rpc_call *call)
{
    put(call, IM_BAN_MUTE);
}

static void drop_done(struct imd_job *job)
{
    bool held = imd_unban(job->imd, im_str(job->text));
    const char *slash = strchr(job->text, '/'); /* KIND/WHO */
    json_t *result = json_object();
    im_json_set_text(result, "kind", (struct im_str){job->text, (size_t)(slash - job->text)});
    im_json_set_text(result, "who", im_str(slash + 1));
    json_object_set_new(result, "ended", json_true());
    if (job->op.drop.count > 0 || held) {
        imd_job_end(job, result);
        return;
    }
    json_decref(result);
    imd_job_fail(job, IM_NOT_FOUND, "there is no such ban; see: imctl ban list");
}

static void drop(struct im_rpc_call *call, enum im_ban_kind kind)
{
    struct im_ban ban = {0};
    char key[IM_BAN_KEY_MAX];
    if (!read_whom(call, kind, &ban))
        return;
    struct imd_job *job = imd_job_new(call);
    imd_job_text(job, im_ban_key(&ban, key));
    job->op.drop = (struct im_store_record_drop){.kind = IM_RECORD_BAN, .key = im_str(job->text)};
    imd_job_run(job, IM_STORE_RECORD_DROP, drop_done);
}

static void ban_del(struct im_rpc_call *call)
{
    drop(call, IM_BAN_USER);
}

static void unmute(struct im_rpc_call *call)
{
    drop(call, IM_BAN_MUTE);
}

static void ban_list(struct im_rpc_call *call)
{
    const struct imd *imd = call->rpc->host;
    const struct im_bans *bans = im_core_bans(imd->core);
    json_t *rows = json_array();
    int64_t now = imd_job_now_ms();
    for (size_t i = 0; i < bans->count; i++)
        if (bans->rows[i].until_ms == 0 || bans->rows[i].until_ms > now)
            json_array_append_new(rows, describe(&bans->rows[i]));
    im_rpc_result(call, json_pack("{s:o}", "bans", rows));
}

#define FOR_ARG                                                                                                        \
    {                                                                                                                  \
        "for", IM_RPC_STRING, false, NULL, "How long, such as 2h or 30d; for good unless given."                       \
    }
#define WHY_ARG                                                                                                        \
    {                                                                                                                  \
        "reason", IM_RPC_STRING, false, NULL, "Why: told to whom it is about."                                         \
    }
#define WHO_ARG                                                                                                        \
    {                                                                                                                  \
        "who", IM_RPC_USER, false, NULL, "A user's id, an IP address, or a network such as 192.0.2.0/24."              \
    }
#define USER_ARG                                                                                                       \
    {                                                                                                                  \
        "user", IM_RPC_USER, false, NULL, "A user's id, even if it looks like an address."                             \
    }

const struct im_rpc_command imd_ban_commands[] = {
    {
        .name = "ban.add",
        .access = IM_RPC_WRITE,
        .args = {WHO_ARG, FOR_ARG, WHY_ARG, USER_ARG},
        .help = "Let a user, an address or a network not in any more. Sessions that are here are closed.",
        .usage = "USER|ADDRESS|NETWORK [--for TIME] [--reason TEXT]",
        .example = "ban add 192.0.2.0/24 --for 2h --reason \"too many logins\"",
        .show = "fields",
        .run = ban_add,
    },
    {
        .name = "ban.list",
        .help = "The bans and mutes that hold now.",
        .example = "ban list",
        .show = "table bans kind who since until by_uid reason",
        .run = ban_list,
    },
    {
        .name = "ban.del",
        .access = IM_RPC_WRITE,
        .args = {WHO_ARG, USER_ARG},
        .help = "End a ban of a user, an address or a network.",
        .usage = "USER|ADDRESS|NETWORK",
        .example = "ban del 192.0.2.0/24",
        .show = "fields",
        .run = ban_del,
    },
    {
        .name = "mute",
        .access = IM_RPC_WRITE,
        .args = {{"user", IM_RPC_USER, true, NULL, "The user's id."}, FOR_ARG, WHY_ARG},
        .help = "Let a user read, and not write, anywhere.",
        .usage = "USER [--for TIME] [--reason TEXT]",
        .example = "mute 小明 --for 1h",
        .show = "fields",
        .run = mute,
    },
    {
        .name = "unmute",
        .access = IM_RPC_WRITE,
        .args = {{"user", IM_RPC_USER, true, NULL, "The user's id."}},
        .help = "Let a muted user write again.",
        .example = "unmute 小明",
        .show = "fields",
        .run = unmute,
    },
    {.name = NULL},
};
