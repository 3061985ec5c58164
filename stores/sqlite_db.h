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

/* Running one statement: bind, step, read columns, and in the end always im_db_done(), lest it hold a snapshot. Bound
 * strings are not copied, and must stay until then. */
static inline sqlite3_stmt *im_db_use(struct im_db *db, enum im_sql sql)
{
    return db->statements[sql];
}
void im_db_bind_u64(sqlite3_stmt *, int at, uint64_t); /* INT64_MAX when above */
void im_db_bind_str(sqlite3_stmt *, int at, struct im_str);
uint64_t im_db_u64(sqlite3_stmt *, int column);      /* 0 when negative */
struct im_str im_db_str(sqlite3_stmt *, int column); /* until the next step or im_db_done() */
/* SQLITE_ROW and SQLITE_DONE both become SQLITE_OK. */
int im_db_done(sqlite3_stmt *, int rc);
/* Steps a statement that gives no rows, and is done with it. */
int im_db_run(sqlite3_stmt *);

/* The log's row, or what a transaction makes of it. */
struct im_tally {
    uint64_t head, events, users, convs;
};
int im_db_tally(struct im_db *, struct im_tally *out, char epoch[33]); /* epoch may be NULL */

/* Finds a user by key; *id is 0 if there is none. */
int im_db_user(struct im_db *, struct im_str key, int64_t *id);
/* Finds the direct conversation of two users; *conv is 0 if there is none. */
int im_db_direct(struct im_db *, int64_t x, int64_t y, int64_t *conv, uint64_t *last_seq);
/* The event a row of IM_EVENT_ROWS has; SQLITE_CORRUPT if it cannot be one. */
int im_db_event_row(sqlite3_stmt *, struct im_event **out);
int im_db_event(struct im_db *, uint64_t pos, struct im_event **out);

#endif
