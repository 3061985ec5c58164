#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stores/memory.h"
#include "stores/result.h"

struct im_mem_user *im_mem_user_find(const struct im_memory *m, struct im_str key)
{
    struct im_mem_user *u;
    HASH_FIND_BYHASHVALUE(hh, m->users, key.p, key.len, im_hash(m->hash_key, key.p, key.len), u);
    return u;
}

struct im_mem_user *im_mem_user_need(struct im_memory *m, struct im_str key, struct im_str name)
{
    struct im_mem_user *u = im_mem_user_find(m, key);
    if (u)
        return u;
    u = im_zalloc(sizeof *u);
    u->id = HASH_COUNT(m->users) + 1;
    u->key = im_strndup(key.p, key.len);
    u->key_len = key.len;
    u->name = im_strndup(name.p, name.len);
    u->name_len = name.len;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, m->users, u->key, u->key_len, im_hash(m->hash_key, key.p, key.len), u);
    return u;
}

void im_mem_device_free(struct im_mem_user *u, size_t at)
{
    free(u->devices[at].name);
    u->devices[at] = u->devices[--u->device_count];
}

void im_mem_user_free(struct im_mem_user *u)
{
    while (u->device_count > 0)
        im_mem_device_free(u, u->device_count - 1);
    free(u->devices);
    free(u->views);
    free(u->blocked);
    free(u->key);
    free(u->name);
    free(u->before);
    free(u);
}

bool im_mem_blocks(const struct im_mem_user *u, const struct im_mem_user *other)
{
    for (size_t i = 0; i < u->blocked_count; i++)
        if (u->blocked[i] == other)
            return true;
    return false;
}

static struct im_str device_name(const struct im_mem_device *d)
{
    return (struct im_str){d->name, d->name_len};
}

static struct im_mem_device *find_device(const struct im_mem_user *u, struct im_str name)
{
    for (size_t i = 0; i < u->device_count; i++)
        if (im_str_eq(name, device_name(&u->devices[i])))
            return &u->devices[i];
    return NULL;
}

static bool is_hook(const struct im_mem_device *d)
{
    return im_device_is_hook((struct im_str){d->name, d->name_len});
}

uint64_t im_mem_furthest(const struct im_mem_user *u)
{
    uint64_t furthest = 0;
    for (size_t i = 0; i < u->device_count; i++)
        if (u->devices[i].cursor > furthest && !is_hook(&u->devices[i]))
            furthest = u->devices[i].cursor;
    return furthest;
}

/* Of the named devices but this one, those beyond the limit go that were unseen for longest. */
static void make_room(struct im_mem_user *u, struct im_str keep, uint32_t most)
{
    for (;;) {
        size_t named = 0, oldest = u->device_count;
        for (size_t i = 0; i < u->device_count; i++) {
            const struct im_mem_device *d = &u->devices[i];
            bool counts = d->name_len > 0 && !is_hook(d);
            named += counts;
            if (counts && !im_str_eq(keep, device_name(d)) &&
                (oldest == u->device_count || d->seen_ms < u->devices[oldest].seen_ms))
                oldest = i;
        }
        if (named <= most || oldest == u->device_count)
            return;
        im_mem_device_free(u, oldest);
    }
}

static struct im_mem_device *add_device(struct im_mem_user *u, struct im_str name, uint32_t most)
{
    u->devices = im_realloc(u->devices, (u->device_count + 1) * sizeof *u->devices);
    u->devices[u->device_count] = (struct im_mem_device){
        .name = im_strndup(name.p, name.len), .name_len = name.len, .cursor = im_mem_furthest(u)};
    u->device_count++;
    if (most > 0)
        make_room(u, name, most);
    return find_device(u, name);
}

static void claim(struct im_mem_user *u, struct im_str name)
{
    if (!u->claimed && !im_str_eq(name, im_mem_name(u))) {
        u->before = u->name;
        u->name = im_strndup(name.p, name.len);
        u->name_len = name.len;
    }
    u->claimed = true;
}

static void list_seats(const struct im_mem_user *u, struct im_store_login *op)
{
    struct im_block seats = {.kind = IM_ROW_SEAT}, blocked = {.kind = IM_ROW_KEY};
    for (size_t i = 0; i < u->view_count; i++) {
        const struct im_mem_view *v = u->views[i];
        if (im_role_member(v->role))
            im_block_add(&seats, &(struct im_seat_row){im_mem_group_name(v->conv), im_mem_group_key(v->conv), v->role,
                                                       v->conv->members});
    }
    for (size_t i = 0; i < u->blocked_count; i++)
        im_block_add(&blocked, &(struct im_str){u->blocked[i]->key, u->blocked[i]->key_len});
    op->seats = im_block_finish(&seats, &op->seat_count);
    op->blocked = im_block_finish(&blocked, &op->blocked_count);
}

enum im_reason im_mem_login(struct im_memory *m, struct im_store_login *op)
{
    struct im_mem_user *u = im_mem_user_need(m, op->key, op->text);
    struct im_str name = op->device.p ? op->device : IM_STR("");
    claim(u, op->text);
    struct im_mem_device *d = find_device(u, name);
    if (d == NULL)
        d = add_device(u, name, op->max_devices);
    if (d->seen_ms < op->ts_ms)
        d->seen_ms = op->ts_ms;
    snprintf(op->name, sizeof op->name, "%s", u->name);
    op->cursor = d->cursor;
    op->furthest = im_mem_furthest(u);
    op->head = im_mem_head(m);
    list_seats(u, op);
    return IM_OK;
}

enum im_reason im_mem_cursors(struct im_memory *m, const struct im_store_cursors *op)
{
    for (size_t i = 0; i < op->count; i++) {
        const struct im_mem_user *u = im_mem_user_find(m, op->rows[i].key);
        struct im_mem_device *d = u ? find_device(u, op->rows[i].device) : NULL;
        if (d && d->cursor < op->rows[i].pos)
            d->cursor = op->rows[i].pos;
        if (d && d->seen_ms < op->ts_ms)
            d->seen_ms = op->ts_ms;
    }
    return IM_OK;
}

static void unblock(struct im_mem_user *u, const struct im_mem_user *other)
{
    for (size_t i = 0; i < u->blocked_count; i++)
        if (u->blocked[i] == other) {
            u->blocked[i] = u->blocked[--u->blocked_count];
            return;
        }
}

enum im_reason im_mem_block(struct im_memory *m, const struct im_store_block *op)
{
    struct im_mem_user *u = im_mem_user_find(m, op->key), *other = im_mem_user_find(m, op->other);
    if (!op->on) {
        if (u && other)
            unblock(u, other);
        return IM_OK;
    }
    if (u && other && im_mem_blocks(u, other))
        return IM_OK;
    if (op->max > 0 && u && u->blocked_count >= op->max)
        return IM_TOO_MANY;
    u = im_mem_user_need(m, op->key, op->key);
    other = im_mem_user_need(m, op->other, op->other_text);
    u->blocked = im_mem_grow(u->blocked, u->blocked_count, &u->blocked_room, sizeof(void *));
    u->blocked[u->blocked_count++] = other;
    return IM_OK;
}

enum im_reason im_mem_device_drop(struct im_memory *m, const struct im_store_device_drop *op)
{
    struct im_mem_user *u = im_mem_user_find(m, op->key);
    const struct im_mem_device *d = u ? find_device(u, op->device) : NULL;
    if (d == NULL)
        return IM_NO_SUCH_DEVICE;
    im_mem_device_free(u, (size_t)(d - u->devices));
    return IM_OK;
}

static int by_device(const void *a, const void *b)
{
    const struct im_mem_device *x = *(const struct im_mem_device *const *)a,
                               *y = *(const struct im_mem_device *const *)b;
    return im_mem_compare(device_name(x), device_name(y));
}

enum im_reason im_mem_devices(struct im_memory *m, struct im_store_devices *op)
{
    const struct im_mem_user *u = im_mem_user_find(m, op->key);
    struct im_block block = {.kind = IM_ROW_DEVICE};
    struct im_mem_list list = {0};
    for (size_t i = 0; u && i < u->device_count; i++)
        im_mem_list_add(&list, &u->devices[i]);
    if (list.count > 0)
        qsort(list.items, list.count, sizeof *list.items, by_device);
    for (size_t i = 0; i < list.count; i++) {
        const struct im_mem_device *d = list.items[i];
        im_block_add(&block,
                     &(struct im_device_row){.name = device_name(d), .cursor = d->cursor, .seen_ms = d->seen_ms});
    }
    free(list.items);
    op->rows = im_block_finish(&block, &op->count);
    return IM_OK;
}

static int by_user(const void *a, const void *b)
{
    const struct im_mem_user *x = *(const struct im_mem_user *const *)a, *y = *(const struct im_mem_user *const *)b;
    return im_mem_compare(im_mem_key(x), im_mem_key(y));
}

static void list_users(const struct im_memory *m, const struct im_store_users *op, struct im_mem_list *list)
{
    struct im_mem_user *u, *next;
    if (op->blocked_by.p) {
        const struct im_mem_user *by = im_mem_user_find(m, op->blocked_by);
        for (size_t i = 0; by && i < by->blocked_count; i++)
            im_mem_list_add(list, by->blocked[i]);
        return;
    }
    HASH_ITER(hh, m->users, u, next)
    {
        if (im_mem_compare(im_mem_key(u), op->after) > 0)
            im_mem_list_add(list, u);
    }
}

enum im_reason im_mem_users(struct im_memory *m, struct im_store_users *op)
{
    struct im_block block = {.kind = IM_ROW_USER};
    struct im_mem_list list = {0};
    list_users(m, op, &list);
    if (list.count > 0)
        qsort(list.items, list.count, sizeof *list.items, by_user);
    for (size_t i = 0; i < list.count && (op->blocked_by.p || i < op->limit); i++) {
        const struct im_mem_user *u = list.items[i];
        im_block_add(&block, &(struct im_user_row){im_mem_name(u), im_mem_key(u), u->claimed});
    }
    op->rows = im_block_finish(&block, &op->count);
    op->more = op->count < list.count;
    free(list.items);
    return IM_OK;
}
