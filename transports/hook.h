#ifndef IM_TRANSPORTS_HOOK_H
#define IM_TRANSPORTS_HOOK_H

#include "core/event.h"
#include "core/name.h"

/* Outgoing webhooks: each is a device of its owner, with a link of its own to the core and no connection to anybody but
 * the URL that it posts the owner's events to, one after the other. What was not accepted yet stays behind the device's
 * cursor in the log: that is the queue. Events may come twice, after a crash or a lost answer, and never out of order.
 */
struct im_hook;
struct im_counters;
struct im_dialer;

#define IM_HOOK_NAME_MAX          32
#define IM_HOOK_SECRET_MAX        200
#define IM_HOOK_CONVERSATIONS_MAX 64
#define IM_HOOK_DEVICE            "hook:" /* and the hook's name: its device */

/* What a hook is told of and where to. */
struct im_hook_rule {
    struct im_name owner;
    char *url, *secret;            /* malloc'd */
    unsigned events;               /* bits by enum im_event_type */
    struct im_name *conversations; /* malloc'd; none: all */
    size_t conversation_count;
    bool own;  /* what the owner sent, too */
    bool away; /* only while the owner is not here */
    bool enabled;
    bool gone;      /* not enabled because the receiver answered 410 */
    uint64_t since; /* pos when it was made: what is older is none of its business */
    int64_t created_ms;
};
#define IM_HOOK_ALL_EVENTS ((1u << (IM_EV_LAST_DURABLE + 1)) - 1)
void im_hook_rule_clear(struct im_hook_rule *);
void im_hook_rule_copy(struct im_hook_rule *, const struct im_hook_rule *from);
/* "msg", "edit" … of the durable types. */
const char *im_hook_event_name(enum im_event_type);
bool im_hook_wants(const struct im_hook_rule *, const struct im_event *, bool own);

struct im_hook_options {
    struct im_dialer *dialer;
    struct im_counters *counters;
    const char *name;                          /* copied */
    const struct im_hook_rule *rule;           /* outlives the hook, and does not change */
    void (*gone)(void *arg, struct im_hook *); /* the receiver answered 410: it wants no more. May stop the hook */
    void *arg;
};
struct im_hook *im_hook_start(const struct im_hook_options *);
/* Closes its session at once; never from inside a down-call. */
void im_hook_stop(struct im_hook **);

/* How it goes. */
struct im_hook_view {
    const char *state;                   /* "starting", "idle", "posting", "retrying" */
    bool up;                             /* it has its session, and acked_pos is known */
    uint64_t waiting;                    /* events in memory that the receiver has not accepted */
    uint64_t acked_pos;                  /* everything up to here is done with */
    uint64_t delivered, failed, skipped; /* since the start */
    uint64_t failures;                   /* in a row */
    int last_status;                     /* of the last answer; 0: none yet, or there was no answer */
    const char *problem;                 /* with the last delivery; "" */
    uint64_t next_ms;                    /* from now until the next attempt; 0: none is waited for */
    int64_t last_ms;                     /* when the receiver last answered; 0: never */
};
void im_hook_look(const struct im_hook *, struct im_hook_view *);

/* The lines of the head that go with a delivery; signed with HMAC-SHA256 over "timestamp.body". */
struct im_hook_stamp {
    const char *name, *event, *secret;
    uint64_t delivery; /* pos; 0: a test */
    int64_t wall_ms;
};
void im_hook_fields(const struct im_hook_stamp *, struct im_str body, struct im_out *out);

#endif
