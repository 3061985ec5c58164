#include <string.h>

#include "tests/conform/store_act.h"

/* Read marks, unread counts, and the list of conversations. */

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define G            "#cats"

static void marks_move_forward_and_not_beyond_the_end(void **state)
{
    static const struct {
        uint64_t seq, stands;
        bool moved;
    } rows[] = {{0, 0, false}, {2, 2, true},   {2, 2, false}, {1, 2, false},
                {99, 4, true}, {99, 4, false}, {0, 4, false}};
    for (unsigned i = 0; i < 4; i++)
        say(*state, "ann", "bob", "hi");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct im_store_mark row = {.key = key_of("bob"), .peer = key_of("ann"), .seq = rows[i].seq};
        struct im_store_marks op = {.op.kind = IM_STORE_MARKS, .rows = &row, .count = 1};
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        assert_int_equal(row.seq, rows[i].stands);
        assert_int_equal(row.moved, rows[i].moved);
    }
    assert_string_equal(conversations(*state, "bob"), "ann 4 r4 p4/0 <ann:hi>");
}

static void many_marks_move_together(void **state)
{
    say(*state, "ann", "bob", "1");
    say(*state, "ann", "bob", "2");
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    say(*state, "ann", G, "3");
    struct im_store_mark rows[] = {{key_of("bob"), IM_CONV_DIRECT, key_of("ann"), 1, false},
                                   {key_of("bob"), IM_CONV_GROUP, key_of(G), 3, false},
                                   {key_of("bob"), IM_CONV_DIRECT, key_of("zoe"), 5, true},
                                   {key_of("zoe"), IM_CONV_DIRECT, key_of("ann"), 5, true},
                                   {key_of("bob"), IM_CONV_GROUP, key_of("#none"), 5, true},
                                   {key_of("ann"), IM_CONV_DIRECT, key_of("bob"), 1, true}};
    static const struct {
        uint64_t seq;
        bool moved;
    } expected[] = {{1, true}, {3, true}, {0, false}, {0, false}, {0, false}, {2, false}};
    struct im_store_marks op = {.op.kind = IM_STORE_MARKS, .rows = rows, .count = COUNT(rows)};
    assert_int_equal(box_do(*state, &op.op), IM_OK);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(rows[i].seq, expected[i].seq);
        assert_int_equal(rows[i].moved, expected[i].moved);
    }
    assert_int_equal(box_stats(*state).users, 2);
    op.count = 0;
    assert_int_equal(box_do(*state, &op.op), IM_OK);
}

static void unread_are_messages_of_others(void **state)
{
    say(*state, "ann", "bob", "1");
    say(*state, "ann", "bob", "2");
    assert_string_equal(conversations(*state, "bob"), "ann 2 -2 p2/0 <ann:2>");
    edit(*state, "ann", "bob", 1, "eins");
    react(*state, "ann", "bob", 1, "👍");
    react(*state, "ann", "bob", 2, "👍");
    assert_string_equal(conversations(*state, "bob"), "ann 5 -2 p2/0 <ann:2 [👍 1 0]>");
    say(*state, "ann", "bob", "3"); /* seq 6 */
    assert_int_equal(mark(*state, "bob", "ann", 1), 1);
    assert_string_equal(conversations(*state, "bob"), "ann 6 -2 r1 p6/0 <ann:3>");
    assert_int_equal(mark(*state, "bob", "ann", 5), 5);
    assert_string_equal(conversations(*state, "bob"), "ann 6 -1 r5 p6/0 <ann:3>");
    edit(*state, "ann", "bob", 6, "drei");
    assert_string_equal(conversations(*state, "bob"), "ann 7 -1 r5 p6/0 <ann:drei *0>");
    assert_int_equal(mark(*state, "bob", "ann", 7), 7);
    assert_string_equal(conversations(*state, "bob"), "ann 7 r7 p6/0 <ann:drei *0>");
    edit(*state, "ann", "bob", 6, "three");
    assert_string_equal(conversations(*state, "bob"), "ann 8 r7 p6/0 <ann:three *0>");
}

static void who_writes_has_read_what_was_there(void **state)
{
    say(*state, "ann", "bob", "1");
    say(*state, "ann", "bob", "2");
    say(*state, "bob", "ann", "3");
    say(*state, "ann", "bob", "4");
    assert_string_equal(conversations(*state, "bob"), "ann 4 -1 r3 p4/0 <ann:4>");
    assert_string_equal(conversations(*state, "ann"), "bob 4 r4 p3/0 <ann:4>");
    edit(*state, "bob", "ann", 3, "three");
    react(*state, "bob", "ann", 4, "👍");
    assert_string_equal(conversations(*state, "bob"), "ann 6 -1 r3 p4/0 <ann:4 [👍 1 1]>");
}

static void how_far_the_peer_has_got_and_read(void **state)
{
    box_login(*state, "bob", "phone");
    for (unsigned i = 0; i < 3; i++) {
        say(*state, "ann", "bob", "hi"); /* pos 1, 3, 5 */
        say(*state, "cat", "ann", "ho");
    }
    box_login(*state, "bob", "pc");
    box_cursor(*state, "bob", "phone", 1);
    assert_non_null(strstr(conversations(*state, "ann"), "bob 3 r3 p0/1 "));
    box_cursor(*state, "bob", "pc", 4);
    assert_non_null(strstr(conversations(*state, "ann"), "bob 3 r3 p0/2 "));
    assert_int_equal(mark(*state, "bob", "ann", 2), 2);
    assert_non_null(strstr(conversations(*state, "ann"), "bob 3 r3 p2/2 "));
    box_cursor(*state, "bob", "pc", 6);
    assert_non_null(strstr(conversations(*state, "ann"), "bob 3 r3 p2/3 "));
    assert_non_null(strstr(conversations(*state, "ann"), "cat 3 -3 p3/0 "));
}

static void in_a_group_everybody_has_a_mark(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    say(*state, "ann", G, "before");
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    assert_string_equal(conversations(*state, "bob"), G " 3 r3 member of 2 <bob join=member>");
    say(*state, "ann", G, "1");
    say(*state, "ann", G, "2");
    do_act(*state, ACT(IM_EV_MEMBER, "ann", G, "tea", .change = IM_CHANGE_TOPIC));
    assert_string_equal(conversations(*state, "bob"), G " 6 -2 r3 member of 2 'tea' <ann topic=owner 'tea'>");
    assert_string_equal(conversations(*state, "ann"), G " 6 r5 owner of 2 'tea' <ann topic=owner 'tea'>");
    assert_int_equal(mark(*state, "bob", G, 4), 4);
    assert_string_equal(conversations(*state, "bob"), G " 6 -1 r4 member of 2 'tea' <ann topic=owner 'tea'>");
    assert_int_equal(mark(*state, "cat", G, 4), 0);
    change(*state, "bob", G, IM_CHANGE_LEAVE, NULL);
    for (unsigned i = 0; i < 5; i++)
        say(*state, "ann", G, "x");
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    say(*state, "ann", G, "3");
    assert_string_equal(conversations(*state, "bob"), G " 14 -1 r13 member of 2 'tea' <ann:3>");
}

static void the_newest_mention_is_remembered(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    change(*state, "cat", G, IM_CHANGE_JOIN, NULL);
    say(*state, "ann", G, "hello"); /* 4 */
    assert_null(strstr(conversations(*state, "bob"), " @"));
    say(*state, "ann", G, "@bob"); /* 5 */
    say(*state, "ann", G, "again");
    assert_non_null(strstr(conversations(*state, "bob"), G " 6 -3 r2 @5 "));
    assert_null(strstr(conversations(*state, "cat"), " @"));
    say(*state, "ann", G, "@all"); /* 7 */
    assert_non_null(strstr(conversations(*state, "bob"), " @7 "));
    assert_non_null(strstr(conversations(*state, "cat"), " @7 "));
    say(*state, "cat", G, "@bob @all"); /* 8 */
    assert_non_null(strstr(conversations(*state, "bob"), " @8 "));
    assert_non_null(strstr(conversations(*state, "cat"), " @7 "));
    mark(*state, "bob", G, 8);
    assert_non_null(strstr(conversations(*state, "bob"), " @8 "));
    edit(*state, "ann", G, 6, "again, @cat"); /* seq 9, about 6 */
    assert_non_null(strstr(conversations(*state, "cat"), " @7 "));
}

static void conversations_of_both_kinds_come_newest_first(void **state)
{
    say(*state, "bob", "ann", "1");
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    create(*state, "bob", "#dogs", IM_GROUP_PUBLIC);
    say(*state, "cat", "ann", "2");
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    assert_string_equal(conversations(*state, "ann"),
                        G " 2 r1 owner of 2 <bob join=member>; cat 1 -1 p1/0 <cat:2>; bob 1 -1 p1/0 <bob:1>");
    say(*state, "bob", "ann", "3");
    assert_string_equal(conversations(*state, "ann"),
                        "bob 2 -2 p2/0 <bob:3>; " G " 2 r1 owner of 2 <bob join=member>; cat 1 -1 p1/0 <cat:2>");
    for (uint32_t limit = 0; limit < 5; limit++) {
        struct im_store_conversations op = op_conversations("ann", limit);
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        assert_int_equal(op.count, limit < 3 ? limit : 3);
        drop_rows(&op);
    }
}

static void last_events_stop_at_their_bytes(void **state)
{
    say(*state, "bob", "ann", "aaaa");
    say(*state, "cat", "ann", "bbbb");
    say(*state, "dan", "ann", "cccc");
    for (uint32_t bytes = 1; bytes < 14; bytes++) {
        struct im_store_conversations op = op_conversations("ann", 10);
        op.bytes = bytes;
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        assert_int_equal(op.count, 3);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(op.rows[i].last != NULL, i * 4 < bytes);
        drop_rows(&op);
    }
}

static void reading_outlives_the_store_being_closed(void **state)
{
    if (!box_keeps(*state))
        skip();
    say(*state, "ann", "bob", "1");
    say(*state, "ann", "bob", "2");
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    say(*state, "ann", G, "@bob");
    mark(*state, "bob", "ann", 1);
    box_login(*state, "bob", "pc");
    box_cursor(*state, "bob", "pc", 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(conversations(*state, "bob"),
                            G " 3 -1 r2 @3 member of 2 <ann:@bob {bob}>; ann 2 -1 r1 p2/0 <ann:2>");
        assert_string_equal(conversations(*state, "ann"), G " 3 r3 owner of 2 <ann:@bob {bob}>; bob 2 r2 p1/2 <ann:2>");
        box_close(*state);
        box_open(*state);
    }
}

const struct store_test store_reading_tests[] = {
    STORE_TEST(marks_move_forward_and_not_beyond_the_end),
    STORE_TEST(many_marks_move_together),
    STORE_TEST(unread_are_messages_of_others),
    STORE_TEST(who_writes_has_read_what_was_there),
    STORE_TEST(how_far_the_peer_has_got_and_read),
    STORE_TEST(in_a_group_everybody_has_a_mark),
    STORE_TEST(the_newest_mention_is_remembered),
    STORE_TEST(conversations_of_both_kinds_come_newest_first),
    STORE_TEST(last_events_stop_at_their_bytes),
    STORE_TEST(reading_outlives_the_store_being_closed),
    {NULL, NULL},
};
