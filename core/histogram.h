#ifndef IM_CORE_HISTOGRAM_H
#define IM_CORE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

/* Log-linear: sixteen buckets for each power of two, so that a value is known to 1/16 of itself, from 1 to 2^36 (19
 * hours in microseconds; more counts as that). One thread adds, any thread reads: what it sees is a moment old, and
 * count and sum may be off by what is being added. */
#define IM_HISTOGRAM_SUB     4
#define IM_HISTOGRAM_TOP     36
#define IM_HISTOGRAM_BUCKETS ((IM_HISTOGRAM_TOP - IM_HISTOGRAM_SUB + 1) << IM_HISTOGRAM_SUB)

struct im_histogram {
    _Atomic uint64_t n[IM_HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum, max;
};

static inline unsigned im_histogram_bucket(uint64_t value)
{
    if (value < 1u << IM_HISTOGRAM_SUB)
        return (unsigned)value;
    if (value >> IM_HISTOGRAM_TOP)
        value = (UINT64_C(1) << IM_HISTOGRAM_TOP) - 1;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - IM_HISTOGRAM_SUB;
    return (shift << IM_HISTOGRAM_SUB) + (unsigned)(value >> shift);
}

/* There is one writer: no locked instruction is needed. */
static inline void im_histogram_bump(_Atomic uint64_t *n, uint64_t by)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + by, memory_order_relaxed);
}

static inline void im_histogram_add(struct im_histogram *h, uint64_t value)
{
    im_histogram_bump(&h->n[im_histogram_bucket(value)], 1);
    im_histogram_bump(&h->sum, value);
    if (value > atomic_load_explicit(&h->max, memory_order_relaxed))
        atomic_store_explicit(&h->max, value, memory_order_relaxed);
}

/* What was in it at one moment, for looking at more than once. */
struct im_histogram_view {
    uint64_t n[IM_HISTOGRAM_BUCKETS];
    uint64_t count, sum, max;
};
void im_histogram_look(const struct im_histogram *, struct im_histogram_view *);
/* What came between two looks; max is that of a bucket's end, for nobody knows better. */
void im_histogram_since(struct im_histogram_view *now, const struct im_histogram_view *before);
/* A value that `permille` thousandths of what was added do not exceed; at most 1/16 too much. 0 when empty. */
uint64_t im_histogram_at(const struct im_histogram_view *, unsigned permille);
/* How many are below 2^power; exact. */
uint64_t im_histogram_below(const struct im_histogram_view *, unsigned power);

/* The histograms there are. */
enum im_histogram_kind {
#define IM_HISTOGRAM(sym, name, help) IM_H_##sym,
#include "core/tbl/histograms.def"
#undef IM_HISTOGRAM
    IM_HISTOGRAM_COUNT
};
struct im_histogram_info {
    const char *name; /* metrics name without the imd_ prefix and the _seconds at its end */
    const char *help;
};
const struct im_histogram_info *im_histogram_info(enum im_histogram_kind);

#endif
