#include "transports/websocket.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "transports/http.h"
#include "transports/listener.h"
#include "transports/loop.h"
#include "transports/transports.h"
#include "transports/up.h"
#include "transports/ws_frame.h"

/* A WebSocket over a stream: a link to the core, or with `echo` a mirror that the core never hears of.
 *
 *      open ──► closing ──► done        closing: our close frame is out, the peer's is awaited
 *        └────────────────────▲         done: both are out, or the peer broke the rules; the stream is finishing */
struct websocket {
    struct im_link link;
    struct im_transport_env *env;
    struct im_stream *stream;
    uint8_t *pong;         /* a whole frame that waits for the queue to drain, or NULL */
    enum im_reason reason; /* why it closes */
    bool echo;
    bool opened; /* the core knows the link */
    bool held, closing, done;
    bool dropped;      /* an event came when it was closing already */
    bool pinged;       /* since the last sign of life */
    uint64_t heard_ms; /* the last sign of life */
    struct im_ws_parser parser;
    struct z_stream_s *deflater; /* NULL unless our window is kept */
    struct im_timer keepalive;
    uint64_t held_ms;  /* since when it is held */
    uint64_t ping_end; /* what im_stream_sent() has passed once the ping has left */
};

#define OWNER(entry, member) ((struct websocket *)(void *)((char *)(entry)-offsetof(struct websocket, member)))

/* Closing (RFC 6455, 7). */

static void finish(struct websocket *ws, enum im_reason reason)
{
    ws->done = ws->closing = true;
    im_stream_finish(ws->stream, reason, ws->env->config->close_ms);
}

static void send_close(struct websocket *ws, uint16_t code, struct im_str text)
{
    uint8_t frame[IM_WS_FRAME_MAX];
    im_stream_write(ws->stream, frame, im_ws_close_frame(frame, code, text));
}

static void send_close_reason(struct websocket *ws, enum im_reason reason)
{
    const struct im_reason_info *info = im_reason_info(reason);
    /* 1006 is for those who never got a close frame */
    send_close(ws, info->ws == 1006 ? 1001 : info->ws, im_str(info->text[ws->link.lang]));
}

/* The peer broke the rules: say which, hear no more (7.1.7). */
static void fail(struct websocket *ws, enum im_reason reason)
{
    if (!ws->closing)
        send_close_reason(ws, reason);
    finish(ws, ws->closing ? ws->reason : reason);
}

static void ws_close(struct im_link *link, enum im_reason reason)
{
    struct websocket *ws = OWNER(link, link);
    if (ws->closing)
        return;
    ws->closing = true;
    ws->reason = reason;
    send_close_reason(ws, reason);
    ws->held = false;
    im_stream_hold(ws->stream, false);
    im_stream_deadline(ws->stream, ws->env->config->close_ms, reason);
}

static void on_close(struct websocket *ws, const struct im_ws_event *e)
{
    if (ws->closing) {
        finish(ws, ws->reason);
        return;
    }
    send_close(ws, e->code, (struct im_str){0});
    finish(ws, e->code == 1001 ? IM_GONE : IM_BYE);
}

/* Output. */

/* A whole frame that begins at *off, or NULL: it goes as it is. */
static struct im_bytes *pack(struct websocket *ws, struct im_bytes *b, uint8_t first, size_t *off)
{
    const struct im_config *config = ws->env->config;
    const struct im_ws_deflate *d = &ws->parser.deflate;
    uint64_t *runs = &ws->env->counters->n[IM_C_DEFLATE_RUNS];
    int level = (int)config->deflate_level;
    if (!d->on || b->len == 0 || b->len < config->deflate_min_bytes)
        return NULL;
    first |= IM_WS_RSV1;
    if (!d->ours_kept)
        return im_ws_deflate_shared(ws->parser.pool, b, first, d->bits, level, off, runs);
    im_count(runs, 1);
    return im_ws_deflate_kept(&ws->deflater, (struct im_str){(const char *)b->data, b->len}, first, d->bits, level,
                              off);
}

static void send_message(struct websocket *ws, struct im_bytes *b, uint8_t opcode)
{
    size_t off = 0;
    uint8_t first = IM_WS_FIN | opcode, head[IM_WS_HEAD_MAX];
    struct im_bytes *packed = pack(ws, b, first, &off);
    if (packed) {
        im_stream_write_bytes(ws->stream, packed, off);
        im_bytes_drop(&packed);
        im_count(&ws->env->counters->n[IM_C_WS_DEFLATED_OUT], 1);
    } else {
        im_stream_write(ws->stream, head, im_ws_frame_head(head, first, b->len));
        im_stream_write_bytes(ws->stream, b, 0);
    }
    im_count(&ws->env->counters->n[IM_C_WS_MESSAGES_OUT], 1);
}

/* Head and message as one piece, in memory that stays: the head is put before the message once its length is known. */
static void send_few(struct websocket *ws, const struct im_event *event, bool own)
{
    struct im_out *frame = &ws->parser.pool->frame;
    uint8_t head[IM_WS_HEAD_MAX];
    im_out_reserve(frame, sizeof head);
    frame->len = sizeof head;
    ws->link.dialect->write(&ws->link, event, own, frame);
    size_t len = frame->len - sizeof head;
    if (len == 0)
        return;
    size_t n = im_ws_frame_head(head, IM_WS_FIN | IM_WS_TEXT, len);
    uint8_t *start = frame->bytes->data + sizeof head - n;
    memcpy(start, head, n);
    im_stream_write(ws->stream, start, n + len);
    im_count(&ws->env->counters->n[IM_C_WS_MESSAGES_OUT], 1);
}

static void send_shared(struct websocket *ws, struct im_event *event, bool own)
{
    struct im_bytes *bytes = ws->link.dialect->encode(&ws->link, event, own);
    if (bytes)
        send_message(ws, bytes, IM_WS_TEXT);
    im_bytes_drop(&bytes);
}

static void ws_tell(struct im_link *link, struct im_event *event, bool own)
{
    struct websocket *ws = OWNER(link, link);
    ws->dropped |= ws->closing;
    im_stream_patient(ws->stream, event->type == IM_EV_OK && event->reply.op == IM_OP_SEND);
    if (!ws->closing && link->dialect->write && !ws->parser.deflate.on && im_event_for_few(event))
        send_few(ws, event, own);
    else if (!ws->closing)
        send_shared(ws, event, own);
    im_stream_patient(ws->stream, false);
}

static void ws_send(struct im_link *link, struct im_event *event, bool own)
{
    ws_tell(link, event, own);
    im_event_drop(&event);
}

static size_t ws_queued(const struct im_link *link)
{
    const struct websocket *ws = OWNER(link, link);
    size_t queued = im_stream_queued(ws->stream);
    return queued > 0 ? queued : ws->dropped;
}

/* While we do not read, silence says nothing: that time does not count. */
static void ws_hold(struct im_link *link, bool on)
{
    struct websocket *ws = OWNER(link, link);
    if (ws->closing || ws->held == on)
        return;
    ws->held = on;
    if (on)
        ws->held_ms = im_loop_now_ms();
    else
        ws->heard_ms += im_loop_now_ms() - ws->held_ms;
    im_stream_hold(ws->stream, on);
}

static const struct im_link_ops link_ops = {
    .send = ws_send,
    .tell = ws_tell,
    .queued = ws_queued,
    .hold = ws_hold,
    .close = ws_close,
};

static bool backed_up(const struct websocket *ws)
{
    return im_stream_queued(ws->stream) > ws->env->config->queue_soft_bytes;
}

/* To a peer that does not read, only the latest pong is owed (5.5.3). */
static void send_pong(struct websocket *ws, struct im_str payload)
{
    uint8_t frame[IM_WS_FRAME_MAX];
    size_t len = im_ws_control_frame(frame, IM_WS_PONG, payload);
    if (!backed_up(ws)) {
        im_stream_write(ws->stream, frame, len);
        return;
    }
    if (!ws->pong)
        ws->pong = im_alloc(sizeof frame);
    memcpy(ws->pong, frame, len);
}

static void send_kept_pong(struct websocket *ws)
{
    if (ws->pong && !ws->closing)
        im_stream_write(ws->stream, ws->pong, 2 + (size_t)ws->pong[1]);
    free(ws->pong);
    ws->pong = NULL;
}

/* Input. */

static void mirror(struct websocket *ws, const struct im_ws_event *e)
{
    struct im_bytes *b = im_bytes_new(e->data.p, e->data.len);
    send_message(ws, b, e->text ? IM_WS_TEXT : IM_WS_BINARY);
    im_bytes_drop(&b);
    if (backed_up(ws))
        ws_hold(&ws->link, true);
}

static void on_message(struct websocket *ws, const struct im_ws_event *e)
{
    if (ws->closing)
        return;
    im_count(&ws->env->counters->n[IM_C_WS_MESSAGES_IN], 1);
    if (ws->echo)
        mirror(ws, e);
    else if (e->text)
        im_up_input(ws->env, &ws->link, e->data);
    else
        fail(ws, IM_NOT_TEXT);
}

static void on_event(struct websocket *ws, const struct im_ws_event *e)
{
    switch (e->kind) {
    case IM_WS_EV_MESSAGE:
        on_message(ws, e);
        break;
    case IM_WS_EV_PING:
        if (!ws->closing)
            send_pong(ws, e->data);
        break;
    case IM_WS_EV_CLOSE:
        on_close(ws, e);
        break;
    case IM_WS_EV_ERROR:
        fail(ws, e->reason);
        break;
    case IM_WS_EV_PONG: /* a sign of life, like anything else that came */
    case IM_WS_EV_NONE:
        break;
    }
}

static struct im_ws_limits limits_of(const struct websocket *ws)
{
    const struct im_config *config = ws->env->config;
    return (struct im_ws_limits){
        .message_bytes = ws->echo ? config->echo_message_bytes : config->message_bytes,
        .fragments = (uint32_t)(ws->echo ? config->echo_fragments : config->fragments),
        .controls = (uint32_t)config->controls,
        .message_ms = config->pong_ms,
    };
}

static size_t on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct websocket *ws = ctx;
    struct im_ws_limits limits = limits_of(ws);
    struct im_str in = {(const char *)p, n};
    ws->heard_ms = im_loop_turn_ms(im_loop_of(ws->env));
    ws->pinged = false;
    while (in.len > 0 && !ws->held && !ws->done) {
        struct im_ws_event e;
        if (ws->closing && !ws->parser.skipping)
            im_ws_parser_skip(&ws->parser);
        im_ws_feed(&ws->parser, &limits, ws->heard_ms, &in, &e);
        if (e.kind == IM_WS_EV_NONE)
            break;
        on_event(ws, &e);
        im_ws_event_done(&ws->parser);
    }
    return ws->done ? n : n - in.len;
}

/* An end without a close frame (7.1.5: 1006): nobody is there to hear an answer. */
static void on_input_end(void *ctx)
{
    struct websocket *ws = ctx;
    finish(ws, ws->closing ? ws->reason : IM_GONE);
}

static void on_drained(void *ctx)
{
    struct websocket *ws = ctx;
    send_kept_pong(ws);
    if (ws->opened && !ws->closing)
        im_up_writable(ws->env, &ws->link);
    else if (ws->echo)
        ws_hold(&ws->link, false);
}

/* Life and death. */

static void send_ping(struct websocket *ws)
{
    uint8_t ping[IM_WS_FRAME_MAX];
    im_stream_write(ws->stream, ping, im_ws_control_frame(ping, IM_WS_PING, (struct im_str){0}));
    ws->ping_end = im_stream_sent(ws->stream) + im_stream_queued(ws->stream);
    ws->pinged = true;
}

/* One coarse timer that looks when the next thing would be due, rather than one that every message restarts. A peer
 * can answer only a ping that has left: one that waits behind other output does not count, for a reader that stalls is
 * the stream's business, and one that is slow is alive. */
static void keepalive(struct im_timer *timer)
{
    struct websocket *ws = OWNER(timer, keepalive);
    const struct im_config *config = ws->env->config;
    uint64_t now = im_loop_now_ms(), silent = now - ws->heard_ms;
    if (ws->closing)
        return;
    if (ws->held) {
        im_timer_start(im_loop_of(ws->env), timer, config->ping_ms, keepalive);
        return;
    }
    if (silent >= config->pong_ms && ws->pinged && im_stream_sent(ws->stream) >= ws->ping_end) {
        im_stream_abort(ws->stream, IM_PING_TIMEOUT);
        return;
    }
    if (silent >= config->pong_ms) {
        silent = config->ping_ms;
        ws->heard_ms = now - silent;
    }
    if (silent >= config->ping_ms && !ws->pinged)
        send_ping(ws);
    uint64_t due = silent < config->ping_ms ? config->ping_ms : config->pong_ms;
    im_timer_start(im_loop_of(ws->env), timer, due > silent ? due - silent : 1, keepalive);
}

static void on_ended(void *ctx, enum im_reason reason)
{
    struct websocket *ws = ctx;
    struct im_ws_pool *pool = ws->parser.pool;
    ws->closing = ws->done = true;
    im_timer_stop(im_loop_of(ws->env), &ws->keepalive);
    if (ws->opened)
        im_up_closed(ws->env, &ws->link, reason);
    else
        im_count(&ws->env->counters->closed[reason], 1);
    im_ws_parser_clear(&ws->parser);
    im_ws_deflater_end(&ws->deflater);
    if (im_ws_pool_drop(&pool))
        ws->env->websocket = NULL;
    im_link_clear(&ws->link);
    free(ws->pong);
    free(ws);
}

static const struct im_stream_ops stream_ops = {
    .bytes = on_bytes,
    .input_end = on_input_end,
    .drained = on_drained,
    .ended = on_ended,
};

static void log_in(struct websocket *ws, const struct im_ws_upgrade *u)
{
    struct im_command login = {.op = IM_OP_LOGIN,
                               .or_close = true,
                               .have = IM_BIT(user) | (u->token_view.p ? IM_BIT(token) : 0),
                               .user = im_name_text(&u->user),
                               .token = u->token_view};
    im_up_command(ws->env, &ws->link, &login);
}

static void open_link(struct websocket *ws, const struct im_ws_upgrade *u)
{
    struct im_link_info info = {.transport = im_transport_websocket.name,
                                .address = im_str(im_stream_peer(ws->stream)),
                                .tls = im_stream_tls(ws->stream)};
    im_stream_tls_names(ws->stream, &info.tls_version, &info.tls_cipher);
    enum im_reason reason = im_up_opened(ws->env, &ws->link, &info);
    ws->opened = reason == IM_OK;
    if (!ws->opened)
        ws_close(&ws->link, reason);
    else if (u->endpoint == IM_WS_AT_PAIR)
        log_in(ws, u);
}

static struct im_ws_pool *share_pool(struct im_transport_env *env)
{
    if (env->websocket)
        return im_ws_pool_hold(env->websocket);
    return env->websocket = im_ws_pool_new();
}

void im_websocket_start(struct im_transport_env *env, struct im_stream *stream, const struct im_ws_upgrade *u)
{
    struct websocket *ws = im_zalloc(sizeof *ws);
    const struct im_config *config = env->config;
    ws->env = env;
    ws->stream = stream;
    ws->echo = u->endpoint == IM_WS_AT_ECHO;
    ws->link.ops = &link_ops;
    ws->link.dialect = u->im_v1 ? &im_dialect_json : &im_dialect_classroom;
    ws->link.lang = u->lang;
    ws->link.utf8 = true;
    if (ws->link.dialect == &im_dialect_classroom && !ws->echo) {
        ws->link.target = im_name_dup(&u->target);
    }
    im_ws_parser_init(&ws->parser, share_pool(env), &u->deflate);
    ws->heard_ms = im_loop_now_ms();
    im_stream_attach(stream, &stream_ops, ws);
    im_stream_deadline(stream, 0, IM_OK);
    im_timer_start(im_loop_of(env), &ws->keepalive, config->ping_ms, keepalive);
    if (ws->echo) /* a whole message is answered at once, and reading is held until most of it has left */
        im_stream_queue_limit(stream, config->echo_message_bytes + config->queue_hard_bytes);
    else
        open_link(ws, u);
}

/* The transport. */

static void ready(void *listener, struct im_stream *stream)
{
    struct im_transport_env *env = im_listener_env(listener);
    im_http_serve(env, listener, env->routes, stream);
}

static enum im_reason listen_here(struct im_listener **out, struct im_transport_env *env,
                                  const struct im_listen_config *config, struct im_error *error)
{
    return im_listener_open(out, &(struct im_listener_options){.env = env, .config = config, .ready = ready}, error);
}

const struct im_transport im_transport_websocket = {
    .name = "websocket",
    .caps = IM_CAP_TLS | IM_CAP_HTTP,
    .listen = listen_here,
    .pause = im_listener_pause,
    .close = im_listener_close,
};
