#include "tools/imbench/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "core/mem.h"

struct tls_client {
    SSL_CTX *ctx;
    SSL_SESSION *last; /* the server's newest offer; NULL: none, or not to be taken up */
};

/* No struct of our own is needed for a connection: it is OpenSSL's under another name, so that no other file includes
 * its headers. */
static SSL *session(struct tls *tls)
{
    return (SSL *)tls;
}

static int keep_offer(SSL *ssl, SSL_SESSION *offer)
{
    struct tls_client *client = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION_free(client->last);
    client->last = offer;
    return 1; /* the reference is ours */
}

struct tls_client *tls_client_new(bool resume)
{
    struct tls_client *client = im_zalloc(sizeof *client);
    SSL_CTX *ctx = client->ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx) {
        tls_client_free(&client);
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (resume) {
        SSL_CTX_set_app_data(ctx, client);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ctx, keep_offer);
    }
    return client;
}

void tls_client_free(struct tls_client **at)
{
    struct tls_client *client = *at;
    *at = NULL;
    if (!client)
        return;
    SSL_SESSION_free(client->last);
    SSL_CTX_free(client->ctx);
    free(client);
}

struct tls *tls_new(struct tls_client *client, int fd)
{
    SSL *ssl = SSL_new(client->ctx);
    bool good = ssl && SSL_set_fd(ssl, fd) == 1 && (!client->last || SSL_set_session(ssl, client->last) == 1);
    if (!good) {
        SSL_free(ssl);
        return NULL;
    }
    return (struct tls *)ssl;
}

void tls_free(struct tls **tls)
{
    SSL_free(*tls ? session(*tls) : NULL);
    *tls = NULL;
}

bool tls_resumed(struct tls *tls)
{
    return SSL_session_reused(session(tls)) == 1;
}

static ssize_t outcome(struct tls *tls, int rc)
{
    if (rc > 0)
        return rc;
    switch (SSL_get_error(session(tls), rc)) {
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_SYSCALL:
        errno = errno ? errno : EPROTO;
        return -1;
    default:
        errno = EPROTO;
        return -1;
    }
}

static int bounded(size_t len)
{
    return len > INT_MAX ? INT_MAX : (int)len;
}

int tls_handshake(struct tls *tls)
{
    ERR_clear_error();
    ssize_t n = outcome(tls, SSL_connect(session(tls)));
    return n > 0 ? 1 : n < 0 && errno == EAGAIN ? 0 : -1;
}

ssize_t tls_read(struct tls *tls, void *data, size_t len)
{
    ERR_clear_error();
    return outcome(tls, SSL_read(session(tls), data, bounded(len)));
}

ssize_t tls_write(struct tls *tls, const void *data, size_t len)
{
    ERR_clear_error();
    return outcome(tls, SSL_write(session(tls), data, bounded(len)));
}

void tls_end(struct tls *tls)
{
    ERR_clear_error();
    SSL_shutdown(session(tls));
}
