#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/mem.h"
#include "tools/imbench/bench.h"

/* WebSocket frames from a client are masked (RFC 6455, 5.3); with a mask of zeros they are as they were, and the server
 * has the same work. */

enum { BUFFER = 16384, EVENTS = 1024 };

void load_open(struct load *l)
{
    *l = (struct load){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    if (l->epoll < 0)
        die("epoll: %s", strerror(errno));
}

void load_close(struct load *l)
{
    close(l->epoll);
}

static int dial_ip(const char *address)
{
    char host[64];
    const char *colon = strrchr(address, ':');
    struct sockaddr_in a = {.sin_family = AF_INET};
    if (!colon || (size_t)(colon - address) >= sizeof host)
        die("%s: must be HOST:PORT", address);
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    a.sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &a.sin_addr) != 1)
        die("%s: not an IPv4 address", host);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        die("%s: %s", address, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static int dial_unix(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path)
        die("%s: too long for a socket's path", path);
    strcpy(a.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        die("%s: %s", path, strerror(errno));
    return fd;
}

static void upgrade(struct conn *c, const char *host, const char *path, bool json)
{
    char request[512], answer[4096];
    size_t len = 0;
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n",
                     path, host, json ? "Sec-WebSocket-Protocol: im.v1\r\n" : "");
    if (write(c->fd, request, (size_t)n) != n)
        die("upgrade: %s", strerror(errno));
    while (len < sizeof answer - 1) { /* byte by byte: what follows the head is already a frame */
        if (read(c->fd, answer + len, 1) != 1)
            die("upgrade: the server closed");
        answer[++len] = '\0';
        if (len >= 4 && memcmp(answer + len - 4, "\r\n\r\n", 4) == 0)
            break;
    }
    if (strncmp(answer, "HTTP/1.1 101", 12) != 0)
        die("upgrade: %.60s", answer);
}

void conn_open(struct load *l, struct conn *c, const struct bench_options *o, const char *path, bool json)
{
    c->websocket = strncmp(o->url, "ws://", 5) == 0;
    if (c->websocket || strncmp(o->url, "tcp://", 6) == 0)
        c->fd = dial_ip(strstr(o->url, "://") + 3);
    else if (strncmp(o->url, "unix:", 5) == 0)
        c->fd = dial_unix(o->url + 5);
    else
        die("%s: must begin with ws://, tcp:// or unix:", o->url);
    if (c->websocket)
        upgrade(c, o->url + 5, path, json);
    fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e);
}

void conn_close(struct load *l, struct conn *c)
{
    (void)l;
    close(c->fd);
    free(c->in);
    free(c->out);
    c->in = c->out = NULL;
    c->fd = -1;
}

static void append(struct conn *c, const void *data, size_t len)
{
    if (c->out_len + len > c->out_cap) {
        c->out_cap = (c->out_len + len) * 2;
        c->out = im_realloc(c->out, c->out_cap);
    }
    memcpy(c->out + c->out_len, data, len);
    c->out_len += len;
}

void conn_send(struct load *l, struct conn *c, const char *text, size_t len)
{
    if (c->websocket) {
        uint8_t head[14] = {0x81};
        size_t n = 2;
        if (len < 126) {
            head[1] = (uint8_t)(0x80 | len);
        } else {
            head[1] = 0x80 | 126;
            head[2] = (uint8_t)(len >> 8);
            head[3] = (uint8_t)len;
            n = 4;
        }
        append(c, head, n + 4);
        append(c, text, len);
    } else {
        append(c, text, len);
        append(c, "\n", 1);
    }
    if (!c->dirty) {
        c->dirty = true;
        c->next_dirty = l->dirty;
        l->dirty = c;
    }
}

static void watch_write(struct load *l, struct conn *c, bool on)
{
    struct epoll_event e = {.events = EPOLLIN | (on ? EPOLLOUT : 0u), .data.ptr = c};
    if (c->want_write == on)
        return;
    c->want_write = on;
    epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static void flush(struct load *l, struct conn *c)
{
    ssize_t n = c->out_len > 0 ? write(c->fd, c->out, c->out_len) : 0;
    l->writes++;
    if (n < 0 && errno != EAGAIN)
        die("connection %u: %s", c->number, strerror(errno));
    if (n > 0) {
        c->out_len -= (size_t)n;
        memmove(c->out, c->out + n, c->out_len);
    }
    watch_write(l, c, c->out_len > 0);
}

/* One message from the front of the input: bytes used, 0 if it is not all there. */
static size_t take_frame(struct conn *c, const uint8_t *p, size_t n)
{
    size_t head = 2, len = n >= 2 ? p[1] & 127 : 0;
    if (n < 2)
        return 0;
    if (len == 126) {
        head = 4;
        if (n < head)
            return 0;
        len = (size_t)p[2] << 8 | p[3];
    } else if (len == 127) {
        head = 10;
        if (n < head)
            return 0;
        len = (size_t)p[6] << 24 | (size_t)p[7] << 16 | (size_t)p[8] << 8 | p[9];
    }
    if (n < head + len)
        return 0;
    if ((p[0] & 15) == 8)
        die("connection %u: closed by the server: %.*s", c->number, (int)(len > 2 ? len - 2 : 0), p + head + 2);
    if ((p[0] & 15) == 1)
        c->ops->message(c, (const char *)p + head, len);
    return head + len;
}

static size_t take_line(struct conn *c, const uint8_t *p, size_t n)
{
    const uint8_t *end = memchr(p, '\n', n);
    if (!end)
        return 0;
    c->ops->message(c, (const char *)p, (size_t)(end - p));
    return (size_t)(end - p) + 1;
}

static void receive(struct load *l, struct conn *c)
{
    size_t at = 0, used;
    if (c->in_cap - c->in_len < BUFFER / 2) {
        c->in_cap = c->in_cap ? c->in_cap * 2 : BUFFER;
        c->in = im_realloc(c->in, c->in_cap);
    }
    ssize_t n = read(c->fd, c->in + c->in_len, c->in_cap - c->in_len);
    l->reads++;
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        die("connection %u: %s", c->number, n < 0 ? strerror(errno) : "the server closed");
    c->in_len += (size_t)n;
    while ((used = c->websocket ? take_frame(c, c->in + at, c->in_len - at) : take_line(c, c->in + at, c->in_len - at)))
        at += used;
    c->in_len -= at;
    memmove(c->in, c->in + at, c->in_len);
}

void load_turn(struct load *l, int ms)
{
    struct epoll_event events[EVENTS];
    while (l->dirty) {
        struct conn *c = l->dirty;
        l->dirty = c->next_dirty;
        c->dirty = false;
        flush(l, c);
    }
    int n = epoll_wait(l->epoll, events, EVENTS, ms);
    for (int i = 0; i < n; i++) {
        struct conn *c = events[i].data.ptr;
        if (events[i].events & EPOLLOUT)
            flush(l, c);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            receive(l, c);
    }
}
