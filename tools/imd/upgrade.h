#ifndef IM_TOOLS_IMD_UPGRADE_H
#define IM_TOOLS_IMD_UPGRADE_H

#include <jansson.h>

#include "tools/imd/daemon.h"
#include "tools/imd/rpc.h"

/* Another program takes the place of this one, in the same process: doc/why/upgrade.md.
 *
 *      checking ──► handing over ──► (the loop ends, the store is closed) ──► trial ──► the other program
 *         └─ refused      └─ stopped instead                                    └─────► this program, anew
 */

/* Looks whether `binary` (NULL: the one this program was started from) can take over, and unless dry lets it. Answers
 * the call in between: with what is going to happen, or why not. */
void imd_upgrade_begin(struct imd *, struct im_rpc_call *, const char *binary, uint64_t deadline_ms, bool dry);
/* Is this program to be followed by another one once the loop has ended? */
bool imd_upgrade_is_handing(const struct imd *);
/* The server is to stop instead. Idempotent. */
void imd_upgrade_abandon(struct imd *);
/* The loop has ended: the sockets' files stay. */
void imd_upgrade_let_go(struct imd *);
/* Once the store is closed: runs the other program, or this one anew. Returns if neither can be. */
void imd_upgrade_run(struct imd *);

/* In the other program: what a rehearsal found, on standard output, for imd_upgrade_begin() to read. */
void imd_rehearsal_tell(const struct imd *);
/* How this program came to run, for `status`; a new reference, null: it was simply started. */
json_t *imd_upgrade_describe(const struct imd *);

#endif
