#include "tools/imd/admin.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "tools/imd/daemon.h"
#include "transports/listener.h"
#include "transports/stream.h"

#define LINGER_MS 1000
/* Answers that wait for a slow reader; beyond it, no further request is read. */
#define QUEUE_BYTES (256 * 1024)

struct socket {
    struct imd_admin *admin;
    struct im_listener *listener;
    bool may_write;
};

struct imd_admin {
    struct imd *imd;
    struct im_rpc rpc;
    struct socket all, read_only;
};

struct conn {
    struct imd *imd;
    const struct im_rpc *rpc;
    struct im_stream *stream;
    struct im_rpc_peer peer;
    bool ending;              /* close once the pending answer is out */
    struct im_rpc_call *call; /* being answered; until then nothing further is read, but for what stops a stream */
    size_t len;
    char line[IMD_ADMIN_LINE_MAX];
};

static bool is_busy(const struct conn *c)
{
    return (c->call && !c->call->stop) || im_stream_queued(c->stream) > QUEUE_BYTES;
}

static void hold_if_busy(struct conn *c)
{
    im_stream_hold(c->stream, is_busy(c));
}

static void send_answer(void *arg, struct im_bytes *bytes)
{
    struct conn *c = arg;
    if (bytes)
        im_stream_write_bytes(c->stream, bytes, 0);
    im_bytes_drop(&bytes);
    if (!c->call)
        return;
    c->call = NULL;
    hold_if_busy(c);
    if (c->ending)
        im_stream_finish(c->stream, IM_BYE, LINGER_MS);
}

static bool send_item(void *arg, struct im_bytes *bytes)
{
    struct conn *c = arg;
    bool room = im_stream_queued(c->stream) <= QUEUE_BYTES;
    if (room)
        im_stream_write_bytes(c->stream, bytes, 0);
    im_bytes_drop(&bytes);
    return room;
}

/* Refuses and closes; the peer's own words are not echoed. */
static void refuse(struct imd *imd, struct im_stream *stream, enum im_reason reason, const char *message)
{
    struct im_bytes *bytes = im_rpc_refusal(reason, message);
    imd->admin_refused++;
    im_stream_write_bytes(stream, bytes, 0);
    im_bytes_drop(&bytes);
    im_stream_finish(stream, reason, LINGER_MS);
}

static bool is_blank(struct im_str line)
{
    for (size_t i = 0; i < line.len; i++)
        if (!strchr(" \t\r", line.p[i]))
            return false;
    return true;
}

static void on_line(struct conn *c)
{
    struct im_str line = {c->line, c->len};
    c->len = 0;
    if (c->call)
        im_rpc_stop(c->call);
    if (is_blank(line))
        return;
    c->imd->admin_requests++;
    c->call = im_rpc_line(c->rpc, line, c->peer, &(struct im_rpc_sink){send_answer, send_item, c});
    hold_if_busy(c);
}

/* Takes bytes up to a line's end. A line that does not fit ends the connection. */
static size_t take_line(struct conn *c, const uint8_t *p, size_t n)
{
    const uint8_t *end = memchr(p, '\n', n);
    size_t part = end ? (size_t)(end - p) : n;
    if (c->len + part > sizeof c->line) {
        refuse(c->imd, c->stream, IM_TOO_LONG, "the line is too long");
        return n;
    }
    memcpy(c->line + c->len, p, part);
    c->len += part;
    if (end)
        on_line(c);
    return part + (end != NULL);
}

static size_t on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct conn *c = ctx;
    size_t taken = 0;
    while (taken < n && !is_busy(c))
        taken += take_line(c, p + taken, n - taken);
    if (taken < n) /* a stream may have filled the queue since it was looked at last */
        hold_if_busy(c);
    return taken;
}

static void on_input_end(void *ctx)
{
    struct conn *c = ctx;
    if (c->len > 0) /* a last line without its end */
        on_line(c);
    c->ending = true;
    if (c->call && c->call->stop)
        im_rpc_stop(c->call);
    else if (!c->call)
        im_stream_finish(c->stream, IM_BYE, LINGER_MS);
}

static void on_drained(void *ctx)
{
    hold_if_busy(ctx);
}

static void on_ended(void *ctx, enum im_reason reason)
{
    struct conn *c = ctx;
    (void)reason;
    if (c->call)
        im_rpc_abandon(c->call);
    free(c);
}

static const struct im_stream_ops stream_ops = {on_bytes, on_input_end, on_drained, on_ended};

/* Who may come. */

static bool in_group(const struct passwd *user, gid_t group)
{
    gid_t some[256];
    int n = 256;
    if (getgrouplist(user->pw_name, user->pw_gid, some, &n) < 0)
        n = 256;
    for (int i = 0; i < n; i++)
        if (some[i] == group)
            return true;
    return false;
}

static bool is_member(uid_t uid, const char *group_name)
{
    const struct group *group = getgrnam(group_name);
    gid_t gid = group ? group->gr_gid : 0;
    const struct passwd *user = group ? getpwuid(uid) : NULL;
    return user && in_group(user, gid);
}

static bool may_come(const struct imd *imd, unsigned uid)
{
    return uid == 0 || uid == geteuid() ||
           (imd->config->admin_group && is_member((uid_t)uid, imd->config->admin_group));
}

static struct conn *new_conn(struct socket *socket, struct im_stream *stream, unsigned uid)
{
    struct conn *c = im_alloc(sizeof *c);
    c->imd = socket->admin->imd;
    c->rpc = &socket->admin->rpc;
    c->stream = stream;
    c->peer = (struct im_rpc_peer){socket->may_write, uid};
    c->ending = false;
    c->call = NULL;
    c->len = 0;
    return c;
}

static void on_ready(void *arg, struct im_stream *stream)
{
    struct socket *socket = arg;
    struct imd *imd = socket->admin->imd;
    unsigned uid = 0;
    bool known = im_stream_peer_uid(stream, &uid);
    im_stream_attach(stream, &stream_ops, new_conn(socket, stream, uid));
    im_stream_low_water(stream, QUEUE_BYTES / 2);
    if (!socket->may_write || (known && may_come(imd, uid)))
        return;
    char message[120];
    snprintf(message, sizeof message, "user %u may not use this socket; join the group of admin.group, or use sudo",
             uid);
    IM_LOG(imd->log, IM_LOG_WARN, "admin", "refused", IM_KN("uid", uid));
    refuse(imd, stream, IM_FORBIDDEN, message);
}

/* Who did what, and what came of it. */
static void audit(const struct im_rpc_call *call, enum im_reason outcome)
{
    const struct imd *imd = call->rpc->host;
    struct im_out what = {0};
    im_rpc_put_call(call, &what);
    IM_LOG(imd->log, IM_LOG_INFO, "admin", "audit", IM_KV("command", ((struct im_str){im_out_data(&what), what.len})),
           IM_KN("by_uid", call->peer.uid), IM_KS("outcome", im_reason_name(outcome)));
    im_out_clear(&what);
}

/* Opening. */

const struct im_rpc_command *const imd_admin_tables[] = {imd_admin_commands,   imd_people_commands,  imd_user_commands,
                                                         imd_token_commands,   imd_group_commands,   imd_hook_commands,
                                                         imd_latency_commands, imd_session_commands, imd_tail_commands,
                                                         imd_config_commands,  imd_why_commands,     imd_imctl_commands,
                                                         imd_store_commands,   imd_ban_commands,     imd_say_commands,
                                                         imd_data_commands,    imd_doctor_commands,  imd_judge_commands,
                                                         imd_drain_commands,   imd_worker_commands,  NULL};

static enum im_reason give_to_group(const char *path, const char *group_name, struct im_error *error)
{
    if (!group_name)
        return IM_OK;
    const struct group *group = getgrnam(group_name);
    if (!group)
        return im_fail(error, IM_CONFIG, "admin.group: no group \"%s\" on this system", group_name);
    if (chown(path, (uid_t)-1, group->gr_gid) != 0)
        return im_fail(error, IM_SYSTEM, "cannot give %.100s to group %s: %s", path, group_name, strerror(errno));
    return IM_OK;
}

static enum im_reason open_socket(struct socket *socket, const char *address, const char *mode, struct im_error *error)
{
    struct imd *imd = socket->admin->imd;
    struct im_config *config = im_config_new();
    struct im_listen_config *listen = im_config_add_listener(config);
    listen->address = im_strndup(address, strlen(address));
    free(listen->mode);
    listen->mode = im_strndup(mode, strlen(mode));
    struct im_error why = {0};
    enum im_reason r = im_listener_open(
        &socket->listener,
        &(struct im_listener_options){
            .env = &imd->admin_service.env, .config = listen, .unix_socket = true, .ready = on_ready, .arg = socket},
        &why);
    im_config_free(&config);
    if (r != IM_OK)
        return im_fail(error, r, "cannot listen (admin): %.200s", why.detail);
    if (im_listener_is_passed(socket->listener))
        return IM_OK;
    return give_to_group(address, imd->config->admin_group, error);
}

enum im_reason imd_admin_open(struct imd *imd, struct imd_admin **out, struct im_error *error)
{
    const struct im_config *config = imd->config;
    struct imd_admin *admin = im_zalloc(sizeof *admin);
    admin->imd = imd;
    admin->rpc = (struct im_rpc){imd_admin_tables, imd, audit};
    admin->all = (struct socket){.admin = admin, .may_write = true};
    admin->read_only = (struct socket){.admin = admin};
    *out = admin;
    enum im_reason r = open_socket(&admin->all, config->admin_address, config->admin_mode, error);
    if (r == IM_OK && config->admin_read_address)
        r = open_socket(&admin->read_only, config->admin_read_address, config->admin_read_mode, error);
    return r;
}

void imd_admin_each_listener(const struct imd_admin *admin, void (*each)(void *arg, struct im_listener *), void *arg)
{
    const struct socket *const sockets[] = {&admin->all, &admin->read_only};
    for (size_t i = 0; i < 2; i++)
        if (sockets[i]->listener)
            each(arg, sockets[i]->listener);
}

static void adopt(void *arg, struct im_listener *l)
{
    const struct imd *imd = arg;
    struct im_error error = {0};
    if (im_listener_adopt(l) && give_to_group(im_listener_address(l), imd->config->admin_group, &error) != IM_OK)
        IM_LOG(imd->log, IM_LOG_WARN, "admin", "the group stays", IM_KS("problem", error.detail));
}

void imd_admin_adopt(struct imd_admin *admin)
{
    imd_admin_each_listener(admin, adopt, admin->imd);
}

void imd_admin_close(struct imd_admin *admin)
{
    if (!admin)
        return;
    im_listener_close(&admin->all.listener);
    im_listener_close(&admin->read_only.listener);
}

void imd_admin_free(struct imd_admin **admin)
{
    free(*admin);
    *admin = NULL;
}
