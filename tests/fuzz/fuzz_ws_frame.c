/* The first byte chooses deflate, window and how the rest, frames as they come from a client, is cut. However it is
 * cut, the same must come of it. */
#include <assert.h>
#include <stdlib.h>

#include "core/mem.h"
#include "transports/ws_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct im_ws_limits limits = {.message_bytes = 5000, .fragments = 20, .controls = 10, .message_ms = 1000};

static void record(struct im_out *out, const struct im_ws_event *e)
{
    assert(e->data.len <= limits.message_bytes);
    assert(e->kind != IM_WS_EV_ERROR || e->reason != IM_OK);
    im_out_printf(out, "%d %d %d %u %zu ", e->kind, e->reason, e->text, e->code, e->data.len);
    if (e->data.len > 0)
        im_out_put(out, e->data.p, e->data.len);
}

static bool feed(struct im_ws_parser *p, struct im_str in, struct im_out *out)
{
    struct im_ws_event e;
    for (;;) {
        im_ws_feed(p, &limits, 0, &in, &e);
        if (e.kind == IM_WS_EV_NONE) {
            assert(in.len == 0);
            return true;
        }
        record(out, &e);
        im_ws_event_done(p);
        if (e.kind == IM_WS_EV_ERROR)
            return false;
        if (e.kind == IM_WS_EV_CLOSE)
            im_ws_parser_skip(p);
    }
}

static void run(uint8_t how, struct im_str in, size_t step, struct im_out *out)
{
    struct im_ws_pool *pool = im_ws_pool_new();
    struct im_ws_parser parser = {0};
    struct im_ws_deflate deflate = {.on = how & 1, .theirs_kept = how & 2, .bits = 15};
    bool more = true;
    im_ws_parser_init(&parser, pool, &deflate);
    while (more && in.len > 0) {
        size_t n = in.len < step ? in.len : step;
        char *piece = realloc(im_strndup(in.p, n), n);
        more = feed(&parser, (struct im_str){piece, n}, out);
        free(piece);
        in.p += n;
        in.len -= n;
    }
    im_ws_parser_clear(&parser);
    assert(pool->inflating == 0);
    im_ws_pool_drop(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct im_out whole = {0}, cut = {0};
    if (size == 0)
        return 0;
    struct im_str in = {(const char *)data + 1, size - 1};
    run(data[0], in, size, &whole);
    run(data[0], in, 1 + data[0] / 4 % 16, &cut);
    assert(whole.len == cut.len && memcmp(im_out_data(&whole), im_out_data(&cut), whole.len) == 0);
    im_out_clear(&whole);
    im_out_clear(&cut);
    return 0;
}
