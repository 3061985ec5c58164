#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "stores/memory.h"

/* Events as the log keeps them: one after the other in blocks, without what is known elsewhere. Most of a long log is
 * never read again. */

#define LARGE_BYTES (IM_MEM_BLOCK_BYTES / 8)

struct im_mem_block {
    size_t live; /* events in it that are not dropped */
};

struct im_mem_kept {
    uint64_t seq, ref;
    int64_t ts_ms;
    uint32_t body_len, mentions_len;
    uint16_t cid_len, mime_len, to_len, to_key_len;
    uint8_t type, kind, change, role, settings, keeps;
    bool alone; /* in no block */
    bool on, bot, hidden, deleted;
    bool has_body, has_mentions, has_cid, has_mime, has_to;
    char strings[]; /* body, mentions, cid, mime, to, to_key */
};

static void leave_block(struct im_memory *m)
{
    if (m->block && m->block->live == 0)
        im_mem_block_give(&m->blocks, m->block);
    m->block = NULL;
}

static struct im_mem_kept *room(struct im_memory *m, size_t size)
{
    size = (size + sizeof(uint64_t) - 1) / sizeof(uint64_t) * sizeof(uint64_t);
    if (size > LARGE_BYTES) {
        struct im_mem_kept *alone = im_alloc(size);
        alone->alone = true;
        return alone;
    }
    if (m->block == NULL || IM_MEM_BLOCK_BYTES - m->block_used < size) {
        leave_block(m);
        m->block = im_mem_block_take(&m->blocks);
        m->block->live = 0;
        m->block_used = sizeof *m->block;
    }
    struct im_mem_kept *kept = (struct im_mem_kept *)(void *)((char *)m->block + m->block_used);
    kept->alone = false;
    m->block->live++;
    m->block_used += size;
    return kept;
}

static char *put(char *at, struct im_str s)
{
    if (s.len > 0)
        memcpy(at, s.p, s.len);
    return at + s.len;
}

static struct im_str take(const char **at, bool there, size_t len)
{
    struct im_str s = {there ? *at : NULL, len};
    *at += len;
    return s;
}

struct im_mem_kept *im_mem_keep(struct im_memory *m, enum im_event_type type, const struct im_msg *msg, bool named)
{
    struct im_str to = named ? msg->to : (struct im_str){0}, to_key = named ? msg->to_key : (struct im_str){0};
    size_t strings = msg->body.len + msg->mentions.len + msg->cid.len + msg->mime.len + to.len + to_key.len;
    struct im_mem_kept *k = room(m, sizeof *k + strings);
    assert(msg->settings <= UINT8_MAX && msg->keeps <= UINT8_MAX && msg->body.len <= UINT32_MAX);
    k->seq = msg->seq;
    k->ref = msg->ref;
    k->ts_ms = msg->ts_ms;
    k->body_len = (uint32_t)msg->body.len;
    k->mentions_len = (uint32_t)msg->mentions.len;
    k->cid_len = (uint16_t)msg->cid.len;
    k->mime_len = (uint16_t)msg->mime.len;
    k->to_len = (uint16_t)to.len;
    k->to_key_len = (uint16_t)to_key.len;
    k->type = (uint8_t)type;
    k->kind = (uint8_t)msg->kind;
    k->change = (uint8_t)msg->change;
    k->role = (uint8_t)msg->role;
    k->settings = (uint8_t)msg->settings;
    k->keeps = (uint8_t)msg->keeps;
    k->on = msg->on;
    k->bot = msg->bot;
    k->hidden = msg->hidden;
    k->deleted = msg->deleted;
    k->has_body = msg->body.p != NULL;
    k->has_mentions = msg->mentions.p != NULL;
    k->has_cid = msg->cid.p != NULL;
    k->has_mime = msg->mime.p != NULL;
    k->has_to = named;
    put(put(put(put(put(put(k->strings, msg->body), msg->mentions), msg->cid), msg->mime), to), to_key);
    return k;
}

void im_mem_kept_drop(struct im_memory *m, struct im_mem_kept **kept)
{
    struct im_mem_kept *k = *kept;
    *kept = NULL;
    if (k == NULL)
        return;
    if (k->alone) {
        free(k);
        return;
    }
    struct im_mem_block *block = (struct im_mem_block *)(void *)((char *)k - (uintptr_t)k % IM_MEM_BLOCK_BYTES);
    if (--block->live == 0 && block != m->block)
        im_mem_block_give(&m->blocks, block);
}

enum im_event_type im_mem_type(const struct im_memory *m, uint64_t pos)
{
    return (enum im_event_type)im_mem_record(m, pos)->kept->type;
}

bool im_mem_hidden(const struct im_memory *m, uint64_t pos)
{
    return im_mem_record(m, pos)->kept->hidden;
}

int64_t im_mem_ts_ms(const struct im_memory *m, uint64_t pos)
{
    return im_mem_record(m, pos)->kept->ts_ms;
}

struct im_str im_mem_cid(const struct im_memory *m, uint64_t pos)
{
    const struct im_mem_kept *k = im_mem_record(m, pos)->kept;
    return (struct im_str){k->has_cid ? k->strings + k->body_len + k->mentions_len : NULL, k->cid_len};
}

/* Users and groups by the names they have now: a name may have changed since, once, when its owner came. */
static void name(struct im_msg *msg, const struct im_mem_record *r)
{
    msg->from = im_mem_name(r->from);
    msg->from_key = im_mem_key(r->from);
    if (r->to) {
        msg->to = im_mem_name(r->to);
        msg->to_key = im_mem_key(r->to);
    } else if (r->conv->kind == IM_CONV_GROUP) {
        msg->to = im_mem_group_name(r->conv);
        msg->to_key = im_mem_group_key(r->conv);
    }
    if (r->user) {
        msg->user = im_mem_name(r->user);
        msg->user_key = im_mem_key(r->user);
    }
}

struct im_msg im_mem_msg(const struct im_memory *m, uint64_t pos)
{
    const struct im_mem_record *r = im_mem_record(m, pos);
    const struct im_mem_kept *k = r->kept;
    const char *at = k->strings;
    struct im_msg msg = {.kind = (enum im_conv_kind)k->kind,
                         .pos = pos,
                         .seq = k->seq,
                         .ts_ms = k->ts_ms,
                         .ref = k->ref,
                         .on = k->on,
                         .bot = k->bot,
                         .hidden = k->hidden,
                         .change = (enum im_change)k->change,
                         .role = (enum im_role)k->role,
                         .settings = k->settings,
                         .keeps = k->keeps,
                         .deleted = k->deleted};
    msg.body = take(&at, k->has_body, k->body_len);
    msg.mentions = take(&at, k->has_mentions, k->mentions_len);
    msg.cid = take(&at, k->has_cid, k->cid_len);
    msg.mime = take(&at, k->has_mime, k->mime_len);
    msg.to = take(&at, k->has_to, k->to_len);
    msg.to_key = take(&at, k->has_to, k->to_key_len);
    name(&msg, r);
    return msg;
}

struct im_event *im_mem_event(const struct im_memory *m, uint64_t pos)
{
    struct im_msg msg = im_mem_msg(m, pos);
    return im_event_new(im_mem_type(m, pos), &msg);
}
