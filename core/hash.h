#ifndef IM_CORE_HASH_H
#define IM_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IM_HASH_KEY_BYTES 16

/* SipHash-2-4 of data under a secret key, so that peers cannot choose colliding names. For uthash's *_BYHASHVALUE. */
unsigned im_hash(const uint8_t key[IM_HASH_KEY_BYTES], const void *data, size_t len);

/* The same for one or two numbers that the server gave out itself, in order: nobody chooses those, and mixing is
 * enough.
 */
static inline unsigned im_hash_ids(const uint8_t key[IM_HASH_KEY_BYTES], uint64_t a, uint64_t b)
{
    uint64_t seed, hash;
    memcpy(&seed, key, sizeof seed);
    hash = (a ^ seed) * 0x9e3779b97f4a7c15u;
    hash = ((hash ^ hash >> 32) + b) * 0xbf58476d1ce4e5b9u;
    return (unsigned)(hash >> 32);
}

#endif
