#include "transports/tls.h"

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/mem.h"

struct im_tls {
    atomic_uint refs;
    pthread_mutex_t lock;      /* current: what new connections get, on every worker's thread */
    SSL_CTX *current, *loaded; /* loaded: waits for im_tls_commit() */
    char *cert, *key;
};

static const char *describe_error(unsigned long error)
{
    if (error == 0)
        return "unknown error";
    if (ERR_SYSTEM_ERROR(error))
        return strerror((int)ERR_GET_REASON(error));
    const char *text = ERR_reason_error_string(error);
    return text ? text : "unknown error";
}

/* An encrypted key would make OpenSSL ask for a passphrase on the terminal; this makes it fail instead. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return 0;
}

static SSL_CTX *new_context(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (!ctx)
        return NULL;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    /* Peers that leave without close_notify are normal, and messages here are framed: truncation shows above. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* Moving: what im_tls_write() could not write is repeated by libevent from its own buffer. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    return ctx;
}

static enum im_reason use_files(SSL_CTX *ctx, const struct im_tls *tls, struct im_error *error)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, tls->cert) != 1)
        return im_fail(error, IM_CONFIG, "tls.cert: %s (%s)", describe_error(ERR_peek_error()), tls->cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, tls->key, SSL_FILETYPE_PEM) != 1)
        return im_fail(error, IM_CONFIG, "tls.key: %s (%s)", describe_error(ERR_peek_error()), tls->key);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return im_fail(error, IM_CONFIG, "tls.key: does not belong to the certificate (%s)", tls->key);
    return IM_OK;
}

enum im_reason im_tls_load(struct im_tls *tls, struct im_error *error)
{
    SSL_CTX *ctx = new_context(TLS_server_method());
    enum im_reason reason =
        ctx ? use_files(ctx, tls, error) : im_fail(error, IM_SYSTEM, "%s", describe_error(ERR_peek_error()));
    ERR_clear_error();
    if (reason != IM_OK) {
        SSL_CTX_free(ctx);
        return reason;
    }
    SSL_CTX_free(tls->loaded);
    tls->loaded = ctx;
    return IM_OK;
}

void im_tls_commit(struct im_tls *tls)
{
    if (!tls->loaded)
        return;
    pthread_mutex_lock(&tls->lock);
    SSL_CTX_free(tls->current); /* connections hold references of their own */
    tls->current = tls->loaded;
    tls->loaded = NULL;
    pthread_mutex_unlock(&tls->lock);
}

static struct im_tls *new_tls(void)
{
    struct im_tls *tls = im_zalloc(sizeof *tls);
    atomic_init(&tls->refs, 1);
    pthread_mutex_init(&tls->lock, NULL);
    return tls;
}

struct im_tls *im_tls_hold(struct im_tls *tls)
{
    atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
    return tls;
}

static SSL *new_connection(struct im_tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    SSL *ssl = SSL_new(tls->current);
    pthread_mutex_unlock(&tls->lock);
    return ssl;
}

int64_t im_tls_ends(const struct im_tls *tls)
{
    const X509 *cert = SSL_CTX_get0_certificate(tls->current);
    struct tm tm;
    return cert && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

enum im_reason im_tls_new(struct im_tls **out, const char *cert, const char *key, struct im_error *error)
{
    struct im_tls *tls = new_tls();
    tls->cert = im_strndup(cert, strlen(cert));
    tls->key = im_strndup(key, strlen(key));
    enum im_reason reason = im_tls_load(tls, error);
    if (reason != IM_OK) {
        im_tls_free(&tls);
        return reason;
    }
    im_tls_commit(tls);
    *out = tls;
    return IM_OK;
}

void im_tls_free(struct im_tls **at)
{
    struct im_tls *tls = *at;
    *at = NULL;
    if (!tls || atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(tls->current);
    SSL_CTX_free(tls->loaded);
    pthread_mutex_destroy(&tls->lock);
    free(tls->cert);
    free(tls->key);
    free(tls);
}

struct bufferevent *im_tls_bufferevent(struct im_tls *tls, struct event_base *base, int fd)
{
    SSL *ssl = new_connection(tls);
    if (!ssl)
        return NULL;
    return bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
}

enum im_reason im_tls_client_new(struct im_tls **out, struct im_error *error)
{
    SSL_CTX *ctx = new_context(TLS_client_method());
    if (!ctx || SSL_CTX_set_default_verify_paths(ctx) != 1) {
        im_fail(error, IM_SYSTEM, "%s", describe_error(ERR_peek_error()));
        ERR_clear_error();
        SSL_CTX_free(ctx);
        return IM_SYSTEM;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    *out = new_tls();
    (*out)->current = ctx;
    return IM_OK;
}

/* RFC 6066, 3: addresses are no server names; RFC 6125 for what must match. */
static bool expect_server(SSL *ssl, const char *server)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server) == 1)
        return true;
    return SSL_set1_host(ssl, server) == 1 && SSL_set_tlsext_host_name(ssl, server) == 1;
}

struct bufferevent *im_tls_connect(struct im_tls *tls, struct event_base *base, int fd, const char *server)
{
    SSL *ssl = new_connection(tls);
    struct bufferevent *bev = NULL;
    if (ssl && expect_server(ssl, server))
        bev = bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
    else
        SSL_free(ssl);
    ERR_clear_error();
    return bev;
}

bool im_tls_write(struct bufferevent *bev, const void *p, size_t n)
{
    ERR_clear_error();
    bool done = SSL_write(bufferevent_openssl_get_ssl(bev), p, (int)n) > 0;
    ERR_clear_error();
    return done;
}

void im_tls_end(struct bufferevent *bev)
{
    ERR_clear_error();
    SSL_shutdown(bufferevent_openssl_get_ssl(bev));
    ERR_clear_error();
}

void im_tls_problem(struct bufferevent *bev, char *out, size_t size)
{
    unsigned long error = bufferevent_get_openssl_error(bev);
    long unverified = SSL_get_verify_result(bufferevent_openssl_get_ssl(bev));
    if (unverified != X509_V_OK) {
        snprintf(out, size, "certificate: %s", X509_verify_cert_error_string(unverified));
        return;
    }
    /* For a failed system call libevent gives SSL_ERROR_SYSCALL, which belongs to no library. */
    snprintf(out, size, "%s", ERR_GET_LIB(error) ? describe_error(error) : "");
}

void im_tls_names(struct bufferevent *bev, const char **version, const char **cipher)
{
    const SSL *ssl = bufferevent_openssl_get_ssl(bev);
    *version = SSL_get_version(ssl);
    *cipher = SSL_get_cipher_name(ssl);
}

void im_tls_sha1(struct im_str data, uint8_t digest[20])
{
    SHA1((const unsigned char *)data.p, data.len, digest);
}
