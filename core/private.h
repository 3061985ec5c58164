#ifndef IM_CORE_PRIVATE_H
#define IM_CORE_PRIVATE_H

#include "core/core.h"

/* uthash calls this only when an allocation failed; im_alloc() never returns then. */
#include "core/mem.h"
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

/* A position that moves forward and is written to the store now and then. */
struct im_cursor {
    struct im_cursor *prev, *next; /* in core->dirty while pos > written */
    struct im_user *user;
    const char *device; /* "" for the default */
    uint64_t pos, written;
};

/* One session's interest in one user's presence. */
struct im_watch {
    struct im_session *session;
    struct im_user *user;
    struct im_watch *prev, *next;                 /* among the user's watchers */
    struct im_watch *session_prev, *session_next; /* among the session's watches */
};

#define IM_OWN_SENDS_MAX 64

struct im_session {
    uint64_t id; /* never used again: the handle that outlives a turn */
    struct im_link *link;
    enum im_session_state state;
    struct im_user *user;     /* BEHIND and LIVE only */
    struct im_cursor *cursor; /* with user: the user's default, or &own_cursor */
    struct im_cursor own_cursor;
    char *device, *agent; /* malloc'd or NULL */
    char *address;
    const char *transport;
    bool tls;
    bool held;          /* link reading is held */
    bool out_of_rate;   /* held until the bucket refills; in core->throttled */
    bool ending;        /* take no more requests; close with end_reason once all is answered and has left */
    bool end_when_live; /* … and the log has been read */
    bool reading;       /* a since() is under way */
    enum im_reason end_reason;
    unsigned inflight; /* requests the store has yet to answer */
    unsigned reads;    /* of these, reads: one at a time, so that nobody's questions crowd out the others' */
    uint64_t sent_pos; /* everything up to here was given to the link */
    uint64_t goal_pos; /* the log's end at login: LIVE not before this was reached */
    uint64_t opened_ms, active_ms;    /* monotonic */
    uint64_t flood_ms;                /* since when the bucket has not been full again; 0: it has */
    uint64_t tokens_milli, tokens_ms; /* rate: tokens in thousandths, as of tokens_ms */
    uint64_t *own_sends;              /* committed while BEHIND: already answered, so the log read leaves them out */
    size_t own_send_count;            /* at most IM_OWN_SENDS_MAX; one more comes again, which does no harm */
    struct im_watch *watches;
    size_t watch_count;
    struct im_session *user_prev, *user_next;   /* among the user's sessions */
    struct im_session *login_prev, *login_next; /* in core->logins until logged in */
    struct im_session *rate_prev, *rate_next;   /* in core->throttled while out_of_rate */
    UT_hash_handle hh;                          /* by id */
};

/* A user somebody is logged in as, or watches. Others exist in the store only. */
struct im_user {
    struct im_name name;
    uint64_t head_pos;       /* newest event known to concern this user */
    struct im_cursor cursor; /* the default device's */
    struct im_session *sessions;
    size_t session_count;
    struct im_watch *watchers;
    UT_hash_handle hh; /* by key */
};

struct im_core {
    const struct im_config *config;
    struct im_store *store;
    struct im_counters *counters;
    struct im_log *log;
    uint8_t hash_key[IM_HASH_KEY_BYTES];
    struct im_dialect_env env;
    int64_t wall_ms;
    uint64_t mono_ms, cursors_ms;
    uint64_t last_session_id;
    bool draining;
    uint64_t drain_spread_ms;
    size_t pending_ops;
    uint64_t pending_bytes;
    struct im_session *sessions;  /* all, by id */
    struct im_user *users;        /* by key */
    struct im_session *logins;    /* not logged in, oldest first */
    struct im_session *throttled; /* out of rate */
    struct im_cursor *dirty;
};

/* directory.c */
struct im_user *im_user_find(struct im_core *, struct im_str key);
struct im_user *im_user_get(struct im_core *, const struct im_name *); /* makes it when missing */
void im_user_release(struct im_core *, struct im_user *);              /* frees it when nobody needs it */
bool im_user_online(const struct im_user *);                           /* NULL: false */
void im_user_join(struct im_core *, struct im_user *, struct im_session *);
void im_user_leave(struct im_core *, struct im_session *);
/* Watch exactly these users from now on. The array's order and duplicates do not matter. */
void im_watch_set(struct im_core *, struct im_session *, const struct im_name *names, size_t count);

/* cursor.c */
void im_cursor_advance(struct im_core *, struct im_cursor *, uint64_t pos);
void im_cursor_stored(struct im_core *, struct im_cursor *, uint64_t pos); /* the store has it there already */
void im_cursor_flush(struct im_core *, struct im_cursor *);                /* write it now if it has moved */
void im_cursors_flush(struct im_core *);                                   /* all that have moved */

/* session.c */
struct im_session *im_session_find(struct im_core *, uint64_t id); /* NULL: gone */
bool im_session_closing(const struct im_session *);
void im_session_send(struct im_session *, struct im_event *, bool own); /* takes over one reference */
void im_session_err(struct im_core *, struct im_session *, enum im_op, struct im_str id, enum im_reason,
                    const char *detail, uint64_t after_ms);
/* The session is its user's from now on: events after `from` will come. `head` is the log's newest pos. */
void im_session_login(struct im_core *, struct im_session *, struct im_user *, uint64_t from, uint64_t head);
void im_session_state_set(struct im_core *, struct im_session *, enum im_session_state);
const char *im_session_state_name(enum im_session_state);
void im_session_review(struct im_core *, struct im_session *); /* cursor, hold or resume, catch up, end: what is due */
/* Says bye and closes; at once, or (when_answered) after what was asked is answered and has left for the socket. */
void im_session_end(struct im_core *, struct im_session *, enum im_reason, bool when_answered);

/* ops.c */
void im_op_run(struct im_core *, struct im_session *, struct im_command *);

/* log.c */
bool im_session_caught_up(const struct im_session *);
void im_read_on(struct im_core *, struct im_session *); /* next events from the log */
/* Hands a committed event to the sessions of everybody it concerns; `origin` has its answer already. */
void im_route(struct im_core *, struct im_event *, uint64_t origin);

#endif
