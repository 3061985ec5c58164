#include "tests/conform/store_box.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stores/sqlite_boot.h"

/* Which files the SQLite store takes as its log, and which not, and that it says why. */

static int setup(void **state)
{
    *state = box_new(&im_store_rows[IM_STORE_SQLITE]);
    return 0;
}

static int teardown(void **state)
{
    struct box *b = *state;
    box_free(&b);
    return 0;
}

static void assert_refused(struct box *b, enum im_reason reason, const char *detail)
{
    struct im_error error = {.detail = ""};
    assert_int_equal(box_try_open(b, &error), reason);
    assert_int_equal(error.reason, reason);
    if (strstr(error.detail, detail) == NULL)
        fail_msg("\"%s\" does not tell \"%s\"", error.detail, detail);
    assert_non_null(strstr(error.detail, b->folder));
}

static void run_sql(const char *path, const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int64_t ask(const char *path, const char *text)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

static void write_file(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    fclose(f);
}

static void patch(const char *path, long at, const void *data, size_t len)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fwrite(data, 1, len, f), len);
    fclose(f);
}

/* Without what a crash may have left beside it. */
static void replace_database(const struct box *b, const void *data, size_t len)
{
    static const char *const suffixes[] = {"-wal", "-shm"};
    for (unsigned i = 0; i < 2; i++) {
        char path[120];
        snprintf(path, sizeof path, "%s%s", b->path, suffixes[i]);
        unlink(path);
    }
    write_file(b->path, data, len);
}

static mode_t mode_of(const struct box *b, const char *suffix)
{
    struct stat st;
    char path[120];
    snprintf(path, sizeof path, "%s%s", b->path, suffix);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void new_files_are_for_their_owner_alone(void **state)
{
    struct box *b = *state;
    mode_t before = umask(0);
    box_open(b);
    box_send(b, "ann", "bob", "hi");
    umask(before);
    assert_int_equal(mode_of(b, ""), 0600);
    assert_int_equal(mode_of(b, "-wal"), 0600);
    assert_int_equal(mode_of(b, "-shm"), 0600);
    assert_int_equal(mode_of(b, ".lock"), 0600);
}

static void new_database_says_whose_it_is(void **state)
{
    struct box *b = *state;
    box_open(b);
    assert_string_equal(b->logged, "opened");
    assert_string_equal(b->store->epoch, "0102030405060708090a0b0c0d0e0fff");
    box_close(b);
    assert_int_equal(ask(b->path, "PRAGMA application_id"), IM_APPLICATION_ID);
    assert_int_equal(ask(b->path, "PRAGMA user_version"), im_schema_version);
    assert_int_equal(ask(b->path, "SELECT count(*) FROM log"), 1);
}

static void empty_file_becomes_a_database(void **state)
{
    struct box *b = *state;
    write_file(b->path, "", 0);
    box_open(b);
    box_send(b, "ann", "bob", "hi");
}

static void closed_database_leaves_no_write_ahead_log(void **state)
{
    struct box *b = *state;
    char wal[120];
    box_open(b);
    box_send(b, "ann", "bob", "hi");
    box_close(b);
    snprintf(wal, sizeof wal, "%s-wal", b->path);
    assert_int_not_equal(access(wal, F_OK), 0);
}

static void second_opener_is_told_who_has_it(void **state)
{
    struct box *b = *state, second = *b;
    char pid[32];
    box_open(b);
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_refused(&second, IM_STORE_LOCKED, pid);
    box_send(b, "ann", "bob", "hi");
    box_close(b);
    box_open(b);
    assert_int_equal(box_stats(b).events, 1);
}

static void lock_of_a_dead_process_is_free(void **state)
{
    struct box *b = *state;
    pid_t child = fork();
    if (child == 0) {
        struct im_error error;
        if (box_try_open(b, &error) == IM_OK)
            raise(SIGKILL);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    box_open(b);
}

static void newer_schema_is_refused_and_left_alone(void **state)
{
    struct box *b = *state;
    box_open(b);
    box_close(b);
    run_sql(b->path, "PRAGMA user_version = 1000");
    assert_refused(b, IM_STORE_NEWER, "1000");
    assert_int_equal(ask(b->path, "PRAGMA user_version"), 1000);
}

static void database_of_another_program_is_refused_and_left_alone(void **state)
{
    struct box *b = *state;
    run_sql(b->path, "CREATE TABLE shopping (item)");
    assert_refused(b, IM_CONFIG, "another program");
    assert_int_equal(ask(b->path, "SELECT count(*) FROM sqlite_schema"), 1);
    run_sql(b->path, "DROP TABLE shopping; PRAGMA application_id = 7");
    assert_refused(b, IM_CONFIG, "0x00000007");
    run_sql(b->path, "PRAGMA application_id = 0; PRAGMA user_version = 3");
    assert_refused(b, IM_CONFIG, "another program");
}

static void file_that_is_no_database_is_refused_and_left_alone(void **state)
{
    static const char text[] =
        "Dear diary, today I did not write any C at all. It was a very quiet day, and rather nice.\n";
    struct box *b = *state;
    char after[sizeof text] = "";
    write_file(b->path, text, sizeof text - 1);
    assert_refused(b, IM_STORE_CORRUPT, "not a database");
    FILE *f = fopen(b->path, "rb");
    assert_int_equal(fread(after, 1, sizeof after, f), sizeof text - 1);
    fclose(f);
    assert_string_equal(after, text);
}

static void path_that_is_no_file_is_refused(void **state)
{
    struct box *b = *state;
    assert_int_equal(mkdir(b->path, 0700), 0);
    assert_refused(b, IM_SYSTEM, "directory");
    rmdir(b->path);
    assert_int_equal(mkfifo(b->path, 0600), 0);
    assert_refused(b, IM_CONFIG, "not a regular file");
}

static void missing_folder_is_named(void **state)
{
    struct box *b = *state;
    snprintf(b->path, sizeof b->path, "%s/none/log.db", b->folder);
    assert_refused(b, IM_SYSTEM, "No such file");
}

static void folder_that_may_not_be_written_is_named(void **state)
{
    struct box *b = *state;
    uid_t me = geteuid();
    assert_int_equal(chmod(b->folder, 0555), 0);
    if (me == 0)
        assert_int_equal(seteuid(65534), 0);
    assert_refused(b, IM_SYSTEM, "Permission denied");
    if (me == 0)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(b->folder, 0700), 0);
}

static void database_that_may_not_be_written_is_refused(void **state)
{
    struct box *b = *state;
    uid_t me = geteuid();
    box_open(b);
    box_close(b);
    assert_int_equal(chmod(b->path, 0444), 0);
    if (me == 0) {
        assert_int_equal(chown(b->folder, 65534, (gid_t)-1), 0);
        char lock[120];
        snprintf(lock, sizeof lock, "%s.lock", b->path);
        assert_int_equal(chown(lock, 65534, (gid_t)-1), 0);
        assert_int_equal(seteuid(65534), 0);
    }
    assert_refused(b, IM_SYSTEM, "Permission denied");
    if (me == 0)
        assert_int_equal(seteuid(0), 0);
}

static void fill(struct box *b, unsigned events)
{
    char text[400];
    box_open(b);
    for (unsigned i = 0; i < events; i++) {
        memset(text, 'a' + (int)(i % 26), sizeof text);
        text[sizeof text - 1] = '\0';
        box_send(b, i % 3 ? "ann" : "cat", "bob", text);
    }
    box_close(b);
}

static void damaged_page_is_found_at_boot(void **state)
{
    struct box *b = *state;
    char junk[64];
    memset(junk, 0xff, sizeof junk);
    b->sync_full = false;
    fill(b, 50);
    patch(b->path, 4096 * 4, junk, sizeof junk);
    assert_refused(b, IM_STORE_CORRUPT, "");
}

static void cut_off_file_is_found_at_boot(void **state)
{
    struct box *b = *state;
    b->sync_full = false;
    fill(b, 50);
    assert_int_equal(truncate(b->path, 4096 * 6), 0);
    assert_refused(b, IM_STORE_CORRUPT, "");
}

static void wrong_log_row_is_found_at_boot(void **state)
{
    struct box *b = *state;
    fill(b, 3);
    run_sql(b->path, "UPDATE log SET head = 2");
    assert_refused(b, IM_STORE_CORRUPT, "log");
    run_sql(b->path, "DELETE FROM log");
    assert_refused(b, IM_STORE_CORRUPT, "log");
}

static void read_everything(struct box *b)
{
    static const char *const users[] = {"ann", "bob", "cat"};
    for (unsigned i = 0; i < 3; i++) {
        struct im_store_since s = op_since(users[i], 0, 1000, 1 << 20);
        box_do(b, &s.op);
        drop_events(&s.events, &s.count);
        struct im_store_history h = op_before(users[i], users[(i + 1) % 3], 0, 1000);
        box_do(b, &h.op);
        drop_events(&h.events, &h.count);
        struct im_store_conversations c = op_conversations(users[i], 10);
        box_do(b, &c.op);
        drop_rows(&c);
        struct im_store_append a = op_append(users[i], "bob", "c", "hi");
        box_do(b, &a.op);
        im_event_drop(&a.earlier);
        im_event_drop(&a.event);
        struct im_store_login l = op_login(users[i], "");
        box_do(b, &l.op);
    }
}

static void flipped_bytes_are_refused_or_survived(void **state)
{
    struct box *b = *state;
    uint32_t random = 12345;
    unsigned refused = 0;
    static char original[1 << 20], copy[1 << 20];
    b->sync_full = false;
    fill(b, 40);
    FILE *f = fopen(b->path, "rb");
    size_t size = fread(original, 1, sizeof original, f);
    fclose(f);
    assert_true(size > 8192 && size < sizeof original);
    for (unsigned round = 0; round < 150; round++) {
        struct im_error error = {.detail = ""};
        memcpy(copy, original, size);
        for (unsigned i = 0; i <= round % 8; i++) {
            random = random * 1664525 + 1013904223;
            copy[(random >> 4) % size] = (char)(random >> 24);
        }
        replace_database(b, copy, size);
        if (box_try_open(b, &error) != IM_OK) {
            assert_true(error.detail[0] != '\0');
            refused++;
            continue;
        }
        read_everything(b);
        box_close(b);
    }
    assert_true(refused > 10 && refused < 150);
}

static void failed_migration_leaves_everything_as_it_was(void **state)
{
    struct box *b = *state;
    char sql[100];
    snprintf(sql, sizeof sql, "CREATE TABLE events (x); PRAGMA application_id = %d", IM_APPLICATION_ID);
    run_sql(b->path, sql);
    assert_refused(b, IM_STORE_FAILED, "events");
    assert_int_equal(ask(b->path, "SELECT count(*) FROM sqlite_schema"), 1);
    assert_int_equal(ask(b->path, "PRAGMA user_version"), 0);
    run_sql(b->path, "DROP TABLE events");
    box_open(b);
    box_send(b, "ann", "bob", "hi");
}

static void positions_are_not_given_again_after_erasing(void **state)
{
    struct box *b = *state;
    fill(b, 5);
    run_sql(b->path, "DELETE FROM events WHERE pos >= 4");
    box_open(b);
    struct im_event *e = box_append(b, "zoe", "yan", NULL, "hi");
    assert_int_equal(e->msg.pos, 6);
    im_event_drop(&e);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(new_files_are_for_their_owner_alone),
        T(new_database_says_whose_it_is),
        T(empty_file_becomes_a_database),
        T(closed_database_leaves_no_write_ahead_log),
        T(second_opener_is_told_who_has_it),
        T(lock_of_a_dead_process_is_free),
        T(newer_schema_is_refused_and_left_alone),
        T(database_of_another_program_is_refused_and_left_alone),
        T(file_that_is_no_database_is_refused_and_left_alone),
        T(path_that_is_no_file_is_refused),
        T(missing_folder_is_named),
        T(folder_that_may_not_be_written_is_named),
        T(database_that_may_not_be_written_is_refused),
        T(damaged_page_is_found_at_boot),
        T(cut_off_file_is_found_at_boot),
        T(wrong_log_row_is_found_at_boot),
        T(flipped_bytes_are_refused_or_survived),
        T(failed_migration_leaves_everything_as_it_was),
        T(positions_are_not_given_again_after_erasing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
