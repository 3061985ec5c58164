#ifndef IM_CORE_PROFILE_H
#define IM_CORE_PROFILE_H

#include "core/bytes.h"

/* What a profile record says: JSON. Strings live as long as the block they were read into. */
struct im_profile_value {
    struct im_str name, avatar; /* absent when not set */
    bool hide_seen;             /* others are not told when the user was last here */
    void *memory;
};
/* An absent or unreadable value is an empty profile. End with im_profile_clear(). */
void im_profile_read(struct im_str value, struct im_profile_value *out);
void im_profile_clear(struct im_profile_value *);
void im_profile_write(const struct im_profile_value *, struct im_out *out);

#endif
