#include <stdlib.h>
#include <time.h>

#include "core/mem.h"
#include "tools/imd/daemon.h"
#include "transports/listener.h"
#include "transports/worker.h"

/* The threads that own clients' connections beside the core's. */

static uint64_t own_cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

enum im_reason imd_workers_make(struct imd *imd, struct im_error *error)
{
    imd->core_serves = !imd->config->core_apart;
    size_t count = (size_t)imd->config->workers - imd->core_serves;
    imd->env.spread = imd->config->workers > 1;
    imd->workers = im_zalloc(count * sizeof *imd->workers + 1);
    imd->loads = im_zalloc((count + 1) * sizeof *imd->loads);
    imd->loads[0].cpu_us = own_cpu_us(); /* the program before, after an upgrade */
    for (size_t i = 0; i < count; i++) {
        imd->worker_count++;
        enum im_reason reason = im_worker_new(&imd->workers[i], &imd->env, error);
        if (reason != IM_OK)
            return reason;
    }
    return IM_OK;
}

enum im_reason imd_workers_start(struct imd *imd, struct im_error *error)
{
    enum im_reason reason = IM_OK;
    for (size_t i = 0; i < imd->worker_count && reason == IM_OK; i++)
        reason = im_worker_start(imd->workers[i], (unsigned)i + 1, error);
    return reason;
}

void imd_workers_close_listeners(struct imd *imd)
{
    for (size_t i = 0; i < imd->listener_count && !imd->core_serves; i++)
        imd->listeners[i].listener = NULL; /* that was a look at a worker's */
    for (size_t i = 0; i < imd->worker_count; i++)
        im_worker_close_listeners(imd->workers[i]);
}

struct pause {
    struct imd *imd;
    void (*done)(struct imd *);
    size_t waiting;
};

static void paused(void *arg)
{
    struct pause *p = arg;
    if (--p->waiting > 0)
        return;
    p->done(p->imd);
    free(p);
}

void imd_workers_pause(struct imd *imd, void (*done)(struct imd *))
{
    struct pause *p = im_alloc(sizeof *p);
    *p = (struct pause){.imd = imd, .done = done, .waiting = imd->worker_count + 1};
    for (size_t i = 0; i < imd->worker_count; i++)
        im_worker_pause(imd->workers[i], paused, p);
    for (size_t i = 0; imd->core_serves && i < imd->listener_count; i++)
        imd->listeners[i].transport->pause(imd->listeners[i].listener, true);
    paused(p);
}

static void each_of(struct im_listener *l, void (*each)(void *arg, struct im_listener *), void *arg)
{
    for (; l; l = im_listener_more(l))
        each(arg, l);
}

void imd_workers_each_listener(const struct imd *imd, size_t n, void (*each)(void *arg, struct im_listener *),
                               void *arg)
{
    if (imd->core_serves)
        each_of(imd->listeners[n].listener, each, arg);
    for (size_t i = 0; i < imd->worker_count; i++)
        each_of(im_worker_listener(imd->workers[i], n), each, arg);
}

void imd_workers_stop(struct imd *imd)
{
    for (size_t i = 0; i < imd->worker_count; i++)
        im_worker_stop(imd->workers[i]);
}

bool imd_workers_stopped(const struct imd *imd)
{
    for (size_t i = 0; i < imd->worker_count; i++)
        if (!im_worker_stopped(imd->workers[i]))
            return false;
    return true;
}

void imd_workers_halt(struct imd *imd)
{
    for (size_t i = 0; i < imd->worker_count; i++)
        im_worker_halt(imd->workers[i]);
}

void imd_workers_free(struct imd *imd)
{
    for (size_t i = 0; i < imd->worker_count; i++)
        im_worker_free(&imd->workers[i]);
    free(imd->workers);
    free(imd->loads);
}

/* A configuration that workers may still be reading. */
struct old_config {
    struct im_config *config;
    size_t readers;
};

static void replaced(void *arg)
{
    struct old_config *old = arg;
    if (--old->readers > 0)
        return;
    im_config_free(&old->config);
    free(old);
}

void imd_workers_configure(struct imd *imd, struct im_config *config)
{
    struct old_config *old = im_alloc(sizeof *old);
    *old = (struct old_config){.config = config, .readers = imd->worker_count + 1};
    for (size_t i = 0; i < imd->worker_count; i++)
        im_worker_configure(imd->workers[i], imd->config, replaced, old);
    replaced(old);
}

bool imd_ban(struct imd *imd, const struct im_ban *ban, size_t *closed)
{
    if (!im_core_ban(imd->core, ban, closed))
        return false;
    for (size_t i = 0; i < imd->worker_count; i++)
        im_worker_ban(imd->workers[i], ban);
    return true;
}

bool imd_unban(struct imd *imd, struct im_str key)
{
    bool held = im_core_unban(imd->core, key);
    for (size_t i = 0; i < imd->worker_count; i++)
        im_worker_unban(imd->workers[i], key);
    return held;
}

void imd_count(const struct imd *imd, struct im_counters *sum)
{
    im_counters_add(sum, &imd->counters);
    for (size_t i = 0; i < imd->worker_count; i++)
        im_worker_count(imd->workers[i], sum);
}

static void note_load(struct imd_load *load, uint64_t cpu_us)
{
    load->percent = (unsigned)((cpu_us - load->cpu_us) / 10000);
    load->cpu_us = cpu_us;
}

void imd_loads_tick(struct imd *imd)
{
    note_load(&imd->loads[0], own_cpu_us());
    for (size_t i = 0; i < imd->worker_count; i++) {
        struct im_worker_stats stats;
        im_worker_look(imd->workers[i], &stats);
        note_load(&imd->loads[i + 1], stats.cpu_us);
    }
}
