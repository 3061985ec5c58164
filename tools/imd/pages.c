#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/mem.h"
#include "tools/imd/daemon.h"
#include "tools/imd/usage.h"
#include "transports/gate.h"
#include "web/web.h"

/* /healthz */

static void serve_health(void *arg, const struct im_http_request *request, struct im_http_response *response)
{
    const struct imd *imd = arg;
    bool healthy = imd->state == IMD_RUNNING && !imd_store_failed(imd);
    (void)request;
    response->status = healthy ? 200 : 503;
    response->type = "text/plain; charset=utf-8";
    response->body = healthy ? IM_STR("ok\n") : IM_STR("not serving\n");
    response->cache = "no-store";
}

/* /metrics: the text exposition format, version 0.0.4, or OpenMetrics 1.0. Everything is counted now; nothing is kept
 * for it. */

struct exposition {
    struct im_out out;
    bool open; /* OpenMetrics: what a counter is called in full, only its samples are */
};

static void put_head(struct exposition *e, const char *name, const char *type, const char *help)
{
    int len = (int)strlen(name);
    if (e->open && strcmp(type, "counter") == 0)
        len -= (int)strlen("_total");
    im_out_printf(&e->out, "# HELP imd_%.*s %s\n# TYPE imd_%.*s %s\n", len, name, help, len, name, type);
}

static void put_one(struct exposition *e, const char *name, const char *type, const char *help, uint64_t value)
{
    put_head(e, name, type, help);
    im_out_printf(&e->out, "imd_%s %" PRIu64 "\n", name, value);
}

static void put_reasons(struct exposition *e, const char *name, const char *help, const uint64_t *counts)
{
    put_head(e, name, "counter", help);
    for (enum im_reason r = 0; r < IM_REASON_COUNT; r++)
        im_out_printf(&e->out, "imd_%s{reason=\"%s\"} %" PRIu64 "\n", name, im_reason_name(r), counts[r]);
}

/* Seconds, without a float's noise: every bound is a whole number of microseconds. */
static void put_seconds(struct exposition *e, uint64_t us)
{
    im_out_printf(&e->out, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

/* From 64 microseconds to 16 seconds; below and above, nobody needs to know. */
static void put_histogram(struct exposition *e, enum im_histogram_kind kind, const struct im_histogram *h)
{
    enum { FIRST = 6, LAST = 24 };
    char name[64];
    struct im_histogram_view v;
    im_histogram_look(h, &v);
    snprintf(name, sizeof name, "%s_seconds", im_histogram_info(kind)->name);
    put_head(e, name, "histogram", im_histogram_info(kind)->help);
    for (unsigned power = FIRST; power <= LAST; power++) {
        im_out_printf(&e->out, "imd_%s_bucket{le=\"", name);
        put_seconds(e, UINT64_C(1) << power);
        im_out_printf(&e->out, "\"} %" PRIu64 "\n", im_histogram_below(&v, power));
    }
    im_out_printf(&e->out, "imd_%s_bucket{le=\"+Inf\"} %" PRIu64 "\nimd_%s_sum ", name, v.count, name);
    put_seconds(e, v.sum);
    im_out_printf(&e->out, "\nimd_%s_count %" PRIu64 "\n", name, v.count);
}

static bool count_session(void *arg, const struct im_session_view *view)
{
    uint64_t *counts = arg;
    for (size_t i = 0; view->user.p && im_transports[i]; i++)
        counts[i] += strcmp(im_transports[i]->name, view->transport) == 0;
    return true;
}

static size_t count_transports(void)
{
    size_t n = 0;
    while (im_transports[n])
        n++;
    return n;
}

void imd_count_sessions(const struct imd *imd, uint64_t counts[IMD_TRANSPORTS_MAX])
{
    assert(count_transports() <= IMD_TRANSPORTS_MAX);
    memset(counts, 0, IMD_TRANSPORTS_MAX * sizeof *counts);
    im_core_sessions(imd->core, count_session, counts);
}

static void put_gauges(struct exposition *e, const struct imd *imd)
{
    struct im_online online;
    uint64_t sessions[IMD_TRANSPORTS_MAX];
    im_core_online(imd->core, &online);
    imd_count_sessions(imd, sessions);
    put_one(e, "users_online", "gauge", "Users with at least one session.", online.users);
    put_head(e, "sessions", "gauge", "Sessions that are logged in.");
    for (size_t i = 0; im_transports[i]; i++)
        im_out_printf(&e->out, "imd_sessions{transport=\"%s\"} %" PRIu64 "\n", im_transports[i]->name, sessions[i]);
    put_one(e, "connections", "gauge", "Client connections, logged in or not.", im_gate_count(imd->env.gate));
    put_one(e, "ready", "gauge", "1 while clients are served.", imd->state == IMD_RUNNING && !imd_store_failed(imd));
    put_one(e, "store_full", "gauge", "1 while the disk has no room for what is sent.", imd_store_full(imd));
    put_one(e, "store_failed", "gauge", "1 once the store has failed for good.", imd_store_failed(imd));
    put_one(e, "store_events", "gauge", "Events in the log, as of the scrape before.", imd->stats.events);
    put_one(e, "store_conversations", "gauge", "Conversations in the store.", imd->stats.conversations);
    put_one(e, "store_bytes", "gauge", "Bytes of the store on disk.", imd->stats.bytes);
    put_one(e, "start_time_seconds", "gauge", "When the server started, since 1970.",
            (uint64_t)imd->started_wall_ms / 1000);
}

/* Of the process, by the names that every dashboard knows, which have no "imd_" before them. */
static void put_process(struct exposition *e, const struct imd *imd)
{
    struct imd_usage usage;
    imd_usage_look(&usage);
    put_one(e, "disk_free_bytes", "gauge", "Room on the file system of the store.", usage.disk_free_bytes);
    im_out_printf(&e->out,
                  "# HELP process_resident_memory_bytes Resident memory size in bytes.\n"
                  "# TYPE process_resident_memory_bytes gauge\n"
                  "process_resident_memory_bytes %" PRIu64 "\n"
                  "# HELP process_max_fds Maximum number of open file descriptors.\n"
                  "# TYPE process_max_fds gauge\n"
                  "process_max_fds %" PRIu64 "\n"
                  "# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.\n"
                  "# TYPE process_start_time_seconds gauge\n"
                  "process_start_time_seconds %" PRIu64 "\n"
                  "# HELP process_cpu_seconds%s Total user and system CPU time spent in seconds.\n"
                  "# TYPE process_cpu_seconds%s counter\n"
                  "process_cpu_seconds_total ",
                  usage.resident_bytes, usage.descriptors_max, (uint64_t)imd->started_wall_ms / 1000,
                  e->open ? "" : "_total", e->open ? "" : "_total");
    put_seconds(e, usage.cpu_us);
    im_out_char(&e->out, '\n');
}

static void stats_refreshed(void *arg, const struct im_store_stats *stats)
{
    (void)arg, (void)stats;
}

static const char text_type[] = "text/plain; version=0.0.4; charset=utf-8";
static const char open_type[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/* Who names OpenMetrics at all can read it. */
static bool wants_open(struct im_str accept)
{
    const char *semicolon = strchr(open_type, ';');
    return accept.p && memmem(accept.p, accept.len, open_type, (size_t)(semicolon - open_type));
}

static void put_metrics(struct exposition *e, const struct imd *imd)
{
    struct im_counters counters = {0};
    imd_count(imd, &counters);
    put_head(e, "build_info", "gauge", "Always 1; the version is a label.");
    im_out_printf(&e->out, "imd_build_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
    put_gauges(e, imd);
    for (enum im_counter c = 0; c < IM_COUNTER_COUNT; c++)
        put_one(e, im_counter_info(c)->name, "counter", im_counter_info(c)->help, counters.n[c]);
    put_reasons(e, "refused_total", "Requests and connections refused, by reason.", counters.refused);
    put_reasons(e, "closed_total", "Connections ended, by reason.", counters.closed);
    put_one(e, "admin_requests_total", "counter", "Requests on the admin sockets.", imd->admin_requests);
    put_one(e, "admin_refused_total", "counter", "Connections to the admin sockets refused.", imd->admin_refused);
    put_process(e, imd);
    for (enum im_histogram_kind h = 0; h < IM_HISTOGRAM_COUNT; h++)
        put_histogram(e, h, &imd->histograms[h]);
    if (e->open)
        im_out_str(&e->out, "# EOF\n");
}

static void serve_metrics(void *arg, const struct im_http_request *request, struct im_http_response *response)
{
    struct imd *imd = arg;
    struct exposition e = {.open = wants_open(request->accept)};
    if (!imd->stats_pending)
        imd_stats_ask(imd, stats_refreshed, NULL);
    put_metrics(&e, imd);
    response->type = e.open ? open_type : text_type;
    response->made = im_out_take(&e.out);
    response->cache = "no-store";
}

/* Routes. */

static size_t count_routes(const struct im_http_route *routes)
{
    size_t n = 0;
    while (routes[n].path)
        n++;
    return n;
}

void imd_pages_init(struct imd *imd)
{
    const struct im_http_route health = {"/healthz", serve_health, imd};
    const struct im_http_route metrics = {"/metrics", serve_metrics, imd};
    size_t n = count_routes(im_web_routes);
    imd->routes = im_zalloc((n + 2) * sizeof *imd->routes);
    imd->routes[0] = health;
    memcpy(imd->routes + 1, im_web_routes, n * sizeof *imd->routes);
    imd->env.routes = imd->routes;
    imd->metrics_routes = im_zalloc(3 * sizeof *imd->metrics_routes);
    imd->metrics_routes[0] = health;
    imd->metrics_routes[1] = metrics;
    imd->metrics_service.env.routes = imd->metrics_routes;
    imd_stats_ask(imd, stats_refreshed, NULL);
}

void imd_pages_free(struct imd *imd)
{
    free(imd->routes);
    free(imd->metrics_routes);
}
