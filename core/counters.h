#ifndef IM_CORE_COUNTERS_H
#define IM_CORE_COUNTERS_H

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

struct im_counter_info {
    const char *name; /* metrics name without the imd_ prefix, ends in _total */
    const char *help;
};
const struct im_counter_info *im_counter_info(enum im_counter counter);

#endif
