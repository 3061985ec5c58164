#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/mem.h"
#include "tools/imd/config_file.h"
#include "tools/imd/daemon.h"
#include "transports/tls.h"

#define DEFAULT_CONFIG IM_SYSCONFDIR "/imd/imd.yaml"

enum action { RUN, TEST, SHOW, PRINT_DEFAULT, PRINT_VERSION, PRINT_HELP };

struct options {
    enum action action;
    const char *path; /* NULL: not given */
};

static const char usage[] =
    "Usage: imd [-c FILE]              run the server, in the foreground\n"
    "       imd -t [-c FILE]           test the configuration\n"
    "       imd -T [-c FILE]           show it as it would take effect, defaults included\n"
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
        {"show", no_argument, NULL, 'T'},
        {"print-default-config", no_argument, NULL, 'p'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    static const char letters[] = "tTpVh";
    static const enum action actions[] = {TEST, SHOW, PRINT_DEFAULT, PRINT_VERSION, PRINT_HELP};
    int c;
    while ((c = getopt_long(argc, argv, "c:tTVh", longs, NULL)) != -1) {
        const char *letter = strchr(letters, c);
        if (c == 'c')
            options->path = optarg;
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

/* The configuration file's path, so that it is found again from another directory; NULL: there is none. */
static char *find_config(const struct options *options)
{
    const char *path = options->path ? options->path : DEFAULT_CONFIG;
    if (!options->path && access(path, F_OK) != 0)
        return NULL;
    char *here = *path == '/' ? NULL : getcwd(NULL, 0), *absolute = NULL;
    if (!here)
        return im_strndup(path, strlen(path));
    if (asprintf(&absolute, "%s/%s", here, path) < 0)
        absolute = NULL;
    free(here);
    return absolute;
}

static struct im_config *load(const char *path)
{
    struct im_out errors = {0};
    struct im_config *config;
    if (path) {
        config = im_config_load(path, &errors);
    } else {
        config = im_config_new();
        im_config_default_listeners(config);
    }
    fwrite(im_out_data(&errors), 1, errors.len, stderr);
    im_out_clear(&errors);
    return config;
}

/* What only the files named in the configuration can tell. */
static int test_files(const struct im_config *config, const char *name)
{
    struct im_error error;
    if (chdir(config->data_dir) != 0)
        return EX_OK; /* made at the start */
    for (size_t i = 0; i < config->listen_count; i++) {
        struct im_tls *tls = NULL;
        const struct im_listen_config *listen = &config->listen[i];
        if (listen->tls_cert && im_tls_new(&tls, listen->tls_cert, listen->tls_key, &error) != IM_OK) {
            fprintf(stderr, "%s: listen[%zu].tls: %s\n", name, i, error.detail);
            return EX_CONFIG;
        }
        im_tls_free(&tls);
    }
    return EX_OK;
}

static int test(const struct im_config *config, const char *path)
{
    const char *name = path ? path : "built-in defaults";
    int status = test_files(config, name);
    if (status == EX_OK)
        printf("%s: the configuration is good\n", name);
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

static int with_config(const struct options *options)
{
    char *path = find_config(options);
    int status = EX_CONFIG;
    /* Errors name the file as it was given; the running server's log names it in full. */
    struct im_config *config = load(path && options->action != RUN && options->path ? options->path : path);
    if (config && options->action == RUN)
        status = imd_run(config, path);
    else if (config)
        status = options->action == TEST ? test(config, path) : show(config);
    if (options->action != RUN)
        im_config_free(&config);
    free(path);
    return status;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    signal(SIGPIPE, SIG_IGN);
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
        return with_config(&options);
    }
}
