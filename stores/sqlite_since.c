#include <stdlib.h>

#include "core/mem.h"
#include "stores/sqlite_read.h"

/* Finds the first event of a conversation with at least this seq; *pos is UINT64_MAX if there is none. */
static int seek(struct im_reader *r, int64_t conv, uint64_t *seq, uint64_t *pos)
{
    sqlite3_stmt *s = im_db_use(&r->db, IM_SQL_PLACE);
    sqlite3_bind_int64(s, 1, conv);
    im_db_bind_u64(s, 2, *seq);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *seq = im_db_u64(s, 0);
    *pos = rc == SQLITE_ROW ? im_db_u64(s, 1) : UINT64_MAX;
    return im_db_done(s, rc);
}

/* Both seq and pos only grow, so the index by seq is enough: from the end backwards in growing steps, since most have
 * seen most, and then by halves. */
int im_place_after(struct im_reader *r, int64_t conv, uint64_t last_seq, uint64_t after, uint64_t *seq, uint64_t *pos)
{
    uint64_t low = 0, high = last_seq + 1; /* seen up to low; not from high on */
    for (uint64_t step = 1; high - low > 1; step *= 2) {
        uint64_t probe = low == 0 && step < high ? high - step : low + (high - low) / 2;
        *seq = probe;
        int rc = seek(r, conv, seq, pos);
        if (rc != SQLITE_OK)
            return rc;
        if (*pos > after)
            high = probe;
        else
            low = probe;
    }
    *seq = high;
    return seek(r, conv, seq, pos);
}

/* Where events come from: a conversation, or what a user sees of it. */
struct source {
    int64_t conv;
    uint64_t upto;
};

struct since {
    struct im_reader *r;
    struct im_store_since *op;
    int64_t user;
    struct source *sources;
    size_t count, room;
    struct im_merge merge;
};

/* Finds the source's next event from seq on that is not hidden from the user; pos is UINT64_MAX if there is none. */
static int next(struct since *s, const struct source *from, uint64_t seq, struct im_merge_item *out)
{
    sqlite3_stmt *row = im_db_use(&s->r->db, IM_SQL_PLACE_OPEN);
    sqlite3_bind_int64(row, 1, from->conv);
    im_db_bind_u64(row, 2, seq);
    sqlite3_bind_int64(row, 3, s->user);
    int rc = sqlite3_step(row);
    bool found = rc == SQLITE_ROW && im_db_u64(row, 0) <= from->upto;
    out->at = found ? im_db_u64(row, 0) : seq;
    out->pos = found ? im_db_u64(row, 1) : UINT64_MAX;
    return im_db_done(row, rc);
}

static int add_source(struct since *s, int64_t conv, uint64_t last_seq, uint64_t from, uint64_t upto)
{
    struct im_merge_item item = {.source = s->count};
    struct source source = {conv, upto};
    uint64_t seq, pos;
    int rc = im_place_after(s->r, conv, last_seq, s->op->after, &seq, &pos);
    if (rc == SQLITE_OK)
        rc = next(s, &source, seq > from ? seq : from, &item);
    if (rc != SQLITE_OK || item.pos == UINT64_MAX)
        return rc;
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 16;
        s->sources = im_realloc(s->sources, s->room * sizeof *s->sources);
    }
    s->sources[s->count++] = source;
    im_merge_add(&s->merge, item);
    return SQLITE_OK;
}

static int add_directs(struct since *s)
{
    sqlite3_stmt *row = im_db_use(&s->r->db, IM_SQL_DIRECTS_AFTER);
    sqlite3_bind_int64(row, 1, s->user);
    im_db_bind_u64(row, 2, s->op->after);
    int rc, adding = SQLITE_OK;
    while ((rc = sqlite3_step(row)) == SQLITE_ROW && adding == SQLITE_OK)
        adding = add_source(s, sqlite3_column_int64(row, 0), im_db_u64(row, 1), 0, INT64_MAX);
    rc = im_db_done(row, rc);
    return rc == SQLITE_OK ? adding : rc;
}

static int add_spans(struct since *s)
{
    sqlite3_stmt *row = im_db_use(&s->r->db, IM_SQL_SPANS_AFTER);
    sqlite3_bind_int64(row, 1, s->user);
    im_db_bind_u64(row, 2, s->op->after);
    int rc, adding = SQLITE_OK;
    while ((rc = sqlite3_step(row)) == SQLITE_ROW && adding == SQLITE_OK)
        adding = add_source(s, sqlite3_column_int64(row, 0), im_db_u64(row, 1), im_db_u64(row, 2), im_db_u64(row, 3));
    rc = im_db_done(row, rc);
    return rc == SQLITE_OK ? adding : rc;
}

static int start(struct since *s)
{
    struct im_db_conv self;
    int rc = im_db_user(&s->r->db, s->op->key, &s->user, NULL);
    if (rc != SQLITE_OK || s->user == 0)
        return rc;
    rc = add_directs(s);
    if (rc == SQLITE_OK)
        rc = add_spans(s);
    if (rc == SQLITE_OK)
        rc = im_db_self(&s->r->db, s->user, &self);
    return rc == SQLITE_OK && self.conv ? add_source(s, self.conv, self.last_seq, 0, INT64_MAX) : rc;
}

/* Takes the first event of the merge over to the page. */
static int step(struct since *s, struct im_page *page)
{
    struct im_merge_item item = s->merge.heap[0];
    struct im_event *event;
    int rc = im_db_event(&s->r->db, item.pos, &event);
    if (rc != SQLITE_OK)
        return rc;
    im_page_add(page, event);
    rc = next(s, &s->sources[item.source], item.at + 1, &item);
    if (rc == SQLITE_OK && item.pos != UINT64_MAX)
        im_merge_replace(&s->merge, item);
    else
        im_merge_remove(&s->merge);
    return rc;
}

int im_read_since(struct im_reader *r, struct im_store_since *op)
{
    struct since s = {.r = r, .op = op};
    struct im_page page = im_page(op->limit, op->bytes);
    struct im_tally tally;
    int rc = im_db_tally(&r->db, &tally, NULL);
    if (rc == SQLITE_OK)
        rc = start(&s);
    while (rc == SQLITE_OK && s.merge.count > 0 && !im_page_full(&page))
        rc = step(&s, &page);
    if (s.merge.count > 0 && page.count > 0)
        op->upto = page.events[page.count - 1]->msg.pos;
    else
        op->upto = op->after > tally.head ? op->after : tally.head;
    op->events = page.events;
    op->count = page.count;
    im_merge_clear(&s.merge);
    free(s.sources);
    return rc;
}
