#include <stdlib.h>

#include "core/bytes.h"
#include "core/mem.h"
#include "tests/unit/unit.h"
#include "transports/http_head.h"

enum { HEAD_MAX = 4096 };

/* Feeds text in pieces of `step` bytes from blocks of exactly that size; what is left over goes to *rest. */
static enum im_reason feed(struct im_http_head *h, const char *text, size_t step, bool *done, size_t *rest)
{
    enum im_reason reason = IM_OK;
    size_t len = strlen(text), at = 0;
    *done = false;
    *rest = len;
    while (at < len && reason == IM_OK && !*done) {
        size_t n = len - at < step ? len - at : step;
        char *piece = realloc(im_strndup(text + at, n), n);
        struct im_str in = {piece, n};
        reason = im_http_head_feed(h, HEAD_MAX, &in, done);
        *rest = len - at - n + in.len;
        at += n;
        free(piece);
    }
    return reason;
}

static void refused(const char *text, enum im_reason expected)
{
    size_t steps[] = {1, 3, strlen(text)}, rest[3];
    for (size_t i = 0; i < 3; i++) {
        struct im_http_head h = {0};
        bool done;
        assert_int_equal(feed(&h, text, steps[i], &done, &rest[i]), expected);
        im_http_head_clear(&h);
    }
    assert_int_equal(rest[0], rest[2]); /* the same byte proves it */
}

static void a_request_is_taken_apart(void **state)
{
    static const char text[] = "GET /a/b?c HTTP/1.1\r\nHOST:  example:80\t\r\nX-Other: 1\r\nConnection: a, Upgrade\r\n"
                               "connection: b ,, c\r\nSec-WebSocket-Key:\r\n\r\nrest";
    (void)state;
    for (size_t step = 1; step <= sizeof text; step++) {
        struct im_http_head h = {0};
        bool done;
        size_t rest;
        assert_int_equal(feed(&h, text, step, &done, &rest), IM_OK);
        assert_true(done);
        assert_int_equal(rest, 4);
        assert_str(im_http_head_part(&h, h.method), "GET");
        assert_str(im_http_head_part(&h, h.target), "/a/b?c");
        assert_int_equal(h.minor, 1);
        assert_str(im_http_head_get(&h, IM_HEAD_HOST), "example:80");
        assert_null(im_http_head_get(&h, IM_HEAD_ORIGIN).p);
        assert_non_null(im_http_head_get(&h, IM_HEAD_WS_KEY).p);
        assert_int_equal(im_http_head_get(&h, IM_HEAD_WS_KEY).len, 0);
        assert_true(im_http_head_lists(&h, IM_HEAD_CONNECTION, "upgrade"));
        assert_true(im_http_head_lists(&h, IM_HEAD_CONNECTION, "c"));
        assert_false(im_http_head_lists(&h, IM_HEAD_CONNECTION, "up"));
        im_http_head_clear(&h);
    }
}

static void the_next_request_begins_afresh(void **state)
{
    struct im_http_head h = {0};
    bool done;
    size_t rest;
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(feed(&h, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 100, &done, &rest), IM_OK);
        assert_true(done);
        im_http_head_clear(&h);
    }
}

#define REST " HTTP/1.1\r\nHost: a\r\n"

static void malformed_heads_are_refused(void **state)
{
    static const char *const bad[] = {
        " / HTTP/1.1\r\n",
        "G(T / HTTP/1.1\r\n",
        "GET\t/",
        "GET  /",
        "GET /a#",
        "GET /\x7f",
        "GET /\xe4",
        "GET / HTTP/1.1\n",
        "GET / HTTP/1.1 \r\n",
        "GET / HTTP/11\r\n",
        "GET / HTTP/1.10\r\n",
        "GET / http/1.1\r\n",
        "GET /\r\n",
        "\r\n\r\nGET",
        "\n",
        "\r\r",
        "GET /" REST "\n",
        "GET /" REST "\r\r",
        "GET /" REST " folded",
        "GET /" REST "name\r\n",
        "GET /" REST "name : x",
        "GET /" REST ":",
        "GET /" REST "a: \x01",
        "GET /" REST "a: x\n",
        "GET /" REST "a: x\rb",
        "GET /" REST "Host: a\r\n",
        "GET /" REST "Origin: a\r\norigin: a\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(bad[i], IM_HTTP_BAD);
}

static void other_versions_are_told_apart_from_nonsense(void **state)
{
    (void)state;
    refused("GET / HTTP/2.0\r\n", IM_HTTP_VERSION);
    refused("GET / HTTP/0.9\r\n", IM_HTTP_VERSION);
    refused("GET / HTTP/1.1\r\nHost: a\r\n\r\n", IM_OK);
    refused("GET / HTTP/1.7\r\nHost: a\r\n\r\n", IM_OK);
    refused("GET / HTTP/1.0\r\n\r\n", IM_OK);
}

static void heads_are_bounded(void **state)
{
    struct im_out out = {0};
    (void)state;
    im_out_str(&out, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    while (out.len < HEAD_MAX)
        im_out_char(&out, 'x');
    im_out_char(&out, '\0');
    refused(im_out_data(&out), IM_OK); /* not yet */
    out.len--;
    im_out_str(&out, "x");
    im_out_char(&out, '\0');
    refused(im_out_data(&out), IM_HTTP_HEAD);
    out.len = 0;
    im_out_str(&out, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < IM_HEAD_KEPT_MAX; i++)
        im_out_str(&out, "Accept-Encoding: a\r\n");
    im_out_char(&out, '\0');
    refused(im_out_data(&out), IM_HTTP_HEAD);
    im_out_clear(&out);
}

static void list_elements_are_trimmed(void **state)
{
    struct im_str rest = IM_STR(" ,a , b c\t,, d"), e;
    (void)state;
    assert_true(im_http_element(&rest, &e));
    assert_str(e, "a");
    assert_true(im_http_element(&rest, &e));
    assert_str(e, "b c");
    assert_true(im_http_element(&rest, &e));
    assert_str(e, "d");
    assert_false(im_http_element(&rest, &e));
}

/* Responses. */

static enum im_reason feed_response(struct im_http_head *h, const char *text, size_t step, bool *done)
{
    size_t rest;
    *h = (struct im_http_head){.response = true};
    return feed(h, text, step, done, &rest);
}

static void a_response_is_taken_apart(void **state)
{
    static const char text[] = "HTTP/1.1 503 Not \xe4t all\r\nContent-Length: 5\r\nRetry-After: 7\r\n\r\nhello";
    struct im_http_head h;
    bool done;
    (void)state;
    for (size_t step = 1; step <= sizeof text; step++) {
        assert_int_equal(feed_response(&h, text, step, &done), IM_OK);
        assert_true(done);
        assert_int_equal(h.status, 503);
        assert_int_equal(h.minor, 1);
        assert_str(im_http_head_get(&h, IM_HEAD_CONTENT_LENGTH), "5");
        assert_str(im_http_head_get(&h, IM_HEAD_RETRY_AFTER), "7");
        im_http_head_clear(&h);
        assert_true(h.response);
    }
    assert_int_equal(feed_response(&h, "HTTP/1.0 200\r\n\r\n", 1, &done), IM_OK);
    assert_true(done && h.minor == 0 && h.status == 200);
    im_http_head_clear(&h);
}

static void malformed_responses_are_refused(void **state)
{
    static const char *const bad[] = {
        "\r\nHTTP/1.1 200\r\n", "GET / HTTP/1.1\r\n",    "http/1.1 200\r\n",   "HTTP/1.1  200\r\n",
        "HTTP/1.1 20\r\n",      "HTTP/1.1 2000\r\n",     "HTTP/1.1 099 x\r\n", "HTTP/1.1 2x0 x\r\n",
        "HTTP/1.1 200 x\n",     "HTTP/1.1 200 \x01\r\n", "HTTP/1.1 200 x\rx",  "HTTP/1.1 200 x\r\na b: c\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (size_t step = 1; step < 30; step += 28) {
            struct im_http_head h;
            bool done;
            if (feed_response(&h, bad[i], step, &done) != IM_HTTP_BAD)
                fail_msg("%s", bad[i]);
            im_http_head_clear(&h);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_taken_apart),    cmocka_unit_test(the_next_request_begins_afresh),
        cmocka_unit_test(malformed_heads_are_refused), cmocka_unit_test(other_versions_are_told_apart_from_nonsense),
        cmocka_unit_test(heads_are_bounded),           cmocka_unit_test(list_elements_are_trimmed),
        cmocka_unit_test(a_response_is_taken_apart),   cmocka_unit_test(malformed_responses_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
