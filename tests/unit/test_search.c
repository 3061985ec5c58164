#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/search.h"
#include "tests/unit/unit.h"

static char listed[4096];

static bool list_term(void *arg, struct im_str term, size_t at)
{
    size_t *count = arg, len = strlen(listed);
    assert_int_equal(at, (*count)++);
    snprintf(listed + len, sizeof listed - len, "%s%.*s", len ? " " : "", (int)term.len, term.p);
    return true;
}

static const char *terms(const char *text)
{
    size_t count = 0;
    listed[0] = '\0';
    im_search_terms(im_str(text), list_term, &count);
    return listed;
}

static bool list_want(void *arg, const struct im_search_want *want)
{
    size_t len = strlen(listed);
    (void)arg;
    snprintf(listed + len, sizeof listed - len, "%s%s%.*s%s", len ? " " : "", want->follows ? "+" : "",
             (int)want->term.len, want->term.p, want->prefix ? "*" : "");
    return true;
}

static const char *wants(const char *query)
{
    listed[0] = '\0';
    im_search_wants(im_str(query), list_want, NULL);
    return listed;
}

static void a_text_is_words_and_pairs_of_characters(void **state)
{
    (void)state;
    static const struct {
        const char *text, *terms;
    } rows[] = {
        {"", ""},
        {" \t\r\n…—!?", ""},
        {"Hello, World 42", "hello world 42"},
        {"don't a.b_c-d", "don t a b c d"},
        {"今天下午开会吗", "今天 天下 下午 午开 开会 会吗 吗"},
        {"好", "好"},
        {"好。行", "好 行"},
        {"用iPhone拍的", "用 iphone 拍的 的"},
        {"3月15日", "3 月 15 日"},
        {"ひらカナー", "ひら らカ カナ ナー ー"},
        {"한국어", "한국 국어 어"},
        {"ไทย", "ไท ทย ย"},
        {"กำกี่", "กํา ากี่ กี่"},      /* the vowel below is a character of its own once taken apart */
        {"ＡＢＣ１２", "abc12"}, /* full width */
        {"ｶﾞ", "ガ"},            /* half width */
        {"STRASSE Straße", "strasse strasse"},
        {"ΣΊΣΥΦΟΣ", "σισυφοσ"},
        {"e\u0301te\u0301 \u00e9t\u00e9", "ete ete"},
        {"Ёлка Café naïve", "елка cafe naive"},
        {"co\u00adop zero\u200bwidth", "coop zerowidth"},
        {"हिन्दी में", "हिन्दी में"},
        {"\u0301 x", "x"},
        {"👍 ok 👍🏽", "👍 ok 👍"},
        {"々〇", "々〇 〇"},
        {"𠀀𠀁", "𠀀𠀁 𠀁"},
        {"b\"); DROP", "b drop"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(terms(rows[i].text), rows[i].terms);
}

/* ASCII goes a way of its own: to the same place. */
static void ascii_is_read_as_unicode_reads_it(void **state)
{
    (void)state;
    for (char c = 1; c > 0; c++) {
        char plain[16], mixed[16], expected[16];
        snprintf(plain, sizeof plain, "x%cY", c);
        snprintf(mixed, sizeof mixed, "x%cY \u00e9", c);
        snprintf(expected, sizeof expected, "%s e", terms(plain));
        assert_string_equal(terms(mixed), expected);
        assert_int_equal(strchr(terms(plain), ' ') == NULL, im_char(c) == IM_CHAR_WORD);
    }
}

static void a_query_asks_for_terms_in_a_row_and_the_beginning_of_its_last_word(void **state)
{
    (void)state;
    static const struct {
        const char *query, *wants;
    } rows[] = {
        {"", ""},
        {"Meet", "meet*"},
        {"the meeting ", "the meeting*"},
        {"会", "会*"},
        {"开会", "开会"},
        {"开会吗", "开会 +会吗"},
        {"开会 下午好 会", "开会 下午 +午好 会*"},
        {"会 meet", "会* meet*"},
        {"meet 会", "meet 会*"},
        {"iPhone手机", "iphone 手机"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(wants(rows[i].query), rows[i].wants);
}

static void queries_find_what_they_should_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *text, *query;
        bool found;
    } rows[] = {
        {"今天下午开会吗", "开会", true},
        {"今天下午开会吗", "会吗", true},
        {"今天下午开会吗", "下午开会", true},
        {"今天下午开会吗", "今", true},
        {"今天下午开会吗", "会", true},
        {"今天下午开会吗", "吗", true},
        {"今天下午开会吗", "开会 今天", true},
        {"今天下午开会吗", "会开", false},
        {"今天下午开会吗", "今天开会", false},
        {"今天下午开会吗", "开会 明天", false},
        {"开会会吗", "开会吗", false}, /* has both pairs, but not in a row */
        {"开会，会吗", "开会吗", false},
        {"会吗开会", "开会吗", false},
        {"开会开会吗", "开会吗", true},
        {"哈哈哈哈", "哈哈哈", true},
        {"哈哈", "哈哈哈", false},
        {"Meeting at noon", "meet", true},
        {"Meeting at noon", "MEETING", true},
        {"Meeting at noon", "noon meet", true},
        {"Meeting at noon", "meet noon", false}, /* only the last word is a beginning */
        {"Meeting at noon", "eeting", false},
        {"Meeting at noon", "meetings", false},
        {"use iPhone拍的", "iphone拍", true},
        {"use iPhone拍的", "拍的iph", true},
        {"un café, bitte", "cafe", true},
        {"un cafe, bitte", "CAFÉ", true},
        {"große Straße", "grosse strasse", true},
        {"好的👍", "👍", true},
        {"好的👍", "🎉", false},
        {"が", "か", false}, /* its mark makes it another letter */
        {"x", "", false},
        {"x", "!?", false},
        {"", "x", false},
        {"ＡＢＣ", "abc", true},
        {"Straße", "STRASSE", true},
        {"caf\u00e9", "cafe\u0301", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (im_search_match(im_str(rows[i].text), im_str(rows[i].query)) != rows[i].found)
            fail_msg("'%s' in '%s'", rows[i].query, rows[i].text);
}

static bool stop_at_two(void *arg, struct im_str term, size_t at)
{
    (void)term;
    *(size_t *)arg = at;
    return at < 1;
}

static void it_stops_when_told_to(void **state)
{
    (void)state;
    size_t last = 0;
    im_search_terms(IM_STR("a b c d"), stop_at_two, &last);
    assert_int_equal(last, 1);
}

static void what_is_no_text_has_no_terms(void **state)
{
    (void)state;
    assert_string_equal(terms("ok \xff no"), "");
    assert_false(im_search_match(IM_STR("ok \xff no"), IM_STR("ok")));
    assert_false(im_search_match(IM_STR("ok"), IM_STR("ok\xff")));
    assert_false(im_search_match((struct im_str){0}, IM_STR("ok")));
    assert_true(im_search_match(IM_STR("a\0b"), IM_STR("b")));
}

static bool check_length(void *arg, struct im_str term, size_t at)
{
    size_t *longest = arg;
    (void)at;
    assert_true(term.len > 0 && term.len <= IM_SEARCH_TERM_MAX);
    assert_true(im_str_utf8(term));
    if (term.len > *longest)
        *longest = term.len;
    return true;
}

static void terms_are_bounded(void **state)
{
    (void)state;
    char text[2000] = "", longer[2003];
    for (size_t i = 0; i < 300; i++)
        strcat(text, "ж");
    size_t longest = 0;
    im_search_terms(im_str(text), check_length, &longest);
    assert_int_equal(longest, IM_SEARCH_TERM_MAX);
    snprintf(longer, sizeof longer, "%sж", text);
    assert_true(im_search_match(im_str(text), im_str(longer)));
    snprintf(text, sizeof text, "会");
    for (size_t i = 0; i < 300; i++)
        strcat(text, "\u0323\u0301");
    strcat(text, "吗");
    longest = 0;
    im_search_terms(im_str(text), check_length, &longest);
    assert_true(longest > 0);
    assert_true(im_search_match(im_str(text), IM_STR("会")));
    assert_true(im_search_match(im_str(text), IM_STR("吗")));
    assert_true(im_search_match(im_str(text), im_str(text)));
}

static void a_query_has_a_bounded_number_of_terms(void **state)
{
    (void)state;
    char query[400] = "";
    for (size_t i = 0; i < IM_SEARCH_WANTED_MAX; i++)
        strcat(query, "a ");
    assert_true(im_search_match(IM_STR("a"), im_str(query)));
    strcat(query, "beyond");
    assert_true(im_search_match(IM_STR("a"), im_str(query)));
    assert_false(im_search_match(IM_STR("a"), IM_STR("a beyond")));
}

static void a_very_long_text_is_searched_as_far_as_the_bound(void **state)
{
    (void)state;
    size_t size = IM_SEARCH_TEXT_MAX * 2;
    char *text = malloc(size);
    memset(text, ' ', size);
    memcpy(text + IM_SEARCH_TEXT_MAX - 10, "near", 4);
    memcpy(text + IM_SEARCH_TEXT_MAX - 1, "会", 3); /* cut in two by the bound */
    memcpy(text + IM_SEARCH_TEXT_MAX + 10, "far", 3);
    assert_true(im_search_match((struct im_str){text, size}, IM_STR("near")));
    assert_false(im_search_match((struct im_str){text, size}, IM_STR("far")));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_words_and_pairs_of_characters),
        cmocka_unit_test(ascii_is_read_as_unicode_reads_it),
        cmocka_unit_test(a_query_asks_for_terms_in_a_row_and_the_beginning_of_its_last_word),
        cmocka_unit_test(queries_find_what_they_should_and_nothing_else),
        cmocka_unit_test(it_stops_when_told_to),
        cmocka_unit_test(what_is_no_text_has_no_terms),
        cmocka_unit_test(terms_are_bounded),
        cmocka_unit_test(a_query_has_a_bounded_number_of_terms),
        cmocka_unit_test(a_very_long_text_is_searched_as_far_as_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
