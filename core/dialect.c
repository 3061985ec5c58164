#include "core/dialect.h"

#include <stdlib.h>

#include "core/dialect_human.h"

void im_link_clear(struct im_link *link)
{
    free(link->target);
    link->target = NULL;
    im_human_free(&link->human);
}

struct im_bytes *im_dialect_cached(struct im_event *e, enum im_form form, bool own,
                                   void (*make)(struct im_out *, const struct im_event *, bool own, const void *arg),
                                   const void *arg)
{
    struct im_bytes **slot = &e->forms[form][own];
    if (*slot == NULL) {
        struct im_out out = {0};
        make(&out, e, own, arg);
        *slot = im_out_take(&out);
    }
    return im_bytes_hold(*slot);
}
