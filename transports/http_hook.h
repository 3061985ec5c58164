#ifndef IM_TRANSPORTS_HTTP_HOOK_H
#define IM_TRANSPORTS_HTTP_HOOK_H

#include "core/bytes.h"
#include "core/reason.h"
#include "core/str.h"

/* An incoming webhook: one POST /hooks/TOKEN becomes one message. It is a link of its own, which logs in with the
 * token, sends, and is gone. */
struct im_http_hook;
struct im_transport_env;

#define IM_HTTP_HOOK_PATH "/hooks/"

struct im_http_hook_answer {
    int status;
    struct im_bytes *json; /* the reply of im.v1; the receiver's reference */
    uint64_t after_ms;     /* when to try again; 0: not said */
};

struct im_http_hook_request {
    struct im_transport_env *env;
    struct im_str address; /* of the peer; copied */
    struct im_str token;   /* copied */
    struct im_bytes *body; /* the hook's reference */
    bool json;             /* the body: an object of fields of `send`; otherwise the text itself */
    bool tls;
    enum im_lang lang;
    void (*answered)(void *arg, const struct im_http_hook_answer *); /* once, on a later turn, unless abandoned */
    void *arg;
};

struct im_http_hook *im_http_hook_start(const struct im_http_hook_request *);
/* Nobody waits for the answer any more; the message may still be sent. */
void im_http_hook_abandon(struct im_http_hook *);

/* Is this a Content-Type that a hook takes? Says which. */
bool im_http_hook_takes(struct im_str content_type, bool *json);

#endif
