#ifndef IM_CORE_INSPECT_H
#define IM_CORE_INSPECT_H

#include "core/core.h"

/* What administration sees of the core, beside im_core_sessions(). Nothing here changes anything. */

/* One session in full; views are valid until the core is called again. */
struct im_session_detail {
    struct im_session_view view;
    const char *tls_version, *tls_cipher; /* NULL: no TLS, or unknown */
    const char *seat;                     /* "chat", "quiet", "sender" */
    struct im_str by;                     /* beginning of the key of the token it logged in with; absent: none */
    uint64_t tokens, burst;               /* messages it may send at once now, and after a rest; 0: no limit */
    uint64_t flood_ms;                    /* how long the bucket has not been full; 0: it is */
    unsigned inflight, reads;             /* requests that the store has yet to answer, and reads of these */
    size_t watches;
    uint64_t head, stored; /* newest event known to concern the user; cursor as the store has it */
    struct im_state_step {
        const char *state;
        uint64_t ago_ms;
    } history[IM_STEPS_MAX]; /* oldest first; the last one is now */
    size_t history_count;
};
bool im_core_session(const struct im_core *, uint64_t id, struct im_session_detail *); /* false: there is none */

/* Does a committed event concern this user, or a group that the user is in and here? */
bool im_core_concerns(const struct im_core *, struct im_str user_key, const struct im_msg *);

/* Members of a group that are here; 0 when nobody is. */
uint32_t im_core_group_online(const struct im_core *, struct im_str group_key);

/* Is the device of this user here, and how far has it been sent? */
struct im_device_here {
    bool here, live;
    uint64_t session; /* one of them */
    uint64_t sent;    /* the furthest pos given to one */
    uint64_t queued;  /* of that one, bytes that have not left */
};
struct im_device_here im_core_device(const struct im_core *, struct im_str user_key, struct im_str device);

/* How far a drain is: sessions that were told to go and that were not yet, and all that are still here. */
struct im_drain_view {
    uint64_t told, untold, left;
    uint64_t per_second; /* 0: all at once */
};
void im_core_draining(const struct im_core *, struct im_drain_view *);

/* Who has to wait, beside sessions: logins after failures, by address or account; webhooks beyond their rate. */
struct im_wait_view {
    const char *what;  /* "address", "account", "webhook" */
    struct im_str who; /* of a webhook: beginning of the token's key */
    uint64_t wait_ms;
    unsigned failures; /* of logins */
};
void im_core_waits(const struct im_core *, bool (*each)(void *arg, const struct im_wait_view *), void *arg);

/* Hears of every committed event before it is handed out; NULL ends that. It must not call the core. */
void im_core_tap(struct im_core *, void (*tap)(void *arg, const struct im_event *, uint64_t origin), void *arg);

#endif
