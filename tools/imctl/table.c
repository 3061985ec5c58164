#include "tools/imctl/table.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "core/mem.h"

#define GAP     2
#define CUT_MIN 4 /* no column is made narrower */

/* Where text reaches beyond `limit` columns, or ends; *width is what comes before takes. */
static size_t measure(struct im_str s, size_t limit, size_t *width)
{
    size_t i = 0;
    *width = 0;
    while (i < s.len) {
        utf8proc_int32_t point;
        utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)s.p + i, (utf8proc_ssize_t)(s.len - i), &point);
        size_t wide = n > 0 ? (size_t)utf8proc_charwidth(point) : 0;
        if (n <= 0 || *width + wide > limit)
            break;
        *width += wide;
        i += (size_t)n;
    }
    return i;
}

size_t text_width(struct im_str s)
{
    size_t width;
    measure(s, SIZE_MAX, &width);
    return width;
}

struct im_str text_cut(struct im_str s, size_t width)
{
    size_t got;
    return (struct im_str){s.p, measure(s, width, &got)};
}

void text_wrap(struct im_out *out, struct im_str text, size_t indent, size_t width)
{
    struct im_out safe = {0};
    im_out_safe(&safe, text, false);
    const char *p = im_out_data(&safe), *end = p + safe.len;
    for (size_t column = indent; p < end;) {
        const char *space = memchr(p, ' ', (size_t)(end - p)), *stop = space ? space : end;
        size_t wide = text_width((struct im_str){p, (size_t)(stop - p)});
        bool first = column == indent, breaks = width && !first && column + 1 + wide > width;
        if (breaks)
            im_out_printf(out, "\n%*s", (int)indent, "");
        else if (!first)
            im_out_char(out, ' ');
        im_out_put(out, p, (size_t)(stop - p));
        column = (breaks ? indent : column + !first) + wide;
        p = stop + (space != NULL);
    }
    im_out_clear(&safe);
}

void table_init(struct table *t, size_t columns)
{
    *t = (struct table){.columns = columns, .right = im_zalloc(columns * sizeof *t->right)};
}

void table_free(struct table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free((char *)(uintptr_t)t->cells[i].p);
    free(t->cells);
    free(t->right);
    *t = (struct table){0};
}

void table_add(struct table *t, struct im_str text)
{
    struct im_out safe = {0};
    im_out_safe(&safe, text, false);
    if (t->count % 256 == 0)
        t->cells = im_realloc(t->cells, (t->count + 256) * sizeof *t->cells);
    t->cells[t->count++] = (struct im_str){im_strndup(im_out_data(&safe), safe.len), safe.len};
    im_out_clear(&safe);
}

void table_right(struct table *t, size_t column)
{
    t->right[column] = true;
}

static void put_cell(const struct table *t, size_t i, size_t width, struct im_out *out)
{
    size_t column = i % t->columns;
    struct im_str text = t->cells[i];
    bool cut = text_width(text) > width, last = column + 1 == t->columns;
    if (cut)
        text = text_cut(text, width - 1);
    int pad = (int)(width - text_width(text) - cut);
    if (t->right[column])
        im_out_printf(out, "%*s", pad, "");
    im_out_put(out, text.p, text.len);
    im_out_str(out, cut ? "…" : "");
    if (!t->right[column] && !last)
        im_out_printf(out, "%*s", pad, "");
    im_out_printf(out, "%*s", last ? 0 : GAP, "");
}

/* The column of text that has most to spare; none: the number of columns. Numbers are not cut. */
static size_t widest(const struct table *t, const size_t *widths)
{
    size_t best = t->columns;
    for (size_t i = 0; i < t->columns; i++)
        if (!t->right[i] && widths[i] > CUT_MIN && (best == t->columns || widths[i] > widths[best]))
            best = i;
    return best;
}

static void shrink(const struct table *t, size_t *widths, size_t limit)
{
    size_t sum = (t->columns - 1) * GAP;
    for (size_t i = 0; i < t->columns; i++)
        sum += widths[i];
    for (size_t i; sum > limit && (i = widest(t, widths)) < t->columns; sum--)
        widths[i]--;
}

void table_write(const struct table *t, bool bold, size_t width, struct im_out *out)
{
    size_t *widths = im_zalloc(t->columns * sizeof *widths);
    for (size_t i = 0; i < t->count; i++) {
        size_t mine = text_width(t->cells[i]);
        if (mine > widths[i % t->columns])
            widths[i % t->columns] = mine;
    }
    if (width)
        shrink(t, widths, width);
    for (size_t i = 0; i < t->count; i++) {
        if (bold && i == 0)
            im_out_str(out, "\033[1m");
        put_cell(t, i, widths[i % t->columns], out);
        if ((i + 1) % t->columns == 0)
            im_out_str(out, bold && i < t->columns ? "\033[0m\n" : "\n");
    }
    free(widths);
}
