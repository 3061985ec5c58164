#include "tools/imd/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/mem.h"
#include "stores/stores.h"
#include "tools/imd/notify.h"
#include "tools/imd/trial.h"
#include "tools/safe_json.h"
#include "transports/listener.h"
#include "transports/loop.h"

#define LOOK_MS      5
#define REHEARSAL_MS 30000
/* Bringing a large store to another schema takes its time. */
#define TRIAL_MS    900000
#define WATCHDOG_MS 5000

struct imd_upgrade {
    struct imd *imd;
    struct im_rpc_call *call;
    bool dry, handing;
    uint64_t deadline_ms;
    struct imd_handover *handover;
    struct imd_trial trial;
    struct event *look; /* at the trial, and then at who is still here */
};

/* Life. */

static void on_look(evutil_socket_t fd, short what, void *arg);

static void free_upgrade(struct imd_upgrade *u)
{
    u->imd->upgrade = NULL;
    if (u->look)
        event_free(u->look);
    imd_trial_clear(&u->trial);
    imd_handover_free(&u->handover);
    free(u);
}

static void fail(struct imd_upgrade *u, const struct im_error *error)
{
    const char *binary = u->handover->binary;
    bool named = strncmp(error->detail, binary, strlen(binary)) == 0;
    im_rpc_fail(u->call, error->reason, "nothing was changed: %s%s%s", named ? "" : binary,
                named ? "" : " cannot take over: ", error->detail);
    free_upgrade(u);
}

bool imd_upgrade_is_handing(const struct imd *imd)
{
    return imd->upgrade && imd->upgrade->handing;
}

void imd_upgrade_abandon(struct imd *imd)
{
    struct im_error error = {0};
    if (!imd->upgrade)
        return;
    if (imd->upgrade->handing) {
        IM_LOG(imd->log, IM_LOG_WARN, "imd", "the upgrade is given up");
        free_upgrade(imd->upgrade);
    } else {
        im_fail(&error, IM_DRAIN, "the server is stopping");
        fail(imd->upgrade, &error);
    }
}

/* Looking. */

struct gathering {
    struct imd_handover *handover;
    struct im_error *error;
};

static void gather(void *arg, struct im_listener *l)
{
    struct gathering *g = arg;
    struct im_listener_socket socket = im_listener_socket(l);
    if (g->error->reason == IM_OK && socket.fd >= 0)
        imd_handover_add(g->handover, socket.fd, &socket.origin, g->error);
}

static char *copy(const char *text)
{
    return text ? im_strndup(text, strlen(text)) : NULL;
}

/* The program itself stays reachable when another one has been put under its path. */
static enum im_reason fill(struct imd_upgrade *u, const char *binary, struct im_error *error)
{
    const struct imd_start *start = u->imd->start;
    struct imd_handover *h = u->handover;
    struct gathering g = {h, error};
    h->trial = true;
    h->from = copy(PACKAGE_VERSION);
    h->config = copy(start->config_path);
    h->back = copy(start->binary);
    h->binary = copy(binary ? binary : start->binary);
    if (!h->binary)
        return im_fail(error, IM_SYSTEM, "say --binary PATH: where this program was started from is not known");
    h->back_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (h->back_fd < 0)
        return im_fail(error, IM_SYSTEM, "no way back to this program: /proc/self/exe: %s", strerror(errno));
    imd_each_listener(u->imd, gather, &g);
    return error->reason;
}

static enum im_reason may_begin(const struct imd *imd, struct im_error *error)
{
    if (imd->upgrade)
        return im_fail(error, IM_BUSY, "an upgrade is under way already");
    if (imd->state != IMD_RUNNING)
        return im_fail(error, IM_DRAIN, "the server is %s", imd_state_name(imd));
    if (imd->config->store_kind == IM_STORE_MEMORY)
        return im_fail(error, IM_CONFIG, "store.kind is memory: all it holds would be lost, as it is with a restart");
    return IM_OK;
}

void imd_upgrade_begin(struct imd *imd, struct im_rpc_call *call, const char *binary, uint64_t deadline_ms, bool dry)
{
    struct im_error error = {0};
    if (may_begin(imd, &error) != IM_OK) {
        im_rpc_fail(call, error.reason, "%s", error.detail);
        return;
    }
    struct imd_upgrade *u = im_zalloc(sizeof *u);
    *u = (struct imd_upgrade){.imd = imd, .call = call, .dry = dry, .deadline_ms = deadline_ms, .trial = {.out = -1}};
    imd->upgrade = u;
    u->handover = imd_handover_new();
    u->look = event_new(imd->base, -1, EV_PERSIST, on_look, u);
    if (fill(u, binary, &error) == IM_OK &&
        imd_trial_start(&u->trial, u->handover, imd->start, true, REHEARSAL_MS, &error) == IM_OK)
        event_add(u->look, &(struct timeval){.tv_usec = LOOK_MS * 1000});
    else
        fail(u, &error);
}

/* What the rehearsal has said: a line of JSON. */
static json_t *read_found(const struct imd_trial *t)
{
    struct im_str said = {im_out_data(&t->said), t->said.len};
    const char *begin = said.len ? memchr(said.p, '{', said.len) : NULL;
    json_t *found = begin ? json_loadb(begin, said.len - (size_t)(begin - said.p), JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    if (!json_is_string(json_object_get(found, "version")) || !json_is_array(json_object_get(found, "schema"))) {
        json_decref(found);
        return NULL;
    }
    return found;
}

/* With another store, clients would miss what they were told is kept. */
static enum im_reason same_store(const struct imd *imd, const json_t *found, struct im_error *error)
{
    char *here = realpath(imd->config->store_path, NULL);
    const char *there = json_string_value(json_object_get(found, "store"));
    bool same = here && there && strcmp(here, there) == 0;
    free(here);
    return same ? IM_OK
                : im_fail(error, IM_CONFIG, "the configuration names another store by now (%.100s): restart the server",
                          there ? there : "none");
}

static json_t *plan(const struct imd_upgrade *u, const json_t *found)
{
    struct im_online online;
    json_t *result = json_object();
    const json_t *schema = json_object_get(found, "schema");
    im_core_online(u->imd->core, &online);
    im_json_set_text(result, "binary", im_str(u->handover->binary));
    im_json_set_text(result, "from", im_str(u->handover->from));
    json_object_set(result, "to", json_object_get(found, "version"));
    im_json_set_number(result, "pid", (uint64_t)getpid());
    json_object_set(result, "schema_from", json_array_get(schema, 0));
    json_object_set(result, "schema_to", json_array_get(schema, 1));
    json_object_set(result, "opens", json_object_get(found, "opens"));
    json_object_set(result, "leaves", json_object_get(found, "leaves"));
    im_json_set_number(result, "sessions", online.sessions);
    im_json_set_number(result, "deadline_ms", u->deadline_ms);
    return result;
}

/* From here on connections wait in the kernel for the other program. */
static void hand_over(struct imd_upgrade *u)
{
    u->handing = true;
    u->call = NULL;
    imd_trial_clear(&u->trial);
    u->handover->since_us = im_loop_now_us();
    imd_hand_over(u->imd, u->deadline_ms);
}

static void judge(struct imd_upgrade *u)
{
    struct im_error error = {0};
    json_t *found = NULL;
    enum im_reason r = imd_trial_verdict(&u->trial, &error);
    if (r == IM_OK && !(found = read_found(&u->trial)))
        r = im_fail(&error, IM_SYSTEM, "it is no imd, or none that can");
    if (r == IM_OK)
        r = same_store(u->imd, found, &error);
    if (r != IM_OK) {
        fail(u, &error);
    } else {
        im_rpc_result(u->call, plan(u, found));
        u->dry ? free_upgrade(u) : hand_over(u);
    }
    json_decref(found);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    struct imd_upgrade *u = arg;
    (void)fd, (void)what;
    if (u->handing && u->imd->state == IMD_DRAINING && im_core_idle(u->imd->core))
        event_base_loopbreak(u->imd->base);
    else if (!u->handing && imd_trial_look(&u->trial))
        judge(u);
}

/* Handing over. */

static void let_go(void *arg, struct im_listener *l)
{
    (void)arg;
    im_listener_let_go(l);
}

void imd_upgrade_let_go(struct imd *imd)
{
    imd_each_listener(imd, let_go, NULL);
    event_free(imd->upgrade->look);
    imd->upgrade->look = NULL;
}

/* Nobody else keeps the service manager's watchdog quiet now. */
static enum im_reason try_it(const struct imd *imd, struct imd_upgrade *u, struct im_error *error)
{
    enum im_reason r = imd_trial_start(&u->trial, u->handover, imd->start, false, TRIAL_MS, error);
    for (uint64_t told_ms = 0; r == IM_OK && !imd_trial_look(&u->trial); poll(NULL, 0, 1)) {
        if (im_loop_now_ms() - told_ms < WATCHDOG_MS)
            continue;
        told_ms = im_loop_now_ms();
        imd_notify("WATCHDOG=1");
    }
    if (r == IM_OK)
        r = imd_trial_verdict(&u->trial, error);
    imd_trial_clear(&u->trial);
    return r;
}

void imd_upgrade_run(struct imd *imd)
{
    struct imd_upgrade *u = imd->upgrade;
    struct imd_handover *h = u->handover;
    struct im_error error = {0};
    h->sound = imd->store_sound;
    if (try_it(imd, u, &error) == IM_OK) {
        h->trial = false;
        im_log_file_flush(imd->log_file);
        imd_notify("WATCHDOG=1");
        imd_handover_exec(h, imd->start);
        im_fail(&error, IM_SYSTEM, "%.200s: %s", h->binary, strerror(errno));
    }
    IM_LOG(imd->log, IM_LOG_ERROR, "imd", "the upgrade failed", IM_KS("binary", h->binary),
           IM_KS("problem", error.detail));
    im_log_file_flush(imd->log_file);
    h->trial = false;
    imd_handover_exec_back(h, imd->start, error.detail);
    IM_LOG(imd->log, IM_LOG_ERROR, "imd", "there is no way back", IM_KS("problem", strerror(errno)));
    imd->exit_code = EX_OSERR;
    free_upgrade(u);
}

/* The other program. */

/* Fewer workers need fewer sockets of an address, which is served all the same. */
static bool is_served(const struct imd_handover *h, const char *name)
{
    for (size_t i = 0; i < h->count; i++)
        if (!h->sockets[i].left && strcmp(h->sockets[i].origin.name, name) == 0)
            return true;
    return false;
}

void imd_rehearsal_tell(const struct imd *imd)
{
    const struct imd_handover *h = imd->start->handover;
    json_t *leaves = json_array();
    char *store = imd->config->store_kind == IM_STORE_SQLITE ? realpath(imd->config->store_path, NULL) : NULL;
    for (size_t i = 0; h && i < h->count; i++)
        if (h->sockets[i].left && !is_served(h, h->sockets[i].origin.name))
            imd_list_address(leaves, h->sockets[i].origin.name);
    json_t *found = json_pack("{s:s, s:s?, s:[II], s:o, s:o}", "version", PACKAGE_VERSION, "store", store, "schema",
                              (json_int_t)imd->schema[0], (json_int_t)imd->schema[1], "opens", imd_new_listeners(imd),
                              "leaves", leaves);
    json_dumpf(found, stdout, JSON_COMPACT);
    fputc('\n', stdout);
    fflush(stdout);
    json_decref(found);
    free(store);
}

json_t *imd_upgrade_describe(const struct imd *imd)
{
    const struct imd_handover *h = imd->start->handover;
    if (!h)
        return json_null();
    json_t *result = json_object();
    im_json_set_text(result, "outcome", im_str(h->problem ? "failed" : "ok"));
    im_json_set_text(result, "from", im_str(h->from));
    im_json_set_text(result, "problem", im_str(h->problem));
    im_json_set_number(result, "gap_us", h->gap_us);
    return result;
}
