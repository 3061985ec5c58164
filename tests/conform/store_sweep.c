#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "tests/conform/store_act.h"

/* Clearing up: what is too old, or too much, is gone, and everything else goes on. */

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define G            "#cats"

static uint64_t say_at(struct box *b, const char *from, const char *to, const char *text, int at)
{
    return do_act(b, ACT(.from = from, .to = to, .text = text, .ts_ms = ACT_TIME + at));
}

/* Erases what was written before this time. */
static void sweep_before(struct box *b, int at)
{
    sweep(b, &(struct im_store_sweep){.now_ms = ACT_TIME + at + 100000, .retention_ms = 100000, .limit = 3});
}

static void old_events_go_and_the_numbers_go_on(void **state)
{
    for (int i = 1; i <= 9; i++)
        say_at(*state, i % 2 ? "ann" : "bob", i % 2 ? "bob" : "ann", text_printf("word%d", i), i * 10);
    say_at(*state, "ann", "cat", "word0", 5);
    sweep_before(*state, 65);
    assert_string_equal(history(*state, "ann", "bob"), "ann:word7; bob:word8; ann:word9");
    assert_string_equal(history(*state, NULL, "bob"), "");
    assert_string_equal(since(*state, "bob", 0), "ann:word7; bob:word8; ann:word9");
    assert_string_equal(history(*state, "cat", "ann"), "");
    assert_string_equal(since(*state, "cat", 0), "");
    assert_string_equal(found(*state, "bob", NULL, "word6"), "");
    assert_string_equal(found(*state, "bob", NULL, "word7"), "ann/7");
    struct im_store_stats s = box_stats(*state);
    assert_int_equal(s.events, 3);
    assert_int_equal(s.head, 10);
    sweep_before(*state, 1000);
    assert_string_equal(history(*state, "ann", "bob"), "");
    assert_int_equal(box_stats(*state).events, 0);
    for (unsigned i = 0; i < 2; i++) {
        struct im_event *e = event_of(*state, ACT(.from = "bob", .to = "ann", .text = "new", .ts_ms = ACT_TIME + 2000));
        assert_int_equal(e->msg.pos, 11 + i);
        assert_int_equal(e->msg.seq, 10 + i);
        im_event_drop(&e);
        if (box_keeps(*state)) {
            box_close(*state);
            box_open(*state);
        }
    }
    assert_string_equal(since(*state, "ann", 0), "bob:new; bob:new");
}

static void only_the_newest_of_a_conversation_stay(void **state)
{
    for (int i = 1; i <= 5; i++)
        say(*state, "ann", "bob", text_printf("b%d", i));
    for (int i = 1; i <= 2; i++)
        say(*state, "ann", "cat", text_printf("c%d", i));
    sweep(*state, &(struct im_store_sweep){.now_ms = ACT_TIME, .retention_count = 3, .limit = 1});
    assert_string_equal(history(*state, "bob", "ann"), "ann:b3; ann:b4; ann:b5");
    assert_string_equal(history(*state, "cat", "ann"), "ann:c1; ann:c2");
    assert_string_equal(since(*state, "ann", 0), "ann:b3; ann:b4; ann:b5; ann:c1; ann:c2");
    sweep(*state, &(struct im_store_sweep){.now_ms = ACT_TIME, .retention_count = 3, .limit = 10});
    assert_int_equal(box_stats(*state).events, 5);
    assert_int_equal(say(*state, "ann", "bob", "b6"), 6);
}

static void reactions_push_no_message_out(void **state)
{
    for (int i = 1; i <= 3; i++)
        say(*state, "ann", "bob", text_printf("b%d", i));
    for (int i = 0; i < 4; i++)
        do_act(*state, ACT(IM_EV_REACT, "bob", "ann", i % 2 ? "👍" : "🎉", .ref = 3, .off = i >= 2));
    sweep(*state, &(struct im_store_sweep){.now_ms = ACT_TIME, .retention_count = 2, .limit = 100});
    assert_string_equal(history(*state, "bob", "ann"), "ann:b2; ann:b3");
    assert_int_equal(box_stats(*state).events, 6);
    say(*state, "ann", "bob", "b4");
    sweep(*state, &(struct im_store_sweep){.now_ms = ACT_TIME, .retention_count = 1, .limit = 1});
    assert_string_equal(history(*state, "bob", "ann"), "ann:b4");
    assert_int_equal(box_stats(*state).events, 1);
}

static void what_is_no_message_is_bounded_too(void **state)
{
    block(*state, "bob", "ann", true, 10);
    for (int i = 0; i < 100; i++)
        say(*state, "ann", "bob", text_printf("h%d", i)); /* which bob never sees */
    sweep(*state, &(struct im_store_sweep){.now_ms = ACT_TIME, .retention_count = 2, .limit = 100});
    assert_int_equal(box_stats(*state).events, 2 * IM_RETENTION_EVENTS);
    say(*state, "cat", "bob", "hi");
    for (int i = 0; i < 40; i++)
        do_act(*state, ACT(IM_EV_REACT, "bob", "cat", "👍", .ref = 1, .off = i % 2));
    sweep(*state, &(struct im_store_sweep){.now_ms = ACT_TIME, .retention_count = 1, .limit = 100});
    assert_int_equal(box_stats(*state).events, 2 * IM_RETENTION_EVENTS);
    assert_string_equal(history(*state, "bob", "cat"), "");
}

static void what_was_deleted_is_not_unread(void **state)
{
    for (int i = 1; i <= 3; i++)
        say_at(*state, "ann", "bob", text_printf("b%d", i), i * 10);
    mark(*state, "bob", "ann", 1);
    do_act(*state, ACT(IM_EV_DELETE, "ann", "bob", .ref = 1, .ts_ms = ACT_TIME + 40));
    assert_string_equal(conversations(*state, "bob"), "ann 4 -2 r1 p3/0 <ann:b3>");
    do_act(*state, ACT(IM_EV_DELETE, "ann", "bob", .ref = 2, .ts_ms = ACT_TIME + 50));
    assert_string_equal(conversations(*state, "bob"), "ann 5 -1 r1 p3/0 <ann:b3>");
    sweep_before(*state, 25);
    assert_string_equal(conversations(*state, "bob"), "ann 5 -1 r1 p3/0 <ann:b3>");
    do_act(*state, ACT(IM_EV_DELETE, "bob", "ann", .ref = 3, .for_me = true, .ts_ms = ACT_TIME + 60));
    assert_string_equal(conversations(*state, "bob"), "ann 5 r1 p3/0");
    do_act(*state, ACT(IM_EV_DELETE, "ann", "bob", .ref = 3, .ts_ms = ACT_TIME + 70));
    assert_string_equal(conversations(*state, "bob"), "ann 6 r1 p3/0");
    say(*state, "ann", "bob", "b4");
    assert_string_equal(conversations(*state, "bob"), "ann 7 -1 r1 p7/0 <ann:b4>");
}

static void zero_means_that_not(void **state)
{
    say(*state, "ann", "bob", "hi");
    box_login(*state, "ann", "pc");
    put_record(*state, IM_RECORD_BAN, "bob", NULL, NULL, "v");
    struct im_store_sweep op = {.op.kind = IM_STORE_SWEEP, .now_ms = INT64_MAX / 2, .limit = 10};
    assert_int_equal(box_do(*state, &op.op), IM_OK);
    assert_int_equal(op.erased, 0);
    assert_false(op.more);
    assert_string_equal(history(*state, "bob", "ann"), "ann:hi");
}

static void a_step_is_no_longer_than_asked_for(void **state)
{
    for (int i = 0; i < 25; i++)
        say_at(*state, "ann", i % 2 ? "bob" : "cat", "hi", i);
    uint64_t erased = 0;
    struct im_store_sweep op = {.op.kind = IM_STORE_SWEEP, .now_ms = ACT_TIME + 1000, .retention_ms = 1, .limit = 4};
    do {
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        assert_true(op.erased <= 4);
        erased += op.erased;
        assert_int_equal(box_stats(*state).events, 25 - erased);
    } while (op.more);
    assert_int_equal(erased, 25);
}

static void marks_and_counts_survive(void **state)
{
    for (int i = 1; i <= 6; i++)
        say_at(*state, "ann", "bob", "hi", i * 10);
    mark(*state, "bob", "ann", 4);
    sweep_before(*state, 35);
    assert_string_equal(conversations(*state, "bob"), "ann 6 -2 r4 p6/0 <ann:hi>");
    say_at(*state, "ann", "bob", "ho", 70);
    assert_string_equal(conversations(*state, "bob"), "ann 7 -3 r4 p7/0 <ann:ho>");
    assert_int_equal(mark(*state, "bob", "ann", 7), 7);
    assert_string_equal(conversations(*state, "bob"), "ann 7 r7 p7/0 <ann:ho>");
}

static void a_group_lives_on_without_its_first_events(void **state)
{
    do_act(*state, ACT(IM_EV_MEMBER, "ann", G, "tea", .change = IM_CHANGE_CREATE, .settings = IM_GROUP_PUBLIC));
    bring_in(*state, "ann", G, "bob", IM_ROLE_ADMIN);
    change(*state, "ann", G, IM_CHANGE_INVITE, "cat");
    change(*state, "ann", G, IM_CHANGE_BAN, "dan");
    say_at(*state, "bob", G, "new", 500);
    sweep_before(*state, 400);
    assert_string_equal(history(*state, "ann", G), "bob:new");
    assert_string_equal(history(*state, "bob", G), "bob:new");
    assert_string_equal(since(*state, "cat", 0), "");
    assert_string_equal(members(*state, "ann", G), "ann owner; bob admin; cat invited; dan banned");
    assert_string_equal(seats(*state, "bob"), G " admin 2");
    assert_non_null(strstr(conversations(*state, "ann"), "owner of 2 'tea' <bob:new>"));
    change(*state, "cat", G, IM_CHANGE_JOIN, NULL);
    assert_int_equal(say(*state, "cat", G, "hi"), 9);
    deny_act(*state, IM_BANNED, ACT(IM_EV_MEMBER, "dan", G, .change = IM_CHANGE_JOIN));
}

static void an_erased_message_cannot_be_referred_to(void **state)
{
    uint64_t seq = say_at(*state, "ann", "bob", "old", 0);
    say_at(*state, "ann", "bob", "new", 500);
    sweep_before(*state, 400);
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(.from = "bob", .to = "ann", .text = "re", .ref = seq));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_EDIT, "ann", "bob", "x", .ref = seq));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_REACT, "bob", "ann", "👍", .ref = seq));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_DELETE, "ann", "bob", .ref = seq));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_DELETE, "bob", "ann", .ref = seq, .for_me = true));
}

static void what_an_erased_message_said_is_nowhere(void **state)
{
    uint64_t seq = say_at(*state, "ann", "bob", "secretone", 0);
    say_at(*state, "bob", "ann", "other", 0);
    do_act(*state, ACT(IM_EV_EDIT, "ann", "bob", "secrettwo", .ref = seq, .ts_ms = ACT_TIME + 500));
    do_act(*state, ACT(IM_EV_EDIT, "ann", "bob", "secretthree", .ref = seq, .ts_ms = ACT_TIME + 600));
    assert_string_equal(found(*state, "bob", NULL, "secretthree"), "ann/1");
    sweep_before(*state, 400); /* the edits are younger than that */
    static const char *const users[] = {"ann", "bob"};
    for (size_t i = 0; i < COUNT(users); i++) {
        assert_null(strstr(since(*state, users[i], 0), "secret"));
        assert_string_equal(history(*state, users[i], users[1 - i]), "");
        assert_string_equal(found(*state, users[i], NULL, "secret"), "");
        assert_null(strstr(conversations(*state, users[i]), "secret"));
    }
}

static bool contains(const char *path, const char *word)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(f);
    char *bytes = im_alloc(size + 1);
    rewind(f);
    assert_int_equal(fread(bytes, 1, size, f), size);
    fclose(f);
    bool found_it = memmem(bytes, size, word, strlen(word)) != NULL;
    free(bytes);
    return found_it;
}

static bool files_contain(const struct box *b, const char *word)
{
    bool any = false;
    DIR *dir = opendir(b->folder);
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.')
            any = contains(text_printf("%s/%s", b->folder, e->d_name), word) || any;
    closedir(dir);
    return any;
}

static void what_was_erased_or_deleted_is_on_disk_no_more(void **state)
{
    if (!box_keeps(*state))
        skip();
    uint64_t erased = say_at(*state, "ann", "bob", "zebraone 斑马一", 0);
    do_act(*state, ACT(IM_EV_EDIT, "ann", "bob", "zebratwo", .ref = erased, .ts_ms = ACT_TIME + 500));
    uint64_t deleted = say_at(*state, "ann", "bob", "zebrathree", 500);
    edit(*state, "ann", "bob", deleted, "zebrafour 斑马二");
    say_at(*state, "bob", "ann", "giraffe", 500);
    for (int i = 0; i < 50; i++)
        say_at(*state, "bob", "ann", "lion", 500);
    box_close(*state);
    assert_true(files_contain(*state, "zebra") && files_contain(*state, "giraffe"));
    box_open(*state);
    sweep_before(*state, 400);
    erase(*state, "ann", "bob", deleted);
    box_close(*state);
    assert_false(files_contain(*state, "zebra"));
    assert_false(files_contain(*state, "斑马"));
    assert_true(files_contain(*state, "giraffe"));
    box_open(*state);
}

static void devices_unseen_for_long_go(void **state)
{
    for (unsigned i = 0; i < 4; i++)
        say(*state, "bob", "ann", "hi");
    static const char *const names[] = {"old", "new", "back"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct im_store_login op = op_login("ann", names[i]);
        op.ts_ms = ACT_TIME + (i == 1 ? 500 : 0);
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        drop_login(&op);
    }
    struct im_store_cursor rows[] = {{key_of("ann"), IM_STR("back"), 2}};
    struct im_store_cursors seen = {.op.kind = IM_STORE_CURSORS, .rows = rows, .count = 1, .ts_ms = ACT_TIME + 600};
    assert_int_equal(box_do(*state, &seen.op), IM_OK);
    sweep(*state, &(struct im_store_sweep){.now_ms = ACT_TIME + 1000, .device_ms = 700, .limit = 1});
    struct im_store_devices op = {.op.kind = IM_STORE_DEVICES, .key = key_of("ann")};
    assert_int_equal(box_do(*state, &op.op), IM_OK);
    bool there[COUNT(names)] = {false};
    for (size_t i = 0; i < op.count; i++)
        for (size_t j = 0; j < COUNT(names); j++)
            there[j] = there[j] || str_is(op.rows[i].name, names[j]);
    free(op.rows);
    assert_true(!there[0] && there[1] && there[2]);
    assert_int_equal(box_login(*state, "ann", "back").cursor, 2);
    assert_int_equal(box_stats(*state).events, 4);
}

static void records_that_have_expired_go(void **state)
{
    static const int until[] = {0, 100, 200, 300}; /* 0: for ever */
    for (size_t i = 0; i < COUNT(until); i++)
        for (unsigned kind = 0; kind < 2; kind++) {
            struct im_store_record_put op = {.op.kind = IM_STORE_RECORD_PUT,
                                             .record = {.kind = kind ? IM_RECORD_BAN : IM_RECORD_TOKEN,
                                                        .key = im_str(text_printf("k%zu", i)),
                                                        .value = IM_STR("v"),
                                                        .expires_ms = until[i] ? ACT_TIME + until[i] : 0}};
            assert_int_equal(box_do(*state, &op.op), IM_OK);
        }
    sweep(*state, &(struct im_store_sweep){.now_ms = ACT_TIME + 250, .limit = 3});
    for (unsigned kind = 0; kind < 2; kind++) {
        struct im_store_records op = {
            .op.kind = IM_STORE_RECORDS, .kind = kind ? IM_RECORD_BAN : IM_RECORD_TOKEN, .limit = 10};
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        assert_int_equal(op.count, 2);
        assert_true(str_is(op.rows[0].key, "k0") && str_is(op.rows[1].key, "k3"));
        free(op.rows);
    }
}

static void sweeping_goes_on_with_what_comes_later(void **state)
{
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 5; i++) {
            say_at(*state, "ann", text_printf("u%d", i), "old", round * 1000);
            say_at(*state, "ann", text_printf("u%d", i), "new", round * 1000 + 500);
        }
        sweep_before(*state, round * 1000 + 400);
        assert_int_equal(box_stats(*state).events, 5);
        if (round % 2 && box_keeps(*state)) {
            box_close(*state);
            box_open(*state);
        }
    }
}

const struct store_test store_sweep_tests[] = {
    STORE_TEST(old_events_go_and_the_numbers_go_on),
    STORE_TEST(only_the_newest_of_a_conversation_stay),
    STORE_TEST(reactions_push_no_message_out),
    STORE_TEST(what_is_no_message_is_bounded_too),
    STORE_TEST(what_was_deleted_is_not_unread),
    STORE_TEST(zero_means_that_not),
    STORE_TEST(a_step_is_no_longer_than_asked_for),
    STORE_TEST(marks_and_counts_survive),
    STORE_TEST(a_group_lives_on_without_its_first_events),
    STORE_TEST(an_erased_message_cannot_be_referred_to),
    STORE_TEST(what_an_erased_message_said_is_nowhere),
    STORE_TEST(what_was_erased_or_deleted_is_on_disk_no_more),
    STORE_TEST(devices_unseen_for_long_go),
    STORE_TEST(records_that_have_expired_go),
    STORE_TEST(sweeping_goes_on_with_what_comes_later),
    {NULL, NULL},
};
