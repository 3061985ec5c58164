#ifndef IM_TOOLS_IMCTL_SHOW_H
#define IM_TOOLS_IMCTL_SHOW_H

#include <jansson.h>

#include "core/bytes.h"

enum show_format {
    SHOW_PEOPLE, /* aligned; times (…_ms) and sizes (…bytes) become readable */
    SHOW_JSON,   /* the value as it is, on one line */
    SHOW_CSV,    /* RFC 4180 with a line of names, values as they are; one record is one line */
    SHOW_PLAIN,  /* tabs between, and no line of names: for cut, awk and `while read` */
};

struct show_style {
    enum show_format format;
    bool bold;        /* headings, for people */
    size_t width;     /* of the terminal: tables for people are shortened to it; 0: no terminal */
    bool live;        /* a line that says how it goes may be written over the one before */
    bool goes_on;     /* what comes continues what was written before: no line of names again */
    const char *none; /* what is said instead of a table without rows; NULL: "no KEY" */
};

/* Writes a result in the way its command's `show` asks for ("text", "fields", "table KEY COLUMN…", "report KEY
 * COLUMN…": fields and then a table, "findings KEY STATE WHAT FOUND ADVICE", "ndjson KEY": lines of JSON, "line KEY…":
 * a stream, of which all has been said; "progress KEY…": one of which the result is the last item). What it does not
 * know it shows as fields. */
void show_result(const json_t *result, const char *show, const struct show_style *, struct im_out *);

/* Writes one item of a stream, by the same `show`: "line KEY…" is these values in a line, and then the others by name;
 * for programs, the others are JSON in a last column. */
void show_item(json_t *item, const char *show, const struct show_style *, struct im_out *);

/* One value for people; what kind it is, its name tells. Not made safe for a terminal. */
void show_value(struct im_out *, const char *name, const json_t *value);

#define SHOW_COLUMNS_MAX 20
/* Splits words at spaces, in place; returns how many. */
size_t show_split(char *words, const char *out[SHOW_COLUMNS_MAX]);
/* One of a stream of records, in a format for programs; the line of names before the first of them. */
void show_names(const char *const *columns, size_t count, enum show_format, struct im_out *);
void show_record(const json_t *record, const char *const *columns, size_t count, enum show_format, struct im_out *);
/* A result, or an item of a stream, whose `show` has been split, as CSV or plain. */
void show_export(const json_t *result, const char *const *show, size_t words, const struct show_style *,
                 struct im_out *);
void show_export_item(json_t *item, const char *const *show, size_t words, const struct show_style *, struct im_out *);
/* What of an object "line KEY…" does not name; false and null are not worth a word. A new reference. */
json_t *show_others(json_t *item, const char *const *keys, size_t count);

#endif
