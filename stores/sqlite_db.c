#include "stores/sqlite_db.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "stores/result.h"

const struct im_sql_info im_sql_infos[IM_SQL_COUNT] = {
#define IM_SQL(sym, who, text) [IM_SQL_##sym] = {#sym, text, IM_DB_##who},
#include "stores/sqlite_sql.def"
#undef IM_SQL
};

/* The cache keeps what appends look up (users, conversations, cids) near; temporary tables never touch the disk; what
 * is erased is overwritten. */
static const char settings[] = "PRAGMA cache_size = -16000;"
                               "PRAGMA temp_store = memory;"
                               "PRAGMA trusted_schema = off;"
                               "PRAGMA secure_delete = on;"
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

int im_db_cache(struct im_db *db, uint64_t bytes)
{
    char text[64];
    snprintf(text, sizeof text, "PRAGMA cache_size = -%" PRIu64, bytes / 1024);
    return bytes > 0 ? im_db_exec(db, text) : SQLITE_OK;
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

void im_db_bind_id(sqlite3_stmt *s, int at, int64_t id)
{
    if (id == 0)
        sqlite3_bind_null(s, at);
    else
        sqlite3_bind_int64(s, at, id);
}

uint64_t im_db_u64(sqlite3_stmt *s, int column)
{
    int64_t n = sqlite3_column_int64(s, column);
    return n < 0 ? 0 : (uint64_t)n;
}

enum im_role im_db_role(sqlite3_stmt *s, int column)
{
    uint64_t n = im_db_u64(s, column);
    return n < IM_ROLE_COUNT ? (enum im_role)n : IM_ROLE_NONE;
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

static sqlite3_stmt *use_ids(struct im_db *db, enum im_sql sql, int count, const int64_t *ids)
{
    sqlite3_stmt *s = im_db_use(db, sql);
    for (int i = 0; i < count; i++)
        sqlite3_bind_int64(s, i + 1, ids[i]);
    return s;
}

int im_db_run_ids(struct im_db *db, enum im_sql sql, int count, const int64_t *ids)
{
    return im_db_run(use_ids(db, sql, count, ids));
}

int im_db_ask_ids(struct im_db *db, enum im_sql sql, int64_t *out, int count, const int64_t *ids)
{
    sqlite3_stmt *s = use_ids(db, sql, count, ids);
    int rc = sqlite3_step(s);
    *out = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    return im_db_done(s, rc);
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
        *out = (struct im_tally){im_db_u64(s, 1), im_db_u64(s, 2), im_db_u64(s, 3), im_db_u64(s, 4), im_db_u64(s, 5)};
    }
    return im_db_done(s, rc);
}

int im_db_user(struct im_db *db, struct im_str key, int64_t *id, int64_t *blocks)
{
    sqlite3_stmt *s = im_db_use(db, IM_SQL_USER);
    im_db_bind_str(s, 1, key);
    int rc = sqlite3_step(s);
    *id = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    if (blocks)
        *blocks = rc == SQLITE_ROW ? sqlite3_column_int64(s, 3) : 0;
    return im_db_done(s, rc);
}

/* The first columns of the row a statement may be at. */
static struct im_db_conv conv_of(sqlite3_stmt *s, int rc)
{
    if (rc != SQLITE_ROW)
        return (struct im_db_conv){0};
    return (struct im_db_conv){sqlite3_column_int64(s, 0), im_db_u64(s, 1), im_db_u64(s, 2)};
}

int im_db_conv(struct im_db *db, int64_t conv, struct im_db_conv *out)
{
    sqlite3_stmt *s = use_ids(db, IM_SQL_CONV, 1, &conv);
    int rc = sqlite3_step(s);
    *out = conv_of(s, rc);
    return im_db_done(s, rc);
}

int im_db_direct(struct im_db *db, int64_t x, int64_t y, struct im_db_conv *out)
{
    sqlite3_stmt *s = use_ids(db, IM_SQL_DIRECT, 2, (int64_t[]){x < y ? x : y, x < y ? y : x});
    int rc = sqlite3_step(s);
    *out = conv_of(s, rc);
    return im_db_done(s, rc);
}

int im_db_self(struct im_db *db, int64_t user, struct im_db_conv *out)
{
    sqlite3_stmt *s = use_ids(db, IM_SQL_SELF, 1, &user);
    int rc = sqlite3_step(s);
    *out = conv_of(s, rc);
    return im_db_done(s, rc);
}

int im_db_member(struct im_db *db, int64_t user, int64_t conv, enum im_role *role)
{
    *role = IM_ROLE_NONE;
    if (user == 0)
        return SQLITE_OK;
    sqlite3_stmt *s = use_ids(db, IM_SQL_MEMBER, 2, (int64_t[]){user, conv});
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *role = im_db_role(s, 0);
    return im_db_done(s, rc);
}

int im_db_group(struct im_db *db, struct im_str key, struct im_db_conv *out, sqlite3_stmt **row)
{
    sqlite3_stmt *s = im_db_use(db, IM_SQL_GROUP);
    im_db_bind_str(s, 1, key);
    int rc = sqlite3_step(s);
    *out = conv_of(s, rc);
    if (row == NULL)
        return im_db_done(s, rc);
    *row = s;
    return rc == SQLITE_ROW ? SQLITE_OK : im_db_done(s, rc);
}

/* Columns of IM_EVENT_ROWS. */
enum {
    POS,
    SEQ,
    TYPE,
    TS,
    CID,
    MIME,
    BODY,
    FLAGS,
    REF,
    MENTIONS,
    CHANGE,
    ROLE,
    SETTINGS,
    ABOUT,
    FROM,
    FROM_KEY,
    TO,
    TO_KEY,
    CONCERNED,
    CONCERNED_KEY,
    GROUP,
};

static bool is_null(sqlite3_stmt *s, int column)
{
    return sqlite3_column_type(s, column) == SQLITE_NULL;
}

static enum im_conv_kind kind_of(sqlite3_stmt *s)
{
    if (!is_null(s, ABOUT))
        return IM_CONV_SELF;
    return is_null(s, GROUP) ? IM_CONV_DIRECT : IM_CONV_GROUP;
}

static void read_change(sqlite3_stmt *s, struct im_msg *m)
{
    m->change = (enum im_change)im_db_u64(s, CHANGE);
    m->role = im_db_role(s, ROLE);
    m->settings = (unsigned)im_db_u64(s, SETTINGS);
    m->user = im_db_str(s, CONCERNED);
    m->user_key = im_db_str(s, CONCERNED_KEY);
}

/* False: that cannot be an event. */
static bool read_msg(sqlite3_stmt *s, enum im_event_type type, struct im_msg *m)
{
    unsigned flags = (unsigned)im_db_u64(s, FLAGS);
    *m = (struct im_msg){.kind = kind_of(s),
                         .pos = im_db_u64(s, POS),
                         .seq = im_db_u64(s, SEQ),
                         .ts_ms = sqlite3_column_int64(s, TS),
                         .cid = im_db_str(s, CID),
                         .mime = im_db_str(s, MIME),
                         .body = im_db_str(s, BODY),
                         .mentions = im_db_str(s, MENTIONS),
                         .ref = im_db_u64(s, REF),
                         .from = im_db_str(s, FROM),
                         .from_key = im_db_str(s, FROM_KEY),
                         .to = im_db_str(s, TO),
                         .to_key = im_db_str(s, TO_KEY),
                         .on = flags & IM_ROW_ON,
                         .bot = flags & IM_ROW_BOT,
                         .hidden = flags & IM_ROW_HIDDEN,
                         .deleted = flags & IM_ROW_DELETED};
    if (type == IM_EV_MEMBER)
        read_change(s, m);
    if (flags & IM_ROW_BODILESS)
        m->body = (struct im_str){0};
    return m->pos && m->seq && (m->body.p || type != IM_EV_MSG) && m->from.p && m->from_key.p && m->to.p &&
           m->to_key.p && type <= IM_EV_LAST_DURABLE && m->change < IM_CHANGE_COUNT;
}

/* What the newest edit has made of it. The strings stay until IM_SQL_EDIT_TEXT is done with. */
static int read_edit(struct im_db *db, int64_t reader, struct im_msg *m)
{
    sqlite3_stmt *s = use_ids(db, IM_SQL_EDIT_TEXT, 2, (int64_t[]){(int64_t)m->pos, reader});
    int rc = sqlite3_step(s);
    if (rc != SQLITE_ROW)
        return im_db_done(s, rc);
    m->edited_ms = sqlite3_column_int64(s, 0);
    m->body = im_db_str(s, 1);
    m->mentions = im_db_str(s, 2);
    m->mime = (struct im_str){0};
    return m->body.p ? SQLITE_OK : SQLITE_CORRUPT;
}

static int read_reactions(struct im_db *db, const struct im_msg *m, int64_t reader, struct im_reactions *out)
{
    sqlite3_stmt *s = use_ids(db, IM_SQL_REACTIONS, 2, (int64_t[]){(int64_t)m->pos, reader});
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        im_reactions_add(out, im_db_str(s, 0), im_db_u64(s, 1), sqlite3_column_int(s, 2));
    return im_db_done(s, rc);
}

/* As it stands now. */
static int standing(struct im_db *db, sqlite3_stmt *s, int64_t reader, struct im_msg *m, struct im_event **out)
{
    struct im_reactions reactions = {0};
    unsigned flags = (unsigned)im_db_u64(s, FLAGS);
    int rc = flags & IM_ROW_EDITED ? read_edit(db, reader, m) : SQLITE_OK;
    if (rc == SQLITE_OK && flags & IM_ROW_REACTED)
        rc = read_reactions(db, m, reader, &reactions);
    m->reactions = (struct im_str){reactions.text, reactions.len};
    if (rc == SQLITE_OK)
        *out = im_event_new(IM_EV_MSG, m);
    if (flags & IM_ROW_EDITED)
        sqlite3_reset(im_db_use(db, IM_SQL_EDIT_TEXT));
    free(reactions.text);
    return rc;
}

int im_db_event_row(struct im_db *db, sqlite3_stmt *s, int64_t reader, struct im_event **out)
{
    struct im_msg m;
    enum im_event_type type = (enum im_event_type)im_db_u64(s, TYPE);
    if (!read_msg(s, type, &m))
        return SQLITE_CORRUPT;
    if (reader != IM_AS_APPENDED && type == IM_EV_MSG)
        return standing(db, s, reader, &m, out);
    *out = im_event_new(type, &m);
    return SQLITE_OK;
}

int im_db_event(struct im_db *db, uint64_t pos, struct im_event **out)
{
    sqlite3_stmt *s = im_db_use(db, IM_SQL_EVENT);
    im_db_bind_u64(s, 1, pos);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        rc = im_db_event_row(db, s, IM_AS_APPENDED, out);
    else if (rc == SQLITE_DONE)
        rc = SQLITE_CORRUPT;
    return im_db_done(s, rc);
}
