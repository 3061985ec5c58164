#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "core/suggest.h"
#include "tests/unit/unit.h"

static const struct im_config_row *row(const char *path)
{
    const struct im_config_row *r = im_config_find(im_config_rows, im_config_row_count, im_str(path));
    assert_non_null(r);
    return r;
}

/* Sets from an exactly sized copy, so that a memory checker catches one byte too many. */
static enum im_reason set_row(const struct im_config_row *r, void *base, const char *text, struct im_error *error)
{
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    memcpy(copy, text, len);
    error->detail[0] = '\0';
    enum im_reason reason = im_config_set(r, base, (struct im_str){copy, len}, error);
    free(copy);
    return reason;
}

static void accepts(struct im_config *config, const char *path, const char *text, const char *as)
{
    struct im_error error;
    assert_int_equal(set_row(row(path), config, text, &error), IM_OK);
    char *got = im_config_get(row(path), config);
    assert_string_equal(got, as);
    free(got);
}

static void refuses(struct im_config *config, const char *path, const char *text, const char *detail)
{
    struct im_error error;
    char *before = im_config_get(row(path), config);
    assert_int_equal(set_row(row(path), config, text, &error), IM_CONFIG);
    assert_string_equal(error.detail, detail);
    char *after = im_config_get(row(path), config);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void every_value_reads_back_as_it_was_written(void **state)
{
    (void)state;
    struct im_config *config = im_config_new(), *other = im_config_new();
    for (size_t i = 0; i < im_config_row_count; i++) {
        const struct im_config_row *r = &im_config_rows[i];
        char *text = im_config_get(r, config);
        assert_int_equal(*text == '\0', r->def == NULL);
        if (*text)
            assert_int_equal(im_config_set(r, other, im_str(text), NULL), IM_OK);
        assert_true(im_config_same(r, config, other));
        free(text);
    }
    im_config_free(&other);
    im_config_free(&config);
    assert_null(config);
}

static void every_path_stands_once_and_sections_hold_together(void **state)
{
    (void)state;
    for (size_t i = 0; i < im_config_row_count; i++) {
        const char *dot = strchr(im_config_rows[i].path, '.');
        size_t len = dot ? (size_t)(dot - im_config_rows[i].path) + 1 : 0;
        for (size_t k = i + 1; k < im_config_row_count; k++) {
            assert_string_not_equal(im_config_rows[i].path, im_config_rows[k].path);
            if (len && strncmp(im_config_rows[i].path, im_config_rows[k].path, len) == 0)
                assert_memory_equal(im_config_rows[k - 1].path, im_config_rows[i].path, len);
        }
    }
}

static void numbers_are_bounded_by_their_row(void **state)
{
    (void)state;
    struct im_config *config = im_config_new();
    accepts(config, "limits.history", "1", "1");
    accepts(config, "limits.history", "1000", "1000");
    refuses(config, "limits.history", "0", "must be 1 to 1000, not 0");
    refuses(config, "limits.history", "1001", "must be 1 to 1000, not 1001");
    refuses(config, "limits.history", "99999999999999999999999", "must be 1 to 1000, not 99999999999999999999999");
    refuses(config, "workers", "65", "must be 1 to 64, not 65");
    static const char *const bad[] = {"", "-1", "+1", "1.5", "1e3", " 1", "1 ", "0x10", "one", "1s"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char detail[100];
        snprintf(detail, sizeof detail, "must be a whole number, not \"%s\"", bad[i]);
        refuses(config, "limits.history", bad[i], detail);
    }
    im_config_free(&config);
}

static void sizes_take_binary_suffixes(void **state)
{
    (void)state;
    struct im_config *config = im_config_new();
    accepts(config, "limits.message", "65536", "64KiB");
    accepts(config, "limits.message", "1MiB", "1MiB");
    accepts(config, "limits.message", "1025", "1025");
    assert_int_equal(config->message_bytes, 1025);
    accepts(config, "limits.pending", "16GiB", "16GiB");
    refuses(config, "limits.message", "65MiB", "must be 256 to 64MiB, not 65MiB");
    refuses(config, "limits.message", "99999999999999999999GiB", "must be 256 to 64MiB, not 99999999999999999999GiB");
    refuses(config, "limits.message", "17179869185GiB", "must be 256 to 64MiB, not 17179869185GiB");
    static const char *const bad[] = {"64KB", "64K", "64 KiB", "64kib", "KiB", "1.5MiB", "1TiB"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char detail[120];
        snprintf(detail, sizeof detail, "must be a size such as 65536, 64KiB or 1MiB, not \"%s\"", bad[i]);
        refuses(config, "limits.message", bad[i], detail);
    }
    im_config_free(&config);
}

static void times_need_their_unit(void **state)
{
    (void)state;
    struct im_config *config = im_config_new();
    accepts(config, "auth.login_timeout", "1500ms", "1500ms");
    accepts(config, "auth.login_timeout", "120s", "2m");
    accepts(config, "websocket.ping", "1h", "1h");
    accepts(config, "limits.stall", "1d", "1d");
    assert_int_equal(config->stall_ms, 86400000);
    accepts(config, "shutdown.spread", "0", "0");
    accepts(config, "shutdown.spread", "0s", "0");
    refuses(config, "auth.login_timeout", "50ms", "must be 100ms to 10m, not 50ms");
    refuses(config, "auth.login_timeout", "1d", "must be 100ms to 10m, not 1d");
    refuses(config, "auth.login_timeout", "0", "must be 100ms to 10m, not 0");
    static const char *const bad[] = {"5", "", "5 s", "s", "1.5s", "5sec", "-5s", "1h30m"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char detail[120];
        snprintf(detail, sizeof detail, "must be a time with its unit, such as 500ms, 30s, 5m, 2h or 1d, not \"%s\"",
                 bad[i]);
        refuses(config, "auth.login_timeout", bad[i], detail);
    }
    im_config_free(&config);
}

static void booleans_are_true_or_false_only(void **state)
{
    (void)state;
    struct im_config *config = im_config_new();
    accepts(config, "public_open", "true", "true");
    accepts(config, "public_open", "false", "false");
    refuses(config, "public_open", "yes", "must be true or false, not \"yes\"");
    refuses(config, "public_open", "True", "must be true or false, not \"True\"");
    refuses(config, "public_open", "1", "must be true or false, not \"1\"");
    im_config_free(&config);
}

static void choices_suggest_what_was_meant(void **state)
{
    (void)state;
    struct im_config *config = im_config_new();
    accepts(config, "store.kind", "memory", "memory");
    assert_int_equal(config->store_kind, IM_STORE_MEMORY);
    refuses(config, "store.kind", "sqlit", "must be one of memory, sqlite, not \"sqlit\"; did you mean \"sqlite\"?");
    refuses(config, "store.kind", "postgres", "must be one of memory, sqlite, not \"postgres\"");
    refuses(config, "store.kind", "memory|sqlite", "must be one of memory, sqlite, not \"memory|sqlite\"");
    refuses(config, "store.kind", "", "must be one of memory, sqlite, not \"\"");
    refuses(config, "auth.mode", "oauth", "must be one of open, password, token, not \"oauth\"");
    im_config_free(&config);
}

static void strings_are_bounded_and_clean(void **state)
{
    (void)state;
    struct im_config *config = im_config_new();
    char long_text[202];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    accepts(config, "data_dir", "/srv/喵喵", "/srv/喵喵");
    refuses(config, "data_dir", "", "must not be empty");
    refuses(config, "admin.mode", "66", "is too short");
    refuses(config, "admin.address", long_text, "must be at most 200 bytes long, not 201");
    refuses(config, "data_dir", "a\nb", "must not contain control characters");
    refuses(config, "data_dir", "a\x7f", "must not contain control characters");
    refuses(config, "data_dir", "a\xff", "must be UTF-8");
    im_config_free(&config);
}

static void only_what_has_no_default_can_be_unset(void **state)
{
    (void)state;
    struct im_config *config = im_config_new();
    struct im_error error;
    accepts(config, "log.file", "imd.log", "imd.log");
    assert_int_equal(im_config_unset(row("log.file"), config, &error), IM_OK);
    assert_null(config->log_file);
    assert_int_equal(im_config_unset(row("data_dir"), config, &error), IM_CONFIG);
    assert_string_equal(error.detail, "needs a value");
    assert_string_equal(config->data_dir, ".");
    assert_int_equal(im_config_unset(row("workers"), config, &error), IM_CONFIG);
    im_config_free(&config);
}

static const struct im_config_row *origins(void)
{
    return im_config_find(im_listen_rows, im_listen_row_count, IM_STR("origins"));
}

static void lists_are_built_by_appending_and_read_back(void **state)
{
    (void)state;
    struct im_config *config = im_config_new();
    struct im_listen_config *listen = im_config_add_listener(config);
    struct im_error error;
    assert_int_equal(im_config_append(origins(), listen, IM_STR("https://a"), &error), IM_OK);
    assert_int_equal(im_config_append(origins(), listen, IM_STR("https://b"), &error), IM_OK);
    assert_int_equal(im_config_append(origins(), listen, IM_STR("a,b"), &error), IM_CONFIG);
    assert_int_equal(im_config_append(origins(), listen, IM_STR(""), &error), IM_CONFIG);
    char *text = im_config_get(origins(), listen);
    assert_string_equal(text, "https://a,https://b");
    free(text);
    assert_int_equal(im_config_set(origins(), listen, IM_STR("*"), &error), IM_OK);
    assert_int_equal(listen->origins.n, 1);
    assert_int_equal(im_config_set(origins(), listen, IM_STR("x,,y"), &error), IM_CONFIG);
    assert_string_equal(listen->origins.v[0], "*");
    for (size_t i = 1; i < 64; i++)
        assert_int_equal(im_config_append(origins(), listen, IM_STR("x"), &error), IM_OK);
    assert_int_equal(im_config_append(origins(), listen, IM_STR("x"), &error), IM_CONFIG);
    assert_string_equal(error.detail, "must have at most 64 elements");
    im_config_free(&config);
}

static void a_copy_is_the_same_until_it_is_changed(void **state)
{
    (void)state;
    struct im_config *a = im_config_new(), *b = im_config_new();
    accepts(a, "log.file", "x.log", "x.log");
    accepts(a, "limits.rate", "7", "7");
    im_config_default_listeners(a);
    assert_int_equal(im_config_append(origins(), &a->listen[0], IM_STR("*"), NULL), IM_OK);
    assert_false(im_config_same(row("log.file"), a, b));
    assert_false(im_config_same_listeners(a, b));
    for (size_t i = 0; i < im_config_row_count; i++)
        im_config_copy(&im_config_rows[i], b, a);
    im_config_copy_listeners(b, a);
    for (size_t i = 0; i < im_config_row_count; i++)
        assert_true(im_config_same(&im_config_rows[i], a, b));
    assert_true(im_config_same_listeners(a, b));
    im_config_unset(row("log.file"), a, NULL);
    im_config_copy(row("log.file"), b, a);
    assert_null(b->log_file);
    im_config_append(origins(), &b->listen[0], IM_STR("x"), NULL);
    assert_false(im_config_same_listeners(a, b));
    im_config_free(&a);
    im_config_free(&b);
}

/* The check across rows. */

struct setting {
    const char *path, *text;
};

static struct im_config *usual(void)
{
    struct im_config *config = im_config_new();
    im_config_default_listeners(config);
    return config;
}

static void set_listen(struct im_config *config, size_t i, const char *path, const char *text)
{
    const struct im_config_row *r = im_config_find(im_listen_rows, im_listen_row_count, im_str(path));
    struct im_error error;
    assert_non_null(r);
    assert_int_equal(set_row(r, &config->listen[i], text, &error), IM_OK);
}

static void finds(struct im_config *config, const char *path, const char *problem)
{
    char where[64] = "";
    struct im_error error = {0};
    assert_int_equal(im_config_check(config, where, &error), IM_CONFIG);
    assert_string_equal(where, path);
    if (!strstr(error.detail, problem))
        fail_msg("\"%s\" is not in \"%s\"", problem, error.detail);
    im_config_free(&config);
}

static void the_defaults_are_good(void **state)
{
    (void)state;
    struct im_config *config = usual();
    char path[64];
    struct im_error error;
    assert_int_equal(im_config_check(config, path, &error), IM_OK);
    assert_int_equal(config->listen_count, 3);
    im_config_free(&config);
}

static void open_mode_stays_on_loopback_unless_it_is_meant(void **state)
{
    (void)state;
    static const char *const loopback[] = {"127.0.0.1:1", "127.9.9.9:0", "[::1]:1", "localhost:1",
                                           "[::ffff:127.0.0.1]:1"};
    static const char *const public[] = {"0.0.0.0:1", "[::]:1",       "192.168.1.1:1",      "128.0.0.1:1",
                                         "*:1",       "127.1:1",      "example.org:1",      "127.0.0.1.example.org:1",
                                         "[::2]:1",   "localhost.:1", "[::ffff:10.0.0.1]:1"};
    char path[64];
    struct im_error error;
    for (size_t i = 0; i < sizeof loopback / sizeof *loopback; i++) {
        struct im_config *config = usual();
        set_listen(config, 1, "address", loopback[i]);
        assert_int_equal(im_config_check(config, path, &error), IM_OK);
        im_config_free(&config);
    }
    for (size_t i = 0; i < sizeof public / sizeof *public; i++) {
        struct im_config *config = usual();
        set_listen(config, 1, "address", public[i]);
        config->public_open = true;
        assert_int_equal(im_config_check(config, path, &error), IM_OK);
        config->public_open = false;
        finds(config, "listen[1].address", "set public_open: true");
    }
}

static void where_everybody_needs_a_password_any_address_will_do(void **state)
{
    (void)state;
    static const char *const modes[] = {"password", "token"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        struct im_config *config = usual();
        char path[64];
        struct im_error error;
        accepts(config, "auth.mode", modes[i], modes[i]);
        set_listen(config, 1, "address", "0.0.0.0:1");
        assert_int_equal(im_config_check(config, path, &error), IM_OK);
        im_config_free(&config);
    }
}

static struct im_config *usual_with(const char *path, const char *one, const char *other)
{
    struct im_config *config = usual();
    struct im_error error;
    assert_int_equal(im_config_append(row(path), config, im_str(one), &error), IM_OK);
    if (other)
        assert_int_equal(im_config_append(row(path), config, im_str(other), &error), IM_OK);
    return config;
}

static void lists_that_say_who_logs_in_are_checked(void **state)
{
    (void)state;
    char path[64];
    struct im_error error;
    struct im_config *config = usual_with("auth.jwt_keys", "HS256:a/b", "EdDSA:/c.pem");
    assert_int_equal(im_config_append(row("auth.unix_users"), config, IM_STR("www-data:小明"), &error), IM_OK);
    assert_int_equal(im_config_append(row("auth.unix_users"), config, IM_STR("*"), &error), IM_OK);
    assert_int_equal(im_config_check(config, path, &error), IM_OK);
    im_config_free(&config);
    finds(usual_with("auth.jwt_keys", "none:a", NULL), "auth.jwt_keys", "\"none:a\" is not HS256:FILE or EdDSA:FILE");
    finds(usual_with("auth.unix_users", "a", NULL), "auth.unix_users", "is not SYSTEM-USER:ID");
    finds(usual_with("auth.unix_users", "a:b", "a:c"), "auth.unix_users", "has an id already");
    finds(usual_with("auth.unix_users", "*", "*"), "auth.unix_users", "has an id already");
}

static void a_wait_does_not_begin_longer_than_it_gets(void **state)
{
    (void)state;
    struct im_config *config = usual();
    accepts(config, "auth.backoff_start", "2s", "2s");
    accepts(config, "auth.backoff_most", "1s", "1s");
    finds(config, "auth.backoff_start", "must not be longer than auth.backoff_most");
}

static void addresses_must_be_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = {"127.0.0.1", "127.0.0.1:", ":1",   "127.0.0.1:65536", "127.0.0.1:x", "::1:1",
                                      "[::1]",     "[::1:1",     "[]:1", "[127.0.0.1]:1",   "imd.sock"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct im_config *config = usual();
        set_listen(config, 0, "address", bad[i]);
        finds(config, "listen[0].address", "must be HOST:PORT");
    }
    struct im_config *config = usual();
    accepts(config, "metrics.address", "metrics.sock", "metrics.sock");
    finds(config, "metrics.address", "must be HOST:PORT");
}

static void an_address_is_used_once(void **state)
{
    (void)state;
    struct im_config *config = usual();
    char path[64];
    struct im_error error;
    set_listen(config, 0, "address", "127.0.0.1:0");
    set_listen(config, 1, "address", "127.0.0.1:0");
    assert_int_equal(im_config_check(config, path, &error), IM_OK);
    set_listen(config, 0, "address", "127.0.0.1:7");
    set_listen(config, 1, "address", "127.0.0.1:7");
    finds(config, "listen[1].address", "is the address of listen[0].address too");
    config = usual();
    accepts(config, "metrics.address", "127.0.0.1:3688", "127.0.0.1:3688");
    finds(config, "metrics.address", "is the address of listen[0].address too");
    config = usual();
    accepts(config, "admin.address", "imd.sock", "imd.sock");
    finds(config, "admin.address", "is the address of listen[2].address too");
    config = usual();
    accepts(config, "admin.read_address", "admin.sock", "admin.sock");
    finds(config, "admin.read_address", "is the address of admin.address too");
}

static void tls_needs_both_files_and_a_network(void **state)
{
    (void)state;
    struct im_config *config = usual();
    set_listen(config, 0, "tls.cert", "a.crt");
    finds(config, "listen[0].tls.cert", "needs tls.key as well");
    config = usual();
    set_listen(config, 1, "tls.key", "a.key");
    finds(config, "listen[1].tls.key", "needs tls.cert as well");
    config = usual();
    set_listen(config, 2, "tls.cert", "a.crt");
    set_listen(config, 2, "tls.key", "a.key");
    finds(config, "listen[2].tls.cert", "a Unix socket has no TLS");
}

static void limits_must_not_contradict_each_other(void **state)
{
    (void)state;
    static const struct {
        struct setting a, b;
        const char *path, *problem;
    } cases[] = {
        {{"limits.text", "128KiB"}, {"limits.message", "64KiB"}, "limits.text", "larger than limits.message"},
        {{"limits.queue_soft", "1MiB"}, {"limits.queue_hard", "1MiB"}, "limits.queue_soft", "smaller than"},
        {{"limits.message", "8MiB"}, {"limits.queue_hard", "4MiB"}, "limits.message", "limits.queue_hard"},
        {{"websocket.ping", "75s"}, {"websocket.pong_timeout", "75s"}, "websocket.pong_timeout", "longer than"},
        {{"admin.mode", "0888"}, {"workers", "1"}, "admin.mode", "octal"},
        {{"admin.mode", "7777"}, {"workers", "1"}, "admin.mode", "octal"},
        {{"admin.read_mode", "rwxr"}, {"workers", "1"}, "admin.read_mode", "octal"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct im_config *config = usual();
        struct im_error error;
        assert_int_equal(set_row(row(cases[i].a.path), config, cases[i].a.text, &error), IM_OK);
        assert_int_equal(set_row(row(cases[i].b.path), config, cases[i].b.text, &error), IM_OK);
        finds(config, cases[i].path, cases[i].problem);
    }
    struct im_config *config = usual();
    set_listen(config, 2, "mode", "999");
    finds(config, "listen[2].mode", "octal");
}

static void a_listener_needs_a_transport_and_an_address(void **state)
{
    (void)state;
    finds(im_config_new(), "listen", "at least one");
    struct im_config *config = usual();
    im_config_add_listener(config);
    finds(config, "listen[3].transport", "is missing");
    config = usual();
    im_config_add_listener(config);
    set_listen(config, 3, "transport", "line");
    finds(config, "listen[3].address", "is missing");
}

/* Suggestions. */

static struct im_str suggest(const char *word)
{
    static const char *const words[] = {"message", "text", "queue_soft", "queue_hard", "rate", "status"};
    struct im_suggest near = {.word = im_str(word)};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        im_suggest_offer(&near, im_str(words[i]));
    return im_suggest_best(&near);
}

static void slips_of_the_finger_are_recognised(void **state)
{
    (void)state;
    assert_str(suggest("mesage"), "message");
    assert_str(suggest("emssage"), "message");
    assert_str(suggest("Message"), "message");
    assert_str(suggest("queue_sotf"), "queue_soft");
    assert_str(suggest("txt"), "text");
    assert_str(suggest("stauts"), "status");
    assert_null(suggest("bananas").p);
    assert_null(suggest("").p);
    assert_null(suggest("x").p);
    char word[200];
    memset(word, 'a', sizeof word);
    word[sizeof word - 1] = '\0';
    assert_null(suggest(word).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_reads_back_as_it_was_written),
        cmocka_unit_test(every_path_stands_once_and_sections_hold_together),
        cmocka_unit_test(numbers_are_bounded_by_their_row),
        cmocka_unit_test(sizes_take_binary_suffixes),
        cmocka_unit_test(times_need_their_unit),
        cmocka_unit_test(booleans_are_true_or_false_only),
        cmocka_unit_test(choices_suggest_what_was_meant),
        cmocka_unit_test(strings_are_bounded_and_clean),
        cmocka_unit_test(only_what_has_no_default_can_be_unset),
        cmocka_unit_test(lists_are_built_by_appending_and_read_back),
        cmocka_unit_test(a_copy_is_the_same_until_it_is_changed),
        cmocka_unit_test(the_defaults_are_good),
        cmocka_unit_test(open_mode_stays_on_loopback_unless_it_is_meant),
        cmocka_unit_test(where_everybody_needs_a_password_any_address_will_do),
        cmocka_unit_test(lists_that_say_who_logs_in_are_checked),
        cmocka_unit_test(a_wait_does_not_begin_longer_than_it_gets),
        cmocka_unit_test(addresses_must_be_addresses),
        cmocka_unit_test(an_address_is_used_once),
        cmocka_unit_test(tls_needs_both_files_and_a_network),
        cmocka_unit_test(limits_must_not_contradict_each_other),
        cmocka_unit_test(a_listener_needs_a_transport_and_an_address),
        cmocka_unit_test(slips_of_the_finger_are_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
