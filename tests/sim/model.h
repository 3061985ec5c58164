#ifndef IM_TESTS_SIM_MODEL_H
#define IM_TESTS_SIM_MODEL_H

#include "core/store.h"

/* What the log holds, who sees what of it, who is what in which group and how far everybody is, kept beside the store
 * from what it carried out, by other means. */

enum { USERS = 4, GROUPS = 2, PLACES = USERS + GROUPS, DEVICES = 2, LOG_MAX = 1024, CONVS = 2048 };

extern const char *const sim_names[PLACES];        /* users, then groups */
extern const char *const sim_keys[PLACES];         /* of those */
extern const char *const sim_devices[DEVICES + 1]; /* the default one first */

struct entry { /* index is pos - 1 */
    enum im_event_type type;
    enum im_conv_kind kind;
    unsigned from, to; /* to: a place */
    unsigned conv;     /* the model's number of the conversation */
    uint64_t seq, ref;
    int64_t ts_ms;
    bool erased;        /* deleted for all: its text is gone */
    bool hidden;        /* from the peer, who has blocked the sender */
    unsigned must, may; /* bits of users: those who are to be shown it, and those who may be */
    enum im_change change;
    enum im_role role;
    unsigned user;             /* whom the change concerns; USERS: who did it */
    unsigned settings, before; /* of the group from here on, and until here */
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
    uint64_t last_seq[CONVS];
    uint64_t read[USERS][CONVS];
    uint64_t cursor[USERS][DEVICES + 1];
    bool known[USERS][DEVICES + 1]; /* the store has this device */
    struct {                        /* of the append that is carried out now: as it was asked for */
        enum im_role role;
        unsigned settings, keeps;
    } wanted;
};

/* Before the store carries out an operation, and after it has. NULL, or what is wrong. */
void model_before(struct model *, const struct im_store_op *);
const char *model_after(struct model *, const struct im_store_op *);
/* Is this all that the store has for the user, and nothing else? NULL, or what is wrong. */
const char *model_compare(const struct model *, unsigned user, struct im_event *const *events, size_t count);

/* May what it said be nowhere any more? Edits go with their message, wherever retention has got to. */
bool model_text_gone(const struct model *, const struct entry *);

/* PLACES: unknown. */
unsigned model_place(struct im_str key);
unsigned model_device(struct im_str name);
/* What users call the conversation of a message. */
static inline unsigned model_peer(const struct entry *e, unsigned user)
{
    return e->to == user ? e->from : e->to;
}
static inline bool model_must(const struct entry *e, unsigned user)
{
    return (e->must >> user & 1) && !e->erasable;
}
static inline bool model_member(const struct model *m, unsigned place, unsigned user)
{
    return place >= USERS && place < PLACES && m->group_exists[place - USERS] &&
           im_role_member(m->roles[place - USERS][user]);
}

#endif
