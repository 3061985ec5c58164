#ifndef IM_TOOLS_IMCTL_SCREEN_H
#define IM_TOOLS_IMCTL_SCREEN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "core/bytes.h"

/* The terminal at standard output, if there is one. */
struct screen_size {
    size_t columns, lines;
};
struct screen_size screen_size(void);
/* Does it take bold and the like, and does its user want them (NO_COLOR, TERM=dumb)? */
bool screen_may_style(void);

/* A full screen with keys. From screen_open() to screen_close() signals are seen in screen_wait() only, so that
 * whatever ends the program, the terminal is first put back as it was. */
struct screen {
    struct termios was;
    sigset_t mask; /* as it was */
    int signals;   /* a descriptor */
    bool keys;     /* standard input is a terminal */
    int end;       /* the signal that wants an end, or 0 */
};
void screen_open(struct screen *);
void screen_close(const struct screen *);
/* Replaces what is shown: lines, of which those that do not fit are left out. */
void screen_draw(const struct im_out *lines);

enum {
    SCREEN_TIME = -1,   /* nothing was pressed in time */
    SCREEN_RESIZE = -2, /* or the program was continued: draw again */
    SCREEN_END = -3,    /* a signal wants an end; screen_close() and then screen_die() */
    SCREEN_LEFT = 256,
    SCREEN_RIGHT,
    SCREEN_UP,
    SCREEN_DOWN,
    SCREEN_PAGE_UP,
    SCREEN_PAGE_DOWN,
    SCREEN_HOME,
};
/* Waits for a key: a byte, or one of the above. */
int screen_wait(struct screen *, int timeout_ms);
/* Ends the program by the signal that wanted it, if one did. */
void screen_die(const struct screen *);

#endif
