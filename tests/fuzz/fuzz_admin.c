#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/mem.h"
#include "tools/imd/admin.h"
#include "tools/imd/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The daemon's own tables, with commands that only look at their arguments. */
static void look(struct im_rpc_call *call)
{
    json_t *seen = json_array();
    uint64_t n;
    for (const struct im_rpc_arg *arg = call->command->args; arg->name; arg++) {
        struct im_str text = im_rpc_string(call, arg->name);
        if (text.p)
            json_array_append_new(seen, json_stringn(text.p, text.len));
        if (im_rpc_uint(call, arg->name, &n))
            json_array_append_new(seen, json_integer((json_int_t)n));
    }
    im_rpc_result(call, seen);
}

/* An answer is one line of valid JSON that steers no terminal. */
static void hear(void *arg, struct im_bytes *bytes)
{
    int *answers = arg;
    if (!bytes)
        return; /* a notification */
    json_t *json = json_loadb((const char *)bytes->data, bytes->len, 0, NULL);
    ++*answers;
    assert(json_object_get(json, "result") || json_object_get(json, "error"));
    for (uint32_t i = 0; i < bytes->len; i++)
        assert((bytes->data[i] >= 0x20 && bytes->data[i] != 0x7f) || i + 1 == bytes->len);
    json_decref(json);
    im_bytes_drop(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MOST = 100 };
    struct im_rpc_command table[MOST + 1];
    const struct im_rpc_command *const tables[] = {table, NULL}, *command;
    const struct im_rpc real = {.tables = imd_admin_tables}, rpc = {.tables = tables};
    struct im_rpc_place at = {0};
    size_t n = 0;
    int answers = 0;
    for (; (command = im_rpc_next(&real, &at)); n++) {
        assert(n < MOST);
        table[n] = *command;
        table[n].run = look;
    }
    table[n].name = NULL;
    assert(!im_rpc_line(&rpc, (struct im_str){(const char *)data, size}, (struct im_rpc_peer){.may_write = size % 2},
                        &(struct im_rpc_sink){.answer = hear, .arg = &answers}));
    assert(answers <= 1);
    return 0;
}
