#include "tests/unit/sqlite_file.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "stores/sqlite_boot.h"

static sqlite3 *open_file(const char *path)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    return db;
}

void file_run(const char *path, const char *sql)
{
    sqlite3 *db = open_file(path);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sqlite3_errmsg(db), sql);
    sqlite3_close(db);
}

int64_t file_ask(const char *path, const char *sql)
{
    sqlite3 *db = open_file(path);
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sqlite3_errmsg(db), sql);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

char *file_list(const char *path, const char *sql)
{
    sqlite3 *db = open_file(path);
    sqlite3_stmt *s;
    size_t len = 0;
    char *out = im_zalloc(1);
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sqlite3_errmsg(db), sql);
    while (sqlite3_step(s) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(s, 0);
        size_t n = text ? strlen(text) : 0;
        out = im_realloc(out, len + n + 2);
        memcpy(out + len, text ? text : "", n);
        memcpy(out + len + n, "\n", 2);
        len += n + 1;
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return out;
}

/* Each must find nothing. */
static const struct {
    const char *wrong, *sql;
} checks[] = {
    {"references", "SELECT 1 FROM pragma_foreign_key_check"},
    {"log.head", "SELECT 1 FROM log WHERE head < (SELECT coalesce(max(pos), 0) FROM events)"},
    {"log.events", "SELECT 1 FROM log WHERE events <> (SELECT count(*) FROM events)"},
    {"log.users", "SELECT 1 FROM log WHERE users <> (SELECT count(*) FROM users)"},
    {"log.convs", "SELECT 1 FROM log WHERE convs <> (SELECT count(*) FROM convs WHERE kind = 0)"},
    {"log.groups", "SELECT 1 FROM log WHERE groups <> (SELECT count(*) FROM groups WHERE gone = 0)"},
    {"users.blocks", "SELECT 1 FROM users u WHERE blocks <> (SELECT count(*) FROM blocks WHERE user = u.id)"},
    {"last_seq",
     "SELECT 1 FROM convs c WHERE (SELECT count(*) FROM events WHERE conv = c.id) <>"
     " last_seq - first_seq + 1 OR last_seq < coalesce((SELECT max(seq) FROM events WHERE conv = c.id), 0)"},
    {"last_pos", "SELECT 1 FROM convs c WHERE last_pos <> coalesce((SELECT max(pos) FROM events WHERE conv = c.id),"
                 " last_pos)"},
    {"pos and seq", "SELECT 1 FROM events e JOIN events f ON f.conv = e.conv AND f.seq = e.seq + 1 AND f.pos < e.pos"},
    {"open_seq", "SELECT 1 FROM convs c WHERE first_seq = 1 AND open_seq <> coalesce((SELECT max(seq) FROM events"
                 " WHERE conv = c.id AND flags & 4 = 0), 0)"},
    {"shown_seq", "SELECT 1 FROM convs c WHERE first_seq = 1 AND kind < 2 AND shown_seq <> coalesce((SELECT max(seq)"
                  " FROM events WHERE conv = c.id AND flags & 4 = 0 AND type IN (0, 4)), 0)"},
    {"convs.uncounted", "SELECT 1 FROM convs c WHERE first_seq = 1 AND uncounted <> (SELECT count(*) FROM events"
                        " WHERE conv = c.id AND (type <> 0 OR flags & 4))"},
    {"events.uncounted", "SELECT 1 FROM events e JOIN events f ON f.conv = e.conv AND f.seq = e.seq + 1"
                         " WHERE f.uncounted <> e.uncounted + (f.type <> 0 OR f.flags & 4 <> 0)"},
    {"erased", "SELECT 1 FROM convs c JOIN events e ON e.conv = c.id AND e.seq = c.first_seq"
               " WHERE c.erased <> e.seq - e.uncounted - (e.type = 0 AND e.flags & 4 = 0)"},
    {"read_seq", "SELECT 1 FROM members m JOIN convs c ON c.id = m.conv WHERE read_seq > last_seq"},
    {"read_count", "SELECT 1 FROM members m JOIN events e ON e.conv = m.conv AND e.seq = m.read_seq"
                   " WHERE read_count <> e.seq - e.uncounted"},
    {"groups.members", "SELECT 1 FROM groups g WHERE members <> (SELECT count(*) FROM members WHERE conv = g.conv"
                       " AND role >= 4) OR owners <> (SELECT count(*) FROM members WHERE conv = g.conv AND role = 7)"},
    {"groups without owner", "SELECT 1 FROM groups WHERE gone = 0 AND owners = 0"},
    {"members.key", "SELECT 1 FROM members m JOIN users u ON u.id = m.user JOIN convs c ON c.id = m.conv"
                    " WHERE m.key IS NOT iif(c.kind = 1, u.key, NULL) OR (m.role > 0) <> (c.kind = 1)"},
    {"open spans", "SELECT 1 FROM members m JOIN convs c ON c.id = m.conv WHERE c.kind = 1 AND (m.role >= 4) <>"
                   " (SELECT count(*) FROM spans s WHERE s.user = m.user AND s.conv = m.conv"
                   " AND to_seq = 9223372036854775807) UNION ALL SELECT 1 FROM spans s WHERE to_seq ="
                   " 9223372036854775807 AND NOT EXISTS (SELECT 1 FROM members m WHERE m.user = s.user"
                   " AND m.conv = s.conv)"},
    {"spans overlap", "SELECT 1 FROM spans a JOIN spans b ON b.user = a.user AND b.conv = a.conv"
                      " AND b.from_seq > a.from_seq AND b.from_seq <= a.to_seq"},
    {"edits", "SELECT 1 FROM events e JOIN events m ON m.pos = e.target WHERE e.type <> 1 OR m.type <> 0"
              " OR m.conv <> e.conv OR m.seq <> e.ref OR NOT m.flags & 64 OR (m.flags & 8 AND e.body <> '')"},
    {"edits of what is gone", "SELECT 1 FROM events e WHERE target IS NOT NULL AND body <> ''"
                              " AND NOT EXISTS (SELECT 1 FROM events WHERE pos = e.target)"},
    {"reactions", "SELECT 1 FROM reactions r LEFT JOIN events e ON e.pos = r.event"
                  " WHERE e.pos IS NULL OR NOT e.flags & 16 OR e.flags & 8"},
    {"mentions", "SELECT 1 FROM mentions m LEFT JOIN events e ON e.conv = m.conv AND e.seq = m.seq"
                 " WHERE e.pos IS NULL OR e.type <> 0 OR e.flags & 8"},
    {"filters", "SELECT 1 FROM filters f LEFT JOIN convs c ON c.id = f.id >> 24"
                " WHERE c.id IS NULL OR ((f.id & 0xffffff) + 1) * 64 > c.last_seq"},
    {"chunks without a filter", "SELECT 1 FROM convs c JOIN events e ON e.conv = c.id AND e.seq % 64 = 0"
                                " WHERE kind < 2 AND e.seq - 63 >= first_seq AND NOT EXISTS (SELECT 1 FROM filters"
                                " WHERE id = (c.id << 24) + e.seq / 64 - 1) AND NOT EXISTS (SELECT 1 FROM chores"
                                " WHERE id = (c.id << 24) + e.seq / 64 - 1)"},
};

void file_check(const char *path)
{
    sqlite3 *db = open_file(path);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        sqlite3_stmt *s;
        if (sqlite3_prepare_v2(db, checks[i].sql, -1, &s, NULL) != SQLITE_OK)
            fail_msg("%s: %s", checks[i].wrong, sqlite3_errmsg(db));
        if (sqlite3_step(s) != SQLITE_DONE)
            fail_msg("%s: %s", path, checks[i].wrong);
        sqlite3_finalize(s);
    }
    sqlite3_close(db);
}

/* Never to be edited: such files are out there. */
static const char v1[] =
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
    "CREATE UNIQUE INDEX events_cid ON events (sender, cid) WHERE cid IS NOT NULL;"
    "PRAGMA journal_mode = WAL; PRAGMA user_version = 1;"
    "INSERT INTO users VALUES (1, 'ann', 'Ann', 1), (2, 'bob', 'bob', 0), (3, '小明', '小明', 1);"
    "INSERT INTO cursors VALUES (1, 'phone', 5);";

void file_make_v1(const char *path, unsigned count)
{
    char sql[2000];
    file_run(path, v1);
    snprintf(sql, sizeof sql,
             "PRAGMA application_id = %d;"
             "INSERT INTO log VALUES (1, '00112233445566778899aabbccddeeff', %u, %u, 3, 2);"
             "INSERT INTO convs VALUES (1, 0, 1, 2, %u, %u), (2, 0, 1, 3, 1, %u);"
             "INSERT INTO members VALUES (1, 1, 0, %u), (2, 1, 0, %u), (1, 2, 0, 0), (3, 2, 0, 1);"
             "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < %u)"
             " INSERT INTO events SELECT i, 1, i, 0, 2 - i %% 2, 1700000000000 + i, NULL, NULL, 'old ' || i FROM n;"
             "INSERT INTO events VALUES (%u, 2, 1, 0, 3, 1700000001000, 'c1', NULL, '今天下午开会吗')",
             IM_APPLICATION_ID, count + 1, count + 1, count, count, count + 1, count, count / 2, count, count + 1);
    file_run(path, sql);
}
