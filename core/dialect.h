#ifndef IM_CORE_DIALECT_H
#define IM_CORE_DIALECT_H

#include "core/transport.h"

/* What the dialects share. */

/* The cached bytes of a durable event in one form, made by `make` the first time. A reference the caller drops. */
struct im_bytes *im_dialect_cached(const struct im_link *, struct im_event *, enum im_form, bool own,
                                   void (*make)(struct im_out *, const struct im_event *, bool own, const void *arg),
                                   const void *arg);

/* What a thread that is not the core's has encoded lately: the cache inside an event is the core's to fill and to
 * forget. Zero-initialise; clear it when a batch is done, for it holds on to its events. */
enum { IM_FORMS = 16 };
struct im_forms {
    struct im_made {
        struct im_event *event; /* NULL: nothing */
        struct im_bytes *bytes;
        enum im_form form;
        bool own;
    } made[IM_FORMS];
};
void im_forms_clear(struct im_forms *);

/* The id that dialects without request ids use, so that the core answers. */
#define IM_DIALECT_ID IM_STR("0")

#endif
