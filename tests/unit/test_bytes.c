#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/mem.h"
#include "tests/unit/unit.h"

static void expect(struct im_out *out, const char *text)
{
    struct im_bytes *b = im_out_take(out);
    assert_int_equal(b->len, strlen(text));
    assert_memory_equal(b->data, text, b->len);
    im_bytes_drop(&b);
}

static void numbers_are_written_to_their_ends(void **state)
{
    (void)state;
    struct im_out out = {0};
    im_out_u64(&out, 0);
    im_out_char(&out, ' ');
    im_out_u64(&out, UINT64_MAX);
    im_out_char(&out, ' ');
    im_out_i64(&out, INT64_MIN);
    im_out_char(&out, ' ');
    im_out_i64(&out, -1);
    expect(&out, "0 18446744073709551615 -9223372036854775808 -1");
}

static void json_strings_are_escaped_where_they_must_be(void **state)
{
    (void)state;
    struct im_out out = {0};
    im_out_json(&out, IM_STR("a\"b\\c\n\r\t\x01\x1f/小\x7f"));
    expect(&out, "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u001f/小\x7f\"");
    im_out_json(&out, (struct im_str){NULL, 0});
    expect(&out, "\"\"");
}

static void nothing_that_steers_a_terminal_gets_through(void **state)
{
    (void)state;
    struct im_out out = {0};
    im_out_safe(&out, IM_STR("a\x1b[31m\x07\x7f\r\n\t小"), false);
    expect(&out, "a\\x1b[31m\\x07\\x7f\\x0d\\x0a\\x09小");
    im_out_safe(&out, IM_STR("\xc2\x9b\u202e\u2066\u200f\ufeff"), false);
    expect(&out, "\\u{009b}\\u{202e}\\u{2066}\\u{200f}\\u{feff}");
    im_out_safe(&out, IM_STR("\xff\xc3"), false);
    expect(&out, "\\xff\\xc3");
    im_out_safe(&out, IM_STR("a\nb"), true);
    expect(&out, "a\nb");
}

static void a_long_printf_is_not_cut(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct im_out out = {0};
    im_out_printf(&out, "%s", text);
    expect(&out, text);
}

static void bytes_live_while_anybody_holds_them(void **state)
{
    (void)state;
    struct im_bytes *a = im_bytes_new("abc", 3), *b = im_bytes_hold(a);
    im_bytes_drop(&a);
    assert_null(a);
    assert_memory_equal(b->data, "abc", 3);
    im_bytes_drop(&b);
    im_bytes_drop(&b);
}

static void numbers_are_read_strictly(void **state)
{
    (void)state;
    uint64_t n;
    assert_true(im_str_u64(IM_STR("18446744073709551615"), &n));
    assert_true(n == UINT64_MAX);
    assert_false(im_str_u64(IM_STR("18446744073709551616"), &n));
    assert_false(im_str_u64(IM_STR(""), &n));
    assert_false(im_str_u64(IM_STR("-1"), &n));
    assert_false(im_str_u64(IM_STR("1 "), &n));
}

static void utf8_is_checked_strictly(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xf8", "a\xe4\xbd"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(im_str_utf8(im_str(bad[i])));
    assert_true(im_str_utf8(im_str("aé小😀\U0010ffff")));
    assert_true(im_str_utf8((struct im_str){NULL, 0}));
}

/* Whatever its length, and wherever what must be escaped stands: strings are looked through in words. */
static void json_strings_of_every_length_are_escaped(void **state)
{
    enum { LONGEST = 80 };
    static const struct {
        char c;
        const char *written;
    } rows[] = {{'x', "x"},        {'"', "\\\""},        {'\\', "\\\\"},      {'\n', "\\n"},
                {0x01, "\\u0001"}, {0x1f, "\\u001f"},    {0x20, " "},         {0x21, "!"},
                {0x7f, "\x7f"},    {(char)0xc3, "\xc3"}, {(char)0x80, "\x80"}};
    (void)state;
    for (size_t len = 1; len <= LONGEST; len++)
        for (size_t at = 0; at < len; at++)
            for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                char *text = im_alloc(len), expected[LONGEST + 8];
                memset(text, 'a', len);
                text[at] = rows[i].c;
                snprintf(expected, sizeof expected, "\"%.*s%s%.*s\"", (int)at, text, rows[i].written,
                         (int)(len - at - 1), text + at + 1);
                struct im_str s = {text, len};
                struct im_out out = {0};
                im_out_json(&out, s);
                assert_string_equal(im_out_data(&out), expected);
                uint8_t *put = im_alloc(IM_PUT_JSON(len));
                assert_int_equal(im_put_json(put, s) - put, out.len);
                assert_memory_equal(put, expected, out.len);
                free(put);
                unsigned char c = (unsigned char)rows[i].c;
                assert_int_equal(im_str_control(s), c < 0x20 || c == 0x7f);
                im_out_clear(&out);
                free(text);
            }
}

static void numbers_of_every_length_are_written(void **state)
{
    (void)state;
    char expected[24];
    for (uint64_t n = 1, i = 0; i < 20; n *= 10, i++)
        for (int d = -1; d <= 1; d++) {
            struct im_out out = {0};
            im_out_u64(&out, n + (uint64_t)d);
            snprintf(expected, sizeof expected, "%llu", (unsigned long long)(n + (uint64_t)d));
            assert_string_equal(im_out_data(&out), expected);
            out.len = 0;
            im_out_u64(&out, n - n / 3 + (uint64_t)d); /* digits that differ */
            snprintf(expected, sizeof expected, "%llu", (unsigned long long)(n - n / 3 + (uint64_t)d));
            assert_string_equal(im_out_data(&out), expected);
            im_out_clear(&out);
        }
    struct im_out out = {0};
    im_out_u64(&out, UINT64_MAX);
    im_out_i64(&out, INT64_MIN);
    assert_string_equal(im_out_data(&out), "18446744073709551615-9223372036854775808");
    im_out_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_to_their_ends),
        cmocka_unit_test(json_strings_are_escaped_where_they_must_be),
        cmocka_unit_test(nothing_that_steers_a_terminal_gets_through),
        cmocka_unit_test(a_long_printf_is_not_cut),
        cmocka_unit_test(bytes_live_while_anybody_holds_them),
        cmocka_unit_test(numbers_are_read_strictly),
        cmocka_unit_test(utf8_is_checked_strictly),
        cmocka_unit_test(json_strings_of_every_length_are_escaped),
        cmocka_unit_test(numbers_of_every_length_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
