#ifndef IM_TOOLS_IMCTL_CLIENT_H
#define IM_TOOLS_IMCTL_CLIENT_H

#include <jansson.h>
#include <stddef.h>

/* A connection to the admin socket: JSON-RPC 2.0, one object per line. Functions return an exit status of sysexits.h,
 * EX_OK when all is well; what went wrong and what to do about it is on standard error by then. */
struct client {
    const char *path;
    int fd;
    char *in; /* what has been read and not yet used */
    size_t len, cap;
    int next_id;
};

int client_connect(struct client *, const char *path);
void client_close(struct client *);
/* Takes params. On EX_OK *response is the whole response, with a result or an error; the caller's reference. */
int client_call(struct client *, const char *method, json_t *params, json_t **response);

/* From now on it waits as long as it takes for answers. */
void client_wait(struct client *);

/* Prints "imctl: …" with everything in it made safe for a terminal. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
