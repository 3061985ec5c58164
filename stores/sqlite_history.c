#include <stdlib.h>

#include "core/mem.h"
#include "stores/sqlite_read.h"

/* Conversations as their readers see them. */

static void add_range(struct im_view *v, uint64_t from, uint64_t upto)
{
    if (v->count == v->room) {
        v->room = v->room ? v->room * 2 : 4;
        v->ranges = im_realloc(v->ranges, v->room * sizeof *v->ranges);
    }
    v->ranges[v->count++] = (struct im_view_range){from, upto};
}

int im_view_group(struct im_reader *r, struct im_view *v)
{
    sqlite3_stmt *s = im_db_use(&r->db, IM_SQL_SPANS);
    sqlite3_bind_int64(s, 1, v->user);
    sqlite3_bind_int64(s, 2, v->conv);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        add_range(v, im_db_u64(s, 0), im_db_u64(s, 1));
    return im_db_done(s, rc);
}

void im_view_whole(struct im_view *v)
{
    add_range(v, 0, INT64_MAX);
}

static int find_direct(struct im_reader *r, struct im_str peer, struct im_view *v)
{
    struct im_db_conv c = {0};
    int64_t other;
    int rc = im_db_user(&r->db, peer, &other, NULL);
    if (rc == SQLITE_OK && v->user && other)
        rc = im_db_direct(&r->db, v->user, other, &c);
    v->conv = c.conv;
    if (rc == SQLITE_OK && v->conv)
        im_view_whole(v);
    return rc;
}

static int find_group(struct im_reader *r, struct im_str peer, bool all, struct im_view *v)
{
    struct im_db_conv c;
    int rc = im_db_group(&r->db, peer, &c, NULL);
    v->conv = c.conv;
    if (rc != SQLITE_OK || v->conv == 0)
        return rc;
    if (!all)
        return im_view_group(r, v);
    im_view_whole(v);
    return SQLITE_OK;
}

int im_view_find(struct im_reader *r, struct im_str key, enum im_conv_kind kind, struct im_str peer,
                 struct im_view *out)
{
    *out = (struct im_view){.user = IM_READS_ALL};
    int rc = key.p ? im_db_user(&r->db, key, &out->user, NULL) : SQLITE_OK;
    if (rc != SQLITE_OK)
        return rc;
    return kind == IM_CONV_GROUP ? find_group(r, peer, key.p == NULL, out) : find_direct(r, peer, out);
}

/* Adds the rows between two seqs. */
static int add_rows(struct im_reader *r, const struct im_view *v, enum im_sql sql, uint64_t from, uint64_t upto,
                    struct im_page *page, bool *more)
{
    sqlite3_stmt *s = im_db_use(&r->db, sql);
    sqlite3_bind_int64(s, 1, v->conv);
    im_db_bind_u64(s, 2, from);
    im_db_bind_u64(s, 3, upto);
    sqlite3_bind_int64(s, 4, v->user);
    int rc, adding = SQLITE_OK;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct im_event *event;
        *more = im_page_full(page);
        if (*more)
            break;
        adding = im_db_event_row(&r->db, s, v->user, &event);
        if (adding != SQLITE_OK)
            break;
        im_page_add(page, event);
    }
    rc = im_db_done(s, rc);
    return rc == SQLITE_OK ? adding : rc;
}

int im_view_before(struct im_reader *r, const struct im_view *v, uint64_t seq, struct im_page *page, bool *more)
{
    int rc = SQLITE_OK;
    *more = false;
    for (size_t i = v->count; i > 0 && rc == SQLITE_OK && !*more; i--) {
        const struct im_view_range *range = &v->ranges[i - 1];
        if (seq > range->from)
            rc = add_rows(r, v, IM_SQL_HISTORY_BEFORE, range->from, range->upto < seq ? range->upto : seq - 1, page,
                          more);
    }
    return rc;
}

int im_view_from(struct im_reader *r, const struct im_view *v, uint64_t seq, struct im_page *page, bool *more)
{
    int rc = SQLITE_OK;
    *more = false;
    for (size_t i = 0; i < v->count && rc == SQLITE_OK && !*more; i++) {
        const struct im_view_range *range = &v->ranges[i];
        if (seq <= range->upto)
            rc = add_rows(r, v, IM_SQL_HISTORY_AFTER, range->from > seq ? range->from : seq, range->upto, page, more);
    }
    return rc;
}

int im_read_history(struct im_reader *r, struct im_store_history *op, enum im_reason *status)
{
    struct im_page page = im_page(op->limit, op->bytes);
    struct im_view view;
    int rc = im_view_find(r, op->key, op->kind, op->peer, &view);
    if (rc == SQLITE_OK && view.count == 0 && op->kind == IM_CONV_GROUP)
        *status = IM_NO_SUCH_GROUP;
    if (rc == SQLITE_OK && !op->has_after) {
        rc = im_view_before(r, &view, op->before ? op->before : UINT64_MAX, &page, &op->more);
        im_page_reverse(&page);
    } else if (rc == SQLITE_OK && op->after < INT64_MAX) {
        rc = im_view_from(r, &view, op->after + 1, &page, &op->more);
    }
    op->events = page.events;
    op->count = page.count;
    free(view.ranges);
    return rc;
}

/* Columns of IM_SQL_CONVS. */
enum {
    CONV,
    LAST_SEQ,
    END_SEQ,
    MESSAGES,
    SHOWN_SEQ,
    FIRST_SEQ,
    ERASED,
    READ_SEQ,
    READ_COUNT,
    ROLE,
    PEER,
    NAME,
    TOPIC,
    MEMBERS,
};

/* The newest event up to this one that is hidden from nobody: further than that, nobody is told that anybody is. */
static int told(struct im_reader *r, sqlite3_stmt *s, uint64_t seq, uint64_t *out)
{
    int64_t found, first = sqlite3_column_int64(s, FIRST_SEQ);
    *out = seq;
    if (seq < (uint64_t)first)
        return SQLITE_OK;
    int rc = IM_DB_ASK(&r->db, PLACE_TOLD, &found, sqlite3_column_int64(s, CONV), (int64_t)seq);
    *out = found > 0 ? (uint64_t)found : (uint64_t)first - 1;
    return rc;
}

static int received(struct im_reader *r, sqlite3_stmt *s, int64_t peer, uint64_t *out)
{
    int64_t cursor;
    uint64_t seq, pos;
    *out = 0;
    int rc = IM_DB_ASK(&r->db, CURSOR_FURTHEST, &cursor, peer);
    if (rc != SQLITE_OK || cursor == 0)
        return rc;
    rc = im_place_after(r, sqlite3_column_int64(s, CONV), im_db_u64(s, END_SEQ), (uint64_t)cursor, &seq, &pos);
    if (rc != SQLITE_OK || seq <= im_db_u64(s, FIRST_SEQ))
        return rc;
    return told(r, s, seq - 1, out);
}

static int read_peer(struct im_reader *r, sqlite3_stmt *s, struct im_conv_row *row)
{
    sqlite3_stmt *member = im_db_use(&r->db, IM_SQL_MEMBER);
    sqlite3_bind_int64(member, 1, sqlite3_column_int64(s, PEER));
    sqlite3_bind_int64(member, 2, sqlite3_column_int64(s, CONV));
    int rc = sqlite3_step(member);
    uint64_t read = rc == SQLITE_ROW ? im_db_u64(member, 1) : 0;
    rc = im_db_done(member, rc);
    if (rc == SQLITE_OK)
        rc = told(r, s, read, &row->peer_read);
    if (rc == SQLITE_OK)
        rc = received(r, s, sqlite3_column_int64(s, PEER), &row->peer_received);
    return rc;
}

static int read_mentions(struct im_reader *r, sqlite3_stmt *s, int64_t user, bool group, struct im_conv_row *row)
{
    int64_t conv = sqlite3_column_int64(s, CONV), own = 0, all = 0;
    int rc = IM_DB_ASK(&r->db, MENTION_LAST, &own, conv, user, user, group);
    if (rc == SQLITE_OK && group)
        rc = IM_DB_ASK(&r->db, MENTION_LAST, &all, conv, 0, user, group);
    row->mention_seq = (uint64_t)(own > all ? own : all);
    return rc;
}

static int read_last(struct im_reader *r, sqlite3_stmt *s, int64_t user, bool group, struct im_conv_row *row)
{
    struct im_view view = {.user = user, .conv = sqlite3_column_int64(s, CONV)};
    struct im_page page = im_page(1, 1);
    uint64_t shown = im_db_u64(s, SHOWN_SEQ);
    bool more;
    int rc = SQLITE_OK;
    if (group)
        rc = im_view_group(r, &view);
    else
        im_view_whole(&view);
    if (rc == SQLITE_OK)
        rc = im_view_before(r, &view, (shown > row->read_seq ? shown : row->read_seq) + 1, &page, &more);
    row->last = page.count > 0 ? page.events[0] : NULL;
    free(page.events);
    free(view.ranges);
    return rc;
}

static int count_unread(struct im_reader *r, sqlite3_stmt *s, int64_t user, struct im_conv_row *row)
{
    uint64_t read = im_db_u64(s, READ_COUNT), erased = im_db_u64(s, ERASED), all = im_db_u64(s, MESSAGES);
    int64_t conv = sqlite3_column_int64(s, CONV), deleted = 0, hidden = 0;
    read = read > erased ? read : erased;
    if (all <= read)
        return SQLITE_OK;
    int rc = IM_DB_ASK(&r->db, DELETED_AFTER, &deleted, conv, (int64_t)row->read_seq);
    if (rc == SQLITE_OK)
        rc = IM_DB_ASK(&r->db, HIDDEN_AFTER, &hidden, conv, (int64_t)row->read_seq, user);
    row->unread = all - read - (uint64_t)(deleted + hidden);
    return rc;
}

static int add_conv(struct im_reader *r, sqlite3_stmt *s, int64_t user, struct im_rows *rows)
{
    struct im_conv_row row = {.name = im_db_str(s, NAME),
                              .last_seq = im_db_u64(s, LAST_SEQ),
                              .read_seq = im_db_u64(s, READ_SEQ),
                              .role = im_db_role(s, ROLE),
                              .members = (uint32_t)im_db_u64(s, MEMBERS),
                              .topic = im_db_str(s, TOPIC)};
    bool group = row.role != IM_ROLE_NONE;
    int rc = row.name.p ? count_unread(r, s, user, &row) : SQLITE_CORRUPT;
    if (rc == SQLITE_OK && !group)
        rc = read_peer(r, s, &row);
    if (rc == SQLITE_OK)
        rc = read_mentions(r, s, user, group, &row);
    if (rc == SQLITE_OK && !im_rows_full(rows))
        rc = read_last(r, s, user, group, &row);
    if (rc == SQLITE_OK)
        im_rows_add(rows, &row);
    else
        im_event_drop(&row.last);
    return rc;
}

int im_read_conversations(struct im_reader *r, struct im_store_conversations *op)
{
    struct im_rows rows = {.limit_bytes = op->bytes};
    int64_t user;
    int rc = im_db_user(&r->db, op->key, &user, NULL), adding = SQLITE_OK;
    if (rc != SQLITE_OK || user == 0)
        return rc;
    sqlite3_stmt *s = im_db_use(&r->db, IM_SQL_CONVS);
    sqlite3_bind_int64(s, 1, user);
    sqlite3_bind_int64(s, 2, op->limit);
    sqlite3_bind_int(s, 3, IM_ROLE_MUTED);
    while (adding == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
        adding = add_conv(r, s, user, &rows);
    rc = im_db_done(s, rc);
    op->rows = im_rows_finish(&rows, &op->count);
    return rc == SQLITE_OK ? adding : rc;
}

static int find_cid(struct im_reader *r, const struct im_store_find *op, uint64_t *pos)
{
    int64_t user = 0;
    int rc = im_db_user(&r->db, op->from, &user, NULL);
    if (rc != SQLITE_OK || user == 0)
        return rc;
    sqlite3_stmt *s = im_db_use(&r->db, IM_SQL_CID);
    sqlite3_bind_int64(s, 1, user);
    im_db_bind_str(s, 2, op->cid);
    rc = sqlite3_step(s);
    *pos = rc == SQLITE_ROW ? im_db_u64(s, 0) : 0;
    return im_db_done(s, rc);
}

int im_read_find(struct im_reader *r, struct im_store_find *op)
{
    uint64_t pos = op->pos;
    int rc = pos > 0 ? SQLITE_OK : find_cid(r, op, &pos);
    if (rc != SQLITE_OK || pos == 0)
        return rc;
    sqlite3_stmt *s = im_db_use(&r->db, IM_SQL_EVENT);
    im_db_bind_u64(s, 1, pos);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        rc = im_db_event_row(&r->db, s, IM_AS_APPENDED, &op->event);
    return im_db_done(s, rc);
}
