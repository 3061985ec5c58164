#ifndef IM_TRANSPORTS_TLS_H
#define IM_TRANSPORTS_TLS_H

#include <event2/bufferevent.h>

#include "core/reason.h"
#include "core/str.h"

/* TLS 1.2 and later, no renegotiation. The only file that knows OpenSSL. */
struct im_tls;
enum im_reason im_tls_new(struct im_tls **out, const char *cert, const char *key, struct im_error *);
struct im_tls *im_tls_hold(struct im_tls *); /* returns it; another thread may make connections with it */
void im_tls_free(struct im_tls **);          /* gives a reference back; streams made from it live on */
/* Two steps, so that several listeners reload all or nothing. Connections keep the certificate they began with. */
enum im_reason im_tls_load(struct im_tls *, struct im_error *); /* reads and checks the files, changes nothing */
void im_tls_commit(struct im_tls *);                            /* new connections use what was loaded */
/* When the certificate ends, in seconds since 1970; 0: not known. */
int64_t im_tls_ends(const struct im_tls *);
/* A server-side bufferevent over fd, handshake under way; owns fd. NULL on failure (fd stays the caller's). */
struct bufferevent *im_tls_bufferevent(struct im_tls *, struct event_base *, int fd);
/* For connections to servers whose certificates the system's authorities vouch for (SSL_CERT_FILE and SSL_CERT_DIR name
 * others). */
enum im_reason im_tls_client_new(struct im_tls **out, struct im_error *);
/* A client-side bufferevent over fd, handshake under way, for the server of this name or address; otherwise as above.
 */
struct bufferevent *im_tls_connect(struct im_tls *, struct event_base *, int fd, const char *server);
/* All of it as one record, at once, past the bufferevent's output, which must be empty; n <= 16 KiB. False: the socket
 * does not take it, or worse; the same bytes then must be the next in that output. */
bool im_tls_write(struct bufferevent *, const void *p, size_t n);
/* Sends our close_notify; what the peer still sends can be read. Call when the output has drained. */
void im_tls_end(struct bufferevent *);
/* What went wrong last on the connection, "" if unknown; size bytes at most with the NUL. */
void im_tls_problem(struct bufferevent *, char *out, size_t size);

/* What the connection runs with: static names, NULL where there is none. */
void im_tls_names(struct bufferevent *, const char **version, const char **cipher);

/* SHA-1 for the WebSocket handshake (RFC 6455, 4.2.2), from the same library. */
void im_tls_sha1(struct im_str data, uint8_t digest[20]);

#endif
