#include "tests/unit/sqlite_file.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "stores/sqlite_boot.h"
#include "stores/sqlite_write.h"

/* What the writer keeps in memory must make no difference to what is in the file. */

static int setup(void **state)
{
    struct box *b = box_new(&im_store_rows[IM_STORE_SQLITE]);
    b->sync_full = false;
    *state = b;
    box_open(b);
    return 0;
}

static int teardown(void **state)
{
    struct box *b = *state;
    box_free(&b);
    return 0;
}

static unsigned pick(uint32_t *random, unsigned below)
{
    *random = *random * 1664525 + 1013904223;
    return (unsigned)((uint64_t)*random * below >> 32);
}

/* A writer with no thread: its transactions are as large as the test wants. */
static struct im_writer *writer_open(struct box *b)
{
    struct im_store_options o = {.path = b->path};
    struct im_writer *w = im_zalloc(sizeof *w);
    struct im_error error;
    char epoch[33];
    box_close(b);
    assert_int_equal(im_boot_writer(&o, &w->db, &error), IM_OK);
    assert_int_equal(im_writer_start(w, NULL, epoch), SQLITE_OK);
    return w;
}

static void writer_close(struct im_writer **w)
{
    im_writer_close(*w);
    free(*w);
    *w = NULL;
}

enum { BATCH = 1000, PEOPLE = 300, GROUPS = 5 };

static const char *person(unsigned n)
{
    static char names[PEOPLE][8];
    snprintf(names[n], sizeof names[n], "p%u", n);
    return names[n];
}

static const char *group(unsigned n)
{
    static char names[GROUPS][8];
    snprintf(names[n], sizeof names[n], "#g%u", n);
    return names[n];
}

static void crowd(struct box *b)
{
    for (unsigned g = 0; g < GROUPS; g++) {
        create(b, person(0), group(g), IM_GROUP_PUBLIC);
        for (unsigned n = 1; n < PEOPLE; n++)
            change(b, person(n), group(g), IM_CHANGE_JOIN, NULL);
    }
}

/* Mostly messages, between so many that they take one another's places in the cache. */
static struct im_store_append some_append(uint32_t *random)
{
    const char *from = person(pick(random, PEOPLE));
    if (pick(random, 3) == 0)
        return op_act(ACT(.from = from, .to = group(pick(random, GROUPS)), .text = "hi"));
    if (pick(random, 50) == 0)
        return op_act(
            ACT(.type = IM_EV_REACT, .from = from, .to = person(pick(random, PEOPLE)), .ref = 1, .text = "👍"));
    return op_append(from, person(pick(random, PEOPLE)), NULL, "hi");
}

static void batch(struct im_writer *w, uint32_t *random)
{
    static struct im_store_append ops[BATCH];
    w->count = BATCH;
    for (size_t i = 0; i < BATCH; i++) {
        ops[i] = some_append(random);
        w->ops[i] = &ops[i].op;
    }
    assert_true(im_writer_batch(w));
    for (size_t i = 0; i < BATCH; i++)
        im_event_drop(&ops[i].event);
}

static void conversations_that_take_turns_are_all_noted(void **state)
{
    struct box *b = *state;
    uint32_t random = 1;
    crowd(b);
    struct im_writer *w = writer_open(b);
    for (unsigned i = 0; i < 20; i++)
        batch(w, &random);
    writer_close(&w);
    file_check(b->path);
    assert_true(file_ask(b->path, "SELECT count(*) FROM convs") > 8000);
    assert_int_equal(file_ask(b->path, "SELECT count(*) FROM (SELECT conv, sender, max(seq) AS own FROM events WHERE"
                                       " type = 0 GROUP BY conv, sender) e JOIN members m ON m.conv = e.conv"
                                       " AND m.user = e.sender WHERE m.read_seq < e.own"),
                     0);
}

static struct im_msg sent(struct box *b, const char *from, const char *to)
{
    struct im_event *e = box_append(b, from, to, NULL, "hi");
    struct im_msg m = {.pos = e->msg.pos, .seq = e->msg.seq, .hidden = e->msg.hidden};
    im_event_drop(&e);
    return m;
}

static void what_another_program_has_written_is_noticed(void **state)
{
    struct box *b = *state;
    uint64_t pos = sent(b, "ann", "bob").pos;
    assert_int_equal(sent(b, "ann", "bob").seq, 2);
    file_run(b->path, "UPDATE log SET head = head + 100; UPDATE convs SET last_seq = 7");
    struct im_msg m = sent(b, "ann", "bob");
    assert_int_equal(m.pos, pos + 102);
    assert_int_equal(m.seq, 8);
    assert_false(m.hidden);
    file_run(b->path, "UPDATE users SET blocks = 1 WHERE key = 'bob'; INSERT INTO blocks SELECT id, 'ann' FROM users"
                      " WHERE key = 'bob'");
    assert_true(sent(b, "ann", "bob").hidden);
}

static void who_is_known_already_can_be_blocked_and_unblocked(void **state)
{
    struct box *b = *state;
    assert_false(sent(b, "ann", "bob").hidden);
    assert_false(sent(b, "ann", "bob").hidden);
    assert_int_equal(block(b, "bob", "ann", true, 0), IM_OK);
    assert_true(sent(b, "ann", "bob").hidden);
    assert_int_equal(sent(b, "bob", "ann").seq, 4);
    assert_int_equal(block(b, "bob", "ann", false, 0), IM_OK);
    assert_false(sent(b, "ann", "bob").hidden);
    box_close(b);
    file_check(b->path);
}

static enum im_reason try_send(struct box *b, const char *from, const char *to)
{
    return try_act(b, ACT(.from = from, .to = to, .text = "hi"));
}

static void who_was_a_member_and_is_not_cannot_write(void **state)
{
    struct box *b = *state;
    create(b, "ann", "#cats", IM_GROUP_PUBLIC);
    assert_int_equal(try_send(b, "bob", "#cats"), IM_NOT_MEMBER);
    change(b, "bob", "#cats", IM_CHANGE_JOIN, NULL);
    assert_int_equal(try_send(b, "bob", "#cats"), IM_OK);
    change(b, "bob", "#cats", IM_CHANGE_LEAVE, NULL);
    assert_int_equal(try_send(b, "bob", "#cats"), IM_NOT_MEMBER);
    change(b, "ann", "#cats", IM_CHANGE_DESTROY, NULL);
    assert_int_equal(try_send(b, "ann", "#cats"), IM_NO_SUCH_GROUP);
    create(b, "bob", "#cats", IM_GROUP_PUBLIC);
    assert_int_equal(try_send(b, "ann", "#cats"), IM_NOT_MEMBER);
    assert_int_equal(try_send(b, "bob", "#cats"), IM_OK);
    box_close(b);
    file_check(b->path);
}

static void who_had_an_account_and_has_not_cannot_be_written_to(void **state)
{
    struct box *b = *state;
    struct im_policy policy = {.accounts = true};
    const struct act *act = ACT(.from = "ann", .to = "bob", .text = "hi", .policy = &policy);
    struct im_store_record_drop drop = {
        .op.kind = IM_STORE_RECORD_DROP, .kind = IM_RECORD_ACCOUNT, .key = key_of("bob")};
    say(b, "ann", "bob", "hi");
    assert_int_equal(try_act(b, act), IM_NO_SUCH_USER);
    assert_int_equal(try_act(b, act), IM_NO_SUCH_USER);
    put_record(b, IM_RECORD_ACCOUNT, "bob", NULL, NULL, "{\"password\":\"\"}");
    assert_int_equal(try_act(b, act), IM_OK);
    assert_int_equal(box_do(b, &drop.op), IM_OK);
    assert_int_equal(try_act(b, act), IM_NO_SUCH_USER);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(conversations_that_take_turns_are_all_noted),         T(what_another_program_has_written_is_noticed),
        T(who_is_known_already_can_be_blocked_and_unblocked),   T(who_was_a_member_and_is_not_cannot_write),
        T(who_had_an_account_and_has_not_cannot_be_written_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
