/* A request as it comes from a client: in one piece, byte by byte, and everything that is then read out of it. */
#include <assert.h>
#include <stdlib.h>

#include "core/mem.h"
#include "transports/http.h"
#include "transports/ws_upgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 2000 };

static enum im_reason feed(struct im_http_head *h, struct im_str in, size_t step, bool *done, size_t *taken)
{
    enum im_reason reason = IM_OK;
    size_t len = in.len;
    while (in.len > 0 && !*done && reason == IM_OK) {
        struct im_str piece = {in.p, in.len < step ? in.len : step};
        size_t n = piece.len;
        reason = im_http_head_feed(h, MOST, &piece, done);
        in.p += n - piece.len;
        in.len -= n - piece.len;
    }
    assert(h->len <= MOST);
    *taken = len - in.len;
    return reason;
}

static void read_values(const struct im_http_head *h)
{
    static const struct im_strings none;
    static const struct im_ws_origins origins = {.listed = &none, .loopback = true};
    struct im_str value;
    for (enum im_http_field f = 0; f < IM_HEAD_COUNT; f++) {
        for (size_t at = 0; im_http_head_next(h, f, &at, &value);) {
            struct im_str element;
            im_http_accepts_gzip(value);
            im_http_language(value, IM_EN);
            while (im_http_element(&value, &element))
                assert(element.len > 0);
        }
    }
    struct im_config *config = im_config_new();
    struct im_ws_upgrade *u = im_alloc(sizeof *u);
    struct im_error error = {0};
    struct im_str path = im_http_head_part(h, h->target);
    config->echo = true;
    enum im_ws_endpoint endpoint = im_ws_endpoint(config, path);
    if (endpoint && im_ws_upgrade(h, config, &origins, endpoint, path, path, u, &error) == IM_OK)
        assert(strlen(u->accept) == IM_WS_ACCEPT_LEN);
    free(u);
    im_config_free(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct im_http_head whole = {0}, cut = {0};
    struct im_str in = {(const char *)data, size};
    bool done = false, cut_done = false;
    size_t taken, cut_taken;
    if (size == 0)
        return 0;
    enum im_reason reason = feed(&whole, in, size, &done, &taken);
    assert(feed(&cut, in, 1, &cut_done, &cut_taken) == reason && cut_done == done && cut_taken == taken);
    if (reason == IM_OK && done)
        read_values(&whole);
    im_http_head_clear(&whole);
    im_http_head_clear(&cut);
    return 0;
}
