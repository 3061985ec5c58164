#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "transports/gate.h"

static const uint8_t hash_key[IM_HASH_KEY_BYTES] = "0123456789abcdef";

struct fixture {
    struct im_config *config;
    struct im_gate *gate;
};

static int set_up(void **state)
{
    static struct fixture f;
    f.config = im_config_new();
    f.config->per_address = 2;
    f.gate = im_gate_new(hash_key);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    im_gate_free(&f->gate);
    im_config_free(&f->config);
    return 0;
}

static enum im_reason enter(struct fixture *f, const char *address, void **ticket)
{
    struct sockaddr_storage sa = {0};
    struct sockaddr_in *v4 = (void *)&sa;
    struct sockaddr_in6 *v6 = (void *)&sa;
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1)
        sa.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1)
        sa.ss_family = AF_INET6;
    else
        sa.ss_family = AF_UNIX;
    return im_gate_enter(f->gate, f->config, (struct sockaddr *)(void *)&sa, ticket);
}

static void all_connections_are_capped(void **state)
{
    struct fixture *f = *state;
    void *a, *b, *c;
    f->config->connections = 2;
    assert_int_equal(enter(f, "/socket", &a), IM_OK);
    assert_int_equal(enter(f, "192.0.2.1", &b), IM_OK);
    assert_int_equal(enter(f, "192.0.2.2", &c), IM_FULL);
    assert_int_equal(im_gate_count(f->gate), 2);
    im_gate_leave(f->gate, a);
    assert_int_equal(enter(f, "192.0.2.2", &c), IM_OK);
    assert_int_equal(im_gate_count(f->gate), 2);
}

static void one_address_is_capped_and_others_are_not(void **state)
{
    struct fixture *f = *state;
    void *a, *b, *c;
    assert_int_equal(enter(f, "192.0.2.1", &a), IM_OK);
    assert_int_equal(enter(f, "192.0.2.1", &b), IM_OK);
    assert_int_equal(enter(f, "192.0.2.1", &c), IM_FULL_ADDRESS);
    assert_int_equal(enter(f, "192.0.2.2", &c), IM_OK);
    im_gate_leave(f->gate, b);
    assert_int_equal(enter(f, "192.0.2.1", &b), IM_OK);
    assert_int_equal(im_gate_count(f->gate), 3);
}

static void an_ipv6_network_counts_as_one_address(void **state)
{
    struct fixture *f = *state;
    void *t;
    assert_int_equal(enter(f, "2001:db8:0:1::1", &t), IM_OK);
    assert_int_equal(enter(f, "2001:db8:0:1:ffff::2", &t), IM_OK);
    assert_int_equal(enter(f, "2001:db8:0:1::3", &t), IM_FULL_ADDRESS);
    assert_int_equal(enter(f, "2001:db8:0:2::1", &t), IM_OK);
}

static void a_mapped_address_is_the_ipv4_address(void **state)
{
    struct fixture *f = *state;
    void *t;
    assert_int_equal(enter(f, "::ffff:192.0.2.1", &t), IM_OK);
    assert_int_equal(enter(f, "192.0.2.1", &t), IM_OK);
    assert_int_equal(enter(f, "::ffff:192.0.2.1", &t), IM_FULL_ADDRESS);
    assert_int_equal(enter(f, "::ffff:192.0.2.2", &t), IM_OK);
}

static void loopback_and_unix_count_only_in_all(void **state)
{
    static const char *const addresses[] = {"127.0.0.1", "::1", "::ffff:127.0.0.1", "/socket"};
    struct fixture *f = *state;
    void *t;
    for (int round = 0; round < 4; round++)
        for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
            assert_int_equal(enter(f, addresses[i], &t), IM_OK);
    assert_int_equal(im_gate_count(f->gate), 16);
}

static void loopback_counts_when_asked_to(void **state)
{
    struct fixture *f = *state;
    void *t;
    f->config->count_loopback = true;
    assert_int_equal(enter(f, "127.0.0.1", &t), IM_OK);
    assert_int_equal(enter(f, "127.0.0.1", &t), IM_OK);
    assert_int_equal(enter(f, "127.0.0.1", &t), IM_FULL_ADDRESS);
}

static void a_reserve_of_descriptors_is_kept(void **state)
{
    struct fixture *f = *state;
    struct rlimit old, low;
    void *t;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = (struct rlimit){.rlim_cur = 40, .rlim_max = old.rlim_max};
    f->config->descriptor_reserve = 15;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (int i = 0; i < 25; i++)
        assert_int_equal(enter(f, "/socket", &t), IM_OK);
    assert_int_equal(enter(f, "/socket", &t), IM_FULL);
    f->config->descriptor_reserve = 64; /* more than there are: half stays for clients */
    for (int i = 0; i < 5; i++)
        im_gate_leave(f->gate, t);
    assert_int_equal(enter(f, "/socket", &t), IM_FULL);
    im_gate_leave(f->gate, t);
    assert_int_equal(enter(f, "/socket", &t), IM_OK);
    setrlimit(RLIMIT_NOFILE, &old);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_connections_are_capped),
        TEST(one_address_is_capped_and_others_are_not),
        TEST(an_ipv6_network_counts_as_one_address),
        TEST(a_mapped_address_is_the_ipv4_address),
        TEST(loopback_and_unix_count_only_in_all),
        TEST(loopback_counts_when_asked_to),
        TEST(a_reserve_of_descriptors_is_kept),
    };
    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
