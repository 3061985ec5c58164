#include <stdlib.h>

#include "core/request.h"

/* Reading what is there: history, search, conversations. */

static void drop_events(struct im_event **events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        im_event_drop(&events[i]);
    free(events);
}

static void history_done(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    struct im_store_history *h = &r->store.history;
    if (op->status != IM_OK || s == NULL || r->id.len == 0) {
        im_request_fail(r, op->status == IM_OK ? NULL : s, op->status);
        drop_events(h->events, h->count);
    } else {
        struct im_str conv = im_name_text(&r->name);
        if (h->count > 0)
            conv = im_msg_conv(&h->events[0]->msg, im_str_eq(h->events[0]->msg.from_key, im_out_view(&r->self)));
        im_reply(
            s, &(struct im_reply){.op = r->op,
                                  .id = im_out_view(&r->id),
                                  .self = im_out_view(&r->self),
                                  .history = {.conv = conv, .events = h->events, .count = h->count, .more = h->more}});
    }
    im_request_finish(r, s);
}

/* Around a message: first those up to it are read, then those after; r->since is its seq, r->limit how many in all. */
static void around_after(struct im_store_op *op);

static void around_before(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    struct im_store_history *h = &r->store.history;
    if (op->status != IM_OK || s == NULL) {
        im_request_fail(r, s, op->status);
        drop_events(h->events, h->count);
        im_request_finish(r, s);
        return;
    }
    struct im_store_history *kept = r->more = im_alloc(sizeof *kept);
    *kept = *h;
    h->op.done = around_after;
    h->events = NULL;
    h->count = 0;
    h->before = 0;
    h->after = r->since;
    h->has_after = true;
    h->limit = (uint32_t)(r->limit - kept->count);
    im_request_submit(r, s);
}

static void around_after(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_store_history *h = &r->store.history, *kept = r->more;
    if (op->status == IM_OK) {
        kept->events = im_realloc(kept->events, (kept->count + h->count + 1) * sizeof *kept->events);
        for (size_t i = 0; i < h->count; i++)
            kept->events[kept->count++] = h->events[i];
        free(h->events);
        h->events = kept->events;
        h->count = kept->count;
    } else {
        drop_events(kept->events, kept->count);
    }
    history_done(op);
}

static enum im_reason check_range(const struct im_command *cmd, struct im_error *error)
{
    int ends = im_command_has(cmd, IM_F_before) + im_command_has(cmd, IM_F_after) + im_command_has(cmd, IM_F_around);
    if (ends > 1)
        return im_fail(error, IM_BAD_FIELD, "give one of before, after and around");
    if (im_command_has(cmd, IM_F_limit) && cmd->limit == 0)
        return im_fail(error, IM_BAD_FIELD, "limit: must be at least 1");
    return IM_OK;
}

enum im_reason im_op_history(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                             struct im_error *error)
{
    enum { DEFAULT_LIMIT = 50 };
    struct im_name peer;
    enum im_reason reason;
    if ((reason = im_conv_parse(cmd->conv, &peer, error)) != IM_OK || (reason = check_range(cmd, error)) != IM_OK)
        return reason;
    uint64_t limit = im_command_has(cmd, IM_F_limit) ? cmd->limit : DEFAULT_LIMIT;
    if (limit > core->config->history)
        limit = core->config->history;
    struct im_request *r = im_request_new(core, s, cmd, IM_STORE_HISTORY, history_done);
    struct im_store_history *h = &r->store.history;
    r->name = peer;
    h->key = im_out_view(&r->self);
    h->kind = im_conv_kind(&r->name);
    h->peer = im_name_key(&r->name);
    h->before = cmd->before;
    h->after = cmd->after;
    h->has_after = im_command_has(cmd, IM_F_after);
    h->limit = (uint32_t)limit;
    if (im_command_has(cmd, IM_F_around))
        h->before = cmd->around + 1;
    if (im_command_has(cmd, IM_F_around) && limit > 1) {
        h->op.done = around_before;
        h->limit = (uint32_t)(limit / 2 + 1);
        r->since = cmd->around;
        r->limit = (uint32_t)limit;
    }
    h->bytes = (uint32_t)core->config->queue_soft_bytes;
    im_request_submit(r, s);
    return IM_OK;
}

static void conversations_done(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    struct im_store_conversations *c = &r->store.conversations;
    if (op->status != IM_OK || s == NULL || r->id.len == 0) {
        im_request_fail(r, op->status == IM_OK ? NULL : s, op->status);
        for (size_t i = 0; i < c->count; i++)
            im_event_drop(&c->rows[i].last);
        free(c->rows);
    } else {
        im_reply(s, &(struct im_reply){.op = r->op,
                                       .id = im_out_view(&r->id),
                                       .self = im_out_view(&r->self),
                                       .conversations = {.rows = c->rows, .count = c->count}});
    }
    im_request_finish(r, s);
}

enum im_reason im_op_conversations(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                                   struct im_error *error)
{
    (void)error;
    struct im_request *r = im_request_new(core, s, cmd, IM_STORE_CONVERSATIONS, conversations_done);
    r->store.conversations.key = im_out_view(&r->self);
    r->store.conversations.limit = (uint32_t)core->config->conversations;
    r->store.conversations.bytes = (uint32_t)core->config->queue_soft_bytes;
    im_request_submit(r, s);
    return IM_OK;
}

static void search_done(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    struct im_store_search *q = &r->store.search;
    struct im_reply reply = {.op = r->op,
                             .id = im_out_view(&r->id),
                             .self = im_out_view(&r->self),
                             .search = {.hits = q->hits, .count = q->count, .next = q->next}};
    if (op->status == IM_OK && s && r->id.len > 0) {
        im_reply(s, &reply);
    } else {
        if (op->status != IM_OK)
            im_request_fail(r, s, op->status);
        struct im_event *unheard = im_event_reply(&reply); /* it owns the hits, and frees them */
        im_event_drop(&unheard);
    }
    im_request_finish(r, s);
}

static uint64_t asked(const struct im_command *cmd, uint64_t otherwise, uint64_t most)
{
    uint64_t limit = im_command_has(cmd, IM_F_limit) ? cmd->limit : otherwise;
    return limit < most ? limit : most;
}

enum im_reason im_op_search(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                            struct im_error *error)
{
    enum { DEFAULT_LIMIT = 20, TEXT_MAX = 256, CONTEXT_MAX = 5 };
    struct im_name conv = {0};
    if (cmd->text.len == 0 || cmd->text.len > TEXT_MAX)
        return im_fail(error, IM_BAD_FIELD, "text: 1 to %d bytes to look for", TEXT_MAX);
    if (im_command_has(cmd, IM_F_limit) && cmd->limit == 0)
        return im_fail(error, IM_BAD_FIELD, "limit: must be at least 1");
    if (im_command_has(cmd, IM_F_context) && cmd->context > CONTEXT_MAX)
        return im_fail(error, IM_BAD_FIELD, "context: at most %d", CONTEXT_MAX);
    if (im_command_has(cmd, IM_F_conv)) {
        enum im_reason reason = im_conv_parse(cmd->conv, &conv, error);
        if (reason != IM_OK)
            return reason;
    }
    struct im_request *r = im_request_new(core, s, cmd, IM_STORE_SEARCH, search_done);
    struct im_store_search *q = &r->store.search;
    im_out_put(&r->text, cmd->text.p, cmd->text.len);
    r->name = conv;
    q->key = im_out_view(&r->self);
    q->text = im_out_view(&r->text);
    if (im_command_has(cmd, IM_F_conv)) {
        q->kind = im_conv_kind(&r->name);
        q->peer = im_name_key(&r->name);
    }
    q->before = im_command_has(cmd, IM_F_pos) ? cmd->pos : 0;
    q->limit = (uint32_t)asked(cmd, DEFAULT_LIMIT, core->config->search);
    q->context = (uint32_t)cmd->context;
    q->bytes = (uint32_t)core->config->queue_soft_bytes;
    im_request_submit(r, s);
    return IM_OK;
}
