#include "core/rate.h"

#include <stdlib.h>

#include "core/private.h"

void im_bucket_start(struct im_bucket *b, const struct im_config *config, uint64_t now_ms)
{
    *b = (struct im_bucket){config->burst * 1000, now_ms};
}

bool im_bucket_fill(struct im_bucket *b, const struct im_config *config, uint64_t now_ms)
{
    uint64_t full = config->burst * 1000, more = (now_ms - b->ms) * config->rate;
    b->ms = now_ms;
    if (b->milli > full) /* the burst was more before a reload */
        b->milli = full;
    b->milli = more > full - b->milli ? full : b->milli + more;
    return b->milli == full;
}

void im_bucket_take(struct im_bucket *b, uint64_t messages)
{
    b->milli -= b->milli < messages * 1000 ? b->milli : messages * 1000;
}

bool im_bucket_has_one(const struct im_bucket *b)
{
    return b->milli >= 1000;
}

struct entry {
    struct im_bucket bucket;
    UT_hash_handle hh;
    size_t len;
    char key[];
};

struct im_rates {
    uint8_t hash_key[IM_HASH_KEY_BYTES];
    struct entry *entries;
};

struct im_rates *im_rates_new(const uint8_t hash_key[IM_HASH_KEY_BYTES])
{
    struct im_rates *r = im_zalloc(sizeof *r);
    memcpy(r->hash_key, hash_key, sizeof r->hash_key);
    return r;
}

static void drop(struct im_rates *r, struct entry *e)
{
    HASH_DEL(r->entries, e);
    free(e);
}

void im_rates_free(struct im_rates **rates)
{
    struct im_rates *r = *rates;
    *rates = NULL;
    if (r == NULL)
        return;
    while (r->entries)
        drop(r, r->entries);
    free(r);
}

static struct entry *need(struct im_rates *r, struct im_str key, const struct im_config *config, uint64_t now_ms)
{
    struct entry *e;
    unsigned hash = im_hash(r->hash_key, key.p, key.len);
    HASH_FIND_BYHASHVALUE(hh, r->entries, key.p, (unsigned)key.len, hash, e);
    if (e)
        return e;
    e = im_zalloc(sizeof *e + key.len);
    memcpy(e->key, key.p, key.len);
    e->len = key.len;
    im_bucket_start(&e->bucket, config, now_ms);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, r->entries, e->key, (unsigned)e->len, hash, e);
    return e;
}

static uint64_t wait_for_one(const struct im_bucket *b, const struct im_config *config)
{
    return (1000 - b->milli + config->rate - 1) / config->rate;
}

uint64_t im_rates_take(struct im_rates *r, struct im_str key, const struct im_config *config, uint64_t now_ms)
{
    if (config->rate == 0)
        return 0;
    struct im_bucket *b = &need(r, key, config, now_ms)->bucket;
    im_bucket_fill(b, config, now_ms);
    if (!im_bucket_has_one(b))
        return wait_for_one(b, config);
    im_bucket_take(b, 1);
    return 0;
}

void im_rates_each(const struct im_rates *r, const struct im_config *config, uint64_t now_ms,
                   bool (*each)(void *arg, struct im_str key, uint64_t wait_ms), void *arg)
{
    for (const struct entry *e = r->entries; e && config->rate > 0; e = e->hh.next) {
        struct im_bucket b = e->bucket;
        im_bucket_fill(&b, config, now_ms);
        if (!im_bucket_has_one(&b) && !each(arg, (struct im_str){e->key, e->len}, wait_for_one(&b, config)))
            return;
    }
}

void im_rates_tick(struct im_rates *r, const struct im_config *config, uint64_t now_ms)
{
    struct entry *e, *next;
    HASH_ITER(hh, r->entries, e, next)
    {
        if (im_bucket_fill(&e->bucket, config, now_ms))
            drop(r, e);
    }
}
