#include "core/search.h"

#include <stdlib.h>

#include "stores/memory.h"
#include "stores/result.h"

/* Messages that one search looks into before it says where to go on. */
#define LOOKS_MAX 50000

struct search {
    struct im_memory *m;
    struct im_store_search *op;
    const struct im_mem_user *user;
    struct im_merge newest; /* by UINT64_MAX - pos, so that the newest comes first */
    unsigned looks;
};

/* On to the last slot that the view shows before `at`. */
static void step(struct search *s, size_t source, size_t at, bool replace)
{
    const struct im_mem_view *v = s->user->views[source];
    bool any = im_mem_prev(s->m, v, &at);
    struct im_merge_item item = {any ? UINT64_MAX - im_mem_slot(v->conv, at)->pos : 0, source, at};
    if (any && replace)
        im_merge_replace(&s->newest, item);
    else if (any)
        im_merge_add(&s->newest, item);
    else if (replace)
        im_merge_remove(&s->newest);
}

static bool matches(struct search *s, const struct im_mem_view *v, size_t at)
{
    const struct im_mem_slot *slot = im_mem_slot(v->conv, at);
    if (im_mem_type(s->m, slot->pos) != IM_EV_MSG || !im_mem_shows(s->m, v, v->conv, at))
        return false;
    struct im_msg msg = im_mem_stand(s->m, v, slot);
    return im_msg_searched(&msg) && im_search_match(msg.body, s->op->text);
}

/* The message with its neighbours. */
static void add_hit(const struct search *s, struct im_hits *hits, const struct im_mem_view *v, size_t at)
{
    const struct im_mem_conv *c = v->conv;
    struct im_page page = im_page(0, 0);
    size_t from = at, before = at, found = 0;
    for (uint32_t n = 0; n < s->op->context && im_mem_shown_before(s->m, v, c, &before); n++)
        from = before;
    uint32_t after = 0;
    for (size_t i = from; after <= s->op->context && im_mem_shown_after(s->m, v, c, &i); i++) {
        if (i == at)
            found = page.count;
        after += i >= at;
        im_page_add(&page, im_mem_standing(s->m, v, im_mem_slot(c, i)));
    }
    im_hits_add(hits, &page, found);
}

static void start(struct search *s)
{
    const struct im_store_search *op = s->op;
    uint64_t newest = op->before ? op->before - 1 : UINT64_MAX;
    const struct im_mem_conv *only = op->peer.p ? im_mem_conv_find(s->m, s->user, op->kind, op->peer) : NULL;
    for (size_t i = 0; i < s->user->view_count; i++) {
        const struct im_mem_view *v = s->user->views[i];
        if (op->peer.p ? v->conv == only : v->conv->kind != IM_CONV_SELF && !v->conv->over)
            step(s, i, im_mem_upto(v->conv, newest), false);
    }
}

/* A group that the user never saw is none. */
static enum im_reason check_conv(const struct search *s)
{
    const struct im_store_search *op = s->op;
    if (op->peer.p == NULL || op->kind != IM_CONV_GROUP)
        return IM_OK;
    const struct im_mem_view *v = im_mem_view_find(s->m, im_mem_group_find(s->m, op->peer), s->user);
    return v && v->span_count > 0 ? IM_OK : IM_NO_SUCH_GROUP;
}

enum im_reason im_mem_search(struct im_memory *m, struct im_store_search *op)
{
    struct search s = {.m = m, .op = op, .user = im_mem_user_find(m, op->key)};
    struct im_hits hits = im_hits(op->limit, op->bytes);
    uint64_t last = 0; /* pos of the last one found, or looked into */
    enum im_reason reason = check_conv(&s);
    if (reason != IM_OK || s.user == NULL)
        return reason;
    start(&s);
    for (const struct im_merge_item *i; op->next == 0 && (i = im_merge_first(&s.newest));) {
        const struct im_mem_view *v = s.user->views[i->source];
        size_t at = i->at;
        bool found = matches(&s, v, at), over = ++s.looks == LOOKS_MAX;
        if (found && im_hits_full(&hits))
            op->next = last;
        else if (found)
            add_hit(&s, &hits, v, at);
        if (found || over)
            last = im_mem_slot(v->conv, at)->pos;
        if (over && op->next == 0)
            op->next = last;
        step(&s, i->source, at, true);
    }
    im_merge_clear(&s.newest);
    op->hits = hits.hits;
    op->count = hits.count;
    return IM_OK;
}
