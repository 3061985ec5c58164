#ifndef IM_TRANSPORTS_PASSED_H
#define IM_TRANSPORTS_PASSED_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>

/* Sockets that whoever started the program has opened already (systemd's socket activation). A listener takes one by
 * name, when its address is "systemd:NAME", or because it is bound to the listener's address. */
#define IM_PASSED_PREFIX "systemd:"
bool im_passed_is_name(const char *address);

struct im_passed;

struct im_passed *im_passed_new(void);
/* Closes those that nobody took. */
void im_passed_free(struct im_passed **);
/* Takes the descriptor over; false, and nothing taken: it is no stream socket that listens. */
bool im_passed_add(struct im_passed *, int fd, const char *name);
/* The name of one that nobody has taken; NULL: there is none left. */
const char *im_passed_left(const struct im_passed *);

/* Each gives a socket away: the descriptor, or -1 when there is none. passed may be NULL: there are none at all. */
int im_passed_take_name(struct im_passed *, const char *name);          /* of several the first passed */
int im_passed_take_ip(struct im_passed *, const struct addrinfo *list); /* bound to one of these */
int im_passed_take_path(struct im_passed *, const char *path);          /* absolute, or from the working directory */

#endif
