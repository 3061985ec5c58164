#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/mem.h"
#include "stores/stores.h"
#include "tools/imd/config_file.h"
#include "tools/imd/daemon.h"
#include "tools/imd/outside.h"

#define DEFAULT_CONFIG IM_SYSCONFDIR "/imd/imd.yaml"

enum action { RUN, REHEARSE, TEST, SHOW, RESTORE, PRINT_DEFAULT, PRINT_VERSION, PRINT_HELP };

struct options {
    enum action action;
    const char *path; /* NULL: not given */
    const char *backup;
};

static const char usage[] =
    "Usage: imd [-c FILE]              run the server, in the foreground\n"
    "       imd -t [-c FILE]           test the configuration, and name its files\n"
    "       imd -T [-c FILE]           show it as it would take effect, defaults included\n"
    "       imd --restore BACKUP [-c FILE]\n"
    "                                  put a backup in the place of the store, while no server runs\n"
    "       imd --rehearse [-c FILE]   start as if to take over, end at once, and tell what was found\n"
    "       imd --print-default-config\n"
    "       imd --version | --help\n"
    "\n"
    "Without -c: " DEFAULT_CONFIG ", or if that is not there, built-in defaults.\n"
    "TERM drains and stops, HUP reloads the configuration and certificates, USR1 opens the log again.\n"
    "Manage the running server with imctl. See imd(8), imd.yaml(5).\n";

static bool parse_options(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"test", no_argument, NULL, 't'},
        {"check", no_argument, NULL, 't'},
        {"show", no_argument, NULL, 'T'},
        {"restore", required_argument, NULL, 'r'},
        {"rehearse", no_argument, NULL, 'R'},
        {"print-default-config", no_argument, NULL, 'p'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    static const char letters[] = "tTpVhR";
    static const enum action actions[] = {TEST, SHOW, PRINT_DEFAULT, PRINT_VERSION, PRINT_HELP, REHEARSE};
    int c;
    while ((c = getopt_long(argc, argv, "c:tTVh", longs, NULL)) != -1) {
        const char *letter = strchr(letters, c);
        if (c == 'c')
            options->path = optarg;
        else if (c == 'r')
            options->action = RESTORE, options->backup = optarg;
        else if (letter && *letter)
            options->action = actions[letter - letters];
        else
            return false;
    }
    if (optind == argc)
        return true;
    fprintf(stderr, "imd: unexpected argument: %s\n", argv[optind]);
    return false;
}

/* What was printed, or why it could not be. */
static int print(const struct im_out *out)
{
    if (fwrite(im_out_data(out), 1, out->len, stdout) == out->len && fflush(stdout) == 0)
        return EX_OK;
    fprintf(stderr, "imd: standard output: %s\n", strerror(errno));
    return EX_IOERR;
}

/* So that it is found again from another directory. */
static char *make_absolute(const char *path)
{
    char *here = *path == '/' ? NULL : getcwd(NULL, 0), *absolute = NULL;
    if (!here)
        return im_strndup(path, strlen(path));
    if (asprintf(&absolute, "%s/%s", here, path) < 0)
        absolute = NULL;
    free(here);
    return absolute;
}

/* The configuration file's path; NULL: there is none. */
static char *find_config(const struct options *options)
{
    const char *path = options->path ? options->path : DEFAULT_CONFIG;
    return options->path || access(path, F_OK) == 0 ? make_absolute(path) : NULL;
}

/* As it was named, which may be a link that will lead to another version. Who runs a descriptor has told us before. */
static char *find_binary(const struct imd_handover *handover)
{
    const char *path = (const char *)(uintptr_t)getauxval(AT_EXECFN);
    if (handover && handover->binary)
        return im_strndup(handover->binary, strlen(handover->binary));
    return path && strncmp(path, "/dev/fd/", 8) != 0 ? make_absolute(path) : NULL;
}

/* NULL, and *status, when it will not do. To be shown it only needs to be read. */
static struct im_config *load(const char *path, enum action action, struct im_config_places **places, int *status)
{
    struct im_out errors = {0};
    struct im_config *config;
    enum im_reason r = IM_OK;
    *places = NULL;
    if (path) {
        config = im_config_load(path, places, &errors);
    } else {
        config = im_config_new();
        im_config_default_listeners(config);
    }
    if (!config)
        r = IM_CONFIG;
    else if (action != SHOW)
        r = imd_outside_check(config, *places, false, &errors);
    if (r != IM_OK)
        im_config_free(&config);
    *status = imd_exit_code(r);
    fwrite(im_out_data(&errors), 1, errors.len, stderr);
    im_out_clear(&errors);
    return config;
}

static int test(const char *path, const struct im_config_places *places)
{
    struct im_out out = {0};
    const char *file;
    im_out_safe(&out, im_str(path ? path : "built-in defaults"), false);
    im_out_str(&out, ": the configuration is good\n");
    for (size_t i = 1; (file = im_config_file(places, i)); i++) {
        im_out_str(&out, "  with ");
        im_out_safe(&out, im_str(file), false);
        im_out_char(&out, '\n');
    }
    int status = print(&out);
    im_out_clear(&out);
    return status;
}

static int show(const struct im_config *config)
{
    struct im_out out = {0};
    im_config_write(config, &out);
    int status = print(&out);
    im_out_clear(&out);
    return status;
}

static int print_default(void)
{
    struct im_out out = {0};
    im_config_write_default(&out);
    int status = print(&out);
    im_out_clear(&out);
    return status;
}

/* From here and not from data_dir, which is where the store's path begins. */
static int restore(const struct im_config *config, const char *backup)
{
    uint8_t seed[16];
    struct im_error error = {0};
    enum im_reason r = IM_OK;
    char *from = realpath(backup, NULL);
    if (config->store_kind != IM_STORE_SQLITE)
        r = im_fail(&error, IM_CONFIG, "store.kind is not sqlite: there is no store to put it into");
    else if (!from)
        r = im_fail(&error, IM_SYSTEM, "%.200s: %s", backup, strerror(errno));
    else if (chdir(config->data_dir) != 0)
        r = im_fail(&error, IM_SYSTEM, "data_dir %.200s: %s", config->data_dir, strerror(errno));
    else if (getrandom(seed, sizeof seed, 0) != sizeof seed)
        r = im_fail(&error, IM_SYSTEM, "no random numbers: %s", strerror(errno));
    else
        r = im_store_sqlite_restore(config->store_path, from, seed, &error);
    free(from);
    if (r != IM_OK)
        fprintf(stderr, "imd: nothing was changed: %s\n", error.detail);
    else
        printf("The store %s is now what %s was. What it was before is %s.replaced.\n", config->store_path, backup,
               config->store_path);
    return imd_exit_code(r);
}

/* Another program listens to what it says, and its log is not for this. */
static void say_little(struct im_config *config)
{
    free(config->log_file);
    config->log_file = NULL;
    config->log_format = IM_LOG_TEXT;
    config->log_level = IM_LOG_ERROR;
}

static bool is_trial(const struct imd_start *start)
{
    return start->rehearsal || (start->handover && start->handover->trial);
}

static int with_config(const struct options *options, const struct imd_start *start)
{
    enum action action = options->action;
    int status;
    struct im_config_places *places;
    /* Errors name the file as it was given; the running server names it in full. */
    struct im_config *config = load(options->path ? options->path : start->config_path, action, &places, &status);
    if (config && is_trial(start))
        say_little(config);
    if (config && (action == RUN || action == REHEARSE)) {
        status = imd_run(config, places, start);
    } else {
        if (config)
            status = action == TEST      ? test(start->config_path, places)
                     : action == RESTORE ? restore(config, options->backup)
                                         : show(config);
        im_config_free(&config);
        im_config_places_free(&places);
    }
    return status;
}

/* When this program fails before it is ready, the one that it was to replace goes on. */
static void go_back(const struct imd_start *start, int status)
{
    struct imd_handover *h = start->handover;
    char problem[80];
    if (!h || h->done || is_trial(start))
        return;
    snprintf(problem, sizeof problem, "it tried well, and then exited with %d", status);
    imd_handover_exec_back(h, start, problem);
}

static int with_start(const struct options *options)
{
    struct imd_start start = {.rehearsal = options->action == REHEARSE};
    start.handover = imd_handover_read();
    start.binary = find_binary(start.handover);
    start.config_path = find_config(options);
    start.dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int status = with_config(options, &start);
    if (status != EX_OK)
        go_back(&start, status);
    imd_handover_free(&start.handover);
    free(start.binary);
    free(start.config_path);
    if (start.dir >= 0)
        close(start.dir);
    return status;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    signal(SIGPIPE, SIG_IGN);
    imd_hold_signals();
    umask(umask(0) | 027);
    if (!parse_options(argc, argv, &options)) {
        fputs("Try: imd --help\n", stderr);
        return EX_USAGE;
    }
    switch (options.action) {
    case PRINT_HELP:
        fputs(usage, stdout);
        return EX_OK;
    case PRINT_VERSION:
        printf("imd %s (im.v1, libevent %s)\n", PACKAGE_VERSION, event_get_version());
        return EX_OK;
    case PRINT_DEFAULT:
        return print_default();
    default:
        return with_start(&options);
    }
}
