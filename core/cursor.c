#include <stdlib.h>

#include "core/private.h"

/* One write of some cursors; rows and their strings follow in the same block. */
struct cursors_request {
    struct im_store_cursors op;
    struct im_core *core;
    struct im_store_cursor rows[];
};

static void written(struct im_store_op *op)
{
    struct cursors_request *r = op->owner;
    r->core->pending_ops--;
    if (op->status != IM_OK) /* the rows stay behind: their events come again, none is lost */
        IM_LOG(r->core->log, IM_LOG_WARN, "core", "cursors not written", IM_KS("reason", im_reason_name(op->status)));
    free(r);
}

void im_cursor_advance(struct im_core *core, struct im_cursor *c, uint64_t pos)
{
    if (pos <= c->pos)
        return;
    if (!c->quiet)
        im_receipt_advance(core, c->user, pos);
    if (c->pos <= c->written)
        DL_APPEND(core->dirty, c);
    c->pos = pos;
}

void im_cursor_stored(struct im_core *core, struct im_cursor *c, uint64_t pos)
{
    if (pos <= c->written)
        return;
    if (c->pos > c->written && c->pos <= pos)
        DL_DELETE(core->dirty, c);
    c->written = pos;
    if (c->pos < pos)
        c->pos = pos;
}

static void submit(struct im_core *core, struct im_cursor *const *cursors, size_t count)
{
    size_t strings = 0;
    for (size_t i = 0; i < count; i++)
        strings += cursors[i]->user->name->key_len + strlen(cursors[i]->device);
    struct cursors_request *r = im_zalloc(sizeof *r + count * sizeof *r->rows + strings);
    char *at = (char *)&r->rows[count];
    for (size_t i = 0; i < count; i++) {
        struct im_cursor *c = cursors[i];
        size_t device_len = strlen(c->device);
        struct im_str key = im_name_key(c->user->name);
        memcpy(at, key.p, key.len);
        r->rows[i].key = (struct im_str){at, key.len};
        at += key.len;
        memcpy(at, c->device, device_len);
        r->rows[i].device = (struct im_str){at, device_len};
        at += device_len;
        r->rows[i].pos = c->written = c->pos;
        DL_DELETE(core->dirty, c);
    }
    r->core = core;
    r->op = (struct im_store_cursors){.op = {.kind = IM_STORE_CURSORS, .done = written, .owner = r},
                                      .rows = r->rows,
                                      .count = count,
                                      .ts_ms = core->wall_ms};
    core->pending_ops++;
    im_store_submit(core->store, &r->op.op);
}

void im_cursor_flush(struct im_core *core, struct im_cursor *c)
{
    if (c->pos > c->written)
        submit(core, &c, 1);
}

void im_cursors_flush(struct im_core *core)
{
    enum { BATCH = 256 };
    while (core->dirty) {
        struct im_cursor *batch[BATCH], *c;
        size_t n = 0;
        DL_FOREACH(core->dirty, c)
        {
            if (n == BATCH)
                break;
            batch[n++] = c;
        }
        submit(core, batch, n);
    }
}
