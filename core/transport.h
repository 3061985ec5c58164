#ifndef IM_CORE_TRANSPORT_H
#define IM_CORE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/command.h"
#include "core/event.h"
#include "core/name.h"
#include "core/reason.h"

/* The seam between the core and the transports. The core calls down through im_link_ops; a transport calls up through
 * the im_core_* functions of core/core.h. Both are direct calls on one thread, and both are written so that a mailbox
 * can stand between them: a down-call never calls up before it returns, and nothing is freed inside an up-call. */

struct im_link;
struct im_dialect;
struct im_human;

struct im_link_ops {
    /* Sends an event in the link's dialect. Takes over one reference. `own`: the event was sent by this link's user.
     * Never fails: a broken link reports im_core_closed() later. After close(), does nothing but drop. */
    void (*send)(struct im_link *, struct im_event *, bool own);
    /* As send(), for a link that needs no reference: the event stays the caller's, and may be held by who needs it
     * longer; but for an answer to `send`, which may be on the caller's stack, and what it answers too. NULL: send()
     * has to do. */
    void (*tell)(struct im_link *, struct im_event *, bool own);
    /* Bytes accepted by send() that have not yet left for the socket. At 0 the core takes it that everything has left:
     * so after a failure this never falls again, and what a closing link dropped keeps it above 0 until
     * im_core_closed(). */
    size_t (*queued)(const struct im_link *);
    /* Stop (true) or resume reading, so that backpressure reaches the peer. No message comes up between hold(true) and
     * hold(false). */
    void (*hold)(struct im_link *, bool on);
    /* Flushes what is queued, closes in the transport's own manner, and gives up by a deadline. Idempotent; the first
     * reason stands. im_core_closed() follows on a later turn. */
    void (*close)(struct im_link *, enum im_reason reason);
};

/* A connection, once accepted. Embedded in the transport's own struct, which owns its memory. */
struct im_link {
    const struct im_link_ops *ops;
    const struct im_dialect *dialect;
    enum im_lang lang;
    bool utf8;                        /* the transport has seen to it that messages are valid UTF-8 */
    struct im_name *target;           /* classroom: the peer in the URL; human mode: set by /to. Malloc'd or NULL */
    struct im_human *human;           /* human mode's memory, or NULL */
    const struct im_dialect_env *env; /* set by im_core_opened() */
    bool lost;                        /* what is still queued will never leave: there is no use in waiting for it */
    struct im_session *session;       /* the core's; set by im_core_opened(), NULL again before im_core_closed() ends */
    struct im_port *port;             /* on a thread that is not the core's: how the core knows this link; else NULL */
};

/* Frees what the dialects keep in a link; for its owner, when it is gone. */
void im_link_clear(struct im_link *);

/* What a transport knows about a link when it opens. Strings are copied. */
struct im_link_info {
    const char *transport; /* the im_transport's name; static */
    struct im_str address; /* peer, for people and logs: "127.0.0.1:5000", "unix:uid=1000" */
    bool tls;
    const char *tls_version, *tls_cipher; /* what it runs with; static, or NULL */
    bool has_uid;                         /* a Unix socket: whose process it is */
    uint32_t uid;
};

/* How messages (a WebSocket text message; a line without its end) become commands, and events messages.
 * A dialect keeps its state in the link; it does no I/O. */
struct im_dialect {
    const char *name;
    /* IM_OK and a command (op IM_OP_NONE: nothing to do); or the reason, and cmd->id set if it could be read.
     * May change link->dialect (human mode meets '{'). `message` must outlive the command. */
    enum im_reason (*decode)(struct im_link *, struct im_str message, struct im_command *, struct im_error *);
    /* A reference the caller drops, or NULL: this dialect does not say this event. */
    struct im_bytes *(*encode)(struct im_link *, struct im_event *, bool own);
    /* The same for what only few will read (im_event_for_few()), which is cheaper made for each than shared: appended
     * to out, or nothing. NULL: this dialect has no such way. */
    void (*write)(const struct im_link *, const struct im_event *, bool own, struct im_out *out);
};

extern const struct im_dialect im_dialect_json;      /* im.v1 */
extern const struct im_dialect im_dialect_human;     /* netcat; turns into im.v1 at a line that starts with '{' */
extern const struct im_dialect im_dialect_classroom; /* bare text to link->target */

struct im_forms;

/* What encoding needs from outside; owned by the core's owner, read-only for links. */
struct im_dialect_env {
    int utc_offset_s; /* for clock times in human mode */
    const struct im_config *config;
    struct im_forms *forms; /* on a thread that is not the core's: what it has encoded; NULL: events keep that */
};

enum im_transport_caps {
    IM_CAP_TLS = 1 << 0,  /* a listener may carry TLS */
    IM_CAP_HTTP = 1 << 1, /* serves pages too */
};

struct im_listener;
struct im_listen_config;
struct im_transport_env; /* transports/transports.h: event loop, core, counters, log, configuration */

/* A transport: one const table. Registering one is one line in transports/registry.c. */
struct im_transport {
    const char *name;
    unsigned caps;
    /* Starts listening. On success *out is the caller's until close(). */
    enum im_reason (*listen)(struct im_listener **out, struct im_transport_env *, const struct im_listen_config *,
                             struct im_error *);
    void (*pause)(struct im_listener *, bool on); /* stop or resume accepting; links live on */
    void (*close)(struct im_listener **);         /* stop listening; links live on */
};

#endif
