#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include "core/mem.h"
#include "tools/imd/admin.h"
#include "tools/imd/job.h"
#include "tools/imd/judge.h"
#include "tools/imd/outside.h"
#include "tools/imd/probe.h"
#include "tools/imd/usage.h"
#include "tools/safe_json.h"
#include "transports/listener.h"

/* doctor: everything once, a line for each, with what to do. */

struct visit {
    struct imd_job *job;
    size_t listener; /* after the clients' comes that of the metrics */
};

static void say(struct imd_job *job, enum imd_verdict verdict, const char *what, const char *advice, const char *format,
                ...) __attribute__((format(printf, 5, 6)));
static void say(struct imd_job *job, enum imd_verdict verdict, const char *what, const char *advice, const char *format,
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
    im_json_set_text(row, "advice", im_str(verdict == IMD_FINE ? "" : advice));
    json_array_append_new(json_object_get(job->result, "checks"), row);
    if (verdict == IMD_FAIL)
        imd_exits(job->result, 1);
}

/* Configuration. */

static void look_at_file(struct imd_job *job)
{
    const struct imd *imd = job->imd;
    struct im_config_places *places = NULL;
    struct im_out errors = {0};
    struct im_config *config = imd->config_path ? im_config_load(imd->config_path, &places, &errors) : NULL;
    if (config)
        imd_outside_check(config, places, true, &errors);
    const char *text = im_out_data(&errors), *end = errors.len ? memchr(text, '\n', errors.len) : NULL;
    if (errors.len > 0)
        say(job, IMD_FAIL, "configuration", "mend it: the next start, or reload, refuses it", "%.*s",
            (int)(end ? end - text : (ptrdiff_t)errors.len), text);
    else
        say(job, IMD_FINE, "configuration", "", "%s", imd->config_path ? imd->config_path : "built-in defaults");
    im_config_free(&config);
    im_config_places_free(&places);
    im_out_clear(&errors);
}

/* What the file says by now, and the server does not do yet. */
static void look_at_changes(struct imd_job *job)
{
    struct im_config_places *places = NULL;
    struct im_out problems = {0};
    struct im_config *file = imd_read_config(job->imd, &places, &problems);
    unsigned reload = 0, restart = 0;
    for (size_t i = 0; file && i < im_config_row_count; i++)
        if (!im_config_same(&im_config_rows[i], job->imd->config, file))
            *(im_config_rows[i].reload ? &reload : &restart) += 1;
    if (file && !im_config_same_listeners(job->imd->config, file))
        restart++;
    if (reload + restart > 0)
        say(job, IMD_WARN, "configuration",
            restart ? "imctl config diff shows them; restart when it suits"
                    : "imctl reload; imctl config diff shows them",
            "%u changes in the file are not in effect, %u of them need a restart", reload + restart, restart);
    im_config_free(&file);
    im_config_places_free(&places);
    im_out_clear(&problems);
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]", 5) == 0 || !strchr(address, ':');
}

static void look_at_safety(struct imd_job *job)
{
    const struct im_config *c = job->imd->config;
    const char *in_clear = NULL;
    bool open = c->auth_mode == IM_AUTH_OPEN && c->public_open;
    for (size_t i = 0; i < c->listen_count; i++)
        if (!c->listen[i].tls_cert && c->listen[i].address && !is_loopback(c->listen[i].address))
            in_clear = c->listen[i].address;
    if (open)
        say(job, IMD_WARN, "safety", "auth.mode: password or token, unless that is what you want",
            "whoever reaches it may take any id: auth.mode open, public_open");
    if (in_clear)
        say(job, IMD_WARN, "safety", "give it tls, or put a proxy with TLS before it",
            "%s speaks without TLS to other machines", in_clear);
    if (!open && !in_clear)
        say(job, IMD_FINE, "safety", "", "no password-less or unencrypted way in from other machines");
}

static void look_at_durability(struct imd_job *job)
{
    const struct im_config *c = job->imd->config;
    if (c->store_kind == IM_STORE_MEMORY)
        say(job, IMD_WARN, "durability", "store.kind: sqlite, unless nothing is to be kept",
            "store memory: a restart forgets everything");
    else if (c->store_sync != IM_SYNC_FULL)
        say(job, IMD_WARN, "durability", "store.sync: full",
            "store.sync normal: a power cut may take the last messages");
    else
        say(job, IMD_FINE, "durability", "", "store.sync full: what is acknowledged is on the disk");
}

/* The system. */

static void look_at_permissions(struct imd_job *job)
{
    struct stat st;
    say(job, geteuid() == 0 ? IMD_WARN : IMD_FINE, "user", "give imd a user of its own", "runs as user %u",
        (unsigned)geteuid());
    if (stat(".", &st) == 0)
        say(job,
            st.st_mode & 022   ? IMD_FAIL
            : st.st_mode & 005 ? IMD_WARN
                               : IMD_FINE,
            "data_dir", "chmod 0700: nobody else should look in, or write", "mode %04o", (unsigned)st.st_mode & 07777);
    if (job->imd->config->store_kind == IM_STORE_SQLITE && stat(job->imd->config->store_path, &st) == 0)
        say(job, st.st_mode & 077 ? IMD_WARN : IMD_FINE, "store file", "chmod 0600: it has everybody's messages",
            "mode %04o", (unsigned)st.st_mode & 07777);
}

/* False: it is hidden from us, or not there. */
static bool kernel_number(const char *path, uint64_t *n)
{
    FILE *f = fopen(path, "re");
    bool read = f && fscanf(f, "%" SCNu64, n) == 1;
    if (f)
        fclose(f);
    return read;
}

/* Each for itself: one that is hidden, as our own unit hides them, is said to be. */
static void look_at_kernel(struct imd_job *job, const char *name, const char *path, uint64_t wanted, const char *advice)
{
    uint64_t most;
    if (kernel_number(path, &most))
        say(job, most < wanted ? IMD_WARN : IMD_FINE, "kernel", advice, "%s %" PRIu64 ", wanted %" PRIu64, name, most,
            wanted);
}

static void look_at_limits(struct imd_job *job)
{
    const struct im_config *config = job->imd->config;
    struct imd_usage usage;
    uint64_t wanted = config->connections + config->descriptor_reserve, backlog = 0, unused;
    imd_usage_look(&usage);
    say(job, usage.descriptors_max < wanted ? IMD_WARN : IMD_FINE, "descriptors",
        "raise LimitNOFILE, or lower limits.connections", "%" PRIu64 " allowed, %" PRIu64 " for limits.connections",
        usage.descriptors_max, wanted);
    for (size_t i = 0; i < config->listen_count; i++)
        backlog = config->listen[i].backlog > backlog ? config->listen[i].backlog : backlog;
    look_at_kernel(job, "net.core.somaxconn", "/proc/sys/net/core/somaxconn", backlog,
                   "raise it to the listeners' backlog: a rush of clients is turned away");
    look_at_kernel(job, "fs.file-max", "/proc/sys/fs/file-max", wanted, "raise it: the whole system runs out of files");
    look_at_kernel(job, "net.netfilter.nf_conntrack_max", "/proc/sys/net/netfilter/nf_conntrack_max",
                   config->connections, "raise it, or do not track these ports: connections are dropped");
    if (!kernel_number("/proc/sys/fs/file-max", &unused))
        say(job, IMD_FINE, "kernel", "", "its limits are hidden from the server (ProcSubset=pid)");
}

static void look_at_memory_and_disk(struct imd_job *job)
{
    struct imd_usage usage;
    uint64_t free_percent = imd_disk_free_percent();
    imd_usage_look(&usage);
    if (usage.memory_bytes > 0)
        say(job, imd_judge(usage.resident_bytes * 100 / usage.memory_bytes, 70, 90, false), "memory",
            "lower limits.connections or limits.queue_hard, or add memory", "%" PRIu64 " MiB of %" PRIu64 " MiB",
            usage.resident_bytes >> 20, usage.memory_bytes >> 20);
    say(job, imd_judge(free_percent, 10, 3, true), "disk", "make room, or set retention.age",
        "%" PRIu64 " %% free, %.1f GiB", free_percent, (double)usage.disk_free_bytes / (1 << 30));
}

static void look_at_clock(struct imd_job *job)
{
    struct timex clock = {0};
    bool told = adjtimex(&clock) >= 0; /* our own unit does not let us ask, with ProtectClock= */
    bool synced = told && !(clock.status & STA_UNSYNC);
    say(job, synced || !told ? IMD_FINE : IMD_WARN, "clock", "run a time service: messages and tokens carry its time",
        "%s",
        synced ? "kept by a time service"
        : told ? "nobody keeps it"
               : "the server may not ask who keeps it");
}

static void look_at_certificates(struct imd_job *job)
{
    uint64_t days;
    if (imd_certificate_days(job->imd, &days))
        say(job, imd_judge(days, 14, 0, true), "certificate", "renew it, and imctl reload", "%" PRIu64 " days left",
            days);
}

static void look_at_hooks(struct imd_job *job)
{
    for (const struct imd_hook *hook = imd_hooks_first(job->imd->hooks); hook; hook = hook->next) {
        struct im_hook_view v = {.problem = "its receiver answered 410"};
        if (hook->running)
            im_hook_look(hook->running, &v);
        bool ill = imd_hook_is_ill(hook);
        if (ill || hook->running)
            say(job, ill ? IMD_WARN : IMD_FINE, "webhook", "see: imctl hook show, imctl hook test", "%s: %s",
                hook->name, ill ? v.problem : v.state);
    }
}

/* Listeners: a round trip through each. */

static void visit_next(struct visit *v);

static void visited(void *arg, const char *problem)
{
    struct visit *v = arg;
    const struct imd *imd = v->job->imd;
    bool metrics = v->listener == imd->listener_count;
    const struct im_listener *l = metrics ? imd->metrics_listener : imd->listeners[v->listener].listener;
    say(v->job, problem ? IMD_FAIL : IMD_FINE, "listener",
        "see the log; is its address reachable from this machine, or banned?", "%s %s: %s",
        metrics ? "metrics" : imd->listeners[v->listener].transport->name, l ? im_listener_address(l) : "closed",
        problem ? problem : "answers");
    v->listener++;
    visit_next(v);
}

static void visit_next(struct visit *v)
{
    struct imd *imd = v->job->imd;
    const struct imd_listener metrics = {NULL, imd->metrics_listener};
    if (imd->state == IMD_RUNNING && v->listener < imd->listener_count)
        imd_probe(imd, &imd->listeners[v->listener], visited, v);
    else if (imd->state == IMD_RUNNING && v->listener == imd->listener_count && imd->metrics_listener)
        imd_probe(imd, &metrics, visited, v);
    else
        imd_job_end(v->job, NULL);
}

static void store_looked_at(struct imd_job *job)
{
    const struct im_store_care *care = &job->op.care;
    say(job, job->status == IM_OK ? IMD_FINE : IMD_FAIL, "store", "stop, and imd --restore the last backup", "%s",
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
    look_at_file(job);
    look_at_changes(job);
    look_at_safety(job);
    look_at_durability(job);
    look_at_certificates(job);
    look_at_permissions(job);
    look_at_limits(job);
    look_at_memory_and_disk(job);
    look_at_clock(job);
    look_at_hooks(job);
    job->op.care = (struct im_store_care){.stop = &job->imd->stop_care};
    job->may_fail = true;
    imd_job_run(job, IM_STORE_CHECK, store_looked_at);
}

const struct im_rpc_command imd_doctor_commands[] = {
    {
        .name = "doctor",
        .section = IM_RPC_JUDGE,
        .access = IM_RPC_WRITE, /* it works: it reads all of the store, and comes in at every door */
        .help =
            "Look at everything that could be wrong: configuration, certificates, permissions, descriptors, limits of "
            "the kernel, memory, disk, clock, webhooks, the store, and whether each listener answers. Exit status 1 "
            "when something fails.",
        .example = "doctor",
        .show = "findings checks state what found advice",
        .patient = true,
        .run = doctor,
    },
    {.name = NULL},
};
