#include "core/histogram.h"

#include <assert.h>

/* The highest value that falls into a bucket. */
static uint64_t bucket_end(unsigned bucket)
{
    unsigned shift = bucket >> IM_HISTOGRAM_SUB, low = bucket & ((1u << IM_HISTOGRAM_SUB) - 1);
    if (shift <= 1)
        return bucket;
    shift--;
    return (((UINT64_C(1) << IM_HISTOGRAM_SUB) + low + 1) << shift) - 1;
}

void im_histogram_look(const struct im_histogram *h, struct im_histogram_view *v)
{
    *v = (struct im_histogram_view){.sum = atomic_load_explicit(&h->sum, memory_order_relaxed),
                                    .max = atomic_load_explicit(&h->max, memory_order_relaxed)};
    for (unsigned i = 0; i < IM_HISTOGRAM_BUCKETS; i++) {
        v->n[i] = atomic_load_explicit(&h->n[i], memory_order_relaxed);
        v->count += v->n[i];
    }
}

void im_histogram_since(struct im_histogram_view *now, const struct im_histogram_view *before)
{
    uint64_t max = 0;
    for (unsigned i = 0; i < IM_HISTOGRAM_BUCKETS; i++) {
        now->n[i] -= before->n[i];
        if (now->n[i] > 0)
            max = bucket_end(i);
    }
    now->count -= before->count;
    now->sum -= before->sum;
    if (max < now->max)
        now->max = max;
}

uint64_t im_histogram_at(const struct im_histogram_view *v, unsigned permille)
{
    uint64_t wanted = (v->count * permille + 999) / 1000, seen = 0;
    if (v->count == 0)
        return 0;
    for (unsigned i = 0; i < IM_HISTOGRAM_BUCKETS; i++) {
        seen += v->n[i];
        if (seen >= wanted && seen > 0)
            return bucket_end(i) < v->max ? bucket_end(i) : v->max;
    }
    return v->max;
}

uint64_t im_histogram_below(const struct im_histogram_view *v, unsigned power)
{
    assert(power <= IM_HISTOGRAM_TOP);
    unsigned end = power == IM_HISTOGRAM_TOP ? IM_HISTOGRAM_BUCKETS : im_histogram_bucket(UINT64_C(1) << power);
    uint64_t n = 0;
    for (unsigned i = 0; i < end; i++)
        n += v->n[i];
    return n;
}

static const struct im_histogram_info histograms[IM_HISTOGRAM_COUNT] = {
#define IM_HISTOGRAM(sym, name, help) {name, help},
#include "core/tbl/histograms.def"
#undef IM_HISTOGRAM
};

const struct im_histogram_info *im_histogram_info(enum im_histogram_kind kind)
{
    assert((unsigned)kind < IM_HISTOGRAM_COUNT);
    return &histograms[kind];
}
