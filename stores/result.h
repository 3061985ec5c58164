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

/* Rows being filled that will be one malloc'd block, with copies of their strings inside. */
enum im_row_kind {
    IM_ROW_CONV,   /* struct im_conv_row */
    IM_ROW_SEAT,   /* struct im_seat_row */
    IM_ROW_KEY,    /* struct im_str */
    IM_ROW_GROUP,  /* struct im_group_row */
    IM_ROW_MEMBER, /* struct im_member_row */
    IM_ROW_DEVICE, /* struct im_device_row */
    IM_ROW_USER,   /* struct im_user_row */
    IM_ROW_RECORD, /* struct im_record */
};
struct im_block {
    enum im_row_kind kind;
    char *rows, *text;
    size_t count, room, text_len, text_room;
};
void im_block_add(struct im_block *, const void *row);   /* copies the row and its strings */
void *im_block_finish(struct im_block *, size_t *count); /* NULL when there is none; empties */
void im_block_clear(struct im_block *);

/* Rows of conversations being filled. */
struct im_rows {
    struct im_block block;       /* of IM_ROW_CONV, which is 0 */
    uint64_t bytes, limit_bytes; /* of the last events' bodies */
};
bool im_rows_full(const struct im_rows *);                      /* further rows go without their last event */
void im_rows_add(struct im_rows *, const struct im_conv_row *); /* takes the reference */
struct im_conv_row *im_rows_finish(struct im_rows *, size_t *count);
void im_rows_clear(struct im_rows *);

/* What a search has found, being filled. */
struct im_hits {
    struct im_hit *hits;
    size_t count, room;
    uint64_t bytes, limit, limit_bytes;
};
static inline struct im_hits im_hits(uint32_t limit, uint32_t limit_bytes)
{
    return (struct im_hits){.limit = limit, .limit_bytes = limit_bytes};
}
bool im_hits_full(const struct im_hits *);                       /* never true of none */
void im_hits_add(struct im_hits *, struct im_page *, size_t at); /* takes over the page's events */
void im_hits_clear(struct im_hits *);

/* msg.reactions being written. Zero-initialise; free text. */
struct im_reactions {
    char *text;
    size_t len, room;
};
void im_reactions_add(struct im_reactions *, struct im_str emoji, uint64_t count, bool mine);

/* Is the message, as it stands, one that search looks into: text, and not deleted? */
bool im_msg_searched(const struct im_msg *);

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
