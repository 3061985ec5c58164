#include "stores/result.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

#define STRUCT(type, op_) ((struct im_store_##type *)(op_))

/* An array that an operation gives back. */
struct array {
    void **rows;
    size_t *count;
};

/* Those of the operation that are one block each; returns how many. */
static size_t blocks_of(struct im_store_op *op, struct array out[2])
{
#define ARRAY(type, rows_, count_) ((struct array){(void **)&STRUCT(type, op)->rows_, &STRUCT(type, op)->count_})
    switch (op->kind) {
    case IM_STORE_LOGIN:
        out[0] = ARRAY(login, seats, seat_count);
        out[1] = ARRAY(login, blocked, blocked_count);
        return 2;
    case IM_STORE_CONVERSATIONS:
        out[0] = ARRAY(conversations, rows, count);
        return 1;
    case IM_STORE_GROUPS:
        out[0] = ARRAY(groups, rows, count);
        return 1;
    case IM_STORE_MEMBERS:
        out[0] = ARRAY(members, rows, count);
        return 1;
    case IM_STORE_DEVICES:
        out[0] = ARRAY(devices, rows, count);
        return 1;
    case IM_STORE_USERS:
        out[0] = ARRAY(users, rows, count);
        return 1;
    case IM_STORE_RECORDS:
        out[0] = ARRAY(records, rows, count);
        return 1;
    default:
        return 0;
    }
#undef ARRAY
}

static bool *more_of(struct im_store_op *op)
{
    switch (op->kind) {
    case IM_STORE_HISTORY:
        return &STRUCT(history, op)->more;
    case IM_STORE_GROUPS:
        return &STRUCT(groups, op)->more;
    case IM_STORE_MEMBERS:
        return &STRUCT(members, op)->more;
    case IM_STORE_USERS:
        return &STRUCT(users, op)->more;
    case IM_STORE_RECORDS:
        return &STRUCT(records, op)->more;
    case IM_STORE_SWEEP:
        return &STRUCT(sweep, op)->more;
    default:
        return NULL;
    }
}

static void start_login(struct im_store_login *op)
{
    op->name[0] = '\0';
    op->cursor = op->furthest = op->head = 0;
}

static void start_marks(struct im_store_marks *op)
{
    for (size_t i = 0; i < op->count; i++)
        op->rows[i].moved = false;
}

static void start_events(struct im_event ***events, size_t *count)
{
    *events = NULL;
    *count = 0;
}

void im_result_start(struct im_store_op *op)
{
    struct array blocks[2];
    for (size_t n = blocks_of(op, blocks); n > 0; n--) {
        *blocks[n - 1].rows = NULL;
        *blocks[n - 1].count = 0;
    }
    bool *more = more_of(op);
    if (more)
        *more = false;
    switch (op->kind) {
    case IM_STORE_APPEND:
        STRUCT(append, op)->earlier = NULL;
        break;
    case IM_STORE_LOGIN:
        start_login(STRUCT(login, op));
        break;
    case IM_STORE_MARKS:
        start_marks(STRUCT(marks, op));
        break;
    case IM_STORE_RECORD_DROP:
        STRUCT(record_drop, op)->count = 0;
        break;
    case IM_STORE_SWEEP:
        STRUCT(sweep, op)->erased = 0;
        break;
    case IM_STORE_SINCE:
        start_events(&STRUCT(since, op)->events, &STRUCT(since, op)->count);
        STRUCT(since, op)->upto = STRUCT(since, op)->after;
        break;
    case IM_STORE_HISTORY:
        start_events(&STRUCT(history, op)->events, &STRUCT(history, op)->count);
        break;
    case IM_STORE_FIND:
        STRUCT(find, op)->event = NULL;
        break;
    case IM_STORE_SEARCH:
        STRUCT(search, op)->hits = NULL;
        STRUCT(search, op)->count = 0;
        STRUCT(search, op)->next = 0;
        break;
    default:
        break;
    }
}

static void clear_events(struct im_event **events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        im_event_drop(&events[i]);
    free(events);
}

static void clear_hits(struct im_hit *hits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        clear_events(hits[i].events, hits[i].count);
    free(hits);
}

static void clear_append(struct im_store_append *op)
{
    im_event_drop(&op->earlier);
    op->event->msg.pos = op->event->msg.seq = 0;
    op->event->msg.hidden = false;
}

void im_result_clear(struct im_store_op *op)
{
    struct array blocks[2];
    if (op->kind == IM_STORE_APPEND)
        clear_append(STRUCT(append, op));
    else if (op->kind == IM_STORE_SINCE)
        clear_events(STRUCT(since, op)->events, STRUCT(since, op)->count);
    else if (op->kind == IM_STORE_HISTORY)
        clear_events(STRUCT(history, op)->events, STRUCT(history, op)->count);
    else if (op->kind == IM_STORE_FIND)
        im_event_drop(&STRUCT(find, op)->event);
    else if (op->kind == IM_STORE_SEARCH)
        clear_hits(STRUCT(search, op)->hits, STRUCT(search, op)->count);
    else if (op->kind == IM_STORE_CONVERSATIONS)
        for (size_t i = 0; i < STRUCT(conversations, op)->count; i++)
            im_event_drop(&STRUCT(conversations, op)->rows[i].last);
    for (size_t n = blocks_of(op, blocks); n > 0; n--)
        free(*blocks[n - 1].rows);
    im_result_start(op);
}

/* Room for one more element. */
static void *grow(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return array;
    *room = *room ? *room * 2 : 16;
    return im_realloc(array, *room * size);
}

bool im_page_full(const struct im_page *p)
{
    return p->count > 0 && (p->count >= p->limit || p->bytes >= p->limit_bytes);
}

void im_page_add(struct im_page *p, struct im_event *event)
{
    p->events = grow(p->events, p->count, &p->room, sizeof *p->events);
    p->events[p->count++] = event;
    p->bytes += event->msg.body.len;
}

void im_page_reverse(struct im_page *p)
{
    for (size_t i = 0; i < p->count / 2; i++) {
        struct im_event *other = p->events[p->count - 1 - i];
        p->events[p->count - 1 - i] = p->events[i];
        p->events[i] = other;
    }
}

/* What a row is, and where in it its strings are. */
static const struct row_info {
    size_t size, strings;
    size_t at[4];
} row_infos[] = {
#define AT(type, field) offsetof(struct type, field)
    [IM_ROW_CONV] = {sizeof(struct im_conv_row), 2, {AT(im_conv_row, name), AT(im_conv_row, topic)}},
    [IM_ROW_SEAT] = {sizeof(struct im_seat_row), 2, {AT(im_seat_row, name), AT(im_seat_row, key)}},
    [IM_ROW_KEY] = {sizeof(struct im_str), 1, {0}},
    [IM_ROW_GROUP] = {sizeof(struct im_group_row), 2, {AT(im_group_row, name), AT(im_group_row, topic)}},
    [IM_ROW_MEMBER] = {sizeof(struct im_member_row), 1, {AT(im_member_row, name)}},
    [IM_ROW_DEVICE] = {sizeof(struct im_device_row), 1, {AT(im_device_row, name)}},
    [IM_ROW_USER] = {sizeof(struct im_user_row), 2, {AT(im_user_row, name), AT(im_user_row, key)}},
    [IM_ROW_RECORD] = {sizeof(struct im_record),
                       4,
                       {AT(im_record, key), AT(im_record, owner), AT(im_record, name), AT(im_record, value)}},
#undef AT
};

static struct im_str *string_of(const struct row_info *info, char *row, size_t i)
{
    return (struct im_str *)(void *)(row + info->at[i]);
}

static void add_text(struct im_block *b, struct im_str s)
{
    if (b->text_len + s.len > b->text_room) {
        b->text_room = (b->text_len + s.len) * 2;
        b->text = im_realloc(b->text, b->text_room);
    }
    if (s.len > 0)
        memcpy(b->text + b->text_len, s.p, s.len);
    b->text_len += s.len;
}

void im_block_add(struct im_block *b, const void *row)
{
    const struct row_info *info = &row_infos[b->kind];
    b->rows = grow(b->rows, b->count, &b->room, info->size);
    char *copy = memcpy(b->rows + b->count++ * info->size, row, info->size);
    for (size_t i = 0; i < info->strings; i++)
        add_text(b, *string_of(info, copy, i));
}

void *im_block_finish(struct im_block *b, size_t *count)
{
    const struct row_info *info = &row_infos[b->kind];
    size_t rows = b->count * info->size;
    char *block = NULL;
    if (b->count > 0) {
        block = im_realloc(b->rows, rows + b->text_len);
        b->rows = NULL;
        char *at = block + rows;
        if (b->text_len > 0)
            memcpy(at, b->text, b->text_len);
        for (size_t i = 0; i < b->count * info->strings; i++) {
            struct im_str *s = string_of(info, block + i / info->strings * info->size, i % info->strings);
            s->p = s->p ? at : NULL;
            at += s->len;
        }
    }
    *count = b->count;
    im_block_clear(b);
    return block;
}

void im_block_clear(struct im_block *b)
{
    free(b->rows);
    free(b->text);
    *b = (struct im_block){.kind = b->kind};
}

bool im_rows_full(const struct im_rows *r)
{
    return r->bytes >= r->limit_bytes;
}

void im_rows_add(struct im_rows *r, const struct im_conv_row *row)
{
    if (row->last)
        r->bytes += row->last->msg.body.len;
    im_block_add(&r->block, row);
}

struct im_conv_row *im_rows_finish(struct im_rows *r, size_t *count)
{
    return im_block_finish(&r->block, count);
}

void im_rows_clear(struct im_rows *r)
{
    struct im_conv_row *rows = (struct im_conv_row *)(void *)r->block.rows;
    for (size_t i = 0; i < r->block.count; i++)
        im_event_drop(&rows[i].last);
    im_block_clear(&r->block);
}

bool im_hits_full(const struct im_hits *h)
{
    return h->count > 0 && (h->count >= h->limit || h->bytes >= h->limit_bytes);
}

void im_hits_add(struct im_hits *h, struct im_page *page, size_t at)
{
    h->hits = grow(h->hits, h->count, &h->room, sizeof *h->hits);
    h->hits[h->count++] = (struct im_hit){.events = page->events, .count = page->count, .at = at};
    h->bytes += page->bytes;
    *page = (struct im_page){0};
}

void im_hits_clear(struct im_hits *h)
{
    clear_hits(h->hits, h->count);
    *h = (struct im_hits){0};
}

void im_reactions_add(struct im_reactions *r, struct im_str emoji, uint64_t count, bool mine)
{
    enum { NUMBERS = 32 };
    if (r->len + emoji.len + NUMBERS > r->room) {
        r->room = (r->len + emoji.len + NUMBERS) * 2;
        r->text = im_realloc(r->text, r->room);
    }
    r->len += (size_t)snprintf(r->text + r->len, r->room - r->len, "%s%.*s %" PRIu64 " %d", r->len > 0 ? "\n" : "",
                               (int)emoji.len, emoji.p, count, mine);
}

bool im_msg_searched(const struct im_msg *m)
{
    return !m->deleted && (m->mime.p == NULL || (m->mime.len > 5 && memcmp(m->mime.p, "text/", 5) == 0));
}

void im_merge_add(struct im_merge *m, struct im_merge_item item)
{
    m->heap = grow(m->heap, m->count, &m->room, sizeof *m->heap);
    size_t at = m->count++;
    for (; at > 0 && m->heap[(at - 1) / 2].pos > item.pos; at = (at - 1) / 2)
        m->heap[at] = m->heap[(at - 1) / 2];
    m->heap[at] = item;
}

void im_merge_replace(struct im_merge *m, struct im_merge_item item)
{
    size_t at = 0;
    for (size_t child = 1; child < m->count; child = 2 * at + 1) {
        if (child + 1 < m->count && m->heap[child + 1].pos < m->heap[child].pos)
            child++;
        if (item.pos <= m->heap[child].pos)
            break;
        m->heap[at] = m->heap[child];
        at = child;
    }
    m->heap[at] = item;
}

void im_merge_remove(struct im_merge *m)
{
    struct im_merge_item last = m->heap[--m->count];
    if (m->count > 0)
        im_merge_replace(m, last);
}

void im_merge_clear(struct im_merge *m)
{
    free(m->heap);
    *m = (struct im_merge){0};
}
