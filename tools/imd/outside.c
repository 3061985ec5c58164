#include "tools/imd/outside.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "tools/imd/keys.h"
#include "tools/imd/log.h"
#include "tools/imd/unix_users.h"
#include "transports/tls.h"

struct check {
    const struct im_config *config;
    const struct im_config_places *places;
    const char *base; /* where relative paths begin; NULL: not made yet */
    struct im_out *errors;
    enum im_reason first;
};

static void found(struct check *c, enum im_reason reason, const char *key, const char *problem)
{
    im_config_report(c->places, key, problem, c->errors);
    if (c->first == IM_OK)
        c->first = reason;
}

/* Malloc'd; NULL: it lies in a directory that is not made yet. */
static char *resolve(const struct check *c, const char *path)
{
    char *whole;
    if (*path == '/')
        return im_strndup(path, strlen(path));
    if (!c->base || asprintf(&whole, "%s/%s", c->base, path) < 0)
        return NULL;
    return whole;
}

/* Can something be made in the directory that path lies in? With errno. */
static bool may_make(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash ? im_strndup(path, slash > path ? (size_t)(slash - path) : 1) : im_strndup(".", 1);
    bool may = access(parent, W_OK | X_OK) == 0;
    int error = errno;
    free(parent);
    errno = error;
    return may;
}

static void check_data_dir(struct check *c)
{
    char problem[200];
    struct stat st;
    const char *path = c->config->data_dir;
    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        errno = ENOTDIR;
    else if (access(path, R_OK | W_OK | X_OK) == 0 || (errno == ENOENT && may_make(path)))
        return;
    snprintf(problem, sizeof problem, "%.120s: %s", path, strerror(errno));
    found(c, IM_SYSTEM, "data_dir", problem);
}

static void check_log_file(struct check *c)
{
    char problem[200];
    const char *named = im_log_path(c->config);
    bool journal = c->config->log_format == IM_LOG_JOURNALD;
    char *path = named ? resolve(c, named) : NULL;
    if (path && access(path, W_OK) != 0 && (journal || errno != ENOENT || !may_make(path))) {
        snprintf(problem, sizeof problem, "%.120s: %s", named, strerror(errno));
        found(c, IM_SYSTEM, "log.file", problem);
    }
    free(path);
}

static void check_group(struct check *c)
{
    char problem[160];
    const char *group = c->config->admin_group;
    if (!group || getgrnam(group))
        return;
    snprintf(problem, sizeof problem, "no group \"%s\" on this system", group);
    found(c, IM_CONFIG, "admin.group", problem);
}

static void check_logins(struct check *c)
{
    struct im_error error;
    struct im_keys keys;
    struct imd_unix_users users;
    if (c->base && imd_keys_load(c->config, c->base, &keys, &error) != IM_OK)
        found(c, IM_CONFIG, "auth.jwt_keys", error.detail);
    else if (c->base)
        imd_keys_clear(&keys);
    if (imd_unix_users_load(c->config, &users, &error) != IM_OK)
        found(c, IM_CONFIG, "auth.unix_users", error.detail);
    else
        imd_unix_users_clear(&users);
}

/* The problem names the key within tls first: "tls.cert: …". */
static void report_tls(struct check *c, size_t i, enum im_reason reason, const char *problem)
{
    char key[64];
    const char *end = strncmp(problem, "tls.", 4) == 0 ? strstr(problem, ": ") : NULL;
    int len = end ? (int)(end - problem) : 0;
    snprintf(key, sizeof key, "listen[%zu].%.*s", i, end ? len : 3, end ? problem : "tls");
    found(c, reason, key, end ? end + 2 : problem);
}

static void check_certificate(struct check *c, size_t i)
{
    const struct im_listen_config *listen = &c->config->listen[i];
    char *cert = listen->tls_cert ? resolve(c, listen->tls_cert) : NULL;
    char *key = listen->tls_key ? resolve(c, listen->tls_key) : NULL;
    struct im_tls *tls = NULL;
    struct im_error error;
    enum im_reason r = cert && key ? im_tls_new(&tls, cert, key, &error) : IM_OK;
    if (r != IM_OK)
        report_tls(c, i, r, error.detail);
    im_tls_free(&tls);
    free(cert);
    free(key);
}

enum im_reason imd_outside_check(const struct im_config *config, const struct im_config_places *places, bool inside,
                                 struct im_out *errors)
{
    struct check c = {.config = config, .places = places, .errors = errors};
    if (inside)
        c.base = ".";
    else if (access(config->data_dir, F_OK) == 0)
        c.base = config->data_dir;
    if (!inside)
        check_data_dir(&c);
    check_log_file(&c);
    check_group(&c);
    check_logins(&c);
    for (size_t i = 0; i < config->listen_count; i++)
        check_certificate(&c, i);
    return c.first;
}
