#ifndef IM_TESTS_UNIT_FAULT_VFS_H
#define IM_TESTS_UNIT_FAULT_VFS_H

#include <stdatomic.h>

/* A default VFS for SQLite that does as the real one until told to fail. 0: do not fail; otherwise the result code to
 * give, with errno set to fault_errno. Sleeping takes no time, so that waiting for a lock is over at once. */
enum fault {
    FAULT_WAL_WRITE,
    FAULT_WAL_SYNC,
    FAULT_WAL_READ,
    FAULT_DB_WRITE,
    FAULT_DB_SYNC,
    FAULT_DB_READ,
    FAULT_COUNT
};
extern atomic_int faults[FAULT_COUNT], fault_errno;

void fault_vfs_install(void);
void fault_vfs_clear(void);

#endif
