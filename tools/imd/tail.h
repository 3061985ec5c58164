#ifndef IM_TOOLS_IMD_TAIL_H
#define IM_TOOLS_IMD_TAIL_H

#include "tools/imd/daemon.h"

/* `imctl tail`: committed events, or lines of the log, to those who ask, as they come. What somebody does not read in
 * time is lost to them, and counted. While nobody asks, all of it is one NULL check for each event and line. */

/* Hands out the lines that came since; on the loop's thread, after the log has called its wake. */
void imd_tail_lines(struct imd *);

#endif
