#ifndef IM_TRANSPORTS_WORKER_H
#define IM_TRANSPORTS_WORKER_H

#include "core/core.h"
#include "transports/mailbox.h"

/* A thread that owns connections: it accepts, runs TLS and the transports' protocols, inflates, decodes and encodes.
 * The core stays on its own thread, and each link of a worker has a stand-in there. Between the two there is a mailbox
 * for each direction (transports/mailbox.h). doc/why/workers.md tells what follows from that.
 *
 *      made ──► listening ──► running ──► stopping ──► stopped ──► joined
 *
 * Where nothing else is said, a function here is for the core's thread. */
struct im_worker;
struct im_listener;
struct im_listen_config;
struct im_transport;
struct im_transport_env;

/* A worker for the clients of `env`, which is the core's own and stays its maker's: configuration, log, gate, routes
 * and passed sockets are taken from there, and its loop gets what the worker sends up. */
enum im_reason im_worker_new(struct im_worker **out, struct im_transport_env *env, struct im_error *);
/* Opens a listener of the worker; `twin`: one of another thread's whose address it shares, or NULL. Before start. */
enum im_reason im_worker_listen(struct im_worker *, const struct im_transport *, const struct im_listen_config *,
                                const struct im_listener *twin, struct im_error *);
/* As im_listener_take_more(), for the listener that was opened last. */
bool im_worker_take_more(struct im_worker *);
/* The nth that was opened; NULL: closed. What never changes in it may be asked for (address, configuration, TLS). */
struct im_listener *im_worker_listener(const struct im_worker *, size_t n);
/* number: as which one it is known to people, from 1 on. */
enum im_reason im_worker_start(struct im_worker *, unsigned number, struct im_error *);

/* The configuration from now on. The old one must live until replaced() was called, which comes on a later turn. */
void im_worker_configure(struct im_worker *, const struct im_config *, void (*replaced)(void *arg), void *arg);
/* Accepts nobody any more; paused() comes on a later turn, after all who came before. */
void im_worker_pause(struct im_worker *, void (*paused)(void *arg), void *arg);
void im_worker_ban(struct im_worker *, const struct im_ban *); /* before start, too */
void im_worker_unban(struct im_worker *, struct im_str key);
void im_worker_close_listeners(struct im_worker *);
/* Closes all it has; im_worker_stopped() once the core has heard of it and the thread is about to end. A worker that
 * was never started stops at once. */
void im_worker_stop(struct im_worker *);
bool im_worker_stopped(const struct im_worker *);
/* Ends the thread, and waits for that, whatever its links are still waiting for: they stay as they are, for another
 * start or for the end of the program. */
void im_worker_halt(struct im_worker *);
void im_worker_free(struct im_worker **); /* once it has stopped: waits for the thread's end */

/* Does what workers have posted until now. For before what a link of the core's own thread brings: that may follow from
 * what went over a worker's. */
struct im_post_office;
void im_office_read(struct im_post_office *);

struct im_worker_stats {
    size_t links;    /* that the core knows of */
    uint64_t cpu_us; /* what the thread has used, ever */
    struct im_mailbox_stats up, down;
};
void im_worker_look(const struct im_worker *, struct im_worker_stats *);
/* Adds what the worker has counted. */
void im_worker_count(const struct im_worker *, struct im_counters *sum);

/* The transports' up-calls; on the worker's thread. */
enum im_reason im_worker_opened(struct im_worker *, struct im_link *, const struct im_link_info *);
void im_worker_input(struct im_worker *, struct im_link *, struct im_str message);
void im_worker_command(struct im_worker *, struct im_link *, struct im_command *);
void im_worker_input_end(struct im_worker *, struct im_link *);
void im_worker_writable(struct im_worker *, struct im_link *);
void im_worker_closed(struct im_worker *, struct im_link *, enum im_reason);
bool im_worker_banned(const struct im_worker *, const char *peer);

#endif
