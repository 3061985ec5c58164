#ifndef IM_TOOLS_IMD_NOTIFY_H
#define IM_TOOLS_IMD_NOTIFY_H

#include <stdint.h>

#include "core/reason.h"

struct im_passed;

/* Tells the service manager, if there is one, in the words of sd_notify(3). */
void imd_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* That it may take a while until READY=1 comes again. */
void imd_notify_reloading(void);
/* The sockets it opened for us; NULL: none. */
enum im_reason imd_passed_sockets(struct im_passed **, struct im_error *);
/* How often it wants to hear "WATCHDOG=1", with time to spare; 0: never. */
uint64_t imd_watchdog_us(void);

#endif
