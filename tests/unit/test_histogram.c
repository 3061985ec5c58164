#include <stdlib.h>

#include "core/histogram.h"
#include "tests/unit/unit.h"

static void every_value_falls_into_the_bucket_that_holds_it(void **state)
{
    (void)state;
    assert_int_equal(im_histogram_bucket(0), 0);
    assert_int_equal(im_histogram_bucket(15), 15);
    assert_int_equal(im_histogram_bucket(16), 16);
    assert_int_equal(im_histogram_bucket(31), 31);
    assert_int_equal(im_histogram_bucket(32), 32);
    assert_int_equal(im_histogram_bucket(33), 32);
    assert_int_equal(im_histogram_bucket(34), 33);
    assert_int_equal(im_histogram_bucket(UINT64_MAX), IM_HISTOGRAM_BUCKETS - 1);
    unsigned last = 0;
    for (uint64_t v = 1; v < UINT64_C(1) << 36; v += 1 + v / 100) {
        unsigned bucket = im_histogram_bucket(v);
        assert_true(bucket >= last && bucket < IM_HISTOGRAM_BUCKETS);
        last = bucket;
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void a_percentile_is_no_less_than_the_true_one_and_little_more(void **state)
{
    enum { N = 5000 };
    static const unsigned permille[] = {1, 250, 500, 900, 990, 999, 1000};
    struct im_histogram *h = calloc(1, sizeof *h);
    struct im_histogram_view *v = malloc(sizeof *v);
    uint64_t *values = malloc(N * sizeof *values), x = 88172645463325252u, sum = 0;
    (void)state;
    for (size_t i = 0; i < N; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        values[i] = (x >> 20) >> (x % 40);
        sum += values[i];
        im_histogram_add(h, values[i]);
    }
    qsort(values, N, sizeof *values, by_value);
    im_histogram_look(h, v);
    assert_int_equal(v->count, N);
    assert_int_equal(v->sum, sum);
    assert_int_equal(v->max, values[N - 1]);
    for (size_t i = 0; i < sizeof permille / sizeof *permille; i++) {
        uint64_t truth = values[((size_t)N * permille[i] + 999) / 1000 - 1], told = im_histogram_at(v, permille[i]);
        if (truth >> IM_HISTOGRAM_TOP)
            continue;
        assert_true(told >= truth && told - truth <= truth / 16);
    }
    for (unsigned power = 0; power < IM_HISTOGRAM_TOP; power++) {
        size_t below = 0;
        while (below < N && values[below] < UINT64_C(1) << power)
            below++;
        assert_int_equal(im_histogram_below(v, power), below);
    }
    assert_int_equal(im_histogram_below(v, IM_HISTOGRAM_TOP), N);
    free(values);
    free(v);
    free(h);
}

static void two_looks_tell_what_came_between(void **state)
{
    struct im_histogram *h = calloc(1, sizeof *h);
    struct im_histogram_view *before = malloc(sizeof *before), *now = malloc(sizeof *now);
    (void)state;
    im_histogram_add(h, 1000000);
    im_histogram_look(h, before);
    im_histogram_add(h, 5);
    im_histogram_add(h, 7);
    im_histogram_look(h, now);
    im_histogram_since(now, before);
    assert_int_equal(now->count, 2);
    assert_int_equal(now->sum, 12);
    assert_int_equal(now->max, 7);
    assert_int_equal(im_histogram_at(now, 500), 5);
    im_histogram_look(h, now);
    im_histogram_look(h, before);
    im_histogram_since(now, before);
    assert_int_equal(now->count, 0);
    assert_int_equal(now->max, 0);
    assert_int_equal(im_histogram_at(now, 990), 0);
    free(now);
    free(before);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_falls_into_the_bucket_that_holds_it),
        cmocka_unit_test(a_percentile_is_no_less_than_the_true_one_and_little_more),
        cmocka_unit_test(two_looks_tell_what_came_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
