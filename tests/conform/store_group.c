#include <string.h>

#include "tests/conform/store_act.h"

/* Groups: who may do what, and what comes of it. */

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define G            "#Cats"

static void whoever_makes_a_group_owns_it(void **state)
{
    struct im_event *e =
        event_of(*state, ACT(IM_EV_MEMBER, "Ann", G, "tea", .change = IM_CHANGE_CREATE, .settings = IM_GROUP_PUBLIC));
    assert_int_equal(e->msg.seq, 1);
    assert_string_equal(told(e), "Ann create=owner 'tea' /1");
    im_event_drop(&e);
    assert_string_equal(since(*state, "ann", 0), "Ann create=owner 'tea' /1");
    assert_string_equal(history(*state, "ann", G), "Ann create=owner 'tea' /1");
    assert_string_equal(members(*state, "ann", G), "Ann owner");
    assert_string_equal(seats(*state, "ann"), G " owner 1");
    assert_string_equal(conversations(*state, "ann"), G " 1 r1 owner of 1 'tea' <ann create=owner 'tea' /1>");
    assert_int_equal(box_stats(*state).groups, 1);
    assert_int_equal(box_stats(*state).users, 1);
}

static void a_group_keeps_the_name_it_was_made_with(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    say(*state, "ann", "#CATS", "hi");
    struct im_store_since s = op_since("ann", 0, 10, 1000);
    assert_int_equal(box_do(*state, &s.op), IM_OK);
    assert_int_equal(s.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(s.events[i]->msg.kind, IM_CONV_GROUP);
        assert_true(str_is(s.events[i]->msg.to, G) && str_is(s.events[i]->msg.to_key, "#cats"));
    }
    drop_events(&s.events, &s.count);
    deny_act(*state, IM_GROUP_EXISTS, ACT(IM_EV_MEMBER, "bob", "#cATS", .change = IM_CHANGE_CREATE));
}

static void everything_in_a_change_comes_back(void **state)
{
    create(*state, "ann", G, 0);
    struct im_event *e = event_of(*state, ACT(IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_INVITE, .user = "Bob",
                                              .cid = "c1", .ts_ms = ACT_TIME + 7));
    assert_int_equal(e->msg.role, IM_ROLE_INVITED);
    im_event_drop(&e);
    struct im_store_since s = op_since("ann", 1, 10, 1000);
    assert_int_equal(box_do(*state, &s.op), IM_OK);
    assert_int_equal(s.count, 1);
    const struct im_msg *m = &s.events[0]->msg;
    assert_int_equal(s.events[0]->type, IM_EV_MEMBER);
    assert_int_equal(m->change, IM_CHANGE_INVITE);
    assert_int_equal(m->role, IM_ROLE_INVITED);
    assert_int_equal(m->ts_ms, ACT_TIME + 7);
    assert_true(str_is(m->user, "Bob") && str_is(m->user_key, "bob") && str_is(m->cid, "c1"));
    drop_events(&s.events, &s.count);
    /* the owner of the name settles how it is written */
    box_login(*state, "BOB", "");
    assert_string_equal(since(*state, "ann", 1), "ann invite BOB=invited");
    assert_string_equal(members(*state, "ann", G), "ann owner; BOB invited");
}

/* The table of permissions, from end to end. */

struct deed {
    const char *name;
    enum im_action action;
    enum im_role target; /* of whom it is done to */
    struct act act;
    bool own;          /* act.ref is to be the actor's own message, else the target's */
    bool members_stay; /* to members it changes nothing */
    unsigned settings; /* of the group */
};

static const struct deed deeds[] = {
    {.name = "join",
     .action = IM_MAY_JOIN,
     .target = IM_ROLE_NONE,
     .act = {IM_EV_MEMBER, .change = IM_CHANGE_JOIN},
     .members_stay = true,
     .settings = IM_GROUP_PUBLIC},
    {.name = "join a private one",
     .action = IM_MAY_JOIN_PRIVATE,
     .target = IM_ROLE_NONE,
     .act = {IM_EV_MEMBER, .change = IM_CHANGE_JOIN},
     .members_stay = true},
    {.name = "leave", .action = IM_MAY_LEAVE, .target = IM_ROLE_NONE, .act = {IM_EV_MEMBER, .change = IM_CHANGE_LEAVE}},
    {.name = "send", .action = IM_MAY_SEND, .target = IM_ROLE_NONE, .act = {IM_EV_MSG, .text = "hi"}},
    {.name = "reply", .action = IM_MAY_SEND, .target = IM_ROLE_NONE, .act = {IM_EV_MSG, .text = "hi", .ref = 1}},
    {.name = "react", .action = IM_MAY_SEND, .target = IM_ROLE_NONE, .act = {IM_EV_REACT, .text = "👍", .ref = 1}},
    {.name = "edit",
     .action = IM_MAY_SEND,
     .target = IM_ROLE_NONE,
     .act = {IM_EV_EDIT, .text = "new", .ref = 1},
     .own = true},
    {.name = "delete one's own",
     .action = IM_MAY_DELETE_OWN,
     .target = IM_ROLE_NONE,
     .act = {IM_EV_DELETE, .ref = 1},
     .own = true},
    {.name = "delete another's", .action = IM_MAY_DELETE_ANY, .target = IM_ROLE_NONE, .act = {IM_EV_DELETE, .ref = 1}},
    {.name = "invite",
     .action = IM_MAY_INVITE,
     .target = IM_ROLE_NONE,
     .act = {IM_EV_MEMBER, .change = IM_CHANGE_INVITE, .user = "new"}},
    {.name = "kick",
     .action = IM_MAY_KICK,
     .target = IM_ROLE_MEMBER,
     .act = {IM_EV_MEMBER, .change = IM_CHANGE_KICK, .user = "tom"}},
    {.name = "kick an admin",
     .action = IM_MAY_KICK,
     .target = IM_ROLE_ADMIN,
     .act = {IM_EV_MEMBER, .change = IM_CHANGE_KICK, .user = "ada"}},
    {.name = "kick an owner",
     .action = IM_MAY_KICK,
     .target = IM_ROLE_OWNER,
     .act = {IM_EV_MEMBER, .change = IM_CHANGE_KICK, .user = "own"}},
    {.name = "ban",
     .action = IM_MAY_BAN,
     .target = IM_ROLE_MEMBER,
     .act = {IM_EV_MEMBER, .change = IM_CHANGE_BAN, .user = "tom"}},
    {.name = "ban an admin",
     .action = IM_MAY_BAN,
     .target = IM_ROLE_ADMIN,
     .act = {IM_EV_MEMBER, .change = IM_CHANGE_BAN, .user = "ada"}},
    {.name = "ban a stranger",
     .action = IM_MAY_BAN,
     .target = IM_ROLE_NONE,
     .act = {IM_EV_MEMBER, .change = IM_CHANGE_BAN, .user = "new"}},
    {.name = "lift a ban",
     .action = IM_MAY_BAN,
     .target = IM_ROLE_BANNED,
     .act = {IM_EV_MEMBER, .change = IM_CHANGE_UNBAN, .user = "bad"}},
    {.name = "mute",
     .action = IM_MAY_ROLE,
     .target = IM_ROLE_MEMBER,
     .act = {IM_EV_MEMBER, .change = IM_CHANGE_ROLE, .user = "tom", .role = IM_ROLE_MUTED}},
    {.name = "mute an admin",
     .action = IM_MAY_ROLE,
     .target = IM_ROLE_ADMIN,
     .act = {IM_EV_MEMBER, .change = IM_CHANGE_ROLE, .user = "ada", .role = IM_ROLE_MUTED}},
    {.name = "set the topic",
     .action = IM_MAY_TOPIC,
     .target = IM_ROLE_NONE,
     .act = {IM_EV_MEMBER, .text = "news", .change = IM_CHANGE_TOPIC}},
    {.name = "change settings",
     .action = IM_MAY_SET,
     .target = IM_ROLE_NONE,
     .act = {IM_EV_MEMBER, .change = IM_CHANGE_SET, .settings = IM_GROUP_PAST}},
    {.name = "delete the group",
     .action = IM_MAY_DESTROY,
     .target = IM_ROLE_NONE,
     .act = {IM_EV_MEMBER, .change = IM_CHANGE_DESTROY}},
};

/* Gives somebody who is a member the role. */
static void settle(struct box *b, const char *group, const char *user, enum im_role role)
{
    if (role == IM_ROLE_SILENCED)
        give_role(b, "own", group, user, IM_ROLE_MUTED);
    if (role == IM_ROLE_BANNED)
        change(b, "own", group, IM_CHANGE_BAN, user);
    else if (role < IM_ROLE_MUTED)
        change(b, "own", group, IM_CHANGE_KICK, user);
    else if (role != IM_ROLE_MEMBER)
        give_role(b, "own", group, user, role);
    if (role == IM_ROLE_INVITED)
        change(b, "own", group, IM_CHANGE_INVITE, user);
}

static void try_deed(struct box *b, const char *group, const struct deed *deed, enum im_role role)
{
    create(b, "own", group, deed->settings);
    bring_in(b, "own", group, "tom", IM_ROLE_MEMBER);
    bring_in(b, "own", group, "ada", IM_ROLE_ADMIN);
    bring_in(b, "own", group, "act", IM_ROLE_MEMBER);
    change(b, "own", group, IM_CHANGE_BAN, "bad");
    uint64_t own = say(b, "act", group, "mine"), others = say(b, "tom", group, "yours");
    settle(b, group, "act", role);
    struct act act = deed->act;
    act.from = "act";
    act.to = group;
    if (act.ref)
        act.ref = deed->own ? own : others;
    const char *before = members(b, NULL, group);
    bool stays = deed->members_stay && im_role_member(role);
    enum im_reason expected = stays ? IM_OK : im_may(role, deed->action, deed->target);
    if (expected == IM_NOT_MEMBER && role < IM_ROLE_INVITED && !(deed->settings & IM_GROUP_PUBLIC))
        expected = IM_NO_SUCH_GROUP; /* nor do they learn that it is there */
    struct im_store_append op = op_act(&act);
    enum im_reason reason = box_do(b, &op.op);
    if (reason != expected || (op.event->msg.pos > 0) != (expected == IM_OK && !stays))
        fail_msg("%s as %s: %s, not %s", deed->name, im_role_info(role)->name, im_reason_name(reason),
                 im_reason_name(expected));
    if (reason != IM_OK || stays)
        assert_string_equal(members(b, NULL, group), before);
    im_event_drop(&op.event);
}

static void every_role_may_do_what_the_table_says(void **state)
{
    for (size_t i = 0; i < COUNT(deeds); i++)
        for (unsigned role = 0; role < IM_ROLE_COUNT; role++)
            try_deed(*state, text_printf("#%zu-%u", i, role), &deeds[i], (enum im_role)role);
}

static void only_members_read(void **state)
{
    static const struct {
        enum im_role role;
        const char *members, *info;
    } rows[] = {{IM_ROLE_NONE, "not_member", "none"},
                {IM_ROLE_INVITED, "not_member", "invited"},
                {IM_ROLE_MUTED, "act muted; own owner", "muted"},
                {IM_ROLE_MEMBER, "act member; own owner", "member"},
                {IM_ROLE_ADMIN, "act admin; ill invited; own owner; sad banned", "admin"},
                {IM_ROLE_OWNER, "act owner; ill invited; own owner; sad banned", "owner"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *group = text_printf("#g%zu", i);
        create(*state, "own", group, IM_GROUP_PUBLIC);
        bring_in(*state, "own", group, "act", IM_ROLE_MEMBER);
        settle(*state, group, "act", rows[i].role);
        change(*state, "own", group, IM_CHANGE_INVITE, "ill");
        change(*state, "own", group, IM_CHANGE_BAN, "sad");
        assert_string_equal(members(*state, "act", group), rows[i].members);
        struct im_store_groups op = {
            .op.kind = IM_STORE_GROUPS, .key = key_of("act"), .group = key_of(group), .limit = 1};
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        assert_int_equal(op.count, 1);
        assert_string_equal(im_role_info(op.rows[0].role)->name, rows[i].info);
        free(op.rows);
    }
    assert_string_equal(members(*state, "act", "#none"), "no_such_group");
    assert_string_equal(members(*state, NULL, "#none"), "no_such_group");
    assert_string_equal(members(*state, NULL, "#g0"), "ill invited; own owner; sad banned");
}

static void roles_are_given_below_ones_own(void **state)
{
    static const struct {
        const char *from, *to;
        enum im_role role;
        enum im_reason reason;
    } rows[] = {{"ada", "tom", IM_ROLE_ADMIN, IM_FORBIDDEN},   {"ada", "tom", IM_ROLE_OWNER, IM_FORBIDDEN},
                {"ada", "ada", IM_ROLE_OWNER, IM_FORBIDDEN},   {"own", "own", IM_ROLE_MEMBER, IM_FORBIDDEN},
                {"own", "new", IM_ROLE_MEMBER, IM_NOT_MEMBER}, {"own", "tom", IM_ROLE_BANNED, IM_BAD_FIELD},
                {"own", "tom", IM_ROLE_NONE, IM_BAD_FIELD},    {"own", "tom", IM_ROLE_OWNER, IM_OK},
                {"own", "tom", IM_ROLE_MEMBER, IM_FORBIDDEN}, /* an owner does not outrank another */
                {"tom", "ada", IM_ROLE_MEMBER, IM_OK}};
    create(*state, "own", G, 0);
    bring_in(*state, "own", G, "tom", IM_ROLE_MEMBER);
    bring_in(*state, "own", G, "ada", IM_ROLE_ADMIN);
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(try_act(*state, ACT(IM_EV_MEMBER, rows[i].from, G, .change = IM_CHANGE_ROLE,
                                             .user = rows[i].to, .role = rows[i].role)),
                         rows[i].reason);
    same_act(*state, ACT(IM_EV_MEMBER, "own", G, .change = IM_CHANGE_ROLE, .user = "ada", .role = IM_ROLE_MEMBER));
    assert_string_equal(members(*state, NULL, G), "ada member; own owner; tom owner");
}

static void what_changes_nothing_is_not_appended(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    bring_in(*state, "ann", G, "bob", IM_ROLE_MEMBER);
    change(*state, "ann", G, IM_CHANGE_INVITE, "cat");
    do_act(*state, ACT(IM_EV_MEMBER, "ann", G, "tea", .change = IM_CHANGE_TOPIC));
    uint64_t events = box_stats(*state).events;
    same_act(*state, ACT(IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_INVITE, .user = "bob"));
    same_act(*state, ACT(IM_EV_MEMBER, "bob", G, .change = IM_CHANGE_INVITE, .user = "cat"));
    same_act(*state, ACT(IM_EV_MEMBER, "bob", G, .change = IM_CHANGE_JOIN));
    same_act(*state, ACT(IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_KICK, .user = "dan"));
    same_act(*state, ACT(IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_UNBAN, .user = "bob"));
    same_act(*state, ACT(IM_EV_MEMBER, "ann", G, "tea", .change = IM_CHANGE_TOPIC));
    same_act(*state, ACT(IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_SET, .settings = IM_GROUP_PUBLIC));
    assert_int_equal(box_stats(*state).events, events);
    assert_string_equal(members(*state, "ann", G), "ann owner; bob member; cat invited");
}

static void topic_and_settings_are_the_groups(void **state)
{
    create(*state, "ann", G, 0);
    do_act(*state, ACT(IM_EV_MEMBER, "ann", G, "tea", .change = IM_CHANGE_TOPIC));
    assert_string_equal(conversations(*state, "ann"), G " 2 r1 owner of 1 'tea' <ann topic=owner 'tea'>");
    do_act(*state, ACT(IM_EV_MEMBER, "ann", G, "", .change = IM_CHANGE_TOPIC));
    assert_string_equal(conversations(*state, "ann"), G " 3 r1 owner of 1 <ann topic=owner>");
    deny_act(*state, IM_NO_SUCH_GROUP, ACT(IM_EV_MEMBER, "bob", G, .change = IM_CHANGE_JOIN));
    do_act(*state, ACT(IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_SET, .settings = IM_GROUP_PUBLIC));
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    do_act(*state, ACT(IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_SET));
    deny_act(*state, IM_NO_SUCH_GROUP, ACT(IM_EV_MEMBER, "cat", G, .change = IM_CHANGE_JOIN));
}

static void a_setting_that_is_not_named_stays(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC | IM_GROUP_PAST);
    do_act(*state, ACT(IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_SET, .keeps = IM_GROUP_PAST));
    assert_string_equal(since(*state, "ann", 1), "ann set=owner /2");
    same_act(*state,
             ACT(IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_SET, .settings = IM_GROUP_PAST, .keeps = IM_GROUP_PUBLIC));
}

static void a_mute_outlasts_a_way_out(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    bring_in(*state, "ann", G, "bob", IM_ROLE_MUTED);
    bring_in(*state, "ann", G, "cat", IM_ROLE_MEMBER);
    change(*state, "bob", G, IM_CHANGE_LEAVE, NULL);
    assert_string_equal(members(*state, "ann", G), "ann owner; bob silenced; cat member");
    assert_string_equal(members(*state, "cat", G), "ann owner; cat member");
    assert_string_equal(seats(*state, "bob"), "");
    deny_act(*state, IM_FORBIDDEN, ACT(IM_EV_MEMBER, "cat", G, .change = IM_CHANGE_INVITE, .user = "bob"));
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    deny_act(*state, IM_MUTED, ACT(.from = "bob", .to = G, .text = "hi"));
    change(*state, "ann", G, IM_CHANGE_KICK, "bob");
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    deny_act(*state, IM_MUTED, ACT(.from = "bob", .to = G, .text = "hi"));
    change(*state, "bob", G, IM_CHANGE_LEAVE, NULL);
    change(*state, "ann", G, IM_CHANGE_INVITE, "bob"); /* by who could end it */
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    say(*state, "bob", G, "hi");
}

static void a_ban_holds_until_it_is_lifted(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    bring_in(*state, "ann", G, "bob", IM_ROLE_MEMBER);
    change(*state, "ann", G, IM_CHANGE_BAN, "bob");
    change(*state, "ann", G, IM_CHANGE_BAN, "cat");
    assert_string_equal(seats(*state, "bob"), "");
    deny_act(*state, IM_BANNED, ACT(.from = "bob", .to = G, .text = "hi"));
    deny_act(*state, IM_BANNED, ACT(IM_EV_MEMBER, "bob", G, .change = IM_CHANGE_JOIN));
    deny_act(*state, IM_BANNED, ACT(IM_EV_MEMBER, "cat", G, .change = IM_CHANGE_JOIN));
    deny_act(*state, IM_FORBIDDEN, ACT(IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_INVITE, .user = "bob"));
    change(*state, "ann", G, IM_CHANGE_UNBAN, "bob");
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    assert_string_equal(members(*state, "ann", G), "ann owner; bob member; cat banned");
}

static void an_invitation_can_be_declined_and_withdrawn(void **state)
{
    create(*state, "ann", G, 0);
    change(*state, "ann", G, IM_CHANGE_INVITE, "bob");
    change(*state, "bob", G, IM_CHANGE_LEAVE, NULL);
    deny_act(*state, IM_NO_SUCH_GROUP, ACT(IM_EV_MEMBER, "bob", G, .change = IM_CHANGE_JOIN));
    change(*state, "ann", G, IM_CHANGE_INVITE, "bob");
    change(*state, "ann", G, IM_CHANGE_KICK, "bob");
    deny_act(*state, IM_NO_SUCH_GROUP, ACT(IM_EV_MEMBER, "bob", G, .change = IM_CHANGE_JOIN));
    change(*state, "ann", G, IM_CHANGE_INVITE, "bob");
    change(*state, "bob", G, IM_CHANGE_JOIN, NULL);
    assert_string_equal(members(*state, "ann", G), "ann owner; bob member");
}

static void a_group_is_never_without_an_owner(void **state)
{
    create(*state, "ann", G, 0);
    bring_in(*state, "ann", G, "bob", IM_ROLE_MEMBER);
    deny_act(*state, IM_LAST_OWNER, ACT(IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_LEAVE));
    give_role(*state, "ann", G, "bob", IM_ROLE_OWNER);
    change(*state, "ann", G, IM_CHANGE_LEAVE, NULL);
    assert_string_equal(members(*state, NULL, G), "bob owner");
    assert_int_equal(box_stats(*state).groups, 1);
    change(*state, "bob", G, IM_CHANGE_LEAVE, NULL); /* and the group is no more */
    deny_act(*state, IM_NO_SUCH_GROUP, ACT(.from = "bob", .to = G, .text = "hi"));
    assert_string_equal(members(*state, NULL, G), "no_such_group");
    assert_int_equal(box_stats(*state).groups, 0);
}

static void a_deleted_group_is_gone_for_all(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC | IM_GROUP_PAST);
    bring_in(*state, "ann", G, "bob", IM_ROLE_MEMBER);
    change(*state, "ann", G, IM_CHANGE_INVITE, "cat");
    say(*state, "ann", G, "secret");
    change(*state, "ann", G, IM_CHANGE_DESTROY, NULL);
    assert_string_equal(seats(*state, "ann"), "");
    assert_string_equal(seats(*state, "bob"), "");
    assert_string_equal(conversations(*state, "ann"), "");
    assert_string_equal(members(*state, "ann", G), "no_such_group");
    static const char *const users[] = {"ann", "bob", "cat", "dan"};
    for (size_t i = 0; i < COUNT(users); i++) {
        deny_act(*state, IM_NO_SUCH_GROUP, ACT(.from = users[i], .to = G, .text = "hi"));
        deny_act(*state, IM_NO_SUCH_GROUP, ACT(IM_EV_MEMBER, users[i], G, .change = IM_CHANGE_JOIN));
    }
    assert_string_equal(since(*state, "bob", 2),
                        "bob join=member; ann invite cat=invited; ann:secret; ann delete=none");
    assert_string_equal(since(*state, "cat", 0), "ann invite cat=invited");
    assert_int_equal(box_stats(*state).groups, 0);
}

static void a_name_can_be_used_again_and_shows_nothing_of_before(void **state)
{
    create(*state, "ann", G, IM_GROUP_PUBLIC | IM_GROUP_PAST);
    say(*state, "ann", G, "secret");
    change(*state, "ann", G, IM_CHANGE_DESTROY, NULL);
    create(*state, "bob", "#cats", IM_GROUP_PUBLIC | IM_GROUP_PAST);
    say(*state, "bob", "#cats", "new");
    change(*state, "cat", "#cats", IM_CHANGE_JOIN, NULL);
    assert_null(strstr(since(*state, "bob", 0), "secret"));
    assert_null(strstr(since(*state, "cat", 0), "secret"));
    assert_null(strstr(history(*state, "cat", "#cats"), "secret"));
    assert_non_null(strstr(history(*state, "cat", "#cats"), "bob:new"));
    assert_string_equal(found(*state, "cat", NULL, "secret"), "");
    assert_string_equal(found(*state, "ann", NULL, "secret"), "");
    assert_null(strstr(since(*state, "ann", 0), "new"));
    assert_null(strstr(history(*state, "ann", "#cats"), "new"));
    assert_string_equal(seats(*state, "ann"), "");
    assert_string_equal(members(*state, "cat", "#cats"), "bob owner; cat member");
    deny_act(*state, IM_NOT_MEMBER, ACT(.from = "ann", .to = "#cats", .text = "hi"));
}

static void groups_have_room_for_so_many(void **state)
{
    static const struct im_policy p = {.group_members = 2, .groups_per_user = 2};
    do_act(*state, ACT(IM_EV_MEMBER, "ann", G, .change = IM_CHANGE_CREATE, .settings = 1, .policy = &p));
    do_act(*state, ACT(IM_EV_MEMBER, "bob", G, .change = IM_CHANGE_JOIN, .policy = &p));
    deny_act(*state, IM_GROUP_FULL, ACT(IM_EV_MEMBER, "cat", G, .change = IM_CHANGE_JOIN, .policy = &p));
    change(*state, "bob", G, IM_CHANGE_LEAVE, NULL);
    do_act(*state, ACT(IM_EV_MEMBER, "cat", G, .change = IM_CHANGE_JOIN, .policy = &p));
    do_act(*state, ACT(IM_EV_MEMBER, "ann", "#b", .change = IM_CHANGE_CREATE, .policy = &p));
    deny_act(*state, IM_TOO_MANY, ACT(IM_EV_MEMBER, "ann", "#c", .change = IM_CHANGE_CREATE, .policy = &p));
    create(*state, "bob", "#d", IM_GROUP_PUBLIC);
    deny_act(*state, IM_TOO_MANY, ACT(IM_EV_MEMBER, "ann", "#d", .change = IM_CHANGE_JOIN, .policy = &p));
    change(*state, "ann", "#b", IM_CHANGE_DESTROY, NULL);
    do_act(*state, ACT(IM_EV_MEMBER, "ann", "#d", .change = IM_CHANGE_JOIN, .policy = &p));
}

static void groups_are_listed_by_name(void **state)
{
    static const struct {
        const char *user, *after;
        uint32_t limit;
        const char *names;
        bool more;
    } rows[] = {{"zoe", NULL, 10, "#a #C #d #喵", false},
                {"zoe", NULL, 2, "#a #C", true},
                {"zoe", "#c", 2, "#d #喵", false},
                {"zoe", "#bbb", 1, "#C", true},
                {"zoe", "#喵", 2, "", false},
                {NULL, NULL, 10, "#a #B #C #d #喵", false},
                {NULL, "#a", 1, "#B", true},
                {"ann", NULL, 10, "#a #C #d #喵", false}};
    create(*state, "ann", "#d", IM_GROUP_PUBLIC);
    create(*state, "ann", "#a", IM_GROUP_PUBLIC);
    create(*state, "ann", "#B", 0);
    create(*state, "ann", "#喵", IM_GROUP_PUBLIC);
    create(*state, "ann", "#C", IM_GROUP_PUBLIC);
    create(*state, "ann", "#gone", IM_GROUP_PUBLIC);
    change(*state, "ann", "#gone", IM_CHANGE_DESTROY, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct im_store_groups op = {.op.kind = IM_STORE_GROUPS, .limit = rows[i].limit};
        if (rows[i].user)
            op.key = key_of(rows[i].user);
        if (rows[i].after)
            op.after = key_of(rows[i].after);
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        const char *names = "";
        for (size_t j = 0; j < op.count; j++)
            names = text_printf("%s%s%.*s", names, j ? " " : "", (int)op.rows[j].name.len, op.rows[j].name.p);
        assert_string_equal(names, rows[i].names);
        assert_int_equal(op.more, rows[i].more);
        free(op.rows);
    }
}

static void a_group_tells_about_itself(void **state)
{
    do_act(*state, ACT(IM_EV_MEMBER, "ann", G, "tea", .change = IM_CHANGE_CREATE, .settings = IM_GROUP_PAST,
                       .ts_ms = ACT_TIME + 5));
    bring_in(*state, "ann", G, "bob", IM_ROLE_MUTED);
    change(*state, "ann", G, IM_CHANGE_INVITE, "cat");
    static const struct {
        const char *user;
        enum im_reason reason;
        enum im_role role;
    } rows[] = {{"ann", IM_OK, IM_ROLE_OWNER},
                {"bob", IM_OK, IM_ROLE_MUTED},
                {"cat", IM_OK, IM_ROLE_INVITED},
                {"zoe", IM_NO_SUCH_GROUP, 0},
                {NULL, IM_OK, IM_ROLE_NONE}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct im_store_groups op = {.op.kind = IM_STORE_GROUPS, .group = key_of("#cats"), .limit = 1};
        if (rows[i].user)
            op.key = key_of(rows[i].user);
        assert_int_equal(box_do(*state, &op.op), rows[i].reason);
        assert_int_equal(op.count, rows[i].reason == IM_OK);
        if (op.count == 0)
            continue;
        assert_true(str_is(op.rows[0].name, G) && str_is(op.rows[0].topic, "tea"));
        assert_int_equal(op.rows[0].settings, IM_GROUP_PAST);
        assert_int_equal(op.rows[0].members, 2);
        assert_int_equal(op.rows[0].online, 0);
        assert_int_equal(op.rows[0].role, rows[i].role);
        assert_int_equal(op.rows[0].created_ms, ACT_TIME + 5);
        assert_false(op.more);
        free(op.rows);
    }
    assert_string_equal(members(*state, "zoe", G), "no_such_group");
}

static void members_are_listed_by_key(void **state)
{
    static const char *const users[] = {"Dan", "bob", "翠花", "Cat", "eve"};
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    for (size_t i = 0; i < COUNT(users); i++)
        change(*state, users[i], G, IM_CHANGE_JOIN, NULL);
    const char *all = "", *after = NULL;
    bool more = true;
    for (unsigned pages = 0; more; pages++) {
        struct im_store_members op = {
            .op.kind = IM_STORE_MEMBERS, .key = key_of("bob"), .group = key_of(G), .limit = 2};
        if (after)
            op.after = key_of(after);
        assert_int_equal(box_do(*state, &op.op), IM_OK);
        assert_int_equal(op.count, 2);
        for (size_t j = 0; j < op.count; j++)
            all = text_printf("%s%.*s ", all, (int)op.rows[j].name.len, op.rows[j].name.p);
        after = text_printf("%.*s", (int)op.rows[1].name.len, op.rows[1].name.p);
        more = op.more;
        free(op.rows);
        assert_int_equal(more, pages < 2);
    }
    assert_string_equal(all, "ann bob Cat Dan eve 翠花 ");
}

static void seats_are_the_groups_one_is_a_member_of(void **state)
{
    create(*state, "ann", "#a", IM_GROUP_PUBLIC);
    create(*state, "ann", "#b", IM_GROUP_PUBLIC);
    create(*state, "bob", "#c", IM_GROUP_PUBLIC);
    create(*state, "cat", "#d", IM_GROUP_PUBLIC);
    assert_string_equal(seats(*state, "ann"), "#a owner 1; #b owner 1");
    bring_in(*state, "ann", "#a", "bob", IM_ROLE_MUTED);
    bring_in(*state, "ann", "#a", "cat", IM_ROLE_ADMIN);
    bring_in(*state, "ann", "#b", "bob", IM_ROLE_MEMBER);
    change(*state, "cat", "#d", IM_CHANGE_INVITE, "bob");
    assert_string_equal(seats(*state, "bob"), "#a muted 3; #b member 2; #c owner 1");
    change(*state, "bob", "#a", IM_CHANGE_LEAVE, NULL);
    change(*state, "ann", "#b", IM_CHANGE_KICK, "bob");
    assert_string_equal(seats(*state, "bob"), "#c owner 1");
    assert_string_equal(seats(*state, "ann"), "#a owner 2; #b owner 1");
    assert_string_equal(seats(*state, "zoe"), "");
}

static void only_users_with_accounts_are_drawn_in_when_accounts_are_on(void **state)
{
    static const struct im_policy p = {.accounts = true};
    create(*state, "ann", G, IM_GROUP_PUBLIC);
    put_record(*state, IM_RECORD_ACCOUNT, "bob", NULL, NULL, "{\"password\":\"\"}");
    static const enum im_change changes[] = {IM_CHANGE_INVITE, IM_CHANGE_BAN};
    for (size_t i = 0; i < COUNT(changes); i++) {
        deny_act(*state, IM_NO_SUCH_USER,
                 ACT(IM_EV_MEMBER, "ann", G, .change = changes[i], .user = "cat", .policy = &p));
        do_act(*state, ACT(IM_EV_MEMBER, "ann", G, .change = changes[i], .user = "bob", .policy = &p));
    }
    assert_int_equal(box_stats(*state).users, 2);
}

static void refused_changes_leave_no_trace(void **state)
{
    create(*state, "ann", G, 0);
    deny_act(*state, IM_NO_SUCH_GROUP, ACT(IM_EV_MEMBER, "eve", G, .change = IM_CHANGE_INVITE, .user = "zoe"));
    deny_act(*state, IM_NO_SUCH_GROUP, ACT(IM_EV_MEMBER, "eve", "#dogs", .change = IM_CHANGE_JOIN));
    deny_act(*state, IM_NO_SUCH_GROUP, ACT(IM_EV_REACT, "eve", "#dogs", "👍", .ref = 1));
    struct im_store_stats s = box_stats(*state);
    assert_int_equal(s.users, 1);
    assert_int_equal(s.groups, 1);
    assert_int_equal(say(*state, "ann", G, "hi"), 2);
}

static void groups_outlive_the_store_being_closed(void **state)
{
    if (!box_keeps(*state))
        skip();
    do_act(*state, ACT(IM_EV_MEMBER, "ann", G, "tea", .change = IM_CHANGE_CREATE, .settings = IM_GROUP_PUBLIC));
    bring_in(*state, "ann", G, "bob", IM_ROLE_ADMIN);
    change(*state, "bob", G, IM_CHANGE_INVITE, "cat");
    change(*state, "bob", G, IM_CHANGE_BAN, "dan");
    say(*state, "bob", G, "hi");
    const char *before[] = {members(*state, "ann", G), conversations(*state, "ann"), since(*state, "bob", 0),
                            since(*state, "cat", 0), seats(*state, "bob")};
    box_close(*state);
    box_open(*state);
    const char *after[] = {members(*state, "ann", G), conversations(*state, "ann"), since(*state, "bob", 0),
                           since(*state, "cat", 0), seats(*state, "bob")};
    for (size_t i = 0; i < COUNT(before); i++)
        assert_string_equal(before[i], after[i]);
    assert_int_equal(box_stats(*state).groups, 1);
}

const struct store_test store_group_tests[] = {
    STORE_TEST(whoever_makes_a_group_owns_it),
    STORE_TEST(a_group_keeps_the_name_it_was_made_with),
    STORE_TEST(everything_in_a_change_comes_back),
    STORE_TEST(every_role_may_do_what_the_table_says),
    STORE_TEST(only_members_read),
    STORE_TEST(roles_are_given_below_ones_own),
    STORE_TEST(what_changes_nothing_is_not_appended),
    STORE_TEST(topic_and_settings_are_the_groups),
    STORE_TEST(a_setting_that_is_not_named_stays),
    STORE_TEST(a_mute_outlasts_a_way_out),
    STORE_TEST(a_ban_holds_until_it_is_lifted),
    STORE_TEST(an_invitation_can_be_declined_and_withdrawn),
    STORE_TEST(a_group_is_never_without_an_owner),
    STORE_TEST(a_deleted_group_is_gone_for_all),
    STORE_TEST(a_name_can_be_used_again_and_shows_nothing_of_before),
    STORE_TEST(groups_have_room_for_so_many),
    STORE_TEST(groups_are_listed_by_name),
    STORE_TEST(a_group_tells_about_itself),
    STORE_TEST(members_are_listed_by_key),
    STORE_TEST(seats_are_the_groups_one_is_a_member_of),
    STORE_TEST(only_users_with_accounts_are_drawn_in_when_accounts_are_on),
    STORE_TEST(refused_changes_leave_no_trace),
    STORE_TEST(groups_outlive_the_store_being_closed),
    {NULL, NULL},
};
