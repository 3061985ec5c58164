#include "tests/unit/unit.h"

#include "stores/rules.h"

enum { NOW = 1000000 };
#define YES true
#define NO  false

static const struct im_policy policy = {
    .edit_ms = 1000, .delete_ms = 500, .group_members = 10, .groups_per_user = 5, .reactions = 3, .accounts = true};

struct verdict {
    enum im_reason reason;
    struct im_rules_out out;
};

static struct verdict judge(struct im_rules_in in, enum im_event_type type, struct im_msg m)
{
    struct verdict v;
    m.ts_ms = NOW;
    m.from = m.from_key = IM_STR("ann");
    struct im_event *e = im_event_new(type, &m);
    in.event = e;
    if (in.policy == NULL)
        in.policy = &policy;
    v.reason = im_rules_judge(&in, &v.out);
    im_event_drop(&e);
    if (v.reason != IM_OK) {
        assert_false(v.out.nothing || v.out.ends || v.out.may_all);
        assert_int_equal(v.out.role, IM_ROLE_NONE);
    }
    return v;
}

static struct im_rules_in in_group(enum im_role actor, enum im_role target)
{
    return (struct im_rules_in){.group_exists = true,
                                .members = 3,
                                .owners = 1,
                                .topic = IM_STR("tea"),
                                .actor = actor,
                                .target = target,
                                .peer_known = true};
}

static struct im_rules_in with_ref(struct im_rules_in in, bool own, int64_t age_ms)
{
    in.ref_exists = true;
    in.ref_type = IM_EV_MSG;
    in.ref_own = own;
    in.ref_ts_ms = NOW - age_ms;
    in.ref_body = IM_STR("hello");
    in.peer_known = true;
    return in;
}

static struct verdict change(struct im_rules_in in, enum im_change what)
{
    return judge(in, IM_EV_MEMBER,
                 (struct im_msg){.kind = IM_CONV_GROUP, .change = what, .body = IM_STR("coffee"), .settings = 3});
}

static struct verdict say(struct im_rules_in in, enum im_conv_kind kind, uint64_t ref)
{
    return judge(in, IM_EV_MSG, (struct im_msg){.kind = kind, .body = IM_STR("hi"), .ref = ref});
}

/* What each change makes of whom it concerns, by the role of who does it (rows) and of whom it is done to (columns):
 * a reason, or "= role" for nothing changed, or the new role. */
#define ROLES IM_ROLE_COUNT
struct cell {
    enum im_reason reason;
    bool nothing;
    enum im_role role;
};
#define NOT                                                                                                            \
    {                                                                                                                  \
        IM_NOT_MEMBER, NO, IM_ROLE_NONE                                                                                \
    }
#define OUT                                                                                                            \
    {                                                                                                                  \
        IM_BANNED, NO, IM_ROLE_NONE                                                                                    \
    }
#define DENIED                                                                                                         \
    {                                                                                                                  \
        IM_FORBIDDEN, NO, IM_ROLE_NONE                                                                                 \
    }
#define MUTE                                                                                                           \
    {                                                                                                                  \
        IM_MUTED, NO, IM_ROLE_NONE                                                                                     \
    }
#define TO(r)                                                                                                          \
    {                                                                                                                  \
        IM_OK, NO, IM_ROLE_##r                                                                                         \
    }
#define STAYS(r)                                                                                                       \
    {                                                                                                                  \
        IM_OK, YES, IM_ROLE_##r                                                                                        \
    }
#define ALL(x)                                                                                                         \
    {                                                                                                                  \
        x, x, x, x, x, x, x, x                                                                                         \
    }

static void check_table(enum im_change what, enum im_role wanted, const struct cell table[ROLES][ROLES])
{
    for (unsigned actor = 0; actor < ROLES; actor++)
        for (unsigned target = 0; target < ROLES; target++) {
            const struct cell *expected = &table[actor][target];
            struct im_msg m = {.kind = IM_CONV_GROUP,
                               .change = what,
                               .role = wanted,
                               .user = IM_STR("bob"),
                               .user_key = IM_STR("bob")};
            struct im_rules_in in = in_group((enum im_role)actor, (enum im_role)target);
            in.settings = IM_GROUP_PUBLIC;
            struct verdict v = judge(in, IM_EV_MEMBER, m);
            if (v.reason != expected->reason || v.out.nothing != expected->nothing || v.out.role != expected->role)
                fail_msg("%s %s by %s: %s, %s%s", im_change_info(what)->name, im_role_info((enum im_role)target)->name,
                         im_role_info((enum im_role)actor)->name, im_reason_name(v.reason),
                         v.out.nothing ? "stays " : "becomes ", im_role_info(v.out.role)->name);
            assert_true(v.reason != IM_OK || v.out.concerns_other);
        }
}

static void invitations(void **state)
{
    static const struct cell table[ROLES][ROLES] = {
        ALL(NOT),
        ALL(OUT),
        ALL(NOT),
        ALL(NOT),
        ALL(MUTE),
        {TO(INVITED), DENIED, DENIED, STAYS(INVITED), STAYS(MUTED), STAYS(MEMBER), STAYS(ADMIN), STAYS(OWNER)},
        {TO(INVITED), DENIED, TO(INVITED), STAYS(INVITED), STAYS(MUTED), STAYS(MEMBER), STAYS(ADMIN), STAYS(OWNER)},
        {TO(INVITED), DENIED, TO(INVITED), STAYS(INVITED), STAYS(MUTED), STAYS(MEMBER), STAYS(ADMIN), STAYS(OWNER)},
    };
    (void)state;
    check_table(IM_CHANGE_INVITE, IM_ROLE_NONE, table);
}

static void kicks(void **state)
{
    static const struct cell table[ROLES][ROLES] = {
        ALL(NOT),
        ALL(OUT),
        ALL(NOT),
        ALL(NOT),
        ALL(DENIED),
        ALL(DENIED),
        {STAYS(NONE), STAYS(BANNED), TO(NONE), TO(NONE), TO(SILENCED), TO(NONE), DENIED, DENIED},
        {STAYS(NONE), STAYS(BANNED), TO(NONE), TO(NONE), TO(SILENCED), TO(NONE), TO(NONE), DENIED},
    };
    (void)state;
    check_table(IM_CHANGE_KICK, IM_ROLE_NONE, table);
}

static void bans(void **state)
{
    static const struct cell table[ROLES][ROLES] = {
        ALL(NOT),
        ALL(OUT),
        ALL(NOT),
        ALL(NOT),
        ALL(DENIED),
        ALL(DENIED),
        {TO(BANNED), STAYS(BANNED), TO(BANNED), TO(BANNED), TO(BANNED), TO(BANNED), DENIED, DENIED},
        {TO(BANNED), STAYS(BANNED), TO(BANNED), TO(BANNED), TO(BANNED), TO(BANNED), TO(BANNED), DENIED},
    };
    (void)state;
    check_table(IM_CHANGE_BAN, IM_ROLE_NONE, table);
}

static void bans_end(void **state)
{
    static const struct cell table[ROLES][ROLES] = {
        ALL(NOT),
        ALL(OUT),
        ALL(NOT),
        ALL(NOT),
        ALL(DENIED),
        ALL(DENIED),
        {STAYS(NONE), TO(NONE), STAYS(SILENCED), STAYS(INVITED), STAYS(MUTED), STAYS(MEMBER), DENIED, DENIED},
        {STAYS(NONE), TO(NONE), STAYS(SILENCED), STAYS(INVITED), STAYS(MUTED), STAYS(MEMBER), STAYS(ADMIN), DENIED},
    };
    (void)state;
    check_table(IM_CHANGE_UNBAN, IM_ROLE_NONE, table);
}

static void roles_given(void **state)
{
    static const struct cell muting[ROLES][ROLES] = {
        ALL(NOT),
        ALL(OUT),
        ALL(NOT),
        ALL(NOT),
        ALL(DENIED),
        ALL(DENIED),
        {NOT, NOT, NOT, NOT, STAYS(MUTED), TO(MUTED), DENIED, DENIED},
        {NOT, NOT, NOT, NOT, STAYS(MUTED), TO(MUTED), TO(MUTED), DENIED},
    };
    static const struct cell raising[ROLES][ROLES] = {
        ALL(NOT),
        ALL(OUT),
        ALL(NOT),
        ALL(NOT),
        ALL(DENIED),
        ALL(DENIED),
        {NOT, NOT, NOT, NOT, DENIED, DENIED, DENIED, DENIED},
        {NOT, NOT, NOT, NOT, TO(ADMIN), TO(ADMIN), STAYS(ADMIN), DENIED},
    };
    static const struct cell crowning[ROLES][ROLES] = {
        ALL(NOT),
        ALL(OUT),
        ALL(NOT),
        ALL(NOT),
        ALL(DENIED),
        ALL(DENIED),
        {NOT, NOT, NOT, NOT, DENIED, DENIED, DENIED, DENIED},
        {NOT, NOT, NOT, NOT, TO(OWNER), TO(OWNER), TO(OWNER), DENIED},
    };
    (void)state;
    check_table(IM_CHANGE_ROLE, IM_ROLE_MUTED, muting);
    check_table(IM_CHANGE_ROLE, IM_ROLE_ADMIN, raising);
    check_table(IM_CHANGE_ROLE, IM_ROLE_OWNER, crowning);
    assert_int_equal(judge(in_group(IM_ROLE_OWNER, IM_ROLE_MEMBER), IM_EV_MEMBER,
                           (struct im_msg){.kind = IM_CONV_GROUP, .change = IM_CHANGE_ROLE, .role = IM_ROLE_BANNED})
                         .reason,
                     IM_BAD_FIELD);
}

static void groups_are_made_once(void **state)
{
    struct im_rules_in in = {.peer_known = true};
    (void)state;
    struct verdict v = change(in, IM_CHANGE_CREATE);
    assert_int_equal(v.reason, IM_OK);
    assert_int_equal(v.out.role, IM_ROLE_OWNER);
    assert_false(v.out.concerns_other);
    in.actor_groups = 5;
    assert_int_equal(change(in, IM_CHANGE_CREATE).reason, IM_TOO_MANY);
    in.group_exists = true;
    assert_int_equal(change(in, IM_CHANGE_CREATE).reason, IM_GROUP_EXISTS);
}

static void without_a_group_there_is_nothing_to_do(void **state)
{
    (void)state;
    for (unsigned c = IM_CHANGE_JOIN; c < IM_CHANGE_COUNT; c++)
        assert_int_equal(change((struct im_rules_in){.actor = IM_ROLE_OWNER}, (enum im_change)c).reason,
                         IM_NO_SUCH_GROUP);
    assert_int_equal(say((struct im_rules_in){0}, IM_CONV_GROUP, 0).reason, IM_NO_SUCH_GROUP);
}

static void joining_takes_an_invitation_or_a_public_group(void **state)
{
    static const enum im_reason closed[ROLES] = {IM_NO_SUCH_GROUP, IM_BANNED, IM_NO_SUCH_GROUP},
                                open[ROLES] = {IM_OK, IM_BANNED};
    (void)state;
    for (unsigned r = 0; r < ROLES; r++) {
        struct im_rules_in in = in_group((enum im_role)r, IM_ROLE_NONE);
        assert_int_equal(change(in, IM_CHANGE_JOIN).reason, closed[r]);
        in.settings = IM_GROUP_PUBLIC;
        struct verdict v = change(in, IM_CHANGE_JOIN);
        assert_int_equal(v.reason, open[r]);
        assert_int_equal(v.out.nothing, r >= IM_ROLE_MUTED);
        if (v.reason == IM_OK)
            assert_int_equal(v.out.role, r >= IM_ROLE_MUTED      ? r
                                         : r == IM_ROLE_SILENCED ? IM_ROLE_MUTED
                                                                 : IM_ROLE_MEMBER);
    }
}

static void full_is_full(void **state)
{
    struct im_rules_in in = in_group(IM_ROLE_INVITED, IM_ROLE_NONE);
    struct im_policy unlimited = {0};
    (void)state;
    in.members = 9;
    assert_int_equal(change(in, IM_CHANGE_JOIN).reason, IM_OK);
    in.members = 10;
    assert_int_equal(change(in, IM_CHANGE_JOIN).reason, IM_GROUP_FULL);
    in.policy = &unlimited;
    assert_int_equal(change(in, IM_CHANGE_JOIN).reason, IM_OK);
    in.policy = &policy;
    in.members = 1;
    in.actor_groups = 5;
    assert_int_equal(change(in, IM_CHANGE_JOIN).reason, IM_TOO_MANY);
}

static void leaving(void **state)
{
    static const enum im_reason reasons[ROLES] = {
        IM_NO_SUCH_GROUP, IM_BANNED, IM_NO_SUCH_GROUP, IM_OK, IM_OK, IM_OK, IM_OK, IM_LAST_OWNER};
    (void)state;
    for (unsigned r = 0; r < ROLES; r++) {
        struct verdict v = change(in_group((enum im_role)r, IM_ROLE_NONE), IM_CHANGE_LEAVE);
        assert_int_equal(v.reason, reasons[r]);
        assert_int_equal(v.out.role, r == IM_ROLE_MUTED ? IM_ROLE_SILENCED : IM_ROLE_NONE);
        assert_false(v.out.ends || v.out.nothing);
    }
    struct im_rules_in in = in_group(IM_ROLE_OWNER, IM_ROLE_NONE);
    in.owners = 2;
    assert_int_equal(change(in, IM_CHANGE_LEAVE).reason, IM_OK);
    in.owners = in.members = 1;
    struct verdict v = change(in, IM_CHANGE_LEAVE);
    assert_int_equal(v.reason, IM_OK);
    assert_true(v.out.ends);
    in.actor = IM_ROLE_INVITED;
    assert_false(change(in, IM_CHANGE_LEAVE).out.ends);
}

static void the_group_itself(void **state)
{
    (void)state;
    for (unsigned r = 0; r < ROLES; r++) {
        struct im_rules_in in = in_group((enum im_role)r, IM_ROLE_NONE);
        assert_int_equal(change(in, IM_CHANGE_TOPIC).reason == IM_OK, r >= IM_ROLE_ADMIN);
        assert_int_equal(change(in, IM_CHANGE_SET).reason == IM_OK, r == IM_ROLE_OWNER);
        assert_int_equal(change(in, IM_CHANGE_DESTROY).reason == IM_OK, r == IM_ROLE_OWNER);
    }
    struct im_rules_in in = in_group(IM_ROLE_OWNER, IM_ROLE_NONE);
    assert_true(change(in, IM_CHANGE_DESTROY).out.ends);
    assert_int_equal(change(in, IM_CHANGE_DESTROY).out.role, IM_ROLE_NONE);
    assert_int_equal(change(in, IM_CHANGE_TOPIC).out.role, IM_ROLE_OWNER);
    assert_false(change(in, IM_CHANGE_TOPIC).out.nothing || change(in, IM_CHANGE_SET).out.nothing);
    in.topic = IM_STR("coffee");
    in.settings = 3;
    assert_true(change(in, IM_CHANGE_TOPIC).out.nothing && change(in, IM_CHANGE_SET).out.nothing);
}

static void nobody_without_an_account_is_drawn_in(void **state)
{
    struct im_rules_in in = in_group(IM_ROLE_ADMIN, IM_ROLE_NONE);
    struct im_policy open = {0};
    (void)state;
    in.peer_known = false;
    assert_int_equal(change(in, IM_CHANGE_INVITE).reason, IM_NO_SUCH_USER);
    assert_int_equal(change(in, IM_CHANGE_BAN).reason, IM_NO_SUCH_USER);
    assert_int_equal(say((struct im_rules_in){0}, IM_CONV_DIRECT, 0).reason, IM_NO_SUCH_USER);
    assert_int_equal(say(in, IM_CONV_GROUP, 0).reason, IM_OK);
    in.policy = &open;
    assert_int_equal(change(in, IM_CHANGE_INVITE).reason, IM_OK);
    assert_int_equal(say((struct im_rules_in){.policy = &open}, IM_CONV_DIRECT, 0).reason, IM_OK);
}

static void messages_by_role(void **state)
{
    static const enum im_reason reasons[ROLES] = {IM_NO_SUCH_GROUP, IM_BANNED, IM_NO_SUCH_GROUP, IM_NOT_MEMBER,
                                                  IM_MUTED};
    (void)state;
    for (unsigned r = 0; r < ROLES; r++) {
        struct im_rules_in in = with_ref(in_group((enum im_role)r, IM_ROLE_NONE), true, 1);
        struct im_msg m = {.kind = IM_CONV_GROUP, .body = IM_STR("x"), .ref = 1, .on = true};
        struct verdict v = judge(in, IM_EV_MSG, m);
        assert_int_equal(v.reason, reasons[r]);
        assert_int_equal(v.out.may_all, r >= IM_ROLE_ADMIN);
        v = judge(in, IM_EV_EDIT, m);
        assert_int_equal(v.reason, reasons[r]);
        assert_int_equal(v.out.may_all, r >= IM_ROLE_ADMIN);
        assert_int_equal(judge(in, IM_EV_REACT, m).reason, reasons[r]);
    }
    assert_false(say((struct im_rules_in){.peer_known = true}, IM_CONV_DIRECT, 0).out.may_all);
}

static void a_reply_needs_its_message(void **state)
{
    struct im_rules_in in = {.peer_known = true};
    (void)state;
    assert_int_equal(say(in, IM_CONV_DIRECT, 0).reason, IM_OK);
    assert_int_equal(say(in, IM_CONV_DIRECT, 7).reason, IM_NO_SUCH_MESSAGE);
    in = with_ref(in, false, 5);
    assert_int_equal(say(in, IM_CONV_DIRECT, 7).reason, IM_OK);
    in.ref_type = IM_EV_REACT;
    assert_int_equal(say(in, IM_CONV_DIRECT, 7).reason, IM_NO_SUCH_MESSAGE);
}

static struct verdict edit(struct im_rules_in in, const char *text)
{
    return judge(in, IM_EV_EDIT, (struct im_msg){.kind = IM_CONV_DIRECT, .body = im_str(text), .ref = 1});
}

static void edits(void **state)
{
    struct im_rules_in in = with_ref((struct im_rules_in){0}, true, 1000);
    (void)state;
    assert_int_equal(edit(in, "bye").reason, IM_OK);
    assert_false(edit(in, "bye").out.nothing);
    assert_true(edit(in, "hello").out.nothing);
    in.ref_mime = IM_STR("text/markdown");
    assert_false(edit(in, "hello").out.nothing);
    in.ref_ts_ms--;
    assert_int_equal(edit(in, "bye").reason, IM_TOO_LATE);
    in.policy = &(struct im_policy){0};
    assert_int_equal(edit(in, "bye").reason, IM_OK);
    assert_int_equal(edit(with_ref(in, false, 0), "bye").reason, IM_FORBIDDEN);
    in.ref_deleted = true;
    assert_int_equal(edit(in, "bye").reason, IM_NO_SUCH_MESSAGE);
    assert_int_equal(edit((struct im_rules_in){0}, "bye").reason, IM_NO_SUCH_MESSAGE);
    assert_int_equal(edit(with_ref((struct im_rules_in){0}, true, -5), "from the future").reason, IM_OK);
}

static struct verdict erase(struct im_rules_in in, enum im_conv_kind kind)
{
    return judge(in, IM_EV_DELETE, (struct im_msg){.kind = kind, .ref = 1});
}

static void deletions_in_direct_conversations(void **state)
{
    struct im_rules_in in = with_ref((struct im_rules_in){0}, true, 500);
    (void)state;
    assert_int_equal(erase(in, IM_CONV_DIRECT).reason, IM_OK);
    in.ref_ts_ms--;
    assert_int_equal(erase(in, IM_CONV_DIRECT).reason, IM_TOO_LATE);
    in.ref_deleted = true;
    assert_int_equal(erase(in, IM_CONV_DIRECT).reason, IM_OK);
    assert_true(erase(in, IM_CONV_DIRECT).out.nothing);
    assert_int_equal(erase(with_ref(in, false, 0), IM_CONV_DIRECT).reason, IM_FORBIDDEN);
    in.ref_type = IM_EV_MEMBER;
    assert_int_equal(erase(in, IM_CONV_DIRECT).reason, IM_NO_SUCH_MESSAGE);
    assert_int_equal(erase((struct im_rules_in){0}, IM_CONV_DIRECT).reason, IM_NO_SUCH_MESSAGE);
}

static void deletions_in_groups(void **state)
{
    static const enum im_reason own[ROLES] = {IM_NO_SUCH_GROUP, IM_BANNED, IM_NO_SUCH_GROUP, IM_NOT_MEMBER};
    static const enum im_reason others[ROLES] = {IM_NO_SUCH_GROUP, IM_BANNED,    IM_NO_SUCH_GROUP,
                                                 IM_NOT_MEMBER,    IM_FORBIDDEN, IM_FORBIDDEN};
    (void)state;
    for (unsigned r = 0; r < ROLES; r++) {
        struct im_rules_in in = in_group((enum im_role)r, IM_ROLE_NONE);
        enum im_reason late = r == IM_ROLE_MUTED || r == IM_ROLE_MEMBER ? IM_TOO_LATE : own[r];
        assert_int_equal(erase(with_ref(in, true, 0), IM_CONV_GROUP).reason, own[r]);
        assert_int_equal(erase(with_ref(in, true, 501), IM_CONV_GROUP).reason, late);
        assert_int_equal(erase(with_ref(in, false, 501), IM_CONV_GROUP).reason, others[r]);
    }
}

static void deletions_for_oneself(void **state)
{
    struct im_rules_in in = with_ref((struct im_rules_in){0}, false, 100000);
    (void)state;
    assert_int_equal(erase(in, IM_CONV_SELF).reason, IM_OK);
    assert_false(erase(in, IM_CONV_SELF).out.nothing);
    in.hidden_already = true;
    assert_true(erase(in, IM_CONV_SELF).out.nothing);
    assert_int_equal(erase((struct im_rules_in){0}, IM_CONV_SELF).reason, IM_NO_SUCH_MESSAGE);
}

static struct verdict react(struct im_rules_in in, bool on)
{
    return judge(in, IM_EV_REACT,
                 (struct im_msg){.kind = IM_CONV_DIRECT, .ref = 1, .body = IM_STR("\xF0\x9F\x91\x8D"), .on = on});
}

static void reactions(void **state)
{
    struct im_rules_in in = with_ref((struct im_rules_in){0}, false, 100000);
    (void)state;
    assert_int_equal(react((struct im_rules_in){0}, true).reason, IM_NO_SUCH_MESSAGE);
    in.reactions = 2;
    assert_int_equal(react(in, true).reason, IM_OK);
    assert_false(react(in, true).out.nothing);
    assert_true(react(in, false).out.nothing);
    in.reactions = 3;
    assert_int_equal(react(in, true).reason, IM_TOO_MANY);
    in.emoji_there = true;
    assert_int_equal(react(in, true).reason, IM_OK);
    in.reacted = true;
    assert_true(react(in, true).out.nothing);
    assert_false(react(in, false).out.nothing);
    in.ref_deleted = true;
    assert_int_equal(react(in, false).reason, IM_NO_SUCH_MESSAGE);
}

static struct verdict to_peer(struct im_rules_in in, enum im_event_type type)
{
    return judge(in, type, (struct im_msg){.kind = IM_CONV_DIRECT, .body = IM_STR("x"), .ref = 1, .on = true});
}

static void what_the_blocked_say_is_hidden(void **state)
{
    struct im_rules_in in = with_ref((struct im_rules_in){.blocked = true}, true, 0), invite;
    (void)state;
    assert_true(to_peer(in, IM_EV_MSG).out.hidden && to_peer(in, IM_EV_EDIT).out.hidden);
    assert_true(to_peer(in, IM_EV_REACT).out.hidden);
    assert_false(to_peer(in, IM_EV_DELETE).out.hidden);
    assert_false(erase(in, IM_CONV_SELF).out.hidden);
    in.blocked = false;
    assert_false(to_peer(in, IM_EV_MSG).out.hidden || to_peer(in, IM_EV_EDIT).out.hidden);
    in.ref_hidden = true;
    assert_true(to_peer(in, IM_EV_EDIT).out.hidden && to_peer(in, IM_EV_DELETE).out.hidden);
    assert_false(to_peer(in, IM_EV_MSG).out.hidden);
    invite = in_group(IM_ROLE_MEMBER, IM_ROLE_NONE);
    assert_false(change(invite, IM_CHANGE_INVITE).out.hidden);
    invite.blocked = true;
    assert_true(change(invite, IM_CHANGE_INVITE).out.hidden);
    assert_false(say(invite, IM_CONV_GROUP, 0).out.hidden);
}

static void who_writes_or_comes_has_read(void **state)
{
    struct im_rules_in direct = with_ref((struct im_rules_in){0}, true, 0);
    struct im_rules_in in = in_group(IM_ROLE_OWNER, IM_ROLE_MEMBER);
    (void)state;
    assert_true(to_peer(direct, IM_EV_MSG).out.read);
    assert_false(to_peer(direct, IM_EV_EDIT).out.read || to_peer(direct, IM_EV_REACT).out.read);
    assert_true(change((struct im_rules_in){0}, IM_CHANGE_CREATE).out.read && change(in, IM_CHANGE_JOIN).out.read);
    assert_false(change(in, IM_CHANGE_KICK).out.read || change(in, IM_CHANGE_TOPIC).out.read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(invitations),
        cmocka_unit_test(kicks),
        cmocka_unit_test(bans),
        cmocka_unit_test(bans_end),
        cmocka_unit_test(roles_given),
        cmocka_unit_test(groups_are_made_once),
        cmocka_unit_test(without_a_group_there_is_nothing_to_do),
        cmocka_unit_test(joining_takes_an_invitation_or_a_public_group),
        cmocka_unit_test(full_is_full),
        cmocka_unit_test(leaving),
        cmocka_unit_test(the_group_itself),
        cmocka_unit_test(nobody_without_an_account_is_drawn_in),
        cmocka_unit_test(messages_by_role),
        cmocka_unit_test(a_reply_needs_its_message),
        cmocka_unit_test(edits),
        cmocka_unit_test(deletions_in_direct_conversations),
        cmocka_unit_test(deletions_in_groups),
        cmocka_unit_test(deletions_for_oneself),
        cmocka_unit_test(reactions),
        cmocka_unit_test(what_the_blocked_say_is_hidden),
        cmocka_unit_test(who_writes_or_comes_has_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
