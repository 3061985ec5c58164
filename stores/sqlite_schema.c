#include "stores/sqlite_boot.h"

#include <stdio.h>

/* The schema's history: element n takes a database from version n to n + 1, and is never edited once released. A new
 * database takes all of them. See doc/why/sqlite.md. */
static const char *const migrations[] = {
    /* 1: users, direct conversations, the log.
     * log: one row; head only grows, so that a pos is never given twice, even if the newest events are erased.
     * convs: a <= b are the two users of a direct conversation (the same for notes to oneself).
     * members: who sees a conversation, from which pos on, and up to which seq it was read.
     * events: type 0 is a message. */
    "CREATE TABLE log (id INTEGER PRIMARY KEY CHECK (id = 1), epoch TEXT NOT NULL, head INTEGER NOT NULL,"
    " events INTEGER NOT NULL, users INTEGER NOT NULL, convs INTEGER NOT NULL) STRICT;"
    "CREATE TABLE users (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
    " claimed INTEGER NOT NULL) STRICT;"
    "CREATE TABLE cursors (user INTEGER NOT NULL REFERENCES users, device TEXT NOT NULL, pos INTEGER NOT NULL,"
    " PRIMARY KEY (user, device)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE convs (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, a INTEGER REFERENCES users,"
    " b INTEGER REFERENCES users, last_seq INTEGER NOT NULL, last_pos INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX convs_direct ON convs (a, b) WHERE a IS NOT NULL;"
    "CREATE TABLE members (user INTEGER NOT NULL REFERENCES users, conv INTEGER NOT NULL REFERENCES convs,"
    " from_pos INTEGER NOT NULL, read_seq INTEGER NOT NULL, PRIMARY KEY (user, conv)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE events (pos INTEGER PRIMARY KEY, conv INTEGER NOT NULL REFERENCES convs, seq INTEGER NOT NULL,"
    " type INTEGER NOT NULL, sender INTEGER NOT NULL REFERENCES users, ts INTEGER NOT NULL, cid TEXT, mime TEXT,"
    " body TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX events_seq ON events (conv, seq);"
    "CREATE UNIQUE INDEX events_cid ON events (sender, cid) WHERE cid IS NOT NULL;",
};
const int im_schema_version = sizeof migrations / sizeof *migrations;

static int add_log_row(struct im_db *db, const uint8_t seed[16])
{
    char epoch[33];
    for (unsigned i = 0; i < 16; i++)
        snprintf(epoch + 2 * i, 3, "%02x", seed[i]);
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(db->sqlite, "INSERT INTO log VALUES (1, ?1, 0, 0, 0, 0)", -1, &s, NULL);
    if (rc != SQLITE_OK)
        return rc;
    im_db_bind_str(s, 1, im_str(epoch));
    sqlite3_step(s);
    return sqlite3_finalize(s);
}

static int migrate_from(struct im_db *db, int64_t version, const uint8_t seed[16])
{
    char pragmas[100];
    int rc = SQLITE_OK;
    for (int64_t v = version; v < im_schema_version && rc == SQLITE_OK; v++)
        rc = im_db_exec(db, migrations[v]);
    if (rc == SQLITE_OK && version == 0)
        rc = add_log_row(db, seed);
    snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d", IM_APPLICATION_ID,
             im_schema_version);
    if (rc == SQLITE_OK)
        rc = im_db_exec(db, pragmas);
    return rc;
}

int im_schema_migrate(struct im_db *db, const uint8_t seed[16])
{
    int64_t version;
    int rc = im_db_exec(db, "BEGIN IMMEDIATE");
    if (rc == SQLITE_OK)
        rc = im_db_number(db, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK && version < im_schema_version)
        rc = migrate_from(db, version, seed);
    return rc == SQLITE_OK ? im_db_exec(db, "COMMIT") : rc;
}
