#ifndef IM_TOOLS_IMD_LOG_H
#define IM_TOOLS_IMD_LOG_H

#include "core/config.h"
#include "core/log.h"

/* The daemon's log: one line per call to a file or standard error, as text, logfmt or JSON, or one datagram to the
 * journal. Whatever stands in a field, a line is one line and cannot steer a terminal. Lines of one kind (subsystem and
 * event) beyond log.rate in a second are counted instead of written. */
struct im_log_file;

#define IM_LOG_VALUE_MAX 1024 /* bytes of one value that are shown */

/* As the configuration's log.* says. */
enum im_reason im_log_file_open(struct im_log_file **out, const struct im_config *, struct im_error *);
void im_log_file_close(struct im_log_file **);
struct im_log *im_log_file_log(struct im_log_file *);

/* Opens the same file again (it was rotated). On failure the old one stays. */
enum im_reason im_log_file_reopen(struct im_log_file *, struct im_error *);
/* Changes everything at once, or on failure nothing. */
enum im_reason im_log_file_configure(struct im_log_file *, const struct im_config *, struct im_error *);
/* The level of one part, or with part NULL of all that have none of their own. False: no such part. Until the next
 * configure. */
bool im_log_file_set_level(struct im_log_file *, const char *part, enum im_log_level);
/* part NULL: of those that have none of their own. A part without one has that. */
enum im_log_level im_log_file_level(struct im_log_file *, const char *part);
/* Where the log goes: a path, or NULL for standard error. */
const char *im_log_path(const struct im_config *);
/* About every second: writes how many lines were left out. */
void im_log_file_flush(struct im_log_file *);

/* Now, in milliseconds since 1970. */
int64_t im_log_wall_ms(void);

/* One line with its LF, as it would be written; for the journal, the datagram: lines of NAME=value. */
struct im_out;
void im_log_format(struct im_out *, enum im_log_format, int64_t wall_ms, enum im_log_level, const char *subsystem,
                   const char *event, const struct im_kv *fields);
const char *im_log_level_name(enum im_log_level);

#endif
