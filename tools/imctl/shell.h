#ifndef IM_TOOLS_IMCTL_SHELL_H
#define IM_TOOLS_IMCTL_SHELL_H

#include "tools/imctl/options.h"

/* Takes commands at a terminal until its user has had enough. An exit status of sysexits.h. */
int shell_run(const struct options *);

#endif
