#include <unistd.h>

#include "stores/sqlite_boot.h"
#include "stores/stores.h"

enum im_reason im_store_sqlite_look(const char *path, int64_t *version, int64_t *known, struct im_error *error)
{
    struct im_db db = {0};
    *version = 0;
    *known = im_schema_version;
    if (access(path, F_OK) != 0)
        return IM_OK; /* it will be made */
    int rc = im_db_open(&db, path, IM_DB_READER);
    if (rc == SQLITE_OK)
        rc = im_db_number(&db, "PRAGMA user_version", version);
    enum im_reason r = IM_OK;
    if (rc != SQLITE_OK)
        r = im_fail(error, im_db_reason(rc), "%s: %s", path, sqlite3_errmsg(db.sqlite));
    else if (*version > *known)
        r = im_fail(error, IM_STORE_NEWER, "%s has schema version %lld, this program knows up to %lld", path,
                    (long long)*version, (long long)*known);
    im_db_close(&db);
    return r;
}
