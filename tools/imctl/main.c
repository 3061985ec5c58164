#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/imctl/client.h"
#include "tools/imctl/complete.h"
#include "tools/imctl/options.h"
#include "tools/imctl/run.h"
#include "tools/imctl/shell.h"

/* Completion, for shells: --complete WORD…, the words after "imctl" up to the cursor. It says nothing of what fails. */

static json_t *ask_for_list(void *arg, const char *method, json_t *params)
{
    int status;
    return run_ask(arg, method, params, &status);
}

static int complete_command(const struct options *options, char **words, int count, struct im_out *out)
{
    json_t *table = NULL;
    struct client client = {0};
    int status = run_open(&client, options, &table);
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
    int status = EX_OK, used;
    char *last = words[count - 1];
    if (!freopen("/dev/null", "w", stderr))
        return EX_OSERR;
    if (!options_parse(options, count - 1, words, &used))
        return EX_USAGE;
    if (used >= count - 1 && *last == '-')
        options_complete(last, &out);
    else
        status = complete_command(options, words + used, count - used, &out);
    if (status == EX_OK)
        status = run_print(&out);
    im_out_clear(&out);
    return status;
}

/* The commands are the server's: if it is there, they are told too. */
static int help(const struct options *options)
{
    char word[] = "help", *words[] = {word};
    struct options plain = {.socket = options->socket};
    struct client client = {.quiet = true};
    fputs(options_usage, stdout);
    fputc('\n', stdout);
    bool there = access(options->socket, W_OK) == 0 && client_connect(&client, options->socket) == EX_OK;
    client_close(&client);
    if (!there) {
        fputs("The commands are the server's own: when it runs, imctl help lists them.\n", stdout);
        return EX_OK;
    }
    fflush(stdout);
    run_command(&plain, words, 1);
    return EX_OK;
}

static int without_a_command(const struct options *options)
{
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
        return shell_run(options);
    fputs(options_usage, stderr);
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    struct options options;
    int used;
    signal(SIGPIPE, SIG_IGN);
    options_init(&options);
    if (!options_parse(&options, argc, argv, &used)) {
        fputs("Try: imctl --help\n", stderr);
        return EX_USAGE;
    }
    if (options.complete)
        return used < argc ? complete(&options, argv + used - 1, argc - used + 1) : EX_USAGE;
    if (options.version) {
        printf("imctl %s\n", PACKAGE_VERSION);
        return EX_OK;
    }
    if (options.help)
        return help(&options);
    return used == argc ? without_a_command(&options) : run_command(&options, argv + used, argc - used);
}
