#include "tools/imctl/client.h"

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/bytes.h"
#include "core/mem.h"
#include "tools/safe_json.h"

#define PATIENCE_S   10
#define RESPONSE_MAX (256u << 20)

void complain(const char *format, ...)
{
    char *message = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&message, format, args);
    va_end(args);
    if (n < 0)
        return;
    struct im_out safe = {0};
    im_out_safe(&safe, (struct im_str){message, (size_t)n}, true);
    fprintf(stderr, "imctl: %.*s\n", (int)safe.len, im_out_data(&safe));
    im_out_clear(&safe);
    free(message);
}

static int no_permission(const char *path)
{
    struct stat st;
    const struct group *group = stat(path, &st) == 0 ? getgrgid(st.st_gid) : NULL;
    if (group && group->gr_gid != 0)
        complain("%s may not be used by you.\nJoin group %s (and log in again), or try: sudo imctl -s %s …", path,
                 group->gr_name, path);
    else
        complain("%s may not be used by you.\nTry: sudo imctl -s %s …", path, path);
    return EX_NOPERM;
}

static int connect_failed(const char *path, int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        complain("nothing at %s.\nIs imd running? If its admin.address is another: imctl -s SOCKET …, or set "
                 "IMCTL_SOCKET.",
                 path);
        return EX_UNAVAILABLE;
    case ECONNREFUSED:
        complain("nobody listens at %s: imd is not running.\nStart it, for example: imd -c FILE", path);
        return EX_UNAVAILABLE;
    case EACCES:
    case EPERM:
        return no_permission(path);
    case EAGAIN:
        complain("%s: the server does not take the connection; try again.", path);
        return EX_TEMPFAIL;
    default:
        complain("%s: %s", path, strerror(error));
        return EX_UNAVAILABLE;
    }
}

int client_connect(struct client *c, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    struct stat st;
    *c = (struct client){.path = path, .fd = -1};
    if (strlen(path) >= sizeof address.sun_path) {
        complain("%s: a socket's path may have %zu bytes at most.", path, sizeof address.sun_path - 1);
        return EX_USAGE;
    }
    strcpy(address.sun_path, path);
    if (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        complain("%s is not a socket; the server's admin.address is needed.", path);
        return EX_USAGE;
    }
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)(const void *)&address, sizeof address) != 0) {
        int error = errno;
        client_close(c);
        return connect_failed(path, error);
    }
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return EX_OK;
}

void client_wait(struct client *c)
{
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0}, sizeof(struct timeval));
}

void client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    free(c->in);
    c->in = NULL;
}

/* A server that refuses us may have closed before it read: what it said is still there to be read. */
static void send_all(const struct client *c, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return;
        p += sent;
        n -= (size_t)sent;
    }
}

static int read_failed(const struct client *c, ssize_t got)
{
    if (got == 0 || errno == ECONNRESET) {
        complain("%s: the server closed the connection without an answer.\nIt may have as many admin connections as it "
                 "takes; or this is not its admin socket.",
                 c->path);
        return EX_TEMPFAIL;
    }
    if (errno == EAGAIN) {
        complain("%s: no answer within %d seconds.", c->path, PATIENCE_S);
        return EX_TEMPFAIL;
    }
    complain("%s: %s", c->path, strerror(errno));
    return EX_IOERR;
}

/* Reads until there is a line; *len is its length without the LF. */
static int read_line(struct client *c, size_t *len)
{
    size_t seen = 0;
    for (;;) {
        const char *end = c->len > seen ? memchr(c->in + seen, '\n', c->len - seen) : NULL;
        if (end) {
            *len = (size_t)(end - c->in);
            return EX_OK;
        }
        seen = c->len;
        if (c->len > RESPONSE_MAX) {
            complain("%s: the answer does not end.", c->path);
            return EX_PROTOCOL;
        }
        if (c->cap - c->len < 65536)
            c->in = im_realloc(c->in, c->cap = c->cap ? c->cap * 2 : 131072);
        ssize_t got = read(c->fd, c->in + c->len, c->cap - c->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return read_failed(c, got);
        c->len += (size_t)got;
    }
}

static int take_response(struct client *c, size_t len, json_t **response)
{
    *response = json_loadb(c->in, len, JSON_REJECT_DUPLICATES, NULL);
    memmove(c->in, c->in + len + 1, c->len - len - 1);
    c->len -= len + 1;
    if (json_object_get(*response, "result") || json_object_get(*response, "error"))
        return EX_OK;
    json_decref(*response);
    *response = NULL;
    complain("%s does not answer as an admin socket does; is it one for chatting?\nThe server's admin.address is "
             "needed.",
             c->path);
    return EX_PROTOCOL;
}

int client_call(struct client *c, const char *method, json_t *params, json_t **response)
{
    json_t *request =
        json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", ++c->next_id, "method", method, "params", params);
    struct im_out line = {0};
    im_json_put(&line, request);
    im_out_char(&line, '\n');
    send_all(c, im_out_data(&line), line.len);
    im_out_clear(&line);
    json_decref(request);
    size_t len;
    int status = read_line(c, &len);
    return status == EX_OK ? take_response(c, len, response) : status;
}
