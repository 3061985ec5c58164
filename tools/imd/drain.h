#ifndef IM_TOOLS_IMD_DRAIN_H
#define IM_TOOLS_IMD_DRAIN_H

#include "tools/imd/daemon.h"

/* Tells those who watch a drain how it goes; to be called often. */
void imd_drain_tick(struct imd *);
/* That it is over; true: somebody is to hear that, and it takes a moment to be said. */
bool imd_drain_end(struct imd *);

#endif
