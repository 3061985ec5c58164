#include "tools/imbench/options.h"

#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "tools/imbench/proc.h"
#include "tools/imbench/scenario.h"

static const char usage[] = "Usage: imbench [OPTION…] SCENARIO URL\n"
                            "       imbench --version | --help\n"
                            "\n"
                            "Puts load on the server at URL (ws://, wss://, tcp:// or tls:// with HOST:PORT, or "
                            "unix:PATH), checks every message,\n"
                            "and tells how fast it was, and what it cost.\n";

static const char option_help[] =
    "\n"
    "  -c, --connections N   how many, an even number\n"
    "  -w, --window N        messages under way at a time\n"
    "  -s, --size BYTES      of a message's text, 32 to 65536 (64)\n"
    "  -r, --rate N          messages a second (20000)\n"
    "  -d, --depth N         messages in each conversation (100)\n"
    "  -t, --time SECONDS    to measure (5)\n"
    "  -W, --warmup SECONDS  before that (0.5)\n"
    "  -n, --messages N      send so many, at once and without a warm-up, instead of measuring for a time\n"
    "      --patience SECONDS  without any sign of life until the rest counts as lost (5)\n"
    "  -p, --pid PID         the server's process, whose CPU time and memory are told\n"
    "  -P, --protocol NAME   classroom (bare text; the default over ws:// and wss://) or json (im.v1)\n"
    "  -z, --deflate         WebSockets: compress what is sent, and have the server do so (permessage-deflate)\n"
    "      --resume          TLS: take up the session of an earlier connection where there is one\n"
    "      --relay           the server only passes messages on; no groups are made\n"
    "  -j, --json            print the result as one line of JSON\n"
    "      --svg FILE        draw latency and throughput too\n"
    "  -q, --quiet           do not show how it goes\n"
    "\n"
    "The server should run in open mode, with limits.rate: 0 and, for this program on another machine,\n"
    "limits.per_address above the number of connections; imbench(1) has such a configuration.\n"
    "Exit status: 0 when every message came once and in order; 65 when not; others as in sysexits.h.\n";

enum { OPTION_PATIENCE = 256, OPTION_RELAY, OPTION_RESUME, OPTION_SVG };

static int wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("imbench: ", stderr);
    vfprintf(stderr, format, args);
    fputs("\nTry: imbench --help\n", stderr);
    va_end(args);
    return EX_USAGE;
}

static void help(void)
{
    fputs(usage, stdout);
    fputs("\nSCENARIO is one of these (in brackets the connections and the window unless told otherwise):\n", stdout);
    for (unsigned i = 0; i < scenario_count; i++) {
        const struct scenario *s = &scenarios[i];
        printf("  %-9s %s (%u, %u)\n", s->name, s->help, s->connections, s->window);
    }
    fputs(option_help, stdout);
}

static int take_number(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    if (!im_str_u64(im_str(text), out) || *out < least || *out > most)
        return wrong("%s: a number from %lu to %lu, not \"%s\"", option, (unsigned long)least, (unsigned long)most,
                     text);
    return EX_OK;
}

static int take_unsigned(const char *option, const char *text, unsigned least, unsigned most, unsigned *out)
{
    uint64_t n = 0;
    int status = take_number(option, text, least, most, &n);
    *out = (unsigned)n;
    return status;
}

static int take_seconds(const char *option, const char *text, uint64_t *ns)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds >= 0 && seconds <= 86400))
        return wrong("%s: seconds, up to a day, not \"%s\"", option, text);
    *ns = (uint64_t)llround(seconds * 1e9);
    return EX_OK;
}

static int take_dialect(struct options *o, const char *text)
{
    static const char *const names[] = {[DIALECT_CLASSROOM] = "classroom", [DIALECT_JSON] = "json"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0) {
            o->dialect = (enum dialect)i;
            return EX_OK;
        }
    return wrong("--protocol: classroom or json, not \"%s\"", text);
}

static int take_pid(struct options *o, const char *text)
{
    struct usage seen;
    unsigned pid = 0;
    int status = take_unsigned("--pid", text, 1, INT_MAX, &pid);
    o->pid = (pid_t)pid;
    if (status == EX_OK && !usage_get(o->pid, &seen))
        return wrong("--pid: there is no process %u whose CPU time can be seen", pid);
    return status;
}

static int take_option(struct options *o, int c, const char *value)
{
    switch (c) {
    case 'c':
        return take_unsigned("--connections", value, 2, 1000000, &o->connections);
    case 'w':
        return take_unsigned("--window", value, 1, 100000, &o->window);
    case 's':
        return take_unsigned("--size", value, TEXT_MIN, 65536, &o->size);
    case 'r':
        return take_unsigned("--rate", value, 1, 100000000, &o->rate);
    case 'd':
        return take_unsigned("--depth", value, 1, 10000000, &o->depth);
    case 't':
        return take_seconds("--time", value, &o->time_ns);
    case 'W':
        return take_seconds("--warmup", value, &o->warmup_ns);
    case 'n':
        return take_number("--messages", value, 1, INT64_MAX, &o->messages);
    case OPTION_PATIENCE:
        return take_seconds("--patience", value, &o->patience_ns);
    case 'p':
        return take_pid(o, value);
    case 'P':
        return take_dialect(o, value);
    case 'z':
        o->net.deflate = true;
        return EX_OK;
    case OPTION_RESUME:
        o->net.resume = true;
        return EX_OK;
    case OPTION_RELAY:
        o->relay = true;
        return EX_OK;
    case 'j':
        o->json = true;
        return EX_OK;
    case OPTION_SVG:
        o->svg = value;
        return EX_OK;
    case 'q':
        o->quiet = true;
        return EX_OK;
    default:
        fputs("Try: imbench --help\n", stderr);
        return EX_USAGE;
    }
}

static int take_options(struct options *o, int argc, char **argv, bool *done)
{
    static const struct option longs[] = {
        {"connections", required_argument, NULL, 'c'},
        {"window", required_argument, NULL, 'w'},
        {"size", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},
        {"depth", required_argument, NULL, 'd'},
        {"time", required_argument, NULL, 't'},
        {"warmup", required_argument, NULL, 'W'},
        {"messages", required_argument, NULL, 'n'},
        {"patience", required_argument, NULL, OPTION_PATIENCE},
        {"pid", required_argument, NULL, 'p'},
        {"protocol", required_argument, NULL, 'P'},
        {"deflate", no_argument, NULL, 'z'},
        {"resume", no_argument, NULL, OPTION_RESUME},
        {"relay", no_argument, NULL, OPTION_RELAY},
        {"json", no_argument, NULL, 'j'},
        {"svg", required_argument, NULL, OPTION_SVG},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    int status = EX_OK;
    for (int c;
         status == EX_OK && !*done && (c = getopt_long(argc, argv, "c:w:s:r:d:t:W:n:p:P:zjqhV", longs, NULL)) != -1;) {
        *done = c == 'h' || c == 'V';
        if (c == 'h')
            help();
        else if (c == 'V')
            puts("imbench " PACKAGE_VERSION);
        else
            status = take_option(o, c, optarg);
    }
    return status;
}

static int take_scenario(struct options *o, const char *name)
{
    for (unsigned i = 0; i < scenario_count; i++)
        if (strcmp(scenarios[i].name, name) == 0) {
            o->scenario = &scenarios[i];
            return EX_OK;
        }
    return wrong("there is no scenario \"%s\"", name);
}

/* What was not said follows from the scenario and the endpoint. */
static int complete(struct options *o, bool dialect_told)
{
    const struct scenario *s = o->scenario;
    bool websocket = o->endpoint.framing == WIRE_WEBSOCKET;
    if (!dialect_told)
        o->dialect = websocket && !s->json ? DIALECT_CLASSROOM : DIALECT_JSON;
    o->connections = o->connections ? o->connections : s->connections;
    o->window = o->window ? o->window : s->window;
    if (o->dialect == DIALECT_CLASSROOM && !websocket)
        return wrong("--protocol: the classroom chat is spoken over ws:// and wss:// only");
    if (o->dialect == DIALECT_CLASSROOM && s->json)
        return wrong("--protocol: %s needs json", s->name);
    if (o->net.deflate && !websocket)
        return wrong("--deflate: is for ws:// and wss://");
    if (o->net.resume && !o->endpoint.tls)
        return wrong("--resume: is for wss:// and tls://");
    if (o->messages && s->timed)
        return wrong("--messages: %s is measured for a time", s->name);
    if (o->time_ns == 0)
        return wrong("--time: must be more than 0");
    if (o->connections % 2 != 0)
        return wrong("--connections: must be even, as people come in twos");
    if (o->connections < s->least)
        return wrong("--connections: %s needs at least %u", s->name, s->least);
    return EX_OK;
}

int options_parse(struct options *o, int argc, char **argv, bool *done)
{
    const char *problem;
    *o = (struct options){.size = 64,
                          .rate = 20000,
                          .depth = 100,
                          .time_ns = 5000000000,
                          .warmup_ns = 500000000,
                          .patience_ns = 5000000000,
                          .dialect = (enum dialect) - 1};
    *done = false;
    int status = take_options(o, argc, argv, done);
    if (status != EX_OK || *done)
        return status;
    if (argc - optind != 2) {
        fputs(usage, stderr);
        fputs("Try: imbench --help\n", stderr);
        return EX_USAGE;
    }
    o->url = argv[optind + 1];
    status = take_scenario(o, argv[optind]);
    if (status != EX_OK)
        return status;
    if (!endpoint_parse(&o->endpoint, o->url, &problem))
        return wrong("%s: %s", o->url, problem);
    return complete(o, o->dialect != (enum dialect) - 1);
}
