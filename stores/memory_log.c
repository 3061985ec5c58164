#include <stdlib.h>
#include <string.h>

#include "stores/memory.h"

/* The log: records in the order of their positions, in blocks, so that it grows without being copied. A block goes when
 * it is full and all its events are erased, wherever it is: one old message that is kept holds no others. */

struct im_mem_record *im_mem_log_push(struct im_memory *m)
{
    size_t at = m->log_count++;
    if (at / IM_MEM_BLOCK_RECORDS == m->log.count) {
        struct im_mem_records *b = im_mem_block_take(&m->blocks);
        b->live = 0;
        im_mem_list_add(&m->log, b);
    }
    struct im_mem_records *last = m->log.items[m->log.count - 1];
    last->live++;
    m->events++;
    return &last->at[at % IM_MEM_BLOCK_RECORDS];
}

static size_t block_of(const struct im_memory *m, uint64_t pos)
{
    return (size_t)(pos - 1 - m->log_base) / IM_MEM_BLOCK_RECORDS;
}

bool im_mem_log_has(const struct im_memory *m, uint64_t pos)
{
    return pos > m->log_base && pos <= im_mem_head(m) && m->log.items[block_of(m, pos)] && im_mem_record(m, pos)->kept;
}

static void leave_empty_ones(struct im_memory *m)
{
    size_t n = 0;
    while (n < m->log.count && m->log.items[n] == NULL)
        n++;
    if (n == 0)
        return;
    m->log.count -= n;
    memmove(m->log.items, m->log.items + n, m->log.count * sizeof *m->log.items);
    m->log_base += n * IM_MEM_BLOCK_RECORDS;
    m->log_count -= n * IM_MEM_BLOCK_RECORDS;
}

void im_mem_log_erase(struct im_memory *m, uint64_t pos)
{
    size_t at = block_of(m, pos);
    struct im_mem_records *b = m->log.items[at];
    im_mem_kept_drop(m, &im_mem_record(m, pos)->kept);
    m->events--;
    if (--b->live > 0 || m->log_count < (at + 1) * IM_MEM_BLOCK_RECORDS)
        return;
    im_mem_block_give(&m->blocks, b);
    m->log.items[at] = NULL;
    leave_empty_ones(m);
}

void im_mem_log_end(struct im_memory *m)
{
    for (size_t n = 0; n < m->log.count; n++) {
        struct im_mem_records *b = m->log.items[n];
        for (size_t i = 0; b && i < IM_MEM_BLOCK_RECORDS && n * IM_MEM_BLOCK_RECORDS + i < m->log_count; i++)
            im_mem_kept_drop(m, &b->at[i].kept);
    }
    free(m->log.items);
}
