#ifndef IM_TOOLS_IMBENCH_CLIENT_H
#define IM_TOOLS_IMBENCH_CLIENT_H

#include "tools/imbench/check.h"
#include "tools/imbench/net.h"
#include "tools/imbench/options.h"

/* One user with one connection. */

/*      AWAY ──► ENTERING (connects, logs in, joins the group) ──► IN ──► AWAY */
enum client_state { CLIENT_AWAY, CLIENT_ENTERING, CLIENT_IN };

struct client {
    struct conn conn; /* first, so that a connection is its client */
    struct run *run;
    struct client *peer; /* whose messages come here */
    unsigned number;
    char name[24], to[24];
    enum client_state state;
    enum dialect dialect; /* that it speaks at present */
    unsigned step;        /* of entering */
    bool named;           /* names its device */
    bool joined;          /* is in the group */
    uint64_t sent, answered;
    uint64_t *stamps; /* when the last `window` messages were sent */
    struct flow flow; /* of what comes */
    char pos[24];     /* of the newest event */

    /* The scenario's own. */
    uint64_t waiting, began;
};

void client_init(struct client *, struct run *, unsigned number);
void client_free(struct client *); /* closes it at once */
void client_enter(struct client *);
void client_leave(struct client *);
/* The next message, which is timed from stamp on. */
void client_send(struct client *, uint64_t stamp);
void client_ack(struct client *); /* everything that came */

/* The string value of a member in JSON that is known to have no escapes in it; NULL if there is none. */
struct im_str client_find(struct im_str json, const char *key);

#endif
