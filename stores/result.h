#ifndef IM_STORES_RESULT_H
#define IM_STORES_RESULT_H

#include "core/store.h"

/* What operations give back, alike for every store. */

/* Sets all that the operation gives back to nothing, without looking at what is there. */
void im_result_start(struct im_store_op *);
/* Takes back what an operation has given, as after a rollback. */
void im_result_clear(struct im_store_op *);

/* A page of events being filled, within the bounds of its operation. */
struct im_page {
    struct im_event **events;
    size_t count, room;
    uint64_t bytes, limit, limit_bytes;
};
static inline struct im_page im_page(uint32_t limit, uint32_t limit_bytes)
{
    return (struct im_page){.limit = limit, .limit_bytes = limit_bytes};
}
/* Never true of an empty page. */
bool im_page_full(const struct im_page *);
void im_page_add(struct im_page *, struct im_event *); /* takes the reference */
void im_page_reverse(struct im_page *);

/* Rows of conversations being filled. Finishing turns them into one block. */
struct im_rows {
    struct im_conv_row *rows; /* their name.p is set in the end */
    size_t count, room;
    char *names;
    size_t names_len, names_room;
    uint64_t bytes, limit_bytes; /* of the last events' bodies */
};
bool im_rows_full(const struct im_rows *);                      /* further rows go without their last event */
void im_rows_add(struct im_rows *, const struct im_conv_row *); /* copies the name, takes the reference */
struct im_conv_row *im_rows_finish(struct im_rows *);           /* NULL when there is none; empties */

/* Merging conversations into the order of the log: a heap of where each one goes on. Zero-initialise. */
struct im_merge_item {
    uint64_t pos;    /* of its next event */
    uint64_t source; /* which conversation: the caller's business */
    uint64_t at;     /* where in it: the caller's business */
};
struct im_merge {
    struct im_merge_item *heap;
    size_t count, room;
};
void im_merge_add(struct im_merge *, struct im_merge_item);
/* The item with the lowest pos; NULL when empty. */
static inline const struct im_merge_item *im_merge_first(const struct im_merge *m)
{
    return m->count > 0 ? m->heap : NULL;
}
void im_merge_replace(struct im_merge *, struct im_merge_item); /* the first one */
void im_merge_remove(struct im_merge *);                        /* the first one */
void im_merge_clear(struct im_merge *);

#endif
