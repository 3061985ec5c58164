/* Compressed data from a client, the same bytes as an offer of extensions, and as a message that is compressed here and
 * must come back as it was. */
#include <assert.h>
#include <stdlib.h>

#include "core/mem.h"
#include "transports/ws_deflate.h"
#include "transports/ws_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 10000 };

static enum im_reason inflate_all(struct im_ws_pool *pool, const uint8_t *p, size_t n, size_t step,
                                  struct im_ws_buffer *out)
{
    struct z_stream_s *z = im_ws_inflater_borrow(pool, false);
    enum im_reason reason = IM_OK;
    for (; n > 0 && reason == IM_OK; p += step, n -= step) {
        step = step < n ? step : n;
        reason = im_ws_inflate(z, p, step, out, MOST);
    }
    if (reason == IM_OK)
        reason = im_ws_inflate_end(z, out, MOST);
    assert(reason != IM_OK || out->len <= MOST);
    im_ws_inflater_return(pool, &z, false);
    return reason;
}

/* In one piece or in many. */
static void inflate_input(struct im_ws_pool *pool, const uint8_t *data, size_t size)
{
    struct im_ws_buffer whole = {0}, cut = {0};
    enum im_reason reason = inflate_all(pool, data, size, size, &whole);
    assert(inflate_all(pool, data, size, 1, &cut) == reason);
    if (reason == IM_OK)
        assert(whole.len == cut.len && (whole.len == 0 || memcmp(whole.p, cut.p, whole.len) == 0));
    free(whole.p);
    free(cut.p);
}

static void round_trip(struct im_ws_pool *pool, const uint8_t *data, size_t size)
{
    struct im_bytes *plain = im_bytes_new(data, size);
    struct im_ws_buffer out = {0};
    size_t off = 0;
    uint64_t runs = 0;
    int bits = 9 + data[0] % 7;
    struct im_bytes *framed =
        im_ws_deflate_shared(pool, plain, IM_WS_FIN | IM_WS_RSV1 | IM_WS_TEXT, bits, 1, &off, &runs);
    if (framed) {
        size_t head = framed->data[off + 1] < 126 ? 2 : 4;
        assert(framed->len - off < size);
        assert(inflate_all(pool, framed->data + off + head, framed->len - off - head, size, &out) == IM_OK);
        assert(out.len == size && memcmp(out.p, data, size) == 0);
    }
    free(out.p);
    im_bytes_drop(&framed);
    im_bytes_drop(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct im_ws_deflate deflate;
    char answer[IM_WS_DEFLATE_ANSWER];
    if (size == 0 || size > MOST)
        return 0;
    struct im_ws_pool *pool = im_ws_pool_new();
    if (im_ws_deflate_negotiate((struct im_str){(const char *)data, size}, data[0] & 1, &deflate, answer) ==
        IM_WS_OFFER_TAKEN)
        assert(deflate.on && deflate.bits >= 9 && deflate.bits <= 15 && strlen(answer) >= 18);
    inflate_input(pool, data, size);
    round_trip(pool, data, size);
    im_ws_pool_drop(&pool);
    return 0;
}
