#include "core/rate.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/config.h"
#include "tests/unit/unit.h"

/* Two a second, five at once, unless a test says otherwise. */
struct limited {
    struct im_config *config;
    struct im_rates *rates;
};

static int set_up(void **state)
{
    struct limited *l = malloc(sizeof *l);
    assert_non_null(l);
    l->config = im_config_new();
    l->config->rate = 2;
    l->config->burst = 5;
    l->rates = im_rates_new((uint8_t[IM_HASH_KEY_BYTES]){7});
    *state = l;
    return 0;
}

static int tear_down(void **state)
{
    struct limited *l = *state;
    im_rates_free(&l->rates);
    assert_null(l->rates);
    im_config_free(&l->config);
    free(l);
    return 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* How many there are in it, one by one. */
static unsigned drain(struct im_bucket *b)
{
    unsigned n = 0;
    for (; im_bucket_has_one(b); n++)
        im_bucket_take(b, 1);
    return n;
}

/* How many the key may send now. */
static unsigned spend(struct limited *l, const char *key, uint64_t now_ms)
{
    unsigned n = 0;
    while (im_rates_take(l->rates, im_str(key), l->config, now_ms) == 0)
        n++;
    return n;
}

static void a_bucket_starts_full(void **state)
{
    struct limited *l = *state;
    struct im_bucket b;
    im_bucket_start(&b, l->config, 1000);
    assert_true(im_bucket_fill(&b, l->config, 1000));
    assert_int_equal(drain(&b), 5);
    assert_false(im_bucket_fill(&b, l->config, 1000));
}

static void what_comes_in_a_second_is_the_rate(void **state)
{
    struct limited *l = *state;
    struct im_bucket b;
    im_bucket_start(&b, l->config, 1000);
    im_bucket_take(&b, 5);
    im_bucket_fill(&b, l->config, 1499);
    assert_false(im_bucket_has_one(&b));
    im_bucket_fill(&b, l->config, 1500);
    assert_int_equal(drain(&b), 1);
    im_bucket_fill(&b, l->config, 2500);
    assert_int_equal(drain(&b), 2);
}

static void many_small_steps_let_in_as_much_as_one(void **state)
{
    struct limited *l = *state;
    struct im_bucket b;
    l->config->rate = 3;
    im_bucket_start(&b, l->config, 0);
    im_bucket_take(&b, 5);
    for (uint64_t ms = 1; ms <= 1000; ms++)
        im_bucket_fill(&b, l->config, ms);
    assert_int_equal(drain(&b), 3);
    assert_int_equal(b.milli, 0);
}

static void a_bucket_holds_no_more_than_the_burst(void **state)
{
    struct limited *l = *state;
    struct im_bucket b;
    im_bucket_start(&b, l->config, 0);
    im_bucket_take(&b, 5);
    assert_false(im_bucket_fill(&b, l->config, 2499));
    assert_true(im_bucket_fill(&b, l->config, 2500));
    assert_true(im_bucket_fill(&b, l->config, UINT64_C(3153600000000)));
    assert_int_equal(drain(&b), 5);
}

static void no_more_is_taken_than_there_is(void **state)
{
    struct limited *l = *state;
    struct im_bucket b;
    im_bucket_start(&b, l->config, 0);
    im_bucket_take(&b, 6);
    assert_false(im_bucket_has_one(&b));
    im_bucket_fill(&b, l->config, 500);
    assert_int_equal(drain(&b), 1);
}

static void a_lower_burst_counts_at_once(void **state)
{
    struct limited *l = *state;
    struct im_bucket b;
    im_bucket_start(&b, l->config, 0);
    l->config->burst = 2;
    assert_true(im_bucket_fill(&b, l->config, 10));
    assert_int_equal(drain(&b), 2);
}

static void a_higher_burst_fills_at_the_rate(void **state)
{
    struct limited *l = *state;
    struct im_bucket b;
    im_bucket_start(&b, l->config, 0);
    l->config->burst = 8;
    assert_false(im_bucket_fill(&b, l->config, 1000));
    assert_int_equal(b.milli, 7000);
    assert_true(im_bucket_fill(&b, l->config, 1500));
}

static void a_webhook_may_send_its_burst_and_then_waits_as_told(void **state)
{
    struct limited *l = *state;
    l->config->rate = 3;
    assert_int_equal(spend(l, "hook", 1000), 5);
    uint64_t wait = im_rates_take(l->rates, IM_STR("hook"), l->config, 1000);
    assert_int_equal(wait, 334); /* rounded up: not a moment too early */
    assert_int_equal(im_rates_take(l->rates, IM_STR("hook"), l->config, 1000 + wait - 1), 1);
    assert_int_equal(im_rates_take(l->rates, IM_STR("hook"), l->config, 1000 + wait), 0);
    assert_int_equal(im_rates_take(l->rates, IM_STR("hook"), l->config, 1000 + wait), 333);
}

static void to_be_refused_costs_nothing(void **state)
{
    struct limited *l = *state;
    spend(l, "hook", 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(im_rates_take(l->rates, IM_STR("hook"), l->config, 0), 500);
    assert_int_equal(spend(l, "hook", 500), 1);
}

static void each_key_has_a_bucket_of_its_own(void **state)
{
    struct limited *l = *state;
    char key[20];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "hook%d", i);
        for (int n = 0; n < i % 5; n++)
            assert_int_equal(im_rates_take(l->rates, im_str(key), l->config, 0), 0);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "hook%d", i);
        assert_int_equal(spend(l, key, 0), 5 - i % 5);
    }
}

static void keys_are_kept_and_compared_whole(void **state)
{
    struct limited *l = *state;
    char key[] = {'a', 0, 'b'};
    for (int i = 0; i < 5; i++)
        assert_int_equal(im_rates_take(l->rates, (struct im_str){key, 3}, l->config, 0), 0);
    key[2] = 'c';
    assert_int_equal(im_rates_take(l->rates, (struct im_str){key, 3}, l->config, 0), 0);
    assert_int_equal(im_rates_take(l->rates, (struct im_str){key, 1}, l->config, 0), 0);
    key[2] = 'b';
    assert_int_equal(im_rates_take(l->rates, (struct im_str){key, 3}, l->config, 0), 500);
}

/* A bucket that is kept grows into a higher burst at the rate; a new one begins with it. */
static void a_bucket_that_is_full_again_is_none(void **state)
{
    struct limited *l = *state;
    spend(l, "hook", 0);
    assert_int_equal(im_rates_take(l->rates, IM_STR("kept"), l->config, 0), 0);
    im_rates_tick(l->rates, l->config, 2500);
    assert_int_equal(im_rates_take(l->rates, IM_STR("kept"), l->config, 2500), 0); /* in use again */
    im_rates_tick(l->rates, l->config, 2501);
    l->config->burst = 9;
    assert_int_equal(spend(l, "hook", 2501), 9);
    assert_int_equal(spend(l, "kept", 2501), 4);
}

static void a_bucket_in_use_stays_through_ticks(void **state)
{
    struct limited *l = *state;
    spend(l, "hook", 0);
    for (uint64_t ms = 1; ms < 500; ms++)
        im_rates_tick(l->rates, l->config, ms);
    assert_int_equal(im_rates_take(l->rates, IM_STR("hook"), l->config, 499), 1);
    im_rates_tick(l->rates, l->config, 2499);
    l->config->burst = 9;
    assert_int_equal(spend(l, "hook", 2499), 4);
}

static void a_burst_lowered_below_what_is_left_ends_a_bucket(void **state)
{
    struct limited *l = *state;
    assert_int_equal(im_rates_take(l->rates, IM_STR("hook"), l->config, 0), 0);
    l->config->burst = 3;
    im_rates_tick(l->rates, l->config, 0);
    l->config->burst = 9;
    assert_int_equal(spend(l, "hook", 0), 9);
}

static void one_tick_ends_all_that_are_full(void **state)
{
    struct limited *l = *state;
    char key[20];
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "hook%d", i);
        for (int n = 0; n < 1 + i % 2; n++)
            assert_int_equal(im_rates_take(l->rates, im_str(key), l->config, 0), 0);
    }
    im_rates_tick(l->rates, l->config, 500);
    l->config->burst = 9;
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "hook%d", i);
        assert_int_equal(spend(l, key, 500), i % 2 ? 4 : 9);
    }
}

static void without_a_rate_nobody_waits(void **state)
{
    struct limited *l = *state;
    spend(l, "hook", 0);
    l->config->rate = 0;
    for (int i = 0; i < 100; i++)
        assert_int_equal(im_rates_take(l->rates, IM_STR("hook"), l->config, 0), 0);
    im_rates_tick(l->rates, l->config, 1000000);
    l->config->rate = 2;
    assert_int_equal(im_rates_take(l->rates, IM_STR("hook"), l->config, 1000000),
                     500); /* what was spent before counts */
}

static void no_rates_are_freed_well(void **state)
{
    struct im_rates *none = NULL;
    (void)state;
    im_rates_free(&none);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_bucket_starts_full),
        T(what_comes_in_a_second_is_the_rate),
        T(many_small_steps_let_in_as_much_as_one),
        T(a_bucket_holds_no_more_than_the_burst),
        T(no_more_is_taken_than_there_is),
        T(a_lower_burst_counts_at_once),
        T(a_higher_burst_fills_at_the_rate),
        T(a_webhook_may_send_its_burst_and_then_waits_as_told),
        T(to_be_refused_costs_nothing),
        T(each_key_has_a_bucket_of_its_own),
        T(keys_are_kept_and_compared_whole),
        T(a_bucket_that_is_full_again_is_none),
        T(a_bucket_in_use_stays_through_ticks),
        T(a_burst_lowered_below_what_is_left_ends_a_bucket),
        T(one_tick_ends_all_that_are_full),
        T(without_a_rate_nobody_waits),
        T(no_rates_are_freed_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
