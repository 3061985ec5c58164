#ifndef IM_CORE_COUNTERS_H
#define IM_CORE_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "core/reason.h"

/* Counters only ever grow; gauges are not here, because they are derived by counting when somebody asks. */
enum im_counter {
#define IM_COUNTER(sym, name, help) IM_C_##sym,
#include "core/tbl/counters.def"
#undef IM_COUNTER
    IM_COUNTER_COUNT
};

struct im_counters {
    uint64_t n[IM_COUNTER_COUNT];
    uint64_t refused[IM_REASON_COUNT]; /* requests answered with err, by reason */
    uint64_t closed[IM_REASON_COUNT];  /* connections ended, by reason */
};

/* Counts. One thread does; others may read meanwhile, with im_counters_add(). */
static inline void im_count(uint64_t *counter, uint64_t by)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + by, __ATOMIC_RELAXED);
}
/* Any thread. */
void im_counters_add(struct im_counters *sum, const struct im_counters *);

struct im_counter_info {
    const char *name; /* metrics name without the imd_ prefix, ends in _total */
    const char *help;
};
const struct im_counter_info *im_counter_info(enum im_counter counter);

#endif
