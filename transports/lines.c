#include "transports/lines.h"

#include <stdlib.h>

#include "core/mem.h"

static void keep(struct im_lines *lines, const char *p, size_t len)
{
    if (lines->cap - lines->len < len) {
        size_t twice = lines->cap * 2, need = lines->len + len;
        lines->cap = need > twice ? need : twice;
        lines->part = im_realloc(lines->part, lines->cap);
    }
    if (len > 0)
        memcpy(lines->part + lines->len, p, len);
    lines->len += len;
}

static void strip_cr(struct im_str *line)
{
    if (line->len > 0 && line->p[line->len - 1] == '\r')
        line->len--;
}

/* The piece of a line that is at the front of *in; its LF is taken too. */
static struct im_str take_piece(struct im_str *in, bool *ends)
{
    const char *end = in->len > 0 ? memchr(in->p, '\n', in->len) : NULL;
    struct im_str piece = {in->p, end ? (size_t)(end - in->p) : in->len};
    size_t taken = piece.len + (end ? 1 : 0);
    *ends = end != NULL;
    *in = (struct im_str){in->p + taken, in->len - taken};
    return piece;
}

enum im_lines_got im_lines_next(struct im_lines *lines, size_t max, struct im_str *in, struct im_str *line)
{
    bool ends;
    struct im_str piece = take_piece(in, &ends);
    if (lines->len + piece.len > max + 1) /* 1: it may be a CR */
        return IM_LINES_LONG;
    *line = piece;
    if (!ends || lines->len > 0) {
        keep(lines, piece.p, piece.len);
        *line = (struct im_str){lines->part, lines->len};
        lines->whole = ends;
    }
    if (!ends)
        return IM_LINES_MORE;
    strip_cr(line);
    return line->len > max ? IM_LINES_LONG : IM_LINES_LINE;
}

bool im_lines_rest(struct im_lines *lines, size_t max, struct im_str *line)
{
    *line = (struct im_str){lines->part, lines->len};
    lines->whole = true;
    strip_cr(line);
    return lines->len > 0 && line->len <= max;
}

void im_lines_done(struct im_lines *lines)
{
    if (lines->whole)
        im_lines_clear(lines);
}

void im_lines_clear(struct im_lines *lines)
{
    free(lines->part);
    *lines = (struct im_lines){0};
}
