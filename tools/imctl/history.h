#ifndef IM_TOOLS_IMCTL_HISTORY_H
#define IM_TOOLS_IMCTL_HISTORY_H

/* What was typed into the shell, a line each, in a file that its user alone can read:
 * $XDG_STATE_HOME/imctl/history, or ~/.local/state/imctl/history. That it cannot be kept is no reason to complain. */

/* Malloc'd; NULL if there is no place for it. */
char *history_path(void);
/* Hands over the lines, oldest first, and cuts the file when it has grown long. path may be NULL, here and below. */
void history_load(const char *path, void (*each)(void *arg, const char *line), void *arg);
void history_append(const char *path, const char *line);

#endif
