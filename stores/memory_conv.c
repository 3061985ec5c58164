#include <stdlib.h>
#include <string.h>

#include "stores/memory.h"

void *im_mem_grow(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return array;
    *room = *room ? *room * 2 : 4;
    return im_realloc(array, *room * size);
}

void *im_mem_queue_push(struct im_mem_queue *q, size_t size)
{
    q->items = im_mem_grow(q->items, q->skip + q->count, &q->room, size);
    return memset(q->items + (q->skip + q->count++) * size, 0, size);
}

void im_mem_queue_pop(struct im_mem_queue *q, size_t size)
{
    q->skip++;
    q->count--;
    if (q->skip <= q->count)
        return;
    memmove(q->items, q->items + q->skip * size, q->count * size);
    q->skip = 0;
    if (q->count < q->room / 4 && q->room > 64) {
        q->room /= 2;
        q->items = im_realloc(q->items, q->room * size);
    }
}

/* Where n is, or belongs. */
static size_t seq_place(const struct im_mem_seqs *s, uint64_t n)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->items[middle] < n)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool im_mem_seqs_has(const struct im_mem_seqs *s, uint64_t n)
{
    size_t at = seq_place(s, n);
    return at < s->count && s->items[at] == n;
}

void im_mem_seqs_add(struct im_mem_seqs *s, uint64_t n)
{
    size_t at = seq_place(s, n);
    if (at < s->count && s->items[at] == n)
        return;
    s->items = im_mem_grow(s->items, s->count, &s->room, sizeof *s->items);
    memmove(s->items + at + 1, s->items + at, (s->count - at) * sizeof *s->items);
    s->items[at] = n;
    s->count++;
}

size_t im_mem_seqs_after(const struct im_mem_seqs *s, uint64_t n)
{
    return s->count - seq_place(s, n + 1);
}

void im_mem_seqs_trim(struct im_mem_seqs *s, uint64_t upto)
{
    size_t at = seq_place(s, upto + 1);
    if (at == 0)
        return;
    s->count -= at;
    memmove(s->items, s->items + at, s->count * sizeof *s->items);
}

void im_mem_list_add(struct im_mem_list *l, void *item)
{
    l->items = im_mem_grow(l->items, l->count, &l->room, sizeof *l->items);
    l->items[l->count++] = item;
}

int im_mem_compare(struct im_str a, struct im_str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter > 0 ? memcmp(a.p, b.p, shorter) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static void direct_key(const struct im_mem_user *a, const struct im_mem_user *b, uint64_t key[2])
{
    key[0] = a->id < b->id ? a->id : b->id;
    key[1] = a->id < b->id ? b->id : a->id;
}

struct im_mem_conv *im_mem_direct_find(const struct im_memory *m, const struct im_mem_user *a,
                                       const struct im_mem_user *b)
{
    uint64_t key[2];
    struct im_mem_conv *c;
    direct_key(a, b, key);
    HASH_FIND_BYHASHVALUE(hh, m->direct, key, sizeof key, im_hash_ids(m->hash_key, key[0], key[1]), c);
    return c;
}

static struct im_mem_conv *conv_new(struct im_memory *m, enum im_conv_kind kind)
{
    struct im_mem_conv *c = im_zalloc(sizeof *c);
    c->kind = kind;
    c->id = ++m->last_conv;
    DL_APPEND(m->convs, c);
    return c;
}

struct im_mem_conv *im_mem_direct_need(struct im_memory *m, struct im_mem_user *a, struct im_mem_user *b)
{
    struct im_mem_conv *c = im_mem_direct_find(m, a, b);
    if (c)
        return c;
    c = conv_new(m, IM_CONV_DIRECT);
    direct_key(a, b, c->users);
    unsigned hash = im_hash_ids(m->hash_key, c->users[0], c->users[1]);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, m->direct, c->users, sizeof c->users, hash, c);
    im_mem_span_open(im_mem_view_need(m, c, a), 0);
    if (a != b)
        im_mem_span_open(im_mem_view_need(m, c, b), 0);
    return c;
}

struct im_mem_conv *im_mem_self_need(struct im_memory *m, struct im_mem_user *u)
{
    if (u->self == NULL) {
        u->self = im_mem_view_need(m, conv_new(m, IM_CONV_SELF), u);
        im_mem_span_open(u->self, 0);
    }
    return u->self->conv;
}

struct im_mem_conv *im_mem_group_find(const struct im_memory *m, struct im_str key)
{
    struct im_mem_conv *c;
    HASH_FIND_BYHASHVALUE(hh, m->groups, key.p, key.len, im_hash(m->hash_key, key.p, key.len), c);
    return c;
}

struct im_mem_conv *im_mem_group_new(struct im_memory *m, struct im_str key, struct im_str name)
{
    struct im_mem_conv *c = conv_new(m, IM_CONV_GROUP);
    c->key = im_strndup(key.p, key.len);
    c->key_len = key.len;
    c->name = im_strndup(name.p, name.len);
    c->name_len = name.len;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, m->groups, c->key, c->key_len, im_hash(m->hash_key, key.p, key.len), c);
    return c;
}

void im_mem_group_over(struct im_memory *m, struct im_mem_conv *c)
{
    HASH_DEL(m->groups, c);
    c->over = true;
}

struct im_mem_conv *im_mem_conv_find(const struct im_memory *m, const struct im_mem_user *u, enum im_conv_kind kind,
                                     struct im_str peer)
{
    if (kind == IM_CONV_GROUP)
        return im_mem_group_find(m, peer);
    const struct im_mem_user *other = im_mem_user_find(m, peer);
    return u && other ? im_mem_direct_find(m, u, other) : NULL;
}

struct im_mem_view *im_mem_view_find(const struct im_memory *m, const struct im_mem_conv *c,
                                     const struct im_mem_user *u)
{
    struct im_mem_view *v = NULL;
    if (c == NULL || u == NULL)
        return NULL;
    if (c->kind != IM_CONV_GROUP) { /* has two at most */
        for (size_t i = 0; i < c->view_count && v == NULL; i++)
            v = c->views[i]->user == u ? c->views[i] : NULL;
        return v;
    }
    uint64_t key[2] = {c->id, u->id};
    HASH_FIND_BYHASHVALUE(hh, m->views, key, sizeof key, im_hash_ids(m->hash_key, c->id, u->id), v);
    return v;
}

struct im_mem_view *im_mem_view_need(struct im_memory *m, struct im_mem_conv *c, struct im_mem_user *u)
{
    struct im_mem_view *v = im_mem_view_find(m, c, u);
    if (v)
        return v;
    v = im_zalloc(sizeof *v);
    *v = (struct im_mem_view){.ids = {c->id, u->id}, .conv = c, .user = u};
    unsigned hash = im_hash_ids(m->hash_key, c->id, u->id);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, m->views, v->ids, sizeof v->ids, hash, v);
    c->views = im_mem_grow(c->views, c->view_count, &c->view_room, sizeof(void *));
    c->views[c->view_count++] = v;
    u->views = im_mem_grow(u->views, u->view_count, &u->view_room, sizeof(void *));
    v->at = u->view_count;
    u->views[u->view_count++] = v;
    return v;
}

static void view_free(struct im_memory *m, struct im_mem_view *v)
{
    struct im_mem_user *u = v->user;
    HASH_DEL(m->views, v);
    u->views[v->at] = u->views[--u->view_count];
    u->views[v->at]->at = v->at;
    free(v->spans);
    free(v->gone.items);
    free(v);
}

void im_mem_conv_free(struct im_memory *m, struct im_mem_conv *c)
{
    m->hints_valid++;
    for (size_t i = 0; i < c->view_count; i++)
        view_free(m, c->views[i]);
    for (size_t i = 0; i < c->slots.count; i++)
        im_mem_state_free(im_mem_slot(c, i));
    if (c->kind == IM_CONV_DIRECT)
        HASH_DEL(m->direct, c);
    else if (c->kind == IM_CONV_GROUP && !c->over)
        HASH_DEL(m->groups, c);
    DL_DELETE(m->convs, c);
    free(c->views);
    free(c->slots.items);
    free(c->mentions.items);
    free(c->deleted.items);
    free(c->key);
    free(c->name);
    free(c->topic);
    free(c);
}

static void span_add(struct im_mem_view *v, uint64_t from, uint64_t upto)
{
    while (v->span_count > 0 && v->spans[v->span_count - 1].from >= from)
        v->span_count--;
    v->spans = im_mem_grow(v->spans, v->span_count, &v->span_room, sizeof *v->spans);
    v->spans[v->span_count++] = (struct im_mem_span){from, upto};
}

void im_mem_span_open(struct im_mem_view *v, uint64_t from)
{
    span_add(v, from, UINT64_MAX);
}

void im_mem_span_close(struct im_mem_view *v, uint64_t upto)
{
    if (v->span_count > 0 && v->spans[v->span_count - 1].upto == UINT64_MAX)
        v->spans[v->span_count - 1].upto = upto;
}

void im_mem_span_one(struct im_mem_view *v, uint64_t pos)
{
    span_add(v, pos, pos);
}

size_t im_mem_upto(const struct im_mem_conv *c, uint64_t pos)
{
    size_t low = 0, high = c->slots.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (im_mem_slot(c, middle)->pos <= pos)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The last span that begins at pos or before; NULL: there is none. */
static const struct im_mem_span *span_at(const struct im_mem_view *v, uint64_t pos)
{
    size_t n = v->span_count;
    while (n > 0 && v->spans[n - 1].from > pos)
        n--;
    return n > 0 ? &v->spans[n - 1] : NULL;
}

static bool hidden_from(const struct im_memory *m, const struct im_mem_view *v, uint64_t pos)
{
    return v->conv->kind == IM_CONV_DIRECT && im_mem_hidden(m, pos) && im_mem_record(m, pos)->from != v->user;
}

bool im_mem_sees_pos(const struct im_memory *m, const struct im_mem_view *v, uint64_t pos)
{
    const struct im_mem_span *span = span_at(v, pos);
    return span && pos <= span->upto && !hidden_from(m, v, pos);
}

bool im_mem_sees(const struct im_memory *m, const struct im_mem_view *v, size_t at)
{
    return im_mem_sees_pos(m, v, im_mem_slot(v->conv, at)->pos);
}

size_t im_mem_next(const struct im_memory *m, const struct im_mem_view *v, size_t at)
{
    const struct im_mem_conv *c = v->conv;
    if (v->span_count == 0)
        return c->slots.count;
    while (at < c->slots.count && !im_mem_sees(m, v, at)) {
        uint64_t pos = im_mem_slot(c, at)->pos;
        const struct im_mem_span *span = span_at(v, pos);
        if (span && pos <= span->upto) { /* hidden */
            at++;
            continue;
        }
        span = span ? span + 1 : v->spans;
        if (span == v->spans + v->span_count)
            return c->slots.count;
        at = im_mem_upto(c, span->from - 1);
    }
    return at;
}

bool im_mem_prev(const struct im_memory *m, const struct im_mem_view *v, size_t *at)
{
    const struct im_mem_conv *c = v->conv;
    while (*at > 0 && !im_mem_sees(m, v, *at - 1)) {
        uint64_t pos = im_mem_slot(c, *at - 1)->pos;
        const struct im_mem_span *span = span_at(v, pos);
        if (span == NULL)
            return false;
        *at = pos <= span->upto ? *at - 1 : im_mem_upto(c, span->upto);
    }
    if (*at == 0)
        return false;
    --*at;
    return true;
}
