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

/* Complains, unless the caller wants to say it in another way. */
#define say(client, ...)                                                                                               \
    do {                                                                                                               \
        if ((client)->midline)                                                                                         \
            puts("");                                                                                                  \
        if (!(client)->quiet)                                                                                          \
            complain(__VA_ARGS__);                                                                                     \
    } while (0)

static int no_permission(const struct client *c)
{
    const char *path = c->path;
    struct stat st;
    const struct group *group = stat(path, &st) == 0 ? getgrgid(st.st_gid) : NULL;
    if (group && group->gr_gid != 0)
        say(c, "%s may not be used by you.\nJoin group %s (and log in again), or try: sudo imctl -s %s …", path,
            group->gr_name, path);
    else
        say(c, "%s may not be used by you.\nTry: sudo imctl -s %s …", path, path);
    return EX_NOPERM;
}

static int connect_failed(const struct client *c, int error)
{
    const char *path = c->path;
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        say(c,
            "nothing at %s.\nIs imd running? If its admin.address is another: imctl -s SOCKET …, or set "
            "IMCTL_SOCKET.",
            path);
        return EX_UNAVAILABLE;
    case ECONNREFUSED:
        say(c, "nobody listens at %s: imd is not running.\nStart it, for example: imd -c FILE", path);
        return EX_UNAVAILABLE;
    case EACCES:
    case EPERM:
        return no_permission(c);
    case EAGAIN:
        say(c, "%s: the server does not take the connection; try again.", path);
        return EX_TEMPFAIL;
    default:
        say(c, "%s: %s", path, strerror(error));
        return EX_UNAVAILABLE;
    }
}

int client_connect(struct client *c, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    *c = (struct client){.path = path, .fd = -1, .quiet = c->quiet};
    if (strlen(path) >= sizeof address.sun_path) {
        say(c, "%s: a socket's path may have %zu bytes at most.", path, sizeof address.sun_path - 1);
        return EX_USAGE;
    }
    strcpy(address.sun_path, path);
    if (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        say(c, "%s is not a socket; the server's admin.address is needed.", path);
        return EX_USAGE;
    }
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)(const void *)&address, sizeof address) != 0) {
        int error = errno;
        client_close(c);
        return connect_failed(c, error);
    }
    client_patience(c, PATIENCE_S);
    return EX_OK;
}

void client_patience(const struct client *c, int seconds)
{
    struct timeval patience = {.tv_sec = seconds};
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

void client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->in);
    *c = (struct client){.path = c->path, .fd = -1, .quiet = c->quiet};
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
        say(c,
            "%s: the server closed the connection without an answer.\nIt may have as many admin connections as it "
            "takes; or this is not its admin socket.",
            c->path);
        return EX_TEMPFAIL;
    }
    if (errno == EAGAIN) {
        say(c, "%s: no answer in time.", c->path);
        return EX_TEMPFAIL;
    }
    say(c, "%s: %s", c->path, strerror(errno));
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
            say(c, "%s: the answer does not end.", c->path);
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

static int not_admin(const struct client *c)
{
    say(c,
        "%s does not answer as an admin socket does; is it one for chatting?\nThe server's admin.address is "
        "needed.",
        c->path);
    return EX_PROTOCOL;
}

/* The next line, as JSON or NULL. */
static int read_json(struct client *c, json_t **json)
{
    size_t len;
    int status = read_line(c, &len);
    *json = NULL;
    if (status != EX_OK)
        return status;
    *json = json_loadb(c->in, len, JSON_REJECT_DUPLICATES, NULL);
    memmove(c->in, c->in + len + 1, c->len - len - 1);
    c->len -= len + 1;
    return EX_OK;
}

static void send_request(struct client *c, const char *method, json_t *params)
{
    json_t *request =
        json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", ++c->next_id, "method", method, "params", params);
    struct im_out line = {0};
    im_json_put(&line, request);
    im_out_char(&line, '\n');
    send_all(c, im_out_data(&line), line.len);
    im_out_clear(&line);
    json_decref(request);
}

/* Reads what comes until there is a response. */
static int read_response(struct client *c, void (*item)(void *arg, json_t *item), void *arg, json_t **response)
{
    json_t *found;
    int status;
    while ((status = read_json(c, response)) == EX_OK && item &&
           (found = json_object_get(json_object_get(*response, "params"), "item"))) {
        item(arg, found);
        json_decref(*response);
    }
    if (status != EX_OK || json_object_get(*response, "result") || json_object_get(*response, "error"))
        return status;
    json_decref(*response);
    *response = NULL;
    return not_admin(c);
}

int client_call(struct client *c, const char *method, json_t *params, json_t **response)
{
    send_request(c, method, params);
    return read_response(c, NULL, NULL, response);
}

int client_stream(struct client *c, const char *method, json_t *params, void (*item)(void *arg, json_t *item),
                  void *arg, json_t **response)
{
    send_request(c, method, params);
    client_patience(c, 0);
    int status = read_response(c, item, arg, response);
    client_patience(c, PATIENCE_S);
    return status;
}
