#include "stores/sqlite_read.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "stores/result.h"

static uint64_t file_bytes(const char *path, const char *suffix)
{
    struct stat st;
    size_t size = strlen(path) + strlen(suffix) + 1;
    char *name = im_alloc(size);
    snprintf(name, size, "%s%s", path, suffix);
    uint64_t bytes = stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
    free(name);
    return bytes;
}

static int do_stats(struct im_reader *r, struct im_store_stats *op)
{
    struct im_tally tally = {0};
    int rc = im_db_tally(&r->db, &tally, NULL);
    op->events = tally.events;
    op->users = tally.users;
    op->conversations = tally.convs + tally.groups;
    op->groups = tally.groups;
    op->head = tally.head;
    op->bytes = file_bytes(r->path, "") + file_bytes(r->path, "-wal");
    return rc;
}

static int perform(struct im_reader *r, struct im_store_op *op, enum im_reason *status)
{
    switch (op->kind) {
    case IM_STORE_SINCE:
        return im_read_since(r, (struct im_store_since *)op);
    case IM_STORE_HISTORY:
        return im_read_history(r, (struct im_store_history *)op, status);
    case IM_STORE_SEARCH:
        return im_read_search(r, (struct im_store_search *)op, status);
    case IM_STORE_CONVERSATIONS:
        return im_read_conversations(r, (struct im_store_conversations *)op);
    case IM_STORE_GROUPS:
        return im_read_groups(r, (struct im_store_groups *)op, status);
    case IM_STORE_MEMBERS:
        return im_read_members(r, (struct im_store_members *)op, status);
    case IM_STORE_DEVICES:
        return im_read_devices(r, (struct im_store_devices *)op);
    case IM_STORE_USERS:
        return im_read_users(r, (struct im_store_users *)op);
    case IM_STORE_RECORDS:
        return im_read_records(r, (struct im_store_records *)op);
    case IM_STORE_FIND:
        return im_read_find(r, (struct im_store_find *)op);
    case IM_STORE_STATS:
        return do_stats(r, (struct im_store_stats *)op);
    default:
        assert(!"a write in the lane of reads");
        return SQLITE_MISUSE;
    }
}

enum im_reason im_reader_perform(struct im_reader *r, struct im_store_op *op)
{
    enum im_reason status = IM_OK;
    errno = 0;
    int rc = im_db_run(im_db_use(&r->db, IM_SQL_BEGIN));
    if (rc == SQLITE_OK)
        rc = perform(r, op, &status);
    enum im_reason failure = im_db_reason(rc);
    if (rc != SQLITE_OK)
        IM_LOG(r->log, IM_LOG_ERROR, "store", "read_failed", IM_KN("code", rc), IM_KS("error", sqlite3_errstr(rc)));
    if (rc != SQLITE_OK || status != IM_OK)
        im_result_clear(op);
    if (!sqlite3_get_autocommit(r->db.sqlite))
        im_db_run(im_db_use(&r->db, IM_SQL_COMMIT));
    return rc == SQLITE_OK ? status : failure;
}
