#ifndef IM_TOOLS_IMBENCH_SCENARIO_H
#define IM_TOOLS_IMBENCH_SCENARIO_H

#include "tools/imbench/check.h"

struct client;
struct run;

/* Who writes what to whom, and when. Functions may be NULL where nothing is to be done. */
struct scenario {
    const char *name;
    const char *unit; /* what is counted and timed, and what CPU time is told for */
    const char *help;
    unsigned connections, window;     /* unless told otherwise */
    unsigned least;                   /* connections; always an even number */
    bool json;                        /* needs im.v1 */
    bool group;                       /* all are in one group, which the first one makes */
    bool devices;                     /* those with odd numbers name their device, and acknowledge what they get */
    bool open_loop;                   /* --rate matters */
    bool timed;                       /* a number of messages is no measure of it */
    bool resting;                     /* nothing goes on: what is there costs memory only */
    void (*arrange)(struct client *); /* before anybody comes */
    void (*begin)(struct run *);      /* all are in */
    void (*got)(struct client *, const struct text *);   /* a message, already checked */
    void (*answered)(struct client *, uint64_t sent_ns); /* a message is acknowledged */
    void (*page)(struct client *, struct im_str json);   /* the answer to a request with an id that is a string */
    void (*entered)(struct client *);                    /* once it has begun */
    void (*left)(struct client *);
    uint64_t (*tick)(struct run *, uint64_t now); /* before each wait; returns when it wants to be called again */
    void (*end)(struct run *);                    /* time is up */
};

extern const struct scenario scenarios[];
extern const unsigned scenario_count;

#endif
