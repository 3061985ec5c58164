#include "tests/unit/ws_script.h"

#include <stdlib.h>

#include "core/mem.h"
#include "tests/unit/unit.h"

void ws_script_init(struct ws_script *s)
{
    *s = (struct ws_script){.limits = {.message_bytes = 100000, .fragments = 100, .controls = 50, .message_ms = 1000}};
}

void ws_script_clear(struct ws_script *s)
{
    im_out_clear(&s->bytes);
}

void ws_script_raw(struct ws_script *s, const void *bytes, size_t len)
{
    im_out_put(&s->bytes, bytes, len);
}

void ws_script_frame(struct ws_script *s, uint8_t first, const void *payload, size_t len)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t head[IM_WS_HEAD_MAX];
    size_t n = im_ws_frame_head(head, first, len);
    head[1] |= 0x80;
    im_out_put(&s->bytes, head, n);
    im_out_put(&s->bytes, mask, sizeof mask);
    for (size_t i = 0; i < len; i++)
        im_out_char(&s->bytes, (char)(((const uint8_t *)payload)[i] ^ mask[i % 4]));
}

void ws_script_text(struct ws_script *s, uint8_t first, const char *payload)
{
    ws_script_frame(s, first, payload, strlen(payload));
}

static void write_event(struct im_out *out, const struct im_ws_event *e)
{
    static const char *const names[] = {"none", "text", "ping", "pong", "close", "error"};
    im_out_printf(out, "%s%s", out->len ? " " : "",
                  e->kind == IM_WS_EV_MESSAGE && !e->text ? "binary" : names[e->kind]);
    if (e->kind == IM_WS_EV_ERROR)
        im_out_printf(out, "(%s)", im_reason_name(e->reason));
    else if (e->data.len > 100)
        im_out_printf(out, "(%zu bytes)", e->data.len);
    else if (e->code)
        im_out_printf(out, "(%u %.*s)", e->code, (int)e->data.len, e->data.p);
    else
        im_out_printf(out, "(%.*s)", (int)e->data.len, e->data.p ? e->data.p : "");
}

static bool feed(struct im_ws_parser *p, const struct ws_script *s, struct im_str in, struct im_out *out)
{
    struct im_ws_event e;
    do {
        im_ws_feed(p, &s->limits, 5, &in, &e);
        if (e.kind == IM_WS_EV_NONE)
            return true;
        write_event(out, &e);
        im_ws_event_done(p);
    } while (e.kind != IM_WS_EV_ERROR);
    return false;
}

char *ws_script_run(const struct ws_script *s, size_t begin, size_t step)
{
    struct im_ws_pool *pool = im_ws_pool_new();
    struct im_ws_parser parser = {0};
    struct im_out out = {0};
    size_t at = 0, n = begin ? begin : s->bytes.len;
    bool more = true;
    im_ws_parser_init(&parser, pool, &s->deflate);
    for (; more && at < s->bytes.len; at += n, n = step) {
        if (n == 0 || n > s->bytes.len - at)
            n = s->bytes.len - at;
        char *piece = im_strndup(im_out_data(&s->bytes) + at, n);
        piece = realloc(piece, n);
        more = feed(&parser, s, (struct im_str){piece, n}, &out);
        free(piece);
    }
    im_ws_parser_clear(&parser);
    im_ws_pool_drop(&pool);
    char *text = im_strndup(im_out_data(&out), out.len);
    im_out_clear(&out);
    return text;
}

static void expect_run(const struct ws_script *s, size_t begin, size_t step, const char *transcript)
{
    char *text = ws_script_run(s, begin, step);
    assert_string_equal(text, transcript);
    free(text);
}

void ws_script_expect(struct ws_script *s, const char *transcript)
{
    expect_run(s, 0, 0, transcript);
    expect_run(s, 1, 1, transcript);
    expect_run(s, 7, 7, transcript);
    for (size_t begin = 1; begin < s->bytes.len && begin < 300; begin++)
        expect_run(s, begin, 0, transcript);
    im_out_clear(&s->bytes);
}
