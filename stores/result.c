#include "stores/result.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

#define STRUCT(type, op_) ((struct im_store_##type *)(op_))

void im_result_start(struct im_store_op *op)
{
    switch (op->kind) {
    case IM_STORE_APPEND:
        STRUCT(append, op)->earlier = NULL;
        break;
    case IM_STORE_SINCE:
        STRUCT(since, op)->events = NULL;
        STRUCT(since, op)->count = 0;
        STRUCT(since, op)->upto = STRUCT(since, op)->after;
        break;
    case IM_STORE_HISTORY:
        STRUCT(history, op)->events = NULL;
        STRUCT(history, op)->count = 0;
        STRUCT(history, op)->more = false;
        break;
    case IM_STORE_CONVERSATIONS:
        STRUCT(conversations, op)->rows = NULL;
        STRUCT(conversations, op)->count = 0;
        break;
    case IM_STORE_LOGIN:
        STRUCT(login, op)->name[0] = '\0';
        STRUCT(login, op)->cursor = STRUCT(login, op)->head = 0;
        break;
    case IM_STORE_CURSORS:
    case IM_STORE_STATS:
        break;
    }
}

static void clear_events(struct im_event **events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        im_event_drop(&events[i]);
    free(events);
}

void im_result_clear(struct im_store_op *op)
{
    if (op->kind == IM_STORE_APPEND) {
        im_event_drop(&STRUCT(append, op)->earlier);
        STRUCT(append, op)->event->msg.pos = STRUCT(append, op)->event->msg.seq = 0;
    } else if (op->kind == IM_STORE_SINCE) {
        clear_events(STRUCT(since, op)->events, STRUCT(since, op)->count);
    } else if (op->kind == IM_STORE_HISTORY) {
        clear_events(STRUCT(history, op)->events, STRUCT(history, op)->count);
    } else if (op->kind == IM_STORE_CONVERSATIONS) {
        for (size_t i = 0; i < STRUCT(conversations, op)->count; i++)
            im_event_drop(&STRUCT(conversations, op)->rows[i].last);
        free(STRUCT(conversations, op)->rows);
    }
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

bool im_rows_full(const struct im_rows *r)
{
    return r->bytes >= r->limit_bytes;
}

void im_rows_add(struct im_rows *r, const struct im_conv_row *row)
{
    if (row->last)
        r->bytes += row->last->msg.body.len;
    r->rows = grow(r->rows, r->count, &r->room, sizeof *r->rows);
    r->rows[r->count++] = *row;
    if (r->names_len + row->name.len > r->names_room) {
        r->names_room = (r->names_len + row->name.len) * 2;
        r->names = im_realloc(r->names, r->names_room);
    }
    memcpy(r->names + r->names_len, row->name.p, row->name.len);
    r->names_len += row->name.len;
}

struct im_conv_row *im_rows_finish(struct im_rows *r)
{
    struct im_conv_row *rows = NULL;
    if (r->count > 0) {
        rows = im_alloc(r->count * sizeof *rows + r->names_len);
        char *at = memcpy(rows + r->count, r->names, r->names_len);
        for (size_t i = 0; i < r->count; i++) {
            rows[i] = r->rows[i];
            rows[i].name.p = at;
            at += rows[i].name.len;
        }
    }
    free(r->rows);
    free(r->names);
    *r = (struct im_rows){0};
    return rows;
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
