#include <stdio.h>
#include <stdlib.h>

#include "core/dialect_json.h"
#include "core/json_scan.h"
#include "tests/unit/world.h"

/* What the last command points into. */
static char *message;

static int forget_message(void **state)
{
    (void)state;
    free(message);
    message = NULL;
    return 0;
}

static enum im_reason decode(struct im_str text, struct im_command *cmd, struct im_error *error)
{
    /* an exactly sized copy, so that a memory checker catches one byte too many */
    char *copy = im_alloc(text.len ? text.len : 1);
    free(message);
    message = copy;
    struct im_link link = {.dialect = &im_dialect_json};
    memcpy(copy, text.p, text.len);
    *cmd = (struct im_command){0};
    *error = (struct im_error){0};
    return im_dialect_json.decode(&link, (struct im_str){copy, text.len}, cmd, error);
}

static void fields_are_read_by_their_types(void **state)
{
    (void)state;
    struct im_command cmd;
    struct im_error error;
    assert_int_equal(
        decode(IM_STR(" {\"id\":\"x\\n\",\"op\":\"history\",\"conv\":\"小明\",\"before\":9,\"limit\":3,\"new\":[{}]} "),
               &cmd, &error),
        IM_OK);
    assert_int_equal(cmd.op, IM_OP_HISTORY);
    assert_int_equal(cmd.have, IM_BIT(conv) | IM_BIT(before) | IM_BIT(limit));
    assert_str(cmd.id, "\"x\\n\"");
    assert_str(cmd.conv, "小明");
    assert_int_equal(cmd.before, 9);
    im_command_clear(&cmd);
    assert_int_equal(decode(IM_STR("{\"op\":\"presence\",\"id\":-5,\"users\":[\"a\",\"b\"]}"), &cmd, &error), IM_OK);
    assert_str(cmd.id, "-5");
    assert_int_equal(cmd.users_count, 2);
    assert_str(cmd.users[1], "b");
    im_command_clear(&cmd);
    assert_int_equal(decode(IM_STR("{\"op\":\"ack\",\"pos\":\"9223372036854775807\"}"), &cmd, &error), IM_OK);
    assert_true(cmd.pos == INT64_MAX);
    assert_null(cmd.id.p);
    im_command_clear(&cmd);
}

static void names_in_json_are_those_of_the_table(void **state)
{
    (void)state;
    struct im_command cmd;
    struct im_error error;
    assert_int_equal(decode(IM_STR("{\"op\":\"group\",\"do\":\"set\",\"conv\":\"#g\",\"public\":true,"
                                   "\"history\":\"all\",\"users\":[\"not of this op\"]}"),
                            &cmd, &error),
                     IM_OK);
    assert_int_equal(cmd.have, IM_BIT(act) | IM_BIT(conv) | IM_BIT(open) | IM_BIT(past));
    assert_str(cmd.act, "set");
    assert_true(cmd.open);
    assert_str(cmd.past, "all");
    im_command_clear(&cmd);
    assert_int_equal(decode(IM_STR("{\"op\":\"send\",\"to\":\"#g\",\"text\":\"x\",\"reply\":3,"
                                   "\"mentions\":[\"小明\",\"*\"]}"),
                            &cmd, &error),
                     IM_OK);
    assert_int_equal(cmd.reply, 3);
    assert_int_equal(cmd.mentions_count, 2);
    assert_str(cmd.mentions[0], "小明");
    im_command_clear(&cmd);
    assert_int_equal(decode(IM_STR("{\"op\":\"delete\",\"conv\":\"a\",\"seq\":1,\"for\":\"me\"}"), &cmd, &error),
                     IM_OK);
    assert_str(cmd.scope, "me");
    im_command_clear(&cmd);
    assert_int_equal(decode(IM_STR("{\"op\":\"password\",\"new\":\"\"}"), &cmd, &error), IM_OK);
    assert_int_equal(cmd.have, IM_BIT(fresh));
    assert_int_equal(cmd.fresh.len, 0);
    im_command_clear(&cmd);
}

/* As the body of an incoming webhook is. */
static void fields_alone_are_read_for_a_known_op(void **state)
{
    (void)state;
    struct im_command cmd = {.op = IM_OP_SEND};
    struct im_error error = {0};
    assert_int_equal(im_json_parse(IM_STR("{\"text\":\"x\",\"op\":\"bye\",\"id\":7}"), &cmd, &error), IM_OK);
    assert_int_equal(cmd.op, IM_OP_SEND);
    assert_int_equal(cmd.have, IM_BIT(text));
    assert_null(cmd.id.p);
    im_command_clear(&cmd);
    cmd = (struct im_command){.op = IM_OP_SEND};
    assert_int_equal(im_json_parse(IM_STR("[\"text\"]"), &cmd, &error), IM_BAD_JSON);
    im_command_clear(&cmd);
}

static void usual_requests_are_read_in_place(void **state)
{
    static const struct {
        const char *text;
        bool in_place;
    } rows[] = {
        {"{\"op\":\"send\",\"id\":1,\"to\":\"bob\",\"text\":\"hi\",\"cid\":\"c1\"}", true},
        {" { \"to\" : \"小明\" , \"text\" : \"说\\u201c喵\\u201d\\n\" , \"op\" : \"send\" } ", true},
        {"{\"op\":\"ack\",\"pos\":\"9223372036854775807\"}", true},
        {"{\"op\":\"react\",\"conv\":\"#a\",\"seq\":7,\"emoji\":\"👍\",\"on\":false}", true},
        {"{\"op\":\"send\",\"to\":\"bob\",\"text\":\"\\ud83d\\udc4d\"}", false},
        {"{\"op\":\"send\",\"to\":\"bob\",\"text\":\"hi\",\"mentions\":[\"a\"]}", false},
        {"{\"op\":\"send\",\"to\":\"bob\",\"text\":\"hi\",\"more\":1}", false},
        {"{\"op\":\"send\",\"to\":\"bob\",\"to\":\"bob\",\"text\":\"hi\"}", false},
        {"{\"op\":\"send\",\"to\":\"bob\",\"text\":\"\\u0000\"}", false},
        {"{\"op\":\"send\",\"to\":\"bob\",\"text\":\"a\nb\"}", false},
        {"{\"op\":\"ack\"}", false},
        {"{\"op\":\"ping\",\"id\":007}", false},
        {"{\"op\":\"ping\"", false},
        {"{\"op\":\"ping\"}}", false},
        {"{}", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct im_command scanned = {0}, parsed = {0};
        struct im_error error;
        if (im_json_scan(im_str(rows[i].text), &scanned) != rows[i].in_place)
            fail_msg("%s", rows[i].text);
        if (rows[i].in_place) {
            assert_int_equal(im_json_parse(im_str(rows[i].text), &parsed, &error), IM_OK);
            assert_true(scanned.op == parsed.op && scanned.have == parsed.have && im_str_eq(scanned.id, parsed.id));
            assert_true(im_str_eq(scanned.text, parsed.text) && im_str_eq(scanned.to, parsed.to));
            assert_true(scanned.pos == parsed.pos && scanned.seq == parsed.seq && scanned.on == parsed.on);
        }
        im_command_clear(&scanned);
        im_command_clear(&parsed);
    }
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum im_reason reason;
        const char *detail;
    } rows[] = {
        {"", IM_BAD_JSON, "column 0: '[' or '{' expected"},
        {"[]", IM_BAD_JSON, "must be an object"},
        {"{\"op\":\"ping\"} x", IM_BAD_JSON, "end of file expected"},
        {"{\"op\":\"ping\",\"op\":\"bye\"}", IM_BAD_JSON, "duplicate object key"},
        {"{\"op\":\"ping\",\"x\":{\"a\":1,\"a\":2}}", IM_BAD_JSON, "duplicate object key"},
        {"{\"op\":\"ping\",\"x\":\"\xff\"}", IM_BAD_JSON, "column"},
        {"{\"op\":\"send\",\"to\":\"bob\",\"text\":\"\xc0\x80\"}", IM_BAD_JSON, "column"},
        {"{\"op\":\"ping\",\"x\":\"\\ud800\"}", IM_BAD_JSON, "column"},
        {"{\"op\":\"send\",\"to\":\"a\",\"text\":\"\\u0000\"}", IM_BAD_FIELD, "text: NUL"},
        {"{\"op\":\"ping\\u0000\"}", IM_BAD_OP, "ping"},
        {"{\"op\":\"ping\",\"x\":1e999}", IM_BAD_JSON, "overflow"},
        {"{\"op\":\"ping\",\"x\":99999999999999999999}", IM_BAD_JSON, "too big integer"},
        {"{\"op\":1}", IM_BAD_FIELD, "op: must be a string"},
        {"{}", IM_BAD_FIELD, "op: must be a string"},
        {"{\"op\":\"fly\"}", IM_BAD_OP, "op: 'fly' is not known"},
        {"{\"op\":\"none\"}", IM_BAD_OP, "op: 'none' is not known"},
        {"{\"op\":\"ping\",\"id\":{}}", IM_BAD_FIELD, "id: must be an integer or a string"},
        {"{\"op\":\"ping\",\"id\":\"a\\u0000\"}", IM_BAD_FIELD, "without NUL"},
        {"{\"op\":\"ping\",\"id\":1.5}", IM_BAD_FIELD, "id: must be an integer or a string"},
        {"{\"op\":\"edit\",\"seq\":1,\"text\":\"x\"}", IM_BAD_FIELD, "conv: is missing"},
        {"{\"op\":\"edit\",\"conv\":\"a\",\"seq\":1,\"text\":null}", IM_BAD_FIELD, "text: is missing"},
        {"{\"op\":\"group\",\"conv\":\"#a\"}", IM_BAD_FIELD, "do: is missing"},
        {"{\"op\":\"react\",\"conv\":\"a\",\"seq\":1,\"emoji\":\"x\",\"on\":1}", IM_BAD_FIELD,
         "on: must be true or false"},
        {"{\"op\":\"password\"}", IM_BAD_FIELD, "new: is missing"},
        {"{\"op\":\"delete\",\"conv\":\"a\",\"seq\":1,\"for\":\"everybody, please\"}", IM_TOO_LONG,
         "for: at most 16 bytes"},
        {"{\"op\":\"search\",\"text\":\"a\",\"context\":1.5}", IM_BAD_FIELD, "context: must be an integer"},
        {"{\"op\":\"send\",\"to\":5,\"text\":\"x\"}", IM_BAD_FIELD, "to: must be a string"},
        {"{\"op\":\"history\",\"conv\":\"a\",\"limit\":1001}", IM_BAD_FIELD,
         "limit: must be an integer from 0 to 1000"},
        {"{\"op\":\"history\",\"conv\":\"a\",\"before\":-1}", IM_BAD_FIELD, "before: must be an integer"},
        {"{\"op\":\"ack\",\"pos\":5}", IM_BAD_FIELD, "pos: must be a position"},
        {"{\"op\":\"ack\",\"pos\":\"9223372036854775808\"}", IM_BAD_FIELD, "pos: must be a position"},
        {"{\"op\":\"presence\",\"users\":\"a\"}", IM_BAD_FIELD, "users: must be an array"},
        {"{\"op\":\"presence\",\"users\":[1]}", IM_BAD_FIELD, "users[0]: must be a string"},
        {"{\"op\":\"presence\",\"users\":[\"a\",\"b\\u0000\"]}", IM_BAD_FIELD, "users[1]: NUL is not allowed"},
        {"{\"op\":\"hello\",\"lang\":\"12345678901234567\"}", IM_TOO_LONG, "lang: at most 16 bytes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct im_command cmd;
        struct im_error error;
        if (decode(im_str(rows[i].text), &cmd, &error) != rows[i].reason || !strstr(error.detail, rows[i].detail))
            fail_msg("%s: %s", rows[i].text, error.detail);
        assert_true(im_str_utf8(im_str(error.detail)));
        im_command_clear(&cmd);
    }
}

static void the_id_comes_back_with_an_error(void **state)
{
    (void)state;
    struct im_command cmd;
    struct im_error error;
    assert_int_equal(decode(IM_STR("{\"op\":\"fly\",\"id\":3}"), &cmd, &error), IM_BAD_OP);
    assert_str(cmd.id, "3");
    im_command_clear(&cmd);
}

static void depth_and_number_of_values_are_bounded(void **state)
{
    (void)state;
    struct im_command cmd;
    struct im_error error;
    struct im_out out = {0};
    for (unsigned i = 0; i < 33; i++)
        im_out_str(&out, "[");
    assert_int_equal(decode((struct im_str){im_out_data(&out), out.len}, &cmd, &error), IM_BAD_JSON);
    assert_non_null(strstr(error.detail, "nested deeper than 32"));
    im_command_clear(&cmd);
    im_out_clear(&out);
    im_out_str(&out, "{\"op\":\"ping\",\"x\":[");
    for (unsigned i = 0; i < 20000; i++)
        im_out_str(&out, "{},");
    assert_int_equal(decode((struct im_str){im_out_data(&out), out.len}, &cmd, &error), IM_BAD_JSON);
    assert_non_null(strstr(error.detail, "more than 2048 values"));
    im_command_clear(&cmd);
    im_out_clear(&out);
    im_out_str(&out, "{\"op\":\"ping\",\"x\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[,,\\\"[\"}");
    assert_int_equal(decode((struct im_str){im_out_data(&out), out.len}, &cmd, &error), IM_OK);
    im_command_clear(&cmd);
    im_out_clear(&out);
}

static void every_prefix_of_a_message_is_an_error(void **state)
{
    (void)state;
    static const char text[] = "{\"op\":\"send\",\"id\":1,\"to\":\"小明\",\"text\":\"a\\u4f60\\\"b\",\"cid\":\"c\"}";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        struct im_command cmd;
        struct im_error error;
        assert_int_equal(decode((struct im_str){text, len}, &cmd, &error), IM_BAD_JSON);
        im_command_clear(&cmd);
    }
}

static void errors_are_told_in_the_session_s_language(void **state)
{
    struct world *w = *state;
    struct wire a;
    wire_open(w, &a, &im_dialect_json);
    wire_say(&a, "{\"op\":\"hello\",\"id\":1,\"v\":1,\"lang\":\"zh-CN\"}");
    assert_heard_part(&a,
                      "\"auth\":[\"open\",\"password\",\"token\"],\"register\":\"off\",\"limits\":{\"message\":65536,");
    wire_say(&a, "{\"op\":\"login\",\"id\":\"q\",\"user\":\"a b\"}");
    assert_heard(&a, "{\"op\":\"err\",\"id\":\"q\",\"code\":400,\"name\":\"bad_id\",\"text\":"
                     "\"喵喵号不合法：1 到 32 个字母、数字、“.”、“_”或“-”。\",\"detail\":"
                     "\"U+0020 is not allowed in an id\",\"retry\":false}\n");
    wire_say(&a, "{\"op\":\"hello\",\"id\":1,\"v\":2}");
    assert_heard_part(&a, "v: this server speaks version 1");
    wire_close_now(&a);
}

static void a_body_keeps_its_type(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    wire_open(w, &a, &im_dialect_json);
    wire_open(w, &b, &im_dialect_json);
    wire_login(&a, "a");
    wire_login(&b, "b");
    wire_say(&a, "{\"op\":\"send\",\"to\":\"b\",\"body\":\"{}\",\"mime\":\"application/json\"}");
    assert_heard_part(&b, ",\"body\":\"{}\",\"mime\":\"application/json\"}");
    wire_close_now(&a);
    wire_close_now(&b);
}

#define world_test(name) cmocka_unit_test_setup_teardown(name, world_new, world_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_by_their_types),
        cmocka_unit_test(names_in_json_are_those_of_the_table),
        cmocka_unit_test(fields_alone_are_read_for_a_known_op),
        cmocka_unit_test(usual_requests_are_read_in_place),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(the_id_comes_back_with_an_error),
        cmocka_unit_test(depth_and_number_of_values_are_bounded),
        cmocka_unit_test(every_prefix_of_a_message_is_an_error),
        world_test(errors_are_told_in_the_session_s_language),
        world_test(a_body_keeps_its_type),
    };
    return cmocka_run_group_tests(tests, NULL, forget_message);
}
