#ifndef IM_TRANSPORTS_HTTP_H
#define IM_TRANSPORTS_HTTP_H

#include "core/bytes.h"
#include "core/reason.h"
#include "core/str.h"

/* HTTP/1.1 (RFC 9110, 9112) as far as a chat server needs it: GET and HEAD of known resources, keep-alive, and the
 * upgrade to WebSocket. Strict: what is malformed or oversized is refused with the proper status. */

struct im_error;
struct im_listener;
struct im_stream;
struct im_transport_env;

struct im_http_request {
    struct im_str method;
    struct im_str path;  /* as sent, still percent-encoded, without the query */
    struct im_str query; /* without '?'; absent if there was none */
    struct im_str if_none_match, accept, accept_encoding, accept_language;
};

struct im_http_response {
    int status;             /* 200 unless set */
    const char *type;       /* Content-Type */
    struct im_str body;     /* static bytes, or … */
    struct im_bytes *made;  /* … bytes made for this response; the response's reference */
    const char *etag;       /* quoted, or NULL; a match answers 304 */
    const char *other_etag; /* of the same content in another encoding, or NULL; likewise */
    bool gzip;              /* body is gzip-encoded (the handler looked at accept_encoding) */
    bool vary_encoding;     /* the handler would have answered otherwise to another accept_encoding */
    const char *cache;      /* Cache-Control; NULL: no-cache */
    const char *csp;        /* Content-Security-Policy; NULL: default-src 'none' */
};

/* A resource. Exact path, or a prefix when it ends in '*'. GET and HEAD only (405 otherwise). */
struct im_http_route {
    const char *path;
    void (*handle)(void *arg, const struct im_http_request *, struct im_http_response *);
    void *arg;
};

/* Serves HTTP on a ready stream with env->routes; takes the stream over. `listener` gives allowed origins and limits
 * for the upgrade; NULL: no WebSocket here. The routes must outlive the stream. */
void im_http_serve(struct im_transport_env *, struct im_listener *, const struct im_http_route *, struct im_stream *);

/* Listens on "HOST:PORT" and serves only these routes there. Close with im_listener_close(). */
enum im_reason im_http_listen(struct im_listener **out, struct im_transport_env *, const char *address,
                              const struct im_http_route *routes, struct im_error *);

/* Which of our languages an Accept-Language value likes best (RFC 9110, 12.5.4). */
enum im_lang im_http_language(struct im_str accept_language, enum im_lang otherwise);
/* Does an Accept-Encoding value allow gzip (RFC 9110, 12.5.3)? */
bool im_http_accepts_gzip(struct im_str accept_encoding);
/* Percent-decodes s into out (cap bytes). Returns the length, or -1: bad escape, NUL, or too long. */
int im_http_decode(struct im_str s, char *out, size_t cap);

#endif
