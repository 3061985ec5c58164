#ifndef IM_TOOLS_IMD_LOG_H
#define IM_TOOLS_IMD_LOG_H

#include "core/config.h"
#include "core/log.h"

/* The daemon's log: one line per call to a file or standard error, as text, logfmt or JSON. Whatever stands in a field,
 * a line is one line and cannot steer a terminal. Lines of one kind (subsystem and event) beyond IM_LOG_RATE in a
 * second are counted instead of written. */
struct im_log_file;

#define IM_LOG_RATE      200
#define IM_LOG_VALUE_MAX 1024 /* bytes of one value that are shown */

/* path NULL: standard error. */
enum im_reason im_log_file_open(struct im_log_file **out, const char *path, enum im_log_format, enum im_log_level,
                                struct im_error *);
void im_log_file_close(struct im_log_file **);
struct im_log *im_log_file_log(struct im_log_file *);

/* Opens the same file again (it was rotated). On failure the old one stays. */
enum im_reason im_log_file_reopen(struct im_log_file *, struct im_error *);
/* Changes everything at once, or on failure nothing. */
enum im_reason im_log_file_configure(struct im_log_file *, const char *path, enum im_log_format, enum im_log_level,
                                     struct im_error *);
/* About every second: writes how many lines were left out. */
void im_log_file_flush(struct im_log_file *);

/* Now, in milliseconds since 1970. */
int64_t im_log_wall_ms(void);

/* One line with its LF, as it would be written. */
struct im_out;
void im_log_format(struct im_out *, enum im_log_format, int64_t wall_ms, enum im_log_level, const char *subsystem,
                   const char *event, const struct im_kv *fields);
const char *im_log_level_name(enum im_log_level);

#endif
