#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/mem.h"
#include "tests/conform/peer.h"
#include "transports/listener.h"
#include "transports/loop.h"

struct world {
    struct stage stage;
    struct im_transport_env env;
    struct im_config *config;
    struct im_counters counters;
    struct im_listener *listener;
    struct im_error error;
    unsigned ready;
    char dir[32], path[64];
};

static int set_up(void **state)
{
    struct world *w = im_zalloc(sizeof *w);
    *state = w;
    stage_open(&w->stage);
    w->config = im_config_new();
    w->env = (struct im_transport_env){.base = w->stage.base, .config = w->config, .counters = &w->counters};
    strcpy(w->dir, "/tmp/imd-listener-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof w->path, "%s/sock", w->dir);
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    im_listener_close(&w->listener);
    im_streams_abort(&w->env, IM_DRAIN);
    while (im_streams_count(&w->env) > 0)
        stage_step(&w->stage);
    im_loop_free(&w->env.loop);
    stage_close(&w->stage);
    im_config_free(&w->config);
    unlink(w->path);
    assert_int_equal(rmdir(w->dir), 0);
    free(w);
    return 0;
}

static void see_ready(void *arg, struct im_stream *stream)
{
    ((struct world *)arg)->ready++;
    im_stream_abort(stream, IM_BYE);
}

static enum im_reason try_open(struct world *w, const char *address, bool on_unix, const char *mode)
{
    char *copy = im_strndup(address, strlen(address)), *mode_copy = im_strndup(mode, strlen(mode));
    struct im_listen_config config = {.address = copy, .mode = mode_copy, .backlog = 10};
    struct im_listener_options options = {
        .env = &w->env, .config = &config, .unix_socket = on_unix, .ready = see_ready, .arg = w};
    w->error = (struct im_error){0};
    enum im_reason reason = im_listener_open(&w->listener, &options, &w->error);
    memset(copy, 'x', strlen(copy)); /* the listener has its own */
    free(copy);
    free(mode_copy);
    return reason;
}

static void expect_refused(struct world *w, const char *address, bool on_unix, enum im_reason reason, const char *why)
{
    assert_int_equal(try_open(w, address, on_unix, "0600"), reason);
    assert_null(w->listener);
    if (!strstr(w->error.detail, why))
        fail_msg("'%s' does not say '%s'", w->error.detail, why);
}

static void expect_reachable(struct world *w)
{
    struct peer *p = peer_connect(&w->stage, im_listener_address(w->listener), false);
    w->ready = 0;
    UNTIL(&w->stage, w->ready == 1);
    peer_free(&w->stage, &p);
}

static void a_kernel_chosen_port_is_told(void **state)
{
    struct world *w = *state;
    assert_int_equal(try_open(w, "127.0.0.1:0", false, "0600"), IM_OK);
    assert_memory_equal(im_listener_address(w->listener), "127.0.0.1:", 10);
    assert_string_not_equal(im_listener_address(w->listener), "127.0.0.1:0");
    assert_string_equal(im_listener_config(w->listener)->address, "127.0.0.1:0");
    expect_reachable(w);
}

static void ipv6_addresses_stand_in_brackets(void **state)
{
    struct world *w = *state;
    if (try_open(w, "[::1]:0", false, "0600") != IM_OK)
        skip(); /* a machine without IPv6 */
    assert_memory_equal(im_listener_address(w->listener), "[::1]:", 6);
    expect_reachable(w);
}

static void names_are_looked_up(void **state)
{
    struct world *w = *state;
    assert_int_equal(try_open(w, "localhost:0", false, "0600"), IM_OK);
    assert_memory_equal(im_listener_address(w->listener), "127.0.0.1:", 10);
    expect_reachable(w);
}

static void bad_addresses_are_refused(void **state)
{
    static const char *const bad[] = {"",       "127.0.0.1",       "127.0.0.1:", ":80",      "127.0.0.1:65536",
                                      "[::1]",  "127.0.0.1:http",  "[]:80",      "::1:3688", "127.0.0.1:-1",
                                      "[::1:1", "127.0.0.1:99999", "]:80:80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_refused(*state, bad[i], false, IM_CONFIG, "not HOST:PORT");
}

static void an_address_in_use_is_said_to_be(void **state)
{
    struct world *w = *state;
    char taken[64];
    assert_int_equal(try_open(w, "127.0.0.1:0", false, "0600"), IM_OK);
    snprintf(taken, sizeof taken, "%s", im_listener_address(w->listener));
    struct im_listener *first = w->listener;
    w->listener = NULL;
    expect_refused(w, taken, false, IM_SYSTEM, "in use");
    im_listener_close(&first);
    assert_int_equal(try_open(w, taken, false, "0600"), IM_OK);
}

static void a_unix_socket_has_its_mode_and_goes_with_its_listener(void **state)
{
    struct world *w = *state;
    struct stat st;
    assert_int_equal(try_open(w, w->path, true, "0640"), IM_OK);
    assert_int_equal(lstat(w->path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_string_equal(im_listener_address(w->listener), w->path);
    expect_reachable(w);
    im_listener_close(&w->listener);
    assert_int_not_equal(lstat(w->path, &st), 0);
}

static void a_mode_must_be_octal(void **state)
{
    struct world *w = *state;
    assert_int_equal(try_open(w, w->path, true, "0698"), IM_CONFIG);
    assert_non_null(strstr(w->error.detail, "octal"));
    assert_int_not_equal(access(w->path, F_OK), 0);
}

static int bind_socket(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(sun.sun_path, path);
    assert_int_equal(bind(fd, (struct sockaddr *)(void *)&sun, sizeof sun), 0);
    return fd;
}

static void a_socket_left_over_is_replaced(void **state)
{
    struct world *w = *state;
    close(bind_socket(w->path));
    assert_int_equal(access(w->path, F_OK), 0);
    assert_int_equal(try_open(w, w->path, true, "0600"), IM_OK);
    expect_reachable(w);
}

static void a_socket_in_use_is_not_taken(void **state)
{
    struct world *w = *state;
    int fd = bind_socket(w->path);
    assert_int_equal(listen(fd, 0), 0);
    for (int i = 0; i < 3; i++) /* even when nobody accepts there and the backlog is full */
        expect_refused(w, w->path, true, IM_SYSTEM, "in use by another process");
    assert_int_equal(access(w->path, F_OK), 0);
    close(fd);
}

static void what_is_not_a_socket_is_not_removed(void **state)
{
    struct world *w = *state;
    fclose(fopen(w->path, "w"));
    expect_refused(w, w->path, true, IM_SYSTEM, "not a socket");
    assert_int_equal(access(w->path, F_OK), 0);
}

static void a_successors_socket_is_not_removed(void **state)
{
    struct world *w = *state;
    char away[80];
    assert_int_equal(try_open(w, w->path, true, "0600"), IM_OK);
    snprintf(away, sizeof away, "%s.away", w->path);
    assert_int_equal(rename(w->path, away), 0);
    close(bind_socket(w->path));
    im_listener_close(&w->listener);
    assert_int_equal(access(w->path, F_OK), 0);
    unlink(away);
}

static void a_path_that_is_too_long_is_said_to_be(void **state)
{
    char path[200];
    memset(path, 'p', sizeof path);
    path[0] = '/';
    path[108] = '\0';
    expect_refused(*state, path, true, IM_CONFIG, "may have 107 bytes, not 108");
}

static void a_directory_that_is_missing_is_said_to_be(void **state)
{
    expect_refused(*state, "/nonexistent/imd/sock", true, IM_SYSTEM, "No such file or directory");
}

static void tls_files_that_are_missing_are_said_to_be(void **state)
{
    struct world *w = *state;
    char address[] = "127.0.0.1:0";
    struct im_listen_config config = {.address = address, .tls_cert = w->path, .tls_key = w->path};
    struct im_listener_options options = {.env = &w->env, .config = &config, .ready = see_ready, .arg = w};
    assert_int_equal(im_listener_open(&w->listener, &options, &w->error), IM_CONFIG);
    assert_non_null(strstr(w->error.detail, "tls.cert: No such file or directory"));
    fclose(fopen(w->path, "w"));
    assert_int_equal(im_listener_open(&w->listener, &options, &w->error), IM_CONFIG);
    assert_non_null(strstr(w->error.detail, "tls.cert: "));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_kernel_chosen_port_is_told),
        TEST(ipv6_addresses_stand_in_brackets),
        TEST(names_are_looked_up),
        TEST(bad_addresses_are_refused),
        TEST(an_address_in_use_is_said_to_be),
        TEST(a_unix_socket_has_its_mode_and_goes_with_its_listener),
        TEST(a_mode_must_be_octal),
        TEST(a_socket_left_over_is_replaced),
        TEST(a_socket_in_use_is_not_taken),
        TEST(what_is_not_a_socket_is_not_removed),
        TEST(a_successors_socket_is_not_removed),
        TEST(a_path_that_is_too_long_is_said_to_be),
        TEST(a_directory_that_is_missing_is_said_to_be),
        TEST(tls_files_that_are_missing_are_said_to_be),
    };
    return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}
