#include <stdlib.h>
#include <string.h>

#include "core/name.h"
#include "tests/unit/unit.h"

static enum im_reason parse(const char *s, struct im_name *name)
{
    /* an exactly sized copy, so that a memory checker catches one byte too many */
    size_t len = strlen(s);
    char *copy = malloc(len ? len : 1);
    memcpy(copy, s, len);
    struct im_error error;
    enum im_reason reason = im_name_parse((struct im_str){copy, len}, name, &error);
    free(copy);
    return reason;
}

static void ids_of_any_script_are_accepted(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "bob", "小明", "翠花", "x.y_z-1", "Ελένη", "هند", "あいう", "한국", "७"};
    struct im_name name;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(parse(good[i], &name), IM_OK);
        assert_str(im_name_text(&name), good[i]);
    }
}

static void ids_that_hide_something_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "a b",
        "a\tb",
        "a\nb",
        "#group",
        "a/b",
        "a\x1b[2J",
        "\xc2\x9b", /* C1 */
        "a\u202e"
        "b", /* bidi override */
        "a\u200d"
        "b",       /* zero width joiner */
        "\u3164",  /* Hangul filler: a letter that cannot be seen */
        "a\ufe0f", /* variation selector */
        "\u0301a", /* begins with a mark */
        "\xff",
        "\xed\xa0\x80", /* a surrogate */
        "a\xc3",        /* cut in half */
        "😀",
    };
    struct im_name name;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse(bad[i], &name), IM_BAD_ID);
}

static void an_id_has_at_most_32_characters_in_any_script(void **state)
{
    (void)state;
    char text[33 * 4 + 1] = "";
    struct im_name name;
    for (unsigned i = 0; i < 32; i++)
        strcat(text, "𠀀"); /* four bytes each */
    assert_int_equal(parse(text, &name), IM_OK);
    assert_int_equal(name.text_len, 128);
    strcat(text, "𠀀");
    assert_int_equal(parse(text, &name), IM_BAD_ID);
}

static void same_user(const char *a, const char *b, bool same)
{
    struct im_name x, y;
    assert_int_equal(parse(a, &x), IM_OK);
    assert_int_equal(parse(b, &y), IM_OK);
    assert_int_equal(im_str_eq(im_name_key(&x), im_name_key(&y)), same);
}

static void ids_that_look_the_same_are_the_same_user(void **state)
{
    (void)state;
    same_user("Bob", "bOB", true);
    same_user("é", "e\u0301", true);
    same_user("STRASSE", "straße", true);
    same_user("Σίσυφος", "ΣΊΣΥΦΟΣ", true);
    same_user("\u212b", "å", true); /* ångström sign */
    same_user("bob", "bab", false);
    same_user("小明", "小名", false);
}

static void a_key_is_its_own_key(void **state)
{
    (void)state;
    static const char *const odd[] = {"ẞ", "ŉ", "ǰ", "ΐ", "ﬃ", "İ", "ᾳ"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct im_name name, again;
        if (parse(odd[i], &name) != IM_OK)
            continue;
        if (im_name_parse(im_name_key(&name), &again, NULL) == IM_OK)
            assert_true(im_str_eq(im_name_key(&name), im_name_key(&again)));
    }
}

static void the_error_says_what_is_wrong(void **state)
{
    (void)state;
    struct im_error error;
    struct im_name name;
    assert_int_equal(im_name_parse(IM_STR("a b"), &name, &error), IM_BAD_ID);
    assert_string_equal(error.detail, "U+0020 is not allowed in an id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_any_script_are_accepted),
        cmocka_unit_test(ids_that_hide_something_are_refused),
        cmocka_unit_test(an_id_has_at_most_32_characters_in_any_script),
        cmocka_unit_test(ids_that_look_the_same_are_the_same_user),
        cmocka_unit_test(a_key_is_its_own_key),
        cmocka_unit_test(the_error_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
