#include "tests/conform/speech.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

/* Lines. */

static void line_greet(struct peer *p)
{
    (void)p;
}

static bool line_greeted(struct peer *p)
{
    (void)p;
    return true;
}

static void line_say(struct peer *p, const char *text, size_t len)
{
    buffer_put(&p->out, text, len);
    buffer_put(&p->out, "\n", 1);
}

static bool line_hear(struct peer *p, struct heard *heard)
{
    char *end = p->in.len > 0 ? memchr(p->in.p, '\n', p->in.len) : NULL;
    if (!end)
        return false;
    size_t len = (size_t)(end - p->in.p);
    *heard = (struct heard){.kind = HEARD_TEXT, .text = im_strndup(p->in.p, len), .len = len};
    buffer_eat(&p->in, len + 1);
    return true;
}

static void line_say_close(struct peer *p)
{
    (void)p;
}

const struct speech speech_line = {line_greet, line_greeted, line_say, line_hear, line_say_close, false};

/* WebSocket (RFC 6455). */

#define UPGRADE                                                                                                        \
    "Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"                    \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void websocket_greet(struct peer *p)
{
    peer_say(p, "GET /ws HTTP/1.1\r\n" UPGRADE "Sec-WebSocket-Protocol: im.v1\r\n\r\n");
}

static void classroom_greet(struct peer *p)
{
    peer_say(p, "GET /ws/ming/hua HTTP/1.1\r\n" UPGRADE "\r\n");
}

static bool websocket_greeted(struct peer *p)
{
    static const char status[] = "HTTP/1.1 101 ";
    char *end = p->in.len > 0 ? memmem(p->in.p, p->in.len, "\r\n\r\n", 4) : NULL;
    if (!end)
        return false;
    assert(memcmp(p->in.p, status, sizeof status - 1) == 0);
    buffer_eat(&p->in, (size_t)(end - p->in.p) + 4);
    return true;
}

static void say_frame(struct peer *p, unsigned char first, const char *data, size_t len)
{
    static const unsigned char mask[4] = {0x12, 0xf3, 0x56, 0xa8};
    unsigned char head[14] = {first};
    size_t extra = len < 126 ? 0 : len < 65536 ? 2 : 8;
    head[1] = (unsigned char)(0x80 | (extra == 0 ? len : extra == 2 ? 126 : 127));
    for (size_t i = 0; i < extra; i++)
        head[2 + i] = (unsigned char)(len >> 8 * (extra - 1 - i));
    memcpy(head + 2 + extra, mask, 4);
    buffer_put(&p->out, head, 6 + extra);
    char *masked = im_alloc(len + 1);
    for (size_t i = 0; i < len; i++)
        masked[i] = (char)(data[i] ^ mask[i % 4]);
    buffer_put(&p->out, masked, len);
    free(masked);
}

static void websocket_say(struct peer *p, const char *text, size_t len)
{
    say_frame(p, 0x81, text, len);
}

static void websocket_say_close(struct peer *p)
{
    say_frame(p, 0x88, "\x03\xe8", 2);
}

static bool websocket_hear(struct peer *p, struct heard *heard)
{
    const unsigned char *in = (const unsigned char *)p->in.p;
    size_t have = p->in.len, extra = have < 2 ? 0 : in[1] == 126 ? 2 : in[1] == 127 ? 8 : 0;
    if (have < 2 + extra)
        return false;
    uint64_t len = extra ? 0 : in[1];
    for (size_t i = 0; i < extra; i++)
        len = len << 8 | in[2 + i];
    if (have - 2 - extra < len)
        return false;
    const char *data = p->in.p + 2 + extra;
    unsigned char first = in[0];
    assert(first == 0x81 || first == 0x88 || first == 0x89);
    *heard = (struct heard){.text = im_strndup(data, len), .len = len};
    heard->kind = first == 0x81 ? HEARD_TEXT : first == 0x88 ? HEARD_CLOSE : HEARD_PING;
    if (heard->kind == HEARD_CLOSE && len >= 2)
        heard->code = (unsigned)((unsigned char)data[0] << 8 | (unsigned char)data[1]);
    buffer_eat(&p->in, 2 + extra + len);
    return true;
}

const struct speech speech_websocket = {websocket_greet, websocket_greeted,   websocket_say,
                                        websocket_hear,  websocket_say_close, true};
const struct speech speech_classroom = {classroom_greet, websocket_greeted,   websocket_say,
                                        websocket_hear,  websocket_say_close, true};
