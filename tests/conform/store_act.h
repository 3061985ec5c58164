#ifndef IM_TESTS_CONFORM_STORE_ACT_H
#define IM_TESTS_CONFORM_STORE_ACT_H

#include "tests/conform/store_box.h"

/* What people do, and what they then see, in few words. Ids and group names as in store_box.h: the key is the name in
 * lower case; a name that begins with '#' is a group's. */

struct act {
    enum im_event_type type; /* MSG when left out */
    const char *from, *to, *text, *cid, *mime, *mentions, *user;
    uint64_t ref;
    bool off;    /* REACT: taken back */
    bool for_me; /* DELETE: for oneself alone */
    enum im_change change;
    enum im_role role;
    unsigned settings, keeps;
    int64_t ts_ms; /* 0: ACT_TIME */
    const struct im_policy *policy;
};
#define ACT(...) (&(const struct act){__VA_ARGS__})
#define ACT_TIME 1700000000000

struct im_store_append op_act(const struct act *);
enum im_reason try_act(struct box *, const struct act *); /* IM_OK: appended, or nothing to do */
uint64_t do_act(struct box *, const struct act *);        /* must be appended; its seq */
void same_act(struct box *, const struct act *);          /* must be allowed, and change nothing */
void deny_act(struct box *, enum im_reason, const struct act *);
struct im_event *event_of(struct box *, const struct act *); /* must be appended; as the store has completed it */

uint64_t say(struct box *, const char *from, const char *to, const char *text);
uint64_t create(struct box *, const char *from, const char *group, unsigned settings);
uint64_t change(struct box *, const char *from, const char *group, enum im_change, const char *user);
uint64_t give_role(struct box *, const char *from, const char *group, const char *user, enum im_role);
/* Makes user a member of this role, by invitation of the owner. */
void bring_in(struct box *, const char *owner, const char *group, const char *user, enum im_role);
uint64_t edit(struct box *, const char *from, const char *conv, uint64_t ref, const char *text);
uint64_t erase(struct box *, const char *from, const char *conv, uint64_t ref);
void forget(struct box *, const char *from, const char *conv, uint64_t ref);
uint64_t react(struct box *, const char *from, const char *conv, uint64_t ref, const char *emoji);
enum im_reason block(struct box *, const char *user, const char *other, bool on, uint32_t max);
/* Moves a read mark; the mark as it stands then. */
uint64_t mark(struct box *, const char *user, const char *conv, uint64_t seq);
void put_record(struct box *, enum im_record_kind, const char *key, const char *owner, const char *name,
                const char *value);
/* Steps until there is no more to erase. */
void sweep(struct box *, const struct im_store_sweep *);

/* What an event says:
 *     ann:hi ^3 *5 [👍 2 1] {bob cat} ?    a message: reply to 3, edited at ACT_TIME + 5, reactions, mentions, hidden
 *     ann:x     a message deleted          ann~2:text     an edit           ann-2      a deletion
 *     ann-2@bob a deletion for oneself     ann+2👍, ann!2👍 a reaction, or its end
 *     ann invite bob=invited               a change, and what became of whom it concerns
 * The answers live until many more were given. */
const char *told(const struct im_event *);
const char *told_all(struct im_event *const *events, size_t count); /* with "; " between them */

/* Everything `user` sees (NULL: administration). */
const char *since(struct box *, const char *user, uint64_t after);
const char *history(struct box *, const char *user, const char *conv);
/* What was found, newest first, each as "conv/seq". conv NULL: everywhere. */
const char *found(struct box *, const char *user, const char *conv, const char *text);
/* "#cats 7 -2 r3 @4 p5/6 admin of 3 'topic' <ann:hi>": last seq, unread, read mark, mention, peer's marks (read, and
 * received), what is 0 or absent left out. */
const char *conversations(struct box *, const char *user);
/* "#cats owner 3": the groups of a login. */
const char *seats(struct box *, const char *user);
/* "ann owner; bob muted" */
const char *members(struct box *, const char *user, const char *group);

/* A string that lives until many more were made. */
const char *text_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The suite's parts, each ending with a row without a test. */
struct store_test {
    const char *name;
    CMUnitTestFunction test;
};
/* clang-format off */
#define STORE_TEST(name) {#name, name}
/* clang-format on */
extern const struct store_test store_group_tests[], store_span_tests[], store_message_tests[], store_reading_tests[],
    store_people_tests[], store_record_tests[], store_sweep_tests[], store_search_tests[];

#endif
