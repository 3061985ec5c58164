#ifndef IM_CORE_PRIVATE_H
#define IM_CORE_PRIVATE_H

#include "core/core.h"

/* uthash calls this only when an allocation failed; im_alloc() never returns then. */
#include "core/mem.h"
#include "core/rate.h"
#define uthash_malloc(size)    im_alloc(size)
#define uthash_free(ptr, size) free(ptr)
#define HASH_FUNCTION(keyptr, keylen, hashv)                                                                           \
    do {                                                                                                               \
        (hashv) = 0; /* never used: every lookup gives the SipHash value itself */                                     \
    } while (0)
#include <uthash.h>
#include <utlist.h>

/* A session: one link, from its opening to its end.
 *
 *              login asked          store answered          log read to its end
 *      OPEN ───────────────► LOGGING_IN ──────────► BEHIND ◄──────────────────► LIVE
 *        │                       │                    │      slow: queue full     │
 *        └───────────────────────┴─────────┬──────────┴───────────────────────────┘
 *                                          ▼  bye, kick, drain, failure: link->close()
 *                                       CLOSING ──► gone (im_core_closed)
 *
 * LIVE sessions get events as they are committed; BEHIND ones read them from the log at their own pace. */
enum im_session_state {
    IM_SESSION_OPEN,
    IM_SESSION_LOGGING_IN,
    IM_SESSION_BEHIND,
    IM_SESSION_LIVE,
    IM_SESSION_CLOSING,
};

struct im_user;
struct im_group;

/* A position that moves forward and is written to the store now and then. */
struct im_cursor {
    struct im_cursor *prev, *next; /* in core->dirty while pos > written */
    struct im_user *user;
    const char *device; /* "" for the default */
    bool quiet;         /* a program's, not a person's: nobody is told that it was received */
    uint64_t pos, written;
};

/* One session's interest in the presence of one user or one group. */
struct im_watch {
    struct im_session *session;
    struct im_user *user; /* NULL: of the group */
    struct im_group *group;
    struct im_watch *prev, *next;                 /* among the watchers of that user or group */
    struct im_watch *session_prev, *session_next; /* among the session's watches */
};

/* Whom a session wrote to last, and what was found out about them: who writes once, writes again. */
struct im_talk {
    struct im_user *peer;  /* NULL: not here, or a group */
    uint64_t users_change; /* peer is right while core->users_change is this */
    uint64_t number;       /* among the session's */
    struct im_store_hint hint;
    struct im_name name; /* as much of it as is used */
};

#define IM_OWN_SENDS_MAX 64

/* A state the session came into. */
struct im_step {
    uint32_t after_ms; /* it was opened; the last one after 49 days */
    uint8_t state;     /* enum im_session_state */
};

/* What every message touches comes first: with many sessions, each further cache line is one more wait for memory. */
struct im_session {
    struct im_link *link;
    enum im_session_state state;
    enum im_seat_kind seat;
    struct im_user *user;     /* BEHIND and LIVE only */
    struct im_cursor *cursor; /* with user: the user's default, or &own_cursor; NULL for a SENDER */
    uint64_t id;              /* never used again: the handle that outlives a turn */
    struct im_talk *talk;     /* malloc'd or NULL */
    uint64_t active_ms;       /* monotonic */
    uint64_t sent_pos;        /* everything up to here was given to the link */
    uint64_t sent, commands;  /* for administration: events and answers given to the link; requests */
    unsigned inflight;        /* requests the store has yet to answer */
    unsigned reads;           /* of these, reads: one at a time, so that nobody's questions crowd out the others' */
    bool held;                /* link reading is held */
    bool out_of_rate;         /* held until the bucket refills; in core->throttled */
    bool ending;              /* take no more requests; close with end_reason once all is answered and has left */
    bool end_when_live;       /* … and the log has been read */
    bool reading;             /* a since() is under way */
    bool by_password;         /* it rests on the user's password, by itself or through a token got for it */
    bool has_uid;             /* a Unix socket: whose process it is */
    bool tls;
    struct im_bucket bucket;
    struct im_session *user_prev, *user_next; /* among the user's sessions */
    struct im_name *hook_to;                  /* SENDER: the one conversation it may write to; malloc'd */

    uint64_t talks;  /* how many it has had */
    char *token_key; /* record of the token it logged in with; malloc'd or NULL */
    uint32_t uid;
    enum im_reason end_reason;
    uint64_t typing_ms; /* when it was typing last */
    struct im_cursor own_cursor;
    char *device, *agent; /* malloc'd or NULL */
    char *address;
    const char *transport;
    const char *tls_version, *tls_cipher; /* static, or NULL */
    uint64_t goal_pos;                    /* the log's end at login: LIVE not before this was reached */
    uint64_t opened_ms;                   /* monotonic */
    uint64_t flood_ms;                    /* since when the bucket has not been full again; 0: it has */
    uint64_t *own_sends;   /* committed while BEHIND: already answered, so the log read leaves them out */
    size_t own_send_count; /* at most IM_OWN_SENDS_MAX; one more comes again, which does no harm */
    struct im_watch *watches;
    size_t watch_count;
    struct im_step steps[IM_STEPS_MAX];         /* the newest ones, by number modulo IM_STEPS_MAX */
    unsigned step_count;                        /* ever */
    struct im_session *login_prev, *login_next; /* in core->logins until logged in */
    struct im_session *rate_prev, *rate_next;   /* in core->throttled while out_of_rate */
    UT_hash_handle hh;                          /* by id */
};

/* One online user's membership in one group: who gets what is written there. */
struct im_seat {
    struct im_group *group;
    struct im_user *user;
    enum im_role role;
    struct im_seat *prev, *next;           /* in the group */
    struct im_seat *user_prev, *user_next; /* of the user */
};

/* A group that somebody who is here is a member of. The truth about groups is in the store. */
struct im_group {
    struct im_name name; /* "#name" */
    struct im_seat *seats;
    uint32_t members; /* about how many: as the store counted them when one came last, and what has changed since */
    struct im_watch *watchers;
    uint32_t told; /* how many are online, as the watchers know it */
    UT_hash_handle hh;
};

#define IM_FRESH_FEW 4
#define IM_FRESH_MAX 64 /* IM_FRESH_FEW times a power of four */

/* Direct messages that a user got: this one, and earlier ones of the same sender that it speaks for. */
struct im_fresh {
    uint64_t pos, seq;
    struct im_bytes *from; /* the sender's key; one for a row of theirs */
};

/* A user somebody is logged in as, or watches, or who was here a moment ago. Others exist in the store only. What every
 * message touches comes first. */
struct im_user {
    struct im_name *name; /* malloc'd */
    uint64_t head_pos;    /* newest event known to concern this user */
    struct im_session *sessions;
    size_t chat_count;      /* of the sessions, those of seat CHAT: by these the user is online */
    uint64_t received_pos;  /* the furthest cursor of any device: others may know that it was received */
    struct im_fresh *fresh; /* direct messages of others whose senders are to be told; at most IM_FRESH_MAX */
    size_t fresh_count, fresh_room;
    uint64_t fresh_pos;      /* of the newest one there has been */
    struct im_cursor cursor; /* the default device's */
    bool receipts_due;       /* in core->receivers */
    bool bot;
    size_t session_count;   /* of seat CHAT and QUIET */
    size_t sender_count;    /* of seat SENDER, which are not among the sessions */
    struct im_seat *seats;  /* while there are sessions */
    struct im_str *blocked; /* keys of whom the user does not want to hear from; one block; while there are sessions */
    size_t blocked_count;
    enum im_presence state; /* as chosen, while online */
    char *status;           /* malloc'd or NULL */
    struct im_mark *marks;  /* to be written; core->marks has them all */
    struct im_watch *watchers;
    uint64_t receipts_ms; /* since when it is in core->receivers */
    uint64_t along_ms;    /* when a receipt went along with something last */
    uint64_t leaves_ms;   /* in core->leaving: when others are told that the user is away; 0: not */
    int64_t left_ms;      /* when it was, by the clock */
    struct im_user *receipt_prev, *receipt_next; /* in core->receivers */
    struct im_user *leave_prev, *leave_next;     /* in core->leaving */
    UT_hash_handle hh;                           /* by key */
};

/* A read mark to be written. */
struct im_mark {
    struct im_mark *prev, *next; /* in core->marks */
    struct im_mark *of_user;     /* the next one of the same user */
    uint64_t seq;
    uint64_t session; /* that read it, and knows */
    struct im_name user, conv;
};

struct im_core {
    const struct im_config *config;
    struct im_policy policy; /* out of it */
    struct im_store *store;
    struct im_counters *counters;
    struct im_log *log;
    struct im_session *running; /* whose command runs now, and is reviewed after it; NULL: nobody's */
    uint8_t hash_key[IM_HASH_KEY_BYTES];
    struct im_dialect_env env;
    int64_t wall_ms;
    uint64_t mono_ms, cursors_ms;
    uint64_t last_session_id;
    bool draining;
    uint64_t drain_spread_ms;
    uint64_t drain_rate, drain_mono_ms, drained; /* slowly: per second, since when, and how many were told so far */
    struct im_bans bans;
    void *appends; /* append.c: blocks that wait for their next use */
    unsigned append_count;
    size_t pending_ops;
    uint64_t pending_bytes;
    struct im_session *sessions;  /* all, by id */
    struct im_user *users;        /* by key */
    uint64_t users_change;        /* how often one came into that table or left it */
    uint64_t sessions_gone;       /* how often a session was freed */
    struct im_group *groups;      /* by key */
    struct im_session *logins;    /* not logged in, oldest first */
    struct im_session *throttled; /* out of rate */
    struct im_cursor *dirty;
    struct im_mark *marks;
    struct im_user *receivers;            /* have received messages whose senders are to be told; since longest first */
    size_t receiver_count, receivers_new; /* new: since this turn began */
    struct im_user *leaving;              /* their last session has gone, and nobody was told yet */
    uint64_t groups_ms, sweep_ms;
    bool sweeping;
    struct im_hasher *hasher;
    const struct im_keys *keys;
    struct im_backoff *backoff;
    struct im_rates *hook_rates; /* of incoming webhooks, by the key of their token */
    void (*random)(void *arg, void *out, size_t len);
    void *random_arg;
    bool (*unix_user)(void *arg, uint32_t uid, struct im_name *out);
    void *unix_user_arg;
    struct im_auth *auths;                                            /* logins and the like under way */
    void (*tap)(void *arg, const struct im_event *, uint64_t origin); /* im_core_tap(); NULL: nobody listens */
    void *tap_arg;
};

/* directory.c */
struct im_user *im_user_find(struct im_core *, struct im_str key);
struct im_user *im_user_get(struct im_core *, const struct im_name *);          /* makes it when missing */
void im_user_spell(struct im_core *, struct im_user *, const struct im_name *); /* the same id as its owner writes it */
void im_user_release(struct im_core *, struct im_user *);                       /* frees it when nobody needs it */
bool im_user_online(const struct im_user *);                                    /* NULL: false */
/* The session sits down with its user: what the store knows of the user becomes known here. Takes over seats and
 * blocked of the login. */
void im_user_join(struct im_core *, struct im_user *, struct im_session *, struct im_store_login *);
void im_user_leave(struct im_core *, struct im_session *);
bool im_user_blocks(const struct im_user *, struct im_str key); /* NULL: false */
void im_user_block(struct im_user *, struct im_str key, bool on);
/* Sends an ephemeral event to the user's chat sessions, but not to the one of this id (0: all), nor to those that are
 * slow. The reference stays. */
void im_user_tell(struct im_core *, struct im_user *, struct im_event *, uint64_t but);

/* presence.c */
/* How `user` (whose im_user may be NULL) appears to `viewer`. Strings are the user's. */
struct im_presence_row im_presence_of(const struct im_user *user, struct im_str id, struct im_str viewer_key);
void im_presence_changed(struct im_core *, struct im_user *);
void im_presence_left(struct im_core *, struct im_user *); /* the last chat session has gone */
void im_presence_came(struct im_core *, struct im_user *); /* the first one is there */
void im_presence_tick(struct im_core *, bool all);         /* all: nobody lingers */
/* Watch exactly these users and groups ("#name") from now on. The array's order and duplicates do not matter; groups
 * the session's user has no seat in are left out. */
void im_watch_set(struct im_core *, struct im_session *, const struct im_name *names, size_t count);

void im_watch_lost(struct im_core *, struct im_user *,
                   struct im_group *); /* the user may not watch the group any more */

/* groups.c */
struct im_group *im_group_find(struct im_core *, struct im_str key);
struct im_seat *im_seat_find(const struct im_group *, const struct im_user *); /* both may be NULL */
void im_seat_add(struct im_core *, struct im_user *, struct im_str name, struct im_str key, enum im_role,
                 uint32_t members);
void im_seat_drop(struct im_core *, struct im_seat *);
void im_group_release(struct im_core *, struct im_group *);
uint32_t im_group_online(const struct im_group *); /* counts */
/* A committed membership change: seats before it is routed, and after. */
void im_group_before(struct im_core *, const struct im_msg *);
void im_group_after(struct im_core *, const struct im_msg *);

/* receipts.c */
/* The event was given to one of the user's sessions. */
void im_receipt_fresh(struct im_core *, struct im_user *, const struct im_event *);
void im_receipt_advance(struct im_core *, struct im_user *, uint64_t pos); /* a device has all up to pos */
/* What `to` is to know of what the user has received, along with an event that goes there from the user anyway. */
void im_receipt_along(struct im_core *, struct im_user *, struct im_user *to);
void im_receipts_turn(struct im_core *); /* some of those that are due; and on a tick */
void im_receipts_tick(struct im_core *);
void im_receipts_flush(struct im_core *); /* all that wait */
void im_receipts_forget(struct im_core *, struct im_user *);
void im_mark_read(struct im_core *, struct im_session *, const struct im_name *conv, uint64_t seq);
void im_marks_flush(struct im_core *);

/* cursor.c */
void im_cursor_advance(struct im_core *, struct im_cursor *, uint64_t pos);
void im_cursor_stored(struct im_core *, struct im_cursor *, uint64_t pos); /* the store has it there already */
void im_cursor_flush(struct im_core *, struct im_cursor *);                /* write it now if it has moved */
void im_cursors_flush(struct im_core *);                                   /* all that have moved */

/* append.c */
void im_appends_clear(struct im_core *);
struct im_policy im_policy_of(const struct im_config *);

/* core.c */
void im_drain_tick(struct im_core *); /* tells those whose turn it is to go */

/* sweep.c */
void im_sweep_tick(struct im_core *); /* a step of clearing up, when it is due */

/* session.c */
struct im_session *im_session_find(struct im_core *, uint64_t id); /* NULL: gone */
bool im_session_closing(const struct im_session *);
void im_session_send(struct im_session *, struct im_event *, bool own); /* takes over one reference */
void im_session_tell(struct im_session *, struct im_event *, bool own); /* the reference stays */
void im_session_err(struct im_core *, struct im_session *, enum im_op, struct im_str id, enum im_reason,
                    const char *detail, uint64_t after_ms);
/* The session is its user's from now on: events after `from` will come. Takes over seats and blocked of the login. */
void im_session_login(struct im_core *, struct im_session *, struct im_user *, uint64_t from, struct im_store_login *);
void im_session_state_set(struct im_core *, struct im_session *, enum im_session_state);
const char *im_session_state_name(enum im_session_state);
uint64_t im_session_since(const struct im_session *);          /* when it came into its state */
void im_session_review(struct im_core *, struct im_session *); /* cursor, hold or resume, catch up, end: what is due */
/* Says bye and closes; at once, or (when_answered) after what was asked is answered and has left for the socket. */
void im_session_end(struct im_core *, struct im_session *, enum im_reason, bool when_answered);

/* inspect.c */
struct im_session_view im_session_view(const struct im_core *, const struct im_session *);

/* auth.c */
void im_auth_overtake(struct im_core *, struct im_str user_key, struct im_str device); /* logins under way: in vain */

/* login.c */
/* Revokes the token that the session's device logged in with, if there is one, and answers. */
void im_login_forget(struct im_core *, struct im_session *, const struct im_command *);

/* ops.c */
void im_op_run(struct im_core *, struct im_session *, struct im_command *);

/* log.c */
bool im_session_caught_up(const struct im_session *);
void im_read_on(struct im_core *, struct im_session *); /* next events from the log */
/* Everything up to pos counts as sent; the peer is told to start over. */
void im_session_skip(struct im_core *, struct im_session *, uint64_t pos);
/* Hands a committed event to the sessions of everybody it concerns; `origin` has its answer already. from, to: the
 * users it names, where they are here; `to` not of groups. */
void im_route(struct im_core *, struct im_event *, uint64_t origin, struct im_user *from, struct im_user *to);

#endif
