#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "core/mem.h"
#include "tools/imd/admin.h"
#include "tools/imd/job.h"
#include "tools/imd/outside.h"
#include "tools/imd/probe.h"
#include "tools/safe_json.h"
#include "transports/gate.h"
#include "transports/listener.h"

/* Judging the server: everything once, with advice, for people; or one figure against its bounds, for programs. */

enum verdict { FINE, WARN, FAIL };

/* Figures. */

static uint64_t descriptors_allowed(void)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

static uint64_t descriptors_percent(const struct imd *imd)
{
    uint64_t allowed = descriptors_allowed();
    return allowed ? im_gate_count(imd->env.gate) * 100 / allowed : 100;
}

/* Of the file system that the store is on, as far as it is for us. */
static uint64_t disk_free_percent(const struct imd *imd)
{
    struct statvfs fs;
    (void)imd;
    return statvfs(".", &fs) == 0 && fs.f_blocks > 0 ? (uint64_t)fs.f_bavail * 100 / fs.f_blocks : 0;
}

/* Days that the first certificate to end still has; more than anybody asks for when there is none. */
static uint64_t certificate_days(const struct imd *imd)
{
    int64_t left = INT32_MAX, now_s = imd_job_now_ms() / 1000;
    for (size_t i = 0; i < imd->listener_count; i++) {
        int64_t ends = imd->listeners[i].listener ? im_listener_tls_ends(imd->listeners[i].listener) : 0;
        if (ends > 0 && (ends - now_s) / 86400 < left)
            left = (ends - now_s) / 86400;
    }
    return left < 0 ? 0 : (uint64_t)left;
}

static uint64_t store_state(const struct imd *imd)
{
    return imd_store_failed(imd) ? 2 : imd_store_full(imd);
}

static uint64_t sessions_now(const struct imd *imd)
{
    struct im_online online;
    im_core_online(imd->core, &online);
    return online.sessions;
}

static uint64_t connections_percent(const struct imd *imd)
{
    return im_gate_count(imd->env.gate) * 100 / imd->config->connections;
}

/* check */

static const struct {
    const char *name, *unit, *what;
    uint64_t warn, crit;
    bool low_is_bad;
    uint64_t (*value)(const struct imd *);
} figures[] = {
    {"sessions", "", "sessions that are logged in", UINT32_MAX, UINT32_MAX, false, sessions_now},
    {"connections", "%", "of limits.connections in use", 80, 95, false, connections_percent},
    {"descriptors", "%", "of the descriptors in use by clients", 80, 95, false, descriptors_percent},
    {"disk", "%", "of the store's file system free", 10, 5, true, disk_free_percent},
    {"certificate", "d", "until the first certificate ends", 14, 3, true, certificate_days},
    {"store", "", "0: it works, 1: the disk is full, 2: it has failed", 1, 2, false, store_state},
};
#define FIGURE_NAMES "sessions|connections|descriptors|disk|certificate|store"

static enum verdict judge(uint64_t value, uint64_t warn, uint64_t crit, bool low_is_bad)
{
    if (low_is_bad ? value <= crit : value >= crit)
        return FAIL;
    return (low_is_bad ? value <= warn : value >= warn) ? WARN : FINE;
}

static void check(struct im_rpc_call *call)
{
    static const char *const states[] = {"OK", "WARNING", "CRITICAL"};
    const struct imd *imd = call->rpc->host;
    size_t i = 0;
    while (!im_str_eq(im_rpc_string(call, "name"), im_str(figures[i].name)))
        i++;
    uint64_t warn = figures[i].warn, crit = figures[i].crit, value = figures[i].value(imd);
    im_rpc_uint(call, "warn", &warn);
    im_rpc_uint(call, "crit", &crit);
    if (figures[i].low_is_bad ? warn < crit : warn > crit) {
        im_rpc_fail(call, IM_BAD_FIELD, "warn must be reached before crit; of %s %s is worse", figures[i].name,
                    figures[i].low_is_bad ? "less" : "more");
        return;
    }
    enum verdict verdict = judge(value, warn, crit, figures[i].low_is_bad);
    const char *after = figures[i].low_is_bad ? ":" : "";
    json_t *result = json_object();
    im_json_set_text(result, "state", im_str(states[verdict]));
    im_json_set_number(result, "value", value);
    im_json_set_number(result, "warn", warn);
    im_json_set_number(result, "crit", crit);
    json_object_set_new(result, "text",
                        json_sprintf("%s - %s: %" PRIu64 "%s (%s) | %s=%" PRIu64 "%s;%" PRIu64 "%s;%" PRIu64 "%s\n",
                                     states[verdict], figures[i].name, value, figures[i].unit, figures[i].what,
                                     figures[i].name, value, figures[i].unit, warn, after, crit, after));
    im_json_set_number(result, "exit", (uint64_t)verdict);
    im_rpc_result(call, result);
}

/* doctor */

struct visit {
    struct imd_job *job;
    size_t listener;
};

static void say(struct imd_job *job, enum verdict verdict, const char *what, const char *advice, const char *format,
                ...) __attribute__((format(printf, 5, 6)));
static void say(struct imd_job *job, enum verdict verdict, const char *what, const char *advice, const char *format,
                ...)
{
    static const char *const names[] = {"OK", "WARN", "FAIL"};
    char found[300];
    va_list args;
    va_start(args, format);
    vsnprintf(found, sizeof found, format, args);
    va_end(args);
    json_t *row = json_object();
    im_json_set_text(row, "state", im_str(names[verdict]));
    im_json_set_text(row, "what", im_str(what));
    im_json_set_text(row, "found", im_str(found));
    im_json_set_text(row, "advice", im_str(verdict == FINE ? "" : advice));
    json_array_append_new(json_object_get(job->result, "checks"), row);
    if (verdict == FAIL)
        im_json_set_number(job->result, "exit", 1);
}

static void look_at_configuration(struct imd_job *job)
{
    const struct imd *imd = job->imd;
    struct im_config_places *places = NULL;
    struct im_out errors = {0};
    struct im_config *config = imd->config_path ? im_config_load(imd->config_path, &places, &errors) : NULL;
    if (config)
        imd_outside_check(config, places, true, &errors);
    const char *text = im_out_data(&errors), *end = errors.len ? memchr(text, '\n', errors.len) : NULL;
    if (errors.len > 0)
        say(job, FAIL, "configuration", "mend it: the next start, or reload, refuses it", "%.*s",
            (int)(end ? end - text : (ptrdiff_t)errors.len), text);
    else
        say(job, FINE, "configuration", "", "%s", imd->config_path ? imd->config_path : "built-in defaults");
    im_config_free(&config);
    im_config_places_free(&places);
    im_out_clear(&errors);
}

static void look_at_permissions(struct imd_job *job)
{
    struct stat st;
    say(job, geteuid() == 0 ? WARN : FINE, "user", "give imd a user of its own", "runs as user %u",
        (unsigned)geteuid());
    if (stat(".", &st) == 0)
        say(job,
            st.st_mode & 022   ? FAIL
            : st.st_mode & 005 ? WARN
                               : FINE,
            "data_dir", "chmod 0700: nobody else should look in, or write", "mode %04o", (unsigned)st.st_mode & 07777);
    if (job->imd->config->store_kind == IM_STORE_SQLITE && stat(job->imd->config->store_path, &st) == 0)
        say(job, st.st_mode & 077 ? WARN : FINE, "store file", "chmod 0600: it has everybody's messages", "mode %04o",
            (unsigned)st.st_mode & 07777);
}

static uint64_t kernel_number(const char *path)
{
    unsigned long long n = 0;
    FILE *f = fopen(path, "re");
    if (f && fscanf(f, "%llu", &n) != 1)
        n = 0;
    if (f)
        fclose(f);
    return n;
}

static void look_at_limits(struct imd_job *job)
{
    const struct im_config *config = job->imd->config;
    uint64_t allowed = descriptors_allowed(), wanted = config->connections + config->descriptor_reserve, backlog = 0;
    say(job, allowed < wanted ? WARN : FINE, "descriptors", "raise LimitNOFILE, or lower limits.connections",
        "%" PRIu64 " allowed, %" PRIu64 " for limits.connections", allowed, wanted);
    for (size_t i = 0; i < config->listen_count; i++)
        backlog = config->listen[i].backlog > backlog ? config->listen[i].backlog : backlog;
    uint64_t most = kernel_number("/proc/sys/net/core/somaxconn");
    say(job, most && most < backlog ? WARN : FINE, "kernel",
        "raise net.core.somaxconn: a rush of clients is turned away", "somaxconn %" PRIu64 ", backlog %" PRIu64, most,
        backlog);
}

static void look_at_disk_and_clock(struct imd_job *job)
{
    struct timex clock = {0};
    uint64_t free_percent = disk_free_percent(job->imd);
    say(job, judge(free_percent, 10, 3, true), "disk", "make room, or set retention.age", "%" PRIu64 " %% free",
        free_percent);
    bool synced = adjtimex(&clock) >= 0 && !(clock.status & STA_UNSYNC);
    say(job, synced ? FINE : WARN, "clock", "run a time service: messages and tokens carry its time", "%s",
        synced ? "kept by a time service" : "nobody keeps it");
}

static void look_at_certificates(struct imd_job *job)
{
    uint64_t days = certificate_days(job->imd);
    if (days < INT32_MAX)
        say(job, judge(days, 14, 0, true), "certificate", "renew it, and imctl reload", "%" PRIu64 " days left", days);
}

static void visit_next(struct visit *v);

static void visited(void *arg, const char *problem)
{
    struct visit *v = arg;
    const struct imd_listener *l = &v->job->imd->listeners[v->listener];
    say(v->job, problem ? FAIL : FINE, "listener",
        "see the log; is its address reachable from this machine, or banned?", "%s %s: %s", l->transport->name,
        l->listener ? im_listener_address(l->listener) : "closed", problem ? problem : "answers");
    v->listener++;
    visit_next(v);
}

static void visit_next(struct visit *v)
{
    const struct imd *imd = v->job->imd;
    if (v->listener < imd->listener_count && imd->state == IMD_RUNNING)
        imd_probe(v->job->imd, &imd->listeners[v->listener], visited, v);
    else
        imd_job_end(v->job, NULL);
}

static void store_looked_at(struct imd_job *job)
{
    const struct im_store_care *care = &job->op.care;
    say(job, job->status == IM_OK ? FINE : FAIL, "store", "stop, and imd --restore the last backup", "%s",
        job->status == IM_OK ? "sound"
        : *care->problem     ? care->problem
                             : im_reason_name(job->status));
    struct visit *v = im_zalloc(sizeof *v);
    v->job = job;
    job->own = v;
    visit_next(v);
}

static void doctor(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    job->result = json_pack("{s:[]}", "checks");
    look_at_configuration(job);
    look_at_permissions(job);
    look_at_limits(job);
    look_at_disk_and_clock(job);
    look_at_certificates(job);
    job->op.care = (struct im_store_care){.stop = &job->imd->stop_care};
    job->may_fail = true;
    imd_job_run(job, IM_STORE_CHECK, store_looked_at);
}

const struct im_rpc_command imd_judge_commands[] = {
    {
        .name = "doctor",
        .access = IM_RPC_WRITE, /* it works: it reads all of the store, and comes in at every door */
        .help =
            "Look at everything that could be wrong: configuration, permissions, limits, disk, clock, certificates, "
            "the store, and whether each listener answers. Exit status 1 when something is.",
        .example = "doctor",
        .show = "table checks state what found advice",
        .patient = true,
        .run = doctor,
    },
    {
        .name = "check",
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
