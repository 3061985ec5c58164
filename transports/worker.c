#include "transports/worker.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/address.h"
#include "core/mem.h"
#include "core/thread.h"
#include "transports/listener.h"
#include "transports/parcel.h"
#include "transports/stream.h"
#include "transports/worker_private.h"

/* The worker's own side: its transports' up-calls become letters to the core, and letters that came down become calls
 * of its links. All here runs on the worker's thread, but for what worker.h says is the core's.
 *
 * Requests are decoded here, and what they say is copied into the letter: the core reads it when the bytes, and perhaps
 * the link, are gone. How far a link may run ahead of the core is bounded: see may_go_on(). */

enum { STOP_LOOK_MS = 10 };

/* A link, as the core's thread knows it by number. */
struct im_port {
    struct im_link *link;
    uint32_t slot;
    unsigned inputs; /* on their way, or with the core and not done */
    size_t bytes;    /* of these */
    bool core_holds, held;
    uint64_t weight, told_weight; /* of what the link was given */
    uint32_t told_queued;
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
    if (w->out.letters > 0 || w->spent.first)
        im_mailbox_post(w->up, &w->out, &w->spent, w->env.config->mailbox);
}

static void *write_letter(struct im_worker *w, enum im_up_kind kind, const struct im_port *port, size_t size)
{
    struct im_up *up = im_mail_write(&w->out, &w->spare, size);
    up->kind = kind;
    up->slot = port ? port->slot : 0;
    up->generation = port ? w->slots[port->slot].generation : 0;
    return up;
}

/* Leaves at the end of the turn, whatever else is in it still to be set. */
static void *write_up(struct im_worker *w, enum im_up_kind kind, const struct im_port *port, size_t size)
{
    im_soon_add(w->env.loop, &w->post, post);
    return write_letter(w, kind, port, size);
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

static struct im_left *add_row(struct im_worker *w, struct im_up_left **letter)
{
    struct im_left *row = *letter ? im_mail_grow(&w->out, &(*letter)->up.letter, sizeof *row) : NULL;
    if (!row) {
        *letter = write_letter(w, IM_UP_LEFT, NULL, sizeof **letter + sizeof *row);
        row = (*letter)->rows;
    }
    return row;
}

static void report(struct im_later *later)
{
    struct im_worker *w = OWNER(im_worker, later, report);
    struct im_up_left *letter = NULL;
    while (w->touched) {
        struct im_port *port = w->touched;
        size_t queued = port->link->ops->queued(port->link);
        untouch(port);
        if (queued > UINT32_MAX)
            queued = UINT32_MAX;
        if (port->weight == port->told_weight && queued == port->told_queued)
            continue;
        port->told_weight = port->weight;
        port->told_queued = (uint32_t)queued;
        *add_row(w, &letter) = (struct im_left){port->weight, port->slot, port->told_queued};
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
    w->links++;
    return port;
}

enum im_reason im_worker_opened(struct im_worker *w, struct im_link *link, const struct im_link_info *info)
{
    struct im_port *port = take_slot(w);
    port->link = link;
    link->port = port;
    link->env = &w->dialect_env;
    link->lang = w->env.config->lang == 0 ? IM_EN : IM_ZH;
    struct im_up_opened *up = write_up(w, IM_UP_OPENED, port, sizeof *up);
    size_t len = info->address.len < sizeof up->address ? info->address.len : sizeof up->address;
    memcpy(up->address, info->address.p, len);
    up->info = *info;
    up->info.address.len = len;
    up->dialect = link->dialect;
    return IM_OK;
}

static void send_input(struct im_worker *w, struct im_port *port, const struct im_command *cmd, size_t bytes,
                       enum im_reason reason, const char *detail)
{
    size_t size = im_parcel_size(cmd), detail_size = reason == IM_OK ? 0 : strlen(detail) + 1;
    struct im_up_input *in = write_up(w, IM_UP_INPUT, port, sizeof *in + size + detail_size);
    in->dialect = port->link->dialect;
    in->bytes = bytes;
    in->reason = reason;
    in->detail = (uint32_t)size;
    im_parcel_pack((struct im_parcel *)(void *)in->parcel, cmd);
    memcpy(in->parcel + size, detail, detail_size);
    port->inputs++;
    port->bytes += bytes;
    review_hold(w, port);
}

void im_worker_input(struct im_worker *w, struct im_link *link, struct im_str message)
{
    struct im_command cmd = {0};
    struct im_error error;
    error.detail[0] = '\0';
    enum im_reason reason = link->dialect->decode(link, message, &cmd, &error);
    send_input(w, link->port, &cmd, message.len, reason, error.detail);
    im_command_release(&cmd);
}

void im_worker_command(struct im_worker *w, struct im_link *link, struct im_command *cmd)
{
    send_input(w, link->port, cmd, 0, IM_OK, "");
    im_command_clear(cmd);
}

void im_worker_input_end(struct im_worker *w, struct im_link *link)
{
    write_up(w, IM_UP_INPUT_END, link->port, sizeof(struct im_up));
}

void im_worker_writable(struct im_worker *w, struct im_link *link)
{
    touch(w, link->port);
}

void im_worker_closed(struct im_worker *w, struct im_link *link, enum im_reason reason)
{
    struct im_port *port = link->port;
    struct im_up_closed *up = write_up(w, IM_UP_CLOSED, port, sizeof *up);
    up->reason = reason;
    link->port = NULL;
    untouch(port);
    w->slots[port->slot].port = NULL;
    w->slots[port->slot].next_free = w->slot_free;
    w->slot_free = port->slot;
    w->links--;
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

static struct im_port *find_at(struct im_worker *w, uint32_t slot, uint32_t generation)
{
    assert(slot < w->slot_count);
    return w->slots[slot].generation == generation ? w->slots[slot].port : NULL;
}

static struct im_port *find(struct im_worker *w, const struct im_down *d)
{
    return find_at(w, d->slot, d->generation);
}

/* The link gets something to send; NULL: there is none any more. */
static struct im_port *serve(struct im_worker *w, const struct im_down_say *d, uint32_t slot, uint32_t generation)
{
    struct im_port *port = find_at(w, slot, generation);
    if (!port)
        return NULL;
    if (d->lang >= 0)
        port->link->lang = (enum im_lang)d->lang;
    port->weight += d->weight;
    touch(w, port);
    return port;
}

/* The letter keeps its reference until it is back: what the core's thread made is freed there. */
static void send_to(struct im_worker *w, const struct im_down_send *d, uint32_t slot, uint32_t generation)
{
    struct im_port *port = serve(w, &d->say, slot, generation);
    if (!port)
        return;
    const struct im_link_ops *ops = port->link->ops;
    if (ops->tell)
        ops->tell(port->link, d->event, d->say.own);
    else
        ops->send(port->link, im_event_hold(d->event), d->say.own);
}

static void on_send(struct im_worker *w, struct im_down *down)
{
    const struct im_down_send *d = (struct im_down_send *)(void *)down;
    size_t more = (down->letter.size - sizeof *d) / sizeof d->more[0];
    send_to(w, d, down->slot, down->generation);
    for (size_t i = 0; i < more; i++)
        send_to(w, d, d->more[i].slot, d->more[i].generation);
}

static void on_msg(struct im_worker *w, struct im_down *down)
{
    struct im_down_msg *d = (struct im_down_msg *)(void *)down;
    struct im_port *port = serve(w, &d->say, down->slot, down->generation);
    if (!port)
        return;
    struct im_msg msg;
    im_slip_open((struct im_slip *)(void *)d->slip, &msg);
    port->link->ops->send(port->link, im_event_new(IM_EV_MSG, &msg), d->say.own);
}

static void on_ok(struct im_worker *w, struct im_down *down)
{
    struct im_down_ok *d = (struct im_down_ok *)(void *)down;
    struct im_port *port = serve(w, &d->say, down->slot, down->generation);
    if (!port)
        return;
    const struct im_link_ops *ops = port->link->ops;
    struct im_event ok, sent; /* only what an answer to send has is looked at */
    sent.type = IM_EV_MSG;
    im_slip_open((struct im_slip *)(void *)d->slip, &sent.msg);
    ok.type = IM_EV_OK;
    ok.reply = (struct im_reply){.op = IM_OP_SEND, .id = {d->slip + d->id, d->id_len}};
    ok.reply.send.msg = &sent;
    ok.reply.send.online = d->online;
    ok.reply.send.dup = d->dup;
    if (ops->tell) {
        ops->tell(port->link, &ok, false);
    } else {
        ok.reply.send.msg = im_event_new(IM_EV_MSG, &sent.msg);
        ops->send(port->link, im_event_reply(&ok.reply), false);
    }
}

static void on_hold(struct im_worker *w, struct im_down *d)
{
    struct im_port *port = find(w, d);
    if (!port)
        return;
    port->core_holds = ((struct im_down_hold *)(void *)d)->on;
    review_hold(w, port);
}

static void on_taken(struct im_worker *w, struct im_down *d)
{
    const struct im_down_taken *taken = (struct im_down_taken *)(void *)d;
    struct im_port *port = find(w, d);
    if (!port)
        return;
    port->inputs -= taken->inputs;
    port->bytes -= taken->bytes;
    review_hold(w, port);
}

static void on_close(struct im_worker *w, struct im_down *d)
{
    struct im_port *port = find(w, d);
    if (port)
        port->link->ops->close(port->link, ((struct im_down_close *)(void *)d)->reason);
}

static void tell_done(struct im_worker *w, const struct im_down_order *order)
{
    struct im_up_done *up = write_up(w, IM_UP_DONE, NULL, sizeof *up);
    up->done = order->done;
}

static void on_configure(struct im_worker *w, struct im_down *d)
{
    const struct im_down_order *order = (struct im_down_order *)(void *)d;
    w->env.config = w->dialect_env.config = order->config;
    for (uint32_t i = 0; i < w->slot_count; i++)
        if (w->slots[i].port)
            review_hold(w, w->slots[i].port);
    tell_done(w, order);
}

static void on_pause(struct im_worker *w, struct im_down *d)
{
    for (size_t i = 0; i < w->listener_count; i++)
        if (w->listeners[i])
            w->transports[i]->pause(w->listeners[i], true);
    tell_done(w, (struct im_down_order *)(void *)d);
}

static void on_ban(struct im_worker *w, struct im_down *d)
{
    struct im_ban *ban = ((struct im_down_ban *)(void *)d)->ban;
    im_bans_put(&w->bans, ban, now_ms());
    free(ban);
    d->kind = IM_DOWN_NOTHING;
}

static void on_unban(struct im_worker *w, struct im_down *d)
{
    char *key = ((struct im_down_ban *)(void *)d)->key;
    im_bans_drop(&w->bans, im_str(key));
    free(key);
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
    if (im_streams_count(&w->env) > 0 || w->links > 0) {
        im_timer_start(w->env.loop, &w->stop, STOP_LOOK_MS, look_whether_all_are_gone);
        return;
    }
    write_up(w, IM_UP_STOPPED, NULL, sizeof(struct im_up));
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
    [IM_DOWN_SEND] = on_send,
    [IM_DOWN_MSG] = on_msg,
    [IM_DOWN_OK] = on_ok,
    [IM_DOWN_HOLD] = on_hold,
    [IM_DOWN_TAKEN] = on_taken,
    [IM_DOWN_CLOSE] = on_close,
    [IM_DOWN_CONFIGURE] = on_configure,
    [IM_DOWN_BAN] = on_ban,
    [IM_DOWN_UNBAN] = on_unban,
    [IM_DOWN_PAUSE] = on_pause,
    [IM_DOWN_CLOSE_LISTENERS] = on_close_listeners,
    [IM_DOWN_STOP] = on_stop,
    [IM_DOWN_HALT] = on_halt,
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
    struct im_mail mail = {0}, back = {0};
    struct im_down *d;
    (void)fd, (void)what;
    im_mailbox_take(w->down, &mail, &back);
    im_mail_keep(&w->spare, &back);
    look_up_offset(w);
    while ((d = im_mail_read(&mail, &w->spent)))
        on_down[d->kind](w, d);
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
    w->env.office = NULL;
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

enum im_reason im_worker_start(struct im_worker *w, unsigned number, struct im_error *error)
{
    char name[16];
    snprintf(name, sizeof name, "imd-worker-%u", number % 1000);
    int failed = im_thread_start(&w->thread, name, run, w);
    w->started = failed == 0;
    return failed ? im_fail(error, IM_SYSTEM, "no thread: %s", strerror(failed)) : IM_OK;
}

void im_worker_configure(struct im_worker *w, const struct im_config *config, void (*replaced)(void *arg), void *arg)
{
    im_remotes_tell_taken(w);
    struct im_down_order *d = im_down_write(w, IM_DOWN_CONFIGURE, sizeof *d);
    d->config = config;
    d->done = (struct im_done){replaced, arg};
}

void im_worker_pause(struct im_worker *w, void (*paused)(void *arg), void *arg)
{
    struct im_down_order *d = im_down_write(w, IM_DOWN_PAUSE, sizeof *d);
    d->done = (struct im_done){paused, arg};
}

void im_worker_ban(struct im_worker *w, const struct im_ban *ban)
{
    struct im_down_ban *d = im_down_write(w, IM_DOWN_BAN, sizeof *d);
    d->ban = im_alloc(sizeof *ban);
    *d->ban = *ban;
}

void im_worker_unban(struct im_worker *w, struct im_str key)
{
    struct im_down_ban *d = im_down_write(w, IM_DOWN_UNBAN, sizeof *d);
    d->key = im_strndup(key.p, key.len);
}

void im_worker_close_listeners(struct im_worker *w)
{
    if (w->started)
        im_down_write(w, IM_DOWN_CLOSE_LISTENERS, sizeof(struct im_down));
}

void im_worker_stop(struct im_worker *w)
{
    if (w->started)
        im_down_write(w, IM_DOWN_STOP, sizeof(struct im_down));
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
    im_down_write(w, IM_DOWN_HALT, sizeof(struct im_down));
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

/* Empty bags; and, where the thread never ran, what it was sent. */
static void clear_boxes(struct im_worker *w)
{
    struct im_mail ups = {0}, downs = {0};
    if (w->up)
        im_mailbox_take(w->up, &ups, &downs);
    if (w->down)
        im_mailbox_take(w->down, &downs, &ups);
    im_down_clear(&w->spare, &downs);
    im_down_clear(&w->spare, &w->spent);
    im_mail_free(&ups);
    im_mail_free(&w->out);
    im_mail_free(&w->spare);
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
        .links = w->remote_links,
        .cpu_us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000,
    };
    im_mailbox_look(w->up, &stats->up);
    im_mailbox_look(w->down, &stats->down);
}

void im_worker_count(const struct im_worker *w, struct im_counters *sum)
{
    im_counters_add(sum, &w->counters);
}
