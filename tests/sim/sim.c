/* Deterministic simulation: seeded random schedules over the core and the memory store, with peers that vanish, read
 * slowly, sign in twice, repeat themselves and talk nonsense, write to each other and in groups that they found, join,
 * leave and are thrown out of, edit, delete, react and block; a store that delays, refuses, fails and erases what is
 * old; and a server that starts again. After every step the core is checked against a recount; at the end of a schedule
 * everybody comes back and the books must balance:
 *
 *   - what was acknowledged is in the log, once per cid, and a repeated cid got the first answer again
 *   - a session sees its user's events in the order of the log, each once, none left out, and none of others
 *   - what the store let into the log was allowed (tests/sim/model.c)
 *   - no event of a device is lost: it was on the wire before the device's cursor passed it
 *
 * usage: sim [SEEDS [FIRST]]     SIM_TRACE=1 prints every step */

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/core.h"
#include "core/mem.h"
#include "stores/stores.h"
#include "tests/sim/model.h"

enum { LINKS = 10, STEPS = 500, HELD_MAX = 4096 };

static const char *const devices[DEVICES + 1] = {"", "phone", "laptop"};

struct asked { /* what a link asked, by request id */
    enum im_event_type type;
    unsigned to;
    char cid[24];
    char body[24];
};

struct peer {
    struct im_link link;
    struct world *world;
    bool open, closing, hold, gone, ended;
    enum im_reason reason;
    bool seated, greeted;
    unsigned user, device;
    uint64_t from; /* login pos */
    uint64_t last; /* newest event seen */
    size_t queued;
    uint64_t unflushed[LOG_MAX];
    size_t unflushed_count;
    bool own[LOG_MAX + 1]; /* pos answered by ok here */
    bool seen[LOG_MAX + 1];
    struct asked asked[LOG_MAX];
    unsigned asked_count;
};

struct held { /* an operation between the core and the memory store */
    struct im_store_op *op;
    void (*done)(struct im_store_op *);
    void *owner;
    bool executed;
};

struct lane {
    struct held *v[HELD_MAX];
    size_t head, executed, tail;
};

struct world {
    struct im_store store;
    struct im_store *inner;
    struct im_core *core;
    struct im_config *config;
    struct im_counters counters;
    struct lane lanes[2];
    struct peer peers[LINKS];
    struct model model;
    bool wire[USERS][DEVICES + 1][LOG_MAX + 1]; /* left for the socket (or acknowledged by ok) per device */
    uint64_t start[USERS][DEVICES + 1];         /* where the device began */
    bool known[USERS][DEVICES + 1];
    uint64_t random, seed, now, acked, refused, dups;
    unsigned step, cids;
    bool full, failed, draining;
    unsigned restarts;
};

static uint64_t rnd(struct world *w)
{
    uint64_t z = (w->random += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static unsigned pick(struct world *w, unsigned n)
{
    return (unsigned)(rnd(w) % n);
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

static void executed(struct im_store_op *op)
{
    struct held *h = op->owner;
    h->executed = true;
    op->done = h->done;
    op->owner = h->owner;
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

/* The model hears of every write as the store carries it out. */
static void note(struct world *w, const struct im_store_op *op)
{
    const char *wrong = NULL;
    if (op->status != IM_OK)
        return;
    if (op->kind == IM_STORE_APPEND)
        wrong = model_append(&w->model, (const struct im_store_append *)op);
    else if (op->kind == IM_STORE_BLOCK)
        wrong = model_block(&w->model, (const struct im_store_block *)op);
    else if (op->kind == IM_STORE_SWEEP)
        model_sweep(&w->model, (const struct im_store_sweep *)op);
    if (wrong)
        broken(w, "%s", wrong);
}

static void store_execute(struct world *w, struct lane *lane)
{
    if (lane->executed == lane->tail)
        return;
    struct held *h = lane->v[lane->executed++];
    if (w->full && (h->op->kind == IM_STORE_APPEND || pick(w, 8) == 0)) { /* a full disk may fail anything */
        h->op->status = IM_STORE_FULL;
        h->executed = true;
        return;
    }
    if (w->failed) {
        h->op->status = IM_STORE_FAILED;
        h->executed = true;
        return;
    }
    h->op->done = executed;
    h->op->owner = h;
    im_store_submit(w->inner, h->op);
    while (!h->executed)
        w->inner->ops->drain(w->inner);
    note(w, h->op);
}

static void store_complete(struct world *w, struct lane *lane)
{
    if (lane->head == lane->executed)
        return;
    struct held *h = lane->v[lane->head++];
    if (lane->head == lane->tail)
        lane->head = lane->executed = lane->tail = 0;
    (void)w;
    h->op->done(h->op);
    free(h);
}

static bool store_idle(const struct world *w)
{
    return w->lanes[0].head == w->lanes[0].tail && w->lanes[1].head == w->lanes[1].tail;
}

static const struct im_store_ops sim_store = {.name = "sim", .submit = store_submit};

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

static void see(struct peer *p, const struct im_event *e)
{
    struct world *w = p->world;
    const struct model *m = &w->model;
    uint64_t pos = e->msg.pos;
    if (!p->seated)
        broken(w, "an event before login");
    if (pos <= p->last || pos > m->count)
        broken(w, "event %" PRIu64 " came after %" PRIu64, pos, p->last);
    if (!(m->log[pos - 1].may >> p->user & 1))
        broken(w, "%s was shown event %" PRIu64 " of others", sim_names[p->user], pos);
    for (uint64_t i = p->last + 1; i < pos; i++)
        if (model_must(&m->log[i - 1], p->user) && !p->own[i])
            broken(w, "%s was not shown event %" PRIu64 " before %" PRIu64, sim_names[p->user], i, pos);
    p->last = pos;
    p->seen[pos] = true;
    p->unflushed[p->unflushed_count++] = pos;
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
    if (e->type != asked->type || e->from != p->user || e->to != asked->to || strcmp(e->cid, asked->cid) != 0 ||
        (strcmp(e->body, asked->body) != 0 && !e->erased))
        broken(w, "the acknowledgement is for another event");
    if (!dup && e->acks++ > 0)
        broken(w, "acknowledged twice as new");
    w->acked++;
    w->dups += dup;
    if (!dup) {
        p->own[pos] = true;
        w->wire[p->user][p->device][pos] = true;
        if (pos > p->last && p->last >= p->from)
            p->seen[pos] = true;
    }
}

static void logged_in(struct peer *p, const struct im_reply *r)
{
    p->seated = true;
    p->from = p->last = r->login.pos;
    if (!p->world->known[p->user][p->device]) {
        p->world->known[p->user][p->device] = true;
        p->world->start[p->user][p->device] = r->login.pos;
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
    if (!p->closing)
        p->reason = reason;
    p->closing = true;
}

static const struct im_link_ops sim_link = {link_send, link_queued, link_hold, link_close};

static void flush(struct world *w, struct peer *p)
{
    for (size_t i = 0; i < p->unflushed_count; i++)
        w->wire[p->user][p->device][p->unflushed[i]] = true;
    p->unflushed_count = 0;
    if (p->queued > 0) {
        p->queued = 0;
        im_core_writable(w->core, &p->link);
    }
}

static void close_link(struct world *w, struct peer *p)
{
    if (p->closing && pick(w, 2))
        flush(w, p);
    im_core_closed(w->core, &p->link, p->closing ? p->reason : IM_GONE);
    assert(p->link.session == NULL);
    p->open = false;
}

static void say(struct world *w, struct peer *p, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void say(struct world *w, struct peer *p, const char *format, ...)
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

static void open_link(struct world *w, struct peer *p)
{
    memset(p, 0, sizeof *p);
    p->world = w;
    p->open = true;
    p->link.ops = &sim_link;
    p->link.dialect = pick(w, 4) ? &im_dialect_json : &im_dialect_human; /* which turns to JSON when it meets some */
    p->device = pick(w, DEVICES + 1);
    enum im_reason reason =
        im_core_opened(w->core, &p->link, &(struct im_link_info){.transport = "sim", .address = IM_STR("sim")});
    if ((reason == IM_DRAIN) != w->draining)
        broken(w, "opened: %s", im_reason_name(reason));
    p->open = reason == IM_OK;
}

/* What peers do. */

static void act_login(struct world *w, struct peer *p)
{
    if (p->seated || p->hold) {
        say(w, p, "{\"op\":\"login\",\"id\":0,\"user\":\"%s\"}", sim_names[pick(w, USERS)]);
        return;
    }
    p->user = pick(w, USERS);
    if (p->device > 0 && !p->greeted)
        say(w, p, "{\"op\":\"hello\",\"id\":\"h\",\"v\":1,\"device\":\"%s\",\"lang\":\"zh\"}", devices[p->device]);
    if (p->device > 0 && !p->hold)
        p->greeted = true;
    flush(w, p);
    if (pick(w, 8) == 0 && w->model.count > 0 && p->device > 0) /* a foreign epoch: told to start over */
        say(w, p, "{\"op\":\"login\",\"id\":0,\"user\":\"%s\",\"epoch\":\"other\",\"since\":\"%" PRIu64 "\"}",
            sim_names[p->user], 1 + rnd(w) % w->model.count);
    else
        say(w, p, "{\"op\":\"login\",\"id\":0,\"user\":\"%s\"}", sim_names[p->user]);
}

/* A new request of this type, by default with a cid of its own. */
static struct asked *ask(struct world *w, struct peer *p, enum im_event_type type, unsigned to)
{
    struct asked *a = &p->asked[p->asked_count++];
    *a = (struct asked){.type = type, .to = to};
    if (pick(w, 5))
        snprintf(a->cid, sizeof a->cid, "c%u", w->cids++);
    return a;
}

static const char *cid_of(const struct asked *a)
{
    static char text[40];
    text[0] = '\0';
    if (a->cid[0])
        snprintf(text, sizeof text, ",\"cid\":\"%s\"", a->cid);
    return text;
}

static void act_send(struct world *w, struct peer *p)
{
    const struct model *m = &w->model;
    if (p->hold || p->ended)
        return;
    const struct entry *old = m->count > 0 ? &m->log[pick(w, (unsigned)m->count)] : NULL;
    struct asked *s = ask(w, p, IM_EV_MSG, pick(w, PLACES));
    if (old && old->type == IM_EV_MSG && old->from == p->user && old->cid[0] &&
        pick(w, 3) == 0) { /* again, or almost */
        s->to = old->to;
        strcpy(s->cid, old->cid);
        strcpy(s->body, old->body);
        if (pick(w, 4) == 0)
            strcpy(s->body, "other");
    } else {
        snprintf(s->body, sizeof s->body, "m%u", w->cids++);
    }
    say(w, p, "{\"op\":\"send\",\"id\":%u,\"to\":\"%s\",\"text\":\"%s\"%s}", p->asked_count, sim_names[s->to], s->body,
        cid_of(s));
}

/* Does something to a message that is there, or not. */
static void act_change(struct world *w, struct peer *p)
{
    const struct model *m = &w->model;
    if (p->hold || p->ended || m->count == 0)
        return;
    const struct entry *e = &m->log[pick(w, (unsigned)m->count)];
    unsigned to = e->to < USERS && e->to == p->user ? e->from : e->to;
    const char *conv = sim_names[to];
    uint64_t seq = e->seq;
    struct asked *a;
    switch (pick(w, 4)) {
    case 0:
        a = ask(w, p, IM_EV_EDIT, to);
        snprintf(a->body, sizeof a->body, "e%u", w->cids++);
        say(w, p, "{\"op\":\"edit\",\"id\":%u,\"conv\":\"%s\",\"seq\":%" PRIu64 ",\"text\":\"%s\"%s}", p->asked_count,
            conv, seq, a->body, cid_of(a));
        break;
    case 1:
        a = ask(w, p, IM_EV_DELETE, to);
        say(w, p, "{\"op\":\"delete\",\"id\":%u,\"conv\":\"%s\",\"seq\":%" PRIu64 ",\"for\":\"%s\"%s}", p->asked_count,
            conv, seq, pick(w, 2) ? "all" : "me", cid_of(a));
        break;
    default:
        a = ask(w, p, IM_EV_REACT, to);
        strcpy(a->body, pick(w, 2) ? "👍" : "❤");
        say(w, p, "{\"op\":\"react\",\"id\":%u,\"conv\":\"%s\",\"seq\":%" PRIu64 ",\"emoji\":\"%s\",\"on\":%s%s}",
            p->asked_count, conv, seq, a->body, pick(w, 3) ? "true" : "false", cid_of(a));
    }
}

static void act_group(struct world *w, struct peer *p)
{
    static const char *const roles[] = {"muted", "member", "admin", "owner"};
    if (p->hold || p->ended)
        return;
    enum im_change change = (enum im_change)pick(w, IM_CHANGE_COUNT);
    if (change == IM_CHANGE_DESTROY && pick(w, 3))
        change = IM_CHANGE_JOIN;
    unsigned group = pick(w, GROUPS);
    if (!w->model.group_exists[group] && pick(w, 4))
        change = IM_CHANGE_CREATE;
    struct asked *a = ask(w, p, IM_EV_MEMBER, USERS + group);
    char more[120] = "";
    if (im_change_info(change)->needs_user)
        snprintf(more, sizeof more, ",\"user\":\"%s\",\"role\":\"%s\"", sim_names[pick(w, USERS)], roles[pick(w, 4)]);
    if (change == IM_CHANGE_TOPIC) {
        snprintf(a->body, sizeof a->body, "t%u", w->cids++);
        snprintf(more, sizeof more, ",\"text\":\"%s\"", a->body);
    }
    if (change == IM_CHANGE_CREATE || change == IM_CHANGE_SET)
        snprintf(more, sizeof more, ",\"public\":%s%s", pick(w, 3) ? "true" : "false",
                 pick(w, 2) ? ",\"history\":\"all\"" : "");
    say(w, p, "{\"op\":\"group\",\"id\":%u,\"do\":\"%s\",\"conv\":\"%s\"%s%s}", p->asked_count,
        im_change_info(change)->name, sim_names[a->to], more, cid_of(a));
}

static void act_ack(struct world *w, struct peer *p)
{
    if (p->seated && p->device > 0 && p->last > 0) {
        flush(w, p); /* a device acknowledges what it has read */
        if (p->link.session)
            say(w, p, "{\"op\":\"ack\",\"pos\":\"%" PRIu64 "\"}", p->last);
    }
}

static void act_ask(struct world *w, struct peer *p)
{
    static const char *const asks[] = {
        "{\"op\":\"history\",\"id\":\"x\",\"conv\":\"bob\",\"limit\":3}",
        "{\"op\":\"history\",\"id\":\"x\",\"conv\":\"小明\",\"around\":2}",
        "{\"op\":\"history\",\"id\":\"x\",\"conv\":\"#tea\",\"limit\":5}",
        "{\"op\":\"search\",\"id\":\"x\",\"text\":\"m1\",\"context\":1}",
        "{\"op\":\"conversations\",\"id\":\"x\"}",
        "{\"op\":\"presence\",\"id\":\"x\",\"users\":[\"ann\",\"BOB\",\"bob\",\"#tea\",\"#红\"]}",
        "{\"op\":\"presence\",\"users\":[]}",
        "{\"op\":\"presence\",\"id\":\"x\",\"state\":\"away\",\"text\":\"饭\"}",
        "{\"op\":\"read\",\"conv\":\"ann\",\"seq\":3}",
        "{\"op\":\"read\",\"id\":\"x\",\"conv\":\"#tea\",\"seq\":99}",
        "{\"op\":\"typing\",\"conv\":\"#tea\"}",
        "{\"op\":\"typing\",\"conv\":\"翠花\"}",
        "{\"op\":\"block\",\"id\":\"x\",\"user\":\"ann\"}",
        "{\"op\":\"block\",\"id\":\"x\",\"user\":\"ann\",\"on\":false}",
        "{\"op\":\"block\",\"id\":\"x\"}",
        "{\"op\":\"profile\",\"id\":\"x\",\"name\":\"A\"}",
        "{\"op\":\"profile\",\"id\":\"x\",\"user\":\"bob\"}",
        "{\"op\":\"devices\",\"id\":\"x\"}",
        "{\"op\":\"group\",\"id\":\"x\",\"do\":\"members\",\"conv\":\"#tea\"}",
        "{\"op\":\"group\",\"id\":\"x\",\"do\":\"info\",\"conv\":\"#tea\"}",
        "{\"op\":\"group\",\"id\":\"x\",\"do\":\"list\"}",
        "{\"op\":\"ping\",\"id\":\"x\"}",
        "{\"op\":\"send\",\"id\":\"x\",\"to\":\"#nowhere\",\"text\":\"t\"}",
        "{\"op\":\"send\",\"id\":\"x\",\"to\":\"b b\",\"text\":\"t\"}",
        "{\"op\":\"fly\",\"id\":\"x\"}",
        "{\"op\":",
        "nonsense",
        "",
        "{\"op\":\"ack\",\"pos\":\"999999\"}",
    };
    say(w, p, "%s", asks[pick(w, sizeof asks / sizeof *asks)]);
}

static void act_peer(struct world *w, struct peer *p)
{
    if (!p->open) {
        open_link(w, p);
        return;
    }
    if (p->closing) {
        close_link(w, p);
        return;
    }
    unsigned what = pick(w, 100);
    if (!p->seated && what < 70)
        act_login(w, p);
    else if (what < 30)
        act_send(w, p);
    else if (what < 38)
        act_change(w, p);
    else if (what < 48)
        act_group(w, p);
    else if (what < 55)
        act_ack(w, p);
    else if (what < 65)
        act_ask(w, p);
    else if (what < 85)
        flush(w, p);
    else if (what < 88)
        close_link(w, p);
    else if (what < 90)
        say(w, p, "{\"op\":\"bye\",\"id\":\"x\"}");
    else if (what < 92 && !p->ended && !p->hold)
        p->ended = true, im_core_input_end(w->core, &p->link);
    else if (what < 93)
        im_core_kick_user(w->core, im_str(sim_names[pick(w, USERS)]));
    else if (what < 95)
        act_login(w, p);
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
            store_complete(w, &w->lanes[i]);
        }
    im_core_free(&w->core);
    w->failed = false;
    w->restarts++;
    start(w);
}

static void act(struct world *w)
{
    unsigned what = pick(w, 100);
    struct lane *lane = &w->lanes[pick(w, 2)];
    if (what < 46) {
        act_peer(w, &w->peers[pick(w, LINKS)]);
    } else if (what < 70) {
        store_execute(w, lane);
    } else if (what < 94) {
        store_complete(w, lane);
    } else if (what < 98) {
        w->now += pick(w, 300);
        im_core_time(w->core, 1700000000000 + (int64_t)w->now, w->now, 0);
        im_core_tick(w->core);
    } else if (pick(w, 10) == 0) {
        restart(w);
    } else {
        w->full = pick(w, 8) == 0;
        w->failed = pick(w, 30) == 0;
    }
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
            store_complete(w, &w->lanes[i]);
        }
        for (unsigned i = 0; i < LINKS; i++) {
            struct peer *p = &w->peers[i];
            quiet = quiet && (!p->open || (!p->closing && p->queued == 0));
            if (p->open && p->closing)
                close_link(w, p);
            else if (p->open)
                flush(w, p);
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
            close_link(w, &w->peers[i]);
    settle(w);
}

/* Everybody comes back on every device and reads to the end: then nothing may be missing anywhere. */
static void check_books(struct world *w)
{
    if (pick(w, 2))
        settle(w);
    close_all(w);
    w->config->rate = 0;
    for (unsigned user = 0; user < USERS; user++)
        for (unsigned device = 0; device <= DEVICES; device++) {
            struct peer *p = &w->peers[0];
            open_link(w, p);
            p->user = user;
            p->device = device;
            if (device > 0)
                say(w, p, "{\"op\":\"hello\",\"id\":0,\"device\":\"%s\"}", devices[device]);
            settle(w);
            say(w, p, "{\"op\":\"login\",\"id\":0,\"user\":\"%s\"}", sim_names[user]);
            settle(w);
            if (!p->seated)
                broken(w, "%s cannot come back", sim_names[user]);
            for (uint64_t pos = w->start[user][device] + 1; pos <= w->model.count; pos++)
                if (model_must(&w->model.log[pos - 1], user) && !w->wire[user][device][pos])
                    broken(w, "%s on '%s' never got event %" PRIu64, sim_names[user], devices[device], pos);
            close_link(w, p);
            settle(w);
        }
}

static void schedule(uint64_t seed, uint64_t totals[4])
{
    struct world *w = im_zalloc(sizeof *w);
    w->seed = w->random = seed;
    w->config = im_config_new();
    w->config->queue_soft_bytes = 200 + pick(w, 2000);
    w->config->inflight = 1 + pick(w, 8);
    w->config->replay = 1 + pick(w, 5);
    w->config->rate = pick(w, 3) * 20;
    w->config->burst = 1 + pick(w, 20);
    w->config->pending_bytes = 300 + pick(w, 100000);
    w->config->sessions_per_user = 2 + pick(w, 4);
    w->config->cursor_interval_ms = pick(w, 500);
    w->config->login_timeout_ms = 2000;
    w->config->linger_ms = pick(w, 3) * 400;
    w->config->sweep_ms = 300 + pick(w, 1000);
    w->config->retention_count = pick(w, 4) == 0 ? 1 + pick(w, 20) : 0;
    w->config->sweep_step = 1 + pick(w, 10);
    w->config->group_presence_ms = 100 + pick(w, 500);
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
    totals[0] += w->model.count, totals[1] += w->acked, totals[2] += w->dups, totals[3] += w->refused;
    im_core_free(&w->core);
    w->inner->ops->close(&w->inner);
    im_config_free(&w->config);
    free(w);
}

int main(int argc, char **argv)
{
    uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 3000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    uint64_t totals[4] = {0};
    for (uint64_t i = 0; i < seeds; i++)
        schedule(first + i, totals);
    printf("%" PRIu64 " schedules: %" PRIu64 " events, %" PRIu64 " acknowledged, %" PRIu64 " repeats, %" PRIu64
           " refusals\n",
           seeds, totals[0], totals[1], totals[2], totals[3]);
    if (totals[0] == 0 || totals[2] == 0 || totals[3] == 0) {
        fprintf(stderr, "sim: the schedules did not reach what they are for\n");
        return 1;
    }
    return 0;
}
