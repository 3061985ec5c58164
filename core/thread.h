#ifndef IM_CORE_THREAD_H
#define IM_CORE_THREAD_H

#include <pthread.h>

/* Starts a thread that no signal comes to: signals are for the one that began. The name, up to 15 bytes, is for whoever
 * looks at the process from outside. 0, or the errno value of the failure. */
int im_thread_start(pthread_t *, const char *name, void *(*run)(void *arg), void *arg);

#endif
