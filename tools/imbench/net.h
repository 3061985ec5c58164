#ifndef IM_TOOLS_IMBENCH_NET_H
#define IM_TOOLS_IMBENCH_NET_H

#include <sys/socket.h>

#include "tools/imbench/wire.h"

/* Many connections to one server, on one thread and one epoll set. */

struct endpoint {
    enum wire_framing framing;
    bool tls;
    char host[256]; /* as it is in the URL, with the port */
    struct sockaddr_storage address;
    socklen_t len;
};
/* ws://, wss://, tcp:// or tls:// with HOST:PORT, or unix:PATH. False: *problem says why. */
bool endpoint_parse(struct endpoint *, const char *url, const char **problem);

struct conn;
struct conn_ops {
    void (*ready)(struct conn *);                  /* connected, and all that comes before messages is done */
    void (*message)(struct conn *, struct im_str); /* valid during the call */
    /* Exactly once; the connection may be opened again. why: what happened, valid during the call, or NULL after
     * conn_leave(). Not called for conn_close(). */
    void (*closed)(struct conn *, const char *why);
};

/*      CLOSED ──► DIALLING ──► SECURING (TLS) ──► UPGRADING (WebSocket) ──► OPEN ──► LEAVING ──► CLOSED
 *      from each of them also to CLOSED, when it fails. */
enum conn_state { CONN_CLOSED, CONN_DIALLING, CONN_SECURING, CONN_UPGRADING, CONN_OPEN, CONN_LEAVING };

/* Zero-initialise, but for ops. */
struct conn {
    const struct conn_ops *ops;
    struct net *net;
    struct conn *next_dirty;
    struct tls *tls;
    struct im_out in;  /* the part of a message that has come */
    struct im_out out; /* what has not left, from sent on */
    size_t sent;
    int fd;
    enum conn_state state;
    bool dirty;      /* in the net's list of those that have something to send */
    bool deaf;       /* reads nothing */
    bool small;      /* asks for a small receive buffer, when it is opened */
    uint32_t events; /* that epoll watches */
};

struct net {
    const struct endpoint *endpoint;
    struct tls_client *tls;
    struct deflate *deflate;   /* NULL: nothing is compressed */
    uint64_t secured, resumed; /* TLS handshakes; those of them that took up a session */
    struct conn *dirty;
    char *scratch;
    int epoll;
    uint64_t now; /* when what is being handled was read, or the turn began */
};

struct net_options {
    bool deflate; /* WebSockets: compress, and offer the server to */
    bool resume;  /* TLS: take up what the connection had before */
};
bool net_open(struct net *, const struct endpoint *, const struct net_options *, const char **problem);
void net_close(struct net *); /* connections first */
/* Sends what waits, then waits up to so many nanoseconds for something to happen, and handles all of it. */
void net_turn(struct net *, uint64_t ns);

/* path, subprotocol (may be NULL): of a WebSocket. What goes wrong is told by closed(), from here too. */
void conn_open(struct net *, struct conn *, const char *path, const char *subprotocol);
void conn_send(struct conn *, struct im_str text); /* OPEN only; leaves at the end of the call or with the next turn */
void conn_listen(struct conn *, bool on);          /* off: reads nothing, for the time being */
void conn_leave(struct conn *);                    /* says that it is done; the server then closes */
void conn_close(struct conn *);                    /* at once */

#endif
