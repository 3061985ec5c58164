#include "core/backoff.h"

#include <stdlib.h>

#include "core/private.h"

/* In the table in the order of their last failure: uthash keeps the order of adding. */
struct entry {
    uint64_t until_ms, last_ms, most_ms;
    unsigned failures;
    UT_hash_handle hh;
    size_t len;
    char who[];
};

struct im_backoff {
    uint8_t hash_key[IM_HASH_KEY_BYTES];
    struct entry *entries;
};

struct im_backoff *im_backoff_new(const uint8_t hash_key[IM_HASH_KEY_BYTES])
{
    struct im_backoff *b = im_zalloc(sizeof *b);
    memcpy(b->hash_key, hash_key, sizeof b->hash_key);
    return b;
}

static void take_out(struct im_backoff *b, struct entry *e)
{
    HASH_DEL(b->entries, e);
}

static void forget(struct im_backoff *b, struct entry *e)
{
    take_out(b, e);
    free(e);
}

void im_backoff_free(struct im_backoff **backoff)
{
    struct im_backoff *b = *backoff;
    *backoff = NULL;
    if (b == NULL)
        return;
    while (b->entries)
        forget(b, b->entries);
    free(b);
}

static struct entry *find(struct im_backoff *b, struct im_str who)
{
    struct entry *e;
    unsigned hash = im_hash(b->hash_key, who.p, who.len);
    HASH_FIND_BYHASHVALUE(hh, b->entries, who.p, (unsigned)who.len, hash, e);
    return e;
}

static bool over(const struct entry *e, uint64_t now_ms)
{
    return now_ms - e->last_ms >= 2 * e->most_ms;
}

uint64_t im_backoff_wait(struct im_backoff *b, struct im_str who, uint64_t now_ms)
{
    struct entry *e = find(b, who);
    if (e && over(e, now_ms)) {
        forget(b, e);
        e = NULL;
    }
    return e && e->until_ms > now_ms ? e->until_ms - now_ms : 0;
}

/* The wait after this many failures. */
static uint64_t wait_for(unsigned failures, const struct im_backoff_rule *rule)
{
    enum { FREE = 4 };
    uint64_t wait = failures > FREE ? rule->start_ms : 0;
    for (unsigned i = FREE + 1; i < failures && wait < rule->most_ms; i++)
        wait *= 2;
    return wait < rule->most_ms ? wait : rule->most_ms;
}

static void add(struct im_backoff *b, struct entry *e)
{
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, b->entries, e->who, (unsigned)e->len, im_hash(b->hash_key, e->who, e->len), e);
}

static struct entry *entry_new(struct im_backoff *b, struct im_str who, uint64_t table)
{
    struct entry *e = im_zalloc(sizeof *e + who.len);
    e->len = who.len;
    memcpy(e->who, who.p, who.len);
    while (b->entries && HASH_COUNT(b->entries) >= table)
        forget(b, b->entries);
    return e;
}

void im_backoff_failed(struct im_backoff *b, struct im_str who, const struct im_backoff_rule *rule, uint64_t now_ms)
{
    if (rule->start_ms == 0)
        return;
    struct entry *e = find(b, who);
    if (e && over(e, now_ms)) {
        forget(b, e);
        e = NULL;
    }
    if (e)
        take_out(b, e);
    else
        e = entry_new(b, who, rule->table);
    e->failures++;
    e->last_ms = now_ms;
    e->most_ms = rule->most_ms;
    e->until_ms = now_ms + wait_for(e->failures, rule);
    add(b, e);
}

void im_backoff_forget(struct im_backoff *b, struct im_str who)
{
    struct entry *e = find(b, who);
    if (e)
        forget(b, e);
}

void im_backoff_each(const struct im_backoff *b, uint64_t now_ms,
                     bool (*each)(void *arg, struct im_str who, uint64_t wait_ms, unsigned failures), void *arg)
{
    for (const struct entry *e = b->entries; e; e = e->hh.next)
        if (e->until_ms > now_ms && !each(arg, (struct im_str){e->who, e->len}, e->until_ms - now_ms, e->failures))
            return;
}
