#include <stdio.h>
#include <string.h>

#include "tests/unit/sqlite_file.h"

/* Every store must answer alike: random people do random things in two of them, and are told the same. */

enum { SEEDS = 10, STEPS = 250, USERS = 5, GROUPS = 2, CONVS = USERS + GROUPS };

static const char *const names[CONVS] = {"ann", "bob", "cat", "小明", "eve", "#cats", "#狗"};
static const char *const texts[] = {"hi",       "hello @bob", "今天开会", "@小明你好", "@all meet", "meeting @ann @cat",
                                    "Hi there", "开",         "x"};
static const char *const emoji[] = {"👍", "❤", "😀"};

struct twins {
    struct box *box[2];
    uint64_t random;
    int64_t now;
    unsigned cids;
};

/* SplitMix64. */
static unsigned pick(struct twins *t, unsigned below)
{
    uint64_t z = t->random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (unsigned)((z ^ z >> 31) % below);
}

static const char *user(struct twins *t)
{
    return names[pick(t, USERS)];
}

static const char *group(struct twins *t)
{
    return names[USERS + pick(t, GROUPS)];
}

static const char *conv(struct twins *t)
{
    return names[pick(t, CONVS)];
}

static const char *one_of(struct twins *t, const char *const *list, size_t count)
{
    return list[pick(t, (unsigned)count)];
}
#define ONE_OF(t, list) one_of((t), (list), sizeof(list) / sizeof *(list))

static void assert_alike(const char *what, const char *x, const char *y)
{
    if (strcmp(x, y) != 0)
        fail_msg("%s:\n%s\n%s", what, x, y);
}

/* What an append came to. */
static const char *outcome(struct box *b, const struct act *a)
{
    struct im_store_append op = op_act(a);
    enum im_reason reason = box_do(b, &op.op);
    const struct im_msg *m = &op.event->msg;
    bool stored = reason == IM_OK && m->pos;
    const char *text =
        text_printf("%s: %s %u %u (%s) %s", told(op.event), im_reason_name(reason), (unsigned)m->pos, (unsigned)m->seq,
                    op.earlier ? told(op.earlier) : "", m->hidden && stored ? "hidden" : "");
    im_event_drop(&op.earlier);
    im_event_drop(&op.event);
    return text;
}

static void act(struct twins *t, struct act a)
{
    static const struct im_policy policy = {
        .edit_ms = 4000, .delete_ms = 6000, .group_members = 4, .groups_per_user = 2, .reactions = 2};
    char cid[16];
    snprintf(cid, sizeof cid, "c%u", pick(t, 8) ? t->cids++ : pick(t, t->cids + 1));
    if (pick(t, 3) == 0)
        a.cid = cid;
    a.ts_ms = t->now += pick(t, 200);
    a.policy = &policy;
    const char *x = outcome(t->box[0], &a);
    assert_alike("outcome", x, outcome(t->box[1], &a));
}

static void change_group(struct twins *t)
{
    enum im_change change = (enum im_change)(pick(t, 3) ? pick(t, 4) : pick(t, IM_CHANGE_COUNT));
    act(t, (struct act){.type = IM_EV_MEMBER,
                        .from = user(t),
                        .to = group(t),
                        .change = change,
                        .user = im_change_info(change)->needs_user ? user(t) : NULL,
                        .role = (enum im_role)pick(t, IM_ROLE_COUNT),
                        .settings = pick(t, 4),
                        .text = change == IM_CHANGE_CREATE || change == IM_CHANGE_TOPIC ? ONE_OF(t, texts) : NULL});
}

static void say_something(struct twins *t)
{
    act(t, (struct act){.from = user(t),
                        .to = conv(t),
                        .text = ONE_OF(t, texts),
                        .mime = pick(t, 10)  ? NULL
                                : pick(t, 2) ? "text/html"
                                             : "image/png",
                        .mentions = pick(t, 6) ? NULL : "bob *",
                        .ref = pick(t, 5) ? 0 : pick(t, 20)});
}

/* A message that somebody sees, their own if they can choose. */
static uint64_t some_seq(struct twins *t, const char *who, const char *where)
{
    struct im_store_history op = op_before(who, where, 0, 12);
    uint64_t seq = pick(t, 25);
    box_do(t->box[0], &op.op);
    for (size_t i = 0; i < op.count && pick(t, 8); i++)
        if (op.events[i]->type == IM_EV_MSG && (pick(t, 6) == 0 || im_str_eq(op.events[i]->msg.from_key, key_of(who))))
            seq = op.events[i]->msg.seq;
    drop_events(&op.events, &op.count);
    return seq;
}

static void change_something(struct twins *t)
{
    struct act a = {.from = user(t), .to = conv(t)};
    a.ref = some_seq(t, a.from, a.to);
    switch (pick(t, 4)) {
    case 0:
        a.type = IM_EV_EDIT;
        a.text = ONE_OF(t, texts);
        break;
    case 1:
        a.type = IM_EV_DELETE;
        a.for_me = pick(t, 2);
        break;
    default:
        a.type = IM_EV_REACT;
        a.text = ONE_OF(t, emoji);
        a.off = pick(t, 3) == 0;
    }
    act(t, a);
}

static void block_somebody(struct twins *t)
{
    const char *who = user(t), *other = user(t);
    bool on = pick(t, 3);
    enum im_reason x = block(t->box[0], who, other, on, 2);
    assert_int_equal(x, block(t->box[1], who, other, on, 2));
}

static void read_on(struct twins *t)
{
    const char *who = user(t), *where = conv(t);
    uint64_t seq = pick(t, 40), x = mark(t->box[0], who, where, seq);
    assert_int_equal(x, mark(t->box[1], who, where, seq));
}

static void come(struct twins *t)
{
    static const char *const devices[] = {"", "phone", "pc", "tv"};
    const char *who = user(t), *device = ONE_OF(t, devices);
    struct im_store_login x = op_login(who, device), y;
    x.max_devices = 2;
    x.ts_ms = t->now;
    y = x;
    assert_int_equal(box_do(t->box[0], &x.op), IM_OK);
    assert_int_equal(box_do(t->box[1], &y.op), IM_OK);
    assert_true(x.cursor == y.cursor && x.furthest == y.furthest && x.head == y.head);
    assert_true(x.seat_count == y.seat_count && x.blocked_count == y.blocked_count);
    assert_string_equal(x.name, y.name);
    if (pick(t, 2))
        for (unsigned i = 0; i < 2; i++)
            box_cursor(t->box[i], who, device, x.head);
    drop_login(&x);
    drop_login(&y);
}

static void clear_up(struct twins *t)
{
    struct im_store_sweep op = {.op.kind = IM_STORE_SWEEP,
                                .now_ms = t->now,
                                .retention_ms = pick(t, 2) ? 9000 : 0,
                                .retention_count = pick(t, 2) ? 15 : 0,
                                .device_ms = pick(t, 2) ? 5000 : 0,
                                .limit = 1 + pick(t, 5)};
    for (unsigned i = 0; i < 2; i++)
        sweep(t->box[i], &op);
}

static const char *devices(struct box *b, const char *who)
{
    struct im_store_devices op = {.op.kind = IM_STORE_DEVICES, .key = key_of(who)};
    const char *text = "";
    assert_int_equal(box_do(b, &op.op), IM_OK);
    for (size_t i = 0; i < op.count; i++)
        text = text_printf("%s%.*s %u %d; ", text, (int)op.rows[i].name.len, op.rows[i].name.p,
                           (unsigned)op.rows[i].cursor, (int)(op.rows[i].seen_ms - ACT_TIME));
    free(op.rows);
    return text;
}

static const char *groups(struct box *b, const char *who)
{
    struct im_store_groups op = {.op.kind = IM_STORE_GROUPS, .limit = 10};
    const char *text = "";
    if (who)
        op.key = key_of(who);
    assert_int_equal(box_do(b, &op.op), IM_OK);
    for (size_t i = 0; i < op.count; i++)
        text = text_printf("%s%.*s %u %u %d '%.*s'; ", text, (int)op.rows[i].name.len, op.rows[i].name.p,
                           op.rows[i].settings, op.rows[i].members, op.rows[i].role, (int)op.rows[i].topic.len,
                           op.rows[i].topic.p);
    free(op.rows);
    return text;
}

static const char *stats(struct box *b)
{
    struct im_store_stats s = box_stats(b);
    return text_printf("%u events, %u users, %u conversations, %u groups, head %u", (unsigned)s.events,
                       (unsigned)s.users, (unsigned)s.conversations, (unsigned)s.groups, (unsigned)s.head);
}

/* Messages with those around them. */
static const char *around(struct box *b, const char *who, const char *where, const char *query)
{
    struct im_store_search op = op_search(who, where, query, 3, 2);
    if (box_do(b, &op.op) != IM_OK)
        return im_reason_name(op.op.status);
    const char *text = op.next ? "more: " : "";
    for (size_t i = 0; i < op.count; i++)
        text =
            text_printf("%s[%u of %s] ", text, (unsigned)op.hits[i].at, told_all(op.hits[i].events, op.hits[i].count));
    drop_hits(&op);
    return text;
}

/* ask: a call that has BOX for its box. */
#define ALIKE(ask)                                                                                                     \
    do {                                                                                                               \
        struct box *BOX = t->box[0];                                                                                   \
        const char *x = text_printf("%s", ask);                                                                        \
        BOX = t->box[1];                                                                                               \
        assert_alike(#ask, x, ask);                                                                                    \
    } while (0)

static void compare(struct twins *t)
{
    static const char *const queries[] = {"hi", "开会", "meet", "今", "hel", "there hi"};
    const char *who = user(t), *where = conv(t), *club = group(t), *query = ONE_OF(t, queries);
    uint64_t after = pick(t, 60);
    ALIKE(stats(BOX));
    ALIKE(since(BOX, who, after));
    ALIKE(history(BOX, who, where));
    ALIKE(history(BOX, NULL, club));
    ALIKE(conversations(BOX, who));
    ALIKE(seats(BOX, who));
    ALIKE(members(BOX, who, club));
    ALIKE(members(BOX, NULL, club));
    ALIKE(found(BOX, who, NULL, query));
    ALIKE(found(BOX, who, where, query));
    ALIKE(around(BOX, who, where, query));
    ALIKE(around(BOX, who, NULL, query));
    ALIKE(devices(BOX, who));
    ALIKE(groups(BOX, who));
    ALIKE(groups(BOX, NULL));
}

static void step(struct twins *t)
{
    static void (*const steps[])(struct twins *) = {
        change_group,     change_group,     change_group,   say_something,    say_something,
        say_something,    say_something,    say_something,  change_something, change_something,
        change_something, change_something, block_somebody, read_on,          come};
    t->now += pick(t, 100);
    steps[pick(t, sizeof steps / sizeof *steps)](t);
    if (pick(t, 40) == 0)
        clear_up(t);
    compare(t);
}

static void both_stores_tell_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct twins t = {.random = seed, .now = ACT_TIME};
        for (unsigned i = 0; i < 2; i++) {
            t.box[i] = box_new(&im_store_rows[i ? IM_STORE_SQLITE : IM_STORE_MEMORY]);
            t.box[i]->sync_full = false;
            box_open(t.box[i]);
        }
        print_message("seed %u\n", (unsigned)seed);
        for (unsigned i = 0; i < STEPS; i++)
            step(&t);
        box_close(t.box[1]);
        file_check(t.box[1]->path);
        for (unsigned i = 0; i < 2; i++)
            box_free(&t.box[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_stores_tell_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
