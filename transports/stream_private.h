#ifndef IM_TRANSPORTS_STREAM_PRIVATE_H
#define IM_TRANSPORTS_STREAM_PRIVATE_H

#include <event2/event_struct.h>

#include "transports/loop.h"
#include "transports/stream.h"
#include "transports/stream_queue.h"
#include "transports/transports.h"

/* What stream.c shares with the two carriers of its bytes: a plain socket, driven by ourselves (stream_plain.c), and
 * TLS on a bufferevent (stream_tls.c); doc/why/stream.md says why there are two. stream.c knows states, deadlines and
 * the receiver; a carrier moves bytes, and reports. Nobody else includes this. */

struct im_carrier {
    /* Takes s->fd over, and calls im_stream_opened() later; false: it cannot. */
    bool (*start)(struct im_stream *, const struct im_stream_open *);
    void (*read)(struct im_stream *, bool on); /* idempotent */
    /* Has it read bytes that the receiver did not take? give_unread() offers them again. */
    bool (*unread)(const struct im_stream *);
    void (*give_unread)(struct im_stream *);
    /* Output, to leave soon: copied; or referred to, where with owner NULL it stays for good. */
    void (*copy)(struct im_stream *, const uint8_t *p, size_t len);
    void (*refer)(struct im_stream *, const uint8_t *p, size_t len, struct im_bytes *owner);
    void (*flush)(struct im_stream *);
    void (*say_end)(struct im_stream *); /* what comes before the socket's own end; all output has left. May be NULL */
    void (*stop)(struct im_stream *);    /* it calls nobody any more */
    bool (*close)(struct im_stream *);   /* frees all and closes s->fd; false: not yet, call again on a later turn */
};
extern const struct im_carrier im_carrier_plain, im_carrier_tls;

struct im_stream_plain {
    struct im_queue queue;
    struct event *writable; /* while the socket takes no more, else NULL */
    struct im_rest *rest;   /* read and not taken; NULL: none */
    struct event readable;
};

struct im_stream_tls {
    struct bufferevent *bev; /* NULL: freed, its descriptor closes this turn */
    struct im_queue queue;   /* empty while the bufferevent has something to write */
};

/* The diagram is in stream.h. TOLD: ended() has been called, and the descriptor is not closed yet. */
enum im_stream_state { HANDSHAKING, OPEN, FINISHING, ENDED, TOLD };

/* What every message touches comes first: with many streams, each further cache line is one more wait for memory. */
struct im_stream {
    struct im_transport_env *env;
    struct im_loop *loop;
    const struct im_carrier *carrier;
    const struct im_stream_ops *ops;
    void *ctx;
    int fd;
    enum im_stream_state state;
    enum im_reason reason; /* why it ends; valid from FINISHING on */
    bool held;
    bool patient;
    uint8_t patience;   /* output waits, for so many turns more at most */
    bool peer_ended;    /* the peer's end has come in */
    bool peer_end_told; /* … and has been passed on */
    bool end_sent;
    bool low_owed, empty_owed; /* drained(), when the queue gets there */
    bool lost;                 /* something was written that will never leave */
    bool has_uid;
    size_t queued; /* bytes that have not left; at the end: that never will */
    uint64_t sent; /* bytes that have left */
    size_t low_water, queue_limit;
    struct im_timer stall;
    struct im_later flush; /* at the end of this turn */
    union {
        struct im_stream_plain plain;
        struct im_stream_tls tls;
    };
    unsigned uid;
    enum im_reason deadline_reason;
    uint64_t progress_ms; /* while the stall timer runs: when output last left, or began to wait */
    uint64_t linger_ms;
    struct im_timer deadline;
    struct im_later later;
    struct im_stream *next, **link; /* in the loop's list */
    void (*ready)(void *arg, struct im_stream *);
    void (*failed)(void *arg, const char *problem);
    void (*release)(void *arg);
    void *ready_arg, *release_arg;
    char peer[];
};

/* From a carrier; only from the event loop, for they call the receiver. */

/* Bytes can pass: now; or from the next turn on, for a carrier that is just starting. */
void im_stream_opened(struct im_stream *);
void im_stream_open_later(struct im_stream *);
/* Before what the loop brings: tells the core the time, and what came to other threads before. May end the stream. */
void im_stream_tell_time(struct im_stream *);
/* Bytes came: how many of them are done with. The rest is to be kept until give_unread(). */
size_t im_stream_give(struct im_stream *, const uint8_t *p, size_t n);
/* The peer's end came. */
void im_stream_peer_ended(struct im_stream *);
/* The connection broke: an errno, and what the carrier knows beyond it, or "". */
void im_stream_broke(struct im_stream *, int error, const char *problem);
/* What output is gathered in. */
static inline struct im_queue_pool *im_stream_blocks(struct im_stream *s)
{
    return im_loop_blocks(s->loop, s->env->config->spare_buffers_ms);
}
/* There is output: flush() at the end of this turn, or of one of the next if that may wait. */
void im_stream_flush_soon(struct im_stream *);
/* Output begins to wait for the socket: from now on it has to move. Not a call to the receiver. */
void im_stream_waits(struct im_stream *);
/* n bytes of the output have left. Not a call to the receiver: that is im_stream_drain(). */
void im_stream_left(struct im_stream *, size_t n);
void im_stream_drain(struct im_stream *);

#endif
