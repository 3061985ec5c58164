#include "tools/imctl/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/imctl/command.h"
#include "tools/imctl/own.h"
#include "tools/imctl/screen.h"
#include "tools/safe_json.h"

int run_print(const struct im_out *out)
{
    if (fwrite(im_out_data(out), 1, out->len, stdout) == out->len && fflush(stdout) == 0)
        return EX_OK;
    complain("standard output: %s", strerror(errno));
    return EX_IOERR;
}

struct show_style run_style(const struct options *options)
{
    const char *kind = getenv("TERM");
    return (struct show_style){
        .live = isatty(STDOUT_FILENO) && kind && strcmp(kind, "dumb") != 0,
        .format = options->format,
        .bold = screen_may_style(),
        .width = isatty(STDOUT_FILENO) ? screen_size().columns : 0,
    };
}

/* What the server refused becomes an exit status by its reason's name. */
static int exit_status(const json_t *data)
{
    static const struct {
        const char *name;
        int status;
    } names[] = {
        {"unknown_command", EX_USAGE},   {"bad_params", EX_USAGE},      {"bad_field", EX_USAGE},
        {"bad_command", EX_USAGE},       {"forbidden", EX_NOPERM},      {"config", EX_CONFIG},
        {"no_such_user", EX_NOUSER},     {"user_exists", EX_DATAERR},   {"not_found", EX_DATAERR},
        {"conflict", EX_DATAERR},        {"no_such_group", EX_DATAERR}, {"weak_password", EX_DATAERR},
        {"no_such_session", EX_DATAERR}, {"bad_id", EX_DATAERR},
    };
    const char *name = json_string_value(json_object_get(data, "name"));
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].status;
    return json_is_true(json_object_get(data, "retry")) ? EX_TEMPFAIL : EX_SOFTWARE;
}

static int show_error(json_t *response, enum show_format format)
{
    const json_t *error = json_object_get(response, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    int status = exit_status(json_object_get(error, "data"));
    complain("%s", message ? message : "the server refuses without a reason");
    if (format == SHOW_JSON) {
        struct im_out out = {0};
        json_t *object = json_pack("{s:O}", "error", error);
        im_json_put(&out, object);
        im_out_char(&out, '\n');
        run_print(&out);
        json_decref(object);
        im_out_clear(&out);
    }
    return status;
}

/* Where the answer itself has no place for it, it is mentioned beside it that a list was cut, and the like. */
static void mention_rest(const json_t *result, const char *show, enum show_format format)
{
    char key[64];
    const json_t *problem;
    size_t i;
    json_int_t total = json_integer_value(json_object_get(result, "total"));
    json_int_t dropped = json_integer_value(json_object_get(result, "dropped"));
    if (format != SHOW_CSV && format != SHOW_PLAIN)
        return;
    size_t shown = sscanf(show, "table %63s", key) == 1 ? json_array_size(json_object_get(result, key)) : SIZE_MAX;
    if (shown != SIZE_MAX && total > (json_int_t)shown)
        complain("note: %zu of %" JSON_INTEGER_FORMAT " %s; more with limit=NUMBER", shown, total, key);
    const char *next = json_string_value(json_object_get(result, "next"));
    if (shown != SIZE_MAX && next)
        complain("note: more with after=%s", next);
    if (strncmp(show, "line ", 5) == 0 && dropped > 0)
        complain("note: %" JSON_INTEGER_FORMAT " were left out", dropped);
    json_array_foreach(json_object_get(result, "problems"), i, problem)
    {
        complain("note: %s", json_string_value(problem));
    }
}

/* What a command prints, in one piece or in many. */
struct printing {
    const char *show;
    struct show_style style;
    struct client *client;
};

static void print_item(void *arg, json_t *item)
{
    struct printing *printing = arg;
    struct im_out out = {0};
    show_item(item, printing->show, &printing->style, &out);
    int status = run_print(&out);
    im_out_clear(&out);
    printing->style.goes_on = true;
    printing->client->midline =
        printing->style.live && printing->style.format == SHOW_PEOPLE && strncmp(printing->show, "progress ", 9) == 0;
    if (status != EX_OK) /* nobody reads what else may come */
        exit(status);
}

/* Some commands tell by their result how the program shall end. */
static int print_response(json_t *response, struct printing *printing)
{
    const json_t *result = json_object_get(response, "result");
    struct im_out out = {0};
    if (!result && printing->client->midline)
        puts("");
    printing->client->midline = false;
    if (!result)
        return show_error(response, printing->style.format);
    show_result(result, printing->show, &printing->style, &out);
    int status = run_print(&out);
    mention_rest(result, printing->show, printing->style.format);
    im_out_clear(&out);
    return status == EX_OK ? (int)json_integer_value(json_object_get(result, "exit")) : status;
}

static int call(struct client *client, const json_t *command, json_t *params, struct printing *printing,
                json_t **response)
{
    const char *name = json_string_value(json_object_get(command, "name"));
    if (json_is_true(json_object_get(command, "patient")))
        return client_stream(client, name, params, print_item, printing, response);
    return client_call(client, name, params, response);
}

/* Where the answer comes in pages, it is asked for the next until there is none. */
static bool next_page(const json_t *response, const char *show, json_t *params)
{
    json_t *next = json_object_get(json_object_get(response, "result"), "next");
    if (!next || strncmp(show, "ndjson ", 7) != 0)
        return false;
    return json_object_set(params, "after", next) == 0;
}

/* Asks, and prints what comes while it is being answered, and the answer. Takes params. */
static int call_and_print(struct client *client, const struct options *options, const json_t *command, json_t *params)
{
    const char *show = json_string_value(json_object_get(command, "show"));
    struct printing printing = {show ? show : "fields", run_style(options), client};
    int status;
    bool more = false;
    printing.style.none = json_string_value(json_object_get(command, "none"));
    do {
        json_t *response = NULL;
        status = call(client, command, json_incref(params), &printing, &response);
        if (status == EX_OK)
            status = print_response(response, &printing);
        more = status == EX_OK && next_page(response, printing.show, params);
        printing.style.goes_on = true;
        json_decref(response);
    } while (more);
    json_decref(params);
    return status;
}

/* Shows what would be done, beside what the command itself prints. */
static int show_plan(struct client *client, const json_t *command, const json_t *params)
{
    const char *show = json_string_value(json_object_get(command, "show"));
    json_t *dry = json_copy((json_t *)(uintptr_t)params), *response = NULL;
    struct im_out out = {0};
    json_object_set_new(dry, "dry", json_string("yes"));
    int status = call(client, command, dry, NULL, &response);
    const json_t *result = json_object_get(response, "result");
    if (status == EX_OK && !result)
        status = show_error(response, SHOW_PEOPLE);
    if (result) {
        show_result(result, show ? show : "fields", &(struct show_style){0}, &out);
        fwrite(im_out_data(&out), 1, out.len, stderr);
    }
    im_out_clear(&out);
    json_decref(response);
    return status;
}

static int confirm(struct client *client, const json_t *command, const json_t *params)
{
    if (!isatty(STDIN_FILENO))
        return command_misused(command,
                               "asks first, and there is nobody to ask: say -y, or -n to see what it would do");
    int status = show_plan(client, command, params), answer;
    if (status != EX_OK)
        return status;
    fprintf(stderr, "%s [y/N] ", json_string_value(json_object_get(command, "asks")));
    answer = getchar();
    if (answer == 'y' || answer == 'Y')
        return EX_OK;
    complain("nothing was done.");
    return EX_TEMPFAIL;
}

static int fetch_table(struct client *client, const struct options *options, json_t **table)
{
    json_t *response = NULL;
    int status = client_call(client, "commands", json_object(), &response);
    if (status != EX_OK)
        return status;
    const json_t *result = json_object_get(response, "result");
    const char *version = json_string_value(json_object_get(result, "version"));
    *table = json_incref(json_object_get(result, "commands"));
    if (!result)
        status = show_error(response, options->format);
    else if (!version || strcmp(version, PACKAGE_VERSION) != 0)
        complain("note: this is imctl %s, and the server is imd %s.", PACKAGE_VERSION, version ? version : "unknown");
    json_decref(response);
    return status;
}

int run_open(struct client *client, const struct options *options, json_t **table)
{
    int status = client_connect(client, options->socket);
    *table = NULL;
    return status == EX_OK ? fetch_table(client, options, table) : status;
}

json_t *run_ask(struct client *client, const char *method, json_t *params, int *status)
{
    json_t *response = NULL;
    *status = client_call(client, method, params, &response);
    json_t *result = json_incref(json_object_get(response, "result"));
    if (*status == EX_OK && !result)
        *status = client->quiet ? exit_status(json_object_get(json_object_get(response, "error"), "data"))
                                : show_error(response, SHOW_PEOPLE);
    json_decref(response);
    return result;
}

int run_words(struct client *client, const struct options *options, const json_t *table, char **words, int count)
{
    json_t *params = NULL;
    const json_t *command = NULL;
    bool yes;
    int status = command_match(table, words, count, &command, &params, &yes);
    if (status != EX_OK)
        return status;
    if (options->yes)
        status = command_answer(command, "-y", params, &yes);
    if (status == EX_OK && options->dry)
        status = command_answer(command, "-n", params, &yes);
    if (status == EX_OK && json_object_get(command, "asks") && !yes && !json_object_get(params, "dry"))
        status = confirm(client, command, params);
    if (status == EX_OK && command_is_own(command))
        status = own_run(json_string_value(json_object_get(command, "name")), client, options, params);
    else if (status == EX_OK)
        status = call_and_print(client, options, command, json_incref(params));
    json_decref(params);
    return status;
}

/* What is wrong, where monitoring systems look for it: on standard output, and as they call it. */

static int hold_complaints(void)
{
    int kept = memfd_create("complaints", MFD_CLOEXEC), old = dup(STDERR_FILENO);
    fflush(stderr);
    if (kept >= 0 && old >= 0)
        dup2(kept, STDERR_FILENO);
    close(kept);
    return old;
}

static int tell_complaints(int old, int status)
{
    char text[1000];
    fflush(stderr);
    ssize_t n = pread(STDERR_FILENO, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    dup2(old, STDERR_FILENO);
    close(old);
    if (status <= 2) {
        fputs(text, stderr);
        return status;
    }
    printf("UNKNOWN - %s", strncmp(text, "imctl: ", 7) == 0 ? text + 7 : text);
    return 3;
}

static int run_any(const struct options *options, char **words, int count)
{
    struct client client = {.path = options->socket, .fd = -1};
    json_t *table = NULL;
    int status = EX_OK;
    if (own_needs_no_server(words[0]))
        table = own_table();
    else
        status = run_open(&client, options, &table);
    if (status == EX_OK)
        status = run_words(&client, options, table, words, count);
    json_decref(table);
    client_close(&client);
    return status;
}

int run_command(const struct options *options, char **words, int count)
{
    if (strcmp(words[0], "check") != 0)
        return run_any(options, words, count);
    int old = hold_complaints();
    return tell_complaints(old, run_any(options, words, count));
}
