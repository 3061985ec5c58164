#include "transports/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/mem.h"
#include "transports/http_head.h"
#include "transports/http_hook.h"
#include "transports/listener.h"
#include "transports/transports.h"
#include "transports/websocket.h"

/* A client that sends requests without reading the answers is not read from while this much waits for it. */
enum { PIPELINE_BYTES = 64 * 1024 };

struct conn {
    struct im_transport_env *env;
    struct im_listener *listener; /* NULL: no WebSocket here; lives as long as the stream */
    const struct im_http_route *routes;
    struct im_stream *stream;
    struct im_http_head head;
    enum im_lang lang;
    struct im_http_hook *hook; /* is being answered; until then nothing further is read */
    struct im_out received;    /* the body of a request for a hook … */
    uint64_t awaited;          /* … of so many bytes */
    bool for_hook, hook_json;  /* what the request is */
    bool receiving;            /* its head is there */
    bool head_begun, body;     /* body: the request is not HEAD */
    bool last;                 /* no further request: the stream is finishing */
    bool upgraded;             /* the stream has another owner */
};

/* Answers. */

struct answer {
    struct im_http_response r;
    enum im_reason reason; /* a refusal, or IM_OK */
    const char *fields;    /* further ones, each with CRLF; may be NULL */
    bool vary_language, close;
};

static const char *status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } known[] = {
        {200, "OK"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status)
            return known[i].text;
    return "Status";
}

/* RFC 9110, 5.6.7; strftime() would ask the locale for the names. */
static void put_date(struct im_out *out)
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = time(NULL);
    struct tm tm;
    if (!gmtime_r(&now, &tm))
        return;
    im_out_printf(out, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n", days + 3 * tm.tm_wday, tm.tm_mday,
                  months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void put_security(struct im_out *out, const char *csp)
{
    im_out_str(out, "X-Content-Type-Options: nosniff\r\n"
                    "X-Frame-Options: DENY\r\n"
                    "Referrer-Policy: no-referrer\r\n"
                    "Cross-Origin-Opener-Policy: same-origin\r\n"
                    "Permissions-Policy: camera=(self), microphone=(self), geolocation=(), payment=(), usb=()\r\n");
    im_out_printf(out, "Content-Security-Policy: %s\r\n", csp ? csp : "default-src 'none'; frame-ancestors 'none'");
}

static void put_head(struct im_out *out, const struct answer *a, size_t length)
{
    const struct im_http_response *r = &a->r;
    im_out_printf(out, "HTTP/1.1 %d %s\r\n", r->status, status_text(r->status));
    put_date(out);
    put_security(out, r->csp);
    if (r->status != 304) {
        im_out_printf(out, "Content-Type: %s\r\n", r->type ? r->type : "text/plain; charset=utf-8");
        im_out_printf(out, "Content-Length: %zu\r\n", length);
        im_out_str(out, r->gzip ? "Content-Encoding: gzip\r\n" : "");
    }
    if (r->etag)
        im_out_printf(out, "ETag: %s\r\n", r->etag);
    im_out_printf(out, "Cache-Control: %s\r\n", r->cache ? r->cache : "no-cache");
    im_out_str(out, r->vary_encoding ? "Vary: Accept-Encoding\r\n" : "");
    im_out_str(out, a->vary_language ? "Vary: Accept-Language\r\n" : "");
    im_out_str(out, a->fields ? a->fields : "");
    im_out_str(out, a->close ? "Connection: close\r\n\r\n" : "\r\n");
}

/* While an answer leaves, the stream's own watch over stalled readers is on; the wait for the next request begins when
 * it has left. */
static void await_request(struct conn *c)
{
    im_stream_deadline(c->stream, c->env->config->http_idle_ms, IM_BYE);
}

static void answer(struct conn *c, struct answer *a)
{
    struct im_out out = {0};
    struct im_str body = a->r.body;
    if (a->r.status == 0)
        a->r.status = 200;
    if (a->r.made)
        body = (struct im_str){(const char *)a->r.made->data, a->r.made->len};
    put_head(&out, a, body.len);
    struct im_bytes *head = im_out_take(&out);
    im_stream_deadline(c->stream, 0, IM_OK);
    im_stream_write_bytes(c->stream, head, 0);
    if (c->body && a->r.status != 304 && a->r.made)
        im_stream_write_bytes(c->stream, a->r.made, 0);
    else if (c->body && a->r.status != 304)
        im_stream_write_static(c->stream, body.p, body.len);
    im_bytes_drop(&head);
    im_bytes_drop(&a->r.made);
    im_count(&c->env->counters->n[IM_C_HTTP_REQUESTS], 1);
    if (!a->close)
        return;
    c->last = true;
    im_stream_finish(c->stream, a->reason ? a->reason : IM_BYE, c->env->config->close_ms);
}

/* Refusals. */

static const char page_style[] =
    "body{margin:0;min-height:100vh;display:grid;place-content:center;text-align:center;font:1.1rem/1.6 system-ui,"
    "sans-serif;background:#f7f5f0;color:#33302a}h1{font-size:4rem;margin:0;color:#d9822b}a{color:inherit}"
    "@media(prefers-color-scheme:dark){body{background:#1d1c1a;color:#e8e4dc}}";
/* The hash is that of page_style; tests/conform/rfc6455 computes it again. */
static const char page_csp[] = "default-src 'none'; frame-ancestors 'none'; "
                               "style-src 'sha256-+5F5cp6oGeCGK3oqEWOcgWrPhfKs8VrZvuKjJY6UC/o='";

static struct im_bytes *not_found_page(enum im_lang lang)
{
    static const char *const home[IM_LANG_COUNT] = {[IM_EN] = "To the chat", [IM_ZH] = "回到聊天"};
    struct im_out out = {0};
    im_out_printf(&out, "<!doctype html><html lang=\"%s\"><meta charset=\"utf-8\">", lang == IM_ZH ? "zh" : "en");
    im_out_str(&out, "<meta name=\"viewport\" content=\"width=device-width\"><title>404</title><style>");
    im_out_str(&out, page_style);
    im_out_printf(&out, "</style><main><h1>404</h1><p>%s<p><a href=\"/\">%s</a></main></html>\n",
                  im_reason_info(IM_HTTP_NOT_FOUND)->text[lang], home[lang]);
    return im_out_take(&out);
}

static struct im_bytes *refusal_text(enum im_reason reason, enum im_lang lang, const char *detail)
{
    struct im_out out = {0};
    im_out_str(&out, im_reason_info(reason)->text[lang]);
    im_out_str(&out, "\n");
    if (*detail)
        im_out_printf(&out, "%s\n", detail);
    return im_out_take(&out);
}

/* What is malformed leaves it uncertain where the next request would begin; what has a body is followed by that. */
static bool must_close(enum im_reason reason)
{
    return reason != IM_HTTP_NOT_FOUND && reason != IM_HTTP_UPGRADE;
}

static bool may_stay(const struct conn *c)
{
    return c->head.minor > 0 && !im_http_head_lists(&c->head, IM_HEAD_CONNECTION, "close");
}

static void refuse(struct conn *c, enum im_reason reason, const char *detail)
{
    struct answer a = {.reason = reason, .vary_language = true, .close = must_close(reason) || !may_stay(c)};
    a.r.status = im_reason_info(reason)->code;
    if (reason == IM_HTTP_NOT_FOUND) {
        a.r.type = "text/html; charset=utf-8";
        a.r.made = not_found_page(c->lang);
        a.r.csp = page_csp;
    } else {
        a.r.made = refusal_text(reason, c->lang, detail);
    }
    if (reason == IM_HTTP_METHOD)
        a.fields = c->for_hook ? "Allow: POST\r\n" : "Allow: GET, HEAD\r\n";
    else if (reason == IM_HTTP_UPGRADE)
        a.fields = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
    im_count(&c->env->counters->refused[reason], 1);
    answer(c, &a);
}

/* Requests. */

static bool skip_authority(struct im_str *target)
{
    struct im_str s = *target;
    size_t scheme = s.len >= 7 && im_http_is((struct im_str){s.p, 7}, "http://")    ? 7
                    : s.len >= 8 && im_http_is((struct im_str){s.p, 8}, "https://") ? 8
                                                                                    : 0;
    while (scheme > 0 && scheme < s.len && s.p[scheme] != '/' && s.p[scheme] != '?')
        scheme++;
    *target = (struct im_str){s.p + scheme, s.len - scheme};
    return scheme > 0 || (s.len > 0 && *s.p == '/');
}

/* Origin form or absolute form (RFC 9112, 3.2). */
static bool parse_target(struct im_str target, struct im_http_request *request)
{
    if (!skip_authority(&target))
        return false;
    const char *question = target.len > 0 ? memchr(target.p, '?', target.len) : NULL;
    request->path = target;
    if (question) {
        request->path.len = (size_t)(question - target.p);
        request->query = (struct im_str){question + 1, target.len - request->path.len - 1};
    }
    if (request->path.len == 0)
        request->path = IM_STR("/");
    return true;
}

/* A server that takes no bodies can say so as soon as the head is there. */
static enum im_reason check_body(const struct im_http_head *h)
{
    struct im_str length = im_http_head_get(h, IM_HEAD_CONTENT_LENGTH);
    bool coded = im_http_head_get(h, IM_HEAD_TRANSFER_ENCODING).p;
    uint64_t n = 0;
    if (length.p && (coded || !im_str_u64(length, &n)))
        return IM_HTTP_BAD;
    return coded || n > 0 ? IM_HTTP_BODY : IM_OK;
}

static const struct im_http_route *find_route(const struct im_http_route *r, struct im_str path)
{
    for (; r && r->path; r++) {
        size_t len = strlen(r->path);
        bool prefix = len > 0 && r->path[len - 1] == '*';
        if (prefix ? path.len >= len - 1 && memcmp(path.p, r->path, len - 1) == 0 : im_str_eq(path, im_str(r->path)))
            return r;
    }
    return NULL;
}

/* RFC 9110, 13.1.2: any of them, compared weakly. */
static bool etag_matches(struct im_str list, const char *etag)
{
    struct im_str element;
    if (!etag)
        return false;
    while (im_http_element(&list, &element)) {
        if (element.len > 2 && memcmp(element.p, "W/", 2) == 0)
            element = (struct im_str){element.p + 2, element.len - 2};
        if (im_str_eq(element, IM_STR("*")) || im_str_eq(element, im_str(etag)))
            return true;
    }
    return false;
}

/* The tag of a form the client has and can go on using (RFC 9111, 4.3.4), or NULL. */
static const char *known_etag(struct im_str list, const struct im_http_response *r)
{
    if (etag_matches(list, r->etag))
        return r->etag;
    return etag_matches(list, r->other_etag) ? r->other_etag : NULL;
}

static void serve(struct conn *c, const struct im_http_request *request)
{
    const struct im_http_route *route = find_route(c->routes, request->path);
    struct answer a = {.close = !may_stay(c)};
    if (!route) {
        refuse(c, IM_HTTP_NOT_FOUND, "");
        return;
    }
    a.r.status = 200;
    route->handle(route->arg, request, &a.r);
    const char *known = a.r.status == 200 ? known_etag(request->if_none_match, &a.r) : NULL;
    if (known) {
        a.r.status = 304;
        a.r.etag = known;
    }
    answer(c, &a);
}

static void upgrade(struct conn *c, enum im_ws_endpoint endpoint, const struct im_http_request *request)
{
    struct im_ws_upgrade u;
    struct im_error error = {0};
    struct im_out out = {0};
    const struct im_ws_origins origins = {.listed = &im_listener_config(c->listener)->origins,
                                          .loopback = im_listener_is_loopback(c->listener)};
    enum im_reason reason =
        im_ws_upgrade(&c->head, c->env->config, &origins, endpoint, request->path, request->query, &u, &error);
    if (reason != IM_OK) {
        refuse(c, reason, error.detail);
        return;
    }
    im_out_str(&out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
    im_out_printf(&out, "Sec-WebSocket-Accept: %s\r\n", u.accept);
    im_out_str(&out, u.im_v1 ? "Sec-WebSocket-Protocol: im.v1\r\n" : "");
    if (*u.extensions)
        im_out_printf(&out, "Sec-WebSocket-Extensions: %s\r\n", u.extensions);
    im_out_str(&out, "\r\n");
    im_stream_write(c->stream, im_out_data(&out), out.len);
    im_out_clear(&out);
    c->upgraded = true;
    im_websocket_start(c->env, c->stream, &u);
}

/* Hooks. */

static void forget_request(struct conn *c)
{
    im_http_head_clear(&c->head);
    im_out_clear(&c->received);
    c->head_begun = c->receiving = c->for_hook = false;
}

static void hook_answered(void *arg, const struct im_http_hook_answer *made)
{
    struct conn *c = arg;
    struct answer a = {.close = !may_stay(c)};
    char retry[40] = "";
    if (made->after_ms > 0)
        snprintf(retry, sizeof retry, "Retry-After: %llu\r\n", (unsigned long long)(made->after_ms + 999) / 1000);
    a.fields = retry;
    a.r.status = made->status;
    a.r.type = "application/json";
    a.r.cache = "no-store";
    a.r.made = made->json;
    c->hook = NULL;
    answer(c, &a);
    forget_request(c);
    im_stream_hold(c->stream, im_stream_queued(c->stream) > PIPELINE_BYTES);
}

static struct im_str hook_token(const struct conn *c)
{
    struct im_http_request request = {0};
    parse_target(im_http_head_part(&c->head, c->head.target), &request);
    size_t skip = sizeof IM_HTTP_HOOK_PATH - 1;
    return (struct im_str){request.path.p + skip, request.path.len - skip};
}

/* The whole request is there. */
static void start_hook(struct conn *c)
{
    c->receiving = false;
    im_stream_deadline(c->stream, 0, IM_OK);
    im_stream_hold(c->stream, true);
    if (c->received.len == 0)
        im_out_put(&c->received, "", 0);
    c->hook = im_http_hook_start(&(struct im_http_hook_request){
        .env = c->env,
        .address = im_str(im_stream_peer(c->stream)),
        .token = hook_token(c),
        .body = im_out_take(&c->received),
        .json = c->hook_json,
        .tls = im_stream_tls(c->stream),
        .lang = c->lang,
        .answered = hook_answered,
        .arg = c,
    });
}

/* RFC 9112, 6.2; in chunks a body has no length that could be judged beforehand. */
static enum im_reason check_hook(struct conn *c)
{
    struct im_str length = im_http_head_get(&c->head, IM_HEAD_CONTENT_LENGTH);
    bool coded = im_http_head_get(&c->head, IM_HEAD_TRANSFER_ENCODING).p;
    if (!im_str_eq(im_http_head_part(&c->head, c->head.method), IM_STR("POST")))
        return IM_HTTP_METHOD;
    if (length.p && (coded || !im_str_u64(length, &c->awaited)))
        return IM_HTTP_BAD;
    if (!length.p)
        return IM_HTTP_LENGTH;
    if (c->awaited > c->env->config->message_bytes)
        return IM_TOO_LONG;
    return im_http_hook_takes(im_http_head_get(&c->head, IM_HEAD_CONTENT_TYPE), &c->hook_json) ? IM_OK : IM_HTTP_TYPE;
}

static void handle_hook(struct conn *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    enum im_reason reason = check_hook(c);
    if (reason != IM_OK) {
        refuse(c, reason, "");
        return;
    }
    c->receiving = true;
    if (c->awaited == 0)
        start_hook(c);
    else if (c->head.minor > 0 && im_http_head_lists(&c->head, IM_HEAD_EXPECT, "100-continue"))
        im_stream_write(c->stream, go_on, sizeof go_on - 1);
}

static void take_body(struct conn *c, struct im_str *in)
{
    uint64_t left = c->awaited - c->received.len;
    size_t n = in->len < left ? in->len : (size_t)left;
    im_out_put(&c->received, in->p, n);
    in->p += n;
    in->len -= n;
    if (n == left)
        start_hook(c);
}

static bool is_hook(const struct conn *c, struct im_str path)
{
    size_t len = sizeof IM_HTTP_HOOK_PATH - 1;
    return c->listener && path.len > len && memcmp(path.p, IM_HTTP_HOOK_PATH, len) == 0;
}

static void handle(struct conn *c)
{
    const struct im_http_head *h = &c->head;
    struct im_http_request request = {
        .method = im_http_head_part(h, h->method),
        .if_none_match = im_http_head_get(h, IM_HEAD_IF_NONE_MATCH),
        .accept = im_http_head_get(h, IM_HEAD_ACCEPT),
        .accept_encoding = im_http_head_get(h, IM_HEAD_ACCEPT_ENCODING),
        .accept_language = im_http_head_get(h, IM_HEAD_ACCEPT_LANGUAGE),
    };
    bool get = im_str_eq(request.method, IM_STR("GET")), head = im_str_eq(request.method, IM_STR("HEAD"));
    enum im_reason reason = check_body(h);
    enum im_ws_endpoint endpoint = IM_WS_AT_NOTHING;
    bool whole = parse_target(im_http_head_part(h, h->target), &request);
    c->body = !head;
    c->lang = im_http_language(request.accept_language, (enum im_lang)c->env->config->lang);
    c->for_hook = whole && is_hook(c, request.path);
    if (c->for_hook) {
        handle_hook(c);
        return;
    }
    if (!whole)
        reason = IM_HTTP_BAD;
    else if (c->listener)
        endpoint = im_ws_endpoint(c->env->config, request.path);
    if (!get && (!head || endpoint))
        reason = IM_HTTP_METHOD;
    if (reason == IM_OK && endpoint)
        upgrade(c, endpoint, &request);
    else if (reason == IM_OK && im_ws_wanted(h))
        refuse(c, IM_HTTP_NOT_FOUND, "");
    else if (reason == IM_OK)
        serve(c, &request);
    else
        refuse(c, reason, "");
}

/* The stream. */

static bool busy(const struct conn *c)
{
    return c->last || c->upgraded || c->hook || im_stream_queued(c->stream) > PIPELINE_BYTES;
}

static void take_head(struct conn *c, struct im_str *in)
{
    bool done = false;
    if (!c->head_begun)
        im_stream_deadline(c->stream, c->env->config->http_head_ms, IM_UPGRADE_TIMEOUT);
    c->head_begun = true;
    enum im_reason reason = im_http_head_feed(&c->head, c->env->config->http_head_bytes, in, &done);
    if (reason != IM_OK) {
        c->body = true;
        refuse(c, reason, "");
    } else if (done) {
        handle(c);
    } else {
        return;
    }
    if (c->receiving || c->hook)
        return;
    forget_request(c);
    if (!c->upgraded && im_stream_queued(c->stream) > PIPELINE_BYTES)
        im_stream_hold(c->stream, true);
}

static size_t on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct conn *c = ctx;
    struct im_str in = {(const char *)p, n};
    while (in.len > 0 && !busy(c)) {
        if (c->receiving)
            take_body(c, &in);
        else
            take_head(c, &in);
    }
    if (c->upgraded)
        free(c);
    return n - in.len;
}

static void on_input_end(void *ctx)
{
    struct conn *c = ctx;
    im_stream_finish(c->stream, IM_GONE, c->env->config->close_ms);
}

static void on_drained(void *ctx)
{
    struct conn *c = ctx;
    if (c->hook)
        return;
    if (!c->head_begun)
        await_request(c);
    im_stream_hold(c->stream, false);
}

static void on_ended(void *ctx, enum im_reason reason)
{
    struct conn *c = ctx;
    /* Answered requests are not connections that went wrong. */
    if (reason == IM_UPGRADE_TIMEOUT || reason == IM_TOO_SLOW)
        im_count(&c->env->counters->closed[reason], 1);
    if (c->hook)
        im_http_hook_abandon(c->hook);
    forget_request(c);
    free(c);
}

static const struct im_stream_ops stream_ops = {
    .bytes = on_bytes,
    .input_end = on_input_end,
    .drained = on_drained,
    .ended = on_ended,
};

void im_http_serve(struct im_transport_env *env, struct im_listener *listener, const struct im_http_route *routes,
                   struct im_stream *stream)
{
    struct conn *c = im_zalloc(sizeof *c);
    *c = (struct conn){.env = env, .listener = listener, .routes = routes, .stream = stream};
    c->lang = (enum im_lang)env->config->lang;
    c->head_begun = true;
    im_stream_attach(stream, &stream_ops, c);
    im_stream_deadline(stream, env->config->http_head_ms, IM_UPGRADE_TIMEOUT);
}

/* A listener for pages alone. */

struct site {
    struct im_transport_env *env;
    const struct im_http_route *routes;
};

static void site_ready(void *arg, struct im_stream *stream)
{
    struct site *site = arg;
    im_http_serve(site->env, NULL, site->routes, stream);
}

enum im_reason im_http_listen(struct im_listener **out, struct im_transport_env *env, const char *address,
                              const struct im_http_route *routes, struct im_error *error)
{
    struct im_config *config = im_config_new();
    struct im_listen_config *listen = im_config_add_listener(config);
    struct site *site = im_alloc(sizeof *site);
    *site = (struct site){env, routes};
    free(listen->address);
    listen->address = im_strndup(address, strlen(address));
    struct im_listener_options options = {
        .env = env, .config = listen, .ready = site_ready, .arg = site, .release = free};
    enum im_reason reason = im_listener_open(out, &options, error);
    im_config_free(&config);
    return reason;
}
