#include "tools/imbench/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* No struct of our own is needed: these are OpenSSL's under another name, so that no other file includes its headers.
 */

static SSL_CTX *context(struct tls_client *client)
{
    return (SSL_CTX *)client;
}

static SSL *session(struct tls *tls)
{
    return (SSL *)tls;
}

struct tls_client *tls_client_new(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return NULL;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    return (struct tls_client *)ctx;
}

void tls_client_free(struct tls_client **client)
{
    SSL_CTX_free(*client ? context(*client) : NULL);
    *client = NULL;
}

struct tls *tls_new(struct tls_client *client, int fd)
{
    SSL *ssl = SSL_new(context(client));
    if (ssl && SSL_set_fd(ssl, fd) != 1) {
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
