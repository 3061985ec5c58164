#include "tools/imbench/wire.h"

/* RFC 6455, 5.2. */
enum { FIN = 0x80, PACKED = 0x40, MASKED = 0x80, TEXT = 0x1, CLOSE = 0x8, PING = 0x9, PONG = 0xa };

#define PAYLOAD_MAX (64u << 20)

static struct wire_message bad(void)
{
    return (struct wire_message){.kind = WIRE_BAD};
}

/* Bytes of the head, or 0 if it has not all come. */
static size_t read_length(const uint8_t *p, size_t n, uint64_t *len)
{
    size_t extra = n < 2 ? 0 : p[1] == 126 ? 2 : p[1] == 127 ? 8 : 0;
    if (n < 2 + extra)
        return 0;
    *len = extra ? 0 : p[1];
    for (size_t i = 0; i < extra; i++)
        *len = *len << 8 | p[2 + i];
    return 2 + extra;
}

static struct wire_message take_frame(struct im_str in)
{
    const uint8_t *p = (const uint8_t *)in.p;
    uint64_t len = 0;
    size_t head = read_length(p, in.len, &len);
    if (head == 0)
        return (struct wire_message){.kind = WIRE_PART};
    bool packed = p[0] & PACKED, text = (p[0] & 15) == TEXT;
    if (!(p[0] & FIN) || p[1] & MASKED || p[0] & 0x30 || (packed && !text) || len > PAYLOAD_MAX)
        return bad();
    if (in.len - head < len)
        return (struct wire_message){.kind = WIRE_PART};
    struct wire_message m = {WIRE_OTHER, {in.p + head, (size_t)len}, packed, head + (size_t)len};
    switch (p[0] & 15) {
    case TEXT:
        m.kind = WIRE_TEXT;
        break;
    case PING:
        m.kind = WIRE_PING;
        break;
    case PONG:
        break;
    case CLOSE:
        m.kind = WIRE_CLOSE;
        m.data = len > 2 ? (struct im_str){m.data.p + 2, m.data.len - 2} : (struct im_str){m.data.p, 0};
        break;
    default:
        return bad();
    }
    return m;
}

static struct wire_message take_line(struct im_str in)
{
    const char *end = in.len > 0 ? memchr(in.p, '\n', in.len) : NULL;
    if (!end)
        return (struct wire_message){.kind = in.len > PAYLOAD_MAX ? WIRE_BAD : WIRE_PART};
    size_t len = (size_t)(end - in.p);
    return (struct wire_message){WIRE_TEXT, {in.p, len}, false, len + 1};
}

struct wire_message wire_take(enum wire_framing framing, struct im_str in)
{
    return framing == WIRE_WEBSOCKET ? take_frame(in) : take_line(in);
}

/* A client's frames are masked (5.3). With a key of zeros the text is the same before and after, and the server has the
 * same work. */
static void put_frame(struct im_out *out, uint8_t opcode, struct im_str data)
{
    uint8_t head[14] = {(uint8_t)(FIN | opcode)};
    size_t extra = data.len < 126 ? 0 : data.len < 65536 ? 2 : 8;
    head[1] = (uint8_t)(MASKED | (extra == 0 ? data.len : extra == 2 ? 126 : 127));
    for (size_t i = 0; i < extra; i++)
        head[2 + i] = (uint8_t)(data.len >> 8 * (extra - 1 - i));
    im_out_put(out, head, 2 + extra + 4);
    im_out_put(out, data.p, data.len);
}

void wire_put(enum wire_framing framing, struct im_out *out, struct im_str text)
{
    if (framing == WIRE_WEBSOCKET) {
        put_frame(out, TEXT, text);
        return;
    }
    im_out_put(out, text.p, text.len);
    im_out_char(out, '\n');
}

void wire_put_packed(struct im_out *out, struct im_str packed)
{
    put_frame(out, PACKED | TEXT, packed);
}

void wire_put_pong(struct im_out *out, struct im_str data)
{
    put_frame(out, PONG, data);
}

void wire_put_request(struct im_out *out, const struct wire_request *r)
{
    im_out_printf(out,
                  "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: aW1iZW5jaGltYmVuY2hpbQ==\r\n",
                  r->path, r->host);
    if (r->subprotocol)
        im_out_printf(out, "Sec-WebSocket-Protocol: %s\r\n", r->subprotocol);
    if (r->extension)
        im_out_printf(out, "Sec-WebSocket-Extensions: %s\r\n", r->extension);
    im_out_str(out, "\r\n");
}

size_t wire_take_answer(struct im_str in, bool *good)
{
    static const char status[] = "HTTP/1.1 101";
    const char *end = in.len > 0 ? memmem(in.p, in.len, "\r\n\r\n", 4) : NULL;
    if (!end)
        return 0;
    *good = in.len > sizeof status && memcmp(in.p, status, sizeof status - 1) == 0;
    return (size_t)(end - in.p) + 4;
}
