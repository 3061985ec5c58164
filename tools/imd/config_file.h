#ifndef IM_TOOLS_IMD_CONFIG_FILE_H
#define IM_TOOLS_IMD_CONFIG_FILE_H

#include "core/bytes.h"
#include "core/config.h"

/* The configuration as YAML. Reading is strict: unknown and duplicate keys, wrong types, anchors, tags and a second
 * document are errors. */

#define IM_CONFIG_ERRORS_MAX 20 /* problems reported for one file */
#define IM_CONFIG_FILE_MAX   (1 << 20)

/* Parses text; `name` stands in the errors. Returns the caller's configuration, or NULL and in *errors one line for
 * each problem, "file:line:column: key: problem\n", safe for a terminal. */
struct im_config *im_config_parse(const char *name, struct im_str text, struct im_out *errors);
/* Which files there were, and where each key stood, so that what is found out later has its place too. */
struct im_config_places;
/* The same from a file and its drop-ins: what ends in .yaml in the directory PATH.d, in the order of the names' bytes.
 * A key of a later file takes the place of an earlier one's, a list as a whole. *places is the caller's too; NULL
 * exactly when the configuration is. */
struct im_config *im_config_load(const char *path, struct im_config_places **places, struct im_out *errors);
void im_config_places_free(struct im_config_places **);
/* The n-th file that was read; NULL when there are fewer. */
const char *im_config_file(const struct im_config_places *, size_t n);
/* One more line, for a key as "listen[0].tls.cert". places may be NULL: there was no file. */
void im_config_report(const struct im_config_places *, const char *key, const char *problem, struct im_out *errors);

/* The configuration as YAML that loads again. */
void im_config_write(const struct im_config *, struct im_out *);
/* The defaults, each with its help, as YAML that loads again. */
void im_config_write_default(struct im_out *);

#endif
