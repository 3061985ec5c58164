#include "tools/imd/usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

static uint64_t resident(void)
{
    uint64_t all = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%" SCNu64 " %" SCNu64, &all, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t microseconds(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

void imd_usage_look(struct imd_usage *u)
{
    struct rusage used = {0};
    struct rlimit limit = {0};
    struct statvfs fs = {0};
    struct sysinfo system = {0};
    *u = (struct imd_usage){.resident_bytes = resident()};
    if (sysinfo(&system) == 0)
        u->memory_bytes = (uint64_t)system.totalram * system.mem_unit;
    if (getrusage(RUSAGE_SELF, &used) == 0)
        u->cpu_us = microseconds(used.ru_utime) + microseconds(used.ru_stime);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        u->descriptors_max = limit.rlim_cur;
    if (statvfs(".", &fs) == 0) {
        u->disk_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
        u->disk_free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    }
}
