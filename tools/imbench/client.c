#include "tools/imbench/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "core/mem.h"
#include "tools/imbench/run.h"
#include "tools/imbench/scenario.h"

#define AWAY_NOTE "对方不在线"

static const struct conn_ops ops;

void client_init(struct client *c, struct run *r, unsigned number)
{
    const struct options *o = r->options;
    *c = (struct client){.conn.ops = &ops, .run = r, .number = number, .peer = &r->clients[number ^ 1]};
    c->named = o->scenario->devices && number % 2 == 1;
    c->stamps = im_zalloc(o->window * sizeof *c->stamps);
    snprintf(c->name, sizeof c->name, "b%08x-%u", r->id, number);
    snprintf(c->to, sizeof c->to, "b%08x-%u", r->id, number ^ 1);
    if (o->scenario->group) {
        c->peer = &r->clients[0];
        snprintf(c->to, sizeof c->to, "#b%08x", r->id);
    }
    if (o->scenario->arrange)
        o->scenario->arrange(c);
}

void client_free(struct client *c)
{
    conn_close(&c->conn);
    free(c->stamps);
}

static void failed(struct client *c, int status, struct im_str what)
{
    run_fail(c->run, status, "%s: %.*s", c->name, (int)(what.len < 200 ? what.len : 200), what.p);
}

/* Entering. */

/* The classroom chat cannot join a group: its users do so in im.v1 first, and then come again. */
static bool goes_to_join(const struct client *c)
{
    return c->run->options->scenario->group && !c->joined && !c->run->options->relay;
}

void client_enter(struct client *c)
{
    const struct options *o = c->run->options;
    char path[80] = "/ws";
    c->state = CLIENT_ENTERING;
    c->step = 0;
    c->dialect = goes_to_join(c) ? DIALECT_JSON : o->dialect;
    if (c->dialect == DIALECT_CLASSROOM)
        snprintf(path, sizeof path, "/ws/%s/%s%s", c->name, *c->to == '#' ? "%23" : "", c->to + (*c->to == '#'));
    conn_open(&c->run->net, &c->conn, path, c->dialect == DIALECT_JSON ? "im.v1" : NULL);
}

/* A request of entering in im.v1; false: there is nothing more to say. */
static bool say_step(struct client *c, unsigned step)
{
    struct im_out *out = &c->run->scratch;
    out->len = 0;
    if (step == 0 && c->named)
        im_out_printf(out, "{\"op\":\"hello\",\"id\":0,\"device\":\"%s\"}", c->name);
    else if (step == 1)
        im_out_printf(out, "{\"op\":\"login\",\"id\":0,\"user\":\"%s\"}", c->name);
    else if (step == 2 && goes_to_join(c))
        im_out_printf(out, "{\"op\":\"group\",\"id\":0,\"do\":\"%s\",\"conv\":\"%s\"%s}",
                      c->number == 0 ? "create" : "join", c->to, c->number == 0 ? ",\"public\":true" : "");
    if (out->len > 0)
        conn_send(&c->conn, (struct im_str){im_out_data(out), out->len});
    return out->len > 0;
}

static void entered(struct client *c)
{
    if (goes_to_join(c)) {
        c->joined = true;
        if (c->run->options->dialect == DIALECT_CLASSROOM) {
            conn_leave(&c->conn);
            return;
        }
    }
    c->state = CLIENT_IN;
    run_entered(c);
}

static void go_on_entering(struct client *c)
{
    while (c->step < 3)
        if (say_step(c, c->step++))
            return;
    entered(c);
}

static void on_ready(struct conn *conn)
{
    struct client *c = (struct client *)conn;
    if (c->dialect == DIALECT_JSON)
        go_on_entering(c);
    else
        entered(c);
}

void client_leave(struct client *c)
{
    c->state = CLIENT_AWAY;
    conn_leave(&c->conn);
}

static void on_closed(struct conn *conn, const char *why)
{
    struct client *c = (struct client *)conn;
    if (why)
        failed(c, EX_UNAVAILABLE, im_str(why));
    else if (c->state == CLIENT_ENTERING)
        client_enter(c);
    else
        run_left(c);
}

/* Messages. */

void client_send(struct client *c, uint64_t stamp)
{
    struct run *r = c->run;
    struct im_out *out = &r->scratch;
    const struct text text = {.sender = c->number, .n = c->sent, .stamp = stamp};
    out->len = 0;
    c->stamps[c->sent % r->options->window] = stamp;
    c->sent++;
    if (c->dialect == DIALECT_JSON) {
        im_out_str(out, "{\"op\":\"send\",\"id\":");
        im_out_u64(out, c->sent);
        im_out_str(out, ",\"to\":\"");
        im_out_str(out, c->to);
        im_out_str(out, "\",\"text\":\"");
        text_put(out, r->options->size, &text);
        im_out_str(out, "\",\"cid\":\"");
        im_out_str(out, c->name);
        im_out_char(out, '-');
        im_out_u64(out, c->sent);
        im_out_str(out, "\"}");
    } else {
        text_put(out, r->options->size, &text);
    }
    conn_send(&c->conn, (struct im_str){im_out_data(out), out->len});
    run_sent(r);
}

void client_ack(struct client *c)
{
    struct im_out *out = &c->run->scratch;
    if (c->dialect != DIALECT_JSON)
        return;
    out->len = 0;
    im_out_str(out, "{\"op\":\"ack\",\"pos\":\"");
    im_out_str(out, c->pos);
    im_out_str(out, "\"}");
    conn_send(&c->conn, (struct im_str){im_out_data(out), out->len});
}

struct im_str client_find(struct im_str json, const char *key)
{
    size_t len = strlen(key);
    const char *end = json.p + json.len;
    for (const char *at = json.p; (at = memmem(at, (size_t)(end - at), key, len)); at += len) {
        const char *value = at + len + 3; /* after ":" and the quotes around it */
        if (at == json.p || at[-1] != '"' || value > end || memcmp(at + len, "\":\"", 3) != 0)
            continue;
        const char *quote = memchr(value, '"', (size_t)(end - value));
        return quote ? (struct im_str){value, (size_t)(quote - value)} : (struct im_str){0};
    }
    return (struct im_str){0};
}

static void take_text(struct client *c, struct im_str s)
{
    struct text text;
    if (!text_get(s, c->run->options->size, &text) || text.sender != c->peer->number)
        failed(c, EX_PROTOCOL, IM_STR("got a text that nobody sent"));
    else
        run_got(c, &text);
}

static void take_msg(struct client *c, struct im_str json)
{
    struct im_str pos = client_find(json, "pos");
    if (c->named && pos.len < sizeof c->pos) {
        memcpy(c->pos, pos.p, pos.len);
        c->pos[pos.len] = '\0';
    }
    take_text(c, client_find(json, "text"));
}

/* An `id` that is a number; 0 if there is none. */
static uint64_t reply_number(struct im_str json)
{
    static const char head[] = "{\"op\":\"ok\",\"id\":";
    uint64_t n;
    struct im_str digits = {json.p + sizeof head - 1, 0};
    while (sizeof head - 1 + digits.len < json.len && digits.p[digits.len] >= '0' && digits.p[digits.len] <= '9')
        digits.len++;
    return im_str_u64(digits, &n) ? n : 0;
}

/* Messages are answered in the order in which they were sent; what else is asked has an `id` that is a string. */
static void take_reply(struct client *c, struct im_str json)
{
    const struct scenario *s = c->run->options->scenario;
    uint64_t n = reply_number(json);
    if (n == 0 && s->page)
        s->page(c, json);
    else if (n != ++c->answered)
        failed(c, EX_PROTOCOL, IM_STR("got an answer to something else than it asked"));
    else
        run_answered(c, c->stamps[(n - 1) % c->run->options->window]);
}

static bool is_op(struct im_str json, const char *op)
{
    static const char head[] = "{\"op\":\"";
    size_t n = strlen(op), at = sizeof head - 1;
    return json.len > at + n && memcmp(json.p, head, at) == 0 && memcmp(json.p + at, op, n) == 0 &&
           json.p[at + n] == '"';
}

static void take_json(struct client *c, struct im_str json)
{
    if (is_op(json, "msg"))
        take_msg(c, json);
    else if (is_op(json, "ok") && c->state == CLIENT_ENTERING)
        go_on_entering(c);
    else if (is_op(json, "ok"))
        take_reply(c, json);
    else if (is_op(json, "err") || is_op(json, "bye") || is_op(json, "reset"))
        failed(c, EX_PROTOCOL, json);
}

/* Who writes in a group is named before the text. */
static void take_bare(struct client *c, struct im_str s)
{
    size_t size = c->run->options->size;
    size_t prefix = *c->to == '#' && s.len > size ? s.len - size : 0;
    if (im_str_eq(s, IM_STR(AWAY_NOTE)))
        return;
    if (s.len != size + prefix)
        failed(c, EX_PROTOCOL, s);
    else
        take_text(c, (struct im_str){s.p + prefix, size});
}

static void on_message(struct conn *conn, struct im_str text)
{
    struct client *c = (struct client *)conn;
    c->run->activity++;
    if (c->dialect == DIALECT_JSON)
        take_json(c, text);
    else
        take_bare(c, text);
}

static const struct conn_ops ops = {on_ready, on_message, on_closed};
