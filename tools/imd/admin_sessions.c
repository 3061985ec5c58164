#include <inttypes.h>
#include <stdlib.h>

#include "core/inspect.h"
#include "core/mem.h"
#include "tools/imd/admin.h"
#include "tools/imd/daemon.h"
#include "tools/imd/job.h"
#include "tools/safe_json.h"

/* How single sessions do: one in full, those that are behind, those that have to wait. */

#define QUEUES_DEFAULT 50
#define QUEUES_MAX     1000
/* Of a device's queue, so much is looked at to count it. */
#define COUNT_MAX   1000
#define COUNT_BYTES (1u << 20)

static struct imd *host(const struct im_rpc_call *call)
{
    return call->rpc->host;
}

/* session */

static json_t *states(const struct im_session_detail *d)
{
    json_t *list = json_array();
    for (size_t i = 0; i < d->history_count; i++) {
        json_t *step = json_object();
        im_json_set_text(step, "state", im_str(d->history[i].state));
        im_json_set_number(step, "ago_ms", d->history[i].ago_ms);
        json_array_append_new(list, step);
    }
    return list;
}

static double per_second(uint64_t n, uint64_t ms)
{
    return (double)(n * 10000 / (ms > 0 ? ms : 1)) / 10;
}

static void session(struct im_rpc_call *call)
{
    struct im_session_detail d;
    uint64_t id = 0;
    im_rpc_uint(call, "session", &id);
    imd_clock(host(call));
    if (!im_core_session(host(call)->core, id, &d)) {
        im_rpc_fail(call, IM_NO_SUCH_SESSION, "no session %" PRIu64 "; see: imctl sessions", id);
        return;
    }
    json_t *result = imd_describe_session(&d.view);
    im_json_set_text(result, "seat", im_str(d.seat));
    im_json_set_text(result, "token", d.by);
    im_json_set_text(result, "tls_version", im_str(d.tls_version));
    im_json_set_text(result, "tls_cipher", im_str(d.tls_cipher));
    im_json_set_number(result, "head", d.head);
    im_json_set_number(result, "cursor_stored", d.stored);
    json_object_set_new(result, "commands_per_second", json_real(per_second(d.view.commands, d.view.age_ms)));
    json_object_set_new(result, "sent_per_second", json_real(per_second(d.view.sent, d.view.age_ms)));
    im_json_set_number(result, "inflight", d.inflight);
    im_json_set_number(result, "reads", d.reads);
    json_object_set_new(result, "throttled", json_boolean(d.view.throttled));
    im_json_set_number(result, "rate_left", d.tokens);
    im_json_set_number(result, "rate_burst", d.burst);
    im_json_set_number(result, "rate_low_ms", d.flood_ms);
    im_json_set_number(result, "watches", d.watches);
    json_object_set_new(result, "states", states(&d));
    im_rpc_result(call, result);
}

/* queues: the sessions that are behind, the furthest first. For each, the store tells how old the oldest event is that
 * it has not got. */

struct queues {
    struct im_session_view *views; /* good while the core is not called */
    size_t count, room;
};

static bool collect(void *arg, const struct im_session_view *v)
{
    struct queues *q = arg;
    if (v->behind == 0 && v->queued == 0)
        return true;
    if (q->count == q->room) {
        q->room = q->room ? q->room * 2 : 64;
        q->views = im_realloc(q->views, q->room * sizeof *q->views);
    }
    q->views[q->count++] = *v;
    return true;
}

static int by_distance(const void *a, const void *b)
{
    const struct im_session_view *x = a, *y = b;
    if (x->behind != y->behind)
        return x->behind < y->behind ? 1 : -1;
    return (x->queued < y->queued) - (x->queued > y->queued);
}

static json_t *queue_row(const struct im_session_view *v)
{
    json_t *row = json_object();
    im_json_set_number(row, "session", v->id);
    im_json_set_text(row, "user", v->user);
    im_json_set_text(row, "device", v->device);
    im_json_set_text(row, "state", im_str(v->state));
    im_json_set_number(row, "for_ms", v->state_ms);
    im_json_set_number(row, "behind", v->behind);
    im_json_set_number(row, "queued_bytes", v->queued);
    im_json_set_number(row, "cursor", v->cursor);
    return row;
}

static void read_queue(struct imd_job *job, uint64_t after, uint32_t limit, void (*next)(struct imd_job *))
{
    job->op.since =
        (struct im_store_since){.key = im_name_key(&job->name), .after = after, .limit = limit, .bytes = COUNT_BYTES};
    imd_job_run(job, IM_STORE_SINCE, next);
}

/* Sets what the store has found of the device's queue. */
static void put_waiting(struct imd_job *job, json_t *row, bool count)
{
    struct im_store_since *op = &job->op.since;
    uint64_t now = (uint64_t)imd_job_now_ms();
    if (op->count > 0) {
        uint64_t ts = (uint64_t)op->events[0]->msg.ts_ms;
        im_json_set_number(row, "oldest_ms", now > ts ? now - ts : 0);
    } else {
        json_object_set_new(row, "oldest_ms", json_null());
    }
    if (count)
        im_json_set_number(row, "waiting", op->count);
    for (size_t i = 0; i < op->count; i++)
        im_event_drop(&op->events[i]);
    free(op->events);
}

static void next_session(struct imd_job *job);

static void session_found(struct imd_job *job)
{
    put_waiting(job, json_array_get(json_object_get(job->result, "queues"), job->step++), false);
    next_session(job);
}

static void next_session(struct imd_job *job)
{
    const json_t *row = json_array_get(json_object_get(job->result, "queues"), job->step), *user;
    for (; row && !json_is_string(user = json_object_get(row, "user"));)
        row = json_array_get(json_object_get(job->result, "queues"), ++job->step);
    if (row == NULL) {
        imd_job_end(job, NULL);
        return;
    }
    im_name_parse((struct im_str){json_string_value(user), json_string_length(user)}, &job->name, NULL);
    read_queue(job, (uint64_t)json_integer_value(json_object_get(row, "cursor")), 1, session_found);
}

static void all_queues(struct imd_job *job, uint64_t limit)
{
    struct queues q = {0};
    json_t *rows = json_array();
    imd_clock(job->imd);
    im_core_sessions(job->imd->core, collect, &q);
    if (q.count > 0)
        qsort(q.views, q.count, sizeof *q.views, by_distance);
    for (size_t i = 0; i < q.count && i < limit; i++)
        json_array_append_new(rows, queue_row(&q.views[i]));
    job->result = json_object();
    json_object_set_new(job->result, "queues", rows);
    im_json_set_number(job->result, "total", q.count);
    free(q.views);
    next_session(job);
}

/* queues USER: its devices, here or not. */

static void next_device(struct imd_job *job);

static void device_found(struct imd_job *job)
{
    json_t *row = json_array_get(json_object_get(job->result, "queues"), job->step++);
    json_object_set_new(row, "more", json_boolean(job->op.since.count == COUNT_MAX));
    put_waiting(job, row, true);
    next_device(job);
}

static void next_device(struct imd_job *job)
{
    const json_t *row = json_array_get(json_object_get(job->result, "queues"), job->step);
    if (row == NULL) {
        imd_job_end(job, NULL);
        return;
    }
    read_queue(job, (uint64_t)json_integer_value(json_object_get(row, "cursor")), COUNT_MAX, device_found);
}

static json_t *device_row(const struct imd_job *job, const struct im_device_row *d)
{
    struct im_device_here here = im_core_device(job->imd->core, im_name_key(&job->name), d->name);
    json_t *row = json_object();
    json_object_set_new(row, "session", here.here ? im_json_number(here.session) : json_null());
    im_json_set_text(row, "user", im_name_text(&job->name));
    im_json_set_text(row, "device", d->name);
    json_object_set_new(row, "state", json_string(!here.here ? "away" : here.live ? "live" : "behind"));
    im_json_set_number(row, "queued_bytes", here.queued);
    im_json_set_number(row, "cursor", d->cursor);
    imd_job_time(row, "seen", d->seen_ms);
    return row;
}

static void devices_found(struct imd_job *job)
{
    struct im_store_devices *d = &job->op.devices;
    json_t *rows = json_array();
    for (size_t i = 0; i < d->count; i++)
        json_array_append_new(rows, device_row(job, &d->rows[i]));
    free(d->rows);
    job->result = json_object();
    json_object_set_new(job->result, "queues", rows);
    next_device(job);
}

static void queues(struct im_rpc_call *call)
{
    uint64_t limit = QUEUES_DEFAULT;
    if (im_rpc_uint(call, "limit", &limit) && limit > QUEUES_MAX) {
        im_rpc_fail(call, IM_BAD_FIELD, "limit must be at most %d", QUEUES_MAX);
        return;
    }
    struct imd_job *job = imd_job_new(call);
    if (!im_rpc_string(call, "user").p) {
        all_queues(job, limit);
    } else if (imd_job_user(job, "user")) {
        job->op.devices = (struct im_store_devices){.key = im_name_key(&job->name)};
        imd_job_run(job, IM_STORE_DEVICES, devices_found);
    }
}

/* limits */

static json_t *limit_row(const char *what, struct im_str who)
{
    json_t *row = json_object();
    im_json_set_text(row, "what", im_str(what));
    json_object_set_new(row, "who", im_json_text(who));
    return row;
}

static bool list_held(void *arg, const struct im_session_view *v)
{
    if (v->held == NULL)
        return true;
    json_t *row = limit_row("session", v->user.p ? v->user : v->address);
    im_json_set_number(row, "session", v->id);
    im_json_set_text(row, "why", im_str(v->held));
    json_array_append_new(arg, row);
    return true;
}

static bool list_wait(void *arg, const struct im_wait_view *w)
{
    json_t *row = limit_row(w->what, w->who);
    im_json_set_text(row, "why", im_str(w->failures > 0 ? "failed logins" : "rate"));
    im_json_set_number(row, "wait_ms", w->wait_ms);
    if (w->failures > 0)
        im_json_set_number(row, "failures", w->failures);
    json_array_append_new(arg, row);
    return true;
}

static void limits(struct im_rpc_call *call)
{
    json_t *rows = json_array(), *result = json_object();
    imd_clock(host(call));
    im_core_sessions(host(call)->core, list_held, rows);
    im_core_waits(host(call)->core, list_wait, rows);
    json_object_set_new(result, "throttled", rows);
    im_rpc_result(call, result);
}

const struct im_rpc_command imd_session_commands[] = {
    {
        .name = "session",
        .section = IM_RPC_SEE,
        .args = {{"session", IM_RPC_SESSION, true, NULL, "Its number."}},
        .help =
            "All about one session: whose, from where, over what; how far it is in the log and what waits to leave; "
            "what it asks and gets, and what of its rate is left; the states it went through.",
        .example = "session 17",
        .show = "fields",
        .run = session,
    },
    {
        .name = "queues",
        .section = IM_RPC_SEE,
        .args = {{"user", IM_RPC_USER, false, NULL, "This user's devices, also those that are away."},
                 {"limit", IM_RPC_UINT, false, NULL, "At most so many, 50 unless told otherwise."}},
        .help = "Who is behind, the furthest first: by how many positions of the log, with how much waiting to leave, "
                "and how old the oldest event is that has not arrived. Of a user: how many events wait for each "
                "device, up to 1000.",
        .example = "queues 小明",
        .show = "table queues session user device state behind waiting queued_bytes oldest_ms cursor",
        .none = "Nobody is behind.",
        .run = queues,
    },
    {
        .name = "limits",
        .section = IM_RPC_SEE,
        .help = "Who is being slowed down now: sessions that are not read from, with the reason (rate, queue, login, "
                "read, inflight, ending); addresses and accounts that must wait after failed logins; webhooks beyond "
                "their rate.",
        .example = "limits",
        .show = "table throttled what who session why failures wait_ms",
        .none = "Nobody is being slowed down.",
        .run = limits,
    },
    {.name = NULL},
};
