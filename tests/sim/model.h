#ifndef IM_TESTS_SIM_MODEL_H
#define IM_TESTS_SIM_MODEL_H

#include "core/store.h"

/* What the log holds and who sees what of it, kept beside the store from what it committed, by other means. */

enum { USERS = 4, GROUPS = 2, PLACES = USERS + GROUPS, DEVICES = 2, LOG_MAX = 4096 };

extern const char *const sim_names[PLACES]; /* users, then groups */

struct entry { /* index is pos - 1 */
    enum im_event_type type;
    unsigned from, to; /* to: a place */
    unsigned conv;     /* the model's number of the conversation */
    uint64_t seq, ref;
    bool erased;        /* deleted for all: its text is gone */
    bool hidden;        /* from the peer, who has blocked the sender */
    unsigned must, may; /* bits of users: those who are to be shown it, and those who may be */
    char cid[24], body[24];
    unsigned acks;
    bool erasable; /* retention may have taken it */
};

struct model {
    struct entry log[LOG_MAX];
    size_t count;
    bool group_exists[GROUPS];
    unsigned incarnation[GROUPS];
    unsigned settings[GROUPS];
    enum im_role roles[GROUPS][USERS];
    bool blocked[USERS][USERS]; /* [by][whom] */
    uint64_t last_seq[LOG_MAX]; /* by conversation */
};

/* Each returns NULL, or what is wrong. */
const char *model_append(struct model *, const struct im_store_append *);
const char *model_block(struct model *, const struct im_store_block *);
void model_sweep(struct model *, const struct im_store_sweep *);

/* PLACES: unknown. */
unsigned model_place(struct im_str key);
static inline bool model_must(const struct entry *e, unsigned user)
{
    return (e->must >> user & 1) && !e->erasable;
}

#endif
