#include <string.h>

#include "tools/imctl/show.h"
#include "tools/safe_json.h"

/* Results for programs: names that stay, values as they are, each record on a line of its own. */

static void put_raw(struct im_out *out, const json_t *value);

/* A list of plain values is joined by commas; a list of anything else is JSON. */
static void put_list(struct im_out *out, const json_t *list)
{
    const json_t *value;
    size_t i;
    json_array_foreach(list, i, value)
    {
        if (json_is_object(value) || json_is_array(value)) {
            im_json_put(out, list);
            return;
        }
    }
    json_array_foreach(list, i, value)
    {
        im_out_str(out, i ? "," : "");
        put_raw(out, value);
    }
}

static void put_raw(struct im_out *out, const json_t *value)
{
    if (json_is_string(value))
        im_out_safe(out, (struct im_str){json_string_value(value), json_string_length(value)}, false);
    else if (json_is_array(value))
        put_list(out, value);
    else if (value && !json_is_null(value))
        im_json_put(out, value);
}

static bool needs_quotes(struct im_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] == ',' || s.p[i] == '"')
            return true;
    return s.len > 0 && (s.p[0] == ' ' || s.p[s.len - 1] == ' ');
}

static void put_quoted(struct im_out *out, struct im_str s)
{
    im_out_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '"')
            im_out_char(out, '"');
        im_out_char(out, s.p[i]);
    }
    im_out_char(out, '"');
}

static void put_cell(struct im_out *out, struct im_str text, bool first, enum show_format format)
{
    if (!first)
        im_out_char(out, format == SHOW_CSV ? ',' : '\t');
    if (format == SHOW_CSV && needs_quotes(text))
        put_quoted(out, text);
    else
        im_out_put(out, text.p, text.len);
}

static void put_value(struct im_out *out, const json_t *value, bool first, enum show_format format)
{
    struct im_out text = {0};
    put_raw(&text, value);
    put_cell(out, (struct im_str){im_out_data(&text), text.len}, first, format);
    im_out_clear(&text);
}

void show_names(const char *const *columns, size_t count, enum show_format format, struct im_out *out)
{
    if (format != SHOW_CSV)
        return;
    for (size_t i = 0; i < count; i++)
        put_cell(out, im_str(columns[i]), i == 0, format);
    im_out_char(out, '\n');
}

void show_record(const json_t *record, const char *const *columns, size_t count, enum show_format format,
                 struct im_out *out)
{
    for (size_t i = 0; format != SHOW_JSON && i < count; i++)
        put_value(out, json_object_get(record, columns[i]), i == 0, format);
    if (format == SHOW_JSON)
        im_json_put(out, record);
    im_out_char(out, '\n');
}

/* Fields: one record for each value, by its path: "store.head", "listen[0].address". */

static void put_fields(struct im_out *out, const char *path, const json_t *value, enum show_format format);

static void put_elements(struct im_out *out, const char *path, const json_t *list, enum show_format format)
{
    const json_t *value;
    size_t i;
    json_array_foreach(list, i, value)
    {
        struct im_out name = {0};
        im_out_printf(&name, "%s[%zu]", path, i);
        put_fields(out, im_out_data(&name), value, format);
        im_out_clear(&name);
    }
}

static void put_members(struct im_out *out, const char *path, const json_t *object, enum show_format format)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        struct im_out name = {0};
        im_out_printf(&name, "%s%s%s", path, *path ? "." : "", key);
        put_fields(out, im_out_data(&name), value, format);
        im_out_clear(&name);
    }
}

static void put_fields(struct im_out *out, const char *path, const json_t *value, enum show_format format)
{
    if (json_object_size(value) > 0) {
        put_members(out, path, value, format);
    } else if (json_is_object(json_array_get(value, 0))) {
        put_elements(out, path, value, format);
    } else {
        struct im_out name = {0};
        im_out_safe(&name, im_str(path), false);
        put_cell(out, (struct im_str){im_out_data(&name), name.len}, true, format);
        put_value(out, json_is_object(value) ? NULL : value, false, format);
        im_out_char(out, '\n');
        im_out_clear(&name);
    }
}

/* Text: its lines. An empty one is written as such, for an empty line is no record. */
static void put_lines(struct im_out *out, struct im_str text, enum show_format format)
{
    while (text.len > 0) {
        const char *lf = memchr(text.p, '\n', text.len);
        size_t n = lf ? (size_t)(lf - text.p) : text.len, step = n + (lf != NULL);
        struct im_out line = {0};
        im_out_safe(&line, (struct im_str){text.p, n}, false);
        put_cell(out, (struct im_str){im_out_data(&line), line.len}, true, format);
        im_out_str(out, n == 0 && format == SHOW_CSV ? "\"\"\n" : "\n");
        im_out_clear(&line);
        text = (struct im_str){text.p + step, text.len - step};
    }
}

/* Names, once. Streams: the values that a line begins with, and what else there is as JSON. */

static void put_names(const char *const *columns, size_t count, const struct show_style *style, struct im_out *out)
{
    if (!style->goes_on)
        show_names(columns, count, style->format, out);
}

static void put_line_names(const char *const *keys, size_t count, const struct show_style *style, struct im_out *out)
{
    const char *columns[SHOW_COLUMNS_MAX + 1];
    memcpy(columns, keys, count * sizeof *columns);
    columns[count] = "more";
    put_names(columns, count + 1, style, out);
}

void show_export_item(json_t *item, const char *const *keys, size_t count, const struct show_style *style,
                      struct im_out *out)
{
    json_t *others = show_others(item, keys, count);
    put_line_names(keys, count, style, out);
    for (size_t i = 0; i < count; i++)
        put_value(out, json_object_get(item, keys[i]), i == 0, style->format);
    put_value(out, others, count == 0, style->format);
    im_out_char(out, '\n');
    json_decref(others);
}

static bool is_show(const char *const *show, size_t words, const char *kind, size_t at_least)
{
    return words >= at_least && strcmp(show[0], kind) == 0;
}

void show_export(const json_t *result, const char *const *show, size_t words, const struct show_style *style,
                 struct im_out *out)
{
    static const char *const fields[] = {"field", "value"}, *const lines[] = {"text"};
    const json_t *string = json_object_get(result, "text"), *row;
    size_t i;
    if (is_show(show, words, "table", 3) || is_show(show, words, "report", 3) || is_show(show, words, "findings", 3)) {
        put_names(show + 2, words - 2, style, out);
        json_array_foreach(json_object_get(result, show[1]), i, row)
        {
            show_record(row, show + 2, words - 2, style->format, out);
        }
    } else if (is_show(show, words, "ndjson", 2)) {
        put_names(show + 1, 1, style, out);
        json_array_foreach(json_object_get(result, show[1]), i, row)
        {
            put_value(out, row, true, style->format);
            im_out_char(out, '\n');
        }
    } else if (is_show(show, words, "line", 1)) {
        put_line_names(show + 1, words - 1, style, out);
    } else if (is_show(show, words, "text", 1) && json_is_string(string)) {
        put_names(lines, 1, style, out);
        put_lines(out, (struct im_str){json_string_value(string), json_string_length(string)}, style->format);
    } else {
        put_names(fields, 2, style, out);
        put_fields(out, json_is_object(result) ? "" : "result", result, style->format);
    }
}
