#include <stdio.h>

#include "core/address.h"
#include "core/ban.h"
#include "tests/unit/unit.h"

static struct im_ban net(const char *text)
{
    struct im_ban ban = {0};
    struct im_error error = {0};
    assert_int_equal(im_ban_net(im_str(text), &ban, &error), IM_OK);
    return ban;
}

static struct im_ban user(enum im_ban_kind kind, const char *name, int64_t until_ms)
{
    struct im_ban ban = {.kind = kind, .until_ms = until_ms, .why = "rude"};
    assert_int_equal(im_name_parse(im_str(name), &ban.user, NULL), IM_OK);
    return ban;
}

static void a_network_has_those_who_share_its_first_bits(void **state)
{
    (void)state;
    static const struct {
        const char *net, *peer;
        bool hit;
    } cases[] = {
        {"192.0.2.7", "192.0.2.7:5000", true},
        {"192.0.2.7", "192.0.2.8:5000", false},
        {"192.0.2.0/24", "192.0.2.255:1", true},
        {"192.0.2.0/24", "192.0.3.0:1", false},
        {"10.64.0.0/10", "10.127.255.1:1", true},
        {"10.64.0.0/10", "10.128.0.1:1", false},
        {"0.0.0.0/0", "8.8.8.8:1", true},
        {"0.0.0.0/0", "[2001:db8::1]:1", false},
        {"2001:db8::/32", "[2001:db8:1::1]:1", true},
        {"2001:db8::/32", "[2001:db9::1]:1", false},
        {"::/0", "[2001:db8::1]:1", true},
        {"::1", "[::1]:65535", true},
        {"192.0.2.7", "[::ffff:192.0.2.7]:1", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct im_ban ban = net(cases[i].net);
        uint8_t ip[16];
        assert_true(im_address_peer(cases[i].peer, ip));
        assert_int_equal(im_ban_hits(&ban, ip), cases[i].hit);
    }
}

static void what_is_no_network_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       "ann",    "192.0.2",      "192.0.2.1/24",  "192.0.2.0/33", "192.0.2.0/",
                                      "::/129", "::1/64", "192.0.2.0/-1", "192.0.2.0/2 4", "1.2.3.4:80",   "[::1]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct im_ban ban = {0};
        struct im_error error = {0};
        assert_int_equal(im_ban_net(im_str(bad[i]), &ban, &error), IM_BAD_FIELD);
        assert_int_not_equal(error.detail[0], '\0');
    }
    uint8_t ip[16];
    assert_false(im_address_peer("unix:uid=0", ip));
}

static void a_record_says_what_was_written(void **state)
{
    (void)state;
    struct im_ban bans[] = {user(IM_BAN_USER, "小明", 99), user(IM_BAN_MUTE, "Ann", 0), net("192.0.2.0/24"),
                            net("2001:db8::/32"), net("::1")};
    static const char *const keys[] = {"user/小明", "mute/ann", "net/192.0.2.0/24", "net/2001:db8::/32", "net/::1"};
    for (size_t i = 0; i < sizeof bans / sizeof *bans; i++) {
        char buffer[IM_BAN_KEY_MAX];
        struct im_out value = {0};
        struct im_ban again;
        bans[i].since_ms = 7;
        bans[i].by_uid = 1000;
        struct im_str key = im_ban_key(&bans[i], buffer);
        assert_true(im_str_eq(key, im_str(keys[i])));
        im_ban_write(&bans[i], &value);
        assert_true(im_ban_read(key, (struct im_str){im_out_data(&value), value.len}, &again));
        im_out_clear(&value);
        assert_int_equal(again.kind, bans[i].kind);
        assert_string_equal(again.why, bans[i].why);
        assert_int_equal(again.until_ms, bans[i].until_ms);
        assert_int_equal(again.by_uid, 1000);
        assert_true(im_str_eq(im_name_text(&again.user), im_name_text(&bans[i].user)));
        assert_memory_equal(again.ip, bans[i].ip, 16);
        assert_int_equal(again.bits, bans[i].bits);
    }
    struct im_ban none;
    assert_false(im_ban_read(IM_STR("user/ann"), IM_STR("{}"), &none));
    assert_false(im_ban_read(IM_STR("other/ann"), IM_STR("{\"why\":\"\",\"since\":1,\"until\":0,\"by\":0}"), &none));
    assert_false(im_ban_read(IM_STR("user/ann"), (struct im_str){0}, &none));
}

static void bans_are_found_while_they_hold(void **state)
{
    (void)state;
    struct im_bans bans = {0};
    struct im_ban ann = user(IM_BAN_USER, "Ann", 0), bob = user(IM_BAN_MUTE, "bob", 100), some = net("192.0.2.0/24");
    assert_null(im_bans_user(&bans, IM_BAN_USER, IM_STR("ann"), 0));
    assert_true(im_bans_put(&bans, &ann, 0) && im_bans_put(&bans, &bob, 0) && im_bans_put(&bans, &some, 0));
    assert_non_null(im_bans_user(&bans, IM_BAN_USER, IM_STR("ann"), 50));
    assert_null(im_bans_user(&bans, IM_BAN_MUTE, IM_STR("ann"), 50));
    assert_non_null(im_bans_user(&bans, IM_BAN_MUTE, IM_STR("bob"), 99));
    assert_null(im_bans_user(&bans, IM_BAN_MUTE, IM_STR("bob"), 100));
    assert_non_null(im_bans_peer(&bans, "192.0.2.9:1", 0));
    assert_null(im_bans_peer(&bans, "192.0.3.9:1", 0));
    assert_null(im_bans_peer(&bans, "unix:uid=0", 0));
    assert_true(im_bans_put(&bans, &ann, 50)); /* again: in its place */
    assert_int_equal(bans.count, 3);
    assert_true(im_bans_put(&bans, &ann, 100)); /* and those that are over go */
    assert_int_equal(bans.count, 2);
    assert_true(im_bans_drop(&bans, IM_STR("user/ann")));
    assert_false(im_bans_drop(&bans, IM_STR("user/ann")));
    assert_null(im_bans_user(&bans, IM_BAN_USER, IM_STR("ann"), 50));
    im_bans_clear(&bans);
}

static void many_bans_stay_in_order_and_have_a_bound(void **state)
{
    (void)state;
    struct im_bans bans = {0};
    for (unsigned i = 0; i < IM_BANS_MAX; i++) {
        char text[40];
        snprintf(text, sizeof text, "10.%u.%u.0/24", i * 7919 % IM_BANS_MAX / 256, i * 7919 % IM_BANS_MAX % 256);
        struct im_ban ban = net(text);
        assert_true(im_bans_put(&bans, &ban, 0));
    }
    struct im_ban more = user(IM_BAN_USER, "ann", 0), same = net("10.3.3.0/24");
    assert_false(im_bans_put(&bans, &more, 0));
    assert_true(im_bans_put(&bans, &same, 0));
    assert_non_null(im_bans_peer(&bans, "10.3.3.3:1", 0));
    assert_null(im_bans_peer(&bans, "11.3.3.3:1", 0));
    im_bans_clear(&bans);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_has_those_who_share_its_first_bits),
        cmocka_unit_test(what_is_no_network_is_refused),
        cmocka_unit_test(a_record_says_what_was_written),
        cmocka_unit_test(bans_are_found_while_they_hold),
        cmocka_unit_test(many_bans_stay_in_order_and_have_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
