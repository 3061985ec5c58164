#include "stores/sqlite_filter.h"

#include <stdlib.h>

#include "core/mem.h"
#include "stores/result.h"
#include "stores/sqlite_write.h"

/* With ten bits for a word and five of them set, one filter in a hundred lets pass what is not there. */
#define BITS_PER_WORD 10
#define PROBES        5
#define BYTES_MAX     65536

/* Beginnings of words that a filter knows, in characters. A query's beginning is cut to one of these. */
static const unsigned prefixes[] = {1, 2, 3, 4, 6, 8, 12};
enum { PREFIXES = sizeof prefixes / sizeof *prefixes };

/* FNV-1a, mixed once more so that all bits are good; never 0. */
static uint64_t hash(struct im_str s)
{
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93;
    h ^= h >> 32;
    return h ? h : 1;
}

static void put(struct im_filter *f, uint64_t h)
{
    size_t at = h & (f->room - 1);
    while (f->set[at] != 0 && f->set[at] != h)
        at = (at + 1) & (f->room - 1);
    f->count += f->set[at] == 0;
    f->set[at] = h;
}

static void add_hash(struct im_filter *f, uint64_t h)
{
    if (f->count * 2 >= f->room) {
        struct im_filter old = *f;
        *f = (struct im_filter){.room = old.room ? old.room * 2 : 1024};
        f->set = im_zalloc(f->room * sizeof *f->set);
        for (size_t i = 0; i < old.room; i++)
            if (old.set[i] != 0)
                put(f, old.set[i]);
        free(old.set);
    }
    put(f, h);
}

/* How many bytes the term's first characters are, for each number in prefixes[] that it has; returns how many. */
static size_t cut(struct im_str term, size_t ends[PREFIXES])
{
    size_t count = 0;
    unsigned points = 0;
    for (size_t i = 1; i <= term.len && count < PREFIXES; i++) {
        if (i < term.len && ((unsigned char)term.p[i] & 0xc0) == 0x80)
            continue;
        if (++points == prefixes[count])
            ends[count++] = i;
    }
    return count;
}

static bool add_term(void *arg, struct im_str term, size_t at)
{
    struct im_filter *f = arg;
    size_t ends[PREFIXES], count = cut(term, ends);
    (void)at;
    for (size_t i = 0; i < count; i++)
        add_hash(f, hash((struct im_str){term.p, ends[i]}));
    if (count == 0 || ends[count - 1] != term.len)
        add_hash(f, hash(term));
    return true;
}

void im_filter_add(struct im_filter *f, struct im_str text)
{
    im_search_terms(text, add_term, f);
}

/* The bit of a hash's nth probe. */
static size_t probe(uint64_t h, unsigned n, size_t len)
{
    return (uint32_t)((uint32_t)h + n * ((uint32_t)(h >> 32) | 1)) % (len * 8);
}

uint8_t *im_filter_finish(struct im_filter *f, size_t *len)
{
    *len = f->count * BITS_PER_WORD / 8 + 1;
    if (*len > BYTES_MAX)
        *len = BYTES_MAX;
    uint8_t *bits = im_zalloc(*len);
    for (size_t i = 0; i < f->room; i++)
        for (unsigned n = 0; f->set[i] != 0 && n < PROBES; n++) {
            size_t bit = probe(f->set[i], n, *len);
            bits[bit / 8] |= (uint8_t)(1u << bit % 8);
        }
    free(f->set);
    *f = (struct im_filter){0};
    return bits;
}

static bool add_want(void *arg, const struct im_search_want *want)
{
    struct im_filter_query *q = arg;
    size_t ends[PREFIXES], count = want->prefix ? cut(want->term, ends) : 0;
    struct im_str known = {want->term.p, count > 0 ? ends[count - 1] : want->term.len};
    q->hashes[q->count++] = hash(known);
    return q->count < IM_SEARCH_WANTED_MAX;
}

struct im_filter_query im_filter_query(struct im_str text)
{
    struct im_filter_query q = {.count = 0};
    im_search_wants(text, add_want, &q);
    return q;
}

bool im_filter_may(const struct im_filter_query *q, const void *bits, size_t len)
{
    const uint8_t *bytes = bits;
    if (len == 0)
        return true;
    for (size_t i = 0; i < q->count; i++)
        for (unsigned n = 0; n < PROBES; n++) {
            size_t bit = probe(q->hashes[i], n, len);
            if (!(bytes[bit / 8] >> bit % 8 & 1))
                return false;
        }
    return true;
}

int im_chunk_full(struct im_writer *w, int64_t conv, uint64_t seq)
{
    int64_t id = im_chunk_id(conv, seq);
    if (seq % IM_CHUNK_EVENTS != 0 || id == 0)
        return SQLITE_OK;
    w->chores++;
    return IM_DB_RUN(&w->db, CHORE_ADD, id);
}

int im_chunk_changed(struct im_writer *w, int64_t conv, uint64_t seq, bool again)
{
    int64_t id = im_chunk_id(conv, seq);
    int rc = IM_DB_RUN(&w->db, FILTER_DROP, id);
    if (rc != SQLITE_OK || !again || sqlite3_changes(w->db.sqlite) == 0)
        return rc;
    w->chores++;
    return IM_DB_RUN(&w->db, CHORE_ADD, id);
}

/* Which edits somebody sees depends on who it is. */
static int gather_edits(struct im_writer *w, int64_t pos, struct im_filter *f)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_FILTER_EDITS);
    sqlite3_bind_int64(s, 1, pos);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        im_filter_add(f, im_db_str(s, 0));
    return im_db_done(s, rc);
}

/* All that anybody may read there. */
static int gather(struct im_writer *w, int64_t id, struct im_filter *f)
{
    int64_t conv = id >> IM_CHUNK_BITS, first = (id - (conv << IM_CHUNK_BITS)) * IM_CHUNK_EVENTS + 1;
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_FILTER_TEXTS);
    sqlite3_bind_int64(s, 1, conv);
    sqlite3_bind_int64(s, 2, first);
    sqlite3_bind_int64(s, 3, first + IM_CHUNK_EVENTS - 1);
    int rc, edits = SQLITE_OK;
    while (edits == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct im_msg m = {.body = im_db_str(s, 0), .mime = im_db_str(s, 1)};
        if (im_msg_searched(&m))
            im_filter_add(f, m.body);
        if (im_db_u64(s, 2) & IM_ROW_EDITED)
            edits = gather_edits(w, sqlite3_column_int64(s, 3), f);
    }
    rc = im_db_done(s, rc);
    return rc == SQLITE_OK ? edits : rc;
}

static int make_filter(struct im_writer *w, int64_t id)
{
    struct im_filter f = {0};
    size_t len;
    int rc = gather(w, id, &f);
    uint8_t *bits = im_filter_finish(&f, &len);
    if (rc == SQLITE_OK) {
        sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_FILTER_ADD);
        sqlite3_bind_int64(s, 1, id);
        sqlite3_bind_blob64(s, 2, bits, len, SQLITE_STATIC);
        rc = im_db_run(s);
    }
    free(bits);
    return rc;
}

int im_chunk_work(struct im_writer *w, unsigned most)
{
    int rc = SQLITE_OK;
    for (unsigned i = 0; i < most && rc == SQLITE_OK; i++) {
        int64_t id;
        rc = IM_DB_ASK(&w->db, CHORE, &id, 0);
        if (rc == SQLITE_OK && id == 0) {
            w->chores = 0;
            break;
        }
        if (rc == SQLITE_OK)
            rc = make_filter(w, id);
        if (rc == SQLITE_OK)
            rc = IM_DB_RUN(&w->db, CHORE_DROP, id);
        w->chores -= w->chores > 0;
    }
    return rc;
}
