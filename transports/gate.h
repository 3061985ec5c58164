#ifndef IM_TRANSPORTS_GATE_H
#define IM_TRANSPORTS_GATE_H

#include <sys/socket.h>

#include "core/config.h"
#include "core/hash.h"
#include "core/reason.h"

/* Connection caps over all listeners: in all, and per IP address (IPv6: per /64). Any thread. */
struct im_gate;
struct im_gate *im_gate_new(const uint8_t hash_key[IM_HASH_KEY_BYTES]);
void im_gate_free(struct im_gate **);
/* IM_OK: counted, and *ticket must be given back; or IM_FULL / IM_FULL_ADDRESS. */
enum im_reason im_gate_enter(struct im_gate *, const struct im_config *, const struct sockaddr *, void **ticket);
void im_gate_leave(struct im_gate *, void *ticket);
size_t im_gate_count(struct im_gate *);

#endif
