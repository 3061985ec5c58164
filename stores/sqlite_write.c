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
    int64_t newest = 0;
    sqlite3_wal_hook(w->db.sqlite, on_commit, w);
    int rc = im_db_tally(&w->db, &w->committed, epoch);
    if (rc == SQLITE_OK)
        rc = im_db_number(&w->db, "SELECT max(pos) FROM events", &newest);
    w->tally = w->committed;
    return rc == SQLITE_OK && newest > (int64_t)w->committed.head ? SQLITE_CORRUPT : rc;
}

static void report(struct im_writer *w, enum im_log_level level, const char *event, int rc)
{
    IM_LOG(w->log, level, "store", event, IM_KN("code", rc), IM_KS("error", sqlite3_errmsg(w->db.sqlite)),
           IM_KN("errno", errno));
}

/* Operations. Each returns a result code; anything but SQLITE_OK ends the transaction. */

static int add_user(struct im_writer *w, struct im_str key, struct im_str name, bool claimed, int64_t *id)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_USER_ADD);
    im_db_bind_str(s, 1, key);
    im_db_bind_str(s, 2, name);
    sqlite3_bind_int(s, 3, claimed);
    int rc = im_db_run(s);
    *id = sqlite3_last_insert_rowid(w->db.sqlite);
    w->tally.users++;
    return rc;
}

static int need_user(struct im_writer *w, struct im_str key, struct im_str name, int64_t *id)
{
    int rc = im_db_user(&w->db, key, id);
    return rc == SQLITE_OK && *id == 0 ? add_user(w, key, name, false, id) : rc;
}

static int add_member(struct im_writer *w, int64_t user, int64_t conv)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_MEMBER_ADD);
    sqlite3_bind_int64(s, 1, user);
    sqlite3_bind_int64(s, 2, conv);
    return im_db_run(s);
}

static int add_direct(struct im_writer *w, int64_t x, int64_t y, int64_t *conv)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_DIRECT_ADD);
    sqlite3_bind_int64(s, 1, x < y ? x : y);
    sqlite3_bind_int64(s, 2, x < y ? y : x);
    int rc = im_db_run(s);
    *conv = sqlite3_last_insert_rowid(w->db.sqlite);
    w->tally.convs++;
    if (rc == SQLITE_OK)
        rc = add_member(w, x, *conv);
    return rc == SQLITE_OK && x != y ? add_member(w, y, *conv) : rc;
}

static int find_cid(struct im_writer *w, int64_t sender, struct im_str cid, uint64_t *pos)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_CID);
    sqlite3_bind_int64(s, 1, sender);
    im_db_bind_str(s, 2, cid);
    int rc = sqlite3_step(s);
    *pos = rc == SQLITE_ROW ? im_db_u64(s, 0) : 0;
    return im_db_done(s, rc);
}

static int add_event(struct im_writer *w, const struct im_msg *m, int64_t conv, int64_t sender)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_EVENT_ADD);
    im_db_bind_u64(s, 1, m->pos);
    sqlite3_bind_int64(s, 2, conv);
    im_db_bind_u64(s, 3, m->seq);
    sqlite3_bind_int64(s, 4, sender);
    sqlite3_bind_int64(s, 5, m->ts_ms);
    im_db_bind_str(s, 6, m->cid);
    im_db_bind_str(s, 7, m->mime);
    im_db_bind_str(s, 8, m->body.p ? m->body : IM_STR(""));
    return im_db_run(s);
}

/* Who writes has read what was there. */
static int set_last(struct im_writer *w, const struct im_msg *m, int64_t conv, int64_t sender)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_CONV_LAST);
    sqlite3_bind_int64(s, 1, conv);
    im_db_bind_u64(s, 2, m->seq);
    im_db_bind_u64(s, 3, m->pos);
    int rc = im_db_run(s);
    if (rc != SQLITE_OK)
        return rc;
    s = im_db_use(&w->db, IM_SQL_MEMBER_READ);
    sqlite3_bind_int64(s, 1, sender);
    sqlite3_bind_int64(s, 2, conv);
    im_db_bind_u64(s, 3, m->seq);
    return im_db_run(s);
}

static int append_new(struct im_writer *w, struct im_msg *m, int64_t sender)
{
    int64_t peer, conv;
    uint64_t last_seq;
    int rc = need_user(w, m->to_key, m->to, &peer);
    if (rc == SQLITE_OK)
        rc = im_db_direct(&w->db, sender, peer, &conv, &last_seq);
    if (rc == SQLITE_OK && conv == 0)
        rc = add_direct(w, sender, peer, &conv);
    if (rc != SQLITE_OK)
        return rc;
    m->pos = w->tally.head + 1;
    m->seq = last_seq + 1;
    rc = add_event(w, m, conv, sender);
    if (rc == SQLITE_OK)
        rc = set_last(w, m, conv, sender);
    w->tally.head++;
    w->tally.events++;
    return rc;
}

static int do_append(struct im_writer *w, struct im_store_append *op, enum im_reason *status)
{
    struct im_msg *m = &op->event->msg;
    int64_t sender;
    uint64_t before = 0;
    if (m->kind != IM_CONV_DIRECT) {
        *status = IM_NO_SUCH_GROUP;
        return SQLITE_OK;
    }
    int rc = need_user(w, m->from_key, m->from, &sender);
    if (rc == SQLITE_OK && m->cid.p)
        rc = find_cid(w, sender, m->cid, &before);
    if (rc != SQLITE_OK)
        return rc;
    return before ? im_db_event(&w->db, before, &op->earlier) : append_new(w, m, sender);
}

/* The first to log in with an id is its owner, and its name is what the owner writes. */
static int login_user(struct im_writer *w, struct im_store_login *op, int64_t *id)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_USER);
    im_db_bind_str(s, 1, op->key);
    int rc = sqlite3_step(s);
    *id = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    bool claimed = rc == SQLITE_ROW && sqlite3_column_int(s, 2);
    struct im_str name = claimed ? im_db_str(s, 1) : op->text;
    snprintf(op->name, sizeof op->name, "%.*s", (int)name.len, name.p ? name.p : "");
    rc = im_db_done(s, rc);
    if (rc != SQLITE_OK || claimed)
        return rc;
    if (*id == 0)
        return add_user(w, op->key, op->text, true, id);
    s = im_db_use(&w->db, IM_SQL_USER_CLAIM);
    sqlite3_bind_int64(s, 1, *id);
    im_db_bind_str(s, 2, op->text);
    return im_db_run(s);
}

static struct im_str device_name(struct im_str device)
{
    return device.p ? device : IM_STR("");
}

static int find_cursor(struct im_writer *w, enum im_sql sql, int64_t user, struct im_str device, bool *found,
                       uint64_t *pos)
{
    sqlite3_stmt *s = im_db_use(&w->db, sql);
    sqlite3_bind_int64(s, 1, user);
    if (sql == IM_SQL_CURSOR)
        im_db_bind_str(s, 2, device);
    int rc = sqlite3_step(s);
    *found = rc == SQLITE_ROW;
    *pos = *found ? im_db_u64(s, 0) : 0;
    return im_db_done(s, rc);
}

static int add_device(struct im_writer *w, int64_t user, struct im_str device, uint64_t *cursor)
{
    bool found;
    int rc = find_cursor(w, IM_SQL_CURSOR_FURTHEST, user, device, &found, cursor);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_CURSOR_ADD);
    sqlite3_bind_int64(s, 1, user);
    im_db_bind_str(s, 2, device);
    im_db_bind_u64(s, 3, *cursor);
    return im_db_run(s);
}

static int do_login(struct im_writer *w, struct im_store_login *op)
{
    int64_t user;
    bool known;
    struct im_str device = device_name(op->device);
    op->head = w->tally.head;
    int rc = login_user(w, op, &user);
    if (rc == SQLITE_OK)
        rc = find_cursor(w, IM_SQL_CURSOR, user, device, &known, &op->cursor);
    return rc == SQLITE_OK && !known ? add_device(w, user, device, &op->cursor) : rc;
}

static int do_cursors(struct im_writer *w, const struct im_store_cursors *op)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_CURSOR_MOVE);
    int rc = SQLITE_OK;
    for (size_t i = 0; i < op->count && rc == SQLITE_OK; i++) {
        im_db_bind_str(s, 1, op->rows[i].key);
        im_db_bind_str(s, 2, device_name(op->rows[i].device));
        im_db_bind_u64(s, 3, op->rows[i].pos);
        rc = im_db_run(s);
    }
    return rc;
}

static int perform(struct im_writer *w, struct im_store_op *op, enum im_reason *status)
{
    *status = IM_OK;
    switch (op->kind) {
    case IM_STORE_APPEND:
        return do_append(w, (struct im_store_append *)op, status);
    case IM_STORE_LOGIN:
        return do_login(w, (struct im_store_login *)op);
    case IM_STORE_CURSORS:
        return do_cursors(w, (const struct im_store_cursors *)op);
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
    return im_db_run(s);
}

/* Everything but the operations that were set aside before. *culprit: whose error it is; count: nobody's alone. */
static int transact(struct im_writer *w, const bool *aside, size_t *culprit)
{
    *culprit = w->count;
    int rc = im_db_run(im_db_use(&w->db, IM_SQL_BEGIN_WRITE));
    for (size_t i = 0; i < w->count && rc == SQLITE_OK; i++) {
        if (aside[i])
            continue;
        rc = perform(w, w->ops[i], &w->status[i]);
        if (rc != SQLITE_OK)
            *culprit = i;
    }
    if (rc == SQLITE_OK)
        rc = save_tally(w);
    if (rc == SQLITE_OK)
        rc = im_db_run(im_db_use(&w->db, IM_SQL_COMMIT));
    return rc;
}

static void roll_back(struct im_writer *w)
{
    if (!sqlite3_get_autocommit(w->db.sqlite))
        im_db_run(im_db_use(&w->db, IM_SQL_ROLLBACK));
    w->tally = w->committed;
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
    if (w->db.sqlite) {
        sqlite3_db_config(w->db.sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, w->failed, NULL);
        im_db_close(&w->db);
    }
}
