#include "tests/unit/fault_vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

atomic_int faults[FAULT_COUNT], fault_errno;

struct file {
    sqlite3_file base;
    int wal, db; /* what it is */
    sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;

#define REAL(f)              (((struct file *)(f))->real)
#define CALL(f, method, ...) (REAL(f)->pMethods->method(REAL(f), __VA_ARGS__))
#define CALL0(f, method)     (REAL(f)->pMethods->method(REAL(f)))

static int fault_of(sqlite3_file *f, enum fault on_wal, enum fault on_db)
{
    const struct file *file = (struct file *)f;
    int rc = file->wal ? faults[on_wal] : file->db ? faults[on_db] : 0;
    if (rc)
        errno = fault_errno;
    return rc;
}

static int f_close(sqlite3_file *f)
{
    return CALL0(f, xClose);
}

static int f_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    int rc = fault_of(f, FAULT_WAL_READ, FAULT_DB_READ);
    return rc ? rc : CALL(f, xRead, to, n, at);
}

static int f_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    int rc = fault_of(f, FAULT_WAL_WRITE, FAULT_DB_WRITE);
    return rc ? rc : CALL(f, xWrite, from, n, at);
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return CALL(f, xTruncate, size);
}

static int f_sync(sqlite3_file *f, int flags)
{
    int rc = fault_of(f, FAULT_WAL_SYNC, FAULT_DB_SYNC);
    return rc ? rc : CALL(f, xSync, flags);
}

static int f_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return CALL(f, xFileSize, size);
}

static int f_lock(sqlite3_file *f, int level)
{
    return CALL(f, xLock, level);
}

static int f_unlock(sqlite3_file *f, int level)
{
    return CALL(f, xUnlock, level);
}

static int f_check(sqlite3_file *f, int *out)
{
    return CALL(f, xCheckReservedLock, out);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
    return CALL(f, xFileControl, op, arg);
}

static int f_sector(sqlite3_file *f)
{
    return CALL0(f, xSectorSize);
}

static int f_character(sqlite3_file *f)
{
    return CALL0(f, xDeviceCharacteristics);
}

static int f_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return CALL(f, xShmMap, page, size, extend, out);
}

static int f_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return CALL(f, xShmLock, at, n, flags);
}

static void f_shm_barrier(sqlite3_file *f)
{
    CALL0(f, xShmBarrier);
}

static int f_shm_unmap(sqlite3_file *f, int remove)
{
    return CALL(f, xShmUnmap, remove);
}

static const sqlite3_io_methods methods = {
    2,         f_close,  f_read,      f_write,   f_truncate, f_sync,        f_size,      f_lock, f_unlock, f_check,
    f_control, f_sector, f_character, f_shm_map, f_shm_lock, f_shm_barrier, f_shm_unmap, NULL,   NULL};

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct file *file = (struct file *)f;
    (void)vfs;
    file->wal = (flags & SQLITE_OPEN_WAL) != 0;
    file->db = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    file->real = (sqlite3_file *)(file + 1);
    int rc = real_vfs->xOpen(real_vfs, name, file->real, flags, out);
    file->base.pMethods = file->real->pMethods ? &methods : NULL;
    return rc;
}

static int v_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

void fault_vfs_install(void)
{
    static sqlite3_vfs vfs;
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "fault";
    vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
    vfs.xOpen = v_open;
    vfs.xSleep = v_sleep;
    sqlite3_vfs_register(&vfs, 1);
}

void fault_vfs_clear(void)
{
    for (int i = 0; i < FAULT_COUNT; i++)
        faults[i] = 0;
}
