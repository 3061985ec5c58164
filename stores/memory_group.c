#include <stdlib.h>

#include "stores/memory.h"
#include "stores/result.h"

static void set_topic(struct im_mem_conv *c, struct im_str topic)
{
    free(c->topic);
    c->topic = im_strndup(topic.p ? topic.p : "", topic.len);
    c->topic_len = topic.len;
}

/* Makes somebody what they are from this event on, and lets them see what that lets them see. */
static void set_role(struct im_mem_view *v, enum im_role role, uint64_t pos)
{
    struct im_mem_conv *c = v->conv;
    bool was = im_role_member(v->role), is = im_role_member(role);
    c->owners += (role == IM_ROLE_OWNER) - (v->role == IM_ROLE_OWNER);
    c->members += is - was;
    v->user->groups += is - was;
    v->role = role;
    if (is && !was)
        im_mem_span_open(v, c->settings & IM_GROUP_PAST ? 0 : pos);
    else if (was && !is)
        im_mem_span_close(v, pos);
}

static void end_group(struct im_memory *m, struct im_mem_conv *c, uint64_t pos)
{
    for (size_t i = 0; i < c->view_count; i++)
        set_role(c->views[i], IM_ROLE_NONE, pos);
    im_mem_group_over(m, c);
}

void im_mem_group_change(struct im_memory *m, struct im_mem_conv *c, const struct im_msg *msg,
                         struct im_mem_user *concerned, bool ends)
{
    struct im_mem_view *v = im_mem_view_need(m, c, concerned);
    if (msg->change == IM_CHANGE_CREATE)
        c->created_ms = msg->ts_ms;
    if (msg->change == IM_CHANGE_CREATE || msg->change == IM_CHANGE_SET)
        c->settings = msg->settings;
    if (msg->change == IM_CHANGE_CREATE || msg->change == IM_CHANGE_TOPIC)
        set_topic(c, msg->body);
    if (msg->change == IM_CHANGE_INVITE && !msg->hidden)
        im_mem_span_one(v, msg->pos);
    set_role(v, msg->role, msg->pos);
    if (ends)
        end_group(m, c, msg->pos);
}

/* May they know of it? Administration may, which has no key. */
static bool knows(const struct im_memory *m, const struct im_mem_conv *c, struct im_str key)
{
    const struct im_mem_view *v = key.p ? im_mem_view_find(m, c, im_mem_user_find(m, key)) : NULL;
    return key.p == NULL || c->settings & IM_GROUP_PUBLIC || (v && v->role >= IM_ROLE_INVITED);
}

static int by_group(const void *a, const void *b)
{
    const struct im_mem_conv *x = *(const struct im_mem_conv *const *)a, *y = *(const struct im_mem_conv *const *)b;
    return im_mem_compare(im_mem_group_key(x), im_mem_group_key(y));
}

static void add_group(const struct im_memory *m, struct im_block *block, const struct im_mem_conv *c, struct im_str key)
{
    const struct im_mem_view *v = key.p ? im_mem_view_find(m, c, im_mem_user_find(m, key)) : NULL;
    im_block_add(block, &(struct im_group_row){.name = im_mem_group_name(c),
                                               .topic = {c->topic, c->topic_len},
                                               .settings = c->settings,
                                               .members = c->members,
                                               .role = v ? v->role : IM_ROLE_NONE,
                                               .created_ms = c->created_ms});
}

static void list_groups(const struct im_memory *m, struct im_store_groups *op, struct im_block *block)
{
    struct im_mem_list list = {0};
    struct im_mem_conv *c, *next;
    HASH_ITER(hh, m->groups, c, next)
    {
        if ((op->key.p == NULL || c->settings & IM_GROUP_PUBLIC) && im_mem_compare(im_mem_group_key(c), op->after) > 0)
            im_mem_list_add(&list, c);
    }
    if (list.count > 0)
        qsort(list.items, list.count, sizeof *list.items, by_group);
    for (size_t i = 0; i < list.count && i < op->limit; i++)
        add_group(m, block, list.items[i], op->key);
    op->more = list.count > op->limit;
    free(list.items);
}

enum im_reason im_mem_groups(struct im_memory *m, struct im_store_groups *op)
{
    struct im_block block = {.kind = IM_ROW_GROUP};
    if (op->group.p) {
        const struct im_mem_conv *c = im_mem_group_find(m, op->group);
        if (c == NULL || !knows(m, c, op->key))
            return IM_NO_SUCH_GROUP;
        add_group(m, &block, c, op->key);
    } else {
        list_groups(m, op, &block);
    }
    op->rows = im_block_finish(&block, &op->count);
    return IM_OK;
}

static int by_member(const void *a, const void *b)
{
    const struct im_mem_view *x = *(const struct im_mem_view *const *)a, *y = *(const struct im_mem_view *const *)b;
    return im_mem_compare(im_mem_key(x->user), im_mem_key(y->user));
}

static void list_members(const struct im_mem_conv *c, struct im_store_members *op, enum im_role least)
{
    struct im_block block = {.kind = IM_ROW_MEMBER};
    struct im_mem_list list = {0};
    for (size_t i = 0; i < c->view_count; i++)
        if (c->views[i]->role >= least && im_mem_compare(im_mem_key(c->views[i]->user), op->after) > 0)
            im_mem_list_add(&list, c->views[i]);
    if (list.count > 0)
        qsort(list.items, list.count, sizeof *list.items, by_member);
    for (size_t i = 0; i < list.count && i < op->limit; i++) {
        const struct im_mem_view *v = list.items[i];
        im_block_add(&block, &(struct im_member_row){.name = im_mem_name(v->user), .role = v->role});
    }
    op->more = list.count > op->limit;
    op->rows = im_block_finish(&block, &op->count);
    free(list.items);
}

enum im_reason im_mem_members(struct im_memory *m, struct im_store_members *op)
{
    const struct im_mem_conv *c = im_mem_group_find(m, op->group);
    if (c == NULL || !knows(m, c, op->key))
        return IM_NO_SUCH_GROUP;
    enum im_role role = IM_ROLE_OWNER;
    if (op->key.p) {
        const struct im_mem_view *v = im_mem_view_find(m, c, im_mem_user_find(m, op->key));
        role = v ? v->role : IM_ROLE_NONE;
    }
    if (im_may(role, IM_MAY_READ, IM_ROLE_NONE) != IM_OK)
        return IM_NOT_MEMBER;
    list_members(c, op, im_may(role, IM_MAY_BAN, IM_ROLE_NONE) == IM_OK ? IM_ROLE_BANNED : IM_ROLE_MUTED);
    return IM_OK;
}
