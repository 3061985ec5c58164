#ifndef IM_TRANSPORTS_WORKER_PRIVATE_H
#define IM_TRANSPORTS_WORKER_PRIVATE_H

#include <pthread.h>

#include "core/dialect.h"
#include "transports/loop.h"
#include "transports/mailbox.h"
#include "transports/transports.h"
#include "transports/worker.h"

/* What the two ends of a worker share: worker.c runs on the worker's thread, remote.c on the core's. A link has a
 * number (slot) on which both agree; a slot that is used again has another generation, so that a letter to the link
 * before is not taken for one to this. Nobody else includes this. */

enum im_up_kind {
    IM_UP_OPENED,
    IM_UP_INPUT, /* a struct im_up_input */
    IM_UP_INPUT_END,
    IM_UP_LEFT, /* so much was handed to links, and so much of that waits in their queues */
    IM_UP_CLOSED,
    IM_UP_DONE, /* what the core wants to hear of */
    IM_UP_STOPPED,
};

struct im_done {
    void (*call)(void *arg);
    void *arg;
};

struct im_up {
    struct im_letter letter;
    enum im_up_kind kind;
    uint32_t slot, generation;
};

struct im_up_opened {
    struct im_up up;
    struct im_link_info info; /* address: in the field below */
    const struct im_dialect *dialect;
    char address[64];
};

/* A request, decoded. */
struct im_up_input {
    struct im_up up;
    const struct im_dialect *dialect; /* the link's, after it */
    size_t bytes;                     /* as it came */
    enum im_reason reason;
    uint32_t detail;           /* of an error: where it is, from the parcel's beginning */
    _Alignas(8) char parcel[]; /* struct im_parcel */
};

/* As many as fill the letter. */
struct im_up_left {
    struct im_up up;
    _Alignas(8) struct im_left {
        uint64_t weight; /* of all sends that the link has been given, ever */
        uint32_t slot, queued;
    } rows[];
};

struct im_up_closed {
    struct im_up up;
    enum im_reason reason;
};

struct im_up_done {
    struct im_up up;
    struct im_done done;
};

enum im_down_kind {
    IM_DOWN_NOTHING, /* done with */
    IM_DOWN_SEND,    /* an event for one link, or one after the other for many */
    IM_DOWN_MSG,     /* a message for one link, as a copy */
    IM_DOWN_OK,      /* the answer to a send */
    IM_DOWN_HOLD,
    IM_DOWN_TAKEN, /* inputs that the core is done with */
    IM_DOWN_CLOSE,
    IM_DOWN_CONFIGURE,
    IM_DOWN_BAN,
    IM_DOWN_UNBAN,
    IM_DOWN_PAUSE,
    IM_DOWN_CLOSE_LISTENERS,
    IM_DOWN_STOP,
    IM_DOWN_HALT,
};

enum { IM_DOWN_ID = UINT8_MAX }; /* bytes of a request's id at most; an answer to a longer one is a whole event */

struct im_down {
    struct im_letter letter;
    enum im_down_kind kind;
    uint32_t slot, generation;
};

/* SEND, MSG and OK. */
struct im_down_say {
    struct im_down down; /* the first link, of perhaps many */
    int8_t lang;         /* an enum im_lang that is new, or -1 */
    bool own;
    size_t weight; /* for each link */
};

struct im_down_send {
    struct im_down_say say;
    struct im_event *event; /* the letter's reference */
    _Alignas(8) struct im_target {
        uint32_t slot, generation;
    } more[]; /* as many as fill the letter */
};

struct im_down_msg {
    struct im_down_say say;
    _Alignas(8) char slip[]; /* struct im_slip */
};

struct im_down_ok {
    struct im_down_say say;
    bool online, dup;
    uint8_t id_len;
    uint16_t id;             /* where the request's id is, from the slip's beginning */
    _Alignas(8) char slip[]; /* struct im_slip: what was committed, in brief */
};

struct im_down_hold {
    struct im_down down;
    bool on;
};

struct im_down_taken {
    struct im_down down;
    unsigned inputs;
    size_t bytes;
};

struct im_down_close {
    struct im_down down;
    enum im_reason reason;
};

/* CONFIGURE and PAUSE. */
struct im_down_order {
    struct im_down down;
    const struct im_config *config; /* CONFIGURE */
    struct im_done done;
};

struct im_down_ban {
    struct im_down down;
    struct im_ban *ban; /* malloc'd */
    char *key;          /* UNBAN; malloc'd */
};

/* A link may have so many bytes of requests on their way to the core, or one; limits.inflight bounds their number. */
enum { IM_PORT_BYTES = 64 * 1024 };

struct im_remote;

/* Where the core gets the letters of all its workers, in the order in which they were posted: what one of them brings
 * may follow from what another did. */
struct im_post_office {
    im_tickets tickets;
    struct im_worker *workers;
    struct event *again; /* there is more: in the next turn */
};

struct im_worker {
    struct im_mailbox *up, *down;
    pthread_t thread;
    bool started;
    struct im_listener **listeners;
    const struct im_transport **transports;
    size_t listener_count;

    /* The worker's thread. */
    struct im_transport_env env;
    struct im_counters counters;
    struct im_dialect_env dialect_env;
    struct im_forms forms;
    struct im_bans bans;
    struct event *mail;
    struct im_mail out, spent, spare; /* to be posted; from the core, to go back to it; empty */
    struct im_later post, report;     /* what the end of a turn does */
    struct im_timer stop;             /* looks whether all are gone */
    struct im_port *touched;          /* have something to report */
    struct im_slot *slots;
    uint32_t slot_count, slot_free; /* slot_free: the first of those, or slot_count */
    size_t links;
    int64_t offset_minute; /* when the time zone was looked up last */

    /* The core's thread. */
    struct im_transport_env *core_env;
    struct im_post_office *office;
    struct im_worker *next_in_office;
    struct im_mail core_in; /* taken, and not read yet */
    struct event *core_mail;
    struct im_mail core_out, core_spent, core_spare;
    struct im_down_send *core_run; /* the last letter of core_out, if more links can be added to it */
    struct im_later core_post;
    struct im_remote **remotes; /* by slot */
    uint32_t remote_count;
    size_t remote_links; /* of which there are so many */
    bool stopped;
};

/* remote.c */
void im_remotes_enter(struct im_worker *); /* the office; before its mailbox is made */
bool im_remotes_open(struct im_worker *);
void im_remotes_close(struct im_worker *);
void im_remotes_tell_taken(struct im_worker *); /* what was not worth a letter by the limits there were */
/* A letter of `size` bytes that leaves at the end of the turn, whatever else is in it still to be set. */
void *im_down_write(struct im_worker *, enum im_down_kind, size_t size);
void im_down_clear(struct im_mail *spare, struct im_mail *downs); /* drops what its letters hold */

#endif
