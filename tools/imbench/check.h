#ifndef IM_TOOLS_IMBENCH_CHECK_H
#define IM_TOOLS_IMBENCH_CHECK_H

#include "core/bytes.h"

/* What a message carries, so that whoever gets it can tell whether it is the right one, and how long it took. */
struct text {
    uint32_t sender; /* less than 1 << 24 */
    uint64_t n;      /* which one of this sender's: 0, 1, 2 … */
    uint64_t stamp;  /* when it was sent, or should have been */
};
#define TEXT_MIN 32
/* Exactly size bytes, size >= TEXT_MIN: nothing in it that JSON would escape, the same text for the same values. */
void text_put(struct im_out *, size_t size, const struct text *);
/* False if it is not such a text of that size. */
bool text_get(struct im_str, size_t size, struct text *);

/* What one receiver has of one sender's messages. Zero-initialise. */
struct flow {
    uint64_t next;    /* the number after the largest that came */
    uint64_t recent;  /* bit i: whether next - 1 - i came */
    uint64_t missing; /* smaller ones that have not come */
};

struct tally {
    uint64_t expected; /* deliveries of all that was sent */
    uint64_t got;      /* with the duplicates */
    uint64_t duplicated, misordered;
};

/* Message n has come. */
void flow_take(struct flow *, uint64_t n, struct tally *);
uint64_t tally_lost(const struct tally *);

#endif
