#ifndef IM_TRANSPORTS_LINES_H
#define IM_TRANSPORTS_LINES_H

#include "core/str.h"

/* Cuts a stream of bytes into lines, ended by LF or CR LF. A line that lies whole in one piece of input is not copied,
 * and between lines nothing is allocated. Zero-initialise. */
struct im_lines {
    char *part; /* the beginning of a line that spans pieces */
    size_t len, cap;
    bool whole; /* part is a line that was handed out */
};

enum im_lines_got {
    IM_LINES_MORE, /* all of *in taken, no line yet */
    IM_LINES_LINE, /* *line: without its end; valid until im_lines_done(), and as long as the input */
    IM_LINES_LONG, /* the line has more than max bytes; there is no going on */
};
/* Takes the next line from the front of *in. */
enum im_lines_got im_lines_next(struct im_lines *, size_t max, struct im_str *in, struct im_str *line);
/* At the end of the input: what came after the last line end. False if there is nothing, or more than max bytes. */
bool im_lines_rest(struct im_lines *, size_t max, struct im_str *line);
void im_lines_done(struct im_lines *); /* after each line */
void im_lines_clear(struct im_lines *);

#endif
