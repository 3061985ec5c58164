#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/mem.h"
#include "transports/stream_private.h"

/* A plain socket. One read for each turn in which it is readable, into a buffer that all share; one write at the end
 * of a turn for all that was gathered in it. Waiting for the socket to be writable is for when it took less. */

struct im_rest {
    size_t off, len;
    uint8_t data[];
};

/* Input. */

static void put_by(struct im_stream *s, const uint8_t *p, size_t n)
{
    struct im_rest *rest = im_alloc(sizeof *rest + n);
    *rest = (struct im_rest){.len = n};
    memcpy(rest->data, p, n);
    s->plain.rest = rest;
    event_del(&s->plain.readable);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct im_stream *s = arg;
    uint8_t *buffer = im_loop_buffer(s->loop);
    (void)what;
    im_stream_tell_time(s);
    ssize_t n = recv(fd, buffer, IM_LOOP_BUFFER, 0);
    if (n == 0)
        im_stream_peer_ended(s);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        im_stream_broke(s, errno, "");
    if (n <= 0)
        return;
    size_t taken = im_stream_give(s, buffer, (size_t)n);
    if (taken < (size_t)n)
        put_by(s, buffer + taken, (size_t)n - taken);
}

static bool unread(const struct im_stream *s)
{
    return s->plain.rest != NULL;
}

static void give_unread(struct im_stream *s)
{
    struct im_rest *rest = s->plain.rest;
    rest->off += im_stream_give(s, rest->data + rest->off, rest->len - rest->off);
    if (rest->off < rest->len)
        return;
    s->plain.rest = NULL;
    free(rest);
}

static void read_on(struct im_stream *s, bool on)
{
    if (on)
        event_add(&s->plain.readable, NULL);
    else
        event_del(&s->plain.readable);
}

/* Output. */

static void on_writable(evutil_socket_t fd, short what, void *arg);

static void wait_writable(struct im_stream *s, bool on)
{
    struct im_stream_plain *p = &s->plain;
    if (on && !p->writable) {
        p->writable = event_new(s->env->base, s->fd, EV_WRITE | EV_PERSIST, on_writable, s);
        event_add(p->writable, NULL);
        im_stream_waits(s);
    } else if (!on && p->writable) {
        event_free(p->writable);
        p->writable = NULL;
    }
}

static void flush(struct im_stream *s)
{
    ssize_t n = im_queue_send(&s->plain.queue, im_stream_blocks(s), s->fd);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        im_stream_broke(s, errno, "");
        return;
    }
    if (n > 0)
        im_stream_left(s, (size_t)n);
    wait_writable(s, s->queued > 0);
    if (n > 0)
        im_stream_drain(s);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct im_stream *s = arg;
    (void)fd, (void)what;
    im_stream_tell_time(s);
    if (s->state < ENDED)
        flush(s);
}

/* When the socket takes no more, on_writable() comes. */
static void flush_soon(struct im_stream *s)
{
    if (!s->plain.writable)
        im_stream_flush_soon(s);
}

static void copy(struct im_stream *s, const uint8_t *p, size_t len)
{
    im_queue_copy(&s->plain.queue, im_stream_blocks(s), p, len);
    flush_soon(s);
}

static void refer(struct im_stream *s, const uint8_t *p, size_t len, struct im_bytes *owner)
{
    im_queue_refer(&s->plain.queue, p, len, owner);
    flush_soon(s);
}

/* Beginning and end. */

static bool start(struct im_stream *s, const struct im_stream_open *o)
{
    event_assign(&s->plain.readable, o->env->base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
    im_stream_open_later(s);
    return true;
}

static void stop(struct im_stream *s)
{
    event_del(&s->plain.readable);
    wait_writable(s, false);
}

static bool close_it(struct im_stream *s)
{
    close(s->fd);
    im_queue_clear(&s->plain.queue, im_stream_blocks(s));
    free(s->plain.rest);
    return true;
}

const struct im_carrier im_carrier_plain = {
    .start = start,
    .read = read_on,
    .unread = unread,
    .give_unread = give_unread,
    .copy = copy,
    .refer = refer,
    .flush = flush,
    .stop = stop,
    .close = close_it,
};
