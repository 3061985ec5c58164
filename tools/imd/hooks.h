#ifndef IM_TOOLS_IMD_HOOKS_H
#define IM_TOOLS_IMD_HOOKS_H

#include "tools/imd/daemon.h"
#include "transports/hook.h"
#include "transports/http_client.h"

/* The outgoing webhooks of this server: those in the store, each running while it is enabled. */

struct imd_hooks;

#define IMD_HOOKS_MAX 1000

struct imd_hook {
    struct imd_hook *next;
    struct imd_hooks *hooks;
    char name[IM_HOOK_NAME_MAX + 1];
    struct im_hook_rule rule;
    struct im_hook *running; /* NULL: not enabled, or the server is stopping */
};

/* Begins to read them from the store; they start once they are read. */
struct imd_hooks *imd_hooks_open(struct imd *);
void imd_hooks_configure(struct imd_hooks *, const struct im_config *);
/* Ends their sessions for good; what is not delivered stays in the log. May be NULL. */
void imd_hooks_stop(struct imd_hooks *);
/* After stop: is anything left that would call back? May be NULL. */
bool imd_hooks_busy(const struct imd_hooks *);
void imd_hooks_free(struct imd_hooks **);

struct imd_hook *imd_hooks_first(struct imd_hooks *);
struct imd_hook *imd_hooks_find(struct imd_hooks *, struct im_str name); /* NULL: none */
size_t imd_hooks_count(const struct imd_hooks *);
struct im_dialer *imd_hooks_dialer(struct imd_hooks *);

/* Changes the store first, and then what runs here. done() is called later, with the store's answer. */
typedef void imd_hooks_done(void *arg, enum im_reason);
/* Takes over what is in *rule. fresh: there must not be one of that name (IM_CONFLICT), and it begins now, with nothing
 * of what is in the log. */
void imd_hooks_put(struct imd_hooks *, const char *name, struct im_hook_rule *rule, bool fresh, imd_hooks_done *,
                   void *arg);
/* Its place in the log is forgotten with it. */
void imd_hooks_drop(struct imd_hooks *, const char *name, imd_hooks_done *, void *arg);

/* Posts a test event beside the queue; done() is called later, from the event loop. */
typedef void imd_hooks_tried(void *arg, const struct im_http_outcome *);
void imd_hooks_test(struct imd_hook *, imd_hooks_tried *, void *arg);

/* A store operation of somebody here is under way (+1), or over (-1): the end waits for it. */
void imd_hooks_pending(struct imd_hooks *, int change);

#endif
