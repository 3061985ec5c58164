#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/imctl/own.h"
#include "tools/imctl/run.h"
#include "tools/safe_json.h"

/* As long as a service manager waits for a start: the store may have to be brought to another schema. */
#define PATIENCE_S 900

static int print_result(const json_t *result, const struct options *options)
{
    struct show_style style = run_style(options);
    struct im_out out = {0};
    show_result(result, "fields", &style, &out);
    int status = run_print(&out);
    im_out_clear(&out);
    return status;
}

/* What the program says that took over; it may be one of another version. */
static int judge(const json_t *plan, json_t *now, const struct options *options)
{
    const json_t *upgrade = json_object_get(now, "upgrade");
    const char *outcome = json_string_value(json_object_get(upgrade, "outcome"));
    const char *problem = json_string_value(json_object_get(upgrade, "problem"));
    bool ok = outcome && strcmp(outcome, "ok") == 0;
    json_t *result = json_pack("{s:s, s:O*, s:O*, s:O*, s:O*, s:O*}", "outcome", ok ? "ok" : "failed", "from",
                               json_object_get(plan, "from"), "to", json_object_get(now, "version"), "binary",
                               json_object_get(now, "binary"), "pid", json_object_get(now, "pid"), "gap_us",
                               json_object_get(upgrade, "gap_us"));
    int status = print_result(result, options);
    json_decref(result);
    if (ok)
        return status;
    complain("the upgrade failed, and the program that ran before goes on:\n%s",
             problem ? problem : "it was started anew by somebody else");
    return EX_SOFTWARE;
}

/* Until the server closes the connection, and with it all it had. */
static void wait_for_end(const struct client *c, const json_t *plan)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "%" JSON_INTEGER_FORMAT " sessions are told to come back; waiting for the next program ...\n",
                json_integer_value(json_object_get(plan, "sessions")));
    struct pollfd fd = {.fd = c->fd, .events = POLLIN};
    while (poll(&fd, 1, -1) < 0)
        continue;
}

/* The socket is there all the while: who connects waits until the next program answers. */
static int ask_next(const struct options *options, const json_t *plan)
{
    struct client next = {.quiet = true};
    int status = client_connect(&next, options->socket);
    json_t *now = NULL;
    if (status == EX_OK) {
        client_patience(&next, PATIENCE_S);
        now = run_ask(&next, "status", json_object(), &status);
    }
    client_close(&next);
    if (!now) {
        complain("the server ended while it was being replaced; its log tells why.");
        return EX_SOFTWARE;
    }
    status = judge(plan, now, options);
    json_decref(now);
    return status;
}

int own_upgrade(struct client *client, const struct options *options, const json_t *params)
{
    int status;
    client_patience(client, 0);
    json_t *plan = run_ask(client, "upgrade", json_copy((json_t *)(uintptr_t)params), &status);
    if (plan && json_object_get(params, "dry")) {
        status = print_result(plan, options);
    } else if (plan) {
        wait_for_end(client, plan);
        status = ask_next(options, plan);
    }
    json_decref(plan);
    return status;
}
