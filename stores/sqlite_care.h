#ifndef IM_STORES_SQLITE_CARE_H
#define IM_STORES_SQLITE_CARE_H

#include "stores/sqlite_db.h"

/* Copying a database that is in use, and looking at all of one. Each on connections of its own. */

/* stop: another reason to give up. */
enum im_reason im_care_perform(const char *path, struct im_store_care *, const atomic_bool *stop);

#endif
