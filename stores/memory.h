#ifndef IM_STORES_MEMORY_H
#define IM_STORES_MEMORY_H

#include "core/hash.h"
#include "core/mem.h"
#include "core/store.h"

#define uthash_malloc(size)    im_alloc(size)
#define uthash_free(ptr, size) free(ptr)
#define HASH_FUNCTION(keyptr, keylen, hashv)                                                                           \
    do {                                                                                                               \
        (hashv) = 0; /* never used: every lookup gives the SipHash value itself */                                     \
    } while (0)
#include <uthash.h>
#include <utlist.h>

/* The log in memory: what the files of the memory store share. */

/* Elements of one size, added at the end and taken off the beginning. Zero-initialise; free items. */
struct im_mem_queue {
    char *items;
    size_t skip, count, room;
};
void *im_mem_queue_push(struct im_mem_queue *, size_t size);
void im_mem_queue_pop(struct im_mem_queue *, size_t size);

/* Numbers in ascending order, each once. Zero-initialise; free items. */
struct im_mem_seqs {
    uint64_t *items;
    size_t count, room;
};
void im_mem_seqs_add(struct im_mem_seqs *, uint64_t);
bool im_mem_seqs_has(const struct im_mem_seqs *, uint64_t);
size_t im_mem_seqs_after(const struct im_mem_seqs *, uint64_t); /* how many are greater */
void im_mem_seqs_trim(struct im_mem_seqs *, uint64_t upto);     /* drops those up to and with this one */

/* Things found, to be sorted. Zero-initialise; free items. */
struct im_mem_list {
    void **items;
    size_t count, room;
};
void im_mem_list_add(struct im_mem_list *, void *);

/* Memory for much, at multiples of its size. ahead: those that another thread makes ready; NULL at first. */
#define IM_MEM_PIECE_BYTES ((size_t)2 * 1024 * 1024) /* a large page where pages are of 4 KiB */
struct im_mem_ahead;                                 /* memory_piece.c */
char *im_mem_piece_take(struct im_mem_ahead *ahead, bool small_pages);
void im_mem_piece_give(char *piece);
void im_mem_piece_ahead(struct im_mem_ahead **ahead); /* one is to be ready soon */
void im_mem_ahead_end(struct im_mem_ahead **ahead);

/* Blocks of one size, at multiples of it. Zero-initialise. */
#define IM_MEM_BLOCK_BYTES ((size_t)64 * 1024)
struct im_mem_empty; /* memory_block.c */
struct im_mem_blocks {
    struct im_mem_list pieces; /* what they are cut from */
    struct im_mem_ahead *ahead;
    size_t cut; /* so many of the last piece */
    struct im_mem_empty *warm, *cold;
    size_t warm_count;
    bool ending; /* blocks need not be given back any more: all go at once */
};
void *im_mem_block_take(struct im_mem_blocks *); /* uninitialised */
void im_mem_block_give(struct im_mem_blocks *, void *block);
void im_mem_blocks_end(struct im_mem_blocks *); /* with all that were taken */

/* Room for one more element. */
void *im_mem_grow(void *array, size_t count, size_t *room, size_t size);
int im_mem_compare(struct im_str a, struct im_str b);

struct im_mem_device {
    char *name;
    size_t name_len;
    uint64_t cursor;
    int64_t seen_ms;
};

struct im_mem_user {
    UT_hash_handle hh;
    uint64_t id;
    char *key, *name;
    size_t key_len, name_len;
    bool claimed; /* its owner has been here, and wrote the name so */
    char *before; /* how it was written until then; NULL: no other way */
    struct im_mem_view **views;
    size_t view_count, view_room;
    struct im_mem_view *self; /* of the user's own log; NULL: there is none yet */
    uint32_t groups;          /* where the user is a member */
    struct im_mem_device *devices;
    size_t device_count;
    struct im_mem_user **blocked;
    size_t blocked_count, blocked_room;
};

/* What a user sees: events with a pos from this one up to that. */
struct im_mem_span {
    uint64_t from, upto;
};

/* A user's side of a conversation. */
struct im_mem_view {
    UT_hash_handle hh;
    uint64_t ids[2]; /* of conversation and user: the key */
    struct im_mem_conv *conv;
    struct im_mem_user *user;
    size_t at; /* among the user's */
    enum im_role role;
    struct im_mem_span *spans; /* in order, apart from each other */
    size_t span_count, span_room;
    uint64_t read_seq;
    uint64_t last_seq, last_pos; /* direct: the newest event that the user sees */
    struct im_mem_seqs gone;     /* messages deleted for oneself */
};

struct im_mem_reaction {
    const struct im_mem_user *user;
    bool hidden; /* from all but that user */
    char *emoji;
    size_t len;
};

/* What has become of a message. */
struct im_mem_state {
    struct im_mem_seqs edits; /* pos of each */
    struct im_mem_reaction *reactions;
    size_t reaction_count, reaction_room;
};

struct im_mem_slot {
    uint64_t pos;
    uint64_t messages;          /* of the conversation, up to and with this one; hidden ones do not count */
    struct im_mem_state *state; /* NULL: as it was sent */
};

struct im_mem_conv {
    UT_hash_handle hh; /* direct ones by users, groups by key until they are over */
    struct im_mem_conv *prev, *next;
    enum im_conv_kind kind;
    uint64_t id;
    uint64_t users[2]; /* direct: ids, the lower one first */
    char *key, *name, *topic;
    size_t key_len, name_len, topic_len;
    unsigned settings;
    uint32_t members, owners;
    int64_t created_ms;
    bool over; /* the group was deleted; another may have its name */
    struct im_mem_view **views;
    size_t view_count, view_room;
    struct im_mem_queue slots; /* by seq - 1 - base */
    uint64_t base;             /* so many were erased, the oldest ones, */
    uint64_t base_messages;    /* these messages among them */
    uint64_t last_pos;
    struct im_mem_seqs mentions; /* messages that mention somebody, or did */
    struct im_mem_seqs deleted;  /* messages deleted for all, of those that count */
};

struct im_mem_kept; /* memory_kept.c */

/* An event, and whose names are in it. */
struct im_mem_record {
    struct im_mem_kept *kept; /* NULL: erased */
    struct im_mem_conv *conv;
    struct im_mem_user *from, *to, *user; /* to: not of groups; user: may be NULL */
};

#define IM_MEM_BLOCK_RECORDS ((IM_MEM_BLOCK_BYTES - sizeof(uint64_t)) / sizeof(struct im_mem_record))
struct im_mem_records {
    uint64_t live; /* of those that are in use: whose events are not erased */
    struct im_mem_record at[IM_MEM_BLOCK_RECORDS];
};

struct im_mem_row {
    UT_hash_handle hh, by_name; /* by kind and key; by kind, owner and name, where both are given */
    struct im_record record;    /* its strings are in id, too */
    char *id;                   /* the keys of both tables, one after the other */
    size_t key_len;
};

struct im_memory {
    struct im_store base;
    void (*wake)(void *arg);
    void *wake_arg;
    struct im_counters *counters;
    uint8_t hash_key[IM_HASH_KEY_BYTES];
    struct im_store_op *first, **last; /* submitted */
    uint64_t hints_valid;              /* changes whenever a conversation is freed; never 0 */
    struct im_mem_blocks blocks;
    struct im_mem_list log; /* struct im_mem_records; NULL: all of them are erased */
    size_t log_count;       /* how many records they have, or had */
    uint64_t log_base, events;
    struct im_mem_block *block; /* where events are kept now; NULL: there is none */
    size_t block_used;
    struct im_mem_user *users;
    struct im_mem_view *views;
    struct im_mem_conv *direct, *groups; /* by key */
    struct im_mem_conv *convs;           /* all */
    uint64_t last_conv;
    struct im_mem_sent **sent; /* memory_sent.c */
    unsigned sent_depth;
    struct im_mem_row *rows, *rows_by_name;
};

static inline struct im_str im_mem_key(const struct im_mem_user *u)
{
    return (struct im_str){u->key, u->key_len};
}
static inline struct im_str im_mem_name(const struct im_mem_user *u)
{
    return (struct im_str){u->name, u->name_len};
}
static inline struct im_str im_mem_group_key(const struct im_mem_conv *c)
{
    return (struct im_str){c->key, c->key_len};
}
static inline struct im_str im_mem_group_name(const struct im_mem_conv *c)
{
    return (struct im_str){c->name, c->name_len};
}
static inline uint64_t im_mem_head(const struct im_memory *m)
{
    return m->log_base + m->log_count;
}
/* Of an event that is not erased. */
static inline struct im_mem_record *im_mem_record(const struct im_memory *m, uint64_t pos)
{
    size_t at = (size_t)(pos - 1 - m->log_base);
    struct im_mem_records *block = m->log.items[at / IM_MEM_BLOCK_RECORDS];
    return &block->at[at % IM_MEM_BLOCK_RECORDS];
}
static inline struct im_mem_slot *im_mem_slot(const struct im_mem_conv *c, size_t at)
{
    return (struct im_mem_slot *)(void *)c->slots.items + c->slots.skip + at;
}
static inline uint64_t im_mem_last_seq(const struct im_mem_conv *c)
{
    return c->base + c->slots.count;
}
/* The slot of a seq; false: there is none, or no more. */
static inline bool im_mem_at(const struct im_mem_conv *c, uint64_t seq, size_t *at)
{
    *at = (size_t)(seq - c->base - 1);
    return seq > c->base && seq <= im_mem_last_seq(c);
}

/* memory_log.c */
struct im_mem_record *im_mem_log_push(struct im_memory *);   /* at the head; uninitialised */
bool im_mem_log_has(const struct im_memory *, uint64_t pos); /* not erased, and not in the future */
void im_mem_log_erase(struct im_memory *, uint64_t pos);     /* which it has */
void im_mem_log_end(struct im_memory *);

/* memory_people.c */
struct im_mem_user *im_mem_user_find(const struct im_memory *, struct im_str key);
struct im_mem_user *im_mem_user_need(struct im_memory *, struct im_str key, struct im_str name);
void im_mem_user_free(struct im_mem_user *);
bool im_mem_blocks(const struct im_mem_user *, const struct im_mem_user *other);
uint64_t im_mem_furthest(const struct im_mem_user *); /* of the devices' cursors */
void im_mem_device_free(struct im_mem_user *, size_t at);
enum im_reason im_mem_login(struct im_memory *, struct im_store_login *);
enum im_reason im_mem_cursors(struct im_memory *, const struct im_store_cursors *);
enum im_reason im_mem_block(struct im_memory *, const struct im_store_block *);
enum im_reason im_mem_device_drop(struct im_memory *, const struct im_store_device_drop *);
enum im_reason im_mem_devices(struct im_memory *, struct im_store_devices *);
enum im_reason im_mem_users(struct im_memory *, struct im_store_users *);

/* memory_conv.c */
struct im_mem_conv *im_mem_direct_find(const struct im_memory *, const struct im_mem_user *,
                                       const struct im_mem_user *);
struct im_mem_conv *im_mem_direct_need(struct im_memory *, struct im_mem_user *, struct im_mem_user *);
struct im_mem_conv *im_mem_group_find(const struct im_memory *, struct im_str key);
struct im_mem_conv *im_mem_group_new(struct im_memory *, struct im_str key, struct im_str name);
struct im_mem_conv *im_mem_self_need(struct im_memory *, struct im_mem_user *);
void im_mem_group_over(struct im_memory *, struct im_mem_conv *); /* frees the name */
/* The conversation of a user with this peer or group; NULL: there is none. */
struct im_mem_conv *im_mem_conv_find(const struct im_memory *, const struct im_mem_user *, enum im_conv_kind,
                                     struct im_str peer);
struct im_mem_view *im_mem_view_find(const struct im_memory *, const struct im_mem_conv *, const struct im_mem_user *);
struct im_mem_view *im_mem_view_need(struct im_memory *, struct im_mem_conv *, struct im_mem_user *);
void im_mem_conv_free(struct im_memory *, struct im_mem_conv *);
/* Spans: from this pos on; up to this one, and no further; this event alone. */
void im_mem_span_open(struct im_mem_view *, uint64_t from);
void im_mem_span_close(struct im_mem_view *, uint64_t upto);
void im_mem_span_one(struct im_mem_view *, uint64_t pos);
/* How many of the conversation's events have a pos up to this one. */
size_t im_mem_upto(const struct im_mem_conv *, uint64_t pos);
/* Slots that a view shows: the first one from `at` on; the last one before *at. Slots' count, and false, if there is
 * none. */
size_t im_mem_next(const struct im_memory *, const struct im_mem_view *, size_t at);
bool im_mem_prev(const struct im_memory *, const struct im_mem_view *, size_t *at);
bool im_mem_sees_pos(const struct im_memory *, const struct im_mem_view *, uint64_t pos);
bool im_mem_sees(const struct im_memory *, const struct im_mem_view *, size_t at);

/* memory_kept.c */
/* An event for the log; named: together with the name of where it went, which can be looked up otherwise. */
struct im_mem_kept *im_mem_keep(struct im_memory *, enum im_event_type, const struct im_msg *, bool named);
void im_mem_kept_drop(struct im_memory *, struct im_mem_kept **); /* sets it to NULL; it may be NULL */
/* What was appended at pos, which is not erased, its users named as they are now. The strings stay until the next
 * write. */
struct im_msg im_mem_msg(const struct im_memory *, uint64_t pos);
struct im_event *im_mem_event(const struct im_memory *, uint64_t pos); /* the same; a reference */
enum im_event_type im_mem_type(const struct im_memory *, uint64_t pos);
bool im_mem_hidden(const struct im_memory *, uint64_t pos);
int64_t im_mem_ts_ms(const struct im_memory *, uint64_t pos);
struct im_str im_mem_cid(const struct im_memory *, uint64_t pos);

/* memory_event.c */
/* What a slot's event says to a reader as it stands now, but for its reactions. reader NULL: to somebody who sees all.
 * The strings stay until the next write. */
struct im_msg im_mem_stand(const struct im_memory *, const struct im_mem_view *reader, const struct im_mem_slot *);
/* The same, as an event of its own where it has changed. */
struct im_event *im_mem_standing(const struct im_memory *, const struct im_mem_view *reader,
                                 const struct im_mem_slot *);
struct im_mem_state *im_mem_state_need(struct im_mem_slot *);
void im_mem_state_free(struct im_mem_slot *);
void im_mem_erase_body(struct im_memory *, uint64_t pos);
/* Erases what the message said, also in its edits. */
void im_mem_erase_message(struct im_memory *, struct im_mem_slot *);
void im_mem_react(struct im_mem_slot *, const struct im_mem_user *, const struct im_msg *);
bool im_mem_reacted(const struct im_mem_state *, const struct im_mem_user *, struct im_str emoji);
/* How many different emoji a message has; *there: is this one among them? */
uint32_t im_mem_emoji(const struct im_mem_state *, struct im_str emoji, bool *there);
enum im_reason im_mem_find(const struct im_memory *, struct im_store_find *);

/* memory_sent.c */
/* What the others want; and the table's place for it begins to come from memory. */
uint32_t im_mem_sent_hash(const struct im_memory *, const struct im_mem_user *from, struct im_str cid);
/* pos of what was sent under this cid, 0: nothing. */
uint64_t im_mem_sent_find(const struct im_memory *, const struct im_mem_user *from, struct im_str cid, uint32_t hash);
void im_mem_sent_add(struct im_memory *, uint64_t pos, uint32_t hash);
void im_mem_sent_drop(struct im_memory *, const struct im_mem_user *from, struct im_str cid); /* its event is there */
void im_mem_sent_end(struct im_memory *);

/* memory_append.c */
enum im_reason im_mem_append(struct im_memory *, struct im_store_append *);

/* memory_read.c */
uint64_t im_mem_messages_upto(const struct im_mem_conv *, uint64_t seq); /* how many there were, the erased included */
enum im_reason im_mem_since(struct im_memory *, struct im_store_since *);
enum im_reason im_mem_history(struct im_memory *, struct im_store_history *);
enum im_reason im_mem_marks(struct im_memory *, struct im_store_marks *);
enum im_reason im_mem_conversations(struct im_memory *, struct im_store_conversations *);
/* Does the history of this view (NULL: of the whole) show the slot? */
bool im_mem_shows(const struct im_memory *, const struct im_mem_view *, const struct im_mem_conv *, size_t at);
/* The first slot it shows from *at on; the last one before *at. False: there is none. */
bool im_mem_shown_after(const struct im_memory *, const struct im_mem_view *, const struct im_mem_conv *, size_t *at);
bool im_mem_shown_before(const struct im_memory *, const struct im_mem_view *, const struct im_mem_conv *, size_t *at);

/* memory_search.c */
enum im_reason im_mem_search(struct im_memory *, struct im_store_search *);

/* memory_group.c */
void im_mem_group_change(struct im_memory *, struct im_mem_conv *, const struct im_msg *, struct im_mem_user *concerned,
                         bool ends);
enum im_reason im_mem_groups(struct im_memory *, struct im_store_groups *);
enum im_reason im_mem_members(struct im_memory *, struct im_store_members *);

/* memory_record.c */
struct im_str im_mem_record_value(const struct im_memory *, enum im_record_kind, struct im_str key); /* absent: none */
enum im_reason im_mem_record_put(struct im_memory *, const struct im_store_record_put *);
enum im_reason im_mem_record_drop(struct im_memory *, struct im_store_record_drop *);
enum im_reason im_mem_records(struct im_memory *, struct im_store_records *);
void im_mem_row_free(struct im_memory *, struct im_mem_row *);

/* memory_sweep.c */
enum im_reason im_mem_sweep(struct im_memory *, struct im_store_sweep *);

#endif
