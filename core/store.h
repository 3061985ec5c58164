#ifndef IM_CORE_STORE_H
#define IM_CORE_STORE_H

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
    /* reads */
    IM_STORE_SINCE,
    IM_STORE_HISTORY,
    IM_STORE_CONVERSATIONS,
    IM_STORE_STATS,
};
#define IM_STORE_FIRST_READ IM_STORE_SINCE

struct im_store_op {
    enum im_store_op_kind kind;
    enum im_reason status; /* out */
    void (*done)(struct im_store_op *);
    void *owner;              /* the submitter's */
    struct im_store_op *next; /* the store's */
};

/* Appends event (a durable type, pos and seq still 0). Users it names come to be. Sets pos and seq in event->msg.
 * When (from, cid) was committed before: nothing is appended, `earlier` is that event and event stays untouched. */
struct im_store_append {
    struct im_store_op op;
    struct im_event *event;   /* the caller's reference */
    struct im_event *earlier; /* out: NULL or a reference, now the caller's */
};

/* A user comes, on a device ("" is the shared default). Creates both where missing. A device never seen before starts
 * at the furthest cursor any of the user's devices has (0 if there is none). */
struct im_store_login {
    struct im_store_op op;
    struct im_str key, text, device;
    char name[IM_NAME_BYTES_MAX + 1]; /* out: the id as its owner first wrote it, NUL-terminated */
    uint64_t cursor;                  /* out */
    uint64_t head;                    /* out: pos of the newest event in the log, 0 if none */
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
};

/* Events of all of the user's conversations with pos > after, in order. At least one event when there is any; stops
 * at `limit` events or once `bytes` of bodies are reached. upto: every event of the user up to this pos is in
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

/* Events of one conversation as `key` sees it, oldest first: those before a seq (the newest when 0), or after one.
 * An unknown conversation has no events. */
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

/* All conversations of a user, the one with the newest event first. Once the last events' bodies make up `bytes`, the
 * rows that follow come without theirs. */
struct im_store_conversations {
    struct im_store_op op;
    struct im_str key;
    uint32_t limit, bytes;
    struct im_conv_row *rows; /* out: one malloc'd block, strings included; rows hold event references */
    size_t count;
};

struct im_store_stats {
    struct im_store_op op;
    uint64_t events, users, conversations, head, bytes; /* out; bytes on disk, 0 for memory */
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
};

struct im_store_options {
    const char *path;        /* sqlite: the database file */
    bool sync_full;          /* sqlite: synchronous=FULL, else NORMAL */
    uint32_t readers;        /* sqlite: reader threads, 1 or more */
    uint8_t epoch_seed[16];  /* random, for a new log's epoch */
    void (*wake)(void *arg); /* something has completed; any thread; must only wake the loop */
    void *wake_arg;
    struct im_log *log;           /* may be NULL */
    struct im_counters *counters; /* written on the core's thread only; may be NULL */
};

static inline void im_store_submit(struct im_store *s, struct im_store_op *op)
{
    s->ops->submit(s, op);
}

#endif
