#ifndef IM_TOOLS_IMCTL_CLIENT_H
#define IM_TOOLS_IMCTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A connection to the admin socket: JSON-RPC 2.0, one object per line. Functions return an exit status of sysexits.h,
 * EX_OK when all is well; what went wrong and what to do about it is on standard error by then. */
struct client {
    const char *path;
    int fd;
    char *in; /* what has been read and not yet used */
    size_t len, cap;
    int next_id;
    bool quiet;   /* says nothing of what fails */
    bool midline; /* standard output is in a line, which has to end before anything is said */
};

/* Zero-initialised but for `quiet`. client_close() is in order after a failure too. */
int client_connect(struct client *, const char *path);
void client_close(struct client *);
/* Takes params. On EX_OK *response is the whole response, with a result or an error; the caller's reference. */
int client_call(struct client *, const char *method, json_t *params, json_t **response);
/* Waits without an end, and hands over what a stream sends before its response; the item is borrowed. */
int client_stream(struct client *, const char *method, json_t *params, void (*item)(void *arg, json_t *item), void *arg,
                  json_t **response);
/* Waits no longer than this for each answer; 0: without an end. */
void client_patience(const struct client *, int seconds);

/* Prints "imctl: …" with everything in it made safe for a terminal. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
