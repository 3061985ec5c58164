/* How many messages one thread can route: the core, and nothing else. Commands go in as a dialect would have decoded
 * them, and what comes out is dropped where a transport would encode it. So this is the work that stays on the core's
 * thread however many others do the rest, but for the letters between it and them: core_letters.c has these too.
 *
 * usage: core_alone pairs|group memory|elsewhere USERS MESSAGES
 *
 * Prints one line of JSON; times are those of the CPU. memory: the store in memory, which works on the core's thread;
 * elsewhere: messages are committed as by a store whose threads are others. */

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "core/mem.h"
#include "tests/bench/alone.h"
#include "tests/bench/clock.h"

enum { TURN_MESSAGES = 64 };

struct wire {
    struct im_link link;
    struct bench *bench;
    struct wire *next_written; /* among those that something was sent to in this turn */
    bool written;
    struct alone_name name, to;
};

struct bench {
    struct alone alone;
    struct wire *wires, *written;
    unsigned count;
    uint64_t cids, events;
};

/* What takes the place of a transport. */

static void wire_tell(struct im_link *link, struct im_event *e, bool own)
{
    struct wire *w = (struct wire *)link;
    (void)e, (void)own;
    w->bench->events++;
    if (!w->written) {
        w->written = true;
        w->next_written = w->bench->written;
        w->bench->written = w;
    }
}

static void wire_send(struct im_link *link, struct im_event *e, bool own)
{
    wire_tell(link, e, own);
    im_event_drop(&e);
}

static size_t wire_queued(const struct im_link *link)
{
    return ((const struct wire *)link)->written;
}

static void wire_hold(struct im_link *link, bool on)
{
    (void)link, (void)on;
}

static void wire_close(struct im_link *link, enum im_reason reason)
{
    (void)link, (void)reason;
}

static const struct im_link_ops wire_ops = {
    .send = wire_send, .tell = wire_tell, .queued = wire_queued, .hold = wire_hold, .close = wire_close};

static void all_has_left(struct bench *b)
{
    while (b->written) {
        struct wire *w = b->written;
        b->written = w->next_written;
        w->written = false;
        im_core_writable(b->alone.core, &w->link);
    }
}

/* The end of a turn, and the beginning of the next. */
static void turn(struct bench *b)
{
    alone_drain(&b->alone);
    all_has_left(b);
    alone_tell_time(&b->alone);
}

static void wake(void *arg)
{
    (void)arg; /* every turn looks */
}

static void ask(struct wire *w, struct im_command cmd)
{
    im_core_command(w->bench->alone.core, &w->link, &cmd);
}

static void say(struct wire *w)
{
    struct alone_text text;
    ask(w, alone_say(&w->to, ++w->bench->cids, &text));
}

/* The beginning and the end. */

static void open_wires(struct bench *b, bool group)
{
    struct im_link_info info = {.transport = "none", .address = IM_STR("here")};
    b->wires = im_zalloc(b->count * sizeof *b->wires);
    for (unsigned i = 0; i < b->count; i++) {
        struct wire *w = &b->wires[i];
        w->bench = b;
        w->link.ops = &wire_ops;
        w->link.dialect = &im_dialect_json;
        w->name = alone_user(i);
        w->to = alone_target(group, i);
        if (im_core_opened(b->alone.core, &w->link, &info) != IM_OK)
            abort();
        ask(w, alone_login(&w->name));
        turn(b);
        if (group)
            ask(w, alone_join(&w->to, i == 0));
        turn(b);
    }
}

static void close_all(struct bench *b)
{
    for (unsigned i = 0; i < b->count; i++) {
        im_core_closed(b->alone.core, &b->wires[i].link, IM_GONE);
        im_link_clear(&b->wires[i].link);
    }
    alone_close(&b->alone);
    free(b->wires);
}

/* In pairs, everybody writes in turn; in a group, the first one does. */
static void send_all(struct bench *b, bool group, uint64_t messages)
{
    for (uint64_t i = 0; i < messages; i++) {
        say(&b->wires[group ? 0 : i % b->count]);
        if (i % (group ? 1 : TURN_MESSAGES) == 0)
            turn(b);
    }
    turn(b);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    struct alone_arguments a;
    if (!alone_parse(&a, argc, argv))
        return EX_USAGE;
    b.count = a.users;
    alone_open(&b.alone, &a, wake, NULL);
    open_wires(&b, a.group);
    const uint64_t *counter = &b.alone.counters.n[IM_C_DELIVERED];
    uint64_t before = *counter, start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    send_all(&b, a.group, a.messages);
    uint64_t ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start, delivered = *counter - before;
    printf("{\"deliveries\": %llu, \"per_second\": %.0f}\n", (unsigned long long)delivered,
           (double)delivered * 1e9 / (double)ns);
    close_all(&b);
    return delivered == a.messages * alone_deliveries(&a) ? EX_OK : EX_SOFTWARE;
}
