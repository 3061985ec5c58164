#ifndef IM_TOOLS_IMCTL_OPTIONS_H
#define IM_TOOLS_IMCTL_OPTIONS_H

#include <stdbool.h>

#include "tools/imctl/show.h"

struct options {
    const char *socket;
    enum show_format format;
    bool help, version, complete, yes, dry;
};

extern const char options_usage[];

/* From the environment and defaults. */
void options_init(struct options *);
/* Reads argv[1] and on; *used becomes the index of the first word that is not an option. Says what it does not know. */
bool options_parse(struct options *, int argc, char **argv, int *used);
bool options_has(const char *word); /* is "--word" one of them? */
/* The long options that begin with `typed`, one on a line. */
void options_complete(const char *typed, struct im_out *);

#endif
