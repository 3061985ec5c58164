#ifndef IM_TRANSPORTS_UP_H
#define IM_TRANSPORTS_UP_H

#include "core/core.h"
#include "transports/transports.h"
#include "transports/worker.h"

/* The up-calls of core/core.h, for transports: a direct call where the core runs on the same loop, a letter to it where
 * the loop is a worker's. The contract is the same: nothing comes down before such a call returns, but for hold(). */

static inline enum im_reason im_up_opened(struct im_transport_env *env, struct im_link *link,
                                          const struct im_link_info *info)
{
    return env->worker ? im_worker_opened(env->worker, link, info) : im_core_opened(env->core, link, info);
}

static inline void im_up_input(struct im_transport_env *env, struct im_link *link, struct im_str message)
{
    if (env->worker)
        im_worker_input(env->worker, link, message);
    else
        im_core_input(env->core, link, message);
}

static inline void im_up_command(struct im_transport_env *env, struct im_link *link, struct im_command *cmd)
{
    if (env->worker)
        im_worker_command(env->worker, link, cmd);
    else
        im_core_command(env->core, link, cmd);
}

static inline void im_up_input_end(struct im_transport_env *env, struct im_link *link)
{
    if (env->worker)
        im_worker_input_end(env->worker, link);
    else
        im_core_input_end(env->core, link);
}

static inline void im_up_writable(struct im_transport_env *env, struct im_link *link)
{
    if (env->worker)
        im_worker_writable(env->worker, link);
    else
        im_core_writable(env->core, link);
}

static inline void im_up_closed(struct im_transport_env *env, struct im_link *link, enum im_reason reason)
{
    if (env->worker)
        im_worker_closed(env->worker, link, reason);
    else
        im_core_closed(env->core, link, reason);
}

static inline bool im_up_banned(const struct im_transport_env *env, const char *peer)
{
    return env->worker ? im_worker_banned(env->worker, peer) : im_core_banned(env->core, peer);
}

#endif
