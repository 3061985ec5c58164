#include "tools/imbench/deflate.h"

#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

#include "core/mem.h"

enum { LEVEL = 1, WINDOW_BITS = 15, MEMORY = 8, MOST = 1 << 20 };

struct deflate {
    z_stream pack, unpack;
    uint8_t packed[MOST], unpacked[MOST];
};

static const uint8_t tail[] = {0x00, 0x00, 0xff, 0xff}; /* 7.2.1 */

struct deflate *deflate_new(void)
{
    struct deflate *d = im_alloc(sizeof *d);
    d->pack = d->unpack = (z_stream){0};
    int a = deflateInit2(&d->pack, LEVEL, Z_DEFLATED, -WINDOW_BITS, MEMORY, Z_DEFAULT_STRATEGY);
    int b = inflateInit2(&d->unpack, -WINDOW_BITS);
    assert(a == Z_OK && b == Z_OK), (void)a, (void)b;
    return d;
}

void deflate_free(struct deflate **at)
{
    struct deflate *d = *at;
    *at = NULL;
    if (!d)
        return;
    deflateEnd(&d->pack);
    inflateEnd(&d->unpack);
    free(d);
}

struct im_str deflate_pack(struct deflate *d, struct im_str plain)
{
    z_stream *z = &d->pack;
    z->next_in = (uint8_t *)(uintptr_t)plain.p;
    z->avail_in = (uInt)plain.len;
    z->next_out = d->packed;
    z->avail_out = MOST;
    int rc = deflate(z, Z_SYNC_FLUSH);
    assert(rc == Z_OK && z->avail_in == 0 && z->avail_out > 0), (void)rc;
    size_t len = MOST - z->avail_out - sizeof tail;
    deflateReset(z);
    return (struct im_str){(char *)d->packed, len};
}

/* False: it is not compressed data, or too much of it. */
static bool unpack_part(z_stream *z, const void *p, size_t len)
{
    z->next_in = (uint8_t *)(uintptr_t)p;
    z->avail_in = (uInt)len;
    int rc = inflate(z, Z_SYNC_FLUSH);
    return (rc == Z_OK || rc == Z_BUF_ERROR) && z->avail_in == 0 && z->avail_out > 0;
}

struct im_str deflate_unpack(struct deflate *d, struct im_str packed)
{
    z_stream *z = &d->unpack;
    z->next_out = d->unpacked;
    z->avail_out = MOST;
    bool good = unpack_part(z, packed.p, packed.len) && unpack_part(z, tail, sizeof tail);
    size_t len = MOST - z->avail_out;
    inflateReset(z);
    return good ? (struct im_str){(char *)d->unpacked, len} : (struct im_str){0};
}
