#include "tools/imd/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/bytes.h"
#include "core/mem.h"

#define KINDS 64

/* How many lines of one kind came in this second. subsystem and event are literals of the program. */
struct kind {
    const char *subsystem, *event;
    int64_t second;
    unsigned written, left_out;
};

struct im_log_file {
    struct im_log log;
    pthread_mutex_t lock; /* all below */
    char *path;           /* NULL: standard error */
    int fd;
    enum im_log_format format;
    struct kind kinds[KINDS];
};

int64_t im_log_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A log that cannot be written must not stop the server: what the file does not take is lost. */
static void put_line(struct im_log_file *file, const struct im_out *line)
{
    size_t n = 0;
    while (n < line->len) {
        ssize_t wrote = write(file->fd, im_out_data(line) + n, line->len - n);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return;
        n += (size_t)wrote;
    }
}

static void write_now(struct im_log_file *file, int64_t now, enum im_log_level level, const char *subsystem,
                      const char *event, const struct im_kv *fields)
{
    struct im_out line = {0};
    im_log_format(&line, file->format, now, level, subsystem, event, fields);
    put_line(file, &line);
    im_out_clear(&line);
}

static void tell_left_out(struct im_log_file *file, struct kind *kind, int64_t now)
{
    if (kind->left_out == 0)
        return;
    write_now(file, now, IM_LOG_WARN, "log", "lines left out",
              (struct im_kv[]){
                  IM_KS("sub", kind->subsystem), IM_KS("event", kind->event), IM_KN("count", kind->left_out), {0}});
    kind->left_out = 0;
}

/* The kind's counter, or one in its way: kinds that share a place share the bound. */
static struct kind *find_kind(struct im_log_file *file, const char *subsystem, const char *event)
{
    uint32_t hash = 2166136261u;
    for (const char *p = subsystem; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    for (const char *p = event; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    struct kind *kind = &file->kinds[hash % KINDS];
    kind->subsystem = subsystem;
    kind->event = event;
    return kind;
}

static bool may_write(struct im_log_file *file, struct kind *kind, int64_t now)
{
    if (kind->second != now / 1000) {
        tell_left_out(file, kind, now);
        kind->second = now / 1000;
        kind->written = 0;
    }
    if (kind->written++ < IM_LOG_RATE)
        return true;
    kind->left_out++;
    return false;
}

static void log_write(struct im_log *log, enum im_log_level level, const char *subsystem, const char *event,
                      const struct im_kv *fields)
{
    struct im_log_file *file = (struct im_log_file *)log;
    int64_t now = im_log_wall_ms();
    pthread_mutex_lock(&file->lock);
    if (may_write(file, find_kind(file, subsystem, event), now))
        write_now(file, now, level, subsystem, event, fields);
    pthread_mutex_unlock(&file->lock);
}

void im_log_file_flush(struct im_log_file *file)
{
    int64_t now = im_log_wall_ms();
    pthread_mutex_lock(&file->lock);
    for (size_t i = 0; i < KINDS; i++)
        if (file->kinds[i].second != now / 1000)
            tell_left_out(file, &file->kinds[i], now);
    pthread_mutex_unlock(&file->lock);
}

static enum im_reason open_path(const char *path, int *fd, struct im_error *error)
{
    *fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640) : STDERR_FILENO;
    if (*fd < 0)
        return im_fail(error, IM_SYSTEM, "log file %s: %s", path, strerror(errno));
    return IM_OK;
}

static void close_fd(int fd)
{
    if (fd >= 0 && fd != STDERR_FILENO)
        close(fd);
}

enum im_reason im_log_file_open(struct im_log_file **out, const char *path, enum im_log_format format,
                                enum im_log_level level, struct im_error *error)
{
    struct im_log_file *file = im_zalloc(sizeof *file);
    file->fd = -1;
    file->log.write = log_write;
    pthread_mutex_init(&file->lock, NULL);
    enum im_reason r = im_log_file_configure(file, path, format, level, error);
    if (r != IM_OK)
        im_log_file_close(&file);
    *out = file;
    return r;
}

void im_log_file_close(struct im_log_file **file)
{
    struct im_log_file *f = *file;
    *file = NULL;
    if (!f)
        return;
    close_fd(f->fd);
    pthread_mutex_destroy(&f->lock);
    free(f->path);
    free(f);
}

struct im_log *im_log_file_log(struct im_log_file *file)
{
    return file ? &file->log : NULL;
}

enum im_reason im_log_file_reopen(struct im_log_file *file, struct im_error *error)
{
    int fd;
    enum im_reason r = open_path(file->path, &fd, error);
    if (r != IM_OK)
        return r;
    pthread_mutex_lock(&file->lock);
    close_fd(file->fd);
    file->fd = fd;
    pthread_mutex_unlock(&file->lock);
    return IM_OK;
}

enum im_reason im_log_file_configure(struct im_log_file *file, const char *path, enum im_log_format format,
                                     enum im_log_level level, struct im_error *error)
{
    int fd;
    enum im_reason r = open_path(path, &fd, error);
    if (r != IM_OK)
        return r;
    pthread_mutex_lock(&file->lock);
    close_fd(file->fd);
    file->fd = fd;
    free(file->path);
    file->path = path ? im_strndup(path, strlen(path)) : NULL;
    file->format = format;
    file->log.level = level;
    pthread_mutex_unlock(&file->lock);
    return IM_OK;
}
