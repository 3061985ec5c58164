#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool check(void *arg, struct im_str term, size_t at)
{
    if (term.len == 0 || term.len > IM_SEARCH_TERM_MAX || !im_str_utf8(term) || at != (*(size_t *)arg)++)
        abort();
    for (size_t i = 0; i < term.len; i++)
        if (term.p[i] == ' ' || term.p[i] == '"' || term.p[i] == '\0')
            abort();
    return true;
}

/* The input as a text, as a query, and cut in two: one for the other. A text is found by itself if by anything. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct im_str all = {(const char *)data, size};
    struct im_str first = {all.p, size / 2}, rest = {all.p + size / 2, size - size / 2};
    size_t count = 0;
    im_search_terms(all, check, &count);
    if (im_search_match(all, all) != (count > 0))
        abort();
    im_search_match(first, rest);
    im_search_match(rest, first);
    return 0;
}
