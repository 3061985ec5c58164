#ifndef IM_CORE_HASH_H
#define IM_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define IM_HASH_KEY_BYTES 16

/* SipHash-2-4 of data under a secret key, so that peers cannot choose colliding names. For uthash's *_BYHASHVALUE. */
unsigned im_hash(const uint8_t key[IM_HASH_KEY_BYTES], const void *data, size_t len);

#endif
