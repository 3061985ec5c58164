#ifndef IM_TOOLS_SAFE_JSON_H
#define IM_TOOLS_SAFE_JSON_H

#include <jansson.h>

#include "core/bytes.h"

/* Appends value as compact JSON in which nothing can steer a terminal: control, bidi and such characters as \uNNNN. */
void im_json_put(struct im_out *, const json_t *value);
/* A string of any bytes, made valid and safe; a new reference. */
json_t *im_json_text(struct im_str);
json_t *im_json_number(uint64_t);                                      /* what JSON cannot say is as much as it can */
void im_json_set_text(json_t *object, const char *key, struct im_str); /* absent: null */
void im_json_set_number(json_t *object, const char *key, uint64_t);

#endif
