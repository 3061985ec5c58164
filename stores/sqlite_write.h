#ifndef IM_STORES_SQLITE_WRITE_H
#define IM_STORES_SQLITE_WRITE_H

#include "core/log.h"
#include "stores/sqlite_cache.h"

#define IM_BATCH_MAX 1024 /* operations in one transaction */

/* The one connection that writes, and the batch it works on. Lives on the writer's thread once that runs. */
struct im_writer {
    struct im_db db;
    struct im_log *log;
    struct im_cache *cache;
    int64_t data_version;              /* changes when another program has written */
    struct im_tally committed, tally;  /* as on disk; as of the transaction under way */
    uint64_t committed_chores, chores; /* likewise: chunks that should have a filter */
    bool chores_rest;                  /* the last attempt failed: not before something else has been written */
    int wal_pages;                     /* in the write-ahead log after the last commit */
    int wal_restart;                   /* from so many on it is made to start over */
    bool full;                         /* the last batch found the disk full */
    bool failed;                       /* for good: nothing is written any more */
    struct {
        int64_t conv, user; /* the last one that clearing up has looked at; 0: starts over */
    } sweep;

    struct im_store_op *ops[IM_BATCH_MAX];
    enum im_reason status[IM_BATCH_MAX];
    size_t count;
};

/* After db is open and prepared. SQLITE_CORRUPT: the log's own row is missing, or behind the log. */
int im_writer_start(struct im_writer *, struct im_log *, char epoch[33]);
/* Carries out the batch as one transaction and sets every status. Returns whether anything changed on disk. */
bool im_writer_batch(struct im_writer *);
/* Is there work that can wait? */
bool im_writer_idle_work(const struct im_writer *);
/* Does a little of it, as one transaction. */
void im_writer_idle(struct im_writer *);
/* Moves the write-ahead log into the database when it is long enough; quiet: nobody is waiting. */
void im_writer_checkpoint(struct im_writer *, bool quiet);
/* Leaves a database without a write-ahead log if it can, and closes the connection. */
void im_writer_close(struct im_writer *);

/* Operations. Each returns a result code, where anything but SQLITE_OK ends the transaction, and sets the status only
 * where it refuses; then it has written nothing. */
int im_write_append(struct im_writer *, struct im_store_append *, enum im_reason *status); /* sqlite_append.c */
int im_write_login(struct im_writer *, struct im_store_login *);                           /* sqlite_people.c */
int im_write_cursors(struct im_writer *, const struct im_store_cursors *);                 /* … */
int im_write_marks(struct im_writer *, struct im_store_marks *);                           /* … */
int im_write_block(struct im_writer *, const struct im_store_block *, enum im_reason *);   /* … */
int im_write_device_drop(struct im_writer *, const struct im_store_device_drop *, enum im_reason *);
int im_write_record_put(struct im_writer *, const struct im_store_record_put *,
                        enum im_reason *);                                   /* sqlite_records.c */
int im_write_record_drop(struct im_writer *, struct im_store_record_drop *); /* … */
int im_write_sweep(struct im_writer *, struct im_store_sweep *);             /* sqlite_sweep.c */

/* sqlite_people.c: finds a user, who comes to be if need be. */
int im_write_user(struct im_writer *, struct im_str key, struct im_str name, int64_t *id);
/* sqlite_people.c: drops a device. */
int im_write_forget(struct im_writer *, int64_t user, struct im_str device);
/* sqlite_group.c: what a committed change of membership does. concerned: whose role becomes msg.role, and was before.
 */
int im_write_change(struct im_writer *, const struct im_msg *, int64_t conv, unsigned settings, int64_t concerned,
                    enum im_role before, bool ends);

/* sqlite_filter.c: chunks of conversations, and the filters that tell search which of them to look into. */
int im_chunk_full(struct im_writer *, int64_t conv, uint64_t seq); /* seq was the last of its chunk, if it is one */
int im_chunk_changed(struct im_writer *, int64_t conv, uint64_t seq, bool again); /* again: shall have a new filter */
int im_chunk_work(struct im_writer *, unsigned most);                             /* makes that many filters */

#endif
