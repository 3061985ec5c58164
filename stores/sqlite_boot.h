#ifndef IM_STORES_SQLITE_BOOT_H
#define IM_STORES_SQLITE_BOOT_H

#include "stores/sqlite_db.h"

/* Finding out whether a file may be used as the log, and making it so. */

#define IM_APPLICATION_ID 0x696d6464 /* "imdd": in the file's header, so that file(1) and we know it */

extern const int im_schema_version;

/* Brings the schema to im_schema_version, in one transaction; on an error the caller closes the connection. */
int im_schema_migrate(struct im_db *, const uint8_t seed[16]);

/* Takes PATH.lock, which holds until *fd is closed. IM_STORE_LOCKED names the process that has it. */
enum im_reason im_boot_lock(const char *path, int *fd, struct im_error *);
bool im_boot_sync_folder(const char *path); /* of the file at path */
/* Opens, checks and migrates; the connection is ready to write. Close it even after an error. */
enum im_reason im_boot_writer(const struct im_store_options *, struct im_db *, struct im_error *);

#endif
