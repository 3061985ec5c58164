#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/mem.h"
#include "transports/passed.h"

struct passed_socket {
    int fd;
    bool taken;
    struct im_passed_origin origin; /* its name is malloc'd */
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un un;
    } bound;
};

struct im_passed {
    struct passed_socket *v;
    size_t n;
};

bool im_passed_is_name(const char *address)
{
    return strncmp(address, IM_PASSED_PREFIX, strlen(IM_PASSED_PREFIX)) == 0;
}

struct im_passed *im_passed_new(void)
{
    return im_zalloc(sizeof(struct im_passed));
}

void im_passed_free(struct im_passed **passed)
{
    struct im_passed *p = *passed;
    *passed = NULL;
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++) {
        if (!p->v[i].taken)
            close(p->v[i].fd);
        free((char *)p->v[i].origin.name);
    }
    free(p->v);
    free(p);
}

static bool listens(int fd)
{
    int type = 0, listening = 0;
    socklen_t len = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_STREAM)
        return false;
    len = sizeof listening;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

static bool prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

bool im_passed_add(struct im_passed *passed, int fd, const struct im_passed_origin *origin)
{
    struct passed_socket socket = {.fd = fd};
    socklen_t len = sizeof socket.bound - 1; /* a path as long as it can be still ends */
    if (!listens(fd) || !prepare(fd) || getsockname(fd, &socket.bound.any, &len) != 0)
        return false;
    socket.origin = *origin;
    socket.origin.name = im_strndup(origin->name, strlen(origin->name));
    passed->v = im_realloc(passed->v, (passed->n + 1) * sizeof *passed->v);
    passed->v[passed->n++] = socket;
    return true;
}

const struct im_passed_origin *im_passed_left(const struct im_passed *passed, size_t *at)
{
    while (passed && *at < passed->n) {
        const struct passed_socket *socket = &passed->v[(*at)++];
        if (!socket->taken)
            return &socket->origin;
    }
    return NULL;
}

const struct im_passed_origin *im_passed_origin(const struct im_passed *passed, int fd)
{
    for (size_t i = 0; passed && i < passed->n; i++)
        if (passed->v[i].fd == fd)
            return &passed->v[i].origin;
    return NULL;
}

static int take(struct im_passed *passed, bool (*fits)(const struct passed_socket *, const void *), const void *what)
{
    for (size_t i = 0; passed && i < passed->n; i++) {
        if (passed->v[i].taken || !fits(&passed->v[i], what))
            continue;
        passed->v[i].taken = true;
        return passed->v[i].fd;
    }
    return -1;
}

static bool has_name(const struct passed_socket *socket, const void *name)
{
    return strcmp(socket->origin.name, name) == 0;
}

int im_passed_take_name(struct im_passed *passed, const char *name)
{
    return take(passed, has_name, name);
}

static bool same_ip(const struct passed_socket *socket, const struct addrinfo *ai)
{
    const struct sockaddr_in *v4 = (const void *)ai->ai_addr;
    const struct sockaddr_in6 *v6 = (const void *)ai->ai_addr;
    if (socket->bound.any.sa_family != ai->ai_family)
        return false;
    if (ai->ai_family == AF_INET)
        return v4->sin_port == socket->bound.v4.sin_port && v4->sin_addr.s_addr == socket->bound.v4.sin_addr.s_addr;
    return ai->ai_family == AF_INET6 && v6->sin6_port == socket->bound.v6.sin6_port &&
           memcmp(&v6->sin6_addr, &socket->bound.v6.sin6_addr, sizeof v6->sin6_addr) == 0;
}

static bool has_ip(const struct passed_socket *socket, const void *list)
{
    for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
        if (same_ip(socket, ai))
            return true;
    return false;
}

int im_passed_take_ip(struct im_passed *passed, const struct addrinfo *list)
{
    return take(passed, has_ip, list);
}

static bool has_file(const struct passed_socket *socket, const void *file)
{
    const struct stat *st = file;
    const struct im_passed_origin *origin = &socket->origin;
    return origin->ours && socket->bound.any.sa_family == AF_UNIX && origin->dev == st->st_dev &&
           origin->ino == st->st_ino;
}

static bool has_path(const struct passed_socket *socket, const void *path)
{
    return socket->bound.any.sa_family == AF_UNIX && !socket->origin.ours &&
           strcmp(socket->bound.un.sun_path, path) == 0;
}

int im_passed_take_path(struct im_passed *passed, const char *path)
{
    char here[4096], whole[sizeof here + sizeof(struct sockaddr_un)];
    struct stat st;
    int fd = lstat(path, &st) == 0 ? take(passed, has_file, &st) : -1;
    if (fd >= 0)
        return fd;
    if (*path == '/' || !getcwd(here, sizeof here))
        return take(passed, has_path, path);
    snprintf(whole, sizeof whole, "%s/%.107s", here, path);
    return take(passed, has_path, whole);
}
