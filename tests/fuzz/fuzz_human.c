#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/dialect.h"
#include "core/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What goes to a terminal must be UTF-8 without any control character but LF. */
static void harmless(const struct im_bytes *b)
{
    if (!im_str_utf8((struct im_str){(const char *)b->data, b->len}))
        abort();
    for (uint32_t i = 0; i < b->len; i++)
        if (b->data[i] != '\n' && (b->data[i] < 0x20 || b->data[i] == 0x7f))
            abort();
}

static void link_send(struct im_link *link, struct im_event *e, bool own)
{
    struct im_bytes *b = link->dialect->encode(link, e, own);
    if (b)
        harmless(b);
    im_bytes_drop(&b);
    im_event_drop(&e);
}

static struct im_event *event_of(enum im_event_type type, struct im_str all)
{
    struct im_str half = {all.p, all.len / 2};
    if (!im_str_utf8(half))
        half = all;
    return im_event_new(type, &(struct im_msg){
                                  .kind = all.len % 2 ? IM_CONV_GROUP : IM_CONV_DIRECT,
                                  .pos = all.len % 5,
                                  .seq = all.len,
                                  .from = half,
                                  .from_key = half,
                                  .to = all,
                                  .to_key = all,
                                  .body = all,
                                  .mentions = all,
                                  .user = half,
                                  .user_key = half,
                                  .reactions = all,
                                  .mime = {all.p, all.len % 3 ? 0 : all.len},
                                  .change = (enum im_change)(all.len % IM_CHANGE_COUNT),
                                  .role = (enum im_role)(all.len % IM_ROLE_COUNT),
                                  .ref = all.len,
                              });
}

static void answer(struct im_link *link, const struct im_command *cmd, struct im_str all)
{
    struct im_reply r = {.op = cmd->op, .id = cmd->id, .self = IM_STR("a")};
    switch (cmd->op) {
    case IM_OP_LOGIN:
        r.login.user = cmd->user;
        break;
    case IM_OP_SEND:
        r.send.msg = event_of(IM_EV_MSG, all);
        break;
    case IM_OP_HISTORY:
        r.history.events = im_alloc(sizeof(struct im_event *));
        r.history.events[0] = event_of(all.len % 2 ? IM_EV_MSG : IM_EV_MEMBER, all);
        r.history.count = 1;
        r.history.more = true;
        break;
    case IM_OP_SEARCH:
        r.search.next = all.len;
        break;
    case IM_OP_GROUP:
        r.group.msg = event_of(IM_EV_MEMBER, all);
        break;
    default:
        return;
    }
    link_send(link, im_event_reply(&r), false);
}

/* Every byte a view of the command has must be there. */
static void touch(const struct im_command *cmd)
{
    volatile char sink = 0;
#define STR(member)                                                                                                    \
    for (size_t i = 0; im_command_has(cmd, IM_F_##member) && i < cmd->member.len; i++)                                 \
        sink ^= cmd->member.p[i];
#define STRS(member)                                                                                                   \
    for (size_t i = 0; im_command_has(cmd, IM_F_##member) && i < cmd->member##_count; i++)                             \
        sink ^= cmd->member[i].p[cmd->member[i].len - 1];
#define U64(member)
#define POS(member)
#define BOOL(member)
#define IM_FIELD(member, name, type, max) type(member)
#include "core/tbl/fields.def"
#undef IM_FIELD
#undef STR
#undef STRS
#undef U64
#undef POS
#undef BOOL
    (void)sink;
}

static void say(struct im_link *link, struct im_str line, struct im_str all)
{
    struct im_command cmd = {0};
    struct im_error error = {0};
    link->dialect = &im_dialect_human;
    enum im_reason reason = link->dialect->decode(link, line, &cmd, &error);
    if (link->dialect == &im_dialect_human) {
        if (reason != IM_OK)
            link_send(link, im_event_err(cmd.op, cmd.id, reason, im_str(error.detail), 0), false);
        else
            touch(&cmd);
        if (reason == IM_OK && im_str_utf8(all))
            answer(link, &cmd, all);
    }
    im_command_clear(&cmd);
}

/* The lines are said by a person and answered; the whole input arrives in events, and must come out harmless. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct im_link_ops ops = {.send = link_send};
    static const struct im_dialect_env env = {.utc_offset_s = 3600};
    struct im_link link = {.ops = &ops, .env = &env, .lang = size % 2 ? IM_ZH : IM_EN};
    struct im_str all = {(const char *)data, size}, rest = all;
    while (rest.len > 0) {
        const char *end = memchr(rest.p, '\n', rest.len);
        struct im_str line = {rest.p, end ? (size_t)(end - rest.p) : rest.len};
        say(&link, line, all);
        rest.p += line.len + (end != NULL);
        rest.len -= line.len + (end != NULL);
    }
    link.dialect = &im_dialect_human;
    for (enum im_event_type type = IM_EV_MSG; im_str_utf8(all) && type <= IM_EV_LAST_DURABLE; type++)
        link_send(&link, event_of(type, all), type % 2);
    if (im_str_utf8(all))
        link_send(&link, im_event_presence(&(struct im_presence_row){.user = all, .text = all}), false);
    im_link_clear(&link);
    return 0;
}
