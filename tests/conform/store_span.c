#include <string.h>

#include "tests/conform/store_act.h"

/* Who sees what of a group: what was written while they were a member, and with IM_GROUP_PAST what was before. */

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define G            "#cats"

static void a_member_sees_from_joining_to_leaving(void **state)
{
    static const struct {
        enum im_change end;
        const char *by, *says;
    } ends[] = {{IM_CHANGE_LEAVE, "bob", "bob leave=none"},
                {IM_CHANGE_KICK, "ann", "ann kick bob=none"},
                {IM_CHANGE_BAN, "ann", "ann ban bob=banned"}};
    for (size_t i = 0; i < COUNT(ends); i++) {
        const char *group = text_printf("#g%zu", i);
        uint64_t before = box_stats(*state).head;
        create(*state, "ann", group, IM_GROUP_PUBLIC);
        say(*state, "ann", group, "1");
        change(*state, "bob", group, IM_CHANGE_JOIN, NULL);
        say(*state, "ann", group, "2");
        say(*state, "bob", group, "3");
        change(*state, ends[i].by, group, ends[i].end, ends[i].end == IM_CHANGE_LEAVE ? NULL : "bob");
        say(*state, "ann", group, "4");
        const char *seen = text_printf("bob join=member; ann:2; bob:3; %s", ends[i].says);
        assert_string_equal(since(*state, "bob", before), seen);
        assert_string_equal(history(*state, "bob", group), seen);
        assert_string_equal(history(*state, "ann", group), text_printf("ann create=owner /1; ann:1; %s; ann:4", seen));
        assert_string_equal(history(*state, NULL, group), history(*state, "ann", group));
        assert_string_equal(history(*state, "cat", group), "no_such_group");
        assert_string_equal(conversations(*state, "bob"), "");
    }
}

static void who_comes_back_does_not_see_the_time_between(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    say(*state, "ann", G, "1");
    change(*state, "bob", G, IM_CHANGE_LEAVE, NULL);
    say(*state, "ann", G, "2");
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    say(*state, "ann", G, "3");
    change(*state, "ann", G, IM_CHANGE_KICK, "bob");
    say(*state, "ann", G, "4");
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    static const char *const seen =
        "bob join=member; ann:1; bob leave=none; bob join=member; ann:3; ann kick bob=none; bob join=member";
    assert_string_equal(since(*state, "bob", 0), seen);
    assert_string_equal(history(*state, "bob", G), seen);
    assert_string_equal(conversations(*state, "bob"), G " 10 r10 member of 2 <bob join=member>");
}

static void history_of_what_was_seen_pages_across_the_gaps(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC); /* 1 */
    for (unsigned i = 0; i < 3; i++) {
        change(*state, "bob", G, IM_CHANGE_JOIN, NULL);  /* 2, 7, 12 */
        say(*state, "ann", G, "seen");                   /* 3, 8, 13 */
        change(*state, "bob", G, IM_CHANGE_LEAVE, NULL); /* 4, 9, 14 */
        say(*state, "ann", G, "x");
        say(*state, "ann", G, "y");
    }
    static const uint64_t seqs[] = {2, 3, 4, 7, 8, 9, 12, 13, 14};
    size_t at = COUNT(seqs);
    for (uint64_t before = 0; at > 0;) {
        struct im_store_history op = op_before("bob", G, before, 2);
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        assert_true(op.count > 0 && op.count <= 2 && op.count <= at);
        for (size_t i = 0; i < op.count; i++)
            assert_int_equal(op.events[i]->msg.seq, seqs[at - op.count + i]);
        at -= op.count;
        assert_int_equal(op.more, at > 0);
        before = op.events[0]->msg.seq;
        drop_events(&op.events, &op.count);
    }
    for (uint64_t after = 0; at < COUNT(seqs);) {
        struct im_store_history op = op_after("bob", G, after, 4);
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        assert_true(op.count > 0 && op.count <= COUNT(seqs) - at);
        for (size_t i = 0; i < op.count; i++)
            assert_int_equal(op.events[i]->msg.seq, seqs[at + i]);
        at += op.count;
        assert_int_equal(op.more, at < COUNT(seqs));
        after = seqs[at - 1];
        drop_events(&op.events, &op.count);
    }
}

static void since_stops_within_what_was_seen(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);       /* pos 1 */
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);  /* 2 */
    say(*state, "cat", "bob", "direct");             /* 3 */
    say(*state, "ann", G, "seen");                   /* 4 */
    change(*state, "bob", G, IM_CHANGE_LEAVE, NULL); /* 5 */
    say(*state, "ann", G, "unseen");                 /* 6 */
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);  /* 7 */
    say(*state, "ann", G, "last");                   /* 8 */
    static const uint64_t seen[] = {2, 3, 4, 5, 7, 8};
    uint64_t after = 0;
    for (size_t i = 0; i < COUNT(seen); i++) {
        struct im_store_since op = op_since("bob", after, 1, 1000);
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        assert_int_equal(op.count, 1);
        assert_int_equal(op.events[0]->msg.pos, seen[i]);
        assert_true(op.upto >= seen[i] && (i + 1 == COUNT(seen) || op.upto < seen[i + 1]));
        after = op.upto;
        drop_events(&op.events, &op.count);
    }
    assert_string_equal(since(*state, "bob", after), "");
}

static void with_the_past_members_see_it_all(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC | IM_GROUP_PAST);
    say(*state, "ann", G, "1");
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    say(*state, "ann", G, "2");
    change(*state, "bob", G, IM_CHANGE_LEAVE, NULL);
    say(*state, "ann", G, "3");
    static const char *const first = "ann create=owner /3; ann:1; bob join=member; ann:2; bob leave=none";
    assert_string_equal(history(*state, "bob", G), first);
    assert_string_equal(found(*state, "bob", NULL, "1"), G "/2");
    assert_string_equal(found(*state, "bob", NULL, "3"), "");
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    assert_string_equal(history(*state, "bob", G), text_printf("%s; ann:3; bob join=member", first));
}

static void what_counts_is_the_setting_when_they_joined(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    say(*state, "ann", G, "1");
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    do_act(*state, ACT(IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_SET, .settings = IM_GROUP_PUBLIC | IM_GROUP_PAST));
    change(*state, "cat", G, IM_CHANGE_JOIN, NULL);
    do_act(*state, ACT(IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_SET, .settings = IM_GROUP_PUBLIC));
    change(*state, "dan", G, IM_CHANGE_JOIN, NULL);
    assert_string_equal(history(*state, "bob", G),
                        "bob join=member; ann set=owner /3; cat join=member; ann set=owner /1; dan join=member");
    assert_string_equal(history(*state, "cat", G),
                        "ann create=owner /1; ann:1; bob join=member; ann set=owner /3; cat join=member; "
                        "ann set=owner /1; dan join=member");
    assert_string_equal(history(*state, "dan", G), "dan join=member");
}

static void of_an_invitation_only_that_is_seen(void **state)
{
    create(*state, "ann", G, IM_GROUP_PAST);
    say(*state, "ann", G, "1");
    change(*state, "ann", G, IM_CHANGE_INVITE, "bob");
    say(*state, "ann", G, "2");
    bring_in(*state, "ann", G, "cat", IM_ROLE_MEMBER);
    assert_string_equal(since(*state, "bob", 0), "ann invite bob=invited");
    assert_string_equal(history(*state, "bob", G), "ann invite bob=invited");
    assert_string_equal(found(*state, "bob", NULL, "1"), "");
    assert_string_equal(conversations(*state, "bob"), "");
    assert_string_equal(seats(*state, "bob"), "");
    deny_act(*state, IM_NOT_MEMBER, ACT(IM_EV_REACT, "bob", G, "👍", .ref = 2));
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    say(*state, "ann", G, "3");
    assert_string_equal(history(*state, "bob", G),
                        "ann create=owner /2; ann:1; ann invite bob=invited; ann:2; ann invite cat=invited; "
                        "cat join=member; bob join=member; ann:3");
}

static void without_the_past_the_invitation_and_what_follows_joining_are_seen(void **state)
{
    create(*state, "ann", G, 0);
    change(*state, "ann", G, IM_CHANGE_INVITE, "bob");
    say(*state, "ann", G, "1");
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    say(*state, "ann", G, "2");
    assert_string_equal(since(*state, "bob", 0), "ann invite bob=invited; bob join=member; ann:2");
    assert_string_equal(history(*state, "bob", G), "ann invite bob=invited; bob join=member; ann:2");
}

static void changes_come_to_an_absent_member_in_order(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    uint64_t away = box_stats(*state).head;
    say(*state, "cat", "bob", "hi");
    change(*state, "ann", G, IM_CHANGE_INVITE, "cat");
    change(*state, "cat", G, IM_CHANGE_JOIN, NULL);
    give_role(*state, "ann", G, "cat", IM_ROLE_ADMIN);
    say(*state, "cat", G, "hello");
    edit(*state, "cat", G, 6, "hallo");
    do_act(*state, ACT(IM_EV_MEMBER, "cat", G, "tea", .change = IM_CHANGE_TOPIC));
    give_role(*state, "cat", G, "bob", IM_ROLE_MUTED);
    change(*state, "ann", G, IM_CHANGE_KICK, "bob");
    do_act(*state, ACT(IM_EV_MEMBER, "cat", G, "milk", .change = IM_CHANGE_TOPIC));
    assert_string_equal(since(*state, "bob", away),
                        "cat:hi; ann invite cat=invited; cat join=member; ann role cat=admin; cat:hello; cat~6:hallo; "
                        "cat topic=admin 'tea'; cat role bob=muted; ann kick bob=silenced");
    assert_string_equal(history(*state, "bob", G),
                        "bob join=member; ann invite cat=invited; cat join=member; ann role cat=admin; cat:hallo *0; "
                        "cat topic=admin 'tea'; cat role bob=muted; ann kick bob=silenced");
}

static void a_message_is_what_those_who_have_left_saw(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    uint64_t seq = say(*state, "ann", G, "before");
    change(*state, "bob", G, IM_CHANGE_LEAVE, NULL);
    erase(*state, "ann", G, seq);
    /* what was deleted for all is gone for them, too; but they do not learn of it */
    assert_string_equal(history(*state, "bob", G), "bob join=member; ann:x; bob leave=none");
    assert_string_equal(since(*state, "bob", 0), "bob join=member; ann:x; bob leave=none");
}

static void an_edit_is_for_those_who_are_there(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    change(*state, "cat", G, IM_CHANGE_JOIN, NULL);
    uint64_t seq = say(*state, "ann", G, "apple");
    edit(*state, "ann", G, seq, "pear");
    change(*state, "bob", G, IM_CHANGE_LEAVE, NULL);
    edit(*state, "ann", G, seq, "plum");
    react(*state, "cat", G, seq, "👍");
    assert_non_null(strstr(history(*state, "cat", G), "ann:plum *0 [👍 1 1]"));
    assert_string_equal(found(*state, "cat", NULL, "plum"), G "/4");
    assert_string_equal(found(*state, "cat", NULL, "pear"), "");
    assert_non_null(strstr(history(*state, "bob", G), "ann:pear *0"));
    assert_string_equal(found(*state, "bob", NULL, "plum"), "");
}

static void references_reach_only_what_is_seen(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    uint64_t unseen = say(*state, "ann", G, "1");
    uint64_t joined = change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    uint64_t seen = say(*state, "ann", G, "2");
    const uint64_t bad[] = {unseen, joined, seen + 99};
    for (size_t i = 0; i < COUNT(bad); i++) {
        deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(.from = "bob", .to = G, .text = "re", .ref = bad[i]));
        deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_REACT, "bob", G, "👍", .ref = bad[i]));
        deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_DELETE, "bob", G, .ref = bad[i], .for_me = true));
        deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_EDIT, "bob", G, "new", .ref = bad[i]));
    }
    do_act(*state, ACT(.from = "bob", .to = G, .text = "re", .ref = seen));
    react(*state, "bob", G, seen, "👍");
    forget(*state, "bob", G, seen);
}

static void a_thousand_members_see_the_same(void **state)
{
    enum { N = 999 }; /* and ann */
    static char names[N][8];
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    struct im_store_append *ops = calloc(N, sizeof *ops);
    for (size_t i = 0; i < N; i++) {
        strcpy(names[i], text_printf("u%zu", i));
        ops[i] = op_act(ACT(IM_EV_MEMBER, names[i], G, .change = IM_CHANGE_JOIN));
        box_submit(*state, &ops[i].op);
    }
    for (size_t i = 0; i < N; i++) {
        box_wait(*state, &ops[i].op);
        assert_int_equal(ops[i].op.status, IM_OK);
        im_event_drop(&ops[i].event);
    }
    free(ops);
    say(*state, "ann", G, "hi");
    for (size_t i = 0; i < N; i += 111) {
        struct im_store_history op = op_before(names[i], G, 0, 2000);
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        assert_int_equal(op.count, N - i + 1);
        drop_events(&op.events, &op.count);
    }
    assert_string_equal(seats(*state, "u7"), G " member 1000");
}

const struct store_test store_span_tests[] = {
    STORE_TEST(a_member_sees_from_joining_to_leaving),
    STORE_TEST(who_comes_back_does_not_see_the_time_between),
    STORE_TEST(history_of_what_was_seen_pages_across_the_gaps),
    STORE_TEST(since_stops_within_what_was_seen),
    STORE_TEST(with_the_past_members_see_it_all),
    STORE_TEST(what_counts_is_the_setting_when_they_joined),
    STORE_TEST(of_an_invitation_only_that_is_seen),
    STORE_TEST(without_the_past_the_invitation_and_what_follows_joining_are_seen),
    STORE_TEST(changes_come_to_an_absent_member_in_order),
    STORE_TEST(a_message_is_what_those_who_have_left_saw),
    STORE_TEST(an_edit_is_for_those_who_are_there),
    STORE_TEST(references_reach_only_what_is_seen),
    STORE_TEST(a_thousand_members_see_the_same),
    {NULL, NULL},
};
