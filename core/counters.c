#include "core/counters.h"

#include <assert.h>

static const struct im_counter_info counters[IM_COUNTER_COUNT] = {
#define IM_COUNTER(sym, name, help) {name, help},
#include "core/tbl/counters.def"
#undef IM_COUNTER
};

const struct im_counter_info *im_counter_info(enum im_counter counter)
{
    assert((unsigned)counter < IM_COUNTER_COUNT);
    return &counters[counter];
}

static void add(uint64_t *sum, const uint64_t *counted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += __atomic_load_n(&counted[i], __ATOMIC_RELAXED);
}

void im_counters_add(struct im_counters *sum, const struct im_counters *c)
{
    add(sum->n, c->n, IM_COUNTER_COUNT);
    add(sum->refused, c->refused, IM_REASON_COUNT);
    add(sum->closed, c->closed, IM_REASON_COUNT);
}
