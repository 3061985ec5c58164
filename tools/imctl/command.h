#ifndef IM_TOOLS_IMCTL_COMMAND_H
#define IM_TOOLS_IMCTL_COMMAND_H

#include <jansson.h>
#include <stdbool.h>

/* What was typed, held against the server's table of commands. */

/* Finds the command that the first words name and makes its parameters from the rest: in order, or as NAME=VALUE,
 * or --NAME VALUE. Returns EX_OK, a row of the table (borrowed), parameters (the caller's) and whether there was a -y;
 * or says what is wrong. */
int command_match(const json_t *table, char **words, int count, const json_t **command, json_t **params, bool *yes);

/* Takes "-y" or "-n", which only commands that ask have. EX_OK, or says what is wrong. */
int command_answer(const json_t *command, const char *word, json_t *params, bool *yes);
/* Says what is wrong with how a command was called, "needs name", and where to read on. Returns EX_USAGE. */
int command_misused(const json_t *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Does the command that these words begin with take one, so that one may have slipped in among them? True also of what
 * is no command: nobody knows what it was to be. */
bool command_takes_secrets(const json_t *table, char **words, int count);

/* Does imctl carry the command of this row out itself? */
bool command_is_own(const json_t *command);

#endif
