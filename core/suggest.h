#ifndef IM_CORE_SUGGEST_H
#define IM_CORE_SUGGEST_H

#include <stddef.h>

#include "core/str.h"

/* "Did you mean …?": the candidate closest to a mistyped word. Zero-initialise with the word, offer every candidate,
 * take the best. */
struct im_suggest {
    struct im_str word;
    struct im_str best;
    size_t distance;
};

void im_suggest_offer(struct im_suggest *, struct im_str candidate); /* the view must outlive the search */
/* The closest candidate offered; absent when none is close enough to be worth saying. */
struct im_str im_suggest_best(const struct im_suggest *);

#endif
