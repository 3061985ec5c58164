#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/dialect_json.h"
#include "core/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(struct im_event *e)
{
    struct im_link link = {.dialect = &im_dialect_json};
    struct im_bytes *b = im_json_encode(&link, e, false);
    json_t *object = json_loadb((const char *)b->data, b->len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object) || memchr(b->data, '\n', b->len))
        abort();
    json_decref(object);
    im_bytes_drop(&b);
    im_event_drop(&e);
}

/* What strings a client can send, and in which members others get them. */
static void say_again(const struct im_command *cmd)
{
    struct im_msg m = {.from = IM_STR("a"),
                       .from_key = IM_STR("a"),
                       .to = IM_STR("b"),
                       .to_key = IM_STR("b"),
                       .cid = cmd->cid,
                       .mime = cmd->mime,
                       .body = cmd->text.p ? cmd->text : IM_STR("")};
    check_json(im_event_new(IM_EV_MSG, &m));
    check_json(im_event_new(IM_EV_EDIT, &m));
    m.change = IM_CHANGE_TOPIC;
    check_json(im_event_new(IM_EV_MEMBER, &m));
    m.body = cmd->emoji.p ? cmd->emoji : IM_STR("x");
    check_json(im_event_new(IM_EV_REACT, &m));
    check_json(im_event_presence(&(struct im_presence_row){.user = IM_STR("a"), .text = cmd->text}));
    check_json(im_event_err(cmd->op, cmd->id, IM_BUSY, cmd->name, 0));
}

/* Any bytes: a command, or a reason with a detail that is valid UTF-8; never a leak or a read beyond the end. And what
 * a client sends makes no message to another that is not one JSON object on one line. */
static void decode(struct im_str message, enum im_op op)
{
    struct im_link link = {.dialect = &im_dialect_json};
    struct im_command cmd = {.op = op};
    struct im_error error = {0};
    enum im_reason reason =
        op == IM_OP_NONE ? link.dialect->decode(&link, message, &cmd, &error) : im_json_parse(message, &cmd, &error);
    if (reason != IM_OK && !im_str_utf8(im_str(error.detail)))
        abort();
    if (reason == IM_OK && cmd.op == IM_OP_NONE)
        abort();
    if (reason == IM_OK)
        say_again(&cmd);
    im_command_clear(&cmd);
}

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check_same(const struct im_command *a, const struct im_command *b)
{
    must(a->op == b->op && a->have == b->have && im_str_eq(a->id, b->id));
    for (unsigned i = 0; i < IM_FIELD_COUNT; i++) {
        const struct im_json_field *f = &im_json_fields[i];
        const void *x = (const char *)a + f->offset, *y = (const char *)b + f->offset;
        if (!(a->have >> i & 1))
            continue;
        if (f->type == IM_JSON_STR)
            must(im_str_eq(*(const struct im_str *)x, *(const struct im_str *)y));
        else if (f->type == IM_JSON_BOOL)
            must(*(const bool *)x == *(const bool *)y);
        else
            must(*(const uint64_t *)x == *(const uint64_t *)y);
    }
}

/* What is read in place would be read as the same through a tree. */
static void compare(struct im_str message)
{
    struct im_command scanned = {0}, parsed = {0};
    struct im_error error;
    if (im_str_utf8(message) && im_json_scan(message, &scanned)) {
        must(im_json_parse(message, &parsed, &error) == IM_OK);
        check_same(&scanned, &parsed);
    }
    im_command_clear(&scanned);
    im_command_clear(&parsed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct im_str message = {(const char *)data, size};
    compare(message);
    decode(message, IM_OP_NONE);
    decode(message, IM_OP_SEND);
    return 0;
}
