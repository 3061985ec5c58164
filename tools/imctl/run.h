#ifndef IM_TOOLS_IMCTL_RUN_H
#define IM_TOOLS_IMCTL_RUN_H

#include <jansson.h>

#include "tools/imctl/client.h"
#include "tools/imctl/options.h"

/* From words to an answer on standard output. Functions return an exit status of sysexits.h; what went wrong has been
 * said by then. */

int run_command(const struct options *, char **words, int count);

/* The same in two steps: connects and fetches the server's table of commands, the caller's reference; then runs words
 * by it. client_close() is the caller's in any case. */
int run_open(struct client *, const struct options *, json_t **table);
int run_words(struct client *, const struct options *, const json_t *table, char **words, int count);

/* How results are to look: for a terminal, if standard output is one. */
struct show_style run_style(const struct options *);
int run_print(const struct im_out *);
/* The result of a method without an argument, or NULL; the caller's reference. */
json_t *run_ask(struct client *, const char *method, json_t *params, int *status);

#endif
