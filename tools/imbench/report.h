#ifndef IM_TOOLS_IMBENCH_REPORT_H
#define IM_TOOLS_IMBENCH_REPORT_H

#include <stdbool.h>

/* What a run found out: for people, for programs, and as a picture. */
struct run;
void report_table(const struct run *);
void report_json(const struct run *);
bool report_svg(const struct run *, const char *path); /* false: errno says why not */

#endif
