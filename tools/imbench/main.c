#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tools/imbench/bench.h"

static const char usage[] =
    "Usage: imbench [OPTION…] SCENARIO URL\n"
    "\n"
    "Drives the server at URL (ws://HOST:PORT, tcp://HOST:PORT or unix:PATH), checks every message, and tells how\n"
    "fast it was and what it cost. SCENARIO is one of:\n"
    "  pairs    two and two, each answering every message at once; --window of them under way in each pair\n"
    "  fanout   one writes to all the others\n"
    "  idle     connections that say nothing: memory\n"
    "\n"
    "  -c, --connections N   how many (1000)\n"
    "  -w, --window N        messages under way (1)\n"
    "  -s, --size BYTES      of a message's text, 16 to 8000 (64)\n"
    "  -t, --time SECONDS    to measure (5)\n"
    "  -p, --pid PID         the server's process: its CPU and memory are measured\n"
    "  -P, --protocol NAME   classroom or json (classroom over ws://, otherwise json)\n"
    "      --json            the result as one line of JSON\n";

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("imbench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(EX_SOFTWARE);
}

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0;
}

static void report_json(const struct bench_options *o, const struct result *r)
{
    printf(
        "{\"scenario\":\"%s\",\"protocol\":\"%s\",\"connections\":%u,\"window\":%u,\"size\":%u,\"delivered\":%" PRIu64
        ",\"wrong\":%" PRIu64 ",\"per_second\":%.0f,\"cpu_us\":%.4f,\"rss_per_connection\":%.0f,\"busy\":%.3f,"
        "\"server_busy\":%.3f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
        o->scenario, o->proto == BENCH_JSON ? "json" : "classroom", r->connections, o->window, o->size, r->delivered,
        r->wrong, ratio(r->delivered, r->elapsed_ns) * 1e9, ratio(r->cpu_ns, r->delivered) / 1e3,
        ratio(r->rss_after > r->rss_before ? r->rss_after - r->rss_before : 0, r->connections),
        ratio(r->own_cpu_ns, r->elapsed_ns), ratio(r->cpu_ns, r->elapsed_ns),
        (double)hist_percentile(&r->latency, 50) / 1e3, (double)hist_percentile(&r->latency, 99) / 1e3,
        (double)r->latency.max / 1e3);
}

void report(const struct bench_options *o, const struct result *r)
{
    if (o->json) {
        report_json(o, r);
        return;
    }
    printf("%s, %u connections, %u under way, %u bytes\n", o->scenario, r->connections, o->window, o->size);
    if (strcmp(o->scenario, "idle") != 0) {
        printf("  delivered      %" PRIu64 " (%.0f/s), lost, repeated or misplaced: %" PRIu64 "\n", r->delivered,
               ratio(r->delivered, r->elapsed_ns) * 1e9, r->wrong);
        printf("  latency        p50 %.0f us, p99 %.0f us, max %.0f us\n",
               (double)hist_percentile(&r->latency, 50) / 1e3, (double)hist_percentile(&r->latency, 99) / 1e3,
               (double)r->latency.max / 1e3);
    }
    if (o->pid) {
        printf("  server         %.2f us CPU per message, %.0f %% busy\n", ratio(r->cpu_ns, r->delivered) / 1e3,
               100 * ratio(r->cpu_ns, r->elapsed_ns));
        printf("  memory         %.0f bytes per connection\n",
               ratio(r->rss_after > r->rss_before ? r->rss_after - r->rss_before : 0, r->connections));
    }
    printf("  imbench itself %.0f %% busy\n", 100 * ratio(r->own_cpu_ns, r->elapsed_ns));
}

static unsigned number(const char *option, const char *text, unsigned least, unsigned most)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || n < least || n > most)
        die("%s: %u to %u, not \"%s\"", option, least, most, text);
    return (unsigned)n;
}

static void parse(int argc, char **argv, struct bench_options *o)
{
    static const struct option longs[] = {
        {"connections", required_argument, NULL, 'c'},
        {"window", required_argument, NULL, 'w'},
        {"size", required_argument, NULL, 's'},
        {"time", required_argument, NULL, 't'},
        {"pid", required_argument, NULL, 'p'},
        {"protocol", required_argument, NULL, 'P'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    const char *proto = NULL;
    for (int c; (c = getopt_long(argc, argv, "c:w:s:t:p:P:jhV", longs, NULL)) != -1;) {
        switch (c) {
        case 'c':
            o->connections = number("connections", optarg, 2, 100000);
            break;
        case 'w':
            o->window = number("window", optarg, 1, 1000);
            break;
        case 's':
            o->size = number("size", optarg, 16, 8000);
            break;
        case 't':
            o->seconds = number("time", optarg, 1, 3600);
            break;
        case 'p':
            o->pid = (pid_t)number("pid", optarg, 1, 10000000);
            break;
        case 'P':
            proto = optarg;
            break;
        case 'j':
            o->json = true;
            break;
        case 'V':
            puts("imbench " PACKAGE_VERSION);
            exit(EX_OK);
        case 'h':
            fputs(usage, stdout);
            exit(EX_OK);
        default:
            fputs("Try: imbench --help\n", stderr);
            exit(EX_USAGE);
        }
    }
    if (argc - optind != 2) {
        fputs(usage, stderr);
        exit(EX_USAGE);
    }
    o->scenario = argv[optind];
    o->url = argv[optind + 1];
    o->connections &= ~1u;
    o->proto = strncmp(o->url, "ws://", 5) == 0 ? BENCH_CLASSROOM : BENCH_JSON;
    if (proto && strcmp(proto, "json") == 0)
        o->proto = BENCH_JSON;
    else if (proto && strcmp(proto, "classroom") != 0)
        die("protocol: classroom or json, not \"%s\"", proto);
}

int main(int argc, char **argv)
{
    struct bench_options o = {.connections = 1000, .window = 1, .size = 64, .seconds = 5, .warmup = 5};
    static struct result r;
    signal(SIGPIPE, SIG_IGN);
    parse(argc, argv, &o);
    if (strcmp(o.scenario, "pairs") == 0)
        run_pairs(&o, &r);
    else if (strcmp(o.scenario, "fanout") == 0)
        run_fanout(&o, &r);
    else if (strcmp(o.scenario, "idle") == 0)
        run_idle(&o, &r);
    else
        die("no scenario \"%s\"; see: imbench --help", o.scenario);
    report(&o, &r);
    return r.wrong == 0 ? EX_OK : EX_DATAERR;
}
