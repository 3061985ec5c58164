#ifndef IM_TOOLS_IMD_HASHER_H
#define IM_TOOLS_IMD_HASHER_H

#include "core/config.h"
#include "core/hasher.h"

/* Argon2id (libsodium's crypto_pwhash) on threads of its own, behind the core's contract. At most auth.hash_queue jobs
 * are in it at a time. */
struct imd_hasher;

/* NULL and a detail: no threads. wake() is called from any thread when a job is done; it must only wake the loop. */
struct imd_hasher *imd_hasher_new(const struct im_config *, void (*wake)(void *arg), void *wake_arg, struct im_error *);
struct im_hasher *imd_hasher_core(struct imd_hasher *);
/* Parameters and bounds, from the next job on. */
void imd_hasher_configure(struct imd_hasher *, const struct im_config *);
/* Calls done() for what is done; on the core's thread, after each wake(). Returns how many. */
size_t imd_hasher_drain(struct imd_hasher *);
/* Ends the threads, after the job each of them is at. What is still waiting then is never done. */
void imd_hasher_free(struct imd_hasher **);

#endif
