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

    /* 2: groups, devices, edits and all that goes with them; search; records.
     * Existing events stay as they are: what is new in their rows has its default. None of them is about another, so
     * that the only index over them that is made here is empty.
     * log.groups: those that are not gone.
     * users.blocks: how many the user has blocked. blocks.other is a key.
     * cursors.seen: when the device was last here.
     * convs: kind 2 is the log of user a's own. uncounted: how many of its events are no messages to be counted as
     * unread; open_seq, open_pos: the newest one that is hidden from nobody; shown_seq: the newest one of these that
     * history shows; first_seq: the oldest one still there; erased: how many counted ones are not.
     * groups: the group's name is free once it is gone, but its events go on having it.
     * members: read_count: counted messages up to read_seq; own_seq, own_pos: the user's newest event that is hidden
     * from the other; of groups also role and the user's key. A row is there as long as the role is not `none`.
     * mentions: user 0 is everybody.
     * spans: what a user sees of a group; one without end has the largest number there.
     * events: uncounted: as in convs, up to here; flags: enum im_row_flag; target: of an edit, pos of the message;
     * subject: whom a change of membership concerns; about: which conversation an event of kind 2 is about.
     * filters: what words a chunk of a conversation may have; chores: chunks that should have one
     * (stores/sqlite_filter.h). */
    "ALTER TABLE log ADD COLUMN groups INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE users ADD COLUMN blocks INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE blocks (user INTEGER NOT NULL REFERENCES users, other TEXT NOT NULL REFERENCES users (key),"
    " PRIMARY KEY (user, other)) STRICT, WITHOUT ROWID;"
    "ALTER TABLE cursors ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;"
    "UPDATE cursors SET seen = unixepoch() * 1000;"
    "ALTER TABLE convs ADD COLUMN uncounted INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE convs ADD COLUMN open_seq INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE convs ADD COLUMN open_pos INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE convs ADD COLUMN shown_seq INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE convs ADD COLUMN first_seq INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE convs ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;"
    "UPDATE convs SET open_seq = last_seq, open_pos = last_pos, shown_seq = last_seq;"
    "CREATE UNIQUE INDEX convs_self ON convs (a) WHERE kind = 2;"
    "CREATE TABLE groups (conv INTEGER PRIMARY KEY REFERENCES convs, key TEXT NOT NULL, name TEXT NOT NULL, topic TEXT,"
    " settings INTEGER NOT NULL, members INTEGER NOT NULL, owners INTEGER NOT NULL, created INTEGER NOT NULL,"
    " gone INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX groups_key ON groups (key) WHERE gone = 0;"
    "CREATE INDEX groups_public ON groups (key) WHERE gone = 0 AND settings & 1;"
    "ALTER TABLE members DROP COLUMN from_pos;"
    "ALTER TABLE members ADD COLUMN read_count INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE members ADD COLUMN own_seq INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE members ADD COLUMN own_pos INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE members ADD COLUMN role INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE members ADD COLUMN key TEXT;"
    "UPDATE members SET read_count = read_seq;"
    "CREATE UNIQUE INDEX members_key ON members (conv, key) WHERE key IS NOT NULL;"
    "CREATE TABLE spans (user INTEGER NOT NULL REFERENCES users, conv INTEGER NOT NULL REFERENCES convs,"
    " from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL, to_pos INTEGER NOT NULL,"
    " PRIMARY KEY (user, conv, from_seq)) STRICT, WITHOUT ROWID;"
    "ALTER TABLE events ADD COLUMN uncounted INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE events ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE events ADD COLUMN ref INTEGER;"
    "ALTER TABLE events ADD COLUMN target INTEGER;"
    "ALTER TABLE events ADD COLUMN mentions TEXT;"
    "ALTER TABLE events ADD COLUMN change INTEGER;"
    "ALTER TABLE events ADD COLUMN role INTEGER;"
    "ALTER TABLE events ADD COLUMN settings INTEGER;"
    "ALTER TABLE events ADD COLUMN subject INTEGER REFERENCES users;"
    "ALTER TABLE events ADD COLUMN about INTEGER REFERENCES convs;"
    "CREATE INDEX events_target ON events (target) WHERE target IS NOT NULL;"
    "CREATE TABLE reactions (event INTEGER NOT NULL REFERENCES events, emoji TEXT NOT NULL,"
    " user INTEGER NOT NULL REFERENCES users, at INTEGER NOT NULL, hidden INTEGER NOT NULL,"
    " PRIMARY KEY (event, emoji, user)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE mentions (conv INTEGER NOT NULL REFERENCES convs, user INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " PRIMARY KEY (conv, user, seq)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX mentions_seq ON mentions (conv, seq);"
    "CREATE TABLE hides (event INTEGER NOT NULL REFERENCES events, user INTEGER NOT NULL REFERENCES users,"
    " PRIMARY KEY (event, user)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE records (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, key TEXT NOT NULL, owner TEXT, name TEXT,"
    " value BLOB NOT NULL, expires INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX records_key ON records (kind, key);"
    "CREATE UNIQUE INDEX records_name ON records (kind, owner, name) WHERE owner IS NOT NULL AND name IS NOT NULL;"
    "CREATE INDEX records_owner ON records (kind, owner, key) WHERE owner IS NOT NULL;"
    "CREATE INDEX records_expires ON records (expires) WHERE expires > 0;"
    "CREATE TABLE filters (id INTEGER PRIMARY KEY, bits BLOB NOT NULL) STRICT;"
    "CREATE TABLE chores (id INTEGER PRIMARY KEY) STRICT;"
    "INSERT INTO chores WITH RECURSIVE chunks (id, left) AS (SELECT id << 24, last_seq / 64 FROM convs"
    " WHERE last_seq >= 64 UNION ALL SELECT id + 1, left - 1 FROM chunks WHERE left > 1) SELECT id FROM chunks;",

    /* 3: a role between banned and invited; what is deleted is not unread; accents make no difference to search, so
     * that all filters are made again. */
    "UPDATE members SET role = role + 1 WHERE role >= 2;"
    "UPDATE events SET role = role + 1 WHERE role >= 2;"
    "CREATE INDEX events_deleted ON events (conv, seq) WHERE type = 0 AND flags & 12 = 8;"
    "CREATE INDEX hides_user ON hides (user, event);"
    "DELETE FROM filters;"
    "INSERT OR REPLACE INTO chores WITH RECURSIVE chunks (id, left) AS (SELECT id << 24, last_seq / 64 FROM convs"
    " WHERE last_seq >= 64 UNION ALL SELECT id + 1, left - 1 FROM chunks WHERE left > 1) SELECT id FROM chunks;",
};
const int im_schema_version = sizeof migrations / sizeof *migrations;

static int add_log_row(struct im_db *db, const uint8_t seed[16])
{
    char epoch[33];
    for (unsigned i = 0; i < 16; i++)
        snprintf(epoch + 2 * i, 3, "%02x", seed[i]);
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(
        db->sqlite, "INSERT INTO log (id, epoch, head, events, users, convs) VALUES (1, ?1, 0, 0, 0, 0)", -1, &s, NULL);
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
