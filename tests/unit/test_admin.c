#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "tools/imd/admin.h"
#include "tools/imd/rpc.h"

/* JSON-RPC over a small table. */

struct host {
    struct im_rpc_call *waiting;
    int runs;
};

static struct host *host(const struct im_rpc_call *call)
{
    return call->rpc->host;
}

static void echo(struct im_rpc_call *call)
{
    uint64_t times = 0;
    struct im_str text = im_rpc_string(call, "text");
    host(call)->runs++;
    im_rpc_uint(call, "times", &times);
    im_rpc_result(call, json_pack("{s:s%, s:I}", "text", text.p ? text.p : "", text.len, "times", (json_int_t)times));
}

static void later(struct im_rpc_call *call)
{
    host(call)->waiting = call;
}

static void fails(struct im_rpc_call *call)
{
    im_rpc_fail(call, IM_NO_SUCH_USER, "no \"%s\" \x1b[31m\xff", "喵");
}

static void stopped(struct im_rpc_call *call)
{
    host(call)->waiting = NULL;
    im_rpc_result(call, json_false());
}

static void streams(struct im_rpc_call *call)
{
    if (im_rpc_stream(call, stopped))
        host(call)->waiting = call;
}

static const struct im_rpc_command table[] = {
    {.name = "echo",
     .args = {{"text", IM_RPC_STRING, true, NULL, "What to say."}, {"times", IM_RPC_UINT, false, NULL, "How often."}},
     .help = "Say it again. And again.",
     .example = "echo 喵",
     .show = "fields",
     .run = echo},
    {.name = "set.mood",
     .access = IM_RPC_WRITE,
     .args = {{"text", IM_RPC_STRING, false, "good|bad", "The mood."}},
     .help = "Change the mood.",
     .show = "fields",
     .run = echo},
    {.name = "later", .help = "Answer later.", .show = "fields", .run = later},
    {.name = "streams", .help = "Tell as it happens.", .show = "line a", .patient = true, .run = streams},
    {.name = "fails", .help = "Fail.", .show = "fields", .run = fails},
    {.name = NULL},
};

static const struct im_rpc_command *const tables[] = {table, NULL};

struct client {
    struct host host;
    struct im_rpc rpc;
    struct im_out heard;
    unsigned overs; /* calls that were told to be over */
    bool slow;      /* takes no items now */
};

static int setup(void **state)
{
    struct client *c = calloc(1, sizeof *c);
    c->rpc = (struct im_rpc){.tables = tables, .host = &c->host};
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    struct client *c = *state;
    im_out_clear(&c->heard);
    free(c);
    return 0;
}

static void hear(void *arg, struct im_bytes *bytes)
{
    struct client *c = arg;
    c->overs++;
    if (bytes)
        im_out_put(&c->heard, bytes->data, bytes->len);
    im_bytes_drop(&bytes);
}

static bool hear_item(void *arg, struct im_bytes *bytes)
{
    struct client *c = arg;
    if (!c->slow)
        im_out_put(&c->heard, bytes->data, bytes->len);
    im_bytes_drop(&bytes);
    return !c->slow;
}

/* Says an exactly sized copy, so that a memory checker catches one byte too many. */
static struct im_rpc_call *say(struct client *c, const char *line, bool may_write)
{
    size_t len = strlen(line);
    char *copy = malloc(len ? len : 1);
    memcpy(copy, line, len);
    im_out_clear(&c->heard);
    struct im_rpc_call *call =
        im_rpc_line(&c->rpc, (struct im_str){copy, len}, (struct im_rpc_peer){.may_write = may_write},
                    &(struct im_rpc_sink){hear, hear_item, c});
    free(copy);
    return call;
}

static void answers(struct client *c, const char *line, const char *expected)
{
    assert_null(say(c, line, true));
    assert_str(((struct im_str){im_out_data(&c->heard), c->heard.len}), expected);
}

/* The answer is an error with this code and name; returns it, borrowed until the next call. */
static void errs(struct client *c, const char *line, int code, const char *name, const char *message)
{
    assert_null(say(c, line, true));
    json_t *response = json_loadb(im_out_data(&c->heard), c->heard.len, 0, NULL);
    json_t *error = json_object_get(response, "error");
    assert_non_null(error);
    assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
    assert_string_equal(json_string_value(json_object_get(json_object_get(error, "data"), "name")), name);
    if (!strstr(json_string_value(json_object_get(error, "message")), message))
        fail_msg("\"%s\" is not in %s", message, json_string_value(json_object_get(error, "message")));
    json_decref(response);
}

static void a_request_is_answered_on_one_line(void **state)
{
    struct client *c = *state;
    answers(c, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"echo\",\"params\":{\"text\":\"喵\\n\",\"times\":3}}",
            "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"text\":\"喵\\n\",\"times\":3}}\n");
    answers(c, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"echo\",\"params\":[\"a\",4]}",
            "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{\"text\":\"a\",\"times\":4}}\n");
    answers(c, " {\"method\":\"set.mood\",\"id\":null,\"jsonrpc\":\"2.0\"} \r",
            "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{\"text\":\"\",\"times\":0}}\n");
}

static void a_notification_runs_and_is_not_answered(void **state)
{
    struct client *c = *state;
    answers(c, "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[\"a\"]}", "");
    assert_int_equal(c->host.runs, 1);
    answers(c, "{\"jsonrpc\":\"2.0\",\"method\":\"nope\"}", "");
    answers(c, "{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}", "");
    answers(c, "{\"jsonrpc\":\"2.0\",\"method\":\"fails\"}", "");
    assert_int_equal(c->host.runs, 1);
}

static void what_is_not_a_request_has_its_error(void **state)
{
    struct client *c = *state;
    errs(c, "hello", -32700, "parse_error", "");
    errs(c, "", -32700, "parse_error", "");
    errs(c, "{\"a\":1,\"a\":2}", -32700, "parse_error", "duplicate");
    errs(c, "\"x\"", -32700, "parse_error", "");
    errs(c, "[]", -32600, "bad_request", "one request per line");
    errs(c, "{}", -32600, "bad_request", "jsonrpc");
    errs(c, "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"echo\"}", -32600, "bad_request", "jsonrpc");
    errs(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}", -32600, "bad_request", "method");
    errs(c, "{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"echo\"}", -32600, "bad_request", "id");
    errs(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":5}", -32602, "bad_params", "params");
    errs(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ehco\"}", -32601, "unknown_command", "did you mean \"echo\"?");
    errs(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fly\"}", -32601, "unknown_command", "no command \"fly\"");
}

static void arguments_are_held_against_the_table(void **state)
{
    struct client *c = *state;
#define ECHO(params) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":" params "}"
    errs(c, ECHO("{}"), -32602, "bad_params", "echo needs text");
    errs(c, ECHO("[]"), -32602, "bad_params", "echo needs text");
    errs(c, ECHO("[1]"), -32602, "bad_params", "text must be a string");
    errs(c, ECHO("[\"a\",\"1\"]"), -32602, "bad_params", "times must be a whole number");
    errs(c, ECHO("[\"a\",-1]"), -32602, "bad_params", "times must be a whole number");
    errs(c, ECHO("[\"a\",1.5]"), -32602, "bad_params", "times must be a whole number");
    errs(c, ECHO("[\"a\",1,2]"), -32602, "bad_params", "at most 2 arguments, not 3");
    errs(c, ECHO("{\"text\":\"a\",\"tims\":1}"), -32602, "bad_params", "takes no \"tims\"");
    errs(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"set.mood\",\"params\":[\"gloomy\"]}", -32602, "bad_params",
         "text must be one of good|bad, not \"gloomy\"");
    assert_int_equal(c->host.runs, 0);
}

static void a_reading_socket_changes_nothing(void **state)
{
    struct client *c = *state;
    assert_null(say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"set.mood\"}", false));
    im_out_char(&c->heard, '\0');
    assert_non_null(strstr(im_out_data(&c->heard), "\"name\":\"forbidden\""));
    assert_int_equal(c->host.runs, 0);
    assert_null(say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"a\"]}", false));
    assert_int_equal(c->host.runs, 1);
}

static void a_refusal_has_its_reason_and_steers_no_terminal(void **state)
{
    struct client *c = *state;
    errs(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fails\"}", -32000, "no_such_user", "no \"喵\" \\x1b[31m\\xff");
    struct im_bytes *bytes = im_rpc_refusal(IM_FORBIDDEN, "not you");
    hear(c, bytes);
    answers(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"\\u001b\\u009b\\u202e\\u007f喵\"]}",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"text\":\"\\u001B\\u009b\\u202e\\u007f喵\",\"times\":0}}\n");
}

static void an_answer_may_come_later(void **state)
{
    struct client *c = *state;
    struct im_rpc_call *call = say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}", true);
    assert_ptr_equal(call, c->host.waiting);
    assert_int_equal(c->heard.len, 0);
    im_rpc_result(call, json_true());
    assert_str(((struct im_str){im_out_data(&c->heard), c->heard.len}),
               "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":true}\n");
}

static void a_notification_that_takes_its_time_is_told_to_be_over(void **state)
{
    struct client *c = *state;
    struct im_rpc_call *call = say(c, "{\"jsonrpc\":\"2.0\",\"method\":\"later\"}", true);
    assert_non_null(call);
    assert_int_equal(c->overs, 0);
    im_rpc_result(call, json_true());
    assert_int_equal(c->overs, 1);
    assert_int_equal(c->heard.len, 0);
}

static void an_asker_who_has_gone_gets_no_answer(void **state)
{
    struct client *c = *state;
    struct im_rpc_call *call = say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}", true);
    assert_non_null(call);
    im_rpc_abandon(call);
    im_rpc_fail(call, IM_BUSY, "too late");
    assert_int_equal(c->heard.len, 0);
}

#define STREAM "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"streams\"}"

static void a_stream_is_notifications_and_then_an_answer(void **state)
{
    struct client *c = *state;
    struct im_rpc_call *call = say(c, STREAM, false);
    assert_true(im_rpc_item(call, json_pack("{s:i}", "a", 1)));
    c->slow = true;
    assert_false(im_rpc_item(call, json_pack("{s:i}", "a", 2)));
    assert_int_equal(c->overs, 0);
    im_rpc_stop(call);
    assert_null(c->host.waiting);
    assert_str(((struct im_str){im_out_data(&c->heard), c->heard.len}),
               "{\"jsonrpc\":\"2.0\",\"method\":\"streams\",\"params\":{\"id\":1,\"item\":{\"a\":1}}}\n"
               "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":false}\n");
}

static void a_stream_ends_with_its_asker(void **state)
{
    struct client *c = *state;
    im_rpc_abandon(say(c, STREAM, true));
    assert_null(c->host.waiting);
    assert_int_equal(c->heard.len, 0);
    assert_int_equal(c->overs, 0);
    answers(c, "{\"jsonrpc\":\"2.0\",\"method\":\"streams\"}", "");
    assert_null(c->host.waiting);
}

static void help_and_description_come_from_the_table(void **state)
{
    struct client *c = *state;
    struct im_out all = {0}, one = {0};
    im_rpc_help(&c->rpc, NULL, &all);
    im_out_char(&all, '\0');
    assert_non_null(strstr(im_out_data(&all), "Steer the server\n  echo             Say it again\n"));
    assert_non_null(strstr(im_out_data(&all), "\n  set mood         "));
    im_rpc_help(&c->rpc, im_rpc_find(&c->rpc, IM_STR("echo")), &one);
    im_out_char(&one, '\0');
    assert_int_equal(strncmp(im_out_data(&one), "echo TEXT [TIMES]\n", 18), 0);
    assert_non_null(strstr(im_out_data(&one), "And again."));
    assert_non_null(strstr(im_out_data(&one), "imctl echo 喵"));
    assert_non_null(strstr(im_out_data(&one), "How often."));
    im_out_clear(&all);
    im_out_clear(&one);
    json_t *list = im_rpc_describe(&c->rpc);
    assert_int_equal(json_array_size(list), 5);
    json_t *set = json_array_get(list, 1);
    assert_string_equal(json_string_value(json_object_get(set, "access")), "write");
    json_t *arg = json_array_get(json_object_get(set, "args"), 0);
    assert_string_equal(json_string_value(json_object_get(arg, "choices")), "good|bad");
    json_decref(list);
}

/* Who did what. */

static struct im_out audited;

static void note(const struct im_rpc_call *call, enum im_reason outcome)
{
    im_rpc_put_call(call, &audited);
    im_out_printf(&audited, " %u %s\n", call->peer.uid, im_reason_name(outcome));
}

static void what_changes_something_is_noted_and_secrets_are_not(void **state)
{
    static const struct im_rpc_command commands[] = {
        {.name = "put",
         .access = IM_RPC_WRITE,
         .args = {{"text", IM_RPC_STRING, false, NULL, "."},
                  {"times", IM_RPC_UINT, false, NULL, "."},
                  {"password", IM_RPC_SECRET, false, NULL, "."},
                  {"words", IM_RPC_PRIVATE, false, NULL, "."}},
         .run = echo},
        {.name = "look", .run = echo},
        {.name = "fails", .access = IM_RPC_WRITE, .run = fails},
        {.name = NULL},
    };
    static const struct im_rpc_command *const both[] = {commands, NULL};
    struct client *c = *state;
    const struct im_rpc_sink sink = {hear, hear_item, c};
    c->rpc = (struct im_rpc){.tables = both, .host = &c->host, .audit = note};
    static const char *const lines[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"put\",\"params\":[\"a\",2,\"hush\",\"between us\"]}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"look\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"fails\"}",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        im_rpc_line(&c->rpc, im_str(lines[i]), (struct im_rpc_peer){true, 7}, &sink);
    im_rpc_line(&c->rpc, im_str(lines[2]), (struct im_rpc_peer){false, 8}, &sink);
    im_out_char(&audited, '\0');
    assert_string_equal(im_out_data(&audited), "put text=a times=2 words=(10 bytes) 7 ok\n"
                                               "fails 7 no_such_user\n"
                                               "fails 8 forbidden\n");
    im_out_clear(&audited);
}

/* The real tables. */

static void every_command_is_complete(void **state)
{
    (void)state;
    struct im_rpc rpc = {.tables = imd_admin_tables};
    struct im_rpc_place at = {0};
    size_t n = 0;
    for (const struct im_rpc_command *c; (c = im_rpc_next(&rpc, &at)); n++) {
        assert_ptr_equal(im_rpc_find(&rpc, im_str(c->name)), c);
        assert_non_null(c->run);
        assert_non_null(c->show);
        assert_true(strlen(c->help) > 10 && c->help[strlen(c->help) - 1] == '.');
        assert_null(c->args[IM_RPC_ARGS_MAX].name);
        bool dry = false;
        for (const struct im_rpc_arg *arg = c->args; arg->name; arg++) {
            assert_non_null(arg->help);
            dry = dry || strcmp(arg->name, "dry") == 0;
        }
        assert_true(dry || !c->asks);
    }
    assert_true(n > 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_is_answered_on_one_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_notification_runs_and_is_not_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_a_request_has_its_error, setup, teardown),
        cmocka_unit_test_setup_teardown(arguments_are_held_against_the_table, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reading_socket_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_has_its_reason_and_steers_no_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_may_come_later, setup, teardown),
        cmocka_unit_test_setup_teardown(a_notification_that_takes_its_time_is_told_to_be_over, setup, teardown),
        cmocka_unit_test_setup_teardown(an_asker_who_has_gone_gets_no_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_is_notifications_and_then_an_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_ends_with_its_asker, setup, teardown),
        cmocka_unit_test_setup_teardown(help_and_description_come_from_the_table, setup, teardown),
        cmocka_unit_test_setup_teardown(what_changes_something_is_noted_and_secrets_are_not, setup, teardown),
        cmocka_unit_test(every_command_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
