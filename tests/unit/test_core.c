#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/world.h"

static void a_message_is_committed_acknowledged_and_shown(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    wire_open(w, &a, &im_dialect_json);
    wire_open(w, &b, &im_dialect_json);
    wire_login(&a, "小明");
    wire_login(&b, "翠花");
    wire_say(&a, "{\"op\":\"send\",\"id\":7,\"to\":\"翠花\",\"text\":\"hi\",\"cid\":\"c1\"}");
    assert_heard(&a, "{\"op\":\"ok\",\"id\":7,\"conv\":\"翠花\",\"seq\":1,\"pos\":\"1\",\"ts\":1700000000001,"
                     "\"online\":true}\n");
    assert_heard(&b, "{\"op\":\"msg\",\"conv\":\"小明\",\"seq\":1,\"pos\":\"1\",\"from\":\"小明\",\"to\":\"翠花\","
                     "\"ts\":1700000000001,\"text\":\"hi\",\"cid\":\"c1\"}\n");
    wire_close_now(&a);
    wire_close_now(&b);
}

static void nothing_is_said_before_the_store_has_committed(void **state)
{
    struct world *w = *state;
    struct wire a;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a");
    im_core_input(w->core, &a.link, im_str("{\"op\":\"send\",\"id\":7,\"to\":\"a\",\"text\":\"hi\"}"));
    assert_int_equal(a.out.len, 0);
    assert_heard_part(&a, "\"id\":7");
    wire_close_now(&a);
}

static void a_store_that_does_not_wait_answers_at_once(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a");
    wire_open(w, &b, &im_dialect_json);
    wire_login(&b, "b");
    w->store->prompt = true;
    im_core_input(w->core, &a.link, im_str("{\"op\":\"send\",\"id\":7,\"to\":\"b\",\"text\":\"hi\"}"));
    assert_non_null(strstr(im_out_data(&a.out), "\"id\":7"));
    assert_non_null(strstr(im_out_data(&b.out), "\"text\":\"hi\""));
    wire_close_now(&a);
    wire_close_now(&b);
}

static void a_repeated_cid_gets_the_first_answer(void **state)
{
    struct world *w = *state;
    struct wire a;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a");
    wire_say(&a, "{\"op\":\"send\",\"id\":1,\"to\":\"b\",\"text\":\"hi\",\"cid\":\"c\"}");
    assert_heard_part(&a, "\"seq\":1,\"pos\":\"1\"");
    world_time(w, 5000);
    wire_say(&a, "{\"op\":\"send\",\"id\":2,\"to\":\"B\",\"text\":\"hi\",\"cid\":\"c\"}");
    assert_heard(&a, "{\"op\":\"ok\",\"id\":2,\"conv\":\"b\",\"seq\":1,\"pos\":\"1\",\"ts\":1700000000001,"
                     "\"dup\":true,\"online\":false}\n");
    wire_say(&a, "{\"op\":\"send\",\"id\":3,\"to\":\"b\",\"text\":\"ho\",\"cid\":\"c\"}");
    assert_heard_part(&a, "\"code\":409,\"name\":\"cid_conflict\"");
    wire_close_now(&a);
}

static void a_message_waits_for_whom_it_is_for(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a");
    wire_say(&a, "{\"op\":\"send\",\"id\":1,\"to\":\"b\",\"text\":\"one\"}");
    assert_heard_part(&a, "\"online\":false");
    wire_open(w, &b, &im_dialect_json);
    wire_say(&b, "{\"op\":\"login\",\"id\":1,\"user\":\"b\"}");
    assert_heard_part(&b, "\"text\":\"one\"");
    wire_close_now(&b);
    wire_open(w, &b, &im_dialect_json);
    wire_say(&b, "{\"op\":\"login\",\"id\":1,\"user\":\"b\"}");
    assert_null(strstr(wire_heard(&b), "one")); /* the default cursor moved when the bytes had left */
    wire_close_now(&a);
    wire_close_now(&b);
}

static void a_named_device_gets_again_what_it_did_not_ack(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a");
    for (unsigned round = 0; round < 2; round++) {
        wire_open(w, &b, &im_dialect_json);
        wire_say(&b, "{\"op\":\"hello\",\"device\":\"d\"}");
        wire_login(&b, "b");
        wire_close_now(&b);
        if (round == 0) {
            wire_say(&a, "{\"op\":\"send\",\"to\":\"b\",\"text\":\"one\"}");
            wire_say(&a, "{\"op\":\"send\",\"to\":\"b\",\"text\":\"two\"}");
        }
    }
    wire_open(w, &b, &im_dialect_json);
    wire_say(&b, "{\"op\":\"hello\",\"device\":\"d\"}");
    wire_say(&b, "{\"op\":\"login\",\"user\":\"b\"}");
    assert_heard_part(&b, "one");
    wire_say(&b, "{\"op\":\"ack\",\"id\":9,\"pos\":\"1\"}");
    assert_heard(&b, "{\"op\":\"ok\",\"id\":9}\n");
    wire_say(&b, "{\"op\":\"ack\",\"id\":9,\"pos\":\"99\"}");
    assert_heard_part(&b, "ahead of what was sent");
    wire_close_now(&b);
    wire_open(w, &b, &im_dialect_json);
    wire_say(&b, "{\"op\":\"hello\",\"device\":\"d\"}");
    wire_say(&b, "{\"op\":\"login\",\"user\":\"b\"}");
    const char *heard = wire_heard(&b);
    assert_null(strstr(heard, "one"));
    assert_non_null(strstr(heard, "two"));
    wire_close_now(&a);
    wire_close_now(&b);
}

/* A store that has done its work some time before it says so, as one with threads does. */
static struct late {
    const struct im_store_ops *inner;
    struct late_op {
        struct im_store_op *op;
        enum im_store_op_kind kind;
        void (*done)(struct im_store_op *);
    } ops[16];
    size_t submitted, performed, told;
} late;

static void late_performed(struct im_store_op *op)
{
    assert_ptr_equal(late.ops[late.performed].op, op);
    late.performed++;
}

static void late_submit(struct im_store *store, struct im_store_op *op)
{
    assert_true(late.submitted < sizeof late.ops / sizeof *late.ops);
    late.ops[late.submitted++] = (struct late_op){op, op->kind, op->done};
    op->done = late_performed;
    late.inner->submit(store, op);
}

static size_t late_drain(struct im_store *store)
{
    size_t count = 0, until = late.performed;
    for (; late.told < until; count++) {
        struct late_op *next = &late.ops[late.told++];
        next->op->done = next->done;
        next->done(next->op);
    }
    return count + late.inner->drain(store);
}

static void what_a_device_acked_does_not_come_again_however_its_sessions_overlap(void **state)
{
    struct world *w = *state;
    struct wire a, old, new;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a");
    wire_open(w, &old, &im_dialect_json);
    wire_say(&old, "{\"op\":\"hello\",\"device\":\"d\"}");
    wire_login(&old, "b");
    wire_say(&a, "{\"op\":\"send\",\"to\":\"b\",\"text\":\"one\"}");
    assert_heard_part(&old, "one");
    wire_say(&old, "{\"op\":\"ack\",\"pos\":\"1\"}");
    wire_open(w, &new, &im_dialect_json);
    wire_say(&new, "{\"op\":\"hello\",\"device\":\"d\"}");
    struct im_store_ops ops = {.submit = late_submit, .drain = late_drain};
    late = (struct late){.inner = w->store->ops};
    w->store->ops = &ops;
    im_core_input(w->core, &new.link, IM_STR("{\"op\":\"login\",\"user\":\"b\"}"));
    while (late.performed == 0 || late.ops[late.performed - 1].kind != IM_STORE_LOGIN)
        w->store->ops->drain(w->store);
    wire_close_now(&old);
    w->store->ops = late.inner;
    assert_null(strstr(wire_heard(&new), "one"));
    wire_close_now(&a);
    wire_close_now(&new);
}

static void a_device_that_signs_in_again_replaces_itself(void **state)
{
    struct world *w = *state;
    struct wire a, b, c;
    struct im_online online;
    wire_open(w, &a, &im_dialect_json);
    wire_say(&a, "{\"op\":\"hello\",\"device\":\"d\"}");
    wire_login(&a, "a");
    wire_open(w, &c, &im_dialect_json);
    wire_login(&c, "c");
    wire_say(&c, "{\"op\":\"presence\",\"id\":1,\"users\":[\"a\"]}");
    assert_heard_part(&c, "online");
    wire_open(w, &b, &im_dialect_json);
    wire_say(&b, "{\"op\":\"hello\",\"device\":\"d\"}");
    wire_login(&b, "a");
    assert_true(a.closed);
    assert_int_equal(a.reason, IM_REPLACED);
    assert_heard_part(&a, "{\"op\":\"bye\",\"code\":409,\"name\":\"replaced\"");
    assert_heard(&c, ""); /* no flicker */
    im_core_online(w->core, &online);
    assert_int_equal(online.sessions, 2);
    wire_close_now(&a);
    wire_close_now(&b);
    world_time(w, w->config->linger_ms);
    assert_heard(&c, "{\"op\":\"presence\",\"user\":\"a\",\"state\":\"offline\"}\n");
    wire_close_now(&c);
}

static void own_messages_reach_the_other_sessions_only(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    wire_open(w, &a, &im_dialect_json);
    wire_open(w, &b, &im_dialect_human);
    wire_login(&a, "a");
    wire_say(&b, "/login a");
    wire_heard(&b);
    wire_say(&a, "{\"op\":\"send\",\"to\":\"b\",\"text\":\"hi\"}");
    assert_heard(&a, "");
    assert_heard(&b, "22:13 a → b: hi\n");
    wire_close_now(&a);
    wire_close_now(&b);
}

static void what_is_sent_while_catching_up_does_not_come_back(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    w->config->replay = 1;
    wire_open(w, &b, &im_dialect_human);
    wire_say(&b, "/login b");
    wire_say(&b, "/msg a one");
    wire_say(&b, "/msg a two");
    wire_open(w, &a, &im_dialect_human);
    im_core_input(w->core, &a.link, IM_STR("/login a"));
    while (a.out.len == 0)
        w->store->ops->drain(w->store);
    im_core_input(w->core, &a.link, IM_STR("/msg b three"));
    const char *heard = wire_heard(&a);
    assert_non_null(strstr(heard, "b: one\n22:13 b: two\n"));
    assert_null(strstr(heard, "three"));
    assert_heard_part(&b, "a: three");
    wire_close_now(&a);
    wire_close_now(&b);
}

static void a_slow_reader_falls_behind_and_catches_up_from_the_log(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    w->config->queue_soft_bytes = 500;
    wire_open(w, &a, &im_dialect_json);
    wire_open(w, &b, &im_dialect_json);
    wire_login(&a, "a");
    wire_login(&b, "b");
    b.stuck = true;
    for (unsigned i = 0; i < 50; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"op\":\"send\",\"to\":\"b\",\"text\":\"<%u>\"}", i);
        wire_say(&a, text);
    }
    assert_in_range(b.queued, 1, 1000);
    assert_int_equal(w->counters.n[IM_C_FELL_BEHIND], 1);
    b.stuck = false;
    const char *heard = wire_heard(&b);
    for (unsigned i = 0; i < 50; i++) {
        char text[20];
        snprintf(text, sizeof text, "\"<%u>\"", i);
        heard = strstr(heard, text);
        assert_non_null(heard);
    }
    wire_close_now(&a);
    wire_close_now(&b);
}

static void too_many_unanswered_requests_hold_reading(void **state)
{
    struct world *w = *state;
    struct wire a;
    w->config->inflight = 2;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a");
    assert_false(a.held);
    im_core_input(w->core, &a.link, im_str("{\"op\":\"send\",\"to\":\"b\",\"text\":\"1\"}"));
    assert_false(a.held);
    im_core_input(w->core, &a.link, im_str("{\"op\":\"send\",\"to\":\"b\",\"text\":\"2\"}"));
    assert_true(a.held);
    wire_settle(&a);
    assert_false(a.held);
    wire_close_now(&a);
}

static void a_flood_is_held_to_the_rate(void **state)
{
    struct world *w = *state;
    struct wire a;
    w->config->rate = 10;
    w->config->burst = 3;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a"); /* one token */
    wire_say(&a, "{\"op\":\"ping\"}");
    assert_false(a.held);
    wire_say(&a, "{\"op\":\"ping\"}");
    assert_true(a.held);
    world_time(w, 100);
    assert_false(a.held);
    wire_say(&a, "{\"op\":\"ping\"}");
    assert_true(a.held);
    wire_close_now(&a);
}

static void who_floods_without_a_pause_is_closed(void **state)
{
    struct world *w = *state;
    struct wire a;
    w->config->rate = 10;
    w->config->burst = 3;
    w->config->flood_ms = 1000;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a");
    for (unsigned i = 0; i < 5; i++)
        wire_say(&a, "{\"op\":\"ping\"}");
    world_time(w, 600); /* a pause: the bucket is full again */
    wire_say(&a, "{\"op\":\"ping\"}");
    for (unsigned i = 0; i < 10; i++) {
        assert_false(a.closed);
        wire_say(&a, "{\"op\":\"ping\"}");
        wire_say(&a, "{\"op\":\"ping\"}");
        wire_say(&a, "{\"op\":\"ping\"}");
        world_time(w, 100);
    }
    assert_true(a.closed);
    assert_int_equal(a.reason, IM_FLOOD);
    wire_close_now(&a);
}

static void asking_after_many_users_costs_more(void **state)
{
    struct world *w = *state;
    struct wire a;
    w->config->rate = 1;
    w->config->burst = 5;
    wire_open(w, &a, &im_dialect_human);
    wire_say(&a, "/login a"); /* 1 */
    wire_say(&a, "/who b");   /* 1 */
    assert_false(a.held);
    wire_say(&a, "/who a b c d e f g h i j k l m n o p"); /* 3 */
    assert_true(a.held);
    wire_close_now(&a);
}

static void one_read_at_a_time_is_served(void **state)
{
    struct world *w = *state;
    struct wire a;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a");
    im_core_input(w->core, &a.link, IM_STR("{\"op\":\"send\",\"id\":1,\"to\":\"b\",\"text\":\"x\"}"));
    assert_false(a.held);
    im_core_input(w->core, &a.link, IM_STR("{\"op\":\"history\",\"id\":2,\"conv\":\"b\"}"));
    assert_true(a.held);
    wire_settle(&a);
    assert_false(a.held);
    wire_close_now(&a);
}

static void a_refused_login_from_the_url_ends_the_session(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    w->config->sessions_per_user = 1;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a");
    wire_open(w, &b, &im_dialect_json);
    struct im_command cmd = {.op = IM_OP_LOGIN, .or_close = true, .have = IM_BIT(user), .user = IM_STR("a")};
    im_core_command(w->core, &b.link, &cmd);
    assert_heard_part(&b, "\"name\":\"too_many\"");
    assert_true(b.closed);
    assert_int_equal(b.reason, IM_TOO_MANY);
    wire_close_now(&a);
    wire_close_now(&b);
}

static void a_long_list_of_conversations_leaves_out_last_messages(void **state)
{
    struct world *w = *state;
    struct wire a;
    w->config->queue_soft_bytes = 10;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a");
    wire_say(&a, "{\"op\":\"send\",\"to\":\"b\",\"text\":\"0123456789\"}");
    wire_say(&a, "{\"op\":\"send\",\"to\":\"c\",\"text\":\"9876543210\"}");
    wire_say(&a, "{\"op\":\"conversations\",\"id\":1}");
    const char *heard = wire_heard(&a);
    assert_non_null(strstr(heard, "9876543210"));
    assert_null(strstr(heard, "0123456789"));
    assert_non_null(strstr(heard, "{\"conv\":\"b\",\"seq\":1,"));
    wire_close_now(&a);
}

static void what_never_left_comes_again(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a");
    wire_open(w, &b, &im_dialect_json);
    wire_login(&b, "b");
    b.stuck = true;
    wire_say(&a, "{\"op\":\"send\",\"to\":\"b\",\"text\":\"lost?\"}");
    wire_settle(&b);
    wire_close_now(&b);
    wire_open(w, &b, &im_dialect_json);
    wire_say(&b, "{\"op\":\"login\",\"user\":\"b\"}");
    assert_heard_part(&b, "lost?");
    wire_close_now(&a);
    wire_close_now(&b);
}

static void who_does_not_log_in_in_time_is_told_and_closed(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    wire_open(w, &a, &im_dialect_json);
    wire_open(w, &b, &im_dialect_human);
    world_time(w, w->config->login_timeout_ms);
    assert_true(a.closed);
    assert_int_equal(a.reason, IM_LOGIN_TIMEOUT);
    assert_heard_part(&a, "\"name\":\"login_timeout\"");
    assert_false(b.closed); /* people type */
    world_time(w, w->config->human_timeout_ms);
    assert_true(b.closed);
    wire_close_now(&a);
    wire_close_now(&b);
}

static void a_cursor_of_another_log_is_reset(void **state)
{
    struct world *w = *state;
    struct wire a;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a");
    wire_say(&a, "{\"op\":\"send\",\"to\":\"a\",\"text\":\"note\"}");
    wire_close_now(&a);
    static const char *const bad[] = {"\"since\":\"999\"", "\"since\":\"1\",\"epoch\":\"elsewhere\""};
    for (size_t i = 0; i < 2; i++) {
        char text[200];
        snprintf(text, sizeof text, "{\"op\":\"login\",\"user\":\"a\",%s}", bad[i]);
        wire_open(w, &a, &im_dialect_json);
        wire_say(&a, text);
        assert_heard_part(&a, "{\"op\":\"reset\",\"pos\":\"1\"}");
        wire_close_now(&a);
    }
    wire_open(w, &a, &im_dialect_json);
    wire_say(&a, "{\"op\":\"login\",\"user\":\"a\",\"since\":\"0\"}");
    assert_heard_part(&a, "\"text\":\"note\"");
    wire_close_now(&a);
}

static void the_end_of_input_is_answered_before_the_end(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    wire_open(w, &b, &im_dialect_human);
    wire_say(&b, "/login b");
    wire_say(&b, "/msg a one");
    wire_say(&b, "/msg a two");
    wire_open(w, &a, &im_dialect_human);
    im_core_input(w->core, &a.link, IM_STR("/login a"));
    im_core_input_end(w->core, &a.link);
    assert_false(a.closed);
    const char *heard = wire_heard(&a);
    assert_non_null(strstr(heard, "b: one"));
    assert_non_null(strstr(heard, "b: two"));
    assert_true(a.closed);
    assert_int_equal(a.reason, IM_BYE);
    wire_close_now(&a);
    wire_close_now(&b);
}

static void draining_says_when_to_come_back(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a");
    im_core_drain(w->core, 5000);
    assert_true(a.closed);
    assert_heard_part(&a, "\"name\":\"drain\"");
    b.link.ops = &wire_ops;
    struct im_link_info info = {.transport = "test"};
    assert_int_equal(im_core_opened(w->core, &b.link, &info), IM_DRAIN);
    assert_false(im_core_idle(w->core));
    wire_close_now(&a);
    assert_true(im_core_idle(w->core));
}

static void gauges_follow_kicks_at_once(void **state)
{
    struct world *w = *state;
    struct wire a[3];
    struct im_online online;
    for (unsigned i = 0; i < 3; i++) {
        wire_open(w, &a[i], &im_dialect_json);
        wire_login(&a[i], i < 2 ? "Ann" : "bob");
    }
    im_core_online(w->core, &online);
    assert_int_equal(online.users, 2);
    assert_int_equal(online.sessions, 3);
    assert_int_equal(im_core_kick_user(w->core, IM_STR("aNN")), 2);
    assert_int_equal(im_core_kick_user(w->core, IM_STR("ann")), 0);
    im_core_online(w->core, &online);
    assert_int_equal(online.users, 1);
    assert_int_equal(online.sessions, 1);
    for (unsigned i = 0; i < 3; i++)
        wire_close_now(&a[i]);
}

static void history_and_conversations_tell_what_was_said(void **state)
{
    struct world *w = *state;
    struct wire a;
    wire_open(w, &a, &im_dialect_json);
    wire_login(&a, "a");
    for (unsigned i = 0; i < 5; i++)
        wire_say(&a, "{\"op\":\"send\",\"to\":\"Bob\",\"text\":\"x\"}");
    wire_say(&a, "{\"op\":\"history\",\"id\":1,\"conv\":\"bob\",\"before\":4,\"limit\":2}");
    const char *heard = wire_heard(&a);
    assert_non_null(strstr(
        heard, "{\"op\":\"ok\",\"id\":1,\"conv\":\"Bob\",\"messages\":[{\"op\":\"msg\",\"conv\":\"Bob\",\"seq\":2,"));
    assert_non_null(strstr(heard, "\"more\":true}"));
    wire_say(&a, "{\"op\":\"history\",\"id\":1,\"conv\":\"bob\",\"around\":3,\"limit\":3}");
    heard = wire_heard(&a);
    assert_null(strstr(heard, "\"seq\":1,"));
    assert_non_null(strstr(heard, "\"seq\":2,"));
    assert_non_null(strstr(heard, "\"seq\":4,"));
    assert_null(strstr(heard, "\"seq\":5,"));
    wire_say(&a, "{\"op\":\"history\",\"id\":1,\"conv\":\"stranger\"}");
    assert_heard(&a, "{\"op\":\"ok\",\"id\":1,\"conv\":\"stranger\",\"messages\":[],\"more\":false}\n");
    wire_say(&a, "{\"op\":\"conversations\",\"id\":1}");
    assert_heard_part(&a, "\"conversations\":[{\"conv\":\"Bob\",\"last\":{\"op\":\"msg\",");
    wire_close_now(&a);
}

static void requests_out_of_turn_are_refused(void **state)
{
    struct world *w = *state;
    struct wire a;
    wire_open(w, &a, &im_dialect_json);
    wire_say(&a, "{\"op\":\"send\",\"id\":1,\"to\":\"b\",\"text\":\"x\"}");
    assert_heard_part(&a, "\"name\":\"login_first\"");
    wire_login(&a, "a");
    wire_say(&a, "{\"op\":\"login\",\"id\":1,\"user\":\"a\"}");
    assert_heard_part(&a, "\"name\":\"logged_in\"");
    wire_say(&a, "{\"op\":\"send\",\"id\":1,\"to\":\"#g\",\"text\":\"x\"}");
    assert_heard_part(&a, "\"name\":\"no_such_group\"");
    wire_say(&a, "{\"op\":\"send\",\"id\":1,\"to\":\"b\"}");
    assert_heard_part(&a, "give either text, or body and mime");
    assert_int_equal(w->counters.refused[IM_LOGIN_FIRST], 1);
    wire_close_now(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_message_is_committed_acknowledged_and_shown),
        world_test(nothing_is_said_before_the_store_has_committed),
        world_test(a_store_that_does_not_wait_answers_at_once),
        world_test(a_repeated_cid_gets_the_first_answer),
        world_test(a_message_waits_for_whom_it_is_for),
        world_test(a_named_device_gets_again_what_it_did_not_ack),
        world_test(what_a_device_acked_does_not_come_again_however_its_sessions_overlap),
        world_test(a_device_that_signs_in_again_replaces_itself),
        world_test(own_messages_reach_the_other_sessions_only),
        world_test(what_is_sent_while_catching_up_does_not_come_back),
        world_test(a_slow_reader_falls_behind_and_catches_up_from_the_log),
        world_test(too_many_unanswered_requests_hold_reading),
        world_test(a_flood_is_held_to_the_rate),
        world_test(who_floods_without_a_pause_is_closed),
        world_test(asking_after_many_users_costs_more),
        world_test(one_read_at_a_time_is_served),
        world_test(a_refused_login_from_the_url_ends_the_session),
        world_test(a_long_list_of_conversations_leaves_out_last_messages),
        world_test(what_never_left_comes_again),
        world_test(who_does_not_log_in_in_time_is_told_and_closed),
        world_test(a_cursor_of_another_log_is_reset),
        world_test(the_end_of_input_is_answered_before_the_end),
        world_test(draining_says_when_to_come_back),
        world_test(gauges_follow_kicks_at_once),
        world_test(history_and_conversations_tell_what_was_said),
        world_test(requests_out_of_turn_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
