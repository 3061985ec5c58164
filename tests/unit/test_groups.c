#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/world.h"

/* Groups as the core sees them: who is told what, at once and later. */

struct three {
    struct wire a, b, c;
};

static struct three enter(struct world *w, struct three *t)
{
    wire_open(w, &t->a, &im_dialect_json);
    wire_open(w, &t->b, &im_dialect_json);
    wire_open(w, &t->c, &im_dialect_json);
    wire_login(&t->a, "ann");
    wire_login(&t->b, "bob");
    wire_login(&t->c, "cat");
    return *t;
}

static void leave(struct three *t)
{
    wire_close_now(&t->a);
    wire_close_now(&t->b);
    wire_close_now(&t->c);
}

static void hush(struct three *t)
{
    wire_heard(&t->a);
    wire_heard(&t->b);
    wire_heard(&t->c);
}

/* ann has made #tea, bob and cat are in it. */
static void tea(struct three *t)
{
    wire_say(&t->a, "{\"op\":\"group\",\"id\":1,\"do\":\"create\",\"conv\":\"#tea\",\"public\":true}");
    wire_say(&t->b, "{\"op\":\"group\",\"id\":1,\"do\":\"join\",\"conv\":\"#tea\"}");
    wire_say(&t->c, "{\"op\":\"group\",\"id\":1,\"do\":\"join\",\"conv\":\"#tea\"}");
    hush(t);
}

static void members_learn_who_comes(void **state)
{
    struct three t;
    enter(*state, &t);
    wire_say(&t.a,
             "{\"op\":\"group\",\"id\":1,\"do\":\"create\",\"conv\":\"#Tea\",\"text\":\"milk first\",\"public\":true}");
    assert_heard_part(&t.a, "\"id\":1,\"conv\":\"#Tea\",\"seq\":1");
    wire_say(&t.b, "{\"op\":\"group\",\"id\":1,\"do\":\"join\",\"conv\":\"#tea\"}");
    assert_heard_part(&t.b, "\"conv\":\"#Tea\",\"seq\":2");
    assert_heard_part(&t.a, "\"op\":\"member\",\"conv\":\"#Tea\",\"seq\":2");
    assert_heard(&t.c, "");
    leave(&t);
}

static void a_message_reaches_every_member_and_nobody_else(void **state)
{
    struct three t;
    struct wire d;
    enter(*state, &t);
    tea(&t);
    wire_open(*state, &d, &im_dialect_json);
    wire_login(&d, "dan");
    wire_say(&t.a, "{\"op\":\"send\",\"id\":2,\"to\":\"#tea\",\"text\":\"hi\"}");
    assert_heard_part(&t.a, "\"online\":true");
    assert_heard_part(&t.b, "\"conv\":\"#tea\"");
    assert_heard_part(&t.c, "\"text\":\"hi\"");
    assert_heard(&d, "");
    wire_say(&d, "{\"op\":\"send\",\"id\":2,\"to\":\"#tea\",\"text\":\"hi\"}");
    assert_heard_part(&d, "not_member");
    wire_close_now(&d);
    leave(&t);
}

static void who_is_thrown_out_learns_it_and_hears_no_more(void **state)
{
    struct three t;
    enter(*state, &t);
    tea(&t);
    wire_say(&t.a, "{\"op\":\"group\",\"id\":2,\"do\":\"kick\",\"conv\":\"#tea\",\"user\":\"bob\"}");
    assert_heard_part(&t.b, "\"do\":\"kick\"");
    wire_say(&t.a, "{\"op\":\"send\",\"id\":3,\"to\":\"#tea\",\"text\":\"gone\"}");
    assert_heard(&t.b, "");
    assert_heard_part(&t.c, "gone");
    leave(&t);
}

static void who_was_away_learns_it_all_in_order(void **state)
{
    struct three t;
    enter(*state, &t);
    tea(&t);
    wire_close_now(&t.b);
    wire_say(&t.a, "{\"op\":\"send\",\"id\":2,\"to\":\"#tea\",\"text\":\"one\"}");
    wire_say(&t.a, "{\"op\":\"group\",\"id\":3,\"do\":\"ban\",\"conv\":\"#tea\",\"user\":\"bob\"}");
    wire_say(&t.a, "{\"op\":\"send\",\"id\":4,\"to\":\"#tea\",\"text\":\"two\"}");
    wire_open(*state, &t.b, &im_dialect_json);
    wire_say(&t.b, "{\"op\":\"login\",\"id\":1,\"user\":\"bob\"}");
    const char *heard = wire_heard(&t.b);
    const char *one = strstr(heard, "one"), *ban = strstr(heard, "\"ban\"");
    assert_true(one && ban && one < ban);
    assert_null(strstr(heard, "two"));
    leave(&t);
}

static void an_invitation_reaches_the_one_it_is_for(void **state)
{
    struct three t;
    enter(*state, &t);
    wire_say(&t.a, "{\"op\":\"group\",\"id\":1,\"do\":\"create\",\"conv\":\"#den\"}");
    wire_say(&t.b, "{\"op\":\"group\",\"id\":1,\"do\":\"join\",\"conv\":\"#den\"}");
    assert_heard_part(&t.b, "\"op\":\"err\"");
    wire_say(&t.a, "{\"op\":\"group\",\"id\":2,\"do\":\"invite\",\"conv\":\"#den\",\"user\":\"bob\"}");
    assert_heard_part(&t.b, "\"do\":\"invite\"");
    assert_heard(&t.c, "");
    wire_say(&t.a, "{\"op\":\"send\",\"id\":3,\"to\":\"#den\",\"text\":\"not yet\"}");
    assert_heard(&t.b, "");
    wire_say(&t.b, "{\"op\":\"group\",\"id\":2,\"do\":\"join\",\"conv\":\"#den\"}");
    assert_heard_part(&t.b, "\"op\":\"ok\"");
    wire_say(&t.a, "{\"op\":\"send\",\"id\":4,\"to\":\"#den\",\"text\":\"now\"}");
    assert_heard_part(&t.b, "now");
    leave(&t);
}

static void settings_change_one_at_a_time(void **state)
{
    struct three t;
    enter(*state, &t);
    tea(&t);
    wire_say(&t.a, "{\"op\":\"group\",\"id\":2,\"do\":\"set\",\"conv\":\"#tea\",\"history\":\"all\"}");
    assert_heard_part(&t.a, "\"op\":\"ok\",\"id\":2");
    wire_say(&t.b, "{\"op\":\"group\",\"id\":3,\"do\":\"info\",\"conv\":\"#tea\"}");
    const char *heard = wire_heard(&t.b);
    assert_non_null(strstr(heard, "\"public\":true"));
    assert_non_null(strstr(heard, "\"history\":\"all\""));
    assert_non_null(strstr(heard, "\"members\":3"));
    assert_non_null(strstr(heard, "\"online\":3"));
    wire_say(&t.b, "{\"op\":\"group\",\"id\":2,\"do\":\"set\",\"conv\":\"#tea\",\"public\":false}");
    assert_heard_part(&t.b, "forbidden");
    leave(&t);
}

/* ann asks for it under the cid "c"; what she hears. */
static const char *changes(struct three *t, const char *change)
{
    char text[300];
    snprintf(text, sizeof text, "{\"op\":\"group\",\"id\":9,\"conv\":\"#tea\",\"cid\":\"c\",%s}", change);
    wire_say(&t->a, text);
    return wire_heard(&t->a);
}

static void a_change_repeated_is_answered_again_and_told_to_nobody(void **state)
{
    static const char *const repeated[] = {
        "\"do\":\"set\",\"public\":false",
        "\"do\":\"set\",\"history\":\"all\"",
        "\"do\":\"set\",\"public\":false,\"history\":\"all\"",
        "\"do\":\"role\",\"user\":\"bob\",\"role\":\"admin\"",
    };
    (void)state;
    for (size_t i = 0; i < sizeof repeated / sizeof *repeated; i++) {
        void *fresh = NULL;
        struct three t;
        world_new(&fresh);
        enter(fresh, &t);
        tea(&t);
        const char *first = changes(&t, repeated[i]);
        assert_non_null(strstr(first, "\"seq\":4"));
        assert_null(strstr(first, "dup"));
        hush(&t);
        const char *again = changes(&t, repeated[i]);
        assert_non_null(strstr(again, "\"seq\":4"));
        assert_non_null(strstr(again, "\"dup\":true"));
        assert_heard(&t.b, "");
        assert_int_equal(((struct world *)fresh)->counters.n[IM_C_DUPLICATES], 1);
        leave(&t);
        world_free(&fresh);
    }
}

static void another_change_under_the_same_cid_is_a_conflict(void **state)
{
    static const char *const others[] = {
        "\"do\":\"set\",\"public\":true",
        "\"do\":\"set\",\"history\":\"all\"",
        "\"do\":\"set\",\"public\":false,\"history\":\"all\"",
        "\"do\":\"topic\",\"text\":\"milk\"",
        "\"do\":\"role\",\"user\":\"bob\",\"role\":\"admin\"",
    };
    struct three t;
    enter(*state, &t);
    tea(&t);
    assert_non_null(strstr(changes(&t, "\"do\":\"set\",\"public\":false"), "\"op\":\"ok\""));
    hush(&t);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_non_null(strstr(changes(&t, others[i]), "cid_conflict"));
    assert_heard(&t.b, "");
    leave(&t);
}

static void another_role_under_the_same_cid_is_a_conflict(void **state)
{
    struct three t;
    enter(*state, &t);
    tea(&t);
    changes(&t, "\"do\":\"role\",\"user\":\"bob\",\"role\":\"admin\"");
    assert_non_null(strstr(changes(&t, "\"do\":\"role\",\"user\":\"bob\",\"role\":\"muted\""), "cid_conflict"));
    assert_non_null(strstr(changes(&t, "\"do\":\"role\",\"user\":\"cat\",\"role\":\"admin\""), "cid_conflict"));
    leave(&t);
}

static void watchers_of_a_group_are_told_its_count_now_and_then(void **state)
{
    struct world *w = *state;
    struct three t;
    enter(w, &t);
    tea(&t);
    wire_say(&t.a, "{\"op\":\"presence\",\"id\":2,\"users\":[\"#tea\"]}");
    assert_heard_part(&t.a, "\"conv\":\"#tea\",\"online\":3");
    world_time(w, w->config->group_presence_ms);
    hush(&t);
    wire_close_now(&t.c);
    world_time(w, w->config->group_presence_ms);
    assert_heard_part(&t.a, "\"conv\":\"#tea\",\"online\":2");
    wire_open(w, &t.c, &im_dialect_json);
    leave(&t);
}

static void a_destroyed_group_is_gone_for_all(void **state)
{
    struct three t;
    enter(*state, &t);
    tea(&t);
    wire_say(&t.a, "{\"op\":\"presence\",\"id\":2,\"users\":[\"#tea\"]}");
    wire_say(&t.a, "{\"op\":\"group\",\"id\":3,\"do\":\"delete\",\"conv\":\"#tea\"}");
    assert_heard_part(&t.b, "\"do\":\"delete\"");
    wire_say(&t.b, "{\"op\":\"send\",\"id\":2,\"to\":\"#tea\",\"text\":\"hi\"}");
    assert_heard_part(&t.b, "no_such_group");
    leave(&t);
}

static void typing_shows_to_members_while_they_are_here(void **state)
{
    struct three t;
    enter(*state, &t);
    tea(&t);
    wire_say(&t.a, "{\"op\":\"typing\",\"conv\":\"#tea\"}");
    assert_heard(&t.b, "{\"op\":\"typing\",\"conv\":\"#tea\",\"user\":\"ann\",\"on\":true,\"for\":6000}\n");
    assert_heard(&t.a, "");
    leave(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(members_learn_who_comes),
        world_test(a_message_reaches_every_member_and_nobody_else),
        world_test(who_is_thrown_out_learns_it_and_hears_no_more),
        world_test(who_was_away_learns_it_all_in_order),
        world_test(an_invitation_reaches_the_one_it_is_for),
        world_test(settings_change_one_at_a_time),
        cmocka_unit_test(a_change_repeated_is_answered_again_and_told_to_nobody),
        world_test(another_change_under_the_same_cid_is_a_conflict),
        world_test(another_role_under_the_same_cid_is_a_conflict),
        world_test(watchers_of_a_group_are_told_its_count_now_and_then),
        world_test(a_destroyed_group_is_gone_for_all),
        world_test(typing_shows_to_members_while_they_are_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
