#include "stores/sqlite_write.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "stores/result.h"

/* Pages of the write-ahead log from which it is moved into the database: when nobody waits, and even when somebody
 * does. Fewer means more writing, since a page that changed twice is then moved twice. */
#define WAL_QUIET 2000
#define WAL_BUSY  16000
/* How long the writer then waits for readers to let go of the log, lest they keep it growing for ever by turns. */
#define WAL_WAIT_MS 200

/* Chunks that get their filters in one transaction when nobody waits, and so many waiting that it is done even then. */
#define CHORES_STEP 16
#define CHORES_MOST 4000

static int on_commit(void *arg, sqlite3 *sqlite, const char *name, int pages)
{
    (void)sqlite;
    (void)name;
    ((struct im_writer *)arg)->wal_pages = pages;
    return SQLITE_OK;
}

int im_writer_start(struct im_writer *w, struct im_log *log, char epoch[33])
{
    w->log = log;
    w->cache = im_cache_new();
    int64_t newest = 0, chores = 0;
    sqlite3_wal_hook(w->db.sqlite, on_commit, w);
    int rc = im_db_tally(&w->db, &w->committed, epoch);
    if (rc == SQLITE_OK)
        rc = im_db_number(&w->db, "SELECT max(pos) FROM events", &newest);
    if (rc == SQLITE_OK)
        rc = im_db_number(&w->db, "SELECT count(*) FROM chores", &chores);
    if (rc == SQLITE_OK)
        rc = im_db_ask_ids(&w->db, IM_SQL_DATA_VERSION, &w->data_version, 0, NULL);
    w->tally = w->committed;
    w->chores = w->committed_chores = (uint64_t)chores;
    return rc == SQLITE_OK && newest > (int64_t)w->committed.head ? SQLITE_CORRUPT : rc;
}

static void report(struct im_writer *w, enum im_log_level level, const char *event, int rc)
{
    IM_LOG(w->log, level, "store", event, IM_KN("code", rc), IM_KS("error", sqlite3_errmsg(w->db.sqlite)),
           IM_KN("errno", errno));
}

/* Does it look at rows whose writing may be put off? An append knows for itself. */
static bool wants_rows(enum im_store_op_kind kind)
{
    return kind == IM_STORE_MARKS || kind == IM_STORE_SWEEP;
}

static int perform(struct im_writer *w, struct im_store_op *op, enum im_reason *status)
{
    *status = IM_OK;
    int rc = wants_rows(op->kind) ? im_cache_flush(w->cache, &w->db) : SQLITE_OK;
    if (rc != SQLITE_OK)
        return rc;
    switch (op->kind) {
    case IM_STORE_APPEND:
        return im_write_append(w, (struct im_store_append *)op, status);
    case IM_STORE_LOGIN:
        return im_write_login(w, (struct im_store_login *)op);
    case IM_STORE_CURSORS:
        return im_write_cursors(w, (const struct im_store_cursors *)op);
    case IM_STORE_MARKS:
        return im_write_marks(w, (struct im_store_marks *)op);
    case IM_STORE_BLOCK:
        return im_write_block(w, (const struct im_store_block *)op, status);
    case IM_STORE_DEVICE_DROP:
        return im_write_device_drop(w, (const struct im_store_device_drop *)op, status);
    case IM_STORE_RECORD_PUT:
        return im_write_record_put(w, (const struct im_store_record_put *)op, status);
    case IM_STORE_RECORD_DROP:
        return im_write_record_drop(w, (struct im_store_record_drop *)op);
    case IM_STORE_SWEEP:
        return im_write_sweep(w, (struct im_store_sweep *)op);
    default:
        assert(!"a read in the lane of writes");
        return SQLITE_MISUSE;
    }
}

/* Transactions. */

static int save_tally(struct im_writer *w)
{
    if (memcmp(&w->tally, &w->committed, sizeof w->tally) == 0)
        return SQLITE_OK;
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_LOG_SET);
    im_db_bind_u64(s, 1, w->tally.head);
    im_db_bind_u64(s, 2, w->tally.events);
    im_db_bind_u64(s, 3, w->tally.users);
    im_db_bind_u64(s, 4, w->tally.convs);
    im_db_bind_u64(s, 5, w->tally.groups);
    return im_db_run(s);
}

/* Filters that should have been made long ago are made now, somewhat faster than they become due. */
static int catch_up(struct im_writer *w)
{
    uint64_t due = w->chores > w->committed_chores ? w->chores - w->committed_chores : 0;
    return w->chores > CHORES_MOST ? im_chunk_work(w, (unsigned)due + 1) : SQLITE_OK;
}

/* Whatever else may write to the file, when the server lets it: from then on what we know is what is there. */
static int notice_others(struct im_writer *w)
{
    int64_t version;
    int rc = im_db_ask_ids(&w->db, IM_SQL_DATA_VERSION, &version, 0, NULL);
    if (rc != SQLITE_OK || version == w->data_version)
        return rc;
    im_cache_forget_all(w->cache);
    rc = im_db_tally(&w->db, &w->committed, NULL);
    w->tally = w->committed;
    w->data_version = version;
    return rc;
}

static int begin(struct im_writer *w)
{
    int rc = im_db_run(im_db_use(&w->db, IM_SQL_BEGIN_WRITE));
    return rc == SQLITE_OK ? notice_others(w) : rc;
}

/* Everything but the operations that were set aside before. *culprit: whose error it is; count: nobody's alone. */
static int transact(struct im_writer *w, const bool *aside, size_t *culprit)
{
    *culprit = w->count;
    int rc = begin(w);
    for (size_t i = 0; i < w->count && rc == SQLITE_OK; i++) {
        if (aside[i])
            continue;
        rc = perform(w, w->ops[i], &w->status[i]);
        if (rc != SQLITE_OK)
            *culprit = i;
    }
    if (rc == SQLITE_OK)
        rc = im_cache_flush(w->cache, &w->db);
    if (rc == SQLITE_OK)
        rc = save_tally(w);
    if (rc == SQLITE_OK)
        rc = catch_up(w);
    if (rc == SQLITE_OK)
        rc = im_db_run(im_db_use(&w->db, IM_SQL_COMMIT));
    return rc;
}

static void roll_back(struct im_writer *w)
{
    if (!sqlite3_get_autocommit(w->db.sqlite))
        im_db_run(im_db_use(&w->db, IM_SQL_ROLLBACK));
    im_cache_forget_all(w->cache);
    w->tally = w->committed;
    w->chores = w->committed_chores;
    for (size_t i = 0; i < w->count; i++)
        im_result_clear(w->ops[i]);
}

/* An error of the one operation and of nothing around it: the rest can do without. */
static bool own_fault(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
        return true;
    default:
        return false;
    }
}

static void refuse(struct im_writer *w, enum im_reason reason)
{
    for (size_t i = 0; i < w->count; i++)
        w->status[i] = reason;
}

/* The whole batch has failed. What is full may have room again, and what is busy may be free; of anything else we no
 * longer know what is on disk, so it is not tried again: the next boot finds out. */
static void fail(struct im_writer *w, int rc, enum im_reason reason)
{
    if (reason == IM_STORE_FULL && !w->full)
        report(w, IM_LOG_ERROR, "full", rc);
    else if (reason != IM_STORE_FULL)
        report(w, IM_LOG_ERROR, reason == IM_BUSY ? "busy" : "failed", rc);
    w->full = reason == IM_STORE_FULL;
    w->failed = w->failed || reason == IM_STORE_FAILED;
    roll_back(w);
    refuse(w, reason);
}

static void succeed(struct im_writer *w, bool changed)
{
    w->committed = w->tally;
    w->committed_chores = w->chores;
    w->chores_rest = w->chores_rest && !changed;
    if (w->full && changed) {
        IM_LOG(w->log, IM_LOG_WARN, "store", "recovered", IM_KN("head", (int64_t)w->tally.head));
        w->full = false;
    }
}

bool im_writer_batch(struct im_writer *w)
{
    bool aside[IM_BATCH_MAX] = {false};
    size_t culprit;
    if (w->failed) {
        refuse(w, IM_STORE_FAILED);
        return false;
    }
    for (;;) {
        int64_t changes = sqlite3_total_changes64(w->db.sqlite);
        errno = 0;
        int rc = transact(w, aside, &culprit);
        if (rc == SQLITE_OK) {
            bool changed = sqlite3_total_changes64(w->db.sqlite) != changes;
            succeed(w, changed);
            return changed;
        }
        enum im_reason reason = im_db_reason(rc);
        if (culprit == w->count || !own_fault(rc)) {
            fail(w, rc, reason);
            return false;
        }
        report(w, IM_LOG_ERROR, "operation_failed", rc);
        roll_back(w);
        aside[culprit] = true;
        w->status[culprit] = reason;
    }
}

bool im_writer_idle_work(const struct im_writer *w)
{
    return w->chores > 0 && !w->chores_rest && !w->failed;
}

void im_writer_idle(struct im_writer *w)
{
    w->count = 0;
    errno = 0;
    int rc = begin(w);
    if (rc == SQLITE_OK)
        rc = im_chunk_work(w, CHORES_STEP);
    if (rc == SQLITE_OK)
        rc = im_db_run(im_db_use(&w->db, IM_SQL_COMMIT));
    if (rc == SQLITE_OK) {
        w->committed_chores = w->chores;
        return;
    }
    w->chores_rest = true;
    fail(w, rc, im_db_reason(rc));
}

/* Passively at first. A log that grows nevertheless is made to start over, if need be with the readers held up for a
 * moment; one who does not let go in that time (another program) is not waited for again at every batch. */
void im_writer_checkpoint(struct im_writer *w, bool quiet)
{
    if (w->wal_pages < WAL_BUSY)
        w->wal_restart = WAL_BUSY;
    if (w->failed || w->wal_pages < (quiet ? WAL_QUIET : WAL_BUSY))
        return;
    bool restart = w->wal_pages >= w->wal_restart;
    if (restart)
        w->wal_restart = w->wal_pages + WAL_BUSY;
    errno = 0;
    sqlite3_busy_timeout(w->db.sqlite, WAL_WAIT_MS);
    int rc = sqlite3_wal_checkpoint_v2(w->db.sqlite, NULL,
                                       restart ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    enum im_reason reason = im_db_reason(rc);
    sqlite3_busy_timeout(w->db.sqlite, IM_DB_WAIT_MS);
    if (reason == IM_STORE_FAILED) {
        report(w, IM_LOG_ERROR, "checkpoint_failed", rc);
        w->failed = true;
    }
}

void im_writer_close(struct im_writer *w)
{
    im_cache_free(&w->cache);
    if (w->db.sqlite) {
        sqlite3_db_config(w->db.sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, w->failed, NULL);
        im_db_close(&w->db);
    }
}
