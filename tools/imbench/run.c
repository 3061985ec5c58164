#include "tools/imbench/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/mem.h"
#include "tools/imbench/progress.h"
#include "tools/imbench/scenario.h"

enum { ENTERING_MAX = 64 }; /* at once; listeners have a backlog */
enum { PROBLEM_MAX = 320 };
#define LOOK_NS 50000000u

void run_fail(struct run *r, int status, const char *format, ...)
{
    va_list args;
    char problem[PROBLEM_MAX];
    if (r->status != EX_OK)
        return;
    r->status = status;
    r->going = false;
    va_start(args, format);
    vsnprintf(problem, sizeof problem, format, args);
    va_end(args);
    im_out_safe(&r->problem, im_str(problem), false); /* it may quote the server */
}

/* What clients report. */

void run_entered(struct client *c)
{
    struct run *r = c->run;
    r->in++;
    r->entering--;
    r->activity++;
    if (r->options->scenario->entered && r->going)
        r->options->scenario->entered(c);
}

void run_left(struct client *c)
{
    struct run *r = c->run;
    r->in--;
    r->activity++;
    if (r->options->scenario->left)
        r->options->scenario->left(c);
}

void run_sent(struct run *r)
{
    r->sent++;
    r->tally.expected += r->options->scenario->group ? r->count - 1 : 1;
}

void run_got(struct client *c, const struct text *text)
{
    flow_take(&c->flow, text->n, &c->run->tally);
    if (c->run->options->scenario->got)
        c->run->options->scenario->got(c, text);
}

void run_answered(struct client *c, uint64_t sent_ns)
{
    c->run->answered++;
    if (c->run->options->scenario->answered)
        c->run->options->scenario->answered(c, sent_ns);
}

void run_done(struct run *r, uint64_t since_ns)
{
    if (!r->measuring)
        return;
    r->done++;
    hist_add(&r->latency, r->net.now > since_ns ? r->net.now - since_ns : 0);
}

bool run_may_send(const struct run *r)
{
    return r->going && (r->options->messages == 0 || r->sent < r->options->messages);
}

uint64_t run_unanswered(const struct run *r)
{
    return r->options->dialect == DIALECT_JSON ? r->sent - r->answered : 0;
}

bool run_good(const struct run *r)
{
    return r->status == EX_OK && tally_lost(&r->tally) == 0 && r->tally.duplicated == 0 && r->tally.misordered == 0 &&
           run_unanswered(r) == 0;
}

/* Time. */

static struct usage usage_since(pid_t pid, const struct usage *start)
{
    struct usage now = {0};
    if (pid == 0 || !usage_get(pid, &now) || now.cpu_ns < start->cpu_ns)
        return (struct usage){0};
    return (struct usage){now.cpu_ns - start->cpu_ns, now.waited_ns - start->waited_ns};
}

static void take_sample(struct run *r, uint64_t now)
{
    const struct options *o = r->options;
    r->server = usage_since(o->pid, &r->server_start);
    r->own = usage_since(getpid(), &r->own_start);
    if (r->sample_count < RUN_SAMPLES)
        r->samples[r->sample_count++] = (struct sample){now - r->start, r->done, r->server.cpu_ns, r->own.cpu_ns};
}

static void look(struct run *r, uint64_t now)
{
    uint64_t step = r->options->time_ns / (RUN_SAMPLES / 2);
    r->next_look = now + LOOK_NS;
    if (r->measuring && now >= r->last_sample + step) {
        r->last_sample = now;
        take_sample(r, now);
    }
    progress_show(r, now);
}

static void turn(struct run *r, uint64_t until)
{
    const struct scenario *s = r->options->scenario;
    uint64_t now = now_ns();
    if (now >= r->next_look)
        look(r, now);
    uint64_t wake = until < r->next_look ? until : r->next_look;
    if (s->tick && r->going) {
        uint64_t next = s->tick(r, now);
        wake = next < wake ? next : wake;
    }
    now = now_ns();
    net_turn(&r->net, wake > now ? wake - now : 0);
}

bool run_until(struct run *r, bool (*done)(const struct run *))
{
    uint64_t seen = r->activity, since = now_ns();
    while (!done(r) && r->status == EX_OK) {
        turn(r, UINT64_MAX);
        if (r->activity != seen) {
            seen = r->activity;
            since = r->net.now;
        } else if (now_ns() > since + r->options->patience_ns) {
            return false;
        }
    }
    return r->status == EX_OK;
}

static void run_for(struct run *r, uint64_t ns)
{
    uint64_t end = now_ns() + ns;
    while (r->net.now < end && r->status == EX_OK)
        turn(r, end);
}

/* Phases. */

void run_enter(struct client *c)
{
    c->run->entering++;
    client_enter(c);
}

static bool all_in(const struct run *r)
{
    return r->in == r->count;
}

static bool some_may_enter(const struct run *r)
{
    return r->entering < ENTERING_MAX;
}

/* The first one alone: it makes the group that the others join. */
static bool nobody_enters(const struct run *r)
{
    return r->entering == 0;
}

static void enter_all(struct run *r)
{
    r->phase = "coming in";
    for (unsigned i = 0; i < r->count && r->status == EX_OK; i++) {
        if (!run_until(r, i == 1 ? nobody_enters : some_may_enter))
            break;
        run_enter(&r->clients[i]);
    }
    if (!run_until(r, all_in))
        run_fail(r, EX_UNAVAILABLE, "only %u of %u came in, and then nothing happened any more", r->in, r->count);
}

static bool settled(const struct run *r)
{
    return tally_lost(&r->tally) == 0 && run_unanswered(r) == 0;
}

static bool all_done(const struct run *r)
{
    return r->sent >= r->options->messages && settled(r);
}

static void measure(struct run *r)
{
    const struct options *o = r->options;
    r->phase = "measuring";
    if (o->pid)
        usage_get(o->pid, &r->server_start);
    usage_get(getpid(), &r->own_start);
    r->start = now_ns();
    r->measuring = true;
    if (o->messages)
        run_until(r, all_done);
    else
        run_for(r, o->time_ns);
    uint64_t now = now_ns();
    r->elapsed_ns = now - r->start;
    r->sample_count -= r->sample_count == RUN_SAMPLES;
    take_sample(r, now);
    r->rss_after = o->pid ? rss_get(o->pid) : 0;
    r->measuring = false;
}

static void settle(struct run *r)
{
    uint64_t start = now_ns();
    r->phase = "waiting for what is under way";
    r->going = false;
    if (r->options->scenario->end)
        r->options->scenario->end(r);
    run_until(r, settled);
    r->settled_ns = now_ns() - start;
}

static void begin(struct run *r)
{
    const struct options *o = r->options;
    r->phase = "warming up";
    r->going = true;
    r->due_start = now_ns();
    if (o->scenario->begin)
        o->scenario->begin(r);
    if (o->messages == 0)
        run_for(r, o->warmup_ns);
}

static void perform(struct run *r)
{
    enter_all(r);
    if (r->status != EX_OK)
        return;
    if (r->options->messages == 0)
        run_for(r, r->options->warmup_ns);
    begin(r);
    if (r->status == EX_OK)
        measure(r);
    if (r->status == EX_OK)
        settle(r);
}

void run_all(struct run *r, const struct options *o)
{
    const char *problem;
    *r = (struct run){.options = o, .count = o->connections};
    if (getrandom(&r->id, sizeof r->id, 0) != sizeof r->id)
        r->id = (unsigned)getpid();
    r->rss_before = o->pid ? rss_get(o->pid) : 0;
    r->clients = im_zalloc(r->count * sizeof *r->clients);
    for (unsigned i = 0; i < r->count; i++)
        client_init(&r->clients[i], r, i);
    if (net_open(&r->net, &o->endpoint, &o->net, &problem))
        perform(r);
    else
        run_fail(r, EX_OSERR, "%s", problem);
    progress_clear(r);
    for (unsigned i = 0; i < r->count; i++)
        client_free(&r->clients[i]);
    net_close(&r->net);
}

void run_free(struct run *r)
{
    free(r->clients);
    im_out_clear(&r->scratch);
    im_out_clear(&r->problem);
}
