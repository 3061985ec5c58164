/* The record of a webhook: what is read is written as it was, and read again. */
#include <assert.h>
#include <stdlib.h>

#include "core/mem.h"
#include "tools/imd/hook_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct im_bytes *write_down(const struct im_hook_rule *rule)
{
    struct im_out out = {0};
    im_hook_record_write(rule, &out);
    return im_out_take(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct im_hook_rule rule, again;
    struct im_error error;
    struct im_str in = {(const char *)data, size};
    if (im_hook_record_read(in, &rule)) {
        struct im_bytes *first = write_down(&rule);
        bool ok = im_hook_record_read((struct im_str){(const char *)first->data, first->len}, &again);
        assert(ok);
        struct im_bytes *second = write_down(&again);
        assert(first->len == second->len && memcmp(first->data, second->data, first->len) == 0);
        im_bytes_drop(&first);
        im_bytes_drop(&second);
        im_hook_rule_clear(&again);
    }
    im_hook_set_events(&rule, in, &error);
    im_hook_set_conversations(&rule, in, &error);
    im_hook_rule_clear(&rule);
    return 0;
}
