#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes: a command, or a reason with a detail that is valid UTF-8; never a leak or a read beyond the end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct im_link link = {.dialect = &im_dialect_json};
    struct im_command cmd = {0};
    struct im_error error = {0};
    enum im_reason reason = link.dialect->decode(&link, (struct im_str){(const char *)data, size}, &cmd, &error);
    if (reason != IM_OK && !im_str_utf8(im_str(error.detail)))
        abort();
    if (reason == IM_OK && cmd.op == IM_OP_NONE)
        abort();
    im_command_clear(&cmd);
    return 0;
}
