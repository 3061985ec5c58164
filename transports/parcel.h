#ifndef IM_TRANSPORTS_PARCEL_H
#define IM_TRANSPORTS_PARCEL_H

#include "core/command.h"
#include "core/event.h"

/* A command as bytes, without a pointer: what one thread decoded and another is to do. It may be moved and copied to
 * any place that is aligned to 8 bytes. */
struct im_parcel;

size_t im_parcel_size(const struct im_command *); /* bytes; a multiple of 8 */
void im_parcel_pack(struct im_parcel *, const struct im_command *);
/* Views of the parcel, and nothing to be released. May be called again. */
void im_parcel_open(struct im_parcel *, struct im_command *out);

/* A message as bytes, in the same manner: what another thread is to write for its reader. With `brief` only what the
 * answer to its sender tells of it. */
struct im_slip;

size_t im_slip_size(const struct im_msg *, bool brief); /* bytes; 0: this one cannot be packed */
void im_slip_pack(struct im_slip *, const struct im_msg *, bool brief);
void im_slip_open(const struct im_slip *, struct im_msg *out); /* views of the slip; what is not in it is absent */

#endif
