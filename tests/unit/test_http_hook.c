#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "tests/conform/fake_core.h"
#include "tests/conform/peer.h"
#include "tests/unit/unit.h"
#include "transports/listener.h"
#include "transports/loop.h"
#include "transports/transports.h"

/* POST /hooks/TOKEN, with a core that the test plays itself. */

struct world {
    struct stage stage;
    struct im_config *config;
    struct im_counters counters;
    struct im_core core;
    struct im_transport_env env;
    struct im_listener *listener;
    char token[100]; /* of the last login */
    enum im_seat_kind seat;
    unsigned logins;
    enum im_reason refuse; /* logins */
    bool slow;             /* logins are not answered */
};

static void admit(struct seen *s)
{
    seen_hold(s, true); /* as the core does while it looks the token up */
    seen_send_event(s,
                    im_event_reply(&(struct im_reply){
                        .op = IM_OP_LOGIN, .id = IM_STR("0"), .login = {.user = IM_STR("bot"), .session = 1}}),
                    false);
    seen_hold(s, false);
}

static void commanded(struct seen *s, const struct im_command *cmd)
{
    struct world *w = s->core->arg;
    assert_int_equal(cmd->op, IM_OP_LOGIN);
    assert_true(cmd->or_close);
    snprintf(w->token, sizeof w->token, "%.*s", (int)cmd->token.len, cmd->token.p);
    w->seat = cmd->seat;
    w->logins++;
    if (w->slow)
        return;
    if (w->refuse == IM_OK) {
        admit(s);
        return;
    }
    seen_send_event(s, im_event_err(IM_OP_LOGIN, cmd->id, w->refuse, IM_STR("who knows why"), 2500), false);
    seen_close(s, w->refuse);
}

static int set_up(void **state)
{
    static const struct im_http_route no_routes[] = {{0}};
    struct world *w = im_zalloc(sizeof *w);
    char address[] = "127.0.0.1:0";
    struct im_error error = {0};
    stage_open(&w->stage);
    w->config = im_config_new();
    w->core.dialect_env.config = w->config;
    w->core.commanded = commanded;
    w->core.arg = w;
    w->env = (struct im_transport_env){
        .base = w->stage.base, .core = &w->core, .config = w->config, .counters = &w->counters, .routes = no_routes};
    struct im_listen_config listen = {.address = address, .backlog = 10};
    if (im_transport_websocket.listen(&w->listener, &w->env, &listen, &error) != IM_OK)
        fail_msg("%s", error.detail);
    *state = w;
    return 0;
}

static bool all_closed(const struct world *w)
{
    for (size_t i = 0; i < w->core.opened; i++)
        if (!w->core.seen[i]->closes)
            return false;
    return true;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    im_transport_websocket.close(&w->listener);
    im_streams_abort(&w->env, IM_DRAIN);
    for (size_t i = 0; i < w->core.opened; i++)
        if (!w->core.seen[i]->closes)
            seen_close(w->core.seen[i], IM_DRAIN);
    UNTIL(&w->stage, im_streams_count(&w->env) == 0 && all_closed(w));
    im_loop_free(&w->env.loop);
    fake_core_clear(&w->core);
    stage_close(&w->stage);
    im_config_free(&w->config);
    free(w);
    return 0;
}

static struct peer *ask(struct world *w, const char *text)
{
    struct peer *p = peer_connect(&w->stage, im_listener_address(w->listener), false);
    peer_say(p, text);
    return p;
}

#define POST(type, length)                                                                                             \
    "POST /hooks/secret HTTP/1.1\r\nHost: a\r\nContent-Type: " type "\r\nContent-Length: " length "\r\n\r\n"

/* The message that has come to the core, once it has. */
static struct seen *taken(struct world *w, size_t link, const char *message)
{
    UNTIL(&w->stage, w->core.opened > link && w->core.seen[link]->count == 1);
    struct seen *s = w->core.seen[link];
    assert_string_equal(s->messages[0], message);
    return s;
}

/* What the link's dialect makes of a message. */
static enum im_reason decode(struct seen *s, const char *message, struct im_command *cmd)
{
    struct im_error error = {0};
    *cmd = (struct im_command){0};
    return s->link->dialect->decode(s->link, im_str(message), cmd, &error);
}

static void accept_message(struct seen *s)
{
    struct im_event *msg = im_event_new(IM_EV_MSG, &(struct im_msg){.from = IM_STR("bot"),
                                                                    .from_key = IM_STR("bot"),
                                                                    .to = IM_STR("#a"),
                                                                    .to_key = IM_STR("#a"),
                                                                    .kind = IM_CONV_GROUP,
                                                                    .pos = 9,
                                                                    .seq = 3,
                                                                    .ts_ms = 1,
                                                                    .body = IM_STR("hi")});
    seen_send_event(
        s,
        im_event_reply(&(struct im_reply){.op = IM_OP_SEND, .id = IM_STR("0"), .send = {.msg = msg, .online = true}}),
        false);
}

static void expect(struct world *w, struct peer *p, const char *status, const char *part)
{
    UNTIL(&w->stage, p->in.len > 0 && (p->ended || memmem(p->in.p, p->in.len, "\r\n\r\n", 4)));
    buffer_put(&p->in, "", 1);
    if (strncmp(p->in.p, status, strlen(status)) != 0 || !strstr(p->in.p, part))
        fail_msg("got %s", p->in.p);
    buffer_eat(&p->in, p->in.len);
}

static void a_post_becomes_a_message(void **state)
{
    struct world *w = *state;
    struct im_command cmd;
    struct peer *p = ask(w, POST("text/plain; charset=utf-8", "5") "hi\r\n\n");
    struct seen *s = taken(w, 0, "hi\r\n\n");
    assert_string_equal(s->transport, "hook");
    assert_string_equal(w->token, "secret");
    assert_int_equal(w->seat, IM_SEAT_SENDER);
    assert_int_equal(decode(s, "hi\r\n\n", &cmd), IM_OK);
    assert_int_equal(cmd.op, IM_OP_SEND);
    assert_str(cmd.text, "hi");
    im_command_clear(&cmd);
    assert_int_equal(decode(s, "\xff", &cmd), IM_BAD_UTF8);
    assert_int_equal(p->in.len, 0);
    accept_message(s);
    expect(w, p, "HTTP/1.1 200 OK\r\n",
           "\r\n\r\n{\"op\":\"ok\",\"conv\":\"#a\",\"seq\":3,\"pos\":\"9\",\"ts\":1,\"online\":true}");
    UNTIL(&w->stage, s->closes == 1);
    assert_int_equal(s->reason, IM_BYE);
    assert_int_equal(w->counters.n[IM_C_HOOK_RECEIVED], 1);
    peer_say(p, POST("application/json", "2") "{}"); /* the connection is kept */
    s = taken(w, 1, "{}");
    seen_send_event(s, im_event_err(IM_OP_SEND, IM_STR("0"), IM_NOT_MEMBER, (struct im_str){0}, 0), false);
    expect(w, p, "HTTP/1.1 403 ", "\"name\":\"not_member\"");
    assert_int_equal(w->counters.n[IM_C_HOOK_RECEIVED], 1);
}

static void json_has_the_fields_of_send(void **state)
{
    struct world *w = *state;
    struct im_command cmd;
    ask(w, POST("application/json", "2") "{}");
    struct seen *s = taken(w, 0, "{}");
    assert_int_equal(
        decode(s, "{\"text\":\"a\",\"to\":\"b\",\"cid\":\"c\",\"reply\":4,\"id\":{},\"op\":5,\"x\":null}", &cmd),
        IM_OK);
    assert_int_equal(cmd.op, IM_OP_SEND);
    assert_str(cmd.text, "a");
    assert_str(cmd.to, "b");
    assert_str(cmd.cid, "c");
    assert_int_equal(cmd.reply, 4);
    assert_true(cmd.id.len > 0);
    im_command_clear(&cmd);
    assert_int_equal(decode(s, "{\"text\":7}", &cmd), IM_BAD_FIELD);
    im_command_clear(&cmd);
    assert_int_equal(decode(s, "[]", &cmd), IM_BAD_JSON);
    im_command_clear(&cmd);
    assert_int_equal(decode(s, "{\"text\":\"a\",\"text\":\"b\"}", &cmd), IM_BAD_JSON);
    im_command_clear(&cmd);
}

static void a_bad_token_is_answered_without_telling_more(void **state)
{
    struct world *w = *state;
    w->refuse = IM_BAD_LOGIN;
    struct peer *p = ask(w, POST("text/plain", "1") "x");
    expect(w, p, "HTTP/1.1 401 ", "\"name\":\"bad_token\"");
    w->refuse = IM_BACK_OFF;
    p = ask(w, POST("text/plain", "1") "x");
    expect(w, p, "HTTP/1.1 429 ", "Retry-After: 3\r\n");
    UNTIL(&w->stage, w->core.opened == 2 && all_closed(w));
    assert_int_equal(w->core.seen[0]->count + w->core.seen[1]->count, 0);
    assert_int_equal(w->core.seen[0]->reason, IM_BAD_LOGIN);
}

static void a_core_that_refuses_or_ends_is_an_answer(void **state)
{
    struct world *w = *state;
    struct peer *p = ask(w, POST("text/plain", "1") "x");
    seen_close(taken(w, 0, "x"), IM_STORE_FAILED);
    expect(w, p, "HTTP/1.1 500 ", "\"name\":\"store_failed\"");
    p = ask(w, POST("text/plain", "1") "x");
    struct seen *s = taken(w, 1, "x");
    seen_send_event(s, im_event_bye(IM_DRAIN, true, 100), false);
    seen_close(s, IM_DRAIN);
    expect(w, p, "HTTP/1.1 503 ", "\"name\":\"drain\"");
    w->core.refuse = IM_FULL;
    p = ask(w, POST("text/plain", "1") "x");
    expect(w, p, "HTTP/1.1 503 ", "\"name\":\"full\"");
}

static void whoever_leaves_is_not_waited_for(void **state)
{
    struct world *w = *state;
    struct peer *p = ask(w, POST("text/plain", "1") "x");
    struct seen *s = taken(w, 0, "x");
    im_streams_abort(&w->env, IM_GONE);
    UNTIL(&w->stage, im_streams_count(&w->env) == 0);
    assert_int_equal(s->closes, 0); /* what was asked is still under way */
    accept_message(s);
    UNTIL(&w->stage, s->closes == 1);
    peer_free(&w->stage, &p);
    w->slow = true;
    p = ask(w, POST("text/plain", "1") "x");
    UNTIL(&w->stage, w->logins == 2);
    im_streams_abort(&w->env, IM_GONE);
    UNTIL(&w->stage, w->core.seen[1]->closes == 1);
    assert_int_equal(w->core.seen[1]->count, 0);
}

static void requests_wait_for_their_turn(void **state)
{
    struct world *w = *state;
    struct peer *p = ask(w, POST("text/plain", "1") "1" POST("text/plain", "0") "GET /no HTTP/1.1\r\nHost: a\r\n\r\n");
    struct seen *s = taken(w, 0, "1");
    for (int i = 0; i < 20; i++)
        stage_step(&w->stage);
    assert_int_equal(w->core.opened, 1);
    accept_message(s);
    s = taken(w, 1, "");
    expect(w, p, "HTTP/1.1 200 ", "\"ok\"");
    accept_message(s);
    UNTIL(&w->stage, p->in.len > 0 && memmem(p->in.p, p->in.len, "404 Not Found", 13));
}

static void a_body_may_come_slowly_but_not_too_slowly(void **state)
{
    struct world *w = *state;
    struct peer *p = ask(w, POST("text/plain", "3") "abc");
    p->chunk = 1;
    taken(w, 0, "abc");
    w->config->http_head_ms = 200;
    uint64_t begun = now_ms();
    p = ask(w, POST("text/plain", "3") "ab");
    UNTIL(&w->stage, p->ended || p->broken);
    assert_true(now_ms() - begun >= 150);
    assert_int_equal(w->counters.closed[IM_UPGRADE_TIMEOUT], 1);
    assert_int_equal(w->core.opened, 1);
}

static void a_body_is_asked_for_when_the_client_waits(void **state)
{
    struct world *w = *state;
    struct peer *p =
        ask(w, "POST /hooks/secret HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n"
               "Expect: 100-continue\r\n\r\n");
    expect(w, p, "HTTP/1.1 100 Continue\r\n\r\n", "");
    peer_say(p, "hi");
    accept_message(taken(w, 0, "hi"));
    expect(w, p, "HTTP/1.1 200 ", "\"ok\"");
}

static void what_is_no_proper_post_is_refused(void **state)
{
    static const struct {
        const char *request, *status, *part;
    } rows[] = {
        {"GET /hooks/secret HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405 ", "Allow: POST\r\n"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n"},
        {"POST /hooks/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405 ", ""},
        {"POST /hooks/secret HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n\r\n", "HTTP/1.1 411 ", ""},
        {"POST /hooks/secret HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 411 ", ""},
        {"POST /hooks/secret HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
         "HTTP/1.1 400 ", ""},
        {POST("text/plain", "+1"), "HTTP/1.1 400 ", ""},
        {POST("text/plain", "999999999999999999999"), "HTTP/1.1 400 ", ""},
        {POST("text/plain", "65537"), "HTTP/1.1 413 ", "Too long."},
        {POST("text/html", "1"), "HTTP/1.1 415 ", ""},
        {POST("", "1"), "HTTP/1.1 415 ", ""},
        {"POST /hooks/secret HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", "HTTP/1.1 415 ", ""},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer *p = ask(w, rows[i].request);
        expect(w, p, rows[i].status, rows[i].part);
        UNTIL(&w->stage, p->ended);
        peer_free(&w->stage, &p);
    }
    assert_int_equal(w->core.opened, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_post_becomes_a_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_has_the_fields_of_send, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_token_is_answered_without_telling_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_core_that_refuses_or_ends_is_an_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whoever_leaves_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_wait_for_their_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_body_may_come_slowly_but_not_too_slowly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_body_is_asked_for_when_the_client_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_proper_post_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
