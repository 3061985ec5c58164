#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/command.h"
#include "core/mention.h"
#include "tests/unit/unit.h"

/* Members: their ids, and the keys they go by. */
static const char *const members[][2] = {{"ann", "Ann"},        {"bob", "bob"},   {"bob.smith", "bob.smith"},
                                         {"a_b", "a_b"},        {"小明", "小明"}, {"小明明", "小明明"},
                                         {"strasse", "Straße"}, {"é", "É"},       {"7", "7"},
                                         {"hello", "hello"}};

static unsigned asked;

static struct im_str find_member(void *arg, struct im_str key)
{
    (void)arg;
    asked++;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (im_str_eq(key, im_str(members[i][0])))
            return im_str(members[i][1]);
    return (struct im_str){0};
}

static void assert_mentions(const char *text, const char *named, bool all, const char *expected)
{
    char *list = im_mentions(im_str(text), im_str(named), all, find_member, NULL);
    if (strcmp(list ? list : "", expected) != 0)
        fail_msg("'%s' mentions '%s', not '%s'", text, list, expected);
    assert_true(list == NULL || list[0]);
    free(list);
}

static void names_in_the_text_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *text, *found;
    } rows[] = {
        {"", ""},
        {"hello bob", ""},
        {"@bob", "bob"},
        {"@ bob", ""},
        {"@@bob", "bob"},
        {"hey @BOB, see", "bob"},
        {"hey ＠bob", "bob"}, /* as Chinese keyboards write it */
        {"@ann @bob @ANN", "Ann bob"},
        {"@bob@ann", "bob Ann"},
        {"@bob. And then", "bob"},
        {"@bob.smith", "bob.smith"},
        {"@bob.smithson", "bob"},
        {"@bobby", ""},
        {"@bob_", ""},
        {"@bob-", "bob"},
        {"@a_b", "a_b"},
        {"@nobody", ""},
        {"@小明你好", "小明"},
        {"请@小明看一下", "小明"},
        {"@小明明天开会", "小明明"},
        {"@小", ""},
        {"@bob你好", "bob"},
        {"@小明bob", "小明"},
        {"mail bob@hello.example", ""},
        {"mail b_@hello", ""},
        {"mail e\u0301@hello", ""},
        {"(@bob)", "bob"},
        {"@STRASSE @e\u0301", "Straße É"},
        {"@e\u0301\u0301", ""},
        {"@7", "7"},
        {"@all @所有人", ""},
        {"@", ""},
        {"bob@", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_mentions(rows[i].text, NULL, false, rows[i].found);
}

static void named_ones_come_first_and_only_once(void **state)
{
    (void)state;
    assert_mentions("see @ann", "bob", false, "bob Ann");
    assert_mentions("see @ann", "bob ANN bob", false, "bob Ann");
    assert_mentions("", "zoe  bob ", false, "bob");
    assert_mentions("", "not/an/id #group", false, "");
    assert_mentions("", "*", false, "");
}

static void everybody_counts_when_allowed(void **state)
{
    (void)state;
    assert_mentions("@all", NULL, true, "*");
    assert_mentions("@All, listen", NULL, true, "*");
    assert_mentions("@所有人开会", NULL, true, "*");
    assert_mentions("@ALL @bob @所有人", NULL, true, "* bob");
    assert_mentions("@bob", "* ann", true, "* Ann bob");
    assert_mentions("@alligator x@all", NULL, true, "");
}

static struct im_str anybody(void *arg, struct im_str key)
{
    (void)arg;
    asked++;
    return key;
}

static void the_list_is_bounded(void **state)
{
    (void)state;
    char text[4000] = "";
    for (unsigned i = 0; i < 100; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "@u%u ", i);
    for (unsigned in_text = 0; in_text < 2; in_text++) {
        char *list =
            im_mentions(im_str(in_text ? text : ""), im_str(in_text ? "u50 u51" : "u1 u2"), false, anybody, NULL);
        size_t spaces = 0;
        for (char *p = list; *p; p++)
            spaces += *p == ' ';
        assert_int_equal(spaces, in_text ? IM_MENTIONS_MAX - 1 : 1);
        free(list);
    }
}

static void asking_is_bounded(void **state)
{
    (void)state;
    size_t size = 60000;
    char *text = malloc(size + 10);
    text[0] = '\0';
    for (size_t len = 0; len < size; len += 4)
        memcpy(text + len, "@喵", 5);
    asked = 0;
    assert_null(im_mentions(im_str(text), (struct im_str){0}, true, find_member, NULL));
    assert_true(asked > 100 && asked <= 2048);
    for (size_t len = 0; len < size; len += 3)
        memcpy(text + len, "喵", 4);
    text[0] = text[1] = '@';
    text[2] = 'a';
    assert_mentions(text, NULL, true, "");
    free(text);
}

static void broken_text_does_no_harm(void **state)
{
    (void)state;
    assert_mentions("@\xff @bob\xff @ann", NULL, false, "bob Ann");
    assert_mentions("\xe5@bob", NULL, false, "bob");
    assert_mentions("@\xe5", NULL, false, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_in_the_text_are_found),
        cmocka_unit_test(named_ones_come_first_and_only_once),
        cmocka_unit_test(everybody_counts_when_allowed),
        cmocka_unit_test(the_list_is_bounded),
        cmocka_unit_test(asking_is_bounded),
        cmocka_unit_test(broken_text_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
