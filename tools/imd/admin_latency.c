#include <stdlib.h>

#include "core/mem.h"
#include "tools/imd/admin.h"
#include "tools/imd/daemon.h"
#include "tools/safe_json.h"
#include "transports/loop.h"

/* How long things take. */

#define SECONDS_MAX 3600

/* Waits to tell what came meanwhile. */
struct watch {
    struct im_timer timer;
    struct im_rpc_call *call;
    struct im_histogram_view before[IM_HISTOGRAM_COUNT];
};

static struct imd *host(const struct im_rpc_call *call)
{
    return call->rpc->host;
}

static json_t *describe(enum im_histogram_kind kind, const struct im_histogram_view *v)
{
    json_t *row = json_object();
    im_json_set_text(row, "what", im_str(im_histogram_info(kind)->name));
    im_json_set_number(row, "count", v->count);
    im_json_set_number(row, "sum_us", v->sum);
    im_json_set_number(row, "mean_us", v->count ? v->sum / v->count : 0);
    im_json_set_number(row, "p50_us", im_histogram_at(v, 500));
    im_json_set_number(row, "p90_us", im_histogram_at(v, 900));
    im_json_set_number(row, "p99_us", im_histogram_at(v, 990));
    im_json_set_number(row, "p999_us", im_histogram_at(v, 999));
    im_json_set_number(row, "max_us", v->max);
    return row;
}

/* before NULL: since the start. */
static void tell(struct im_rpc_call *call, const struct im_histogram_view *before)
{
    const struct imd *imd = host(call);
    json_t *rows = json_array();
    for (enum im_histogram_kind kind = 0; kind < IM_HISTOGRAM_COUNT; kind++) {
        struct im_histogram_view now;
        im_histogram_look(&imd->histograms[kind], &now);
        if (before)
            im_histogram_since(&now, &before[kind]);
        json_array_append_new(rows, describe(kind, &now));
    }
    json_t *result = json_object();
    json_object_set_new(result, "latency", rows);
    im_rpc_result(call, result);
}

static void stop_watching(struct im_rpc_call *call)
{
    struct watch *watch = call->state;
    im_timer_stop(im_loop_of(&host(call)->admin_service.env), &watch->timer);
    tell(call, watch->before);
    free(watch);
}

static void time_is_up(struct im_timer *timer)
{
    struct watch *watch = (struct watch *)(void *)((char *)timer - offsetof(struct watch, timer));
    stop_watching(watch->call);
}

static void latency(struct im_rpc_call *call)
{
    struct imd *imd = host(call);
    uint64_t seconds = 0;
    if (im_rpc_uint(call, "seconds", &seconds) && (seconds == 0 || seconds > SECONDS_MAX)) {
        im_rpc_fail(call, IM_BAD_FIELD, "seconds must be from 1 to %d", SECONDS_MAX);
        return;
    }
    if (seconds == 0) {
        tell(call, NULL);
        return;
    }
    if (!im_rpc_stream(call, stop_watching))
        return;
    struct watch *watch = im_zalloc(sizeof *watch);
    call->state = watch;
    watch->call = call;
    for (enum im_histogram_kind kind = 0; kind < IM_HISTOGRAM_COUNT; kind++)
        im_histogram_look(&imd->histograms[kind], &watch->before[kind]);
    im_timer_start(im_loop_of(&imd->admin_service.env), &watch->timer, seconds * 1000, time_is_up);
}

const struct im_rpc_command imd_latency_commands[] = {
    {
        .name = "latency",
        .section = IM_RPC_SEE,
        .args = {{"seconds", IM_RPC_UINT, false, NULL, "Only what happens in so many seconds from now."}},
        .help = "How long things take, as percentiles: how late the event loop comes to its work, how long a "
                "transaction of the store takes, how long the loop is busy handing out what was stored. Since the "
                "start, or in the seconds to come.",
        .example = "latency 10",
        .show = "table latency what count mean_us p50_us p90_us p99_us p999_us max_us",
        .patient = true,
        .run = latency,
    },
    {.name = NULL},
};
