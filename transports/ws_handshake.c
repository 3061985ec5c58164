#include "transports/ws_handshake.h"

#include <assert.h>

#include "transports/http_head.h"
#include "transports/tls.h"

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool im_ws_key_ok(struct im_str key)
{
    if (key.len != 24 || key.p[22] != '=' || key.p[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++) {
        const char *digit = key.p[i] ? strchr(base64, key.p[i]) : NULL;
        if (!digit || (i == 21 && (digit - base64) % 16 != 0))
            return false;
    }
    return true;
}

static void encode(const uint8_t *in, size_t n, char *out)
{
    for (size_t i = 0; i < n; i += 3, out += 4) {
        uint32_t word =
            (uint32_t)in[i] << 16 | (i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0) | (i + 2 < n ? in[i + 2] : 0);
        out[0] = base64[word >> 18];
        out[1] = base64[word >> 12 & 63];
        out[2] = i + 1 < n ? base64[word >> 6 & 63] : '=';
        out[3] = i + 2 < n ? base64[word & 63] : '=';
    }
    *out = '\0';
}

void im_ws_accept(struct im_str key, char out[IM_WS_ACCEPT_LEN + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char joined[24 + sizeof guid];
    uint8_t digest[20];
    assert(key.len == 24);
    memcpy(joined, key.p, key.len);
    memcpy(joined + key.len, guid, sizeof guid);
    im_tls_sha1((struct im_str){joined, key.len + sizeof guid - 1}, digest);
    encode(digest, sizeof digest, out);
}

static void skip_space(struct im_str *s)
{
    while (s->len > 0 && (*s->p == ' ' || *s->p == '\t'))
        s->p++, s->len--;
}

static bool skip_char(struct im_str *s, char c)
{
    skip_space(s);
    if (s->len == 0 || *s->p != c)
        return false;
    s->p++, s->len--;
    skip_space(s);
    return true;
}

static bool take_token(struct im_str *s, struct im_str *token)
{
    size_t n = 0;
    while (n < s->len && im_http_token_char((uint8_t)s->p[n]))
        n++;
    *token = (struct im_str){s->p, n};
    s->p += n, s->len -= n;
    return n > 0;
}

/* A quoted value must be a token once unquoted (9.1); one with escapes is left as it is, and fits nothing we know. */
static bool take_value(struct im_str *s, struct im_str *value)
{
    if (s->len == 0 || *s->p != '"')
        return take_token(s, value);
    size_t n = 1;
    while (n < s->len && s->p[n] != '"')
        n += s->p[n] == '\\' ? 2 : 1;
    if (n >= s->len)
        return false;
    *value = (struct im_str){s->p + 1, n - 1};
    s->p += n + 1, s->len -= n + 1;
    return value->len > 0;
}

static enum im_ws_extension_part parameter(struct im_ws_extension *e)
{
    if (!take_token(&e->rest, &e->name))
        return IM_WS_EXT_MALFORMED;
    if (skip_char(&e->rest, '=') && !take_value(&e->rest, &e->value))
        return IM_WS_EXT_MALFORMED;
    return IM_WS_EXT_PARAMETER;
}

enum im_ws_extension_part im_ws_extension_next(struct im_ws_extension *e)
{
    e->value = (struct im_str){0};
    if (e->inside && skip_char(&e->rest, ';'))
        return parameter(e);
    skip_space(&e->rest);
    if (e->inside && e->rest.len > 0 && *e->rest.p != ',')
        return IM_WS_EXT_MALFORMED;
    while (skip_char(&e->rest, ',')) /* lists may have empty elements (RFC 9110, 5.6.1.2) */
        continue;
    if (e->rest.len == 0)
        return IM_WS_EXT_END;
    e->inside = true;
    return take_token(&e->rest, &e->name) ? IM_WS_EXT_NAME : IM_WS_EXT_MALFORMED;
}
