#include "tests/conform/store_box.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "tests/conform/store_act.h"
#include "tests/conform/store_model.h"
#include "tests/conform/store_pair.h"

/* What every store must do; each test runs for each row of im_store_rows. Here: direct messages, order, threads. */

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int setup(void **state)
{
    struct box *b = box_new(*state);
    box_open(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct box *b = *state;
    if (b->store) { /* whatever was done, the store is sound */
        struct im_store_care care = {.op = {.kind = IM_STORE_CHECK}};
        if (box_do(b, &care.op) != IM_OK)
            fail_msg("the store is not sound: %s", care.problem);
    }
    box_free(&b);
    return 0;
}

static void append_gives_dense_seq_and_growing_pos(void **state)
{
    static const struct {
        const char *from, *to;
        uint64_t seq;
    } rows[] = {{"ann", "bob", 1}, {"bob", "ann", 2}, {"ann", "cat", 1}, {"ann", "bob", 3},
                {"cat", "bob", 1}, {"ann", "ann", 1}, {"ann", "ann", 2}, {"cat", "ann", 2}};
    uint64_t pos = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct im_event *e = box_append(*state, rows[i].from, rows[i].to, NULL, "hi");
        assert_true(e->msg.pos > pos);
        assert_int_equal(e->msg.seq, rows[i].seq);
        pos = e->msg.pos;
        im_event_drop(&e);
    }
}

static void everything_in_a_message_comes_back(void **state)
{
    struct im_msg m = {.ts_ms = 1712345678901,
                       .from = IM_STR("小明"),
                       .from_key = IM_STR("小明"),
                       .to = IM_STR("翠花"),
                       .to_key = IM_STR("翠花"),
                       .cid = IM_STR("c-1"),
                       .mime = IM_STR("text/markdown"),
                       .body = IM_STR("*你好*\n")};
    struct im_store_append a = {.op.kind = IM_STORE_APPEND, .event = im_event_new(IM_EV_MSG, &m)};
    assert_int_equal(box_do(*state, &a.op), IM_OK);
    struct im_store_since s = op_since("翠花", 0, 10, 1000);
    assert_int_equal(box_do(*state, &s.op), IM_OK);
    assert_int_equal(s.count, 1);
    const struct im_msg *got = &s.events[0]->msg;
    assert_int_equal(s.events[0]->type, IM_EV_MSG);
    assert_int_equal(got->kind, IM_CONV_DIRECT);
    assert_int_equal(got->pos, a.event->msg.pos);
    assert_int_equal(got->seq, 1);
    assert_int_equal(got->ts_ms, m.ts_ms);
    assert_true(str_is(got->from, "小明") && str_is(got->from_key, "小明"));
    assert_true(str_is(got->to, "翠花") && str_is(got->to_key, "翠花"));
    assert_true(str_is(got->cid, "c-1") && str_is(got->mime, "text/markdown") && str_is(got->body, "*你好*\n"));
    drop_events(&s.events, &s.count);
    im_event_drop(&a.event);
}

static void what_is_absent_stays_absent(void **state)
{
    box_send(*state, "ann", "bob", "");
    struct im_store_since s = op_since("bob", 0, 10, 1000);
    assert_int_equal(box_do(*state, &s.op), IM_OK);
    assert_int_equal(s.count, 1);
    assert_null(s.events[0]->msg.cid.p);
    assert_null(s.events[0]->msg.mime.p);
    assert_true(str_is(s.events[0]->msg.body, ""));
    drop_events(&s.events, &s.count);
}

static void same_cid_is_committed_once(void **state)
{
    struct im_event *first = box_append(*state, "ann", "bob", "c1", "hi");
    struct im_store_append again = op_append("ann", "bob", "c1", "hi");
    assert_int_equal(box_do(*state, &again.op), IM_OK);
    assert_non_null(again.earlier);
    assert_int_equal(again.earlier->msg.pos, first->msg.pos);
    assert_int_equal(again.earlier->msg.seq, first->msg.seq);
    assert_true(str_is(again.earlier->msg.body, "hi"));
    assert_int_equal(again.event->msg.pos, 0);
    assert_int_equal(again.event->msg.seq, 0);
    assert_int_equal(box_stats(*state).events, 1);
    im_event_drop(&again.earlier);
    im_event_drop(&again.event);
    im_event_drop(&first);
}

static void same_cid_waiting_together_is_committed_once(void **state)
{
    struct im_store_append ops[20];
    for (size_t i = 0; i < COUNT(ops); i++) {
        ops[i] = op_append("ann", "bob", "c1", "hi");
        box_submit(*state, &ops[i].op);
    }
    for (size_t i = 0; i < COUNT(ops); i++) {
        box_wait(*state, &ops[i].op);
        assert_int_equal(ops[i].op.status, IM_OK);
        assert_int_equal(ops[i].event->msg.pos, i == 0 ? 1 : 0);
        assert_true(i == 0 ? ops[i].earlier == NULL : ops[i].earlier->msg.pos == ops[0].event->msg.pos);
        im_event_drop(&ops[i].earlier);
    }
    assert_int_equal(box_stats(*state).events, 1);
    for (size_t i = 0; i < COUNT(ops); i++)
        im_event_drop(&ops[i].event);
}

static void same_cid_for_another_peer_is_the_first_and_makes_nobody(void **state)
{
    struct im_event *first = box_append(*state, "ann", "bob", "c1", "hi");
    struct im_store_append other = op_append("ann", "zoe", "c1", "ho");
    assert_int_equal(box_do(*state, &other.op), IM_OK);
    assert_int_equal(other.earlier->msg.pos, first->msg.pos);
    assert_true(str_is(other.earlier->msg.to, "bob"));
    assert_int_equal(box_stats(*state).users, 2);
    im_event_drop(&other.earlier);
    im_event_drop(&other.event);
    im_event_drop(&first);
}

static void same_cid_of_another_sender_is_another_message(void **state)
{
    struct im_event *a = box_append(*state, "ann", "bob", "c1", "hi");
    struct im_event *b = box_append(*state, "bob", "ann", "c1", "ho");
    assert_int_equal(b->msg.seq, 2);
    im_event_drop(&a);
    im_event_drop(&b);
}

static void group_that_is_not_there_is_refused(void **state)
{
    struct im_store_append op = op_append("ann", "#cats", NULL, "hi");
    op.event->msg.kind = IM_CONV_GROUP;
    assert_int_equal(box_do(*state, &op.op), IM_NO_SUCH_GROUP);
    assert_int_equal(op.event->msg.pos, 0);
    assert_int_equal(box_stats(*state).users, 0);
    im_event_drop(&op.event);
    struct im_store_history h = op_before("ann", "#cats", 0, 10);
    assert_int_equal(box_do(*state, &h.op), IM_NO_SUCH_GROUP);
    assert_int_equal(h.count, 0);
}

static void since_merges_own_conversations_only_in_order(void **state)
{
    box_send(*state, "ann", "bob", "1");
    box_send(*state, "cat", "bob", "2");
    box_send(*state, "ann", "cat", "3");
    box_send(*state, "bob", "cat", "4");
    box_send(*state, "bob", "bob", "5");
    box_send(*state, "ann", "bob", "6");
    struct im_store_since s = op_since("bob", 0, 100, 1000);
    assert_int_equal(box_do(*state, &s.op), IM_OK);
    assert_string_equal(texts_of(s.events, s.count), "1 2 4 5 6");
    assert_int_equal(s.upto, 6);
    uint64_t third = s.events[2]->msg.pos;
    drop_events(&s.events, &s.count);
    s = op_since("bob", third, 100, 1000);
    assert_int_equal(box_do(*state, &s.op), IM_OK);
    assert_string_equal(texts_of(s.events, s.count), "5 6");
    drop_events(&s.events, &s.count);
}

static void since_stops_at_its_limits_and_says_where(void **state)
{
    static const struct {
        uint32_t limit, bytes;
        uint64_t after;
        const char *texts;
        uint64_t upto;
    } rows[] = {{100, 1000, 0, "aaaa bbbb cccc", 4},
                {3, 1000, 0, "aaaa bbbb cccc", 4},
                {2, 1000, 0, "aaaa bbbb", 3},
                {1, 1000, 0, "aaaa", 1},
                {0, 0, 0, "aaaa", 1},
                {100, 5, 0, "aaaa bbbb", 3},
                {100, 4, 0, "aaaa", 1},
                {100, 1, 1, "bbbb", 3},
                {100, 12, 0, "aaaa bbbb cccc", 4},
                {100, 1000, 4, "", 4},
                {100, 1000, 9, "", 9}};
    box_send(*state, "ann", "bob", "aaaa");
    box_send(*state, "ann", "cat", "not for bob");
    box_send(*state, "cat", "bob", "bbbb");
    box_send(*state, "ann", "bob", "cccc");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct im_store_since s = op_since("bob", rows[i].after, rows[i].limit, rows[i].bytes);
        assert_int_equal(box_do(*state, &s.op), IM_OK);
        assert_string_equal(texts_of(s.events, s.count), rows[i].texts);
        assert_int_equal(s.upto, rows[i].upto);
        assert_true(s.count > 0 || s.events == NULL);
        drop_events(&s.events, &s.count);
    }
}

static void since_of_nobody_is_empty_up_to_the_head(void **state)
{
    struct im_store_since s = op_since("zoe", 0, 10, 1000);
    assert_int_equal(box_do(*state, &s.op), IM_OK);
    assert_int_equal(s.count, 0);
    assert_null(s.events);
    assert_int_equal(s.upto, 0);
    box_send(*state, "ann", "bob", "1");
    assert_int_equal(box_do(*state, &s.op), IM_OK);
    assert_int_equal(s.count, 0);
    assert_int_equal(s.upto, 1);
}

static void history_pages_both_ways(void **state)
{
    static const struct {
        bool after;
        uint64_t seq;
        uint32_t limit;
        const char *texts;
        bool more;
    } rows[] = {{false, 0, 10, "1 2 3 4 5", false}, {false, 0, 5, "1 2 3 4 5", false}, {false, 0, 2, "4 5", true},
                {false, 4, 2, "2 3", true},         {false, 2, 2, "1", false},         {false, 1, 2, "", false},
                {false, 99, 1, "5", true},          {false, UINT64_MAX, 1, "5", true}, {true, 0, 2, "1 2", true},
                {true, 2, 2, "3 4", true},          {true, 3, 2, "4 5", false},        {true, 5, 2, "", false},
                {true, 99, 2, "", false},           {true, UINT64_MAX, 2, "", false},  {false, 0, 0, "5", true}};
    box_send(*state, "ann", "bob", "1");
    box_send(*state, "ann", "cat", "x");
    box_send(*state, "bob", "ann", "2");
    box_send(*state, "ann", "bob", "3");
    box_send(*state, "cat", "bob", "y");
    box_send(*state, "ann", "bob", "4");
    box_send(*state, "bob", "ann", "5");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct im_store_history h = (rows[i].after ? op_after : op_before)(i % 2 ? "ann" : "bob", i % 2 ? "bob" : "ann",
                                                                           rows[i].seq, rows[i].limit);
        assert_int_equal(box_do(*state, &h.op), IM_OK);
        assert_string_equal(texts_of(h.events, h.count), rows[i].texts);
        assert_int_equal(h.more, rows[i].more);
        drop_events(&h.events, &h.count);
    }
}

static void history_stops_at_its_bytes(void **state)
{
    box_send(*state, "ann", "bob", "aaaa");
    box_send(*state, "ann", "bob", "bbbb");
    box_send(*state, "ann", "bob", "cccc");
    struct im_store_history h = op_before("bob", "ann", 0, 10);
    h.bytes = 5;
    assert_int_equal(box_do(*state, &h.op), IM_OK);
    assert_string_equal(texts_of(h.events, h.count), "bbbb cccc");
    assert_true(h.more);
    drop_events(&h.events, &h.count);
    h = op_after("bob", "ann", 0, 10);
    h.bytes = 1;
    assert_int_equal(box_do(*state, &h.op), IM_OK);
    assert_string_equal(texts_of(h.events, h.count), "aaaa");
    assert_true(h.more);
    drop_events(&h.events, &h.count);
}

static void history_of_what_is_not_there_is_empty(void **state)
{
    static const char *const pairs[][2] = {{"ann", "zoe"}, {"zoe", "ann"}, {"ann", "cat"}, {"ann", "ann"}};
    box_send(*state, "ann", "bob", "1");
    box_send(*state, "cat", "bob", "2");
    for (size_t i = 0; i < COUNT(pairs); i++) {
        struct im_store_history h = op_before(pairs[i][0], pairs[i][1], 0, 10);
        assert_int_equal(box_do(*state, &h.op), IM_OK);
        assert_int_equal(h.count, 0);
        assert_null(h.events);
        assert_false(h.more);
    }
}

static void notes_to_oneself_are_one_conversation(void **state)
{
    box_send(*state, "ann", "ann", "milk");
    box_send(*state, "ann", "ann", "eggs");
    struct im_store_since s = op_since("ann", 0, 10, 1000);
    assert_int_equal(box_do(*state, &s.op), IM_OK);
    assert_string_equal(texts_of(s.events, s.count), "milk eggs");
    assert_true(str_is(s.events[0]->msg.to, "ann"));
    drop_events(&s.events, &s.count);
    struct im_store_conversations c = op_conversations("ann", 10);
    assert_int_equal(box_do(*state, &c.op), IM_OK);
    assert_int_equal(c.count, 1);
    assert_true(str_is(c.rows[0].name, "ann"));
    assert_int_equal(c.rows[0].unread, 0);
    drop_rows(&c);
}

static void conversations_come_newest_first(void **state)
{
    static const struct {
        const char *name, *last;
        uint64_t last_seq, unread, read_seq;
    } rows[] = {{"dan", "6", 1, 1, 0}, {"bob", "5", 3, 1, 2}, {"cat", "2", 1, 0, 1}};
    box_send(*state, "bob", "ann", "1");
    box_send(*state, "ann", "cat", "2");
    box_send(*state, "bob", "cat", "3");
    box_send(*state, "ann", "bob", "4");
    box_send(*state, "bob", "ann", "5");
    box_send(*state, "dan", "ann", "6");
    for (uint32_t limit = 0; limit <= 4; limit++) {
        struct im_store_conversations c = op_conversations("ann", limit);
        assert_int_equal(box_do(*state, &c.op), IM_OK);
        assert_int_equal(c.count, limit < 3 ? limit : 3);
        for (size_t i = 0; i < c.count; i++) {
            assert_true(str_is(c.rows[i].name, rows[i].name));
            assert_string_equal(texts_of(&c.rows[i].last, 1), rows[i].last);
            assert_int_equal(c.rows[i].last_seq, rows[i].last_seq);
            assert_int_equal(c.rows[i].unread, rows[i].unread);
            assert_int_equal(c.rows[i].read_seq, rows[i].read_seq);
        }
        assert_true(c.count > 0 || c.rows == NULL);
        drop_rows(&c);
    }
}

static void conversations_of_nobody_are_none(void **state)
{
    struct im_store_conversations c = op_conversations("zoe", 10);
    assert_int_equal(box_do(*state, &c.op), IM_OK);
    assert_int_equal(c.count, 0);
    assert_null(c.rows);
}

static void login_makes_users_and_devices_and_tells_the_head(void **state)
{
    struct im_store_login op = box_login(*state, "Ann", "");
    assert_string_equal(op.name, "Ann");
    assert_int_equal(op.cursor, 0);
    assert_int_equal(op.head, 0);
    assert_int_equal(box_stats(*state).users, 1);
    box_send(*state, "Ann", "bob", "1");
    box_send(*state, "Ann", "bob", "2");
    op = box_login(*state, "bob", "phone");
    assert_int_equal(op.cursor, 0);
    assert_int_equal(op.head, 2);
    assert_int_equal(box_stats(*state).users, 2);
}

static void absent_device_is_the_default_one(void **state)
{
    box_send(*state, "ann", "bob", "1");
    box_login(*state, "bob", NULL);
    box_cursor(*state, "bob", "", 1);
    assert_int_equal(box_login(*state, "bob", NULL).cursor, 1);
    box_cursor(*state, "bob", NULL, 2);
    assert_int_equal(box_login(*state, "bob", "").cursor, 2);
}

static void name_is_as_its_owner_first_wrote_it(void **state)
{
    box_send(*state, "bob", "ann", "1");
    assert_string_equal(box_login(*state, "Ann", "").name, "Ann");
    assert_string_equal(box_login(*state, "ANN", "").name, "Ann");
    assert_string_equal(box_login(*state, "BOB", "").name, "BOB");
    box_send(*state, "ann", "bob", "2");
    struct im_store_since s = op_since("bob", 0, 10, 1000);
    assert_int_equal(box_do(*state, &s.op), IM_OK);
    assert_int_equal(s.count, 2);
    assert_true(str_is(s.events[0]->msg.from, "BOB") && str_is(s.events[0]->msg.to, "Ann"));
    assert_true(str_is(s.events[0]->msg.from_key, "bob") && str_is(s.events[0]->msg.to_key, "ann"));
    assert_true(str_is(s.events[1]->msg.from, "Ann") && str_is(s.events[1]->msg.to, "BOB"));
    assert_string_equal(texts_of(s.events, s.count), "1 2");
    drop_events(&s.events, &s.count);
    struct im_store_conversations c = op_conversations("bob", 10);
    assert_int_equal(box_do(*state, &c.op), IM_OK);
    assert_true(str_is(c.rows[0].name, "Ann"));
    drop_rows(&c);
    assert_int_equal(box_stats(*state).users, 2);
}

static void longest_name_fits(void **state)
{
    char name[IM_NAME_BYTES_MAX + 1] = "";
    for (unsigned i = 0; i < IM_NAME_POINTS_MAX; i++)
        strcat(name, "𠀀");
    assert_int_equal(strlen(name), IM_NAME_BYTES_MAX);
    assert_string_equal(box_login(*state, name, name).name, name);
    assert_string_equal(box_login(*state, name, name).name, name);
}

static void cursors_only_move_forward(void **state)
{
    for (unsigned i = 0; i < 9; i++)
        box_send(*state, "ann", "bob", "hi");
    box_login(*state, "bob", "phone");
    box_cursor(*state, "bob", "phone", 5);
    assert_int_equal(box_login(*state, "bob", "phone").cursor, 5);
    box_cursor(*state, "bob", "phone", 3);
    assert_int_equal(box_login(*state, "bob", "phone").cursor, 5);
    box_cursor(*state, "bob", "phone", 9);
    assert_int_equal(box_login(*state, "bob", "phone").cursor, 9);
}

static void cursors_of_many_devices_move_together(void **state)
{
    box_login(*state, "ann", "");
    box_login(*state, "bob", "pc");
    struct im_store_cursor rows[] = {{key_of("ann"), IM_STR(""), 2},
                                     {key_of("zoe"), IM_STR(""), 9},
                                     {key_of("ann"), IM_STR("unknown"), 9},
                                     {key_of("bob"), IM_STR("pc"), 1},
                                     {key_of("ann"), IM_STR(""), 1}};
    struct im_store_cursors op = {.op.kind = IM_STORE_CURSORS, .rows = rows, .count = COUNT(rows)};
    assert_int_equal(box_do(*state, &op.op), IM_OK);
    assert_int_equal(box_login(*state, "ann", "").cursor, 2);
    assert_int_equal(box_login(*state, "bob", "pc").cursor, 1);
    op.count = 0;
    assert_int_equal(box_do(*state, &op.op), IM_OK);
    assert_int_equal(box_stats(*state).users, 2);
}

static void new_device_starts_at_the_furthest_cursor(void **state)
{
    for (unsigned i = 0; i < 4; i++)
        box_send(*state, "ann", "bob", "hi");
    box_login(*state, "bob", "pc");
    box_login(*state, "bob", "phone");
    box_login(*state, "ann", "tablet");
    box_cursor(*state, "bob", "pc", 3);
    box_cursor(*state, "bob", "phone", 1);
    box_cursor(*state, "ann", "tablet", 4);
    assert_int_equal(box_login(*state, "bob", "tablet").cursor, 3);
    assert_int_equal(box_login(*state, "bob", "phone").cursor, 1);
    assert_int_equal(box_login(*state, "bob", "").cursor, 3);
}

static void stats_count_everything(void **state)
{
    struct im_store_stats s = box_stats(*state);
    assert_int_equal(s.events + s.users + s.conversations + s.head, 0);
    box_send(*state, "ann", "bob", "1");
    box_send(*state, "bob", "ann", "2");
    box_send(*state, "bob", "cat", "3");
    box_login(*state, "dan", "");
    s = box_stats(*state);
    assert_int_equal(s.events, 3);
    assert_int_equal(s.head, 3);
    assert_int_equal(s.users, 4);
    assert_int_equal(s.conversations, 2);
    assert_int_equal(s.bytes > 0, box_keeps(*state));
}

static void odd_bytes_come_back_as_they_were(void **state)
{
    static const char odd[] =
        "\xEF\xBB\xBF\0 \x1b[2J \u202e e\u0301 \u00e9 \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7 "
        "\xEF\xBF\xBF ' \" \\ % ; -- \r\n\t";
    struct im_msg m = {.from = IM_STR("ann"),
                       .from_key = IM_STR("ann"),
                       .to = IM_STR("bob"),
                       .to_key = IM_STR("bob"),
                       .cid = IM_STR("\xF0\x9F\x91\xA9'; DROP TABLE events; --"),
                       .body = {odd, sizeof odd - 1}};
    struct im_store_append a = {.op.kind = IM_STORE_APPEND, .event = im_event_new(IM_EV_MSG, &m)};
    assert_int_equal(box_do(*state, &a.op), IM_OK);
    struct im_store_history h = op_before("bob", "ann", 0, 1);
    assert_int_equal(box_do(*state, &h.op), IM_OK);
    assert_int_equal(h.count, 1);
    assert_true(im_str_eq(h.events[0]->msg.body, m.body));
    assert_true(im_str_eq(h.events[0]->msg.cid, m.cid));
    drop_events(&h.events, &h.count);
    im_event_drop(&a.event);
}

static void large_bodies_come_back_whole(void **state)
{
    static const size_t sizes[] = {4095, 4096, 65536, 5000000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char *text = im_alloc(sizes[i] + 1);
        memset(text, 'a' + (int)i, sizes[i]);
        text[sizes[i]] = '\0';
        box_send(*state, "ann", "bob", text);
        struct im_store_history h = op_before("bob", "ann", 0, 1);
        assert_int_equal(box_do(*state, &h.op), IM_OK);
        assert_true(str_is(h.events[0]->msg.body, text));
        assert_int_equal(h.more, i > 0);
        drop_events(&h.events, &h.count);
        free(text);
    }
}

/* Order and threads. */

struct chain {
    struct im_store_append op; /* first: op.op is the operation */
    struct box *box;
    unsigned left;
};

static void chain_on(struct im_store_op *op)
{
    struct chain *c = (struct chain *)op;
    assert_int_equal(op->status, IM_OK);
    im_event_drop(&c->op.event);
    if (c->left-- > 0) {
        struct im_store_append next = op_append("ann", "bob", NULL, "hi");
        c->op = next;
        c->op.op.done = chain_on;
        im_store_submit(c->box->store, &c->op.op);
    }
}

static void done_may_submit_and_the_drain_still_ends(void **state)
{
    struct chain c = {.op = op_append("ann", "bob", NULL, "hi"), .box = *state, .left = 50};
    c.op.op.done = chain_on;
    im_store_submit(c.box->store, &c.op.op);
    size_t turns = 0;
    for (size_t done = 0; done < 51; turns++) {
        size_t n = box_turn(*state);
        assert_true(n <= 1);
        done += n;
    }
    assert_true(turns >= 51);
    assert_int_equal(box_stats(*state).events, 51);
}

struct ordered {
    struct im_store_append write; /* one of the two is used */
    struct im_store_since read;
    size_t *last, number; /* of its lane */
};

static void note_order(struct im_store_op *op)
{
    struct ordered *o = op->owner;
    assert_int_equal(op->status, IM_OK);
    assert_int_equal(*o->last + 1, o->number);
    *o->last = o->number;
    im_event_drop(&o->write.event);
    drop_events(&o->read.events, &o->read.count);
}

static void lanes_keep_their_order(void **state)
{
    enum { N = 1500 };
    struct ordered *all = im_zalloc(N * sizeof *all);
    struct box *b = *state;
    size_t done_writes = 0, done_reads = 0, writes = 0, reads = 0;
    for (size_t i = 0; i < 20; i++)
        box_send(b, "ann", "bob", "before");
    for (size_t i = 0; i < N; i++) {
        bool write = i % 3 == 0;
        struct im_store_op *op = write ? &all[i].write.op : &all[i].read.op;
        if (write)
            all[i].write = op_append("ann", "bob", NULL, "hi");
        else
            all[i].read = op_since(i % 2 ? "bob" : "ann", 0, i % 7 ? 1 : 50, 1000);
        all[i].last = write ? &done_writes : &done_reads;
        all[i].number = write ? ++writes : ++reads;
        op->owner = &all[i];
        op->done = note_order;
        im_store_submit(b->store, op);
    }
    for (size_t n = 0; n < N;)
        n += box_turn(b);
    assert_int_equal(done_writes, writes);
    assert_int_equal(done_reads, reads);
    assert_true(b->wakes <= N + 20);
    free(all);
}

static void reads_see_what_was_completed_before(void **state)
{
    for (unsigned i = 1; i <= 100; i++) {
        struct im_store_append more = op_append("ann", "bob", NULL, "more");
        box_send(*state, "ann", "bob", "hi");
        box_submit(*state, &more.op);
        struct im_store_history h = op_before("bob", "ann", 0, 1000);
        assert_int_equal(box_do(*state, &h.op), IM_OK);
        assert_true(h.count == 2 * i - 1 || h.count == 2 * i);
        drop_events(&h.events, &h.count);
        box_wait(*state, &more.op);
        im_event_drop(&more.event);
    }
}

/* Reads the next page after *upto, and checks that it goes on exactly there; returns how many events it had. */
static size_t next_page(struct box *b, uint64_t *upto)
{
    struct im_store_since s = op_since("bob", *upto, 40, 1 << 20);
    assert_int_equal(box_do(b, &s.op), IM_OK);
    uint64_t pos = *upto;
    for (size_t i = 0; i < s.count; i++) {
        assert_true(s.events[i]->msg.pos > pos);
        pos = s.events[i]->msg.pos;
    }
    assert_true(s.upto >= pos);
    *upto = s.upto;
    size_t count = s.count;
    drop_events(&s.events, &s.count);
    return count;
}

static void paging_while_others_write_misses_nothing_and_repeats_nothing(void **state)
{
    enum { N = 1500 };
    static const char *const senders[] = {"ann", "cat", "dan"};
    struct im_store_append *ops = im_alloc(N * sizeof *ops);
    uint64_t upto = 0;
    size_t got = 0;
    for (unsigned i = 0; i < N; i++) {
        ops[i] = op_append(senders[i % 3], "bob", NULL, "hi");
        box_submit(*state, &ops[i].op);
        if (i % 5 == 4)
            got += next_page(*state, &upto);
    }
    for (unsigned i = 0; i < N; i++) {
        box_wait(*state, &ops[i].op);
        im_event_drop(&ops[i].event);
    }
    for (size_t n = 1; n > 0; got += n)
        n = next_page(*state, &upto);
    assert_int_equal(got, N);
    assert_int_equal(upto, box_stats(*state).head);
    free(ops);
}

static void thousands_in_flight_all_arrive(void **state)
{
    enum { N = 4000, USERS = 20 };
    struct im_store_append *ops = im_alloc(N * sizeof *ops);
    char names[USERS][8];
    for (unsigned i = 0; i < USERS; i++)
        snprintf(names[i], sizeof names[i], "u%u", i);
    for (unsigned i = 0; i < N; i++) {
        ops[i] = op_append(names[i % USERS], names[i * 7 / USERS % USERS], NULL, "hi");
        box_submit(*state, &ops[i].op);
    }
    uint64_t pos = 0;
    for (unsigned i = 0; i < N; i++) {
        box_wait(*state, &ops[i].op);
        assert_int_equal(ops[i].op.status, IM_OK);
        assert_true(ops[i].event->msg.pos > pos);
        pos = ops[i].event->msg.pos;
        im_event_drop(&ops[i].event);
    }
    free(ops);
    struct im_store_stats s = box_stats(*state);
    assert_int_equal(s.events, N);
    assert_int_equal(s.head, pos);
    struct box *b = *state;
    assert_true(b->counters.n[IM_C_STORE_COMMITS] > 0 && b->counters.n[IM_C_STORE_COMMITS] <= N + 1);
    assert_int_equal(b->counters.n[IM_C_STORE_FAILURES], 0);
}

static void close_without_drain_leaks_nothing(void **state)
{
    struct box *b = *state;
    box_send(b, "ann", "bob", "hi");
    struct im_store_append a = op_append("ann", "bob", "c1", "ho"), dup = op_append("ann", "bob", "c1", "ho");
    struct im_store_since s = op_since("bob", 0, 10, 1000);
    struct im_store_conversations c = op_conversations("bob", 10);
    box_submit(b, &a.op);
    box_submit(b, &dup.op);
    box_submit(b, &s.op);
    box_submit(b, &c.op);
    box_close(b);
    unsigned wakes = b->wakes;
    assert_null(a.op.owner);
    assert_null(s.op.owner);
    im_event_drop(&a.event);
    im_event_drop(&dup.event);
    assert_int_equal(b->wakes, wakes);
}

static void random_operations_agree_with_a_naive_model(void **state)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct box *b = *state;
        struct model *m = model_new(seed);
        for (unsigned i = 0; i < 800; i++) {
            model_step(m, b);
            if (box_keeps(b) && i % 160 == 159) {
                box_close(b);
                box_open(b);
            }
        }
        model_free(&m);
        struct box *fresh = box_new(b->row);
        fresh->sync_full = false;
        fresh->readers = (uint32_t)seed;
        box_open(fresh);
        box_free(&b);
        *state = fresh;
    }
}

/* Only for stores that keep what they have. */

static void reopened_store_goes_on_where_it_was(void **state)
{
    struct box *b = *state;
    if (!box_keeps(b))
        skip();
    char epoch[33];
    strcpy(epoch, b->store->epoch);
    box_login(b, "Bob", "pc");
    struct im_event *e = box_append(b, "ann", "bob", "c1", "1");
    im_event_drop(&e);
    box_cursor(b, "bob", "pc", 1);
    box_close(b);
    box_open(b);
    assert_string_equal(b->store->epoch, epoch);
    struct im_store_append again = op_append("ann", "bob", "c1", "1");
    assert_int_equal(box_do(b, &again.op), IM_OK);
    assert_int_equal(again.earlier->msg.pos, 1);
    im_event_drop(&again.earlier);
    im_event_drop(&again.event);
    e = box_append(b, "ann", "bob", "c2", "2");
    assert_int_equal(e->msg.seq, 2);
    assert_int_equal(e->msg.pos, 2);
    im_event_drop(&e);
    struct im_store_login l = box_login(b, "BOB", "pc");
    assert_string_equal(l.name, "Bob");
    assert_int_equal(l.cursor, 1);
    assert_int_equal(l.head, 2);
}

static void close_finishes_what_was_submitted(void **state)
{
    enum { N = 300 };
    struct box *b = *state;
    if (!box_keeps(b))
        skip();
    struct im_store_append ops[N];
    for (unsigned i = 0; i < N; i++) {
        ops[i] = op_append("ann", "bob", NULL, "hi");
        box_submit(b, &ops[i].op);
    }
    box_close(b);
    for (unsigned i = 0; i < N; i++) {
        assert_null(ops[i].op.owner);
        im_event_drop(&ops[i].event);
    }
    box_open(b);
    assert_int_equal(box_stats(b).events, N);
}

static void a_backup_is_a_store_of_its_own(void **state)
{
    struct box *b = *state;
    char path[120], copy_lock[140];
    snprintf(path, sizeof path, "%s/copy", b->folder);
    snprintf(copy_lock, sizeof copy_lock, "%s.lock", path);
    box_send(b, "ann", "bob", "kept");
    struct im_store_care care = {.op = {.kind = IM_STORE_BACKUP}, .path = path};
    if (!box_keeps(b)) {
        assert_int_equal(box_do(b, &care.op), IM_FORBIDDEN);
        assert_string_not_equal(care.problem, "");
        return;
    }
    assert_int_equal(box_do(b, &care.op), IM_OK);
    assert_int_equal(care.events, 1);
    assert_int_equal(box_do(b, &care.op), IM_CONFLICT);
    box_send(b, "ann", "bob", "later");
    box_close(b);
    struct im_error error = {0};
    assert_int_equal(im_store_sqlite_restore(b->path, path, (const uint8_t[16]){1, 2, 3}, &error), IM_OK);
    box_open(b);
    assert_string_equal(b->store->epoch, "01020300000000000000000000000000");
    assert_int_equal(box_stats(b).events, 1);
    unlink(path);
}

static void what_takes_long_gives_up_when_told(void **state)
{
    struct box *b = *state;
    char path[120];
    atomic_bool stop = true;
    snprintf(path, sizeof path, "%s/copy", b->folder);
    for (unsigned i = 0; i < 300; i++)
        box_send(b, "ann", "bob", "a message of some length, so that there are pages to copy");
    struct im_store_care care = {.op = {.kind = IM_STORE_BACKUP}, .path = path, .stop = &stop};
    assert_int_equal(box_do(b, &care.op), box_keeps(b) ? IM_DRAIN : IM_FORBIDDEN);
    assert_int_equal(access(path, F_OK), -1);
}

static void epoch_is_32_hex_digits(void **state)
{
    struct box *b = *state;
    assert_int_equal(strspn(b->store->epoch, "0123456789abcdef"), 32);
    assert_int_equal(strlen(b->store->epoch), 32);
    assert_true(b->store->failed == NULL || !b->store->failed(b->store));
}

static const struct store_test tests[] = {
    STORE_TEST(append_gives_dense_seq_and_growing_pos),
    STORE_TEST(everything_in_a_message_comes_back),
    STORE_TEST(what_is_absent_stays_absent),
    STORE_TEST(same_cid_is_committed_once),
    STORE_TEST(same_cid_waiting_together_is_committed_once),
    STORE_TEST(same_cid_for_another_peer_is_the_first_and_makes_nobody),
    STORE_TEST(same_cid_of_another_sender_is_another_message),
    STORE_TEST(group_that_is_not_there_is_refused),
    STORE_TEST(since_merges_own_conversations_only_in_order),
    STORE_TEST(since_stops_at_its_limits_and_says_where),
    STORE_TEST(since_of_nobody_is_empty_up_to_the_head),
    STORE_TEST(history_pages_both_ways),
    STORE_TEST(history_stops_at_its_bytes),
    STORE_TEST(history_of_what_is_not_there_is_empty),
    STORE_TEST(notes_to_oneself_are_one_conversation),
    STORE_TEST(conversations_come_newest_first),
    STORE_TEST(conversations_of_nobody_are_none),
    STORE_TEST(login_makes_users_and_devices_and_tells_the_head),
    STORE_TEST(absent_device_is_the_default_one),
    STORE_TEST(name_is_as_its_owner_first_wrote_it),
    STORE_TEST(longest_name_fits),
    STORE_TEST(cursors_only_move_forward),
    STORE_TEST(cursors_of_many_devices_move_together),
    STORE_TEST(new_device_starts_at_the_furthest_cursor),
    STORE_TEST(stats_count_everything),
    STORE_TEST(odd_bytes_come_back_as_they_were),
    STORE_TEST(large_bodies_come_back_whole),
    STORE_TEST(done_may_submit_and_the_drain_still_ends),
    STORE_TEST(lanes_keep_their_order),
    STORE_TEST(reads_see_what_was_completed_before),
    STORE_TEST(paging_while_others_write_misses_nothing_and_repeats_nothing),
    STORE_TEST(thousands_in_flight_all_arrive),
    STORE_TEST(close_without_drain_leaks_nothing),
    STORE_TEST(random_operations_agree_with_a_naive_model),
    STORE_TEST(reopened_store_goes_on_where_it_was),
    STORE_TEST(close_finishes_what_was_submitted),
    STORE_TEST(a_backup_is_a_store_of_its_own),
    STORE_TEST(what_takes_long_gives_up_when_told),
    STORE_TEST(epoch_is_32_hex_digits),
    {NULL, NULL},
};

static int setup_quick(void **state)
{
    struct box *b = box_new(*state);
    b->sync_full = false;
    box_open(b);
    *state = b;
    return 0;
}

static int run_part(const struct im_store_row *row, const struct store_test *part, CMFixtureFunction prepare)
{
    struct CMUnitTest units[60];
    char names[COUNT(units)][120];
    size_t count = 0;
    union {
        const struct im_store_row *row;
        void *state;
    } first = {row};
    for (; part[count].name; count++) {
        assert_true(count < COUNT(units));
        snprintf(names[count], sizeof names[count], "%s: %s", row->name, part[count].name);
        units[count] = (struct CMUnitTest){names[count], part[count].test, prepare, teardown, first.state};
    }
    return _cmocka_run_group_tests(row->name, units, count, NULL, NULL);
}

int main(void)
{
    static const struct store_test *const parts[] = {store_group_tests,   store_span_tests,   store_message_tests,
                                                     store_reading_tests, store_people_tests, store_record_tests,
                                                     store_sweep_tests,   store_search_tests};
    const struct CMUnitTest together[] = {cmocka_unit_test(all_stores_answer_alike)};
    int failures = 0;
    for (size_t i = 0; i < im_store_row_count; i++) {
        failures += run_part(&im_store_rows[i], tests, setup);
        for (size_t j = 0; j < COUNT(parts); j++)
            failures += run_part(&im_store_rows[i], parts[j], setup_quick);
    }
    failures += cmocka_run_group_tests_name("together", together, NULL, NULL);
    return failures != 0;
}
