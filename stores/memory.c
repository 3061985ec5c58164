#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/counters.h"
#include "core/hash.h"
#include "core/mem.h"
#include "stores/result.h"
#include "stores/stores.h"

#define uthash_malloc(size) im_alloc(size)
#include <uthash.h>

/* The log in memory: for tests, and for those who want nothing kept. One thread; work is done inside drain(). It holds
 * the very events it was given, so that what is replayed shares its encodings with what was sent live. */

struct conv;

struct device {
    char *name;
    size_t name_len;
    uint64_t cursor;
};

struct user {
    UT_hash_handle hh;
    uint64_t id;
    char *key, *name;
    size_t key_len, name_len;
    bool claimed; /* its owner has been here, and wrote the name so */
    struct conv **convs;
    size_t conv_count, conv_room;
    struct device *devices;
    size_t device_count;
};

struct conv {
    UT_hash_handle hh;
    uint64_t users[2]; /* ids, the lower one first: the key */
    struct user *a, *b;
    uint64_t read_seq[2]; /* of a and b */
    uint64_t *events;     /* pos by seq - 1 */
    size_t count, room;
};

struct sent {
    UT_hash_handle hh;
    uint64_t pos;
    size_t key_len;
    char key[]; /* the sender's id, 8 bytes, and the cid */
};

struct record {
    struct im_event *event;
    struct user *from, *to;
};

struct memory {
    struct im_store base;
    void (*wake)(void *arg);
    void *wake_arg;
    struct im_counters *counters;
    uint8_t hash_key[IM_HASH_KEY_BYTES];
    struct im_store_op *first, **last; /* submitted */
    struct record *log;                /* by pos - 1 */
    size_t head, room;
    struct user *users;
    struct conv *convs;
    struct sent *sent;
};

static void *grow(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return array;
    *room = *room ? *room * 2 : 4;
    return im_realloc(array, *room * size);
}

static struct user *find_user(const struct memory *m, struct im_str key)
{
    struct user *u;
    HASH_FIND_BYHASHVALUE(hh, m->users, key.p, key.len, im_hash(m->hash_key, key.p, key.len), u);
    return u;
}

static struct user *need_user(struct memory *m, struct im_str key, struct im_str name)
{
    struct user *u = find_user(m, key);
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

static struct conv *find_conv(const struct memory *m, const struct user *a, const struct user *b)
{
    uint64_t key[2] = {a->id < b->id ? a->id : b->id, a->id < b->id ? b->id : a->id};
    struct conv *c;
    HASH_FIND_BYHASHVALUE(hh, m->convs, key, sizeof key, im_hash(m->hash_key, key, sizeof key), c);
    return c;
}

static void add_conv(struct user *u, struct conv *c)
{
    u->convs = grow(u->convs, u->conv_count, &u->conv_room, sizeof *u->convs);
    u->convs[u->conv_count++] = c;
}

static struct conv *need_conv(struct memory *m, struct user *from, struct user *to)
{
    struct conv *c = find_conv(m, from, to);
    if (c)
        return c;
    c = im_zalloc(sizeof *c);
    c->a = from->id < to->id ? from : to;
    c->b = from->id < to->id ? to : from;
    c->users[0] = c->a->id;
    c->users[1] = c->b->id;
    unsigned hash = im_hash(m->hash_key, c->users, sizeof c->users);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, m->convs, c->users, sizeof c->users, hash, c);
    add_conv(c->a, c);
    if (c->b != c->a)
        add_conv(c->b, c);
    return c;
}

static bool named(struct im_str s, const struct user *u)
{
    return im_str_eq(s, (struct im_str){u->name, u->name_len});
}

/* The event at pos, its users named as they are now: a name may have changed since, once, when its owner came. */
static struct im_event *event_at(struct memory *m, uint64_t pos)
{
    struct record *r = &m->log[pos - 1];
    const struct im_msg *msg = &r->event->msg;
    if (!named(msg->from, r->from) || !named(msg->to, r->to)) {
        struct im_msg renamed = *msg;
        renamed.from = (struct im_str){r->from->name, r->from->name_len};
        renamed.to = (struct im_str){r->to->name, r->to->name_len};
        struct im_event *event = im_event_msg(&renamed);
        im_event_drop(&r->event);
        r->event = event;
    }
    return im_event_hold(r->event);
}

static struct sent *sent_new(const struct user *from, struct im_str cid)
{
    struct sent *s = im_alloc(sizeof *s + sizeof from->id + cid.len);
    s->key_len = sizeof from->id + cid.len;
    memcpy(s->key, &from->id, sizeof from->id);
    memcpy(s->key + sizeof from->id, cid.p, cid.len);
    return s;
}

/* The pos under which (from, cid) is known; if it is not known yet, it is from now on, and the answer is pos. */
static uint64_t sent_before(struct memory *m, const struct user *from, struct im_str cid, uint64_t pos)
{
    struct sent *s = sent_new(from, cid), *known;
    unsigned hash = im_hash(m->hash_key, s->key, s->key_len);
    HASH_FIND_BYHASHVALUE(hh, m->sent, s->key, s->key_len, hash, known);
    if (known) {
        free(s);
        return known->pos;
    }
    s->pos = pos;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, m->sent, s->key, s->key_len, hash, s);
    return pos;
}

static void log_append(struct memory *m, struct im_event *event, struct user *from, struct user *to)
{
    struct conv *c = need_conv(m, from, to);
    m->log = grow(m->log, m->head, &m->room, sizeof *m->log);
    m->log[m->head++] = (struct record){im_event_hold(event), from, to};
    c->events = grow(c->events, c->count, &c->room, sizeof *c->events);
    c->events[c->count++] = m->head;
    event->msg.pos = m->head;
    event->msg.seq = c->count;
    c->read_seq[from != c->a] = c->count;
}

static enum im_reason do_append(struct memory *m, struct im_store_append *op)
{
    const struct im_msg *msg = &op->event->msg;
    if (msg->kind != IM_CONV_DIRECT)
        return IM_NO_SUCH_GROUP;
    struct user *from = need_user(m, msg->from_key, msg->from);
    if (msg->cid.p) {
        uint64_t pos = sent_before(m, from, msg->cid, m->head + 1);
        if (pos <= m->head) {
            op->earlier = event_at(m, pos);
            return IM_OK;
        }
    }
    log_append(m, op->event, from, need_user(m, msg->to_key, msg->to));
    return IM_OK;
}

static struct device *find_device(struct user *u, struct im_str name)
{
    for (size_t i = 0; i < u->device_count; i++)
        if (im_str_eq(name, (struct im_str){u->devices[i].name, u->devices[i].name_len}))
            return &u->devices[i];
    return NULL;
}

static struct device *add_device(struct user *u, struct im_str name)
{
    uint64_t furthest = 0;
    for (size_t i = 0; i < u->device_count; i++)
        if (u->devices[i].cursor > furthest)
            furthest = u->devices[i].cursor;
    u->devices = im_realloc(u->devices, (u->device_count + 1) * sizeof *u->devices);
    struct device *d = &u->devices[u->device_count++];
    *d = (struct device){im_strndup(name.p, name.len), name.len, furthest};
    return d;
}

static enum im_reason do_login(struct memory *m, struct im_store_login *op)
{
    struct user *u = need_user(m, op->key, op->text);
    if (!u->claimed && !named(op->text, u)) {
        free(u->name);
        u->name = im_strndup(op->text.p, op->text.len);
        u->name_len = op->text.len;
    }
    u->claimed = true;
    struct device *d = find_device(u, op->device);
    if (d == NULL)
        d = add_device(u, op->device);
    snprintf(op->name, sizeof op->name, "%s", u->name);
    op->cursor = d->cursor;
    op->head = m->head;
    return IM_OK;
}

static enum im_reason do_cursors(struct memory *m, const struct im_store_cursors *op)
{
    for (size_t i = 0; i < op->count; i++) {
        struct user *u = find_user(m, op->rows[i].key);
        struct device *d = u ? find_device(u, op->rows[i].device) : NULL;
        if (d && d->cursor < op->rows[i].pos)
            d->cursor = op->rows[i].pos;
    }
    return IM_OK;
}

/* How many of the conversation's events have a pos up to this one. */
static size_t count_upto(const struct conv *c, uint64_t pos)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->events[middle] <= pos)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void merge_start(struct im_merge *merge, const struct user *u, uint64_t after)
{
    for (size_t i = 0; u && i < u->conv_count; i++) {
        const struct conv *c = u->convs[i];
        size_t at = count_upto(c, after);
        if (at < c->count)
            im_merge_add(merge, (struct im_merge_item){.pos = c->events[at], .source = i, .at = at});
    }
}

static enum im_reason do_since(struct memory *m, struct im_store_since *op)
{
    const struct user *u = find_user(m, op->key);
    struct im_page page = im_page(op->limit, op->bytes);
    struct im_merge merge = {0};
    merge_start(&merge, u, op->after);
    op->upto = op->after > m->head ? op->after : m->head;
    for (const struct im_merge_item *i; (i = im_merge_first(&merge));) {
        if (im_page_full(&page)) {
            op->upto = page.events[page.count - 1]->msg.pos;
            break;
        }
        im_page_add(&page, event_at(m, i->pos));
        const struct conv *c = u->convs[i->source];
        if (i->at + 1 < c->count)
            im_merge_replace(&merge, (struct im_merge_item){c->events[i->at + 1], i->source, i->at + 1});
        else
            im_merge_remove(&merge);
    }
    im_merge_clear(&merge);
    op->events = page.events;
    op->count = page.count;
    return IM_OK;
}

static enum im_reason do_history(struct memory *m, struct im_store_history *op)
{
    const struct user *u = find_user(m, op->key), *peer = find_user(m, op->peer);
    const struct conv *c = op->kind == IM_CONV_DIRECT && u && peer ? find_conv(m, u, peer) : NULL;
    if (c == NULL)
        return IM_OK;
    struct im_page page = im_page(op->limit, op->bytes);
    if (op->has_after) {
        size_t seq = op->after < c->count ? (size_t)op->after : c->count;
        for (; seq < c->count && !im_page_full(&page); seq++)
            im_page_add(&page, event_at(m, c->events[seq]));
        op->more = seq < c->count;
    } else {
        size_t seq = op->before && op->before <= c->count ? (size_t)op->before - 1 : c->count;
        for (; seq > 0 && !im_page_full(&page); seq--)
            im_page_add(&page, event_at(m, c->events[seq - 1]));
        op->more = seq > 0;
        im_page_reverse(&page);
    }
    op->events = page.events;
    op->count = page.count;
    return IM_OK;
}

static int newest_first(const void *a, const void *b)
{
    const struct conv *x = *(const struct conv *const *)a, *y = *(const struct conv *const *)b;
    return x->events[x->count - 1] < y->events[y->count - 1] ? 1 : -1;
}

static enum im_reason do_conversations(struct memory *m, struct im_store_conversations *op)
{
    const struct user *u = find_user(m, op->key);
    if (u == NULL || u->conv_count == 0)
        return IM_OK;
    const struct conv **sorted = im_alloc(u->conv_count * sizeof *sorted);
    for (size_t i = 0; i < u->conv_count; i++)
        sorted[i] = u->convs[i];
    qsort(sorted, u->conv_count, sizeof *sorted, newest_first);
    struct im_rows rows = {.limit_bytes = op->bytes};
    for (size_t i = 0; i < u->conv_count && i < op->limit; i++) {
        const struct conv *c = sorted[i];
        const struct user *peer = c->a == u ? c->b : c->a;
        uint64_t read_seq = c->read_seq[u != c->a];
        struct im_conv_row row = {.name = {peer->name, peer->name_len},
                                  .last = im_rows_full(&rows) ? NULL : event_at(m, c->events[c->count - 1]),
                                  .last_seq = c->count,
                                  .unread = c->count - read_seq,
                                  .read_seq = read_seq};
        im_rows_add(&rows, &row);
    }
    free(sorted);
    op->count = rows.count;
    op->rows = im_rows_finish(&rows);
    return IM_OK;
}

static enum im_reason do_stats(const struct memory *m, struct im_store_stats *op)
{
    op->events = op->head = m->head;
    op->users = HASH_COUNT(m->users);
    op->conversations = HASH_COUNT(m->convs);
    op->bytes = 0;
    return IM_OK;
}

static enum im_reason perform(struct memory *m, struct im_store_op *op)
{
    switch (op->kind) {
    case IM_STORE_APPEND:
        return do_append(m, (struct im_store_append *)op);
    case IM_STORE_LOGIN:
        return do_login(m, (struct im_store_login *)op);
    case IM_STORE_CURSORS:
        return do_cursors(m, (struct im_store_cursors *)op);
    case IM_STORE_SINCE:
        return do_since(m, (struct im_store_since *)op);
    case IM_STORE_HISTORY:
        return do_history(m, (struct im_store_history *)op);
    case IM_STORE_CONVERSATIONS:
        return do_conversations(m, (struct im_store_conversations *)op);
    case IM_STORE_STATS:
        return do_stats(m, (struct im_store_stats *)op);
    }
    abort();
}

static void memory_submit(struct im_store *store, struct im_store_op *op)
{
    struct memory *m = (struct memory *)store;
    bool idle = m->first == NULL;
    op->next = NULL;
    *m->last = op;
    m->last = &op->next;
    if (idle)
        m->wake(m->wake_arg);
}

static size_t memory_drain(struct im_store *store)
{
    struct memory *m = (struct memory *)store;
    struct im_store_op *op = m->first, *next;
    size_t count = 0, writes = 0;
    m->first = NULL;
    m->last = &m->first;
    for (; op; op = next, count++) {
        next = op->next;
        writes += op->kind < IM_STORE_FIRST_READ;
        im_result_start(op);
        op->status = perform(m, op);
        op->done(op);
    }
    if (m->counters && writes > 0)
        m->counters->n[IM_C_STORE_COMMITS]++;
    return count;
}

static void free_user(struct user *u)
{
    for (size_t i = 0; i < u->device_count; i++)
        free(u->devices[i].name);
    free(u->devices);
    free(u->convs);
    free(u->key);
    free(u->name);
    free(u);
}

static void memory_close(struct im_store **store)
{
    struct memory *m = (struct memory *)*store;
    *store = NULL;
    struct user *u, *next_user;
    HASH_ITER(hh, m->users, u, next_user)
    {
        HASH_DEL(m->users, u);
        free_user(u);
    }
    struct conv *c, *next_conv;
    HASH_ITER(hh, m->convs, c, next_conv)
    {
        HASH_DEL(m->convs, c);
        free(c->events);
        free(c);
    }
    struct sent *s, *next_sent;
    HASH_ITER(hh, m->sent, s, next_sent)
    {
        HASH_DEL(m->sent, s);
        free(s);
    }
    for (size_t i = 0; i < m->head; i++)
        im_event_drop(&m->log[i].event);
    free(m->log);
    free(m);
}

static const struct im_store_ops memory_ops = {"memory", memory_submit, memory_drain, memory_close};

enum im_reason im_store_memory_open(const struct im_store_options *options, struct im_store **out,
                                    struct im_error *error)
{
    (void)error;
    struct memory *m = im_zalloc(sizeof *m);
    m->base.ops = &memory_ops;
    m->wake = options->wake;
    m->wake_arg = options->wake_arg;
    m->counters = options->counters;
    m->last = &m->first;
    memcpy(m->hash_key, options->epoch_seed, sizeof m->hash_key);
    /* The seed is the secret key of the hash tables, and clients are told the epoch: a hash of it, not itself. */
    for (unsigned i = 0; i < 4; i++)
        snprintf(m->base.epoch + i * 8, 9, "%08x", im_hash(m->hash_key, &i, sizeof i));
    *out = &m->base;
    return IM_OK;
}
