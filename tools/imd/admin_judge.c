#include <inttypes.h>

#include "tools/imd/admin.h"
#include "tools/imd/hooks.h"
#include "tools/imd/job.h"
#include "tools/imd/judge.h"
#include "tools/imd/usage.h"
#include "tools/safe_json.h"
#include "transports/gate.h"
#include "transports/listener.h"

/* check: one figure against its bounds, for programs that watch. */

static uint64_t percent(uint64_t part, uint64_t whole)
{
    return whole ? part * 100 / whole : 100;
}

static uint64_t descriptors_percent(const struct imd *imd)
{
    struct imd_usage usage;
    imd_usage_look(&usage);
    return percent(im_gate_count(imd->env.gate), usage.descriptors_max);
}

uint64_t imd_disk_free_percent(void)
{
    struct imd_usage usage;
    imd_usage_look(&usage);
    return usage.disk_bytes ? percent(usage.disk_free_bytes, usage.disk_bytes) : 0;
}

static uint64_t disk_percent(const struct imd *imd)
{
    (void)imd;
    return imd_disk_free_percent();
}

bool imd_certificate_days(const struct imd *imd, uint64_t *days)
{
    int64_t left = INT64_MAX, now_s = imd_job_now_ms() / 1000;
    for (size_t i = 0; i < imd->listener_count; i++) {
        int64_t ends = imd->listeners[i].listener ? im_listener_tls_ends(imd->listeners[i].listener) : 0;
        if (ends > 0 && (ends - now_s) / 86400 < left)
            left = (ends - now_s) / 86400;
    }
    *days = left < 0 ? 0 : (uint64_t)left;
    return left < INT64_MAX;
}

#define NEVER UINT32_MAX /* a bound that is not reached; a value that is not there */

static uint64_t certificate_days(const struct imd *imd)
{
    uint64_t days;
    return imd_certificate_days(imd, &days) ? days : NEVER;
}

static uint64_t store_state(const struct imd *imd)
{
    return imd_store_failed(imd) ? 2 : imd_store_full(imd);
}

static uint64_t users_now(const struct imd *imd)
{
    struct im_online online;
    im_core_online(imd->core, &online);
    return online.users;
}

static uint64_t sessions_now(const struct imd *imd)
{
    struct im_online online;
    im_core_online(imd->core, &online);
    return online.sessions;
}

static bool count_held(void *arg, const struct im_session_view *view)
{
    *(uint64_t *)arg += view->throttled;
    return true;
}

static uint64_t throttled_now(const struct imd *imd)
{
    uint64_t n = 0;
    im_core_sessions(imd->core, count_held, &n);
    return n;
}

static uint64_t connections_percent(const struct imd *imd)
{
    return percent(im_gate_count(imd->env.gate), imd->config->connections);
}

static uint64_t memory_mib(const struct imd *imd)
{
    struct imd_usage usage;
    (void)imd;
    imd_usage_look(&usage);
    return usage.resident_bytes >> 20;
}

/* Those that were not accepted the last time, or were given up. */
bool imd_hook_is_ill(const struct imd_hook *hook)
{
    struct im_hook_view v = {0};
    if (hook->running)
        im_hook_look(hook->running, &v);
    return v.failures > 0 || hook->rule.gone;
}

static uint64_t hooks_ill(const struct imd *imd)
{
    uint64_t n = 0;
    for (const struct imd_hook *hook = imd_hooks_first(imd->hooks); hook; hook = hook->next)
        n += imd_hook_is_ill(hook);
    return n;
}

static const char *const store_words[] = {"works", "the disk is full", "has failed"};

static const struct {
    const char *name, *unit, *what;
    uint64_t warn, crit;
    bool low_is_bad;
    uint64_t (*value)(const struct imd *);
    const char *const *words; /* what its values mean; NULL: it is a number */
} figures[] = {
    {"users", "", "users online", NEVER, NEVER, false, users_now, NULL},
    {"sessions", "", "sessions that are logged in", NEVER, NEVER, false, sessions_now, NULL},
    {"connections", "%", "of limits.connections in use", 80, 95, false, connections_percent, NULL},
    {"descriptors", "%", "of the descriptors in use by clients", 80, 95, false, descriptors_percent, NULL},
    {"throttled", "", "sessions slowed down for their rate", NEVER, NEVER, false, throttled_now, NULL},
    {"memory", "MB", "of memory in use", NEVER, NEVER, false, memory_mib, NULL},
    {"disk", "%", "of the store's file system free", 10, 5, true, disk_percent, NULL},
    {"certificate", "d", "until the first certificate ends", 14, 3, true, certificate_days, NULL},
    {"hooks", "", "webhooks that are not accepted", 1, NEVER, false, hooks_ill, NULL},
    {"store", "", "", 1, 2, false, store_state, store_words},
};
#define FIGURE_NAMES "users|sessions|connections|descriptors|throttled|memory|disk|certificate|hooks|store"

enum imd_verdict imd_judge(uint64_t value, uint64_t warn, uint64_t crit, bool low_is_bad)
{
    if (low_is_bad ? value <= crit : value >= crit)
        return IMD_FAIL;
    return (low_is_bad ? value <= warn : value >= warn) ? IMD_WARN : IMD_FINE;
}

/* "certificate: 80d until the first certificate ends | certificate=80d" */
static void put_figure(struct im_out *out, size_t i, uint64_t value)
{
    im_out_printf(out, "%s: ", figures[i].name);
    if (figures[i].words)
        im_out_str(out, figures[i].words[value]);
    else if (value == NEVER)
        im_out_str(out, "there is none");
    else
        im_out_printf(out, "%" PRIu64 "%s %s", value, figures[i].unit, figures[i].what);
    im_out_printf(out, " | %s=", figures[i].name);
    if (value == NEVER)
        im_out_char(out, 'U');
    else
        im_out_printf(out, "%" PRIu64 "%s", value, figures[i].unit);
}

/* A bound, in the way of monitoring plugins: "10:" is reached by what is below; what is never reached is left out. */
static void put_bound(struct im_out *out, uint64_t bound, bool low_is_bad)
{
    im_out_char(out, ';');
    if (bound != NEVER)
        im_out_printf(out, "%" PRIu64 "%s", bound, low_is_bad ? ":" : "");
}

static void set_or_null(json_t *result, const char *key, uint64_t n)
{
    json_object_set_new(result, key, n == NEVER ? json_null() : im_json_number(n));
}

/* From the arguments, or as usual; of two, the one that was not given moves along. False: the call has failed. */
static bool read_bounds(struct im_rpc_call *call, size_t i, uint64_t *warn, uint64_t *crit)
{
    bool low = figures[i].low_is_bad;
    *warn = figures[i].warn;
    *crit = figures[i].crit;
    bool has_warn = im_rpc_uint(call, "warn", warn), has_crit = im_rpc_uint(call, "crit", crit);
    bool crossed = low ? *warn < *crit : *warn > *crit;
    if (crossed && has_warn != has_crit)
        *(has_warn ? crit : warn) = has_warn ? *warn : *crit;
    else if (crossed)
        im_rpc_fail(call, IM_BAD_FIELD, "warn must be reached before crit; of %s %s is worse", figures[i].name,
                    low ? "less" : "more");
    return !crossed || has_warn != has_crit;
}

static void check(struct im_rpc_call *call)
{
    static const char *const states[] = {"OK", "WARNING", "CRITICAL"};
    const struct imd *imd = call->rpc->host;
    uint64_t warn, crit;
    size_t i = 0;
    while (!im_str_eq(im_rpc_string(call, "name"), im_str(figures[i].name)))
        i++;
    if (!read_bounds(call, i, &warn, &crit))
        return;
    uint64_t value = figures[i].value(imd);
    enum imd_verdict verdict = imd_judge(value, warn, crit, figures[i].low_is_bad);
    struct im_out text = {0};
    json_t *result = json_object();
    im_out_printf(&text, "%s - ", states[verdict]);
    put_figure(&text, i, value);
    put_bound(&text, warn, figures[i].low_is_bad);
    put_bound(&text, crit, figures[i].low_is_bad);
    im_out_char(&text, '\n');
    im_json_set_text(result, "state", im_str(states[verdict]));
    set_or_null(result, "value", value);
    set_or_null(result, "warn", warn);
    set_or_null(result, "crit", crit);
    im_json_set_text(result, "text", (struct im_str){im_out_data(&text), text.len});
    im_out_clear(&text);
    im_rpc_result(call, imd_exits(result, (int)verdict));
}

const struct im_rpc_command imd_judge_commands[] = {
    {
        .name = "check",
        .section = IM_RPC_JUDGE,
        .args = {{"name", IM_RPC_STRING, true, FIGURE_NAMES, "What to look at."},
                 {"warn", IM_RPC_UINT, false, NULL, "From here on it is a warning."},
                 {"crit", IM_RPC_UINT, false, NULL, "From here on it is critical."}},
        .help = "One figure against its bounds, as monitoring systems want it: exit status 0, 1 for a warning, 2 for "
                "critical, 3 when it cannot be told.",
        .usage = "NAME [--warn N] [--crit N]",
        .example = "check disk --warn 20 --crit 10",
        .show = "text",
        .run = check,
    },
    {.name = NULL},
};
