#include "transports/http_client.h"

#include <string.h>

#include "transports/http_head.h"

static bool cut_scheme(struct im_str *rest, struct im_http_url *url)
{
    static const struct {
        const char *scheme;
        uint16_t port;
    } known[] = {{"http://", 80}, {"https://", 443}};
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(known[i].scheme);
        if (rest->len < len || !im_http_is((struct im_str){rest->p, len}, known[i].scheme))
            continue;
        url->tls = i == 1;
        url->port = known[i].port;
        *rest = (struct im_str){rest->p + len, rest->len - len};
        return true;
    }
    return false;
}

static bool all_of(struct im_str s, const char *others)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i], low = (char)(c | 0x20);
        if (!(c >= '0' && c <= '9') && !(low >= 'a' && low <= 'z') && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return s.len > 0;
}

static bool read_port(struct im_str s, uint16_t *port)
{
    uint64_t n;
    if (!im_str_u64(s, &n) || n == 0 || n > UINT16_MAX)
        return false;
    *port = (uint16_t)n;
    return true;
}

static bool read_authority(struct im_http_url *url)
{
    struct im_str s = url->authority;
    bool address = s.len > 0 && *s.p == '[';
    const char *end = s.len == 0 ? NULL : memchr(s.p, address ? ']' : ':', s.len);
    if (address && !end)
        return false;
    size_t len = end ? (size_t)(end - s.p) : s.len;
    url->host = address ? (struct im_str){s.p + 1, len - 1} : (struct im_str){s.p, len};
    if (address)
        len++;
    struct im_str rest = {s.p + len, s.len - len};
    if (rest.len > 0 && (*rest.p != ':' || !read_port((struct im_str){rest.p + 1, rest.len - 1}, &url->port)))
        return false;
    return url->host.len <= 253 && all_of(url->host, address ? ":." : ".-_");
}

enum im_reason im_http_url_parse(struct im_str text, struct im_http_url *url, struct im_error *error)
{
    struct im_str rest = text;
    *url = (struct im_http_url){0};
    if (text.len > IM_HTTP_URL_MAX)
        return im_fail(error, IM_TOO_LONG, "url: at most %d bytes", IM_HTTP_URL_MAX);
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] <= 0x20 || text.p[i] >= 0x7f || text.p[i] == '#')
            return im_fail(error, IM_BAD_FIELD, "url: byte %zu must be percent-encoded", i + 1);
    if (!cut_scheme(&rest, url))
        return im_fail(error, IM_BAD_FIELD, "url: must begin with http:// or https://");
    const char *slash = rest.len > 0 ? memchr(rest.p, '/', rest.len) : NULL;
    size_t len = slash ? (size_t)(slash - rest.p) : rest.len;
    url->authority = (struct im_str){rest.p, len};
    url->target = slash ? (struct im_str){slash, rest.len - len} : IM_STR("/");
    if (!read_authority(url))
        return im_fail(error, IM_BAD_FIELD, "url: after http:// there must be HOST or HOST:PORT, then /");
    return IM_OK;
}

struct im_str im_http_url_origin(struct im_str text)
{
    struct im_http_url url;
    if (im_http_url_parse(text, &url, NULL) != IM_OK)
        return IM_STR("");
    return (struct im_str){text.p, (size_t)(url.authority.p + url.authority.len - text.p)};
}
