#ifndef IM_TRANSPORTS_WS_UPGRADE_H
#define IM_TRANSPORTS_WS_UPGRADE_H

#include "core/config.h"
#include "core/name.h"
#include "core/reason.h"
#include "transports/http_head.h"
#include "transports/ws_deflate.h"
#include "transports/ws_handshake.h"

/* The opening handshake (RFC 6455, 4.2): which requests become WebSockets, and which kind. */

enum im_ws_endpoint {
    IM_WS_AT_NOTHING,
    IM_WS_AT_CHAT, /* /ws */
    IM_WS_AT_PAIR, /* /ws/{user}/{target}, with ?token=… or without */
    IM_WS_AT_ECHO, /* /echo */
};

enum { IM_WS_TOKEN_MAX = 4096 };

struct im_ws_upgrade {
    enum im_ws_endpoint endpoint;
    bool im_v1;                  /* the subprotocol was offered and is taken; never on echo */
    struct im_name user, target; /* PAIR; the target may be a group */
    char token[IM_WS_TOKEN_MAX]; /* PAIR: what the user logs in with */
    struct im_str token_view;    /* of it; absent: there is none */
    enum im_lang lang;
    struct im_ws_deflate deflate;
    char accept[IM_WS_ACCEPT_LEN + 1];
    char extensions[IM_WS_DEFLATE_ANSWER]; /* "": none */
};

enum im_ws_endpoint im_ws_endpoint(const struct im_config *, struct im_str path);
/* Does it ask for a WebSocket? */
bool im_ws_wanted(const struct im_http_head *);
/* Which pages may open WebSockets. */
struct im_ws_origins {
    const struct im_strings *listed; /* beside the page's own */
    bool loopback; /* the listener is this machine's alone: so must be the name by which a page reached it */
};
/* Judges a request for an endpoint. `path` and `query` are still encoded. Views in *u point into *u. */
enum im_reason im_ws_upgrade(const struct im_http_head *, const struct im_config *, const struct im_ws_origins *,
                             enum im_ws_endpoint, struct im_str path, struct im_str query, struct im_ws_upgrade *u,
                             struct im_error *);

#endif
