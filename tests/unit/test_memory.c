#include "tests/conform/store_box.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "stores/memory.h"

/* What the memory store does beside what every store does. */

static int setup(void **state)
{
    struct box *b = box_new(&im_store_rows[IM_STORE_MEMORY]);
    box_open(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct box *b = *state;
    box_free(&b);
    return 0;
}

static struct im_event *only(struct box *b, struct im_store_history h)
{
    assert_int_equal(box_do(b, &h.op), IM_OK);
    assert_int_equal(h.count, 1);
    struct im_event *e = h.events[0];
    free(h.events);
    return e;
}

static void change_message(struct box *b, enum im_event_type type, const char *body)
{
    struct im_msg m = {.ts_ms = 1700000000000,
                       .from = IM_STR("ann"),
                       .from_key = IM_STR("ann"),
                       .to = IM_STR("bob"),
                       .to_key = IM_STR("bob"),
                       .body = im_str(body),
                       .on = true,
                       .ref = 1};
    struct im_store_append op = {
        .op.kind = IM_STORE_APPEND, .event = im_event_new(type, &m), .policy = {.reactions = 10}};
    assert_int_equal(box_do(b, &op.op), IM_OK);
    im_event_drop(&op.event);
}

static void what_others_hold_does_not_change_under_their_hands(void **state)
{
    struct im_event *sent = box_append(*state, "ann", "bob", NULL, "hi");
    struct im_event *read = only(*state, op_before("bob", "ann", 0, 10));
    change_message(*state, IM_EV_REACT, "x");
    change_message(*state, IM_EV_DELETE, NULL);
    assert_true(str_is(sent->msg.body, "hi") && str_is(read->msg.body, "hi"));
    assert_false(sent->msg.deleted || read->msg.deleted);
    assert_null(read->msg.reactions.p);
    im_event_drop(&sent);
    im_event_drop(&read);
}

/* Events of all lengths go into blocks, and out of them from the oldest on. */
static void what_is_kept_comes_back_whatever_its_length(void **state)
{
    enum { COUNT = 3000, LONGEST = 20000 };
    struct box *b = *state;
    static char text[LONGEST + 1];
    for (unsigned i = 0; i < COUNT; i++) {
        size_t len = i % 100 == 99 ? LONGEST : i % 300;
        memset(text, 'a' + (int)(i % 26), len);
        text[len] = '\0';
        box_send(b, "ann", "bob", text);
    }
    for (unsigned kept = COUNT; kept > 0; kept /= 2) {
        struct im_store_sweep op = {
            .op.kind = IM_STORE_SWEEP, .retention_count = kept, .now_ms = 1700000000000, .limit = COUNT};
        assert_int_equal(box_do(b, &op.op), IM_OK);
        assert_int_equal(box_stats(b).events, kept);
        struct im_store_since s = op_since("bob", 0, COUNT, UINT32_MAX);
        assert_int_equal(box_do(b, &s.op), IM_OK);
        assert_int_equal(s.count, kept);
        for (size_t i = 0; i < s.count; i++) {
            uint64_t n = s.events[i]->msg.pos - 1;
            struct im_str body = s.events[i]->msg.body;
            assert_int_equal(body.len, n % 100 == 99 ? LONGEST : n % 300);
            assert_true(body.len == 0 || body.p[body.len - 1] == 'a' + (int)(n % 26));
        }
        drop_events(&s.events, &s.count);
    }
}

/* An old message that is kept keeps nothing else: neither the records of later ones, nor their conversation's places.
 */
static void what_is_erased_takes_no_memory(void **state)
{
    enum { ROUNDS = 20, EACH = 5000, KEPT = 10 };
    struct box *b = *state;
    struct im_memory *m = (struct im_memory *)b->store;
    box_send(b, "ann", "bob", "the oldest one");
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < EACH; i++)
            box_send(b, "ann", "carl", "hi");
        struct im_store_sweep op = {
            .op.kind = IM_STORE_SWEEP, .retention_count = KEPT, .now_ms = 1700000000000, .limit = EACH + 1};
        assert_int_equal(box_do(b, &op.op), IM_OK);
        assert_int_equal(box_stats(b).events, 1 + KEPT);
    }
    size_t blocks = 0;
    for (size_t i = 0; i < m->log.count; i++)
        blocks += m->log.items[i] != NULL;
    assert_in_range(blocks, 1, 3);
    assert_in_range(m->blocks.pieces.count, 1, 2);
    struct im_mem_user *ann = im_mem_user_find(m, IM_STR("ann"));
    struct im_mem_conv *c = im_mem_conv_find(m, ann, IM_CONV_DIRECT, IM_STR("carl"));
    assert_true(c->slots.count == KEPT && c->slots.room <= 64);
    struct im_store_history oldest = op_before("bob", "ann", 0, 10);
    struct im_event *e = only(b, oldest);
    assert_true(str_is(e->msg.body, "the oldest one"));
    im_event_drop(&e);
    struct im_store_find gone = {.op.kind = IM_STORE_FIND, .pos = 2};
    assert_int_equal(box_do(b, &gone.op), IM_OK);
    assert_null(gone.event);
    struct im_store_sweep all = {.op.kind = IM_STORE_SWEEP, .retention_ms = 1, .now_ms = 1800000000000, .limit = EACH};
    assert_int_equal(box_do(b, &all.op), IM_OK);
    assert_int_equal(box_stats(b).events, 0);
    assert_true(m->log.count <= 1 && m->log_base > ROUNDS * EACH / 2);
    box_send(b, "ann", "carl", "the first again");
    assert_int_equal(box_stats(b).events, 1);
}

/* The cid of a message that may be the first under it; or of one that was sent before. */
static void expect_cid(struct box *b, unsigned n, uint64_t earlier)
{
    char cid[16];
    snprintf(cid, sizeof cid, "c%u", n);
    struct im_store_append op = op_append("ann", "bob", cid, "hi");
    assert_int_equal(box_do(b, &op.op), IM_OK);
    assert_int_equal(op.earlier ? op.earlier->msg.pos : 0, earlier);
    im_event_drop(&op.event);
    im_event_drop(&op.earlier);
}

/* Every cid is found while its message is kept, through all divisions of the tables; and no more after that. */
static void a_cid_is_known_as_long_as_its_message(void **state)
{
    enum { COUNT = 30000, KEPT = 7000, GONE = COUNT - KEPT };
    struct box *b = *state;
    for (unsigned n = 1; n <= COUNT; n++)
        expect_cid(b, n, 0);
    for (unsigned n = 1; n <= COUNT; n++)
        expect_cid(b, n, n);
    struct im_store_sweep op = {
        .op.kind = IM_STORE_SWEEP, .retention_count = KEPT, .now_ms = 1700000000000, .limit = COUNT};
    assert_int_equal(box_do(b, &op.op), IM_OK);
    for (unsigned n = GONE + 1; n <= COUNT; n++)
        expect_cid(b, n, n);
    for (unsigned n = 1; n <= GONE; n++)
        expect_cid(b, n, 0);
    for (unsigned n = 1; n <= GONE; n++)
        expect_cid(b, n, COUNT + n);
}

static size_t pages_there(void *block)
{
    unsigned char there[IM_MEM_BLOCK_BYTES / 4096] = {0};
    size_t count = 0;
    assert_int_equal(mincore(block, IM_MEM_BLOCK_BYTES, there), 0);
    for (size_t i = 0; i < sizeof there; i++)
        count += there[i] & 1;
    return count;
}

/* Blocks lie apart, are used again, and when many are empty most of their memory goes back to the system. */
static void empty_blocks_are_used_again(void **state)
{
    enum { COUNT = 100 };
    (void)state;
    struct im_mem_blocks blocks = {0};
    char *taken[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        taken[i] = im_mem_block_take(&blocks);
        assert_int_equal((uintptr_t)taken[i] % IM_MEM_BLOCK_BYTES, 0);
        memset(taken[i], (int)i, IM_MEM_BLOCK_BYTES);
    }
    for (unsigned i = 0; i < COUNT; i++)
        assert_true(taken[i][0] == (char)i && taken[i][IM_MEM_BLOCK_BYTES - 1] == (char)i);
    for (unsigned i = 0; i < COUNT; i++)
        im_mem_block_give(&blocks, taken[i]);
    size_t pages = 0;
    for (unsigned i = 0; i < COUNT; i++)
        pages += pages_there(taken[i]);
    assert_true(pages < COUNT / 2 * IM_MEM_BLOCK_BYTES / (size_t)getpagesize());
    size_t pieces = blocks.pieces.count;
    for (unsigned i = 0; i < COUNT; i++)
        memset(im_mem_block_take(&blocks), 1, IM_MEM_BLOCK_BYTES);
    assert_int_equal(blocks.pieces.count, pieces);
    im_mem_blocks_end(&blocks);
}

/* Before it is ready, one gets another, of which no page is there. */
static void a_piece_is_made_ready_by_another_thread(void **state)
{
    enum { PATIENCE_S = 60 };
    struct im_mem_ahead *ahead = NULL;
    time_t end = time(NULL) + PATIENCE_S;
    (void)state;
    for (size_t pages = 0; pages < IM_MEM_BLOCK_BYTES / (size_t)getpagesize(); sched_yield()) {
        im_mem_piece_ahead(&ahead);
        assert_non_null(ahead);
        assert_true(time(NULL) < end);
        char *piece = im_mem_piece_take(ahead, true);
        pages = pages_there(piece + IM_MEM_PIECE_BYTES - IM_MEM_BLOCK_BYTES);
        im_mem_piece_give(piece);
    }
    im_mem_piece_ahead(&ahead); /* and nobody takes it */
    im_mem_ahead_end(&ahead);
}

/* One search does not keep everybody waiting, however much there is to look into. */
static void a_long_search_goes_by_steps(void **state)
{
    enum { MESSAGES = 60000, TOGETHER = 1000 };
    struct im_store_append *ops = calloc(TOGETHER, sizeof *ops);
    box_send(*state, "ann", "bob", "needle");
    for (unsigned n = 0; n < MESSAGES; n += TOGETHER) {
        for (unsigned i = 0; i < TOGETHER; i++) {
            ops[i] = op_append("ann", "bob", NULL, "hay");
            box_submit(*state, &ops[i].op);
        }
        box_turn(*state);
        for (unsigned i = 0; i < TOGETHER; i++)
            im_event_drop(&ops[i].event);
    }
    free(ops);
    unsigned steps = 0;
    size_t found = 0;
    uint64_t before = 0;
    do {
        struct im_store_search s = {.op.kind = IM_STORE_SEARCH,
                                    .key = key_of("bob"),
                                    .text = IM_STR("needle"),
                                    .before = before,
                                    .limit = 10,
                                    .bytes = 1000};
        assert_int_equal(box_do(*state, &s.op), IM_OK);
        assert_true(s.next == 0 || before == 0 || s.next < before);
        found += s.count;
        before = s.next;
        steps++;
        drop_hits(&s);
    } while (before != 0);
    assert_int_equal(found, 1);
    assert_true(steps > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_others_hold_does_not_change_under_their_hands, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_kept_comes_back_whatever_its_length, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_erased_takes_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cid_is_known_as_long_as_its_message, setup, teardown),
        cmocka_unit_test(empty_blocks_are_used_again),
        cmocka_unit_test(a_piece_is_made_ready_by_another_thread),
        cmocka_unit_test_setup_teardown(a_long_search_goes_by_steps, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
