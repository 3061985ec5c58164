#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "transports/lines.h"
#include "transports/listener.h"
#include "transports/transports.h"
#include "transports/up.h"

/* One message per line: people with netcat, and programs with JSON. The same over TCP and over Unix sockets. */
struct line {
    struct im_link link;
    struct im_transport_env *env;
    struct im_stream *stream;
    bool opened; /* the core knows the link */
    bool held, closing;
    bool dropped; /* an event came when it was closing already */
    struct im_lines lines;
};

#define OWNER(entry, member) ((struct line *)(void *)((char *)(entry)-offsetof(struct line, member)))

/* Down-calls. */

static void line_send(struct im_link *link, struct im_event *event, bool own)
{
    struct line *line = OWNER(link, link);
    struct im_bytes *bytes = line->closing ? NULL : link->dialect->encode(link, event, own);
    line->dropped |= line->closing;
    if (bytes) {
        im_stream_write_bytes(line->stream, bytes, 0);
        im_stream_write(line->stream, "\n", 1);
    }
    im_bytes_drop(&bytes);
    im_event_drop(&event);
}

static size_t line_queued(const struct im_link *link)
{
    const struct line *line = OWNER(link, link);
    size_t queued = im_stream_queued(line->stream);
    return queued > 0 ? queued : line->dropped;
}

static void line_hold(struct im_link *link, bool on)
{
    struct line *line = OWNER(link, link);
    line->held = on;
    im_stream_hold(line->stream, on);
}

static void line_close(struct im_link *link, enum im_reason reason)
{
    struct line *line = OWNER(link, link);
    if (line->closing)
        return;
    line->closing = true;
    im_stream_finish(line->stream, reason, line->env->config->close_ms);
}

static const struct im_link_ops link_ops = {
    .send = line_send,
    .queued = line_queued,
    .hold = line_hold,
    .close = line_close,
};

/* Input. */

static void refuse_long(struct line *line)
{
    struct im_event *event = im_event_err(IM_OP_NONE, (struct im_str){0}, IM_TOO_LONG, (struct im_str){0}, 0);
    im_count(&line->env->counters->refused[IM_TOO_LONG], 1);
    line_send(&line->link, event, false);
    line_close(&line->link, IM_TOO_LONG);
}

static size_t on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct line *line = ctx;
    struct im_str in = {(const char *)p, n}, message;
    while (in.len > 0 && !line->held && !line->closing) {
        enum im_lines_got got = im_lines_next(&line->lines, line->env->config->message_bytes, &in, &message);
        if (got == IM_LINES_LONG)
            refuse_long(line);
        else if (got == IM_LINES_LINE)
            im_up_input(line->env, &line->link, message);
        im_lines_done(&line->lines);
    }
    return n - in.len;
}

static void on_input_end(void *ctx)
{
    struct line *line = ctx;
    struct im_str message;
    if (im_lines_rest(&line->lines, line->env->config->message_bytes, &message) && !line->closing)
        im_up_input(line->env, &line->link, message);
    im_lines_done(&line->lines);
    if (!line->closing)
        im_up_input_end(line->env, &line->link);
}

/* The life of a link. */

static void on_drained(void *ctx)
{
    struct line *line = ctx;
    if (line->opened && !line->closing)
        im_up_writable(line->env, &line->link);
}

static void on_ended(void *ctx, enum im_reason reason)
{
    struct line *line = ctx;
    line->closing = true;
    if (line->opened)
        im_up_closed(line->env, &line->link, reason);
    else
        im_count(&line->env->counters->closed[reason], 1);
    im_link_clear(&line->link);
    im_lines_clear(&line->lines);
    free(line);
}

static const struct im_stream_ops stream_ops = {
    .bytes = on_bytes,
    .input_end = on_input_end,
    .drained = on_drained,
    .ended = on_ended,
};

static void refuse(struct line *line, enum im_reason reason)
{
    const char *text = im_reason_info(reason)->text[line->env->config->lang];
    im_stream_write(line->stream, text, strlen(text));
    im_stream_write(line->stream, "\n", 1);
    line_close(&line->link, reason);
}

static void open_link(struct im_listener *listener, struct im_stream *stream, const char *transport)
{
    struct im_transport_env *env = im_listener_env(listener);
    struct line *line = im_zalloc(sizeof *line);
    line->env = env;
    line->stream = stream;
    line->link.ops = &link_ops;
    line->link.dialect = &im_dialect_human;
    line->link.lang = (enum im_lang)env->config->lang;
    im_stream_attach(stream, &stream_ops, line);
    struct im_link_info info = {
        .transport = transport, .address = im_str(im_stream_peer(stream)), .tls = im_stream_tls(stream)};
    im_stream_tls_names(stream, &info.tls_version, &info.tls_cipher);
    info.has_uid = im_stream_peer_uid(stream, &info.uid);
    enum im_reason reason = im_up_opened(env, &line->link, &info);
    line->opened = reason == IM_OK;
    if (!line->opened)
        refuse(line, reason);
}

static void line_ready(void *listener, struct im_stream *stream)
{
    open_link(listener, stream, im_transport_line.name);
}

static void unix_ready(void *listener, struct im_stream *stream)
{
    open_link(listener, stream, im_transport_unix.name);
}

static enum im_reason line_listen(struct im_listener **out, struct im_transport_env *env,
                                  const struct im_listen_config *config, struct im_error *error)
{
    return im_listener_open(out, &(struct im_listener_options){.env = env, .config = config, .ready = line_ready},
                            error);
}

static enum im_reason unix_listen(struct im_listener **out, struct im_transport_env *env,
                                  const struct im_listen_config *config, struct im_error *error)
{
    return im_listener_open(
        out, &(struct im_listener_options){.env = env, .config = config, .unix_socket = true, .ready = unix_ready},
        error);
}

const struct im_transport im_transport_line = {
    .name = "line",
    .caps = IM_CAP_TLS,
    .listen = line_listen,
    .pause = im_listener_pause,
    .close = im_listener_close,
};

const struct im_transport im_transport_unix = {
    .name = "unix",
    .caps = 0,
    .listen = unix_listen,
    .pause = im_listener_pause,
    .close = im_listener_close,
};
