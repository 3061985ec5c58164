#include "tools/imctl/command.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "core/bytes.h"
#include "core/suggest.h"
#include "tools/imctl/client.h"
#include "tools/imctl/secret.h"

/* A command's name has so many words at most. */
#define WORDS_MAX 3

static const char *name_of(const json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "name"));
    return name ? name : "";
}

static void join(struct im_out *out, char **words, int count)
{
    for (int i = 0; i < count; i++) {
        if (i)
            im_out_char(out, '.');
        im_out_str(out, words[i]);
    }
}

static const json_t *find(const json_t *table, char **words, int count)
{
    struct im_out name = {0};
    const json_t *found = NULL, *row;
    size_t i;
    join(&name, words, count);
    json_array_foreach(table, i, row)
    {
        if (im_str_eq(im_str(name_of(row)), (struct im_str){im_out_data(&name), name.len}))
            found = row;
    }
    im_out_clear(&name);
    return found;
}

static bool begins_with_word(const char *name, const char *word)
{
    size_t len = strlen(word);
    return strncmp(name, word, len) == 0 && name[len] == '.';
}

/* What was meant, by the first word or the first two, or by the first word of a name; absent when nothing is close. */
static struct im_str suggest(const json_t *table, const char *word, struct im_str joined)
{
    const json_t *row;
    size_t i;
    struct im_suggest near = {.word = im_str(word)}, near_joined = {.word = joined};
    json_array_foreach(table, i, row)
    {
        im_suggest_offer(&near, im_str(name_of(row)));
        im_suggest_offer(&near_joined, im_str(name_of(row)));
    }
    struct im_str best = im_suggest_best(&near_joined);
    if (!best.p)
        best = im_suggest_best(&near);
    json_array_foreach(table, i, row)
    {
        if (!best.p && begins_with_word(name_of(row), word))
            best = im_str(name_of(row));
    }
    return best;
}

static int unknown(const json_t *table, char **words, int count)
{
    struct im_out joined = {0};
    char typed[80] = "";
    join(&joined, words, count > 2 ? 2 : count);
    struct im_str best = suggest(table, words[0], (struct im_str){im_out_data(&joined), joined.len});
    im_out_clear(&joined);
    for (size_t k = 0; k < best.len && k < sizeof typed - 1; k++)
        typed[k] = best.p[k] == '.' ? ' ' : best.p[k];
    if (best.p)
        complain("no command \"%s\"; did you mean \"%s\"? \"imctl help\" lists all.", words[0], typed);
    else
        complain("no command \"%s\"; \"imctl help\" lists all.", words[0]);
    return EX_USAGE;
}

static const json_t *find_arg(const json_t *args, const char *name, size_t len)
{
    const json_t *arg;
    size_t i;
    json_array_foreach(args, i, arg)
    {
        if (im_str_eq(im_str(name_of(arg)), (struct im_str){name, len}))
            return arg;
    }
    return NULL;
}

static bool is_secret(const json_t *arg)
{
    const char *type = json_string_value(json_object_get(arg, "type"));
    return type && strcmp(type, "secret") == 0;
}

static int set_value(json_t *params, const json_t *arg, const char *value)
{
    const char *type = json_string_value(json_object_get(arg, "type"));
    uint64_t n;
    json_t *json;
    if (is_secret(arg)) {
        complain("%s is asked for, or read from standard input: on a command line others could see it.", name_of(arg));
        return EX_USAGE;
    }
    if (!type || strcmp(type, "uint") != 0) {
        json = json_string(value);
    } else if (!im_str_u64(im_str(value), &n) || n > INT64_MAX) {
        complain("%s must be a whole number, not \"%s\".", name_of(arg), value);
        return EX_USAGE;
    } else {
        json = json_integer((json_int_t)n);
    }
    if (!json) {
        complain("%s must be UTF-8.", name_of(arg));
        return EX_USAGE;
    }
    json_object_set_new(params, name_of(arg), json);
    return EX_OK;
}

/* "--filter EXPR", and "--bodies" where that can only mean yes; NULL: the value is missing. */
static const char *option_value(const json_t *arg, char **words, int count, int *i)
{
    const char *choices = json_string_value(json_object_get(arg, "choices"));
    if (choices && strcmp(choices, "no|yes") == 0)
        return "yes";
    return *i + 1 < count ? words[++*i] : "";
}

static int read_args(const json_t *command, char **words, int count, json_t *params)
{
    const json_t *args = json_object_get(command, "args");
    size_t position = 0;
    int status = EX_OK;
    for (int i = 0; i < count && status == EX_OK; i++) {
        const char *name = words[i] + (strncmp(words[i], "--", 2) == 0 ? 2 : 0), *equals = strchr(name, '=');
        const json_t *arg = NULL;
        const char *value = words[i];
        if (equals || name > words[i])
            arg = find_arg(args, name, equals ? (size_t)(equals - name) : strlen(name));
        if (arg && equals)
            value = equals + 1;
        else if (arg)
            value = option_value(arg, words, count, &i);
        else
            arg = json_array_get(args, position++);
        if (!arg) {
            complain("%s takes no \"%s\"; see: imctl help %s", name_of(command), words[i], name_of(command));
            return EX_USAGE;
        }
        status = set_value(params, arg, value);
    }
    return status;
}

/* Asks for what must not stand on a command line. */
static int read_secrets(const json_t *command, json_t *params)
{
    const json_t *arg;
    size_t i;
    json_array_foreach(json_object_get(command, "args"), i, arg)
    {
        char secret[2048];
        if (!is_secret(arg))
            continue;
        int status = secret_read(name_of(arg), secret, sizeof secret);
        if (status == EX_OK)
            status = json_object_set_new(params, name_of(arg), json_string(secret)) == 0 ? EX_OK : EX_DATAERR;
        explicit_bzero(secret, sizeof secret);
        if (status != EX_OK)
            return status;
    }
    return EX_OK;
}

static int check_required(const json_t *command, const json_t *params)
{
    const json_t *arg;
    size_t i;
    json_array_foreach(json_object_get(command, "args"), i, arg)
    {
        if (json_is_true(json_object_get(arg, "required")) && !is_secret(arg) &&
            !json_object_get(params, name_of(arg))) {
            complain("%s needs %s; see: imctl help %s", name_of(command), name_of(arg), name_of(command));
            return EX_USAGE;
        }
    }
    return EX_OK;
}

/* "help log level" asks about one command. */
static int help_args(const json_t *table, char **words, int count, json_t *params)
{
    if (count > 0 && !find(table, words, count))
        return unknown(table, words, count);
    struct im_out name = {0};
    join(&name, words, count);
    if (count > 0)
        json_object_set_new(params, "command", json_stringn(im_out_data(&name), name.len));
    im_out_clear(&name);
    return EX_OK;
}

int command_match(const json_t *table, char **words, int count, const json_t **command, json_t **params)
{
    int used = count < WORDS_MAX ? count : WORDS_MAX;
    *command = NULL;
    for (; used > 0 && !*command; used -= !*command)
        *command = find(table, words, used);
    if (!*command)
        return unknown(table, words, count);
    *params = json_object();
    int status;
    if (strcmp(name_of(*command), "help") == 0)
        status = help_args(table, words + used, count - used, *params);
    else
        status = read_args(*command, words + used, count - used, *params);
    if (status == EX_OK)
        status = check_required(*command, *params);
    if (status == EX_OK)
        status = read_secrets(*command, *params);
    if (status != EX_OK) {
        json_decref(*params);
        *params = NULL;
    }
    return status;
}
