#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "stores/memory.h"
#include "stores/result.h"

/* Records' keys in the tables: the kind, and the rest. */
static size_t put_key(char *out, enum im_record_kind kind, struct im_str key)
{
    out[0] = (char)kind;
    if (key.len > 0)
        memcpy(out + 1, key.p, key.len);
    return 1 + key.len;
}

/* An owner's length comes first, lest two pairs look alike. */
static size_t put_name(char *out, enum im_record_kind kind, struct im_str owner, struct im_str name)
{
    out[0] = (char)kind;
    memcpy(out + 1, &owner.len, sizeof owner.len);
    memcpy(out + 1 + sizeof owner.len, owner.p, owner.len);
    memcpy(out + 1 + sizeof owner.len + owner.len, name.p, name.len);
    return 1 + sizeof owner.len + owner.len + name.len;
}

static struct im_mem_row *find_key(const struct im_memory *m, enum im_record_kind kind, struct im_str key)
{
    char *id = im_alloc(1 + key.len);
    size_t len = put_key(id, kind, key);
    struct im_mem_row *row;
    HASH_FIND_BYHASHVALUE(hh, m->rows, id, len, im_hash(m->hash_key, id, len), row);
    free(id);
    return row;
}

static struct im_mem_row *find_name(const struct im_memory *m, enum im_record_kind kind, struct im_str owner,
                                    struct im_str name)
{
    char *id = im_alloc(1 + sizeof owner.len + owner.len + name.len);
    size_t len = put_name(id, kind, owner, name);
    struct im_mem_row *row;
    HASH_FIND_BYHASHVALUE(by_name, m->rows_by_name, id, len, im_hash(m->hash_key, id, len), row);
    free(id);
    return row;
}

static struct im_str keep(char **at, struct im_str s)
{
    struct im_str copy = {s.p ? *at : NULL, s.len};
    if (s.len > 0)
        memcpy(*at, s.p, s.len);
    *at += s.len;
    return copy;
}

static void add_row(struct im_memory *m, const struct im_record *r)
{
    struct im_mem_row *row = im_zalloc(sizeof *row);
    size_t lens = r->key.len + r->owner.len + r->name.len;
    row->id = im_alloc(2 + sizeof lens + 2 * lens + r->value.len);
    row->key_len = put_key(row->id, r->kind, r->key);
    char *at = row->id + row->key_len, *by_name = at;
    if (r->owner.p && r->name.p)
        at += put_name(by_name, r->kind, r->owner, r->name);
    size_t name_len = (size_t)(at - by_name);
    row->record = *r;
    row->record.key = keep(&at, r->key);
    row->record.owner = keep(&at, r->owner);
    row->record.name = keep(&at, r->name);
    row->record.value = keep(&at, r->value);
    unsigned hash = im_hash(m->hash_key, row->id, row->key_len);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, m->rows, row->id, row->key_len, hash, row);
    if (name_len == 0)
        return;
    hash = im_hash(m->hash_key, by_name, name_len);
    HASH_ADD_KEYPTR_BYHASHVALUE(by_name, m->rows_by_name, by_name, name_len, hash, row);
}

void im_mem_row_free(struct im_memory *m, struct im_mem_row *row)
{
    HASH_DELETE(hh, m->rows, row);
    if (row->record.owner.p && row->record.name.p)
        HASH_DELETE(by_name, m->rows_by_name, row);
    free(row->id);
    free(row);
}

struct im_str im_mem_record_value(const struct im_memory *m, enum im_record_kind kind, struct im_str key)
{
    const struct im_mem_row *row = find_key(m, kind, key);
    return row ? row->record.value : (struct im_str){0};
}

static bool as_expected(const struct im_mem_row *row, struct im_str expect)
{
    if (row == NULL || expect.p == NULL)
        return row == NULL && expect.p == NULL;
    return im_str_eq(row->record.value, expect);
}

enum im_reason im_mem_record_put(struct im_memory *m, const struct im_store_record_put *op)
{
    const struct im_record *r = &op->record;
    struct im_mem_row *row = find_key(m, r->kind, r->key);
    if (op->check && !as_expected(row, op->expect))
        return IM_CONFLICT;
    if (row)
        im_mem_row_free(m, row);
    row = r->owner.p && r->name.p ? find_name(m, r->kind, r->owner, r->name) : NULL;
    if (row)
        im_mem_row_free(m, row);
    add_row(m, r);
    return IM_OK;
}

static bool same(struct im_str wanted, struct im_str is)
{
    return wanted.p == NULL || (is.p && im_str_eq(wanted, is));
}

enum im_reason im_mem_record_drop(struct im_memory *m, struct im_store_record_drop *op)
{
    struct im_mem_row *row, *next;
    if (op->key.p) {
        row = find_key(m, op->kind, op->key);
        op->count = row != NULL;
        if (row)
            im_mem_row_free(m, row);
        return IM_OK;
    }
    assert(op->owner.p);
    HASH_ITER(hh, m->rows, row, next)
    {
        const struct im_record *r = &row->record;
        if (r->kind != op->kind || !same(op->owner, r->owner) || !same(op->name, r->name))
            continue;
        im_mem_row_free(m, row);
        op->count++;
    }
    return IM_OK;
}

static int by_key(const void *a, const void *b)
{
    const struct im_mem_row *x = *(const struct im_mem_row *const *)a, *y = *(const struct im_mem_row *const *)b;
    return im_mem_compare(x->record.key, y->record.key);
}

static void list_records(const struct im_memory *m, struct im_store_records *op, struct im_block *block)
{
    struct im_mem_list list = {0};
    struct im_mem_row *row, *next;
    HASH_ITER(hh, m->rows, row, next)
    {
        const struct im_record *r = &row->record;
        if (r->kind == op->kind && same(op->owner, r->owner) && im_mem_compare(r->key, op->after) > 0)
            im_mem_list_add(&list, row);
    }
    if (list.count > 0)
        qsort(list.items, list.count, sizeof *list.items, by_key);
    for (size_t i = 0; i < list.count && i < op->limit; i++)
        im_block_add(block, &((struct im_mem_row *)list.items[i])->record);
    op->more = list.count > op->limit;
    free(list.items);
}

enum im_reason im_mem_records(struct im_memory *m, struct im_store_records *op)
{
    struct im_block block = {.kind = IM_ROW_RECORD};
    if (op->key.p) {
        const struct im_mem_row *row = find_key(m, op->kind, op->key);
        if (row)
            im_block_add(&block, &row->record);
    } else {
        list_records(m, op, &block);
    }
    op->rows = im_block_finish(&block, &op->count);
    return IM_OK;
}
