#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "core/inspect.h"
#include "core/mem.h"
#include "tools/imd/admin.h"
#include "tools/imd/tail.h"
#include "tools/safe_json.h"
#include "transports/hook.h"

/* Somebody who watches. Names that are not given are empty. */
struct imd_tail {
    struct imd_tail *prev, *next;
    struct im_rpc_call *call;
    bool log, bodies;
    struct im_name user, group;
    uint64_t session;        /* 0: any */
    struct im_str type;      /* the call's; absent: any */
    uint64_t left;           /* items to come; UINT64_MAX: without end */
    uint64_t items, dropped; /* in all */
    uint64_t untold;         /* dropped since the last item */
};

static struct imd *host(const struct im_rpc_call *call)
{
    return call->rpc->host;
}

/* Life. */

static void on_event(void *arg, const struct im_event *, uint64_t origin);

/* Any thread. */
static void wake(void *arg)
{
    imd_wake(arg);
}

/* Listens to what somebody asks for, and to nothing else. */
static void tap(struct imd *imd)
{
    bool events = false, log = false;
    for (const struct imd_tail *t = imd->tails; t; t = t->next) {
        events |= !t->log;
        log |= t->log;
    }
    im_core_tap(imd->core, events ? on_event : NULL, imd);
    im_log_file_tap(imd->log_file, log ? wake : NULL, imd);
}

static void end(struct im_rpc_call *call)
{
    struct imd_tail *t = call->state;
    struct imd *imd = host(call);
    json_t *result = json_object();
    im_json_set_number(result, "items", t->items);
    im_json_set_number(result, "dropped", t->dropped);
    DL_DELETE(imd->tails, t);
    free(t);
    tap(imd);
    im_rpc_result(call, result);
}

/* May be the end of the tail. */
static void say(struct imd_tail *t, json_t *item)
{
    if (t->untold > 0)
        im_json_set_number(item, "dropped", t->untold);
    if (im_rpc_item(t->call, item)) {
        t->items++;
        t->untold = 0;
        t->left -= t->left < UINT64_MAX;
    } else {
        t->dropped++;
        t->untold++;
    }
    if (t->left == 0)
        end(t->call);
}

/* Events. */

static bool wants_event(const struct imd_tail *t, const struct im_core *core, const struct im_event *e, uint64_t origin)
{
    const struct im_msg *m = &e->msg;
    if (t->type.p && !im_str_eq(t->type, im_str(im_hook_event_name(e->type))))
        return false;
    if (t->session > 0 && t->session != origin)
        return false;
    if (t->group.key_len > 0 && !im_str_eq(m->to_key, im_name_key(&t->group)))
        return false;
    return t->user.key_len == 0 || im_core_concerns(core, im_name_key(&t->user), m);
}

static void put_said(json_t *item, const struct im_msg *m, bool bodies)
{
    im_json_set_number(item, "bytes", m->body.len);
    if (m->mime.p)
        im_json_set_text(item, "mime", m->mime);
    if (bodies)
        json_object_set_new(item, "body", im_json_text(m->body));
}

static json_t *describe_event(const struct im_event *e, uint64_t origin, bool bodies)
{
    const struct im_msg *m = &e->msg;
    struct im_out time = {0};
    json_t *item = json_object();
    im_log_put_time(&time, m->ts_ms);
    im_json_set_text(item, "time", (struct im_str){im_out_data(&time), time.len});
    im_out_clear(&time);
    im_json_set_text(item, "type", im_str(im_hook_event_name(e->type)));
    json_object_set_new(item, "from", im_json_text(m->from));
    json_object_set_new(item, "to", im_json_text(m->to));
    im_json_set_number(item, "pos", m->pos);
    im_json_set_number(item, "seq", m->seq);
    if (m->ref > 0)
        im_json_set_number(item, "ref", m->ref);
    if (m->cid.p)
        json_object_set_new(item, "cid", im_json_text(m->cid));
    if (e->type == IM_EV_MEMBER)
        im_json_set_text(item, "change", im_str(im_change_info(m->change)->name));
    if (m->user.p)
        json_object_set_new(item, "user", im_json_text(m->user));
    if (m->body.len > 0)
        put_said(item, m, bodies);
    if (origin > 0)
        im_json_set_number(item, "session", origin);
    return item;
}

static void on_event(void *arg, const struct im_event *e, uint64_t origin)
{
    struct imd *imd = arg;
    struct imd_tail *t, *next;
    DL_FOREACH_SAFE(imd->tails, t, next)
    {
        if (!t->log && wants_event(t, imd->core, e, origin))
            say(t, describe_event(e, origin, t->bodies));
    }
}

/* Lines of the log. */

/* Does any field of the line say this name? */
static bool line_names(json_t *line, struct im_name *wanted)
{
    const char *key;
    json_t *value;
    struct im_name name;
    json_object_foreach(line, key, value)
    {
        struct im_str text = {json_string_value(value), json_string_length(value)};
        if (text.p && im_conv_parse(text, &name, NULL) == IM_OK && im_str_eq(im_name_key(&name), im_name_key(wanted)))
            return true;
    }
    return false;
}

static bool wants_line(struct imd_tail *t, json_t *line)
{
    const json_t *part = json_object_get(line, "sub"), *session = json_object_get(line, "session");
    if (t->type.p && !im_str_eq(t->type, (struct im_str){json_string_value(part), json_string_length(part)}))
        return false;
    if (t->session > 0 && (uint64_t)json_integer_value(session) != t->session)
        return false;
    return (t->user.key_len == 0 || line_names(line, &t->user)) &&
           (t->group.key_len == 0 || line_names(line, &t->group));
}

static void hand_out(struct imd *imd, json_t *line, uint64_t lost)
{
    struct imd_tail *t, *next;
    DL_FOREACH_SAFE(imd->tails, t, next)
    {
        if (!t->log)
            continue;
        t->dropped += lost;
        t->untold += lost;
        if (wants_line(t, line))
            say(t, json_copy(line));
    }
}

void imd_tail_lines(struct imd *imd)
{
    struct im_out lines = {0};
    uint64_t lost = im_log_file_take(imd->log_file, &lines);
    const char *p = im_out_data(&lines), *end = p + lines.len;
    for (const char *lf; p < end; p = lf + 1) {
        lf = memchr(p, '\n', (size_t)(end - p));
        json_t *line = json_loadb(p, (size_t)(lf - p), 0, NULL);
        if (line)
            hand_out(imd, line, lost);
        lost = 0;
        json_decref(line);
    }
    im_out_clear(&lines);
}

/* The command. */

static bool read_filter(struct im_rpc_call *call, struct imd_tail *t)
{
    struct im_error error = {0};
    struct im_str user = im_rpc_string(call, "user"), group = im_rpc_string(call, "group");
    if (user.p && im_name_parse(user, &t->user, &error) != IM_OK)
        im_rpc_fail(call, IM_BAD_ID, "user: %s", error.detail);
    else if (group.p && (im_conv_parse(group, &t->group, &error) != IM_OK || !im_conv_is_group(im_name_key(&t->group))))
        im_rpc_fail(call, IM_BAD_ID, "group: the name of a group begins with '#' (which a shell wants quoted)");
    else
        return true;
    return false;
}

static void tail(struct im_rpc_call *call)
{
    struct imd *imd = host(call);
    struct imd_tail t = {.call = call, .left = UINT64_MAX, .type = im_rpc_string(call, "type")};
    t.log = im_str_eq(im_rpc_string(call, "what"), IM_STR("log"));
    t.bodies = im_str_eq(im_rpc_string(call, "bodies"), IM_STR("yes"));
    im_rpc_uint(call, "session", &t.session);
    im_rpc_uint(call, "count", &t.left);
    if (!t.log && !call->peer.may_write) {
        im_rpc_fail(call, IM_FORBIDDEN,
                    "tail events shows who writes to whom, and this socket is for reading only how the server is");
        return;
    }
    if (t.left == 0) {
        im_rpc_fail(call, IM_BAD_FIELD, "count must be at least 1");
        return;
    }
    if (!read_filter(call, &t) || !im_rpc_stream(call, end))
        return;
    IM_LOG(imd->log, IM_LOG_INFO, "admin", "tail", IM_KS("of", t.log ? "log" : "events"),
           IM_KS("bodies", t.bodies ? "yes" : "no"), IM_KV("user", im_name_text(&t.user)),
           IM_KV("group", im_name_text(&t.group)), IM_KN("by_uid", call->peer.uid));
    struct imd_tail *kept = im_alloc(sizeof *kept);
    *kept = t;
    call->state = kept;
    DL_APPEND(imd->tails, kept);
    tap(imd);
}

const struct im_rpc_command imd_tail_commands[] = {
    {
        .name = "tail",
        .section = IM_RPC_SEE,
        .args = {{"what", IM_RPC_STRING, true, "events|log", "What people do, or what the server logs."},
                 {"user", IM_RPC_USER, false, NULL, "Only what this user writes or gets; lines that name it."},
                 {"group", IM_RPC_GROUP, false, NULL, "Only of this group; lines that name it."},
                 {"session", IM_RPC_SESSION, false, NULL, "Only what came in through this session; lines about it."},
                 {"type", IM_RPC_STRING, false, NULL,
                  "Of events msg, edit, delete, react or member; of the log a part of the server."},
                 {"count", IM_RPC_UINT, false, NULL, "End after so many."},
                 {"bodies", IM_RPC_STRING, false, "no|yes", "Show what people write; that is written to the log."}},
        .help = "Committed events, or lines of the log, as they come, until it is interrupted. Who asks is written to "
                "the log. What is not read in time is left out, and the next item says how many were. Events are not "
                "for the read-only socket.",
        .usage = "events|log [--user U] [--group G] [--session N] [--type T] [--count N] [--bodies]",
        .example = "tail events --group '#tea' --type msg",
        .show = "line time type from to",
        .patient = true,
        .run = tail,
    },
    {.name = NULL},
};
