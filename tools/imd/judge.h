#ifndef IM_TOOLS_IMD_JUDGE_H
#define IM_TOOLS_IMD_JUDGE_H

#include "tools/imd/daemon.h"
#include "tools/imd/hooks.h"

/* What `check` and `doctor` go by. */

enum imd_verdict { IMD_FINE, IMD_WARN, IMD_FAIL };
enum imd_verdict imd_judge(uint64_t value, uint64_t warn, uint64_t crit, bool low_is_bad);

/* Of the file system that the store is on. */
uint64_t imd_disk_free_percent(void);
/* Days that the first certificate to end still has; false: there is none. */
bool imd_certificate_days(const struct imd *, uint64_t *days);
/* Was its last delivery not accepted, or has its receiver gone? */
bool imd_hook_is_ill(const struct imd_hook *);

#endif
