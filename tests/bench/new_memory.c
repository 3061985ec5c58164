/* What a page of new memory costs: the kernel clears it when it is first written to, and a virtual machine may have to
 * be given it first. What is appended to, as the log of the store in memory, pays that for each message.
 *
 * Prints one line of JSON, in microseconds of CPU for each 4 KiB: as it comes, and where huge pages are asked for. */

#include <stdio.h>
#include <sys/mman.h>
#include <sysexits.h>

#include "tests/bench/clock.h"

enum { PAGE = 4096, PAGES = 65536 };

static double cpu_us(void)
{
    return (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e3;
}

/* Negative: there is no such memory. A kernel that knows no huge pages gives small ones. */
static double touch_all(int advice)
{
    size_t size = (size_t)PAGE * PAGES;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -1;
    int refused = madvise(memory, size, advice);
    (void)refused;
    double start = cpu_us();
    for (size_t at = 0; at < size; at += PAGE)
        ((volatile char *)memory)[at] = 1;
    double us = (cpu_us() - start) / PAGES;
    munmap(memory, size);
    return us;
}

int main(void)
{
    double page = touch_all(MADV_NOHUGEPAGE), huge = touch_all(MADV_HUGEPAGE);
    if (page < 0 || huge < 0) {
        perror("new_memory");
        return EX_OSERR;
    }
    printf("{\"page_us\": %.3f, \"huge_us\": %.3f}\n", page, huge);
    return EX_OK;
}
