#include <stdlib.h>

#include "core/private.h"

/* What is to be kept no longer goes in small steps, so that nobody waits for it: one write at a time, the next one at
 * the next tick while there is more. */
struct sweep_request {
    struct im_store_sweep op;
    struct im_core *core;
};

static void swept(struct im_store_op *op)
{
    struct sweep_request *r = op->owner;
    struct im_core *core = r->core;
    core->pending_ops--;
    core->sweeping = false;
    if (op->status == IM_OK) {
        core->counters->n[IM_C_ERASED] += r->op.erased;
        if (r->op.more)
            core->sweep_ms = 0;
    }
    free(r);
}

void im_sweep_tick(struct im_core *core)
{
    const struct im_config *config = core->config;
    if (core->sweeping || core->draining || (core->sweep_ms > 0 && core->mono_ms - core->sweep_ms < config->sweep_ms))
        return;
    struct sweep_request *r = im_zalloc(sizeof *r);
    r->core = core;
    r->op = (struct im_store_sweep){
        .op = {.kind = IM_STORE_SWEEP, .done = swept, .owner = r},
        .now_ms = core->wall_ms,
        .retention_ms = config->retention_ms,
        .retention_count = config->retention_count,
        .device_ms = config->device_forget_ms,
        .limit = (uint32_t)config->sweep_step,
    };
    core->sweep_ms = core->mono_ms;
    core->sweeping = true;
    core->pending_ops++;
    im_store_submit(core->store, &r->op.op);
}
