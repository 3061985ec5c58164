#include "transports/stream.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/mem.h"
#include "transports/loop.h"
#include "transports/tls.h"
#include "transports/transports.h"

/* Bytes shorter than this are cheaper to copy than to queue by reference. */
enum { REFERENCE_MIN_BYTES = 1024 };
/* What one turn may move to or from one socket, so that no stream starves the others. */
enum { TURN_BYTES = 256 * 1024 };

/* libevent hands a whole piece of its buffer to SSL_write() and drains it when all of it has left, so that a large
 * piece would look stalled; and partial writes, which would be OpenSSL's answer, make libevent lose bytes. So with TLS
 * no piece is larger than a record. */
enum { TLS_PIECE_BYTES = 16 * 1024 };

enum state { HANDSHAKING, OPEN, FINISHING, ENDED };

struct im_stream {
    struct im_transport_env *env;
    struct im_loop *loop;
    struct bufferevent *bev; /* NULL: ended and reaped, its descriptor closes this turn */
    int fd;                  /* the bufferevent's */
    enum state state;
    enum im_reason reason; /* why it ends; valid from FINISHING on */
    bool tls;
    bool held;
    bool peer_ended;    /* the peer's end has come in */
    bool peer_end_told; /* … and has been passed on */
    bool end_sent;
    bool low_owed, empty_owed; /* drained(), when the queue gets there */
    bool has_uid;
    unsigned uid;
    const struct im_stream_ops *ops;
    void *ctx;
    size_t low_water, queue_limit;
    size_t stuck;         /* bytes that were queued at the abort */
    bool lost;            /* something was written that will never leave */
    uint64_t sent;        /* bytes that have left the queue */
    uint64_t progress_ms; /* when output last left, or began to wait */
    uint64_t linger_ms;
    enum im_reason deadline_reason;
    struct im_timer deadline, stall;
    struct im_later later;
    struct im_stream *next, **link; /* in the loop's list */
    void (*ready)(void *arg, struct im_stream *);
    void (*failed)(void *arg, const char *problem);
    void (*release)(void *arg);
    void *ready_arg, *release_arg;
    char peer[];
};

#define OWNER(entry, member) ((struct im_stream *)(void *)((char *)(entry)-offsetof(struct im_stream, member)))

static void turn(struct im_later *later);

static struct evbuffer *output(const struct im_stream *s)
{
    return bufferevent_get_output(s->bev);
}

static struct evbuffer *input(const struct im_stream *s)
{
    return bufferevent_get_input(s->bev);
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
    if (evbuffer_get_length(output(s)) == 0)
        return;
    if (idle_ms >= limit_ms)
        im_stream_abort(s, IM_TOO_SLOW);
    else
        im_timer_start(s->loop, &s->stall, limit_ms - idle_ms, check_stall);
}

/* The end. */

void im_stream_abort(struct im_stream *s, enum im_reason reason)
{
    if (s->state == ENDED)
        return;
    if (s->state != FINISHING)
        s->reason = reason;
    s->state = ENDED;
    s->stuck = evbuffer_get_length(output(s));
    /* A bufferevent may have callbacks under way: without these they find nothing to call. */
    bufferevent_setcb(s->bev, NULL, NULL, NULL, NULL);
    bufferevent_disable(s->bev, EV_READ | EV_WRITE);
    im_timer_stop(s->loop, &s->deadline);
    im_timer_stop(s->loop, &s->stall);
    im_later_add(s->loop, &s->later, turn);
}

static void unlist(struct im_stream *s)
{
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    im_loop_streams(s->loop)->count--;
}

/* libevent closes the descriptor when it finalises the bufferevent, which is a turn after letting go of it. */
static void reap(struct im_stream *s)
{
    if (s->bev) {
        if (s->ops)
            s->ops->ended(s->ctx, s->reason);
        else
            s->env->counters->closed[s->reason]++;
        bufferevent_free(s->bev);
        s->bev = NULL;
        im_later_add(s->loop, &s->later, turn);
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
    if (s->tls)
        im_tls_end(s->bev);
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
    if (!s->peer_ended)
        bufferevent_enable(s->bev, EV_READ);
    if (evbuffer_get_length(output(s)) == 0)
        send_end(s);
}

/* Input. Only the event loop comes here: nothing a receiver calls leads back into its own bytes(). */

static void took(struct im_stream *s, size_t n)
{
    evbuffer_drain(input(s), n);
    s->env->counters->n[IM_C_BYTES_IN] += n;
}

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

static void tell_time(struct im_stream *s)
{
    if (s->env->turn)
        s->env->turn(s->env);
}

static void pump(struct im_stream *s)
{
    struct evbuffer_iovec span;
    tell_time(s);
    while (s->state == OPEN && !s->held && evbuffer_get_length(input(s)) > 0) {
        evbuffer_peek(input(s), 1, NULL, &span, 1);
        const struct im_stream_ops *ops = s->ops;
        size_t n = ops->bytes(s->ctx, span.iov_base, span.iov_len);
        assert(n == span.iov_len || s->held || s->state != OPEN || s->ops != ops);
        took(s, n);
    }
    if (s->state == FINISHING)
        took(s, evbuffer_get_length(input(s)));
    tell_end(s);
}

static void become_open(struct im_stream *s)
{
    s->state = OPEN;
    set_deadline(s, 0, IM_OK);
    tell_time(s);
    s->ready(s->ready_arg, s);
    assert(s->ops || s->state == ENDED);
}

static void turn(struct im_later *later)
{
    struct im_stream *s = OWNER(later, later);
    if (s->state == ENDED)
        reap(s);
    else if (s->state == HANDSHAKING)
        become_open(s);
    else
        pump(s);
}

void im_stream_attach(struct im_stream *s, const struct im_stream_ops *ops, void *ctx)
{
    assert(s->state != HANDSHAKING);
    s->ops = ops;
    s->ctx = ctx;
    s->peer_end_told = false;
    if (s->state != OPEN)
        return;
    if (!s->held && !s->peer_ended)
        bufferevent_enable(s->bev, EV_READ);
    if (s->peer_ended || evbuffer_get_length(input(s)) > 0)
        im_later_add(s->loop, &s->later, turn);
}

void im_stream_hold(struct im_stream *s, bool on)
{
    if (s->state != OPEN || s->held == on)
        return;
    s->held = on;
    if (on)
        bufferevent_disable(s->bev, EV_READ);
    else if (!s->peer_ended)
        bufferevent_enable(s->bev, EV_READ);
    if (!on && (s->peer_ended || evbuffer_get_length(input(s)) > 0))
        im_later_add(s->loop, &s->later, turn);
}

/* Output. */

static bool may_write(struct im_stream *s)
{
    size_t limit = s->queue_limit ? s->queue_limit : s->env->config->queue_hard_bytes;
    if (s->state == OPEN && evbuffer_get_length(output(s)) <= limit)
        return true;
    if (s->state == OPEN)
        im_stream_abort(s, IM_TOO_SLOW);
    s->lost = true;
    return false;
}

static size_t piece(const struct im_stream *s, size_t len)
{
    return s->tls && len > TLS_PIECE_BYTES ? TLS_PIECE_BYTES : len;
}

void im_stream_write(struct im_stream *s, const void *data, size_t len)
{
    const uint8_t *p = data;
    if (len == 0 || !may_write(s))
        return;
    for (size_t n; len > 0; p += n, len -= n) {
        n = piece(s, len);
        evbuffer_add(output(s), p, n);
    }
}

static void drop_bytes(const void *data, size_t len, void *arg)
{
    struct im_bytes *b = arg;
    (void)data, (void)len;
    im_bytes_drop(&b);
}

void im_stream_write_bytes(struct im_stream *s, struct im_bytes *b, size_t off)
{
    assert(off <= b->len);
    if (b->len - off < REFERENCE_MIN_BYTES) {
        im_stream_write(s, b->data + off, b->len - off);
        return;
    }
    if (!may_write(s))
        return;
    for (size_t n; off < b->len; off += n) {
        n = piece(s, b->len - off);
        evbuffer_add_reference(output(s), b->data + off, n, drop_bytes, im_bytes_hold(b));
    }
}

void im_stream_write_static(struct im_stream *s, const void *data, size_t len)
{
    const uint8_t *p = data;
    if (len == 0 || !may_write(s))
        return;
    for (size_t n; len > 0; p += n, len -= n) {
        n = piece(s, len);
        evbuffer_add_reference(output(s), p, n, NULL, NULL);
    }
}

size_t im_stream_queued(const struct im_stream *s)
{
    size_t len = s->state == ENDED ? s->stuck : evbuffer_get_length(output(s));
    return len > 0 ? len : s->lost;
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
    if (s->state != ENDED)
        bufferevent_setwatermark(s->bev, EV_WRITE, bytes, 0);
}

static void output_changed(struct evbuffer *buf, const struct evbuffer_cb_info *info, void *arg)
{
    struct im_stream *s = arg;
    if (s->state == ENDED)
        return;
    s->env->counters->n[IM_C_BYTES_OUT] += info->n_deleted;
    s->sent += info->n_deleted;
    if (info->n_deleted > 0 || info->orig_size == 0)
        s->progress_ms = im_loop_now_ms();
    if (info->n_added > 0 && !s->stall.link)
        im_timer_start(s->loop, &s->stall, s->env->config->stall_ms, check_stall);
    s->empty_owed |= info->n_added > 0;
    s->low_owed |= evbuffer_get_length(buf) > s->low_water;
}

/* libevent's callbacks. */

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    pump(arg);
}

static void on_written(struct bufferevent *bev, void *arg)
{
    struct im_stream *s = arg;
    size_t queued = evbuffer_get_length(bufferevent_get_output(bev));
    if (s->state == FINISHING && queued == 0)
        send_end(s);
    bool due = queued == 0 ? s->empty_owed : s->low_owed && queued <= s->low_water;
    if (s->state != OPEN || !due)
        return;
    s->low_owed = false;
    s->empty_owed = queued > 0;
    if (s->ops && s->ops->drained)
        s->ops->drained(s->ctx);
}

static enum im_reason failure(const struct im_stream *s, int error)
{
    char problem[128] = "";
    if (s->tls)
        im_tls_problem(s->bev, problem, sizeof problem);
    IM_LOG(s->env->log, IM_LOG_DEBUG, "stream", "failed", IM_KS("peer", s->peer),
           IM_KS("problem", problem[0] ? problem : strerror(error)));
    if (s->state == HANDSHAKING && s->failed)
        s->failed(s->ready_arg, problem[0] ? problem : "the peer broke off the TLS handshake");
    if (s->state == HANDSHAKING)
        return IM_TLS_FAILED;
    if (error == ETIMEDOUT)
        return IM_PING_TIMEOUT;
    return problem[0] || (error != ECONNRESET && error != EPIPE) ? IM_IO_FAILED : IM_GONE;
}

static void on_peer_end(struct im_stream *s)
{
    s->peer_ended = true;
    /* With TLS libevent stops writing too; the peer may still be reading. */
    if (evbuffer_get_length(output(s)) > 0)
        bufferevent_enable(s->bev, EV_WRITE);
    if (s->state == FINISHING && s->end_sent)
        im_stream_abort(s, s->reason);
    else
        pump(s);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    int error = errno;
    struct im_stream *s = arg;
    (void)bev;
    if (what & BEV_EVENT_CONNECTED) {
        s->env->counters->n[IM_C_TLS_HANDSHAKES]++;
        become_open(s);
    } else if ((what & BEV_EVENT_EOF) && s->state != HANDSHAKING) {
        on_peer_end(s);
    } else if (what & (BEV_EVENT_ERROR | BEV_EVENT_EOF)) {
        im_stream_abort(s, failure(s, error));
    }
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

static void start(struct im_stream *s)
{
    bufferevent_setcb(s->bev, on_read, on_written, on_event, s);
    bufferevent_set_max_single_read(s->bev, TURN_BYTES);
    bufferevent_set_max_single_write(s->bev, TURN_BYTES);
    evbuffer_add_cb(output(s), output_changed, s);
    if (s->tls)
        set_deadline(s, s->env->config->tls_handshake_ms, IM_TLS_TIMEOUT);
    else
        im_later_add(s->loop, &s->later, turn);
}

static struct bufferevent *new_bufferevent(const struct im_stream_open *o)
{
    if (!o->tls)
        return bufferevent_socket_new(o->env->base, o->fd, BEV_OPT_CLOSE_ON_FREE);
    return o->server ? im_tls_connect(o->tls, o->env->base, o->fd, o->server)
                     : im_tls_bufferevent(o->tls, o->env->base, o->fd);
}

struct im_stream *im_stream_open(const struct im_stream_open *o)
{
    size_t peer_size = strlen(o->peer) + 1;
    struct im_stream *s = im_zalloc(sizeof *s + peer_size);
    memcpy(s->peer, o->peer, peer_size);
    s->env = o->env;
    s->loop = im_loop_of(o->env);
    s->fd = o->fd;
    s->tls = o->tls != NULL;
    s->ready = o->ready;
    s->ready_arg = o->ready_arg;
    s->failed = o->failed;
    s->release = o->release;
    s->release_arg = o->release_arg;
    read_credentials(s);
    enlist(s);
    s->bev = new_bufferevent(o);
    if (s->bev) {
        start(s);
        return s;
    }
    close(s->fd);
    s->env->counters->closed[IM_SYSTEM]++;
    s->state = ENDED;
    im_later_add(s->loop, &s->later, turn);
    return s;
}

const char *im_stream_peer(const struct im_stream *s)
{
    return s->peer;
}

bool im_stream_tls(const struct im_stream *s)
{
    return s->tls;
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
