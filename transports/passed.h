#ifndef IM_TRANSPORTS_PASSED_H
#define IM_TRANSPORTS_PASSED_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Sockets that listen already: from whoever started the program (systemd's socket activation), or from the program
 * whose place this one takes (tools/imd/handover.h). A listener takes one by name, when its address is "systemd:NAME",
 * or because it is bound to the listener's address. Of several that fit, each listener takes the first that is left. */
#define IM_PASSED_PREFIX "systemd:"
bool im_passed_is_name(const char *address);

/* Where a socket comes from. Ours: the program before this one made it, so that we may change it and remove its file.
 * Its name is then the address it was made for. */
struct im_passed_origin {
    const char *name;
    bool ours;
    dev_t dev; /* of our Unix socket's file */
    ino_t ino;
};

struct im_passed;

struct im_passed *im_passed_new(void);
/* Closes those that nobody took. */
void im_passed_free(struct im_passed **);
/* Takes the descriptor over, and copies the origin; false, and nothing taken: it is no stream socket that listens. */
bool im_passed_add(struct im_passed *, int fd, const struct im_passed_origin *);
/* One that nobody has taken, from *at on, which begins at 0; NULL: there is none left. */
const struct im_passed_origin *im_passed_left(const struct im_passed *, size_t *at);
/* Of one that was taken; NULL: it was not passed. */
const struct im_passed_origin *im_passed_origin(const struct im_passed *, int fd);

/* Each gives a socket away: the descriptor, or -1 when there is none. passed may be NULL: there are none at all. */
int im_passed_take_name(struct im_passed *, const char *name);
int im_passed_take_ip(struct im_passed *, const struct addrinfo *list); /* bound to one of these */
/* Absolute, or from the working directory. One of ours is known by its file, which may have been moved. */
int im_passed_take_path(struct im_passed *, const char *path);

#endif
