#include "tools/imbench/net.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/mem.h"
#include "tools/imbench/deflate.h"
#include "tools/imbench/proc.h"
#include "tools/imbench/tls.h"

enum { EVENTS = 512, SCRATCH = 256 * 1024, SMALL_BUFFER = 4096 };

/* Endpoints. */

static bool resolve(struct endpoint *e, const char **problem)
{
    char host[sizeof e->host], *name = host;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    strcpy(host, e->host);
    char *colon = strrchr(host, ':');
    if (!colon || colon == host || !colon[1]) {
        *problem = "needs HOST:PORT";
        return false;
    }
    *colon = '\0';
    if (*name == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        name++;
    }
    uint64_t port;
    if (!im_str_u64(im_str(colon + 1), &port) || port < 1 || port > UINT16_MAX) {
        *problem = "needs a port from 1 to 65535";
        return false;
    }
    int rc = getaddrinfo(name, colon + 1, &hints, &found);
    if (rc != 0) {
        *problem = gai_strerror(rc);
        return false;
    }
    memcpy(&e->address, found->ai_addr, found->ai_addrlen);
    e->len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static bool take_path(struct endpoint *e, const char *path, const char **problem)
{
    struct sockaddr_un *a = (struct sockaddr_un *)&e->address;
    if (!*path || strlen(path) >= sizeof a->sun_path) {
        *problem = *path ? "the path is too long for a socket" : "needs a path";
        return false;
    }
    a->sun_family = AF_UNIX;
    strcpy(a->sun_path, path);
    e->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
    return true;
}

bool endpoint_parse(struct endpoint *e, const char *url, const char **problem)
{
    static const struct {
        const char *scheme;
        enum wire_framing framing;
        bool tls;
    } schemes[] = {
        {"ws://", WIRE_WEBSOCKET, false},
        {"wss://", WIRE_WEBSOCKET, true},
        {"tcp://", WIRE_LINES, false},
        {"tls://", WIRE_LINES, true},
    };
    *e = (struct endpoint){.framing = WIRE_LINES};
    if (strncmp(url, "unix:", 5) == 0)
        return take_path(e, url + 5, problem);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t len = strlen(schemes[i].scheme);
        if (strncmp(url, schemes[i].scheme, len) != 0)
            continue;
        e->framing = schemes[i].framing;
        e->tls = schemes[i].tls;
        size_t host = strcspn(url + len, "/");
        *problem = "the host's name is too long";
        if (host >= sizeof e->host)
            return false;
        memcpy(e->host, url + len, host);
        return resolve(e, problem);
    }
    *problem = "must begin with ws://, wss://, tcp://, tls:// or unix:";
    return false;
}

/* The net. */

bool net_open(struct net *net, const struct endpoint *endpoint, const struct net_options *o, const char **problem)
{
    *net = (struct net){.endpoint = endpoint, .epoll = epoll_create1(EPOLL_CLOEXEC), .now = now_ns()};
    if (endpoint->tls)
        net->tls = tls_client_new(o->resume);
    if (o->deflate)
        net->deflate = deflate_new();
    *problem = net->epoll < 0 ? strerror(errno) : "OpenSSL refuses";
    net->scratch = im_alloc(SCRATCH);
    return net->epoll >= 0 && (net->tls || !endpoint->tls);
}

void net_close(struct net *net)
{
    if (net->epoll >= 0)
        close(net->epoll);
    tls_client_free(&net->tls);
    deflate_free(&net->deflate);
    free(net->scratch);
}

static void watch(struct conn *c)
{
    bool unsent = c->out.len > c->sent && c->state >= CONN_UPGRADING;
    uint32_t events = (c->deaf ? 0u : EPOLLIN) | (unsent || c->state == CONN_DIALLING ? EPOLLOUT : 0u);
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (events == c->events)
        return;
    epoll_ctl(c->net->epoll, EPOLL_CTL_MOD, c->fd, &e);
    c->events = events;
}

void conn_close(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    c->state = CONN_CLOSED;
    tls_free(&c->tls);
    close(c->fd);
    im_out_clear(&c->in);
    im_out_clear(&c->out);
    c->sent = 0;
}

static void fail(struct conn *c, const char *why)
{
    bool left = c->state == CONN_LEAVING;
    conn_close(c);
    c->ops->closed(c, left ? NULL : why);
}

static void fail_errno(struct conn *c)
{
    char why[128];
    snprintf(why, sizeof why, "%s", strerror(errno));
    fail(c, why);
}

/* Sending. */

static ssize_t put(struct conn *c, const void *data, size_t len)
{
    return c->tls ? tls_write(c->tls, data, len) : send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void flush(struct conn *c)
{
    if (c->state < CONN_UPGRADING || c->state == CONN_LEAVING)
        return;
    while (c->out.len > c->sent) {
        ssize_t n = put(c, im_out_data(&c->out) + c->sent, c->out.len - c->sent);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            fail_errno(c);
            return;
        }
        c->sent += (size_t)n;
    }
    if (c->out.len == c->sent)
        c->out.len = c->sent = 0;
    watch(c);
}

static void mark(struct conn *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    c->next_dirty = c->net->dirty;
    c->net->dirty = c;
}

static void flush_all(struct net *net)
{
    while (net->dirty) {
        struct conn *c = net->dirty;
        net->dirty = c->next_dirty;
        c->dirty = false;
        flush(c);
    }
}

void conn_send(struct conn *c, struct im_str text)
{
    if (c->state != CONN_OPEN)
        return;
    if (c->net->deflate)
        wire_put_packed(&c->out, deflate_pack(c->net->deflate, text));
    else
        wire_put(c->net->endpoint->framing, &c->out, text);
    mark(c);
}

/* Receiving. */

static void closed_by_server(struct conn *c, struct im_str reason)
{
    char why[200];
    snprintf(why, sizeof why, "the server closed it%s%.*s", reason.len > 0 ? ": " : "", (int)reason.len, reason.p);
    fail(c, why);
}

static void take_text(struct conn *c, struct im_str text, bool packed)
{
    if (packed && c->net->deflate)
        text = deflate_unpack(c->net->deflate, text);
    if (text.p && (!packed || c->net->deflate))
        c->ops->message(c, text);
    else
        fail(c, "the server sent what is not compressed as agreed");
}

/* Bytes used of the input. */
static size_t take_messages(struct conn *c, struct im_str in)
{
    size_t at = 0;
    while (c->state == CONN_OPEN && at < in.len) {
        struct wire_message m = wire_take(c->net->endpoint->framing, (struct im_str){in.p + at, in.len - at});
        at += m.used;
        if (m.kind == WIRE_PART) {
            break;
        } else if (m.kind == WIRE_TEXT) {
            take_text(c, m.data, m.packed);
        } else if (m.kind == WIRE_PING) {
            wire_put_pong(&c->out, m.data);
            mark(c);
        } else if (m.kind == WIRE_CLOSE) {
            closed_by_server(c, m.data);
        } else if (m.kind == WIRE_BAD) {
            fail(c, "the server sent something that is not a frame");
        }
    }
    return at;
}

static void become_open(struct conn *c)
{
    c->state = CONN_OPEN;
    c->ops->ready(c);
}

static size_t take_upgrade(struct conn *c, struct im_str in)
{
    char why[100];
    bool good;
    size_t head = wire_take_answer(in, &good);
    if (head > 0 && good) {
        become_open(c);
    } else if (head > 0) {
        size_t line = strcspn(in.p, "\r\n");
        snprintf(why, sizeof why, "no upgrade: %.*s", (int)(line < 60 ? line : 60), in.p);
        fail(c, why);
    }
    return head;
}

static size_t take(struct conn *c, struct im_str in)
{
    size_t at = 0;
    if (c->state == CONN_LEAVING)
        return in.len;
    if (c->state == CONN_UPGRADING)
        at = take_upgrade(c, in);
    return at + take_messages(c, (struct im_str){in.p + at, in.len - at});
}

/* Most reads end with a whole message, so that nothing need be kept. */
static void digest(struct conn *c, size_t n)
{
    struct im_str in = {c->net->scratch, n};
    struct im_bytes *old = NULL;
    if (c->in.len > 0) {
        im_out_put(&c->in, in.p, in.len);
        old = im_out_take(&c->in);
        in = (struct im_str){(const char *)old->data, old->len};
    }
    size_t used = take(c, in);
    if (c->state != CONN_CLOSED && used < in.len)
        im_out_put(&c->in, in.p + used, in.len - used);
    im_bytes_drop(&old);
}

static ssize_t get(struct conn *c)
{
    return c->tls ? tls_read(c->tls, c->net->scratch, SCRATCH) : recv(c->fd, c->net->scratch, SCRATCH, MSG_DONTWAIT);
}

/* TLS gives a record at a time, and holds what it has read of the next: it is asked until it has nothing. */
static void receive(struct conn *c)
{
    do {
        ssize_t n = get(c);
        c->net->now = now_ns();
        if (n > 0) {
            digest(c, (size_t)n);
        } else if (n == 0) {
            closed_by_server(c, IM_STR(""));
        } else {
            if (errno != EAGAIN)
                fail_errno(c);
            return;
        }
    } while (c->tls && !c->deaf);
}

/* Opening. */

static void upgrade_or_open(struct conn *c)
{
    if (c->net->endpoint->framing == WIRE_WEBSOCKET) {
        c->state = CONN_UPGRADING;
        flush(c);
    } else {
        become_open(c);
    }
}

static void secure(struct conn *c)
{
    int done = tls_handshake(c->tls);
    if (done > 0) {
        c->net->secured++;
        c->net->resumed += tls_resumed(c->tls);
        upgrade_or_open(c);
    } else if (done < 0)
        fail(c, "the TLS handshake failed");
    else
        watch(c);
}

static void connected(struct conn *c)
{
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        errno = error;
        fail_errno(c);
        return;
    }
    if (!c->net->tls) {
        upgrade_or_open(c);
        return;
    }
    c->state = CONN_SECURING;
    c->tls = tls_new(c->net->tls, c->fd);
    if (c->tls)
        secure(c);
    else
        fail(c, "OpenSSL refuses");
}

/* A connection to a Unix socket is made at once, or waits for its place in the server's queue. */
static bool dial(struct conn *c)
{
    const struct endpoint *e = c->net->endpoint;
    int one = 1, small = SMALL_BUFFER, family = e->address.ss_family;
    c->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | (family == AF_UNIX ? 0 : SOCK_NONBLOCK), 0);
    if (c->fd < 0)
        return false;
    if (family != AF_UNIX)
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (c->small)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (connect(c->fd, (const struct sockaddr *)&e->address, e->len) != 0 && errno != EINPROGRESS)
        return false;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    c->events = event.events;
    return epoll_ctl(c->net->epoll, EPOLL_CTL_ADD, c->fd, &event) == 0;
}

void conn_open(struct net *net, struct conn *c, const char *path, const char *subprotocol)
{
    c->net = net;
    c->state = CONN_DIALLING;
    c->deaf = false;
    if (net->endpoint->framing == WIRE_WEBSOCKET)
        wire_put_request(&c->out, &(struct wire_request){.host = net->endpoint->host,
                                                         .path = path,
                                                         .subprotocol = subprotocol,
                                                         .extension = net->deflate ? DEFLATE_OFFER : NULL});
    if (!dial(c))
        fail_errno(c);
}

void conn_listen(struct conn *c, bool on)
{
    c->deaf = !on;
    if (c->state != CONN_CLOSED)
        watch(c);
}

void conn_leave(struct conn *c)
{
    flush(c);
    if (c->state == CONN_CLOSED)
        return;
    c->state = CONN_LEAVING;
    if (c->tls)
        tls_end(c->tls);
    shutdown(c->fd, SHUT_WR);
    c->out.len = c->sent = 0;
    watch(c);
}

/* The turn. */

static void handle(struct conn *c, uint32_t events)
{
    if (c->state == CONN_DIALLING && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
        connected(c);
        return;
    }
    if (c->state == CONN_SECURING) {
        secure(c);
        return;
    }
    if (events & EPOLLOUT)
        flush(c);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && c->state >= CONN_UPGRADING)
        receive(c);
    if (c->dirty && c->state == CONN_OPEN)
        flush(c); /* it stays in the list, where nothing is left to do for it */
}

void net_turn(struct net *net, uint64_t ns)
{
    struct epoll_event events[EVENTS];
    struct timespec wait = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    flush_all(net);
    int n = epoll_pwait2(net->epoll, events, EVENTS, &wait, NULL);
    net->now = now_ns();
    for (int i = 0; i < n; i++)
        handle(events[i].data.ptr, events[i].events);
}
