/* Deterministic simulation: seeded random schedules over the core and the memory store, with peers that vanish, read
 * slowly, sign in twice, repeat themselves and talk nonsense, write to each other and in groups that they found, join,
 * leave and are thrown out of, edit, delete, react and block; a store that delays, refuses, fails and erases what is
 * old; and a server that starts again. After every step the core is checked against a recount; at the end of a schedule
 * everybody comes back and the books must balance:
 *
 *   - what was acknowledged is in the log, once per cid, and a repeated cid got the first answer again
 *   - a session sees its user's events in the order of the log, each once, none left out, and none of others
 *   - what the store let into the log was allowed, what it refused was not, and roles, settings, read marks and cursors
 *     are what follows from the log (tests/sim/model.c)
 *   - the log is whole, but for what retention may take
 *   - no event of a device is lost: it was on the wire before the device's cursor passed it
 *
 * usage: sim [SEEDS [FIRST]]     SIM_TRACE=1 prints every step */

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/mem.h"
#include "stores/stores.h"
#include "tests/sim/world.h"

static uint64_t rnd(struct world *w)
{
    uint64_t z = (w->random += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

unsigned sim_pick(struct world *w, unsigned below)
{
    return (unsigned)(rnd(w) % below);
}

static void __attribute__((noreturn, format(printf, 2, 3))) broken(const struct world *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "sim: seed %" PRIu64 ", step %u: ", w->seed, w->step);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nsim: replay with SIM_TRACE=1 sim 1 %" PRIu64 "\n", w->seed);
    va_end(args);
    abort();
}

static void __attribute__((format(printf, 1, 2))) trace(const char *format, ...)
{
    if (getenv("SIM_TRACE") == NULL)
        return;
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

/* The store: operations wait in their lane, are executed by the memory store, and wait again to be completed. */

static void inner_done(struct im_store_op *op)
{
    *(bool *)op->owner = true;
}

static void store_submit(struct im_store *store, struct im_store_op *op)
{
    struct world *w = (struct world *)store;
    struct lane *lane = &w->lanes[op->kind >= IM_STORE_FIRST_READ];
    struct held *h = im_zalloc(sizeof *h);
    *h = (struct held){.op = op, .done = op->done, .owner = op->owner};
    assert(lane->tail < HELD_MAX);
    lane->v[lane->tail++] = h;
}

/* No cursor passes what has not left for the socket. */
static void check_passed(struct world *w, const struct im_store_cursors *c)
{
    for (size_t i = 0; i < c->count; i++) {
        unsigned user = model_place(c->rows[i].key), device = model_device(c->rows[i].device);
        uint64_t *passed = &w->passed[user][device];
        if (*passed < w->start[user][device])
            *passed = w->start[user][device];
        for (; *passed < c->rows[i].pos; ++*passed)
            if (model_must(&w->model.log[*passed], user) && !w->wire[user][device][*passed + 1])
                broken(w, "the cursor of %s on '%s' passed event %" PRIu64, sim_names[user], sim_devices[device],
                       *passed + 1);
    }
}

static void perform(struct world *w, struct im_store_op *op)
{
    bool executed = false;
    op->done = inner_done;
    op->owner = &executed;
    im_store_submit(w->inner, op);
    while (!executed)
        w->inner->ops->drain(w->inner);
}

/* The log as the store has it, beside the model's. */
static void check_log(struct world *w)
{
    for (unsigned user = 0; user < USERS; user++) {
        struct im_store_since since = {
            .op.kind = IM_STORE_SINCE, .key = im_str(sim_keys[user]), .limit = LOG_MAX, .bytes = UINT32_MAX};
        perform(w, &since.op);
        const char *wrong = model_compare(&w->model, user, since.events, since.count);
        if (wrong)
            broken(w, "%s: %s", sim_names[user], wrong);
        for (size_t i = 0; i < since.count; i++)
            im_event_drop(&since.events[i]);
        free(since.events);
    }
}

static void trace_entry(const struct entry *e, uint64_t pos)
{
    static const char *const types[] = {"msg", "edit", "delete", "react", "member"};
    const char *user = e->user < USERS && e->type == IM_EV_MEMBER ? sim_names[e->user] : "";
    trace("  log %" PRIu64 ": %s %s%s %s in %s #%" PRIu64 " about %" PRIu64 ", for %x", pos, sim_names[e->from],
          types[e->type], e->kind == IM_CONV_SELF ? " for me" : "",
          e->type == IM_EV_MEMBER ? im_change_info(e->change)->name : e->body, sim_names[e->to], e->seq, e->ref,
          e->must);
    if (*user)
        trace("    makes %s %s", user, im_role_info(e->role)->name);
}

/* The model hears of everything that the store carries out. */
static void carry_out(struct world *w, struct im_store_op *op)
{
    model_before(&w->model, op);
    perform(w, op);
    size_t before = w->model.count;
    const char *wrong = model_after(&w->model, op);
    if (wrong)
        broken(w, "%s", wrong);
    if (w->model.count > before)
        trace_entry(&w->model.log[before], w->model.count);
    if (op->kind == IM_STORE_CURSORS)
        check_passed(w, (const struct im_store_cursors *)op);
    if (op->kind == IM_STORE_SWEEP && ((const struct im_store_sweep *)op)->erased > 0)
        check_log(w);
}

static void store_execute(struct world *w, struct lane *lane)
{
    if (lane->executed == lane->tail)
        return;
    struct held *h = lane->v[lane->executed++];
    if (w->full && (h->op->kind == IM_STORE_APPEND || sim_pick(w, 8) == 0)) { /* a full disk may fail anything */
        h->op->status = IM_STORE_FULL;
    } else if (w->failed) {
        h->op->status = IM_STORE_FAILED;
    } else {
        carry_out(w, h->op);
        h->op->done = h->done;
        h->op->owner = h->owner;
    }
}

static void store_complete(struct lane *lane)
{
    if (lane->head == lane->executed)
        return;
    struct held *h = lane->v[lane->head++];
    if (lane->head == lane->tail)
        lane->head = lane->executed = lane->tail = 0;
    h->op->done(h->op);
    free(h);
}

static bool store_idle(const struct world *w)
{
    return w->lanes[0].head == w->lanes[0].tail && w->lanes[1].head == w->lanes[1].tail;
}

/* As a prompt store does: what was submitted before is completed, also what the schedule would have let wait. */
static size_t store_drain(struct im_store *store)
{
    struct world *w = (struct world *)store;
    size_t count = 0;
    for (unsigned i = 0; i < 2; i++)
        for (unsigned left = w->lanes[i].tail - w->lanes[i].head; left > 0; left--, count++) {
            store_execute(w, &w->lanes[i]);
            store_complete(&w->lanes[i]);
        }
    return count;
}

static const struct im_store_ops sim_store = {.name = "sim", .submit = store_submit, .drain = store_drain};

static void random_bytes(void *arg, void *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)rnd(arg);
}

static void wake(void *arg)
{
    (void)arg; /* the schedule decides when completions come */
}

/* The links. */

/* Of more, some may come again; and who sees the past may be shown what they did as an outsider. */
enum { OWN_SENDS_MAX = 64 };

static void see(struct peer *p, const struct im_event *e)
{
    struct world *w = p->world;
    const struct model *m = &w->model;
    uint64_t pos = e->msg.pos;
    trace("  link %d, %s: event %" PRIu64, (int)(p - w->peers), sim_names[p->user], pos);
    if (!p->seated)
        broken(w, "an event before login");
    if (pos <= p->last || pos > m->count)
        broken(w, "event %" PRIu64 " came after %" PRIu64, pos, p->last);
    if (!(m->log[pos - 1].may >> p->user & 1))
        broken(w, "%s was shown event %" PRIu64 " of others", sim_names[p->user], pos);
    for (uint64_t i = p->last + 1; i < pos; i++)
        if (model_must(&m->log[i - 1], p->user) && !p->own[i])
            broken(w, "%s was not shown event %" PRIu64 " before %" PRIu64, sim_names[p->user], i, pos);
    if (p->own[pos] && model_must(&m->log[pos - 1], p->user) && p->own_count <= OWN_SENDS_MAX)
        broken(w, "event %" PRIu64 " came after its own answer", pos);
    p->last = pos;
    p->unflushed[p->unflushed_count++] = pos;
}

static bool asked_for(const struct model *m, const struct entry *e, const struct asked *a, bool dup)
{
    if (e->type != a->type || e->kind != a->kind || e->to != a->to || e->ref != a->ref || strcmp(e->cid, a->cid) != 0 ||
        (strcmp(e->body, a->body) != 0 && !model_text_gone(m, e)))
        return false;
    if (e->type != IM_EV_MEMBER)
        return true;
    if (e->change != a->change || e->user != a->user || (e->change == IM_CHANGE_ROLE && e->role != a->role))
        return false;
    bool kept = dup || ((e->settings ^ e->before) & ~a->named) == 0; /* what it does not name */
    return (e->settings & a->named) == a->settings && (kept || e->change == IM_CHANGE_CREATE);
}

static void answered(struct peer *p, const struct im_reply *r, const struct im_event *msg, bool dup)
{
    struct world *w = p->world;
    uint64_t id, pos = msg->msg.pos;
    if (!im_str_u64(r->id, &id) || id == 0 || id > p->asked_count)
        broken(w, "an answer to nothing: %.*s", (int)r->id.len, r->id.p);
    const struct asked *asked = &p->asked[id - 1];
    if (pos == 0 && asked->type != IM_EV_MSG)
        return; /* nothing had to be changed */
    if (pos == 0 || pos > w->model.count)
        broken(w, "acknowledged before it was committed");
    struct entry *e = &w->model.log[pos - 1];
    if (e->from != p->user || !asked_for(&w->model, e, asked, dup))
        broken(w, "request %" PRIu64 " of link %d is acknowledged with event %" PRIu64 ", which is another", id,
               (int)(p - w->peers), pos);
    if (!dup && e->acks++ > 0)
        broken(w, "acknowledged twice as new");
    trace("  link %d, %s: ok %" PRIu64 "%s", (int)(p - w->peers), sim_names[p->user], pos, dup ? " again" : "");
    w->acked++;
    w->dups += dup;
    if (!dup) {
        p->own[pos] = true;
        p->own_count++;
        w->wire[p->user][p->device][pos] = true;
    }
}

static void logged_in(struct peer *p, const struct im_reply *r)
{
    trace("  link %d, %s: from %" PRIu64, (int)(p - p->world->peers), sim_names[p->user], r->login.pos);
    p->seated = true;
    p->from = p->last = r->login.pos;
    if (!p->world->known[p->user][p->device]) {
        p->world->known[p->user][p->device] = true;
        p->world->start[p->user][p->device] = p->world->model.cursor[p->user][p->device];
    }
}

static void link_send(struct im_link *link, struct im_event *e, bool own)
{
    struct peer *p = (struct peer *)link;
    assert(p->open && !p->closing);
    if (im_event_durable(e))
        see(p, e);
    else if (e->type == IM_EV_OK && e->reply.op == IM_OP_LOGIN)
        logged_in(p, &e->reply);
    else if (e->type == IM_EV_OK && (e->reply.op == IM_OP_SEND || e->reply.op == IM_OP_EDIT ||
                                     e->reply.op == IM_OP_DELETE || e->reply.op == IM_OP_REACT))
        answered(p, &e->reply, e->reply.send.msg, e->reply.send.dup);
    else if (e->type == IM_EV_OK && e->reply.op == IM_OP_GROUP && e->reply.group.what == IM_GROUP_CHANGED)
        answered(p, &e->reply, e->reply.group.msg, e->reply.group.dup);
    else if (e->type == IM_EV_ERR)
        trace("  err %s", im_reason_name(e->reply.err.reason)), p->world->refused++;
    struct im_bytes *b = link->dialect->encode(link, e, own);
    if (b)
        p->queued += b->len;
    im_bytes_drop(&b);
    im_event_drop(&e);
}

static size_t link_queued(const struct im_link *link)
{
    return ((const struct peer *)link)->queued;
}

static void link_hold(struct im_link *link, bool on)
{
    struct peer *p = (struct peer *)link;
    if (p->hold == on)
        broken(p->world, "hold(%d) twice", on);
    p->hold = on;
}

static void link_close(struct im_link *link, enum im_reason reason)
{
    struct peer *p = (struct peer *)link;
    trace("  link %d: closed, %s", (int)(p - p->world->peers), im_reason_name(reason));
    if (!p->closing)
        p->reason = reason;
    p->closing = true;
}

static const struct im_link_ops sim_link = {
    .send = link_send, .queued = link_queued, .hold = link_hold, .close = link_close};

void sim_flush(struct world *w, struct peer *p)
{
    for (size_t i = 0; i < p->unflushed_count; i++)
        w->wire[p->user][p->device][p->unflushed[i]] = true;
    p->unflushed_count = 0;
    if (p->queued > 0) {
        p->queued = 0;
        im_core_writable(w->core, &p->link);
    }
}

void sim_close(struct world *w, struct peer *p)
{
    if (p->closing && sim_pick(w, 2))
        sim_flush(w, p);
    im_core_closed(w->core, &p->link, p->closing ? p->reason : IM_GONE);
    assert(p->link.session == NULL);
    p->open = false;
}

void sim_say(struct world *w, struct peer *p, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    trace("%u: link %d: %s", w->step, (int)(p - w->peers), text);
    if (p->hold || p->ended)
        return;
    im_core_input(w->core, &p->link, (struct im_str){text, (size_t)n});
}

void sim_open(struct world *w, struct peer *p)
{
    memset(p, 0, sizeof *p);
    p->world = w;
    p->open = true;
    p->link.ops = &sim_link;
    p->link.dialect =
        sim_pick(w, 4) ? &im_dialect_json : &im_dialect_human; /* which turns to JSON when it meets some */
    p->device = sim_pick(w, 6) ? (unsigned)(p - w->peers) / USERS : sim_pick(w, DEVICES + 1);
    p->slow = sim_pick(w, 5) == 0;
    enum im_reason reason =
        im_core_opened(w->core, &p->link, &(struct im_link_info){.transport = "sim", .address = IM_STR("sim")});
    if ((reason == IM_DRAIN) != w->draining)
        broken(w, "opened: %s", im_reason_name(reason));
    p->open = reason == IM_OK;
}

static void start(struct world *w)
{
    w->core = im_core_new(&(struct im_core_options){.config = w->config,
                                                    .store = &w->store,
                                                    .counters = &w->counters,
                                                    .hash_key = {7},
                                                    .random = random_bytes,
                                                    .random_arg = w});
    im_core_time(w->core, 1700000000000 + (int64_t)w->now, w->now, 0);
}

/* The server is gone and comes again: what the store had carried out stands, whether anybody heard of it or not. */
static void restart(struct world *w)
{
    trace("%u: restart", w->step);
    for (unsigned i = 0; i < LINKS; i++)
        if (w->peers[i].open) {
            im_core_closed(w->core, &w->peers[i].link, IM_GONE);
            w->peers[i].open = false;
        }
    w->failed = true;
    while (!store_idle(w))
        for (unsigned i = 0; i < 2; i++) {
            store_execute(w, &w->lanes[i]);
            store_complete(&w->lanes[i]);
        }
    im_core_free(&w->core);
    w->failed = false;
    w->restarts++;
    start(w);
}

/* A lane in which something waits, if there is one: how much, for each. */
static struct lane *pick_lane(struct world *w, size_t first, size_t second)
{
    unsigned at = first == 0 || second == 0 ? second > 0 : sim_pick(w, 2);
    return &w->lanes[at];
}

static void act_store(struct world *w)
{
    const struct lane *x = &w->lanes[0], *y = &w->lanes[1];
    if (sim_pick(w, 2)) {
        struct lane *lane = pick_lane(w, x->tail - x->executed, y->tail - y->executed);
        for (unsigned n = 1 + sim_pick(w, 6); n > 0; n--)
            store_execute(w, lane);
    } else {
        struct lane *lane = pick_lane(w, x->executed - x->head, y->executed - y->head);
        for (unsigned n = 1 + sim_pick(w, 6); n > 0; n--)
            store_complete(lane);
    }
}

static void act_trouble(struct world *w)
{
    if (w->full || w->failed)
        w->full = w->failed = false;
    else if (sim_pick(w, 8) == 0)
        restart(w);
    else if (sim_pick(w, 5) == 0)
        w->failed = true;
    else
        w->full = sim_pick(w, 2);
}

static void act(struct world *w)
{
    unsigned what = sim_pick(w, 100);
    if (what < 60) {
        people_act(w);
    } else if (what < 95) {
        act_store(w);
    } else if (what < 99) {
        w->now += sim_pick(w, 300);
        im_core_time(w->core, 1700000000000 + (int64_t)w->now, w->now, 0);
        im_core_tick(w->core);
    } else {
        act_trouble(w);
    }
    if ((w->full || w->failed) && sim_pick(w, 20) == 0)
        w->full = w->failed = false;
}

static unsigned seated(const struct world *w)
{
    unsigned n = 0;
    for (unsigned i = 0; i < LINKS; i++)
        n += w->peers[i].open && !w->peers[i].closing && w->peers[i].seated;
    return n;
}

static void check_gauges(struct world *w)
{
    struct im_online online;
    im_core_check(w->core);
    im_core_online(w->core, &online);
    if (online.sessions != seated(w))
        broken(w, "%" PRIu64 " sessions online, %u counted", online.sessions, seated(w));
}

static void settle(struct world *w)
{
    w->full = w->failed = false;
    for (unsigned round = 0; round < 10000; round++) {
        bool quiet = store_idle(w);
        for (unsigned i = 0; i < 2; i++) {
            store_execute(w, &w->lanes[i]);
            store_complete(&w->lanes[i]);
        }
        for (unsigned i = 0; i < LINKS; i++) {
            struct peer *p = &w->peers[i];
            quiet = quiet && (!p->open || (!p->closing && p->queued == 0));
            if (p->open && p->closing)
                sim_close(w, p);
            else if (p->open)
                sim_flush(w, p);
        }
        w->now += 50;
        im_core_time(w->core, 1700000000000 + (int64_t)w->now, w->now, 0);
        im_core_tick(w->core);
        if (quiet && store_idle(w))
            return;
    }
    broken(w, "does not come to rest");
}

static void close_all(struct world *w)
{
    for (unsigned i = 0; i < LINKS; i++)
        if (w->peers[i].open)
            sim_close(w, &w->peers[i]);
    settle(w);
}

/* Everybody comes back on every device and reads to the end: then nothing may be missing anywhere. */
static void check_books(struct world *w)
{
    if (sim_pick(w, 2))
        settle(w);
    close_all(w);
    w->config->rate = 0;
    w->config->login_timeout_ms = 600000; /* clearing up may take its time meanwhile */
    for (unsigned user = 0; user < USERS; user++)
        for (unsigned device = 0; device <= DEVICES; device++) {
            struct peer *p = &w->peers[0];
            sim_open(w, p);
            p->user = user;
            p->device = device;
            if (device > 0)
                sim_say(w, p, "{\"op\":\"hello\",\"id\":0,\"device\":\"%s\"}", sim_devices[device]);
            settle(w);
            sim_say(w, p, "{\"op\":\"login\",\"id\":0,\"user\":\"%s\"}", sim_names[user]);
            settle(w);
            if (!p->seated)
                broken(w, "%s cannot come back", sim_names[user]);
            for (uint64_t pos = w->start[user][device] + 1; pos <= w->model.count; pos++)
                if (model_must(&w->model.log[pos - 1], user) && !w->wire[user][device][pos])
                    broken(w, "%s on '%s' never got event %" PRIu64, sim_names[user], sim_devices[device], pos);
            sim_close(w, p);
            settle(w);
        }
    check_log(w);
}

struct totals {
    uint64_t events, acked, dups, refused, changes[IM_CHANGE_COUNT];
};

static void count(const struct world *w, struct totals *t)
{
    t->events += w->model.count;
    t->acked += w->acked;
    t->dups += w->dups;
    t->refused += w->refused;
    for (size_t i = 0; i < w->model.count; i++)
        if (w->model.log[i].type == IM_EV_MEMBER)
            t->changes[w->model.log[i].change]++;
}

static void configure(struct world *w)
{
    w->config = im_config_new();
    w->config->queue_soft_bytes = 200 + sim_pick(w, 4000);
    w->config->inflight = 1 + sim_pick(w, 8);
    w->config->replay = 1 + sim_pick(w, 12);
    w->config->rate = sim_pick(w, 3) ? 0 : 20 + sim_pick(w, 40);
    w->config->burst = 1 + sim_pick(w, 20);
    w->config->pending_bytes = 300 + sim_pick(w, 100000);
    w->config->sessions_per_user = 2 + sim_pick(w, 4);
    w->config->cursor_interval_ms = sim_pick(w, 500);
    w->config->receipt_interval_ms = sim_pick(w, 300);
    w->config->receipt_wait_ms = sim_pick(w, 300);
    w->config->login_timeout_ms = 2000;
    w->config->linger_ms = sim_pick(w, 3) * 400;
    w->config->sweep_ms = 300 + sim_pick(w, 1000);
    w->config->retention_count = sim_pick(w, 4) == 0 ? 1 + sim_pick(w, 20) : 0;
    w->config->sweep_step = 1 + sim_pick(w, 10);
    w->config->group_members = sim_pick(w, 4) ? USERS : 2 + sim_pick(w, 2);
    w->config->groups_per_user = sim_pick(w, 8) ? GROUPS : 1;
    w->config->edit_ms = sim_pick(w, 4) ? 0 : 200 + sim_pick(w, 1000);
    w->config->delete_ms = sim_pick(w, 4) ? 0 : 200 + sim_pick(w, 1000);
    w->config->group_presence_ms = 100 + sim_pick(w, 500);
    w->store.prompt = sim_pick(w, 4) == 0;
}

static void schedule(uint64_t seed, struct totals *totals)
{
    struct world *w = im_zalloc(sizeof *w);
    w->seed = w->random = seed;
    configure(w);
    struct im_store_options options = {.epoch_seed = {1}, .wake = wake};
    struct im_error error;
    if (im_store_memory_open(&options, &w->inner, &error) != IM_OK)
        broken(w, "%s", error.detail);
    w->store.ops = &sim_store;
    memcpy(w->store.epoch, w->inner->epoch, sizeof w->store.epoch);
    start(w);
    for (w->step = 0; w->step < STEPS; w->step++) {
        act(w);
        check_gauges(w);
    }
    check_books(w);
    w->draining = true;
    im_core_drain(w->core, 1000);
    settle(w);
    if (!im_core_idle(w->core))
        broken(w, "not idle after draining");
    count(w, totals);
    im_core_free(&w->core);
    w->inner->ops->close(&w->inner);
    im_config_free(&w->config);
    free(w);
}

/* A simulation in which little happens finds little. */
static bool reaches(const struct totals *t, uint64_t seeds)
{
    enum { ENOUGH = 100 };
    bool all = t->events >= seeds * 30 && t->dups >= seeds && t->refused >= seeds;
    for (size_t i = 0; i < IM_CHANGE_COUNT; i++)
        all = all && t->changes[i] >= seeds / 20;
    return all || seeds < ENOUGH;
}

int main(int argc, char **argv)
{
    uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 3000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    struct totals t = {0};
    for (uint64_t i = 0; i < seeds; i++)
        schedule(first + i, &t);
    printf("%" PRIu64 " schedules: %" PRIu64 " events, %" PRIu64 " acknowledged, %" PRIu64 " repeats, %" PRIu64
           " refusals\n",
           seeds, t.events, t.acked, t.dups, t.refused);
    for (size_t i = 0; i < IM_CHANGE_COUNT; i++)
        printf("%s%s %" PRIu64, i ? ", " : "", im_change_info((enum im_change)i)->name, t.changes[i]);
    putchar('\n');
    if (!reaches(&t, seeds)) {
        fprintf(stderr, "sim: the schedules did not reach what they are for\n");
        return 1;
    }
    return 0;
}
