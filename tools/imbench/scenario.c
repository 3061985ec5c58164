#include "tools/imbench/scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "tools/imbench/run.h"

enum { PAGE = 50, ACK_EVERY = 16 };

/* pingpong, pairs: each answers every message at once. */

static void send_window(struct client *c)
{
    for (unsigned i = 0; i < c->run->options->window && run_may_send(c->run); i++)
        client_send(c, c->run->net.now);
}

static void begin_pairs(struct run *r)
{
    for (unsigned i = 0; i < r->count; i += 2)
        send_window(&r->clients[i]);
}

static void pair_got(struct client *c, const struct text *text)
{
    run_done(c->run, text->stamp);
    if (run_may_send(c->run))
        client_send(c, c->run->net.now);
}

/* rate: messages leave when they are due, whether or not earlier ones have come, and are timed from when they were due.
 */

static uint64_t send_due(struct run *r, uint64_t now, struct client *(*pick)(struct run *, uint64_t turn))
{
    for (;;) {
        uint64_t due = r->due_start + (uint64_t)((double)r->turn * 1e9 / r->options->rate);
        if (due > now || !run_may_send(r))
            return due > now ? due : UINT64_MAX;
        client_send(pick(r, r->turn++), due);
    }
}

static struct client *pick_any(struct run *r, uint64_t n)
{
    return &r->clients[n % r->count];
}

static uint64_t rate_tick(struct run *r, uint64_t now)
{
    return send_due(r, now, pick_any);
}

static void rate_got(struct client *c, const struct text *text)
{
    run_done(c->run, text->stamp);
}

/* fanout: the first one writes, and when all the others have it, the next one follows. */

static void fan_out(struct run *r)
{
    uint64_t before = r->sent;
    send_window(&r->clients[0]);
    r->waiting = (r->sent - before) * (r->count - 1);
}

static void fan_got(struct client *c, const struct text *text)
{
    run_done(c->run, text->stamp);
    if (--c->run->waiting == 0)
        fan_out(c->run);
}

/* durable: one writes, with so many messages not yet acknowledged, and the other reads. */

static void durable_answered(struct client *c, uint64_t sent_ns)
{
    run_done(c->run, sent_ns);
    if (run_may_send(c->run))
        client_send(c, c->run->net.now);
}

static void durable_got(struct client *c, const struct text *text)
{
    (void)text;
    if (++c->waiting % ACK_EVERY == 0)
        client_ack(c);
}

/* storm: the readers leave; the writers write; the readers come back, all at once, and get what waits for them; and so
 * on. */

static void storm_leave(struct run *r)
{
    r->waiting = r->count / 2;
    for (unsigned i = 1; i < r->count; i += 2)
        client_leave(&r->clients[i]);
}

static void storm_return(struct run *r)
{
    r->waiting = r->count / 2;
    for (unsigned i = 1; i < r->count; i += 2) {
        struct client *c = &r->clients[i];
        c->waiting = r->options->window;
        c->began = now_ns();
        run_enter(c);
    }
}

/* The classroom chat does not say when it has a message. */
static void storm_left(struct client *c)
{
    struct run *r = c->run;
    if (--r->waiting > 0 || !run_may_send(r))
        return;
    r->waiting = (uint64_t)r->options->window * r->count / 2;
    begin_pairs(r);
    if (r->options->dialect == DIALECT_CLASSROOM)
        storm_return(r);
}

static void storm_answered(struct client *c, uint64_t sent_ns)
{
    (void)sent_ns;
    if (--c->run->waiting == 0)
        storm_return(c->run);
}

static void storm_got(struct client *c, const struct text *text)
{
    struct run *r = c->run;
    (void)text;
    if (--c->waiting > 0)
        return;
    client_ack(c);
    run_done(r, c->began);
    if (--r->waiting == 0 && run_may_send(r))
        storm_leave(r);
}

/* connect: everybody leaves, and comes again, over and over. */

static void connect_begin(struct run *r)
{
    for (unsigned i = 0; i < r->count; i++)
        client_leave(&r->clients[i]);
}

static void connect_left(struct client *c)
{
    if (!c->run->going)
        return;
    c->began = now_ns();
    run_enter(c);
}

static void connect_entered(struct client *c)
{
    run_done(c->run, c->began);
    client_leave(c);
}

/* slow: in one pair of four the reader reads nothing until the time is up, while others write to it; what is timed are
 * the other pairs, which go on as in pingpong. */

static bool is_slow(const struct client *c)
{
    return c->number / 2 % 4 == 3;
}

static void slow_arrange(struct client *c)
{
    c->conn.small = is_slow(c);
}

static void slow_listen(struct run *r, bool on)
{
    for (unsigned i = 1; i < r->count; i += 2)
        if (is_slow(&r->clients[i]))
            conn_listen(&r->clients[i].conn, on);
}

static void slow_begin(struct run *r)
{
    slow_listen(r, false);
    for (unsigned i = 0; i < r->count; i += 2)
        if (!is_slow(&r->clients[i]))
            send_window(&r->clients[i]);
}

static struct client *pick_slow(struct run *r, uint64_t n)
{
    return &r->clients[n % (r->count / 8) * 8 + 6];
}

static uint64_t slow_tick(struct run *r, uint64_t now)
{
    return send_due(r, now, pick_slow);
}

static void slow_got(struct client *c, const struct text *text)
{
    if (!is_slow(c))
        pair_got(c, text);
}

static void slow_end(struct run *r)
{
    slow_listen(r, true);
}

/* history: conversations are filled first, and then read in pages, over and over. */

static void ask_page(struct client *c)
{
    char json[160];
    c->began = c->run->net.now;
    int n = snprintf(json, sizeof json,
                     "{\"op\":\"history\",\"id\":\"page\",\"conv\":\"%s\",\"after\":%" PRIu64 ",\"limit\":%d}", c->to,
                     c->waiting, PAGE);
    conn_send(&c->conn, (struct im_str){json, (size_t)n});
}

static void history_answered(struct client *c, uint64_t sent_ns)
{
    (void)sent_ns;
    if (c->sent < c->run->options->depth)
        client_send(c, c->run->net.now);
}

static bool filled(const struct run *r)
{
    uint64_t all = (uint64_t)r->options->depth * r->count / 2;
    return r->answered == all && r->tally.got >= all;
}

static void history_begin(struct run *r)
{
    for (unsigned i = 0; i < r->count; i += 2)
        for (unsigned k = 0; k < r->options->window && k < r->options->depth; k++)
            client_send(&r->clients[i], r->net.now);
    r->phase = "filling conversations";
    if (!run_until(r, filled)) {
        run_fail(r, EX_UNAVAILABLE, "only %" PRIu64 " messages were taken in, and then nothing happened any more",
                 r->answered);
        return;
    }
    for (unsigned i = 1; i < r->count; i += 2)
        ask_page(&r->clients[i]);
}

/* Are these the messages from number n on? Returns how many there are, or -1. */
static long check_page(const struct client *c, uint64_t n, struct im_str json)
{
    const char *end = json.p + json.len;
    long count = 0;
    for (struct im_str found; (found = client_find(json, "text")).p; count++) {
        struct text text;
        if (!text_get(found, c->run->options->size, &text) || text.n != n + (uint64_t)count ||
            text.sender != c->peer->number)
            return -1;
        json = (struct im_str){found.p + found.len, (size_t)(end - found.p) - found.len};
    }
    return count;
}

static void history_page(struct client *c, struct im_str json)
{
    const struct options *o = c->run->options;
    uint64_t after = c->waiting, left = o->depth - after;
    long expected = left < PAGE ? (long)left : PAGE;
    run_done(c->run, c->began);
    if (check_page(c, after, json) != expected) {
        run_fail(c->run, EX_DATAERR, "%s: its history is not what was written", c->name);
        return;
    }
    c->waiting = after + PAGE < o->depth ? after + PAGE : 0;
    if (c->run->going)
        ask_page(c);
}

const struct scenario scenarios[] = {
    {.name = "pingpong",
     .unit = "messages",
     .help = "two and two; each answers every message at once",
     .connections = 1000,
     .window = 1,
     .least = 2,
     .begin = begin_pairs,
     .got = pair_got},
    {.name = "pairs",
     .unit = "messages",
     .help = "the same with --window messages under way in each pair",
     .connections = 1000,
     .window = 16,
     .least = 2,
     .begin = begin_pairs,
     .got = pair_got},
    {.name = "rate",
     .unit = "messages",
     .help = "--rate messages a second, whatever comes back, timed from when they were due",
     .connections = 1000,
     .window = 1,
     .least = 2,
     .open_loop = true,
     .tick = rate_tick,
     .got = rate_got},
    {.name = "fanout",
     .unit = "deliveries",
     .help = "one writes to a group of all the others, --window at a time",
     .connections = 1000,
     .window = 1,
     .least = 2,
     .group = true,
     .begin = fan_out,
     .got = fan_got},
    {.name = "idle",
     .unit = "messages",
     .help = "connections that say nothing: what they cost in memory",
     .connections = 1000,
     .window = 1,
     .least = 2,
     .timed = true,
     .resting = true},
    {.name = "durable",
     .unit = "acknowledgements",
     .help = "writers wait for acknowledgements, with --window of them due; readers acknowledge",
     .connections = 200,
     .window = 8,
     .least = 2,
     .json = true,
     .devices = true,
     .begin = begin_pairs,
     .answered = durable_answered,
     .got = durable_got},
    {.name = "storm",
     .unit = "returns",
     .help = "half of all leave, come back at once, and get the --window messages that wait",
     .connections = 1000,
     .window = 4,
     .least = 2,
     .devices = true,
     .timed = true,
     .begin = storm_leave,
     .left = storm_left,
     .answered = storm_answered,
     .got = storm_got},
    {.name = "connect",
     .unit = "arrivals",
     .help = "all leave and come back, over and over: connecting, TLS, logging in",
     .connections = 100,
     .window = 1,
     .least = 2,
     .timed = true,
     .begin = connect_begin,
     .entered = connect_entered,
     .left = connect_left},
    {.name = "slow",
     .unit = "messages",
     .help = "pingpong, while one reader in four gets a share of --rate and reads nothing",
     .connections = 200,
     .window = 1,
     .least = 8,
     .open_loop = true,
     .arrange = slow_arrange,
     .begin = slow_begin,
     .tick = slow_tick,
     .got = slow_got,
     .end = slow_end},
    {.name = "history",
     .unit = "pages",
     .help = "readers page through conversations of --depth messages, 50 at a time",
     .connections = 100,
     .window = 16,
     .least = 2,
     .json = true,
     .timed = true,
     .begin = history_begin,
     .answered = history_answered,
     .page = history_page},
};
const unsigned scenario_count = sizeof scenarios / sizeof *scenarios;
