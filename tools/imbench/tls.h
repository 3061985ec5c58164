#ifndef IM_TOOLS_IMBENCH_TLS_H
#define IM_TOOLS_IMBENCH_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A client's TLS over a non-blocking descriptor. Certificates are not looked at: what is measured here is speed, and no
 * secret is told. */
struct tls_client; /* what all connections share */
struct tls;        /* one of them */

/* resume: connections take up the newest session that the server offered to one of them. NULL: OpenSSL refuses */
struct tls_client *tls_client_new(bool resume);
void tls_client_free(struct tls_client **);
struct tls *tls_new(struct tls_client *, int fd); /* the descriptor stays the caller's */
void tls_free(struct tls **);

/* 1: done; 0: call again when the descriptor is readable; -1: failed. */
int tls_handshake(struct tls *);
bool tls_resumed(struct tls *); /* after its handshake */
/* Like read() and write(); EAGAIN also where TLS itself must wait. */
ssize_t tls_read(struct tls *, void *data, size_t len);
ssize_t tls_write(struct tls *, const void *data, size_t len);
void tls_end(struct tls *); /* tells the other side that nothing more comes */

#endif
