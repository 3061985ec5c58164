#include "transports/dial.h"

#include <assert.h>
#include <errno.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "transports/loop.h"
#include "transports/stream.h"
#include "transports/tls.h"
#include "transports/transports.h"

struct im_dialer {
    struct im_transport_env *env;
    struct evdns_base *dns; /* made at the first use, like the next */
    struct im_tls *tls;
    size_t count, resolving;
    bool stale;
};

/* One attempt.
 *
 *      resolving ──► connecting (each address in turn) ──► streaming ──► done ──► released
 *           └───────────────┴─────────────────────────────────┴─ failed, cancelled ─▲           */
struct im_dial {
    struct im_dialer *dialer;
    struct im_later later; /* resolving begins, or all is over */
    char *host;
    uint16_t port;
    bool tls;
    bool told; /* done() was called, or nobody wants to know */
    void (*done)(void *arg, struct im_stream *, enum im_reason, const char *problem);
    void *arg;
    struct evdns_getaddrinfo_request *request;
    struct evutil_addrinfo *addresses, *next;
    struct event *connected;
    int fd;
    int error; /* of the address tried last */
    struct im_stream *stream;
};

#define OWNER(entry, member) ((struct im_dial *)(void *)((char *)(entry)-offsetof(struct im_dial, member)))

/* The dialer. */

struct im_dialer *im_dialer_new(struct im_transport_env *env)
{
    struct im_dialer *dialer = im_zalloc(sizeof *dialer);
    dialer->env = env;
    return dialer;
}

void im_dialer_free(struct im_dialer **dialer)
{
    if (!*dialer)
        return;
    assert((*dialer)->count == 0);
    if ((*dialer)->dns)
        evdns_base_free((*dialer)->dns, 0);
    im_tls_free(&(*dialer)->tls);
    free(*dialer);
    *dialer = NULL;
}

struct im_transport_env *im_dialer_env(const struct im_dialer *dialer)
{
    return dialer->env;
}

size_t im_dialer_count(const struct im_dialer *dialer)
{
    return dialer->count;
}

void im_dialer_hold(struct im_dialer *dialer)
{
    dialer->count++;
}

void im_dialer_drop(struct im_dialer *dialer)
{
    assert(dialer->count > 0);
    dialer->count--;
}

void im_dialer_renew(struct im_dialer *dialer)
{
    dialer->stale = true;
}

static void drop_stale(struct im_dialer *dialer)
{
    if (!dialer->stale || dialer->resolving > 0)
        return;
    dialer->stale = false;
    im_tls_free(&dialer->tls);
    if (dialer->dns)
        evdns_base_free(dialer->dns, 0);
    dialer->dns = NULL;
}

/* As the system is configured; without name servers /etc/hosts still counts. */
static struct evdns_base *resolver(struct im_dialer *dialer)
{
    drop_stale(dialer);
    if (!dialer->dns) {
        dialer->dns = evdns_base_new(dialer->env->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
        if (dialer->dns)
            evdns_base_resolv_conf_parse(dialer->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
    }
    return dialer->dns;
}

/* The end. */

static void end(struct im_later *later)
{
    struct im_dial *dial = OWNER(later, later);
    im_dialer_drop(dial->dialer);
    if (dial->addresses)
        evutil_freeaddrinfo(dial->addresses);
    free(dial->host);
    free(dial);
}

static void end_later(struct im_dial *dial)
{
    im_later_add(im_loop_of(dial->dialer->env), &dial->later, end);
}

static void tell(struct im_dial *dial, struct im_stream *stream, enum im_reason reason, const char *problem)
{
    if (dial->told)
        return;
    dial->told = true;
    dial->done(dial->arg, stream, reason, problem);
}

/* Nothing is under way any more. */
static void fail(struct im_dial *dial, enum im_reason reason, const char *problem)
{
    tell(dial, NULL, reason, problem);
    end_later(dial);
}

/* The stream. */

static void stream_ready(void *arg, struct im_stream *stream)
{
    struct im_dial *dial = arg;
    dial->stream = NULL;
    if (dial->told)
        im_stream_abort(stream, IM_GONE);
    else
        tell(dial, stream, IM_OK, "");
}

static void stream_failed(void *arg, const char *problem)
{
    tell(arg, NULL, IM_TLS_FAILED, problem);
}

static void stream_released(void *arg)
{
    fail(arg, IM_TLS_FAILED, "the TLS handshake took too long");
}

static void drop_socket(struct im_dial *dial)
{
    if (dial->connected)
        event_free(dial->connected);
    dial->connected = NULL;
    if (dial->fd >= 0)
        close(dial->fd);
    dial->fd = -1;
}

static void open_stream(struct im_dial *dial)
{
    char peer[300];
    struct im_error error = {0};
    if (dial->tls && !dial->dialer->tls && im_tls_client_new(&dial->dialer->tls, &error) != IM_OK) {
        drop_socket(dial);
        fail(dial, IM_SYSTEM, error.detail);
        return;
    }
    snprintf(peer, sizeof peer, "%.255s:%u", dial->host, dial->port);
    dial->stream = im_stream_open(&(struct im_stream_open){
        .env = dial->dialer->env,
        .fd = dial->fd,
        .tls = dial->tls ? dial->dialer->tls : NULL,
        .server = dial->host,
        .peer = peer,
        .ready = stream_ready,
        .failed = stream_failed,
        .release = stream_released,
        .ready_arg = dial,
        .release_arg = dial,
    });
}

/* Connecting. */

static void try_next(struct im_dial *dial);

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
    struct im_dial *dial = arg;
    socklen_t len = sizeof dial->error;
    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &dial->error, &len) != 0)
        dial->error = errno;
    if (dial->error != 0) {
        drop_socket(dial);
        try_next(dial);
        return;
    }
    event_free(dial->connected);
    dial->connected = NULL;
    open_stream(dial);
}

static bool connect_to(struct im_dial *dial, const struct evutil_addrinfo *a)
{
    dial->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool begun = dial->fd >= 0 && (connect(dial->fd, a->ai_addr, a->ai_addrlen) == 0 || errno == EINPROGRESS);
    if (!begun) {
        dial->error = errno;
        drop_socket(dial);
        return false;
    }
    dial->connected = event_new(dial->dialer->env->base, dial->fd, EV_WRITE, on_connected, dial);
    event_add(dial->connected, NULL);
    return true;
}

static void try_next(struct im_dial *dial)
{
    while (dial->next) {
        const struct evutil_addrinfo *a = dial->next;
        dial->next = a->ai_next;
        if (connect_to(dial, a))
            return;
    }
    fail(dial, IM_IO_FAILED, strerror(dial->error));
}

/* Resolving. */

static void on_resolved(int result, struct evutil_addrinfo *found, void *arg)
{
    struct im_dial *dial = arg;
    dial->dialer->resolving--;
    dial->request = NULL;
    dial->addresses = dial->next = found;
    if (dial->told)
        end_later(dial);
    else if (result != 0)
        fail(dial, IM_IO_FAILED, evutil_gai_strerror(result));
    else
        try_next(dial);
}

static void resolve(struct im_later *later)
{
    struct im_dial *dial = OWNER(later, later);
    const struct evutil_addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    struct evdns_base *dns = dial->told ? NULL : resolver(dial->dialer);
    char port[8];
    snprintf(port, sizeof port, "%u", dial->port);
    if (dial->told) {
        end(later);
    } else if (!dns) {
        fail(dial, IM_SYSTEM, "no resolver");
    } else {
        dial->dialer->resolving++;
        dial->request = evdns_getaddrinfo(dns, dial->host, port, &hints, on_resolved, dial);
    }
}

struct im_dial *im_dial_start(struct im_dialer *dialer, const struct im_dial_options *o)
{
    struct im_dial *dial = im_zalloc(sizeof *dial);
    dial->dialer = dialer;
    dial->host = im_strndup(o->host, strlen(o->host));
    dial->port = o->port;
    dial->tls = o->tls;
    dial->done = o->done;
    dial->arg = o->arg;
    dial->fd = -1;
    im_dialer_hold(dialer);
    im_later_add(im_loop_of(dialer->env), &dial->later, resolve);
    return dial;
}

void im_dial_cancel(struct im_dial *dial)
{
    assert(!dial->told);
    dial->told = true;
    if (dial->request) {
        evdns_getaddrinfo_cancel(dial->request);
    } else if (dial->stream) {
        im_stream_abort(dial->stream, IM_GONE);
    } else if (dial->connected) {
        drop_socket(dial);
        end_later(dial);
    }
}
