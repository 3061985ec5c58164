#ifndef IM_TOOLS_IMBENCH_HIST_H
#define IM_TOOLS_IMBENCH_HIST_H

#include <stdint.h>

/* A histogram as of HdrHistogram: slots grow with the value, so that any value is known to one part in 128, from 0 to
 * the largest there is, in a fixed amount of memory. */

#define HIST_BITS  7
#define HIST_SLOTS ((64 - HIST_BITS + 1) << HIST_BITS)

struct hist {
    uint64_t count, sum, max;
    uint64_t n[HIST_SLOTS];
};

void hist_add(struct hist *, uint64_t value);
/* The least value that so many percent of all do not exceed; 0 of an empty one. */
uint64_t hist_at(const struct hist *, double percent);

#endif
