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
