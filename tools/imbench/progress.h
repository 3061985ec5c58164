#ifndef IM_TOOLS_IMBENCH_PROGRESS_H
#define IM_TOOLS_IMBENCH_PROGRESS_H

#include <stdint.h>

/* How it goes, in one line on standard error, if that is a terminal. */
struct run;
void progress_show(const struct run *, uint64_t now);
void progress_clear(const struct run *);

#endif
