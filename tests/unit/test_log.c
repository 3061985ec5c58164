#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/bytes.h"
#include "tests/unit/unit.h"
#include "tools/imd/log.h"

#define FIELDS(...) ((struct im_kv[]){__VA_ARGS__, {0}})
#define WHEN        INT64_C(1700000000123) /* 2023-11-14T22:13:20.123Z */

static char *format(enum im_log_format form, const struct im_kv *fields)
{
    struct im_out out = {0};
    im_log_format(&out, form, WHEN, IM_LOG_INFO, "session", "closed", fields);
    im_out_char(&out, '\0');
    char *line = strdup(im_out_data(&out));
    im_out_clear(&out);
    return line;
}

static void is_line(enum im_log_format form, const struct im_kv *fields, const char *expected)
{
    char *line = format(form, fields);
    assert_string_equal(line, expected);
    free(line);
}

static void a_line_has_the_form_that_was_asked_for(void **state)
{
    (void)state;
    const struct im_kv *fields = FIELDS(IM_KN("session", 12), IM_KS("user", "小明"), IM_KS("why", "too slow"));
    is_line(IM_LOG_TEXT, fields,
            "2023-11-14T22:13:20.123Z info  session: closed session=12 user=小明 why=\"too slow\"\n");
    is_line(IM_LOG_LOGFMT, fields,
            "ts=2023-11-14T22:13:20.123Z level=info sub=session event=closed session=12 user=小明 why=\"too slow\"\n");
    is_line(IM_LOG_JSON, fields,
            "{\"ts\":\"2023-11-14T22:13:20.123Z\",\"level\":\"info\",\"sub\":\"session\",\"event\":\"closed\","
            "\"session\":12,\"user\":\"小明\",\"why\":\"too slow\"}\n");
}

static void a_line_is_one_line_and_steers_no_terminal(void **state)
{
    (void)state;
    static const char evil[] = "\x1b[31m\r\nforged level=error\x07\xc2\x9b\xe2\x80\xae\x7f\xff";
    for (enum im_log_format form = IM_LOG_TEXT; form <= IM_LOG_JSON; form++) {
        char *line = format(form, FIELDS(IM_KS("agent", evil)));
        size_t len = strlen(line);
        assert_ptr_equal(strchr(line, '\n'), line + len - 1);
        for (size_t i = 0; i + 1 < len; i++)
            assert_true((unsigned char)line[i] >= 0x20 && (unsigned char)line[i] != 0x7f);
        assert_null(strstr(line, "\xc2\x9b"));
        assert_null(strstr(line, "\xe2\x80\xae"));
        assert_true(im_str_utf8(im_str(line)));
        free(line);
    }
    is_line(IM_LOG_LOGFMT, FIELDS(IM_KS("a", "say \"x\" \\ =")),
            "ts=2023-11-14T22:13:20.123Z level=info sub=session event=closed a=\"say \\\"x\\\" \\\\ =\"\n");
    is_line(IM_LOG_LOGFMT, FIELDS(IM_KS("a", "")),
            "ts=2023-11-14T22:13:20.123Z level=info sub=session event=closed a=\"\"\n");
}

static void a_long_value_loses_its_end_between_characters(void **state)
{
    (void)state;
    char text[3 * IM_LOG_VALUE_MAX + 1];
    for (size_t i = 0; i < IM_LOG_VALUE_MAX; i++)
        memcpy(text + 3 * i, "喵", 3);
    text[3 * IM_LOG_VALUE_MAX] = '\0';
    for (enum im_log_format form = IM_LOG_TEXT; form <= IM_LOG_JSON; form++) {
        char *line = format(form, FIELDS(IM_KS("text", text)));
        assert_true(strlen(line) < IM_LOG_VALUE_MAX + 200);
        assert_non_null(strstr(line, "喵…"));
        assert_null(strstr(line, "\\x"));
        free(line);
    }
}

/* Files. */

struct folder {
    char path[64];
};

static int make_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    strcpy(folder->path, "/tmp/imd-log-XXXXXX");
    *state = folder;
    return mkdtemp(folder->path) && chdir(folder->path) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;
    unlink("a.log");
    unlink("b.log");
    int r = chdir("/") == 0 ? rmdir(folder->path) : -1;
    free(folder);
    return r;
}

static size_t count(const char *path, const char *word)
{
    char line[2048];
    size_t n = 0;
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    while (fgets(line, sizeof line, f))
        n += strstr(line, word) != NULL;
    fclose(f);
    return n;
}

static struct im_config *make_config(const char *path, enum im_log_level level)
{
    struct im_config *config = im_config_new();
    config->log_file = strdup(path);
    config->log_level = level;
    return config;
}

static struct im_log_file *open_log(const char *path, enum im_log_level level)
{
    struct im_log_file *file;
    struct im_error error;
    struct im_config *config = make_config(path, level);
    assert_int_equal(im_log_file_open(&file, config, &error), IM_OK);
    im_config_free(&config);
    return file;
}

static void lines_above_the_level_are_not_written(void **state)
{
    (void)state;
    struct im_log_file *file = open_log("a.log", IM_LOG_WARN);
    struct im_log *log = im_log_file_log(file);
    assert_int_equal(log->level, IM_LOG_WARN);
    IM_LOG(log, IM_LOG_ERROR, "test", "one");
    IM_LOG(log, IM_LOG_WARN, "test", "two");
    IM_LOG(log, IM_LOG_INFO, "test", "three");
    assert_true(im_log_file_set_level(file, NULL, IM_LOG_INFO));
    IM_LOG(log, IM_LOG_INFO, "test", "four");
    im_log_file_close(&file);
    assert_int_equal(count("a.log", "test: "), 3);
    assert_int_equal(count("a.log", "three"), 0);
}

static void others_cannot_read_the_log(void **state)
{
    (void)state;
    struct stat st;
    struct im_log_file *file = open_log("a.log", IM_LOG_INFO);
    im_log_file_close(&file);
    assert_int_equal(stat("a.log", &st), 0);
    assert_int_equal(st.st_mode & 07, 0);
}

static void a_rotated_log_is_opened_again(void **state)
{
    (void)state;
    struct im_error error;
    struct im_log_file *file = open_log("a.log", IM_LOG_INFO);
    struct im_log *log = im_log_file_log(file);
    IM_LOG(log, IM_LOG_INFO, "test", "before");
    assert_int_equal(rename("a.log", "b.log"), 0);
    IM_LOG(log, IM_LOG_INFO, "test", "between");
    assert_int_equal(im_log_file_reopen(file, &error), IM_OK);
    IM_LOG(log, IM_LOG_INFO, "test", "after");
    im_log_file_close(&file);
    assert_int_equal(count("b.log", "before") + count("b.log", "between"), 2);
    assert_int_equal(count("a.log", ""), 1);
    assert_int_equal(count("a.log", "after"), 1);
}

static void a_log_that_cannot_be_opened_changes_nothing(void **state)
{
    (void)state;
    struct im_error error;
    struct im_log_file *none, *file = open_log("a.log", IM_LOG_INFO);
    struct im_config *config = make_config("no/such/folder", IM_LOG_DEBUG);
    assert_int_equal(im_log_file_configure(file, config, &error), IM_SYSTEM);
    assert_non_null(strstr(error.detail, "no/such/folder"));
    assert_int_equal(im_log_file_log(file)->level, IM_LOG_INFO);
    IM_LOG(im_log_file_log(file), IM_LOG_INFO, "test", "still here");
    im_log_file_close(&file);
    assert_int_equal(count("a.log", "test: still here"), 1);
    assert_int_equal(im_log_file_open(&none, config, &error), IM_SYSTEM);
    assert_null(none);
    im_config_free(&config);
}

static void a_part_may_have_a_level_of_its_own(void **state)
{
    (void)state;
    struct im_error error;
    struct im_config *config = make_config("a.log", IM_LOG_WARN);
    const struct im_config_row *row = im_config_find(im_config_rows, im_config_row_count, IM_STR("log.parts"));
    assert_int_equal(im_config_set(row, config, IM_STR("store:debug,session:error"), NULL), IM_OK);
    struct im_log_file *file;
    assert_int_equal(im_log_file_open(&file, config, &error), IM_OK);
    struct im_log *log = im_log_file_log(file);
    IM_LOG(log, IM_LOG_DEBUG, "store", "one");
    IM_LOG(log, IM_LOG_INFO, "imd", "two");
    IM_LOG(log, IM_LOG_WARN, "session", "three");
    IM_LOG(log, IM_LOG_WARN, "imd", "four");
    assert_int_equal(im_log_file_level(file, "store"), IM_LOG_DEBUG);
    assert_int_equal(im_log_file_level(file, "imd"), IM_LOG_WARN);
    assert_true(im_log_file_set_level(file, "imd", IM_LOG_INFO));
    assert_false(im_log_file_set_level(file, "nothing", IM_LOG_INFO));
    IM_LOG(log, IM_LOG_INFO, "imd", "five");
    im_log_file_close(&file);
    im_config_free(&config);
    assert_int_equal(count("a.log", ""), 3);
    assert_int_equal(count("a.log", "one") + count("a.log", "four") + count("a.log", "five"), 3);
}

static void the_journal_gets_a_datagram_with_fields(void **state)
{
    (void)state;
    char got[1000];
    struct im_error error;
    struct sockaddr_un sun = {.sun_family = AF_UNIX, .sun_path = "journal"};
    struct im_config *config = make_config("journal", IM_LOG_INFO);
    struct im_log_file *file;
    config->log_format = IM_LOG_JOURNALD;
    config->log_rate = 0;
    assert_int_equal(im_log_file_open(&file, config, &error), IM_SYSTEM);
    assert_non_null(strstr(error.detail, "journal: No such file"));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof sun), 0);
    assert_int_equal(im_log_file_open(&file, config, &error), IM_OK);
    IM_LOG(im_log_file_log(file), IM_LOG_WARN, "session", "closed", IM_KN("session", 12), IM_KS("why", "a\nb"));
    ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
    assert_true(n > 0);
    got[n] = '\0';
    assert_string_equal(got, "MESSAGE=session: closed session=12 why=\"a\\x0ab\"\nPRIORITY=4\nSYSLOG_IDENTIFIER=imd\n"
                             "IMD_SUBSYSTEM=session\nIMD_EVENT=closed\nIMD_SESSION=12\nIMD_WHY=a\\x0ab\n");
    for (int i = 0; i < 10000; i++) /* more than the socket takes */
        IM_LOG(im_log_file_log(file), IM_LOG_WARN, i % 2 ? "session" : "imd", "again");
    while (recv(fd, got, sizeof got - 1, MSG_DONTWAIT) > 0)
        continue;
    IM_LOG(im_log_file_log(file), IM_LOG_WARN, "store", "after");
    n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
    assert_true(n > 0 && memcmp(got, "MESSAGE=log: lines lost count=", 30) == 0);
    n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
    assert_true(n > 0 && memcmp(got, "MESSAGE=store: after", 20) == 0);
    close(fd);
    unlink("journal");
    IM_LOG(im_log_file_log(file), IM_LOG_WARN, "session", "nobody hears this");
    im_log_file_close(&file);
    im_config_free(&config);
}

static void a_flood_of_one_kind_is_counted_instead(void **state)
{
    (void)state;
    struct im_log_file *file = open_log("a.log", IM_LOG_INFO);
    struct im_log *log = im_log_file_log(file);
    enum { RATE = 200, LINES = 5 * RATE };
    for (int i = 0; i < LINES; i++)
        IM_LOG(log, IM_LOG_INFO, "flood", "again", IM_KN("n", i));
    IM_LOG(log, IM_LOG_INFO, "other", "seldom");
    size_t written = count("a.log", "flood: again");
    assert_true(written >= RATE && written <= 2 * RATE);
    assert_int_equal(count("a.log", "other: seldom"), 1);
    while (count("a.log", "lines left out") == 0)
        im_log_file_flush(file); /* the second ends by itself */
    im_log_file_flush(file);
    assert_in_range(count("a.log", "lines left out"), 1, 2);
    assert_true(count("a.log", "sub=flood event=again count=") >= 1);
    im_log_file_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_the_form_that_was_asked_for),
        cmocka_unit_test(a_line_is_one_line_and_steers_no_terminal),
        cmocka_unit_test(a_long_value_loses_its_end_between_characters),
        cmocka_unit_test_setup_teardown(lines_above_the_level_are_not_written, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(others_cannot_read_the_log, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_rotated_log_is_opened_again, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_log_that_cannot_be_opened_changes_nothing, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_part_may_have_a_level_of_its_own, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_journal_gets_a_datagram_with_fields, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_flood_of_one_kind_is_counted_instead, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
