#include "tools/imctl/complete.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/str.h"

#define METHOD_MAX 64
#define ROWS_MAX   2000

struct completion {
    const json_t *table;
    char **words; /* before the one to be completed */
    int count;
    struct im_str typed;  /* of the candidate */
    struct im_str before; /* "name=", which stands before every candidate */
    json_t *(*ask)(void *arg, const char *method, json_t *params);
    void *arg;
    struct im_out *out;
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* Would it be printed as it is? A name that could steer the terminal is not offered. */
static bool is_plain(struct im_str s)
{
    struct im_out safe = {0};
    im_out_safe(&safe, s, false);
    bool plain = im_str_eq(s, (struct im_str){im_out_data(&safe), safe.len});
    im_out_clear(&safe);
    return plain && s.len > 0 && !memchr(s.p, '\t', s.len);
}

static bool has_line(const struct im_out *out, struct im_str line)
{
    const char *p = im_out_data(out), *end = p + out->len;
    while (p < end) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        struct im_str known = {p, strcspn(p, "\t\n")};
        if (im_str_eq(known, line))
            return true;
        p = lf + 1;
    }
    return false;
}

/* The first sentence of help, up to a colon, says enough. */
static size_t summary_len(const char *help)
{
    size_t n = 0;
    while (help[n] && !((help[n] == '.' || help[n] == ':' || help[n] == ';') && (help[n + 1] == ' ' || !help[n + 1])))
        n++;
    return n;
}

static void offer(struct completion *c, struct im_str candidate, const char *help)
{
    if (candidate.len < c->typed.len || memcmp(candidate.p, c->typed.p, c->typed.len) != 0 || !is_plain(candidate))
        return;
    struct im_out whole = {0};
    im_out_put(&whole, c->before.p, c->before.len);
    im_out_put(&whole, candidate.p, candidate.len);
    im_out_char(c->out, '\0'); /* so that has_line() ends */
    c->out->len--;
    if (!has_line(c->out, (struct im_str){im_out_data(&whole), whole.len})) {
        im_out_put(c->out, im_out_data(&whole), whole.len);
        if (*help)
            im_out_char(c->out, '\t');
        im_out_safe(c->out, (struct im_str){help, summary_len(help)}, false);
        im_out_char(c->out, '\n');
    }
    im_out_clear(&whole);
}

/* Commands. */

/* What follows the words in a command's name, "" when nothing does; NULL: another command. */
static const char *rest_of(const char *name, char **words, int count)
{
    for (int i = 0; i < count; i++) {
        size_t len = strlen(words[i]);
        if (len == 0 || strncmp(name, words[i], len) != 0 || (name[len] && name[len] != '.'))
            return NULL;
        name += len + (name[len] == '.');
    }
    return name;
}

static void offer_commands(struct completion *c, char **words, int count)
{
    const json_t *row;
    size_t i;
    json_array_foreach(c->table, i, row)
    {
        const char *rest = rest_of(text_of(row, "name"), words, count);
        size_t len = rest ? strcspn(rest, ".") : 0;
        if (len > 0)
            offer(c, (struct im_str){rest, len}, rest[len] ? "" : text_of(row, "help"));
    }
}

/* The command with the longest name that the words begin with. */
static const json_t *find_command(const struct completion *c, int *used)
{
    const json_t *row;
    size_t i;
    for (*used = c->count; *used > 0; --*used) {
        json_array_foreach(c->table, i, row)
        {
            const char *rest = rest_of(text_of(row, "name"), c->words, *used);
            if (rest && !*rest)
                return row;
        }
    }
    return NULL;
}

/* Values. */

static void offer_choices(struct completion *c, const char *choices)
{
    while (*choices) {
        size_t len = strcspn(choices, "|");
        offer(c, (struct im_str){choices, len}, "");
        choices += len + (choices[len] == '|');
    }
}

static void offer_column(struct completion *c, const json_t *list, const char *column, const char *meaning)
{
    const json_t *row;
    size_t i;
    json_array_foreach(list, i, row)
    {
        char number[32];
        const json_t *value = json_object_get(row, column);
        if (json_is_integer(value)) {
            snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
            offer(c, im_str(number), text_of(row, meaning));
        } else if (json_is_string(value)) {
            offer(c, (struct im_str){json_string_value(value), json_string_length(value)}, text_of(row, meaning));
        }
    }
}

/* As many rows as one answer may have, if that can be said. */
static json_t *list_params(const struct completion *c, const char *method)
{
    const json_t *row, *arg;
    size_t i, k;
    json_array_foreach(c->table, i, row)
    {
        json_array_foreach(json_object_get(row, "args"), k, arg)
        {
            if (strcmp(text_of(row, "name"), method) == 0 && strcmp(text_of(arg, "name"), "limit") == 0)
                return json_pack("{s:i}", "limit", ROWS_MAX);
        }
    }
    return json_object();
}

/* One "METHOD KEY COLUMN", perhaps with a column that tells what is meant. */
static void offer_source(struct completion *c, struct im_str source)
{
    char text[4 * METHOD_MAX], method[METHOD_MAX], key[METHOD_MAX], column[METHOD_MAX], meaning[METHOD_MAX] = "";
    snprintf(text, sizeof text, "%.*s", (int)source.len, source.p);
    if (sscanf(text, "%63s %63s %63s %63s", method, key, column, meaning) < 3)
        return;
    json_t *result = c->ask(c->arg, method, list_params(c, method));
    offer_column(c, json_object_get(result, key), column, meaning);
    json_decref(result);
}

static void offer_values(struct completion *c, const json_t *arg)
{
    const char *from = text_of(arg, "from");
    offer_choices(c, text_of(arg, "choices"));
    while (*from) {
        size_t len = strcspn(from, "|");
        offer_source(c, (struct im_str){from, len});
        from += len + (from[len] == '|');
    }
}

/* Arguments. */

static const json_t *named(const json_t *args, struct im_str word)
{
    const json_t *arg;
    size_t i;
    const char *equals = memchr(word.p, '=', word.len);
    json_array_foreach(args, i, arg)
    {
        if (equals && im_str_eq(im_str(text_of(arg, "name")), (struct im_str){word.p, (size_t)(equals - word.p)}))
            return arg;
    }
    return NULL;
}

/* A secret that is required is asked for without being named. */
static bool is_asked_for(const json_t *arg)
{
    return strcmp(text_of(arg, "type"), "secret") == 0 && json_is_true(json_object_get(arg, "required"));
}

static void offer_names(struct completion *c, const json_t *args, size_t from)
{
    const json_t *arg;
    size_t i;
    json_array_foreach(args, i, arg)
    {
        char name[METHOD_MAX];
        bool given = i < from || is_asked_for(arg);
        for (int k = 0; k < c->count && !given; k++)
            given = named(args, im_str(c->words[k])) == arg;
        snprintf(name, sizeof name, "%.60s=", text_of(arg, "name"));
        if (!given)
            offer(c, im_str(name), text_of(arg, "help"));
    }
}

static void offer_arguments(struct completion *c, const json_t *command, int used)
{
    const json_t *args = json_object_get(command, "args"), *arg = named(args, c->typed);
    size_t position = 0;
    if (arg) {
        size_t len = strlen(text_of(arg, "name")) + 1;
        c->before = (struct im_str){c->typed.p, len};
        c->typed = (struct im_str){c->typed.p + len, c->typed.len - len};
        offer_values(c, arg);
        return;
    }
    for (int i = used; i < c->count; i++)
        position += !named(args, im_str(c->words[i]));
    arg = json_array_get(args, position);
    if (arg && strcmp(text_of(arg, "type"), "secret") != 0)
        offer_values(c, arg);
    offer_names(c, args, position);
}

void complete_words(const json_t *table, char **words, int count,
                    json_t *(*ask)(void *arg, const char *method, json_t *params), void *arg, struct im_out *out)
{
    struct completion c = {.table = table, .words = words, .count = count - 1, .ask = ask, .arg = arg, .out = out};
    int used;
    c.typed = im_str(words[count - 1]);
    offer_commands(&c, words, c.count);
    const json_t *command = find_command(&c, &used);
    if (command && strcmp(text_of(command, "name"), "help") == 0)
        offer_commands(&c, words + used, c.count - used);
    else if (command)
        offer_arguments(&c, command, used);
}
