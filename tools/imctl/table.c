#include "tools/imctl/table.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "core/mem.h"

size_t text_width(struct im_str s)
{
    size_t width = 0, i = 0;
    while (i < s.len) {
        utf8proc_int32_t point;
        utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)s.p + i, (utf8proc_ssize_t)(s.len - i), &point);
        if (n <= 0)
            break;
        width += (size_t)utf8proc_charwidth(point);
        i += (size_t)n;
    }
    return width;
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
    size_t column = i % t->columns, mine = text_width(t->cells[i]);
    int pad = (int)(width - mine);
    bool last = column + 1 == t->columns;
    if (t->right[column])
        im_out_printf(out, "%*s", pad, "");
    im_out_put(out, t->cells[i].p, t->cells[i].len);
    if (!t->right[column] && !last)
        im_out_printf(out, "%*s", pad, "");
    im_out_str(out, last ? "" : "  ");
}

void table_write(const struct table *t, bool bold, struct im_out *out)
{
    size_t *widths = im_zalloc(t->columns * sizeof *widths);
    for (size_t i = 0; i < t->count; i++) {
        size_t width = text_width(t->cells[i]);
        if (width > widths[i % t->columns])
            widths[i % t->columns] = width;
    }
    for (size_t i = 0; i < t->count; i++) {
        if (bold && i == 0)
            im_out_str(out, "\033[1m");
        put_cell(t, i, widths[i % t->columns], out);
        if ((i + 1) % t->columns == 0)
            im_out_str(out, bold && i < t->columns ? "\033[0m\n" : "\n");
    }
    free(widths);
}
