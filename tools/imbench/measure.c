#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/imbench/bench.h"

/* Buckets grow by a hundredth of a power of two's worth: 100 for each doubling, from 100 ns. */
#define HIST_LEAST      100.0
#define HIST_PER_DOUBLE 80.0

void hist_add(struct hist *h, uint64_t ns)
{
    double at = ns > HIST_LEAST ? log2((double)ns / HIST_LEAST) * HIST_PER_DOUBLE : 0;
    h->n[at < HIST_BUCKETS - 1 ? (size_t)at : HIST_BUCKETS - 1]++;
    h->count++;
    if (ns > h->max)
        h->max = ns;
}

uint64_t hist_percentile(const struct hist *h, double percent)
{
    double goal = (double)h->count * percent / 100, sum = 0;
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        sum += (double)h->n[i];
        if (h->n[i] > 0 && sum >= goal)
            return (uint64_t)(HIST_LEAST * exp2(((double)i + 1) / HIST_PER_DOUBLE));
    }
    return h->max;
}

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t read_number(const char *path)
{
    uint64_t n = 0;
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%" SCNu64, &n) != 1)
        n = 0;
    if (f)
        fclose(f);
    return n;
}

uint64_t proc_cpu_ns(pid_t pid)
{
    char path[300];
    uint64_t sum = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = pid > 0 ? opendir(path) : NULL;
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (d->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", (int)pid, d->d_name);
        sum += read_number(path);
    }
    if (dir)
        closedir(dir);
    return sum;
}

uint64_t proc_rss(pid_t pid)
{
    char path[64], line[200];
    uint64_t kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = pid > 0 ? fopen(path, "r") : NULL;
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtoull(line + 6, NULL, 10);
    if (f)
        fclose(f);
    return kb * 1024;
}
