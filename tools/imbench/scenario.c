#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "tools/imbench/bench.h"

/* The scenarios. Every message carries its sender's count, so that a lost, repeated or misplaced one is noticed. */

#define STAMPS 4096 /* of a sender's messages under way; the window is smaller */

struct player {
    struct conn conn;
    struct stage *stage;
    struct player *peer; /* pairs */
    char name[24], to[24];
    bool in;                 /* logged in, and in the group */
    unsigned asked;          /* steps of getting in */
    uint64_t sent, expected; /* counts of what was sent, and of the next to come */
    uint64_t stamps[STAMPS];
};

struct stage {
    const struct bench_options *options;
    struct result *result;
    struct load load;
    struct player *players;
    unsigned count, in;
    bool running, measuring;
    char *text;       /* padding */
    uint64_t missing; /* fanout: deliveries of messages under way */
};

static void count_in(struct player *p)
{
    p->stage->in += !p->in;
    p->in = true;
}

/* A message: "n…": the count in 16 hex digits, then padding. */
static void send_next(struct player *p)
{
    struct stage *s = p->stage;
    unsigned size = s->options->size;
    char count[17];
    snprintf(count, sizeof count, "%016" PRIx64, p->sent);
    memcpy(s->text, count, 16);
    p->stamps[p->sent % STAMPS] = now_ns();
    p->sent++;
    if (s->measuring)
        s->result->sent++;
    if (s->options->proto == BENCH_CLASSROOM) {
        conn_send(&s->load, &p->conn, s->text, size);
        return;
    }
    char *json = s->text + size + 1;
    int n = sprintf(json, "{\"op\":\"send\",\"id\":%" PRIu64 ",\"to\":\"%s\",\"text\":\"%.*s\",\"cid\":\"%s\"}",
                    p->sent, p->to, (int)size, s->text, count);
    conn_send(&s->load, &p->conn, json, (size_t)n);
}

static void got(struct player *from, struct player *by, const char *text, size_t len)
{
    struct stage *s = by->stage;
    char count[17] = "";
    if (len < 16)
        return;
    memcpy(count, text, 16);
    uint64_t n = strtoull(count, NULL, 16);
    if (n != by->expected || len != s->options->size)
        s->result->wrong++;
    by->expected = n + 1;
    if (!s->measuring)
        return;
    s->result->delivered++;
    hist_add(&s->result->latency, now_ns() - from->stamps[n % STAMPS]);
}

/* The text of a `msg` event, or NULL; `"text":"` stands once in what this program sends. */
static const char *find_text(const char *json, size_t len, size_t *text_len)
{
    static const char key[] = "\"text\":\"";
    const char *at = memmem(json, len, key, sizeof key - 1);
    const char *end = at ? memchr(at + sizeof key - 1, '"', len - (size_t)(at - json) - (sizeof key - 1)) : NULL;
    if (!end)
        return NULL;
    *text_len = (size_t)(end - at) - (sizeof key - 1);
    return at + sizeof key - 1;
}

static bool is_event(const char *json, size_t len, const char *op)
{
    size_t n = strlen(op);
    return len > 8 + n && memcmp(json + 7, op, n) == 0 && json[7 + n] == '"';
}

static void check_error(const struct conn *c, const char *json, size_t len)
{
    if (is_event(json, len, "err"))
        die("connection %u: %.*s", c->number, (int)len, json);
}

/* pairs */

static void pair_message(struct conn *c, const char *text, size_t len)
{
    struct player *p = c->owner;
    size_t n = len;
    if (p->stage->options->proto == BENCH_JSON) {
        check_error(c, text, len);
        if (!p->in && is_event(text, len, "ok"))
            count_in(p);
        if (!is_event(text, len, "msg") || !(text = find_text(text, len, &n)))
            return;
    }
    if (p->peer == NULL)
        return;
    got(p->peer, p, text, n);
    if (p->stage->running)
        send_next(p);
}

static const struct conn_ops pair_ops = {pair_message};

static void say(struct player *p, const char *json)
{
    conn_send(&p->stage->load, &p->conn, json, strlen(json));
}

static void enter(struct player *p, unsigned number, const struct conn_ops *ops)
{
    struct stage *s = p->stage;
    const struct bench_options *o = s->options;
    char path[80] = "/ws", login[80];
    p->conn.number = number;
    p->conn.owner = p;
    p->conn.ops = ops;
    if (o->proto == BENCH_CLASSROOM)
        snprintf(path, sizeof path, "/ws/%s/%s", p->name, p->to);
    conn_open(&s->load, &p->conn, o, path, o->proto == BENCH_JSON);
    if (o->proto == BENCH_CLASSROOM) {
        count_in(p);
        return;
    }
    snprintf(login, sizeof login, "{\"op\":\"login\",\"id\":0,\"user\":\"%s\"}", p->name);
    say(p, login);
}

static void open_stage(struct stage *s, const struct bench_options *o, struct result *r)
{
    *s = (struct stage){.options = o, .result = r, .count = o->connections};
    s->players = im_zalloc(s->count * sizeof *s->players);
    s->text = im_alloc(2 * o->size + 512);
    memset(s->text, 'x', 2 * o->size + 512);
    load_open(&s->load);
    r->connections = s->count;
    r->rss_before = proc_rss(o->pid);
    for (unsigned i = 0; i < s->count; i++) {
        s->players[i].stage = s;
        snprintf(s->players[i].name, sizeof s->players[i].name, "b%u-%u", (unsigned)getpid() % 100000, i);
    }
}

static void close_stage(struct stage *s)
{
    for (unsigned i = 0; i < s->count; i++)
        conn_close(&s->load, &s->players[i].conn);
    load_close(&s->load);
    free(s->players);
    free(s->text);
}

static void wait_in(struct stage *s)
{
    uint64_t end = now_ns() + 60000000000u;
    while (s->in < s->count) {
        load_turn(&s->load, 100);
        if (now_ns() > end)
            die("only %u of %u could log in within a minute", s->in, s->count);
    }
}

static void turn_for(struct stage *s, uint64_t ns)
{
    for (uint64_t end = now_ns() + ns; now_ns() < end;)
        load_turn(&s->load, 10);
}

static void measure(struct stage *s)
{
    const struct bench_options *o = s->options;
    struct result *r = s->result;
    turn_for(s, o->warmup * 1000000000ull / 10);
    uint64_t cpu = proc_cpu_ns(o->pid), own = proc_cpu_ns(getpid()), start = now_ns();
    s->measuring = true;
    turn_for(s, o->seconds * 1000000000ull);
    s->measuring = false;
    r->elapsed_ns = now_ns() - start;
    r->cpu_ns = proc_cpu_ns(o->pid) - cpu;
    r->own_cpu_ns = proc_cpu_ns(getpid()) - own;
    r->rss_after = proc_rss(o->pid);
    s->running = false;
    turn_for(s, 300000000u);
}

void run_pairs(const struct bench_options *o, struct result *r)
{
    struct stage s;
    open_stage(&s, o, r);
    for (unsigned i = 0; i < s.count; i++) {
        struct player *p = &s.players[i], *peer = &s.players[i ^ 1];
        p->peer = peer;
        memcpy(p->to, peer->name, sizeof p->to);
    }
    for (unsigned i = 0; i < s.count; i++) {
        enter(&s.players[i], i, &pair_ops);
        if (i % 64 == 63)
            load_turn(&s.load, 0);
    }
    wait_in(&s);
    turn_for(&s, 200000000u);
    s.running = true;
    for (unsigned i = 0; i < s.count; i += 2)
        for (unsigned k = 0; k < o->window; k++)
            send_next(&s.players[i]);
    measure(&s);
    close_stage(&s);
}

/* fanout: the first one writes in a group (with the classroom's protocol: on a socket whose target is everybody), all
 * others get it; when all have got one, the next one goes out. */

static void fan_step(struct player *p)
{
    struct stage *s = p->stage;
    if (!s->running || s->missing > 0)
        return;
    for (unsigned k = 0; k < s->options->window; k++) {
        s->missing += s->count - 1;
        send_next(p);
    }
}

static void fan_message(struct conn *c, const char *text, size_t len)
{
    struct player *p = c->owner;
    struct stage *s = p->stage;
    size_t n = len;
    if (s->options->proto == BENCH_JSON) {
        char join[120];
        check_error(c, text, len);
        if (!p->in && is_event(text, len, "ok")) {
            if (p->asked++ == 1 || (p == s->players && p->asked > 1)) {
                count_in(p);
            } else {
                snprintf(join, sizeof join, "{\"op\":\"group\",\"id\":1,\"do\":\"%s\",\"conv\":\"%s\",\"public\":true}",
                         p == s->players ? "create" : "join", p->to);
                say(p, join);
            }
            return;
        }
        if (!is_event(text, len, "msg") || !(text = find_text(text, len, &n)))
            return;
    }
    got(s->players, p, text, n);
    if (s->missing > 0 && --s->missing == 0)
        fan_step(s->players);
}

static const struct conn_ops fan_ops = {fan_message};

void run_fanout(const struct bench_options *o, struct result *r)
{
    struct stage s;
    open_stage(&s, o, r);
    for (unsigned i = 0; i < s.count; i++) {
        snprintf(s.players[i].to, sizeof s.players[i].to, "%s%u", o->proto == BENCH_JSON ? "#g" : "all",
                 (unsigned)getpid() % 100000);
        enter(&s.players[i], i, &fan_ops);
        for (unsigned turns = 0; o->proto == BENCH_JSON && i == 0 && !s.players[0].in && turns < 1000; turns++)
            load_turn(&s.load, 10);
        load_turn(&s.load, 0);
    }
    wait_in(&s);
    turn_for(&s, 500000000u);
    s.running = true;
    fan_step(&s.players[0]);
    measure(&s);
    close_stage(&s);
}

/* idle: what a connection that says nothing costs in memory. */
void run_idle(const struct bench_options *o, struct result *r)
{
    struct stage s;
    open_stage(&s, o, r);
    for (unsigned i = 0; i < s.count; i++) {
        memcpy(s.players[i].to, s.players[(i ^ 1) < s.count ? i ^ 1 : i].name, sizeof s.players[i].to);
        enter(&s.players[i], i, &pair_ops);
        if (i % 64 == 63)
            load_turn(&s.load, 0);
    }
    wait_in(&s);
    turn_for(&s, 1500000000u);
    measure(&s);
    close_stage(&s);
}
