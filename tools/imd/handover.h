#ifndef IM_TOOLS_IMD_HANDOVER_H
#define IM_TOOLS_IMD_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/reason.h"
#include "transports/passed.h"

/* How the program was started, and how it is started again. */
struct imd_start {
    char *binary;                  /* absolute; NULL: unknown */
    int dir;                       /* the working directory, from which the configuration's relative paths begin */
    char *config_path;             /* absolute; NULL: there is none, built-in defaults */
    struct imd_handover *handover; /* from the program whose place this one takes; NULL: none */
    bool rehearsal;                /* imd --rehearse: start all but the store, tell what was found, and end */
};

/* What one program leaves to the next one, which runs in the same process: as JSON in the environment, with sockets as
 * numbers of descriptors. doc/why/upgrade.md tells how it goes. */
struct imd_handover {
    bool trial;        /* to a child that only shows that it can start */
    bool sound;        /* the store was closed in good order */
    uint64_t since_us; /* when the last connection was accepted, on the clock that never goes back */
    char *from;        /* the version of the program before */
    char *binary;      /* path of the program that is to run */
    char *config;      /* path of the configuration, for both; NULL: there is none */
    char *back;        /* path of the program before */
    int back_fd;       /* and the program itself, which may have been replaced under its path; -1: no way back */
    char *problem;     /* why the other program does not run, and this is the one before again; NULL */
    struct imd_handover_socket {
        int fd;
        struct im_passed_origin origin; /* its name is malloc'd; our Unix socket's is absolute */
        bool left;                      /* nobody listens on it any more */
    } * sockets;
    size_t count;
    bool done;       /* this program is ready */
    uint64_t gap_us; /* how long nobody accepted */
};

struct imd_handover *imd_handover_new(void);
/* What was left to this process; NULL: nothing. */
struct imd_handover *imd_handover_read(void);
void imd_handover_free(struct imd_handover **); /* and closes its descriptors */
/* Adds another descriptor for the same socket. */
enum im_reason imd_handover_add(struct imd_handover *, int fd, const struct im_passed_origin *, struct im_error *);
/* For the listeners to take: the handover keeps descriptors of its own. */
enum im_reason imd_handover_pass(const struct imd_handover *, struct im_passed **, struct im_error *);
/* A socket that no listener took. */
void imd_handover_leave(struct imd_handover *, const struct im_passed_origin *);
/* This program is ready: nobody will need to go back. Closes the descriptors, and removes the files of Unix sockets on
 * which nobody listens any more. */
void imd_handover_done(struct imd_handover *);

/* A program's arguments and environment. */
struct imd_invocation {
    char *argv[5], **envp;
};
void imd_handover_invoke(const struct imd_handover *, bool rehearsal, struct imd_invocation *);
void imd_invocation_clear(struct imd_invocation *);
/* Each replaces this program, and returns only if that fails: with errno. */
void imd_handover_exec(const struct imd_handover *, const struct imd_start *);
void imd_handover_exec_back(struct imd_handover *, const struct imd_start *, const char *problem);

#endif
