#ifndef IM_STORES_SQLITE_WRITE_H
#define IM_STORES_SQLITE_WRITE_H

#include "core/log.h"
#include "stores/sqlite_db.h"

#define IM_BATCH_MAX 1024 /* operations in one transaction */

/* The one connection that writes, and the batch it works on. Lives on the writer's thread once that runs. */
struct im_writer {
    struct im_db db;
    struct im_log *log;
    struct im_tally committed, tally; /* as on disk; as of the transaction under way */
    int wal_pages;                    /* in the write-ahead log after the last commit */
    int wal_restart;                  /* from so many on it is made to start over */
    bool full;                        /* the last batch found the disk full */
    bool failed;                      /* for good: nothing is written any more */

    struct im_store_op *ops[IM_BATCH_MAX];
    enum im_reason status[IM_BATCH_MAX];
    size_t count;
};

/* After db is open and prepared. SQLITE_CORRUPT: the log's own row is missing, or behind the log. */
int im_writer_start(struct im_writer *, struct im_log *, char epoch[33]);
/* Carries out the batch as one transaction and sets every status. Returns whether anything changed on disk. */
bool im_writer_batch(struct im_writer *);
/* Moves the write-ahead log into the database when it is long enough; quiet: nobody is waiting. */
void im_writer_checkpoint(struct im_writer *, bool quiet);
/* Leaves a database without a write-ahead log if it can, and closes the connection. */
void im_writer_close(struct im_writer *);

#endif
