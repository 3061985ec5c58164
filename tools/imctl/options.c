#include "tools/imctl/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SOCKET IM_RUNSTATEDIR "/imd/admin.sock"

const char options_usage[] =
    "Usage: imctl [-s SOCKET] [--json | --csv | --plain] [-n | -y] COMMAND [ARGUMENT…]\n"
    "       imctl [-s SOCKET]\n"
    "       imctl --version | --help\n"
    "\n"
    "Manages the imd that listens at SOCKET, its admin.address. Without -s: IMCTL_SOCKET from\n"
    "the environment, or " DEFAULT_SOCKET ".\n"
    "Without a command, on a terminal: a shell that takes commands.\n"
    "--json prints the answer as it is, one JSON value on one line; --csv prints records with\n"
    "a line of names before them; --plain prints them without, and with tabs between.\n"
    "-n only shows what a command would do that otherwise asks, and -y answers it; both may\n"
    "stand after the command too. Exit statuses are those of sysexits.h.\n";

static const struct option longs[] = {
    {"csv", no_argument, NULL, 'C'},          {"help", no_argument, NULL, 'h'},
    {"json", no_argument, NULL, 'j'},         {"plain", no_argument, NULL, 'P'},
    {"socket", required_argument, NULL, 's'}, {"version", no_argument, NULL, 'V'},
    {"yes", no_argument, NULL, 'y'},          {"dry", no_argument, NULL, 'n'},
    {"complete", no_argument, NULL, 'c'},     {0},
};

bool options_has(const char *word)
{
    for (const struct option *o = longs; o->name; o++)
        if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, o->name) == 0)
            return true;
    return false;
}

void options_init(struct options *options)
{
    const char *socket = getenv("IMCTL_SOCKET");
    *options = (struct options){.socket = socket && *socket ? socket : DEFAULT_SOCKET};
}

static bool take(struct options *options, int c)
{
    switch (c) {
    case 's':
        options->socket = optarg;
        return true;
    case 'j':
        options->format = SHOW_JSON;
        return true;
    case 'C':
        options->format = SHOW_CSV;
        return true;
    case 'P':
        options->format = SHOW_PLAIN;
        return true;
    case 'h':
        options->help = true;
        return true;
    case 'V':
        options->version = true;
        return true;
    case 'y':
        options->yes = true;
        return true;
    case 'n':
        options->dry = true;
        return true;
    case 'c':
        options->complete = true;
        return true;
    default:
        return false;
    }
}

bool options_parse(struct options *options, int argc, char **argv, int *used)
{
    int c;
    optind = 0;
    while ((c = getopt_long(argc, argv, "+s:jhVyn", longs, NULL)) != -1)
        if (!take(options, c))
            return false;
    *used = optind;
    return true;
}

void options_complete(const char *typed, struct im_out *out)
{
    for (const struct option *o = longs; o->val != 'c'; o++) {
        char name[32];
        snprintf(name, sizeof name, "--%s", o->name);
        if (strncmp(name, typed, strlen(typed)) == 0)
            im_out_printf(out, "%s\n", name);
    }
}
