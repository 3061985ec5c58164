#ifndef IM_TOOLS_IMD_NOTIFY_H
#define IM_TOOLS_IMD_NOTIFY_H

#include <stdint.h>

/* Tells the service manager, if there is one: "READY=1", "STOPPING=1". */
void imd_notify(const char *state);
/* How often it wants to hear "WATCHDOG=1", with time to spare; 0: never. */
uint64_t imd_watchdog_us(void);

#endif
