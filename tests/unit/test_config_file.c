#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "tools/imd/config_file.h"

/* Parses an exactly sized copy, so that a memory checker catches one byte too many. */
static struct im_config *parse(const char *text, size_t len, struct im_out *errors)
{
    char *copy = malloc(len ? len : 1);
    memcpy(copy, text, len);
    struct im_config *config = im_config_parse("f", (struct im_str){copy, len}, errors);
    free(copy);
    return config;
}

static struct im_config *good(const char *text)
{
    struct im_out errors = {0};
    struct im_config *config = parse(text, strlen(text), &errors);
    if (!config)
        fail_msg("%.*s", (int)errors.len, im_out_data(&errors));
    assert_int_equal(errors.len, 0);
    return config;
}

static void bad(const char *text, const char *expected)
{
    struct im_out errors = {0};
    assert_null(parse(text, strlen(text), &errors));
    im_out_char(&errors, '\0');
    assert_string_equal(im_out_data(&errors), expected);
    im_out_clear(&errors);
}

static const char example[] = "listen:\n"
                              "  - { transport: websocket, address: \"127.0.0.1:3688\" }\n"
                              "  - { transport: line,      address: \"127.0.0.1:3689\" }\n"
                              "  - { transport: unix,      address: \"imd.sock\", mode: \"0600\" }\n"
                              "admin:   { address: \"admin.sock\", mode: \"0660\" }\n"
                              "metrics: { address: \"127.0.0.1:3690\" }\n"
                              "store:   { kind: memory, path: \"imd.db\", sync: normal }   # a comment\n"
                              "auth:    { mode: open }\n"
                              "workers: 1\n"
                              "data_dir: \"/srv/喵\"          # relative paths resolve here\n";

static void the_example_loads(void **state)
{
    (void)state;
    struct im_config *config = good(example);
    assert_int_equal(config->listen_count, 3);
    assert_string_equal(config->listen[1].address, "127.0.0.1:3689");
    assert_string_equal(config->listen[2].mode, "0600");
    assert_string_equal(config->metrics_address, "127.0.0.1:3690");
    assert_int_equal(config->store_kind, IM_STORE_MEMORY);
    assert_int_equal(config->store_sync, IM_SYNC_NORMAL);
    assert_string_equal(config->data_dir, "/srv/喵");
    im_config_free(&config);
}

static void what_is_left_out_has_its_default(void **state)
{
    (void)state;
    static const char *const empty[] = {"",
                                        "\n",
                                        "# nothing\n",
                                        "---\n",
                                        "--- {}\n",
                                        "{}",
                                        "\xef\xbb\xbf",
                                        "listen:\nlimits:\n",
                                        "admin: ~\nlog: null\n"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        struct im_config *config = good(empty[i]);
        assert_int_equal(config->listen_count, 3);
        assert_string_equal(config->listen[0].address, "127.0.0.1:3688");
        assert_int_equal(config->message_bytes, 65536);
        assert_null(config->log_file);
        im_config_free(&config);
    }
}

static void nested_keys_and_lists_are_read(void **state)
{
    (void)state;
    struct im_config *config = good("listen:\n"
                                    "- transport: websocket\n"
                                    "  address: '[::1]:1'\n"
                                    "  tls:\n"
                                    "    cert: a.crt\n"
                                    "    key: a.key\n"
                                    "  origins: [\"https://a\", \"*\"]\n"
                                    "log: {file: null, level: debug}\n"
                                    "limits:\n"
                                    "  message: 128KiB\n"
                                    "  stall: 2m\n");
    assert_string_equal(config->listen[0].tls_key, "a.key");
    assert_int_equal(config->listen[0].origins.n, 2);
    assert_int_equal(config->message_bytes, 131072);
    assert_int_equal(config->stall_ms, 120000);
    im_config_free(&config);
}

static void problems_are_told_with_their_place(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"workers: 99\n", "f:1:10: workers: must be 1 to 64, not 99\n"},
        {"\n\n  worker: 1\n", "f:3:3: worker: unknown key; did you mean \"workers\"?\n"},
        {"limits: {mesage: 1}\n", "f:1:10: limits.mesage: unknown key; did you mean \"message\"?\n"},
        {"rate: 1\n", "f:1:1: rate: unknown key; did you mean \"limits.rate\"?\n"},
        {"bananas: 1\n", "f:1:1: bananas: unknown key\n"},
        {"lang: en\nlang: zh\n", "f:2:1: lang: is given twice; first in line 1\n"},
        {"limits: {}\nlimits: {}\n", "f:2:1: limits: is given twice; first in line 1\n"},
        {"store: sqlite\n", "f:1:8: store: must be a mapping, not a single value\n"},
        {"store: [sqlite]\n", "f:1:8: store: must be a mapping, not a list\n"},
        {"lang: [en]\n", "f:1:7: lang: must be a single value, not a list\n"},
        {"lang: {a: b}\n", "f:1:7: lang: must be a single value, not a mapping\n"},
        {"lang:\n", "f:1:6: lang: needs a value\n"},
        {"listen: {}\n", "f:1:9: listen: must be a list, not a mapping\n"},
        {"listen: []\n", "f:1:1: listen: needs at least one listener\n"},
        {"listen: [7]\n", "f:1:10: listen[0]: must be a mapping, not a single value\n"},
        {"listen: [{transport: line}]\n", "f:1:10: listen[0].address: is missing\n"},
        {"listen: [{transport: line, address: '0.0.0.0:1'}]\npublic_open: maybe\n",
         "f:2:14: public_open: must be true or false, not \"maybe\"\n"},
        {"listen: [{transport: websocket, address: '127.0.0.1:1', origins: x}]\n",
         "f:1:66: listen[0].origins: must be a list, not a single value\n"},
        {"limits:\n  text: 1MiB\n", "f:2:3: limits.text: must not be larger than limits.message\n"},
        {"- a\n", "f:1:1: YAML: must be a mapping at the top, not a list\n"},
        {"text\n", "f:1:1: YAML: must be a mapping at the top, not a single value\n"},
        {"[a]: b\n", "f:1:1: YAML: a key must be a word\n"},
        {"lang: &x en\n", "f:1:7: YAML: anchors and aliases (& and *) are not accepted here\n"},
        {"lang: *x\n", "f:1:7: YAML: anchors and aliases (& and *) are not accepted here\n"},
        {"lang: !!str en\n", "f:1:7: YAML: tags (!) are not accepted here\n"},
        {"lang: en\n---\nlang: zh\n", "f:2:1: YAML: only one document is accepted\n"},
        {"喵喵: {a: 1}\nlang: xx\n", "f:1:1: 喵喵: unknown key\nf:2:7: lang: must be one of en, zh, not \"xx\"\n"},
        {"\"\\e[31m\": 1\n", "f:1:1: \\x1b[31m: unknown key\n"},
        {"data_dir: \"a\\u202eb\\n\"\n", "f:1:11: data_dir: must not contain control characters\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        bad(cases[i][0], cases[i][1]);
}

static void broken_yaml_is_told_with_its_place(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"limits: [\n", "f:2:1: YAML: "},
        {"a: b: c\n", "f:1:5: YAML: "},
        {"a: \"x\n", "f:2:1: YAML: "},
        {"lang: en\n\tworkers: 1\n", "f:2:1: YAML: "},
        {"data_dir: \"\\q\"\n", "f:1:12: YAML: "},
        {"喵: \x01\n", "f:1:4: YAML: "},
        {"%YAML 9.9\n---\n", "f:1:1: YAML: "},
        {"data_dir: \"喵\xff\"\n", "f:1:13: YAML: not UTF-8\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct im_out errors = {0};
        assert_null(parse(cases[i][0], strlen(cases[i][0]), &errors));
        assert_true(errors.len > strlen(cases[i][1]) || errors.len == strlen(cases[i][1]));
        if (!strstr(im_out_data(&errors), cases[i][1]))
            fail_msg("\"%s\" is not in \"%.*s\"", cases[i][1], (int)errors.len, im_out_data(&errors));
        im_out_clear(&errors);
    }
}

static void a_tab_is_called_a_tab(void **state)
{
    (void)state;
    struct im_out errors = {0};
    static const char text[] = "limits:\n\trate: 1\n";
    assert_null(parse(text, strlen(text), &errors));
    im_out_char(&errors, '\0');
    assert_non_null(strstr(im_out_data(&errors), "indent with spaces, not tabs"));
    im_out_clear(&errors);
}

static void utf16_is_refused(void **state)
{
    (void)state;
    struct im_out errors = {0};
    assert_null(parse("\xff\xfel\0", 4, &errors));
    assert_true(errors.len > 0);
    im_out_clear(&errors);
}

static size_t count_lines(const struct im_out *out)
{
    size_t n = 0;
    for (size_t i = 0; i < out->len; i++)
        n += im_out_data(out)[i] == '\n';
    return n;
}

static void all_problems_are_told_up_to_a_bound(void **state)
{
    (void)state;
    struct im_out errors = {0}, text = {0};
    for (int i = 0; i < 100; i++)
        im_out_printf(&text, "bananas%d: [{a: {b: c}}]\n", i);
    assert_null(parse(im_out_data(&text), text.len, &errors));
    assert_int_equal(count_lines(&errors), IM_CONFIG_ERRORS_MAX + 1);
    im_out_char(&errors, '\0');
    assert_non_null(strstr(im_out_data(&errors), "f:20:1: bananas19: unknown key\n"));
    assert_non_null(strstr(im_out_data(&errors), "more than 20 problems"));
    im_out_clear(&errors);
    im_out_clear(&text);
}

static void deep_nesting_and_floods_of_listeners_are_bounded(void **state)
{
    (void)state;
    struct im_out errors = {0}, text = {0};
    im_out_str(&text, "bananas: ");
    for (int i = 0; i < 10000; i++)
        im_out_char(&text, '[');
    assert_null(parse(im_out_data(&text), text.len, &errors));
    assert_true(count_lines(&errors) <= 3);
    im_out_clear(&errors);
    im_out_clear(&text);
    im_out_str(&text, "listen:\n");
    for (int i = 0; i < 1000; i++)
        im_out_printf(&text, "- {transport: line, address: '127.0.0.1:%d'}\n", i + 1);
    assert_null(parse(im_out_data(&text), text.len, &errors));
    assert_int_equal(count_lines(&errors), IM_CONFIG_ERRORS_MAX + 1);
    im_out_clear(&errors);
    im_out_clear(&text);
}

static void what_is_written_loads_as_the_same(void **state)
{
    (void)state;
    struct im_config *config = good(example), *again;
    struct im_out first = {0}, second = {0};
    im_config_append(im_config_find(im_listen_rows, im_listen_row_count, IM_STR("origins")), &config->listen[0],
                     IM_STR("https://\"\\喵"), NULL);
    im_config_write(config, &first);
    im_out_char(&first, '\0');
    again = good(im_out_data(&first));
    assert_true(im_config_same_listeners(config, again));
    for (size_t i = 0; i < im_config_row_count; i++)
        assert_true(im_config_same(&im_config_rows[i], config, again));
    im_config_write(again, &second);
    im_out_char(&second, '\0');
    assert_string_equal(im_out_data(&first), im_out_data(&second));
    im_out_clear(&first);
    im_out_clear(&second);
    im_config_free(&config);
    im_config_free(&again);
}

static void the_printed_default_loads_as_the_default(void **state)
{
    (void)state;
    struct im_out text = {0};
    struct im_config *plain = good(""), *printed;
    im_config_write_default(&text);
    im_out_char(&text, '\0');
    printed = good(im_out_data(&text));
    assert_true(im_config_same_listeners(plain, printed));
    for (size_t i = 0; im_out_data(&text)[i]; i++)
        assert_true((unsigned char)im_out_data(&text)[i] >= ' ' || im_out_data(&text)[i] == '\n');
    for (size_t i = 0; i < im_config_row_count; i++) {
        assert_true(im_config_same(&im_config_rows[i], plain, printed));
        assert_non_null(strstr(im_out_data(&text), im_config_rows[i].help));
    }
    im_out_clear(&text);
    im_config_free(&plain);
    im_config_free(&printed);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    struct im_out errors = {0};
    struct im_config_places *places;
    assert_null(im_config_load("/nonexistent/imd.yaml", &places, &errors));
    im_out_char(&errors, '\0');
    assert_string_equal(im_out_data(&errors), "/nonexistent/imd.yaml: No such file or directory\n");
    im_out_clear(&errors);
    assert_null(im_config_load("/", &places, &errors));
    im_out_char(&errors, '\0');
    assert_string_equal(im_out_data(&errors), "/: Is a directory\n");
    im_out_clear(&errors);
    assert_null(im_config_load("/dev/zero", &places, &errors));
    im_out_char(&errors, '\0');
    assert_non_null(strstr(im_out_data(&errors), "larger than 1 MiB"));
    im_out_clear(&errors);
    assert_null(places);
}

static void reported(const struct im_config_places *places, const char *name, const char *key, const char *expected)
{
    char whole[200];
    struct im_out line = {0};
    im_config_report(places, key, "does \033 not do", &line);
    im_out_char(&line, '\0');
    snprintf(whole, sizeof whole, "%s%s: does \\x1b not do\n", name, expected);
    assert_string_equal(im_out_data(&line), whole);
    im_out_clear(&line);
}

static void a_file_is_read_and_what_is_found_out_later_has_its_place(void **state)
{
    (void)state;
    static const char text[] = "listen:\n  - {transport: line, address: '127.0.0.1:1'}\nlog: {file: a}\n";
    char path[] = "/tmp/imd-test-XXXXXX";
    struct im_out errors = {0};
    struct im_config_places *places;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    struct im_config *config = im_config_load(path, &places, &errors);
    unlink(path);
    assert_non_null(config);
    assert_int_equal(config->listen_count, 1);
    reported(places, path, "log.file", ":3:7: log.file");
    reported(places, path, "listen[0].address", ":2:23: listen[0].address");
    reported(places, path, "listen[0].tls.cert", ":2:5: listen[0].tls.cert"); /* not in the file */
    reported(places, path, "data_dir", ":1:1: data_dir");
    reported(NULL, "built-in defaults", "data_dir", ": data_dir");
    im_config_places_free(&places);
    im_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_loads),
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(nested_keys_and_lists_are_read),
        cmocka_unit_test(problems_are_told_with_their_place),
        cmocka_unit_test(broken_yaml_is_told_with_its_place),
        cmocka_unit_test(a_tab_is_called_a_tab),
        cmocka_unit_test(utf16_is_refused),
        cmocka_unit_test(all_problems_are_told_up_to_a_bound),
        cmocka_unit_test(deep_nesting_and_floods_of_listeners_are_bounded),
        cmocka_unit_test(what_is_written_loads_as_the_same),
        cmocka_unit_test(the_printed_default_loads_as_the_default),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(a_file_is_read_and_what_is_found_out_later_has_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
