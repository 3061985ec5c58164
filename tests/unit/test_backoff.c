#include <stdio.h>
#include <stdlib.h>

#include "core/backoff.h"
#include "tests/unit/unit.h"

static const uint8_t key[IM_HASH_KEY_BYTES] = {1, 2, 3};
static const struct im_backoff_rule rule = {.start_ms = 1000, .most_ms = 10000, .table = 100};

static void fail_times(struct im_backoff *b, const char *who, unsigned n, uint64_t now)
{
    while (n-- > 0)
        im_backoff_failed(b, im_str(who), &rule, now);
}

static void the_first_four_failures_cost_nothing(void **state)
{
    (void)state;
    struct im_backoff *b = im_backoff_new(key);
    assert_int_equal(im_backoff_wait(b, IM_STR("a"), 5), 0);
    fail_times(b, "a", 4, 5);
    assert_int_equal(im_backoff_wait(b, IM_STR("a"), 5), 0);
    fail_times(b, "a", 1, 5);
    assert_int_equal(im_backoff_wait(b, IM_STR("a"), 5), 1000);
    assert_int_equal(im_backoff_wait(b, IM_STR("a"), 905), 100);
    assert_int_equal(im_backoff_wait(b, IM_STR("a"), 1005), 0);
    assert_int_equal(im_backoff_wait(b, IM_STR("b"), 5), 0);
    im_backoff_free(&b);
    assert_null(b);
}

static void each_further_one_doubles_the_wait_up_to_the_longest(void **state)
{
    (void)state;
    static const uint64_t waits[] = {1000, 2000, 4000, 8000, 10000, 10000, 10000};
    struct im_backoff *b = im_backoff_new(key);
    uint64_t now = 50;
    fail_times(b, "a", 4, now);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        fail_times(b, "a", 1, now);
        assert_int_equal(im_backoff_wait(b, IM_STR("a"), now), waits[i]);
        now += waits[i];
    }
    fail_times(b, "a", 100, now); /* no overflow */
    assert_int_equal(im_backoff_wait(b, IM_STR("a"), now), 10000);
    im_backoff_free(&b);
}

static void failures_are_forgotten_after_twice_the_longest_wait(void **state)
{
    (void)state;
    struct im_backoff *b = im_backoff_new(key);
    fail_times(b, "a", 5, 0);
    fail_times(b, "a", 1, 19999);
    assert_int_equal(im_backoff_wait(b, IM_STR("a"), 19999), 2000);
    fail_times(b, "a", 1, 19999 + 20000);
    assert_int_equal(im_backoff_wait(b, IM_STR("a"), 39999), 0);
    im_backoff_free(&b);
}

static void who_succeeds_begins_anew(void **state)
{
    (void)state;
    struct im_backoff *b = im_backoff_new(key);
    fail_times(b, "a", 5, 0);
    im_backoff_forget(b, IM_STR("a"));
    im_backoff_forget(b, IM_STR("nobody"));
    fail_times(b, "a", 4, 0);
    assert_int_equal(im_backoff_wait(b, IM_STR("a"), 0), 0);
    im_backoff_free(&b);
}

static void a_full_table_forgets_whoever_failed_longest_ago(void **state)
{
    (void)state;
    struct im_backoff *b = im_backoff_new(key);
    char who[20];
    fail_times(b, "first", 5, 0);
    fail_times(b, "second", 5, 0);
    fail_times(b, "first", 1, 1);
    for (unsigned i = 0; i < 99; i++) {
        snprintf(who, sizeof who, "other%u", i);
        fail_times(b, who, 1, 2);
    }
    assert_int_equal(im_backoff_wait(b, IM_STR("second"), 2), 0);
    assert_int_equal(im_backoff_wait(b, IM_STR("first"), 2), 1999);
    fail_times(b, "one more", 1, 2);
    assert_int_equal(im_backoff_wait(b, IM_STR("first"), 2), 0);
    im_backoff_free(&b);
}

static void with_no_start_there_is_never_a_wait(void **state)
{
    (void)state;
    struct im_backoff *b = im_backoff_new(key);
    const struct im_backoff_rule off = {.start_ms = 0, .most_ms = 10000, .table = 100};
    for (unsigned i = 0; i < 50; i++)
        im_backoff_failed(b, IM_STR("a"), &off, 0);
    assert_int_equal(im_backoff_wait(b, IM_STR("a"), 0), 0);
    im_backoff_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_four_failures_cost_nothing),
        cmocka_unit_test(each_further_one_doubles_the_wait_up_to_the_longest),
        cmocka_unit_test(failures_are_forgotten_after_twice_the_longest_wait),
        cmocka_unit_test(who_succeeds_begins_anew),
        cmocka_unit_test(a_full_table_forgets_whoever_failed_longest_ago),
        cmocka_unit_test(with_no_start_there_is_never_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
