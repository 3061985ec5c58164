#include "transports/ws_deflate.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <zlib.h>

#include "core/counters.h"
#include "core/mem.h"
#include "transports/ws_frame.h"
#include "transports/ws_handshake.h"

/* Negotiation. */

struct offer {
    bool ok;                                      /* nothing in it that we cannot meet */
    bool server_plain, client_plain, client_bits; /* plain: no context takeover */
    uint8_t server_bits;                          /* 0: not asked for */
};

static bool is(struct im_str s, const char *name)
{
    return s.len == strlen(name) && strncasecmp(s.p, name, s.len) == 0;
}

static bool window_bits(struct im_str value, uint8_t *bits)
{
    uint64_t n;
    if (value.len == 0 || value.p[0] == '0' || !im_str_u64(value, &n) || n < 8 || n > 15)
        return false;
    *bits = (uint8_t)n;
    return true;
}

static bool set_once(bool *flag)
{
    bool first = !*flag;
    *flag = true;
    return first;
}

/* One parameter (RFC 7692, 7.1.1 and 7.1.2). zlib has no raw window of 8 bits, so that is an offer we cannot meet. */
static bool offer_parameter(struct offer *o, struct im_str name, struct im_str value)
{
    uint8_t bits;
    if (is(name, "server_no_context_takeover"))
        return !value.p && set_once(&o->server_plain);
    if (is(name, "client_no_context_takeover"))
        return !value.p && set_once(&o->client_plain);
    if (is(name, "client_max_window_bits"))
        return (!value.p || window_bits(value, &bits)) && set_once(&o->client_bits);
    if (!is(name, "server_max_window_bits") || o->server_bits || !value.p || !window_bits(value, &bits) || bits == 8)
        return false;
    o->server_bits = bits;
    return true;
}

static void accept_offer(const struct offer *o, bool keep, struct im_ws_deflate *d, char answer[IM_WS_DEFLATE_ANSWER])
{
    *d = (struct im_ws_deflate){
        .on = true,
        .ours_kept = keep && !o->server_plain,
        .theirs_kept = keep && !o->client_plain,
        .bits = o->server_bits ? o->server_bits : 15,
    };
    int n = snprintf(answer, IM_WS_DEFLATE_ANSWER, "permessage-deflate%s%s",
                     d->ours_kept ? "" : "; server_no_context_takeover",
                     d->theirs_kept ? "" : "; client_no_context_takeover");
    if (o->server_bits)
        snprintf(answer + n, IM_WS_DEFLATE_ANSWER - (size_t)n, "; server_max_window_bits=%u", o->server_bits);
}

enum im_ws_offer im_ws_deflate_negotiate(struct im_str value, bool keep, struct im_ws_deflate *d,
                                         char answer[IM_WS_DEFLATE_ANSWER])
{
    struct im_ws_extension e = {.rest = value};
    struct offer o = {0};
    enum im_ws_offer result = IM_WS_OFFER_NONE;
    *d = (struct im_ws_deflate){0};
    for (;;) {
        enum im_ws_extension_part part = im_ws_extension_next(&e);
        if (part == IM_WS_EXT_MALFORMED)
            return IM_WS_OFFER_MALFORMED;
        if (part == IM_WS_EXT_PARAMETER) {
            o.ok = o.ok && offer_parameter(&o, e.name, e.value);
            continue;
        }
        if (o.ok && result == IM_WS_OFFER_NONE) {
            accept_offer(&o, keep, d, answer);
            result = IM_WS_OFFER_TAKEN;
        }
        if (part == IM_WS_EXT_END)
            return result;
        o = (struct offer){.ok = is(e.name, "permessage-deflate")};
    }
}

/* Decompression. */

static z_stream *inflater_new(void)
{
    z_stream *z = im_zalloc(sizeof *z);
    int rc = inflateInit2(z, -15);
    assert(rc == Z_OK), (void)rc;
    return z;
}

static void inflater_end(z_stream **z)
{
    if (*z)
        inflateEnd(*z);
    free(*z);
    *z = NULL;
}

z_stream *im_ws_inflater_borrow(struct im_ws_pool *pool, bool kept)
{
    z_stream *z = pool->inflater;
    if (kept)
        return inflater_new();
    pool->inflating++;
    pool->inflater = NULL;
    return z ? z : inflater_new();
}

void im_ws_inflater_return(struct im_ws_pool *pool, z_stream **z, bool kept)
{
    if (*z && !kept) {
        pool->inflating--;
        inflateReset(*z);
        if (!pool->inflater) {
            pool->inflater = *z;
            *z = NULL;
        }
    }
    inflater_end(z);
}

/* Room to inflate into: never so much that `most` could be passed by more than the byte that proves it. */
static void make_room(z_stream *z, struct im_ws_buffer *out, size_t most)
{
    if (out->len == out->cap)
        im_ws_buffer_reserve(out, 1, most + 1);
    size_t end = out->cap < most + 1 ? out->cap : most + 1;
    z->next_out = out->p + out->len;
    z->avail_out = (uInt)(end - out->len);
}

enum im_reason im_ws_inflate(z_stream *z, const uint8_t *p, size_t n, struct im_ws_buffer *out, size_t most)
{
    z->next_in = (uint8_t *)(uintptr_t)p;
    z->avail_in = (uInt)n;
    do {
        make_room(z, out, most);
        int rc = inflate(z, Z_SYNC_FLUSH);
        out->len = (size_t)(z->next_out - out->p);
        if (out->len > most)
            return IM_WS_TOO_BIG;
        if (rc == Z_STREAM_END) /* a block marked as the last one ends only itself (7.2.3.4); the window stays */
            rc = inflateResetKeep(z);
        if (rc != Z_OK && rc != Z_BUF_ERROR)
            return IM_WS_DEFLATE;
    } while (z->avail_in > 0 || z->avail_out == 0);
    return IM_OK;
}

enum im_reason im_ws_inflate_end(z_stream *z, struct im_ws_buffer *out, size_t most)
{
    static const uint8_t tail[] = {0x00, 0x00, 0xff, 0xff};
    enum im_reason reason = im_ws_inflate(z, tail, sizeof tail, out, most);
    if (reason == IM_OK && !(z->data_type & 128)) /* the tail did not end a block: the data was cut short */
        reason = IM_WS_DEFLATE;
    return reason;
}

/* Compression. */

enum { HEAD_MAX = IM_WS_HEAD_MAX };

static z_stream *deflater_new(int bits, int level)
{
    z_stream *z = im_zalloc(sizeof *z);
    int rc = deflateInit2(z, level, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY);
    assert(rc == Z_OK), (void)rc;
    return z;
}

void im_ws_deflater_end(z_stream **z)
{
    if (*z)
        deflateEnd(*z);
    free(*z);
    *z = NULL;
}

/* One message to a frame, or NULL when it would not become shorter; the stream must then be reset. */
static struct im_bytes *deflate_frame(z_stream *z, struct im_str plain, uint8_t first, size_t *off)
{
    struct im_out out = {0};
    uint8_t head[HEAD_MAX] = {0};
    out.bytes = im_alloc(sizeof *out.bytes + HEAD_MAX + plain.len);
    out.cap = HEAD_MAX + plain.len;
    im_out_put(&out, head, HEAD_MAX);
    z->next_in = (uint8_t *)(uintptr_t)plain.p;
    z->avail_in = (uInt)plain.len;
    z->next_out = out.bytes->data + HEAD_MAX;
    z->avail_out = (uInt)plain.len;
    if (deflate(z, Z_SYNC_FLUSH) != Z_OK || z->avail_out == 0) {
        im_out_clear(&out);
        return NULL;
    }
    size_t n = plain.len - z->avail_out - 4; /* without 00 00 ff ff (7.2.1) */
    size_t head_len = im_ws_frame_head(head, first, n);
    *off = HEAD_MAX - head_len;
    memcpy(out.bytes->data + *off, head, head_len);
    out.cap = out.len = HEAD_MAX + n;
    out.bytes = im_realloc(out.bytes, sizeof *out.bytes + out.cap);
    return im_out_take(&out);
}

struct im_bytes *im_ws_deflate_kept(z_stream **z, struct im_str plain, uint8_t first, int bits, int level, size_t *off)
{
    if (!*z)
        *z = deflater_new(bits, level);
    struct im_bytes *framed = deflate_frame(*z, plain, first, off);
    if (!framed) /* the peer never saw what the window holds now */
        deflateReset(*z);
    return framed;
}

static z_stream *shared_deflater(struct im_ws_pool *pool, int bits, int level)
{
    assert(bits >= 9 && bits <= 15);
    if (pool->deflater_level[bits] != level)
        im_ws_deflater_end(&pool->deflater[bits]);
    if (!pool->deflater[bits])
        pool->deflater[bits] = deflater_new(bits, level);
    pool->deflater_level[bits] = (int8_t)level;
    return pool->deflater[bits];
}

static void forget(struct im_ws_packed *packed)
{
    im_bytes_drop(&packed->plain);
    im_bytes_drop(&packed->framed);
}

static struct im_ws_packed *find_packed(struct im_ws_pool *pool, const struct im_bytes *plain, int bits, int level)
{
    for (struct im_ws_packed *known = pool->packed; known < pool->packed + IM_WS_PACKED; known++)
        if (known->plain == plain && known->bits == bits && known->level == level)
            return known;
    return NULL;
}

/* Only what somebody else holds too can be asked for again, and big ones would be a burden to hold. */
static void remember(struct im_ws_pool *pool, struct im_bytes *plain, struct im_bytes *framed, size_t off, int bits,
                     int level)
{
    struct im_ws_packed *packed = &pool->packed[pool->packed_next];
    if (plain->len > IM_WS_SPARE_BYTES || plain->refs == 1)
        return;
    pool->packed_next = (pool->packed_next + 1) % IM_WS_PACKED;
    forget(packed);
    packed->plain = im_bytes_hold(plain);
    packed->framed = framed ? im_bytes_hold(framed) : NULL;
    packed->off = framed ? (uint8_t)off : 0;
    packed->bits = (int8_t)bits;
    packed->level = (int8_t)level;
}

/* Nothing refers farther back than to the message's beginning: what fits into the peer's window may be compressed as
 * for those with the largest, and is the same for all. */
static int window_for(const struct im_bytes *plain, int bits)
{
    return plain->len <= 1u << bits ? 15 : bits;
}

struct im_bytes *im_ws_deflate_shared(struct im_ws_pool *pool, struct im_bytes *plain, uint8_t first, int bits,
                                      int level, size_t *off, uint64_t *runs)
{
    bits = window_for(plain, bits);
    const struct im_ws_packed *known = find_packed(pool, plain, bits, level);
    if (known) {
        *off = known->off;
        return known->framed ? im_bytes_hold(known->framed) : NULL;
    }
    z_stream *z = shared_deflater(pool, bits, level);
    struct im_str text = {(const char *)plain->data, plain->len};
    struct im_bytes *framed = deflate_frame(z, text, first, off);
    deflateReset(z);
    im_count(runs, 1);
    remember(pool, plain, framed, *off, bits, level);
    return framed;
}

void im_ws_deflate_clear(struct im_ws_pool *pool)
{
    assert(pool->inflating == 0);
    for (unsigned i = 0; i < IM_WS_PACKED; i++)
        forget(&pool->packed[i]);
    for (unsigned i = 0; i < 16; i++)
        im_ws_deflater_end(&pool->deflater[i]);
    inflater_end(&pool->inflater);
}
