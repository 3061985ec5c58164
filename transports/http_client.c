#include "transports/http_client.h"

#include <assert.h>
#include <stdlib.h>

#include "core/mem.h"
#include "transports/dial.h"
#include "transports/http_head.h"
#include "transports/loop.h"
#include "transports/stream.h"
#include "transports/transports.h"

/* An answer's head, and a body that is worth reading to its end so that the connection can be kept. */
enum { HEAD_BYTES = 16 * 1024, BODY_BYTES = 64 * 1024, RETRY_AFTER_S = 24 * 60 * 60 };

/* A connection. It lives until its stream has ended, and may have lost its client before. */
struct conn {
    struct im_http_client *client; /* NULL: nobody cares any more */
    struct im_stream *stream;
    struct im_http_head head;
    uint64_t body_left;
    bool in_body;
    bool used; /* an answer came over it already */
};

struct im_http_client {
    struct im_dialer *dialer;
    char *text;
    struct im_http_url url;
    void (*done)(void *arg, const struct im_http_outcome *);
    void *arg;
    struct im_dial *dial;
    struct conn *conn;
    struct im_bytes *head, *body; /* of the request under way, or NULL */
    struct im_timer deadline;     /* of the request, or of a connection that has none */
    struct im_http_outcome outcome;
};

#define OWNER(entry, member)                                                                                           \
    ((struct im_http_client *)(void *)((char *)(entry)-offsetof(struct im_http_client, member)))

static struct im_loop *loop(const struct im_http_client *client)
{
    return im_loop_of(im_dialer_env(client->dialer));
}

/* The end of a request. */

/* Lets go of whatever carries the request. */
static void disconnect(struct im_http_client *client)
{
    struct conn *c = client->conn;
    if (client->dial)
        im_dial_cancel(client->dial);
    client->dial = NULL;
    client->conn = NULL;
    if (!c)
        return;
    c->client = NULL;
    im_stream_abort(c->stream, IM_GONE);
}

static void forget_request(struct im_http_client *client)
{
    im_timer_stop(loop(client), &client->deadline);
    im_bytes_drop(&client->head);
    im_bytes_drop(&client->body);
}

static void too_idle(struct im_timer *timer)
{
    disconnect(OWNER(timer, deadline));
}

/* The last thing that anybody here does: the client may be gone after it. */
static void finish(struct im_http_client *client)
{
    struct im_http_outcome outcome = client->outcome;
    forget_request(client);
    if (client->conn)
        im_timer_start(loop(client), &client->deadline, im_dialer_env(client->dialer)->config->http_idle_ms, too_idle);
    client->done(client->arg, &outcome);
}

static void fail(struct im_http_client *client, enum im_reason reason, const char *problem)
{
    disconnect(client);
    client->outcome = (struct im_http_outcome){.reason = reason, .problem = problem};
    finish(client);
}

/* The answer. */

static uint64_t retry_after_ms(const struct im_http_head *h)
{
    uint64_t seconds;
    if (!im_str_u64(im_http_head_get(h, IM_HEAD_RETRY_AFTER), &seconds)) /* or a date, or not there */
        return 0;
    return (seconds < RETRY_AFTER_S ? seconds : RETRY_AFTER_S) * 1000;
}

/* How long the body is, if that is known without reading it and it is worth reading (RFC 9112, 6.3). */
static bool body_length(const struct im_http_head *h, uint64_t *length)
{
    struct im_str text = im_http_head_get(h, IM_HEAD_CONTENT_LENGTH);
    *length = 0;
    if (h->minor == 0 || im_http_head_lists(h, IM_HEAD_CONNECTION, "close") ||
        im_http_head_get(h, IM_HEAD_TRANSFER_ENCODING).p)
        return false;
    if (h->status == 204 || h->status == 304)
        return true;
    return im_str_u64(text, length) && *length <= BODY_BYTES;
}

static void take_head(struct conn *c)
{
    struct im_http_client *client = c->client;
    bool keep = body_length(&c->head, &c->body_left);
    if (c->head.status < 200) { /* the answer proper is still to come (RFC 9110, 15.2) */
        im_http_head_clear(&c->head);
        return;
    }
    client->outcome =
        (struct im_http_outcome){.status = c->head.status, .retry_after_ms = retry_after_ms(&c->head), .problem = ""};
    im_http_head_clear(&c->head);
    c->used = c->in_body = true;
    if (!keep) {
        disconnect(client);
        finish(client);
    }
}

static size_t take_body(struct conn *c, size_t n)
{
    if (n > c->body_left)
        n = (size_t)c->body_left;
    c->body_left -= n;
    return n;
}

static void on_some(struct conn *c, struct im_str *in)
{
    bool done = false;
    if (!c->client->head) { /* nobody asked */
        disconnect(c->client);
        return;
    }
    if (c->in_body) {
        size_t n = take_body(c, in->len);
        *in = (struct im_str){in->p + n, in->len - n};
    } else if (im_http_head_feed(&c->head, HEAD_BYTES, in, &done) != IM_OK) {
        fail(c->client, IM_HTTP_BAD, "the answer is not HTTP/1.1");
        return;
    } else if (done) {
        take_head(c);
    }
    if (!c->client || !c->in_body || c->body_left > 0)
        return;
    c->in_body = false;
    finish(c->client);
}

static size_t on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct conn *c = ctx;
    struct im_str in = {(const char *)p, n};
    while (in.len > 0 && c->client)
        on_some(c, &in);
    return n;
}

static void dial(struct im_http_client *);

static void on_ended(void *ctx, enum im_reason reason)
{
    struct conn *c = ctx;
    struct im_http_client *client = c->client;
    bool stale = c->used && !c->in_body && !c->head.bytes; /* it closed while we asked, and nothing has come of it */
    (void)reason;
    im_http_head_clear(&c->head);
    free(c);
    if (!client)
        return;
    client->conn = NULL;
    if (client->head && stale)
        dial(client);
    else if (client->head)
        fail(client, IM_GONE, "the connection ended without an answer");
}

static const struct im_stream_ops stream_ops = {.bytes = on_bytes, .ended = on_ended};

/* The request. */

static void send_request(struct im_http_client *client)
{
    im_stream_write_bytes(client->conn->stream, client->head, 0);
    im_stream_write_bytes(client->conn->stream, client->body, 0);
}

static void on_dialed(void *arg, struct im_stream *stream, enum im_reason reason, const char *problem)
{
    struct im_http_client *client = arg;
    client->dial = NULL;
    if (!stream) {
        fail(client, reason, problem);
        return;
    }
    struct conn *c = im_zalloc(sizeof *c);
    *c = (struct conn){.client = client, .stream = stream, .head.response = true};
    client->conn = c;
    im_stream_attach(stream, &stream_ops, c);
    send_request(client);
}

static void dial(struct im_http_client *client)
{
    char host[256];
    assert(client->url.host.len < sizeof host);
    memcpy(host, client->url.host.p, client->url.host.len);
    host[client->url.host.len] = '\0';
    client->dial = im_dial_start(
        client->dialer,
        &(struct im_dial_options){
            .host = host, .port = client->url.port, .tls = client->url.tls, .done = on_dialed, .arg = client});
}

static void too_late(struct im_timer *timer)
{
    fail(OWNER(timer, deadline), IM_TOO_SLOW, "no answer in time");
}

static struct im_bytes *make_head(const struct im_http_client *client, struct im_str fields, size_t length)
{
    const struct im_http_url *url = &client->url;
    struct im_out out = {0};
    im_out_str(&out, "POST ");
    im_out_put(&out, url->target.p, url->target.len);
    im_out_str(&out, " HTTP/1.1\r\nHost: ");
    im_out_put(&out, url->authority.p, url->authority.len);
    im_out_printf(&out, "\r\nUser-Agent: imd/%s\r\nContent-Length: %zu\r\n", PACKAGE_VERSION, length);
    im_out_put(&out, fields.p, fields.len);
    im_out_str(&out, "\r\n");
    return im_out_take(&out);
}

void im_http_client_post(struct im_http_client *client, struct im_str fields, struct im_bytes *body,
                         uint64_t timeout_ms)
{
    assert(!client->head);
    client->head = make_head(client, fields, body->len);
    client->body = im_bytes_hold(body);
    im_timer_start(loop(client), &client->deadline, timeout_ms, too_late);
    if (client->conn)
        send_request(client);
    else
        dial(client);
}

struct im_http_client *im_http_client_new(const struct im_http_client_options *o)
{
    struct im_http_client *client = im_zalloc(sizeof *client);
    client->dialer = o->dialer;
    client->done = o->done;
    client->arg = o->arg;
    client->text = im_strndup(o->url.p, o->url.len);
    enum im_reason reason = im_http_url_parse(im_str(client->text), &client->url, NULL);
    assert(reason == IM_OK);
    (void)reason;
    return client;
}

void im_http_client_free(struct im_http_client **client)
{
    struct im_http_client *old = *client;
    *client = NULL;
    if (!old)
        return;
    disconnect(old);
    forget_request(old);
    free(old->text);
    free(old);
}
