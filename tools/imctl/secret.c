#include "tools/imctl/secret.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "tools/imctl/client.h"

static int read_line(char *out, size_t size)
{
    if (!fgets(out, (int)size, stdin)) {
        complain("no secret: standard input has ended");
        return EX_NOINPUT;
    }
    size_t len = strcspn(out, "\r\n");
    if (out[len] == '\0' && len == size - 1) {
        complain("the secret is longer than %zu bytes", size - 2);
        return EX_DATAERR;
    }
    out[len] = '\0';
    return EX_OK;
}

static int ask(const char *prompt, const char *name, char *out, size_t size)
{
    struct termios old, quiet;
    fprintf(stderr, "%s%s: ", prompt, name);
    fflush(stderr);
    tcgetattr(STDIN_FILENO, &old);
    quiet = old;
    quiet.c_lflag &= (tcflag_t)~ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    int status = read_line(out, size);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
    fputc('\n', stderr);
    return status;
}

int secret_read(const char *name, char *out, size_t size)
{
    char again[2048];
    if (!isatty(STDIN_FILENO))
        return read_line(out, size);
    int status = ask("New ", name, out, size);
    if (status == EX_OK)
        status = ask("Again, new ", name, again, sizeof again);
    if (status == EX_OK && strcmp(out, again) != 0) {
        complain("the two are not the same; nothing was changed");
        status = EX_DATAERR;
    }
    explicit_bzero(again, sizeof again);
    return status;
}
