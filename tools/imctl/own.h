#ifndef IM_TOOLS_IMCTL_OWN_H
#define IM_TOOLS_IMCTL_OWN_H

#include <jansson.h>

#include "tools/imctl/client.h"
#include "tools/imctl/options.h"

/* The commands that imctl carries out itself, by asking the server more than once. The server's table lists them, so
 * that help and completion know them. */

int own_run(const char *name, struct client *, const struct options *, const json_t *params);
bool own_needs_no_server(const char *name);
/* Their rows as a server would list them; a new reference. */
json_t *own_table(void);

/* Each takes params as its row says, and client connected unless it needs no server. */
int own_top(struct client *, const struct options *, const json_t *params);
int own_stat(struct client *, const struct options *, const json_t *params);
int own_upgrade(struct client *, const struct options *, const json_t *params);
int own_wait(struct client *, const struct options *, const json_t *params);
/* A number among params, or what it is without; zero becomes one. */
unsigned own_number(const json_t *params, const char *name, unsigned otherwise);

#endif
