#ifndef IM_STORES_LANE_H
#define IM_STORES_LANE_H

#include "core/store.h"

/* Operations on their way through a store: they leave in the order they came, whoever carried them out and whenever
 * that was finished. A lane has no lock of its own: its owner's guards it. Zero-initialise.
 *
 *     head ──── finished ────> mark ── taken, some finished ──> take ──── waiting ────> tail
 */
struct im_lane {
    struct im_store_op *head, *tail; /* submitted and not drained, oldest first */
    struct im_store_op *mark;        /* the first that is not finished; NULL: all are */
    struct im_store_op *take;        /* the first that nobody has taken up; NULL: none waits */
};

void im_lane_put(struct im_lane *, struct im_store_op *);
/* Takes up the next ones, at most max. Until finished they are the caller's, except for status and next. */
size_t im_lane_take(struct im_lane *, struct im_store_op **ops, size_t max);
void im_lane_finish(struct im_lane *, struct im_store_op *, enum im_reason status);
/* Is there anything to drain? */
static inline bool im_lane_ready(const struct im_lane *lane)
{
    return lane->head != lane->mark;
}
/* Removes what is finished, in order; linked by next. */
struct im_store_op *im_lane_drain(struct im_lane *);

#endif
