#ifndef IM_TRANSPORTS_LISTENER_H
#define IM_TRANSPORTS_LISTENER_H

#include "core/config.h"
#include "core/reason.h"
#include "transports/passed.h"
#include "transports/stream.h"
#include "transports/transports.h"

/* Accepts connections on one address (TCP, IPv4 or IPv6, or a Unix socket), applies the connection caps, survives
 * running out of descriptors (accepting pauses 100 ms, never spins), and hands over streams that are ready. */
struct im_listener_options {
    struct im_transport_env *env;
    const struct im_listen_config *config; /* copied */
    bool unix_socket;
    void (*ready)(void *arg, struct im_stream *);
    void *arg;
    void (*release)(void *arg); /* gives arg back once the listener and all its streams are gone; may be NULL */
};
enum im_reason im_listener_open(struct im_listener **out, const struct im_listener_options *, struct im_error *);
/* One more socket of the listener's address that was passed and is left: who connected there is not refused because
 * there are fewer workers now than there were. It is paused and closed with the listener. False: there is none. */
bool im_listener_take_more(struct im_listener *);
struct im_listener *im_listener_more(const struct im_listener *); /* and of that one the next; NULL: no more */
void im_listener_pause(struct im_listener *, bool on);
/* Unlinks a Unix socket it made. Handshakes under way are broken off; streams that are ready live on, and what is asked
 * of the listener below can still be asked until the last of them is gone. */
void im_listener_close(struct im_listener **);
const struct im_listen_config *im_listener_config(const struct im_listener *);
struct im_transport_env *im_listener_env(const struct im_listener *);
int64_t im_listener_tls_ends(const struct im_listener *); /* as im_tls_ends(); 0: no TLS */
bool im_listener_is_passed(const struct im_listener *);   /* the socket was passed, and is not ours yet */
bool im_listener_is_loopback(const struct im_listener *); /* bound to an address that only this machine has */

/* The socket as another program is to get it. Both are the listener's. fd -1: it is another listener's to give. */
struct im_listener_socket {
    int fd;
    struct im_passed_origin origin;
};
struct im_listener_socket im_listener_socket(const struct im_listener *);
/* Another program goes on with the socket: its file stays when the listener is closed. */
void im_listener_let_go(struct im_listener *);
/* This program goes on with a socket that another one of ours made: from now on its file has the configured mode, and
 * goes when the listener does. False: it is not of that kind. */
bool im_listener_adopt(struct im_listener *);

#endif
