#ifndef IM_TESTS_SIM_WORLD_H
#define IM_TESTS_SIM_WORLD_H

#include "core/core.h"
#include "tests/sim/model.h"

/* The core, its store and its peers: sim.c runs them and looks at them, people.c is what the peers do. */

enum { LINKS = 10, STEPS = 500, HELD_MAX = 4096, SAID = 8 };

/* What a link asked, by request id. */
struct asked {
    enum im_event_type type;
    enum im_conv_kind kind;
    unsigned to;
    uint64_t ref;
    enum im_change change;
    unsigned user; /* USERS: none */
    enum im_role role;
    unsigned settings, named; /* a group's, and which of them the request names */
    char cid[24];
    char body[24];
};

struct peer {
    struct im_link link;
    struct world *world;
    bool open, closing, hold, ended;
    enum im_reason reason;
    bool seated, greeted;
    bool slow; /* reads seldom */
    unsigned user, device;
    uint64_t from; /* login pos */
    uint64_t last; /* newest event seen */
    size_t queued;
    uint64_t unflushed[LOG_MAX];
    size_t unflushed_count;
    bool own[LOG_MAX + 1]; /* pos answered by ok here */
    unsigned own_count;
    struct asked asked[LOG_MAX];
    unsigned asked_count;
};

struct held { /* an operation between the core and the memory store */
    struct im_store_op *op;
    void (*done)(struct im_store_op *);
    void *owner;
};

struct lane {
    struct held *v[HELD_MAX];
    size_t head, executed, tail;
};

/* What a user has asked for, to be repeated. */
struct said {
    struct asked asked;
    const char *op; /* NULL: nothing yet */
    char rest[200];
};

struct world {
    struct im_store store;
    struct im_store *inner;
    struct im_core *core;
    struct im_config *config;
    struct im_counters counters;
    struct lane lanes[2];
    struct peer peers[LINKS];
    struct model model;
    struct said said[USERS][SAID];
    unsigned said_count[USERS];
    bool wire[USERS][DEVICES + 1][LOG_MAX + 1]; /* left for the socket (or acknowledged by ok) per device */
    uint64_t start[USERS][DEVICES + 1];         /* where the device began */
    uint64_t passed[USERS][DEVICES + 1];        /* its cursor was found to be right up to here */
    bool known[USERS][DEVICES + 1];
    uint64_t random, seed, now, acked, refused, dups;
    unsigned step, cids;
    bool full, failed, draining;
    unsigned restarts;
};

unsigned sim_pick(struct world *, unsigned below);
void sim_say(struct world *, struct peer *, const char *format, ...) __attribute__((format(printf, 3, 4)));
void sim_flush(struct world *, struct peer *);
void sim_open(struct world *, struct peer *);
void sim_close(struct world *, struct peer *);

/* Somebody does something. */
void people_act(struct world *);

#endif
