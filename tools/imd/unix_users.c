#include "tools/imd/unix_users.h"

#include <pwd.h>
#include <stdlib.h>

#include "core/account.h"
#include "core/mem.h"

static enum im_reason load_user(struct im_str user, const struct im_name *id, struct imd_unix_user *out,
                                struct im_error *error)
{
    char *name = im_strndup(user.p, user.len);
    const struct passwd *entry = getpwnam(name);
    enum im_reason reason = entry ? IM_OK : im_fail(error, IM_CONFIG, "no user \"%.64s\" on this system", name);
    if (entry)
        *out = (struct imd_unix_user){.uid = entry->pw_uid, .name = *id};
    free(name);
    return reason;
}

enum im_reason imd_unix_users_load(const struct im_config *config, struct imd_unix_users *users, struct im_error *error)
{
    *users = (struct imd_unix_users){.v = im_zalloc((config->unix_users.n + 1) * sizeof *users->v)};
    for (size_t i = 0; i < config->unix_users.n; i++) {
        struct im_name id;
        struct im_str user;
        enum im_reason reason = im_unix_user_spec(config->unix_users.v[i], &user, &id, error);
        if (reason == IM_OK && user.p == NULL)
            users->all = true;
        else if (reason == IM_OK)
            reason = load_user(user, &id, &users->v[users->count++], error);
        if (reason != IM_OK) {
            imd_unix_users_clear(users);
            return reason;
        }
    }
    return IM_OK;
}

void imd_unix_users_clear(struct imd_unix_users *users)
{
    free(users->v);
    *users = (struct imd_unix_users){0};
}

bool imd_unix_user(void *arg, uint32_t uid, struct im_name *out)
{
    const struct imd_unix_users *users = arg;
    for (size_t i = 0; i < users->count; i++) {
        if (users->v[i].uid == uid) {
            *out = users->v[i].name;
            return true;
        }
    }
    const struct passwd *entry = users->all ? getpwuid(uid) : NULL;
    return entry && im_name_parse(im_str(entry->pw_name), out, NULL) == IM_OK;
}
