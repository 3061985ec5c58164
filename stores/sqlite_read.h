#ifndef IM_STORES_SQLITE_READ_H
#define IM_STORES_SQLITE_READ_H

#include "core/log.h"
#include "stores/sqlite_db.h"

/* One connection that only reads, each operation in a short transaction of its own. Used on one thread. */
struct im_reader {
    struct im_db db;
    struct im_log *log;
    const char *path; /* to tell how large the files are */
};

/* Carries out one operation and returns its status; on an error nothing is given back. */
enum im_reason im_reader_perform(struct im_reader *, struct im_store_op *);

#endif
