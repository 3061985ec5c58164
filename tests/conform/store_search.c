#include <stdio.h>
#include <string.h>

#include "tests/conform/store_act.h"

/* Search: what it finds (core/search.h says more), and that nobody finds what they may not see. */

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define G            "#cats"

static void words_and_characters_are_found(void **state)
{
    static const char *const texts[] = {"今天下午开会吗",      "Meeting at noon, Bob?", "开完会再说", "会",
                                        "好的。Straße ＡＢＣ", "'; DROP TABLE \"x\"",   "a NEAR b*",  "会议开始"};
    static const struct {
        const char *query, *found;
    } rows[] = {
        {"开会", "ann/1"},
        {"会", "ann/8 ann/4 ann/3 ann/1"},
        {"开", "ann/8 ann/3 ann/1"},
        {"吗", "ann/1"},
        {"下午开会", "ann/1"},
        {"会开", ""},
        {"今天 会吗", "ann/1"},
        {"开会 会议", ""},
        {"meet", "ann/2"},
        {"MEETING", "ann/2"},
        {"noon meet", "ann/2"},
        {"meet noon", ""},
        {"eeting", ""},
        {"bob", "ann/2"},
        {"strasse", "ann/5"},
        {"abc 好", "ann/5"},
        {"drop tab", "ann/6"},
        {"\"", ""},
        {"*", ""},
        {"", ""},
        {"x\" OR \"a", ""},
        {"a near b", "ann/7"},
        {"NEAR(a b)", "ann/7"},
        {"text:a", ""},
        {"zebra", ""},
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        say(*state, "ann", "bob", texts[i]);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT(rows); i++) {
            const char *everywhere = found(*state, "bob", NULL, rows[i].query);
            if (strcmp(everywhere, rows[i].found) != 0)
                fail_msg("'%s': %s", rows[i].query, everywhere);
            assert_string_equal(found(*state, "bob", "ann", rows[i].query), rows[i].found);
        }
        if (!box_keeps(*state))
            break;
        box_close(*state);
        box_open(*state);
    }
}

static void everybody_searches_what_they_see(void **state)
{
    say(*state, "ann", "bob", "apple one");
    say(*state, "ann", "cat", "apple two");
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    say(*state, "ann", G, "apple three");
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    say(*state, "ann", G, "apple four");
    change(*state, "bob", G, IM_CHANGE_LEAVE, NULL);
    say(*state, "ann", G, "apple five");
    assert_string_equal(found(*state, "ann", NULL, "apple"), "#cats/6 #cats/4 #cats/2 cat/1 bob/1");
    assert_string_equal(found(*state, "bob", NULL, "apple"), "#cats/4 ann/1");
    assert_string_equal(found(*state, "cat", NULL, "apple"), "ann/1");
    assert_string_equal(found(*state, "zoe", NULL, "apple"), "");
    assert_string_equal(found(*state, "ann", G, "apple"), "#cats/6 #cats/4 #cats/2");
    assert_string_equal(found(*state, "ann", "bob", "apple"), "bob/1");
    assert_string_equal(found(*state, "bob", G, "apple"), "#cats/4");
    assert_string_equal(found(*state, "bob", "cat", "apple"), "");
    assert_string_equal(found(*state, "ann", "ann", "apple"), "");
    assert_string_equal(found(*state, "ann", "nobody", "apple"), "");
}

static void only_messages_are_searched(void **state)
{
    do_act(*state, ACT(IM_EV_MEMBER, "ann", G, "apple", .change = IM_CHANGE_CREATE));
    uint64_t seq = say(*state, "ann", G, "pear");
    react(*state, "ann", G, seq, "apple");
    assert_string_equal(found(*state, "ann", NULL, "apple"), "");
    assert_string_equal(found(*state, "ann", NULL, "pear"), "#cats/2");
}

static void an_edited_message_is_found_by_what_it_says_now(void **state)
{
    uint64_t seq = say(*state, "ann", "bob", "apple 开会");
    edit(*state, "ann", "bob", seq, "pear 下班");
    assert_string_equal(found(*state, "bob", NULL, "apple"), "");
    assert_string_equal(found(*state, "bob", NULL, "开会"), "");
    assert_string_equal(found(*state, "bob", NULL, "pear"), "ann/1");
    assert_string_equal(found(*state, "bob", "ann", "下班"), "ann/1");
    edit(*state, "ann", "bob", seq, "plum");
    assert_string_equal(found(*state, "bob", NULL, "pear"), "");
    assert_string_equal(found(*state, "bob", NULL, "plum"), "ann/1");
}

static void a_deleted_message_is_not_found(void **state)
{
    uint64_t one = say(*state, "ann", "bob", "apple 开会"), two = say(*state, "ann", "bob", "apple pie");
    edit(*state, "ann", "bob", two, "apple tart");
    erase(*state, "ann", "bob", one);
    static const char *const users[] = {"ann", "bob"};
    for (size_t i = 0; i < COUNT(users); i++) {
        assert_string_equal(found(*state, users[i], NULL, "开会"), "");
        assert_string_equal(found(*state, users[i], users[1 - i], "开"), "");
        assert_string_equal(found(*state, users[i], NULL, "apple"), text_printf("%s/2", users[1 - i]));
    }
    erase(*state, "ann", "bob", two);
    assert_string_equal(found(*state, "ann", NULL, "apple"), "");
    assert_string_equal(found(*state, "ann", NULL, "tart"), "");
}

static void what_is_hidden_from_somebody_they_do_not_find(void **state)
{
    say(*state, "ann", "bob", "apple one");
    uint64_t two = say(*state, "ann", "bob", "apple two");
    forget(*state, "bob", "ann", two);
    block(*state, "bob", "ann", true, 10);
    say(*state, "ann", "bob", "apple three");
    assert_string_equal(found(*state, "bob", NULL, "apple"), "ann/1");
    assert_string_equal(found(*state, "bob", "ann", "apple"), "ann/1");
    assert_string_equal(found(*state, "ann", NULL, "apple"), "bob/3 bob/2 bob/1");
}

/* Each hit's events, with the one found in brackets, newest hit first. */
static const char *told_hits(const struct im_store_search *op)
{
    char text[4000] = "";
    for (size_t i = 0; i < op->count; i++) {
        const struct im_hit *h = &op->hits[i];
        assert_true(h->at < h->count);
        for (size_t j = 0; j < h->count; j++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s%s%s",
                     j   ? "; "
                     : i ? " | "
                         : "",
                     j == h->at ? "[" : "", told(h->events[j]), j == h->at ? "]" : "");
    }
    return text_printf("%s", text);
}

static void hits_come_with_their_neighbours(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    say(*state, "ann", G, "unseen");
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    uint64_t seq = say(*state, "ann", G, "apple one");
    say(*state, "ann", "bob", "elsewhere");
    react(*state, "bob", G, seq, "👍");
    say(*state, "bob", G, "two");
    uint64_t gone = say(*state, "ann", G, "gone");
    say(*state, "ann", G, "three");
    say(*state, "bob", G, "apple four");
    forget(*state, "bob", G, gone);
    static const struct {
        uint32_t context;
        const char *told;
    } rows[] = {{0, "[bob:apple four] | [ann:apple one [👍 1 1]]"},
                {1, "ann:three; [bob:apple four] | bob join=member; [ann:apple one [👍 1 1]]; bob:two"},
                {2, "bob:two; ann:three; [bob:apple four] | bob join=member; [ann:apple one [👍 1 1]]; bob:two; "
                    "ann:three"},
                {9, "bob join=member; ann:apple one [👍 1 1]; bob:two; ann:three; [bob:apple four] | bob join=member; "
                    "[ann:apple one [👍 1 1]]; bob:two; ann:three; bob:apple four"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct im_store_search op = op_search("bob", i % 2 ? G : NULL, "apple", 10, rows[i].context);
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        assert_string_equal(told_hits(&op), rows[i].told);
        drop_hits(&op);
    }
}

static void results_come_in_pages(void **state)
{
    enum { N = 23 };
    for (unsigned i = 0; i < N; i++) {
        say(*state, i % 2 ? "ann" : "cat", "bob", text_printf("apple 苹果 %u", i));
        say(*state, "ann", "cat", "apple 苹果 for others");
        say(*state, "ann", "bob", "pear");
    }
    for (unsigned query = 0; query < 4; query++)
        for (uint32_t limit = 1; limit < 30; limit += 5) {
            static const char *const queries[] = {"apple", "苹果", "果", "app"};
            unsigned left = N;
            uint64_t before = 0;
            for (unsigned pages = 0; pages == 0 || before; pages++) {
                struct im_store_search op = op_search("bob", NULL, queries[query], limit, 0);
                op.before = before;
                assert_int_equal(box_do(*state, &op.op), IM_OK);
                assert_true(op.count <= limit && op.count <= left);
                for (size_t i = 0; i < op.count; i++) {
                    left--;
                    assert_int_equal(op.hits[i].events[0]->msg.pos, left * 3 + 1);
                }
                assert_true(op.next == 0 || before == 0 || op.next < before);
                before = op.next;
                drop_hits(&op);
                assert_true(pages <= N);
            }
            assert_int_equal(left, 0);
        }
}

static void one_conversation_comes_in_pages_too(void **state)
{
    enum { N = 11 };
    for (unsigned i = 0; i < N; i++) {
        say(*state, "ann", "bob", "apple");
        say(*state, "cat", "bob", "apple");
    }
    unsigned left = N;
    uint64_t before = 0;
    do {
        struct im_store_search op = op_search("bob", "ann", "apple", 4, 0);
        op.before = before;
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        for (size_t i = 0; i < op.count; i++)
            assert_int_equal(op.hits[i].events[0]->msg.seq, left--);
        before = op.next;
        drop_hits(&op);
    } while (before);
    assert_int_equal(left, 0);
}

static void results_stop_at_their_bytes(void **state)
{
    for (unsigned i = 0; i < 5; i++)
        say(*state, "ann", "bob", "apple");
    struct im_store_search op = op_search("bob", NULL, "apple", 10, 0);
    op.bytes = 12;
    assert_int_equal(box_do(*state, &op.op), IM_OK);
    assert_int_equal(op.count, 3);
    assert_true(op.next > 0);
    drop_hits(&op);
    op.bytes = 0;
    op.before = 0;
    assert_int_equal(box_do(*state, &op.op), IM_OK);
    assert_int_equal(op.count, 1);
    drop_hits(&op);
}

static void a_needle_is_found_in_a_haystack(void **state)
{
    enum { N = 3000 };
    struct im_store_append *ops = calloc(N, sizeof *ops);
    for (unsigned i = 0; i < N; i++) {
        ops[i] = op_act(ACT(.from = i % 3 ? "ann" : "cat", .to = "bob",
                            .text = i == 700 ? "找到一根针 needle" : text_printf("干草 hay %u", i)));
        box_submit(*state, &ops[i].op);
    }
    for (unsigned i = 0; i < N; i++) {
        box_wait(*state, &ops[i].op);
        assert_int_equal(ops[i].op.status, IM_OK);
        im_event_drop(&ops[i].event);
    }
    free(ops);
    static const char *const queries[] = {"needle", "nee", "一根", "针", "找到一根针", "needle 根"};
    for (size_t i = 0; i < COUNT(queries); i++) {
        struct im_store_search op = op_search("bob", NULL, queries[i], 10, 1);
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        assert_int_equal(op.count, 1);
        assert_string_equal(told(op.hits[0].events[op.hits[0].at]), "ann:找到一根针 needle");
        assert_int_equal(op.hits[0].count, 3);
        drop_hits(&op);
    }
    assert_string_equal(found(*state, "bob", NULL, "hay 1234"), "ann/823");
    assert_string_equal(found(*state, "bob", NULL, "1234"), "ann/823");
}

const struct store_test store_search_tests[] = {
    STORE_TEST(words_and_characters_are_found),      STORE_TEST(everybody_searches_what_they_see),
    STORE_TEST(only_messages_are_searched),          STORE_TEST(an_edited_message_is_found_by_what_it_says_now),
    STORE_TEST(a_deleted_message_is_not_found),      STORE_TEST(what_is_hidden_from_somebody_they_do_not_find),
    STORE_TEST(hits_come_with_their_neighbours),     STORE_TEST(results_come_in_pages),
    STORE_TEST(one_conversation_comes_in_pages_too), STORE_TEST(results_stop_at_their_bytes),
    STORE_TEST(a_needle_is_found_in_a_haystack),     {NULL, NULL},
};
