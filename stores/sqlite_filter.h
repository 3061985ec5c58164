#ifndef IM_STORES_SQLITE_FILTER_H
#define IM_STORES_SQLITE_FILTER_H

#include "core/search.h"

/* A search looks at a conversation by chunks: 64 events next to each other. A chunk that is complete gets, some time
 * later, a filter (Bloom's): a few hundred bytes from which to tell that none of its texts can have a word. A chunk
 * without one, as the newest always is, is looked through. So filters cost an append nothing, may come late or go at
 * any time, and only ever save work. See doc/why/sqlite.md. */

#define IM_CHUNK_EVENTS 64
#define IM_CHUNK_BITS   24 /* of an id, for the chunk's number: 2^30 events in a conversation */

/* The row of a chunk in `filters` and `chores`; 0: further on than can be numbered. */
static inline int64_t im_chunk_id(int64_t conv, uint64_t seq)
{
    uint64_t chunk = (seq - 1) / IM_CHUNK_EVENTS;
    return chunk >> IM_CHUNK_BITS ? 0 : conv << IM_CHUNK_BITS | (int64_t)chunk;
}
static inline uint64_t im_chunk_first(uint64_t seq)
{
    return (seq - 1) / IM_CHUNK_EVENTS * IM_CHUNK_EVENTS + 1;
}

/* The words of a chunk's texts, being gathered. Zero-initialise. */
struct im_filter {
    uint64_t *set; /* hashes, by open addressing; 0: free */
    size_t count, room;
};
void im_filter_add(struct im_filter *, struct im_str text);
/* The filter's bytes, malloc'd; frees the rest. */
uint8_t *im_filter_finish(struct im_filter *, size_t *len);

/* What a query asks of a filter. */
struct im_filter_query {
    uint64_t hashes[IM_SEARCH_WANTED_MAX];
    size_t count; /* 0: the query has no words, and finds nothing */
};
struct im_filter_query im_filter_query(struct im_str text);
/* May a text with all the words be there? */
bool im_filter_may(const struct im_filter_query *, const void *bits, size_t len);

#endif
