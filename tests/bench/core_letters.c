/* The same as core_alone, with the letters between threads: the links are those of a worker, a real one but for its
 * transport, which has no sockets. Commands come to the core's thread as packed letters through mailboxes, and what it
 * sends leaves as letters; the other thread makes the former and drops what the latter bring. What is timed is the CPU
 * of the core's thread, in turns as a thread has them that is never done: it waits, which does not count, until there
 * are letters enough. Each thread has a core to itself where there are two.
 *
 * usage: core_letters pairs|group memory|elsewhere USERS MESSAGES
 *
 * Prints one line of JSON. In pairs everybody has one message under way, in a group one of them has eight. */

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "core/mem.h"
#include "tests/bench/alone.h"
#include "tests/bench/clock.h"
#include "transports/loop.h"
#include "transports/transports.h"
#include "transports/up.h"
#include "transports/worker.h"

enum {
    GROUP_WINDOW = 8,
    TURN_LETTERS = 3 * 64, /* what 100 to 190 messages bring: themselves, and what has left */
    WAITS = 50,            /* there may be no more under way */
    WAIT_NS = 20000,
};

struct person {
    struct im_link link;
    struct crowd *crowd;
    struct person *next; /* of those who go on in this turn */
    bool goes_on, held, in, joins;
    unsigned under_way;
    struct alone_name name, to;
};

/* The worker's thread, once it runs. */
struct crowd {
    struct alone_arguments arguments;
    struct im_transport_env *env;
    struct event *begin;
    struct person *people, *going_on;
    struct im_later go_on;
    unsigned entered;
    uint64_t sent, answered, delivered;
    atomic_bool talking, done; /* for the core's thread */
};

/* The core's. */
struct bench {
    struct alone alone;
    struct im_transport_env env;
    struct im_worker *worker;
    struct im_later drain;
    uint64_t ns; /* CPU, while they talked */
};

#define OWNER(type, entry, member) ((struct type *)(void *)((char *)(entry)-offsetof(struct type, member)))

/* Threads that come to share a core, or change it, would be measured as well. */
static void keep_to(bool first)
{
    cpu_set_t may, one;
    int chosen = -1;
    if (sched_getaffinity(0, sizeof may, &may) != 0)
        return;
    for (int i = 0; i < CPU_SETSIZE && !(first && chosen >= 0); i++)
        if (CPU_ISSET(i, &may))
            chosen = i;
    CPU_ZERO(&one);
    CPU_SET(chosen, &one);
    sched_setaffinity(0, sizeof one, &one);
}

/* The crowd. */

static void ask(struct person *p, struct im_command cmd)
{
    im_up_command(p->crowd->env, &p->link, &cmd);
}

static void say(struct person *p)
{
    struct crowd *c = p->crowd;
    struct alone_text text;
    p->under_way++;
    ask(p, alone_say(&p->to, ++c->sent, &text));
}

static void go_on(struct im_later *later);

static void let_go_on(struct person *p)
{
    struct crowd *c = p->crowd;
    if (!p->goes_on) {
        p->goes_on = true;
        p->next = c->going_on;
        c->going_on = p;
    }
    im_soon_add(im_loop_of(c->env), &c->go_on, go_on);
}

static void person_tell(struct im_link *link, struct im_event *e, bool own)
{
    struct person *p = (struct person *)link;
    if (e->type == IM_EV_ERR)
        abort();
    if (e->type == IM_EV_OK && e->reply.op == IM_OP_SEND) {
        p->crowd->answered++;
        p->under_way--;
    }
    p->crowd->delivered += e->type == IM_EV_MSG && !own;
    if (e->type == IM_EV_OK || e->type == IM_EV_MSG)
        let_go_on(p);
}

static void person_send(struct im_link *link, struct im_event *e, bool own)
{
    person_tell(link, e, own);
    im_event_drop(&e);
}

static size_t person_queued(const struct im_link *link)
{
    (void)link;
    return 0;
}

static void person_hold(struct im_link *link, bool on)
{
    struct person *p = (struct person *)link;
    p->held = on;
    if (!on && p->in)
        let_go_on(p);
}

static void person_close(struct im_link *link, enum im_reason reason)
{
    (void)link, (void)reason;
    abort();
}

static const struct im_link_ops person_ops = {
    .send = person_send, .tell = person_tell, .queued = person_queued, .hold = person_hold, .close = person_close};

static void enter(struct crowd *c, unsigned n)
{
    struct im_link_info info = {.transport = "none", .address = IM_STR("here")};
    struct person *p = &c->people[n];
    p->crowd = c;
    p->link.ops = &person_ops;
    p->link.dialect = &im_dialect_json;
    p->name = alone_user(n);
    p->to = alone_target(c->arguments.group, n);
    im_up_opened(c->env, &p->link, &info);
    ask(p, alone_login(&p->name));
}

static void start(struct crowd *c)
{
    for (unsigned i = 0; i < c->arguments.users; i++)
        let_go_on(&c->people[i]);
    atomic_store(&c->talking, true);
}

/* A group is entered one after the other: the first makes it. */
static void has_entered(struct person *p)
{
    struct crowd *c = p->crowd;
    p->in = true;
    if (++c->entered == c->arguments.users)
        start(c);
    else if (c->arguments.group)
        enter(c, c->entered);
}

static void settle(struct person *p)
{
    if (!p->crowd->arguments.group || p->joins) {
        has_entered(p);
        return;
    }
    p->joins = true;
    ask(p, alone_join(&p->to, p == p->crowd->people));
}

static void talk(struct person *p)
{
    const struct crowd *c = p->crowd;
    unsigned window = !c->arguments.group ? 1 : p == c->people ? GROUP_WINDOW : 0;
    while (!p->held && p->under_way < window && c->sent < c->arguments.messages)
        say(p);
}

static void leave(struct crowd *c)
{
    atomic_store(&c->talking, false);
    atomic_store(&c->done, true);
    for (unsigned i = 0; i < c->arguments.users; i++) {
        im_up_closed(c->env, &c->people[i].link, IM_GONE);
        im_link_clear(&c->people[i].link);
    }
}

static void go_on(struct im_later *later)
{
    struct crowd *c = OWNER(crowd, later, go_on);
    while (c->going_on) {
        struct person *p = c->going_on;
        c->going_on = p->next;
        p->goes_on = false;
        if (!p->in)
            settle(p);
        else if (c->entered == c->arguments.users)
            talk(p);
    }
    if (c->answered == c->arguments.messages &&
        c->delivered == c->arguments.messages * alone_deliveries(&c->arguments) && !atomic_load(&c->done))
        leave(c);
}

static void on_begin(evutil_socket_t fd, short what, void *arg)
{
    struct crowd *c = arg;
    (void)fd, (void)what;
    keep_to(false);
    for (unsigned i = 0; i < (c->arguments.group ? 1 : c->arguments.users); i++)
        enter(c, i);
}

/* What takes the place of a transport. Its listener is the crowd. */

struct door {
    struct im_listen_config config;
    struct crowd *crowd;
};

static enum im_reason door_listen(struct im_listener **out, struct im_transport_env *env,
                                  const struct im_listen_config *config, struct im_error *error)
{
    struct crowd *c = ((const struct door *)(const void *)config)->crowd;
    (void)error;
    c->env = env;
    c->begin = event_new(env->base, -1, 0, on_begin, c);
    event_active(c->begin, EV_TIMEOUT, 0);
    *out = (struct im_listener *)(void *)c;
    return IM_OK;
}

static void door_pause(struct im_listener *listener, bool on)
{
    (void)listener, (void)on;
}

static void door_close(struct im_listener **listener)
{
    event_free(((struct crowd *)(void *)*listener)->begin);
    *listener = NULL;
}

static const struct im_transport door_transport = {"none", 0, door_listen, door_pause, door_close};

/* The core's thread. */

static void drain(struct im_later *later)
{
    struct bench *b = OWNER(bench, later, drain);
    alone_tell_time(&b->alone);
    alone_drain(&b->alone);
}

static void wake(void *arg)
{
    struct bench *b = arg;
    im_later_add(im_loop_of(&b->env), &b->drain, drain);
}

static void tell_time(struct im_transport_env *env)
{
    alone_tell_time(&OWNER(bench, env, env)->alone);
}

static bool open_all(struct bench *b, struct crowd *c)
{
    struct im_error error;
    struct door door = {.crowd = c};
    b->env = (struct im_transport_env){.base = im_loop_base_new(), .counters = &b->alone.counters, .turn = tell_time};
    if (!b->env.base)
        return false;
    alone_open(&b->alone, &c->arguments, wake, b);
    b->env.core = b->alone.core;
    b->env.config = b->alone.config;
    c->people = im_zalloc(c->arguments.users * sizeof *c->people);
    return im_worker_new(&b->worker, &b->env, &error) == IM_OK &&
           im_worker_listen(b->worker, &door_transport, &door.config, NULL, &error) == IM_OK &&
           im_worker_start(b->worker, 1, &error) == IM_OK;
}

static void wait_for_letters(const struct bench *b)
{
    struct im_worker_stats stats;
    for (int i = 0; i < WAITS; i++) {
        im_worker_look(b->worker, &stats);
        if (stats.up.waiting >= TURN_LETTERS)
            return;
        nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
    }
}

static void turn(struct bench *b, const struct crowd *c)
{
    bool counts = atomic_load(&c->talking);
    if (counts && !b->drain.queued)
        wait_for_letters(b);
    uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    event_base_loop(b->env.base, EVLOOP_ONCE);
    if (counts)
        b->ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
}

static void run(struct bench *b, const struct crowd *c)
{
    keep_to(true);
    for (bool told = false; !im_worker_stopped(b->worker);) {
        turn(b, c);
        if (!told && atomic_load(&c->done)) {
            im_worker_stop(b->worker);
            told = true;
        }
    }
}

static void close_all(struct bench *b, struct crowd *c)
{
    im_worker_free(&b->worker);
    alone_close(&b->alone);
    im_loop_free(&b->env.loop);
    event_base_free(b->env.base);
    free(c->people);
}

int main(int argc, char **argv)
{
    static struct bench b;
    static struct crowd c;
    if (!alone_parse(&c.arguments, argc, argv))
        return EX_USAGE;
    if (!open_all(&b, &c)) {
        perror("core_letters");
        return EX_OSERR;
    }
    run(&b, &c);
    close_all(&b, &c);
    printf("{\"deliveries\": %llu, \"per_second\": %.0f}\n", (unsigned long long)c.delivered,
           (double)c.delivered * 1e9 / (double)b.ns);
    return EX_OK;
}
