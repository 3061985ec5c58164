#ifndef IM_TOOLS_IMCTL_EDITOR_H
#define IM_TOOLS_IMCTL_EDITOR_H

#include "core/bytes.h"

/* Lines typed at a terminal, edited by libedit if this program was built with it. */

struct editor;

/* What the last of words could become, as complete_words() writes it. */
typedef void editor_offer(void *arg, char **words, int count, struct im_out *);

struct editor *editor_open(const char *prompt, editor_offer *, void *arg);
void editor_close(struct editor *);
/* A line without its end, valid until the next; "" also after Ctrl-C; NULL: the end. */
const char *editor_read(struct editor *);
/* Keeps a line for the arrow keys. */
void editor_remember(struct editor *, const char *line);

#endif
