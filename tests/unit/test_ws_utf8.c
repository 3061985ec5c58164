#include <stdlib.h>
#include <string.h>

#include "core/str.h"
#include "tests/unit/unit.h"
#include "transports/ws_utf8.h"

/* Fed in two pieces, cut anywhere, the verdict is the same. */
static bool valid(const void *p, size_t n)
{
    bool first = false;
    for (size_t cut = 0; cut <= n; cut++) {
        struct im_ws_utf8 u = {0};
        bool ok = im_ws_utf8_feed(&u, p, cut) && im_ws_utf8_feed(&u, (const uint8_t *)p + cut, n - cut) &&
                  im_ws_utf8_complete(&u);
        if (cut > 0)
            assert_int_equal(ok, first);
        first = ok;
    }
    return first;
}

static size_t encode(uint32_t c, uint8_t out[4])
{
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i > 1; i--, c >>= 6)
        out[i - 1] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)(lead[n] | c);
    return n;
}

static void every_code_point_but_the_surrogates_is_text(void **state)
{
    uint8_t bytes[4];
    (void)state;
    for (uint32_t c = 0; c < 0x120000; c += c < 0x3000 ? 1 : 61) {
        size_t n = encode(c, bytes);
        assert_int_equal(valid(bytes, n), c <= 0x10ffff && (c < 0xd800 || c > 0xdfff));
    }
    assert_true(valid("\xed\x9f\xbf", 3));
    assert_false(valid("\xed\xa0\x80", 3));
    assert_true(valid("\xf4\x8f\xbf\xbf", 4));
    assert_false(valid("\xf4\x90\x80\x80", 4));
}

static void it_agrees_with_the_core_on_three_bytes_of_anything(void **state)
{
    uint8_t bytes[3];
    (void)state;
    for (uint32_t c = 0; c < 1 << 24; c += 7) {
        bytes[0] = (uint8_t)(c >> 16), bytes[1] = (uint8_t)(c >> 8), bytes[2] = (uint8_t)c;
        struct im_ws_utf8 u = {0};
        bool ok = im_ws_utf8_feed(&u, bytes, 3) && im_ws_utf8_complete(&u);
        if (ok != im_str_utf8((struct im_str){(const char *)bytes, 3}))
            fail_msg("%02x %02x %02x", bytes[0], bytes[1], bytes[2]);
    }
}

static void overlong_forms_and_impossible_bytes_are_not_text(void **state)
{
    (void)state;
    assert_false(valid("\xc0\xaf", 2));
    assert_false(valid("\xe0\x80\xaf", 3));
    assert_false(valid("\xf0\x80\x80\xaf", 4));
    assert_false(valid("\x80", 1));
    assert_false(valid("\xfe", 1));
    assert_false(valid("\xff", 1));
}

static void long_ascii_hides_nothing(void **state)
{
    char text[64];
    (void)state;
    for (size_t at = 0; at < sizeof text; at++) {
        memset(text, 'x', sizeof text);
        assert_true(valid(text, sizeof text));
        text[at] = (char)0xc0;
        assert_false(valid(text, sizeof text));
    }
}

static void the_verdict_comes_at_the_first_bad_octet(void **state)
{
    struct im_ws_utf8 u = {0};
    (void)state;
    assert_true(im_ws_utf8_feed(&u, (const uint8_t *)"fine\xf4", 5));
    assert_false(im_ws_utf8_complete(&u));
    assert_false(im_ws_utf8_feed(&u, (const uint8_t *)"\x90", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_but_the_surrogates_is_text),
        cmocka_unit_test(it_agrees_with_the_core_on_three_bytes_of_anything),
        cmocka_unit_test(overlong_forms_and_impossible_bytes_are_not_text),
        cmocka_unit_test(long_ascii_hides_nothing),
        cmocka_unit_test(the_verdict_comes_at_the_first_bad_octet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
