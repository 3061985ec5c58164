#include "tests/conform/store_pair.h"

#include <stdio.h>
#include <string.h>

#include "tests/conform/store_act.h"

enum { USERS = 6, GROUPS = 3, TOGETHER = 5, CONVS = USERS + GROUPS };

static const char *const users[USERS] = {"ann", "bob", "cat", "小明", "eve", "翠花"};
static const char *const groups[GROUPS] = {"#cats", "#dogs", "#喵"};
static const char *const devices[] = {"", "pc", "phone"};
static const char *const words[] = {"hello", "world", "今天下午开会吗", "开会", "会",     "Meeting", "@ann",
                                    "@小明", "@all",  "@bob,",          "吗",   "helper", "👍",       "x"};
static const char *const queries[] = {"hel", "开会", "会", "meet", "hello world", "下午 吗", "ann", "x"};
static const char *const emoji[] = {"👍", "👎", "❤"};

struct pair {
    struct box *boxes[2];
    uint64_t random, seed;
    unsigned step;
    int64_t now_ms;
    uint64_t last_seq; /* of any conversation, roughly: what is worth referring to */
    unsigned cids;
    struct said { /* the newest messages */
        const char *from, *to;
        uint64_t seq;
    } said[16];
    unsigned said_count;
    char answers[2][8192];
};

/* SplitMix64. */
static unsigned pick(struct pair *p, unsigned below)
{
    uint64_t z = p->random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (unsigned)((z ^ z >> 31) % below);
}
#define PICK(p, array) (array)[pick(p, sizeof(array) / sizeof *(array))]

static const char *pick_conv(struct pair *p)
{
    unsigned n = pick(p, CONVS + GROUPS);
    return n < USERS ? users[n] : groups[(n - USERS) % GROUPS];
}

static void keep(struct pair *p, unsigned b, const char *answer)
{
    snprintf(p->answers[b], sizeof p->answers[b], "%s", answer);
}

/* Says where the answers part, line by line. */
static void compare(struct pair *p, const char *what)
{
    if (strcmp(p->answers[0], p->answers[1]) == 0)
        return;
    size_t line = 0;
    for (size_t i = 0; p->answers[0][i] == p->answers[1][i]; i++)
        line = p->answers[0][i] == '\n' ? i + 1 : line;
    for (unsigned b = 0; b < 2; b++)
        print_error("%s: %.600s\n", p->boxes[b]->row->name, p->answers[b] + line);
    fail_msg("seed %u, step %u, %s", (unsigned)p->seed, p->step, what);
}

static const char *full(const struct im_event *e)
{
    const struct im_msg *m = &e->msg;
    /* the seq in a user's own log is told to nobody */
    unsigned seq = m->kind == IM_CONV_SELF ? 0 : (unsigned)m->seq;
    return text_printf("%u/%u %.*s %.*s%s%.*s%s", (unsigned)m->pos, seq, (int)m->to.len, m->to.p, (int)m->to_key.len,
                       m->to_key.p, m->cid.p ? " " : "", (int)m->cid.len, m->cid.p ? m->cid.p : "",
                       text_printf(" %d %s", (int)(m->ts_ms - ACT_TIME), told(e)));
}

static const char *full_all(struct im_event *const *events, size_t count)
{
    const char *text = "";
    for (size_t i = 0; i < count; i++)
        text = text_printf("%s\n  %s", text, full(events[i]));
    return text;
}

/* What somebody does. The strings of an act live long enough for one batch. */
static struct act pick_message(struct pair *p)
{
    static const char *const mimes[] = {NULL, NULL, NULL, "text/markdown"};
    struct act a = {.type = IM_EV_MSG};
    a.text = text_printf("%s %s %s", PICK(p, words), PICK(p, words), PICK(p, words));
    a.mime = PICK(p, mimes);
    if (pick(p, 4) == 0)
        a.mentions = text_printf("%s %s", PICK(p, users), pick(p, 2) ? "*" : "zoe");
    return a;
}

static struct act pick_change(struct pair *p)
{
    static const enum im_change likely[] = {IM_CHANGE_CREATE, IM_CHANGE_CREATE, IM_CHANGE_JOIN,   IM_CHANGE_JOIN,
                                            IM_CHANGE_JOIN,   IM_CHANGE_INVITE, IM_CHANGE_INVITE, IM_CHANGE_LEAVE,
                                            IM_CHANGE_KICK,   IM_CHANGE_BAN,    IM_CHANGE_UNBAN,  IM_CHANGE_ROLE,
                                            IM_CHANGE_ROLE,   IM_CHANGE_TOPIC,  IM_CHANGE_SET};
    struct act a = {.type = IM_EV_MEMBER, .to = PICK(p, groups), .change = PICK(p, likely)};
    if (pick(p, 80) == 0)
        a.change = IM_CHANGE_DESTROY;
    if (im_change_info(a.change)->needs_user)
        a.user = PICK(p, users);
    if (a.change == IM_CHANGE_ROLE)
        a.role = (enum im_role)pick(p, IM_ROLE_COUNT);
    if (a.change == IM_CHANGE_CREATE || a.change == IM_CHANGE_SET)
        a.settings = pick(p, 4);
    if (a.change == IM_CHANGE_SET)
        a.keeps = pick(p, 3);
    if (a.change == IM_CHANGE_CREATE || a.change == IM_CHANGE_TOPIC)
        a.text = PICK(p, words);
    return a;
}

/* Makes the act one about a message that there is; by who wrote it, more often than not. */
static void refer(struct pair *p, struct act *a)
{
    unsigned count = p->said_count < 16 ? p->said_count : 16;
    if (count == 0 || pick(p, 4) == 0) {
        a->ref = 1 + pick(p, (unsigned)p->last_seq + 1);
        return;
    }
    const struct said *said = &p->said[pick(p, count)];
    bool own = pick(p, 3) > 0, group = said->to[0] == '#';
    a->ref = said->seq;
    a->from = own ? said->from : group ? PICK(p, users) : said->to;
    a->to = own || group ? said->to : said->from;
}

static void remember(struct pair *p, const struct act *a, const struct im_msg *m)
{
    if (a->type == IM_EV_MSG && m->seq > 0)
        p->said[p->said_count++ % 16] = (struct said){a->from, a->to, m->seq};
}

static struct act pick_act(struct pair *p)
{
    static const struct im_policy limits = {
        .edit_ms = 400, .delete_ms = 300, .group_members = 4, .groups_per_user = 2, .reactions = 2};
    struct act a = {.type = IM_EV_MEMBER};
    unsigned what = pick(p, 10);
    if (what < 4)
        a = pick_message(p);
    else if (what < 7)
        a = pick_change(p);
    else if (what == 7)
        a = (struct act){.type = IM_EV_EDIT, .text = PICK(p, words)};
    else if (what == 8)
        a = (struct act){.type = IM_EV_REACT, .text = PICK(p, emoji), .off = pick(p, 3) == 0};
    else
        a = (struct act){.type = IM_EV_DELETE, .for_me = pick(p, 2)};
    a.from = PICK(p, users);
    if (a.to == NULL)
        a.to = pick_conv(p);
    if (a.type != IM_EV_MEMBER && (a.type != IM_EV_MSG || pick(p, 4) == 0))
        refer(p, &a);
    if (pick(p, 3) == 0)
        a.cid = text_printf("c%u", pick(p, 6) ? p->cids++ : pick(p, p->cids + 1));
    a.ts_ms = p->now_ms += pick(p, 20);
    a.policy = pick(p, 2) ? &limits : NULL;
    return a;
}

static const char *answer_of(const struct im_store_append *op)
{
    const struct im_event *e = op->event;
    const char *extra =
        e->type == IM_EV_MEMBER && op->op.status == IM_OK && e->msg.pos ? im_role_info(e->msg.role)->name : "";
    return text_printf("%s %s %s%s%s", im_reason_name(op->op.status), full(e), extra, op->earlier ? " before: " : "",
                       op->earlier ? full(op->earlier) : "");
}

static void step_acts(struct pair *p)
{
    struct im_store_append ops[2][TOGETHER];
    struct act acts[TOGETHER];
    unsigned count = 1 + pick(p, TOGETHER);
    for (unsigned i = 0; i < count; i++) {
        acts[i] = pick_act(p);
        for (unsigned b = 0; b < 2; b++) {
            ops[b][i] = op_act(&acts[i]);
            box_submit(p->boxes[b], &ops[b][i].op);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        for (unsigned b = 0; b < 2; b++) {
            struct im_store_append *op = &ops[b][i];
            box_wait(p->boxes[b], &op->op);
            if (op->op.status == IM_OK && op->event->msg.seq > p->last_seq && op->event->msg.kind != IM_CONV_SELF)
                p->last_seq = op->event->msg.seq;
            keep(p, b, answer_of(op));
            im_event_drop(&op->earlier);
        }
        compare(p, "append");
        remember(p, &acts[i], &ops[0][i].event->msg);
        for (unsigned b = 0; b < 2; b++)
            im_event_drop(&ops[b][i].event);
    }
}

static void step_mark(struct pair *p)
{
    const char *user = PICK(p, users), *conv = pick_conv(p);
    uint64_t seq = pick(p, (unsigned)p->last_seq + 3);
    for (unsigned b = 0; b < 2; b++)
        keep(p, b, text_printf("%u", (unsigned)mark(p->boxes[b], user, conv, seq)));
    compare(p, text_printf("mark of %s in %s", user, conv));
}

static void step_login(struct pair *p)
{
    const char *user = PICK(p, users), *device = PICK(p, devices);
    uint64_t pos = pick(p, (unsigned)box_stats(p->boxes[0]).head + 1);
    for (unsigned b = 0; b < 2; b++) {
        struct im_store_login op = op_login(user, device);
        op.ts_ms = p->now_ms++;
        op.max_devices = 1;
        assert_int_equal(box_do(p->boxes[b], &op.op), IM_OK);
        keep(p, b,
             text_printf("%s %u %u %u, blocked %zu, %s", op.name, (unsigned)op.cursor, (unsigned)op.furthest,
                         (unsigned)op.head, op.blocked_count, seats(p->boxes[b], user)));
        drop_login(&op);
        box_cursor(p->boxes[b], user, device, pos);
    }
    compare(p, "login");
}

static void step_block(struct pair *p)
{
    const char *user = PICK(p, users), *other = PICK(p, users);
    bool on = pick(p, 3) == 0;
    for (unsigned b = 0; b < 2; b++)
        keep(p, b, im_reason_name(block(p->boxes[b], user, other, on, 2)));
    compare(p, "block");
}

static void step_sweep(struct pair *p)
{
    struct im_store_sweep what = {.now_ms = p->now_ms, .limit = 1 + pick(p, 20)};
    if (pick(p, 2))
        what.retention_ms = 500 + pick(p, 3000);
    else
        what.retention_count = 10 + pick(p, 30);
    for (unsigned b = 0; b < 2; b++)
        sweep(p->boxes[b], &what);
}

static void step_since(struct pair *p)
{
    const char *user = PICK(p, users);
    uint64_t after = pick(p, (unsigned)box_stats(p->boxes[0]).head + 2);
    uint32_t limit = 1 + pick(p, 20), bytes = 1 + pick(p, 400);
    for (unsigned b = 0; b < 2; b++) {
        struct im_store_since op = op_since(user, after, limit, bytes);
        assert_int_equal(box_do(p->boxes[b], &op.op), IM_OK);
        bool cut = op.count > 0 && op.upto == op.events[op.count - 1]->msg.pos;
        keep(p, b,
             text_printf("%s%s", cut ? "" : text_printf("to %u", (unsigned)op.upto), full_all(op.events, op.count)));
        drop_events(&op.events, &op.count);
    }
    compare(p, text_printf("since %u of %s, %u events, %u bytes", (unsigned)after, user, limit, bytes));
}

static void step_history(struct pair *p)
{
    const char *user = PICK(p, users), *conv = pick_conv(p);
    bool whole = conv[0] == '#' && pick(p, 4) == 0, after = pick(p, 2);
    uint64_t seq = pick(p, (unsigned)p->last_seq + 3);
    uint32_t limit = 1 + pick(p, 12);
    for (unsigned b = 0; b < 2; b++) {
        struct im_store_history op = (after ? op_after : op_before)(user, conv, seq, limit);
        if (whole)
            op.key = (struct im_str){0};
        enum im_reason reason = box_do(p->boxes[b], &op.op);
        keep(p, b,
             text_printf("%s%s%s", im_reason_name(reason), op.more ? " more" : "", full_all(op.events, op.count)));
        drop_events(&op.events, &op.count);
    }
    compare(p, text_printf("history %s %u of %s for %s", after ? "after" : "before", (unsigned)seq, conv,
                           whole ? "administration" : user));
}

static void step_search(struct pair *p)
{
    const char *user = PICK(p, users), *conv = pick(p, 2) ? pick_conv(p) : NULL, *query = PICK(p, queries);
    uint64_t before = pick(p, 2) ? pick(p, (unsigned)box_stats(p->boxes[0]).head + 2) : 0;
    uint32_t limit = 1 + pick(p, 8), context = pick(p, 3);
    for (unsigned b = 0; b < 2; b++) {
        struct im_store_search op = op_search(user, conv, query, limit, context);
        op.before = before;
        enum im_reason reason = box_do(p->boxes[b], &op.op);
        const char *text = im_reason_name(reason);
        for (size_t i = 0; i < op.count; i++)
            text = text_printf("%s\n hit %zu:%s", text, op.hits[i].at, full_all(op.hits[i].events, op.hits[i].count));
        keep(p, b, op.count < limit ? text_printf("%s, next %u", text, (unsigned)op.next) : text);
        drop_hits(&op);
    }
    compare(p, text_printf("search for '%s' in %s by %s", query, conv ? conv : "all", user));
}

static void step_lists(struct pair *p)
{
    const char *user = PICK(p, users), *group = PICK(p, groups);
    for (unsigned b = 0; b < 2; b++)
        keep(p, b, conversations(p->boxes[b], user));
    compare(p, text_printf("conversations of %s", user));
    for (unsigned b = 0; b < 2; b++)
        keep(p, b, members(p->boxes[b], NULL, group));
    compare(p, text_printf("members of %s", group));
    for (unsigned b = 0; b < 2; b++)
        keep(p, b, members(p->boxes[b], user, group));
    compare(p, text_printf("members of %s for %s", group, user));
}

static void step_group(struct pair *p)
{
    const char *user = PICK(p, users);
    struct im_str key = pick(p, 3) ? key_of(user) : (struct im_str){0};
    struct im_str group = pick(p, 2) ? key_of(PICK(p, groups)) : (struct im_str){0};
    for (unsigned b = 0; b < 2; b++) {
        struct im_store_groups op = {.op.kind = IM_STORE_GROUPS, .key = key, .group = group, .limit = 2};
        const char *text = im_reason_name(box_do(p->boxes[b], &op.op));
        for (size_t i = 0; i < op.count; i++) {
            const struct im_group_row *r = &op.rows[i];
            text = text_printf("%s\n  %.*s '%.*s' /%u %u %s %d", text, (int)r->name.len, r->name.p, (int)r->topic.len,
                               r->topic.p ? r->topic.p : "", r->settings, r->members, im_role_info(r->role)->name,
                               (int)(r->created_ms - ACT_TIME));
        }
        keep(p, b, text_printf("%s%s", text, op.more ? " more" : ""));
        free(op.rows);
    }
    compare(p, text_printf("groups for %s", key.p ? user : "administration"));
}

static void step_stats(struct pair *p)
{
    for (unsigned b = 0; b < 2; b++) {
        struct im_store_stats s = box_stats(p->boxes[b]);
        keep(p, b,
             text_printf("%u events, %u users, %u groups, head %u, %u conversations", (unsigned)s.events,
                         (unsigned)s.users, (unsigned)s.groups, (unsigned)s.head, (unsigned)s.conversations));
    }
    compare(p, "stats");
}

static void step(struct pair *p)
{
    static void (*const steps[])(struct pair *) = {
        step_acts,    step_acts,    step_acts,   step_acts,   step_acts,    step_acts,  step_acts,  step_acts,
        step_mark,    step_login,   step_block,  step_since,  step_since,   step_since, step_since, step_lists,
        step_history, step_history, step_search, step_search, step_history, step_group, step_stats};
    PICK(p, steps)(p);
    if (pick(p, 120) == 0)
        step_sweep(p);
    p->step++;
}

static void start(struct pair *p, uint64_t seed)
{
    *p = (struct pair){.random = seed, .seed = seed, .now_ms = ACT_TIME};
    for (unsigned b = 0; b < 2; b++) {
        p->boxes[b] = box_new(&im_store_rows[b]);
        p->boxes[b]->sync_full = false;
        box_open(p->boxes[b]);
    }
}

void all_stores_answer_alike(void **state)
{
    (void)state;
    const char *full_run = getenv("IM_FULL");
    unsigned seeds = full_run && *full_run == '1' ? 200 : 12;
    assert_int_equal(im_store_row_count, 2);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct pair p;
        start(&p, seed);
        for (unsigned i = 0; i < 1500; i++) {
            step(&p);
            for (unsigned b = 0; b < 2 && i % 400 == 399; b++)
                if (box_keeps(p.boxes[b])) {
                    box_close(p.boxes[b]);
                    box_open(p.boxes[b]);
                }
        }
        for (unsigned b = 0; b < 2; b++)
            box_free(&p.boxes[b]);
    }
}
