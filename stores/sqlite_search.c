#include "core/search.h"

#include <stdlib.h>

#include "core/mem.h"
#include "stores/sqlite_filter.h"
#include "stores/sqlite_read.h"

/* Search. What a user sees are ranges of conversations. They are looked into chunk by chunk, always the one that may
 * have the newest message, so that a page is found without looking at what is older. */

#define LOOKS_MAX 50000 /* texts, or chunks, that one search looks at before it says where to go on */

/* A range, and what there may still be in it. */
struct source {
    int64_t conv;
    uint64_t from;
    bool group;
};

/* In the heap: a source whose events up to seq `at` and up to this pos were not looked at yet; or a message found. */
enum { FOUND = 1 };

struct search {
    struct im_reader *r;
    struct im_store_search *op;
    struct im_filter_query query;
    int64_t user;
    struct source *sources;
    size_t count, room;
    struct im_merge newest; /* by UINT64_MAX - pos; source: index * 2, + FOUND */
    struct im_hits hits;
    uint64_t last; /* pos of the last hit */
    unsigned looks;
};

static void wait_at(struct search *s, size_t source, uint64_t seq, uint64_t pos, unsigned found)
{
    im_merge_add(&s->newest, (struct im_merge_item){UINT64_MAX - pos, source * 2 + found, seq});
}

static int add_source(struct search *s, int64_t conv, uint64_t from, uint64_t last_seq, uint64_t last_pos, bool group)
{
    uint64_t pos;
    if (s->op->before && s->op->before <= last_pos) {
        int rc = im_place_after(s->r, conv, last_seq, s->op->before - 1, &last_seq, &pos);
        if (rc != SQLITE_OK)
            return rc;
        last_seq--;
        last_pos = s->op->before - 1;
    }
    if (last_seq == 0 || last_seq < from)
        return SQLITE_OK;
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 16;
        s->sources = im_realloc(s->sources, s->room * sizeof *s->sources);
    }
    s->sources[s->count] = (struct source){conv, from, group};
    wait_at(s, s->count++, last_seq, last_pos, 0);
    return SQLITE_OK;
}

/* The rows of a statement: a conversation, the last seq and pos of it that are seen and, of a group, the first seq. */
static int add_sources(struct search *s, enum im_sql sql, bool group)
{
    sqlite3_stmt *row = im_db_use(&s->r->db, sql);
    sqlite3_bind_int64(row, 1, s->user);
    int rc, adding = SQLITE_OK;
    while (adding == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW)
        adding = add_source(s, sqlite3_column_int64(row, 0), group ? im_db_u64(row, 3) : 0, im_db_u64(row, 1),
                            im_db_u64(row, 2), group);
    rc = im_db_done(row, rc);
    return rc == SQLITE_OK ? adding : rc;
}

/* The one conversation that is asked for. */
static int add_view(struct search *s, enum im_reason *status)
{
    struct im_view view;
    bool group = s->op->kind == IM_CONV_GROUP;
    int rc = im_view_find(s->r, s->op->key, s->op->kind, s->op->peer, &view);
    if (rc == SQLITE_OK && group && view.count == 0)
        *status = IM_NO_SUCH_GROUP;
    for (size_t i = 0; i < view.count && rc == SQLITE_OK; i++) {
        sqlite3_stmt *last = im_db_use(&s->r->db, IM_SQL_PLACE_BEFORE);
        sqlite3_bind_int64(last, 1, view.conv);
        im_db_bind_u64(last, 2, view.ranges[i].upto);
        rc = sqlite3_step(last);
        uint64_t seq = rc == SQLITE_ROW ? im_db_u64(last, 0) : 0, pos = rc == SQLITE_ROW ? im_db_u64(last, 1) : 0;
        rc = im_db_done(last, rc);
        if (rc == SQLITE_OK)
            rc = add_source(s, view.conv, view.ranges[i].from, seq, pos, group);
    }
    free(view.ranges);
    return rc;
}

static int start(struct search *s, enum im_reason *status)
{
    if (s->op->peer.p)
        return add_view(s, status);
    int rc = add_sources(s, IM_SQL_SEARCH_DIRECTS, false);
    return rc == SQLITE_OK ? add_sources(s, IM_SQL_SEARCH_SPANS, true) : rc;
}

/* May the chunk that ends with seq have a hit? A part of one, at the end of what is seen, has no less. */
static int may_have(struct search *s, int64_t conv, uint64_t seq, bool *out)
{
    sqlite3_stmt *row = im_db_use(&s->r->db, IM_SQL_FILTER);
    sqlite3_bind_int64(row, 1, im_chunk_id(conv, seq));
    int rc = sqlite3_step(row);
    *out =
        rc != SQLITE_ROW || im_filter_may(&s->query, sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0));
    return im_db_done(row, rc);
}

static int read_texts(struct search *s, size_t source, uint64_t from, uint64_t upto)
{
    sqlite3_stmt *row = im_db_use(&s->r->db, IM_SQL_SEARCH_TEXTS);
    sqlite3_bind_int64(row, 1, s->sources[source].conv);
    im_db_bind_u64(row, 2, from);
    im_db_bind_u64(row, 3, upto);
    sqlite3_bind_int64(row, 4, s->user);
    int rc;
    while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
        struct im_msg m = {.body = im_db_str(row, 2), .mime = im_db_str(row, 3)};
        s->looks++;
        if (m.body.p && im_msg_searched(&m) && im_search_match(m.body, s->op->text))
            wait_at(s, source, im_db_u64(row, 1), im_db_u64(row, 0), FOUND);
    }
    return im_db_done(row, rc);
}

/* Looks at the chunk that has seq, and lets the source wait for its turn with what is before that. */
static int look(struct search *s, size_t source, uint64_t seq)
{
    const struct source *from = &s->sources[source];
    uint64_t first = im_chunk_first(seq), pos;
    bool may;
    int rc = may_have(s, from->conv, seq, &may);
    s->looks++;
    if (first < from->from)
        first = from->from;
    if (rc == SQLITE_OK && may)
        rc = read_texts(s, source, first, seq);
    if (rc != SQLITE_OK || first <= 1 || first == from->from)
        return rc;
    sqlite3_stmt *row = im_db_use(&s->r->db, IM_SQL_PLACE_BEFORE);
    sqlite3_bind_int64(row, 1, from->conv);
    im_db_bind_u64(row, 2, first - 1);
    rc = sqlite3_step(row);
    bool more = rc == SQLITE_ROW;
    seq = im_db_u64(row, 0);
    pos = im_db_u64(row, 1);
    rc = im_db_done(row, rc);
    if (more && seq >= from->from)
        wait_at(s, source, seq, pos, 0);
    return rc;
}

/* A message found, with its neighbours. */
static int add_hit(struct search *s, const struct source *from, uint64_t seq)
{
    struct im_view view = {.user = s->user, .conv = from->conv};
    struct im_page page = im_page(s->op->context, UINT32_MAX);
    bool more;
    int rc = SQLITE_OK;
    if (from->group)
        rc = im_view_group(s->r, &view);
    else
        im_view_whole(&view);
    if (rc == SQLITE_OK && s->op->context > 0)
        rc = im_view_before(s->r, &view, seq, &page, &more);
    im_page_reverse(&page);
    size_t at = page.count;
    page.limit = at + 1 + s->op->context;
    page.limit_bytes = UINT64_MAX;
    if (rc == SQLITE_OK)
        rc = im_view_from(s->r, &view, seq, &page, &more);
    free(view.ranges);
    if (rc == SQLITE_OK && at == page.count)
        rc = SQLITE_CORRUPT;
    im_hits_add(&s->hits, &page, at);
    return rc;
}

/* Takes the newest there is; false: that was enough. */
static bool step(struct search *s, int *rc)
{
    struct im_merge_item item = s->newest.heap[0];
    uint64_t pos = UINT64_MAX - item.pos;
    bool found = item.source & FOUND;
    if (found && im_hits_full(&s->hits)) {
        s->op->next = s->last;
        return false;
    }
    if (!found && s->looks >= LOOKS_MAX) {
        s->op->next = pos + 1;
        return false;
    }
    im_merge_remove(&s->newest);
    if (found)
        s->last = pos;
    *rc = found ? add_hit(s, &s->sources[item.source / 2], item.at) : look(s, item.source / 2, item.at);
    return *rc == SQLITE_OK;
}

int im_read_search(struct im_reader *r, struct im_store_search *op, enum im_reason *status)
{
    struct search s = {.r = r, .op = op, .query = im_filter_query(op->text), .hits = im_hits(op->limit, op->bytes)};
    int rc = im_db_user(&r->db, op->key, &s.user, NULL);
    if (rc == SQLITE_OK && s.user)
        rc = start(&s, status);
    else if (rc == SQLITE_OK && op->peer.p && op->kind == IM_CONV_GROUP)
        *status = IM_NO_SUCH_GROUP;
    if (s.query.count > 0)
        while (rc == SQLITE_OK && s.newest.count > 0 && step(&s, &rc))
            ;
    op->hits = s.hits.hits;
    op->count = s.hits.count;
    im_merge_clear(&s.newest);
    free(s.sources);
    return rc;
}
