#ifndef IM_STORES_SQLITE_DB_H
#define IM_STORES_SQLITE_DB_H

#include <sqlite3.h>

#include "core/event.h"
#include "core/store.h"

/* One connection with its prepared statements. Functions that return an int return SQLite's result code. */

enum im_sql {
#define IM_SQL(sym, who, text) IM_SQL_##sym,
#include "stores/sqlite_sql.def"
#undef IM_SQL
    IM_SQL_COUNT
};

#define IM_DB_WAIT_MS 5000 /* for another program that holds the database */

enum im_db_who { IM_DB_WRITER = 1, IM_DB_READER = 2, IM_DB_BOTH = 3 };

struct im_sql_info {
    const char *name, *text;
    enum im_db_who who;
};
extern const struct im_sql_info im_sql_infos[IM_SQL_COUNT];

struct im_db {
    sqlite3 *sqlite;
    sqlite3_stmt *statements[IM_SQL_COUNT]; /* NULL: not this connection's */
};

/* The connection, without its statements: a writer's may write; settings are made. Close it even after an error. */
int im_db_open(struct im_db *, const char *path, enum im_db_who);
/* So much of the database is kept in memory, if it is that large. 0: 16 MB. */
int im_db_cache(struct im_db *, uint64_t bytes);
/* Needs the tables to be there. */
int im_db_prepare(struct im_db *, enum im_db_who);
void im_db_close(struct im_db *);
/* Runs text that gives no rows. */
int im_db_exec(struct im_db *, const char *text);
/* The first column of the first row of text; 0 if there is none. */
int im_db_number(struct im_db *, const char *text, int64_t *out);

/* What a result code means to whoever asked for an operation. Looks at errno, too: set it to 0 before the operation,
 * and call this right after it. */
enum im_reason im_db_reason(int rc);

/* events.flags. Stored: append only. */
enum im_row_flag {
    IM_ROW_ON = 1,
    IM_ROW_BOT = 2,
    IM_ROW_HIDDEN = 4,
    IM_ROW_DELETED = 8,
    IM_ROW_REACTED = 16,  /* there are reactions, or were */
    IM_ROW_BODILESS = 32, /* the body is absent, and not only empty */
    IM_ROW_EDITED = 64,
};
#define IM_SPAN_OPEN INT64_MAX /* the end of a span that goes on */

/* Running one statement: bind, step, read columns, and in the end always im_db_done(), lest it hold a snapshot. Bound
 * strings are not copied, and must stay until then. */
static inline sqlite3_stmt *im_db_use(struct im_db *db, enum im_sql sql)
{
    return db->statements[sql];
}
void im_db_bind_u64(sqlite3_stmt *, int at, uint64_t); /* INT64_MAX when above */
void im_db_bind_str(sqlite3_stmt *, int at, struct im_str);
void im_db_bind_id(sqlite3_stmt *, int at, int64_t); /* NULL when 0 */
uint64_t im_db_u64(sqlite3_stmt *, int column);      /* 0 when negative */
enum im_role im_db_role(sqlite3_stmt *, int column); /* NONE when it is not one */
struct im_str im_db_str(sqlite3_stmt *, int column); /* until the next step or im_db_done() */
/* SQLITE_ROW and SQLITE_DONE both become SQLITE_OK. */
int im_db_done(sqlite3_stmt *, int rc);
/* Steps a statement that gives no rows, and is done with it. */
int im_db_run(sqlite3_stmt *);
/* Runs a statement whose parameters are numbers. */
int im_db_run_ids(struct im_db *, enum im_sql, int count, const int64_t *ids);
#define IM_DB_RUN(db, sql, ...)                                                                                        \
    im_db_run_ids((db), IM_SQL_##sql, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                       \
                  (const int64_t[]){__VA_ARGS__})
/* Its first row's first column; 0 if there is none. */
int im_db_ask_ids(struct im_db *, enum im_sql, int64_t *out, int count, const int64_t *ids);
#define IM_DB_ASK(db, sql, out, ...)                                                                                   \
    im_db_ask_ids((db), IM_SQL_##sql, (out), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                \
                  (const int64_t[]){__VA_ARGS__})

/* The log's row, or what a transaction makes of it. */
struct im_tally {
    uint64_t head, events, users, convs, groups;
};
int im_db_tally(struct im_db *, struct im_tally *out, char epoch[33]); /* epoch may be NULL */

/* Finds a user by key; *id is 0 if there is none. blocks: how many the user has blocked; may be NULL. */
int im_db_user(struct im_db *, struct im_str key, int64_t *id, int64_t *blocks);

/* A conversation, and where it is now; conv is 0 if there is none. */
struct im_db_conv {
    int64_t conv;
    uint64_t last_seq, uncounted;
};
int im_db_conv(struct im_db *, int64_t conv, struct im_db_conv *);
int im_db_direct(struct im_db *, int64_t x, int64_t y, struct im_db_conv *);
int im_db_self(struct im_db *, int64_t user, struct im_db_conv *);
/* What a user (0: nobody) is in a group. */
int im_db_member(struct im_db *, int64_t user, int64_t conv, enum im_role *);
/* Finds a group by key. Unless *row is NULL, it is then the row of IM_SQL_GROUP, for im_db_done(). */
int im_db_group(struct im_db *, struct im_str key, struct im_db_conv *, sqlite3_stmt **row);

/* The event a row of IM_EVENT_ROWS has; SQLITE_CORRUPT if it cannot be one. As it was appended; or as it stands now for
 * reader (a user's id, or IM_READS_ALL), which only a reading connection can tell. */
#define IM_AS_APPENDED (-1)
#define IM_READS_ALL   0
int im_db_event_row(struct im_db *, sqlite3_stmt *, int64_t reader, struct im_event **out);
int im_db_event(struct im_db *, uint64_t pos, struct im_event **out); /* as it was appended */

#endif
