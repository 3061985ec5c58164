#ifndef IM_TESTS_CONFORM_FAKE_CORE_H
#define IM_TESTS_CONFORM_FAKE_CORE_H

#include "core/core.h"

/* A core that only takes notes and does as it is told, so that the transports can be tested without the real one. It
 * checks the contract of the seam at every up-call: none comes from inside a down-call, none after closed. */

/* A link as the core saw it. Outlives the link. */
struct seen {
    struct im_core *core;
    struct im_link *link; /* NULL once it is closed */
    char transport[16], address[64];
    bool tls;
    char **messages;
    size_t count, bytes;
    unsigned input_ends, writables, closes;
    unsigned emptied; /* writables with nothing queued */
    enum im_reason reason;
};

struct im_core {
    struct im_dialect_env dialect_env;
    struct seen *seen[256];
    size_t opened;
    bool down; /* a down-call is under way */
    /* orders */
    enum im_reason refuse;                                       /* instead of opening */
    size_t hold_after;                                           /* hold a link at every so many messages */
    size_t close_after;                                          /* close it at this message, with IM_KICKED */
    bool keep_open_at_input_end;                                 /* otherwise closes with IM_BYE */
    bool online;                                                 /* everybody is */
    void (*heard)(struct seen *);                                /* a message; may be NULL */
    void (*commanded)(struct seen *, const struct im_command *); /* what the transport asked by itself; may be NULL */
    void *arg;                                                   /* the test's */
};

void fake_core_clear(struct im_core *);

/* Down-calls. */
void seen_send(struct seen *, const char *text);                  /* a notice */
void seen_send_event(struct seen *, struct im_event *, bool own); /* takes over the reference */
void seen_tell_event(struct seen *, struct im_event *, bool own); /* the reference stays the caller's */
void seen_hold(struct seen *, bool on);
void seen_close(struct seen *, enum im_reason);
size_t seen_queued(struct seen *);

#endif
