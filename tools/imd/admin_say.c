#include "tools/imd/admin.h"
#include "tools/imd/filter.h"
#include "tools/imd/job.h"
#include "tools/safe_json.h"
#include "transports/transports.h"

/* What operators say to users: to those who are here now, or for good. */

static bool read_text(struct im_rpc_call *call, struct im_str *text)
{
    const struct imd *imd = call->rpc->host;
    *text = im_rpc_string(call, "text");
    if (text->len > 0 && text->len <= imd->config->text_bytes)
        return true;
    im_rpc_fail(call, text->len ? IM_TOO_LONG : IM_BAD_FIELD, "text: from 1 to %llu bytes",
                (unsigned long long)imd->config->text_bytes);
    return false;
}

/* broadcast */

static bool is_meant(const void *filter, const struct im_session_view *view)
{
    return imd_filter_match(filter, view);
}

static bool read_audience(struct im_rpc_call *call, struct im_core_audience *who, struct im_name *group,
                          struct im_name *user, struct imd_filter *filter)
{
    struct im_str to = im_rpc_string(call, "group"), one = im_rpc_string(call, "user"),
                  transport = im_rpc_string(call, "transport");
    struct im_error error = {0};
    enum im_reason reason = IM_OK;
    if (to.p && (reason = im_conv_parse(to, group, &error)) == IM_OK && !im_conv_is_group(im_name_key(group)))
        reason = im_fail(&error, IM_BAD_ID, "the name of a group begins with '#' (which a shell wants quoted)");
    if (reason == IM_OK && one.p)
        reason = im_name_parse(one, user, &error);
    if (reason == IM_OK && transport.p && !im_transport_find(transport.p))
        reason = im_fail(&error, IM_BAD_FIELD, "no transport \"%.40s\"", transport.p);
    if (reason == IM_OK)
        reason = imd_filter_parse(im_rpc_string(call, "filter"), filter, &error);
    if (reason != IM_OK) {
        im_rpc_fail(call, reason, "%s", error.detail);
        return false;
    }
    *who = (struct im_core_audience){.group = to.p ? im_name_key(group) : (struct im_str){0},
                                     .user = one.p ? im_name_key(user) : (struct im_str){0},
                                     .transport = transport.p,
                                     .match = filter->count > 0 ? is_meant : NULL,
                                     .arg = filter};
    return true;
}

static void broadcast(struct im_rpc_call *call)
{
    struct imd *imd = call->rpc->host;
    struct im_core_audience who;
    struct im_name group, user;
    struct imd_filter filter;
    struct im_str text;
    if (!read_text(call, &text) || !read_audience(call, &who, &group, &user, &filter))
        return;
    imd_clock(imd);
    json_t *result = json_object();
    im_json_set_number(result, "sessions", im_core_broadcast(imd->core, &who, text, imd_is_dry(call)));
    im_rpc_result(call, result);
}

/* send */

static void sent(struct imd_job *job)
{
    json_t *result = json_object();
    im_json_set_text(result, "from", im_name_text(&job->name));
    im_json_set_text(result, "to", im_name_text(&job->other));
    im_json_set_number(result, "seq", job->seq);
    im_json_set_number(result, "pos", job->pos); /* for `why` */
    imd_job_end(job, result);
}

static void send_message(struct im_rpc_call *call)
{
    struct im_str text;
    struct im_error error = {0};
    if (!read_text(call, &text))
        return;
    struct imd_job *job = imd_job_new(call);
    if (!imd_job_user(job, "from"))
        return;
    if (im_conv_parse(im_rpc_string(call, "to"), &job->other, &error) != IM_OK) {
        imd_job_fail(job, IM_BAD_ID, "to: %s", error.detail);
        return;
    }
    struct im_msg msg = {.kind = im_conv_is_group(im_name_key(&job->other)) ? IM_CONV_GROUP : IM_CONV_DIRECT,
                         .from = im_name_text(&job->name),
                         .from_key = im_name_key(&job->name),
                         .to = im_name_text(&job->other),
                         .to_key = im_name_key(&job->other),
                         .body = text,
                         .bot = true};
    imd_clock(job->imd);
    imd_job_append(job, IM_EV_MSG, &msg, sent);
}

const struct im_rpc_command imd_say_commands[] = {
    {
        .name = "broadcast",
        .access = IM_RPC_WRITE,
        .args = {{"text", IM_RPC_PRIVATE, true, NULL, "What to say."},
                 {"group", IM_RPC_GROUP, false, NULL, "Only to members of this group."},
                 {"user", IM_RPC_ONLINE, false, NULL, "Only to this user."},
                 {"transport", IM_RPC_STRING, false, "websocket|line|unix", "Only to those who came over it."},
                 {"filter", IM_RPC_STRING, false, NULL, "Only to sessions that it lets through; as of sessions."},
                 IMD_DRY_ARG},
        .help = "Show a notice to everybody who is here now. It is kept nowhere: who is away does not get it. -n only "
                "tells how many it would reach.",
        .usage = "TEXT [--group GROUP] [--user USER] [--transport NAME] [--filter EXPR]",
        .example = "broadcast \"Back in five minutes.\" --transport websocket",
        .show = "fields",
        .run = broadcast,
    },
    {
        .name = "send",
        .access = IM_RPC_WRITE,
        .args = {{"from", IM_RPC_USER, true, NULL, "Whose message it is: an id of your own for this, shown as a bot."},
                 {"to", IM_RPC_TARGET, true, NULL, "A user, or a group that the sender is in."},
                 {"text", IM_RPC_PRIVATE, true, NULL, "The message."}},
        .help = "Send a message in the name of a user. It is one like any other: kept, and waiting for who is away.",
        .example = "send helpdesk 小明 \"Your new password is on its way.\"",
        .show = "fields",
        .run = send_message,
    },
    {.name = NULL},
};
