#include <stdlib.h>
#include <string.h>

#include "stores/memory.h"

/* What was sent under which cid: open tables of positions, so that to find nothing, as nearly always, takes one look at
 * one place. Sender and cid are in the event. Extendible hashing: each table has the hashes that end in certain bits;
 * one that is half full is divided by one bit more, so that no message has to wait until all that were ever sent have
 * moved. */

struct entry {
    uint64_t pos; /* 0: empty */
    uint32_t hash;
};

enum { PLACES = IM_MEM_BLOCK_BYTES / sizeof(struct entry) - 1 };

/* A block. In the directory as often as there are endings of sent_depth bits that end in its own. */
struct im_mem_sent {
    uint32_t bits;  /* that its hashes end in, */
    uint32_t depth; /* so many */
    uint32_t count;
    struct entry places[PLACES];
};

static size_t home(uint32_t hash)
{
    return (size_t)((uint64_t)hash * PLACES >> 32);
}

static size_t next(size_t place)
{
    return place + 1 < PLACES ? place + 1 : 0;
}

static struct im_mem_sent *table_of(const struct im_memory *m, uint32_t hash)
{
    return m->sent[hash & ((1U << m->sent_depth) - 1)];
}

uint32_t im_mem_sent_hash(const struct im_memory *m, const struct im_mem_user *from, struct im_str cid)
{
    uint32_t hash = im_hash(m->hash_key, cid.p, cid.len) ^ im_hash_ids(m->hash_key, from->id, 0);
    if (m->sent)
        __builtin_prefetch(&table_of(m, hash)->places[home(hash)], 1);
    return hash;
}

/* Where it is, or the empty place where it would be. */
static struct entry *find(const struct im_memory *m, const struct im_mem_user *from, struct im_str cid, uint32_t hash)
{
    struct im_mem_sent *t = table_of(m, hash);
    size_t at = home(hash);
    for (; t->places[at].pos > 0; at = next(at)) {
        const struct im_mem_record *r = t->places[at].hash == hash ? im_mem_record(m, t->places[at].pos) : NULL;
        if (r && r->from == from && im_str_eq(im_mem_cid(m, t->places[at].pos), cid))
            break;
    }
    return &t->places[at];
}

uint64_t im_mem_sent_find(const struct im_memory *m, const struct im_mem_user *from, struct im_str cid, uint32_t hash)
{
    return m->sent ? find(m, from, cid, hash)->pos : 0;
}

static void put(struct im_mem_sent *t, uint64_t pos, uint32_t hash)
{
    size_t at = home(hash);
    while (t->places[at].pos > 0)
        at = next(at);
    t->places[at] = (struct entry){pos, hash};
    t->count++;
}

static struct im_mem_sent *new_table(struct im_memory *m, uint32_t bits, uint32_t depth)
{
    struct im_mem_sent *t = memset(im_mem_block_take(&m->blocks), 0, sizeof *t);
    t->bits = bits;
    t->depth = depth;
    return t;
}

static void double_directory(struct im_memory *m)
{
    size_t count = (size_t)1 << m->sent_depth++;
    m->sent = im_realloc(m->sent, 2 * count * sizeof(void *));
    memcpy(m->sent + count, m->sent, count * sizeof(void *));
}

static void list(struct im_memory *m, struct im_mem_sent *t)
{
    for (size_t i = t->bits; i >> m->sent_depth == 0; i += (size_t)1 << t->depth)
        m->sent[i] = t;
}

static void divide(struct im_memory *m, struct im_mem_sent *t)
{
    struct im_mem_sent *halves[] = {new_table(m, t->bits, t->depth + 1),
                                    new_table(m, t->bits | 1U << t->depth, t->depth + 1)};
    for (size_t i = 0; i < PLACES; i++)
        if (t->places[i].pos > 0)
            put(halves[t->places[i].hash >> t->depth & 1], t->places[i].pos, t->places[i].hash);
    if (t->depth == m->sent_depth)
        double_directory(m);
    list(m, halves[0]);
    list(m, halves[1]);
    im_mem_block_give(&m->blocks, t);
}

void im_mem_sent_add(struct im_memory *m, uint64_t pos, uint32_t hash)
{
    if (m->sent == NULL) {
        m->sent = im_alloc(sizeof(void *));
        m->sent[0] = new_table(m, 0, 0);
    }
    while (table_of(m, hash)->count >= PLACES / 2)
        divide(m, table_of(m, hash));
    put(table_of(m, hash), pos, hash);
}

/* What stands after an empty place would not be found any more if it could stand in it. */
void im_mem_sent_drop(struct im_memory *m, const struct im_mem_user *from, struct im_str cid)
{
    uint32_t hash = im_mem_sent_hash(m, from, cid);
    struct im_mem_sent *t = table_of(m, hash);
    struct entry *gap = find(m, from, cid, hash);
    if (gap->pos == 0)
        return;
    t->count--;
    gap->pos = 0;
    for (size_t at = next((size_t)(gap - t->places)); t->places[at].pos > 0; at = next(at)) {
        size_t from_home = (at + PLACES - home(t->places[at].hash)) % PLACES;
        size_t from_gap = (at + PLACES - (size_t)(gap - t->places)) % PLACES;
        if (from_home < from_gap)
            continue;
        *gap = t->places[at];
        gap = &t->places[at];
        gap->pos = 0;
    }
}

void im_mem_sent_end(struct im_memory *m)
{
    free(m->sent);
}
