/* The floor: the least that a single-threaded server must do to pass messages on. It knows one kind of WebSocket frame
 * and nothing else: no users, no store, no checks. What comes from /ws/A/B goes to the connection that came as /ws/B/A;
 * if there is none, to all connections but the one it came from. As little as can be, but batched as well as can be:
 * all that can be read is read before anything is written, and each connection is written to once.
 *
 * usage: floor     prints the port on 127.0.0.1 that it serves, until it is killed */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/bytes.h"
#include "core/mem.h"

enum { CONNECTIONS = 65536, IN = 64 * 1024, EVENTS = 1024, RETRY_MS = 1 };

struct conn {
    int fd;
    bool upgraded, dirty;
    char from[64], to[64];
    struct conn *peer;
    uint8_t *in;
    size_t in_len;
    struct im_out out;
};

struct floor {
    int epoll, listener;
    unsigned count, dirty_count;
    struct conn *conns[CONNECTIONS], *dirty[CONNECTIONS];
};

static void put(struct floor *f, struct conn *c, const void *data, size_t len)
{
    im_out_put(&c->out, data, len);
    if (!c->dirty)
        f->dirty[f->dirty_count++] = c;
    c->dirty = true;
}

static void find_peer(struct floor *f, struct conn *c)
{
    for (unsigned i = 0; i < f->count && !c->peer; i++) {
        struct conn *other = f->conns[i];
        if (other != c && strcmp(other->from, c->to) == 0 && strcmp(other->to, c->from) == 0) {
            c->peer = other;
            other->peer = c;
        }
    }
}

static void upgrade(struct floor *f, struct conn *c)
{
    static const char answer[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    c->in[c->in_len] = '\0';
    if (!strstr((char *)c->in, "\r\n\r\n") || sscanf((char *)c->in, "GET /ws/%63[^/]/%63[^ ]", c->from, c->to) != 2)
        return;
    c->upgraded = true;
    c->in_len = 0;
    find_peer(f, c);
    put(f, c, answer, sizeof answer - 1);
}

/* The frame as a server sends it is the frame as it came, without the key. */
static void pass_on(struct floor *f, const struct conn *c, uint8_t *frame, size_t head, size_t len)
{
    const uint8_t *key = frame + head - 4;
    uint8_t *payload = frame + head, *start = frame + 4;
    for (size_t i = 0; i < len; i++)
        payload[i] ^= key[i & 3];
    memmove(start, frame, head - 4);
    start[1] &= 127;
    size_t total = head - 4 + len;
    if (c->peer) {
        put(f, c->peer, start, total);
        return;
    }
    for (unsigned i = 0; i < f->count; i++)
        if (f->conns[i] != c)
            put(f, f->conns[i], start, total);
}

static void take(struct floor *f, struct conn *c)
{
    size_t at = 0;
    while (c->in_len - at >= 8) {
        const uint8_t *p = c->in + at;
        size_t len = p[1] & 127, head = 6;
        if (len == 126) {
            head = 8;
            len = (size_t)p[2] << 8 | p[3];
        }
        if (c->in_len - at < head + len)
            break;
        pass_on(f, c, c->in + at, head, len);
        at += head + len;
    }
    c->in_len -= at;
    if (c->in_len > 0)
        memmove(c->in, c->in + at, c->in_len);
}

static void remove_from(struct conn **list, unsigned *count, const struct conn *c)
{
    for (unsigned i = 0; i < *count; i++)
        if (list[i] == c)
            list[i--] = list[--*count];
}

static void drop(struct floor *f, struct conn *c)
{
    remove_from(f->conns, &f->count, c);
    remove_from(f->dirty, &f->dirty_count, c);
    if (c->peer)
        c->peer->peer = NULL;
    close(c->fd);
    im_out_clear(&c->out);
    free(c->in);
    free(c);
}

static void receive(struct floor *f, struct conn *c)
{
    ssize_t n = read(c->fd, c->in + c->in_len, IN - c->in_len - 1);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(f, c);
        return;
    }
    c->in_len += (size_t)n;
    if (c->upgraded)
        take(f, c);
    else
        upgrade(f, c);
}

/* False: something is left, to be tried again. */
static bool flush(struct conn *c)
{
    ssize_t n = write(c->fd, im_out_data(&c->out), c->out.len);
    size_t left = n > 0 ? c->out.len - (size_t)n : c->out.len;
    if (n > 0 && left > 0)
        memmove(c->out.bytes->data, c->out.bytes->data + n, left);
    c->out.len = left;
    c->dirty = left > 0;
    return left == 0;
}

static void flush_all(struct floor *f)
{
    unsigned left = 0;
    for (unsigned i = 0; i < f->dirty_count; i++)
        if (!flush(f->dirty[i]))
            f->dirty[left++] = f->dirty[i];
    f->dirty_count = left;
}

static void accept_one(struct floor *f)
{
    int one = 1, fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (f->count == CONNECTIONS) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct conn *c = im_zalloc(sizeof *c);
    c->fd = fd;
    c->in = im_alloc(IN);
    f->conns[f->count++] = c;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &e);
}

static bool listen_anywhere(struct floor *f)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (bind(f->listener, (struct sockaddr *)&a, sizeof a) != 0 || listen(f->listener, 1024) != 0 ||
        getsockname(f->listener, (struct sockaddr *)&a, &len) != 0 ||
        epoll_ctl(f->epoll, EPOLL_CTL_ADD, f->listener, &e) != 0)
        return false;
    printf("%u\n", ntohs(a.sin_port));
    return fflush(stdout) == 0;
}

static void turn(struct floor *f)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(f->epoll, events, EVENTS, f->dirty_count > 0 ? RETRY_MS : -1);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr)
            receive(f, events[i].data.ptr);
        else
            accept_one(f);
    }
    flush_all(f);
}

int main(void)
{
    struct floor *f = im_zalloc(sizeof *f);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (!listen_anywhere(f)) {
        perror("floor");
        return EX_OSERR;
    }
    for (;;)
        turn(f);
}
