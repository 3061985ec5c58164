#include "tools/imd/notify.h"

#include <stddef.h>

#ifdef HAVE_LIBSYSTEMD

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "transports/loop.h"
#include "transports/passed.h"

void imd_notify(const char *format, ...)
{
    char state[1000];
    va_list args;
    va_start(args, format);
    vsnprintf(state, sizeof state, format, args);
    va_end(args);
    sd_notify(0, state);
}

/* When it began, to tell this from an older "ready". */
void imd_notify_reloading(void)
{
    imd_notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64, im_loop_now_us());
}

uint64_t imd_watchdog_us(void)
{
    uint64_t us = 0;
    return sd_watchdog_enabled(0, &us) > 0 ? us / 3 : 0;
}

enum im_reason imd_passed_sockets(struct im_passed **passed, struct im_error *error)
{
    char **names = NULL;
    enum im_reason r = IM_OK;
    int n = sd_listen_fds_with_names(1, &names);
    *passed = n > 0 ? im_passed_new() : NULL;
    for (int i = 0; i < n; i++) {
        if (r == IM_OK &&
            !im_passed_add(*passed, SD_LISTEN_FDS_START + i, &(struct im_passed_origin){names[i], .ours = false}))
            r = im_fail(error, IM_SYSTEM, "what the service manager passed as %s is no listening stream socket",
                        names[i]);
        free(names[i]);
    }
    free(names);
    return r;
}

#else

void imd_notify(const char *format, ...)
{
    (void)format;
}

void imd_notify_reloading(void)
{
}

uint64_t imd_watchdog_us(void)
{
    return 0;
}

enum im_reason imd_passed_sockets(struct im_passed **passed, struct im_error *error)
{
    (void)error;
    *passed = NULL;
    return IM_OK;
}

#endif
