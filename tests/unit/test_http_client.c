#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "core/config.h"
#include "core/mem.h"
#include "tests/conform/peer.h"
#include "tests/unit/unit.h"
#include "transports/dial.h"
#include "transports/http_client.h"
#include "transports/listener.h"
#include "transports/loop.h"

/* URLs. */

static enum im_reason parse(const char *text, struct im_http_url *url)
{
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1); /* exactly sized, so that a sanitizer catches one byte too many */
    memcpy(copy, text, len);
    enum im_reason reason = im_http_url_parse((struct im_str){copy, len}, url, NULL);
    free(copy);
    return reason;
}

static void urls_are_taken_apart(void **state)
{
    static const struct {
        const char *text;
        bool tls;
        uint16_t port;
        const char *host, *authority, *target;
    } rows[] = {
        {"http://a/", false, 80, "a", "a", "/"},
        {"http://a", false, 80, "a", "a", "/"},
        {"https://a.example.org/b?c=d&e", true, 443, "a.example.org", "a.example.org", "/b?c=d&e"},
        {"HTTPS://a:8443/", true, 8443, "a", "a:8443", "/"},
        {"http://127.0.0.1:1/x", false, 1, "127.0.0.1", "127.0.0.1:1", "/x"},
        {"http://[::1]:65535/x", false, 65535, "::1", "[::1]:65535", "/x"},
        {"http://[::1]", false, 80, "::1", "[::1]", "/"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct im_http_url url;
        assert_int_equal(im_http_url_parse(im_str(rows[i].text), &url, NULL), IM_OK);
        assert_int_equal(url.tls, rows[i].tls);
        assert_int_equal(url.port, rows[i].port);
        assert_str(url.host, rows[i].host);
        assert_str(url.authority, rows[i].authority);
        assert_str(url.target, rows[i].target);
        struct im_str origin = im_http_url_origin(im_str(rows[i].text));
        assert_ptr_equal(origin.p, rows[i].text);
        assert_ptr_equal(origin.p + origin.len, url.authority.p + url.authority.len);
    }
}

static void bad_urls_are_refused(void **state)
{
    static const char *const bad[] = {
        "",           "a",           "http:",        "http://",     "http:///x",       "ftp://a/",     "http//a",
        "http://a:",  "http://a:0/", "http://a:x/",  "http://:80/", "http://a:65536/", "http://u@a/",  "http://a/ b",
        "http://a#b", "http://a/\n", "http://[::1/", "http://[]/",  "http://[::1]x/",  "http://a_b*/", "http://喵/",
        "http://a?b", "http://a\\b/"};
    struct im_http_url url;
    struct im_error error;
    char long_one[IM_HTTP_URL_MAX + 20] = "http://a/";
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parse(bad[i], &url) != IM_BAD_FIELD)
            fail_msg("%s", bad[i]);
    memset(long_one + 9, 'x', IM_HTTP_URL_MAX);
    assert_int_equal(im_http_url_parse(im_str(long_one), &url, &error), IM_TOO_LONG);
    memset(long_one + 7, 'x', 300);
    assert_int_equal(im_http_url_parse((struct im_str){long_one, 400}, &url, &error), IM_BAD_FIELD);
}

/* A client, and a server that the test plays itself. */

struct world {
    struct stage stage;
    struct im_config *config;
    struct im_counters counters;
    struct im_transport_env env;
    struct im_dialer *dialer;
    struct im_http_client *client;
    int listening;
    unsigned port;
    unsigned outcomes;
    struct im_http_outcome last;
    char problem[200];
    bool free_when_done;
    struct im_listener *tls;
};

static void done(void *arg, const struct im_http_outcome *outcome)
{
    struct world *w = arg;
    w->outcomes++;
    w->last = *outcome;
    snprintf(w->problem, sizeof w->problem, "%s", outcome->problem);
    w->last.problem = w->problem;
    if (w->free_when_done)
        im_http_client_free(&w->client);
}

static void listen_somewhere(struct world *w)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    w->listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(w->listening, (struct sockaddr *)(void *)&in, len), 0);
    assert_int_equal(listen(w->listening, 10), 0);
    assert_int_equal(getsockname(w->listening, (struct sockaddr *)(void *)&in, &len), 0);
    w->port = ntohs(in.sin_port);
}

static int set_up(void **state)
{
    struct world *w = im_zalloc(sizeof *w);
    stage_open(&w->stage);
    w->config = im_config_new();
    w->config->tls_handshake_ms = w->config->http_head_ms = 60000; /* under valgrind, on a busy machine */
    w->env = (struct im_transport_env){.base = w->stage.base, .config = w->config, .counters = &w->counters};
    w->dialer = im_dialer_new(&w->env);
    listen_somewhere(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    im_http_client_free(&w->client);
    if (w->tls)
        im_listener_close(&w->tls);
    UNTIL(&w->stage, im_dialer_count(w->dialer) == 0 && im_streams_count(&w->env) == 0);
    im_dialer_free(&w->dialer);
    im_loop_free(&w->env.loop);
    stage_close(&w->stage);
    im_config_free(&w->config);
    close(w->listening);
    free(w);
    return 0;
}

static void use_url(struct world *w, const char *origin, unsigned port)
{
    char url[100];
    snprintf(url, sizeof url, "%s:%u/x?y", origin, port);
    w->client = im_http_client_new(
        &(struct im_http_client_options){.dialer = w->dialer, .url = im_str(url), .done = done, .arg = w});
}

static void post(struct world *w, const char *body)
{
    struct im_bytes *bytes = im_bytes_new(body, strlen(body));
    im_http_client_post(w->client, IM_STR("X-A: b\r\n"), bytes, 60000);
    im_bytes_drop(&bytes);
}

static struct peer *next_peer(struct world *w)
{
    int fd = -1;
    UNTIL(&w->stage, (fd = accept(w->listening, NULL, NULL)) >= 0);
    return peer_new(&w->stage, fd, false);
}

static void expect_request(struct world *w, struct peer *p, const char *body)
{
    char expected[500];
    snprintf(expected, sizeof expected,
             "POST /x?y HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: imd/%s\r\nContent-Length: %zu\r\nX-A: "
             "b\r\n\r\n%s",
             w->port, PACKAGE_VERSION, strlen(body), body);
    UNTIL(&w->stage, p->in.len >= strlen(expected));
    assert_int_equal(p->in.len, strlen(expected));
    assert_memory_equal(p->in.p, expected, strlen(expected));
    buffer_eat(&p->in, p->in.len);
}

static void expect_status(struct world *w, unsigned outcomes, int status)
{
    UNTIL(&w->stage, w->outcomes == outcomes);
    assert_int_equal(w->last.reason, IM_OK);
    assert_int_equal(w->last.status, status);
}

static void a_connection_is_kept_for_the_next_request(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 202\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 500 Oh \xe4\r\ncontent-length:1\r\nServer: x\r\n\r\n!",
    };
    static const int statuses[] = {200, 204, 202, 500};
    struct world *w = *state;
    struct peer *p = NULL;
    use_url(w, "http://127.0.0.1", w->port);
    for (unsigned i = 0; i < 4; i++) {
        post(w, "{}");
        if (!p)
            p = next_peer(w);
        p->chunk = i % 2; /* byte by byte, or in one */
        expect_request(w, p, "{}");
        peer_say(p, answers[i]);
        expect_status(w, i + 1, statuses[i]);
    }
    assert_false(p->ended);
}

static void an_idle_connection_is_closed_after_a_while(void **state)
{
    struct world *w = *state;
    w->config->http_idle_ms = 100;
    use_url(w, "http://127.0.0.1", w->port);
    for (unsigned i = 1; i < 3; i++) {
        post(w, "x");
        struct peer *p = next_peer(w);
        expect_request(w, p, "x");
        peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        expect_status(w, i, 200);
        UNTIL(&w->stage, p->ended || p->broken);
        peer_free(&w->stage, &p);
    }
}

static void without_a_known_end_the_connection_is_not_kept(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n",
    };
    struct world *w = *state;
    use_url(w, "http://127.0.0.1", w->port);
    for (unsigned i = 0; i < 5; i++) {
        post(w, "text");
        struct peer *p = next_peer(w);
        expect_request(w, p, "text");
        peer_say(p, answers[i]);
        expect_status(w, i + 1, 200);
        UNTIL(&w->stage, p->ended || p->broken);
        peer_free(&w->stage, &p);
    }
}

static void a_kept_connection_that_has_ended_is_made_anew(void **state)
{
    struct world *w = *state;
    use_url(w, "http://127.0.0.1", w->port);
    post(w, "1");
    struct peer *p = next_peer(w);
    expect_request(w, p, "1");
    peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    expect_status(w, 1, 200);
    post(w, "2");
    expect_request(w, p, "2");
    peer_free(&w->stage, &p); /* without an answer: perhaps it has never seen the request */
    p = next_peer(w);
    expect_request(w, p, "2");
    peer_free(&w->stage, &p); /* but a new connection was good */
    UNTIL(&w->stage, w->outcomes == 2);
    assert_int_equal(w->last.reason, IM_GONE);
    assert_int_equal(w->last.status, 0);
    assert_string_equal(w->problem, "the connection ended without an answer");
}

static void what_is_not_http_is_a_failure(void **state)
{
    static const char *const answers[] = {"SSH-2.0-x\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 099 X\r\n\r\n",
                                          "HTTP/1.1 20\r\n", "HTTP/1.1 200 OK\n"};
    struct world *w = *state;
    use_url(w, "http://127.0.0.1", w->port);
    for (unsigned i = 0; i < 5; i++) {
        post(w, "");
        struct peer *p = next_peer(w);
        expect_request(w, p, "");
        peer_say(p, answers[i]);
        UNTIL(&w->stage, w->outcomes == i + 1);
        assert_int_equal(w->last.reason, IM_HTTP_BAD);
        UNTIL(&w->stage, p->ended || p->broken);
        peer_free(&w->stage, &p);
    }
}

static void an_endless_head_is_a_failure(void **state)
{
    struct world *w = *state;
    use_url(w, "http://127.0.0.1", w->port);
    post(w, "");
    struct peer *p = next_peer(w);
    peer_say(p, "HTTP/1.1 200 OK\r\nX: ");
    for (int i = 0; i < 2000; i++)
        peer_say(p, "0123456789");
    UNTIL(&w->stage, w->outcomes == 1);
    assert_int_equal(w->last.reason, IM_HTTP_BAD);
}

static void silence_is_a_failure_after_a_while(void **state)
{
    struct world *w = *state;
    struct im_bytes *bytes = im_bytes_new("x", 1);
    uint64_t begun = now_ms();
    use_url(w, "http://127.0.0.1", w->port);
    im_http_client_post(w->client, IM_STR("X-A: b\r\n"), bytes, 200);
    im_bytes_drop(&bytes);
    struct peer *p = next_peer(w);
    expect_request(w, p, "x");
    peer_say(p, "HTTP/1.1 200");
    UNTIL(&w->stage, w->outcomes == 1);
    assert_true(now_ms() - begun >= 200);
    assert_int_equal(w->last.reason, IM_TOO_SLOW);
    UNTIL(&w->stage, p->ended || p->broken);
}

static void a_closed_port_is_a_failure_that_says_so(void **state)
{
    struct world *w = *state;
    unsigned port = w->port;
    close(w->listening);
    use_url(w, "http://127.0.0.1", port);
    post(w, "x");
    UNTIL(&w->stage, w->outcomes == 1);
    assert_int_equal(w->last.reason, IM_IO_FAILED);
    assert_string_equal(w->problem, strerror(ECONNREFUSED));
    listen_somewhere(w);
}

static void names_are_looked_up(void **state)
{
    struct world *w = *state;
    use_url(w, "http://localhost", w->port);
    post(w, "x");
    struct peer *p = next_peer(w); /* though it may have another address too, where nobody listens */
    UNTIL(&w->stage, p->in.len > 0);
    peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n");
    expect_status(w, 1, 200);
    assert_int_equal(w->last.retry_after_ms, 7000);
}

static void a_client_may_go_at_any_moment(void **state)
{
    struct world *w = *state;
    for (int steps = 0; steps < 6; steps++) {
        use_url(w, "http://127.0.0.1", w->port);
        post(w, "x");
        for (int i = 0; i < steps; i++)
            stage_step(&w->stage);
        im_http_client_free(&w->client);
        UNTIL(&w->stage, im_dialer_count(w->dialer) == 0);
    }
    assert_int_equal(w->outcomes, 0);
    while (accept(w->listening, NULL, NULL) >= 0) /* leftovers; their ends close with the process */
        ;
    use_url(w, "http://127.0.0.1", w->port);
    w->free_when_done = true;
    post(w, "x");
    struct peer *p = next_peer(w);
    expect_request(w, p, "x");
    peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nand more");
    expect_status(w, 1, 200);
    UNTIL(&w->stage, p->ended || p->broken);
}

/* TLS: a server that answers everybody. */

static size_t answer(void *ctx, const uint8_t *p, size_t n)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    (void)p;
    im_stream_write(ctx, text, sizeof text - 1);
    return n;
}

static void ended(void *ctx, enum im_reason reason)
{
    (void)ctx, (void)reason;
}

static void serve(void *arg, struct im_stream *stream)
{
    static const struct im_stream_ops ops = {.bytes = answer, .ended = ended};
    (void)arg;
    im_stream_attach(stream, &ops, stream);
}

static unsigned serve_tls(struct world *w, char *cert, char *key)
{
    char address[] = "127.0.0.1:0";
    struct im_error error;
    struct im_listen_config listen = {.address = address, .backlog = 10, .tls_cert = cert, .tls_key = key};
    make_certificate(cert, key, "localhost");
    if (im_listener_open(&w->tls, &(struct im_listener_options){.env = &w->env, .config = &listen, .ready = serve},
                         &error) != IM_OK)
        fail_msg("%s", error.detail);
    return (unsigned)atoi(strchr(im_listener_address(w->tls), ':') + 1);
}

static void certificates_are_checked(void **state)
{
    struct world *w = *state;
    char dir[] = "/tmp/imd-client-XXXXXX", cert[64], key[64];
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    unsigned port = serve_tls(w, cert, key);
    use_url(w, "https://localhost", port); /* nobody vouches for it */
    post(w, "x");
    UNTIL(&w->stage, w->outcomes == 1);
    assert_int_equal(w->last.reason, IM_TLS_FAILED);
    assert_non_null(strstr(w->problem, "certificate"));
    setenv("SSL_CERT_FILE", cert, 1);
    im_dialer_renew(w->dialer);
    for (unsigned i = 2; i < 4; i++) {
        post(w, "x");
        expect_status(w, i, 200);
    }
    im_http_client_free(&w->client);
    use_url(w, "https://127.0.0.1", port); /* it is another's */
    post(w, "x");
    UNTIL(&w->stage, w->outcomes == 4);
    assert_int_equal(w->last.reason, IM_TLS_FAILED);
    unsetenv("SSL_CERT_FILE");
    unlink(cert);
    unlink(key);
    rmdir(dir);
}

static void a_plain_server_is_no_tls_server(void **state)
{
    struct world *w = *state;
    use_url(w, "https://127.0.0.1", w->port);
    post(w, "x");
    struct peer *p = next_peer(w);
    UNTIL(&w->stage, p->in.len > 0);
    peer_say(p, "HTTP/1.1 400 Bad Request\r\n\r\n");
    UNTIL(&w->stage, w->outcomes == 1);
    assert_int_equal(w->last.reason, IM_TLS_FAILED);
    peer_free(&w->stage, &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(bad_urls_are_refused),
        cmocka_unit_test_setup_teardown(a_connection_is_kept_for_the_next_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_idle_connection_is_closed_after_a_while, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_known_end_the_connection_is_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_kept_connection_that_has_ended_is_made_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_http_is_a_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_endless_head_is_a_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(silence_is_a_failure_after_a_while, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_port_is_a_failure_that_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_looked_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_may_go_at_any_moment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(certificates_are_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_plain_server_is_no_tls_server, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
