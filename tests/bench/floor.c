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

enum { CONNECTIONS = 65536, IN = 128 * 1024, EVENTS = 1024, RETRY_MS = 1 };

struct conn {
    int fd;
    bool upgraded, dirty;
    struct conn *peer;
    struct im_out rest; /* of what came: a part of a frame */
    struct im_out out;
    char from[64], to[64];
};

struct floor {
    int epoll, listener;
    unsigned count, dirty_count;
    struct conn *conns[CONNECTIONS], *dirty[CONNECTIONS];
    uint32_t hashes[CONNECTIONS]; /* of each connection's names; 0 before it has any */
    uint8_t in[IN];
};

static void put(struct floor *f, struct conn *c, const void *data, size_t len)
{
    im_out_put(&c->out, data, len);
    if (!c->dirty)
        f->dirty[f->dirty_count++] = c;
    c->dirty = true;
}

static uint32_t hash(const char *from, const char *to)
{
    uint32_t h = 2166136261u;
    for (const char *p = from; *p; p++)
        h = (h ^ (uint8_t)*p) * 16777619u;
    h = (h ^ '/') * 16777619u;
    for (const char *p = to; *p; p++)
        h = (h ^ (uint8_t)*p) * 16777619u;
    return h | 1;
}

static void find_peer(struct floor *f, struct conn *c)
{
    uint32_t peers = hash(c->to, c->from);
    for (unsigned i = 0; i < f->count; i++) {
        struct conn *other = f->conns[i];
        if (other == c)
            f->hashes[i] = hash(c->from, c->to);
        else if (f->hashes[i] == peers && strcmp(other->from, c->to) == 0 && strcmp(other->to, c->from) == 0) {
            c->peer = other;
            other->peer = c;
        }
    }
}

static void upgrade(struct floor *f, struct conn *c, const char *head)
{
    static const char answer[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    if (!strstr(head, "\r\n\r\n")) {
        im_out_str(&c->rest, head);
        return;
    }
    if (sscanf(head, "GET /ws/%63[^/]/%63[^ ]", c->from, c->to) != 2)
        return;
    c->upgraded = true;
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

static void take(struct floor *f, struct conn *c, size_t in_len)
{
    size_t at = 0;
    while (in_len - at >= 8) {
        const uint8_t *p = f->in + at;
        size_t len = p[1] & 127, head = 6;
        if (len == 126) {
            head = 8;
            len = (size_t)p[2] << 8 | p[3];
        }
        if (in_len - at < head + len)
            break;
        pass_on(f, c, f->in + at, head, len);
        at += head + len;
    }
    im_out_put(&c->rest, f->in + at, in_len - at);
}

static void drop(struct floor *f, struct conn *c)
{
    for (unsigned i = 0; i < f->count; i++)
        if (f->conns[i] == c) {
            f->conns[i] = f->conns[--f->count];
            f->hashes[i--] = f->hashes[f->count];
        }
    for (unsigned i = 0; i < f->dirty_count; i++)
        if (f->dirty[i] == c)
            f->dirty[i--] = f->dirty[--f->dirty_count];
    if (c->peer)
        c->peer->peer = NULL;
    close(c->fd);
    im_out_clear(&c->out);
    im_out_clear(&c->rest);
    free(c);
}

static void receive(struct floor *f, struct conn *c)
{
    size_t kept = c->rest.len;
    memcpy(f->in, im_out_data(&c->rest), kept);
    ssize_t n = read(c->fd, f->in + kept, IN - kept - 1);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(f, c);
        return;
    }
    c->rest.len = 0;
    f->in[kept + (size_t)n] = '\0';
    if (c->upgraded)
        take(f, c, kept + (size_t)n);
    else
        upgrade(f, c, (const char *)f->in);
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
    f->hashes[f->count] = 0;
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
