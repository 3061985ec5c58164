#include <stdio.h>
#include <string.h>

#include "tests/conform/store_act.h"

/* Messages and what becomes of them: replies, edits, deletions, reactions, mentions, and what a block hides. */

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define G            "#cats"

static const char *both(struct box *b, const char *conv)
{
    const char *mine = history(b, "ann", conv[0] == '#' ? conv : "bob");
    assert_string_equal(mine, history(b, "bob", conv[0] == '#' ? conv : "ann"));
    return mine;
}

static void everything_a_message_can_carry_comes_back(void **state)
{
    say(*state, "bob", "ann", "hi");
    struct im_msg m = {.ts_ms = ACT_TIME + 1,
                       .from = IM_STR("ann"),
                       .from_key = IM_STR("ann"),
                       .to = IM_STR("bob"),
                       .to_key = IM_STR("bob"),
                       .cid = IM_STR("c1"),
                       .mime = IM_STR("text/markdown"),
                       .body = IM_STR("*hi*"),
                       .ref = 1,
                       .bot = true};
    struct im_store_append op = {.op.kind = IM_STORE_APPEND, .event = im_event_new(IM_EV_MSG, &m)};
    assert_int_equal(box_do(*state, &op.op), IM_OK);
    im_event_drop(&op.event);
    struct im_store_since s = op_since("bob", 1, 10, 1000);
    assert_int_equal(box_do(*state, &s.op), IM_OK);
    assert_int_equal(s.count, 1);
    const struct im_msg *got = &s.events[0]->msg;
    assert_string_equal(told(s.events[0]), "ann:*hi* ^1 bot");
    assert_true(str_is(got->mime, "text/markdown") && str_is(got->cid, "c1"));
    assert_int_equal(got->ts_ms, ACT_TIME + 1);
    assert_true(got->edited_ms == 0 && !got->deleted && !got->hidden && got->reactions.len == 0);
    drop_events(&s.events, &s.count);
    assert_string_equal(both(*state, ""), "bob:hi; ann:*hi* ^1 bot");
}

static void a_reply_needs_what_it_replies_to(void **state)
{
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(.from = "ann", .to = "bob", .text = "re", .ref = 1));
    assert_int_equal(box_stats(*state).users, 0);
    uint64_t seq = say(*state, "ann", "bob", "hi");
    uint64_t reaction = react(*state, "bob", "ann", seq, "👍");
    do_act(*state, ACT(.from = "bob", .to = "ann", .text = "re", .ref = seq));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(.from = "bob", .to = "ann", .text = "re", .ref = reaction));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(.from = "bob", .to = "ann", .text = "re", .ref = 4));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(.from = "bob", .to = "cat", .text = "re", .ref = seq));
}

static void an_edit_changes_how_a_message_stands(void **state)
{
    uint64_t seq = say(*state, "ann", "bob", "helo");
    say(*state, "ann", "bob", "bye");
    assert_int_equal(do_act(*state, ACT(IM_EV_EDIT, "ann", "bob", "hallo", .ref = seq, .ts_ms = ACT_TIME + 1)), 3);
    assert_int_equal(do_act(*state, ACT(IM_EV_EDIT, "ann", "bob", "hello", .ref = seq, .ts_ms = ACT_TIME + 2)), 4);
    assert_string_equal(since(*state, "bob", 0), "ann:helo; ann:bye; ann~1:hallo; ann~1:hello");
    assert_string_equal(both(*state, ""), "ann:hello *2; ann:bye");
    assert_string_equal(since(*state, "bob", 2), "ann~1:hallo; ann~1:hello");
    assert_string_equal(conversations(*state, "bob"), "ann 4 -2 p2/0 <ann:bye>");
}

static void an_edit_takes_the_mime_type_away(void **state)
{
    uint64_t seq = do_act(*state, ACT(.from = "ann", .to = "bob", .text = "*hi*", .mime = "text/markdown"));
    edit(*state, "ann", "bob", seq, "hi");
    struct im_store_history h = op_before("bob", "ann", 0, 10);
    assert_int_equal(box_do(*state, &h.op), IM_OK);
    assert_int_equal(h.count, 1);
    assert_null(h.events[0]->msg.mime.p);
    assert_true(str_is(h.events[0]->msg.body, "hi"));
    drop_events(&h.events, &h.count);
}

static void what_cannot_be_edited(void **state)
{
    uint64_t seq = say(*state, "ann", "bob", "hi"), theirs = say(*state, "bob", "ann", "ho");
    uint64_t edited = edit(*state, "ann", "bob", seq, "hey");
    deny_act(*state, IM_FORBIDDEN, ACT(IM_EV_EDIT, "ann", "bob", "x", .ref = theirs));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_EDIT, "ann", "bob", "x", .ref = edited));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_EDIT, "ann", "bob", "x", .ref = 9));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_EDIT, "ann", "cat", "x", .ref = seq));
    same_act(*state, ACT(IM_EV_EDIT, "ann", "bob", "hey", .ref = seq));
    do_act(*state, ACT(IM_EV_EDIT, "ann", "bob", "hi", .ref = seq)); /* as it was at first, but not as it is */
    erase(*state, "ann", "bob", seq);
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_EDIT, "ann", "bob", "x", .ref = seq));
}

static void a_deletion_takes_the_words_away(void **state)
{
    uint64_t seq = do_act(*state, ACT(.from = "ann", .to = "bob", .text = "secret", .cid = "c1"));
    edit(*state, "ann", "bob", seq, "secrets");
    react(*state, "bob", "ann", seq, "👍");
    do_act(*state, ACT(.from = "bob", .to = "ann", .text = "re", .ref = seq));
    assert_int_equal(erase(*state, "ann", "bob", seq), 5);
    assert_string_equal(both(*state, ""), text_printf("ann:x *0; bob:re ^%u", (unsigned)seq));
    const char *way = since(*state, "bob", 0);
    assert_null(strstr(way, "secret"));
    assert_non_null(strstr(way, "ann:x"));
    assert_non_null(strstr(way, "ann-1"));
    struct im_store_append again = op_act(ACT(.from = "ann", .to = "bob", .text = "secret", .cid = "c1"));
    assert_int_equal(box_do(*state, &again.op), IM_OK);
    assert_int_equal(again.earlier->msg.seq, seq);
    im_event_drop(&again.earlier);
    im_event_drop(&again.event);
    same_act(*state, ACT(IM_EV_DELETE, "ann", "bob", .ref = seq));
}

static void what_cannot_be_deleted(void **state)
{
    uint64_t theirs = say(*state, "bob", "ann", "ho"), deletion;
    deny_act(*state, IM_FORBIDDEN, ACT(IM_EV_DELETE, "ann", "bob", .ref = theirs));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_DELETE, "ann", "bob", .ref = 9));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_DELETE, "bob", "cat", .ref = theirs));
    deletion = erase(*state, "bob", "ann", theirs);
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_DELETE, "bob", "ann", .ref = deletion));
    create(*state, "ann", G, 0);
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_DELETE, "ann", G, .ref = 1));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_DELETE, "ann", G, .ref = 1, .for_me = true));
}

static void there_is_a_time_for_changing_a_message(void **state)
{
    static const struct im_policy p = {.edit_ms = 1000, .delete_ms = 2000};
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    bring_in(*state, "ann", G, "bob", IM_ROLE_MEMBER);
    uint64_t a = say(*state, "bob", G, "a"), b = say(*state, "bob", G, "b");
    do_act(*state, ACT(IM_EV_EDIT, "bob", G, "A", .ref = a, .ts_ms = ACT_TIME + 1000, .policy = &p));
    deny_act(*state, IM_TOO_LATE, ACT(IM_EV_EDIT, "bob", G, "AA", .ref = a, .ts_ms = ACT_TIME + 1001, .policy = &p));
    deny_act(*state, IM_TOO_LATE, ACT(IM_EV_DELETE, "bob", G, .ref = a, .ts_ms = ACT_TIME + 2001, .policy = &p));
    do_act(*state, ACT(IM_EV_DELETE, "bob", G, .ref = a, .ts_ms = ACT_TIME + 2000, .policy = &p));
    do_act(*state, ACT(IM_EV_DELETE, "bob", G, .ref = b, .ts_ms = ACT_TIME + 9999, .for_me = true, .policy = &p));
    do_act(*state, ACT(IM_EV_DELETE, "ann", G, .ref = b, .ts_ms = ACT_TIME + 9999, .policy = &p));
}

static void deleting_for_oneself_is_nobody_elses_business(void **state)
{
    say(*state, "ann", "bob", "1");
    uint64_t seq = say(*state, "ann", "bob", "2"), pos = box_stats(*state).head;
    forget(*state, "bob", "ann", seq);
    assert_string_equal(since(*state, "bob", pos), "bob-2@ann");
    assert_string_equal(since(*state, "ann", pos), "");
    assert_string_equal(history(*state, "bob", "ann"), "ann:1");
    assert_string_equal(history(*state, "ann", "bob"), "ann:1; ann:2");
    assert_string_equal(history(*state, "bob", "bob"), ""); /* it is no note to oneself */
    assert_string_equal(found(*state, "bob", NULL, "2"), "");
    assert_string_equal(found(*state, "ann", NULL, "2"), "bob/2");
    assert_non_null(strstr(conversations(*state, "bob"), "<ann:1>"));
    assert_null(strstr(conversations(*state, "bob"), "bob "));
    assert_non_null(strstr(conversations(*state, "ann"), "<ann:2>"));
    same_act(*state, ACT(IM_EV_DELETE, "bob", "ann", .ref = seq, .for_me = true));
    forget(*state, "ann", "bob", seq);
    assert_string_equal(history(*state, "ann", "bob"), "ann:1");
    assert_int_equal(say(*state, "ann", "bob", "3"), 3);
    say(*state, "bob", "bob", "note");
    assert_string_equal(history(*state, "bob", "bob"), "bob:note");
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_DELETE, "bob", "cat", .ref = 1, .for_me = true));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_DELETE, "bob", "#none", .ref = 1, .for_me = true));
}

static void a_deletion_for_oneself_names_its_conversation(void **state)
{
    create(*state, "Ann", "#Cats", 0);
    uint64_t seq = say(*state, "ann", G, "hi");
    struct im_store_append op =
        op_act(ACT(IM_EV_DELETE, "ann", G, .ref = seq, .for_me = true, .cid = "c1", .ts_ms = ACT_TIME + 3));
    assert_int_equal(box_do(*state, &op.op), IM_OK);
    assert_int_equal(op.event->msg.pos, 3);
    im_event_drop(&op.event);
    struct im_store_since s = op_since("ann", 2, 10, 1000);
    assert_int_equal(box_do(*state, &s.op), IM_OK);
    assert_int_equal(s.count, 1);
    const struct im_msg *m = &s.events[0]->msg;
    assert_int_equal(s.events[0]->type, IM_EV_DELETE);
    assert_int_equal(m->kind, IM_CONV_SELF);
    assert_true(str_is(m->to, "#Cats") && str_is(m->to_key, G) && str_is(m->from, "Ann") && str_is(m->cid, "c1"));
    assert_int_equal(m->ref, seq);
    assert_int_equal(m->ts_ms, ACT_TIME + 3);
    drop_events(&s.events, &s.count);
    assert_string_equal(history(*state, "ann", G), "Ann create=owner");
}

static void history_counts_only_what_it_shows(void **state)
{
    for (unsigned i = 0; i < 5; i++) { /* messages 1, 3, 5, 7, 9 */
        uint64_t seq = say(*state, "ann", "bob", text_printf("%u", i));
        react(*state, "bob", "ann", seq, "👍");
    }
    forget(*state, "bob", "ann", 9);
    forget(*state, "bob", "ann", 1);
    static const struct {
        bool after;
        uint64_t seq;
        uint32_t limit;
        uint64_t first, last;
        bool more;
    } rows[] = {{false, 0, 2, 5, 7, true}, {false, 0, 3, 3, 7, false}, {false, 5, 1, 3, 3, false},
                {false, 8, 1, 7, 7, true}, {true, 0, 2, 3, 5, true},   {true, 0, 3, 3, 7, false},
                {true, 4, 9, 5, 7, false}, {true, 7, 9, 0, 0, false},  {false, 3, 9, 0, 0, false}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct im_store_history h = (rows[i].after ? op_after : op_before)("bob", "ann", rows[i].seq, rows[i].limit);
        assert_int_equal(box_do(*state, &h.op), IM_OK);
        assert_int_equal(h.count, rows[i].first ? (rows[i].last - rows[i].first) / 2 + 1 : 0);
        if (h.count > 0) {
            assert_int_equal(h.events[0]->msg.seq, rows[i].first);
            assert_int_equal(h.events[h.count - 1]->msg.seq, rows[i].last);
        }
        assert_int_equal(h.more, rows[i].more);
        drop_events(&h.events, &h.count);
    }
}

static void reactions_add_up(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    bring_in(*state, "ann", G, "bob", IM_ROLE_MEMBER);
    uint64_t seq = say(*state, "ann", G, "hi");
    react(*state, "ann", G, seq, "👍");
    assert_string_equal(strstr(history(*state, "ann", G), "ann:"), "ann:hi [👍 1 1]");
    assert_string_equal(strstr(history(*state, "bob", G), "ann:"), "ann:hi [👍 1 0]");
    react(*state, "bob", G, seq, "👍");
    assert_string_equal(strstr(history(*state, "bob", G), "ann:"), "ann:hi [👍 2 1]");
    assert_string_equal(strstr(history(*state, NULL, G), "ann:"), "ann:hi [👍 2 0]");
    same_act(*state, ACT(IM_EV_REACT, "bob", G, "👍", .ref = seq));
    do_act(*state, ACT(IM_EV_REACT, "ann", G, "👍", .ref = seq, .off = true));
    same_act(*state, ACT(IM_EV_REACT, "ann", G, "👍", .ref = seq, .off = true));
    same_act(*state, ACT(IM_EV_REACT, "ann", G, "never", .ref = seq, .off = true));
    assert_string_equal(strstr(history(*state, "ann", G), "ann:"), "ann:hi [👍 1 0]");
    do_act(*state, ACT(IM_EV_REACT, "bob", G, "👍", .ref = seq, .off = true));
    assert_string_equal(strstr(history(*state, "ann", G), "ann:"), "ann:hi");
    react(*state, "bob", G, seq, "e\u0301 \"'%");
    assert_string_equal(strstr(history(*state, "bob", G), "ann:"), "ann:hi [e\u0301 \"'% 1 1]");
    assert_string_equal(since(*state, "bob", 3), "ann:hi; ann+4👍; bob+4👍; ann!4👍; bob!4👍; bob+4e\u0301 \"'%");
    assert_non_null(strstr(conversations(*state, "bob"), "<ann:hi [e\u0301 \"'% 1 1]>"));
}

static void a_message_takes_so_many_reactions(void **state)
{
    static const struct im_policy p = {.reactions = 2};
    uint64_t seq = say(*state, "ann", "bob", "hi");
    do_act(*state, ACT(IM_EV_REACT, "ann", "bob", "a", .ref = seq, .policy = &p));
    do_act(*state, ACT(IM_EV_REACT, "bob", "ann", "b", .ref = seq, .policy = &p));
    deny_act(*state, IM_TOO_MANY, ACT(IM_EV_REACT, "bob", "ann", "c", .ref = seq, .policy = &p));
    do_act(*state, ACT(IM_EV_REACT, "bob", "ann", "a", .ref = seq, .policy = &p));
    do_act(*state, ACT(IM_EV_REACT, "bob", "ann", "b", .ref = seq, .off = true, .policy = &p));
    do_act(*state, ACT(IM_EV_REACT, "bob", "ann", "c", .ref = seq, .policy = &p));
    erase(*state, "ann", "bob", seq);
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_REACT, "bob", "ann", "a", .ref = seq));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_REACT, "bob", "ann", "a", .ref = 3));
}

static void mentions_are_members(void **state)
{
    static const struct {
        const char *from, *text, *named, *mentions;
    } rows[] = {
        {"ann", "hi @bob, @zoe", NULL, "Bob"},
        {"ann", "hi all", "BOB zoe", "Bob"},
        {"ann", "请@小明看一下", "bob", "Bob 小明"},
        {"ann", "mail bob@cat.example", NULL, ""},
        {"ann", "@all", NULL, "*"},
        {"ann", "所有人 @所有人 @bob", NULL, "* Bob"},
        {"ann", "", "*", "*"},
        {"小明", "@all @所有人 @bob", "*", "Bob"}, /* a member, but no admin */
        {"ann", "@cat @dan", NULL, "dan"},         /* one is invited, the other muted */
        {"ann", "hi", NULL, ""},
    };
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    bring_in(*state, "ann", G, "Bob", IM_ROLE_MEMBER);
    bring_in(*state, "ann", G, "小明", IM_ROLE_MEMBER);
    bring_in(*state, "ann", G, "dan", IM_ROLE_MUTED);
    change(*state, "ann", G, IM_CHANGE_INVITE, "cat");
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t head = box_stats(*state).head;
        struct im_event *e =
            event_of(*state, ACT(.from = rows[i].from, .to = G, .text = rows[i].text, .mentions = rows[i].named));
        const char *said = text_printf("%s:%s%s%s%s", rows[i].from, rows[i].text, rows[i].mentions[0] ? " {" : "",
                                       rows[i].mentions, rows[i].mentions[0] ? "}" : "");
        assert_string_equal(told(e), said);
        assert_string_equal(since(*state, "bob", head), said);
        im_event_drop(&e);
    }
}

static void an_edit_mentions_anew(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    bring_in(*state, "ann", G, "bob", IM_ROLE_MEMBER);
    bring_in(*state, "ann", G, "cat", IM_ROLE_MEMBER);
    uint64_t head = box_stats(*state).head, seq = say(*state, "ann", G, "@bob");
    struct im_event *e = event_of(*state, ACT(IM_EV_EDIT, "ann", G, "@cat", .ref = seq, .mentions = "bob zoe"));
    assert_string_equal(told(e), "ann~6:@cat {bob cat}");
    im_event_drop(&e);
    assert_string_equal(since(*state, "cat", head), "ann:@bob {bob}; ann~6:@cat {bob cat}");
    assert_string_equal(strstr(history(*state, "cat", G), "ann:"), "ann:@cat *0 {bob cat}");
    edit(*state, "ann", G, seq, "nobody");
    assert_string_equal(strstr(history(*state, "cat", G), "ann:"), "ann:nobody *0");
}

static void what_a_blocked_one_writes_is_seen_by_them_alone(void **state)
{
    say(*state, "ann", "bob", "before");
    assert_int_equal(block(*state, "bob", "ann", true, 10), IM_OK);
    struct im_event *e = event_of(*state, ACT(.from = "ann", .to = "bob", .text = "hidden"));
    assert_true(e->msg.hidden);
    assert_int_equal(e->msg.seq, 2);
    im_event_drop(&e);
    edit(*state, "ann", "bob", 2, "still hidden");
    react(*state, "ann", "bob", 1, "👎");
    say(*state, "bob", "ann", "can you hear me");
    assert_string_equal(since(*state, "bob", 0), "ann:before; bob:can you hear me");
    assert_string_equal(history(*state, "bob", "ann"), "ann:before; bob:can you hear me");
    assert_string_equal(found(*state, "bob", NULL, "hidden"), "");
    assert_string_equal(found(*state, "ann", NULL, "hidden"), "bob/2");
    assert_non_null(strstr(history(*state, "ann", "bob"), "ann:still hidden *0"));
    assert_null(strstr(conversations(*state, "bob"), " -"));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(IM_EV_REACT, "bob", "ann", "👍", .ref = 2));
    deny_act(*state, IM_NO_SUCH_MESSAGE, ACT(.from = "bob", .to = "ann", .text = "re", .ref = 2));
    assert_int_equal(block(*state, "bob", "ann", false, 10), IM_OK);
    e = event_of(*state, ACT(.from = "ann", .to = "bob", .text = "after"));
    assert_false(e->msg.hidden);
    im_event_drop(&e);
    assert_string_equal(history(*state, "bob", "ann"), "ann:before; bob:can you hear me; ann:after");
}

static void a_blocked_stranger_opens_no_conversation(void **state)
{
    box_login(*state, "bob", "");
    assert_int_equal(block(*state, "bob", "ann", true, 10), IM_OK);
    uint64_t seq = say(*state, "ann", "bob", "hidden");
    edit(*state, "ann", "bob", seq, "hidden still");
    assert_string_equal(conversations(*state, "bob"), "");
    assert_string_equal(since(*state, "bob", 0), "");
    assert_string_equal(history(*state, "bob", "ann"), "");
    assert_non_null(strstr(conversations(*state, "ann"), "<ann:hidden still *0"));
}

static void a_blocked_one_can_still_take_back_what_was_seen(void **state)
{
    uint64_t seq = say(*state, "ann", "bob", "before");
    assert_int_equal(block(*state, "bob", "ann", true, 10), IM_OK);
    erase(*state, "ann", "bob", seq);
    assert_string_equal(history(*state, "bob", "ann"), "ann:x");
    assert_string_equal(since(*state, "bob", 0), "ann:x; ann-1");
}

static void a_blocked_ones_invitation_does_not_come(void **state)
{
    assert_int_equal(block(*state, "bob", "ann", true, 10), IM_OK);
    create(*state, "ann", G, 0);
    change(*state, "ann", G, IM_CHANGE_INVITE, "bob");
    assert_string_equal(since(*state, "bob", 0), "");
    assert_string_equal(since(*state, "ann", 1), "ann invite bob=invited");
}

static void only_users_with_accounts_are_written_to_when_accounts_are_on(void **state)
{
    static const struct im_policy p = {.accounts = true};
    put_record(*state, IM_RECORD_ACCOUNT, "bob", NULL, NULL, "{\"password\":\"\"}");
    deny_act(*state, IM_NO_SUCH_USER, ACT(.from = "ann", .to = "cat", .text = "hi", .policy = &p));
    assert_int_equal(box_stats(*state).users, 0);
    do_act(*state, ACT(.from = "ann", .to = "Bob", .text = "hi", .policy = &p));
    struct im_store_record_drop drop = {
        .op.kind = IM_STORE_RECORD_DROP, .kind = IM_RECORD_ACCOUNT, .key = IM_STR("bob")};
    assert_int_equal(box_do(*state, &drop.op), IM_OK);
    deny_act(*state, IM_NO_SUCH_USER, ACT(.from = "ann", .to = "bob", .text = "hi", .policy = &p));
}

/* Whatever is given again under its cid is the first one, even where the rules would not let it happen twice. */
static void every_kind_of_event_is_committed_once_under_its_cid(void **state)
{
    static const struct act acts[] = {
        {IM_EV_MEMBER, "ann", G, "tea", .change = IM_CHANGE_CREATE, .settings = IM_GROUP_PUBLIC},
        {IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_INVITE, .user = "cat"},
        {IM_EV_MEMBER, "bob", G, .change = IM_CHANGE_JOIN},
        {IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_ROLE, .user = "bob", .role = IM_ROLE_ADMIN},
        {IM_EV_MSG, "bob", G, .text = "@ann hi"},
        {IM_EV_MSG, "ann", G, "re", .ref = 5},
        {IM_EV_EDIT, "bob", G, "hello", .ref = 5},
        {IM_EV_REACT, "ann", G, "👍", .ref = 5},
        {IM_EV_REACT, "ann", G, "👍", .ref = 5, .off = true},
        {IM_EV_DELETE, "ann", G, .ref = 6, .for_me = true},
        {IM_EV_DELETE, "bob", G, .ref = 5},
        {IM_EV_MEMBER, "bob", G, "milk", .change = IM_CHANGE_TOPIC},
        {IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_KICK, .user = "cat"},
        {IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_BAN, .user = "cat"},
        {IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_UNBAN, .user = "cat"},
        {IM_EV_MEMBER, "bob", G, .change = IM_CHANGE_LEAVE},
        {IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_SET},
        {IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_DESTROY},
    };
    char cids[COUNT(acts)][8];
    uint64_t pos[COUNT(acts)];
    for (size_t i = 0; i < COUNT(acts); i++) {
        struct act act = acts[i];
        snprintf(cids[i], sizeof cids[i], "c%zu", i);
        act.cid = cids[i];
        struct im_event *e = event_of(*state, &act);
        pos[i] = e->msg.pos;
        im_event_drop(&e);
        if (box_keeps(*state) && i % 5 == 0) {
            box_close(*state);
            box_open(*state);
        }
        for (size_t j = 0; j <= i; j++) {
            act = acts[j];
            act.cid = cids[j];
            struct im_store_append op = op_act(&act);
            assert_int_equal(box_do(*state, &op.op), IM_OK);
            if (op.earlier == NULL)
                fail_msg("%s was not known any more after %s", cids[j], cids[i]);
            assert_int_equal(op.event->msg.pos, 0);
            assert_int_equal(op.earlier->msg.pos, pos[j]);
            assert_int_equal(op.earlier->type, acts[j].type);
            assert_int_equal(op.earlier->msg.kind, acts[j].for_me ? IM_CONV_SELF : IM_CONV_GROUP);
            assert_int_equal(op.earlier->msg.ref, acts[j].ref);
            assert_int_equal(op.earlier->msg.change, acts[j].change);
            assert_true(str_is(op.earlier->msg.cid, cids[j]) && str_is(op.earlier->msg.to, G));
            im_event_drop(&op.earlier);
            im_event_drop(&op.event);
        }
    }
    assert_int_equal(box_stats(*state).events, COUNT(acts));
}

static void what_changes_nothing_uses_up_no_cid(void **state)
{
    uint64_t seq = say(*state, "ann", "bob", "hi");
    react(*state, "bob", "ann", seq, "👍");
    same_act(*state, ACT(IM_EV_REACT, "bob", "ann", "👍", .ref = seq, .cid = "c1"));
    deny_act(*state, IM_FORBIDDEN, ACT(IM_EV_EDIT, "bob", "ann", "x", .ref = seq, .cid = "c2"));
    do_act(*state, ACT(.from = "bob", .to = "ann", .text = "1", .cid = "c1"));
    do_act(*state, ACT(.from = "bob", .to = "ann", .text = "2", .cid = "c2"));
}

static void changes_waiting_together_see_one_another(void **state)
{
    const struct act acts[] = {{IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_CREATE, .settings = IM_GROUP_PUBLIC},
                               {IM_EV_MEMBER, "bob", G, .change = IM_CHANGE_CREATE},
                               {IM_EV_MEMBER, "bob", G, .change = IM_CHANGE_JOIN},
                               {IM_EV_MSG, "bob", G, .text = "hi"},
                               {IM_EV_EDIT, "bob", G, "hello", .ref = 3},
                               {IM_EV_REACT, "ann", G, "👍", .ref = 3},
                               {IM_EV_REACT, "ann", G, "👍", .ref = 3},
                               {IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_BAN, .user = "bob"},
                               {IM_EV_MSG, "bob", G, .text = "hi"},
                               {IM_EV_DELETE, "ann", G, .ref = 3},
                               {IM_EV_REACT, "ann", G, "👎", .ref = 3},
                               {IM_EV_MSG, "ann", G, .text = "bye"}};
    static const struct {
        enum im_reason reason;
        uint64_t seq;
    } answers[] = {{IM_OK, 1},
                   {IM_GROUP_EXISTS, 0},
                   {IM_OK, 2},
                   {IM_OK, 3},
                   {IM_OK, 4},
                   {IM_OK, 5},
                   {IM_OK, 0},
                   {IM_OK, 6},
                   {IM_BANNED, 0},
                   {IM_OK, 7},
                   {IM_NO_SUCH_MESSAGE, 0},
                   {IM_OK, 8}};
    struct im_store_append ops[COUNT(acts)];
    for (size_t i = 0; i < COUNT(acts); i++) {
        ops[i] = op_act(&acts[i]);
        box_submit(*state, &ops[i].op);
    }
    for (size_t i = 0; i < COUNT(acts); i++) {
        box_wait(*state, &ops[i].op);
        if (ops[i].op.status != answers[i].reason || ops[i].event->msg.seq != answers[i].seq)
            fail_msg("%zu: %s, %u", i, im_reason_name(ops[i].op.status), (unsigned)ops[i].event->msg.seq);
        im_event_drop(&ops[i].event);
    }
    assert_string_equal(history(*state, "bob", G), "bob join=member; bob:x *0; ann ban bob=banned");
}

static void messages_outlive_the_store_being_closed(void **state)
{
    if (!box_keeps(*state))
        skip();
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    bring_in(*state, "ann", G, "bob", IM_ROLE_MEMBER);
    uint64_t one = say(*state, "ann", G, "@bob one"), two = say(*state, "ann", G, "two");
    do_act(*state, ACT(.from = "bob", .to = G, .text = "re", .ref = one));
    edit(*state, "ann", G, one, "@bob eins");
    react(*state, "bob", G, one, "👍");
    erase(*state, "ann", G, two);
    forget(*state, "bob", G, 1 + two);
    block(*state, "ann", "bob", true, 10);
    say(*state, "bob", "ann", "hidden");
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(history(*state, "ann", G), "ann create=owner /1; ann invite bob=invited; bob join=member; "
                                                       "ann:@bob eins *0 [👍 1 0] {bob}; ann:x; bob:re ^4");
        assert_string_equal(history(*state, "bob", G),
                            "ann invite bob=invited; bob join=member; ann:@bob eins *0 [👍 1 1] {bob}; ann:x");
        assert_string_equal(since(*state, "ann", 4), "ann:x; bob:re ^4; ann~4:@bob eins {bob}; bob+4👍; ann-5");
        assert_string_equal(since(*state, "bob", 8), "ann-5; bob-6@#cats; bob:hidden ?");
        box_close(*state);
        box_open(*state);
    }
}

const struct store_test store_message_tests[] = {
    STORE_TEST(everything_a_message_can_carry_comes_back),
    STORE_TEST(a_reply_needs_what_it_replies_to),
    STORE_TEST(an_edit_changes_how_a_message_stands),
    STORE_TEST(an_edit_takes_the_mime_type_away),
    STORE_TEST(what_cannot_be_edited),
    STORE_TEST(a_deletion_takes_the_words_away),
    STORE_TEST(what_cannot_be_deleted),
    STORE_TEST(there_is_a_time_for_changing_a_message),
    STORE_TEST(deleting_for_oneself_is_nobody_elses_business),
    STORE_TEST(a_deletion_for_oneself_names_its_conversation),
    STORE_TEST(history_counts_only_what_it_shows),
    STORE_TEST(reactions_add_up),
    STORE_TEST(a_message_takes_so_many_reactions),
    STORE_TEST(mentions_are_members),
    STORE_TEST(an_edit_mentions_anew),
    STORE_TEST(what_a_blocked_one_writes_is_seen_by_them_alone),
    STORE_TEST(a_blocked_stranger_opens_no_conversation),
    STORE_TEST(a_blocked_one_can_still_take_back_what_was_seen),
    STORE_TEST(a_blocked_ones_invitation_does_not_come),
    STORE_TEST(only_users_with_accounts_are_written_to_when_accounts_are_on),
    STORE_TEST(every_kind_of_event_is_committed_once_under_its_cid),
    STORE_TEST(what_changes_nothing_uses_up_no_cid),
    STORE_TEST(changes_waiting_together_see_one_another),
    STORE_TEST(messages_outlive_the_store_being_closed),
    {NULL, NULL},
};
