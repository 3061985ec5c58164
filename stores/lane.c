#include "stores/lane.h"

#include <assert.h>

/* The status of an operation that is not finished; no reason has this number. */
static const enum im_reason unfinished = IM_REASON_COUNT;

void im_lane_put(struct im_lane *lane, struct im_store_op *op)
{
    op->next = NULL;
    op->status = unfinished;
    if (lane->tail)
        lane->tail->next = op;
    else
        lane->head = op;
    lane->tail = op;
    if (lane->mark == NULL)
        lane->mark = op;
    if (lane->take == NULL)
        lane->take = op;
}

size_t im_lane_take(struct im_lane *lane, struct im_store_op **ops, size_t max)
{
    size_t count = 0;
    for (; lane->take && count < max; lane->take = lane->take->next)
        ops[count++] = lane->take;
    return count;
}

void im_lane_finish(struct im_lane *lane, struct im_store_op *op, enum im_reason status)
{
    assert(op->status == unfinished && status != unfinished);
    op->status = status;
    while (lane->mark && lane->mark->status != unfinished)
        lane->mark = lane->mark->next;
}

struct im_store_op *im_lane_drain(struct im_lane *lane)
{
    struct im_store_op *first = lane->head, *last = NULL;
    for (; lane->head != lane->mark; lane->head = lane->head->next)
        last = lane->head;
    if (last == NULL)
        return NULL;
    last->next = NULL;
    if (lane->head == NULL)
        lane->tail = NULL;
    return first;
}
