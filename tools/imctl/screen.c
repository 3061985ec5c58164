#include "tools/imctl/screen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tools/imctl/table.h"

#define COLUMNS_USUAL 80
#define LINES_USUAL   24
#define KEY_MS        50 /* the bytes of one key come no slower */

static size_t from_environment(const char *name, size_t otherwise)
{
    const char *text = getenv(name);
    uint64_t n;
    return text && im_str_u64(im_str(text), &n) && n > 0 && n < 10000 ? n : otherwise;
}

struct screen_size screen_size(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0)
        return (struct screen_size){size.ws_col, size.ws_row};
    return (struct screen_size){from_environment("COLUMNS", COLUMNS_USUAL), from_environment("LINES", LINES_USUAL)};
}

bool screen_may_style(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

static void put(const char *bytes)
{
    fputs(bytes, stdout);
    fflush(stdout);
}

/* Another screen, without a cursor; keys come at once and are not shown. */
static void enter(const struct screen *s)
{
    struct termios raw = s->was;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (s->keys)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    put("\033[?1049h\033[?25l\033[2J");
}

static void leave(const struct screen *s)
{
    put("\033[?25h\033[?1049l");
    if (s->keys)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &s->was);
}

void screen_open(struct screen *s)
{
    static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH, SIGCONT};
    sigset_t set;
    *s = (struct screen){.keys = isatty(STDIN_FILENO)};
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
        sigaddset(&set, watched[i]);
    sigprocmask(SIG_BLOCK, &set, &s->mask);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (s->keys)
        tcgetattr(STDIN_FILENO, &s->was);
    enter(s);
}

void screen_close(const struct screen *s)
{
    leave(s);
    close(s->signals);
    sigprocmask(SIG_SETMASK, &s->mask, NULL);
}

void screen_die(const struct screen *s)
{
    if (s->end) {
        signal(s->end, SIG_DFL);
        raise(s->end);
    }
}

/* Ends each line by erasing what stood behind it, and the last by erasing what stood below. */
void screen_draw(const struct im_out *lines)
{
    struct screen_size size = screen_size();
    const char *p = im_out_data(lines), *end = p + lines->len;
    struct im_out out = {0};
    im_out_str(&out, "\033[H");
    for (size_t n = 0; p < end && n < size.lines; n++) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        size_t len = (size_t)((lf ? lf : end) - p);
        im_out_str(&out, n ? "\r\n" : "");
        im_out_put(&out, p, len);
        im_out_str(&out, "\033[K");
        p += len + 1;
    }
    im_out_str(&out, "\033[J");
    fwrite(im_out_data(&out), 1, out.len, stdout);
    fflush(stdout);
    im_out_clear(&out);
}

/* Stops as Ctrl-Z wants it, and goes on here afterwards. */
static void stop(const struct screen *s)
{
    leave(s);
    raise(SIGSTOP);
    enter(s);
}

static int take_signal(struct screen *s)
{
    struct signalfd_siginfo info;
    if (read(s->signals, &info, sizeof info) != sizeof info)
        return SCREEN_TIME;
    if (info.ssi_signo == SIGTSTP)
        stop(s);
    if (info.ssi_signo == SIGTSTP || info.ssi_signo == SIGWINCH || info.ssi_signo == SIGCONT)
        return SCREEN_RESIZE;
    s->end = (int)info.ssi_signo;
    return SCREEN_END;
}

static int read_byte(int timeout_ms)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    unsigned char byte;
    return poll(&in, 1, timeout_ms) == 1 && read(STDIN_FILENO, &byte, 1) == 1 ? byte : SCREEN_TIME;
}

/* What follows ESC: "[A", "OA", "[5~". */
static int take_escape(void)
{
    static const struct {
        char final;
        int number, key;
    } keys[] = {{'A', 0, SCREEN_UP},      {'B', 0, SCREEN_DOWN},      {'C', 0, SCREEN_RIGHT}, {'D', 0, SCREEN_LEFT},
                {'~', 5, SCREEN_PAGE_UP}, {'~', 6, SCREEN_PAGE_DOWN}, {'H', 0, SCREEN_HOME},  {'~', 1, SCREEN_HOME}};
    int c = read_byte(KEY_MS), number = 0;
    if (c != '[' && c != 'O')
        return SCREEN_TIME;
    while ((c = read_byte(KEY_MS)) >= '0' && c <= '9' && number < 1000)
        number = number * 10 + c - '0';
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i].final == c && keys[i].number == number)
            return keys[i].key;
    return SCREEN_TIME;
}

int screen_wait(struct screen *s, int timeout_ms)
{
    struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN}, {.fd = s->keys ? STDIN_FILENO : -1, .events = POLLIN}};
    if (poll(fds, 2, timeout_ms) <= 0)
        return SCREEN_TIME;
    if (fds[0].revents)
        return take_signal(s);
    int c = read_byte(0);
    if (c == SCREEN_TIME)
        s->end = SIGHUP; /* the terminal has gone */
    return c == SCREEN_TIME ? SCREEN_END : c == 27 ? take_escape() : c;
}
