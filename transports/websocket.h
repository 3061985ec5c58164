#ifndef IM_TRANSPORTS_WEBSOCKET_H
#define IM_TRANSPORTS_WEBSOCKET_H

#include "transports/ws_upgrade.h"

struct im_stream;
struct im_transport_env;

/* Makes a WebSocket of a stream whose client has been answered 101, and opens its link. Takes the stream over. */
void im_websocket_start(struct im_transport_env *, struct im_stream *, const struct im_ws_upgrade *);

#endif
