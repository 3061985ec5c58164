#ifndef IM_STORES_RULES_H
#define IM_STORES_RULES_H

#include "core/store.h"

/* What may be appended, alike for every store: a pure judgement over what the store has looked up. */
struct im_rules_in {
    const struct im_event *event; /* before the commit */
    const struct im_policy *policy;
    /* kind GROUP */
    bool group_exists;
    uint32_t members, owners; /* now */
    unsigned settings;
    struct im_str topic;        /* now */
    enum im_role actor, target; /* of msg.from; of msg.user */
    uint32_t actor_groups;      /* groups the actor is a member of (CREATE, JOIN) */
    /* policy->accounts: has whom it is sent to (direct), or whom it concerns (msg.user), an account? */
    bool peer_known;
    bool blocked; /* whom it is sent to (direct), or whom it concerns (msg.user), has blocked the actor */
    /* EDIT, DELETE, REACT, and MSG with a reply: the event that msg.ref names, if the actor sees it */
    bool ref_exists;
    enum im_event_type ref_type;
    bool ref_own, ref_deleted, ref_hidden;
    int64_t ref_ts_ms;
    struct im_str ref_body, ref_mime; /* EDIT: as it stands now */
    bool hidden_already;              /* DELETE for oneself: it was done before */
    /* REACT */
    bool reacted;       /* the actor has given this emoji */
    uint32_t reactions; /* different emoji on the message now */
    bool emoji_there;   /* somebody has given this one */
};

/* Limits of policy that are 0 are none. An edit makes plain text of a message, whatever it was before. */
struct im_rules_out {
    bool nothing;        /* allowed, and changes nothing: do not append */
    enum im_role role;   /* MEMBER: the new role of whom it concerns (msg.user, or msg.from); goes into msg.role */
    unsigned settings;   /* MEMBER: CREATE and SET; go into msg.settings */
    bool concerns_other; /* MEMBER: msg.user's role changes, not msg.from's */
    bool ends;           /* MEMBER: the group is no more: deleted, or its only member has left */
    bool may_all;        /* MSG, EDIT in a group: @all counts */
    bool hidden;         /* msg.hidden: the peer does not see it; of an INVITE, the one invited */
    bool read;           /* the actor has read the conversation up to here */
};

/* Is this the value of an account that can be written to? Absent: false. */
bool im_rules_account(struct im_str value);

enum im_reason im_rules_judge(const struct im_rules_in *, struct im_rules_out *);

/* Has what is from then been there for longer than this? 0: nothing ever has. */
bool im_retention_older(const struct im_store_sweep *, int64_t ts_ms, uint64_t most_ms);
/* Does retention_count leave no room for an event, with so many messages and events after it in its conversation? */
bool im_retention_surplus(const struct im_store_sweep *, uint64_t messages, uint64_t events);

#endif
