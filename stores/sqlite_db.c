#include "stores/sqlite_db.h"

#include <errno.h>
#include <stdio.h>

const struct im_sql_info im_sql_infos[IM_SQL_COUNT] = {
#define IM_SQL(sym, who, text) [IM_SQL_##sym] = {#sym, text, IM_DB_##who},
#include "stores/sqlite_sql.def"
#undef IM_SQL
};

/* The cache keeps what appends look up (users, conversations, cids) near; temporary tables never touch the disk. */
static const char settings[] = "PRAGMA cache_size = -16000;"
                               "PRAGMA temp_store = memory;"
                               "PRAGMA trusted_schema = off;"
                               "PRAGMA cell_size_check = on;";

int im_db_open(struct im_db *db, const char *path, enum im_db_who who)
{
    int flags = who == IM_DB_WRITER ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    int rc = sqlite3_open_v2(path, &db->sqlite, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_busy_timeout(db->sqlite, IM_DB_WAIT_MS);
    sqlite3_wal_autocheckpoint(db->sqlite, 0);
    sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return im_db_exec(db, settings);
}

int im_db_prepare(struct im_db *db, enum im_db_who who)
{
    int rc = SQLITE_OK;
    for (unsigned i = 0; i < IM_SQL_COUNT && rc == SQLITE_OK; i++)
        if (im_sql_infos[i].who & who)
            rc = sqlite3_prepare_v3(db->sqlite, im_sql_infos[i].text, -1, SQLITE_PREPARE_PERSISTENT, &db->statements[i],
                                    NULL);
    return rc;
}

void im_db_close(struct im_db *db)
{
    for (unsigned i = 0; i < IM_SQL_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->sqlite);
    *db = (struct im_db){0};
}

int im_db_exec(struct im_db *db, const char *text)
{
    return sqlite3_exec(db->sqlite, text, NULL, NULL, NULL);
}

int im_db_number(struct im_db *db, const char *text, int64_t *out)
{
    sqlite3_stmt *s;
    *out = 0;
    int rc = sqlite3_prepare_v2(db->sqlite, text, -1, &s, NULL);
    if (rc != SQLITE_OK)
        return rc;
    if (sqlite3_step(s) == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    return sqlite3_finalize(s);
}

/* No room for what was to be written, and nothing else wrong? A quota and a limit on file sizes count as a full disk;
 * SQLite calls these, and a shared-memory file that cannot grow, I/O errors. Failed syncs are never excused. (errno,
 * since sqlite3_system_errno() is not set by a failing COMMIT.) */
static bool disk_full(int rc)
{
    if ((rc & 0xff) == SQLITE_FULL)
        return true;
    return (rc == SQLITE_IOERR_WRITE || rc == SQLITE_IOERR_SHMSIZE || rc == SQLITE_IOERR_SHMMAP) &&
           (errno == ENOSPC || errno == EDQUOT || errno == EFBIG);
}

enum im_reason im_db_reason(int rc)
{
    if (rc == SQLITE_OK)
        return IM_OK;
    if (disk_full(rc))
        return IM_STORE_FULL;
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return IM_BUSY;
    default:
        return IM_STORE_FAILED;
    }
}

void im_db_bind_u64(sqlite3_stmt *s, int at, uint64_t n)
{
    sqlite3_bind_int64(s, at, n > INT64_MAX ? INT64_MAX : (int64_t)n);
}

void im_db_bind_str(sqlite3_stmt *s, int at, struct im_str str)
{
    sqlite3_bind_text64(s, at, str.p, str.len, SQLITE_STATIC, SQLITE_UTF8);
}

uint64_t im_db_u64(sqlite3_stmt *s, int column)
{
    int64_t n = sqlite3_column_int64(s, column);
    return n < 0 ? 0 : (uint64_t)n;
}

struct im_str im_db_str(sqlite3_stmt *s, int column)
{
    const char *p = (const char *)sqlite3_column_text(s, column);
    return (struct im_str){p, p ? (size_t)sqlite3_column_bytes(s, column) : 0};
}

int im_db_done(sqlite3_stmt *s, int rc)
{
    sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int im_db_run(sqlite3_stmt *s)
{
    return im_db_done(s, sqlite3_step(s));
}

int im_db_tally(struct im_db *db, struct im_tally *out, char epoch[33])
{
    sqlite3_stmt *s = im_db_use(db, IM_SQL_LOG);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_DONE)
        rc = SQLITE_CORRUPT;
    if (rc == SQLITE_ROW) {
        struct im_str e = im_db_str(s, 0);
        if (epoch)
            snprintf(epoch, 33, "%.*s", (int)e.len, e.p ? e.p : "");
        *out = (struct im_tally){im_db_u64(s, 1), im_db_u64(s, 2), im_db_u64(s, 3), im_db_u64(s, 4)};
    }
    return im_db_done(s, rc);
}

int im_db_user(struct im_db *db, struct im_str key, int64_t *id)
{
    sqlite3_stmt *s = im_db_use(db, IM_SQL_USER);
    im_db_bind_str(s, 1, key);
    int rc = sqlite3_step(s);
    *id = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    return im_db_done(s, rc);
}

int im_db_direct(struct im_db *db, int64_t x, int64_t y, int64_t *conv, uint64_t *last_seq)
{
    sqlite3_stmt *s = im_db_use(db, IM_SQL_DIRECT);
    sqlite3_bind_int64(s, 1, x < y ? x : y);
    sqlite3_bind_int64(s, 2, x < y ? y : x);
    int rc = sqlite3_step(s);
    *conv = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    *last_seq = rc == SQLITE_ROW ? im_db_u64(s, 1) : 0;
    return im_db_done(s, rc);
}

int im_db_event_row(sqlite3_stmt *s, struct im_event **out)
{
    struct im_msg m = {.kind = IM_CONV_DIRECT,
                       .pos = im_db_u64(s, 0),
                       .seq = im_db_u64(s, 1),
                       .ts_ms = sqlite3_column_int64(s, 2),
                       .cid = im_db_str(s, 3),
                       .mime = im_db_str(s, 4),
                       .body = im_db_str(s, 5),
                       .from = im_db_str(s, 6),
                       .from_key = im_db_str(s, 7),
                       .to = im_db_str(s, 8),
                       .to_key = im_db_str(s, 9)};
    if (!m.pos || !m.seq || !m.body.p || !m.from.p || !m.from_key.p || !m.to.p || !m.to_key.p)
        return SQLITE_CORRUPT;
    *out = im_event_msg(&m);
    return SQLITE_OK;
}

int im_db_event(struct im_db *db, uint64_t pos, struct im_event **out)
{
    sqlite3_stmt *s = im_db_use(db, IM_SQL_EVENT);
    im_db_bind_u64(s, 1, pos);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        rc = im_db_event_row(s, out);
    else if (rc == SQLITE_DONE)
        rc = SQLITE_CORRUPT;
    return im_db_done(s, rc);
}
