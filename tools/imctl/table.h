#ifndef IM_TOOLS_IMCTL_TABLE_H
#define IM_TOOLS_IMCTL_TABLE_H

#include <jansson.h>
#include <stdbool.h>

#include "core/bytes.h"

/* Cells of text in columns, aligned by the width that a terminal gives them: 翠花 is four columns wide. */
struct table {
    struct im_str *cells; /* row by row; malloc'd each */
    size_t columns, count;
    bool *right; /* columns that are aligned to the right */
};

void table_init(struct table *, size_t columns);
void table_free(struct table *);
/* Adds the next cell; the text is made safe for a terminal. */
void table_add(struct table *, struct im_str text);
void table_right(struct table *, size_t column);
/* Writes rows; the first one bold when `bold`. Text is shortened until lines are at most `width` wide, as far as that
 * goes; 0: as wide as they are. */
void table_write(const struct table *, bool bold, size_t width, struct im_out *);

/* Columns that safe text takes on a terminal. */
size_t text_width(struct im_str);
/* As much of the beginning of safe text as takes at most `width` columns. */
/* Writes text, made safe, broken at spaces into lines of `width` columns, of which the second and further ones begin
 * with `indent` spaces; the first one begins where the caller is, at that column. width 0: one line. */
void text_wrap(struct im_out *, struct im_str text, size_t indent, size_t width);
struct im_str text_cut(struct im_str, size_t width);

#endif
