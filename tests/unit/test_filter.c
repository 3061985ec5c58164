#include <string.h>

#include "tests/unit/unit.h"
#include "tools/imd/filter.h"

static const struct im_session_view view = {
    .id = 7,
    .user = {"Bob", 3},
    .device = {"phone", 5},
    .transport = "websocket",
    .state = "live",
    .dialect = "json",
    .address = {"127.0.0.1:5000", 14},
    .agent = {"a band and more", 15},
    .tls = true,
    .age_ms = 90000,
    .idle_ms = 500,
    .behind = 3,
    .queued = 65536,
};

static bool matches(const char *text)
{
    struct imd_filter filter;
    struct im_error error = {0};
    enum im_reason reason = imd_filter_parse(im_str(text), &filter, &error);
    if (reason != IM_OK)
        fail_msg("%s: %s", text, error.detail);
    return imd_filter_match(&filter, &view);
}

static void comparisons_say_what_they_mean(void **state)
{
    static const char *const yes[] = {
        "id=7",
        "user=bob",
        "user!=alice",
        "user=B*",
        "user=*",
        "device=phone",
        "transport=websocket",
        "tls=yes",
        "throttled=no",
        "queue>=64KiB",
        "queue > 1KiB",
        "queue<1MiB",
        "age>1m",
        "idle<1s",
        "behind!=0",
        "state!=behind",
        "address=127.0.0.1:*",
        " user = BOB  and  transport=web* and queue<=65536 ",
        "held=",
        "held!=rate",
        "agent=a band*",
    };
    static const char *const no[] = {
        "id=8",
        "user=bobby",
        "user!=bob",
        "user=b*",
        "device=*x",
        "tls=no",
        "queue>64KiB",
        "age<1m",
        "behind=0",
        "state=behind",
        "user=bob and transport=line",
        "held=rate",
    };
    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!matches(yes[i]))
            fail_msg("%s is true", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (matches(no[i]))
            fail_msg("%s is not true", no[i]);
}

static void whoever_is_not_logged_in_has_no_user(void **state)
{
    const struct im_session_view open = {.id = 1, .transport = "line", .state = "open", .dialect = "human"};
    struct imd_filter filter;
    (void)state;
    assert_int_equal(imd_filter_parse(IM_STR("user="), &filter, NULL), IM_OK);
    assert_true(imd_filter_match(&filter, &open));
    assert_false(imd_filter_match(&filter, &view));
    assert_int_equal(imd_filter_parse(IM_STR("user=bob"), &filter, NULL), IM_OK);
    assert_false(imd_filter_match(&filter, &open));
    assert_int_equal(imd_filter_parse((struct im_str){0}, &filter, NULL), IM_OK);
    assert_true(imd_filter_match(&filter, &open));
}

static void what_is_wrong_is_told(void **state)
{
    static const struct {
        const char *text, *problem;
    } wrong[] = {
        {"", "no \"\""},
        {"usr=bob", "did you mean \"user\"?"},
        {"user", "needs a comparison"},
        {"user>bob", "only be compared with = and !="},
        {"user=a b", ""},
        {"tls=1", "yes or no"},
        {"queue>many", "queue: "},
        {"age>5", "age: "},
        {"id=1 and ", "no \"\""},
        {"id=1 and id=1 and id=1 and id=1 and id=1 and id=1 and id=1 and id=1 and id=1", "at most 8"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct imd_filter filter;
        struct im_error error = {0};
        assert_int_equal(imd_filter_parse(im_str(wrong[i].text), &filter, &error), IM_BAD_FIELD);
        if (!strstr(error.detail, wrong[i].problem))
            fail_msg("\"%s\" is not in %s", wrong[i].problem, error.detail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons_say_what_they_mean),
        cmocka_unit_test(whoever_is_not_logged_in_has_no_user),
        cmocka_unit_test(what_is_wrong_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
