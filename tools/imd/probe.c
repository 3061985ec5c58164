#include "tools/imd/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/mem.h"
#include "tools/imd/hooks.h"
#include "transports/dial.h"
#include "transports/listener.h"
#include "transports/loop.h"
#include "transports/stream.h"

#define PATIENCE_MS 3000

struct probe {
    struct imd *imd;
    const struct im_transport *transport; /* NULL: HTTP, metrics */
    void (*done)(void *arg, const char *problem);
    void *arg;
    struct im_timer timer;
    struct im_dial *dial;     /* while it is under way */
    struct im_stream *stream; /* once there is one */
    char heard[512];
    size_t len;
    bool answered;
    char problem[200];
};

static struct im_transport_env *env_of(const struct probe *p)
{
    return &p->imd->admin_service.env;
}

static void end(struct probe *p)
{
    im_timer_stop(im_loop_of(env_of(p)), &p->timer);
    p->imd->jobs--;
    p->done(p->arg, p->answered ? NULL : *p->problem ? p->problem : "no answer");
    free(p);
}

static const char *question(const struct probe *p)
{
    if (!p->transport)
        return "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if (p->transport == &im_transport_websocket)
        return "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
               "Sec-WebSocket-Protocol: im.v1\r\n\r\n";
    return "{\"op\":\"hello\",\"id\":1}\n";
}

static const char *answer(const struct probe *p)
{
    if (!p->transport)
        return "HTTP/1.1 200 ";
    return p->transport == &im_transport_websocket ? "HTTP/1.1 101 " : "\"op\":\"ok\"";
}

static size_t on_bytes(void *ctx, const uint8_t *bytes, size_t n)
{
    struct probe *p = ctx;
    size_t room = sizeof p->heard - 1 - p->len, part = n < room ? n : room;
    memcpy(p->heard + p->len, bytes, part);
    p->len += part;
    p->answered = p->answered || strstr(p->heard, answer(p)) != NULL;
    if (p->answered || part < n)
        im_stream_abort(p->stream, IM_BYE);
    return n;
}

static void on_ended(void *ctx, enum im_reason reason)
{
    struct probe *p = ctx;
    if (!p->answered && !*p->problem)
        snprintf(p->problem, sizeof p->problem, "closed without an answer (%s)", im_reason_name(reason));
    end(p);
}

static void on_late(struct im_timer *timer)
{
    struct probe *p = (struct probe *)(void *)((char *)timer - offsetof(struct probe, timer));
    snprintf(p->problem, sizeof p->problem, "no answer in %d seconds", PATIENCE_MS / 1000);
    if (p->stream) {
        im_stream_abort(p->stream, IM_BYE);
    } else {
        im_dial_cancel(p->dial);
        end(p);
    }
}

static void attach(struct probe *p, struct im_stream *stream)
{
    static const struct im_stream_ops ops = {.bytes = on_bytes, .ended = on_ended};
    p->stream = stream;
    im_stream_attach(stream, &ops, p);
    im_stream_write(stream, question(p), strlen(question(p)));
}

static void dialled(void *arg, struct im_stream *stream, enum im_reason reason, const char *problem)
{
    struct probe *p = arg;
    (void)reason;
    p->dial = NULL;
    if (stream) {
        attach(p, stream);
        return;
    }
    snprintf(p->problem, sizeof p->problem, "%s", problem);
    p->answered = strstr(problem, "certificate") != NULL; /* for which it had to talk TLS */
    end(p);
}

static void dial(struct probe *p, const char *address, bool tls)
{
    struct sockaddr_storage sa;
    int len = sizeof sa;
    char host[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in *v4 = (const void *)&sa;
    const struct sockaddr_in6 *v6 = (const void *)&sa;
    if (evutil_parse_sockaddr_port(address, (struct sockaddr *)(void *)&sa, &len) != 0) {
        snprintf(p->problem, sizeof p->problem, "%.100s is no address", address);
        end(p);
        return;
    }
    bool four = sa.ss_family == AF_INET;
    inet_ntop(sa.ss_family, four ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr, host, sizeof host);
    p->dial = im_dial_start(
        imd_hooks_dialer(p->imd->hooks),
        &(struct im_dial_options){
            .host = host, .port = ntohs(four ? v4->sin_port : v6->sin6_port), .tls = tls, .done = dialled, .arg = p});
}

static void on_ready(void *arg, struct im_stream *stream)
{
    attach(arg, stream);
}

static void on_failed(void *arg, const char *problem)
{
    struct probe *p = arg;
    snprintf(p->problem, sizeof p->problem, "%s", problem);
    end(p);
}

static void connect_unix(struct probe *p, const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (const struct sockaddr *)(const void *)&sun, sizeof sun) != 0) {
        snprintf(p->problem, sizeof p->problem, "%s", strerror(errno));
        if (fd >= 0)
            close(fd);
        end(p);
        return;
    }
    p->stream = im_stream_open(&(struct im_stream_open){
        .env = env_of(p), .fd = fd, .peer = "probe", .ready = on_ready, .failed = on_failed, .ready_arg = p});
}

void imd_probe(struct imd *imd, const struct imd_listener *l, void (*done)(void *arg, const char *problem), void *arg)
{
    struct probe *p = im_zalloc(sizeof *p);
    const char *address = im_listener_address(l->listener);
    *p = (struct probe){.imd = imd, .transport = l->transport, .done = done, .arg = arg};
    imd->jobs++;
    im_timer_start(im_loop_of(env_of(p)), &p->timer, PATIENCE_MS, on_late);
    if (*address == '/' || l->transport == &im_transport_unix)
        connect_unix(p, address);
    else
        dial(p, address, im_listener_config(l->listener)->tls_cert != NULL);
}
