/* Values of HTTP fields and paths. */
#include "transports/http.h"
#include "transports/http_head.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int im_http_decode(struct im_str s, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        int c = (unsigned char)s.p[i];
        if (c == '%') {
            int high = s.len - i > 2 ? hex(s.p[i + 1]) : -1, low = s.len - i > 2 ? hex(s.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -1;
            c = high << 4 | low;
            i += 2;
        }
        if (c == 0 || n == cap)
            return -1;
        out[n++] = (char)c;
    }
    return (int)n;
}

static bool digits(struct im_str s, size_t most, unsigned *value)
{
    *value = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        *value = *value * 10 + (unsigned)(s.p[i] - '0');
    }
    for (size_t i = s.len; i < most; i++)
        *value *= 10;
    return s.len <= most;
}

/* A weight in thousandths (RFC 9110, 12.4.2); what is no weight counts as 0. */
static unsigned weight(struct im_str parameter)
{
    unsigned whole, part;
    while (parameter.len > 0 && (*parameter.p == ' ' || *parameter.p == '\t'))
        parameter.p++, parameter.len--;
    if (parameter.len < 3 || !im_http_is((struct im_str){parameter.p, 2}, "q="))
        return 0;
    struct im_str fraction = {parameter.p + 4, parameter.len > 4 ? parameter.len - 4 : 0};
    if (!digits((struct im_str){parameter.p + 2, 1}, 1, &whole) || !digits(fraction, 3, &part))
        return 0;
    if (parameter.len > 3 && parameter.p[3] != '.')
        return 0;
    unsigned q = whole * 1000 + part;
    return q > 1000 ? 0 : q;
}

/* The next element of a list and its weight. */
static bool weighted(struct im_str *rest, struct im_str *item, unsigned *q)
{
    if (!im_http_element(rest, item))
        return false;
    const char *semicolon = memchr(item->p, ';', item->len);
    *q = 1000;
    if (semicolon) {
        size_t len = (size_t)(semicolon - item->p);
        *q = weight((struct im_str){semicolon + 1, item->len - len - 1});
        item->len = len;
    }
    while (item->len > 0 && (item->p[item->len - 1] == ' ' || item->p[item->len - 1] == '\t'))
        item->len--;
    return true;
}

bool im_http_accepts_gzip(struct im_str rest)
{
    struct im_str item;
    unsigned q, any = 0;
    while (weighted(&rest, &item, &q)) {
        if (im_http_is(item, "gzip") || im_http_is(item, "x-gzip"))
            return q > 0;
        if (im_http_is(item, "*"))
            any = q;
    }
    return any > 0;
}

static bool is_language(struct im_str tag, const char *name)
{
    if (tag.len > 2 && tag.p[2] == '-')
        tag.len = 2;
    return im_http_is(tag, name);
}

enum im_lang im_http_language(struct im_str rest, enum im_lang otherwise)
{
    enum im_lang best = otherwise;
    unsigned best_q = 0, q;
    struct im_str item;
    while (weighted(&rest, &item, &q)) {
        bool zh = is_language(item, "zh");
        if (q <= best_q || (!zh && !is_language(item, "en")))
            continue;
        best = zh ? IM_ZH : IM_EN;
        best_q = q;
    }
    return best;
}
