#include "transports/http_head.h"

#include <stdlib.h>
#include <strings.h>

#include "core/mem.h"

enum state {
    START, /* before the request line; one empty line may stand there (RFC 9112, 2.2) */
    START_LF,
    METHOD,
    TARGET,
    VERSION,
    STATUS,  /* the whole line that begins a response */
    LINE_LF, /* the LF that ends the first line or a field */
    FIELD,   /* a line's first byte */
    NAME,
    SPACE, /* before a value */
    VALUE,
    END_LF,
    DONE
};

static const struct {
    const char *name;
    bool once;
} fields[] = {
#define X(sym, name, once) {name, once},
    IM_HTTP_FIELDS(X)
#undef X
};

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

bool im_http_token_char(uint8_t c)
{
    return is_alnum(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c));
}

bool im_http_is(struct im_str s, const char *lower)
{
    return s.len == strlen(lower) && strncasecmp(s.p, lower, s.len) == 0;
}

struct im_str im_http_head_get(const struct im_http_head *h, enum im_http_field field)
{
    struct im_str value = {0};
    size_t at = 0;
    im_http_head_next(h, field, &at, &value);
    return value;
}

bool im_http_head_next(const struct im_http_head *h, enum im_http_field field, size_t *at, struct im_str *value)
{
    while (*at < h->count) {
        size_t i = (*at)++;
        if (h->kept[i].field != field)
            continue;
        *value = im_http_head_part(h, h->kept[i].value);
        return true;
    }
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

bool im_http_element(struct im_str *rest, struct im_str *element)
{
    while (rest->len > 0 && (is_space(*rest->p) || *rest->p == ','))
        rest->p++, rest->len--;
    if (rest->len == 0)
        return false;
    const char *comma = memchr(rest->p, ',', rest->len);
    *element = (struct im_str){rest->p, comma ? (size_t)(comma - rest->p) : rest->len};
    rest->p += element->len;
    rest->len -= element->len;
    while (is_space(element->p[element->len - 1]))
        element->len--;
    return true;
}

bool im_http_head_lists(const struct im_http_head *h, enum im_http_field field, const char *wanted)
{
    struct im_str value, element;
    for (size_t at = 0; im_http_head_next(h, field, &at, &value);)
        while (im_http_element(&value, &element))
            if (im_http_is(element, wanted))
                return true;
    return false;
}

/* The first line. */

static enum im_reason status(struct im_http_head *h, uint8_t c)
{
    static const char form[] = "HTTP/0.0 000 ";
    uint32_t at = h->len - 1 - h->value.off;
    const char *line = h->bytes + h->value.off;
    if (at >= sizeof form - 1 || (at == sizeof form - 2 && c == '\r')) {
        if (c != '\r')
            return (c >= 0x20 && c != 0x7f) || c == '\t' ? IM_OK : IM_HTTP_BAD;
        h->state = LINE_LF;
        h->minor = (uint8_t)(line[7] - '0');
        h->status = (uint16_t)((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
        if (line[5] != '1')
            return IM_HTTP_VERSION;
        return h->status >= 100 ? IM_OK : IM_HTTP_BAD;
    }
    bool digit = form[at] == '0';
    return (digit ? c >= '0' && c <= '9' : c == (uint8_t)form[at]) ? IM_OK : IM_HTTP_BAD;
}

static enum im_reason start(struct im_http_head *h, uint8_t c)
{
    if (h->response) {
        h->value.off = h->len - 1;
        h->state = STATUS;
        return status(h, c);
    }
    if (c == '\r' && h->len == 1) {
        h->state = START_LF;
        return IM_OK;
    }
    h->method.off = h->len - 1;
    h->state = METHOD;
    return im_http_token_char(c) ? IM_OK : IM_HTTP_BAD;
}

static enum im_reason start_lf(struct im_http_head *h, uint8_t c)
{
    h->state = START;
    return c == '\n' ? IM_OK : IM_HTTP_BAD;
}

static enum im_reason method(struct im_http_head *h, uint8_t c)
{
    if (c != ' ')
        return im_http_token_char(c) ? IM_OK : IM_HTTP_BAD;
    h->method.len = h->len - 1 - h->method.off;
    h->target.off = h->len;
    h->state = TARGET;
    return IM_OK;
}

static enum im_reason target(struct im_http_head *h, uint8_t c)
{
    if (c != ' ')
        return c > 0x20 && c < 0x7f && c != '#' ? IM_OK : IM_HTTP_BAD;
    h->target.len = h->len - 1 - h->target.off;
    h->value.off = h->len;
    h->state = VERSION;
    return h->target.len > 0 ? IM_OK : IM_HTTP_BAD;
}

static enum im_reason version(struct im_http_head *h, uint8_t c)
{
    static const char form[] = "HTTP/0.0\r";
    uint32_t at = h->len - 1 - h->value.off;
    bool digit = form[at] == '0';
    if (digit ? c < '0' || c > '9' : c != (uint8_t)form[at])
        return IM_HTTP_BAD;
    if (c != '\r')
        return IM_OK;
    h->state = LINE_LF;
    h->minor = (uint8_t)(h->bytes[h->len - 2] - '0');
    return h->bytes[h->len - 4] == '1' ? IM_OK : IM_HTTP_VERSION;
}

static enum im_reason line_lf(struct im_http_head *h, uint8_t c)
{
    h->state = FIELD;
    return c == '\n' ? IM_OK : IM_HTTP_BAD;
}

/* Fields. */

static enum im_reason field(struct im_http_head *h, uint8_t c)
{
    if (c == '\r') {
        h->state = END_LF;
        return IM_OK;
    }
    h->name.off = h->len - 1;
    h->state = NAME;
    return im_http_token_char(c) ? IM_OK : IM_HTTP_BAD;
}

static enum im_reason name(struct im_http_head *h, uint8_t c)
{
    if (c != ':')
        return im_http_token_char(c) ? IM_OK : IM_HTTP_BAD;
    h->name.len = h->len - 1 - h->name.off;
    h->state = SPACE;
    return IM_OK;
}

static enum im_reason keep_field(struct im_http_head *h)
{
    struct im_str name = im_http_head_part(h, h->name);
    uint8_t f = 0;
    while (f < IM_HEAD_COUNT && !im_http_is(name, fields[f].name))
        f++;
    if (f == IM_HEAD_COUNT)
        return IM_OK;
    if (fields[f].once && im_http_head_get(h, f).p)
        return IM_HTTP_BAD;
    if (h->count == IM_HEAD_KEPT_MAX)
        return IM_HTTP_HEAD;
    h->kept[h->count].field = f;
    h->kept[h->count++].value = h->value;
    return IM_OK;
}

static enum im_reason value(struct im_http_head *h, uint8_t c)
{
    if (c != '\r')
        return (c >= 0x20 && c != 0x7f) || c == '\t' ? IM_OK : IM_HTTP_BAD;
    h->value.len = h->len - 1 - h->value.off;
    while (h->value.len > 0 && is_space(h->bytes[h->value.off + h->value.len - 1]))
        h->value.len--;
    h->state = LINE_LF;
    return keep_field(h);
}

static enum im_reason space(struct im_http_head *h, uint8_t c)
{
    if (is_space((char)c))
        return IM_OK;
    h->value.off = h->len - 1;
    h->state = VALUE;
    return value(h, c);
}

/* RFC 9112, 3.2: one Host, without which HTTP/1.1 is no request. */
static enum im_reason end_lf(struct im_http_head *h, uint8_t c)
{
    struct im_str host = im_http_head_get(h, IM_HEAD_HOST);
    h->state = DONE;
    if (c != '\n' || (!h->response && h->minor > 0 && host.len == 0))
        return IM_HTTP_BAD;
    for (size_t i = 0; i < host.len; i++)
        if (!is_alnum((uint8_t)host.p[i]) && !strchr("-._~%!$&'()*+,;=:[]", host.p[i]))
            return IM_HTTP_BAD;
    return IM_OK;
}

static enum im_reason (*const states[])(struct im_http_head *, uint8_t) = {
    [START] = start,     [START_LF] = start_lf, [METHOD] = method,   [TARGET] = target,
    [VERSION] = version, [STATUS] = status,     [LINE_LF] = line_lf, [FIELD] = field,
    [NAME] = name,       [SPACE] = space,       [VALUE] = value,     [END_LF] = end_lf,
};

static void append(struct im_http_head *h, char c)
{
    if (h->len == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 512;
        h->bytes = im_realloc(h->bytes, h->cap);
    }
    h->bytes[h->len++] = c;
}

enum im_reason im_http_head_feed(struct im_http_head *h, size_t max, struct im_str *in, bool *done)
{
    enum im_reason reason = IM_OK;
    while (in->len > 0 && h->state != DONE && reason == IM_OK) {
        char c = *in->p++;
        in->len--;
        if (h->len >= max)
            return IM_HTTP_HEAD;
        append(h, c);
        reason = states[h->state](h, (uint8_t)c);
    }
    *done = h->state == DONE;
    return reason;
}

void im_http_head_clear(struct im_http_head *h)
{
    free(h->bytes);
    *h = (struct im_http_head){.response = h->response};
}
