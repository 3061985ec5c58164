#ifndef IM_TOOLS_IMBENCH_RUN_H
#define IM_TOOLS_IMBENCH_RUN_H

#include "tools/imbench/client.h"
#include "tools/imbench/hist.h"
#include "tools/imbench/proc.h"

/* One run of a scenario: everybody comes in, a warm-up, the time that is measured, and then the wait for what is still
 * under way. */

struct sample { /* from the start of measuring on */
    uint64_t at_ns, done, server_ns, own_ns;
};
#define RUN_SAMPLES 256

struct run {
    const struct options *options;
    struct net net;
    struct client *clients;
    unsigned count, in, entering;
    unsigned id; /* makes names that no other run has */
    struct im_out scratch;
    const char *phase;
    bool going; /* may send; not any more when the time is up */
    bool measuring;
    uint64_t activity; /* grows with everything that comes */

    uint64_t sent, answered;
    struct tally tally;
    uint64_t done; /* of the scenario's unit, while measuring */
    struct hist latency;

    struct usage server, own; /* while measuring */
    uint64_t elapsed_ns, settled_ns;
    uint64_t rss_before, rss_after;
    struct sample samples[RUN_SAMPLES];
    unsigned sample_count;
    uint64_t next_look, last_sample, start;
    struct usage server_start, own_start;

    int status;            /* EX_OK, or why it ended before its time */
    struct im_out problem; /* in words */

    /* The scenario's own. */
    uint64_t waiting, turn, due_start;
};

/* Runs it. What went wrong is in status and problem, and everything else is as far as it came. */
void run_all(struct run *, const struct options *);
void run_free(struct run *);

/* Messages that im.v1 should have answered, and has not. */
uint64_t run_unanswered(const struct run *);
bool run_good(const struct run *); /* nothing was lost, duplicated, misordered, and no problem */

/* For scenarios. */
bool run_may_send(const struct run *);
void run_done(struct run *, uint64_t since_ns); /* one unit, begun then */
/* Goes on until done() or, unless anything happens for long, in vain. */
bool run_until(struct run *, bool (*done)(const struct run *));
void run_enter(struct client *);

/* For clients. */
void run_fail(struct run *, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
void run_entered(struct client *);
void run_left(struct client *);
void run_sent(struct run *);
void run_got(struct client *, const struct text *);
void run_answered(struct client *, uint64_t sent_ns);

#endif
