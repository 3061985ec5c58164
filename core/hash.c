#include "core/hash.h"

#include <sodium/crypto_shorthash.h>
#include <string.h>

_Static_assert(IM_HASH_KEY_BYTES == crypto_shorthash_KEYBYTES, "SipHash-2-4 takes a 16-byte key");

unsigned im_hash(const uint8_t key[IM_HASH_KEY_BYTES], const void *data, size_t len)
{
    unsigned char digest[crypto_shorthash_BYTES];
    unsigned hash;
    crypto_shorthash(digest, data, len, key);
    memcpy(&hash, digest, sizeof hash);
    return hash;
}
