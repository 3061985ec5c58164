#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/imctl/own.h"
#include "tools/imctl/run.h"
#include "tools/imctl/sample.h"

#define PAUSE_MS     100
#define WAIT_USUAL_S 60

static bool is_running(struct client *c)
{
    int status;
    json_t *result = run_ask(c, "status", json_object(), &status);
    const char *state = json_string_value(json_object_get(result, "state"));
    bool running = state && strcmp(state, "running") == 0;
    json_decref(result);
    return running;
}

/* Until the server closes a connection on which nothing is asked: it does when it ends. */
static void watch(const struct client *c, double until_s)
{
    struct pollfd fd = {.fd = c->fd, .events = POLLIN};
    double left = until_s - sample_now_s();
    if (left > 0)
        poll(&fd, 1, (int)(left * 1000) + 1);
}

/* Refused by the permissions, or by a wrong path, no waiting helps. */
static bool is_hopeless(int status)
{
    return status == EX_NOPERM || status == EX_USAGE;
}

static int look(const struct options *options, bool ready, double until_s, bool *reached)
{
    struct client c = {.quiet = true};
    int status = client_connect(&c, options->socket);
    bool there = status != EX_UNAVAILABLE;
    if (status == EX_OK && ready)
        *reached = is_running(&c);
    else if (status == EX_OK)
        watch(&c, until_s);
    else
        *reached = !ready && !there;
    client_close(&c);
    return status;
}

int own_wait(struct client *client, const struct options *options, const json_t *params)
{
    const char *state = json_string_value(json_object_get(params, "state"));
    bool ready = strcmp(state, "ready") == 0, reached = false;
    unsigned timeout = own_number(params, "timeout", WAIT_USUAL_S);
    double until_s = sample_now_s() + timeout;
    (void)client;
    for (;;) {
        int status = look(options, ready, until_s, &reached);
        if (reached)
            return EX_OK;
        if (is_hopeless(status)) {
            struct client loud = {0};
            client_connect(&loud, options->socket);
            client_close(&loud);
            return status;
        }
        if (sample_now_s() >= until_s) {
            complain("not %s within %u seconds", state, timeout);
            return EX_TEMPFAIL;
        }
        poll(NULL, 0, PAUSE_MS);
    }
}
