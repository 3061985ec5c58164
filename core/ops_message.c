#include <stdlib.h>
#include <utf8proc.h>

#include "core/request.h"

/* Messages, and what happens to them: send, edit, delete, react; how far they were read; who is typing. */

static enum im_reason check_text(const struct im_core *core, const char *name, struct im_str text,
                                 struct im_error *error)
{
    if (text.len == 0)
        return im_fail(error, IM_BAD_FIELD, "%s: must not be empty", name);
    if (text.len > core->config->text_bytes)
        return im_fail(error, IM_TOO_LONG, "%s: at most %llu bytes", name,
                       (unsigned long long)core->config->text_bytes);
    if (memchr(text.p, '\0', text.len))
        return im_fail(error, IM_BAD_FIELD, "%s: NUL is not allowed", name);
    return IM_OK;
}

static enum im_reason check_body(const struct im_core *core, const struct im_command *cmd, struct im_str *body,
                                 struct im_error *error)
{
    bool text = im_command_has(cmd, IM_F_text), mime = im_command_has(cmd, IM_F_mime);
    if (text == im_command_has(cmd, IM_F_body) || text == mime)
        return im_fail(error, IM_BAD_FIELD, "give either text, or body and mime");
    const char *name = text ? "text" : "body";
    *body = text ? cmd->text : cmd->body;
    enum im_reason reason = check_text(core, name, *body, error);
    if (reason != IM_OK)
        return reason;
    if (mime && (cmd->mime.len == 0 || im_str_control(cmd->mime)))
        return im_fail(error, IM_BAD_FIELD, "mime: must not be empty or have control characters");
    return IM_OK;
}

/* The ids that the client names, each checked, as struct im_msg has them. */
static enum im_reason name_mentions(const struct im_command *cmd, struct im_out *out, struct im_error *error)
{
    for (size_t i = 0; i < cmd->mentions_count; i++) {
        struct im_name name;
        enum im_reason reason = im_name_parse(cmd->mentions[i], &name, error);
        if (reason != IM_OK)
            return reason;
        if (out->len > 0)
            im_out_char(out, ' ');
        im_out_put(out, im_name_text(&name).p, name.text_len);
    }
    return IM_OK;
}

static void talk_to(struct im_core *core, struct im_session *s, const struct im_name *name)
{
    size_t size = offsetof(struct im_talk, name.bytes) + name->text_len + name->key_len + 2;
    free(s->talk);
    s->talk = im_alloc(size);
    memset(s->talk, 0, offsetof(struct im_talk, name));
    s->talk->number = ++s->talks;
    s->talk->users_change = core->users_change - 1; /* the peer is to be looked up */
    im_name_copy(&s->talk->name, name);
}

/* Who writes once, writes again: what has been parsed is kept, in the form it has when it comes next. */
static enum im_reason parse_target(struct im_core *core, struct im_session *s, struct im_str text,
                                   struct im_error *error)
{
    struct im_name name;
    if (s->talk && im_str_eq(text, im_name_text(&s->talk->name)))
        return IM_OK;
    enum im_reason reason = im_conv_parse(text, &name, error);
    if (reason == IM_OK)
        talk_to(core, s, &name);
    return reason;
}

/* Whom to, in s->talk: as the client says, or as the token of an incoming webhook does, which may not be contradicted.
 */
static enum im_reason find_target(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                                  struct im_error *error)
{
    enum im_reason reason = IM_OK;
    const struct im_name *name = cmd->to_name ? cmd->to_name : im_command_has(cmd, IM_F_to) ? NULL : s->hook_to;
    if (im_command_has(cmd, IM_F_to) && !name)
        reason = parse_target(core, s, cmd->to, error);
    else if (!name)
        reason = im_fail(error, IM_BAD_FIELD, "to: is missing");
    else if (!s->talk || !im_str_eq(im_name_text(name), im_name_text(&s->talk->name)))
        talk_to(core, s, name);
    if (reason == IM_OK && s->hook_to && !im_str_eq(im_name_key(&s->talk->name), im_name_key(s->hook_to)))
        return im_fail(error, IM_FORBIDDEN, "to: this webhook sends to one conversation only");
    return reason;
}

/* The text of the name as its owner writes it, if that is known here. */
static struct im_str talk_text(struct im_core *core, struct im_talk *talk)
{
    struct im_str key = im_name_key(&talk->name);
    if (im_conv_is_group(key))
        return im_conv_text(core, &talk->name);
    if (talk->users_change != core->users_change) {
        talk->peer = im_user_find(core, key);
        talk->users_change = core->users_change;
    }
    return im_name_text(talk->peer ? talk->peer->name : &talk->name);
}

enum im_reason im_op_send(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                          struct im_error *error)
{
    struct im_str body;
    struct im_out mentions = {0};
    enum im_reason reason = find_target(core, s, cmd, error);
    if (reason == IM_OK)
        reason = check_body(core, cmd, &body, error);
    if (reason == IM_OK)
        reason = name_mentions(cmd, &mentions, error);
    if (reason == IM_OK) {
        struct im_msg msg = {
            .kind = im_conv_kind(&s->talk->name),
            .to = talk_text(core, s->talk),
            .to_key = im_name_key(&s->talk->name),
            .body = body,
            .ref = im_command_has(cmd, IM_F_reply) ? cmd->reply : 0,
            .mentions = im_out_view(&mentions),
        };
        if (im_command_has(cmd, IM_F_mime))
            msg.mime = cmd->mime;
        reason = im_append(core, s, cmd, IM_EV_MSG, &msg, s->talk, error);
    }
    im_out_clear(&mentions);
    return reason;
}

/* What is about a message: conv and seq. */
static enum im_reason about(struct im_core *core, const struct im_command *cmd, struct im_name *conv,
                            struct im_msg *msg, struct im_error *error)
{
    enum im_reason reason = im_conv_parse(cmd->conv, conv, error);
    if (reason != IM_OK)
        return reason;
    if (cmd->seq == 0)
        return im_fail(error, IM_BAD_FIELD, "seq: messages are numbered from 1");
    *msg = (struct im_msg){
        .kind = im_conv_kind(conv), .to = im_conv_text(core, conv), .to_key = im_name_key(conv), .ref = cmd->seq};
    return IM_OK;
}

enum im_reason im_op_edit(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                          struct im_error *error)
{
    struct im_name conv;
    struct im_msg msg;
    enum im_reason reason = about(core, cmd, &conv, &msg, error);
    if (reason == IM_OK)
        reason = check_text(core, "text", cmd->text, error);
    if (reason != IM_OK)
        return reason;
    msg.body = cmd->text;
    return im_append(core, s, cmd, IM_EV_EDIT, &msg, NULL, error);
}

enum im_reason im_op_delete(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                            struct im_error *error)
{
    struct im_name conv;
    struct im_msg msg;
    enum im_reason reason = about(core, cmd, &conv, &msg, error);
    if (reason != IM_OK)
        return reason;
    if (im_command_has(cmd, IM_F_scope)) {
        if (im_str_eq(cmd->scope, IM_STR("me")))
            msg.kind = IM_CONV_SELF;
        else if (!im_str_eq(cmd->scope, IM_STR("all")))
            return im_fail(error, IM_BAD_FIELD, "for: must be \"all\" or \"me\"");
    }
    return im_append(core, s, cmd, IM_EV_DELETE, &msg, NULL, error);
}

/* One symbol, as people see it: a letter is none, and what does not show is none. */
static bool is_symbol(struct im_str s)
{
    utf8proc_int32_t point, before = 0, state = 0;
    bool shows = false;
    for (size_t i = 0; i < s.len; before = point) {
        i += (size_t)utf8proc_iterate((const uint8_t *)s.p + i, (utf8proc_ssize_t)(s.len - i), &point);
        utf8proc_category_t kind = utf8proc_category(point);
        if (before != 0 && utf8proc_grapheme_break_stateful(before, point, &state))
            return false;
        if ((kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO) || kind == UTF8PROC_CATEGORY_ZS ||
            kind == UTF8PROC_CATEGORY_ZL || kind == UTF8PROC_CATEGORY_ZP || kind == UTF8PROC_CATEGORY_CC ||
            (kind == UTF8PROC_CATEGORY_CF && before == 0))
            return false;
        shows = shows || kind == UTF8PROC_CATEGORY_SO || kind == UTF8PROC_CATEGORY_SM || kind == UTF8PROC_CATEGORY_SK ||
                kind == UTF8PROC_CATEGORY_PO || kind == UTF8PROC_CATEGORY_SC || kind == UTF8PROC_CATEGORY_ME ||
                kind == UTF8PROC_CATEGORY_CN;
    }
    return shows;
}

static enum im_reason check_emoji(struct im_str emoji, struct im_error *error)
{
    enum { EMOJI_MAX = 48 };
    if (emoji.len == 0 || emoji.len > EMOJI_MAX || !is_symbol(emoji))
        return im_fail(error, IM_BAD_FIELD, "emoji: one symbol of at most %d bytes", EMOJI_MAX);
    return IM_OK;
}

enum im_reason im_op_react(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                           struct im_error *error)
{
    struct im_name conv;
    struct im_msg msg;
    enum im_reason reason = about(core, cmd, &conv, &msg, error);
    if (reason == IM_OK)
        reason = check_emoji(cmd->emoji, error);
    if (reason != IM_OK)
        return reason;
    msg.body = cmd->emoji;
    msg.on = !im_command_has(cmd, IM_F_on) || cmd->on;
    return im_append(core, s, cmd, IM_EV_REACT, &msg, NULL, error);
}

enum im_reason im_op_ack(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                         struct im_error *error)
{
    if (cmd->pos > s->sent_pos)
        return im_fail(error, IM_BAD_FIELD, "pos: ahead of what was sent to this session");
    im_cursor_advance(core, s->cursor, cmd->pos);
    im_reply_ok(s, cmd);
    return IM_OK;
}

enum im_reason im_op_read(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                          struct im_error *error)
{
    struct im_name conv;
    enum im_reason reason = im_conv_parse(cmd->conv, &conv, error);
    if (reason != IM_OK)
        return reason;
    im_mark_read(core, s, &conv, cmd->seq);
    im_reply_ok(s, cmd);
    return IM_OK;
}

static void tell_group(struct im_core *core, const struct im_group *group, const struct im_user *but,
                       struct im_event *e)
{
    struct im_seat *seat;
    DL_FOREACH(group->seats, seat)
    {
        if (seat->user != but)
            im_user_tell(core, seat->user, e, 0);
    }
}

enum im_reason im_op_typing(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                            struct im_error *error)
{
    enum { AGAIN_MS = 500 };
    struct im_name conv;
    enum im_reason reason = im_conv_parse(cmd->conv, &conv, error);
    if (reason != IM_OK)
        return reason;
    bool on = !im_command_has(cmd, IM_F_on) || cmd->on, group = im_conv_is_group(im_name_key(&conv));
    im_reply_ok(s, cmd);
    if (on && s->typing_ms > 0 && core->mono_ms - s->typing_ms < AGAIN_MS)
        return IM_OK;
    s->typing_ms = on ? core->mono_ms : 0;
    const struct im_str self = im_name_text(s->user->name), self_key = im_name_key(s->user->name);
    struct im_event *e = im_event_typing(group ? im_conv_text(core, &conv) : self, self, on, core->config->typing_ms);
    if (group) {
        const struct im_group *g = im_group_find(core, im_name_key(&conv));
        const struct im_seat *seat = im_seat_find(g, s->user);
        if (seat && im_may(seat->role, IM_MAY_SEND, IM_ROLE_NONE) == IM_OK)
            tell_group(core, g, s->user, e);
    } else {
        struct im_user *peer = im_user_find(core, im_name_key(&conv));
        if (peer && peer != s->user && !im_user_blocks(peer, self_key) &&
            !im_user_blocks(s->user, im_name_key(peer->name)))
            im_user_tell(core, peer, e, 0);
    }
    im_event_drop(&e);
    return IM_OK;
}
