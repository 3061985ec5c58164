#ifndef IM_TOOLS_IMD_UNIX_USERS_H
#define IM_TOOLS_IMD_UNIX_USERS_H

#include "core/config.h"
#include "core/name.h"

/* auth.unix_users: whose id each system user may take. */
struct imd_unix_users {
    struct imd_unix_user {
        uint32_t uid;
        struct im_name name;
    } * v;
    size_t count;
    bool all; /* "*": any other system user the id of the same name */
};
enum im_reason imd_unix_users_load(const struct im_config *, struct imd_unix_users *, struct im_error *);
void imd_unix_users_clear(struct imd_unix_users *);
/* For im_core_options: arg is a struct imd_unix_users. */
bool imd_unix_user(void *arg, uint32_t uid, struct im_name *out);

#endif
