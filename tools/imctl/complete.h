#ifndef IM_TOOLS_IMCTL_COMPLETE_H
#define IM_TOOLS_IMCTL_COMPLETE_H

#include <jansson.h>

#include "core/bytes.h"

/* What the last of these words could become, by the server's table of commands; what there is (users, groups …) is
 * asked for by ask(), which takes params and returns the result of a method, the caller's reference, or NULL. One
 * candidate on a line, and after a TAB what it is; a candidate that ends in '=' wants its value. Nothing is quoted. */
void complete_words(const json_t *table, char **words, int count,
                    json_t *(*ask)(void *arg, const char *method, json_t *params), void *arg, struct im_out *);

#endif
