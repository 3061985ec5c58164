#ifndef IM_TESTS_CONFORM_PEER_H
#define IM_TESTS_CONFORM_PEER_H

#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The other side of a connection, plain or TLS, and the stage on which it meets the server: one thread, one step at a
 * time, so that a test sees each state it waits for. */

struct buffer {
    char *memory, *p; /* p: the first byte not eaten */
    size_t len, cap;
};
void buffer_put(struct buffer *, const void *data, size_t len);
void buffer_eat(struct buffer *, size_t len); /* from the front */
void buffer_clear(struct buffer *);

struct peer {
    int fd;
    SSL *ssl;
    bool secure;      /* the TLS handshake is done */
    bool deaf;        /* reads nothing */
    bool ended;       /* the server sent its end */
    bool broken;      /* the connection failed or was reset */
    unsigned blocked; /* steps in a row in which nothing could be written */
    size_t chunk;     /* bytes written per step; 0: as many as possible */
    struct buffer in, out;
};

#define STAGE_PEERS 64

struct stage {
    struct event_base *base;
    struct event *wake;
    struct peer *peers[STAGE_PEERS];
    size_t count;
    SSL_CTX *ssl;
};

void stage_open(struct stage *);
void stage_close(struct stage *); /* peers first */
/* One turn of the event loop, and one step of every peer. */
void stage_step(struct stage *);
void stage_step_peers(struct stage *); /* without the loop */
uint64_t now_ms(void);

/* Steps until the condition holds; fails the test if it does not within WAIT_MS. */
#define WAIT_MS 20000
#define UNTIL(stage, condition)                                                                                        \
    do {                                                                                                               \
        uint64_t until_ = now_ms() + WAIT_MS;                                                                          \
        while (!(condition)) {                                                                                         \
            if (now_ms() > until_)                                                                                     \
                fail_msg("waited in vain for: %s", #condition);                                                        \
            stage_step(stage);                                                                                         \
        }                                                                                                              \
    } while (0)

/* Over a connected descriptor, which becomes the peer's. */
struct peer *peer_new(struct stage *, int fd, bool tls);
/* Connects to "127.0.0.1:1234", "[::1]:1234" or a path. Without waiting: the server accepts on a later step. */
struct peer *peer_connect(struct stage *, const char *address, bool tls);
void peer_free(struct stage *, struct peer **); /* closes abruptly: no close_notify */
void peer_say(struct peer *, const char *text);
void peer_finish(struct peer *); /* sends the end, once everything is written; reading goes on */

/* A self-signed certificate and its key as PEM files. */
void make_certificate(const char *cert_path, const char *key_path, const char *name);
/* The subject's common name of the certificate that the server showed. */
void peer_certificate_name(const struct peer *, char out[64]);

#endif
