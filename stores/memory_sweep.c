#include <stdlib.h>

#include "stores/memory.h"
#include "stores/rules.h"

struct sweep {
    struct im_memory *m;
    struct im_store_sweep *op;
};

/* Is there something to erase and, before the step's limit is reached, is it now? */
static bool take(struct sweep *s)
{
    if (s->op->erased >= s->op->limit) {
        s->op->more = true;
        return false;
    }
    s->op->erased++;
    return true;
}

/* The conversation's oldest event goes, and what was said in it, wherever that is. */
static void erase_first(struct im_memory *m, struct im_mem_conv *c)
{
    struct im_mem_slot *slot = im_mem_slot(c, 0);
    uint64_t pos = slot->pos;
    if (slot->state)
        im_mem_erase_message(m, slot);
    im_mem_state_free(slot);
    struct im_str cid = im_mem_cid(m, pos);
    if (cid.p)
        im_mem_sent_drop(m, im_mem_record(m, pos)->from, cid);
    c->base++;
    c->base_messages = slot->messages;
    im_mem_queue_pop(&c->slots, sizeof *slot);
    im_mem_log_erase(m, pos);
}

static bool surplus(const struct sweep *s, const struct im_mem_conv *c)
{
    uint64_t messages = im_mem_messages_upto(c, im_mem_last_seq(c)) - im_mem_slot(c, 0)->messages;
    return im_retention_surplus(s->op, messages, c->slots.count - 1);
}

static void sweep_conv(struct sweep *s, struct im_mem_conv *c)
{
    uint64_t base = c->base;
    while (c->slots.count > 0) {
        int64_t ts_ms = im_mem_ts_ms(s->m, im_mem_slot(c, 0)->pos);
        if ((!surplus(s, c) && !im_retention_older(s->op, ts_ms, s->op->retention_ms)) || !take(s))
            break;
        erase_first(s->m, c);
    }
    if (base == c->base)
        return;
    im_mem_seqs_trim(&c->mentions, c->base);
    im_mem_seqs_trim(&c->deleted, c->base);
    for (size_t i = 0; i < c->view_count; i++)
        im_mem_seqs_trim(&c->views[i]->gone, c->base);
    if (c->over && c->slots.count == 0)
        im_mem_conv_free(s->m, c);
}

static void sweep_devices(struct sweep *s, struct im_mem_user *u)
{
    for (size_t i = u->device_count; i > 0; i--)
        if (u->devices[i - 1].name_len > 0 &&
            !im_device_is_hook((struct im_str){u->devices[i - 1].name, u->devices[i - 1].name_len}) &&
            im_retention_older(s->op, u->devices[i - 1].seen_ms, s->op->device_ms) && take(s))
            im_mem_device_free(u, i - 1);
}

enum im_reason im_mem_sweep(struct im_memory *m, struct im_store_sweep *op)
{
    struct sweep s = {m, op};
    struct im_mem_conv *c, *next_conv;
    DL_FOREACH_SAFE(m->convs, c, next_conv)
    {
        sweep_conv(&s, c);
    }
    struct im_mem_user *u, *next_user;
    HASH_ITER(hh, m->users, u, next_user)
    {
        sweep_devices(&s, u);
    }
    struct im_mem_row *row, *next_row;
    HASH_ITER(hh, m->rows, row, next_row)
    {
        if (row->record.expires_ms != 0 && op->now_ms > row->record.expires_ms && take(&s))
            im_mem_row_free(m, row);
    }
    return IM_OK;
}
