#include "tools/imbench/report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "tools/imbench/run.h"
#include "tools/imbench/scenario.h"

/* Beyond this share of a core, and with the server below it, it was imbench that set the pace: busy, or kept waiting
 * for a core by others. */
#define BUSY 0.9

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0;
}

static double us(uint64_t ns)
{
    return (double)ns / 1e3;
}

/* Where nothing is said: what is said stays in memory too. */
static double rss_each(const struct run *r)
{
    return ratio(r->rss_after > r->rss_before ? r->rss_after - r->rss_before : 0, r->in);
}

static double share(const struct usage *u, const struct run *r)
{
    return ratio(u->cpu_ns + u->waited_ns, r->elapsed_ns);
}

static bool was_bottleneck(const struct run *r)
{
    return share(&r->own, r) > BUSY && share(&r->server, r) < BUSY;
}

static const char *dialect_name(const struct run *r)
{
    return r->options->dialect == DIALECT_JSON ? "json" : "classroom";
}

/* For people. */

static void show_messages(const struct run *r)
{
    printf("  messages    %" PRIu64 " sent, %" PRIu64 " of %" PRIu64 " delivered: %" PRIu64 " lost, %" PRIu64
           " twice, %" PRIu64 " out of order\n",
           r->sent, r->tally.got - r->tally.duplicated, r->tally.expected, tally_lost(&r->tally), r->tally.duplicated,
           r->tally.misordered);
    if (r->options->dialect == DIALECT_JSON)
        printf("  answers     %" PRIu64 ", %" PRIu64 " missing\n", r->answered, run_unanswered(r));
}

static void show_speed(const struct run *r)
{
    static const double percents[] = {50, 90, 99, 99.9, 100};
    printf("  throughput  %.0f %s/s\n", ratio(r->done, r->elapsed_ns) * 1e9, r->options->scenario->unit);
    printf("  latency    ");
    for (unsigned i = 0; i < sizeof percents / sizeof *percents; i++)
        printf(" p%g %.0f us%s", percents[i], us(hist_at(&r->latency, percents[i])), percents[i] < 100 ? "," : "\n");
}

static void show_server(const struct run *r)
{
    const struct options *o = r->options;
    printf("  server      %.0f %% of a core", 100 * ratio(r->server.cpu_ns, r->elapsed_ns));
    if (r->done)
        printf(", %.3f us for each of %" PRIu64 " %s", us(r->server.cpu_ns) / (double)r->done, r->done,
               r->options->scenario->unit);
    printf("\n  memory      %.1f MiB", (double)r->rss_after / 1048576);
    if (o->scenario->resting)
        printf(", %.0f bytes for each connection", rss_each(r));
    putchar('\n');
}

void report_table(const struct run *r)
{
    const struct options *o = r->options;
    printf("%s at %s: %u connections, %s, %u under way, %u bytes, %.1f s\n", o->scenario->name, o->url, o->connections,
           dialect_name(r), o->window, o->size, (double)r->elapsed_ns / 1e9);
    if (r->sent > 0)
        show_messages(r);
    if (r->done > 0)
        show_speed(r);
    if (o->endpoint.tls)
        printf("  TLS         %" PRIu64 " handshakes, %" PRIu64 " of them resumed\n", r->net.secured, r->net.resumed);
    if (o->pid)
        show_server(r);
    printf("  imbench     %.0f %% of a core, %.0f %% waiting for one%s\n", 100 * ratio(r->own.cpu_ns, r->elapsed_ns),
           100 * ratio(r->own.waited_ns, r->elapsed_ns),
           was_bottleneck(r) ? ": it was the bottleneck; the server could do more" : "");
}

/* For programs. */

static json_t *latency_json(const struct run *r)
{
    const struct hist *h = &r->latency;
    json_t *curve = json_array();
    for (double rest = 100; h->count > 0 && rest * (double)h->count > 99; rest /= 1.5) {
        json_t *point = json_array();
        json_array_append_new(point, json_real(100 - rest));
        json_array_append_new(point, json_real(us(hist_at(h, 100 - rest))));
        json_array_append_new(curve, point);
    }
    return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:o}", "count", (json_int_t)h->count, "mean",
                     us(1) * ratio(h->sum, h->count), "p50", us(hist_at(h, 50)), "p90", us(hist_at(h, 90)), "p99",
                     us(hist_at(h, 99)), "p999", us(hist_at(h, 99.9)), "max", us(h->max), "curve", curve);
}

static json_t *server_json(const struct run *r)
{
    json_t *json = json_pack("{s:f, s:f, s:f, s:I}", "cpu_us", us(r->server.cpu_ns) / (double)(r->done ? r->done : 1),
                             "busy", ratio(r->server.cpu_ns, r->elapsed_ns), "waited",
                             ratio(r->server.waited_ns, r->elapsed_ns), "rss", (json_int_t)r->rss_after);
    if (r->options->scenario->resting)
        json_object_set_new(json, "rss_per_connection", json_real(rss_each(r)));
    return json;
}

static json_t *messages_json(const struct run *r)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "sent", (json_int_t)r->sent, "expected",
                     (json_int_t)r->tally.expected, "received", (json_int_t)r->tally.got, "lost",
                     (json_int_t)tally_lost(&r->tally), "duplicated", (json_int_t)r->tally.duplicated, "misordered",
                     (json_int_t)r->tally.misordered, "unanswered", (json_int_t)run_unanswered(r));
}

static json_t *result_json(const struct run *r)
{
    const struct options *o = r->options;
    json_t *own = json_pack("{s:f, s:f, s:b}", "busy", ratio(r->own.cpu_ns, r->elapsed_ns), "waited",
                            ratio(r->own.waited_ns, r->elapsed_ns), "bottleneck", was_bottleneck(r));
    json_t *json = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:f, s:f, s:o, s:s, s:I, s:f, s:o, s:o}", "scenario",
                             o->scenario->name, "url", o->url, "protocol", dialect_name(r), "connections",
                             (int)o->connections, "window", (int)o->window, "size", (int)o->size, "seconds",
                             (double)r->elapsed_ns / 1e9, "settled_seconds", (double)r->settled_ns / 1e9, "messages",
                             messages_json(r), "unit", o->scenario->unit, "done", (json_int_t)r->done, "per_second",
                             ratio(r->done, r->elapsed_ns) * 1e9, "latency_us", latency_json(r), "imbench", own);
    if (o->scenario->open_loop)
        json_object_set_new(json, "rate", json_integer(o->rate));
    if (o->endpoint.tls)
        json_object_set_new(
            json, "tls",
            json_pack("{s:I, s:I}", "handshakes", (json_int_t)r->net.secured, "resumed", (json_int_t)r->net.resumed));
    if (o->pid)
        json_object_set_new(json, "server", server_json(r));
    if (r->status != EX_OK)
        json_object_set_new(json, "problem", json_string(im_out_data(&r->problem)));
    return json;
}

void report_json(const struct run *r)
{
    json_t *json = result_json(r);
    json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(8));
    putchar('\n');
    json_decref(json);
}
