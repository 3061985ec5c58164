#include "tools/imd/notify.h"

#ifdef HAVE_LIBSYSTEMD

#include <systemd/sd-daemon.h>

void imd_notify(const char *state)
{
    sd_notify(0, state);
}

uint64_t imd_watchdog_us(void)
{
    uint64_t us = 0;
    return sd_watchdog_enabled(0, &us) > 0 ? us / 3 : 0;
}

#else

void imd_notify(const char *state)
{
    (void)state;
}

uint64_t imd_watchdog_us(void)
{
    return 0;
}

#endif
