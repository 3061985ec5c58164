/* The floor: the least that a single-threaded server must do to pass messages on. It knows one kind of WebSocket frame
 * and nothing else: no users, no store, no checks. /ws/A/B passes what comes on to the connection that came as /ws/B/A;
 * /ws/A/all… to all connections but the one it came from.
 *
 * usage: floor PORT     serves 127.0.0.1:PORT until it is killed */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 32768, BUFFER = 64 * 1024, EVENTS = 1024 };

struct conn {
    int fd;
    bool upgraded, dirty;
    char from[32], to[32];
    struct conn *peer;
    uint8_t *in, *out;
    size_t in_len, out_len, out_cap;
};

static struct conn *conns[CONNECTIONS];
static struct conn *dirty[CONNECTIONS];
static int count, dirty_count;

static void put(struct conn *c, const uint8_t *data, size_t len)
{
    if (c->out_len + len > c->out_cap) {
        c->out_cap = (c->out_len + len) * 2;
        c->out = realloc(c->out, c->out_cap);
    }
    memcpy(c->out + c->out_len, data, len);
    c->out_len += len;
    if (!c->dirty)
        dirty[dirty_count++] = c;
    c->dirty = true;
}

static void find_peer(struct conn *c)
{
    for (int i = 0; i < count && !c->peer; i++)
        if (conns[i] != c && strcmp(conns[i]->from, c->to) == 0 && strcmp(conns[i]->to, c->from) == 0) {
            c->peer = conns[i];
            conns[i]->peer = c;
        }
}

static void upgrade(struct conn *c)
{
    static const char answer[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    c->in[c->in_len] = '\0';
    if (!strstr((char *)c->in, "\r\n\r\n") || sscanf((char *)c->in, "GET /ws/%31[^/]/%31[^ ]", c->from, c->to) != 2)
        return;
    c->upgraded = true;
    c->in_len = 0;
    find_peer(c);
    put(c, (const uint8_t *)answer, sizeof answer - 1);
}

static void pass_on(struct conn *c, uint8_t *frame, size_t head, size_t len)
{
    uint8_t *mask = frame + head - 4, *payload = frame + head, *start = payload - (len < 126 ? 2 : 4);
    for (size_t i = 0; i < len; i++)
        payload[i] ^= mask[i & 3];
    if (len >= 126) {
        start[2] = (uint8_t)(len >> 8);
        start[3] = (uint8_t)len;
    }
    start[0] = 0x81;
    start[1] = (uint8_t)(len < 126 ? len : 126);
    size_t total = len + (size_t)(payload - start);
    if (c->peer) {
        put(c->peer, start, total);
        return;
    }
    for (int i = 0; i < count; i++)
        if (conns[i] != c)
            put(conns[i], start, total);
}

static void take(struct conn *c)
{
    size_t at = 0;
    while (c->in_len - at >= 6) {
        size_t len = c->in[at + 1] & 127, head = 6;
        if (len == 126) {
            head = 8;
            if (c->in_len - at < head)
                break;
            len = (size_t)c->in[at + 2] << 8 | c->in[at + 3];
        }
        if (c->in_len - at < head + len)
            break;
        pass_on(c, c->in + at, head, len);
        at += head + len;
    }
    c->in_len -= at;
    if (c->in_len > 0)
        memmove(c->in, c->in + at, c->in_len);
}

static void drop(struct conn *c)
{
    for (int i = 0; i < count; i++)
        if (conns[i] == c)
            conns[i--] = conns[--count];
    for (int i = 0; i < dirty_count; i++)
        if (dirty[i] == c)
            dirty[i--] = dirty[--dirty_count];
    if (c->peer)
        c->peer->peer = NULL;
    close(c->fd);
    free(c->in);
    free(c->out);
    free(c);
}

static void receive(struct conn *c)
{
    ssize_t n = read(c->fd, c->in + c->in_len, BUFFER - c->in_len - 1);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(c);
        return;
    }
    c->in_len += (size_t)n;
    if (c->upgraded)
        take(c);
    else
        upgrade(c);
}

static void flush(struct conn *c)
{
    ssize_t n = write(c->fd, c->out, c->out_len);
    c->dirty = false;
    if (n <= 0)
        return;
    c->out_len -= (size_t)n;
    if (c->out_len > 0)
        memmove(c->out, c->out + n, c->out_len);
}

static void accept_one(int listener, int epoll)
{
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0 || count == CONNECTIONS)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct conn *c = calloc(1, sizeof *c);
    c->fd = fd;
    c->in = malloc(BUFFER);
    conns[count++] = c;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0), one = 1;
    if (argc != 2)
        return 64;
    a.sin_port = htons((uint16_t)atoi(argv[1]));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&a, sizeof a) != 0 || listen(listener, 1024) != 0) {
        perror("floor");
        return 71;
    }
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                receive(events[i].data.ptr);
            else
                accept_one(listener, epoll);
        }
        while (dirty_count > 0)
            flush(dirty[--dirty_count]);
    }
}
