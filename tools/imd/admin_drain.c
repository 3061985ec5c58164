#include <stdlib.h>
#include <utlist.h>

#include "core/inspect.h"
#include "core/mem.h"
#include "tools/imd/admin.h"
#include "tools/imd/drain.h"
#include "tools/imd/upgrade.h"
#include "tools/safe_json.h"
#include "transports/loop.h"

/* Commands after which this program does not run any more. */

#define RATE_MAX            1000000
#define UPGRADE_DEADLINE_MS 2000 /* meanwhile nobody is let in, so not for as long as an end may take */

/* Somebody who watches a drain. */
struct imd_drain {
    struct imd_drain *prev, *next;
    struct im_rpc_call *call;
    uint64_t began_ms, every_ms, due_ms;
};

static struct imd *host(const struct im_rpc_call *call)
{
    return call->rpc->host;
}

/* Progress. */

/* Told last is who is told at the rate's pace, or at the deadline. */
static uint64_t eta_ms(const struct imd *imd, const struct im_drain_view *view)
{
    uint64_t now = im_loop_now_ms(), until = imd->drain_deadline_ms;
    uint64_t left = until > now ? until - now : 0;
    uint64_t paced = view->per_second ? view->untold * 1000 / view->per_second : 0;
    return paced < left ? paced : left;
}

static json_t *progress(const struct imd *imd)
{
    struct im_drain_view view;
    json_t *item = json_object();
    im_core_draining(imd->core, &view);
    im_json_set_number(item, "told", view.told);
    im_json_set_number(item, "left", view.left);
    im_json_set_number(item, "eta_ms", eta_ms(imd, &view));
    return item;
}

/* The server drains on when its watcher has gone. */
static void end(struct im_rpc_call *call)
{
    struct imd_drain *d = call->state;
    struct imd *imd = host(call);
    json_t *result = progress(imd);
    im_json_set_number(result, "took_ms", im_loop_now_ms() - d->began_ms);
    DL_DELETE(imd->drains, d);
    free(d);
    im_rpc_result(call, result);
}

void imd_drain_tick(struct imd *imd)
{
    uint64_t now = im_loop_now_ms();
    struct imd_drain *d;
    DL_FOREACH(imd->drains, d)
    {
        if (now < d->due_ms)
            continue;
        d->due_ms += d->every_ms;
        im_rpc_item(d->call, progress(imd));
    }
}

bool imd_drain_end(struct imd *imd)
{
    bool any = imd->drains != NULL;
    while (imd->drains)
        end(imd->drains->call);
    return any;
}

static void watch(struct im_rpc_call *call)
{
    uint64_t seconds = 1, now = im_loop_now_ms();
    im_rpc_uint(call, "interval", &seconds);
    if (!im_rpc_stream(call, end))
        return;
    struct imd_drain *d = im_alloc(sizeof *d);
    *d = (struct imd_drain){.call = call, .began_ms = now, .every_ms = seconds * 1000, .due_ms = now};
    call->state = d;
    DL_APPEND(host(call)->drains, d);
    imd_drain_tick(host(call));
}

/* drain */

static json_t *plan(const struct imd *imd, uint64_t rate, uint64_t deadline_ms)
{
    struct im_online online;
    json_t *result = json_object();
    im_core_online(imd->core, &online);
    im_json_set_text(result, "state", im_str(imd_state_name(imd)));
    im_json_set_number(result, "sessions", online.sessions);
    im_json_set_number(result, "rate", rate);
    im_json_set_number(result, "deadline_ms", deadline_ms);
    return result;
}

static bool in_range(struct im_rpc_call *call, const char *name, uint64_t max, uint64_t *value)
{
    im_rpc_uint(call, name, value);
    if (*value >= 1 && *value <= max)
        return true;
    im_rpc_fail(call, IM_BAD_FIELD, "%s must be from 1 to %llu", name, (unsigned long long)max);
    return false;
}

static void drain(struct im_rpc_call *call)
{
    struct imd *imd = host(call);
    uint64_t rate = 100, deadline_ms = 0, interval = 1;
    struct im_online online;
    if (!in_range(call, "rate", RATE_MAX, &rate) || !in_range(call, "interval", 3600, &interval))
        return;
    im_core_online(imd->core, &online);
    uint64_t otherwise = (online.sessions / rate + 1) * 1000 + imd->config->shutdown_ms;
    if (!imd_read_period(call, "deadline", otherwise, &deadline_ms))
        return;
    bool dry = imd_is_dry(call), heard = call->id && call->sink.item;
    if (!dry && imd->state == IMD_RUNNING)
        imd_drain(imd, rate, deadline_ms);
    if (dry || !heard)
        im_rpc_result(call, plan(imd, rate, deadline_ms));
    else
        watch(call);
}

/* shutdown */

static void shut_down(struct im_rpc_call *call)
{
    struct imd *imd = host(call);
    struct im_online online;
    json_t *result = json_object();
    im_core_online(imd->core, &online);
    im_json_set_number(result, "sessions", online.sessions);
    im_json_set_number(result, "deadline_ms", imd->config->shutdown_ms);
    bool dry = imd_is_dry(call);
    im_rpc_result(call, result);
    if (!dry)
        imd_shutdown(imd, "imctl");
}

/* upgrade */

static void upgrade(struct im_rpc_call *call)
{
    uint64_t deadline_ms;
    if (imd_read_period(call, "deadline", UPGRADE_DEADLINE_MS, &deadline_ms))
        imd_upgrade_begin(host(call), call, im_rpc_string(call, "binary").p, deadline_ms, imd_is_dry(call));
}

const struct im_rpc_command imd_drain_commands[] = {
    {
        .name = "drain",
        .access = IM_RPC_WRITE,
        .args = {{"rate", IM_RPC_UINT, false, NULL, "Sessions told to go in a second, 100 unless told otherwise."},
                 {"deadline", IM_RPC_STRING, false, NULL, "After so long the rest is closed; or what the rate needs."},
                 {"interval", IM_RPC_UINT, false, NULL, "Seconds between two looks at it; 1 unless told otherwise."},
                 IMD_DRY_ARG},
        .help = "Stop at a gentle pace, and tell how it goes until it is done. Nobody new is let in, and the sessions "
                "are told a few at a time to come back, each once what it asked is answered; those that are left go "
                "on until it is their turn. It goes on when nobody watches; asked again, it only tells how it goes.",
        .usage = "[--rate N] [--deadline TIME] [--interval SECONDS]",
        .example = "drain --rate 200 --deadline 5m",
        .show = "progress told left eta_ms",
        .asks = "Drain the server, and stop it?",
        .patient = true,
        .run = drain,
    },
    {
        .name = "shutdown",
        .access = IM_RPC_WRITE,
        .args = {IMD_DRY_ARG},
        .help = "Stop in good order, as SIGTERM does. Clients are told when to come back, and what they asked is "
                "answered. A second time: at once.",
        .example = "shutdown",
        .show = "fields",
        .asks = "Stop the server?",
        .run = shut_down,
    },
    {
        .name = "upgrade",
        .access = IM_RPC_WRITE,
        .args = {{"binary", IM_RPC_FILE, false, NULL, "The program; or where this one was started from."},
                 {"deadline", IM_RPC_STRING, false, NULL,
                  "Who is still here then is cut off; 2s unless told otherwise."},
                 IMD_DRY_ARG},
        .help =
            "Let another program, usually what was just installed, take the server's place. It is first tried "
            "whether it can. Then it gets the sockets, on which connections wait meanwhile, and the store; "
            "clients are told to come back, and nobody is refused. imctl waits for it, and says for how long nobody "
            "was let in. If it fails, the program that ran before goes on. With -n it is only tried, and what it "
            "would open and leave is shown; schema_from and schema_to differ when it would write the store in a "
            "way that the program before it does not know. A store in memory needs a restart.",
        .usage = "[--binary FILE] [--deadline TIME]",
        .example = "upgrade",
        .show = "imctl",
        .asks = "Replace the running server?",
        .patient = true,
        .run = upgrade,
    },
    {.name = NULL},
};
