#include "tools/imd/notify.h"

#ifdef HAVE_LIBSYSTEMD

#include <systemd/sd-daemon.h>

void imd_notify(const char *state)
{
    sd_notify(0, state);
}

#else

void imd_notify(const char *state)
{
    (void)state;
}

#endif
