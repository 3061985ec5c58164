#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <unistd.h>

#include "transports/stream_private.h"
#include "transports/tls.h"

/* TLS, on libevent's bufferevent: it shakes hands, reads, and waits for a socket that takes no more. What is written is
 * gathered until the turn ends, and then goes out by ourselves, in as few records as can be: a bufferevent would make
 * one, with a system call of its own, of each piece of its buffer, and arm and disarm the socket for it. */

enum { TURN_BYTES = 256 * 1024 }; /* what one turn may move, so that no stream starves the others */

/* libevent hands a whole piece of its buffer to SSL_write() and drains it when all of it has left, so that a large
 * piece would look stalled; and partial writes, which would be OpenSSL's answer, make libevent lose bytes. So no piece
 * is larger than a record. */
enum { PIECE_BYTES = 16 * 1024 };
_Static_assert(PIECE_BYTES <= IM_LOOP_BUFFER, "a record is gathered in the loop's buffer");

static struct evbuffer *output(const struct im_stream *s)
{
    return bufferevent_get_output(s->tls.bev);
}

static struct evbuffer *input(const struct im_stream *s)
{
    return bufferevent_get_input(s->tls.bev);
}

/* Input. */

static bool unread(const struct im_stream *s)
{
    return evbuffer_get_length(input(s)) > 0;
}

static void give_unread(struct im_stream *s)
{
    struct evbuffer_iovec span;
    while (unread(s)) {
        evbuffer_peek(input(s), 1, NULL, &span, 1);
        size_t taken = im_stream_give(s, span.iov_base, span.iov_len);
        evbuffer_drain(input(s), taken);
        if (taken < span.iov_len)
            return;
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    im_stream_tell_time(arg);
    give_unread(arg);
}

static void read_on(struct im_stream *s, bool on)
{
    if (on)
        bufferevent_enable(s->tls.bev, EV_READ);
    else
        bufferevent_disable(s->tls.bev, EV_READ);
}

/* Output. */

static void output_changed(struct evbuffer *buf, const struct evbuffer_cb_info *info, void *arg)
{
    (void)buf;
    if (info->n_added > 0 && info->orig_size == 0)
        im_stream_waits(arg);
    if (info->n_deleted > 0)
        im_stream_left(arg, info->n_deleted);
}

static void on_written(struct bufferevent *bev, void *arg)
{
    (void)bev;
    im_stream_drain(arg);
}

static size_t piece(size_t len)
{
    return len > PIECE_BYTES ? PIECE_BYTES : len;
}

static void drop_bytes(const void *data, size_t len, void *arg)
{
    struct im_bytes *b = arg;
    (void)data, (void)len;
    im_bytes_drop(&b);
}

static void wait_copy(struct im_stream *s, const uint8_t *p, size_t len)
{
    for (size_t n; len > 0; p += n, len -= n) {
        n = piece(len);
        evbuffer_add(output(s), p, n);
    }
}

static void wait_refer(struct im_stream *s, const uint8_t *p, size_t len, struct im_bytes *owner)
{
    for (size_t n; len > 0; p += n, len -= n) {
        n = piece(len);
        evbuffer_add_reference(output(s), p, n, owner ? drop_bytes : NULL, owner ? im_bytes_hold(owner) : NULL);
    }
}

/* The record that the socket did not take must come first, and whole. */
static void hand_over(struct im_stream *s, struct im_str record)
{
    struct im_queue *q = &s->tls.queue;
    struct im_queue_pool *blocks = im_stream_blocks(s);
    wait_copy(s, (const uint8_t *)record.p, record.len);
    im_queue_drain(q, blocks, record.len);
    while (q->first) {
        struct im_bytes *owner;
        struct im_str rest = im_queue_first(q, &owner);
        if (owner)
            wait_refer(s, (const uint8_t *)rest.p, rest.len, owner);
        else
            wait_copy(s, (const uint8_t *)rest.p, rest.len);
        im_queue_drain(q, blocks, rest.len);
    }
}

static void flush(struct im_stream *s)
{
    struct im_queue *q = &s->tls.queue;
    size_t sum = 0;
    while (q->first) {
        struct im_str record = im_queue_next(q, im_loop_buffer(s->loop), PIECE_BYTES);
        if (sum >= TURN_BYTES || !im_tls_write(s->tls.bev, record.p, record.len)) {
            hand_over(s, record);
            break;
        }
        im_queue_drain(q, im_stream_blocks(s), record.len);
        im_stream_left(s, record.len);
        sum += record.len;
    }
    if (sum > 0)
        im_stream_drain(s);
}

static bool waits(const struct im_stream *s)
{
    return evbuffer_get_length(output(s)) > 0;
}

static void copy(struct im_stream *s, const uint8_t *p, size_t len)
{
    if (waits(s)) {
        wait_copy(s, p, len);
        return;
    }
    im_queue_copy(&s->tls.queue, im_stream_blocks(s), p, len);
    im_stream_flush_soon(s);
}

static void refer(struct im_stream *s, const uint8_t *p, size_t len, struct im_bytes *owner)
{
    if (waits(s)) {
        wait_refer(s, p, len, owner);
        return;
    }
    im_queue_refer(&s->tls.queue, p, len, owner);
    im_stream_flush_soon(s);
}

/* Beginning and end. */

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    int error = errno;
    struct im_stream *s = arg;
    char problem[128];
    if (what & BEV_EVENT_CONNECTED) {
        im_count(&s->env->counters->n[IM_C_TLS_HANDSHAKES], 1);
        im_stream_opened(s);
    } else if ((what & BEV_EVENT_EOF) && s->state != HANDSHAKING) {
        if (s->queued > 0) /* libevent stops writing too; the peer may still be reading */
            bufferevent_enable(bev, EV_WRITE);
        im_stream_peer_ended(s);
    } else if (what & (BEV_EVENT_ERROR | BEV_EVENT_EOF)) {
        im_tls_problem(bev, problem, sizeof problem);
        im_stream_broke(s, error, problem);
    }
}

static bool start(struct im_stream *s, const struct im_stream_open *o)
{
    s->tls.bev = o->server ? im_tls_connect(o->tls, o->env->base, o->fd, o->server)
                           : im_tls_bufferevent(o->tls, o->env->base, o->fd);
    if (!s->tls.bev)
        return false;
    bufferevent_setcb(s->tls.bev, on_read, on_written, on_event, s);
    bufferevent_setwatermark(s->tls.bev, EV_WRITE, SIZE_MAX, 0); /* on_written() comes whenever something has left */
    bufferevent_set_max_single_read(s->tls.bev, TURN_BYTES);
    bufferevent_set_max_single_write(s->tls.bev, TURN_BYTES);
    evbuffer_add_cb(output(s), output_changed, s);
    im_stream_deadline(s, o->env->config->tls_handshake_ms, IM_TLS_TIMEOUT);
    return true;
}

static void say_end(struct im_stream *s)
{
    im_tls_end(s->tls.bev);
}

/* It may have callbacks under way: without these they find nothing to call. */
static void stop(struct im_stream *s)
{
    if (!s->tls.bev)
        return;
    evbuffer_remove_cb(output(s), output_changed, s);
    bufferevent_setcb(s->tls.bev, NULL, NULL, NULL, NULL);
    bufferevent_disable(s->tls.bev, EV_READ | EV_WRITE);
}

/* libevent closes the descriptor when it finalises the bufferevent, which is a turn after letting go of it. */
static bool close_it(struct im_stream *s)
{
    im_queue_clear(&s->tls.queue, im_stream_blocks(s));
    if (s->tls.bev) {
        bufferevent_free(s->tls.bev);
        s->tls.bev = NULL;
        s->fd = -1;
        return false;
    }
    if (s->fd >= 0) /* it never started */
        close(s->fd);
    return true;
}

const struct im_carrier im_carrier_tls = {
    .start = start,
    .read = read_on,
    .unread = unread,
    .give_unread = give_unread,
    .copy = copy,
    .refer = refer,
    .flush = flush,
    .say_end = say_end,
    .stop = stop,
    .close = close_it,
};

void im_stream_tls_names(const struct im_stream *s, const char **version, const char **cipher)
{
    if (s->carrier == &im_carrier_tls && s->tls.bev)
        im_tls_names(s->tls.bev, version, cipher);
}
