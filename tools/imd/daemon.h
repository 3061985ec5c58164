#ifndef IM_TOOLS_IMD_DAEMON_H
#define IM_TOOLS_IMD_DAEMON_H

#include <jansson.h>
#include <stdatomic.h>

#include "core/bytes.h"
#include "core/core.h"
#include "core/histogram.h"
#include "core/jwt.h"
#include "tools/imd/config_file.h"
#include "tools/imd/hasher.h"
#include "tools/imd/log.h"
#include "tools/imd/unix_users.h"
#include "transports/transports.h"

/* The running server: everything that main() put together. One thread, one loop.
 *
 *      starting ──► running ──► draining ──► stopping
 *                      └── store failed ─▲
 */
enum imd_state { IMD_STARTING, IMD_RUNNING, IMD_DRAINING, IMD_STOPPING };

struct imd;
struct imd_admin;
struct imd_hooks;
struct imd_tail;

/* A way in that is not for clients (admin, metrics): its own caps and counters, so that neither can crowd the other
 * out, and clients' figures stay clients'. */
struct imd_service {
    struct im_transport_env env;
    struct im_config *config;
    struct im_counters counters;
};

struct imd_listener {
    const struct im_transport *transport;
    struct im_listener *listener;
};

/* Somebody waiting for fresh figures of the store. */
struct imd_stats_wait {
    void (*ready)(void *arg, const struct im_store_stats *);
    void *arg;
};

struct imd {
    enum imd_state state;
    int exit_code;
    const char *config_path; /* absolute; NULL: there is none, built-in defaults */
    struct im_config *config;
    struct im_config_places *places; /* the files it came from; NULL: none */
    struct im_log_file *log_file;
    struct im_log *log;

    struct event_base *base;
    struct im_counters counters;
    struct im_histogram histograms[IM_HISTOGRAM_COUNT];
    struct im_store *store;
    struct imd_hasher *hasher;
    struct im_keys keys;
    struct imd_unix_users unix_users;
    struct im_core *core;
    struct im_passed *passed;    /* while starting: sockets of the service manager */
    struct im_transport_env env; /* the clients' */
    struct imd_listener *listeners;
    size_t listener_count;

    struct imd_service metrics_service;
    struct im_listener *metrics_listener;
    struct im_http_route *routes, *metrics_routes;
    struct imd_service admin_service;
    struct imd_admin *admin;
    struct imd_hooks *hooks;
    struct imd_tail *tails;
    atomic_bool stop_care; /* what takes long in the store shall give up */
    size_t jobs;           /* admin commands under way; tools/imd/job.h */
    uint64_t admin_requests, admin_refused;

    int wake_fd;
    struct event *wake, *tick, *deadline, *watchdog, *signals[4];
    uint64_t ticks;
    uint64_t tick_due_us;       /* 0: not known yet */
    uint64_t log_levels_end_ms; /* monotonic: when the configuration's levels are back; 0: not by themselves */
    uint64_t started_mono_ms;
    int64_t started_wall_ms;

    struct im_store_stats stats; /* the newest figures; being refreshed while stats_pending */
    struct im_store_stats stats_op;
    bool stats_pending;
    struct imd_stats_wait *stats_waits;
    size_t stats_wait_count;
};

/* Runs until told to stop. config and places become the server's. Returns the exit status. */
int imd_run(struct im_config *config, struct im_config_places *places, const char *config_path);
/* Keeps HUP and USR1, which would end the process, for later: imd_run() takes them once it is ready. */
void imd_hold_signals(void);
int imd_exit_code(enum im_reason);

/* daemon.c */
void imd_clock(struct imd *);
/* Any thread: there is something to do for the loop. */
void imd_wake(const struct imd *);
const char *imd_state_name(const struct imd *);
bool imd_store_failed(const struct imd *);
bool imd_store_full(const struct imd *);
/* Stops in good order; a second time: at once. */
void imd_shutdown(struct imd *, const char *why);
/* The same at a gentler pace: so many sessions a second are told to come back, and after deadline_ms the rest. */
void imd_drain(struct imd *, uint64_t per_second, uint64_t deadline_ms);
/* bans.c: reads the bans from the store and tells the core; waits for that. */
enum im_reason imd_bans_load(struct imd *, struct im_error *);
/* Undoes changes of log levels once their time is over. */
void imd_log_levels_tick(struct imd *);
/* Calls ready() with fresh figures, on a later turn. */
void imd_stats_ask(struct imd *, void (*ready)(void *arg, const struct im_store_stats *), void *arg);
/* Makes a service's configuration from the server's. */
void imd_service_configure(struct imd_service *, const struct im_config *, uint64_t connections);

/* reload.c: what a reload did, as text for the log and for imctl. */
struct imd_reload {
    struct im_out changed;  /* keys that took effect, one per line */
    struct im_out restart;  /* keys that need a restart, one per line */
    struct im_out problems; /* why nothing was changed, one per line */
    json_t *changes;        /* the keys of both, with what they were and are: an array, or NULL */
};
bool imd_reload(struct imd *, struct imd_reload *);
/* What the file says now, without anything being changed; NULL, and lines in *problems, if it cannot be used. */
struct im_config *imd_read_config(const struct imd *, struct im_config_places **, struct im_out *problems);
void imd_reload_clear(struct imd_reload *);

/* pages.c: /healthz, /metrics and the chat page's routes. */
void imd_pages_init(struct imd *);
void imd_pages_free(struct imd *);
/* Logged-in sessions by transport, in the order of im_transports[]. */
#define IMD_TRANSPORTS_MAX 8
void imd_count_sessions(const struct imd *, uint64_t counts[IMD_TRANSPORTS_MAX]);

#endif
