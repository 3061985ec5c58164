#ifndef IM_WEB_WEB_H
#define IM_WEB_WEB_H

#include "transports/http.h"

/* The chat page: every file under web/ that a browser needs, embedded when the program was built. */

/* One route per file, the page itself at "/"; ends with path NULL. For im_transport_env.routes. */
extern const struct im_http_route im_web_routes[];

/* An embedded file; made by web/embed.c. */
struct im_web_asset {
    const char *type;             /* Content-Type */
    const char *etag, *gzip_etag; /* quoted, from a hash of the content; each form has its own (RFC 9110, 8.8.3) */
    struct im_str raw;
    struct im_str gzip; /* absent when it would not be smaller */
};

/* A route's handler; asset is a const struct im_web_asset. */
void im_web_serve(void *asset, const struct im_http_request *, struct im_http_response *);

#endif
