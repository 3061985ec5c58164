#include "tools/imd/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/bytes.h"
#include "core/mem.h"

#define KINDS          64
#define PARTS_MAX      32
#define LEVEL_OF_ALL   -1
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

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
    uint64_t rate;
    uint64_t lost; /* lines that could not be written, and this not told yet */
    enum im_log_level level;
    signed char parts[PARTS_MAX]; /* by number in im_subsystems[]: an enum im_log_level, or LEVEL_OF_ALL */
    struct kind kinds[KINDS];
    void (*tap_wake)(void *arg); /* NULL: nobody listens */
    void *tap_arg;
    struct im_out tapped;
    uint64_t tap_lost;
};

int64_t im_log_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A log that cannot be written must not stop the server: what the file or the journal does not take is lost. */
static bool put_line(struct im_log_file *file, const struct im_out *line)
{
    size_t n = 0;
    while (n < line->len) {
        ssize_t wrote = write(file->fd, im_out_data(line) + n, line->len - n);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        n += (size_t)wrote;
    }
    return true;
}

static void tap(struct im_log_file *file, int64_t now, enum im_log_level level, const char *subsystem,
                const char *event, const struct im_kv *fields)
{
    if (file->tapped.len > IM_LOG_TAP_BYTES) {
        file->tap_lost++;
        return;
    }
    bool first = file->tapped.len == 0;
    im_log_format(&file->tapped, IM_LOG_JSON, now, level, subsystem, event, fields);
    if (first)
        file->tap_wake(file->tap_arg);
}

static bool write_one(struct im_log_file *file, int64_t now, enum im_log_level level, const char *subsystem,
                      const char *event, const struct im_kv *fields)
{
    struct im_out line = {0};
    if (file->tap_wake)
        tap(file, now, level, subsystem, event, fields);
    im_log_format(&line, file->format, now, level, subsystem, event, fields);
    bool written = put_line(file, &line);
    im_out_clear(&line);
    return written;
}

static void write_now(struct im_log_file *file, int64_t now, enum im_log_level level, const char *subsystem,
                      const char *event, const struct im_kv *fields)
{
    const struct im_kv count[] = {IM_KN("count", (int64_t)file->lost), {0}};
    if (file->lost > 0 && write_one(file, now, IM_LOG_WARN, "log", "lines lost", count))
        file->lost = 0;
    if (file->lost > 0 || !write_one(file, now, level, subsystem, event, fields))
        file->lost++;
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
    if (kind->written++ < file->rate || file->rate == 0)
        return true;
    kind->left_out++;
    return false;
}

static int find_part(const char *name)
{
    for (size_t i = 0; i < im_subsystem_count; i++)
        if (strcmp(im_subsystems[i], name) == 0)
            return (int)i;
    return -1;
}

/* Under the lock. */
static enum im_log_level level_of(const struct im_log_file *file, const char *subsystem)
{
    int part = subsystem ? find_part(subsystem) : -1;
    return part < 0 || file->parts[part] == LEVEL_OF_ALL ? file->level : (enum im_log_level)file->parts[part];
}

static void log_write(struct im_log *log, enum im_log_level level, const char *subsystem, const char *event,
                      const struct im_kv *fields)
{
    struct im_log_file *file = (struct im_log_file *)log;
    int64_t now = im_log_wall_ms();
    pthread_mutex_lock(&file->lock);
    if (level <= level_of(file, subsystem) && may_write(file, find_kind(file, subsystem, event), now))
        write_now(file, now, level, subsystem, event, fields);
    pthread_mutex_unlock(&file->lock);
}

void im_log_file_tap(struct im_log_file *file, void (*wake)(void *arg), void *arg)
{
    pthread_mutex_lock(&file->lock);
    file->tap_wake = wake;
    file->tap_arg = arg;
    if (wake == NULL) {
        im_out_clear(&file->tapped);
        file->tap_lost = 0;
    }
    pthread_mutex_unlock(&file->lock);
}

uint64_t im_log_file_take(struct im_log_file *file, struct im_out *out)
{
    pthread_mutex_lock(&file->lock);
    uint64_t lost = file->tap_lost;
    im_out_put(out, im_out_data(&file->tapped), file->tapped.len);
    im_out_clear(&file->tapped);
    file->tap_lost = 0;
    pthread_mutex_unlock(&file->lock);
    return lost;
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

const char *im_log_path(const struct im_config *config)
{
    bool journal = config->log_format == IM_LOG_JOURNALD;
    return config->log_file || !journal ? config->log_file : JOURNAL_SOCKET;
}

/* One datagram is one entry: see "Native Journal Protocol" of systemd. */
static int open_journal(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof sun.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(sun.sun_path, path, len);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)(const void *)&sun, sizeof sun) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static enum im_reason open_path(const char *path, enum im_log_format format, int *fd, struct im_error *error)
{
    if (!path)
        *fd = STDERR_FILENO;
    else if (format == IM_LOG_JOURNALD)
        *fd = open_journal(path);
    else
        *fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (*fd < 0)
        return im_fail(error, IM_SYSTEM, "log file %s: %s", path, strerror(errno));
    return IM_OK;
}

static void close_fd(int fd)
{
    if (fd >= 0 && fd != STDERR_FILENO)
        close(fd);
}

enum im_reason im_log_file_open(struct im_log_file **out, const struct im_config *config, struct im_error *error)
{
    struct im_log_file *file = im_zalloc(sizeof *file);
    file->fd = -1;
    file->log.write = log_write;
    pthread_mutex_init(&file->lock, NULL);
    enum im_reason r = im_log_file_configure(file, config, error);
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
    im_out_clear(&f->tapped);
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
    enum im_reason r = open_path(file->path, file->format, &fd, error);
    if (r != IM_OK)
        return r;
    pthread_mutex_lock(&file->lock);
    close_fd(file->fd);
    file->fd = fd;
    pthread_mutex_unlock(&file->lock);
    return IM_OK;
}

/* Under the lock: what IM_LOG() lets through is what at least one part wants. */
static void open_gate(struct im_log_file *file)
{
    enum im_log_level most = file->level;
    for (size_t i = 0; i < im_subsystem_count; i++)
        if (file->parts[i] > (int)most)
            most = (enum im_log_level)file->parts[i];
    file->log.level = most;
}

static void read_levels(struct im_log_file *file, const struct im_config *config)
{
    size_t part;
    unsigned level;
    assert(im_subsystem_count <= PARTS_MAX);
    memset(file->parts, LEVEL_OF_ALL, sizeof file->parts);
    file->level = (enum im_log_level)config->log_level;
    for (size_t i = 0; i < config->log_parts.n; i++)
        if (im_log_part(im_str(config->log_parts.v[i]), &part, &level, NULL) == IM_OK)
            file->parts[part] = (signed char)level;
    open_gate(file);
}

bool im_log_file_set_level(struct im_log_file *file, const char *part, enum im_log_level level)
{
    int n = part ? find_part(part) : -1;
    if (part && n < 0)
        return false;
    pthread_mutex_lock(&file->lock);
    if (part)
        file->parts[n] = (signed char)level;
    else
        file->level = level;
    open_gate(file);
    pthread_mutex_unlock(&file->lock);
    return true;
}

enum im_log_level im_log_file_level(struct im_log_file *file, const char *part)
{
    pthread_mutex_lock(&file->lock);
    enum im_log_level level = level_of(file, part);
    pthread_mutex_unlock(&file->lock);
    return level;
}

enum im_reason im_log_file_configure(struct im_log_file *file, const struct im_config *config, struct im_error *error)
{
    int fd;
    const char *path = im_log_path(config);
    enum im_log_format format = (enum im_log_format)config->log_format;
    enum im_reason r = open_path(path, format, &fd, error);
    if (r != IM_OK)
        return r;
    pthread_mutex_lock(&file->lock);
    close_fd(file->fd);
    file->fd = fd;
    free(file->path);
    file->path = path ? im_strndup(path, strlen(path)) : NULL;
    file->format = format;
    file->rate = config->log_rate;
    read_levels(file, config);
    pthread_mutex_unlock(&file->lock);
    return IM_OK;
}
