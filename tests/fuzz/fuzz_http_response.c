/* What comes back to a webhook: in one piece, and byte by byte; and a URL that an operator typed. */
#include <assert.h>
#include <stdlib.h>

#include "core/mem.h"
#include "transports/http_client.h"
#include "transports/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 2000 };

static enum im_reason feed(struct im_http_head *h, struct im_str in, size_t step, bool *done)
{
    enum im_reason reason = IM_OK;
    while (in.len > 0 && !*done && reason == IM_OK) {
        struct im_str piece = {in.p, in.len < step ? in.len : step};
        size_t n = piece.len;
        reason = im_http_head_feed(h, MOST, &piece, done);
        in.p += n - piece.len;
        in.len -= n - piece.len;
    }
    assert(h->len <= MOST);
    return reason;
}

static void read_url(struct im_str text)
{
    struct im_http_url url;
    struct im_error error;
    struct im_str origin = im_http_url_origin(text);
    if (im_http_url_parse(text, &url, &error) != IM_OK) {
        assert(origin.len == 0);
        return;
    }
    assert(url.host.len > 0 && url.target.len > 0 && *url.target.p == '/' && url.port > 0);
    assert(origin.p == text.p && origin.len <= text.len);
    assert(!im_str_control(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct im_http_head whole = {.response = true}, cut = {.response = true};
    struct im_str in = {(const char *)data, size};
    bool done = false, cut_done = false;
    if (size == 0)
        return 0;
    enum im_reason reason = feed(&whole, in, size, &done);
    assert(feed(&cut, in, 1, &cut_done) == reason && cut_done == done);
    if (reason == IM_OK && done)
        assert(whole.status >= 100 && whole.status <= 999 && whole.status == cut.status);
    im_http_head_clear(&whole);
    im_http_head_clear(&cut);
    read_url(in);
    return 0;
}
