#ifndef IM_TOOLS_IMD_DAEMON_H
#define IM_TOOLS_IMD_DAEMON_H

#include <jansson.h>
#include <stdatomic.h>

#include "core/bytes.h"
#include "core/core.h"
#include "core/histogram.h"
#include "core/jwt.h"
#include "tools/imd/config_file.h"
#include "tools/imd/handover.h"
#include "tools/imd/hasher.h"
#include "tools/imd/log.h"
#include "tools/imd/unix_users.h"
#include "transports/transports.h"

/* The running server: everything that main() put together. One thread and one loop, and one for each worker.
 *
 *          ┌─ another program, in the same process ◄─┐
 *          ▼                                         │
 *      starting ──► running ──► draining ──► stopping ──► the end
 *                      └── store failed ─▲
 */
enum imd_state { IMD_STARTING, IMD_RUNNING, IMD_DRAINING, IMD_STOPPING };

struct imd;
struct imd_admin;
struct imd_drain;
struct imd_hooks;
struct imd_tail;
struct imd_upgrade;

/* A way in that is not for clients (admin, metrics): its own caps and counters, so that neither can crowd the other
 * out, and clients' figures stay clients'. */
struct imd_service {
    struct im_transport_env env;
    struct im_config *config;
    struct im_counters counters;
};

struct imd_listener {
    const struct im_transport *transport;
    struct im_listener *listener; /* with workers: the first one's, to be looked at and not touched */
};

/* How busy a thread is. */
struct imd_load {
    uint64_t cpu_us;  /* used, ever */
    unsigned percent; /* of a core, in the second that is over */
};

/* Somebody waiting for fresh figures of the store. */
struct imd_stats_wait {
    void (*ready)(void *arg, const struct im_store_stats *);
    void *arg;
};

struct imd {
    _Atomic enum imd_state state; /* workers look at it */
    int exit_code;
    const struct imd_start *start;
    const char *config_path; /* start's */
    struct im_config *config;
    struct im_config_places *places; /* the files it came from; NULL: none */
    struct im_log_file *log_file;
    struct im_log *log;

    int64_t utc_offset_minute; /* when utc_offset_s was looked up last */
    int utc_offset_s;
    struct event_base *base;
    struct im_counters counters;
    struct im_histogram histograms[IM_HISTOGRAM_COUNT];
    struct im_store *store;
    struct imd_hasher *hasher;
    struct im_keys keys;
    struct imd_unix_users unix_users;
    struct im_core *core;
    struct im_passed *passed;    /* while starting: sockets that listen already */
    struct im_transport_env env; /* the clients' */
    struct imd_listener *listeners;
    size_t listener_count;
    bool core_serves;           /* the core's thread has clients, too */
    struct im_worker **workers; /* the other threads that have some */
    size_t worker_count;
    struct imd_load *loads; /* of the core's thread, then of each worker */

    struct imd_service metrics_service;
    struct im_listener *metrics_listener;
    struct im_http_route *routes, *metrics_routes;
    struct imd_service admin_service;
    struct imd_admin *admin;
    struct imd_hooks *hooks;
    struct imd_tail *tails;
    struct imd_drain *drains; /* who watches one */
    uint64_t hand_over_ms;    /* how long that may take */
    uint64_t drain_deadline_ms;
    struct imd_upgrade *upgrade; /* NULL: none is under way */
    int64_t schema[2];           /* of a rehearsal: the store's, and this program's */
    bool store_sound;            /* closed in good order */
    atomic_bool stop_care;       /* what takes long in the store shall give up */
    size_t jobs;                 /* admin commands under way; tools/imd/job.h */
    uint64_t admin_requests, admin_refused;

    int wake_fd;
    struct event *wake, *tick, *deadline, *watchdog, *signals[4];
    uint64_t ticks, drain_ticks; /* in all; when a drain began */
    uint64_t tick_due_us;        /* 0: not known yet */
    uint64_t log_levels_end_ms;  /* monotonic: when the configuration's levels are back; 0: not by themselves */
    uint64_t started_mono_ms;
    int64_t started_wall_ms;

    struct im_store_stats stats; /* the newest figures; being refreshed while stats_pending */
    struct im_store_stats stats_op;
    bool stats_pending;
    struct imd_stats_wait *stats_waits;
    size_t stats_wait_count;
};

/* Runs until told to stop. config and places become the server's. Returns the exit status, or not at all: another
 * program has taken over. */
int imd_run(struct im_config *config, struct im_config_places *places, const struct imd_start *);
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
/* Those who connect wait; the sessions are told to come back. Once they have, or after deadline_ms, the loop ends. */
void imd_hand_over(struct imd *, uint64_t deadline_ms);
/* Of administration, metrics and clients: in the order in which they are opened, which makes sockets of the same
 * address come to whom they belong. */
void imd_each_listener(const struct imd *, void (*each)(void *arg, struct im_listener *), void *arg);
/* Addresses whose sockets were not passed but opened; a new reference. */
json_t *imd_new_listeners(const struct imd *);
/* Adds an address to a list of them; sockets that share one come one after the other, and it is listed once. */
void imd_list_address(json_t *list, const char *address);
/* bans.c: reads the bans from the store and tells the core; waits for that. */
enum im_reason imd_bans_load(struct imd *, struct im_error *);
/* Undoes changes of log levels once their time is over. */
void imd_log_levels_tick(struct imd *);
/* Calls ready() with fresh figures, on a later turn. */
void imd_stats_ask(struct imd *, void (*ready)(void *arg, const struct im_store_stats *), void *arg);
/* Makes a service's configuration from the server's. */
void imd_service_configure(struct imd_service *, const struct im_config *, uint64_t connections);

/* workers.c: what there are where `workers` is more than 1; nothing to do otherwise. */
enum im_reason imd_workers_make(struct imd *, struct im_error *);
enum im_reason imd_workers_start(struct imd *, struct im_error *);
void imd_workers_close_listeners(struct imd *);
/* Nobody is accepted any more, wherever connections are; then done(). */
void imd_workers_pause(struct imd *, void (*done)(struct imd *));
/* The nth listener, or with workers each one's nth. */
void imd_workers_each_listener(const struct imd *, size_t n, void (*each)(void *arg, struct im_listener *), void *arg);
void imd_workers_stop(struct imd *);
bool imd_workers_stopped(const struct imd *);
void imd_workers_halt(struct imd *); /* whatever they are still waiting for */
void imd_workers_free(struct imd *);
/* The configuration is another; frees the old one when nobody reads it any more. */
void imd_workers_configure(struct imd *, struct im_config *old);
/* Bans, for the core and for whoever accepts connections; as im_core_ban() and im_core_unban(). */
bool imd_ban(struct imd *, const struct im_ban *, size_t *closed);
bool imd_unban(struct imd *, struct im_str key);
/* Everything that was counted, on all threads. */
void imd_count(const struct imd *, struct im_counters *sum);
void imd_loads_tick(struct imd *); /* each second */

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
