#ifndef IM_TOOLS_IMBENCH_PROC_H
#define IM_TOOLS_IMBENCH_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the kernel tells of a process. */

struct usage {
    uint64_t cpu_ns;    /* of all its threads */
    uint64_t waited_ns; /* that they could have run and had no core; 0 where the kernel does not count it */
};

bool usage_get(pid_t, struct usage *); /* false: no such process */
uint64_t rss_get(pid_t);               /* resident memory in bytes; 0 if it cannot be seen */
uint64_t now_ns(void);                 /* monotonic */

#endif
