#include "tools/imd/daemon.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium/randombytes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"
#include "stores/stores.h"
#include "tools/imd/admin.h"
#include "tools/imd/drain.h"
#include "tools/imd/hooks.h"
#include "tools/imd/keys.h"
#include "tools/imd/notify.h"
#include "tools/imd/tail.h"
#include "tools/imd/upgrade.h"
#include "tools/safe_json.h"
#include "transports/gate.h"
#include "transports/listener.h"
#include "transports/loop.h"
#include "transports/passed.h"
#include "transports/worker.h"

/* Longest wait, once everything is closed, for what the store still has to answer. */
#define STORE_PATIENCE_MS 10000
/* For what is queued already to leave, when somebody will not wait. */
#define LAST_WORDS_MS 50

/* Time. */

/* Clocks are put forward and back at full minutes: it is looked up once in each. */
static int utc_offset_s(struct imd *imd, int64_t now_ms)
{
    time_t now = (time_t)(now_ms / 1000);
    struct tm tm;
    if (imd->utc_offset_minute != now / 60)
        imd->utc_offset_s = localtime_r(&now, &tm) ? (int)tm.tm_gmtoff : 0;
    imd->utc_offset_minute = now / 60;
    return imd->utc_offset_s;
}

void imd_clock(struct imd *imd)
{
    int64_t now = im_log_wall_ms();
    im_core_time(imd->core, now, im_loop_now_ms(), utc_offset_s(imd, now));
}

static void on_turn(struct im_transport_env *env)
{
    imd_clock((struct imd *)(void *)((char *)env - offsetof(struct imd, env)));
}

/* State. */

const char *imd_state_name(const struct imd *imd)
{
    static const char *const names[] = {"starting", "running", "draining", "stopping"};
    return imd_store_failed(imd) ? "failed" : names[imd->state];
}

bool imd_store_failed(const struct imd *imd)
{
    return imd->store && imd->store->failed && imd->store->failed(imd->store);
}

bool imd_store_full(const struct imd *imd)
{
    return imd->store && imd->store->full && imd->store->full(imd->store);
}

static void set_state(struct imd *imd, enum imd_state state)
{
    imd->state = state;
    IM_LOG(imd->log, IM_LOG_DEBUG, "imd", "state", IM_KS("state", imd_state_name(imd)));
}

/* The store. */

void imd_wake(const struct imd *imd)
{
    ssize_t wrote = write(imd->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    (void)wrote; /* full: the loop has been woken already */
}

/* Any thread: the store has completed something. */
static void wake_loop(void *arg)
{
    imd_wake(arg);
}

static void drain_store(struct imd *imd)
{
    uint64_t start = im_loop_now_us();
    imd_clock(imd);
    if (imd->store->ops->drain(imd->store) > 0)
        im_histogram_add(&imd->histograms[IM_H_FANOUT], im_loop_now_us() - start);
    imd_hasher_drain(imd->hasher);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof count);
    (void)got, (void)what;
    drain_store(arg);
    imd_tail_lines(arg);
}

static void stats_done(struct im_store_op *op)
{
    struct imd *imd = op->owner;
    struct imd_stats_wait *waits = imd->stats_waits;
    size_t count = imd->stats_wait_count;
    imd->stats_pending = false;
    imd->stats_waits = NULL;
    imd->stats_wait_count = 0;
    if (op->status == IM_OK)
        imd->stats = imd->stats_op;
    for (size_t i = 0; i < count; i++)
        waits[i].ready(waits[i].arg, &imd->stats);
    free(waits);
}

void imd_stats_ask(struct imd *imd, void (*ready)(void *arg, const struct im_store_stats *), void *arg)
{
    size_t size = (imd->stats_wait_count + 1) * sizeof *imd->stats_waits;
    imd->stats_waits = im_realloc(imd->stats_waits, size);
    imd->stats_waits[imd->stats_wait_count++] = (struct imd_stats_wait){ready, arg};
    if (imd->stats_pending)
        return;
    imd->stats_pending = true;
    imd->stats_op = (struct im_store_stats){.op = {.kind = IM_STORE_STATS, .done = stats_done, .owner = imd}};
    im_store_submit(imd->store, &imd->stats_op.op);
}

/* A rehearsal has nothing to do with the store but to see whether it could be opened. */
static enum im_reason choose_store(struct imd *imd, enum im_store_kind *kind, struct im_error *error)
{
    *kind = imd->config->store_kind;
    if (!imd->start->rehearsal || *kind != IM_STORE_SQLITE)
        return IM_OK;
    *kind = IM_STORE_MEMORY;
    return im_store_sqlite_look(imd->config->store_path, &imd->schema[0], &imd->schema[1], error);
}

static enum im_reason open_store(struct imd *imd, struct im_error *error)
{
    const struct im_config *config = imd->config;
    enum im_store_kind kind;
    struct im_store_options options = {
        .path = config->store_path,
        .sound = imd->start->handover && imd->start->handover->sound,
        .sync_full = config->store_sync == IM_SYNC_FULL,
        .readers = (uint32_t)config->store_readers,
        .cache_bytes = config->store_cache_bytes,
        .wake = wake_loop,
        .wake_arg = imd,
        .log = imd->log,
        .counters = &imd->counters,
        .commit_us = &imd->histograms[IM_H_COMMIT],
    };
    if (getrandom(options.epoch_seed, sizeof options.epoch_seed, 0) != sizeof options.epoch_seed)
        return im_fail(error, IM_SYSTEM, "no random numbers: %s", strerror(errno));
    enum im_reason r = choose_store(imd, &kind, error);
    assert(kind < im_store_row_count);
    return r == IM_OK ? im_store_rows[kind].open(&options, &imd->store, error) : r;
}

/* Starting. */

/* From here on relative paths are the configuration's. */
static enum im_reason enter_data_dir(const struct im_config *config, bool *made, struct im_error *error)
{
    *made = mkdir(config->data_dir, 0700) == 0;
    if (!*made && errno != EEXIST)
        return im_fail(error, IM_SYSTEM, "data_dir %s cannot be made: %s", config->data_dir, strerror(errno));
    if (chdir(config->data_dir) != 0)
        return im_fail(error, IM_SYSTEM, "data_dir %s: %s", config->data_dir, strerror(errno));
    return IM_OK;
}

/* As many descriptors as the system allows: each connection is one. */
static void raise_descriptors(struct imd *imd)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        IM_LOG(imd->log, IM_LOG_WARN, "imd", "descriptor limit stays", IM_KS("problem", strerror(errno)));
}

static void random_bytes(void *arg, void *out, size_t len)
{
    (void)arg;
    randombytes_buf(out, len);
}

/* What logging in needs from outside. */
static enum im_reason prepare_logins(struct imd *imd, struct im_error *error)
{
    struct im_error why = {0};
    enum im_reason r = imd_keys_load(imd->config, ".", &imd->keys, &why);
    if (r != IM_OK)
        return im_fail(error, r, "auth.jwt_keys: %.200s", why.detail);
    if ((r = imd_unix_users_load(imd->config, &imd->unix_users, &why)) != IM_OK)
        return im_fail(error, r, "auth.unix_users: %.200s", why.detail);
    imd->hasher = imd_hasher_new(imd->config, wake_loop, imd, error);
    return imd->hasher ? IM_OK : error->reason;
}

static enum im_reason make_core(struct imd *imd, struct im_error *error)
{
    enum im_reason reason = prepare_logins(imd, error);
    if (reason != IM_OK)
        return reason;
    struct im_core_options options = {
        .config = imd->config,
        .store = imd->store,
        .counters = &imd->counters,
        .log = imd->log,
        .hasher = imd_hasher_core(imd->hasher),
        .keys = &imd->keys,
        .random = random_bytes,
        .unix_user = imd_unix_user,
        .unix_user_arg = &imd->unix_users,
    };
    if (getrandom(options.hash_key, sizeof options.hash_key, 0) != sizeof options.hash_key)
        return im_fail(error, IM_SYSTEM, "no random numbers: %s", strerror(errno));
    imd->core = im_core_new(&options);
    imd->env = (struct im_transport_env){
        .base = imd->base,
        .core = imd->core,
        .config = imd->config,
        .counters = &imd->counters,
        .log = imd->log,
        .gate = im_gate_new(options.hash_key),
        .passed = imd->passed,
        .turn = on_turn,
        .bans = true,
    };
    imd_clock(imd);
    return IM_OK;
}

void imd_service_configure(struct imd_service *service, const struct im_config *config, uint64_t connections)
{
    if (!service->config)
        service->config = im_config_new();
    for (size_t i = 0; i < im_config_row_count; i++)
        im_config_copy(&im_config_rows[i], service->config, config);
    service->config->connections = connections;
    service->config->descriptor_reserve = 0;
}

static void start_service(struct imd *imd, struct imd_service *service, uint64_t connections)
{
    static const uint8_t no_key[IM_HASH_KEY_BYTES];
    imd_service_configure(service, imd->config, connections);
    service->env = (struct im_transport_env){
        .base = imd->base,
        .core = imd->core,
        .config = service->config,
        .counters = &service->counters,
        .log = imd->log,
        .gate = im_gate_new(no_key),
        .passed = imd->passed,
    };
}

/* The configuration's address told nothing of a socket that was passed by name. */
static enum im_reason check_open(const struct imd *imd, const struct imd_listener *l, struct im_error *error)
{
    const struct im_config *config = imd->config;
    if (!im_listener_is_passed(l->listener) || l->transport == &im_transport_unix)
        return IM_OK;
    if (config->auth_mode != IM_AUTH_OPEN || config->public_open || im_listener_is_loopback(l->listener))
        return IM_OK;
    return im_fail(error, IM_CONFIG, "%s is not loopback and auth.mode is open; set public_open: true if that is meant",
                   im_listener_address(l->listener));
}

/* The sockets of workers that there are no more, in turn to those that there are. */
static void take_more(struct imd *imd, struct im_listener *own)
{
    size_t threads = imd->worker_count + imd->core_serves;
    bool more = true;
    for (size_t i = 0; more; i = (i + 1) % threads)
        more = i < imd->worker_count ? im_worker_take_more(imd->workers[i]) : im_listener_take_more(own);
}

static enum im_reason listen_one(struct imd *imd, const struct im_listen_config *config, struct imd_listener *l,
                                 struct im_error *error)
{
    enum im_reason r = IM_OK;
    if (imd->core_serves)
        r = l->transport->listen(&l->listener, &imd->env, config, error);
    for (size_t i = 0; r == IM_OK && i < imd->worker_count; i++) {
        r = im_worker_listen(imd->workers[i], l->transport, config, l->listener, error);
        if (r == IM_OK && !l->listener)
            l->listener = im_worker_listener(imd->workers[0], imd->listener_count);
    }
    if (r == IM_OK)
        take_more(imd, l->listener);
    else if (imd->core_serves && l->listener)
        l->transport->close(&l->listener);
    return r;
}

static enum im_reason listen_clients(struct imd *imd, struct im_error *error)
{
    const struct im_config_row *row = im_config_find(im_listen_rows, im_listen_row_count, IM_STR("transport"));
    imd->listeners = im_zalloc(imd->config->listen_count * sizeof *imd->listeners);
    for (size_t i = 0; i < imd->config->listen_count; i++) {
        const struct im_listen_config *config = &imd->config->listen[i];
        struct imd_listener *l = &imd->listeners[i];
        char *name = im_config_get(row, config);
        l->transport = im_transport_find(name);
        assert(l->transport);
        free(name);
        struct im_error why = {0};
        enum im_reason r = listen_one(imd, config, l, &why);
        if (r != IM_OK)
            return im_fail(error, r, "cannot listen (%s): %.200s", l->transport->name, why.detail);
        imd->listener_count++;
        if ((r = check_open(imd, l, error)) != IM_OK)
            return r;
    }
    return IM_OK;
}

/* Nobody would ever answer those who connect there. */
static void drop_passed(struct imd *imd)
{
    const struct im_passed_origin *origin;
    size_t at = 0;
    while ((origin = im_passed_left(imd->passed, &at))) {
        IM_LOG(imd->log, IM_LOG_WARN, "imd", "a socket that was passed is not used", IM_KS("name", origin->name));
        if (imd->start->handover)
            imd_handover_leave(imd->start->handover, origin);
    }
    im_passed_free(&imd->passed);
    imd->env.passed = imd->admin_service.env.passed = imd->metrics_service.env.passed = NULL;
}

static enum im_reason listen_metrics(struct imd *imd, struct im_error *error)
{
    struct im_error why = {0};
    if (!imd->config->metrics_address)
        return IM_OK;
    enum im_reason r = im_http_listen(&imd->metrics_listener, &imd->metrics_service.env, imd->config->metrics_address,
                                      imd->metrics_routes, &why);
    return r == IM_OK ? r : im_fail(error, r, "cannot listen (metrics): %.200s", why.detail);
}

/* Does this program only show that it can start? */
static bool is_trial(const struct imd *imd)
{
    return imd->start->rehearsal || (imd->start->handover && imd->start->handover->trial);
}

/* Every start-up step, in order; what was made is ended by stop() whether or not all of them succeed. */
static enum im_reason start(struct imd *imd, struct im_error *error)
{
    start_service(imd, &imd->admin_service, imd->config->admin_connections);
    start_service(imd, &imd->metrics_service, 64);
    imd_pages_init(imd);
    if (!is_trial(imd))
        imd->hooks = imd_hooks_open(imd);
    enum im_reason r = imd_workers_make(imd, error);
    if (r == IM_OK)
        r = imd_bans_load(imd, error);
    if (r == IM_OK)
        r = imd_admin_open(imd, &imd->admin, error);
    if (r == IM_OK)
        r = listen_metrics(imd, error);
    if (r == IM_OK)
        r = listen_clients(imd, error);
    drop_passed(imd);
    return r == IM_OK && !is_trial(imd) ? imd_workers_start(imd, error) : r;
}

void imd_each_listener(const struct imd *imd, void (*each)(void *arg, struct im_listener *), void *arg)
{
    imd_admin_each_listener(imd->admin, each, arg);
    if (imd->metrics_listener)
        each(arg, imd->metrics_listener);
    for (size_t i = 0; i < imd->listener_count; i++)
        if (imd->listeners[i].listener)
            imd_workers_each_listener(imd, i, each, arg);
}

void imd_list_address(json_t *list, const char *address)
{
    const char *before = json_string_value(json_array_get(list, json_array_size(list) - 1));
    if (!before || strcmp(before, address) != 0)
        json_array_append_new(list, im_json_text(im_str(address)));
}

static void list_new(void *arg, struct im_listener *l)
{
    if (!im_listener_is_passed(l))
        imd_list_address(arg, im_listener_address(l));
}

json_t *imd_new_listeners(const struct imd *imd)
{
    json_t *list = json_array();
    imd_admin_each_listener(imd->admin, list_new, list);
    if (imd->metrics_listener)
        list_new(list, imd->metrics_listener);
    for (size_t i = 0; i < imd->listener_count; i++)
        if (imd->listeners[i].listener)
            list_new(list, imd->listeners[i].listener); /* the other workers' sockets are of the same address */
    return list;
}

/* Running. */

static void close_client_listeners(struct imd *imd)
{
    imd_workers_close_listeners(imd);
    for (size_t i = 0; i < imd->listener_count; i++)
        if (imd->listeners[i].listener)
            imd->listeners[i].transport->close(&imd->listeners[i].listener);
}

/* Who watches hears that it is over. */
static void end_loop(struct imd *imd)
{
    if (imd_drain_end(imd))
        event_base_loopexit(imd->base, &(struct timeval){.tv_usec = LAST_WORDS_MS * 1000});
    else
        event_base_loopbreak(imd->base);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct imd *imd = arg;
    struct im_online online;
    (void)fd, (void)what;
    im_core_online(imd->core, &online);
    IM_LOG(imd->log, IM_LOG_WARN, "imd", "shutdown deadline passed", IM_KN("sessions", (int64_t)online.sessions));
    end_loop(imd);
}

static void begin_drain(struct imd *imd, uint64_t ms)
{
    struct timeval deadline = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    set_state(imd, IMD_DRAINING);
    imd_clock(imd);
    imd_hooks_stop(imd->hooks);
    imd->drain_deadline_ms = im_loop_now_ms() + ms;
    imd->drain_ticks = imd->ticks;
    evtimer_add(imd->deadline, &deadline);
}

/* Nobody is let in any more, and nobody comes after us. */
static void begin_end(struct imd *imd, const char *why, uint64_t ms)
{
    imd_upgrade_abandon(imd);
    IM_LOG(imd->log, IM_LOG_INFO, "imd", "shutting down", IM_KS("why", why), IM_KN("deadline_ms", (int64_t)ms));
    imd_notify("STOPPING=1\nSTATUS=Stopping: %s", why);
    close_client_listeners(imd);
}

static void drain_to_hand_over(struct imd *imd)
{
    begin_drain(imd, imd->hand_over_ms);
    im_core_drain(imd->core, imd->config->spread_ms);
}

void imd_hand_over(struct imd *imd, uint64_t deadline_ms)
{
    IM_LOG(imd->log, IM_LOG_INFO, "imd", "handing over", IM_KN("deadline_ms", (int64_t)deadline_ms));
    imd_notify_reloading();
    imd->hand_over_ms = deadline_ms;
    imd_workers_pause(imd, drain_to_hand_over);
}

void imd_drain(struct imd *imd, uint64_t per_second, uint64_t deadline_ms)
{
    begin_end(imd, "drain", deadline_ms);
    begin_drain(imd, deadline_ms);
    im_core_drain_slowly(imd->core, per_second);
}

void imd_shutdown(struct imd *imd, const char *why)
{
    if (imd_upgrade_is_handing(imd)) {
        uint64_t now = im_loop_now_ms(), until = imd->drain_deadline_ms;
        begin_end(imd, why, until > now ? until - now : 0);
        return;
    }
    if (imd->state >= IMD_DRAINING) {
        IM_LOG(imd->log, IM_LOG_WARN, "imd", "stopping at once", IM_KS("why", why));
        imd_drain_end(imd);
        event_base_loopexit(imd->base, &(struct timeval){.tv_usec = LAST_WORDS_MS * 1000}); /* the asker is answered */
        return;
    }
    begin_end(imd, why, imd->config->shutdown_ms);
    begin_drain(imd, imd->config->shutdown_ms);
    im_core_drain(imd->core, imd->config->spread_ms);
}

static void check_store(struct imd *imd)
{
    if (imd->exit_code != EX_OK || !imd_store_failed(imd))
        return;
    IM_LOG(imd->log, IM_LOG_ERROR, "imd", "the store has failed; nothing can be accepted any more");
    imd->exit_code = EX_IOERR;
    if (imd->state < IMD_DRAINING)
        imd_shutdown(imd, "store failed");
}

/* How late the tick is. What is late by more than a whole one is not late again the next time. */
static void note_lag(struct imd *imd)
{
    uint64_t now = im_loop_now_us(), due = imd->tick_due_us, step = IM_TICK_MS * 1000;
    uint64_t lag = due > 0 && now > due ? now - due : 0;
    if (due > 0)
        im_histogram_add(&imd->histograms[IM_H_LOOP_LAG], lag);
    imd->tick_due_us = (lag > 0 && lag < step ? due : now) + step;
}

static void each_second(struct imd *imd)
{
    im_log_file_flush(imd->log_file);
    imd_log_levels_tick(imd);
    imd_loads_tick(imd);
}

/* Not in the turn in which it began: what was said in it, to the asker, has not left yet. */
static bool is_drained(const struct imd *imd)
{
    return imd->state == IMD_DRAINING && imd->ticks >= imd->drain_ticks + 2 && !imd_upgrade_is_handing(imd) &&
           im_core_idle(imd->core);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct imd *imd = arg;
    (void)fd, (void)what;
    note_lag(imd);
    imd_clock(imd);
    im_core_tick(imd->core);
    check_store(imd);
    if (imd->ticks++ % (1000 / IM_TICK_MS) == 0)
        each_second(imd);
    imd_drain_tick(imd);
    if (is_drained(imd))
        end_loop(imd);
}

static void on_terminate(evutil_socket_t signal_number, short what, void *arg)
{
    (void)what;
    imd_shutdown(arg, signal_number == SIGINT ? "SIGINT" : "SIGTERM");
}

static void on_hangup(evutil_socket_t signal_number, short what, void *arg)
{
    struct imd_reload reload = {0};
    (void)signal_number, (void)what;
    imd_reload(arg, &reload);
    imd_reload_clear(&reload);
}

static void on_usr1(evutil_socket_t signal_number, short what, void *arg)
{
    struct imd *imd = arg;
    struct im_error error = {0};
    (void)signal_number, (void)what;
    if (im_log_file_reopen(imd->log_file, &error) == IM_OK)
        IM_LOG(imd->log, IM_LOG_INFO, "log", "opened again");
    else
        IM_LOG(imd->log, IM_LOG_ERROR, "log", "cannot be opened again", IM_KS("problem", error.detail));
}

/* Of this program alone; the store's threads take no signals. */
static void mask_signals(int how, bool ends)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    if (ends)
        sigaddset(&set, SIGTERM), sigaddset(&set, SIGINT);
    sigprocmask(how, &set, NULL);
}

void imd_hold_signals(void)
{
    mask_signals(SIG_BLOCK, false);
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    imd_notify("WATCHDOG=1");
}

static enum im_reason make_loop(struct imd *imd, struct im_error *error)
{
    imd->base = im_loop_base_new();
    imd->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!imd->base || imd->wake_fd < 0)
        return im_fail(error, IM_SYSTEM, "no event loop: %s", strerror(errno));
    imd->wake = event_new(imd->base, imd->wake_fd, EV_READ | EV_PERSIST, on_wake, imd);
    imd->tick = event_new(imd->base, -1, EV_PERSIST, on_tick, imd);
    imd->deadline = evtimer_new(imd->base, on_deadline, imd);
    imd->watchdog = event_new(imd->base, -1, EV_PERSIST, on_watchdog, NULL);
    imd->signals[0] = evsignal_new(imd->base, SIGTERM, on_terminate, imd);
    imd->signals[1] = evsignal_new(imd->base, SIGINT, on_terminate, imd);
    imd->signals[2] = evsignal_new(imd->base, SIGHUP, on_hangup, imd);
    imd->signals[3] = evsignal_new(imd->base, SIGUSR1, on_usr1, imd);
    event_add(imd->wake, NULL);
    return IM_OK;
}

static void add_events(struct imd *imd)
{
    uint64_t us = imd_watchdog_us();
    struct timeval often = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
    event_add(imd->tick, &(struct timeval){.tv_usec = IM_TICK_MS * 1000});
    for (size_t i = 0; i < 4; i++)
        event_add(imd->signals[i], NULL);
    mask_signals(SIG_UNBLOCK, true);
    if (us > 0)
        event_add(imd->watchdog, &often);
}

/* Stopping. */

/* Is anything left that would call back? */
static bool busy(struct imd *imd)
{
    return im_streams_count(&imd->env) > 0 || im_streams_count(&imd->admin_service.env) > 0 ||
           im_streams_count(&imd->metrics_service.env) > 0 || !im_core_idle(imd->core) || imd->stats_pending ||
           imd->jobs > 0 || imd_hooks_busy(imd->hooks) || !imd_workers_stopped(imd);
}

/* Closes whoever is left, and lets the loop turn until nothing refers to anything. False: the store did not answer. */
static bool settle(struct imd *imd)
{
    uint64_t give_up_ms = im_loop_now_ms() + STORE_PATIENCE_MS;
    while (busy(imd) && im_loop_now_ms() < give_up_ms) {
        im_streams_abort(&imd->env, IM_DRAIN);
        im_streams_abort(&imd->admin_service.env, IM_DRAIN);
        im_streams_abort(&imd->metrics_service.env, IM_DRAIN);
        event_base_loop(imd->base, EVLOOP_ONCE);
    }
    return !busy(imd);
}

static void free_env(struct im_transport_env *env)
{
    im_gate_free(&env->gate);
    im_loop_free(&env->loop);
}

static void free_loop(struct imd *imd)
{
    struct event *events[] = {imd->wake,       imd->tick,       imd->deadline,   imd->watchdog,
                              imd->signals[0], imd->signals[1], imd->signals[2], imd->signals[3]};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i])
            event_free(events[i]);
    if (imd->base)
        event_base_free(imd->base);
    if (imd->wake_fd >= 0)
        close(imd->wake_fd);
}

/* Undoes start() and what came before, as far as it got. */
static void stop(struct imd *imd)
{
    set_state(imd, IMD_STOPPING);
    atomic_store(&imd->stop_care, true);
    close_client_listeners(imd);
    imd_admin_close(imd->admin);
    im_listener_close(&imd->metrics_listener);
    imd_hooks_stop(imd->hooks);
    imd_workers_stop(imd);
    bool settled = !imd->core || settle(imd);
    if (!settled) {
        IM_LOG(imd->log, IM_LOG_ERROR, "imd", "the store does not answer; stopping without it");
        imd_workers_halt(imd); /* what they read ends with this program */
    }
    imd->store_sound = settled && !imd_store_failed(imd);
    if (imd->store)
        imd->store->ops->close(&imd->store);
    imd_hasher_free(&imd->hasher);
    if (!settled)
        return;
    imd_admin_free(&imd->admin);
    imd_hooks_free(&imd->hooks);
    imd_workers_free(imd);
    im_core_free(&imd->core);
    imd_keys_clear(&imd->keys);
    imd_unix_users_clear(&imd->unix_users);
    free_env(&imd->env);
    free_env(&imd->admin_service.env);
    free_env(&imd->metrics_service.env);
    im_config_free(&imd->admin_service.config);
    im_config_free(&imd->metrics_service.config);
    imd_pages_free(imd);
    free(imd->listeners);
    free_loop(imd);
}

/* Signals wait for whoever runs next, from the moment on at which this program hears them no more. */
static void stop_for_another(struct imd *imd)
{
    imd_upgrade_let_go(imd);
    mask_signals(SIG_BLOCK, true);
    stop(imd);
    imd_upgrade_run(imd);
}

static void adopt_one(void *arg, struct im_listener *l)
{
    (void)arg;
    im_listener_adopt(l);
}

static void adopt(struct imd *imd)
{
    struct imd_handover *h = imd->start->handover;
    if (!h)
        return;
    imd_each_listener(imd, adopt_one, NULL);
    imd_admin_adopt(imd->admin);
    imd_handover_done(h);
    if (h->problem)
        IM_LOG(imd->log, IM_LOG_ERROR, "imd", "the upgrade failed, and this is the program before it",
               IM_KS("problem", h->problem), IM_KN("gap_us", (int64_t)h->gap_us));
    else
        IM_LOG(imd->log, IM_LOG_INFO, "imd", "took over", IM_KS("from", h->from), IM_KN("gap_us", (int64_t)h->gap_us));
}

static void put_listeners(const struct imd *imd, struct im_out *out)
{
    for (size_t i = 0; i < imd->listener_count; i++) {
        const struct imd_listener *l = &imd->listeners[i];
        im_out_printf(out, "%s%s %s%s", i ? ", " : "", l->transport->name, im_listener_address(l->listener),
                      im_listener_config(l->listener)->tls_cert ? " tls" : "");
    }
}

static void tell_ready(struct imd *imd)
{
    const struct im_config *config = imd->config;
    struct im_out listeners = {0};
    put_listeners(imd, &listeners);
    if (geteuid() == 0)
        IM_LOG(imd->log, IM_LOG_WARN, "imd", "running as root; give imd a user of its own");
    if (config->public_open && config->auth_mode == IM_AUTH_OPEN)
        IM_LOG(imd->log, IM_LOG_WARN, "imd", "public_open: anybody who reaches a listener can be anybody");
    IM_LOG(imd->log, IM_LOG_INFO, "imd", "ready", IM_KS("version", PACKAGE_VERSION), IM_KN("pid", getpid()),
           IM_KS("config", imd->config_path ? imd->config_path : "built-in defaults"),
           IM_KS("store", im_store_rows[config->store_kind].name), IM_KS("epoch", imd->store->epoch),
           IM_KV("listen", ((struct im_str){im_out_data(&listeners), listeners.len})));
    imd_notify("READY=1\nSTATUS=Listening: %.*s", (int)listeners.len, im_out_data(&listeners));
    im_out_clear(&listeners);
}

int imd_exit_code(enum im_reason reason)
{
    switch (reason) {
    case IM_OK:
        return EX_OK;
    case IM_CONFIG:
        return EX_CONFIG;
    case IM_STORE_FULL:
    case IM_STORE_FAILED:
    case IM_STORE_LOCKED:
    case IM_STORE_CORRUPT:
    case IM_STORE_NEWER:
        return EX_IOERR;
    default:
        return EX_OSERR;
    }
}

/* Standard error hears it too when the log is elsewhere. */
static void tell_failure(struct imd *imd, const struct im_error *error)
{
    IM_LOG(imd->log, IM_LOG_ERROR, "imd", "cannot start", IM_KS("reason", im_reason_name(error->reason)),
           IM_KS("problem", error->detail));
    if (imd->log && !im_log_path(imd->config))
        return;
    struct im_out safe = {0};
    im_out_safe(&safe, im_str(error->detail), false);
    fprintf(stderr, "imd: %.*s\n", (int)safe.len, im_out_data(&safe));
    im_out_clear(&safe);
}

static enum im_reason prepare(struct imd *imd, struct im_error *error)
{
    const struct im_config *config = imd->config;
    bool made = false;
    enum im_reason r = enter_data_dir(config, &made, error);
    if (r == IM_OK)
        r = im_log_file_open(&imd->log_file, config, error);
    imd->log = im_log_file_log(imd->log_file);
    if (made)
        IM_LOG(imd->log, IM_LOG_INFO, "imd", "data directory made", IM_KS("path", config->data_dir));
    if (r == IM_OK)
        r = make_loop(imd, error);
    raise_descriptors(imd);
    if (r == IM_OK)
        r = open_store(imd, error);
    if (r == IM_OK)
        r = imd_passed_sockets(&imd->passed, error);
    if (r == IM_OK && imd->start->handover)
        r = imd_handover_pass(imd->start->handover, &imd->passed, error);
    return r == IM_OK ? make_core(imd, error) : r;
}

/* Until the loop ends. */
static void run(struct imd *imd)
{
    add_events(imd);
    set_state(imd, IMD_RUNNING);
    adopt(imd);
    tell_ready(imd);
    event_base_dispatch(imd->base);
}

int imd_run(struct im_config *config, struct im_config_places *places, const struct imd_start *how)
{
    struct im_error error = {0};
    struct imd imd = {.config = config, .places = places, .start = how, .config_path = how->config_path, .wake_fd = -1};
    imd.started_mono_ms = im_loop_now_ms();
    imd.started_wall_ms = im_log_wall_ms();
    enum im_reason r = prepare(&imd, &error);
    if (r == IM_OK)
        r = start(&imd, &error);
    if (r != IM_OK) {
        tell_failure(&imd, &error);
        imd.exit_code = imd_exit_code(r);
    } else if (!is_trial(&imd)) {
        run(&imd);
    } else if (how->rehearsal) {
        imd_rehearsal_tell(&imd);
    }
    imd_upgrade_is_handing(&imd) ? stop_for_another(&imd) : stop(&imd);
    IM_LOG(imd.log, IM_LOG_INFO, "imd", "stopped", IM_KN("status", imd.exit_code));
    im_log_file_close(&imd.log_file);
    im_passed_free(&imd.passed);
    im_config_free(&imd.config);
    im_config_places_free(&imd.places);
    return imd.exit_code;
}
