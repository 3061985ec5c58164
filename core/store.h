#ifndef IM_CORE_STORE_H
#define IM_CORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/event.h"
#include "core/name.h"
#include "core/reason.h"
#include "core/str.h"

/* The log and what hangs on it, behind one asynchronous contract that every store passes (tests/conform/store.c).
 *
 * An operation is a struct that the caller owns and lends: from submit() until its done() is called it belongs to the
 * store, and everything it points to must stay. done() runs on the core's thread, inside drain(), exactly once, and may
 * submit again or free the operation. Writes complete in the order of submission; so do reads; a read sees every write
 * that had completed when the read was submitted. A write that completes with IM_OK is on disk (for the memory store:
 * in memory); one that completes with anything else has left no trace.
 *
 * Users are named by key (core/name.h). pos grows with every event, seq is dense per conversation from 1. */

enum im_store_op_kind {
    /* writes */
    IM_STORE_APPEND,
    IM_STORE_LOGIN,
    IM_STORE_CURSORS,
    IM_STORE_MARKS,
    IM_STORE_BLOCK,
    IM_STORE_DEVICE_DROP,
    IM_STORE_RECORD_PUT,
    IM_STORE_RECORD_DROP,
    IM_STORE_SWEEP,
    /* reads */
    IM_STORE_SINCE,
    IM_STORE_HISTORY,
    IM_STORE_SEARCH,
    IM_STORE_CONVERSATIONS,
    IM_STORE_GROUPS,
    IM_STORE_MEMBERS,
    IM_STORE_DEVICES,
    IM_STORE_USERS,
    IM_STORE_RECORDS,
    IM_STORE_FIND,
    IM_STORE_STATS,
    /* care: long, and in the way of nobody; one at a time */
    IM_STORE_BACKUP,
    IM_STORE_CHECK,
};
#define IM_STORE_FIRST_READ IM_STORE_SINCE
#define IM_STORE_FIRST_CARE IM_STORE_BACKUP

struct im_store_op {
    enum im_store_op_kind kind;
    enum im_reason status; /* out */
    void (*done)(struct im_store_op *);
    void *owner;              /* the submitter's */
    struct im_store_op *next; /* the store's */
};

/* Limits that bear on an append. */
struct im_policy {
    uint64_t edit_ms,
        delete_ms; /* how long after it was sent a message may be edited, or deleted for all; 0: for ever */
    uint32_t group_members, groups_per_user, reactions;
    bool accounts; /* users must have an account record (IM_RECORD_ACCOUNT) to be written to or drawn into a group */
};

/* What a store found when it looked up the ends of a direct conversation, for the next append from the same user to the
 * same peer: zero at first, then as the last one left it. Only the store knows what is in it, and whether it still
 * holds. */
struct im_store_hint {
    uint64_t valid;
    void *found[5];
};

/* Appends event (a durable type, pos and seq still 0), if the rules allow it (stores/rules.h): the store is where
 * membership, roles and the messages that an event is about are known for certain, so it is the one to judge. Users it
 * names come to be. Sets pos and seq in event->msg, and what else only the store knows: mentions, hidden, role.
 * When (from, cid) was committed before: nothing is appended, `earlier` is that event and event stays untouched.
 * When it would change nothing (a reaction given twice, a member invited): IM_OK, and pos stays 0. */
struct im_store_append {
    struct im_store_op op;
    struct im_event *event; /* the caller's reference */
    struct im_policy policy;
    struct im_store_hint hint;
    struct im_event *earlier; /* out: NULL or a reference, now the caller's */
};

/* Devices whose names begin so are webhooks': they count neither for the furthest cursor nor against max_devices, and
 * are not swept; nor is the default one, so that who comes back after long does not get everything again. */
#define IM_HOOK_DEVICE "hook:"
static inline bool im_device_is_hook(struct im_str device)
{
    return device.len >= sizeof IM_HOOK_DEVICE - 1 && memcmp(device.p, IM_HOOK_DEVICE, sizeof IM_HOOK_DEVICE - 1) == 0;
}

/* A user comes, on a device ("" is the shared default). Creates both where missing. A device never seen before starts
 * at the furthest cursor any of the user's devices has (0 if there is none); beyond max_devices named ones, the one
 * unseen for longest goes. */
struct im_store_login {
    struct im_store_op op;
    struct im_str key, text, device;
    int64_t ts_ms;
    uint32_t max_devices;
    char name[IM_NAME_BYTES_MAX + 2]; /* out: the id as its owner first wrote it, NUL-terminated */
    uint64_t cursor, furthest;        /* out: of the device; of any device */
    uint64_t head;                    /* out: pos of the newest event in the log, 0 if none */
    struct im_seat_row *seats;        /* out: groups where the user is a member; one malloc'd block, strings included */
    size_t seat_count;
    struct im_str *blocked; /* out: keys of whom the user has blocked; as above */
    size_t blocked_count;
};
struct im_seat_row {
    struct im_str name, key; /* "#name" */
    enum im_role role;
    uint32_t members;
};

/* Moves cursors forward; a pos behind the stored one changes nothing. */
struct im_store_cursor {
    struct im_str key, device;
    uint64_t pos;
};
struct im_store_cursors {
    struct im_store_op op;
    const struct im_store_cursor *rows;
    size_t count;
    int64_t ts_ms; /* the devices were seen now */
};

/* Moves read marks forward, at most to the conversation's end; a seq behind the mark changes nothing. */
struct im_store_mark {
    struct im_str key; /* who has read */
    enum im_conv_kind kind;
    struct im_str peer; /* key of the peer, or of the group */
    uint64_t seq;       /* in; out: the mark as it stands now, 0 where there is no such conversation */
    bool moved;         /* out */
};
struct im_store_marks {
    struct im_store_op op;
    struct im_store_mark *rows;
    size_t count;
};

/* `key` does not want to hear from `other` (on), or does again. IM_TOO_MANY beyond max. */
struct im_store_block {
    struct im_store_op op;
    struct im_str key, other, other_text;
    bool on;
    uint32_t max;
};

/* Forgets a device and its cursor. IM_NO_SUCH_DEVICE. */
struct im_store_device_drop {
    struct im_store_op op;
    struct im_str key, device;
};

/* Records: everything that is not conversation, as small values by kind and key. What a value means is its kind's
 * business (core/account.h, tools/imd/hooks.c …); a new kind changes no store. Stored by number: append only. */
enum im_record_kind {
    IM_RECORD_ACCOUNT, /* key: user key */
    IM_RECORD_PROFILE, /* key: user key */
    IM_RECORD_SEEN,    /* key: user key */
    IM_RECORD_TOKEN,   /* key: hash of the token; owner: user key; name: the device, for session tokens */
    IM_RECORD_INVITE,  /* key: hash of the code */
    IM_RECORD_REPORT,  /* key: ticket */
    IM_RECORD_HOOK,    /* key: name; owner: user key */
    IM_RECORD_BAN,     /* key: "user/" user key, "mute/" user key, or "net/" network */
};
struct im_record {
    enum im_record_kind kind;
    struct im_str key;
    struct im_str owner, name; /* may be absent. Of one kind, (owner, name) is unique where both are given: a put
                                  replaces the record that had them */
    struct im_str value;       /* any bytes */
    int64_t expires_ms;        /* swept after this; 0: never. Readers judge for themselves whether it is over */
};
/* Puts a record in place of the one with its kind and key. With `expect`: only if that one's value is this (absent:
 * only if there is none), else IM_CONFLICT. */
struct im_store_record_put {
    struct im_store_op op;
    struct im_record record;
    bool check;
    struct im_str expect;
};
/* Drops one by key; or, with key absent, all of an owner, or the owner's one of that name. */
struct im_store_record_drop {
    struct im_store_op op;
    enum im_record_kind kind;
    struct im_str key, owner, name;
    uint64_t count; /* out */
};

/* One step of clearing up, at most `limit` rows: events older than retention_ms; those older than the newest
 * retention_count messages of their conversation, or beyond IM_RETENTION_EVENTS times as many of any kind (reactions,
 * edits, changes of membership, messages that nobody but the sender sees); devices unseen for device_ms, records that
 * have expired; 0: that not. A conversation's and the log's last numbers stay, so that seq and pos go on. What an
 * erased message said is nowhere any more: not in its edits, not in the search index. */
#define IM_RETENTION_EVENTS 8 /* events of any kind are kept for each message of retention_count */
struct im_store_sweep {
    struct im_store_op op;
    int64_t now_ms;
    uint64_t retention_ms, retention_count, device_ms;
    uint32_t limit;
    uint64_t erased; /* out: rows */
    bool more;       /* out: there is more to erase */
};

/* Who sees what. A user sees a direct conversation whole (but for events hidden from them), and of a group what was
 * written while they were a member, both ends included: the join, and the leave, kick, ban or deletion that ended it;
 * with IM_GROUP_PAST set when they joined, also all from before. Of an invitation they see that event alone. */

/* Events that the user sees, of all conversations and the user's own log, with pos > after, in order, as they were
 * appended (a message deleted for all has lost its body, and has `deleted` set). At least one event when there is any;
 * stops at `limit` events or once `bytes` of bodies are reached. upto: every event of the user up to this pos is in
 * `events` or was before; it is >= after, and when nothing was cut off it is the log's head. */
struct im_store_since {
    struct im_store_op op;
    struct im_str key;
    uint64_t after;
    uint32_t limit, bytes;
    struct im_event **events; /* out: malloc'd array and references, now the caller's; NULL when count is 0 */
    size_t count;
    uint64_t upto;
};

/* Messages and membership changes of one conversation as `key` sees it (absent: whole, for administration), as they
 * stand now, without those the user has deleted for themselves, oldest first: those before a seq (the newest when 0),
 * or after one. An unknown conversation has none; a group the user never saw is IM_NO_SUCH_GROUP. */
struct im_store_history {
    struct im_store_op op;
    struct im_str key;
    enum im_conv_kind kind;
    struct im_str peer;     /* key of the peer, or of the group */
    uint64_t before, after; /* one of them, or none; after counts when has_after */
    bool has_after;
    uint32_t limit, bytes;
    struct im_event **events; /* out, as above */
    size_t count;
    bool more; /* out: there are further events in that direction */
};

/* Messages that the user sees and whose text, as it stands now, has every word of `text` (core/search.h), newest first:
 * in one conversation (peer given), or in all. Each with up to `context` shown events before and after it. */
struct im_store_search {
    struct im_store_op op;
    struct im_str key, text;
    enum im_conv_kind kind;
    struct im_str peer; /* absent: everywhere */
    uint64_t before;    /* only events with pos < this; 0: all */
    uint32_t limit, context, bytes;
    struct im_hit *hits; /* out: malloc'd, now the caller's with what is in them */
    size_t count;
    uint64_t next; /* out: `before` for what follows; 0: that was all */
};

/* All conversations of a user, the one with the newest event first: direct ones, and groups where the user is a member.
 * Once the last events' bodies make up `bytes`, the rows that follow come without theirs. */
struct im_store_conversations {
    struct im_store_op op;
    struct im_str key;
    uint32_t limit, bytes;
    struct im_conv_row *rows; /* out: one malloc'd block, strings included; rows hold event references */
    size_t count;
};

/* Groups by name: the one of this name, if key (absent: administration) may know of it, else IM_NO_SUCH_GROUP; or, with
 * group absent, the public ones (administration: all) after a name. `online` stays 0. */
struct im_store_groups {
    struct im_store_op op;
    struct im_str key, group, after;
    uint32_t limit;
    struct im_group_row *rows; /* out: one malloc'd block, strings included */
    size_t count;
    bool more;
};

/* Members of a group that key (absent: administration) is a member of, by key, after one; the invited and the banned
 * are among them for those who may ban. IM_NO_SUCH_GROUP, IM_NOT_MEMBER. */
struct im_store_members {
    struct im_store_op op;
    struct im_str key, group, after; /* after: a member's key */
    uint32_t limit;
    struct im_member_row *rows; /* out: as above */
    size_t count;
    bool more;
};

struct im_store_devices {
    struct im_store_op op;
    struct im_str key;
    struct im_device_row *rows; /* out: as above */
    size_t count;
};

/* Users by key, after one (or: those whom `blocked_by` has blocked, all of them). */
struct im_user_row {
    struct im_str name, key;
    bool claimed; /* has been here, and not only been written to */
};
struct im_store_users {
    struct im_store_op op;
    struct im_str after, blocked_by;
    uint32_t limit;
    struct im_user_row *rows; /* out: as above */
    size_t count;
    bool more;
};

/* The record with this key; or, with key absent, those of a kind (and an owner, if given) by key, after one. None found
 * is IM_OK and count 0. */
struct im_store_records {
    struct im_store_op op;
    enum im_record_kind kind;
    struct im_str key, owner, after;
    uint32_t limit;
    struct im_record *rows; /* out: as above */
    size_t count;
    bool more;
};

/* The event at this pos; or, with pos 0, the one that a user sent under this cid. As it was appended, whoever may see
 * it: for administration. */
struct im_store_find {
    struct im_store_op op;
    uint64_t pos;
    struct im_str from, cid; /* from: a key */
    struct im_event *event;  /* out: a reference, now the caller's; NULL: there is none, or no more */
};

struct im_store_stats {
    struct im_store_op op;
    uint64_t events, users, conversations, groups, head, bytes; /* out; bytes on disk, 0 for memory */
};

/* BACKUP: a copy of the store as it is at one moment, checked, in a new file: IM_CONFLICT if there is one already; or
 * nothing is there afterwards. IM_FORBIDDEN: this store has none to copy.
 * CHECK: looks at all of it. IM_STORE_CORRUPT: the problem says what is wrong. */
struct im_store_care {
    struct im_store_op op;
    const char *path;        /* BACKUP */
    const atomic_bool *stop; /* set by anybody: give up, with IM_DRAIN. May be NULL */
    uint64_t bytes, events;  /* out */
    char problem[300];       /* out: for people */
};

struct im_store;

struct im_store_ops {
    const char *name;
    /* Hands an operation over. May be called inside done(). */
    void (*submit)(struct im_store *, struct im_store_op *);
    /* Calls done() for what has completed; call on the core's thread after each wake(). Returns how many. */
    size_t (*drain)(struct im_store *);
    /* Finishes what was submitted, without calling wake() or done() any more, and frees: drain() first. */
    void (*close)(struct im_store **);
};

/* First member of every store's own struct. */
struct im_store {
    const struct im_store_ops *ops;
    char epoch[33];                          /* identity of this log, hex; constant over its life */
    bool (*failed)(const struct im_store *); /* an I/O error made it refuse for good; NULL: never */
    bool (*full)(const struct im_store *);   /* what was written last found no room; NULL: never */
    bool prompt;   /* drain() itself completes what was submitted before it: there is nothing to wait for */
    bool attended; /* set by who submits to a prompt store and then calls drain() without being woken */
};

struct im_histogram;

struct im_store_options {
    const char *path;        /* sqlite: the database file */
    bool sound;              /* sqlite: closed in good order a moment ago; need not be looked through */
    bool sync_full;          /* sqlite: synchronous=FULL, else NORMAL */
    uint32_t readers;        /* sqlite: reader threads, 1 or more */
    uint64_t cache_bytes;    /* sqlite: of pages in memory, for the writer and for each reader; 0: a few */
    uint8_t epoch_seed[16];  /* random, for a new log's epoch */
    void (*wake)(void *arg); /* something has completed; any thread; must only wake the loop */
    void *wake_arg;
    struct im_log *log;             /* may be NULL */
    struct im_counters *counters;   /* written on the core's thread only; may be NULL */
    struct im_histogram *commit_us; /* of those that have a disk to wait for; written by the store's thread; or NULL */
};

static inline void im_store_submit(struct im_store *s, struct im_store_op *op)
{
    s->ops->submit(s, op);
}

#endif
