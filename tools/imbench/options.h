#ifndef IM_TOOLS_IMBENCH_OPTIONS_H
#define IM_TOOLS_IMBENCH_OPTIONS_H

#include <sys/types.h>

#include "tools/imbench/net.h"

enum dialect { DIALECT_CLASSROOM, DIALECT_JSON };

struct options {
    const struct scenario *scenario;
    const char *url;
    struct endpoint endpoint;
    enum dialect dialect;
    bool relay; /* the server knows neither users nor groups */
    unsigned connections, window, size, rate, depth;
    uint64_t messages; /* to send, 0: as many as go into the time */
    uint64_t time_ns, warmup_ns, patience_ns;
    pid_t pid; /* the server's; 0: not told */
    struct net_options net;
    bool json, quiet;
    const char *svg;
};

/* EX_OK: go on. Otherwise, or when *done, all has been said and the program ends with that status. */
int options_parse(struct options *, int argc, char **argv, bool *done);

#endif
