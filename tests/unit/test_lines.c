#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "transports/lines.h"

enum { MAX = 8 };

/* Feeds the input in pieces of `step` bytes, each from a block of exactly its size. Lines come out as "[line]", a line
 * that is too long as "!", the rest as "{rest}". */
static void cut(struct im_out *out, const char *input, size_t len, size_t step)
{
    struct im_lines lines = {0};
    enum im_lines_got got = IM_LINES_MORE;
    struct im_str line;
    for (size_t at = 0; at < len && got != IM_LINES_LONG; at += step) {
        size_t n = len - at < step ? len - at : step;
        char *piece = malloc(n);
        memcpy(piece, input + at, n);
        for (struct im_str in = {piece, n}; in.len > 0 && got != IM_LINES_LONG; im_lines_done(&lines)) {
            got = im_lines_next(&lines, MAX, &in, &line);
            if (got == IM_LINES_MORE)
                assert_int_equal(in.len, 0);
            if (got == IM_LINES_LONG)
                im_out_char(out, '!');
            if (got == IM_LINES_LINE)
                im_out_printf(out, "[%.*s]", (int)line.len, line.p);
        }
        free(piece);
    }
    if (got != IM_LINES_LONG && im_lines_rest(&lines, MAX, &line))
        im_out_printf(out, "{%.*s}", (int)line.len, line.p);
    im_lines_clear(&lines);
    im_out_char(out, '\0');
}

#define CUTS(input, expected)                                                                                          \
    for (size_t step = 1; step <= sizeof(input); step++) {                                                             \
        struct im_out out = {0};                                                                                       \
        cut(&out, input, sizeof(input) - 1, step);                                                                     \
        assert_string_equal(im_out_data(&out), expected);                                                              \
        im_out_clear(&out);                                                                                            \
    }

static void lines_end_with_lf_or_crlf(void **state)
{
    (void)state;
    CUTS("one\ntwo\r\nthree\n", "[one][two][three]");
    CUTS("\n\r\n\n", "[][][]");
    CUTS("", "");
}

static void a_cr_elsewhere_belongs_to_the_line(void **state)
{
    (void)state;
    CUTS("a\rb\n", "[a\rb]");
    CUTS("\r\r\n", "[\r]");
}

static void bytes_are_not_interpreted(void **state)
{
    (void)state;
    CUTS("\xff\xfe\x01\n\xe4\xbd\xa0\n", "[\xff\xfe\x01][\xe4\xbd\xa0]");
}

static void the_rest_comes_at_the_end(void **state)
{
    (void)state;
    CUTS("one\ntwo", "[one]{two}");
    CUTS("one\ntwo\r", "[one]{two}");
    CUTS("12345678", "{12345678}");
}

static void a_line_may_be_as_long_as_the_limit(void **state)
{
    (void)state;
    CUTS("12345678\n12345678\r\nx\n", "[12345678][12345678][x]");
}

static void a_longer_line_is_refused_as_soon_as_it_shows(void **state)
{
    (void)state;
    CUTS("123456789\nx\n", "!");
    CUTS("a\n123456789\r\n", "[a]!");
    CUTS("1234567890", "!");
    CUTS("12345678\r\r\n", "!");
}

static void between_lines_nothing_is_kept(void **state)
{
    struct im_lines lines = {0};
    struct im_str line, in = IM_STR("first\nsec"), more = IM_STR("ond\n");
    (void)state;
    assert_int_equal(im_lines_next(&lines, MAX, &in, &line), IM_LINES_LINE);
    assert_null(lines.part); /* passed where it lies */
    im_lines_done(&lines);
    assert_int_equal(im_lines_next(&lines, MAX, &in, &line), IM_LINES_MORE);
    im_lines_done(&lines);
    assert_non_null(lines.part);
    assert_int_equal(im_lines_next(&lines, MAX, &more, &line), IM_LINES_LINE);
    assert_true(im_str_eq(line, IM_STR("second")));
    im_lines_done(&lines);
    assert_null(lines.part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_with_lf_or_crlf),
        cmocka_unit_test(a_cr_elsewhere_belongs_to_the_line),
        cmocka_unit_test(bytes_are_not_interpreted),
        cmocka_unit_test(the_rest_comes_at_the_end),
        cmocka_unit_test(a_line_may_be_as_long_as_the_limit),
        cmocka_unit_test(a_longer_line_is_refused_as_soon_as_it_shows),
        cmocka_unit_test(between_lines_nothing_is_kept),
    };
    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
