#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/counters.h"
#include "stores/memory.h"
#include "stores/result.h"
#include "stores/stores.h"

/* The log in memory: for tests, and for those who want nothing kept. One thread; work is done inside drain(). */

static enum im_reason do_stats(const struct im_memory *m, struct im_store_stats *op)
{
    op->events = m->events;
    op->head = im_mem_head(m);
    op->users = HASH_COUNT(m->users);
    op->groups = HASH_COUNT(m->groups);
    op->conversations = HASH_COUNT(m->direct) + op->groups;
    op->bytes = 0;
    return IM_OK;
}

static enum im_reason perform(struct im_memory *m, struct im_store_op *op)
{
    switch (op->kind) {
    case IM_STORE_APPEND:
        return im_mem_append(m, (struct im_store_append *)op);
    case IM_STORE_LOGIN:
        return im_mem_login(m, (struct im_store_login *)op);
    case IM_STORE_CURSORS:
        return im_mem_cursors(m, (struct im_store_cursors *)op);
    case IM_STORE_MARKS:
        return im_mem_marks(m, (struct im_store_marks *)op);
    case IM_STORE_BLOCK:
        return im_mem_block(m, (struct im_store_block *)op);
    case IM_STORE_DEVICE_DROP:
        return im_mem_device_drop(m, (struct im_store_device_drop *)op);
    case IM_STORE_RECORD_PUT:
        return im_mem_record_put(m, (struct im_store_record_put *)op);
    case IM_STORE_RECORD_DROP:
        return im_mem_record_drop(m, (struct im_store_record_drop *)op);
    case IM_STORE_SWEEP:
        return im_mem_sweep(m, (struct im_store_sweep *)op);
    case IM_STORE_SINCE:
        return im_mem_since(m, (struct im_store_since *)op);
    case IM_STORE_HISTORY:
        return im_mem_history(m, (struct im_store_history *)op);
    case IM_STORE_SEARCH:
        return im_mem_search(m, (struct im_store_search *)op);
    case IM_STORE_CONVERSATIONS:
        return im_mem_conversations(m, (struct im_store_conversations *)op);
    case IM_STORE_GROUPS:
        return im_mem_groups(m, (struct im_store_groups *)op);
    case IM_STORE_MEMBERS:
        return im_mem_members(m, (struct im_store_members *)op);
    case IM_STORE_DEVICES:
        return im_mem_devices(m, (struct im_store_devices *)op);
    case IM_STORE_USERS:
        return im_mem_users(m, (struct im_store_users *)op);
    case IM_STORE_RECORDS:
        return im_mem_records(m, (struct im_store_records *)op);
    case IM_STORE_FIND:
        return im_mem_find(m, (struct im_store_find *)op);
    case IM_STORE_STATS:
        return do_stats(m, (struct im_store_stats *)op);
    case IM_STORE_BACKUP:
        snprintf(((struct im_store_care *)op)->problem, sizeof((struct im_store_care *)op)->problem,
                 "what is kept in memory has no file to copy");
        return IM_FORBIDDEN;
    case IM_STORE_CHECK:
        ((struct im_store_care *)op)->events = m->events;
        return IM_OK;
    }
    abort();
}

static void memory_submit(struct im_store *store, struct im_store_op *op)
{
    struct im_memory *m = (struct im_memory *)store;
    bool idle = m->first == NULL;
    op->next = NULL;
    *m->last = op;
    m->last = &op->next;
    if (idle && !m->base.attended)
        m->wake(m->wake_arg);
}

static size_t memory_drain(struct im_store *store)
{
    struct im_memory *m = (struct im_memory *)store;
    struct im_store_op *op = m->first, *next;
    size_t count = 0, writes = 0;
    m->first = NULL;
    m->last = &m->first;
    for (; op; op = next, count++) {
        next = op->next;
        writes += op->kind < IM_STORE_FIRST_READ;
        im_result_start(op);
        op->status = perform(m, op);
        op->done(op);
    }
    if (m->counters && writes > 0)
        m->counters->n[IM_C_STORE_COMMITS]++;
    return count;
}

static void free_tables(struct im_memory *m)
{
    struct im_mem_user *u, *next_user;
    HASH_ITER(hh, m->users, u, next_user)
    {
        HASH_DEL(m->users, u);
        im_mem_user_free(u);
    }
    struct im_mem_row *row, *next_row;
    HASH_ITER(hh, m->rows, row, next_row)
    {
        im_mem_row_free(m, row);
    }
}

static void memory_close(struct im_store **store)
{
    struct im_memory *m = (struct im_memory *)*store;
    *store = NULL;
    m->blocks.ending = true;
    im_mem_log_end(m);
    im_mem_sent_end(m);
    while (m->convs)
        im_mem_conv_free(m, m->convs);
    free_tables(m);
    im_mem_blocks_end(&m->blocks);
    free(m);
}

static const struct im_store_ops memory_ops = {"memory", memory_submit, memory_drain, memory_close};

enum im_reason im_store_memory_open(const struct im_store_options *options, struct im_store **out,
                                    struct im_error *error)
{
    (void)error;
    struct im_memory *m = im_zalloc(sizeof *m);
    m->base.ops = &memory_ops;
    m->base.prompt = true;
    m->wake = options->wake;
    m->wake_arg = options->wake_arg;
    m->counters = options->counters;
    m->last = &m->first;
    m->hints_valid = 1;
    memcpy(m->hash_key, options->epoch_seed, sizeof m->hash_key);
    /* The seed is the secret key of the hash tables, and clients are told the epoch: a hash of it, not itself. */
    for (unsigned i = 0; i < 4; i++)
        snprintf(m->base.epoch + i * 8, 9, "%08x", im_hash(m->hash_key, &i, sizeof i));
    *out = &m->base;
    return IM_OK;
}
