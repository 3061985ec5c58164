#include "transports/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/mem.h"
#include "transports/stream_private.h"
#include "transports/worker.h"

/* Bytes shorter than this are cheaper to copy than to queue by reference. */
enum { REFERENCE_MIN_BYTES = 1024 };

#define OWNER(entry, member) ((struct im_stream *)(void *)((char *)(entry)-offsetof(struct im_stream, member)))

static void turn(struct im_later *later);
static void flush(struct im_later *later);

static void later_turn(struct im_stream *s)
{
    im_later_add(s->loop, &s->later, turn);
}

/* Somebody wants what comes; in the end only to see the peer's end behind it. */
static void update_reading(struct im_stream *s)
{
    bool open = s->state == OPEN && s->ops && !s->held && !s->carrier->unread(s);
    if (s->state < ENDED)
        s->carrier->read(s, !s->peer_ended && (open || s->state == FINISHING));
}

/* Deadlines. */

static void deadline_passed(struct im_timer *timer)
{
    struct im_stream *s = OWNER(timer, deadline);
    im_stream_abort(s, s->deadline_reason);
}

static void set_deadline(struct im_stream *s, uint64_t ms, enum im_reason reason)
{
    s->deadline_reason = reason;
    if (ms == 0)
        im_timer_stop(s->loop, &s->deadline);
    else
        im_timer_start(s->loop, &s->deadline, ms, deadline_passed);
}

void im_stream_deadline(struct im_stream *s, uint64_t ms, enum im_reason reason)
{
    if (s->state < FINISHING)
        set_deadline(s, ms, reason);
}

/* The timer runs on after the queue has drained: it is started at most once per stall time, not once per write. */
static void check_stall(struct im_timer *timer)
{
    struct im_stream *s = OWNER(timer, stall);
    uint64_t limit_ms = s->env->config->stall_ms, idle_ms = im_loop_now_ms() - s->progress_ms;
    if (s->queued == 0)
        return;
    if (idle_ms >= limit_ms)
        im_stream_abort(s, IM_TOO_SLOW);
    else
        im_timer_start(s->loop, &s->stall, limit_ms - idle_ms, check_stall);
}

void im_stream_waits(struct im_stream *s)
{
    s->progress_ms = im_loop_now_ms();
    if (!s->stall.link)
        im_timer_start(s->loop, &s->stall, s->env->config->stall_ms, check_stall);
}

/* The end. */

void im_stream_abort(struct im_stream *s, enum im_reason reason)
{
    if (s->state >= ENDED)
        return;
    if (s->state != FINISHING)
        s->reason = reason;
    s->state = ENDED;
    s->carrier->stop(s);
    im_timer_stop(s->loop, &s->deadline);
    im_timer_stop(s->loop, &s->stall);
    later_turn(s);
}

static void unlist(struct im_stream *s)
{
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    im_loop_streams(s->loop)->count--;
}

static void tell_ended(struct im_stream *s)
{
    s->state = TOLD;
    if (s->ops)
        s->ops->ended(s->ctx, s->reason);
    else
        im_count(&s->env->counters->closed[s->reason], 1);
}

static void reap(struct im_stream *s)
{
    if (s->state == ENDED)
        tell_ended(s);
    if (s->flush.queued || !s->carrier->close(s)) {
        later_turn(s);
        return;
    }
    unlist(s);
    if (s->release)
        s->release(s->release_arg);
    free(s);
}

/* Our end goes out once the queue is empty; then only the peer's is awaited, so that no reset destroys what we said
 * last while the peer still talks. */
static void send_end(struct im_stream *s)
{
    if (s->end_sent)
        return;
    s->end_sent = true;
    if (s->carrier->say_end)
        s->carrier->say_end(s);
    shutdown(s->fd, SHUT_WR);
    if (s->peer_ended || s->linger_ms == 0)
        im_stream_abort(s, s->reason);
    else
        set_deadline(s, s->linger_ms, s->reason);
}

void im_stream_finish(struct im_stream *s, enum im_reason reason, uint64_t linger_ms)
{
    if (s->state == HANDSHAKING)
        im_stream_abort(s, reason);
    if (s->state >= FINISHING)
        return;
    uint64_t flush_ms = s->env->config->close_ms;
    s->state = FINISHING;
    s->reason = reason;
    s->linger_ms = linger_ms;
    set_deadline(s, linger_ms > flush_ms ? linger_ms : flush_ms, reason);
    update_reading(s);
    if (s->carrier->unread(s))
        later_turn(s);
    if (s->queued == 0)
        send_end(s);
}

/* Input. Only the event loop comes here: nothing a receiver calls leads back into its own bytes(). */

static void tell_end(struct im_stream *s)
{
    if (!s->peer_ended || s->peer_end_told || s->held || s->state != OPEN)
        return;
    s->peer_end_told = true;
    if (s->ops->input_end)
        s->ops->input_end(s->ctx);
    else
        im_stream_finish(s, IM_GONE, 0);
}

void im_stream_tell_time(struct im_stream *s)
{
    if (!im_loop_new_turn(s->loop))
        return;
    if (s->env->turn)
        s->env->turn(s->env);
    if (s->env->office)
        im_office_read(s->env->office);
}

size_t im_stream_give(struct im_stream *s, const uint8_t *p, size_t n)
{
    size_t sum = 0;
    while (sum < n && s->state == OPEN && !s->held) {
        const struct im_stream_ops *ops = s->ops;
        size_t taken = ops->bytes(s->ctx, p + sum, n - sum);
        assert(taken == n - sum || s->held || s->state != OPEN || s->ops != ops);
        sum += taken;
    }
    if (s->state != OPEN)
        sum = n;
    im_count(&s->env->counters->n[IM_C_BYTES_IN], sum);
    return sum;
}

/* What waited: unread bytes, and the end behind them. */
static void pump(struct im_stream *s)
{
    if (s->carrier->unread(s) || s->peer_ended)
        im_stream_tell_time(s);
    if (s->carrier->unread(s))
        s->carrier->give_unread(s);
    tell_end(s);
    update_reading(s);
}

void im_stream_opened(struct im_stream *s)
{
    s->state = OPEN;
    set_deadline(s, 0, IM_OK);
    im_stream_tell_time(s);
    s->ready(s->ready_arg, s);
    assert(s->ops || s->state >= ENDED);
}

void im_stream_open_later(struct im_stream *s)
{
    later_turn(s);
}

void im_stream_peer_ended(struct im_stream *s)
{
    s->peer_ended = true;
    if (s->state == FINISHING && s->end_sent)
        im_stream_abort(s, s->reason);
    else
        pump(s);
}

static enum im_reason failure(const struct im_stream *s, int error, const char *problem)
{
    if (s->state == HANDSHAKING)
        return IM_TLS_FAILED;
    if (error == ETIMEDOUT)
        return IM_PING_TIMEOUT;
    return problem[0] || (error != ECONNRESET && error != EPIPE) ? IM_IO_FAILED : IM_GONE;
}

void im_stream_broke(struct im_stream *s, int error, const char *problem)
{
    IM_LOG(s->env->log, IM_LOG_DEBUG, "stream", "failed", IM_KS("peer", s->peer),
           IM_KS("problem", problem[0] ? problem : strerror(error)));
    if (s->state == HANDSHAKING && s->failed)
        s->failed(s->ready_arg, problem[0] ? problem : "the peer broke off the TLS handshake");
    im_stream_abort(s, failure(s, error, problem));
}

static void wait_or_flush(struct im_stream *s, bool busy)
{
    s->patience = busy ? s->patience - 1 : 0;
    if (s->patience > 0)
        later_turn(s);
    else
        im_soon_add(s->loop, &s->flush, flush);
}

static void turn(struct im_later *later)
{
    struct im_stream *s = OWNER(later, later);
    bool busy = im_loop_turn_known(s->loop);
    if (s->state >= ENDED) {
        reap(s);
        return;
    }
    if (s->state == HANDSHAKING)
        im_stream_opened(s);
    else
        pump(s);
    if (s->patience > 0)
        wait_or_flush(s, busy);
}

/* Bytes that are unread, and the end, come on a later turn. */
static void resume(struct im_stream *s)
{
    update_reading(s);
    if (s->peer_ended || s->carrier->unread(s))
        later_turn(s);
}

void im_stream_attach(struct im_stream *s, const struct im_stream_ops *ops, void *ctx)
{
    assert(s->state != HANDSHAKING);
    s->ops = ops;
    s->ctx = ctx;
    s->peer_end_told = false;
    if (s->state == OPEN)
        resume(s);
}

void im_stream_hold(struct im_stream *s, bool on)
{
    if (s->state != OPEN || s->held == on)
        return;
    s->held = on;
    if (on)
        update_reading(s);
    else
        resume(s);
}

/* Output. */

static void flush(struct im_later *later)
{
    struct im_stream *s = OWNER(later, flush);
    s->patience = 0;
    if (s->state < ENDED)
        s->carrier->flush(s);
}

void im_stream_flush_soon(struct im_stream *s)
{
    uint64_t turns = s->patient ? s->env->config->answer_turns : 0;
    if (turns == 0) {
        im_soon_add(s->loop, &s->flush, flush);
    } else if (!s->flush.queued && s->patience == 0) {
        s->patience = (uint8_t)turns;
        later_turn(s);
    }
}

void im_stream_patient(struct im_stream *s, bool on)
{
    s->patient = on;
}

/* May len bytes be written? Then they count as queued. */
static bool queue(struct im_stream *s, size_t len)
{
    size_t limit = s->queue_limit ? s->queue_limit : s->env->config->queue_hard_bytes;
    if (s->state == OPEN && s->queued > limit)
        im_stream_abort(s, IM_TOO_SLOW);
    if (s->state != OPEN) {
        s->lost = true;
        return false;
    }
    s->queued += len;
    s->empty_owed = true;
    s->low_owed |= s->queued > s->low_water;
    return true;
}

void im_stream_write(struct im_stream *s, const void *data, size_t len)
{
    if (len > 0 && queue(s, len))
        s->carrier->copy(s, data, len);
}

void im_stream_write_bytes(struct im_stream *s, struct im_bytes *b, size_t off)
{
    assert(off <= b->len);
    size_t len = b->len - off;
    if (len < REFERENCE_MIN_BYTES)
        im_stream_write(s, b->data + off, len);
    else if (queue(s, len))
        s->carrier->refer(s, b->data + off, len, b);
}

void im_stream_write_static(struct im_stream *s, const void *data, size_t len)
{
    if (len > 0 && queue(s, len))
        s->carrier->refer(s, data, len, NULL);
}

void im_stream_left(struct im_stream *s, size_t n)
{
    s->queued -= n;
    s->sent += n;
    im_count(&s->env->counters->n[IM_C_BYTES_OUT], n);
    if (s->stall.link)
        s->progress_ms = im_loop_now_ms();
}

void im_stream_drain(struct im_stream *s)
{
    if (s->state == FINISHING && s->queued == 0)
        send_end(s);
    bool due = s->queued == 0 ? s->empty_owed : s->low_owed && s->queued <= s->low_water;
    if (s->state != OPEN || !due)
        return;
    s->low_owed = false;
    s->empty_owed = s->queued > 0;
    if (s->ops && s->ops->drained)
        s->ops->drained(s->ctx);
}

size_t im_stream_queued(const struct im_stream *s)
{
    return s->queued > 0 ? s->queued : s->lost;
}

uint64_t im_stream_sent(const struct im_stream *s)
{
    return s->sent;
}

void im_stream_queue_limit(struct im_stream *s, size_t bytes)
{
    s->queue_limit = bytes;
}

void im_stream_low_water(struct im_stream *s, size_t bytes)
{
    s->low_water = bytes;
}

/* The beginning. */

static void enlist(struct im_stream *s)
{
    struct im_stream_list *list = im_loop_streams(s->loop);
    s->next = list->first;
    s->link = &list->first;
    if (s->next)
        s->next->link = &s->next;
    list->first = s;
    list->count++;
}

static void read_credentials(struct im_stream *s)
{
    struct ucred cred;
    int domain = 0;
    socklen_t len = sizeof domain;
    if (getsockopt(s->fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 || domain != AF_UNIX)
        return;
    len = sizeof cred;
    s->has_uid = getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0;
    s->uid = s->has_uid ? cred.uid : 0;
}

struct im_stream *im_stream_open(const struct im_stream_open *o)
{
    size_t peer_size = strlen(o->peer) + 1;
    struct im_stream *s = im_zalloc(sizeof *s + peer_size);
    memcpy(s->peer, o->peer, peer_size);
    s->env = o->env;
    s->loop = im_loop_of(o->env);
    s->fd = o->fd;
    s->carrier = o->tls ? &im_carrier_tls : &im_carrier_plain;
    s->ready = o->ready;
    s->ready_arg = o->ready_arg;
    s->failed = o->failed;
    s->release = o->release;
    s->release_arg = o->release_arg;
    read_credentials(s);
    enlist(s);
    if (!s->carrier->start(s, o))
        im_stream_abort(s, IM_SYSTEM);
    return s;
}

const char *im_stream_peer(const struct im_stream *s)
{
    return s->peer;
}

bool im_stream_tls(const struct im_stream *s)
{
    return s->carrier == &im_carrier_tls;
}

bool im_stream_peer_uid(const struct im_stream *s, unsigned *uid)
{
    if (s->has_uid)
        *uid = s->uid;
    return s->has_uid;
}

void im_streams_abort(struct im_transport_env *env, enum im_reason reason)
{
    for (struct im_stream *s = im_loop_streams(im_loop_of(env))->first; s; s = s->next)
        im_stream_abort(s, reason);
}

size_t im_streams_count(struct im_transport_env *env)
{
    return im_loop_streams(im_loop_of(env))->count;
}
