#ifndef IM_TESTS_CONFORM_STORE_BOX_H
#define IM_TESTS_CONFORM_STORE_BOX_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants those before it */
#include <cmocka.h>

#include "core/counters.h"
#include "core/log.h"
#include "stores/stores.h"

/* A store to be tested, in a folder of its own, with a loop to be woken. Failures end the test. */
struct box {
    const struct im_store_row *row;
    char folder[64], path[96];
    struct im_store *store; /* NULL while closed */
    struct im_counters counters;
    struct im_log log; /* notes the last event it was given */
    char logged[32];
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool wake;
    unsigned wakes;
    bool sync_full;
    uint32_t readers;
};

struct box *box_new(const struct im_store_row *row); /* closed; the folder is there */
void box_free(struct box **);                        /* closes, and removes the folder */
enum im_reason box_try_open(struct box *, struct im_error *);
void box_open(struct box *);
void box_close(struct box *);
bool box_keeps(const struct box *); /* does this store outlive being closed? */

/* Waits for one wake() and drains; returns how many were done. */
size_t box_turn(struct box *);
void box_submit(struct box *, struct im_store_op *); /* done() sets op->owner to op itself */
void box_wait(struct box *, struct im_store_op *);
/* Submits and waits; returns the status. */
enum im_reason box_do(struct box *, struct im_store_op *);

/* Operations, ready to submit. Strings must stay. */
struct im_store_append op_append(const char *from, const char *to, const char *cid, const char *text);
struct im_store_login op_login(const char *text, const char *device);
struct im_store_since op_since(const char *user, uint64_t after, uint32_t limit, uint32_t bytes);
struct im_store_history op_before(const char *user, const char *peer, uint64_t before, uint32_t limit);
struct im_store_history op_after(const char *user, const char *peer, uint64_t after, uint32_t limit);
struct im_store_conversations op_conversations(const char *user, uint32_t limit);
struct im_store_search op_search(const char *user, const char *conv, const char *text, uint32_t limit,
                                 uint32_t context); /* conv NULL: everywhere */
struct im_str key_of(const char *user); /* the key is the id in lower case ASCII; lives as long as the program */
void drop_events(struct im_event ***events, size_t *count);
void drop_rows(struct im_store_conversations *);
void drop_hits(struct im_store_search *);
void drop_login(struct im_store_login *);

/* The whole of an operation in one call. */
struct im_event *box_append(struct box *, const char *from, const char *to, const char *cid, const char *text);
void box_send(struct box *, const char *from, const char *to, const char *text);
struct im_store_login box_login(struct box *, const char *text, const char *device); /* lists dropped */
void box_cursor(struct box *, const char *user, const char *device, uint64_t pos);
struct im_store_stats box_stats(struct box *);

bool str_is(struct im_str s, const char *expected);
/* "text text text": what the events say. Frees nothing; the answer is overwritten by the next call. */
const char *texts_of(struct im_event *const *events, size_t count);

#endif
