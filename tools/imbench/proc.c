#include "tools/imbench/proc.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* In nanoseconds, where the kernel was built to count them. */
static bool add_schedstat(pid_t pid, const char *task, struct usage *usage)
{
    char path[64];
    uint64_t cpu, waited;
    snprintf(path, sizeof path, "/proc/%d/task/%.12s/schedstat", (int)pid, task);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    bool good = fscanf(f, "%" SCNu64 " %" SCNu64, &cpu, &waited) == 2;
    fclose(f);
    if (good) {
        usage->cpu_ns += cpu;
        usage->waited_ns += waited;
    }
    return good;
}

/* In clock ticks: proc(5), fields 14 and 15. The name before them, in brackets, may contain anything. */
static bool read_stat(pid_t pid, struct usage *usage)
{
    char path[64], line[1024];
    uint64_t user, kernel;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    const char *at = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    fclose(f);
    if (!at || sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &user, &kernel) != 2)
        return false;
    *usage = (struct usage){.cpu_ns = (user + kernel) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK))};
    return true;
}

bool usage_get(pid_t pid, struct usage *usage)
{
    char path[64];
    *usage = (struct usage){0};
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    if (!dir)
        return false;
    bool counted = false;
    for (struct dirent *d; (d = readdir(dir));)
        if (d->d_name[0] != '.' && add_schedstat(pid, d->d_name, usage))
            counted = true;
    closedir(dir);
    return (counted && usage->cpu_ns > 0) || read_stat(pid, usage);
}

uint64_t rss_get(pid_t pid)
{
    char path[64];
    uint64_t pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    if (fscanf(f, "%*u %" SCNu64, &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
