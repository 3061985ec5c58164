#ifndef IM_TRANSPORTS_PARCEL_H
#define IM_TRANSPORTS_PARCEL_H

#include "core/command.h"

/* A command as bytes, without a pointer: what one thread decoded and another is to do. It may be moved and copied to
 * any place that is aligned to 8 bytes. */
struct im_parcel;

size_t im_parcel_size(const struct im_command *); /* bytes; a multiple of 8 */
void im_parcel_pack(struct im_parcel *, const struct im_command *);
/* Views of the parcel, and nothing to be released. May be called again. */
void im_parcel_open(struct im_parcel *, struct im_command *out);

#endif
