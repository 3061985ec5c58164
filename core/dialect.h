#ifndef IM_CORE_DIALECT_H
#define IM_CORE_DIALECT_H

#include "core/transport.h"

/* What the dialects share. */

/* The cached bytes of a durable event in one form, made by `make` the first time. A reference the caller drops. */
struct im_bytes *im_dialect_cached(struct im_event *, enum im_form, bool own,
                                   void (*make)(struct im_out *, const struct im_event *, bool own, const void *arg),
                                   const void *arg);
/* The id that dialects without request ids use, so that the core answers. */
#define IM_DIALECT_ID IM_STR("0")

#endif
