#ifndef IM_CORE_CORE_H
#define IM_CORE_CORE_H

#include "core/ban.h"
#include "core/config.h"
#include "core/counters.h"
#include "core/hash.h"
#include "core/hasher.h"
#include "core/log.h"
#include "core/store.h"
#include "core/transport.h"

/* The messaging core: a deterministic state machine. Commands, ticks and store completions go in; sends, appends and
 * closes come out. It has no thread, clock, socket, file or randomness of its own; all calls come from one thread. */
struct im_core;

struct im_core_options {
    const struct im_config *config; /* lives until replaced by im_core_configure() */
    struct im_store *store;         /* drained by the owner, closed after the core */
    struct im_counters *counters;
    struct im_log *log; /* may be NULL */
    uint8_t hash_key[IM_HASH_KEY_BYTES];
    struct im_hasher *hasher;                         /* may be NULL: passwords are then refused with IM_BUSY */
    const struct im_keys *keys;                       /* for signed tokens (core/jwt.h); may be NULL */
    void (*random)(void *arg, void *out, size_t len); /* for tokens and invitations; needs to be secret */
    void *random_arg;
    /* The id that the process of a Unix socket's peer may take without a password; false: none. May be NULL. */
    bool (*unix_user)(void *arg, uint32_t uid, struct im_name *out);
    void *unix_user_arg;
};

struct im_core *im_core_new(const struct im_core_options *);
/* Every link must be closed and every store operation done. */
void im_core_free(struct im_core **);
void im_core_configure(struct im_core *, const struct im_config *);

/* Tells the time: before up-calls of a turn. wall_ms since 1970 (may jump), mono_ms from any start (never goes back).
 * Sends some of what has fallen due meanwhile. */
void im_core_time(struct im_core *, int64_t wall_ms, uint64_t mono_ms, int utc_offset_s);
/* Deadlines, rates, and cursors to be written; call about every IM_TICK_MS. */
#define IM_TICK_MS 100
void im_core_tick(struct im_core *);

/* Up-calls of the transports. */

/* A link is there. Refusal gives the reason; the link then never reaches the core. */
enum im_reason im_core_opened(struct im_core *, struct im_link *, const struct im_link_info *);
/* One message as it came: decodes it in the link's dialect and acts. */
void im_core_input(struct im_core *, struct im_link *, struct im_str message);
/* The same for a message that was decoded elsewhere: a command, or why it is none. Releases the command. */
void im_core_decoded(struct im_core *, struct im_link *, struct im_command *, enum im_reason, const char *detail);
/* A command the transport made itself (a login from the URL). Releases it. */
void im_core_command(struct im_core *, struct im_link *, struct im_command *);
/* The peer will send no more; what it asked is still answered, then the link is closed with IM_BYE. */
void im_core_input_end(struct im_core *, struct im_link *);
/* The link's queue fell to or under low water. Comes at some time after every send() that put bytes in the queue, once
 * they have left. */
void im_core_writable(struct im_core *, struct im_link *);
/* The link is gone: exactly once, the last call for it. */
void im_core_closed(struct im_core *, struct im_link *, enum im_reason);

/* Administration. */

struct im_online {
    uint64_t users, sessions; /* logged in; counted, not remembered */
};
void im_core_online(const struct im_core *, struct im_online *);

/* So many of a session's last states are remembered. */
#define IM_STEPS_MAX 8

/* A session as administration sees it; views are valid during the callback. */
struct im_session_view {
    uint64_t id;
    struct im_str user;   /* absent before login */
    struct im_str device; /* "" for the default */
    const char *transport, *state, *dialect;
    const char *held; /* why nothing is read from it now: "rate", "queue" …; NULL: it is read */
    struct im_str address, agent;
    bool tls, throttled;
    uint64_t age_ms, idle_ms;
    uint64_t state_ms; /* how long it has been in its state */
    uint64_t pos;      /* sent up to here */
    uint64_t cursor;   /* known to have reached the peer */
    uint64_t behind;   /* from the cursor to the newest event for the user, counted in the whole log's positions */
    uint64_t queued;   /* bytes waiting to leave */
    uint64_t commands, sent; /* since it was opened: asked, and answers and events given to it */
};
/* All links, logged in or not; return false from each() to stop. */
void im_core_sessions(const struct im_core *, bool (*each)(void *arg, const struct im_session_view *), void *arg);

/* Close one session, or all of a user. Returns how many were closed. */
size_t im_core_kick_session(struct im_core *, uint64_t id);
size_t im_core_kick_user(struct im_core *, struct im_str user);

/* Bans and mutes, which the core is told of at the start and whenever one comes or goes. A ban closes the sessions it
 * is about, with IM_BANNED; *closed is how many. False: there are too many. */
bool im_core_ban(struct im_core *, const struct im_ban *, size_t *closed);
bool im_core_unban(struct im_core *, struct im_str key);
const struct im_bans *im_core_bans(const struct im_core *);
/* May this peer, as transports name peers, not come? */
bool im_core_banned(const struct im_core *, const char *peer);

/* Shows a text to sessions that are logged in, and keeps it nowhere. Returns how many got it. */
struct im_core_audience {
    struct im_str group;                                            /* members of it; its key */
    struct im_str user;                                             /* this one; a key */
    const char *transport;                                          /* who came over it */
    bool (*match)(const void *arg, const struct im_session_view *); /* NULL: all */
    const void *arg;
};
size_t im_core_broadcast(struct im_core *, const struct im_core_audience *, struct im_str text, bool dry);

/* What the device (absent: all of the user's that are here) has not got yet, it will not get: everything up to `pos`
 * counts as sent. Its sessions are told that they have missed something. Returns how many there were. */
size_t im_core_skip(struct im_core *, struct im_str user_key, struct im_str device, uint64_t pos);

/* The account of a user has changed: closes the sessions that it no longer allows. `device` absent: all of them. */
size_t im_core_revoke(struct im_core *, struct im_str user_key, struct im_str device);

/* Closes the sessions that logged in with the token of this record key. */
size_t im_core_revoke_token(struct im_core *, struct im_str token_key);
/* Appends an event for administration and, once it is committed, shows it to whom it concerns. Takes over the
 * reference. done() comes later, on the core's thread, with the event as it was committed. */
void im_core_append(struct im_core *, struct im_event *,
                    void (*done)(void *arg, enum im_reason, const struct im_event *), void *arg);

/* Is the user here (through more than webhooks)? */
bool im_core_online_user(const struct im_core *, struct im_str key);

/* Tells every session to come back (bye, spread over spread_ms), and closes it once what it asked is answered. New
 * links are refused with IM_DRAIN. im_core_idle(): no link and no store operation is left. */
void im_core_drain(struct im_core *, uint64_t spread_ms);
/* As it, but only so many sessions in a second are told to go; the others go on until it is their turn. */
void im_core_drain_slowly(struct im_core *, uint64_t per_second);
bool im_core_idle(const struct im_core *);

/* Is every derived figure equal to a recount, every list sound? For tests; aborts with a message if not. */
void im_core_check(const struct im_core *);

#endif
