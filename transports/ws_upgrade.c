#include "transports/ws_upgrade.h"

#include <stdio.h>
#include <strings.h>

#include "core/address.h"
#include "transports/http.h"

enum { ENCODED_NAME_MAX = 512 }; /* bytes of a name once decoded; those that are too long for an id are its business */

static bool cut(struct im_str s, char c, struct im_str *left, struct im_str *right)
{
    const char *at = s.len > 0 ? memchr(s.p, c, s.len) : NULL;
    if (!at)
        return false;
    *left = (struct im_str){s.p, (size_t)(at - s.p)};
    *right = (struct im_str){at + 1, s.len - left->len - 1};
    return true;
}

/* "/ws/a/b" → "a", "b" */
static bool split_pair(struct im_str path, struct im_str *user, struct im_str *target)
{
    if (path.len < 4 || memcmp(path.p, "/ws/", 4) != 0)
        return false;
    return cut((struct im_str){path.p + 4, path.len - 4}, '/', user, target) &&
           !(target->len > 0 && memchr(target->p, '/', target->len));
}

enum im_ws_endpoint im_ws_endpoint(const struct im_config *config, struct im_str path)
{
    struct im_str user, target;
    if (im_str_eq(path, IM_STR("/ws")))
        return IM_WS_AT_CHAT;
    if (config->echo && im_str_eq(path, IM_STR("/echo")))
        return IM_WS_AT_ECHO;
    return split_pair(path, &user, &target) ? IM_WS_AT_PAIR : IM_WS_AT_NOTHING;
}

bool im_ws_wanted(const struct im_http_head *h)
{
    return im_http_head_lists(h, IM_HEAD_UPGRADE, "websocket");
}

static enum im_reason check_fields(const struct im_http_head *h, struct im_error *error)
{
    struct im_str version = im_http_head_get(h, IM_HEAD_WS_VERSION);
    if (h->minor == 0)
        return im_fail(error, IM_HTTP_BAD, "An upgrade needs HTTP/1.1.");
    if (!im_ws_wanted(h))
        return im_fail(error, IM_HTTP_UPGRADE, "%s", "");
    if (!im_http_head_lists(h, IM_HEAD_CONNECTION, "upgrade"))
        return im_fail(error, IM_HTTP_BAD, "Connection does not say Upgrade.");
    if (!version.p)
        return im_fail(error, IM_HTTP_BAD, "Sec-WebSocket-Version is missing.");
    if (!im_str_eq(version, IM_STR("13")))
        return im_fail(error, IM_HTTP_UPGRADE, "%s", "");
    if (!im_ws_key_ok(im_http_head_get(h, IM_HEAD_WS_KEY)))
        return im_fail(error, IM_HTTP_BAD, "Sec-WebSocket-Key is missing, or not 16 bytes in base64.");
    return IM_OK;
}

static bool same(struct im_str a, struct im_str b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.p, b.p, a.len) == 0);
}

/* Of "localhost:3688", "127.0.0.1", "[::1]:3688" …: does the name mean this machine, whoever answers for it in DNS? */
static bool is_loopback(struct im_str host)
{
    const struct im_str suffix = IM_STR(".localhost");
    struct im_str name = host, port = {0};
    char text[IM_ADDRESS_TEXT];
    uint8_t ip[16];
    bool four;
    if (host.len >= 5 && memcmp(host.p, "[::1]", 5) == 0)
        return host.len == 5 || host.p[5] == ':';
    cut(host, ':', &name, &port);
    if (same(name, IM_STR("localhost")))
        return true;
    if (name.len > suffix.len && same((struct im_str){name.p + name.len - suffix.len, suffix.len}, suffix))
        return true;
    if (name.len == 0 || name.len >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", (int)name.len, name.p);
    return im_address_read(text, ip, &four) && four && im_address_is_loopback(ip);
}

/* RFC 6455, 10.2. A page from elsewhere must not speak here with its visitor's address; programs send no Origin. A page
 * whose own name was made to point here (DNS rebinding) has that name in Host and Origin alike. */
static bool origin_ok(const struct im_http_head *h, const struct im_ws_origins *origins)
{
    struct im_str origin = im_http_head_get(h, IM_HEAD_ORIGIN), host = im_http_head_get(h, IM_HEAD_HOST);
    struct im_str scheme, rest;
    if (!origin.p)
        return true;
    if (cut(origin, ':', &scheme, &rest) && rest.len > 2 && memcmp(rest.p, "//", 2) == 0 &&
        same((struct im_str){rest.p + 2, rest.len - 2}, host) && (!origins->loopback || is_loopback(host)))
        return true;
    for (size_t i = 0; i < origins->listed->n; i++)
        if (strcmp(origins->listed->v[i], "*") == 0 || same(origin, im_str(origins->listed->v[i])))
            return true;
    return false;
}

/* Subprotocol names are compared as they are (RFC 6455, 1.9). */
static bool offers_im_v1(const struct im_http_head *h)
{
    struct im_str value, element;
    for (size_t at = 0; im_http_head_next(h, IM_HEAD_WS_PROTOCOL, &at, &value);)
        while (im_http_element(&value, &element))
            if (im_str_eq(element, IM_STR("im.v1")))
                return true;
    return false;
}

typedef enum im_reason name_parser(struct im_str, struct im_name *, struct im_error *);

static enum im_reason parse_name(const char *which, struct im_str encoded, name_parser *parse, struct im_name *out,
                                 struct im_error *error)
{
    char decoded[ENCODED_NAME_MAX];
    struct im_error why = {0};
    int n = im_http_decode(encoded, decoded, sizeof decoded);
    if (n < 0)
        return im_fail(error, IM_BAD_ID, "The %s's id in the path is not percent-encoded text.", which);
    if (parse((struct im_str){decoded, (size_t)n}, out, &why) == IM_OK)
        return IM_OK;
    return im_fail(error, IM_BAD_ID, "The %s's id in the path: %s", which, why.detail);
}

static enum im_reason parse_pair(struct im_str path, struct im_ws_upgrade *u, struct im_error *error)
{
    struct im_str user, target;
    if (!split_pair(path, &user, &target))
        return IM_BAD_ID;
    enum im_reason reason = parse_name("user", user, im_name_parse, &u->user, error);
    return reason == IM_OK ? parse_name("target", target, im_conv_parse, &u->target, error) : reason;
}

/* "a=1&token=xyz" → "xyz"; absent if it is not there. */
static struct im_str find_token(struct im_str query)
{
    const struct im_str key = IM_STR("token=");
    while (query.len > 0) {
        struct im_str pair = query, rest = {0};
        cut(query, '&', &pair, &rest);
        if (pair.len >= key.len && memcmp(pair.p, key.p, key.len) == 0)
            return (struct im_str){pair.p + key.len, pair.len - key.len};
        query = rest;
    }
    return (struct im_str){0};
}

static enum im_reason parse_token(struct im_str query, struct im_ws_upgrade *u, struct im_error *error)
{
    struct im_str encoded = find_token(query);
    if (!encoded.p)
        return IM_OK;
    int n = im_http_decode(encoded, u->token, sizeof u->token);
    if (n < 0)
        return im_fail(error, IM_HTTP_BAD, "The token in the query is too long, or not percent-encoded text.");
    u->token_view = (struct im_str){u->token, (size_t)n};
    return IM_OK;
}

static enum im_reason negotiate(const struct im_http_head *h, const struct im_config *config, struct im_ws_upgrade *u,
                                struct im_error *error)
{
    struct im_str value;
    for (size_t at = 0; !u->deflate.on && im_http_head_next(h, IM_HEAD_WS_EXTENSIONS, &at, &value);)
        if (im_ws_deflate_negotiate(value, config->deflate_takeover, &u->deflate, u->extensions) ==
            IM_WS_OFFER_MALFORMED)
            return im_fail(error, IM_HTTP_BAD, "Sec-WebSocket-Extensions is malformed.");
    if (!config->deflate) {
        u->deflate = (struct im_ws_deflate){0};
        u->extensions[0] = '\0';
    }
    return IM_OK;
}

enum im_reason im_ws_upgrade(const struct im_http_head *h, const struct im_config *config,
                             const struct im_ws_origins *origins, enum im_ws_endpoint endpoint, struct im_str path,
                             struct im_str query, struct im_ws_upgrade *u, struct im_error *error)
{
    enum im_reason reason = check_fields(h, error);
    if (reason == IM_OK && !origin_ok(h, origins))
        reason = im_fail(error, IM_HTTP_FORBIDDEN_ORIGIN, "%s", "");
    *u = (struct im_ws_upgrade){.endpoint = endpoint};
    u->im_v1 = endpoint != IM_WS_AT_ECHO && offers_im_v1(h);
    u->lang = im_http_language(im_http_head_get(h, IM_HEAD_ACCEPT_LANGUAGE), (enum im_lang)config->lang);
    if (reason == IM_OK && endpoint == IM_WS_AT_CHAT && !u->im_v1)
        reason = im_fail(error, IM_HTTP_BAD, "Offer the subprotocol im.v1 here (Sec-WebSocket-Protocol: im.v1).");
    if (reason == IM_OK && endpoint == IM_WS_AT_PAIR)
        reason = parse_pair(path, u, error);
    if (reason == IM_OK && endpoint == IM_WS_AT_PAIR)
        reason = parse_token(query, u, error);
    if (reason == IM_OK)
        reason = negotiate(h, config, u, error);
    if (reason == IM_OK)
        im_ws_accept(im_http_head_get(h, IM_HEAD_WS_KEY), u->accept);
    return reason;
}
