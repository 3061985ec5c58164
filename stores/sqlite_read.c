#include "stores/sqlite_read.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "stores/result.h"

/* Finds the first event of item's conversation with at least this seq; its pos is UINT64_MAX if there is none. */
static int seek(struct im_reader *r, struct im_merge_item *item, uint64_t seq)
{
    sqlite3_stmt *s = im_db_use(&r->db, IM_SQL_PLACE);
    im_db_bind_u64(s, 1, item->source);
    im_db_bind_u64(s, 2, seq);
    int rc = sqlite3_step(s);
    item->at = rc == SQLITE_ROW ? im_db_u64(s, 0) : seq;
    item->pos = rc == SQLITE_ROW ? im_db_u64(s, 1) : UINT64_MAX;
    return im_db_done(s, rc);
}

/* Finds the first event of item's conversation with pos > after. Both seq and pos only grow, so the index by seq is
 * enough: from the end backwards in growing steps, since most have seen most, and then by halves. */
static int seek_after(struct im_reader *r, struct im_merge_item *item, uint64_t last_seq, uint64_t after)
{
    uint64_t low = 0, high = last_seq + 1; /* seen up to low; not from high on */
    for (uint64_t step = 1; high - low > 1; step *= 2) {
        uint64_t probe = low == 0 && step < high ? high - step : low + (high - low) / 2;
        int rc = seek(r, item, probe);
        if (rc != SQLITE_OK)
            return rc;
        if (item->pos > after)
            high = probe;
        else
            low = probe;
    }
    return seek(r, item, high);
}

static int merge_start(struct im_reader *r, struct im_merge *merge, int64_t user, uint64_t after)
{
    sqlite3_stmt *s = im_db_use(&r->db, IM_SQL_CONVS_AFTER);
    sqlite3_bind_int64(s, 1, user);
    im_db_bind_u64(s, 2, after);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct im_merge_item item = {.source = im_db_u64(s, 0)};
        rc = seek_after(r, &item, im_db_u64(s, 1), im_db_u64(s, 2));
        if (rc != SQLITE_OK)
            break;
        if (item.pos != UINT64_MAX)
            im_merge_add(merge, item);
    }
    return im_db_done(s, rc);
}

/* Takes the first event of the merge over to the page. */
static int merge_step(struct im_reader *r, struct im_merge *merge, struct im_page *page)
{
    struct im_merge_item item = merge->heap[0];
    struct im_event *event;
    int rc = im_db_event(&r->db, item.pos, &event);
    if (rc != SQLITE_OK)
        return rc;
    im_page_add(page, event);
    rc = seek(r, &item, item.at + 1);
    if (rc == SQLITE_OK && item.pos != UINT64_MAX)
        im_merge_replace(merge, item);
    else
        im_merge_remove(merge);
    return rc;
}

static int do_since(struct im_reader *r, struct im_store_since *op)
{
    struct im_page page = im_page(op->limit, op->bytes);
    struct im_merge merge = {0};
    struct im_tally tally;
    int64_t user = 0;
    int rc = im_db_tally(&r->db, &tally, NULL);
    if (rc == SQLITE_OK)
        rc = im_db_user(&r->db, op->key, &user);
    if (rc == SQLITE_OK)
        rc = merge_start(r, &merge, user, op->after);
    while (rc == SQLITE_OK && merge.count > 0 && !im_page_full(&page))
        rc = merge_step(r, &merge, &page);
    if (merge.count > 0 && page.count > 0)
        op->upto = page.events[page.count - 1]->msg.pos;
    else
        op->upto = op->after > tally.head ? op->after : tally.head;
    op->events = page.events;
    op->count = page.count;
    im_merge_clear(&merge);
    return rc;
}

static int history_rows(struct im_store_history *op, sqlite3_stmt *s, struct im_page *page)
{
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct im_event *event;
        op->more = im_page_full(page);
        if (op->more)
            break;
        rc = im_db_event_row(s, &event);
        if (rc != SQLITE_OK)
            break;
        im_page_add(page, event);
    }
    return im_db_done(s, rc);
}

static int do_history(struct im_reader *r, struct im_store_history *op)
{
    int64_t user, peer = 0, conv = 0;
    uint64_t last_seq;
    if (op->kind != IM_CONV_DIRECT)
        return SQLITE_OK;
    int rc = im_db_user(&r->db, op->key, &user);
    if (rc == SQLITE_OK && user)
        rc = im_db_user(&r->db, op->peer, &peer);
    if (rc == SQLITE_OK && peer)
        rc = im_db_direct(&r->db, user, peer, &conv, &last_seq);
    if (rc != SQLITE_OK || conv == 0)
        return rc;
    struct im_page page = im_page(op->limit, op->bytes);
    sqlite3_stmt *s = im_db_use(&r->db, op->has_after ? IM_SQL_HISTORY_AFTER : IM_SQL_HISTORY_BEFORE);
    sqlite3_bind_int64(s, 1, conv);
    im_db_bind_u64(s, 2, op->has_after ? op->after : op->before ? op->before : INT64_MAX);
    sqlite3_bind_int64(s, 3, user);
    rc = history_rows(op, s, &page);
    if (!op->has_after)
        im_page_reverse(&page);
    op->events = page.events;
    op->count = page.count;
    return rc;
}

static int conv_rows(struct im_reader *r, sqlite3_stmt *s, struct im_rows *rows)
{
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct im_conv_row row = {.last_seq = im_db_u64(s, 1), .read_seq = im_db_u64(s, 2), .name = im_db_str(s, 3)};
        row.unread = row.last_seq > row.read_seq ? row.last_seq - row.read_seq : 0;
        rc = row.name.p ? SQLITE_OK : SQLITE_CORRUPT;
        if (rc == SQLITE_OK && !im_rows_full(rows))
            rc = im_db_event(&r->db, im_db_u64(s, 0), &row.last);
        if (rc != SQLITE_OK)
            break;
        im_rows_add(rows, &row);
    }
    return im_db_done(s, rc);
}

static int do_conversations(struct im_reader *r, struct im_store_conversations *op)
{
    int64_t user;
    struct im_rows rows = {.limit_bytes = op->bytes};
    int rc = im_db_user(&r->db, op->key, &user);
    if (rc != SQLITE_OK || user == 0)
        return rc;
    sqlite3_stmt *s = im_db_use(&r->db, IM_SQL_CONVS);
    sqlite3_bind_int64(s, 1, user);
    sqlite3_bind_int64(s, 2, op->limit);
    rc = conv_rows(r, s, &rows);
    op->count = rows.count;
    op->rows = im_rows_finish(&rows);
    return rc;
}

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
    op->conversations = tally.convs;
    op->head = tally.head;
    op->bytes = file_bytes(r->path, "") + file_bytes(r->path, "-wal");
    return rc;
}

static int perform(struct im_reader *r, struct im_store_op *op)
{
    switch (op->kind) {
    case IM_STORE_SINCE:
        return do_since(r, (struct im_store_since *)op);
    case IM_STORE_HISTORY:
        return do_history(r, (struct im_store_history *)op);
    case IM_STORE_CONVERSATIONS:
        return do_conversations(r, (struct im_store_conversations *)op);
    case IM_STORE_STATS:
        return do_stats(r, (struct im_store_stats *)op);
    default:
        assert(!"a write in the lane of reads");
        return SQLITE_MISUSE;
    }
}

enum im_reason im_reader_perform(struct im_reader *r, struct im_store_op *op)
{
    errno = 0;
    int rc = im_db_run(im_db_use(&r->db, IM_SQL_BEGIN));
    if (rc == SQLITE_OK)
        rc = perform(r, op);
    enum im_reason reason = im_db_reason(rc);
    if (rc != SQLITE_OK) {
        IM_LOG(r->log, IM_LOG_ERROR, "store", "read_failed", IM_KN("code", rc), IM_KS("error", sqlite3_errstr(rc)));
        im_result_clear(op);
    }
    if (!sqlite3_get_autocommit(r->db.sqlite))
        im_db_run(im_db_use(&r->db, IM_SQL_COMMIT));
    return reason;
}
