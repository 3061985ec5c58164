#ifndef IM_TOOLS_IMCTL_SHOW_H
#define IM_TOOLS_IMCTL_SHOW_H

#include <jansson.h>

#include "core/bytes.h"

/* Writes a result for people, in the way its command's `show` asks for ("text", "fields", "table KEY COLUMN…", "report
 * KEY COLUMN…"). What it does not know it shows as fields. Times (…_ms) and sizes (…bytes) become readable. */
void show_result(const json_t *result, const char *show, bool bold, struct im_out *);

/* Writes one item of a stream, by the same `show`: "line KEY…" is these values in a line, and then the others by name.
 */
void show_item(json_t *item, const char *show, struct im_out *);

#endif
