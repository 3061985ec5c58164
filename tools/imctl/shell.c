#include "tools/imctl/shell.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "core/mem.h"
#include "tools/imctl/command.h"
#include "tools/imctl/complete.h"
#include "tools/imctl/editor.h"
#include "tools/imctl/history.h"
#include "tools/imctl/own.h"
#include "tools/imctl/run.h"
#include "tools/imctl/split.h"

#define PATIENCE_S 2 /* with a server that is asked for completion */

struct shell {
    const struct options *options;
    struct editor *editor;
    char *history; /* path */
    struct termios terminal;
};

/* Completion asks on a connection of its own: a server that was started again is simply the one that answers. */

static json_t *ask(void *arg, const char *method, json_t *params)
{
    int status;
    return run_ask(arg, method, params, &status);
}

static void offer_word(const char *word, const char *help, const char *typed, struct im_out *out)
{
    if (strncmp(word, typed, strlen(typed)) == 0)
        im_out_printf(out, "%s\t%s\n", word, help);
}

static void offer(void *arg, char **words, int count, struct im_out *out)
{
    const struct shell *shell = arg;
    struct client client = {.quiet = true};
    int status, used = 0;
    if (client_connect(&client, shell->options->socket) == EX_OK) {
        client_patience(&client, PATIENCE_S);
        while (used < count - 1 && words[used][0] == '-' && words[used][1] == '-')
            used++;
        json_t *result = run_ask(&client, "commands", json_object(), &status);
        if (result)
            complete_words(json_object_get(result, "commands"), words + used, count - used, ask, &client, out);
        json_decref(result);
    }
    client_close(&client);
    if (count == 1 && words[0][0] == '-')
        options_complete(words[0], out);
    else if (count == 1)
        offer_word("exit", "End this shell", words[0], out);
}

/* A command runs in a process of its own, with a connection of its own: Ctrl-C ends it and not the shell, and it
 * reaches whatever server is there now. */

/* Whether the line may be kept is told through `keep`. */
static int run_line(const struct options *options, char **words, int count, int keep)
{
    struct client client = {.fd = -1};
    json_t *table = NULL;
    int status = EX_OK;
    if (own_needs_no_server(words[0]))
        table = own_table();
    else
        status = run_open(&client, options, &table);
    if (table && !command_takes_secrets(table, words, count) && write(keep, "k", 1) < 0)
        status = EX_OSERR;
    close(keep);
    if (status == EX_OK)
        status = run_words(&client, options, table, words, count);
    json_decref(table);
    client_close(&client);
    return status;
}

static void run_child(const struct options *options, char **words, int count, int keep)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    signal(SIGTSTP, SIG_DFL);
    int status = run_line(options, words, count, keep);
    fflush(NULL);
    _exit(status);
}

/* Ctrl-Z stops the command, which may have a screen to leave first, and only then this shell. */
static int wait_for(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status)) {
        raise(SIGSTOP);
        kill(child, SIGCONT);
    }
    return status;
}

/* Returns whether the line may be kept. */
static bool run_apart(const struct shell *shell, const struct options *options, char **words, int count)
{
    int ends[2], status = 0;
    char mark;
    if (pipe(ends) != 0) {
        perror("imctl: pipe");
        return false;
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        run_child(options, words, count, ends[1]);
    }
    close(ends[1]);
    if (child < 0)
        perror("imctl: fork");
    bool keep = child > 0 && read(ends[0], &mark, 1) == 1;
    close(ends[0]);
    if (child > 0)
        status = wait_for(child);
    if (WIFSIGNALED(status)) {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &shell->terminal);
        fputc('\n', stdout);
    }
    return keep;
}

static bool is_end(const struct split *split)
{
    return split->count == 1 && (strcmp(split->words[0], "exit") == 0 || strcmp(split->words[0], "quit") == 0);
}

/* Options may stand before a command here too. */
static bool run_options(const struct shell *shell, struct split *split)
{
    struct options options = *shell->options;
    char name[] = "imctl", **argv = im_zalloc(((size_t)split->count + 2) * sizeof *argv);
    int used;
    bool keep = false;
    argv[0] = name;
    memcpy(argv + 1, split->words, (size_t)split->count * sizeof *argv);
    if (!options_parse(&options, split->count + 1, argv, &used) || options.complete)
        complain("see: imctl --help");
    else if (options.version)
        printf("imctl %s\n", PACKAGE_VERSION);
    else if (options.help || used > split->count)
        fputs(options_usage, stdout);
    else
        keep = run_apart(shell, &options, argv + used, split->count + 1 - used);
    free(argv);
    return keep;
}

/* Returns false when it is enough. */
static bool take_line(const struct shell *shell, const char *line)
{
    struct split split;
    split_line(&split, im_str(line), false);
    bool end = is_end(&split), keep = false;
    if (split.open)
        complain("a quote is not closed");
    else if (split.count > 0 && !end)
        keep = run_options(shell, &split);
    if (split.count > 0)
        editor_remember(shell->editor, line);
    if (keep)
        history_append(shell->history, line);
    split_free(&split);
    return !end;
}

static void greet(const struct options *options)
{
    struct client client = {0};
    int status = client_connect(&client, options->socket);
    json_t *result = status == EX_OK ? run_ask(&client, "status", json_object(), &status) : NULL;
    const char *version = json_string_value(json_object_get(result, "version"));
    struct im_out out = {0};
    if (version) {
        im_out_printf(&out, "imd %s, up ", version);
        show_value(&out, "uptime_ms", json_object_get(result, "uptime_ms"));
        im_out_printf(&out, ", %" JSON_INTEGER_FORMAT " online. ",
                      json_integer_value(json_object_get(result, "users")));
    }
    im_out_str(&out, "Tab completes, help lists all, Ctrl-D ends.\n");
    run_print(&out);
    im_out_clear(&out);
    json_decref(result);
    client_close(&client);
}

static void remember(void *arg, const char *line)
{
    editor_remember(arg, line);
}

int shell_run(const struct options *options)
{
    struct shell shell = {.options = options, .history = history_path()};
    const char *line;
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGTSTP, SIG_IGN);
    tcgetattr(STDIN_FILENO, &shell.terminal);
    greet(options);
    shell.editor = editor_open("imctl> ", offer, &shell);
    history_load(shell.history, remember, shell.editor);
    while ((line = editor_read(shell.editor)) && take_line(&shell, line))
        ;
    if (!line)
        fputc('\n', stdout);
    editor_close(shell.editor);
    free(shell.history);
    return EX_OK;
}
