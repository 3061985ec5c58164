#include "tools/imctl/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "tools/imctl/table.h"
#include "tools/safe_json.h"

#define FLAT_MAX 4 /* an object with so few members fits on one line */

static bool ends_with(const char *s, const char *end)
{
    size_t a = strlen(s), b = strlen(end);
    return a >= b && strcmp(s + a - b, end) == 0;
}

static bool is_time(const char *key)
{
    return ends_with(key, "_ms") || ends_with(key, "_us");
}

/* Also at the end of a path, "store.bytes". */
static bool is_size(const char *key)
{
    return strcmp(key, "bytes") == 0 || ends_with(key, "_bytes") || ends_with(key, ".bytes");
}

/* Values. */

static void put_time(struct im_out *out, uint64_t ms)
{
    uint64_t s = ms / 1000;
    if (ms < 1000)
        im_out_printf(out, "%" PRIu64 "ms", ms);
    else if (s < 60)
        im_out_printf(out, "%" PRIu64 "s", s);
    else if (s < 3600)
        im_out_printf(out, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
    else if (s < 86400)
        im_out_printf(out, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
    else
        im_out_printf(out, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
}

/* Short ones, to three digits or so. */
static void put_us(struct im_out *out, uint64_t us)
{
    if (us < 1000)
        im_out_printf(out, "%" PRIu64 "us", us);
    else if (us < 1000000)
        im_out_printf(out, "%.*fms", us < 100000, (double)us / 1000);
    else if (us < 60000000)
        im_out_printf(out, "%.1fs", (double)us / 1000000);
    else
        put_time(out, us / 1000);
}

static void put_size(struct im_out *out, uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) {
        im_out_printf(out, "%" PRIu64 " B", bytes);
        return;
    }
    double n = (double)bytes / 1024;
    size_t unit = 0;
    for (; n >= 1024 && unit < 3; unit++)
        n /= 1024;
    im_out_printf(out, "%.1f %s", n, units[unit]);
}

static void put_list(struct im_out *out, const json_t *list);

void show_value(struct im_out *out, const char *key, const json_t *value)
{
    size_t start = out->len;
    if (json_is_integer(value) && is_time(key))
        (ends_with(key, "_us") ? put_us : put_time)(out, (uint64_t)json_integer_value(value));
    else if (json_is_integer(value) && is_size(key))
        put_size(out, (uint64_t)json_integer_value(value));
    else if (json_is_integer(value) && ends_with(key, "_percent"))
        im_out_printf(out, "%lld%%", (long long)json_integer_value(value));
    else if (json_is_boolean(value))
        im_out_str(out, json_is_true(value) ? "yes" : "no");
    else if (json_is_string(value))
        im_out_put(out, json_string_value(value), json_string_length(value));
    else if (json_is_array(value))
        put_list(out, value);
    else if (value && !json_is_null(value))
        im_json_put(out, value);
    if (out->len == start)
        im_out_char(out, '-');
}

static void put_list(struct im_out *out, const json_t *list)
{
    const json_t *value;
    size_t i;
    json_array_foreach(list, i, value)
    {
        im_out_str(out, i ? ", " : "");
        show_value(out, "", value);
    }
}

/* A few members in one line; what is false or unset is not worth a word, and what is true is named. */
static void put_flat(struct im_out *out, json_t *object)
{
    const char *key;
    json_t *value;
    size_t start = out->len;
    json_object_foreach(object, key, value)
    {
        if (json_is_null(value) || json_is_false(value))
            continue;
        im_out_str(out, out->len > start ? " " : "");
        if (json_is_true(value))
            im_out_str(out, key);
        else
            show_value(out, key, value);
        im_out_str(out, ends_with(key, "ago_ms") ? " ago" : "");
    }
}

static void add(struct table *t, const struct im_out *text)
{
    table_add(t, (struct im_str){im_out_data(text), text->len});
}

/* "uptime_ms" is a word for programs. */
static void add_name(struct table *t, const char *path)
{
    size_t len = strlen(path);
    table_add(t, (struct im_str){path, is_time(path) ? len - 3 : len});
}

/* Fields. */

static void add_fields(struct table *t, const char *prefix, json_t *object);

static void add_field(struct table *t, const char *path, json_t *value)
{
    struct im_out text = {0};
    if (json_is_object(value) && json_object_size(value) > 0) {
        add_fields(t, path, value);
        return;
    }
    add_name(t, path);
    show_value(&text, path, json_is_object(value) ? NULL : value);
    add(t, &text);
    im_out_clear(&text);
}

static void add_objects(struct table *t, const char *path, json_t *list)
{
    json_t *object;
    size_t i;
    json_array_foreach(list, i, object)
    {
        struct im_out text = {0};
        if (json_object_size(object) <= FLAT_MAX) {
            table_add(t, im_str(i ? "" : path));
            put_flat(&text, object);
            add(t, &text);
        } else {
            im_out_printf(&text, "%s[%zu]", path, i);
            im_out_char(&text, '\0');
            add_fields(t, im_out_data(&text), object);
        }
        im_out_clear(&text);
    }
}

static void add_fields(struct table *t, const char *prefix, json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        struct im_out path = {0};
        im_out_printf(&path, "%s%s%s", prefix, *prefix ? "." : "", key);
        im_out_char(&path, '\0');
        if (json_is_array(value) && json_is_object(json_array_get(value, 0)))
            add_objects(t, im_out_data(&path), value);
        else
            add_field(t, im_out_data(&path), value);
        im_out_clear(&path);
    }
}

/* Never shortened: what is shown once must be there to be copied. */
static void show_fields(json_t *result, struct im_out *out)
{
    struct table t;
    table_init(&t, 2);
    add_fields(&t, "", result);
    table_write(&t, false, 0, out);
    table_free(&t);
}

/* Tables. */

static void add_header(struct table *t, const char *column)
{
    char name[64];
    size_t len = strlen(column);
    if (is_time(column))
        len -= 3;
    else if (ends_with(column, "_bytes"))
        len -= 6;
    else if (ends_with(column, "_percent"))
        len -= 8;
    if (len >= sizeof name)
        len = sizeof name - 1;
    for (size_t i = 0; i < len; i++)
        name[i] = column[i] >= 'a' && column[i] <= 'z' ? (char)(column[i] - 'a' + 'A') : column[i];
    table_add(t, (struct im_str){name, len});
}

static void add_row(struct table *t, const json_t *row, const char *const *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct im_out text = {0};
        const json_t *value = json_object_get(row, columns[i]);
        show_value(&text, columns[i], value);
        add(t, &text);
        im_out_clear(&text);
    }
}

/* Nothing but numbers, where there is anything. */
static bool is_numeric(const json_t *rows, const char *column)
{
    bool any = false;
    const json_t *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        const json_t *value = json_object_get(row, column);
        if (json_is_number(value))
            any = true;
        else if (value && !json_is_null(value))
            return false;
    }
    return any;
}

static void put_rest(const json_t *result, const char *key, size_t shown, const char *none, struct im_out *out)
{
    const json_t *problem;
    size_t i;
    json_int_t total = json_integer_value(json_object_get(result, "total"));
    const char *next = json_string_value(json_object_get(result, "next"));
    if (shown == 0 && none)
        im_out_printf(out, "%s\n", none);
    else if (shown == 0)
        im_out_printf(out, "no %s\n", key);
    else if (total > (json_int_t)shown)
        im_out_printf(out, "%zu of %" JSON_INTEGER_FORMAT " %s; more with limit=NUMBER\n", shown, total, key);
    if (next) {
        im_out_str(out, "more with after=");
        im_out_safe(out, im_str(next), false);
        im_out_char(out, '\n');
    }
    json_array_foreach(json_object_get(result, "problems"), i, problem)
    {
        im_out_safe(out, im_str(json_string_value(problem)), false);
        im_out_char(out, '\n');
    }
}

static void show_table(const json_t *result, const char *key, const char *const *columns, size_t count,
                       const struct show_style *style, struct im_out *out)
{
    const json_t *rows = json_object_get(result, key), *row;
    size_t i;
    struct table t;
    table_init(&t, count);
    for (i = 0; i < count; i++)
        add_header(&t, columns[i]);
    for (i = 0; i < count; i++)
        if (is_numeric(rows, columns[i]))
            table_right(&t, i);
    json_array_foreach(rows, i, row)
    {
        add_row(&t, row, columns, count);
    }
    if (json_array_size(rows) > 0)
        table_write(&t, style->bold, style->width, out);
    put_rest(result, key, json_array_size(rows), style->none, out);
    table_free(&t);
}

size_t show_split(char *words, const char *out[SHOW_COLUMNS_MAX])
{
    size_t n = 0;
    char *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word && n < SHOW_COLUMNS_MAX; word = strtok_r(NULL, " ", &rest))
        out[n++] = word;
    return n;
}

static void show_report(const json_t *result, const char *key, const char *const *columns, size_t count,
                        const struct show_style *style, struct im_out *out)
{
    json_t *rest = json_copy((json_t *)(uintptr_t)result);
    json_object_del(rest, key);
    json_object_del(rest, "exit");
    show_fields(rest, out);
    im_out_char(out, '\n');
    show_table(result, key, columns, count, style, out);
    json_decref(rest);
}

/* Findings: STATE WHAT FOUND, and the advice on lines of its own, for it is to be read whole. */

static void put_state(struct im_out *out, const char *state, bool colour)
{
    const char *code = strcmp(state, "OK") == 0 ? "32" : strcmp(state, "WARN") == 0 ? "33" : "1;31";
    if (colour)
        im_out_printf(out, "\033[%sm", code);
    im_out_safe(out, im_str(state), false);
    im_out_printf(out, "%s%*s", colour ? "\033[0m" : "", strlen(state) < 4 ? (int)(4 - strlen(state)) : 0, "");
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

static void put_finding(struct im_out *out, const json_t *row, const char *const *columns, size_t indent,
                        const struct show_style *style)
{
    const char *what = text_of(row, columns[1]), *advice = text_of(row, columns[3]);
    put_state(out, text_of(row, columns[0]), style->bold);
    im_out_str(out, "  ");
    im_out_safe(out, im_str(what), false);
    im_out_printf(out, "%*s", (int)(indent - 6 - text_width(im_str(what))), "");
    text_wrap(out, im_str(text_of(row, columns[2])), indent, style->width);
    if (*advice) {
        im_out_printf(out, "\n%*s→ ", (int)indent, "");
        text_wrap(out, im_str(advice), indent + 2, style->width);
    }
    im_out_char(out, '\n');
}

static void put_sums(struct im_out *out, const json_t *rows, const char *column)
{
    static const char *const states[] = {"OK", "WARN", "FAIL"};
    const json_t *row;
    size_t i, counts[3] = {0};
    json_array_foreach(rows, i, row)
    {
        for (size_t k = 0; k < 3; k++)
            counts[k] += strcmp(text_of(row, column), states[k]) == 0;
    }
    im_out_printf(out, "%zu ok, %zu to look at, %zu wrong\n", counts[0], counts[1], counts[2]);
}

static void show_findings(const json_t *result, const char *key, const char *const *columns,
                          const struct show_style *style, struct im_out *out)
{
    const json_t *rows = json_object_get(result, key), *row;
    size_t i, widest = 0;
    json_array_foreach(rows, i, row)
    {
        size_t width = text_width(im_str(text_of(row, columns[1])));
        widest = width > widest ? width : widest;
    }
    json_array_foreach(rows, i, row)
    {
        put_finding(out, row, columns, widest + 8, style);
    }
    put_sums(out, rows, columns[0]);
}

/* Of a stream that is over, all has been said but this. */
static void put_left_out(const json_t *result, struct im_out *out)
{
    json_int_t dropped = json_integer_value(json_object_get(result, "dropped"));
    if (dropped > 0)
        im_out_printf(out, "%" JSON_INTEGER_FORMAT " were left out\n", dropped);
}

static void show_people(const json_t *result, const char *const *show, size_t words, const struct show_style *style,
                        struct im_out *out)
{
    const json_t *text = json_object_get(result, "text");
    if (words > 0 && strcmp(show[0], "text") == 0 && json_is_string(text)) {
        im_out_safe(out, (struct im_str){json_string_value(text), json_string_length(text)}, true);
    } else if (words > 0 && strcmp(show[0], "line") == 0) {
        put_left_out(result, out);
    } else if (words > 2 && strcmp(show[0], "report") == 0) {
        show_report(result, show[1], show + 2, words - 2, style, out);
    } else if (words == 6 && strcmp(show[0], "findings") == 0) {
        show_findings(result, show[1], show + 2, style, out);
    } else if (words > 2 && strcmp(show[0], "table") == 0) {
        show_table(result, show[1], show + 2, words - 2, style, out);
    } else {
        json_t *fields =
            json_is_object(result) ? json_copy((json_t *)(uintptr_t)result) : json_pack("{s:O}", "result", result);
        json_object_del(fields, "exit"); /* the shell will tell */
        show_fields(fields, out);
        json_decref(fields);
    }
}

/* For programs, and for files: each value is JSON on a line of its own. */
static void show_lines(const json_t *rows, struct im_out *out)
{
    const json_t *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        im_json_put(out, row);
        im_out_char(out, '\n');
    }
}

/* Streams. */

static void put_word(struct im_out *out, const char *key, const json_t *value)
{
    struct im_out text = {0};
    show_value(&text, key, value);
    im_out_safe(out, (struct im_str){im_out_data(&text), text.len}, false);
    im_out_clear(&text);
}

json_t *show_others(json_t *item, const char *const *keys, size_t count)
{
    json_t *others = json_object(), *value;
    const char *key;
    json_object_foreach(item, key, value)
    {
        if (!json_is_null(value) && !json_is_false(value))
            json_object_set(others, key, value);
    }
    for (size_t i = 0; i < count; i++)
        json_object_del(others, keys[i]);
    return others;
}

static void put_named(struct im_out *out, bool first, const char *key, const json_t *value)
{
    size_t len = strlen(key);
    im_out_str(out, first ? "" : "  ");
    im_out_safe(out, (struct im_str){key, is_time(key) ? len - 3 : len}, false);
    im_out_char(out, ' ');
    put_word(out, key, value);
}

static void show_line(json_t *item, const char *const *keys, size_t count, struct im_out *out)
{
    const char *key;
    json_t *others = show_others(item, keys, count), *value;
    for (size_t i = 0; i < count; i++) {
        im_out_str(out, i ? " " : "");
        put_word(out, keys[i], json_object_get(item, keys[i]));
    }
    json_object_foreach(others, key, value)
    {
        im_out_char(out, ' ');
        im_out_safe(out, im_str(key), false);
        im_out_char(out, '=');
        put_word(out, key, value);
    }
    im_out_char(out, '\n');
    json_decref(others);
}

/* "told 120  left 380  eta 4s" */
static void show_progress(json_t *item, const char *const *keys, size_t count, const struct show_style *style,
                          bool last, struct im_out *out)
{
    json_t *others = show_others(item, keys, count), *value;
    const char *key;
    im_out_str(out, style->live ? "\r" : "");
    for (size_t i = 0; i < count; i++)
        put_named(out, i == 0, keys[i], json_object_get(item, keys[i]));
    json_object_foreach(others, key, value)
    {
        put_named(out, false, key, value);
    }
    im_out_str(out, style->live ? "\033[K" : "");
    im_out_str(out, style->live && !last ? "" : "\n");
    json_decref(others);
}

/* An item, or the result of a stream that ends with one. */
static void show_one(json_t *item, const char *const *show, size_t words, const struct show_style *style, bool last,
                     struct im_out *out)
{
    if (style->format != SHOW_PEOPLE)
        show_export_item(item, show + 1, words - 1, style, out);
    else if (strcmp(show[0], "progress") == 0)
        show_progress(item, show + 1, words - 1, style, last, out);
    else
        show_line(item, show + 1, words - 1, out);
}

void show_result(const json_t *result, const char *show, const struct show_style *style, struct im_out *out)
{
    const char *words[SHOW_COLUMNS_MAX];
    char *copy = im_strndup(show, strlen(show));
    size_t n = show_split(copy, words);
    bool lines = n == 2 && strcmp(words[0], "ndjson") == 0;
    bool last = n > 1 && strcmp(words[0], "progress") == 0 && json_object_get(result, words[1]);
    if (lines && (style->format == SHOW_JSON || style->format == SHOW_PEOPLE)) {
        show_lines(json_object_get(result, words[1]), out);
    } else if (style->format == SHOW_JSON) {
        im_json_put(out, result);
        im_out_char(out, '\n');
    } else if (last) {
        show_one((json_t *)(uintptr_t)result, words, n, style, true, out);
    } else if (style->format == SHOW_PEOPLE) {
        show_people(result, words, n, style, out);
    } else {
        show_export(result, words, n, style, out);
    }
    free(copy);
}

void show_item(json_t *item, const char *show, const struct show_style *style, struct im_out *out)
{
    const char *words[SHOW_COLUMNS_MAX];
    char *copy = im_strndup(show, strlen(show));
    size_t n = show_split(copy, words);
    bool stream = n > 0 && (strcmp(words[0], "line") == 0 || strcmp(words[0], "progress") == 0);
    if (stream && style->format != SHOW_JSON)
        show_one(item, words, n, style, false, out);
    else
        show_result(item, show, style, out);
    free(copy);
}
