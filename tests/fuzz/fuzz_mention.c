#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/command.h"
#include "core/mention.h"
#include "core/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every second name is a member's. */
static struct im_str member(void *arg, struct im_str key)
{
    (void)arg;
    if (key.len == 0 || key.len > IM_KEY_BYTES_MAX || !im_str_utf8(key))
        abort();
    return key.p[key.len - 1] & 1 ? key : (struct im_str){0};
}

static void check(struct im_str list)
{
    unsigned count = 1;
    for (size_t i = 0; i < list.len; i++)
        if (list.p[i] == ' ' && count++ && (i == 0 || list.p[i - 1] == ' '))
            abort();
    if (count > IM_MENTIONS_MAX || list.len == 0 || list.p[list.len - 1] == ' ' || !im_str_utf8(list))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct im_str all = {(const char *)data, size}, none = {NULL, 0};
    for (unsigned i = 0; i < 3; i++) {
        char *list = im_mentions(i < 2 ? all : none, i > 0 ? all : none, i == 1, member, NULL);
        if (list)
            check(im_str(list));
        free(list);
    }
    return 0;
}
