#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void link_send(struct im_link *link, struct im_event *e, bool own)
{
    struct im_bytes *b = link->dialect->encode(link, e, own);
    if (b && !im_str_utf8((struct im_str){(const char *)b->data, b->len}))
        abort();
    im_bytes_drop(&b);
    im_event_drop(&e);
}

/* The first line is said by a person; the whole input arrives as a message, and must come out harmless. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct im_link_ops ops = {.send = link_send};
    static const struct im_dialect_env env = {.utc_offset_s = 3600};
    struct im_link link = {.ops = &ops, .dialect = &im_dialect_human, .env = &env};
    struct im_str all = {(const char *)data, size};
    struct im_command cmd = {0};
    struct im_error error = {0};
    link.dialect->decode(&link, all, &cmd, &error);
    im_command_clear(&cmd);
    link.dialect = &im_dialect_human;
    if (im_str_utf8(all)) {
        struct im_msg msg = {.from = IM_STR("a"), .from_key = IM_STR("a"), .to = all, .to_key = all, .body = all};
        struct im_event *e = im_event_msg(&msg);
        struct im_bytes *b = link.dialect->encode(&link, e, true);
        for (uint32_t i = 0; i < b->len; i++)
            if (b->data[i] != '\n' && (b->data[i] < 0x20 || b->data[i] == 0x7f))
                abort();
        im_bytes_drop(&b);
        im_event_drop(&e);
    }
    free(link.target);
    return 0;
}
