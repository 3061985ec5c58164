#include "stores/result.h"
#include "stores/sqlite_read.h"
#include "stores/sqlite_write.h"

/* Records: small values by kind and key. Values are any bytes. */

static struct im_str value_of(sqlite3_stmt *s, int column)
{
    const char *p = sqlite3_column_blob(s, column);
    return (struct im_str){p ? p : "", (size_t)sqlite3_column_bytes(s, column)};
}

static int bind_record(sqlite3_stmt *s, const struct im_record *r)
{
    sqlite3_bind_int64(s, 1, r->kind);
    im_db_bind_str(s, 2, r->key);
    im_db_bind_str(s, 3, r->owner);
    im_db_bind_str(s, 4, r->name);
    int rc = sqlite3_bind_blob64(s, 5, r->value.p ? r->value.p : "", r->value.len, SQLITE_STATIC);
    sqlite3_bind_int64(s, 6, r->expires_ms);
    return rc;
}

/* Is what is there now what the operation expects? */
static int expected(struct im_writer *w, const struct im_store_record_put *op, bool *yes)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_RECORD);
    sqlite3_bind_int64(s, 1, op->record.kind);
    im_db_bind_str(s, 2, op->record.key);
    int rc = sqlite3_step(s);
    bool there = rc == SQLITE_ROW;
    *yes = there == (op->expect.p != NULL) && (!there || im_str_eq(value_of(s, 3), op->expect));
    return im_db_done(s, rc);
}

int im_write_record_put(struct im_writer *w, const struct im_store_record_put *op, enum im_reason *status)
{
    bool yes = true;
    int rc = op->check ? expected(w, op, &yes) : SQLITE_OK;
    if (!yes)
        *status = IM_CONFLICT;
    if (rc != SQLITE_OK || !yes)
        return rc;
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_RECORD_ADD);
    if (op->record.kind == IM_RECORD_ACCOUNT)
        im_cache_forget_user(w->cache, op->record.key);
    rc = bind_record(s, &op->record);
    return rc == SQLITE_OK ? im_db_run(s) : rc;
}

int im_write_record_drop(struct im_writer *w, struct im_store_record_drop *op)
{
    enum im_sql sql = op->key.p ? IM_SQL_RECORD_DROP : op->name.p ? IM_SQL_RECORD_DROP_NAMED : IM_SQL_RECORD_DROP_OWNED;
    sqlite3_stmt *s = im_db_use(&w->db, sql);
    if (op->kind == IM_RECORD_ACCOUNT)
        im_cache_forget_users(w->cache);
    sqlite3_bind_int64(s, 1, op->kind);
    im_db_bind_str(s, 2, op->key.p ? op->key : op->owner);
    if (sql == IM_SQL_RECORD_DROP_NAMED)
        im_db_bind_str(s, 3, op->name);
    int rc = im_db_run(s);
    op->count = rc == SQLITE_OK ? (uint64_t)sqlite3_changes64(w->db.sqlite) : 0;
    return rc;
}

static sqlite3_stmt *use_records(struct im_reader *r, const struct im_store_records *op)
{
    enum im_sql sql = op->key.p ? IM_SQL_RECORD : op->owner.p ? IM_SQL_RECORDS_OWNED : IM_SQL_RECORDS;
    sqlite3_stmt *s = im_db_use(&r->db, sql);
    sqlite3_bind_int64(s, 1, op->kind);
    if (op->key.p) {
        im_db_bind_str(s, 2, op->key);
        return s;
    }
    im_db_bind_str(s, 2, op->after.p ? op->after : IM_STR(""));
    sqlite3_bind_int64(s, 3, (int64_t)op->limit + 1);
    if (op->owner.p)
        im_db_bind_str(s, 4, op->owner);
    return s;
}

int im_read_records(struct im_reader *r, struct im_store_records *op)
{
    struct im_block block = {.kind = IM_ROW_RECORD};
    sqlite3_stmt *s = use_records(r, op);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        op->more = !op->key.p && block.count >= op->limit;
        if (op->more)
            break;
        im_block_add(&block, &(struct im_record){.kind = op->kind,
                                                 .key = im_db_str(s, 0),
                                                 .owner = im_db_str(s, 1),
                                                 .name = im_db_str(s, 2),
                                                 .value = value_of(s, 3),
                                                 .expires_ms = sqlite3_column_int64(s, 4)});
    }
    op->rows = im_block_finish(&block, &op->count);
    return im_db_done(s, rc);
}
