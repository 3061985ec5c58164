#include "tests/conform/store_model.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"

enum { USERS = 7, SPELLINGS = 2, DEVICES = 3, CIDS = 400, EVENTS_MAX = 8000 };

static const char *const ids[USERS][SPELLINGS] = {{"ann", "Ann"}, {"bob", "BOB"},   {"小明", "小明"}, {"cat", "Cat"},
                                                  {"dan", "dAn"}, {"翠花", "翠花"}, {"eve", "EVE"}};
static const char *const devices[DEVICES] = {"", "phone", "pc"};

struct message {
    unsigned from, to;
    int cid; /* -1: none */
    uint64_t seq;
    char text[16];
};

struct model {
    uint64_t random;
    struct {
        const char *name; /* NULL: does not exist */
        bool claimed;
        bool known[DEVICES];
        uint64_t cursor[DEVICES];
    } users[USERS];
    struct message log[EVENTS_MAX]; /* pos is the index + 1 */
    uint64_t head;
    const struct im_store *hinted; /* the store that the hints are from */
    struct im_store_hint hints[USERS][USERS];
};

struct model *model_new(uint64_t seed)
{
    struct model *m = im_zalloc(sizeof *m);
    m->random = seed;
    return m;
}

void model_free(struct model **m)
{
    free(*m);
    *m = NULL;
}

/* SplitMix64. */
static unsigned pick(struct model *m, unsigned below)
{
    uint64_t z = m->random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (unsigned)((z ^ z >> 31) % below);
}

static bool between(const struct message *e, unsigned x, unsigned y)
{
    return (e->from == x && e->to == y) || (e->from == y && e->to == x);
}

static uint64_t last_seq(const struct model *m, unsigned x, unsigned y)
{
    uint64_t seq = 0;
    for (uint64_t i = 0; i < m->head; i++)
        seq += between(&m->log[i], x, y);
    return seq;
}

static void assert_event(const struct model *m, const struct im_event *e, uint64_t pos)
{
    const struct message *expected = &m->log[pos - 1];
    char cid[16];
    snprintf(cid, sizeof cid, "c%d", expected->cid);
    assert_int_equal(e->msg.pos, pos);
    assert_int_equal(e->msg.seq, expected->seq);
    assert_true(str_is(e->msg.body, expected->text));
    assert_true(str_is(e->msg.from, m->users[expected->from].name));
    assert_true(str_is(e->msg.to, m->users[expected->to].name));
    assert_true(expected->cid < 0 ? e->msg.cid.p == NULL : str_is(e->msg.cid, cid));
}

/* Appends to the model; returns 0, or the pos of the earlier event with this cid. */
static uint64_t model_append(struct model *m, unsigned from, const char *from_name, unsigned to, const char *to_name,
                             int cid, const char *text)
{
    if (m->users[from].name == NULL)
        m->users[from].name = from_name;
    for (uint64_t i = 0; i < m->head && cid >= 0; i++)
        if (m->log[i].from == from && m->log[i].cid == cid)
            return i + 1;
    if (m->users[to].name == NULL)
        m->users[to].name = to_name;
    assert_true(m->head < EVENTS_MAX);
    struct message *e = &m->log[m->head];
    *e = (struct message){.from = from, .to = to, .cid = cid, .seq = last_seq(m, from, to) + 1};
    memccpy(e->text, text, 0, sizeof e->text - 1);
    m->head++;
    return 0;
}

static void step_append(struct model *m, struct box *b)
{
    enum { TOGETHER = 6 };
    struct im_store_append ops[TOGETHER];
    struct im_store_hint *hints[TOGETHER];
    uint64_t earlier[TOGETHER], pos[TOGETHER];
    char cids[TOGETHER][16], texts[TOGETHER][16];
    unsigned count = 1 + pick(m, TOGETHER);
    if (m->hinted != b->store)
        memset(m->hints, 0, sizeof m->hints);
    m->hinted = b->store;
    for (unsigned i = 0; i < count; i++) {
        unsigned from = pick(m, USERS), to = pick(m, USERS);
        const char *from_name = ids[from][pick(m, SPELLINGS)], *to_name = ids[to][pick(m, SPELLINGS)];
        int cid = pick(m, 2) ? (int)pick(m, CIDS) : -1;
        snprintf(cids[i], sizeof cids[i], "c%d", cid);
        snprintf(texts[i], sizeof texts[i], "%u", pick(m, 100000));
        ops[i] = op_append(from_name, to_name, cid < 0 ? NULL : cids[i], texts[i]);
        hints[i] = &m->hints[from][to];
        ops[i].hint = *hints[i];
        box_submit(b, &ops[i].op);
        earlier[i] = model_append(m, from, from_name, to, to_name, cid, texts[i]);
        pos[i] = m->head;
    }
    for (unsigned i = 0; i < count; i++) {
        box_wait(b, &ops[i].op);
        assert_int_equal(ops[i].op.status, IM_OK);
        assert_int_equal(ops[i].earlier != NULL, earlier[i] != 0);
        assert_int_equal(ops[i].event->msg.pos, earlier[i] ? 0 : pos[i]);
        assert_int_equal(ops[i].event->msg.seq, earlier[i] ? 0 : m->log[pos[i] - 1].seq);
        if (earlier[i])
            assert_event(m, ops[i].earlier, earlier[i]);
        *hints[i] = ops[i].hint;
        im_event_drop(&ops[i].earlier);
        im_event_drop(&ops[i].event);
    }
}

static void step_login(struct model *m, struct box *b)
{
    unsigned user = pick(m, USERS), device = pick(m, DEVICES);
    const char *name = ids[user][pick(m, SPELLINGS)];
    struct im_store_login op = box_login(b, name, devices[device]);
    if (!m->users[user].claimed)
        m->users[user].name = name;
    m->users[user].claimed = true;
    if (!m->users[user].known[device]) {
        for (unsigned i = 0; i < DEVICES; i++)
            if (m->users[user].cursor[i] > m->users[user].cursor[device])
                m->users[user].cursor[device] = m->users[user].cursor[i];
        m->users[user].known[device] = true;
    }
    assert_string_equal(op.name, m->users[user].name);
    assert_int_equal(op.cursor, m->users[user].cursor[device]);
    assert_int_equal(op.head, m->head);
}

static void step_cursor(struct model *m, struct box *b)
{
    unsigned user = pick(m, USERS), device = pick(m, DEVICES);
    uint64_t pos = pick(m, (unsigned)m->head + 1);
    box_cursor(b, ids[user][0], devices[device], pos);
    if (m->users[user].known[device] && m->users[user].cursor[device] < pos)
        m->users[user].cursor[device] = pos;
}

static void step_since(struct model *m, struct box *b)
{
    unsigned user = pick(m, USERS);
    uint64_t after = pick(m, (unsigned)m->head + 2);
    uint32_t limit = pick(m, 3) ? pick(m, 12) : 10000, bytes = pick(m, 3) ? 100000 : pick(m, 40);
    struct im_store_since op = op_since(ids[user][0], after, limit, bytes);
    assert_int_equal(box_do(b, &op.op), IM_OK);
    uint64_t upto = after > m->head ? after : m->head, sum = 0, last = 0;
    size_t count = 0;
    for (uint64_t i = after; i < m->head; i++) {
        if (m->log[i].from != user && m->log[i].to != user)
            continue;
        if (count > 0 && (count >= limit || sum >= bytes)) {
            upto = last;
            break;
        }
        assert_true(count < op.count);
        assert_event(m, op.events[count++], last = i + 1);
        sum += strlen(m->log[i].text);
    }
    assert_int_equal(op.count, count);
    assert_int_equal(op.upto, upto);
    drop_events(&op.events, &op.count);
}

static void step_history(struct model *m, struct box *b)
{
    unsigned user = pick(m, USERS), peer = pick(m, USERS);
    uint64_t last = last_seq(m, user, peer), seq = pick(m, (unsigned)last + 3);
    uint32_t limit = 1 + pick(m, 12);
    bool after = pick(m, 2);
    struct im_store_history op = (after ? op_after : op_before)(ids[user][0], ids[peer][0], seq, limit);
    assert_int_equal(box_do(b, &op.op), IM_OK);
    uint64_t first, end; /* of seq: first <= seq < end */
    if (after) {
        first = seq < last ? seq + 1 : last + 1;
        end = last + 1 - first > limit ? first + limit : last + 1;
    } else {
        end = seq && seq <= last ? seq : last + 1;
        first = end - 1 > limit ? end - limit : 1;
    }
    assert_int_equal(op.count, end - first);
    assert_int_equal(op.more, after ? end <= last : first > 1);
    size_t at = 0;
    for (uint64_t i = 0; i < m->head; i++)
        if (between(&m->log[i], user, peer) && m->log[i].seq >= first && m->log[i].seq < end)
            assert_event(m, op.events[at++], i + 1);
    assert_int_equal(at, op.count);
    drop_events(&op.events, &op.count);
}

static void step_conversations(struct model *m, struct box *b)
{
    unsigned user = pick(m, USERS);
    struct im_store_conversations op = op_conversations(ids[user][0], 1 + pick(m, USERS));
    assert_int_equal(box_do(b, &op.op), IM_OK);
    bool seen[USERS] = {false};
    size_t count = 0;
    for (uint64_t i = m->head; i > 0 && count < op.limit; i--) {
        const struct message *e = &m->log[i - 1];
        unsigned peer = e->from == user ? e->to : e->from;
        if ((e->from != user && e->to != user) || seen[peer])
            continue;
        seen[peer] = true;
        assert_true(count < op.count);
        const struct im_conv_row *row = &op.rows[count++];
        uint64_t read_seq = 0;
        for (uint64_t j = 0; j < m->head; j++)
            if (between(&m->log[j], user, peer) && m->log[j].from == user)
                read_seq = m->log[j].seq;
        assert_true(str_is(row->name, m->users[peer].name));
        assert_event(m, row->last, i);
        assert_int_equal(row->last_seq, e->seq);
        assert_int_equal(row->read_seq, read_seq);
        assert_int_equal(row->unread, e->seq - read_seq);
    }
    assert_int_equal(op.count, count);
    drop_rows(&op);
}

static void step_stats(struct model *m, struct box *b)
{
    struct im_store_stats op = box_stats(b);
    uint64_t users = 0, convs = 0;
    for (unsigned x = 0; x < USERS; x++) {
        users += m->users[x].name != NULL;
        for (unsigned y = x; y < USERS; y++)
            convs += last_seq(m, x, y) > 0;
    }
    assert_int_equal(op.events, m->head);
    assert_int_equal(op.head, m->head);
    assert_int_equal(op.users, users);
    assert_int_equal(op.conversations, convs);
}

void model_step(struct model *m, struct box *b)
{
    static void (*const steps[])(struct model *, struct box *) = {
        step_append, step_append, step_append,  step_append,        step_login, step_cursor,
        step_since,  step_since,  step_history, step_conversations, step_stats};
    steps[pick(m, sizeof steps / sizeof *steps)](m, b);
}
