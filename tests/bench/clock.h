#ifndef IM_BENCH_CLOCK_H
#define IM_BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

/* What a clock says, in nanoseconds: of CLOCK_PROCESS_CPUTIME_ID, what this program has used. */
static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

#endif
