#include "core/request.h"

#include <stdlib.h>

void im_store_ask(struct im_core *core, struct im_session *s, struct im_store_op *op)
{
    s->inflight++;
    s->reads += op->kind >= IM_STORE_FIRST_READ;
    core->pending_ops++;
    im_store_submit(core->store, op);
}

struct im_session *im_store_answered(struct im_core *core, struct im_session *s, enum im_store_op_kind kind)
{
    core->pending_ops--;
    if (s) {
        s->inflight--;
        s->reads -= kind >= IM_STORE_FIRST_READ;
    }
    return s && !im_session_closing(s) ? s : NULL;
}

struct im_request *im_request_new(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                                  enum im_store_op_kind kind, void (*done)(struct im_store_op *))
{
    struct im_request *r = im_zalloc(sizeof *r);
    r->core = core;
    r->session = s->id;
    r->op = cmd->op;
    im_out_put(&r->id, cmd->id.p, cmd->id.len);
    if (s->user)
        im_out_put(&r->self, im_name_key(s->user->name).p, im_name_key(s->user->name).len);
    r->store.head = (struct im_store_op){.kind = kind, .done = done, .owner = r};
    return r;
}

void im_request_submit(struct im_request *r, struct im_session *s)
{
    s->reads += r->alone;
    im_store_ask(r->core, s, &r->store.head);
}

struct im_session *im_request_answered(struct im_request *r)
{
    struct im_session *s = im_session_find(r->core, r->session);
    if (s && r->alone)
        s->reads--;
    return im_store_answered(r->core, s, r->store.head.kind);
}

void im_request_finish(struct im_request *r, struct im_session *s)
{
    if (s)
        im_session_review(r->core, s);
    im_out_clear(&r->id);
    im_out_clear(&r->self);
    im_out_clear(&r->text);
    free(r->more);
    free(r);
}

void im_request_fail(struct im_request *r, struct im_session *s, enum im_reason reason)
{
    if (s == NULL)
        return;
    im_session_err(r->core, s, r->op, im_out_view(&r->id), reason, "", reason == IM_BUSY ? IM_BUSY_AFTER_MS : 0);
    if (r->or_close)
        im_session_end(r->core, s, reason, false);
}

void im_request_tell(struct im_request *r, struct im_session *s, enum im_reason status)
{
    if (status != IM_OK)
        im_request_fail(r, s, status);
    else if (s && r->id.len > 0)
        im_reply(s, &(struct im_reply){.op = r->op, .id = im_out_view(&r->id)});
}

void im_request_done(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    im_request_tell(r, s, op->status);
    im_request_finish(r, s);
}

enum im_reason im_check_line(const struct im_core *core, const char *name, struct im_str text, struct im_error *error)
{
    if (text.len > core->config->topic_bytes)
        return im_fail(error, IM_TOO_LONG, "%s: at most %llu bytes", name,
                       (unsigned long long)core->config->topic_bytes);
    if (im_str_control(text))
        return im_fail(error, IM_BAD_FIELD, "%s: must not have control characters", name);
    return IM_OK;
}

void im_reply(struct im_session *s, const struct im_reply *r)
{
    im_session_send(s, im_event_reply(r), false);
}

/* The plain ok, for those who gave an id. */
void im_reply_ok(struct im_session *s, const struct im_command *cmd)
{
    if (cmd->id.p)
        im_reply(s, &(struct im_reply){.op = cmd->op, .id = cmd->id});
}
