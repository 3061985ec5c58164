#include "tests/conform/store_box.h"

#include <stdio.h>
#include <string.h>

#include "stores/sqlite_boot.h"
#include "stores/sqlite_read.h"

/* The statements themselves: each must find what it wants through an index. */

static int setup(void **state)
{
    struct box *b = box_new(&im_store_rows[IM_STORE_SQLITE]);
    *state = b;
    box_open(b);
    box_send(b, "ann", "bob", "hi");
    box_close(b);
    return 0;
}

static int teardown(void **state)
{
    struct box *b = *state;
    box_free(&b);
    return 0;
}

/* Writes the plan's lines to out, each followed by a newline. */
static void explain(sqlite3 *db, const char *text, char *out, size_t room)
{
    char sql[4000];
    sqlite3_stmt *s;
    size_t len = 0;
    out[0] = '\0';
    snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", text);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        len += (size_t)snprintf(out + len, room - len, "%s\n", (const char *)sqlite3_column_text(s, 3));
        assert_true(len < room);
    }
    sqlite3_finalize(s);
}

static void no_statement_scans_a_table(void **state)
{
    struct box *b = *state;
    struct im_db db = {0};
    assert_int_equal(im_db_open(&db, b->path, IM_DB_WRITER), SQLITE_OK);
    for (unsigned i = 0; i < IM_SQL_COUNT; i++) {
        char plan[2000];
        explain(db.sqlite, im_sql_infos[i].text, plan, sizeof plan);
        bool log_row = i == IM_SQL_LOG || i == IM_SQL_LOG_SET; /* a table of one row */
        if (strstr(plan, "SCAN") && !(log_row && strcmp(plan, "SCAN log\n") == 0))
            fail_msg("%s scans:\n%s", im_sql_infos[i].name, plan);
        if (strstr(plan, "TEMP B-TREE") && i != IM_SQL_CONVS && i != IM_SQL_REACTIONS)
            fail_msg("%s sorts:\n%s", im_sql_infos[i].name, plan);
        if (strstr(plan, "AUTOMATIC"))
            fail_msg("%s builds an index:\n%s", im_sql_infos[i].name, plan);
    }
    im_db_close(&db);
}

static void events_are_found_by_conversation_and_place(void **state)
{
    static const struct {
        enum im_sql sql;
        const char *line;
    } rows[] = {{IM_SQL_PLACE, "SEARCH events USING COVERING INDEX events_seq (conv=? AND seq>?)"},
                {IM_SQL_HISTORY_BEFORE, "SEARCH e USING INDEX events_seq (conv=? AND seq>? AND seq<?)"},
                {IM_SQL_HISTORY_AFTER, "SEARCH e USING INDEX events_seq (conv=? AND seq>? AND seq<?)"},
                {IM_SQL_CID, "SEARCH events USING COVERING INDEX events_cid (sender=? AND cid=?)"},
                {IM_SQL_SEARCH_TEXTS, "SEARCH e USING INDEX events_seq (conv=? AND seq>? AND seq<?)"},
                {IM_SQL_EDIT_TEXT, "SEARCH y USING INDEX events_target (target=?)"},
                {IM_SQL_MEMBERS, "SEARCH m USING INDEX members_key (conv=? AND key>?)"},
                {IM_SQL_GROUPS_PUBLIC, "SEARCH groups USING INDEX groups_public (key>?)"},
                {IM_SQL_RECORDS_OWNED, "SEARCH records USING INDEX records_owner (kind=? AND owner=? AND key>?)"},
                {IM_SQL_DIRECT, "SEARCH convs USING INDEX convs_direct (a=? AND b=?)"}};
    struct box *b = *state;
    struct im_db db = {0};
    assert_int_equal(im_db_open(&db, b->path, IM_DB_READER), SQLITE_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char plan[2000];
        explain(db.sqlite, im_sql_infos[rows[i].sql].text, plan, sizeof plan);
        if (strstr(plan, rows[i].line) == NULL)
            fail_msg("%s:\n%s", im_sql_infos[rows[i].sql].name, plan);
    }
    im_db_close(&db);
}

static void readers_cannot_write(void **state)
{
    struct box *b = *state;
    struct im_db db = {0};
    assert_int_equal(im_db_open(&db, b->path, IM_DB_READER), SQLITE_OK);
    assert_int_equal(im_db_prepare(&db, IM_DB_READER), SQLITE_OK);
    assert_int_equal(im_db_exec(&db, "DELETE FROM events"), SQLITE_READONLY);
    for (unsigned i = 0; i < IM_SQL_COUNT; i++)
        assert_true(db.statements[i] == NULL || sqlite3_stmt_readonly(db.statements[i]));
    im_db_close(&db);
}

struct between {
    struct box *box;
    unsigned left;
};

/* Somebody writes before each of the first statements of a read. */
static int write_between(unsigned what, void *arg, void *statement, void *text)
{
    struct between *b = arg;
    (void)what;
    (void)statement;
    (void)text;
    if (b->left > 0) {
        b->left--;
        box_send(b->box, "cat", "bob", "new");
    }
    return 0;
}

static void read_shows_one_moment(void **state)
{
    struct box *b = *state;
    struct im_reader r = {.path = b->path};
    struct between between = {b, 4};
    box_open(b);
    assert_int_equal(im_db_open(&r.db, b->path, IM_DB_READER), SQLITE_OK);
    assert_int_equal(im_db_prepare(&r.db, IM_DB_READER), SQLITE_OK);
    sqlite3_trace_v2(r.db.sqlite, SQLITE_TRACE_STMT, write_between, &between);
    struct im_store_since s = op_since("bob", 0, 100, 10000);
    assert_int_equal(im_reader_perform(&r, &s.op), IM_OK);
    assert_true(s.count > 0);
    assert_int_equal(s.events[s.count - 1]->msg.pos, s.upto);
    assert_true(box_stats(b).head > s.upto);
    drop_events(&s.events, &s.count);
    im_db_close(&r.db);
}

static void migrating_again_changes_nothing(void **state)
{
    struct box *b = *state;
    struct im_db db = {0};
    int64_t before, after;
    static const uint8_t seed[16];
    assert_int_equal(im_db_open(&db, b->path, IM_DB_WRITER), SQLITE_OK);
    assert_int_equal(im_db_number(&db, "SELECT count(*) FROM sqlite_schema", &before), SQLITE_OK);
    assert_int_equal(im_schema_migrate(&db, seed), SQLITE_OK);
    assert_int_equal(im_db_number(&db, "SELECT count(*) FROM sqlite_schema", &after), SQLITE_OK);
    assert_int_equal(before, after);
    assert_int_equal(im_db_number(&db, "SELECT count(*) FROM log", &after), SQLITE_OK);
    assert_int_equal(after, 1);
    im_db_close(&db);
}

static void references_hold(void **state)
{
    struct box *b = *state;
    struct im_db db = {0};
    int64_t violations;
    assert_int_equal(im_db_open(&db, b->path, IM_DB_WRITER), SQLITE_OK);
    assert_int_equal(im_db_number(&db, "SELECT count(*) FROM pragma_foreign_key_check", &violations), SQLITE_OK);
    assert_int_equal(violations, 0);
    assert_int_equal(im_db_number(&db, "SELECT count(*) FROM pragma_foreign_key_list('events')", &violations),
                     SQLITE_OK);
    assert_int_equal(violations, 4);
    im_db_close(&db);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(no_statement_scans_a_table),
        T(events_are_found_by_conversation_and_place),
        T(readers_cannot_write),
        T(read_shows_one_moment),
        T(migrating_again_changes_nothing),
        T(references_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
