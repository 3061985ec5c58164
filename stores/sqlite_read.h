#ifndef IM_STORES_SQLITE_READ_H
#define IM_STORES_SQLITE_READ_H

#include "core/log.h"
#include "stores/result.h"
#include "stores/sqlite_db.h"

/* One connection that only reads, each operation in a short transaction of its own. Used on one thread. */
struct im_reader {
    struct im_db db;
    struct im_log *log;
    const char *path; /* to tell how large the files are */
};

/* Carries out one operation and returns its status; on an error nothing is given back. */
enum im_reason im_reader_perform(struct im_reader *, struct im_store_op *);

/* Operations. Each returns a result code. */
int im_read_since(struct im_reader *, struct im_store_since *);                             /* sqlite_since.c */
int im_read_find(struct im_reader *, struct im_store_find *);                               /* sqlite_history.c */
int im_read_history(struct im_reader *, struct im_store_history *, enum im_reason *status); /* sqlite_history.c */
int im_read_conversations(struct im_reader *, struct im_store_conversations *);             /* … */
int im_read_search(struct im_reader *, struct im_store_search *, enum im_reason *status);   /* sqlite_search.c */
int im_read_groups(struct im_reader *, struct im_store_groups *, enum im_reason *status);   /* sqlite_lists.c */
int im_read_members(struct im_reader *, struct im_store_members *, enum im_reason *status); /* … */
int im_read_devices(struct im_reader *, struct im_store_devices *);                         /* … */
int im_read_users(struct im_reader *, struct im_store_users *);                             /* … */
int im_read_records(struct im_reader *, struct im_store_records *);                         /* sqlite_records.c */

/* What a user sees of a conversation: ranges of seq, in order. */
struct im_view {
    int64_t user; /* IM_READS_ALL: administration */
    int64_t conv;
    struct im_view_range {
        uint64_t from, upto;
    } * ranges;
    size_t count, room;
};
/* Fills the view's ranges; free() them. */
int im_view_group(struct im_reader *, struct im_view *);
void im_view_whole(struct im_view *);
/* Finds the conversation of a user (key absent: administration) with this peer or group. Without any, or with nothing
 * to be seen in it, ranges stays empty. */
int im_view_find(struct im_reader *, struct im_str key, enum im_conv_kind, struct im_str peer, struct im_view *);
/* Adds what the conversation shows to the page: those before a seq, newest first; or from one on. Until the page is
 * full; *more: there was another one. */
int im_view_before(struct im_reader *, const struct im_view *, uint64_t seq, struct im_page *, bool *more);
int im_view_from(struct im_reader *, const struct im_view *, uint64_t seq, struct im_page *, bool *more);

/* sqlite_since.c: finds the first event of a conversation with pos > after. If there is none, *pos is UINT64_MAX and
 * *seq last_seq + 1. */
int im_place_after(struct im_reader *, int64_t conv, uint64_t last_seq, uint64_t after, uint64_t *seq, uint64_t *pos);

#endif
