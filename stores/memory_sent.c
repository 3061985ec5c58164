#include <stdlib.h>

#include "stores/memory.h"

/* What was sent under which cid: an open table of positions, so that to find nothing, as nearly always, takes one look
 * at one place. Sender and cid are in the event. */

struct im_mem_sent {
    uint64_t pos; /* 0: empty */
    uint32_t hash;
};

uint32_t im_mem_sent_hash(const struct im_memory *m, const struct im_mem_user *from, struct im_str cid)
{
    uint32_t hash = im_hash(m->hash_key, cid.p, cid.len) ^ im_hash_ids(m->hash_key, from->id, 0);
    if (m->sent_room > 0)
        __builtin_prefetch(&m->sent[hash & (m->sent_room - 1)], 1);
    return hash;
}

/* Where it is, or the empty place where it would be. */
static size_t find(const struct im_memory *m, const struct im_mem_user *from, struct im_str cid, uint32_t hash)
{
    size_t mask = m->sent_room - 1, at = hash & mask;
    for (; m->sent[at].pos > 0; at = (at + 1) & mask) {
        const struct im_mem_record *r = m->sent[at].hash == hash ? im_mem_record(m, m->sent[at].pos) : NULL;
        if (r && r->from == from && im_str_eq(im_mem_cid(m, m->sent[at].pos), cid))
            break;
    }
    return at;
}

uint64_t im_mem_sent_find(const struct im_memory *m, const struct im_mem_user *from, struct im_str cid, uint32_t hash)
{
    return m->sent_room > 0 ? m->sent[find(m, from, cid, hash)].pos : 0;
}

static void put(struct im_memory *m, uint64_t pos, uint32_t hash)
{
    size_t mask = m->sent_room - 1, at = hash & mask;
    while (m->sent[at].pos > 0)
        at = (at + 1) & mask;
    m->sent[at] = (struct im_mem_sent){pos, hash};
}

static void grow(struct im_memory *m)
{
    struct im_mem_sent *old = m->sent;
    size_t room = m->sent_room;
    m->sent_room = room > 0 ? room * 2 : 64;
    m->sent = im_zalloc(m->sent_room * sizeof *m->sent);
    for (size_t i = 0; i < room; i++)
        if (old[i].pos > 0)
            put(m, old[i].pos, old[i].hash);
    free(old);
}

void im_mem_sent_add(struct im_memory *m, uint64_t pos, uint32_t hash)
{
    if (++m->sent_count * 2 > m->sent_room)
        grow(m);
    put(m, pos, hash);
}

/* What stands after an empty place would not be found any more if it could stand in it. */
void im_mem_sent_drop(struct im_memory *m, const struct im_mem_user *from, struct im_str cid)
{
    size_t mask = m->sent_room - 1, gap = find(m, from, cid, im_mem_sent_hash(m, from, cid));
    if (m->sent[gap].pos == 0)
        return;
    m->sent_count--;
    m->sent[gap].pos = 0;
    for (size_t at = (gap + 1) & mask; m->sent[at].pos > 0; at = (at + 1) & mask) {
        size_t from_home = (at - m->sent[at].hash) & mask, from_gap = (at - gap) & mask;
        if (from_home < from_gap)
            continue;
        m->sent[gap] = m->sent[at];
        m->sent[at].pos = 0;
        gap = at;
    }
}
