#ifndef IM_CORE_CONFIG_H
#define IM_CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/reason.h"
#include "core/str.h"

/* The configuration, all of it, from one table: core/tbl/config.def. Reading a file is the program's business. */

enum im_config_type {
    IM_T_BOOL,
    IM_T_UINT,   /* uint64_t, with min and max */
    IM_T_SIZE,   /* uint64_t bytes; suffixes KiB, MiB, GiB */
    IM_T_MS,     /* uint64_t milliseconds; suffixes ms, s, m, h, d */
    IM_T_STRING, /* malloc'd char *, may be NULL; min and max are lengths in bytes */
    IM_T_CHOICE, /* unsigned; index into the row's choices, "a|b|c" */
    IM_T_STRINGS /* struct im_strings: a list of strings; max elements */
};

struct im_strings {
    char **v;
    size_t n;
};

enum im_store_kind { IM_STORE_MEMORY, IM_STORE_SQLITE };
enum im_sync { IM_SYNC_NORMAL, IM_SYNC_FULL };
enum im_log_format { IM_LOG_TEXT, IM_LOG_LOGFMT, IM_LOG_JSON, IM_LOG_JOURNALD };
enum im_auth_mode { IM_AUTH_OPEN, IM_AUTH_PASSWORD, IM_AUTH_TOKEN };
enum im_register { IM_REGISTRATION_OFF, IM_REGISTRATION_INVITE, IM_REGISTRATION_ON };
enum im_duplicate { IM_DUPLICATE_REPLACE, IM_DUPLICATE_REFUSE };

/* One element of `listen`. */
struct im_listen_config {
#define IM_LISTEN_KEY(path, type, field, min, max, def, choices, help) IM_CONFIG_MEMBER_##type(field)
#define IM_CONFIG_MEMBER_BOOL(field)                                   bool field;
#define IM_CONFIG_MEMBER_UINT(field)                                   uint64_t field;
#define IM_CONFIG_MEMBER_SIZE(field)                                   uint64_t field;
#define IM_CONFIG_MEMBER_MS(field)                                     uint64_t field;
#define IM_CONFIG_MEMBER_STRING(field)                                 char *field;
#define IM_CONFIG_MEMBER_CHOICE(field)                                 unsigned field;
#define IM_CONFIG_MEMBER_STRINGS(field)                                struct im_strings field;
#include "core/tbl/listen.def"
#undef IM_LISTEN_KEY
};

struct im_config {
#define IM_CONFIG_KEY(path, type, field, min, max, def, choices, reload, help) IM_CONFIG_MEMBER_##type(field)
#include "core/tbl/config.def"
#undef IM_CONFIG_KEY
    struct im_listen_config *listen;
    size_t listen_count;
};

/* A row of the table. */
struct im_config_row {
    const char *path; /* dotted: "limits.message" */
    enum im_config_type type;
    size_t offset; /* of the member in struct im_config, or struct im_listen_config */
    uint64_t min, max;
    const char *def;     /* default as written in YAML; NULL: unset */
    const char *choices; /* IM_T_CHOICE */
    bool reload;         /* takes effect on reload; otherwise needs a restart */
    const char *help;
};
extern const struct im_config_row im_config_rows[];
extern const size_t im_config_row_count;
extern const struct im_config_row im_listen_rows[];
extern const size_t im_listen_row_count;

/* All defaults, no listeners. One reference-free object: the caller's until im_config_free(). */
struct im_config *im_config_new(void);
void im_config_free(struct im_config **);
/* Adds a listener with default values and returns it; valid until the next call. */
struct im_listen_config *im_config_add_listener(struct im_config *);

/* The listeners of a configuration that names none: WebSocket, line and Unix socket on their usual loopback addresses.
 */
void im_config_default_listeners(struct im_config *);

/* Finds a row by its dotted path; NULL if there is none. */
const struct im_config_row *im_config_find(const struct im_config_row *rows, size_t count, struct im_str path);
/* Sets one scalar in base (a struct im_config or im_listen_config) from its text. IM_CONFIG and a detail without the
 * key's name on error: "must be 1 to 64, not 99". IM_T_STRINGS: replaces the list by one element per call to append. */
enum im_reason im_config_set(const struct im_config_row *, void *base, struct im_str text, struct im_error *);
enum im_reason im_config_append(const struct im_config_row *, void *base, struct im_str text, struct im_error *);
/* The value as text that im_config_set() reads back; "" for unset. Malloc'd. */
char *im_config_get(const struct im_config_row *, const void *base);
/* Whether two configurations agree on a row. */
bool im_config_same(const struct im_config_row *, const void *a, const void *b);
/* Makes dst agree with src on a row, or on the whole list of listeners. */
void im_config_copy(const struct im_config_row *, void *dst, const void *src);
void im_config_copy_listeners(struct im_config *dst, const struct im_config *src);
bool im_config_same_listeners(const struct im_config *a, const struct im_config *b);
/* Unset: only rows without a default can be (im_config_set() never unsets). */
enum im_reason im_config_unset(const struct im_config_row *, void *base, struct im_error *);
/* What a row accepts, for help: "1 to 64", "100ms to 10m", "one of a, b". */
void im_config_allowed(const struct im_config_row *, char *out, size_t cap);
/* The parts of the server that log (core/tbl/subsystems.def). */
extern const char *const im_subsystems[];
extern const size_t im_subsystem_count;
/* One element of log.parts, "store:debug", as a number in im_subsystems[] and an enum im_log_level. */
enum im_reason im_log_part(struct im_str text, size_t *subsystem, unsigned *level, struct im_error *);
/* The n-th of choices "a|b|c"; absent when there are fewer. */
struct im_str im_choice(const char *choices, unsigned n);
/* What no single row can tell: open mode on a public address, TLS on a transport without it, limits that contradict.
 * *path names the key at fault. */
enum im_reason im_config_check(const struct im_config *, char path[64], struct im_error *);

#endif
