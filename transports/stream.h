#ifndef IM_TRANSPORTS_STREAM_H
#define IM_TRANSPORTS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/reason.h"

/* A connected byte stream, plain or TLS, TCP or Unix: what every protocol here stands on. The protocol above sees
 * bytes in, bytes out, drained, ended; it cannot tell TLS from plain. One thread owns a stream.
 *
 *      handshaking ──► open ──► finishing ──► ended (reaped on a later turn)
 *           │            └──────────┬─────────────▲
 *           └───────────────────────┴─ failure, abort, deadline
 */
struct im_stream;
struct im_tls;
struct im_transport_env;

struct im_stream_ops {
    /* n bytes came. Returns how many it took: fewer than n only while held or finishing, or after attaching another
     * receiver; the rest comes again after hold(false), or goes to the new one. Bytes are valid during the call. */
    size_t (*bytes)(void *ctx, const uint8_t *p, size_t n);
    /* The peer sent its end; everything before it has been taken. The stream can still be written to. NULL: finish. */
    void (*input_end)(void *ctx);
    /* The output queue fell to or under the low-water mark; and again, or alone, when it has emptied. May be NULL. */
    void (*drained)(void *ctx);
    /* Exactly once, from the event loop, never inside another call here: release ctx. The stream is gone after it. */
    void (*ended)(void *ctx, enum im_reason reason);
};

/* Takes over fd (non-blocking, connected). tls NULL: plain. ready() is called once the stream can carry bytes (after
 * the TLS handshake; on a later turn for plain ones) and must call im_stream_attach(), or im_stream_abort(); a stream
 * that fails before it is attached counts its reason and vanishes. release() is called from the event loop when the
 * descriptor has been closed, whatever happened (connection caps). */
struct im_stream_open {
    struct im_transport_env *env;
    int fd;
    struct im_tls *tls;
    const char *server; /* with tls: be the client of this server; NULL: be the server */
    const char *peer;   /* copied: "127.0.0.1:5000" */
    void (*ready)(void *arg, struct im_stream *);
    void (*failed)(void *arg, const char *problem); /* in place of ready(): what is known; may be NULL */
    void (*release)(void *arg);
    void *ready_arg, *release_arg; /* ready_arg: failed()'s too */
};
/* Returns it; valid until ended() or, if it is never attached, release(). */
struct im_stream *im_stream_open(const struct im_stream_open *);

/* Who gets the bytes from now on; again on a protocol upgrade (bytes not taken yet go to the new one). */
void im_stream_attach(struct im_stream *, const struct im_stream_ops *, void *ctx);

/* Output. Gathered and sent when the turn ends. What is written once the stream is finishing or ended is lost. */
void im_stream_write(struct im_stream *, const void *data, size_t len);        /* copies */
void im_stream_write_bytes(struct im_stream *, struct im_bytes *, size_t off); /* holds a reference while queued */
void im_stream_write_static(struct im_stream *, const void *data,
                            size_t len); /* refers to data, which stays for good */
/* What is written while it is patient may wait for a few turns, to leave with what is written until then, but not
 * longer than the loop is busy. */
void im_stream_patient(struct im_stream *, bool on);
/* Bytes that have not left. What is lost never leaves: after an abort this stays what it was, it is not 0 once
 * something was written in vain, and drained() does not come any more. */
size_t im_stream_queued(const struct im_stream *);
uint64_t im_stream_sent(const struct im_stream *); /* bytes that have left, ever */
/* A write that finds more than this queued aborts the stream with IM_TOO_SLOW. 0, the default: limits.queue_hard. */
void im_stream_queue_limit(struct im_stream *, size_t bytes);
void im_stream_low_water(struct im_stream *, size_t bytes); /* default 0 */

void im_stream_hold(struct im_stream *, bool on); /* stop or resume reading */
/* One absolute deadline, unlike a timeout not moved by traffic; a new one replaces it, 0 clears it. When it passes the
 * stream is aborted with the reason. */
void im_stream_deadline(struct im_stream *, uint64_t ms, enum im_reason reason);

/* Flush, send our end, wait for the peer's up to linger_ms, close: ended(reason). */
void im_stream_finish(struct im_stream *, enum im_reason reason, uint64_t linger_ms);
/* Close at once: ended(reason). The first reason given to finish or abort stands. */
void im_stream_abort(struct im_stream *, enum im_reason reason);

const char *im_stream_peer(const struct im_stream *);
bool im_stream_tls(const struct im_stream *);
/* Static names; left alone where there is no TLS. */
void im_stream_tls_names(const struct im_stream *, const char **version, const char **cipher);
/* Credentials of a Unix peer; false on other streams. */
bool im_stream_peer_uid(const struct im_stream *, unsigned *uid);

/* For the end of the program: aborts every stream of the loop, and how many there are still. */
void im_streams_abort(struct im_transport_env *, enum im_reason reason);
size_t im_streams_count(struct im_transport_env *);

#endif
