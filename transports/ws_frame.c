#include "transports/ws_frame.h"

#include <assert.h>
#include <stdlib.h>

#include "core/mem.h"

void im_ws_parser_init(struct im_ws_parser *p, struct im_ws_pool *pool, const struct im_ws_deflate *deflate)
{
    p->pool = pool;
    p->deflate = *deflate;
}

void im_ws_parser_clear(struct im_ws_parser *p)
{
    im_ws_inflater_return(p->pool, &p->inflater, p->deflate.theirs_kept);
    im_ws_buffer_return(p->pool, &p->message);
    free(p->control);
    p->control = NULL;
}

void im_ws_parser_skip(struct im_ws_parser *p)
{
    p->skipping = true;
    im_ws_inflater_return(p->pool, &p->inflater, p->deflate.theirs_kept);
    im_ws_buffer_return(p->pool, &p->message);
}

/* Head of a frame (5.2). */

static bool is_control(uint8_t opcode)
{
    return opcode & 8;
}

static uint8_t frame_opcode(const struct im_ws_parser *p)
{
    return p->head[0] & 0x0f;
}

static enum im_reason check_first(const struct im_ws_parser *p, const struct im_ws_limits *limits)
{
    uint8_t first = p->head[0], opcode = frame_opcode(p);
    bool begins = opcode == IM_WS_TEXT || opcode == IM_WS_BINARY;
    if ((first & 0x30) || ((first & IM_WS_RSV1) && !(p->deflate.on && begins)))
        return IM_WS_PROTOCOL;
    if (is_control(opcode))
        return opcode <= IM_WS_PONG && (first & IM_WS_FIN) ? IM_OK : IM_WS_PROTOCOL;
    if (opcode > IM_WS_BINARY || begins == (p->opcode != 0))
        return IM_WS_PROTOCOL;
    return !begins && p->fragments >= limits->fragments ? IM_WS_FRAGMENTS : IM_OK;
}

static enum im_reason check_second(const struct im_ws_parser *p)
{
    uint8_t len = p->head[1] & 0x7f;
    if (!(p->head[1] & 0x80))
        return IM_WS_PROTOCOL;
    if (is_control(frame_opcode(p)) && (len > IM_WS_CONTROL_MAX || (frame_opcode(p) == IM_WS_CLOSE && len == 1)))
        return IM_WS_PROTOCOL;
    return IM_OK;
}

/* Where the length ends, and the mask begins. */
static size_t length_end(const struct im_ws_parser *p)
{
    uint8_t len = p->head[1] & 0x7f;
    return len == 127 ? 10 : len == 126 ? 4 : 2;
}

/* How much compressed data a message of the allowed size can come to: deflate adds 5 bytes to each 16 KiB at worst. */
static uint64_t packed_most(const struct im_ws_limits *limits)
{
    return (uint64_t)limits->message_bytes + limits->message_bytes / 1024 + 64;
}

static enum im_reason check_length(struct im_ws_parser *p, const struct im_ws_limits *limits)
{
    size_t end = length_end(p);
    uint64_t len = 0;
    for (size_t i = 2; i < end; i++)
        len = len << 8 | p->head[i];
    if (end == 2)
        len = p->head[1] & 0x7f;
    else if (len < (end == 4 ? 126 : 65536) || len >> 63)
        return IM_WS_PROTOCOL;
    p->left = len;
    if (is_control(frame_opcode(p)) || p->skipping)
        return IM_OK;
    bool packed = p->opcode ? p->packed : p->head[0] & IM_WS_RSV1;
    uint64_t most = packed ? packed_most(limits) : limits->message_bytes, taken = p->opcode ? p->taken : 0;
    return taken > most || len > most - taken ? IM_WS_TOO_BIG : IM_OK;
}

/* A bucket that holds one second's worth. */
static enum im_reason count_control(struct im_ws_parser *p, const struct im_ws_limits *limits, uint64_t now_ms)
{
    uint64_t now_us = now_ms * 1000;
    if (p->controls_us < now_us)
        p->controls_us = now_us;
    p->controls_us += 1000000 / limits->controls;
    return p->controls_us - now_us > 1000000 ? IM_WS_CONTROL_FLOOD : IM_OK;
}

static void begin_message(struct im_ws_parser *p, uint64_t now_ms)
{
    p->opcode = frame_opcode(p);
    p->packed = p->head[0] & IM_WS_RSV1;
    p->fragments = 0;
    p->taken = 0;
    p->begun_ms = now_ms;
    p->utf8 = (struct im_ws_utf8){0};
    if (!p->skipping)
        im_ws_buffer_borrow(p->pool, &p->message);
}

static enum im_reason begin_frame(struct im_ws_parser *p, const struct im_ws_limits *limits, uint64_t now_ms)
{
    memcpy(&p->mask, p->head + length_end(p), sizeof p->mask);
    p->payload = true;
    if (is_control(frame_opcode(p))) {
        p->control_len = 0;
        return count_control(p, limits, now_ms);
    }
    if (!p->opcode)
        begin_message(p, now_ms);
    p->fragments++;
    return IM_OK;
}

/* The head has grown: judges what was not there yet. */
static enum im_reason judge_head(struct im_ws_parser *p, const struct im_ws_limits *limits, uint64_t now_ms, size_t had)
{
    enum im_reason reason = had == 0 ? check_first(p, limits) : IM_OK;
    if (reason != IM_OK || p->head_len < 2)
        return reason;
    size_t end = length_end(p);
    if (had < 2)
        reason = check_second(p);
    if (reason == IM_OK && had < end && p->head_len >= end)
        reason = check_length(p, limits);
    return reason == IM_OK && p->head_len == end + 4 ? begin_frame(p, limits, now_ms) : reason;
}

/* Takes what it can of a head; each part is judged as soon as it is there. */
static enum im_reason feed_head(struct im_ws_parser *p, const struct im_ws_limits *limits, uint64_t now_ms,
                                struct im_str *in)
{
    enum im_reason reason = IM_OK;
    while (in->len > 0 && !p->payload && reason == IM_OK) {
        size_t had = p->head_len, need = had < 2 ? 2 - had : length_end(p) + 4 - had;
        size_t n = need < in->len ? need : in->len;
        memcpy(p->head + had, in->p, n);
        p->head_len = (uint8_t)(had + n);
        *in = (struct im_str){in->p + n, in->len - n};
        reason = judge_head(p, limits, now_ms, had);
    }
    return reason;
}

/* Payload (5.3). */

/* Returns all that came out, or'ed: below 0x80, it is ASCII. */
static uint8_t unmask(struct im_ws_parser *p, uint8_t *out, const uint8_t *in, size_t n)
{
    enum { WORDS = 4, STEP = WORDS * sizeof(uint64_t) };
    uint64_t mask = p->mask | (uint64_t)p->mask << 32, word[WORDS], seen = 0;
    uint8_t all = 0;
    size_t i = 0;
    for (; n - i >= STEP; i += STEP) {
        memcpy(word, in + i, STEP);
        for (unsigned k = 0; k < WORDS; k++)
            seen |= word[k] ^= mask;
        memcpy(out + i, word, STEP);
    }
    for (; n - i >= sizeof *word; i += sizeof *word) {
        memcpy(word, in + i, sizeof *word);
        seen |= *word ^= mask;
        memcpy(out + i, word, sizeof *word);
    }
    const uint8_t *m = (const uint8_t *)&mask;
    for (size_t k = 0; i < n; i++, k++)
        all |= out[i] = in[i] ^ m[k];
    memcpy(&p->mask, m + n % 4, sizeof p->mask);
    return all | (seen & UINT64_C(0x8080808080808080) ? 0x80 : 0);
}

static enum im_reason check_text(struct im_ws_parser *p, size_t from)
{
    if (p->opcode != IM_WS_TEXT || from == p->message.len ||
        im_ws_utf8_feed(&p->utf8, p->message.p + from, p->message.len - from))
        return IM_OK;
    return IM_WS_UTF8;
}

/* What is announced but has not come takes no memory. */
static enum im_reason take_data(struct im_ws_parser *p, const struct im_ws_limits *limits, const uint8_t *in, size_t n)
{
    size_t from = p->message.len;
    size_t most = p->packed ? (size_t)packed_most(limits) : limits->message_bytes;
    bool last = p->head[0] & IM_WS_FIN;
    if (n == 0)
        return IM_OK;
    im_ws_buffer_reserve(&p->message, n, last ? from + (size_t)p->left : most);
    unmask(p, p->message.p + from, in, n);
    p->message.len += n;
    return p->packed ? IM_OK : check_text(p, from);
}

/* A compressed message is kept as it came until it is complete, so that one that never ends costs no more than a plain
 * one, and nobody has to wait for an inflater. */
static enum im_reason unpack(struct im_ws_parser *p, const struct im_ws_limits *limits)
{
    struct im_ws_buffer packed = p->message;
    enum im_reason reason = IM_OK;
    p->message = (struct im_ws_buffer){0};
    im_ws_buffer_borrow(p->pool, &p->message);
    if (!p->inflater)
        p->inflater = im_ws_inflater_borrow(p->pool, p->deflate.theirs_kept);
    if (packed.len > 0) /* an empty payload stands for an empty message, though it should be one zero octet (7.2.3.6) */
        reason = im_ws_inflate(p->inflater, packed.p, packed.len, &p->message, limits->message_bytes);
    if (packed.len > 0 && reason == IM_OK)
        reason = im_ws_inflate_end(p->inflater, &p->message, limits->message_bytes);
    if (!p->deflate.theirs_kept)
        im_ws_inflater_return(p->pool, &p->inflater, false);
    im_ws_buffer_return(p->pool, &packed);
    return check_text(p, 0) == IM_OK ? reason : IM_WS_UTF8; /* what came out before anything else went wrong */
}

/* A data frame's payload is complete. */
static enum im_reason end_data(struct im_ws_parser *p, const struct im_ws_limits *limits, struct im_ws_event *e)
{
    enum im_reason reason = IM_OK;
    if (!(p->head[0] & IM_WS_FIN))
        return IM_OK;
    if (!p->skipping) {
        if (p->packed)
            reason = unpack(p, limits);
        if (reason == IM_OK && p->opcode == IM_WS_TEXT && !im_ws_utf8_complete(&p->utf8))
            reason = IM_WS_UTF8;
        e->kind = IM_WS_EV_MESSAGE;
        e->text = p->opcode == IM_WS_TEXT;
        e->data = (struct im_str){p->message.p ? (const char *)p->message.p : "", p->message.len};
    }
    p->opcode = 0;
    return reason;
}

static enum im_reason feed_data(struct im_ws_parser *p, const struct im_ws_limits *limits, const uint8_t *in, size_t n,
                                struct im_ws_event *e)
{
    enum im_reason reason = IM_OK;
    if (!p->skipping)
        reason = take_data(p, limits, in, n);
    p->left -= n;
    p->taken += n;
    return reason == IM_OK && p->left == 0 ? end_data(p, limits, e) : reason;
}

bool im_ws_close_code_ok(uint16_t code)
{
    if (code >= 3000 && code <= 4999)
        return true;
    return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
}

static enum im_reason end_close(struct im_ws_event *e)
{
    struct im_ws_utf8 utf8 = {0};
    if (e->data.len == 0)
        return IM_OK;
    e->code = (uint16_t)((uint8_t)e->data.p[0] << 8 | (uint8_t)e->data.p[1]);
    e->data.p += 2;
    e->data.len -= 2;
    if (!im_ws_close_code_ok(e->code))
        return IM_WS_PROTOCOL;
    if (!im_ws_utf8_feed(&utf8, (const uint8_t *)e->data.p, e->data.len) || !im_ws_utf8_complete(&utf8))
        return IM_WS_UTF8;
    return IM_OK;
}

static enum im_reason feed_control(struct im_ws_parser *p, const uint8_t *in, size_t n, struct im_ws_event *e)
{
    if (!p->control && n < p->left)
        p->control = im_alloc(IM_WS_CONTROL_MAX);
    uint8_t *to = p->control ? p->control : p->pool->control;
    unmask(p, to + p->control_len, in, n);
    p->control_len = (uint8_t)(p->control_len + n);
    p->left -= n;
    if (p->left > 0)
        return IM_OK;
    e->data = (struct im_str){(const char *)to, p->control_len};
    e->kind = frame_opcode(p) == IM_WS_PING   ? IM_WS_EV_PING
              : frame_opcode(p) == IM_WS_PONG ? IM_WS_EV_PONG
                                              : IM_WS_EV_CLOSE;
    return e->kind == IM_WS_EV_CLOSE ? end_close(e) : IM_OK;
}

static enum im_reason feed_payload(struct im_ws_parser *p, const struct im_ws_limits *limits, struct im_str *in,
                                   struct im_ws_event *e)
{
    const uint8_t *bytes = (const uint8_t *)in->p;
    size_t n = in->len < p->left ? in->len : (size_t)p->left;
    bool control = is_control(frame_opcode(p));
    enum im_reason reason = control ? feed_control(p, bytes, n, e) : feed_data(p, limits, bytes, n, e);
    in->p += n;
    in->len -= n;
    if (p->left == 0) {
        p->payload = false;
        p->head_len = 0;
    }
    return reason;
}

/* Where the payload begins of a frame that is a whole message, all here, short and plain; 0: it is not that. */
static size_t whole_message(const struct im_ws_parser *p, const struct im_str *in, size_t *len)
{
    const uint8_t *b = (const uint8_t *)in->p;
    if (p->head_len > 0 || p->opcode || p->skipping || in->len < 8)
        return 0;
    if ((b[0] != (IM_WS_FIN | IM_WS_TEXT) && b[0] != (IM_WS_FIN | IM_WS_BINARY)) || b[1] < 0x80 || b[1] == 0xff)
        return 0;
    bool longer = b[1] == (0x80 | 126);
    size_t head = longer ? 8 : 6;
    *len = longer ? (size_t)b[2] << 8 | b[3] : b[1] & 0x7f;
    return in->len - head >= *len && (!longer || *len >= 126) ? head : 0;
}

/* Nearly every message is such a frame: it is taken in one step. What else there may be, or be wrong, goes the long
 * way, which comes to the same. */
static bool feed_whole(struct im_ws_parser *p, const struct im_ws_limits *limits, struct im_str *in,
                       struct im_ws_event *e)
{
    const uint8_t *b = (const uint8_t *)in->p;
    struct im_ws_utf8 utf8 = {0};
    size_t len, head = whole_message(p, in, &len);
    if (head == 0 || len == 0 || len > limits->message_bytes)
        return false;
    memcpy(&p->mask, b + head - sizeof p->mask, sizeof p->mask);
    im_ws_buffer_borrow(p->pool, &p->message);
    im_ws_buffer_reserve(&p->message, len, len);
    uint8_t seen = unmask(p, p->message.p, b + head, len);
    p->message.len = len;
    *in = (struct im_str){in->p + head + len, in->len - head - len};
    e->kind = IM_WS_EV_MESSAGE;
    e->text = (b[0] & 0x0f) == IM_WS_TEXT;
    e->data = (struct im_str){(const char *)p->message.p, len};
    if (e->text && seen >= 0x80 && !(im_ws_utf8_feed(&utf8, p->message.p, len) && im_ws_utf8_complete(&utf8)))
        *e = (struct im_ws_event){.kind = IM_WS_EV_ERROR, .reason = IM_WS_UTF8};
    return true;
}

void im_ws_feed(struct im_ws_parser *p, const struct im_ws_limits *limits, uint64_t now_ms, struct im_str *in,
                struct im_ws_event *e)
{
    enum im_reason reason = IM_OK;
    *e = (struct im_ws_event){0};
    if (feed_whole(p, limits, in, e))
        return;
    if (p->opcode && in->len > 0 && now_ms - p->begun_ms > limits->message_ms)
        reason = IM_WS_SLOW;
    while (reason == IM_OK && in->len > 0 && e->kind == IM_WS_EV_NONE) {
        if (!p->payload)
            reason = feed_head(p, limits, now_ms, in);
        if (reason == IM_OK && p->payload)
            reason = feed_payload(p, limits, in, e);
    }
    if (reason != IM_OK)
        *e = (struct im_ws_event){.kind = IM_WS_EV_ERROR, .reason = reason};
    else if (e->kind == IM_WS_EV_NONE && p->opcode)
        im_ws_buffer_settle(p->pool, &p->message);
}

void im_ws_event_done(struct im_ws_parser *p)
{
    if (p->opcode == 0)
        im_ws_buffer_return(p->pool, &p->message);
    free(p->control);
    p->control = NULL;
}

/* Frames to send. */

size_t im_ws_frame_head(uint8_t head[IM_WS_HEAD_MAX], uint8_t first, uint64_t len)
{
    size_t n = len < 126 ? 2 : len < 65536 ? 4 : 10;
    head[0] = first;
    head[1] = n == 2 ? (uint8_t)len : n == 4 ? 126 : 127;
    for (size_t i = n; i > 2; i--, len >>= 8)
        head[i - 1] = (uint8_t)len;
    return n;
}

size_t im_ws_control_frame(uint8_t out[IM_WS_FRAME_MAX], uint8_t opcode, struct im_str payload)
{
    assert(payload.len <= IM_WS_CONTROL_MAX);
    out[0] = IM_WS_FIN | opcode;
    out[1] = (uint8_t)payload.len;
    if (payload.len > 0)
        memcpy(out + 2, payload.p, payload.len);
    return 2 + payload.len;
}

size_t im_ws_close_frame(uint8_t out[IM_WS_FRAME_MAX], uint16_t code, struct im_str text)
{
    char payload[IM_WS_CONTROL_MAX] = {(char)(code >> 8), (char)(code & 0xff)};
    size_t n = text.len < IM_WS_CONTROL_MAX - 2 ? text.len : IM_WS_CONTROL_MAX - 2;
    if (code == 0)
        return im_ws_control_frame(out, IM_WS_CLOSE, (struct im_str){0});
    while (n > 0 && n < text.len && ((uint8_t)text.p[n] & 0xc0) == 0x80)
        n--;
    if (n > 0)
        memcpy(payload + 2, text.p, n);
    return im_ws_control_frame(out, IM_WS_CLOSE, (struct im_str){payload, 2 + n});
}
