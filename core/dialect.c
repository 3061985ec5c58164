#include "core/dialect.h"

#include <stdlib.h>

#include "core/dialect_human.h"

void im_link_clear(struct im_link *link)
{
    free(link->target);
    link->target = NULL;
    im_human_free(&link->human);
}

/* Where the bytes are, or are to be put. */
static struct im_bytes **find_slot(const struct im_link *link, struct im_event *e, enum im_form form, bool own)
{
    struct im_forms *forms = link && link->env ? link->env->forms : NULL;
    if (forms == NULL)
        return &e->forms[form][own];
    struct im_made *made = &forms->made[((uintptr_t)e / sizeof *e + form * 2 + own) % IM_FORMS];
    if (made->event != e || made->form != form || made->own != own) {
        im_bytes_drop(&made->bytes);
        im_event_drop(&made->event);
        *made = (struct im_made){.event = im_event_hold(e), .form = form, .own = own};
    }
    return &made->bytes;
}

struct im_bytes *im_dialect_cached(const struct im_link *link, struct im_event *e, enum im_form form, bool own,
                                   void (*make)(struct im_out *, const struct im_event *, bool own, const void *arg),
                                   const void *arg)
{
    struct im_bytes **slot = find_slot(link, e, form, own);
    if (*slot == NULL) {
        struct im_out out = {0};
        make(&out, e, own, arg);
        *slot = im_out_take(&out);
    }
    return im_bytes_hold(*slot);
}

void im_forms_clear(struct im_forms *forms)
{
    for (size_t i = 0; i < IM_FORMS; i++) {
        im_bytes_drop(&forms->made[i].bytes);
        im_event_drop(&forms->made[i].event);
    }
}
