/* How many messages one thread can route: the core, and nothing else. Commands go in as a dialect would have decoded
 * them, and what comes out is dropped where a transport would encode it. So this is the work that stays on the core's
 * thread however many others do the rest.
 *
 * usage: core_alone pairs|group memory|elsewhere USERS MESSAGES
 *
 * Prints one line of JSON; times are those of the CPU. memory: the store in memory, which works on the core's thread;
 * elsewhere: messages are committed as by a store whose threads are others. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "core/core.h"
#include "core/mem.h"
#include "stores/stores.h"

enum { TURN_MESSAGES = 64, TEXT_BYTES = 64 };

struct wire {
    struct im_link link;
    struct bench *bench;
    struct wire *next_written; /* among those that something was sent to in this turn */
    bool written;
    char name[16], to[16];
};

/* A store that takes messages as one does whose work is elsewhere, and leaves the rest to another. */
struct elsewhere {
    struct im_store store;
    struct im_store *behind;
    struct im_store_op *first, **last;
    uint64_t pos;
};

struct bench {
    struct im_config *config;
    struct im_store *store, *memory; /* store: memory, or elsewhere's */
    struct elsewhere elsewhere;
    struct im_counters counters;
    struct im_core *core;
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
        im_core_writable(b->core, &w->link);
    }
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The end of a turn, and the beginning of the next. */
static void turn(struct bench *b)
{
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    while (b->store->ops->drain(b->store) > 0)
        ;
    all_has_left(b);
    im_core_time(b->core, 1700000000000 + (int64_t)(now / 1000000), now / 1000000, 0);
}

static void wake(void *arg)
{
    (void)arg;
}

/* What takes the place of a store. */

static void elsewhere_submit(struct im_store *store, struct im_store_op *op)
{
    struct elsewhere *e = (struct elsewhere *)store;
    if (op->kind != IM_STORE_APPEND || ((struct im_store_append *)op)->event->type != IM_EV_MSG) {
        im_store_submit(e->behind, op);
        return;
    }
    op->next = NULL;
    *e->last = op;
    e->last = &op->next;
}

static size_t elsewhere_drain(struct im_store *store)
{
    struct elsewhere *e = (struct elsewhere *)store;
    struct im_store_op *op = e->first, *next;
    size_t count = e->behind->ops->drain(e->behind);
    e->first = NULL;
    e->last = &e->first;
    for (; op; op = next, count++) {
        struct im_msg *m = &((struct im_store_append *)op)->event->msg;
        next = op->next;
        m->pos = m->seq = ++e->pos;
        op->status = IM_OK;
        op->done(op);
    }
    return count;
}

static const struct im_store_ops elsewhere_ops = {"elsewhere", elsewhere_submit, elsewhere_drain, NULL};

/* Commands, as a dialect would have decoded them. */

static void ask(struct wire *w, struct im_command cmd)
{
    im_core_command(w->bench->core, &w->link, &cmd);
}

static void log_in(struct wire *w)
{
    ask(w, (struct im_command){.op = IM_OP_LOGIN, .have = IM_BIT(user), .user = im_str(w->name)});
    turn(w->bench);
}

static void join(struct wire *w, const char *what)
{
    ask(w, (struct im_command){.op = IM_OP_GROUP,
                               .have = IM_BIT(act) | IM_BIT(conv) | IM_BIT(open),
                               .act = im_str(what),
                               .conv = im_str(w->to),
                               .open = true});
    turn(w->bench);
}

static void say(struct wire *w)
{
    char text[TEXT_BYTES], cid[24], id[24];
    int n = snprintf(cid, sizeof cid, "c%llu", (unsigned long long)++w->bench->cids);
    int m = snprintf(id, sizeof id, "%llu", (unsigned long long)w->bench->cids);
    memset(text, 'x', sizeof text);
    ask(w, (struct im_command){.op = IM_OP_SEND,
                               .have = IM_BIT(to) | IM_BIT(text) | IM_BIT(cid),
                               .id = {id, (size_t)m},
                               .to = im_str(w->to),
                               .text = {text, sizeof text},
                               .cid = {cid, (size_t)n}});
}

/* The beginning and the end. */

static void open_core(struct bench *b, bool elsewhere)
{
    struct im_store_options store = {.epoch_seed = {1}, .wake = wake};
    struct im_error error;
    b->config = im_config_new();
    b->config->rate = 0;
    b->config->group_members = b->count;
    if (im_store_memory_open(&store, &b->memory, &error) != IM_OK)
        abort();
    b->elsewhere = (struct elsewhere){.store.ops = &elsewhere_ops, .behind = b->memory, .last = &b->elsewhere.first};
    b->elsewhere.pos = 1000000000; /* beyond what is behind */
    b->store = elsewhere ? &b->elsewhere.store : b->memory;
    b->core = im_core_new(&(struct im_core_options){.config = b->config, .store = b->store, .counters = &b->counters});
    turn(b);
}

static void open_wires(struct bench *b, bool group)
{
    struct im_link_info info = {.transport = "none", .address = IM_STR("here")};
    b->wires = im_zalloc(b->count * sizeof *b->wires);
    for (unsigned i = 0; i < b->count; i++) {
        struct wire *w = &b->wires[i];
        w->bench = b;
        w->link.ops = &wire_ops;
        w->link.dialect = &im_dialect_json;
        snprintf(w->name, sizeof w->name, "u%u", i);
        snprintf(w->to, sizeof w->to, group ? "#all" : "u%u", i ^ 1);
        if (im_core_opened(b->core, &w->link, &info) != IM_OK)
            abort();
        log_in(w);
        if (group)
            join(w, i == 0 ? "create" : "join");
    }
}

static void close_all(struct bench *b)
{
    for (unsigned i = 0; i < b->count; i++) {
        im_core_closed(b->core, &b->wires[i].link, IM_GONE);
        im_link_clear(&b->wires[i].link);
    }
    while (b->store->ops->drain(b->store) > 0)
        ;
    im_core_free(&b->core);
    b->memory->ops->close(&b->memory);
    im_config_free(&b->config);
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

struct arguments {
    bool group, elsewhere;
    unsigned users;
    uint64_t messages;
};

/* Is it `yes`, or at least `no`? */
static bool choose(const char *text, const char *no, const char *yes, bool *choice)
{
    *choice = strcmp(text, yes) == 0;
    return *choice || strcmp(text, no) == 0;
}

static bool parse(struct arguments *a, int argc, char **argv)
{
    uint64_t users;
    if (argc != 5 || !choose(argv[1], "pairs", "group", &a->group) ||
        !choose(argv[2], "memory", "elsewhere", &a->elsewhere) || !im_str_u64(im_str(argv[3]), &users) ||
        !im_str_u64(im_str(argv[4]), &a->messages))
        return false;
    a->users = (unsigned)users & ~1u;
    return users >= 2 && users <= 1000000 && a->messages > 0;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    struct arguments a;
    if (!parse(&a, argc, argv)) {
        fputs("usage: core_alone pairs|group memory|elsewhere USERS MESSAGES\n", stderr);
        return EX_USAGE;
    }
    b.count = a.users;
    open_core(&b, a.elsewhere);
    open_wires(&b, a.group);
    uint64_t before = b.counters.n[IM_C_DELIVERED], start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    send_all(&b, a.group, a.messages);
    uint64_t ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - start, delivered = b.counters.n[IM_C_DELIVERED] - before;
    printf("{\"deliveries\": %llu, \"per_second\": %.0f}\n", (unsigned long long)delivered,
           (double)delivered * 1e9 / (double)ns);
    close_all(&b);
    return delivered == a.messages * (a.group ? b.count - 1 : 1) ? EX_OK : EX_SOFTWARE;
}
