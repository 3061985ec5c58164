#ifndef IM_CORE_EVENT_H
#define IM_CORE_EVENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/command.h"
#include "core/reason.h"
#include "core/str.h"

/* Everything that a link is given to send is an event: durable ones from the log, ephemeral ones, and replies. */
enum im_event_type {
    IM_EV_MSG, /* durable up to IM_EV_LAST_DURABLE, ephemeral from there on */
    IM_EV_NOTICE,
    IM_EV_PRESENCE,
    IM_EV_RESET,
    IM_EV_BYE,
    IM_EV_OK, /* replies */
    IM_EV_ERR,
};

#define IM_EV_LAST_DURABLE IM_EV_MSG

enum im_conv_kind { IM_CONV_DIRECT, IM_CONV_GROUP };

/* The forms an event's bytes can take; each is made at most once per event and point of view. */
enum im_form { IM_FORM_JSON, IM_FORM_HUMAN, IM_FORM_BARE, IM_FORM_NAMED, IM_FORM_COUNT };

enum im_presence { IM_OFFLINE, IM_ONLINE };

/* One user in the answer to `presence`. Strings live in the rows' own malloc'd block. */
struct im_presence_row {
    struct im_str user;
    enum im_presence state;
};

/* One conversation in the answer to `conversations`. Strings live as long as the reply. */
struct im_conv_row {
    struct im_str name;    /* the peer's id, or "#group" */
    struct im_event *last; /* newest event, the row's reference; NULL in a very long list */
    uint64_t last_seq;
    uint64_t unread;
    uint64_t read_seq; /* the user's own read mark */
};

/* What a durable event says. All strings are views into the event's own allocation; absent ones have p == NULL. */
struct im_msg {
    enum im_conv_kind kind;
    uint64_t pos, seq; /* 0 until committed */
    int64_t ts_ms;     /* wall clock when the server took it in */
    struct im_str from, from_key;
    struct im_str to, to_key; /* direct: the peer; group: "#name" */
    struct im_str cid;
    struct im_str mime; /* NULL: plain text */
    struct im_str body;
};

struct im_reply {
    enum im_op op;      /* which request this answers */
    struct im_str id;   /* the request's id as JSON text (7, "a"), or absent */
    struct im_str self; /* key of the user who asked, where the answer lists messages */
    union {
        struct {
            struct im_str epoch;
            const struct im_config *config; /* limits and ping interval are told from here */
        } hello;
        struct {
            struct im_str user;
            uint64_t session, pos; /* pos: the cursor that events follow from */
        } login;
        struct {
            struct im_event *msg; /* the committed event; referenced */
            bool online, dup;
        } send;
        struct {
            struct im_str conv;
            struct im_event **events; /* oldest first; referenced */
            size_t count;
            bool more;
        } history;
        struct {
            struct im_conv_row *rows;
            size_t count;
        } conversations;
        struct {
            struct im_presence_row *rows;
            size_t count;
        } presence;
        struct {
            enum im_reason reason;
            struct im_str detail;
            uint64_t after_ms; /* 0: not said */
        } err;
    };
};

/* Immutable once shared. Reference-counted; counting is atomic. `forms` is a cache, filled lazily by whoever encodes.
 */
struct im_event {
    atomic_uint refs;
    enum im_event_type type;
    union {
        struct im_msg msg;     /* durable types */
        struct im_reply reply; /* OK, ERR */
        struct {
            enum im_reason reason; /* IM_OK: `text` stands alone */
            struct im_str text;
        } notice;
        struct im_presence_row presence;
        struct {
            uint64_t pos;
        } reset;
        struct {
            enum im_reason reason;
            bool reconnect;
            uint64_t after_ms;
        } bye;
    };
    struct im_bytes *forms[IM_FORM_COUNT][2]; /* [form][seen by its own sender?] */
    char tail[];
};

/* Copies every string of *m. One reference, the caller's. */
struct im_event *im_event_msg(const struct im_msg *m);
struct im_event *im_event_notice(enum im_reason reason, struct im_str text);
struct im_event *im_event_presence(struct im_str user, enum im_presence state);
struct im_event *im_event_reset(uint64_t pos);
struct im_event *im_event_bye(enum im_reason reason, bool reconnect, uint64_t after_ms);
/* Replies. id and the other strings are copied; arrays (malloc'd) and event references in *r become the event's. */
struct im_event *im_event_reply(const struct im_reply *r);
struct im_event *im_event_err(enum im_op op, struct im_str id, enum im_reason reason, struct im_str detail,
                              uint64_t after_ms);

struct im_event *im_event_hold(struct im_event *e);
void im_event_drop(struct im_event **e); /* sets *e to NULL; *e may be NULL */

static inline bool im_event_durable(const struct im_event *e)
{
    return e->type <= IM_EV_LAST_DURABLE;
}
/* The bytes a link's queue will grow by, roughly; for bounds before an encoding exists. */
size_t im_event_weight(const struct im_event *e);
/* The conversation's name as its reader knows it: the peer's id, or "#group". */
struct im_str im_msg_conv(const struct im_msg *m, bool own);

#endif
