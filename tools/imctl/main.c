#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/bytes.h"
#include "tools/imctl/client.h"
#include "tools/imctl/command.h"
#include "tools/imctl/complete.h"
#include "tools/imctl/show.h"
#include "tools/safe_json.h"

#define DEFAULT_SOCKET IM_RUNSTATEDIR "/imd/admin.sock"

struct options {
    const char *socket;
    bool json, help, version, complete;
};

static const char usage[] = "Usage: imctl [-s SOCKET] [--json] COMMAND [ARGUMENT…]\n"
                            "       imctl --version | --help\n"
                            "\n"
                            "Manages the imd that listens at SOCKET, its admin.address. Without -s: IMCTL_SOCKET from\n"
                            "the environment, or " DEFAULT_SOCKET ".\n"
                            "--json prints the answer as it is, one JSON value on one line.\n"
                            "Exit statuses are those of sysexits.h.\n";

static bool parse_options(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {
        {"socket", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},         {"version", no_argument, NULL, 'V'},
        {"complete", no_argument, NULL, 'c'},     {0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "+s:jhV", longs, NULL)) != -1) {
        switch (c) {
        case 's':
            options->socket = optarg;
            break;
        case 'j':
            options->json = true;
            break;
        case 'h':
            options->help = true;
            break;
        case 'V':
            options->version = true;
            break;
        case 'c':
            options->complete = true;
            break;
        default:
            return false;
        }
    }
    return true;
}

static int print(const struct im_out *out)
{
    if (fwrite(im_out_data(out), 1, out->len, stdout) == out->len && fflush(stdout) == 0)
        return EX_OK;
    complain("standard output: %s", strerror(errno));
    return EX_IOERR;
}

static bool bold_output(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
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

static int show_error(json_t *response, bool json)
{
    const json_t *error = json_object_get(response, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    int status = exit_status(json_object_get(error, "data"));
    complain("%s", message ? message : "the server refuses without a reason");
    if (json) {
        struct im_out out = {0};
        json_t *object = json_pack("{s:O}", "error", error);
        im_json_put(&out, object);
        im_out_char(&out, '\n');
        print(&out);
        json_decref(object);
        im_out_clear(&out);
    }
    return status;
}

static int print_result(const json_t *result, const char *show, bool json)
{
    struct im_out out = {0};
    if (json && strncmp(show, "ndjson ", 7) != 0) {
        im_json_put(&out, result);
        im_out_char(&out, '\n');
    } else {
        show_result(result, show, bold_output(), &out);
    }
    int status = print(&out);
    im_out_clear(&out);
    return status;
}

/* Some commands tell by their result how the program shall end. */
static int show_response(json_t *response, const json_t *command, bool json)
{
    const json_t *result = json_object_get(response, "result");
    const char *show = json_string_value(json_object_get(command, "show"));
    if (!result)
        return show_error(response, json);
    int status = print_result(result, show ? show : "fields", json);
    return status == EX_OK ? (int)json_integer_value(json_object_get(result, "exit")) : status;
}

/* The server's table of commands; the caller's reference. */
static int fetch_table(struct client *client, bool json, json_t **table)
{
    json_t *response = NULL;
    int status = client_call(client, "commands", json_object(), &response);
    if (status != EX_OK)
        return status;
    const json_t *result = json_object_get(response, "result");
    const char *version = json_string_value(json_object_get(result, "version"));
    *table = json_incref(json_object_get(result, "commands"));
    if (!result)
        status = show_error(response, json);
    else if (!version || strcmp(version, PACKAGE_VERSION) != 0)
        complain("note: this is imctl %s, and the server is imd %s.", PACKAGE_VERSION, version ? version : "unknown");
    json_decref(response);
    return status;
}

/* Calls it once, or, where the answer comes in pages, until there is no further one. Takes params. */
static int call_and_show(struct client *client, const json_t *command, json_t *params, bool json)
{
    json_t *response = NULL, *next;
    int status;
    do {
        status =
            client_call(client, json_string_value(json_object_get(command, "name")), json_incref(params), &response);
        if (status == EX_OK)
            status = show_response(response, command, json);
        next = json_incref(json_object_get(json_object_get(response, "result"), "next"));
        json_decref(response);
        response = NULL;
        if (next && status == EX_OK)
            json_object_set(params, "after", next);
        json_decref(next);
    } while (next && status == EX_OK &&
             strncmp(json_string_value(json_object_get(command, "show")), "ndjson ", 7) == 0);
    json_decref(params);
    return status;
}

/* Shows what would be done, and asks whether it shall be. */
static int confirm(struct client *client, const json_t *command, const json_t *params)
{
    const char *name = json_string_value(json_object_get(command, "name"));
    if (!isatty(STDIN_FILENO)) {
        complain("%s cannot be undone, and there is nobody to ask: say -y, or -n to see what it would do.", name);
        return EX_USAGE;
    }
    json_t *dry = json_copy((json_t *)(uintptr_t)params);
    json_object_set_new(dry, "dry", json_string("yes"));
    int status = call_and_show(client, command, dry, false), answer;
    if (status != EX_OK)
        return status;
    fprintf(stderr, "%s [y/N] ", json_string_value(json_object_get(command, "asks")));
    answer = getchar();
    if (answer == 'y' || answer == 'Y')
        return EX_OK;
    complain("nothing was done.");
    return EX_TEMPFAIL;
}

static int run(struct client *client, const struct options *options, char **words, int count)
{
    json_t *table = NULL, *params = NULL;
    const json_t *command = NULL;
    bool yes = false;
    int status = fetch_table(client, options->json, &table);
    if (status == EX_OK)
        status = command_match(table, words, count, &command, &params, &yes);
    if (status == EX_OK && json_object_get(command, "asks") && !yes && !json_object_get(params, "dry"))
        status = confirm(client, command, params);
    if (status == EX_OK && json_is_true(json_object_get(command, "patient")))
        client_wait(client);
    if (status == EX_OK)
        status = call_and_show(client, command, json_incref(params), options->json);
    json_decref(params);
    json_decref(table);
    return status;
}

/* Completion, for shells: --complete WORD…, the words after "imctl" up to the cursor. It says nothing of what fails. */

static json_t *ask_for_list(void *arg, const char *method, json_t *params)
{
    json_t *response = NULL;
    if (client_call(arg, method, params, &response) != EX_OK)
        return NULL;
    json_t *result = json_incref(json_object_get(response, "result"));
    json_decref(response);
    return result;
}

static void complete_options(const char *typed, struct im_out *out)
{
    static const char *const all[] = {"--help", "--json", "--socket", "--version"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strncmp(all[i], typed, strlen(typed)) == 0)
            im_out_printf(out, "%s\n", all[i]);
}

static int complete_command(const struct options *options, char **words, int count, struct im_out *out)
{
    json_t *table = NULL;
    struct client client;
    int status = client_connect(&client, options->socket);
    if (status == EX_OK)
        status = fetch_table(&client, false, &table);
    if (status == EX_OK)
        complete_words(table, words, count, ask_for_list, &client, out);
    json_decref(table);
    client_close(&client);
    return status;
}

/* words[0] stands for the program's name. */
static int complete(struct options *options, char **words, int count)
{
    struct im_out out = {0};
    int status = EX_OK;
    char *last = words[count - 1];
    if (!freopen("/dev/null", "w", stderr))
        return EX_OSERR;
    optind = 0;
    if (!parse_options(count - 1, words, options))
        return EX_USAGE;
    if (optind >= count - 1 && *last == '-')
        complete_options(last, &out);
    else
        status = complete_command(options, words + optind, count - optind, &out);
    if (status == EX_OK)
        status = print(&out);
    im_out_clear(&out);
    return status;
}

/* The commands are the server's: if it is there, they are told too. */
static int help(const struct options *options)
{
    char word[] = "help", *words[] = {word};
    struct options plain = *options;
    struct client client;
    fputs(usage, stdout);
    fputc('\n', stdout);
    plain.json = false;
    if (access(options->socket, W_OK) != 0 || client_connect(&client, options->socket) != EX_OK) {
        fputs("The commands are the server's own: when it runs, imctl help lists them.\n", stdout);
        return EX_OK;
    }
    fflush(stdout);
    run(&client, &plain, words, 1);
    client_close(&client);
    return EX_OK;
}

int main(int argc, char **argv)
{
    const char *socket = getenv("IMCTL_SOCKET");
    struct options options = {.socket = socket && *socket ? socket : DEFAULT_SOCKET};
    struct client client;
    signal(SIGPIPE, SIG_IGN);
    if (!parse_options(argc, argv, &options)) {
        fputs("Try: imctl --help\n", stderr);
        return EX_USAGE;
    }
    if (options.complete)
        return optind < argc ? complete(&options, argv + optind - 1, argc - optind + 1) : EX_USAGE;
    if (options.version) {
        printf("imctl %s\n", PACKAGE_VERSION);
        return EX_OK;
    }
    if (options.help)
        return help(&options);
    if (optind == argc) {
        fputs(usage, stderr);
        return EX_USAGE;
    }
    int status = client_connect(&client, options.socket);
    if (status == EX_OK)
        status = run(&client, &options, argv + optind, argc - optind);
    client_close(&client);
    return strcmp(argv[optind], "check") == 0 && status > 2 ? 3 : status; /* what monitoring calls unknown */
}
