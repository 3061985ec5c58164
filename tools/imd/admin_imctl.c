#include "core/reason.h"
#include "tools/imd/admin.h"

/* What imctl does itself with the answers of other commands. The rows are here, where all are, so that help and
 * completion know them; they need nothing of the daemon, and imctl has them too. */

static void elsewhere(struct im_rpc_call *call)
{
    im_rpc_fail(call, IM_BAD_COMMAND, "%s is imctl's own: it asks for counters, online and the like, again and again",
                call->command->name);
}

const struct im_rpc_command imd_imctl_commands[] = {
    {
        .name = "top",
        .section = IM_RPC_SEE,
        .args = {{"interval", IM_RPC_UINT, false, NULL, "Seconds between two looks; 2 unless told otherwise."},
                 {"count", IM_RPC_UINT, false, NULL, "End after so many."},
                 {"batch", IM_RPC_STRING, false, "yes", "One look after another as text, not a full screen."},
                 {"sort", IM_RPC_STRING, false,
                  "id|user|device|transport|state|address|age|idle|behind|queued|in|out|agent",
                  "The column to begin with; in, the busiest, unless told otherwise."},
                 {"filter", IM_RPC_STRING, false, NULL, "Only sessions that it lets through; as of sessions."}},
        .help = "The server at work on a full screen: rates, and the sessions in an order that keys change (h lists "
                "them). Arguments go by their first letter too: -b -i 5.",
        .usage = "[-b] [-i SECONDS] [-c COUNT] [-s COLUMN] [-f EXPR]",
        .example = "top -s queued",
        .show = "imctl",
        .run = elsewhere,
    },
    {
        .name = "stat",
        .section = IM_RPC_SEE,
        .args = {{"interval", IM_RPC_UINT, false, NULL, "Seconds between two lines; 1 unless told otherwise."},
                 {"count", IM_RPC_UINT, false, NULL, "End after so many lines."}},
        .help = "What the server does, a line for each interval: users and sessions there are, and of all else how "
                "much each second. With --json an object on each line.",
        .usage = "[-i SECONDS] [-c COUNT]",
        .example = "stat -i 5 -c 12",
        .show = "imctl",
        .run = elsewhere,
    },
    {
        .name = "wait",
        .section = IM_RPC_JUDGE,
        .args = {{"state", IM_RPC_STRING, true, "ready|stopped", "What to wait for."},
                 {"timeout", IM_RPC_UINT, false, NULL, "Give up after so many seconds; 60 unless told otherwise."}},
        .help = "Wait until the server is ready, or until none is there any more. Gives up with exit status 75.",
        .usage = "ready | stopped [-t SECONDS]",
        .example = "wait ready -t 10",
        .show = "imctl",
        .run = elsewhere,
    },
    {.name = NULL},
};
