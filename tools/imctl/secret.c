#include "tools/imctl/secret.h"

#include <signal.h>
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

static struct termios shown;

/* Ctrl-C at the prompt must not leave a terminal that shows nothing any more. */
static void show_again(int signal)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &shown);
    raise(signal);
}

static int ask(const char *prompt, const char *name, char *out, size_t size)
{
    struct termios quiet;
    tcgetattr(STDIN_FILENO, &shown);
    quiet = shown;
    quiet.c_lflag &= (tcflag_t)~ECHO;
    struct sigaction was, restore = {.sa_handler = show_again, .sa_flags = SA_RESETHAND};
    sigaction(SIGINT, &restore, &was);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    fprintf(stderr, "%s%s: ", prompt, name); /* only now: what is typed at the prompt is never seen, nor thrown away */
    fflush(stderr);
    int status = read_line(out, size);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &shown);
    sigaction(SIGINT, &was, NULL);
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
