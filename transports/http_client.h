#ifndef IM_TRANSPORTS_HTTP_CLIENT_H
#define IM_TRANSPORTS_HTTP_CLIENT_H

#include "core/bytes.h"
#include "core/reason.h"
#include "core/str.h"

/* HTTP/1.1 as a client, as far as webhooks need it: one POST at a time to one URL, over a connection that is kept for
 * the next if the server likes. What is in the answer's body does not matter. Redirects are not followed. */

#define IM_HTTP_URL_MAX 2000

/* "http://host:port/path?query". Views into the text. */
struct im_http_url {
    bool tls;
    uint16_t port;
    struct im_str host;      /* a name, or an address without brackets */
    struct im_str authority; /* as the Host field has it */
    struct im_str target;    /* "/" at least */
};
/* IM_OK, IM_TOO_LONG, or IM_BAD_FIELD with what is wrong. */
enum im_reason im_http_url_parse(struct im_str text, struct im_http_url *, struct im_error *);
/* Of a good one "http://host:port": as much as everybody may see, for what follows may be a secret. */
struct im_str im_http_url_origin(struct im_str text);

struct im_http_client;
struct im_dialer;

struct im_http_outcome {
    enum im_reason reason;   /* IM_OK: there is an answer */
    int status;              /* of the answer, else 0 */
    uint64_t retry_after_ms; /* as the answer asked; 0: it did not */
    const char *problem;     /* why there is none, for people; valid during the call */
};

struct im_http_client_options {
    struct im_dialer *dialer;
    struct im_str url; /* which im_http_url_parse() accepts; copied */
    void (*done)(void *arg,
                 const struct im_http_outcome *); /* from the event loop; may post again, or free the client */
    void *arg;
};
struct im_http_client *im_http_client_new(const struct im_http_client_options *);
/* done() does not come any more. */
void im_http_client_free(struct im_http_client **);

/* One at a time. fields: further lines of the head, each with CRLF. */
void im_http_client_post(struct im_http_client *, struct im_str fields, struct im_bytes *body, uint64_t timeout_ms);

#endif
