#ifndef IM_TOOLS_IMD_NOTIFY_H
#define IM_TOOLS_IMD_NOTIFY_H

/* Tells the service manager, if there is one: "READY=1", "STOPPING=1". */
void imd_notify(const char *state);

#endif
