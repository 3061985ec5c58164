#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tests/unit/unit.h"
#include "tools/imctl/command.h"
#include "tools/imctl/show.h"
#include "tools/imctl/split.h"
#include "tools/imctl/table.h"

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    return json;
}

static void prints(const char *result, const char *show, struct show_style style, const char *expected)
{
    struct im_out out = {0};
    json_t *json = parse(result);
    show_result(json, show, &style, &out);
    json_decref(json);
    assert_string_equal(im_out_data(&out), expected);
    im_out_clear(&out);
}

static void shows(const char *result, const char *show, const char *expected)
{
    struct im_out out = {0};
    json_t *json = parse(result);
    show_result(json, show, &(struct show_style){0}, &out);
    json_decref(json);
    im_out_char(&out, '\0');
    assert_string_equal(im_out_data(&out), expected);
    im_out_clear(&out);
}

static void columns_line_up_by_their_width_on_a_terminal(void **state)
{
    (void)state;
    assert_int_equal(text_width(IM_STR("翠花a")), 5);
    assert_int_equal(text_width(IM_STR("e\xcc\x81")), 1);
    shows("{\"rows\":[{\"id\":1,\"user\":\"小明\",\"to\":\"x\"},{\"id\":100,\"user\":\"bob\",\"to\":null}]}",
          "table rows id user to",
          " ID  USER  TO\n"
          "  1  小明  x\n"
          "100  bob   -\n");
}

static void times_and_sizes_are_readable(void **state)
{
    (void)state;
    shows("{\"a_ms\":5,\"b_ms\":59999,\"c_ms\":192000,\"d_ms\":7500000,\"e_ms\":273600000,\"f_ms\":0}", "fields",
          "a  5ms\nb  59s\nc  3m12s\nd  2h05m\ne  3d04h\nf  0ms\n");
    shows("{\"bytes\":1023,\"x_bytes\":1024,\"y_bytes\":1572864,\"n\":1048576}", "fields",
          "bytes    1023 B\nx_bytes  1.0 KiB\ny_bytes  1.5 MiB\nn        1048576\n");
}

static void nested_results_become_fields(void **state)
{
    (void)state;
    shows("{\"users\":2,\"transports\":{\"line\":1,\"unix\":0},\"on\":true,\"off\":false,\"none\":null,\"l\":[],\"s\":["
          "\"a\",\"b\"]}",
          "fields",
          "users            2\ntransports.line  1\ntransports.unix  0\non               yes\noff              no\n"
          "none             -\nl                -\ns                a, b\n");
    shows("{\"listen\":[{\"transport\":\"line\",\"tls\":false},{\"transport\":\"unix\",\"tls\":true}]}", "fields",
          "listen  line\n        unix tls\n");
    shows("{\"l\":[{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":{\"f\":5}}]}", "fields",
          "l[0].a    1\nl[0].b    2\nl[0].c    3\nl[0].d    4\nl[0].e.f  5\n");
    shows("{\"text\":\"a\\nb\\n\"}", "text", "a\nb\n");
    shows("{\"text\":5}", "text", "text  5\n");
    shows("7", "fields", "result  7\n");
    shows("{\"a\":1}", "something new", "a  1\n");
}

static void an_empty_or_cut_table_says_so(void **state)
{
    (void)state;
    shows("{\"sessions\":[],\"total\":0}", "table sessions id", "no sessions\n");
    shows("{}", "table sessions id", "no sessions\n");
    shows("{\"sessions\":[{\"id\":1}],\"total\":9}", "table sessions id",
          "ID\n 1\n1 of 9 sessions; more with limit=NUMBER\n");
}

static void nothing_steers_the_terminal(void **state)
{
    (void)state;
    shows("{\"a\":\"\\u001b[31m\\n\\u009b\\u202e\"}", "fields", "a  \\x1b[31m\\x0a\\u{009b}\\u{202e}\n");
    shows("{\"r\":[{\"a\":\"\\u001b\\n\"}]}", "table r a", "A\n\\x1b\\x0a\n");
    shows("{\"text\":\"\\u001b[2J\"}", "text", "\\x1b[2J");
}

static void tables_are_shortened_where_text_has_most_to_spare(void **state)
{
    (void)state;
    static const char rows[] = "{\"r\":[{\"a\":\"翠花翠花翠花\",\"n\":1000000,\"b\":\"short\"}]}";
    prints(rows, "table r a n b", (struct show_style){.width = 26},
           "A                 N  B\n翠花翠花…   1000000  short\n");
    prints(rows, "table r a n b", (struct show_style){.width = 20}, "A           N  B\n翠…   1000000  short\n");
    prints(rows, "table r a n b", (struct show_style){.width = 1}, "A           N  B\n翠…   1000000  sho…\n");
    prints("{\"field\":\"all of it is needed\"}", "fields", (struct show_style){.width = 10},
           "field  all of it is needed\n");
}

static void programs_get_values_as_they_are(void **state)
{
    (void)state;
    static const char rows[] =
        "{\"r\":[{\"a_ms\":61000,\"b\":\"x, \\\"y\\\"\",\"c\":null},{\"a_ms\":0,\"b\":\"t\\tn\\n\","
        "\"c\":[\"p\",\"q\"]}]}";
    static const char fields[] = "{\"on\":true,\"none\":null,\"o\":{},\"l\":[{\"a\":1.5},{\"a\":{\"b\":\" s\"}}]}";
    const struct show_style csv = {.format = SHOW_CSV}, plain = {.format = SHOW_PLAIN}, json = {.format = SHOW_JSON};
    prints(rows, "table r a_ms b c", csv, "a_ms,b,c\n61000,\"x, \"\"y\"\"\",\n0,t\\x09n\\x0a,\"p,q\"\n");
    prints(rows, "table r a_ms b c", plain, "61000\tx, \"y\"\t\n0\tt\\x09n\\x0a\tp,q\n");
    prints(fields, "fields", csv, "field,value\non,true\nnone,\no,\nl[0].a,1.5\nl[1].a.b,\" s\"\n");
    prints(fields, "fields", plain, "on\ttrue\nnone\t\no\t\nl[0].a\t1.5\nl[1].a.b\t s\n");
    prints(fields, "fields", json, "{\"on\":true,\"none\":null,\"o\":{},\"l\":[{\"a\":1.5},{\"a\":{\"b\":\" s\"}}]}\n");
    prints("{\"text\":\"a,\\n\\nb\"}", "text", csv, "text\n\"a,\"\n\"\"\nb\n");
    prints("{\"text\":\"a,\\n\\nb\"}", "text", plain, "a,\n\nb\n");
    prints("7", "fields", plain, "result\t7\n");
}

static void reports_are_fields_and_a_table(void **state)
{
    (void)state;
    static const char report[] = "{\"e\":{\"pos\":7},\"r\":[{\"a_us\":1500,\"b\":\"x\"}],\"problems\":[\"p\\u001b\"]}";
    const struct show_style csv = {.format = SHOW_CSV}, plain = {.format = SHOW_PLAIN};
    shows("{\"e\":{\"pos\":7},\"r\":[{\"a_us\":1500,\"b\":\"x\"}]}", "report r a_us b",
          "e.pos  7\n\n    A  B\n1.5ms  x\n");
    shows(report, "table r b", "B\nx\np\\x1b\n");
    prints(report, "report r a_us b", csv, "a_us,b\n1500,x\n");
    prints(report, "report r a_us b", plain, "1500\tx\n");
}

static void lines_of_json_stay_such(void **state)
{
    (void)state;
    static const char page[] = "{\"r\":[{\"a\":1},{\"b\":\"\\u202e,\"}],\"next\":9}";
    const struct show_style csv = {.format = SHOW_CSV}, further = {.format = SHOW_CSV, .goes_on = true};
    const struct show_style plain = {.format = SHOW_PLAIN}, json = {.format = SHOW_JSON};
    static const char lines[] = "{\"a\":1}\n{\"b\":\"\\u202e,\"}\n";
    prints(page, "ndjson r", (struct show_style){0}, lines);
    prints(page, "ndjson r", json, lines);
    prints(page, "ndjson r", plain, lines);
    prints("{\"r\":[{\"a\":1}]}", "ndjson r", csv, "r\n\"{\"\"a\"\":1}\"\n");
    prints("{\"r\":[{\"a\":1}]}", "ndjson r", further, "\"{\"\"a\"\":1}\"\n");
}

static void prints_item(const char *item, struct show_style style, const char *expected)
{
    struct im_out out = {0};
    json_t *json = parse(item);
    show_item(json, "line t who", &style, &out);
    json_decref(json);
    assert_string_equal(im_out_data(&out), expected);
    im_out_clear(&out);
}

static void a_stream_goes_on_in_one_format(void **state)
{
    (void)state;
    static const char item[] = "{\"n_ms\":2000,\"t\":\"now\",\"no\":false,\"nil\":null,\"what\":\"a\\u001b\"}";
    const struct show_style csv = {.format = SHOW_CSV}, further = {.format = SHOW_CSV, .goes_on = true};
    prints_item(item, (struct show_style){0}, "now - n_ms=2s what=a\\x1b\n");
    prints_item("{\"t\":1}", (struct show_style){.format = SHOW_JSON}, "{\"t\":1}\n");
    prints_item("{\"t\":1}", csv, "t,who,more\n1,,{}\n");
    prints_item("{\"t\":1,\"z\":2}", further, "1,,\"{\"\"z\"\":2}\"\n");
    prints_item("{\"who\":\"a\",\"z\":2}", (struct show_style){.format = SHOW_PLAIN}, "\ta\t{\"z\":2}\n");
    prints("{\"dropped\":3}", "line t who", (struct show_style){0}, "3 were left out\n");
    prints("{\"dropped\":0}", "line t who", csv, "t,who,more\n");
    prints("{\"dropped\":0}", "line t who", further, "");
}

/* Lines of the shell. */

static void splits(const char *line, bool unfinished, const char *expected)
{
    struct split split;
    struct im_out out = {0};
    split_line(&split, im_str(line), unfinished);
    for (int i = 0; i < split.count; i++)
        im_out_printf(&out, "<%s>", split.words[i]);
    im_out_printf(&out, "%zu%s", split.last_at, split.open ? "+" : "");
    assert_string_equal(im_out_data(&out), expected);
    im_out_clear(&out);
    split_free(&split);
}

static void lines_are_parted_as_shells_do(void **state)
{
    (void)state;
    splits("", false, "0");
    splits("  kick  小明 ", false, "<kick><小明>8");
    splits("a 'b c' d\\ e \"f \\\" 'g\" ''", false, "<a><b c><d e><f \" 'g><>23");
    splits("a'b'\"c\"d", false, "<abcd>0");
    splits("a 'b c", false, "<a><b c>2+");
    splits("a\\", false, "<a>0+");
    splits("a '\\'", false, "<a><\\>2");
    splits("", true, "<>0");
    splits("kick ", true, "<kick><>5");
    splits("kick", true, "<kick>0");
    splits("kick ' ", true, "<kick>< >5+");
}

static void quotes(const char *word, bool finished, const char *expected)
{
    struct im_out out = {0};
    split_quote(&out, im_str(word), finished);
    assert_string_equal(im_out_data(&out), expected);
    im_out_clear(&out);
}

static void what_is_quoted_comes_back_as_it_was(void **state)
{
    (void)state;
    static const char *const words[] = {"小明", "#tea", "a b", "it's", "\"", "\\", "", "' '"};
    quotes("#tea", true, "#tea");
    quotes("a b", true, "'a b'");
    quotes("a b", false, "'a b");
    quotes("", true, "''");
    quotes("", false, "");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct im_out out = {0};
        struct split split;
        split_quote(&out, im_str(words[i]), true);
        split_line(&split, (struct im_str){im_out_data(&out), out.len}, false);
        assert_int_equal(split.count, 1);
        assert_string_equal(split.words[0], words[i]);
        split_free(&split);
        im_out_clear(&out);
    }
}

/* Commands. */

static const char commands[] =
    "[{\"name\":\"status\",\"args\":[]},{\"name\":\"help\",\"args\":[{\"name\":\"command\",\"type\":\"string\"}]},"
    "{\"name\":\"log.level\",\"args\":[{\"name\":\"level\",\"type\":\"string\"}]},"
    "{\"name\":\"kick\",\"args\":[{\"name\":\"who\",\"type\":\"string\",\"required\":true},{\"name\":\"session\","
    "\"type\":\"uint\"}]},{\"name\":\"look\",\"show\":\"imctl\",\"args\":[{\"name\":\"interval\",\"type\":\"uint\"},{"
    "\"name\":\"batch\",\"type\":\"string\",\"choices\":\"yes\"},{\"name\":\"sort\",\"type\":\"string\","
    "\"choices\":\"id|user\"}]},{\"name\":\"wipe\",\"asks\":\"?\",\"args\":[{\"name\":\"what\",\"type\":"
    "\"string\"},{\"name\":\"deep\",\"type\":\"string\",\"choices\":\"no|yes\"},{\"name\":\"path\",\"type\":\"file\"},{"
    "\"name\":\"dry\",\"type\":\"string\",\"choices\":\"yes\"}]},{\"name\":\"seal\",\"args\":[{\"name\":\"name\","
    "\"type\":\"string\"},{"
    "\"name\":\"key\",\"type\":\"secret\"}]}]";

static int match(const char *typed, char *out, size_t cap)
{
    char *copy = strdup(typed), *words[10], *rest = NULL;
    int count = 0;
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    json_t *table = parse(commands), *params = NULL;
    const json_t *command = NULL;
    bool yes;
    int status = command_match(table, words, count, &command, &params, &yes);
    if (status == EX_OK) {
        char *json = json_dumps(params, JSON_COMPACT);
        snprintf(out, cap, "%s %s%s", json_string_value(json_object_get(command, "name")), json, yes ? " yes" : "");
        free(json);
    }
    json_decref(params);
    json_decref(table);
    free(copy);
    return status;
}

static void words_become_a_command_and_its_arguments(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"status", "status {}"},
        {"log level", "log.level {}"},
        {"log level debug", "log.level {\"level\":\"debug\"}"},
        {"log.level level=debug", "log.level {\"level\":\"debug\"}"},
        {"kick 小明", "kick {\"who\":\"小明\"}"},
        {"kick who=小明 session=5", "kick {\"who\":\"小明\",\"session\":5}"},
        {"kick a=b 7", "kick {\"who\":\"a=b\",\"session\":7}"},
        {"help", "help {}"},
        {"look -b -i 5 -s user", "look {\"batch\":\"yes\",\"interval\":5,\"sort\":\"user\"}"},
        {"look 5 sort=id", "look {\"interval\":5,\"sort\":\"id\"}"},
        {"seal a", "seal {\"name\":\"a\"}"},
        {"kick -- -b", "kick {\"who\":\"-b\"}"},
        {"kick -bob", "kick {\"who\":\"-bob\"}"},
        {"kick -5", "kick {\"who\":\"-5\"}"},
        {"kick --session 5 --who=ann", "kick {\"session\":5,\"who\":\"ann\"}"},
        {"kick -- --what", "kick {\"who\":\"--what\"}"},
        {"kick -- --who=x", "kick {\"who\":\"--who=x\"}"},
        {"wipe --deep all -y", "wipe {\"deep\":\"yes\",\"what\":\"all\"} yes"},
        {"wipe -n deep=no path=/x", "wipe {\"dry\":\"yes\",\"deep\":\"no\",\"path\":\"/x\"}"},
        {"wipe -- -y", "wipe {\"what\":\"-y\"}"},
        {"help log level", "help {\"command\":\"log.level\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[100];
        assert_int_equal(match(cases[i][0], out, sizeof out), EX_OK);
        assert_string_equal(out, cases[i][1]);
    }
}

static void what_does_not_fit_the_table_is_a_usage_error(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "stauts",       "log",          "log levle", "status x",  "kick",           "kick a session=x", "kick a -1",
        "kick a 1 2",   "help fly",     "kick \xff", "look -i",   "look -i x",      "look -s name",     "look -x",
        "seal a key=b", "seal a b",     "kick -y",   "kick a -n", "kick --session", "look --batch=x",   "kick -b",
        "kick --what",  "kick --what=x"};
    char out[100];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(match(cases[i], out, sizeof out), EX_USAGE);
}

static void findings_have_their_advice_on_lines_of_its_own(void **state)
{
    (void)state;
    static const char result[] =
        "{\"checks\":[{\"state\":\"OK\",\"what\":\"disk\",\"found\":\"31 % free\",\"advice\":\"\"},{\"state\":"
        "\"WARN\",\"what\":\"descriptors\",\"found\":\"few\",\"advice\":\"raise the limit, or take "
        "fewer\\u001b\"}],\"exit\":1}";
    static const char show[] = "findings checks state what found advice";
    prints(result, show, (struct show_style){0},
           "OK    disk         31 % free\n"
           "WARN  descriptors  few\n"
           "                   → raise the limit, or take fewer\\x1b\n"
           "1 ok, 1 to look at, 0 wrong\n");
    prints(result, show, (struct show_style){.width = 40},
           "OK    disk         31 % free\n"
           "WARN  descriptors  few\n"
           "                   → raise the limit, or\n"
           "                     take fewer\\x1b\n"
           "1 ok, 1 to look at, 0 wrong\n");
    prints(result, show, (struct show_style){.format = SHOW_PLAIN},
           "OK\tdisk\t31 % free\t\nWARN\tdescriptors\tfew\traise the limit, or take fewer\\x1b\n");
}

static void a_table_without_rows_says_what_that_means(void **state)
{
    (void)state;
    prints("{\"rows\":[]}", "table rows id", (struct show_style){.none = "Nobody."}, "Nobody.\n");
    shows("{\"rows\":[{\"id\":1}],\"next\":\"bob\"}", "table rows id", "ID\n 1\nmore with after=bob\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_line_up_by_their_width_on_a_terminal),
        cmocka_unit_test(times_and_sizes_are_readable),
        cmocka_unit_test(nested_results_become_fields),
        cmocka_unit_test(an_empty_or_cut_table_says_so),
        cmocka_unit_test(nothing_steers_the_terminal),
        cmocka_unit_test(tables_are_shortened_where_text_has_most_to_spare),
        cmocka_unit_test(programs_get_values_as_they_are),
        cmocka_unit_test(reports_are_fields_and_a_table),
        cmocka_unit_test(findings_have_their_advice_on_lines_of_its_own),
        cmocka_unit_test(a_table_without_rows_says_what_that_means),
        cmocka_unit_test(lines_of_json_stay_such),
        cmocka_unit_test(a_stream_goes_on_in_one_format),
        cmocka_unit_test(lines_are_parted_as_shells_do),
        cmocka_unit_test(what_is_quoted_comes_back_as_it_was),
        cmocka_unit_test(words_become_a_command_and_its_arguments),
        cmocka_unit_test(what_does_not_fit_the_table_is_a_usage_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
