#ifndef IM_TOOLS_IMD_PROBE_H
#define IM_TOOLS_IMD_PROBE_H

#include "tools/imd/daemon.h"

/* Comes to one of the server's own listeners as a client would, and says hello. A listener
 * without a transport is that of the metrics. done() is called once, from the event
 * loop: problem NULL means that it was answered. What is said of a certificate alone is no failure of the listener. */
void imd_probe(struct imd *, const struct imd_listener *, void (*done)(void *arg, const char *problem), void *arg);

#endif
