#ifndef IM_TOOLS_IMCTL_COMMAND_H
#define IM_TOOLS_IMCTL_COMMAND_H

#include <jansson.h>
#include <stdbool.h>

/* What was typed, held against the server's table of commands. */

/* Finds the command that the first words name and makes its parameters from the rest: in order, or as NAME=VALUE,
 * or --NAME VALUE. Returns EX_OK, a row of the table (borrowed), parameters (the caller's) and whether there was a -y;
 * or says what is wrong. */
int command_match(const json_t *table, char **words, int count, const json_t **command, json_t **params, bool *yes);

#endif
