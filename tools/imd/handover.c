#include "tools/imd/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bytes.h"
#include "core/mem.h"
#include "transports/loop.h"

#define VARIABLE "IMD_HANDOVER"

extern char **environ;

/* Life. */

struct imd_handover *imd_handover_new(void)
{
    struct imd_handover *h = im_zalloc(sizeof *h);
    h->back_fd = -1;
    return h;
}

static void close_all(struct imd_handover *h)
{
    for (size_t i = 0; i < h->count; i++) {
        if (h->sockets[i].fd >= 0)
            close(h->sockets[i].fd);
        h->sockets[i].fd = -1;
    }
    if (h->back_fd >= 0)
        close(h->back_fd);
    h->back_fd = -1;
}

void imd_handover_free(struct imd_handover **handover)
{
    struct imd_handover *h = *handover;
    *handover = NULL;
    if (!h)
        return;
    close_all(h);
    for (size_t i = 0; i < h->count; i++)
        free((char *)h->sockets[i].origin.name);
    free(h->sockets);
    free(h->from);
    free(h->binary);
    free(h->config);
    free(h->back);
    free(h->problem);
    free(h);
}

/* Sockets. */

static void append(struct imd_handover *h, int fd, const struct im_passed_origin *origin)
{
    h->sockets = im_realloc(h->sockets, (h->count + 1) * sizeof *h->sockets);
    struct imd_handover_socket *socket = &h->sockets[h->count++];
    *socket = (struct imd_handover_socket){.fd = fd, .origin = *origin};
    socket->origin.name = im_strndup(origin->name, strlen(origin->name));
}

enum im_reason imd_handover_add(struct imd_handover *h, int fd, const struct im_passed_origin *origin,
                                struct im_error *error)
{
    struct im_passed_origin whole = *origin;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return im_fail(error, IM_SYSTEM, "no descriptor for %s: %s", origin->name, strerror(errno));
    char *path = whole.ino != 0 ? realpath(whole.name, NULL) : NULL;
    if (path)
        whole.name = path;
    append(h, copy, &whole);
    free(path);
    return IM_OK;
}

enum im_reason imd_handover_pass(const struct imd_handover *h, struct im_passed **passed, struct im_error *error)
{
    if (!*passed)
        *passed = im_passed_new();
    for (size_t i = 0; i < h->count; i++) {
        const struct imd_handover_socket *socket = &h->sockets[i];
        int copy = fcntl(socket->fd, F_DUPFD_CLOEXEC, 3);
        if (copy >= 0 && im_passed_add(*passed, copy, &socket->origin))
            continue;
        if (copy >= 0)
            close(copy);
        return im_fail(error, IM_SYSTEM, "what was handed over as %s is no listening stream socket",
                       socket->origin.name);
    }
    return IM_OK;
}

void imd_handover_leave(struct imd_handover *h, const struct im_passed_origin *origin)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct im_passed_origin *mine = &h->sockets[i].origin;
        if (!h->sockets[i].left && strcmp(mine->name, origin->name) == 0) {
            h->sockets[i].left = true;
            return;
        }
    }
}

static void remove_file(const struct im_passed_origin *origin)
{
    struct stat st;
    if (origin->ours && origin->ino != 0 && lstat(origin->name, &st) == 0 && st.st_dev == origin->dev &&
        st.st_ino == origin->ino)
        unlink(origin->name);
}

void imd_handover_done(struct imd_handover *h)
{
    h->done = true;
    h->gap_us = im_loop_now_us() - h->since_us;
    for (size_t i = 0; i < h->count; i++)
        if (h->sockets[i].left)
            remove_file(&h->sockets[i].origin);
    close_all(h);
}

/* In the environment. */

static json_t *describe_socket(const struct imd_handover_socket *socket)
{
    const struct im_passed_origin *o = &socket->origin;
    return json_pack("{s:i, s:s, s:b, s:I, s:I}", "fd", socket->fd, "name", o->name, "ours", (int)o->ours, "dev",
                     (json_int_t)o->dev, "ino", (json_int_t)o->ino);
}

/* A trial gets no way back: it is not to come back. */
static char *describe(const struct imd_handover *h)
{
    json_t *sockets = json_array();
    for (size_t i = 0; i < h->count; i++)
        json_array_append_new(sockets, describe_socket(&h->sockets[i]));
    json_t *all = json_pack("{s:b, s:b, s:I, s:I, s:s?, s:s?, s:s?, s:s?, s:s?, s:i, s:o}", "trial", (int)h->trial,
                            "sound", (int)h->sound, "pid", (json_int_t)getpid(), "since_us", (json_int_t)h->since_us,
                            "from", h->from, "binary", h->binary, "config", h->config, "back", h->back, "problem",
                            h->problem, "back_fd", h->trial ? -1 : h->back_fd, "sockets", sockets);
    char *json = json_dumps(all, JSON_COMPACT), *text = NULL;
    if (asprintf(&text, VARIABLE "=%s", json ? json : "") < 0)
        text = NULL;
    free(json);
    json_decref(all);
    return text;
}

static char *copy_string(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? im_strndup(text, strlen(text)) : NULL;
}

static int descriptor(const json_t *object, const char *key)
{
    json_int_t fd = json_integer_value(json_object_get(object, key));
    return fd > STDERR_FILENO && fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0 ? (int)fd : -1;
}

static void read_socket(struct imd_handover *h, const json_t *row)
{
    const char *name = json_string_value(json_object_get(row, "name"));
    int fd = descriptor(row, "fd");
    if (fd >= 0 && name)
        append(h, fd,
               &(struct im_passed_origin){name, json_is_true(json_object_get(row, "ours")),
                                          (dev_t)json_integer_value(json_object_get(row, "dev")),
                                          (ino_t)json_integer_value(json_object_get(row, "ino"))});
}

static struct imd_handover *parse(const json_t *all)
{
    struct imd_handover *h = imd_handover_new();
    const json_t *row;
    size_t i;
    h->trial = json_is_true(json_object_get(all, "trial"));
    h->sound = json_is_true(json_object_get(all, "sound"));
    h->since_us = (uint64_t)json_integer_value(json_object_get(all, "since_us"));
    h->from = copy_string(all, "from");
    h->binary = copy_string(all, "binary");
    h->config = copy_string(all, "config");
    h->back = copy_string(all, "back");
    h->problem = copy_string(all, "problem");
    h->back_fd = descriptor(all, "back_fd");
    json_array_foreach(json_object_get(all, "sockets"), i, row)
    {
        read_socket(h, row);
    }
    return h;
}

/* It is for this process, or as a trial for its child: not for one that inherited the environment from them. */
static bool is_for_us(const json_t *all)
{
    pid_t to = json_is_true(json_object_get(all, "trial")) ? getppid() : getpid();
    return json_integer_value(json_object_get(all, "pid")) == (json_int_t)to;
}

struct imd_handover *imd_handover_read(void)
{
    const char *text = getenv(VARIABLE);
    json_t *all = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    struct imd_handover *h = all && is_for_us(all) ? parse(all) : NULL;
    json_decref(all);
    unsetenv(VARIABLE);
    return h;
}

/* Starting a program. */

/* A trial is not to speak to the service manager. */
static bool is_kept(const char *variable, bool trial)
{
    static const char *const managers[] = {"NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_"};
    for (size_t i = 0; trial && i < sizeof managers / sizeof *managers; i++)
        if (strncmp(variable, managers[i], strlen(managers[i])) == 0)
            return false;
    return strncmp(variable, VARIABLE "=", sizeof VARIABLE) != 0;
}

void imd_handover_invoke(const struct imd_handover *h, bool rehearsal, struct imd_invocation *i)
{
    size_t n = 0, arg = 0;
    while (environ[n])
        n++;
    *i = (struct imd_invocation){.envp = im_alloc((n + 2) * sizeof *i->envp)};
    n = 0;
    if ((i->envp[n] = describe(h)))
        n++;
    for (char **variable = environ; *variable; variable++)
        if (is_kept(*variable, h->trial))
            i->envp[n++] = *variable;
    i->envp[n] = NULL;
    i->argv[arg++] = h->binary;
    if (rehearsal)
        i->argv[arg++] = (char *)"--rehearse";
    if (h->config) {
        i->argv[arg++] = (char *)"-c";
        i->argv[arg++] = h->config;
    }
}

void imd_invocation_clear(struct imd_invocation *i)
{
    free(i->envp[0]);
    free(i->envp);
}

static void let_through(const struct imd_handover *h, int flags)
{
    for (size_t i = 0; i < h->count; i++)
        fcntl(h->sockets[i].fd, F_SETFD, flags);
    if (h->back_fd >= 0)
        fcntl(h->back_fd, F_SETFD, flags);
}

static void replace(const struct imd_handover *h, const struct imd_start *start, int program)
{
    struct imd_invocation i;
    imd_handover_invoke(h, false, &i);
    let_through(h, 0);
    if (fchdir(start->dir) == 0)
        program >= 0 ? fexecve(program, i.argv, i.envp) : execve(h->binary, i.argv, i.envp);
    int error = errno;
    let_through(h, FD_CLOEXEC);
    imd_invocation_clear(&i);
    errno = error;
}

void imd_handover_exec(const struct imd_handover *h, const struct imd_start *start)
{
    replace(h, start, -1);
}

void imd_handover_exec_back(struct imd_handover *h, const struct imd_start *start, const char *problem)
{
    int program = h->back_fd;
    if (program < 0) {
        errno = ENOENT;
        return;
    }
    free(h->problem);
    h->problem = im_strndup(problem, strlen(problem));
    free(h->binary);
    h->binary = h->back ? im_strndup(h->back, strlen(h->back)) : im_strndup("imd", 3);
    h->back_fd = -1;
    fcntl(program, F_SETFD, FD_CLOEXEC);
    replace(h, start, program);
    h->back_fd = program;
}
