#ifndef IM_CORE_EVENT_H
#define IM_CORE_EVENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/command.h"
#include "core/group.h"
#include "core/reason.h"
#include "core/str.h"

/* Everything that a link is given to send is an event: durable ones from the log, ephemeral ones, and replies. */
/* Stored by number: renumber never. */
enum im_event_type {
    IM_EV_MSG, /* durable up to IM_EV_LAST_DURABLE, ephemeral from there on */
    IM_EV_EDIT,
    IM_EV_DELETE,
    IM_EV_REACT,
    IM_EV_MEMBER,
    IM_EV_RECEIPT,
    IM_EV_TYPING,
    IM_EV_PRESENCE,
    IM_EV_NOTICE,
    IM_EV_RESET,
    IM_EV_BYE,
    IM_EV_OK, /* replies */
    IM_EV_ERR,
};

#define IM_EV_LAST_DURABLE IM_EV_MEMBER

/* SELF: a user's own log, which nobody else sees: what was deleted for oneself alone. It is no conversation to the
 * user; `to` of its events names the conversation that each one is about. */
enum im_conv_kind { IM_CONV_DIRECT, IM_CONV_GROUP, IM_CONV_SELF };

/* The forms an event's bytes can take; each is made at most once per event and point of view. */
enum im_form { IM_FORM_JSON, IM_FORM_HUMAN_EN, IM_FORM_HUMAN_ZH, IM_FORM_BARE, IM_FORM_NAMED, IM_FORM_COUNT };

enum im_presence { IM_OFFLINE, IM_ONLINE, IM_AWAY, IM_DND };
#define IM_PRESENCE_COUNT (IM_DND + 1)
const char *im_presence_name(enum im_presence);
bool im_presence_find(struct im_str name, enum im_presence *out); /* what a user may choose: not offline */

/* One user, or one group, in the answer to `presence`. Strings live in the rows' own malloc'd block. */
struct im_presence_row {
    struct im_str user; /* or "#group" */
    enum im_presence state;
    struct im_str text;
    int64_t seen_ms; /* when last here; 0: not told */
    uint32_t online; /* of a group: members here now */
};

/* One conversation in the answer to `conversations`. Strings live as long as the reply. */
struct im_conv_row {
    struct im_str name;    /* the peer's id, or "#group" */
    struct im_event *last; /* newest message or membership change, as it stands; the row's reference; NULL if none, and
                              in a very long list */
    uint64_t last_seq;     /* of any event */
    uint64_t unread;       /* messages of others after the read mark; edits and the like do not count */
    uint64_t read_seq;     /* the user's own read mark */
    uint64_t mention_seq;  /* the newest message that mentions the user; 0: none */
    uint64_t peer_read, peer_received; /* direct: how far the peer has read, and has got */
    enum im_role role;                 /* group: the user's */
    uint32_t members;                  /* group */
    struct im_str topic;               /* group */
};

/* A group as somebody sees it; strings live as long as the answer. */
struct im_group_row {
    struct im_str name; /* "#name" */
    struct im_str topic;
    unsigned settings; /* IM_GROUP_* */
    uint32_t members, online;
    enum im_role role; /* of who asks */
    int64_t created_ms;
};
struct im_member_row {
    struct im_str name;
    enum im_role role;
    bool online;
};
struct im_device_row {
    struct im_str name; /* "" is the default */
    uint64_t cursor;
    int64_t seen_ms;
    bool online, current;
};

/* A message that a search found, with its neighbours in the conversation, in order. */
struct im_hit {
    struct im_event **events; /* malloc'd; references */
    size_t count, at;         /* events[at] is the one found */
};

/* What a durable event says. All strings are views into the event's own allocation; absent ones have p == NULL. */
struct im_msg {
    enum im_conv_kind kind;
    uint64_t pos, seq; /* 0 until committed */
    int64_t ts_ms;     /* wall clock when the server took it in */
    struct im_str from, from_key;
    struct im_str to, to_key; /* direct: the peer; group: "#name"; keys of groups begin with '#' too */
    struct im_str cid;
    struct im_str mime;     /* MSG; NULL: plain text */
    struct im_str body;     /* MSG, EDIT: the text; REACT: the emoji; MEMBER: the topic */
    struct im_str mentions; /* MSG, EDIT: ids of those mentioned, separated by spaces; "*" is everybody. Before the
                               commit: what the client named; from it on, members only, those named in the text too */
    uint64_t ref;           /* MSG: the seq it replies to, 0 if none; EDIT, DELETE, REACT: the seq it is about */
    bool on;                /* REACT: given, or taken back */
    bool bot;               /* the sender is a bot */
    bool hidden;            /* direct: the peer has blocked the sender and does not see it */
    enum im_change change;  /* MEMBER */
    enum im_role role;      /* MEMBER: what `user` (or who did it, where there is no `user`) is from now on */
    unsigned settings;      /* MEMBER: CREATE and SET, IM_GROUP_* */
    unsigned keeps;         /* SET, before the commit: those that stay as they are */
    struct im_str user, user_key; /* MEMBER: whom it concerns, where that is another */
    /* How a message stands now: in answers to history, search and conversations only. */
    int64_t edited_ms;       /* 0: never */
    bool deleted;            /* the body is gone */
    struct im_str reactions; /* a line for each emoji: "👍 3 1": how many gave it, and whether the reader did */
};

enum im_group_answer { IM_GROUP_CHANGED, IM_GROUP_INFO, IM_GROUP_MEMBERS, IM_GROUP_LIST };

/* What others may know of a user. */
struct im_profile {
    struct im_str user, name, avatar; /* absent when not set */
    bool bot;
    struct im_presence_row presence;
};

struct im_reply {
    enum im_op op;      /* which request this answers */
    struct im_str id;   /* the request's id as JSON text, or absent */
    struct im_str self; /* key of the user who asked, where the answer lists messages */
    union {
        struct {
            struct im_str epoch;
            const struct im_config *config; /* limits and ping interval are told from here */
        } hello;
        struct { /* and of register */
            struct im_str user;
            uint64_t session, pos; /* pos: the cursor that events follow from */
            struct im_str token;   /* absent when none was issued */
            int64_t expires_ms;
        } login;
        struct {                  /* and of edit, delete, react, and group's changes */
            struct im_event *msg; /* the committed event; referenced. pos 0: nothing had to be changed */
            bool online, dup;
        } send;
        struct {
            struct im_str conv;
            struct im_event **events; /* oldest first; referenced */
            size_t count;
            bool more;
        } history;
        struct {
            struct im_hit *hits; /* newest first; malloc'd */
            size_t count;
            uint64_t next; /* to ask for what is older; 0: that was all */
        } search;
        struct {
            struct im_conv_row *rows;
            size_t count;
        } conversations;
        struct { /* group's info, members and list: as `what` says */
            enum im_group_answer what;
            struct im_str conv;   /* MEMBERS */
            struct im_event *msg; /* CHANGED: as in send; referenced */
            bool dup;
            struct im_group_row *groups; /* INFO: one; LIST; one malloc'd block, strings included */
            struct im_member_row *members;
            size_t count;
            bool more;
        } group;
        struct {
            struct im_presence_row *rows;
            size_t count;
        } presence;
        struct {
            struct im_str *users; /* ids; one malloc'd block, strings included */
            size_t count;
            bool list; /* asked for, even if empty */
        } block;
        struct {
            struct im_profile *profile; /* one malloc'd block, strings included */
        } profile;
        struct {
            struct im_device_row *rows; /* one malloc'd block, strings included */
            size_t count;
            bool list;
        } devices;
        struct {
            struct im_str ticket;
        } report;
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
        struct { /* how far `user` has got or read in a conversation; 0: not told */
            enum im_conv_kind kind;
            struct im_str user, conv; /* conv: as the readers of this event know it */
            uint64_t received, read;
        } receipt;
        struct {
            struct im_str user, conv; /* conv: as above */
            bool on;
            uint64_t for_ms;
        } typing;
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
    char *mentions;                           /* malloc'd: what im_event_mention() set */
    char tail[];
};

/* A durable event. Copies every string of *m. One reference, the caller's. */
struct im_event *im_event_new(enum im_event_type, const struct im_msg *m);
/* Sets msg.mentions, before the event is shared. Takes over the malloc'd string, which may be NULL. */
void im_event_mention(struct im_event *, char *mentions);
struct im_event *im_event_notice(enum im_reason reason, struct im_str text);
struct im_event *im_event_presence(const struct im_presence_row *);
struct im_event *im_event_receipt(enum im_conv_kind, struct im_str conv, struct im_str user, uint64_t received,
                                  uint64_t read);
struct im_event *im_event_typing(struct im_str conv, struct im_str user, bool on, uint64_t for_ms);
struct im_event *im_event_reset(uint64_t pos);
struct im_event *im_event_bye(enum im_reason reason, bool reconnect, uint64_t after_ms);
/* Replies. id and the other strings are copied; arrays (malloc'd) and event references in *r become the event's. */
struct im_event *im_event_reply(const struct im_reply *r);
struct im_event *im_event_err(enum im_op op, struct im_str id, enum im_reason reason, struct im_str detail,
                              uint64_t after_ms);

struct im_event *im_event_hold(struct im_event *e);
void im_event_drop(struct im_event **e); /* sets *e to NULL; *e may be NULL */
/* Everybody has been sent it: whoever wants it later has it made again, and until then it takes no room. */
void im_event_forget_forms(struct im_event *);

static inline bool im_event_durable(const struct im_event *e)
{
    return e->type <= IM_EV_LAST_DURABLE;
}
/* Is it short, and for one user's sessions, or two users'? */
static inline bool im_event_for_few(const struct im_event *e)
{
    enum { SHORT_BYTES = 4096 };
    if (!im_event_durable(e))
        return e->type == IM_EV_ERR || (e->type == IM_EV_OK && e->reply.op == IM_OP_SEND);
    return e->type == IM_EV_MSG && e->msg.kind == IM_CONV_DIRECT && e->msg.body.len <= SHORT_BYTES;
}
/* The bytes a link's queue will grow by, roughly; for bounds before an encoding exists. */
size_t im_event_weight(const struct im_event *e);
/* Is there something to show in the conversation (a message, a membership change), or does it change what is there? */
static inline bool im_event_shown(enum im_event_type type)
{
    return type == IM_EV_MSG || type == IM_EV_MEMBER;
}
/* The conversation's name as its reader knows it: the peer's id, or "#group". */
struct im_str im_msg_conv(const struct im_msg *m, bool own);

#endif
