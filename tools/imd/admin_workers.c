#include <stdio.h>

#include "tools/imd/admin.h"
#include "tools/imd/daemon.h"
#include "tools/safe_json.h"
#include "transports/gate.h"
#include "transports/worker.h"

/* The threads, and how busy they are. */

static json_t *describe(const char *name, const struct imd_load *load)
{
    json_t *row = json_object();
    im_json_set_text(row, "thread", im_str(name));
    im_json_set_number(row, "load_percent", load->percent);
    im_json_set_number(row, "cpu_ms", load->cpu_us / 1000);
    return row;
}

static bool count_link(void *arg, const struct im_session_view *view)
{
    (void)view;
    ++*(size_t *)arg;
    return true;
}

/* The core's links, but for those of other threads. */
static size_t own_links(const struct imd *imd)
{
    size_t count = 0;
    struct im_worker_stats s;
    im_core_sessions(imd->core, count_link, &count);
    for (size_t i = 0; i < imd->worker_count; i++) {
        im_worker_look(imd->workers[i], &s);
        count -= s.links;
    }
    return count;
}

static json_t *describe_worker(const struct im_worker *worker, unsigned number, const struct imd_load *load)
{
    char name[32];
    struct im_worker_stats s;
    snprintf(name, sizeof name, "worker %u", number);
    json_t *row = describe(name, load);
    im_worker_look(worker, &s);
    im_json_set_number(row, "sessions", s.links);
    im_json_set_number(row, "up", s.up.posted);
    im_json_set_number(row, "up_batches", s.up.batches);
    im_json_set_number(row, "up_waiting", s.up.waiting);
    im_json_set_number(row, "up_most", s.up.most);
    im_json_set_number(row, "up_full", s.up.waits);
    im_json_set_number(row, "down", s.down.posted);
    im_json_set_number(row, "down_batches", s.down.batches);
    im_json_set_number(row, "down_waiting", s.down.waiting);
    im_json_set_number(row, "down_most", s.down.most);
    return row;
}

static void workers(struct im_rpc_call *call)
{
    struct imd *imd = call->rpc->host;
    json_t *rows = json_array(), *result = json_object();
    json_t *core = describe("core", &imd->loads[0]);
    if (imd->core_serves)
        im_json_set_number(core, "sessions", own_links(imd));
    json_array_append_new(rows, core);
    for (size_t i = 0; i < imd->worker_count; i++)
        json_array_append_new(rows, describe_worker(imd->workers[i], (unsigned)i + 1, &imd->loads[i + 1]));
    json_object_set_new(result, "workers", rows);
    im_rpc_result(call, result);
}

const struct im_rpc_command imd_worker_commands[] = {
    {
        .name = "workers",
        .section = IM_RPC_SEE,
        .help = "The threads that serve clients, and how busy each was in the second before, in percent of a core: "
                "the core's, and with `workers` over 1 the others; of these also the letters that went up to the core "
                "and down from it, and how many wait now; with --json also how many at the worst moment, and how often "
                "the box was full.",
        .example = "workers",
        .show = "table workers thread load_percent sessions up up_waiting down down_waiting",
        .run = workers,
    },
    {.name = NULL},
};
