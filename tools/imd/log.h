#ifndef IM_TOOLS_IMD_LOG_H
#define IM_TOOLS_IMD_LOG_H

#include "core/bytes.h"
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

/* From now on every line is also kept, as JSON, until it is taken; at most IM_LOG_TAP_BYTES of them, what is more is
 * counted. wake() tells that there is one: any thread, under the log's lock. NULL ends that. */
#define IM_LOG_TAP_BYTES (256 * 1024)
void im_log_file_tap(struct im_log_file *, void (*wake)(void *arg), void *arg);
/* Appends the lines that were kept, each with its LF; returns how many were not. */
uint64_t im_log_file_take(struct im_log_file *, struct im_out *);

/* Now, in milliseconds since 1970. */
int64_t im_log_wall_ms(void);

/* "2026-01-01T00:00:00.000Z" */
void im_log_put_time(struct im_out *, int64_t wall_ms);
/* One line with its LF, as it would be written; for the journal, the datagram: lines of NAME=value. */
void im_log_format(struct im_out *, enum im_log_format, int64_t wall_ms, enum im_log_level, const char *subsystem,
                   const char *event, const struct im_kv *fields);
const char *im_log_level_name(enum im_log_level);

#endif
