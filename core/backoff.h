#ifndef IM_CORE_BACKOFF_H
#define IM_CORE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "core/hash.h"
#include "core/str.h"

/* Failed logins by address and by account: after a few free ones each costs a wait, twice as long as the one before.
 * Bounded: when the table is full, the entry untouched for longest goes. An entry is forgotten when its longest wait
 * has passed twice without a failure. */
struct im_backoff;

struct im_backoff *im_backoff_new(const uint8_t hash_key[IM_HASH_KEY_BYTES]);
void im_backoff_free(struct im_backoff **);

struct im_backoff_rule {
    uint64_t start_ms, most_ms, table; /* start 0: never a wait */
};
/* How long `who` has to wait still; 0: may try. */
uint64_t im_backoff_wait(struct im_backoff *, struct im_str who, uint64_t now_ms);
void im_backoff_failed(struct im_backoff *, struct im_str who, const struct im_backoff_rule *, uint64_t now_ms);
/* Those that have to wait; return false from each() to stop. */
void im_backoff_each(const struct im_backoff *, uint64_t now_ms,
                     bool (*each)(void *arg, struct im_str who, uint64_t wait_ms, unsigned failures), void *arg);
void im_backoff_forget(struct im_backoff *, struct im_str who);

#endif
