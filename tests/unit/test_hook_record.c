#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "tools/imd/hook_record.h"

static void read_back(const char *text, bool ok)
{
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    struct im_hook_rule rule;
    memcpy(copy, text, len);
    if (im_hook_record_read((struct im_str){copy, len}, &rule) != ok)
        fail_msg("%s", text);
    im_hook_rule_clear(&rule);
    free(copy);
}

#define LEAST "\"user\":\"Bot\",\"url\":\"http://a/\",\"secret\":\"12345678\""

static void a_record_that_was_written_is_read(void **state)
{
    static const char *const values[] = {
        "{" LEAST ",\"when\":\"always\",\"created\":5}",
        "{" LEAST ",\"events\":[\"msg\",\"member\"],\"conversations\":[\"小红\",\"#Group\"],\"when\":\"away\","
        "\"own\":true,\"enabled\":true,\"since\":77,\"created\":1700000000000}",
        "{" LEAST ",\"events\":[],\"when\":\"always\",\"created\":5}",
        "{" LEAST ",\"events\":[\"react\"],\"when\":\"always\",\"enabled\":true,\"created\":0}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct im_hook_rule rule, copy;
        struct im_out out = {0};
        assert_true(im_hook_record_read(im_str(values[i]), &rule));
        im_hook_rule_copy(&copy, &rule);
        im_hook_rule_clear(&rule);
        im_hook_record_write(&copy, &out);
        assert_str(((struct im_str){im_out_data(&out), out.len}), values[i]);
        im_hook_rule_clear(&copy);
        im_out_clear(&out);
    }
}

static void what_is_no_record_is_refused(void **state)
{
    (void)state;
    read_back("{" LEAST "}", true);
    read_back("{" LEAST ",\"unknown\":[]}", true);
    read_back("", false);
    read_back("[]", false);
    read_back("{}", false);
    read_back("{\"user\":\"a b\",\"url\":\"http://a/\",\"secret\":\"12345678\"}", false);
    read_back("{\"user\":\"a\",\"url\":\"ftp://a/\",\"secret\":\"12345678\"}", false);
    read_back("{\"user\":\"a\",\"url\":\"http://a/\",\"secret\":\"1234567\"}", false);
    read_back("{\"user\":\"a\",\"url\":\"http://a/\",\"secret\":\"1234567 \"}", false);
    read_back("{" LEAST ",\"events\":[\"typing\"]}", false);
    read_back("{" LEAST ",\"events\":[1]}", false);
    read_back("{" LEAST ",\"conversations\":[\"\"]}", false);
    read_back("{" LEAST ",\"secret\":\"12345678\"}", false);
}

static void names_fit_into_http(void **state)
{
    static const char *const bad[] = {"", "A", "a b", "a:b", "喵", "a\r\nb", "123456789012345678901234567890123"};
    (void)state;
    assert_int_equal(im_hook_check_name(IM_STR("12345678901234567890123456789012"), NULL), IM_OK);
    assert_int_equal(im_hook_check_name(IM_STR("a-b_c.9"), NULL), IM_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(im_hook_check_name(im_str(bad[i]), NULL), IM_BAD_FIELD);
    assert_int_equal(im_hook_check_name((struct im_str){"a\0", 2}, NULL), IM_BAD_FIELD);
}

static void lists_are_written_with_commas(void **state)
{
    struct im_hook_rule rule = {0};
    struct im_error error;
    (void)state;
    assert_int_equal(im_hook_set_events(&rule, (struct im_str){0}, &error), IM_OK);
    assert_int_equal(rule.events, IM_HOOK_ALL_EVENTS);
    assert_int_equal(im_hook_set_events(&rule, IM_STR("edit,msg"), &error), IM_OK);
    assert_int_equal(rule.events, 1u << IM_EV_MSG | 1u << IM_EV_EDIT);
    assert_int_equal(im_hook_set_events(&rule, IM_STR("msg,"), &error), IM_BAD_FIELD);
    assert_int_equal(im_hook_set_events(&rule, IM_STR(""), &error), IM_BAD_FIELD);
    assert_int_equal(im_hook_set_events(&rule, IM_STR("presence"), &error), IM_BAD_FIELD);
    assert_int_equal(im_hook_set_conversations(&rule, IM_STR("a,#B,小红"), &error), IM_OK);
    assert_int_equal(rule.conversation_count, 3);
    assert_string_equal(im_name_key(&rule.conversations[1]).p, "#b");
    assert_int_equal(im_hook_set_conversations(&rule, IM_STR("a,,b"), &error), IM_BAD_ID);
    assert_int_equal(im_hook_set_conversations(&rule, (struct im_str){0}, &error), IM_OK);
    assert_int_equal(rule.conversation_count, 0);
    im_hook_rule_clear(&rule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_that_was_written_is_read),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(names_fit_into_http),
        cmocka_unit_test(lists_are_written_with_commas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
