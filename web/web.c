#include "web/web.h"

/* Nothing but our own files; no inline script or style, and no markup made from strings (trusted-types). 'self' in
 * connect-src covers WebSockets to the page's own host (CSP Level 3, 6.7.2.8). */
static const char csp[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
                          "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
                          "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

void im_web_serve(void *asset, const struct im_http_request *request, struct im_http_response *response)
{
    const struct im_web_asset *a = asset;
    response->type = a->type;
    response->csp = csp;
    response->vary_encoding = a->gzip.p != NULL;
    response->gzip = a->gzip.p && im_http_accepts_gzip(request->accept_encoding);
    response->body = response->gzip ? a->gzip : a->raw;
    response->etag = response->gzip ? a->gzip_etag : a->etag;
    response->other_etag = response->gzip ? a->etag : a->gzip_etag;
}
