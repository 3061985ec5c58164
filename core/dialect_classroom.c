#include "core/dialect.h"

/* The classroom chat: a frame in is a message to the peer (or "#group") named in the URL, a frame out is a message's
 * bare text. What others than that peer say comes as "name: text", in another group as "#group name: text". */

static enum im_reason decode(struct im_link *link, struct im_str message, struct im_command *cmd,
                             struct im_error *error)
{
    if (message.len == 0)
        return IM_OK;
    if (!link->utf8 && !im_str_utf8(message))
        return im_fail(error, IM_BAD_UTF8, "the message is not valid UTF-8");
    cmd->op = IM_OP_SEND;
    cmd->id = IM_DIALECT_ID;
    cmd->have = IM_BIT(to) | IM_BIT(text);
    cmd->to = im_name_text(link->target);
    cmd->to_name = link->target;
    cmd->text = message;
    return IM_OK;
}

static void make_bare(struct im_out *out, const struct im_event *e, bool own, const void *arg)
{
    (void)own, (void)arg;
    im_out_put(out, e->msg.body.p, e->msg.body.len);
}

static void make_named(struct im_out *out, const struct im_event *e, bool own, const void *arg)
{
    im_out_put(out, e->msg.from.p, e->msg.from.len);
    im_out_str(out, ": ");
    make_bare(out, e, own, arg);
}

/* In another group than the one of the URL. */
static struct im_bytes *elsewhere(const struct im_event *e)
{
    struct im_out out = {0};
    im_out_put(&out, e->msg.to.p, e->msg.to.len);
    im_out_char(&out, ' ');
    make_named(&out, e, false, NULL);
    return im_out_take(&out);
}

static struct im_bytes *encode_msg(const struct im_link *link, struct im_event *e, bool own)
{
    if (own || e->msg.deleted)
        return NULL;
    struct im_str target = im_name_key(link->target);
    if (e->msg.kind == IM_CONV_GROUP && !im_str_eq(e->msg.to_key, target))
        return elsewhere(e);
    if (im_str_eq(e->msg.from_key, target))
        return im_dialect_cached(link, e, IM_FORM_BARE, own, make_bare, NULL);
    return im_dialect_cached(link, e, IM_FORM_NAMED, own, make_named, NULL);
}

/* What is no message; absent: the classroom chat has no words for it (edits, reactions, groups). */
static struct im_str words_for(const struct im_event *e)
{
    switch (e->type) {
    case IM_EV_OK:
        if (e->reply.op == IM_OP_SEND && e->reply.send.msg->msg.kind == IM_CONV_DIRECT && !e->reply.send.online)
            return IM_STR("对方不在线");
        return (struct im_str){0};
    case IM_EV_ERR:
        return im_str(im_reason_info(e->reply.err.reason)->text[IM_ZH]);
    case IM_EV_NOTICE:
        return e->notice.text;
    default:
        return (struct im_str){0};
    }
}

static struct im_bytes *encode(struct im_link *link, struct im_event *e, bool own)
{
    if (e->type == IM_EV_MSG)
        return encode_msg(link, e, own);
    struct im_str words = words_for(e);
    return words.p ? im_bytes_new(words.p, words.len) : NULL;
}

static void write_one(const struct im_link *link, const struct im_event *e, bool own, struct im_out *out)
{
    if (e->type != IM_EV_MSG) {
        struct im_str words = words_for(e);
        im_out_put(out, words.p, words.len);
    } else if (!own && !e->msg.deleted) {
        if (im_str_eq(e->msg.from_key, im_name_key(link->target)))
            make_bare(out, e, own, NULL);
        else
            make_named(out, e, own, NULL);
    }
}

const struct im_dialect im_dialect_classroom = {"classroom", decode, encode, write_one};
