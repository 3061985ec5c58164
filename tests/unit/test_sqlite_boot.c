#include "tests/unit/sqlite_file.h"

#include <signal.h>
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
    assert_int_equal(file_ask(b->path, "PRAGMA application_id"), IM_APPLICATION_ID);
    assert_int_equal(file_ask(b->path, "PRAGMA user_version"), im_schema_version);
    assert_int_equal(file_ask(b->path, "SELECT count(*) FROM log"), 1);
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
    file_run(b->path, "PRAGMA user_version = 1000");
    assert_refused(b, IM_STORE_NEWER, "1000");
    assert_int_equal(file_ask(b->path, "PRAGMA user_version"), 1000);
}

static void database_of_another_program_is_refused_and_left_alone(void **state)
{
    struct box *b = *state;
    file_run(b->path, "CREATE TABLE shopping (item)");
    assert_refused(b, IM_CONFIG, "another program");
    assert_int_equal(file_ask(b->path, "SELECT count(*) FROM sqlite_schema"), 1);
    file_run(b->path, "DROP TABLE shopping; PRAGMA application_id = 7");
    assert_refused(b, IM_CONFIG, "0x00000007");
    file_run(b->path, "PRAGMA application_id = 0; PRAGMA user_version = 3");
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

static void a_look_tells_the_versions_while_another_has_it_open(void **state)
{
    struct box *b = *state;
    struct im_error error = {0};
    int64_t version = -1, known = -1;
    assert_int_equal(im_store_sqlite_look(b->path, &version, &known, &error), IM_OK);
    assert_true(version == 0 && known == im_schema_version);
    assert_int_not_equal(access(b->path, F_OK), 0);
    box_open(b);
    assert_int_equal(im_store_sqlite_look(b->path, &version, &known, &error), IM_OK);
    assert_int_equal(version, known);
    box_close(b);
    file_run(b->path, "PRAGMA user_version = 1000");
    assert_int_equal(im_store_sqlite_look(b->path, &version, &known, &error), IM_STORE_NEWER);
    assert_non_null(strstr(error.detail, "1000"));
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
    file_run(b->path, "UPDATE log SET head = 2");
    assert_refused(b, IM_STORE_CORRUPT, "log");
    file_run(b->path, "DELETE FROM log");
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
        struct im_store_search q = op_search(users[i], NULL, "aa", 10, 2);
        box_do(b, &q.op);
        drop_hits(&q);
        struct im_store_members m = {.op.kind = IM_STORE_MEMBERS, .group = IM_STR("#cats"), .limit = 10};
        box_do(b, &m.op);
        free(m.rows);
        struct im_store_groups g = {.op.kind = IM_STORE_GROUPS, .key = key_of(users[i]), .limit = 10};
        box_do(b, &g.op);
        free(g.rows);
        struct im_store_records r = {.op.kind = IM_STORE_RECORDS, .kind = IM_RECORD_HOOK, .limit = 10};
        box_do(b, &r.op);
        free(r.rows);
        struct im_store_users u = {.op.kind = IM_STORE_USERS, .limit = 10};
        box_do(b, &u.op);
        free(u.rows);
        struct im_store_append a = op_append(users[i], "bob", "c", "hi");
        box_do(b, &a.op);
        im_event_drop(&a.earlier);
        im_event_drop(&a.event);
        struct im_store_login l = op_login(users[i], "");
        box_do(b, &l.op);
        drop_login(&l);
        try_act(b, ACT(IM_EV_EDIT, users[i], "bob", "new", .ref = i + 1));
        try_act(b, ACT(IM_EV_MEMBER, users[i], "#cats", .change = IM_CHANGE_LEAVE));
    }
    struct im_store_sweep sweep = {.op.kind = IM_STORE_SWEEP, .now_ms = ACT_TIME, .retention_count = 5, .limit = 100};
    box_do(b, &sweep.op);
}

/* One of everything, beside messages. */
static void fill_more(struct box *b)
{
    box_open(b);
    create(b, "ann", "#cats", IM_GROUP_PUBLIC);
    change(b, "bob", "#cats", IM_CHANGE_JOIN, NULL);
    react(b, "bob", "#cats", say(b, "ann", "#cats", "@bob aa"), "👍");
    edit(b, "ann", "bob", 2, "aa @bob");
    erase(b, "cat", "bob", 3);
    forget(b, "bob", "ann", 1);
    block(b, "bob", "eve", true, 0);
    put_record(b, IM_RECORD_HOOK, "k", "ann", "n", "v");
    box_close(b);
}

static void flipped_bytes_are_refused_or_survived(void **state)
{
    struct box *b = *state;
    uint32_t random = 12345;
    unsigned refused = 0;
    static char original[1 << 20], copy[1 << 20];
    b->sync_full = false;
    fill(b, 40);
    fill_more(b);
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
    file_run(b->path, sql);
    assert_refused(b, IM_STORE_FAILED, "events");
    assert_int_equal(file_ask(b->path, "SELECT count(*) FROM sqlite_schema"), 1);
    assert_int_equal(file_ask(b->path, "PRAGMA user_version"), 0);
    file_run(b->path, "DROP TABLE events");
    box_open(b);
    box_send(b, "ann", "bob", "hi");
}

/* The tables and indexes, without what tells how a column came to be. */
static char *schema_of(const char *path)
{
    return file_list(path,
                     "SELECT m.name || '.' || c.name || ' ' || c.type || c.\"notnull\" || coalesce(c.dflt_value, '')"
                     " FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' UNION ALL"
                     " SELECT name || coalesce(sql, '') FROM sqlite_schema WHERE type = 'index' ORDER BY 1");
}

static void old_and_new_databases_have_the_same_schema(void **state)
{
    struct box *b = *state;
    box_open(b);
    box_close(b);
    char *new = schema_of(b->path);
    replace_database(b, "", 0);
    file_make_v1(b->path, 10);
    box_open(b);
    box_close(b);
    char *old = schema_of(b->path);
    assert_string_equal(old, new);
    free(old);
    free(new);
}

static void version_1_is_migrated_with_all_that_is_in_it(void **state)
{
    struct box *b = *state;
    file_make_v1(b->path, 200);
    box_open(b);
    assert_string_equal(b->store->epoch, "00112233445566778899aabbccddeeff");
    assert_string_equal(conversations(b, "ann"),
                        "小明 1 -1 p1/0 <小明:今天下午开会吗>; bob 200 r200 p100/0 <bob:old 200>");
    assert_string_equal(conversations(b, "bob"), "Ann 200 -100 r100 p200/5 <bob:old 200>");
    assert_string_equal(history(b, "小明", "ann"), "小明:今天下午开会吗");
    assert_int_equal(box_login(b, "ann", "phone").cursor, 5);
    assert_int_equal(box_login(b, "ann", "pc").cursor, 5);
    assert_string_equal(since(b, "ann", 199), "bob:old 200; 小明:今天下午开会吗");
    struct im_store_stats s = box_stats(b);
    assert_true(s.events == 201 && s.head == 201 && s.users == 3 && s.conversations == 2 && s.groups == 0);
    assert_int_equal(try_act(b, ACT(.from = "小明", .to = "ann", .text = "今天下午开会吗", .cid = "c1")), IM_OK);
    assert_int_equal(box_stats(b).events, 201);
    box_close(b);
    file_check(b->path);
    assert_int_equal(file_ask(b->path, "PRAGMA user_version"), im_schema_version);
}

static void what_is_old_is_like_what_is_new(void **state)
{
    struct box *b = *state;
    file_make_v1(b->path, 200);
    box_open(b);
    assert_int_equal(say(b, "ann", "bob", "new 201"), 201);
    assert_string_equal(found(b, "bob", "ann", "201"), "Ann/201");
    assert_string_equal(found(b, "bob", NULL, "\"old 20"), "Ann/200 Ann/20");
    assert_string_equal(found(b, "ann", NULL, "开会"), "小明/1");
    assert_int_equal(mark(b, "bob", "ann", 150), 150);
    assert_string_equal(conversations(b, "bob"), "Ann 201 -51 r150 p201/5 <Ann:new 201>");
    edit(b, "bob", "ann", 20, "edited");
    erase(b, "ann", "bob", 199);
    forget(b, "bob", "ann", 201);
    react(b, "bob", "ann", 7, "👍");
    assert_string_equal(found(b, "bob", NULL, "old 20"), "Ann/200");
    assert_string_equal(found(b, "bob", NULL, "edited"), "Ann/20");
    struct im_store_sweep all = {.op.kind = IM_STORE_SWEEP, .now_ms = ACT_TIME, .retention_count = 1, .limit = 50};
    sweep(b, &all);
    assert_string_equal(history(b, "ann", "bob"), "Ann:new 201");
    box_close(b);
    file_check(b->path);
    assert_int_equal(file_ask(b->path, "SELECT count(*) FROM events WHERE conv = 1"), 4);
}

static void roles_of_version_2_stay_what_they_were(void **state)
{
    struct box *b = *state;
    box_open(b);
    do_act(b, ACT(IM_EV_MEMBER, "ann", "#g", .change = IM_CHANGE_CREATE, .settings = IM_GROUP_PUBLIC));
    do_act(b, ACT(IM_EV_MEMBER, "bob", "#g", .change = IM_CHANGE_JOIN));
    do_act(b, ACT(IM_EV_MEMBER, "ann", "#g", .change = IM_CHANGE_INVITE, .user = "cat"));
    do_act(b, ACT(IM_EV_MEMBER, "ann", "#g", .change = IM_CHANGE_BAN, .user = "dan"));
    for (int i = 0; i < 70; i++)
        say(b, "bob", "#g", "un café");
    box_close(b);
    file_run(b->path, "UPDATE members SET role = role - 1 WHERE role >= 3;"
                      "UPDATE events SET role = role - 1 WHERE role >= 3; UPDATE filters SET bits = zeroblob(8);"
                      "DROP INDEX events_deleted; DROP INDEX hides_user; PRAGMA user_version = 2");
    box_open(b);
    assert_string_equal(members(b, "ann", "#g"), "ann owner; bob member; cat invited; dan banned");
    assert_non_null(strstr(since(b, "ann", 0), "ann create=owner"));
    assert_non_null(strstr(found(b, "bob", "#g", "cafe"), "#g/"));
    box_close(b);
    file_check(b->path);
}

static void devices_of_version_1_were_here_when_it_was_migrated(void **state)
{
    struct box *b = *state;
    file_make_v1(b->path, 10);
    box_open(b);
    box_close(b);
    assert_int_equal(file_ask(b->path, "SELECT count(*) FROM cursors WHERE seen > unixepoch() * 1000 - 600000"
                                       " AND seen <= unixepoch() * 1000"),
                     1);
}

static void migration_that_fails_leaves_version_1(void **state)
{
    struct box *b = *state;
    file_make_v1(b->path, 10);
    file_run(b->path, "CREATE TABLE records (x)");
    assert_refused(b, IM_STORE_FAILED, "records");
    assert_int_equal(file_ask(b->path, "PRAGMA user_version"), 1);
    assert_int_equal(file_ask(b->path, "SELECT count(*) FROM pragma_table_info('events')"), 9);
    file_run(b->path, "DROP TABLE records");
    box_open(b);
    assert_int_equal(box_stats(b).events, 11);
}

/* Does the file have these bytes anywhere? */
static bool file_has(const char *path, const char *word)
{
    static char bytes[1 << 20];
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_true(size > 4096 && size < sizeof bytes);
    return memmem(bytes, size, word, strlen(word)) != NULL;
}

static void what_was_erased_is_nowhere_in_the_file(void **state)
{
    struct box *b = *state;
    static char big[9000];
    memset(big, 'x', sizeof big - 1);
    memcpy(big + 8000, "overflowed", 10);
    box_open(b);
    say(b, "ann", "bob", "whispered");
    edit(b, "ann", "bob", 1, "shouted");
    say(b, "ann", "bob", big);
    say(b, "ann", "bob", "forgotten");
    box_close(b);
    assert_true(file_has(b->path, "whispered") && file_has(b->path, "shouted"));
    assert_true(file_has(b->path, "overflowed") && file_has(b->path, "forgotten"));
    box_open(b);
    erase(b, "ann", "bob", 1);
    erase(b, "ann", "bob", 3);
    say(b, "ann", "bob", "kept");
    struct im_store_sweep all = {.op.kind = IM_STORE_SWEEP, .now_ms = ACT_TIME, .retention_count = 1, .limit = 50};
    sweep(b, &all);
    box_close(b);
    assert_false(file_has(b->path, "whispered") || file_has(b->path, "shouted"));
    assert_false(file_has(b->path, "overflowed") || file_has(b->path, "forgotten"));
    assert_true(file_has(b->path, "kept"));
}

static void positions_are_not_given_again_after_erasing(void **state)
{
    struct box *b = *state;
    fill(b, 5);
    file_run(b->path, "DELETE FROM events WHERE pos >= 4");
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
        T(a_look_tells_the_versions_while_another_has_it_open),
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
        T(old_and_new_databases_have_the_same_schema),
        T(version_1_is_migrated_with_all_that_is_in_it),
        T(what_is_old_is_like_what_is_new),
        T(roles_of_version_2_stay_what_they_were),
        T(devices_of_version_1_were_here_when_it_was_migrated),
        T(migration_that_fails_leaves_version_1),
        T(what_was_erased_is_nowhere_in_the_file),
        T(positions_are_not_given_again_after_erasing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
