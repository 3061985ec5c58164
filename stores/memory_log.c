#include <stdlib.h>
#include <string.h>

#include "stores/memory.h"

/* The log: records in the order of their positions, in blocks, so that it grows without being copied. */

struct im_mem_record *im_mem_log_push(struct im_memory *m)
{
    size_t at = m->log_skip + m->log_count++;
    if (at / IM_MEM_BLOCK_RECORDS == m->log.count)
        im_mem_list_add(&m->log, im_mem_block_take(&m->blocks));
    return im_mem_record(m, im_mem_head(m));
}

void im_mem_log_pop(struct im_memory *m)
{
    m->log_base++;
    m->log_count--;
    if (++m->log_skip < IM_MEM_BLOCK_RECORDS)
        return;
    m->log_skip = 0;
    im_mem_block_give(&m->blocks, m->log.items[0]);
    memmove(m->log.items, m->log.items + 1, --m->log.count * sizeof *m->log.items);
}

void im_mem_log_end(struct im_memory *m)
{
    for (uint64_t pos = m->log_base + 1; pos <= im_mem_head(m); pos++)
        im_mem_kept_drop(m, &im_mem_record(m, pos)->kept);
    free(m->log.items);
}
