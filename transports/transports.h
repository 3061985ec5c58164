#ifndef IM_TRANSPORTS_TRANSPORTS_H
#define IM_TRANSPORTS_TRANSPORTS_H

#include <event2/event.h>

#include "core/core.h"
#include "core/transport.h"
#include "transports/http.h"

/* What transports stand on; one per event loop, owned by the program, outlives every listener and link. */
struct im_transport_env {
    struct event_base *base;
    struct im_core *core;
    struct im_worker *worker; /* whose loop this is; NULL: it is the core's. Up-calls go through transports/up.h */
    void (*turn)(
        struct im_transport_env *); /* tells the core the time; before what a stream brings. NULL: not needed */
    const struct im_config *config; /* replaced by the owner on reload: read it afresh, keep no pointer into it */
    struct im_counters *counters;
    struct im_log *log;
    bool bans;                          /* whom the core knows as banned is not let in */
    struct im_gate *gate;               /* connection caps; transports/gate.h */
    const struct im_http_route *routes; /* pages beside the WebSocket endpoints; ends with path NULL */
    struct im_ws_pool *websocket;       /* what WebSockets share; starts NULL, ends itself; transports/ws_pool.h */
    bool spread;                        /* other threads have TCP listeners of the same addresses */
    const struct im_listener *twin;     /* while a worker listens: what its next listener shares the address with */
    struct im_passed *passed;           /* sockets opened for us; transports/passed.h; NULL: none */
    struct im_post_office *office;      /* of the core's workers; starts NULL, ends itself; transports/remote.c */
    struct im_loop *loop;               /* timers and deferred work; starts NULL, owner ends it; transports/loop.h */
};

extern const struct im_transport im_transport_websocket, im_transport_line, im_transport_unix;
extern const struct im_transport *const im_transports[];        /* ends with NULL; transports/registry.c */
const struct im_transport *im_transport_find(const char *name); /* NULL if there is none */

/* Reads the certificates of every listener again, and changes nothing; then new connections get what was read. */
enum im_reason im_listeners_load_tls(struct im_listener *const *listeners, size_t count, struct im_error *);
void im_listeners_commit_tls(struct im_listener *const *listeners, size_t count);
/* The address a listener is bound to, with the port the kernel chose for port 0; valid while the listener lives. */
const char *im_listener_address(const struct im_listener *);

#endif
