#include "tests/unit/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"
#include "tests/unit/fault_vfs.h"

/* What the SQLite store does when the disk does not do as it is told. */

static int setup(void **state)
{
    struct box *b = box_new(&im_store_rows[IM_STORE_SQLITE]);
    *state = b;
    box_open(b);
    return 0;
}

static int teardown(void **state)
{
    struct box *b = *state;
    fault_vfs_clear();
    box_free(&b);
    return 0;
}

static void set_fault(enum fault fault, int rc, int error)
{
    fault_errno = error;
    faults[fault] = rc;
}

static enum im_reason try_append(struct box *b, const char *cid, const char *text)
{
    struct im_store_append op = op_append("ann", "bob", cid, text);
    enum im_reason status = box_do(b, &op.op);
    if (status != IM_OK) {
        assert_int_equal(op.event->msg.pos, 0);
        assert_int_equal(op.event->msg.seq, 0);
        assert_null(op.earlier);
    }
    im_event_drop(&op.earlier);
    im_event_drop(&op.event);
    return status;
}

static void assert_history(struct box *b, const char *texts)
{
    struct im_store_history h = op_before("bob", "ann", 0, 1000);
    assert_int_equal(box_do(b, &h.op), IM_OK);
    assert_string_equal(texts_of(h.events, h.count), texts);
    drop_events(&h.events, &h.count);
}

static void full_disk_refuses_and_recovers_by_itself(void **state)
{
    struct box *b = *state;
    assert_int_equal(try_append(b, "c1", "1"), IM_OK);
    set_fault(FAULT_WAL_WRITE, SQLITE_FULL, ENOSPC);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(try_append(b, NULL, "lost"), IM_STORE_FULL);
    assert_string_equal(b->logged, "full");
    assert_int_equal(try_append(b, "c1", "1"), IM_OK); /* known already: nothing to write */
    assert_string_equal(b->logged, "full");
    assert_false(b->store->failed(b->store));
    assert_int_equal(b->counters.n[IM_C_STORE_FAILURES], 3);
    assert_history(b, "1");
    fault_vfs_clear();
    assert_int_equal(try_append(b, NULL, "2"), IM_OK);
    assert_string_equal(b->logged, "recovered");
    assert_history(b, "1 2");
    struct im_store_stats s = box_stats(b);
    assert_int_equal(s.events, 2);
    assert_int_equal(s.head, 2);
}

static void every_write_of_a_full_batch_is_refused(void **state)
{
    struct box *b = *state;
    struct im_store_append ops[50];
    struct im_store_login login = op_login("zoe", "");
    box_send(b, "ann", "bob", "1");
    set_fault(FAULT_WAL_WRITE, SQLITE_FULL, ENOSPC);
    for (unsigned i = 0; i < 50; i++) {
        ops[i] = op_append("ann", "bob", "c1", "lost"); /* the same cid: the others found the first, now gone */
        box_submit(b, &ops[i].op);
    }
    box_submit(b, &login.op);
    box_wait(b, &login.op);
    assert_int_equal(login.op.status, IM_STORE_FULL);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(ops[i].op.status, IM_STORE_FULL);
        assert_int_equal(ops[i].event->msg.pos, 0);
        assert_null(ops[i].earlier);
        im_event_drop(&ops[i].event);
    }
    fault_vfs_clear();
    assert_int_equal(box_stats(b).users, 2);
    assert_history(b, "1");
}

static void nothing_of_what_a_full_disk_refuses_is_there(void **state)
{
    struct box *b = *state;
    struct im_store_mark row = {.key = key_of("bob"), .peer = key_of("ann"), .seq = 1};
    struct im_store_marks marks = {.op.kind = IM_STORE_MARKS, .rows = &row, .count = 1};
    struct im_store_record_put put = {.op.kind = IM_STORE_RECORD_PUT,
                                      .record = {.kind = IM_RECORD_HOOK, .key = IM_STR("k"), .value = IM_STR("v")}};
    struct im_store_sweep clear = {.op.kind = IM_STORE_SWEEP, .now_ms = INT64_MAX, .retention_ms = 1, .limit = 10};
    say(b, "ann", "bob", "1");
    say(b, "ann", "bob", "2");
    set_fault(FAULT_WAL_WRITE, SQLITE_FULL, ENOSPC);
    assert_int_equal(try_act(b, ACT(IM_EV_MEMBER, "ann", "#cats", .change = IM_CHANGE_CREATE)), IM_STORE_FULL);
    assert_int_equal(try_act(b, ACT(IM_EV_EDIT, "ann", "bob", "new", .ref = 1)), IM_STORE_FULL);
    assert_int_equal(try_act(b, ACT(IM_EV_DELETE, "ann", "bob", .ref = 2)), IM_STORE_FULL);
    assert_int_equal(block(b, "bob", "eve", true, 0), IM_STORE_FULL);
    assert_int_equal(box_do(b, &marks.op), IM_STORE_FULL);
    assert_int_equal(box_do(b, &put.op), IM_STORE_FULL);
    assert_int_equal(box_do(b, &clear.op), IM_STORE_FULL);
    assert_true(clear.erased == 0 && !clear.more);
    fault_vfs_clear();
    assert_string_equal(history(b, "bob", "ann"), "ann:1; ann:2");
    assert_string_equal(conversations(b, "bob"), "ann 2 -2 p2/0 <ann:2>");
    assert_int_equal(create(b, "bob", "#cats", 0), 1);
    struct im_store_stats s = box_stats(b);
    assert_true(s.events == 3 && s.users == 2 && s.groups == 1 && s.head == 3);
    box_close(b);
    file_check(b->path);
    assert_int_equal(file_ask(b->path, "SELECT count(*) FROM records"), 0);
}

static void those_who_are_known_may_read_on_a_full_disk(void **state)
{
    struct box *b = *state;
    say(b, "ann", "bob", "1");
    create(b, "bob", "#cats", 0);
    box_login(b, "bob", "phone");
    set_fault(FAULT_WAL_WRITE, SQLITE_FULL, ENOSPC);
    assert_int_equal(try_append(b, NULL, "lost"), IM_STORE_FULL);
    struct im_store_login login = op_login("bob", "phone");
    login.ts_ms = ACT_TIME;
    assert_int_equal(box_do(b, &login.op), IM_OK);
    assert_int_equal(login.seat_count, 1);
    drop_login(&login);
    assert_string_equal(since(b, "bob", 0), "ann:1; bob create=owner");
}

static void filters_wait_until_there_is_room_for_them(void **state)
{
    struct box *b = *state;
    for (unsigned i = 0; i < 70; i++)
        box_send(b, "ann", "bob", "hello");
    box_close(b);
    file_run(b->path, "INSERT OR REPLACE INTO chores SELECT id FROM filters; DELETE FROM filters");
    set_fault(FAULT_WAL_WRITE, SQLITE_FULL, ENOSPC);
    box_open(b);
    assert_int_equal(try_append(b, NULL, "lost"), IM_STORE_FULL);
    assert_int_equal(file_ask(b->path, "SELECT count(*) FROM chores"), 1);
    fault_vfs_clear();
    assert_int_equal(try_append(b, NULL, "hello"), IM_OK);
    for (time_t until = time(NULL) + 60; file_ask(b->path, "SELECT count(*) FROM filters") == 0;) {
        assert_true(time(NULL) < until);
        usleep(1000);
    }
    assert_false(b->store->failed(b->store));
}

static void quota_counts_as_a_full_disk(void **state)
{
    struct box *b = *state;
    set_fault(FAULT_WAL_WRITE, SQLITE_IOERR_WRITE, EDQUOT);
    assert_int_equal(try_append(b, NULL, "lost"), IM_STORE_FULL);
    assert_false(b->store->failed(b->store));
    fault_vfs_clear();
    assert_int_equal(try_append(b, NULL, "1"), IM_OK);
}

static void assert_fails_for_good(struct box *b)
{
    assert_int_equal(try_append(b, NULL, "lost"), IM_STORE_FAILED);
    assert_true(b->store->failed(b->store));
    fault_vfs_clear();
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(try_append(b, NULL, "refused"), IM_STORE_FAILED);
    struct im_store_login login = op_login("ann", "");
    assert_int_equal(box_do(b, &login.op), IM_STORE_FAILED);
    assert_history(b, "1");
    box_close(b);
    box_open(b);
    assert_false(b->store->failed(b->store));
    assert_int_equal(try_append(b, "c1", "1"), IM_OK);
    assert_int_equal(try_append(b, NULL, "2"), IM_OK);
}

static void failed_sync_is_never_tried_again_until_boot(void **state)
{
    assert_int_equal(try_append(*state, "c1", "1"), IM_OK);
    set_fault(FAULT_WAL_SYNC, SQLITE_IOERR_FSYNC, EIO);
    assert_fails_for_good(*state);
}

static void sync_that_finds_the_disk_full_fails_too(void **state)
{
    assert_int_equal(try_append(*state, "c1", "1"), IM_OK);
    set_fault(FAULT_WAL_SYNC, SQLITE_IOERR_FSYNC, ENOSPC);
    assert_fails_for_good(*state);
}

static void failed_write_is_never_tried_again_until_boot(void **state)
{
    assert_int_equal(try_append(*state, "c1", "1"), IM_OK);
    set_fault(FAULT_WAL_WRITE, SQLITE_IOERR_WRITE, EIO);
    assert_fails_for_good(*state);
    assert_history(*state, "1 2");
}

static void failed_read_costs_only_that_read(void **state)
{
    struct box *b = *state;
    box_send(b, "ann", "bob", "1");
    set_fault(FAULT_WAL_READ, SQLITE_IOERR_READ, EIO);
    struct im_store_history h = op_before("bob", "ann", 0, 10);
    assert_int_equal(box_do(b, &h.op), IM_STORE_FAILED);
    assert_int_equal(h.count, 0);
    assert_null(h.events);
    fault_vfs_clear();
    assert_false(b->store->failed(b->store));
    assert_history(b, "1");
}

static char *big_text(size_t len)
{
    char *text = im_alloc(len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

static void failed_checkpoint_stops_writing(void **state)
{
    struct box *b = *state;
    char *text = big_text(9000000);
    assert_int_equal(try_append(b, "c1", "1"), IM_OK);
    set_fault(FAULT_DB_SYNC, SQLITE_IOERR_FSYNC, EIO);
    assert_int_equal(try_append(b, "big", text), IM_OK);
    assert_int_equal(try_append(b, NULL, "lost"), IM_STORE_FAILED);
    assert_true(b->store->failed(b->store));
    fault_vfs_clear();
    box_close(b);
    box_open(b);
    assert_int_equal(box_stats(b).events, 2);
    free(text);
}

static void checkpoint_on_a_full_disk_is_tried_again(void **state)
{
    struct box *b = *state;
    char *text = big_text(9000000);
    set_fault(FAULT_DB_WRITE, SQLITE_FULL, ENOSPC);
    assert_int_equal(try_append(b, "big", text), IM_OK);
    assert_int_equal(try_append(b, NULL, "1"), IM_OK);
    fault_vfs_clear();
    assert_int_equal(try_append(b, NULL, "2"), IM_OK);
    assert_int_equal(box_stats(b).events, 3);
    free(text);
}

static off_t wal_bytes(const struct box *b)
{
    struct stat st;
    char path[120];
    snprintf(path, sizeof path, "%s-wal", b->path);
    return stat(path, &st) == 0 ? st.st_size : 0;
}

static void write_ahead_log_does_not_grow_without_end(void **state)
{
    struct box *b = *state;
    char *text = big_text(9000000);
    for (unsigned i = 0; i < 8; i++)
        box_send(b, "ann", "bob", text);
    assert_true(wal_bytes(b) < 30000000);
    box_close(b);
    assert_int_equal(wal_bytes(b), 0);
    free(text);
}

static void reader_that_does_not_let_go_stops_nobody(void **state)
{
    struct box *b = *state;
    sqlite3 *db;
    char *text = big_text(9000000);
    box_send(b, "ann", "bob", "1");
    assert_int_equal(sqlite3_open(b->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM events", NULL, NULL, NULL), SQLITE_OK);
    for (unsigned i = 0; i < 10; i++)
        box_send(b, "ann", "bob", text);
    assert_true(wal_bytes(b) > 90000000); /* what it sees must stay */
    assert_false(b->store->failed(b->store));
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    off_t grown = wal_bytes(b);
    for (unsigned i = 0; i < 3; i++)
        box_send(b, "ann", "bob", text);
    assert_true(wal_bytes(b) < grown + 20000000);
    assert_int_equal(box_stats(b).events, 14);
    sqlite3_close(db);
    free(text);
}

static void one_bad_operation_costs_the_others_nothing(void **state)
{
    enum { N = 30 };
    struct box *b = *state;
    struct im_store_append ops[N];
    box_send(b, "ann", "bob", "1");
    box_send(b, "cat", "bob", "2");
    /* An event where the next of ann and bob would go. */
    file_run(b->path, "INSERT INTO events (pos, conv, seq, type, sender, ts, body)"
                      " VALUES (1000, (SELECT conv FROM events WHERE pos = 1), 2, 0, 1, 0, 'stray')");
    for (unsigned i = 0; i < N; i++) {
        ops[i] = op_append(i % 10 == 5 ? "ann" : "cat", "bob", NULL, "hi");
        box_submit(b, &ops[i].op);
    }
    for (unsigned i = 0; i < N; i++) {
        box_wait(b, &ops[i].op);
        assert_int_equal(ops[i].op.status, i % 10 == 5 ? IM_STORE_FAILED : IM_OK);
        assert_int_equal(ops[i].event->msg.pos == 0, i % 10 == 5);
        im_event_drop(&ops[i].event);
    }
    assert_false(b->store->failed(b->store));
    assert_string_equal(b->logged, "operation_failed");
    assert_int_equal(box_stats(b).events, 2 + N - N / 10);
    struct im_store_history h = op_before("bob", "cat", 0, 1);
    assert_int_equal(box_do(b, &h.op), IM_OK);
    assert_int_equal(h.events[0]->msg.seq, 1 + N - N / 10);
    drop_events(&h.events, &h.count);
}

static void database_locked_by_another_program_is_busy_for_now(void **state)
{
    struct box *b = *state;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(b->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(try_append(b, NULL, "lost"), IM_BUSY);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(try_append(b, NULL, "1"), IM_OK);
    assert_history(b, "1");
}

/* A small file system of our own, gone with this process. */
static bool mount_small(const char *folder)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", folder, "tmpfs", 0, "size=3m") == 0;
}

static void write_ballast(const char *path, size_t bytes)
{
    char *zeros = im_zalloc(bytes);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, zeros, bytes), bytes);
    close(fd);
    free(zeros);
}

static void really_full_disk_loses_nothing_acknowledged(void **state)
{
    struct box *b = *state;
    char ballast[100], *text = big_text(20000);
    box_close(b);
    if (!mount_small(b->folder)) {
        box_open(b);
        free(text);
        print_message("cannot mount a small file system here (not root?)\n");
        skip();
    }
    snprintf(ballast, sizeof ballast, "%s/ballast", b->folder);
    write_ballast(ballast, 1000000);
    box_open(b);
    unsigned stored = 0;
    while (try_append(b, NULL, text) == IM_OK)
        assert_true(++stored < 1000);
    assert_true(stored > 0);
    assert_int_equal(try_append(b, NULL, text), IM_STORE_FULL);
    assert_int_equal(box_stats(b).events, stored);
    unlink(ballast);
    assert_int_equal(try_append(b, NULL, text), IM_OK);
    while (try_append(b, NULL, text) == IM_OK)
        stored++;
    stored++;
    box_close(b);
    box_open(b);
    assert_int_equal(box_stats(b).events, stored);
    box_close(b);
    assert_int_equal(umount2(b->folder, MNT_DETACH), 0);
    box_open(b);
    free(text);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(full_disk_refuses_and_recovers_by_itself),
        T(every_write_of_a_full_batch_is_refused),
        T(nothing_of_what_a_full_disk_refuses_is_there),
        T(those_who_are_known_may_read_on_a_full_disk),
        T(filters_wait_until_there_is_room_for_them),
        T(quota_counts_as_a_full_disk),
        T(failed_sync_is_never_tried_again_until_boot),
        T(sync_that_finds_the_disk_full_fails_too),
        T(failed_write_is_never_tried_again_until_boot),
        T(failed_read_costs_only_that_read),
        T(failed_checkpoint_stops_writing),
        T(checkpoint_on_a_full_disk_is_tried_again),
        T(write_ahead_log_does_not_grow_without_end),
        T(reader_that_does_not_let_go_stops_nobody),
        T(one_bad_operation_costs_the_others_nothing),
        T(database_locked_by_another_program_is_busy_for_now),
        T(really_full_disk_loses_nothing_acknowledged),
    };
    fault_vfs_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
