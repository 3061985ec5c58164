#include "core/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void im_no_memory(size_t size)
{
    fprintf(stderr, "imd: out of memory (%zu bytes)\n", size);
    abort();
}

static void *checked(void *p, size_t size)
{
    if (p == NULL && size > 0)
        im_no_memory(size);
    return p;
}

void *im_alloc(size_t size)
{
    return checked(malloc(size), size);
}

void *im_zalloc(size_t size)
{
    return checked(calloc(1, size), size);
}

void *im_realloc(void *old, size_t size)
{
    return checked(realloc(old, size), size);
}

char *im_strndup(const char *s, size_t len)
{
    char *copy = im_alloc(len + 1);
    if (len > 0)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}
