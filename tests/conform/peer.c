#include "tests/conform/peer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "core/mem.h"
#include "transports/loop.h"

void buffer_put(struct buffer *b, const void *data, size_t len)
{
    size_t eaten = b->len ? (size_t)(b->p - b->memory) : 0;
    if (b->cap < eaten + b->len + len) {
        if (b->len > 0)
            memmove(b->memory, b->p, b->len);
        b->cap = (b->len + len) * 2;
        b->memory = im_realloc(b->memory, b->cap);
        eaten = 0;
    }
    b->p = b->memory + eaten;
    if (len > 0)
        memcpy(b->p + b->len, data, len);
    b->len += len;
}

void buffer_eat(struct buffer *b, size_t len)
{
    assert(len <= b->len);
    b->len -= len;
    b->p += len;
}

void buffer_clear(struct buffer *b)
{
    free(b->memory);
    *b = (struct buffer){0};
}

uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void woken(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
}

void stage_open(struct stage *stage)
{
    *stage = (struct stage){.base = im_loop_base_new(), .ssl = SSL_CTX_new(TLS_client_method())};
    signal(SIGPIPE, SIG_IGN);
    stage->wake = event_new(stage->base, -1, EV_PERSIST, woken, NULL);
    event_add(stage->wake, &(struct timeval){.tv_usec = 1000});
    SSL_CTX_set_options(stage->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(stage->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

void stage_close(struct stage *stage)
{
    while (stage->count > 0)
        peer_free(stage, &(struct peer *){stage->peers[0]});
    SSL_CTX_free(stage->ssl);
    event_free(stage->wake);
    event_base_free(stage->base);
}

/* A step of one peer. */

static void fail_peer(struct peer *p, ssize_t result)
{
    if (!p->ssl && result == 0) {
        p->ended = true;
        return;
    }
    if (!p->ssl && (errno == EAGAIN || errno == ENOTCONN))
        return;
    int error = p->ssl ? SSL_get_error(p->ssl, (int)result) : SSL_ERROR_SYSCALL;
    if (error == SSL_ERROR_ZERO_RETURN)
        p->ended = true;
    else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        p->broken = true;
    ERR_clear_error();
}

static bool shake_hands(struct peer *p)
{
    if (!p->ssl || p->secure)
        return true;
    int result = SSL_connect(p->ssl);
    p->secure = result == 1;
    if (!p->secure)
        fail_peer(p, result);
    return p->secure;
}

static bool write_some(struct peer *p)
{
    size_t most = p->chunk ? p->chunk : 65536, n = p->out.len < most ? p->out.len : most;
    ssize_t done = p->ssl ? SSL_write(p->ssl, p->out.p, (int)n) : send(p->fd, p->out.p, n, MSG_NOSIGNAL);
    if (done <= 0) {
        p->blocked++;
        fail_peer(p, done);
        return false;
    }
    p->blocked = 0;
    buffer_eat(&p->out, (size_t)done);
    return true;
}

static void step_out(struct peer *p)
{
    while (p->out.len > 0 && write_some(p) && !p->chunk)
        continue;
}

static void step_in(struct peer *p)
{
    char data[65536];
    ssize_t n = 1;
    while (!p->deaf && !p->ended && !p->broken && n > 0) {
        n = p->ssl ? SSL_read(p->ssl, data, sizeof data) : read(p->fd, data, sizeof data);
        if (n > 0)
            buffer_put(&p->in, data, (size_t)n);
        else
            fail_peer(p, n);
    }
}

static void step_peer(struct peer *p)
{
    if (p->broken || !shake_hands(p))
        return;
    step_out(p);
    step_in(p);
}

void stage_step_peers(struct stage *stage)
{
    for (size_t i = 0; i < stage->count; i++)
        step_peer(stage->peers[i]);
}

void stage_step(struct stage *stage)
{
    event_base_loop(stage->base, EVLOOP_ONCE);
    stage_step_peers(stage);
}

struct peer *peer_new(struct stage *stage, int fd, bool tls)
{
    struct peer *p = im_zalloc(sizeof *p);
    assert(stage->count < STAGE_PEERS);
    stage->peers[stage->count++] = p;
    p->fd = fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (tls) {
        p->ssl = SSL_new(stage->ssl);
        SSL_set_fd(p->ssl, fd);
    }
    return p;
}

static socklen_t parse(const char *address, struct sockaddr_storage *sa)
{
    const char *colon = strrchr(address, ':');
    struct sockaddr_in *v4 = (void *)sa;
    struct sockaddr_in6 *v6 = (void *)sa;
    struct sockaddr_un *un = (void *)sa;
    memset(sa, 0, sizeof *sa);
    if (address[0] == '/') {
        un->sun_family = AF_UNIX;
        strncpy(un->sun_path, address, sizeof un->sun_path - 1);
        return sizeof *un;
    }
    assert(colon);
    if (address[0] == '[') {
        *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
        v6->sin6_port = htons((uint16_t)atoi(colon + 1));
        return sizeof *v6;
    }
    *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    v4->sin_port = htons((uint16_t)atoi(colon + 1));
    return sizeof *v4;
}

struct peer *peer_connect(struct stage *stage, const char *address, bool tls)
{
    struct sockaddr_storage sa;
    socklen_t len = parse(address, &sa);
    int one = 1, fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)(void *)&sa, len) != 0) {
        perror(address);
        abort();
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return peer_new(stage, fd, tls);
}

void peer_free(struct stage *stage, struct peer **peer)
{
    struct peer *p = *peer;
    *peer = NULL;
    for (size_t i = 0; i < stage->count; i++)
        if (stage->peers[i] == p)
            stage->peers[i] = stage->peers[--stage->count];
    SSL_free(p->ssl);
    close(p->fd);
    buffer_clear(&p->in);
    buffer_clear(&p->out);
    free(p);
}

void peer_say(struct peer *p, const char *text)
{
    buffer_put(&p->out, text, strlen(text));
}

void peer_finish(struct peer *p)
{
    assert(p->out.len == 0);
    if (p->ssl)
        SSL_shutdown(p->ssl);
    else
        shutdown(p->fd, SHUT_WR);
}

/* Certificates. */

static X509 *new_certificate(EVP_PKEY *key, const char *name)
{
    X509 *x = X509_new();
    X509_NAME *subject = X509_get_subject_name(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, subject);
    X509_set_pubkey(x, key);
    X509_sign(x, key, EVP_sha256());
    return x;
}

void make_certificate(const char *cert_path, const char *key_path, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = new_certificate(key, name);
    FILE *cert = fopen(cert_path, "w"), *secret = fopen(key_path, "w");
    assert(cert && secret);
    PEM_write_X509(cert, x);
    PEM_write_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL);
    fclose(cert);
    fclose(secret);
    X509_free(x);
    EVP_PKEY_free(key);
}

void peer_certificate_name(const struct peer *p, char out[64])
{
    X509 *x = SSL_get1_peer_certificate(p->ssl);
    assert(x);
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, out, 64);
    X509_free(x);
}
