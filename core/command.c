#include "core/command.h"

#include <assert.h>

static const char *const names[IM_OP_COUNT] = {
    [IM_OP_NONE] = "none",
#define IM_OP(sym, name, who, required, optional, handler) [IM_OP_##sym] = name,
#include "core/tbl/ops.def"
#undef IM_OP
};

const char *im_op_name(enum im_op op)
{
    assert((unsigned)op < IM_OP_COUNT);
    return names[op];
}

void im_command_release(struct im_command *c)
{
    if (c->release)
        c->release(c);
    c->release = NULL;
}

void im_command_clear(struct im_command *c)
{
    im_command_release(c);
    *c = (struct im_command){0};
}
