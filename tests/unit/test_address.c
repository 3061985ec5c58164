#include "tests/unit/unit.h"

#include "core/address.h"

static void addresses_are_read_and_written(void **state)
{
    static const struct {
        const char *text, *network;
        bool four, written_as_four, loopback;
    } rows[] = {
        {"192.0.2.7", "192.0.2.7", true, true, false},
        {"127.9.9.9", "127.9.9.9", true, true, true},
        {"::1", "::", false, false, true},
        {"2001:db8::1:2:3:4", "2001:db8::", false, false, false},
        {"::ffff:127.0.0.1", "127.0.0.1", true, false, true},
        {"::ffff:192.0.2.7", "192.0.2.7", true, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t ip[16];
        bool four;
        char text[IM_ADDRESS_TEXT];
        assert_true(im_address_read(rows[i].text, ip, &four));
        assert_int_equal(four, rows[i].written_as_four);
        assert_int_equal(im_address_is_four(ip), rows[i].four);
        assert_int_equal(im_address_is_loopback(ip), rows[i].loopback);
        im_address_network(ip);
        im_address_write(ip, text);
        assert_string_equal(text, rows[i].network);
    }
}

static void what_is_no_address_is_none(void **state)
{
    static const char *const texts[] = {"", "localhost", "1.2.3", "1.2.3.4.5", "[::1]", "1.2.3.4:5", "01.2.3.4"};
    static const char *const peers[] = {"", "unix:uid=0", ":5", "[]:5", "1.2.3.4", "1.2.3.4]:5"};
    uint8_t ip[16];
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (im_address_read(texts[i], ip, NULL))
            fail_msg("%s", texts[i]);
    for (size_t i = 0; i < sizeof peers / sizeof *peers; i++)
        if (im_address_peer(peers[i], ip))
            fail_msg("%s", peers[i]);
    assert_true(im_address_peer("[2001:db8::1]:5000", ip) && !im_address_is_four(ip));
    assert_true(im_address_peer("192.0.2.7:1", ip) && im_address_is_four(ip));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(what_is_no_address_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
