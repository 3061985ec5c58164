#ifndef IM_TRANSPORTS_DIAL_H
#define IM_TRANSPORTS_DIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/reason.h"

/* Connections that go out: finds the host's addresses without blocking, tries them in turn, and makes TLS of it if
 * asked. */
struct im_dialer;
struct im_dial;
struct im_stream;
struct im_transport_env;

/* What all dials of one event loop share; env outlives it. */
struct im_dialer *im_dialer_new(struct im_transport_env *);
/* Once im_dialer_count() is 0. */
void im_dialer_free(struct im_dialer **);
/* Name servers and authorities are read again at the next dial. */
void im_dialer_renew(struct im_dialer *);
struct im_transport_env *im_dialer_env(const struct im_dialer *);
/* Dials that are under way, connections that came of them and live still, and whoever else holds it. */
size_t im_dialer_count(const struct im_dialer *);
void im_dialer_hold(struct im_dialer *);
void im_dialer_drop(struct im_dialer *);

struct im_dial_options {
    const char *host; /* a name, or an address without brackets; copied */
    uint16_t port;
    bool tls;
    /* Exactly once, from the event loop, unless cancelled: a stream that must be attached to at once; or NULL, the
     * reason, and what the matter is, for people. */
    void (*done)(void *arg, struct im_stream *, enum im_reason, const char *problem);
    void *arg;
};
/* There is no deadline but the caller's. */
struct im_dial *im_dial_start(struct im_dialer *, const struct im_dial_options *);
void im_dial_cancel(struct im_dial *); /* before done() */

#endif
