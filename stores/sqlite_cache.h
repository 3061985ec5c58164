#ifndef IM_STORES_SQLITE_CACHE_H
#define IM_STORES_SQLITE_CACHE_H

#include "stores/sqlite_db.h"

/* What nearly every message asks about, as the writer's transaction has it: users, conversations, roles. Of so many of
 * each the last ones asked for, in memory that is never more; what is not here is asked of SQLite. It can be trusted
 * because the writer's connection is the only one that writes: should another program have written,
 * im_cache_forget_all() is called before anything is looked up.
 *
 * Also what a message changes in rows that the next one changes again, put off to the end of the transaction: where a
 * conversation is, and how far its sender has read it. Whatever reads these rows by SQL wants im_cache_flush() first.
 */
struct im_cache;

struct im_cache *im_cache_new(void);
void im_cache_free(struct im_cache **);

/* After a rollback, or when the database is not as we left it. */
void im_cache_forget_all(struct im_cache *);
/* Writes what was put off. */
int im_cache_flush(struct im_cache *, struct im_db *);

struct im_cache_user {
    int64_t id, blocks; /* id 0: there is none; blocks: how many the user has blocked */
};
int im_cache_user(struct im_cache *, struct im_db *, struct im_str key, struct im_cache_user *);
/* Has the user an account that can be written to? */
int im_cache_account(struct im_cache *, struct im_db *, struct im_str key, bool *);
void im_cache_forget_user(struct im_cache *, struct im_str key);
void im_cache_forget_users(struct im_cache *);

/* As im_db_direct() and im_db_group(), the group with its settings. */
int im_cache_direct(struct im_cache *, struct im_db *, int64_t x, int64_t y, struct im_db_conv *);
int im_cache_group(struct im_cache *, struct im_db *, struct im_str key, struct im_db_conv *, unsigned *settings);
void im_cache_forget_group(struct im_cache *, struct im_str key);
void im_cache_forget_conv(struct im_cache *, int64_t conv);

/* As im_db_member(). */
int im_cache_role(struct im_cache *, struct im_db *, int64_t user, int64_t conv, enum im_role *);
void im_cache_forget_roles(struct im_cache *);

/* The conversation's newest event is this one, seen by all, and history shows it. */
int im_cache_said(struct im_cache *, struct im_db *, const struct im_db_conv *, uint64_t pos);
/* The user has read the conversation up to seq, where so many messages count. */
int im_cache_read(struct im_cache *, struct im_db *, int64_t user, int64_t conv, uint64_t seq, uint64_t count);

#endif
