#include "transports/http_hook.h"

#include <stdlib.h>

#include "core/dialect_json.h"
#include "core/mem.h"
#include "transports/http_head.h"
#include "transports/loop.h"
#include "transports/transports.h"
#include "transports/up.h"

/* The core's down-calls only take notes; what follows from them is done on the next turn.
 *
 *      logging in ──► sending ──► over
 *           └─ refused, ended ──────▲        */
struct im_http_hook {
    struct im_link link;
    struct im_transport_env *env;
    struct im_later later;
    struct im_bytes *body;
    char *token;
    bool json;
    bool opened;  /* the core knows the link */
    bool entered; /* logged in */
    bool sent;    /* the message is with the core */
    bool held;
    bool over;      /* nothing more will come */
    bool abandoned; /* nobody is there to be answered */
    struct im_http_hook_answer answer;
    enum im_reason reason;
    void (*tell)(void *arg, const struct im_http_hook_answer *);
    void *arg;
};

#define OWNER(entry, member) ((struct im_http_hook *)(void *)((char *)(entry)-offsetof(struct im_http_hook, member)))

/* The dialect: a message is the body of the request. */

static struct im_str strip_line_end(struct im_str s)
{
    while (s.len > 0 && (s.p[s.len - 1] == '\n' || s.p[s.len - 1] == '\r'))
        s.len--;
    return s;
}

static enum im_reason decode(struct im_link *link, struct im_str message, struct im_command *cmd,
                             struct im_error *error)
{
    enum im_reason reason = IM_OK;
    cmd->op = IM_OP_SEND;
    if (OWNER(link, link)->json) {
        reason = im_json_parse(message, cmd, error);
    } else if (im_str_utf8(message)) {
        cmd->text = strip_line_end(message);
        cmd->have = IM_BIT(text);
    } else {
        reason = IM_BAD_UTF8;
    }
    cmd->id = IM_DIALECT_ID;
    return reason;
}

static const struct im_dialect dialect = {"hook", decode, im_json_encode, NULL};

/* The answer. */

static void run(struct im_later *);

static void later(struct im_http_hook *hook)
{
    im_later_add(im_loop_of(hook->env), &hook->later, run);
}

/* Whoever posted gave no id, and so gets none. */
static struct im_event *without_id(const struct im_event *e)
{
    struct im_reply reply = e->reply;
    reply.id = (struct im_str){0};
    if (e->type == IM_EV_ERR)
        return im_event_err(reply.op, reply.id, reply.err.reason, reply.err.detail, reply.err.after_ms);
    if (reply.send.msg)
        im_event_hold(reply.send.msg);
    return im_event_reply(&reply);
}

static void answer(struct im_http_hook *hook, struct im_event *e)
{
    bool ok = e->type == IM_EV_OK;
    if (hook->over)
        return;
    hook->over = true;
    im_count(&hook->env->counters->n[IM_C_HOOK_RECEIVED], ok);
    hook->answer.status = ok ? 200 : im_reason_info(e->reply.err.reason)->code;
    hook->answer.after_ms = ok ? 0 : e->reply.err.after_ms;
    hook->answer.json = im_json_encode(&hook->link, e, true);
    later(hook);
}

static void answer_err(struct im_http_hook *hook, enum im_reason reason, uint64_t after_ms)
{
    struct im_event *e = im_event_err(IM_OP_NONE, (struct im_str){0}, reason, (struct im_str){0}, after_ms);
    answer(hook, e);
    im_event_drop(&e);
}

/* Down-calls. */

static void on_reply(struct im_http_hook *hook, const struct im_event *e)
{
    struct im_event *plain = NULL;
    if (e->type == IM_EV_OK && e->reply.op == IM_OP_LOGIN) {
        hook->entered = true;
        later(hook);
        return;
    }
    if (e->type == IM_EV_ERR && e->reply.op == IM_OP_LOGIN && im_reason_info(e->reply.err.reason)->code == 401) {
        answer_err(hook, IM_BAD_TOKEN, e->reply.err.after_ms); /* and not what is wrong with it */
        return;
    }
    plain = without_id(e);
    answer(hook, plain);
    im_event_drop(&plain);
}

static void hook_send(struct im_link *link, struct im_event *event, bool own)
{
    struct im_http_hook *hook = OWNER(link, link);
    (void)own;
    if (event->type == IM_EV_OK || event->type == IM_EV_ERR)
        on_reply(hook, event);
    else if (event->type == IM_EV_BYE)
        answer_err(hook, event->bye.reason, event->bye.after_ms);
    im_event_drop(&event);
}

static size_t hook_queued(const struct im_link *link)
{
    (void)link;
    return 0;
}

static void hook_hold(struct im_link *link, bool on)
{
    struct im_http_hook *hook = OWNER(link, link);
    hook->held = on;
    if (!on)
        later(hook);
}

static void hook_close(struct im_link *link, enum im_reason reason)
{
    struct im_http_hook *hook = OWNER(link, link);
    if (hook->reason == IM_OK)
        hook->reason = reason;
    answer_err(hook, reason, 0);
}

static const struct im_link_ops link_ops = {
    .send = hook_send,
    .queued = hook_queued,
    .hold = hook_hold,
    .close = hook_close,
};

/* Life. */

static void tell_time(struct im_http_hook *hook)
{
    if (hook->env->turn)
        hook->env->turn(hook->env);
}

static void open_link(struct im_http_hook *hook, const struct im_http_hook_request *r)
{
    tell_time(hook);
    hook->reason = im_up_opened(hook->env, &hook->link,
                                &(struct im_link_info){.transport = "hook", .address = r->address, .tls = r->tls});
    hook->opened = hook->reason == IM_OK;
    hook->link.lang = r->lang;
    if (!hook->opened) {
        answer_err(hook, hook->reason, 0);
        return;
    }
    im_up_command(hook->env, &hook->link,
                  &(struct im_command){.op = IM_OP_LOGIN,
                                       .id = IM_DIALECT_ID,
                                       .have = IM_BIT(token),
                                       .token = im_str(hook->token),
                                       .seat = IM_SEAT_SENDER,
                                       .or_close = true});
}

struct im_http_hook *im_http_hook_start(const struct im_http_hook_request *r)
{
    struct im_http_hook *hook = im_zalloc(sizeof *hook);
    hook->link.ops = &link_ops;
    hook->link.dialect = &dialect;
    hook->link.lang = r->lang;
    hook->env = r->env;
    hook->body = r->body;
    hook->token = im_strndup(r->token.p, r->token.len);
    hook->json = r->json;
    hook->tell = r->answered;
    hook->arg = r->arg;
    open_link(hook, r);
    return hook;
}

void im_http_hook_abandon(struct im_http_hook *hook)
{
    hook->abandoned = true;
    if (!hook->sent)
        later(hook);
}

static void free_hook(struct im_http_hook *hook)
{
    if (hook->opened)
        im_up_closed(hook->env, &hook->link, hook->reason == IM_OK ? IM_BYE : hook->reason);
    im_bytes_drop(&hook->answer.json);
    im_bytes_drop(&hook->body);
    free(hook->token);
    free(hook);
}

static void tell(struct im_http_hook *hook)
{
    struct im_http_hook_answer a = hook->answer;
    if (hook->abandoned)
        return;
    hook->answer.json = NULL;
    hook->tell(hook->arg, &a);
}

/* What is with the core already is waited for, whether or not anybody wants the answer. */
static void run(struct im_later *entry)
{
    struct im_http_hook *hook = OWNER(entry, later);
    tell_time(hook);
    if (hook->over || (hook->abandoned && !hook->sent)) {
        tell(hook);
        free_hook(hook);
    } else if (hook->entered && !hook->held && !hook->sent) {
        hook->sent = true;
        im_up_input(hook->env, &hook->link, (struct im_str){(const char *)hook->body->data, hook->body->len});
    }
}

/* RFC 9110, 8.3.1; parameters do not matter, for everything is UTF-8. */
bool im_http_hook_takes(struct im_str type, bool *json)
{
    const char *semicolon = type.len > 0 ? memchr(type.p, ';', type.len) : NULL;
    if (semicolon)
        type.len = (size_t)(semicolon - type.p);
    while (type.len > 0 && (type.p[type.len - 1] == ' ' || type.p[type.len - 1] == '\t'))
        type.len--;
    *json = im_http_is(type, "application/json");
    return *json || im_http_is(type, "text/plain");
}
