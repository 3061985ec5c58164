#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "web/web.h"

static struct im_http_response serve(const struct im_http_route *route, const char *accept)
{
    struct im_http_request request = {.path = im_str(route->path), .accept_encoding = im_str(accept)};
    struct im_http_response response = {0};
    route->handle(route->arg, &request, &response);
    return response;
}

static void assert_inflates_to(struct im_str zipped, struct im_str raw)
{
    uint8_t *in = malloc(zipped.len), *out = malloc(raw.len + 1);
    memcpy(in, zipped.p, zipped.len);
    z_stream z = {.next_in = in, .avail_in = (uInt)zipped.len, .next_out = out, .avail_out = (uInt)raw.len + 1};
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, raw.len);
    assert_memory_equal(out, raw.p, raw.len);
    inflateEnd(&z);
    free(in);
    free(out);
}

static void the_page_is_at_the_root(void **state)
{
    (void)state;
    assert_string_equal(im_web_routes[0].path, "/");
    struct im_http_response response = serve(&im_web_routes[0], NULL);
    assert_string_equal(response.type, "text/html; charset=utf-8");
    assert_memory_equal(response.body.p, "<!doctype html>", 15);
}

static void every_file_has_a_type_a_tag_and_a_strict_policy(void **state)
{
    (void)state;
    for (const struct im_http_route *r = im_web_routes; r->path; r++) {
        struct im_http_response response = serve(r, NULL);
        assert_int_equal(r->path[0], '/');
        assert_non_null(response.type);
        assert_int_equal(response.etag[0], '"');
        assert_int_equal(strlen(response.etag), 34);
        assert_non_null(strstr(response.csp, "default-src 'none'"));
        assert_null(strstr(response.csp, "unsafe"));
        assert_false(response.gzip);
    }
}

static void no_two_files_share_a_path_or_a_tag(void **state)
{
    (void)state;
    for (const struct im_http_route *a = im_web_routes; a->path; a++)
        for (const struct im_http_route *b = a + 1; b->path; b++) {
            assert_string_not_equal(a->path, b->path);
            assert_string_not_equal(serve(a, NULL).etag, serve(b, NULL).etag);
        }
}

static void who_accepts_gzip_gets_the_same_content_smaller(void **state)
{
    (void)state;
    size_t zipped = 0;
    for (const struct im_http_route *r = im_web_routes; r->path; r++) {
        struct im_http_response plain = serve(r, "identity"), small = serve(r, "gzip, br");
        assert_int_equal(plain.vary_encoding, small.vary_encoding);
        assert_string_equal(plain.type, small.type);
        if (!small.gzip)
            continue;
        assert_true(small.vary_encoding);
        assert_true(small.body.len < plain.body.len);
        assert_string_not_equal(small.etag, plain.etag);
        assert_string_equal(small.other_etag, plain.etag);
        assert_string_equal(plain.other_etag, small.etag);
        assert_inflates_to(small.body, plain.body);
        zipped++;
    }
    assert_true(zipped > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_at_the_root),
        cmocka_unit_test(every_file_has_a_type_a_tag_and_a_strict_policy),
        cmocka_unit_test(no_two_files_share_a_path_or_a_tag),
        cmocka_unit_test(who_accepts_gzip_gets_the_same_content_smaller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
