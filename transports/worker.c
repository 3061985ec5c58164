#include "transports/worker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/address.h"
#include "core/mem.h"
#include "transports/listener.h"
#include "transports/stream.h"
#include "transports/worker_private.h"

/* The worker's own side: its transports' up-calls become letters to the core, and letters that came down become calls
 * of its links. All here runs on the worker's thread, but for what worker.h says is the core's.
 *
 * Requests are decoded here, and what they say is copied into the letter: the core reads it when the bytes, and perhaps
 * the link, are gone. How far a link may run ahead of the core is bounded: see may_go_on(). */

enum {
    INPUT_ROOM = 1200,  /* of a usual letter: a message, and the names it goes to */
    INPUT_MARGIN = 512, /* for what a dialect adds to a longer message */
    STOP_LOOK_MS = 10,
};

/* A link, as the core's thread knows it by number. */
struct im_port {
    struct im_link *link;
    uint32_t slot;
    unsigned inputs; /* on their way, or with the core and not done */
    size_t bytes;    /* of these */
    bool core_holds, held;
    uint64_t weight, told_weight; /* of what the link was given */
    size_t told_queued;
    struct im_port *next, **at; /* in worker->touched; at NULL: not in it */
};

struct im_slot {
    struct im_port *port; /* NULL: free */
    uint32_t generation, next_free;
};

#define OWNER(type, entry, member) ((struct type *)(void *)((char *)(entry)-offsetof(struct type, member)))

/* Letters to the core. */

static void post(struct im_later *later)
{
    struct im_worker *w = OWNER(im_worker, later, post);
    if (w->out.first || w->spent.first)
        im_mailbox_post(w->up, &w->out, &w->spent, w->env.config->mailbox);
}

static void add(struct im_worker *w, struct im_up *up)
{
    im_letters_add(&w->out, &up->letter);
    im_soon_add(w->env.loop, &w->post, post);
}

static struct im_up *new_up(struct im_worker *w, enum im_up_kind kind, const struct im_port *port)
{
    struct im_up *up = (struct im_up *)(void *)im_letters_next(&w->small);
    if (!up)
        up = im_alloc(sizeof *up);
    up->size = IM_UP_SMALL;
    up->kind = kind;
    if (port) {
        up->slot = port->slot;
        up->generation = w->slots[port->slot].generation;
    }
    return up;
}

static struct im_up_input *new_input(struct im_worker *w, const struct im_port *port, size_t bytes)
{
    bool usual = bytes <= INPUT_ROOM - INPUT_MARGIN;
    struct im_up_input *in = usual ? (struct im_up_input *)(void *)im_letters_next(&w->inputs) : NULL;
    size_t room = usual ? INPUT_ROOM : bytes + INPUT_MARGIN;
    if (!in)
        in = im_alloc(sizeof *in + room);
    *in = (struct im_up_input){.bytes = bytes, .room = room, .dialect = port->link->dialect};
    in->up.kind = IM_UP_INPUT;
    in->up.size = usual ? IM_UP_INPUT_ROOM : IM_UP_ONCE;
    in->up.slot = port->slot;
    in->up.generation = w->slots[port->slot].generation;
    return in;
}

static void sort_empties(struct im_worker *w, struct im_letters *empties)
{
    struct im_letter *letter;
    while ((letter = im_letters_next(empties))) {
        enum im_up_size size = ((struct im_up *)(void *)letter)->size;
        if (size == IM_UP_ONCE)
            free(letter);
        else
            im_letters_keep(size == IM_UP_SMALL ? &w->small : &w->inputs, letter);
    }
}

void im_up_free(struct im_letters *letters)
{
    struct im_letter *letter;
    while ((letter = im_letters_next(letters)))
        free(letter);
}

void im_down_free(struct im_letters *letters)
{
    struct im_letter *letter;
    while ((letter = im_letters_next(letters))) {
        struct im_down *d = (struct im_down *)(void *)letter;
        if (im_down_has_event(d))
            im_event_drop(&d->send.event);
        else if (d->kind == IM_DOWN_BAN)
            free(d->ban);
        else if (d->kind == IM_DOWN_UNBAN)
            free(d->key);
        free(d);
    }
}

/* What a command names, moved into its letter. What belongs to the command's own memory might stay, but nobody can
 * tell that from what belongs to the link. */

struct mover {
    struct im_up_input *in;
    size_t need;
    char *at;
};

static bool elsewhere(const struct im_up_input *in, const void *p)
{
    uintptr_t from = (uintptr_t)in->data;
    return p && ((uintptr_t)p < from || (uintptr_t)p >= from + in->room);
}

static void measure(struct mover *m, struct im_str *s)
{
    if (elsewhere(m->in, s->p))
        m->need += s->len;
}

static void move(struct mover *m, struct im_str *s)
{
    if (!elsewhere(m->in, s->p))
        return;
    if (s->len > 0)
        memcpy(m->at, s->p, s->len);
    s->p = m->at;
    m->at += s->len;
}

/* Where a field is in a command, if it is a string, or an array of them. */
static const struct {
    uint16_t at, count_at; /* 0: none */
} fields[IM_FIELD_COUNT] = {
#define IM_FIELD_STR(name)                {offsetof(struct im_command, name), 0},
#define IM_FIELD_STRS(name)               {offsetof(struct im_command, name), offsetof(struct im_command, name##_count)},
#define IM_FIELD_U64(name)                {0, 0},
#define IM_FIELD_POS(name)                {0, 0},
#define IM_FIELD_BOOL(name)               {0, 0},
#define IM_FIELD(member, name, type, max) IM_FIELD_##type(member)
#include "core/tbl/fields.def"
#undef IM_FIELD
#undef IM_FIELD_STR
#undef IM_FIELD_STRS
#undef IM_FIELD_U64
#undef IM_FIELD_POS
#undef IM_FIELD_BOOL
};

/* What the command does not have nobody will read. */
static void each_string(struct mover *m, void (*visit)(struct mover *, struct im_str *))
{
    char *cmd = (char *)&m->in->cmd;
    visit(m, &m->in->cmd.id);
    for (uint64_t have = m->in->cmd.have; have; have &= have - 1) {
        unsigned i = (unsigned)__builtin_ctzll(have);
        if (fields[i].at == 0)
            continue;
        void *at = cmd + fields[i].at;
        size_t count = fields[i].count_at ? *(size_t *)(void *)(cmd + fields[i].count_at) : 1;
        struct im_str *strings = fields[i].count_at ? *(struct im_str **)at : at;
        for (size_t k = 0; k < count; k++)
            visit(m, &strings[k]);
    }
}

static size_t name_bytes(const struct im_name *name)
{
    return offsetof(struct im_name, bytes) + name->text_len + name->key_len + 2u;
}

static void move_name(struct mover *m)
{
    struct im_command *cmd = &m->in->cmd;
    size_t n = cmd->to_name ? name_bytes(cmd->to_name) : 0;
    if (n == 0)
        return;
    memcpy(m->at, cmd->to_name, n);
    cmd->to_name = (const struct im_name *)(void *)m->at;
    m->at += n;
}

static void move_in(struct im_up_input *in)
{
    const size_t align = _Alignof(struct im_name);
    struct mover m = {.in = in};
    each_string(&m, measure);
    m.need += in->cmd.to_name ? name_bytes(in->cmd.to_name) : 0;
    in->used = (in->used + align - 1) / align * align;
    if (in->used + m.need <= in->room)
        m.at = in->data + in->used;
    else
        m.at = in->more = im_alloc(m.need);
    move_name(&m); /* first: it is what needs to be aligned */
    each_string(&m, move);
}

/* How far a link may run ahead. A person's next line may depend on the answer to the one before. */
static bool may_go_on(const struct im_worker *w, const struct im_port *port)
{
    unsigned window = port->link->dialect == &im_dialect_human ? 1 : (unsigned)w->env.config->inflight;
    return !port->core_holds && port->inputs < window && port->bytes < IM_PORT_BYTES;
}

static void review_hold(struct im_worker *w, struct im_port *port)
{
    bool hold = !may_go_on(w, port);
    if (hold == port->held)
        return;
    port->held = hold;
    port->link->ops->hold(port->link, hold);
}

/* Reports. */

static void untouch(struct im_port *port)
{
    if (!port->at)
        return;
    *port->at = port->next;
    if (port->next)
        port->next->at = port->at;
    port->at = NULL;
}

static void report(struct im_later *later)
{
    struct im_worker *w = OWNER(im_worker, later, report);
    while (w->touched) {
        struct im_port *port = w->touched;
        size_t queued = port->link->ops->queued(port->link);
        untouch(port);
        if (port->weight == port->told_weight && queued == port->told_queued)
            continue;
        struct im_up *up = new_up(w, IM_UP_LEFT, port);
        up->left.weight = port->told_weight = port->weight;
        up->left.queued = port->told_queued = queued;
        im_letters_add(&w->out, &up->letter);
    }
    post(&w->post);
}

/* After the streams have written what they could, and before a peer's answer to that is read: it may leave, and nothing
 * counts as having left behind its goodbye. */
static void report_last(struct im_worker *w)
{
    im_last_add(w->env.loop, &w->report, report);
}

static void touch(struct im_worker *w, struct im_port *port)
{
    if (port->at)
        return;
    port->next = w->touched;
    port->at = &w->touched;
    if (port->next)
        port->next->at = &port->next;
    w->touched = port;
    report_last(w);
}

/* Up-calls. */

static struct im_port *take_slot(struct im_worker *w)
{
    if (w->slot_free == w->slot_count) {
        uint32_t count = w->slot_count ? w->slot_count * 2 : 64;
        w->slots = im_realloc(w->slots, count * sizeof *w->slots);
        for (uint32_t i = w->slot_count; i < count; i++)
            w->slots[i] = (struct im_slot){.next_free = i + 1};
        w->slot_count = count;
    }
    struct im_port *port = im_zalloc(sizeof *port);
    port->slot = w->slot_free;
    w->slot_free = w->slots[port->slot].next_free;
    w->slots[port->slot].port = port;
    w->slots[port->slot].generation++;
    atomic_fetch_add_explicit(&w->links, 1, memory_order_relaxed);
    return port;
}

enum im_reason im_worker_opened(struct im_worker *w, struct im_link *link, const struct im_link_info *info)
{
    struct im_port *port = take_slot(w);
    port->link = link;
    link->port = port;
    link->env = &w->dialect_env;
    link->lang = w->env.config->lang == 0 ? IM_EN : IM_ZH;
    struct im_up *up = new_up(w, IM_UP_OPENED, port);
    size_t len = info->address.len < sizeof up->opened.address ? info->address.len : sizeof up->opened.address;
    memcpy(up->opened.address, info->address.p, len);
    up->opened.info = *info;
    up->opened.info.address = (struct im_str){up->opened.address, len};
    up->opened.dialect = link->dialect;
    add(w, up);
    return IM_OK;
}

static void send_input(struct im_worker *w, struct im_port *port, struct im_up_input *in)
{
    move_in(in);
    port->inputs++;
    port->bytes += in->bytes;
    add(w, &in->up);
    review_hold(w, port);
}

void im_worker_input(struct im_worker *w, struct im_link *link, struct im_str message)
{
    struct im_port *port = link->port;
    struct im_up_input *in = new_input(w, port, message.len);
    struct im_error error = {0};
    if (message.len > 0)
        memcpy(in->data, message.p, message.len);
    in->used = message.len;
    in->reason = link->dialect->decode(link, (struct im_str){in->data, message.len}, &in->cmd, &error);
    in->dialect = link->dialect;
    if (in->reason != IM_OK)
        memcpy(in->detail, error.detail, sizeof in->detail);
    send_input(w, port, in);
}

void im_worker_command(struct im_worker *w, struct im_link *link, struct im_command *cmd)
{
    struct im_up_input *in = new_input(w, link->port, 0);
    in->cmd = *cmd;
    *cmd = (struct im_command){0};
    send_input(w, link->port, in);
}

void im_worker_input_end(struct im_worker *w, struct im_link *link)
{
    add(w, new_up(w, IM_UP_INPUT_END, link->port));
}

void im_worker_writable(struct im_worker *w, struct im_link *link)
{
    touch(w, link->port);
}

void im_worker_closed(struct im_worker *w, struct im_link *link, enum im_reason reason)
{
    struct im_port *port = link->port;
    struct im_up *up = new_up(w, IM_UP_CLOSED, port);
    up->reason = reason;
    add(w, up);
    link->port = NULL;
    untouch(port);
    w->slots[port->slot].port = NULL;
    w->slots[port->slot].next_free = w->slot_free;
    w->slot_free = port->slot;
    atomic_fetch_sub_explicit(&w->links, 1, memory_order_relaxed);
    free(port);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool im_worker_banned(const struct im_worker *w, const char *peer)
{
    return im_bans_peer(&w->bans, peer, now_ms()) != NULL;
}

/* Letters from the core. */

static struct im_port *find(struct im_worker *w, const struct im_down *d)
{
    assert(d->slot < w->slot_count);
    const struct im_slot *slot = &w->slots[d->slot];
    return slot->generation == d->generation ? slot->port : NULL;
}

/* The link gets something to send; NULL: there is none any more. */
static struct im_port *serve(struct im_worker *w, const struct im_down *d)
{
    struct im_port *port = find(w, d);
    if (!port)
        return NULL;
    if (d->send.lang >= 0)
        port->link->lang = (enum im_lang)d->send.lang;
    port->weight += d->send.weight;
    touch(w, port);
    return port;
}

/* The letter keeps its reference until it is back: what the core's thread made is freed there. */
static void on_send(struct im_worker *w, struct im_down *d)
{
    struct im_port *port = serve(w, d);
    if (!port)
        return;
    const struct im_link_ops *ops = port->link->ops;
    if (ops->tell)
        ops->tell(port->link, d->send.event, d->send.own);
    else
        ops->send(port->link, im_event_hold(d->send.event), d->send.own);
}

static void on_ok(struct im_worker *w, struct im_down *d)
{
    struct im_port *port = serve(w, d);
    if (!port)
        return;
    const struct im_link_ops *ops = port->link->ops;
    struct im_event ok; /* only what an answer to send has is looked at */
    ok.type = IM_EV_OK;
    ok.reply = (struct im_reply){.op = IM_OP_SEND, .id = {d->send.id, d->send.id_len}};
    ok.reply.send.msg = d->send.event;
    ok.reply.send.online = d->send.online;
    ok.reply.send.dup = d->send.dup;
    if (ops->tell) {
        ops->tell(port->link, &ok, false);
    } else {
        im_event_hold(d->send.event);
        ops->send(port->link, im_event_reply(&ok.reply), false);
    }
}

static void on_hold(struct im_worker *w, struct im_down *d)
{
    struct im_port *port = find(w, d);
    if (!port)
        return;
    port->core_holds = d->on;
    review_hold(w, port);
}

static void on_taken(struct im_worker *w, struct im_down *d)
{
    struct im_port *port = find(w, d);
    if (!port)
        return;
    port->inputs -= d->taken.inputs;
    port->bytes -= d->taken.bytes;
    review_hold(w, port);
}

static void on_close(struct im_worker *w, struct im_down *d)
{
    struct im_port *port = find(w, d);
    if (port)
        port->link->ops->close(port->link, d->reason);
}

static void tell_done(struct im_worker *w, const struct im_down *d)
{
    struct im_up *up = new_up(w, IM_UP_DONE, NULL);
    up->done = d->order.done;
    add(w, up);
}

static void on_configure(struct im_worker *w, struct im_down *d)
{
    w->env.config = w->dialect_env.config = d->order.config;
    for (uint32_t i = 0; i < w->slot_count; i++)
        if (w->slots[i].port)
            review_hold(w, w->slots[i].port);
    tell_done(w, d);
}

static void on_pause(struct im_worker *w, struct im_down *d)
{
    for (size_t i = 0; i < w->listener_count; i++)
        if (w->listeners[i])
            w->transports[i]->pause(w->listeners[i], true);
    tell_done(w, d);
}

static void on_ban(struct im_worker *w, struct im_down *d)
{
    im_bans_put(&w->bans, d->ban, now_ms());
    free(d->ban);
    d->kind = IM_DOWN_NOTHING;
}

static void on_unban(struct im_worker *w, struct im_down *d)
{
    im_bans_drop(&w->bans, im_str(d->key));
    free(d->key);
    d->kind = IM_DOWN_NOTHING;
}

static void close_listeners(struct im_worker *w)
{
    for (size_t i = 0; i < w->listener_count; i++)
        if (w->listeners[i])
            w->transports[i]->close(&w->listeners[i]);
}

static void on_close_listeners(struct im_worker *w, struct im_down *d)
{
    (void)d;
    close_listeners(w);
}

/* Whoever is left is closed, and the core told; a webhook waits for its answer. */
static void look_whether_all_are_gone(struct im_timer *timer)
{
    struct im_worker *w = OWNER(im_worker, timer, stop);
    im_streams_abort(&w->env, IM_DRAIN);
    if (im_streams_count(&w->env) > 0 || atomic_load_explicit(&w->links, memory_order_relaxed) > 0) {
        im_timer_start(w->env.loop, &w->stop, STOP_LOOK_MS, look_whether_all_are_gone);
        return;
    }
    im_letters_add(&w->out, &new_up(w, IM_UP_STOPPED, NULL)->letter);
    post(&w->post);
    event_base_loopexit(w->env.base, NULL);
}

static void on_stop(struct im_worker *w, struct im_down *d)
{
    (void)d;
    close_listeners(w);
    look_whether_all_are_gone(&w->stop);
}

static void on_halt(struct im_worker *w, struct im_down *d)
{
    (void)d;
    event_base_loopbreak(w->env.base);
}

static void (*const on_down[])(struct im_worker *, struct im_down *) = {
    [IM_DOWN_SEND] = on_send,   [IM_DOWN_OK] = on_ok,
    [IM_DOWN_HOLD] = on_hold,   [IM_DOWN_TAKEN] = on_taken,
    [IM_DOWN_CLOSE] = on_close, [IM_DOWN_CONFIGURE] = on_configure,
    [IM_DOWN_BAN] = on_ban,     [IM_DOWN_UNBAN] = on_unban,
    [IM_DOWN_PAUSE] = on_pause, [IM_DOWN_CLOSE_LISTENERS] = on_close_listeners,
    [IM_DOWN_STOP] = on_stop,   [IM_DOWN_HALT] = on_halt,
};

/* Human mode tells clock times. */
static void look_up_offset(struct im_worker *w)
{
    time_t now = time(NULL);
    struct tm tm;
    if (now / 60 == w->offset_minute)
        return;
    w->offset_minute = now / 60;
    w->dialect_env.utc_offset_s = localtime_r(&now, &tm) ? (int)tm.tm_gmtoff : 0;
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
    struct im_worker *w = arg;
    struct im_letters letters = {0}, empties = {0};
    struct im_letter *letter;
    (void)fd, (void)what;
    im_mailbox_take(w->down, &letters, &empties);
    sort_empties(w, &empties);
    look_up_offset(w);
    while ((letter = im_letters_next(&letters))) {
        struct im_down *d = (struct im_down *)(void *)letter;
        on_down[d->kind](w, d);
        im_letters_add(&w->spent, letter);
    }
    im_forms_clear(&w->forms);
    report_last(w); /* if only for the spent ones */
}

static void *run(void *arg)
{
    struct im_worker *w = arg;
    event_base_dispatch(w->env.base);
    return NULL;
}

/* The core's thread. */

enum im_reason im_worker_new(struct im_worker **out, struct im_transport_env *env, struct im_error *error)
{
    struct im_worker *w = im_zalloc(sizeof *w);
    w->core_env = env;
    w->env = *env;
    w->env.worker = w;
    w->env.core = NULL;
    w->env.turn = NULL;
    w->env.loop = NULL;
    w->env.websocket = NULL;
    w->env.counters = &w->counters;
    w->env.base = im_loop_base_new();
    w->dialect_env = (struct im_dialect_env){.config = env->config, .forms = &w->forms};
    im_remotes_enter(w);
    w->up = im_mailbox_new(&w->office->tickets);
    w->down = im_mailbox_new(NULL);
    *out = w;
    bool made = w->env.base && w->up && w->down && im_remotes_open(w);
    if (made) {
        im_loop_of(&w->env);
        w->mail = event_new(w->env.base, im_mailbox_fd(w->down), EV_READ | EV_PERSIST, on_mail, w);
    }
    if (!made || !w->mail || event_add(w->mail, NULL) != 0)
        return im_fail(error, IM_SYSTEM, "no event loop: %s", strerror(errno));
    return IM_OK;
}

enum im_reason im_worker_listen(struct im_worker *w, const struct im_transport *transport,
                                const struct im_listen_config *config, const struct im_listener *twin,
                                struct im_error *error)
{
    size_t n = w->listener_count + 1;
    w->listeners = im_realloc(w->listeners, n * sizeof *w->listeners);
    w->transports = im_realloc(w->transports, n * sizeof *w->transports);
    w->env.passed = w->core_env->passed;
    w->env.twin = twin;
    enum im_reason reason = transport->listen(&w->listeners[n - 1], &w->env, config, error);
    w->env.passed = NULL;
    w->env.twin = NULL;
    if (reason != IM_OK)
        return reason;
    w->transports[n - 1] = transport;
    w->listener_count = n;
    return IM_OK;
}

bool im_worker_take_more(struct im_worker *w)
{
    w->env.passed = w->core_env->passed;
    bool taken = im_listener_take_more(w->listeners[w->listener_count - 1]);
    w->env.passed = NULL;
    return taken;
}

struct im_listener *im_worker_listener(const struct im_worker *w, size_t n)
{
    return w->listeners[n];
}

/* Signals are for the core's thread. */
enum im_reason im_worker_start(struct im_worker *w, struct im_error *error)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    w->started = failed == 0;
    return failed ? im_fail(error, IM_SYSTEM, "no thread: %s", strerror(failed)) : IM_OK;
}

void im_worker_configure(struct im_worker *w, const struct im_config *config, void (*replaced)(void *arg), void *arg)
{
    im_remotes_tell_taken(w);
    struct im_down *d = im_down_new(w, IM_DOWN_CONFIGURE);
    d->order.config = config;
    d->order.done = (struct im_done){replaced, arg};
    im_down_add(w, d);
}

void im_worker_pause(struct im_worker *w, void (*paused)(void *arg), void *arg)
{
    struct im_down *d = im_down_new(w, IM_DOWN_PAUSE);
    d->order.done = (struct im_done){paused, arg};
    im_down_add(w, d);
}

void im_worker_ban(struct im_worker *w, const struct im_ban *ban)
{
    struct im_down *d = im_down_new(w, IM_DOWN_BAN);
    d->ban = im_alloc(sizeof *ban);
    *d->ban = *ban;
    im_down_add(w, d);
}

void im_worker_unban(struct im_worker *w, struct im_str key)
{
    struct im_down *d = im_down_new(w, IM_DOWN_UNBAN);
    d->key = im_strndup(key.p, key.len);
    im_down_add(w, d);
}

void im_worker_close_listeners(struct im_worker *w)
{
    im_down_add(w, im_down_new(w, IM_DOWN_CLOSE_LISTENERS));
}

void im_worker_stop(struct im_worker *w)
{
    if (w->started)
        im_down_add(w, im_down_new(w, IM_DOWN_STOP));
    else
        w->stopped = true;
}

bool im_worker_stopped(const struct im_worker *w)
{
    return w->stopped;
}

/* The worker may be waiting for the core to take its letters, and the core's loop turns no more. */
void im_worker_halt(struct im_worker *w)
{
    if (!w->started)
        return;
    im_letters_add(&w->core_out, &im_down_new(w, IM_DOWN_HALT)->letter);
    im_mailbox_widen(w->up);
    im_mailbox_post(w->down, &w->core_out, &w->core_spent, 0);
    pthread_join(w->thread, NULL);
    w->started = false;
}

static void free_loop(struct im_worker *w)
{
    if (w->mail)
        event_free(w->mail);
    im_loop_free(&w->env.loop);
    if (w->env.base)
        event_base_free(w->env.base);
}

/* Empty letters; and, where the thread never ran, what it was sent. */
static void clear_boxes(struct im_worker *w)
{
    struct im_letters ups = {0}, downs = {0};
    if (w->up)
        im_mailbox_take(w->up, &ups, &downs);
    if (w->down)
        im_mailbox_take(w->down, &downs, &ups);
    im_up_free(&ups);
    im_down_free(&downs);
}

void im_worker_free(struct im_worker **at)
{
    struct im_worker *w = *at;
    *at = NULL;
    if (!w)
        return;
    assert(w->stopped);
    if (w->started)
        pthread_join(w->thread, NULL);
    close_listeners(w);
    free_loop(w);
    im_remotes_close(w);
    clear_boxes(w);
    im_up_free(&w->small);
    im_up_free(&w->inputs);
    im_down_free(&w->spent);
    im_mailbox_free(&w->up);
    im_mailbox_free(&w->down);
    im_bans_clear(&w->bans);
    free(w->listeners);
    free(w->transports);
    free(w->slots);
    free(w);
}

void im_worker_look(const struct im_worker *w, struct im_worker_stats *stats)
{
    struct timespec t = {0};
    clockid_t clock;
    if (w->started && pthread_getcpuclockid(w->thread, &clock) == 0)
        clock_gettime(clock, &t);
    *stats = (struct im_worker_stats){
        .links = atomic_load_explicit(&w->links, memory_order_relaxed),
        .cpu_us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000,
    };
    im_mailbox_look(w->up, &stats->up);
    im_mailbox_look(w->down, &stats->down);
}

void im_worker_count(const struct im_worker *w, struct im_counters *sum)
{
    im_counters_add(sum, &w->counters);
}
