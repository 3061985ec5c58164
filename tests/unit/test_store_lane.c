#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stores/lane.h"
#include "stores/result.h"

enum { N = 8 };

static void submit_all(struct im_lane *lane, struct im_store_op *ops)
{
    for (unsigned i = 0; i < N; i++) {
        ops[i].kind = IM_STORE_STATS;
        im_lane_put(lane, &ops[i]);
    }
}

static size_t drained(struct im_lane *lane, struct im_store_op *expected)
{
    size_t count = 0;
    for (struct im_store_op *op = im_lane_drain(lane); op; op = op->next)
        assert_ptr_equal(op, &expected[count++]);
    return count;
}

static void empty_lane_gives_nothing(void **state)
{
    struct im_lane lane = {0};
    struct im_store_op *taken;
    (void)state;
    assert_false(im_lane_ready(&lane));
    assert_null(im_lane_drain(&lane));
    assert_int_equal(im_lane_take(&lane, &taken, 1), 0);
}

static void finished_out_of_order_leaves_in_order(void **state)
{
    static const unsigned order[N] = {3, 1, 0, 2, 7, 6, 4, 5};
    static const unsigned ready_after[N] = {0, 0, 2, 4, 4, 4, 5, 8};
    struct im_lane lane = {0};
    struct im_store_op ops[N] = {0}, *taken[N];
    size_t left = 0;
    (void)state;
    submit_all(&lane, ops);
    assert_int_equal(im_lane_take(&lane, taken, N), N);
    for (unsigned i = 0; i < N; i++) {
        im_lane_finish(&lane, taken[order[i]], IM_OK);
        assert_int_equal(im_lane_ready(&lane), ready_after[i] > left);
        left += drained(&lane, ops + left);
        assert_int_equal(left, ready_after[i]);
    }
    assert_null(lane.head);
    assert_null(lane.tail);
}

static void what_nobody_took_stays(void **state)
{
    struct im_lane lane = {0};
    struct im_store_op ops[N] = {0}, *taken[N];
    (void)state;
    submit_all(&lane, ops);
    assert_int_equal(im_lane_take(&lane, taken, 3), 3);
    for (unsigned i = 0; i < 3; i++)
        im_lane_finish(&lane, taken[i], IM_STORE_FULL);
    assert_int_equal(drained(&lane, ops), 3);
    assert_int_equal(ops[2].status, IM_STORE_FULL);
    assert_int_equal(im_lane_take(&lane, taken, N), N - 3);
    assert_ptr_equal(taken[0], &ops[3]);
}

static void emptied_lane_takes_more(void **state)
{
    struct im_lane lane = {0};
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        struct im_store_op ops[N] = {0}, *taken[N];
        submit_all(&lane, ops);
        assert_int_equal(im_lane_take(&lane, taken, N), N);
        im_lane_finish(&lane, taken[0], IM_OK);
        assert_int_equal(drained(&lane, ops), 1);
        for (unsigned i = 1; i < N; i++)
            im_lane_finish(&lane, taken[i], IM_OK);
        assert_int_equal(drained(&lane, ops + 1), N - 1);
    }
}

static void merge_gives_the_lowest_first(void **state)
{
    struct im_merge merge = {0};
    uint32_t random = 7;
    uint64_t last = 0, given = 0;
    (void)state;
    assert_null(im_merge_first(&merge));
    for (unsigned source = 0; source < 100; source++) {
        random = random * 1664525 + 1013904223;
        im_merge_add(&merge, (struct im_merge_item){.pos = random % 1000, .source = source});
    }
    while (im_merge_first(&merge)) {
        struct im_merge_item item = *im_merge_first(&merge);
        assert_true(item.pos >= last);
        last = item.pos;
        given++;
        random = random * 1664525 + 1013904223;
        item.pos += random % 50;
        if (++item.at < 5)
            im_merge_replace(&merge, item);
        else
            im_merge_remove(&merge);
    }
    assert_int_equal(given, 500);
    im_merge_clear(&merge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_lane_gives_nothing),     cmocka_unit_test(finished_out_of_order_leaves_in_order),
        cmocka_unit_test(what_nobody_took_stays),       cmocka_unit_test(emptied_lane_takes_more),
        cmocka_unit_test(merge_gives_the_lowest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
