#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "core/mem.h"
#include "tests/conform/fake_core.h"
#include "tests/conform/peer.h"
#include "tests/unit/unit.h"
#include "transports/dial.h"
#include "transports/hook.h"
#include "transports/loop.h"
#include "transports/stream.h"
#include "transports/transports.h"

/* An outgoing webhook, between a core and a receiver that the test plays itself. */

struct world {
    struct stage stage;
    struct im_config *config;
    struct im_counters counters;
    struct im_core core;
    struct im_transport_env env;
    struct im_dialer *dialer;
    struct im_hook_rule rule;
    struct im_hook *hook;
    int listening;
    char device[64], user[64];
    unsigned logins, gone;
    uint64_t acked;
    bool held;
    struct peer *peer;
};

static void commanded(struct seen *s, const struct im_command *cmd)
{
    struct world *w = s->core->arg;
    assert_true(cmd->op == IM_OP_ACK || cmd->trusted);
    if (cmd->op == IM_OP_HELLO)
        snprintf(w->device, sizeof w->device, "%.*s", (int)cmd->device.len, cmd->device.p);
    if (cmd->op == IM_OP_ACK) {
        assert_false(w->held);
        assert_true(cmd->pos > w->acked);
        w->acked = cmd->pos;
    }
    if (cmd->op != IM_OP_LOGIN)
        return;
    assert_true(cmd->or_close);
    assert_int_equal(cmd->seat, IM_SEAT_QUIET);
    snprintf(w->user, sizeof w->user, "%.*s", (int)cmd->user.len, cmd->user.p);
    w->logins++;
    seen_send_event(
        s, im_event_reply(&(struct im_reply){.op = IM_OP_LOGIN, .login = {.user = cmd->user, .pos = w->acked}}), false);
}

static void gone(void *arg, struct im_hook *hook)
{
    struct world *w = arg;
    assert_ptr_equal(hook, w->hook);
    w->gone++;
    im_hook_stop(&w->hook);
}

static void start(struct world *w)
{
    w->hook = im_hook_start(&(struct im_hook_options){
        .dialer = w->dialer, .counters = &w->counters, .name = "test", .rule = &w->rule, .gone = gone, .arg = w});
}

static unsigned listen_somewhere(struct world *w)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    w->listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(w->listening, (struct sockaddr *)(void *)&in, len), 0);
    assert_int_equal(listen(w->listening, 10), 0);
    assert_int_equal(getsockname(w->listening, (struct sockaddr *)(void *)&in, &len), 0);
    return ntohs(in.sin_port);
}

static void make_rule(struct world *w)
{
    char url[60];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/hook", listen_somewhere(w));
    w->rule = (struct im_hook_rule){.url = im_strndup(url, strlen(url)),
                                    .secret = im_strndup("It's a Secret", 13),
                                    .events = IM_HOOK_ALL_EVENTS,
                                    .enabled = true};
    assert_int_equal(im_name_parse(IM_STR("Bot"), &w->rule.owner, NULL), IM_OK);
}

static int set_up(void **state)
{
    struct world *w = im_zalloc(sizeof *w);
    stage_open(&w->stage);
    w->config = im_config_new();
    w->config->hook_retry_ms = 10;
    w->config->hook_retry_most_ms = 50;
    w->core.dialect_env.config = w->config;
    w->core.commanded = commanded;
    w->core.arg = w;
    w->env = (struct im_transport_env){
        .base = w->stage.base, .core = &w->core, .config = w->config, .counters = &w->counters};
    w->dialer = im_dialer_new(&w->env);
    make_rule(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    im_hook_stop(&w->hook);
    UNTIL(&w->stage, im_dialer_count(w->dialer) == 0 && im_streams_count(&w->env) == 0);
    for (size_t i = 0; i < w->core.opened; i++)
        assert_int_equal(w->core.seen[i]->closes, 1);
    im_dialer_free(&w->dialer);
    im_loop_free(&w->env.loop);
    fake_core_clear(&w->core);
    stage_close(&w->stage);
    im_config_free(&w->config);
    im_hook_rule_clear(&w->rule);
    close(w->listening);
    free(w);
    return 0;
}

/* The session, once it is up. */
static struct seen *up(struct world *w)
{
    UNTIL(&w->stage, w->logins > 0 && w->core.seen[w->core.opened - 1]->link);
    return w->core.seen[w->core.opened - 1];
}

static struct im_event *event(enum im_event_type type, uint64_t pos, const char *from, const char *to)
{
    char text[20];
    snprintf(text, sizeof text, "text %u", (unsigned)pos);
    return im_event_new(type, &(struct im_msg){.kind = to[0] == '#' ? IM_CONV_GROUP : IM_CONV_DIRECT,
                                               .pos = pos,
                                               .seq = pos,
                                               .ref = 1,
                                               .from = im_str(from),
                                               .from_key = im_str(from),
                                               .to = im_str(to),
                                               .to_key = im_str(to),
                                               .body = im_str(text)});
}

static void say(struct seen *s, uint64_t pos)
{
    seen_send_event(s, event(IM_EV_MSG, pos, "a", "bot"), false);
}

/* Takes the next delivery whole; its head and body stay until the next. */
static const char *delivery(struct world *w)
{
    int fd = -1;
    UNTIL(&w->stage, (w->peer && !w->peer->ended && !w->peer->broken) || (fd = accept(w->listening, NULL, NULL)) >= 0);
    if (fd >= 0)
        w->peer = peer_new(&w->stage, fd, false);
    struct peer *p = w->peer;
    UNTIL(&w->stage, p->in.len > 0 && memmem(p->in.p, p->in.len, "\r\n\r\n{", 5) && p->in.p[p->in.len - 1] == '}');
    buffer_put(&p->in, "", 1);
    buffer_eat(&p->in, p->in.len);
    return p->in.memory;
}

static void expect_delivery(struct world *w, unsigned pos)
{
    char field[60], text[40];
    const char *got = delivery(w);
    snprintf(field, sizeof field, "\r\nX-IM-Delivery: %u\r\n", pos);
    snprintf(text, sizeof text, "\"text\":\"text %u\"", pos);
    if (!strstr(got, field) || !strstr(got, text))
        fail_msg("not %u but %s", pos, got);
}

static void answer(struct world *w, int status)
{
    char text[80];
    snprintf(text, sizeof text, "HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", status);
    peer_say(w->peer, text);
}

static void settle(struct world *w)
{
    for (int i = 0; i < 20; i++)
        stage_step(&w->stage);
}

static struct im_hook_view look(const struct world *w)
{
    struct im_hook_view view;
    im_hook_look(w->hook, &view);
    return view;
}

/* Tests. */

static void deliveries_are_signed(void **state)
{
    struct im_out out = {0};
    struct im_hook_stamp stamp = {
        .name = "n", .event = "msg", .secret = "It's a Secret", .delivery = 77, .wall_ms = 1700000000999};
    (void)state;
    im_hook_fields(&stamp, IM_STR("{\"op\":\"msg\"}"), &out);
    assert_string_equal(im_out_data(&out),
                        "Content-Type: application/json\r\nX-IM-Hook: n\r\nX-IM-Event: msg\r\nX-IM-Delivery: 77\r\n"
                        "X-IM-Timestamp: 1700000000\r\nX-IM-Signature: "
                        "sha256=86eb202c4a626db1a1364965a67386e58f661e2c0d3f32bc30d6fbc3c75a8fdd\r\n");
    im_out_clear(&out);
}

static void events_are_posted_in_order_and_then_acknowledged(void **state)
{
    struct world *w = *state;
    start(w);
    struct seen *s = up(w);
    assert_string_equal(w->device, "hook:test");
    assert_string_equal(w->user, "Bot");
    assert_memory_equal(s->address, "http://127.0.0.1:", 17);
    assert_null(strstr(s->address, "/hook"));
    for (unsigned pos = 5; pos < 9; pos++)
        say(s, pos);
    assert_true(seen_queued(s) > 0);
    for (unsigned pos = 5; pos < 9; pos++) {
        expect_delivery(w, pos);
        settle(w);
        assert_int_equal(w->acked, pos == 5 ? 0 : pos - 1);
        assert_int_equal(look(w).waiting, 9 - pos);
        assert_string_equal(look(w).state, "posting");
        answer(w, 200 + (int)pos);
        UNTIL(&w->stage, w->acked == pos);
    }
    assert_int_equal(seen_queued(s), 0);
    assert_int_equal(s->writables, 4);
    assert_int_equal(look(w).delivered, 4);
    assert_int_equal(look(w).last_status, 208);
    assert_string_equal(look(w).state, "idle");
    assert_int_equal(w->counters.n[IM_C_HOOK_DELIVERED], 4);
}

static void what_is_not_accepted_is_posted_again(void **state)
{
    static const int statuses[] = {500, 302, 404, 199, 300};
    struct world *w = *state;
    start(w);
    struct seen *s = up(w);
    say(s, 1);
    say(s, 2);
    for (unsigned i = 0; i < 5; i++) {
        expect_delivery(w, 1);
        if (statuses[i] == 199) { /* the end, in place of an answer */
            peer_free(&w->stage, &w->peer);
            int fd = -1;
            UNTIL(&w->stage, (fd = accept(w->listening, NULL, NULL)) >= 0); /* it may have been a stale connection */
            close(fd);
        } else {
            answer(w, statuses[i]);
        }
        UNTIL(&w->stage, look(w).failures == i + 1);
        assert_true(look(w).waiting == 2 && w->acked == 0);
    }
    assert_int_equal(look(w).last_status, 300);
    assert_string_equal(look(w).problem, "answered 300");
    expect_delivery(w, 1);
    answer(w, 204);
    expect_delivery(w, 2);
    answer(w, 204);
    UNTIL(&w->stage, w->acked == 2);
    assert_int_equal(look(w).failures, 0);
    assert_int_equal(w->counters.n[IM_C_HOOK_FAILED], 5);
}

static void a_receiver_may_ask_for_time(void **state)
{
    struct world *w = *state;
    w->config->hook_retry_most_ms = 1000;
    start(w);
    say(up(w), 1);
    expect_delivery(w, 1);
    uint64_t begun = now_ms();
    peer_say(w->peer, "HTTP/1.1 503 X\r\nContent-Length: 0\r\nRetry-After: 3600\r\n\r\n");
    UNTIL(&w->stage, look(w).failures == 1);
    assert_string_equal(look(w).state, "retrying");
    assert_true(look(w).next_ms > 500);
    expect_delivery(w, 1);
    assert_true(now_ms() - begun >= 990); /* but no more than the configuration grants */
    answer(w, 200);
    UNTIL(&w->stage, w->acked == 1);
}

static void what_is_not_asked_for_is_passed_over_in_its_turn(void **state)
{
    struct world *w = *state;
    w->rule.events = 1u << IM_EV_MSG;
    w->rule.conversation_count = 1;
    w->rule.conversations = im_alloc(sizeof *w->rule.conversations);
    assert_int_equal(im_conv_parse(IM_STR("#G"), w->rule.conversations, NULL), IM_OK);
    start(w);
    struct seen *s = up(w);
    seen_send_event(s, event(IM_EV_MSG, 1, "a", "bot"), false); /* another conversation */
    seen_send_event(s, event(IM_EV_EDIT, 2, "a", "#g"), false);
    seen_send_event(s, im_event_typing(IM_STR("#g"), IM_STR("a"), true, 1), false);
    UNTIL(&w->stage, w->acked == 2);
    seen_send_event(s, event(IM_EV_MSG, 3, "a", "#g"), false);
    seen_send_event(s, event(IM_EV_MSG, 4, "bot", "#g"), true); /* its own */
    expect_delivery(w, 3);
    assert_int_equal(w->acked, 2); /* not before what comes first */
    answer(w, 200);
    UNTIL(&w->stage, w->acked == 4);
    assert_int_equal(w->counters.n[IM_C_HOOK_SKIPPED], 3);
    w->rule.own = true;
    seen_send_event(s, event(IM_EV_MSG, 5, "bot", "#g"), true);
    expect_delivery(w, 5);
    answer(w, 200);
    UNTIL(&w->stage, w->acked == 5);
}

static void away_means_only_while_the_user_is_not_here(void **state)
{
    struct world *w = *state;
    w->rule.away = w->rule.own = true;
    w->core.online = true;
    start(w);
    struct seen *s = up(w);
    say(s, 1);
    UNTIL(&w->stage, w->acked == 1);
    w->core.online = false;
    say(s, 2);
    seen_send_event(s, event(IM_EV_MSG, 3, "bot", "a"), true); /* nobody is told of what he says himself */
    expect_delivery(w, 2);
    answer(w, 500);
    UNTIL(&w->stage, look(w).failures == 1);
    w->core.online = true; /* and has seen it */
    UNTIL(&w->stage, w->acked == 3);
    assert_int_equal(look(w).delivered, 0);
}

static void while_it_is_held_it_asks_nothing(void **state)
{
    struct world *w = *state;
    start(w);
    struct seen *s = up(w);
    w->held = true;
    seen_hold(s, true);
    say(s, 1);
    expect_delivery(w, 1);
    answer(w, 200);
    UNTIL(&w->stage, look(w).delivered == 1);
    settle(w);
    assert_int_equal(w->acked, 0);
    w->held = false;
    seen_hold(s, false);
    UNTIL(&w->stage, w->acked == 1);
}

static void a_receiver_that_is_gone_hears_no_more(void **state)
{
    struct world *w = *state;
    start(w);
    say(up(w), 1);
    expect_delivery(w, 1);
    answer(w, 410);
    UNTIL(&w->stage, w->gone == 1);
    assert_null(w->hook);
    assert_int_equal(w->core.seen[0]->closes, 1);
    assert_int_equal(w->acked, 0);
}

static void a_session_that_was_ended_is_opened_again(void **state)
{
    struct world *w = *state;
    start(w);
    struct seen *s = up(w);
    say(s, 1);
    say(s, 2);
    expect_delivery(w, 1);
    seen_close(s, IM_KICKED);
    UNTIL(&w->stage, w->logins == 2);
    assert_int_equal(s->closes, 1);
    assert_int_equal(look(w).waiting, 0); /* the log has it */
    s = up(w);
    say(s, 1);
    expect_delivery(w, 1);
    answer(w, 200);
    UNTIL(&w->stage, w->acked == 1);
}

static void what_was_before_its_time_is_passed_over(void **state)
{
    struct world *w = *state;
    w->rule.since = 7;
    start(w);
    struct seen *s = up(w);
    for (unsigned pos = 6; pos < 9; pos++)
        say(s, pos);
    expect_delivery(w, 8);
    assert_int_equal(w->acked, 7);
    answer(w, 200);
    UNTIL(&w->stage, w->acked == 8);
}

static void a_core_that_refuses_is_asked_again(void **state)
{
    struct world *w = *state;
    w->core.refuse = IM_FULL;
    start(w);
    UNTIL(&w->stage, look(w).failures == 2);
    assert_string_equal(look(w).state, "retrying");
    w->core.refuse = IM_OK;
    up(w);
    assert_int_equal(look(w).failures, 0);
}

static void it_may_be_stopped_at_any_moment(void **state)
{
    struct world *w = *state;
    for (int steps = 0; steps < 8; steps++) {
        start(w);
        for (int i = 0; i < steps; i++) {
            if (i == 3)
                say(up(w), 1);
            stage_step(&w->stage);
        }
        im_hook_stop(&w->hook);
        assert_int_equal(w->core.opened == 0 || w->core.seen[w->core.opened - 1]->closes, 1);
        UNTIL(&w->stage, im_dialer_count(w->dialer) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deliveries_are_signed),
        cmocka_unit_test_setup_teardown(events_are_posted_in_order_and_then_acknowledged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_accepted_is_posted_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_receiver_may_ask_for_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_asked_for_is_passed_over_in_its_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(away_means_only_while_the_user_is_not_here, set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_it_is_held_it_asks_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_receiver_that_is_gone_hears_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_session_that_was_ended_is_opened_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_before_its_time_is_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_core_that_refuses_is_asked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_may_be_stopped_at_any_moment, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
