#ifndef IM_TOOLS_IMCTL_SECRET_H
#define IM_TOOLS_IMCTL_SECRET_H

#include <stddef.h>

/* Reads a secret: from a terminal without showing it, twice, so that a slip of the finger is noticed; otherwise the
 * first line of standard input. An exit status of sysexits.h; what is wrong has been said. */
int secret_read(const char *name, char *out, size_t size);

#endif
