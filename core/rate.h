#ifndef IM_CORE_RATE_H
#define IM_CORE_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/config.h"
#include "core/hash.h"
#include "core/str.h"

/* A token bucket, in thousandths of a message: limits.rate per second up to limits.burst. */
struct im_bucket {
    uint64_t milli, ms; /* so much was in it then */
};
void im_bucket_start(struct im_bucket *, const struct im_config *, uint64_t now_ms); /* full */
/* Lets in what has come since; true: it is full. */
bool im_bucket_fill(struct im_bucket *, const struct im_config *, uint64_t now_ms);
void im_bucket_take(struct im_bucket *, uint64_t messages); /* no more than there is */
bool im_bucket_has_one(const struct im_bucket *);

/* The buckets of webhooks, by key: each POST is a session of its own, and they share one. A bucket that is full again
 * is none, so that there are no more than are in use. */
struct im_rates;
struct im_rates *im_rates_new(const uint8_t hash_key[IM_HASH_KEY_BYTES]);
void im_rates_free(struct im_rates **);
/* Takes one message's worth; 0, or how long there is none yet, in ms. */
uint64_t im_rates_take(struct im_rates *, struct im_str key, const struct im_config *, uint64_t now_ms);
/* Those that have none left; return false from each() to stop. */
void im_rates_each(const struct im_rates *, const struct im_config *, uint64_t now_ms,
                   bool (*each)(void *arg, struct im_str key, uint64_t wait_ms), void *arg);
void im_rates_tick(struct im_rates *, const struct im_config *, uint64_t now_ms);

#endif
