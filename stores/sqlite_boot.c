#include "stores/sqlite_boot.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"

/* The file stays when we go: to remove it would race with the next one to come. */
enum im_reason im_boot_lock(const char *path, int *fd, struct im_error *error)
{
    char pid[24] = "";
    enum im_reason reason = IM_OK;
    size_t len = strlen(path);
    char *name = im_alloc(len + sizeof ".lock");
    snprintf(name, len + sizeof ".lock", "%s.lock", path);
    *fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0) {
        reason = im_fail(error, IM_SYSTEM, "%s: %s", name, strerror(errno));
    } else if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t got = pread(*fd, pid, sizeof pid - 1, 0);
        pid[got > 0 ? strcspn(pid, "\n") : 0] = '\0';
        reason = im_fail(error, IM_STORE_LOCKED, "%s is in use by process %s", path, *pid ? pid : "(unknown)");
        close(*fd);
        *fd = -1;
    } else {
        int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
        if (ftruncate(*fd, 0) != 0 || pwrite(*fd, pid, (size_t)n, 0) != n)
            *pid = '\0'; /* on a full disk: others are told "unknown" */
    }
    free(name);
    return reason;
}

bool im_boot_sync_folder(const char *path)
{
    char *copy = im_strndup(path, strlen(path));
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    free(copy);
    return synced;
}

/* Makes sure there is a regular file for us alone, before SQLite opens it. (Never while it has: closing our
 * descriptor would drop its locks.) SQLite gives its other files the same permissions. */
static enum im_reason need_file(const char *path, struct im_error *error)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0 || fstat(fd, &st) != 0) {
        enum im_reason reason = im_fail(error, IM_SYSTEM, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return reason;
    }
    close(fd);
    if (!S_ISREG(st.st_mode))
        return im_fail(error, IM_CONFIG, "%s is not a regular file", path);
    if (st.st_size == 0 && !im_boot_sync_folder(path))
        return im_fail(error, IM_SYSTEM, "%s: cannot sync its directory: %s", path, strerror(errno));
    return IM_OK;
}

static enum im_reason failed(const struct im_store_options *o, struct im_db *db, int rc, struct im_error *error)
{
    enum im_reason reason = im_db_reason(rc);
    if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB)
        reason = IM_STORE_CORRUPT;
    else if ((rc & 0xff) == SQLITE_BUSY)
        reason = IM_STORE_LOCKED;
    else if ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY)
        reason = IM_SYSTEM;
    return im_fail(error, reason, "%s: %s", o->path, sqlite3_errmsg(db->sqlite));
}

/* Is it ours, or empty? Nothing is written before that is known. */
static enum im_reason check_owner(const struct im_store_options *o, struct im_db *db, struct im_error *error)
{
    int64_t id, version, tables;
    int rc = im_db_number(db, "PRAGMA application_id", &id);
    if (rc == SQLITE_OK)
        rc = im_db_number(db, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK)
        rc = im_db_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc != SQLITE_OK)
        return failed(o, db, rc, error);
    if (id != IM_APPLICATION_ID && (id != 0 || version != 0 || tables != 0))
        return im_fail(error, IM_CONFIG, "%s is a database of another program (application_id 0x%08x)", o->path,
                       (unsigned)id);
    if (version > im_schema_version)
        return im_fail(error, IM_STORE_NEWER, "%s has schema version %lld, this program knows up to %d", o->path,
                       (long long)version, im_schema_version);
    return IM_OK;
}

static enum im_reason quick_check(const struct im_store_options *o, struct im_db *db, struct im_error *error)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(db->sqlite, "PRAGMA quick_check(1)", -1, &s, NULL);
    if (rc != SQLITE_OK)
        return failed(o, db, rc, error);
    enum im_reason reason = IM_OK;
    rc = sqlite3_step(s);
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    if (rc != SQLITE_ROW)
        reason = failed(o, db, rc, error);
    else if (text == NULL || strcmp(text, "ok") != 0)
        reason = im_fail(error, IM_STORE_CORRUPT, "%s: %s", o->path, text ? text : "no answer from quick_check");
    sqlite3_finalize(s);
    return reason;
}

static enum im_reason need_wal(const struct im_store_options *o, struct im_db *db, struct im_error *error)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(db->sqlite, "PRAGMA journal_mode = WAL", -1, &s, NULL);
    if (rc != SQLITE_OK)
        return failed(o, db, rc, error);
    rc = sqlite3_step(s);
    bool wal = rc == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(s, 0), "wal") == 0;
    enum im_reason reason = rc != SQLITE_ROW ? failed(o, db, rc, error) : IM_OK;
    sqlite3_finalize(s);
    if (reason == IM_OK && !wal)
        return im_fail(error, IM_SYSTEM, "%s: this file system cannot hold a write-ahead log", o->path);
    return reason;
}

enum im_reason im_boot_writer(const struct im_store_options *o, struct im_db *db, struct im_error *error)
{
    enum im_reason reason = need_file(o->path, error);
    if (reason != IM_OK)
        return reason;
    int rc = im_db_open(db, o->path, IM_DB_WRITER);
    if (rc != SQLITE_OK)
        return failed(o, db, rc, error);
    if ((reason = check_owner(o, db, error)) != IM_OK || (!o->sound && (reason = quick_check(o, db, error)) != IM_OK) ||
        (reason = need_wal(o, db, error)) != IM_OK)
        return reason;
    rc = im_db_exec(db, o->sync_full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    if (rc == SQLITE_OK)
        rc = im_db_cache(db, o->cache_bytes);
    if (rc == SQLITE_OK)
        rc = im_schema_migrate(db, o->epoch_seed);
    if (rc == SQLITE_OK)
        rc = im_db_prepare(db, IM_DB_WRITER);
    return rc == SQLITE_OK ? IM_OK : failed(o, db, rc, error);
}
