#include "stores/sqlite_care.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "stores/sqlite_boot.h"
#include "stores/stores.h"

#define PAGES_AT_A_TIME 256
/* How often a check looks whether it shall stop, in steps of SQLite's machine. */
#define STEPS_AT_A_TIME 100000

struct work {
    struct im_store_care *care;
    const atomic_bool *stop;
    const char *path; /* of what the problem is with */
};

static bool stopped(const struct work *w)
{
    return (w->stop && atomic_load(w->stop)) || (w->care->stop && atomic_load(w->care->stop));
}

static int on_progress(void *arg)
{
    return stopped(arg);
}

static enum im_reason problem(const struct work *w, enum im_reason reason, const char *what)
{
    snprintf(w->care->problem, sizeof w->care->problem, "%.140s: %.140s", w->path, what);
    return reason;
}

static enum im_reason failed(const struct work *w, int rc, sqlite3 *db)
{
    int plain = rc & 0xff;
    if (plain == SQLITE_INTERRUPT || stopped(w))
        return problem(w, IM_DRAIN, "given up, since the server stops");
    enum im_reason reason = im_db_reason(rc);
    if (plain == SQLITE_CORRUPT || plain == SQLITE_NOTADB)
        reason = IM_STORE_CORRUPT;
    else if (plain == SQLITE_CANTOPEN || plain == SQLITE_READONLY || plain == SQLITE_PERM)
        reason = IM_SYSTEM;
    return problem(w, reason, db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

/* Looking at all of it. */

/* The first column of the first row, as text, which must be `wanted`; wanted NULL: there must be no row. */
static enum im_reason must_say(const struct work *w, sqlite3 *db, const char *sql, const char *wanted,
                               const char *else_)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    if (rc != SQLITE_OK)
        return failed(w, rc, db);
    rc = sqlite3_step(s);
    enum im_reason reason = IM_OK;
    const char *said = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        reason = failed(w, rc, db);
    else if ((rc == SQLITE_ROW) != (wanted != NULL) || (wanted && (!said || strcmp(said, wanted) != 0)))
        reason = problem(w, IM_STORE_CORRUPT, else_ ? else_ : said ? said : "no answer");
    sqlite3_finalize(s);
    return reason;
}

static enum im_reason is_ours(const struct work *w, sqlite3 *db)
{
    char id[16], newer[80];
    snprintf(id, sizeof id, "%d", IM_APPLICATION_ID);
    snprintf(newer, sizeof newer, "SELECT 1 FROM pragma_user_version WHERE user_version > %d", im_schema_version);
    enum im_reason reason = must_say(w, db, "PRAGMA application_id", id, "this is no store of imd");
    if (reason == IM_OK)
        reason = must_say(w, db, newer, NULL, "it was written by a newer version");
    return reason;
}

static enum im_reason is_sound(const struct work *w, sqlite3 *db)
{
    enum im_reason reason = is_ours(w, db);
    if (reason == IM_OK)
        reason = must_say(w, db, "PRAGMA integrity_check(1)", "ok", NULL);
    if (reason == IM_OK)
        reason = must_say(w, db, "PRAGMA foreign_key_check", NULL, "a row refers to one that is not there");
    if (reason == IM_OK)
        reason = must_say(w, db, "SELECT count(*) FROM log WHERE events = (SELECT count(*) FROM events)", "1",
                          "the log counts other events than there are");
    if (reason == IM_OK)
        reason = must_say(w, db, "SELECT count(*) FROM log WHERE head >= (SELECT coalesce(max(pos), 0) FROM events)",
                          "1", "the log ends before its last event");
    return reason;
}

static void measure(const struct work *w, struct im_db *db)
{
    int64_t events = 0, bytes = 0;
    if (im_db_number(db, "SELECT events FROM log", &events) == SQLITE_OK &&
        im_db_number(db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", &bytes) ==
            SQLITE_OK) {
        w->care->events = (uint64_t)events;
        w->care->bytes = (uint64_t)bytes;
    }
}

/* One snapshot for all questions. */
static enum im_reason check(struct work *w, const char *path)
{
    struct im_db db = {0};
    w->path = path;
    int rc = im_db_open(&db, path, IM_DB_READER);
    if (rc == SQLITE_OK)
        rc = im_db_exec(&db, "BEGIN");
    enum im_reason reason = rc == SQLITE_OK ? IM_OK : failed(w, rc, db.sqlite);
    if (reason == IM_OK) {
        sqlite3_progress_handler(db.sqlite, STEPS_AT_A_TIME, on_progress, w);
        reason = is_sound(w, db.sqlite);
    }
    if (reason == IM_OK)
        measure(w, &db);
    im_db_close(&db);
    return reason;
}

/* Copying. */

/* The source stays at one moment as long as its transaction is open, so that nothing that is written meanwhile makes
 * the copy start over. */
static enum im_reason copy_pages(const struct work *w, struct im_db *from, struct im_db *to)
{
    int64_t any;
    int rc = im_db_exec(from, "BEGIN");
    if (rc == SQLITE_OK)
        rc = im_db_number(from, "SELECT count(*) FROM sqlite_schema", &any);
    if (rc != SQLITE_OK)
        return failed(w, rc, from->sqlite);
    sqlite3_backup *backup = sqlite3_backup_init(to->sqlite, "main", from->sqlite, "main");
    if (!backup)
        return failed(w, sqlite3_errcode(to->sqlite), to->sqlite);
    while (rc == SQLITE_OK && !stopped(w))
        rc = sqlite3_backup_step(backup, PAGES_AT_A_TIME);
    sqlite3_backup_finish(backup);
    return rc == SQLITE_DONE ? IM_OK : failed(w, rc == SQLITE_OK ? SQLITE_INTERRUPT : rc, NULL);
}

/* A copy that is not finished is thrown away, so that it needs no journal; in the end it is one file by itself. */
static enum im_reason copy_database(struct work *w, const char *from_path, const char *to_path)
{
    struct im_db from = {0}, to = {0};
    w->path = from_path;
    int rc = im_db_open(&from, from_path, IM_DB_READER);
    enum im_reason reason = rc == SQLITE_OK ? is_ours(w, from.sqlite) : failed(w, rc, from.sqlite);
    if (reason == IM_OK) {
        w->path = to_path;
        rc = im_db_open(&to, to_path, IM_DB_WRITER);
        if (rc == SQLITE_OK)
            rc = im_db_exec(&to, "PRAGMA journal_mode = off; PRAGMA synchronous = off");
        reason = rc == SQLITE_OK ? copy_pages(w, &from, &to) : failed(w, rc, to.sqlite);
    }
    if (reason == IM_OK && (rc = im_db_exec(&to, "PRAGMA journal_mode = delete")) != SQLITE_OK)
        reason = failed(w, rc, to.sqlite);
    im_db_close(&to);
    im_db_close(&from);
    return reason;
}

static enum im_reason make_file(struct work *w, const char *path)
{
    w->path = path;
    unlink(path); /* of an earlier one that did not end */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return problem(w, IM_SYSTEM, strerror(errno));
    close(fd);
    return IM_OK;
}

static bool sync_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return synced;
}

/* A checked copy at `part`; nothing is left there if there is none. */
static enum im_reason copy_checked(struct work *w, const char *from, const char *part)
{
    enum im_reason reason = make_file(w, part);
    if (reason == IM_OK)
        reason = copy_database(w, from, part);
    if (reason == IM_OK)
        reason = check(w, part);
    if (reason == IM_OK && !sync_file(part))
        reason = problem(w, IM_STORE_FAILED, strerror(errno));
    if (reason != IM_OK)
        unlink(part);
    return reason;
}

static char *with_suffix(const char *path, const char *suffix)
{
    char *name;
    if (asprintf(&name, "%s%s", path, suffix) < 0)
        abort();
    return name;
}

static enum im_reason backup(struct work *w, const char *from)
{
    const char *path = w->care->path;
    struct stat st;
    w->path = path;
    if (lstat(path, &st) == 0)
        return problem(w, IM_CONFLICT, "is there already");
    char *part = with_suffix(path, ".part");
    enum im_reason reason = copy_checked(w, from, part);
    w->path = path;
    if (reason == IM_OK && (link(part, path) != 0 || !im_boot_sync_folder(path)))
        reason = problem(w, errno == EEXIST ? IM_CONFLICT : IM_SYSTEM, strerror(errno));
    unlink(part);
    free(part);
    return reason;
}

enum im_reason im_care_perform(const char *path, struct im_store_care *care, const atomic_bool *stop)
{
    struct work w = {.care = care, .stop = stop};
    errno = 0;
    return care->op.kind == IM_STORE_BACKUP ? backup(&w, path) : check(&w, path);
}

/* Restoring. */

static int set_epoch(const char *path, const uint8_t seed[16])
{
    struct im_db db = {0};
    char text[100] = "UPDATE log SET epoch = '";
    size_t n = strlen(text);
    for (unsigned i = 0; i < 16; i++, n += 2)
        snprintf(text + n, 3, "%02x", seed[i]);
    snprintf(text + n, sizeof text - n, "'");
    int rc = im_db_open(&db, path, IM_DB_WRITER);
    if (rc == SQLITE_OK)
        rc = im_db_exec(&db, text);
    im_db_close(&db);
    return rc;
}

/* So that it is one file. One that is damaged may have to stay two. */
static void fold(const char *path)
{
    struct im_db db = {0};
    if (im_db_open(&db, path, IM_DB_WRITER) == SQLITE_OK)
        im_db_exec(&db, "PRAGMA wal_checkpoint(truncate)");
    im_db_close(&db);
}

static enum im_reason moved(const char *from, const char *to, struct im_error *error)
{
    if (rename(from, to) == 0 || errno == ENOENT)
        return IM_OK;
    return im_fail(error, IM_SYSTEM, "%s: %s", to, strerror(errno));
}

/* What is there goes aside, and the new one takes its place in one step. */
static enum im_reason exchange(const char *path, const char *fresh, struct im_error *error)
{
    char *old = with_suffix(path, ".replaced"), *old_wal = with_suffix(path, ".replaced-wal");
    char *wal = with_suffix(path, "-wal"), *shm = with_suffix(path, "-shm");
    enum im_reason reason = IM_OK;
    unlink(old);
    unlink(old_wal);
    if (link(path, old) != 0 && errno != ENOENT)
        reason = im_fail(error, IM_SYSTEM, "%s: %s", old, strerror(errno));
    if (reason == IM_OK)
        reason = moved(wal, old_wal, error);
    unlink(shm);
    if (reason == IM_OK)
        reason = moved(fresh, path, error);
    if (reason == IM_OK && !im_boot_sync_folder(path))
        reason = im_fail(error, IM_SYSTEM, "%s: cannot sync its directory: %s", path, strerror(errno));
    free(old);
    free(old_wal);
    free(wal);
    free(shm);
    return reason;
}

enum im_reason im_store_sqlite_restore(const char *path, const char *from, const uint8_t epoch_seed[16],
                                       struct im_error *error)
{
    struct im_store_care care = {.path = path};
    struct work w = {.care = &care};
    int lock = -1, rc;
    enum im_reason reason = im_boot_lock(path, &lock, error);
    if (reason != IM_OK)
        return reason;
    char *fresh = with_suffix(path, ".restoring");
    reason = copy_checked(&w, from, fresh);
    if (reason == IM_OK && (rc = set_epoch(fresh, epoch_seed)) != SQLITE_OK)
        reason = failed(&w, rc, NULL);
    if (reason != IM_OK) {
        im_fail(error, reason, "%s", care.problem);
    } else {
        fold(path);
        reason = exchange(path, fresh, error);
    }
    if (reason != IM_OK)
        unlink(fresh);
    free(fresh);
    close(lock);
    return reason;
}
