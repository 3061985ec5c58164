#include <stdlib.h>

#include "core/mem.h"
#include "tests/unit/unit.h"
#include "transports/http.h"
#include "transports/ws_handshake.h"

static void decoded(const char *in, int expected, const char *out)
{
    size_t len = strlen(in), cap = 8;
    char *exact = realloc(im_strndup(in, len), len ? len : 1), *to = im_alloc(cap);
    assert_int_equal(im_http_decode((struct im_str){exact, len}, to, cap), expected);
    if (expected > 0)
        assert_memory_equal(to, out, (size_t)expected);
    free(exact);
    free(to);
}

static void escapes_are_decoded_or_refused(void **state)
{
    (void)state;
    decoded("", 0, "");
    decoded("plain", 5, "plain");
    decoded("%E5%b0%8F", 3, "\xe5\xb0\x8f");
    decoded("a%2Fb+", 4, "a/b+");
    decoded("12345678", 8, "12345678");
    decoded("123456789", -1, NULL);
    decoded("%", -1, NULL);
    decoded("%4", -1, NULL);
    decoded("%4g", -1, NULL);
    decoded("%%41", -1, NULL);
    decoded("%00", -1, NULL);
}

static void gzip_is_taken_when_it_is_wanted(void **state)
{
    static const char *const yes[] = {"gzip", "deflate, gzip;q=1.0", "GZIP ; q=0.5", "x-gzip",
                                      "*",    "br;q=1, *;q=0.001",   "gzip;q=0.001"};
    static const char *const no[] = {"",      "br",       "gzip;q=0", "gzip;q=0.000",  "gzip;q=0, *",
                                     "*;q=0", "gzip;q=2", "gzip;q=x", "gzip;q=0.0001", "gzip;level=1"};
    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(im_http_accepts_gzip(im_str(yes[i])));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(im_http_accepts_gzip(im_str(no[i])));
    assert_false(im_http_accepts_gzip((struct im_str){0}));
}

static void the_language_liked_best_is_taken(void **state)
{
    (void)state;
    assert_int_equal(im_http_language(IM_STR("zh-CN,zh;q=0.9,en;q=0.8"), IM_EN), IM_ZH);
    assert_int_equal(im_http_language(IM_STR("en-US,zh;q=0.9"), IM_ZH), IM_EN);
    assert_int_equal(im_http_language(IM_STR("fr, zh;q=0.1, en;q=0.2"), IM_ZH), IM_EN);
    assert_int_equal(im_http_language(IM_STR("zh-Hant"), IM_EN), IM_ZH);
    assert_int_equal(im_http_language(IM_STR("zhx, e, en-"), IM_ZH), IM_EN);
    assert_int_equal(im_http_language(IM_STR("fr"), IM_ZH), IM_ZH);
    assert_int_equal(im_http_language(IM_STR("en;q=0"), IM_ZH), IM_ZH);
    assert_int_equal(im_http_language((struct im_str){0}, IM_ZH), IM_ZH);
}

static void keys_are_sixteen_bytes_in_base64(void **state)
{
    char accept[IM_WS_ACCEPT_LEN + 1];
    (void)state;
    assert_true(im_ws_key_ok(IM_STR("dGhlIHNhbXBsZSBub25jZQ==")));
    assert_false(im_ws_key_ok(IM_STR("dGhlIHNhbXBsZSBub25jZR==")));
    assert_false(im_ws_key_ok(IM_STR("dGhlIHNhbXBsZSBub25jZQ=A")));
    assert_false(im_ws_key_ok(IM_STR("dGhlIHNhbXBsZSBub25jZSE=")));
    assert_false(im_ws_key_ok((struct im_str){"dGhlIHNhbXBsZSBub25j\0Q==", 24}));
    assert_false(im_ws_key_ok(IM_STR("")));
    assert_false(im_ws_key_ok((struct im_str){0}));
    im_ws_accept(IM_STR("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* RFC 6455, 1.3 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_are_decoded_or_refused),
        cmocka_unit_test(gzip_is_taken_when_it_is_wanted),
        cmocka_unit_test(the_language_liked_best_is_taken),
        cmocka_unit_test(keys_are_sixteen_bytes_in_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
