#include <stdlib.h>

#include "stores/memory.h"
#include "stores/result.h"

static void merge_next(const struct im_memory *m, struct im_merge *merge, const struct im_mem_user *u, size_t source,
                       size_t from, bool replace)
{
    const struct im_mem_view *v = u->views[source];
    size_t at = im_mem_next(m, v, from);
    bool any = at < v->conv->slots.count;
    struct im_merge_item item = {any ? im_mem_slot(v->conv, at)->pos : 0, source, at};
    if (any && replace)
        im_merge_replace(merge, item);
    else if (any)
        im_merge_add(merge, item);
    else if (replace)
        im_merge_remove(merge);
}

enum im_reason im_mem_since(struct im_memory *m, struct im_store_since *op)
{
    const struct im_mem_user *u = im_mem_user_find(m, op->key);
    struct im_page page = im_page(op->limit, op->bytes);
    struct im_merge merge = {0};
    for (size_t i = 0; u && i < u->view_count; i++)
        merge_next(m, &merge, u, i, im_mem_upto(u->views[i]->conv, op->after), false);
    op->upto = op->after > im_mem_head(m) ? op->after : im_mem_head(m);
    for (const struct im_merge_item *i; (i = im_merge_first(&merge));) {
        if (im_page_full(&page)) {
            op->upto = page.events[page.count - 1]->msg.pos;
            break;
        }
        im_page_add(&page, im_mem_event(m, i->pos));
        merge_next(m, &merge, u, i->source, i->at + 1, true);
    }
    im_merge_clear(&merge);
    op->events = page.events;
    op->count = page.count;
    return IM_OK;
}

bool im_mem_shows(const struct im_memory *m, const struct im_mem_view *v, const struct im_mem_conv *c, size_t at)
{
    if (!im_event_shown(im_mem_type(m, im_mem_slot(c, at)->pos)))
        return false;
    return v == NULL || (im_mem_sees(m, v, at) && !im_mem_seqs_has(&v->gone, c->base + at + 1));
}

bool im_mem_shown_after(const struct im_memory *m, const struct im_mem_view *v, const struct im_mem_conv *c, size_t *at)
{
    for (;; ++*at) {
        if (v)
            *at = im_mem_next(m, v, *at);
        if (*at >= c->slots.count)
            return false;
        if (im_mem_shows(m, v, c, *at))
            return true;
    }
}

bool im_mem_shown_before(const struct im_memory *m, const struct im_mem_view *v, const struct im_mem_conv *c,
                         size_t *at)
{
    for (;;) {
        if (v ? !im_mem_prev(m, v, at) : (*at)-- == 0)
            return false;
        if (im_mem_shows(m, v, c, *at))
            return true;
    }
}

static void read_after(const struct im_memory *m, const struct im_mem_view *v, const struct im_mem_conv *c,
                       struct im_store_history *op, struct im_page *page)
{
    size_t at = op->after > c->base ? (size_t)(op->after - c->base) : 0;
    for (; im_mem_shown_after(m, v, c, &at); at++) {
        op->more = im_page_full(page);
        if (op->more)
            return;
        im_page_add(page, im_mem_standing(m, v, im_mem_slot(c, at)));
    }
}

static void read_before(const struct im_memory *m, const struct im_mem_view *v, const struct im_mem_conv *c,
                        struct im_store_history *op, struct im_page *page)
{
    size_t at = c->slots.count;
    if (op->before && op->before <= im_mem_last_seq(c))
        at = op->before > c->base ? (size_t)(op->before - c->base - 1) : 0;
    while (im_mem_shown_before(m, v, c, &at)) {
        op->more = im_page_full(page);
        if (op->more)
            break;
        im_page_add(page, im_mem_standing(m, v, im_mem_slot(c, at)));
    }
    im_page_reverse(page);
}

enum im_reason im_mem_history(struct im_memory *m, struct im_store_history *op)
{
    const struct im_mem_user *u = op->key.p ? im_mem_user_find(m, op->key) : NULL;
    const struct im_mem_conv *c = im_mem_conv_find(m, u, op->kind, op->peer);
    const struct im_mem_view *v = im_mem_view_find(m, c, u);
    bool seen = c && (op->key.p == NULL || (v && v->span_count > 0));
    if (!seen)
        return op->kind == IM_CONV_GROUP ? IM_NO_SUCH_GROUP : IM_OK;
    struct im_page page = im_page(op->limit, op->bytes);
    if (op->has_after)
        read_after(m, v, c, op, &page);
    else
        read_before(m, v, c, op, &page);
    op->events = page.events;
    op->count = page.count;
    return IM_OK;
}

enum im_reason im_mem_marks(struct im_memory *m, struct im_store_marks *op)
{
    for (size_t i = 0; i < op->count; i++) {
        struct im_store_mark *mark = &op->rows[i];
        const struct im_mem_user *u = im_mem_user_find(m, mark->key);
        const struct im_mem_conv *c = im_mem_conv_find(m, u, mark->kind, mark->peer);
        struct im_mem_view *v = im_mem_view_find(m, c, u);
        if (v == NULL || (mark->kind == IM_CONV_GROUP && !im_role_member(v->role))) {
            mark->seq = 0;
            continue;
        }
        uint64_t last = im_mem_last_seq(c), seq = mark->seq < last ? mark->seq : last;
        mark->moved = seq > v->read_seq;
        if (mark->moved)
            v->read_seq = seq;
        mark->seq = v->read_seq;
    }
    return IM_OK;
}

static uint64_t last_pos(const struct im_mem_view *v)
{
    return v->conv->kind == IM_CONV_DIRECT ? v->last_pos : v->conv->last_pos;
}

static int newest_first(const void *a, const void *b)
{
    uint64_t x = last_pos(*(const struct im_mem_view *const *)a), y = last_pos(*(const struct im_mem_view *const *)b);
    return (x < y) - (x > y);
}

/* Messages of the conversation up to this seq. */
uint64_t im_mem_messages_upto(const struct im_mem_conv *c, uint64_t seq)
{
    uint64_t last = im_mem_last_seq(c);
    if (seq > last)
        seq = last;
    return seq > c->base ? im_mem_slot(c, (size_t)(seq - c->base - 1))->messages : c->base_messages;
}

/* Up to which seq a peer who has got this far has got what the other one may know they got. */
static uint64_t not_hidden(const struct im_memory *m, const struct im_mem_conv *c, uint64_t seq)
{
    while (seq > c->base && im_mem_hidden(m, im_mem_slot(c, (size_t)(seq - c->base - 1))->pos))
        seq--;
    return seq;
}

static bool names(struct im_str mentions, const struct im_mem_user *u)
{
    for (size_t start = 0, end; start < mentions.len; start = end + 1) {
        for (end = start; end < mentions.len && mentions.p[end] != ' ';)
            end++;
        struct im_str one = {mentions.p + start, end - start};
        if (im_str_eq(one, IM_STR("*")) || im_str_eq(one, im_mem_name(u)) ||
            (u->before && im_str_eq(one, im_str(u->before))))
            return true;
    }
    return false;
}

static uint64_t mentioned(const struct im_memory *m, const struct im_mem_view *v)
{
    const struct im_mem_conv *c = v->conv;
    for (size_t i = c->mentions.count; i > 0; i--) {
        uint64_t seq = c->mentions.items[i - 1];
        size_t at;
        if (!im_mem_at(c, seq, &at))
            break;
        const struct im_mem_slot *slot = im_mem_slot(c, at);
        const struct im_mem_user *from = im_mem_record(m, slot->pos)->from;
        if (from == v->user || im_mem_blocks(v->user, from) || !im_mem_shows(m, v, c, at))
            continue;
        if (names(im_mem_stand(m, c->kind == IM_CONV_GROUP ? NULL : v, slot).mentions, v->user))
            return seq;
    }
    return 0;
}

static struct im_conv_row direct_row(const struct im_memory *m, const struct im_mem_view *v)
{
    const struct im_mem_conv *c = v->conv;
    const struct im_mem_view *peer = c->views[c->view_count - 1] == v ? c->views[0] : c->views[c->view_count - 1];
    size_t got = im_mem_upto(c, im_mem_furthest(peer->user));
    struct im_conv_row row = {.name = im_mem_name(peer->user), .last_seq = v->last_seq};
    row.peer_read = not_hidden(m, c, peer->read_seq);
    row.peer_received = got > 0 ? not_hidden(m, c, c->base + got) : 0;
    return row;
}

static struct im_conv_row group_row(const struct im_mem_view *v)
{
    const struct im_mem_conv *c = v->conv;
    return (struct im_conv_row){.name = im_mem_group_name(c),
                                .last_seq = im_mem_last_seq(c),
                                .role = v->role,
                                .members = c->members,
                                .topic = {c->topic, c->topic_len}};
}

/* Messages that count, are there, and are not shown to this user: deleted for all, or for oneself. */
static uint64_t gone_after(const struct im_memory *m, const struct im_mem_view *v, uint64_t seq)
{
    const struct im_mem_conv *c = v->conv;
    uint64_t n = im_mem_seqs_after(&c->deleted, seq);
    for (size_t i = v->gone.count; i > 0 && v->gone.items[i - 1] > seq; i--) {
        size_t at;
        if (!im_mem_at(c, v->gone.items[i - 1], &at))
            continue;
        uint64_t pos = im_mem_slot(c, at)->pos;
        n += im_mem_type(m, pos) == IM_EV_MSG && !im_mem_hidden(m, pos) &&
             !im_mem_seqs_has(&c->deleted, v->gone.items[i - 1]);
    }
    return n;
}

static void add_row(const struct im_memory *m, const struct im_mem_view *v, struct im_rows *rows)
{
    const struct im_mem_conv *c = v->conv;
    struct im_conv_row row = c->kind == IM_CONV_DIRECT ? direct_row(m, v) : group_row(v);
    row.read_seq = v->read_seq;
    row.unread = im_mem_messages_upto(c, im_mem_last_seq(c)) - im_mem_messages_upto(c, v->read_seq) -
                 gone_after(m, v, v->read_seq);
    row.mention_seq = mentioned(m, v);
    size_t at = c->slots.count;
    if (!im_rows_full(rows) && im_mem_shown_before(m, v, c, &at))
        row.last = im_mem_standing(m, v, im_mem_slot(c, at));
    im_rows_add(rows, &row);
}

enum im_reason im_mem_conversations(struct im_memory *m, struct im_store_conversations *op)
{
    const struct im_mem_user *u = im_mem_user_find(m, op->key);
    struct im_rows rows = {.limit_bytes = op->bytes};
    struct im_mem_list list = {0};
    for (size_t i = 0; u && i < u->view_count; i++) {
        struct im_mem_view *v = u->views[i];
        if (v->conv->kind == IM_CONV_DIRECT ? v->last_pos > 0 : im_role_member(v->role))
            im_mem_list_add(&list, v);
    }
    if (list.count > 0)
        qsort(list.items, list.count, sizeof *list.items, newest_first);
    for (size_t i = 0; i < list.count && i < op->limit; i++)
        add_row(m, list.items[i], &rows);
    free(list.items);
    op->rows = im_rows_finish(&rows, &op->count);
    return IM_OK;
}
