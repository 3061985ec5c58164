#ifndef IM_BENCH_ALONE_H
#define IM_BENCH_ALONE_H

#include "core/core.h"
#include "stores/stores.h"

/* A core with a store and nothing around it, for core_alone.c and core_letters.c; and what people ask of it, as a
 * dialect would have decoded it. */

/* A store that takes messages as one does whose work is elsewhere, and leaves the rest to another. */
struct elsewhere {
    struct im_store store;
    struct im_store *behind;
    struct im_store_op *first, **last;
    uint64_t pos;
    void (*wake)(void *arg);
    void *wake_arg;
};

struct alone {
    struct im_config *config;
    struct im_store *store, *memory; /* store: memory, or elsewhere's */
    struct elsewhere elsewhere;
    struct im_counters counters;
    struct im_core *core;
};

/* group|pairs memory|elsewhere USERS MESSAGES */
struct alone_arguments {
    bool group, elsewhere;
    unsigned users;
    uint64_t messages;
};
bool alone_parse(struct alone_arguments *, int argc, char **argv); /* false: has said how it is used */

/* wake() when the store has something to drain. */
void alone_open(struct alone *, const struct alone_arguments *, void (*wake)(void *arg), void *arg);
void alone_drain(struct alone *); /* what its store has done */
void alone_tell_time(struct alone *);
void alone_close(struct alone *); /* once it has no links */

struct alone_name {
    char text[16];
};
struct alone_name alone_user(unsigned n);
struct alone_name alone_target(bool group, unsigned n); /* whom the nth writes to */

/* Commands; whatever strings they are given must outlive them. */
struct im_command alone_login(const struct alone_name *user);
struct im_command alone_join(const struct alone_name *group, bool create);
struct alone_text {
    char id[24], cid[24], text[64];
};
struct im_command alone_say(const struct alone_name *to, uint64_t n, struct alone_text *);

uint64_t alone_deliveries(const struct alone_arguments *); /* of each message */

#endif
