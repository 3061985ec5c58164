#include "tools/imctl/command.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/bytes.h"
#include "core/config.h"
#include "core/suggest.h"
#include "tools/imctl/client.h"
#include "tools/imctl/options.h"
#include "tools/imctl/secret.h"

/* A command's name has so many words at most. */
#define WORDS_MAX 3

static const char *name_of(const json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "name"));
    return name ? name : "";
}

/* A command's name as it is typed, "history delete". */
static void put_name(struct im_out *out, const json_t *command)
{
    for (const char *p = name_of(command); *p; p++)
        im_out_char(out, *p == '.' ? ' ' : *p);
    im_out_char(out, '\0');
}

int command_misused(const json_t *command, const char *format, ...)
{
    struct im_out name = {0};
    char said[200];
    va_list args;
    va_start(args, format);
    vsnprintf(said, sizeof said, format, args);
    va_end(args);
    put_name(&name, command);
    complain("%s %s; see: imctl help %s", im_out_data(&name), said, im_out_data(&name));
    im_out_clear(&name);
    return EX_USAGE;
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

bool command_is_own(const json_t *command)
{
    const char *show = json_string_value(json_object_get(command, "show"));
    return show && strcmp(show, "imctl") == 0;
}

static bool is_required(const json_t *arg)
{
    return json_is_true(json_object_get(arg, "required"));
}

/* The server's folder is another. */
static json_t *whole_path(const char *path)
{
    char *here = *path == '/' ? NULL : getcwd(NULL, 0);
    json_t *whole = here ? json_sprintf("%s/%s", here, path) : json_string(path);
    free(here);
    return whole;
}

static int set_value(json_t *params, const json_t *arg, const char *value)
{
    const char *type = json_string_value(json_object_get(arg, "type"));
    uint64_t n;
    json_t *json;
    if (is_secret(arg) && !*value) {
        json_object_set_new(params, name_of(arg), json_null()); /* read_secrets() asks */
        return EX_OK;
    }
    if (is_secret(arg)) {
        complain("%s is asked for, or read from standard input: on a command line others could see it.", name_of(arg));
        return EX_USAGE;
    }
    if (type && strcmp(type, "file") == 0) {
        json = whole_path(value);
    } else if (!type || strcmp(type, "uint") != 0) {
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

/* One word after another, with what is known of them so far. */
struct reading {
    const json_t *command, *args;
    char **words;
    int count, at;
    size_t position;
    bool only_values; /* after "--" */
    json_t *params;
    bool yes;
};

/* "-i" stands for the argument whose name begins so, where imctl itself carries the command out; elsewhere a word may
 * begin with a dash. */
static const json_t *find_letter(const struct reading *r, const char *word)
{
    const json_t *arg;
    size_t i;
    if (!command_is_own(r->command) || word[0] != '-' || !word[1] || word[2])
        return NULL;
    json_array_foreach(r->args, i, arg)
    {
        if (*name_of(arg) == word[1])
            return arg;
    }
    return NULL;
}

/* An argument that can only mean yes needs no value after its letter or name. */
static bool is_flag(const json_t *arg)
{
    const char *choices = json_string_value(json_object_get(arg, "choices"));
    return choices && (strcmp(choices, "yes") == 0 || strcmp(choices, "no|yes") == 0);
}

/* "-i 5", "--interval 5", "-b". */
static int set_option(struct reading *r, const json_t *arg)
{
    if (is_flag(arg))
        return set_value(r->params, arg, "yes");
    if (r->at + 1 == r->count)
        return command_misused(r->command, "needs a value after %.80s", r->words[r->at]);
    return set_value(r->params, arg, r->words[++r->at]);
}

int command_answer(const json_t *command, const char *word, json_t *params, bool *yes)
{
    if (!find_arg(json_object_get(command, "args"), "dry", 3))
        return command_misused(command, "has no %.80s", word);
    if (word[1] == 'y')
        *yes = true;
    else
        json_object_set_new(params, "dry", json_string("yes"));
    return EX_OK;
}

static int set_positional(struct reading *r, const char *word)
{
    const json_t *arg = json_array_get(r->args, r->position++);
    if (arg)
        return set_value(r->params, arg, word);
    return command_misused(r->command, "takes no \"%.80s\"", word);
}

/* "-c", "--type", "--type=x": whoever means the word itself says "--" first. */
static bool looks_like_option(const char *word)
{
    size_t dashes = strspn(word, "-"), len = strspn(word + dashes, "abcdefghijklmnopqrstuvwxyz-_");
    if (dashes == 1)
        return len == 1 && !word[2];
    return dashes == 2 && len > 0 && (!word[2 + len] || word[2 + len] == '=');
}

static int read_word(struct reading *r)
{
    const char *word = r->words[r->at], *name = strncmp(word, "--", 2) == 0 ? word + 2 : word;
    const char *equals = strchr(name, '=');
    const json_t *arg;
    if (r->only_values)
        return set_positional(r, word);
    if (name > word && !*name) {
        r->only_values = true;
        return EX_OK;
    }
    if ((arg = find_letter(r, word)))
        return set_option(r, arg);
    if (strcmp(word, "-y") == 0 || strcmp(word, "-n") == 0)
        return command_answer(r->command, word, r->params, &r->yes);
    arg = equals || name > word ? find_arg(r->args, name, equals ? (size_t)(equals - name) : strlen(name)) : NULL;
    if (arg && equals)
        return set_value(r->params, arg, equals + 1);
    if (arg)
        return set_option(r, arg);
    if (options_has(word))
        return command_misused(r->command, "has no %.80s: before the command, imctl has it", word);
    if (looks_like_option(word))
        return command_misused(r->command, "has no %.80s (after -- a word is taken as it is)", word);
    return set_positional(r, word);
}

static int read_args(const json_t *command, char **words, int count, json_t *params, bool *yes)
{
    struct reading r = {
        .command = command, .args = json_object_get(command, "args"), .words = words, .count = count, .params = params};
    int status = EX_OK;
    for (; r.at < count && status == EX_OK; r.at++)
        status = read_word(&r);
    *yes = r.yes;
    return status;
}

/* Asks for what must not stand on a command line: what is required, and what was named with nothing after its '='. */
static int read_secrets(const json_t *command, json_t *params)
{
    const json_t *arg;
    size_t i;
    json_array_foreach(json_object_get(command, "args"), i, arg)
    {
        char secret[2048];
        if (!is_secret(arg) || !(is_required(arg) || json_object_get(params, name_of(arg))))
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
        if (is_required(arg) && !is_secret(arg) && !json_object_get(params, name_of(arg)))
            return command_misused(command, "needs %s", name_of(arg));
    }
    return EX_OK;
}

/* The server does it for its own. */
static int check_choices(const json_t *command, const json_t *params)
{
    const json_t *arg;
    size_t i;
    json_array_foreach(json_object_get(command, "args"), i, arg)
    {
        const char *choices = json_string_value(json_object_get(arg, "choices"));
        const json_t *value = json_object_get(params, name_of(arg));
        struct im_str text = {json_string_value(value), json_string_length(value)}, choice;
        bool known = !choices || !text.p;
        for (unsigned n = 0; !known && (choice = im_choice(choices, n)).p; n++)
            known = im_str_eq(choice, text);
        if (!known) {
            complain("%s must be one of %s, not \"%s\"", name_of(arg), choices, text.p);
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

/* The command with the longest name that the words begin with. */
static const json_t *find_longest(const json_t *table, char **words, int count, int *used)
{
    const json_t *command = NULL;
    for (*used = count < WORDS_MAX ? count : WORDS_MAX; *used > 0 && !command; *used -= !command)
        command = find(table, words, *used);
    return command;
}

bool command_takes_secrets(const json_t *table, char **words, int count)
{
    int used;
    const json_t *command = find_longest(table, words, count, &used), *arg;
    size_t i;
    json_array_foreach(json_object_get(command, "args"), i, arg)
    {
        if (is_secret(arg))
            return true;
    }
    return !command;
}

int command_match(const json_t *table, char **words, int count, const json_t **command, json_t **params, bool *yes)
{
    int used;
    *yes = false;
    *command = find_longest(table, words, count, &used);
    if (!*command)
        return unknown(table, words, count);
    *params = json_object();
    int status;
    if (strcmp(name_of(*command), "help") == 0)
        status = help_args(table, words + used, count - used, *params);
    else
        status = read_args(*command, words + used, count - used, *params, yes);
    if (status == EX_OK)
        status = check_required(*command, *params);
    if (status == EX_OK && command_is_own(*command))
        status = check_choices(*command, *params);
    if (status == EX_OK)
        status = read_secrets(*command, *params);
    if (status != EX_OK) {
        json_decref(*params);
        *params = NULL;
    }
    return status;
}
