#ifndef IM_CORE_MEM_H
#define IM_CORE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Allocation that never returns NULL. What peers can make the server hold is bounded by configuration (`limits`),
 * so running out of memory is the machine's failure, not a peer's: the process aborts and the log recovers at boot.
 * Release with free(). See doc/why/memory.md. */
void *im_alloc(size_t size);                              /* uninitialised */
void *im_zalloc(size_t size);                             /* zeroed */
void *im_realloc(void *old, size_t size);                 /* old may be NULL */
void im_no_memory(size_t size) __attribute__((noreturn)); /* for what is not asked for here */
char *im_strndup(const char *s, size_t len);              /* NUL-terminated copy of len bytes */

/* Starts to bring so many bytes into the cache: they will be needed a little later. p may be anything. */
static inline void im_warm(const void *p, size_t bytes)
{
    enum { LINE = 64 };
    for (size_t i = 0; i < bytes; i += LINE)
        __builtin_prefetch((const void *)((uintptr_t)p + i));
}

#endif
