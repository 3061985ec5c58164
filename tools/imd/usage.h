#ifndef IM_TOOLS_IMD_USAGE_H
#define IM_TOOLS_IMD_USAGE_H

#include <stdint.h>

/* What the process uses of the system now; what cannot be known is 0. The current folder is the store's. */
struct imd_usage {
    uint64_t resident_bytes, memory_bytes; /* its own; all there is */
    uint64_t cpu_us;                       /* since its start, of all threads */
    uint64_t descriptors_max;
    uint64_t disk_bytes, disk_free_bytes; /* of the file system, as far as it is for us */
};
void imd_usage_look(struct imd_usage *);

#endif
