#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "tools/imbench/check.h"
#include "tools/imbench/deflate.h"
#include "tools/imbench/hist.h"
#include "tools/imbench/net.h"
#include "tools/imbench/wire.h"

/* The histogram. */

static void small_values_are_exact(void **state)
{
    (void)state;
    static struct hist h;
    h = (struct hist){0};
    for (uint64_t i = 1; i <= 200; i++)
        hist_add(&h, i);
    assert_int_equal(hist_at(&h, 0.5), 1);
    assert_int_equal(hist_at(&h, 50), 100);
    assert_int_equal(hist_at(&h, 99), 198);
    assert_int_equal(hist_at(&h, 100), 200);
    assert_int_equal(h.count, 200);
    assert_int_equal(h.sum, 200 * 201 / 2);
}

static void any_value_is_known_to_one_part_in_128(void **state)
{
    (void)state;
    static struct hist h;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t values[] = {(uint64_t)1 << bit, ((uint64_t)1 << bit) + ((uint64_t)1 << bit) / 3,
                             ((uint64_t)1 << bit) - 1 + ((uint64_t)1 << bit)};
        for (unsigned i = 0; i < 3; i++) {
            h = (struct hist){0};
            hist_add(&h, values[i]);
            hist_add(&h, UINT64_MAX);
            uint64_t told = hist_at(&h, 50);
            assert_true(told >= values[i]);
            assert_true(told - values[i] <= values[i] / 128);
        }
    }
}

static void the_most_is_told_exactly_and_nothing_of_nothing(void **state)
{
    (void)state;
    static struct hist h;
    h = (struct hist){0};
    assert_int_equal(hist_at(&h, 99), 0);
    hist_add(&h, 1000001);
    assert_int_equal(hist_at(&h, 50), 1000001);
    assert_int_equal(h.max, 1000001);
}

/* Checking. */

static void take_all(struct flow *f, struct tally *t, const char *numbers)
{
    for (; *numbers; numbers++)
        flow_take(f, (uint64_t)(*numbers - '0'), t);
}

static struct tally tally_of(const char *numbers)
{
    struct flow flow = {0};
    struct tally tally = {.expected = 6};
    take_all(&flow, &tally, numbers);
    return tally;
}

static void what_comes_once_and_in_order_is_good(void **state)
{
    (void)state;
    struct tally t = tally_of("012345");
    assert_int_equal(t.got, 6);
    assert_int_equal(tally_lost(&t) + t.duplicated + t.misordered, 0);
}

static void lost_messages_are_counted(void **state)
{
    (void)state;
    struct tally t = tally_of("0145"), end = tally_of("0123"), all = tally_of("");
    assert_int_equal(tally_lost(&t), 2);
    assert_int_equal(t.duplicated + t.misordered, 0);
    assert_int_equal(tally_lost(&end), 2);
    assert_int_equal(tally_lost(&all), 6);
}

static void messages_that_come_twice_are_counted(void **state)
{
    (void)state;
    struct tally t = tally_of("0011234512");
    assert_int_equal(t.duplicated, 4);
    assert_int_equal(t.misordered, 0);
    assert_int_equal(tally_lost(&t), 0);
}

static void messages_out_of_order_are_counted_and_not_lost(void **state)
{
    (void)state;
    struct tally t = tally_of("102354"), mixed = tally_of("2011");
    assert_int_equal(t.misordered, 2);
    assert_int_equal(tally_lost(&t), 0);
    assert_int_equal(mixed.misordered, 2);
    assert_int_equal(mixed.duplicated, 1);
    assert_int_equal(tally_lost(&mixed), 3);
}

static void a_gap_of_any_size_is_remembered(void **state)
{
    (void)state;
    struct flow flow = {0};
    struct tally t = {.expected = 202};
    flow_take(&flow, 0, &t);
    flow_take(&flow, 200, &t);
    assert_int_equal(flow.missing, 199);
    flow_take(&flow, 137, &t); /* within what is remembered bit by bit */
    flow_take(&flow, 137, &t);
    flow_take(&flow, 3, &t); /* beyond it */
    flow_take(&flow, 201, &t);
    assert_int_equal(t.misordered, 2);
    assert_int_equal(t.duplicated, 1);
    assert_int_equal(tally_lost(&t), 197);
}

static void a_text_comes_back_as_it_was_made(void **state)
{
    (void)state;
    static const size_t sizes[] = {TEXT_MIN, TEXT_MIN + 1, 64, 95, 96, 97, 1024};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const struct text made = {.sender = 0xabcdef, .n = 0xfedcba9876, .stamp = UINT64_MAX - 1};
        struct text found;
        struct im_out out = {0};
        text_put(&out, sizes[i], &made);
        assert_int_equal(out.len, sizes[i]);
        struct im_str s = {im_out_data(&out), out.len};
        assert_true(text_get(s, sizes[i], &found));
        assert_int_equal(found.sender, made.sender);
        assert_int_equal(found.n, made.n);
        assert_int_equal(found.stamp, made.stamp);
        im_out_clear(&out);
    }
}

static void a_text_that_was_changed_anywhere_is_noticed(void **state)
{
    (void)state;
    enum { SIZE = 130 };
    const struct text made = {.sender = 7, .n = 8, .stamp = 9};
    struct text found;
    struct im_out out = {0};
    text_put(&out, SIZE, &made);
    struct im_bytes *made_bytes = im_out_take(&out);
    char copy[SIZE];
    assert_int_equal(made_bytes->len, SIZE);
    memcpy(copy, made_bytes->data, SIZE);
    im_bytes_drop(&made_bytes);
    assert_false(text_get((struct im_str){copy, SIZE - 1}, SIZE, &found));
    for (size_t i = 0; i < SIZE; i++) {
        copy[i] ^= 64;
        assert_false(text_get((struct im_str){copy, SIZE}, SIZE, &found));
        copy[i] ^= 64;
    }
    assert_true(text_get((struct im_str){copy, SIZE}, SIZE, &found));
}

/* Framing. */

/* Whole, and in every beginning of it, from a block of exactly that size. */
static void expect_frame(const void *bytes, size_t len, enum wire_kind kind, size_t data)
{
    for (size_t n = 0; n <= len; n++) {
        char *exact = malloc(n ? n : 1);
        memcpy(exact, bytes, n);
        struct wire_message m = wire_take(WIRE_WEBSOCKET, (struct im_str){exact, n});
        assert_int_equal(m.kind, n < len ? WIRE_PART : kind);
        assert_int_equal(m.used, n < len ? 0 : len);
        assert_int_equal(m.data.len, n < len ? 0 : data);
        free(exact);
    }
}

static void frames_of_every_length_are_taken(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i], extra = n < 126 ? 0 : n < 65536 ? 2 : 8, len = 2 + extra + n;
        uint8_t *frame = calloc(1, len);
        frame[0] = 0x81;
        frame[1] = (uint8_t)(extra == 0 ? n : extra == 2 ? 126 : 127);
        for (size_t k = 0; k < extra; k++)
            frame[2 + k] = (uint8_t)(n >> 8 * (extra - 1 - k));
        if (n < 1000)
            expect_frame(frame, len, WIRE_TEXT, n);
        struct wire_message m = wire_take(WIRE_WEBSOCKET, (struct im_str){(char *)frame, len});
        assert_int_equal(m.kind, WIRE_TEXT);
        assert_int_equal(m.data.len, n);
        assert_int_equal(m.used, len);
        free(frame);
    }
}

static void control_frames_are_told_apart(void **state)
{
    (void)state;
    expect_frame("\x89\x02hi", 4, WIRE_PING, 2);
    expect_frame("\x8a\x00", 2, WIRE_OTHER, 0);
    expect_frame("\x88\x00", 2, WIRE_CLOSE, 0);
    expect_frame("\x88\x05\x03\xe8"
                 "bye",
                 7, WIRE_CLOSE, 3);
}

static void what_no_server_may_send_is_bad(void **state)
{
    (void)state;
    static const char *const frames[] = {"\x01\x01x",
                                         "\x81\x81",
                                         "\xc9\x01x",
                                         "\xa1\x01x",
                                         "\x82\x01x",
                                         "\x83\x01x",
                                         "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"};
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        struct wire_message m = wire_take(WIRE_WEBSOCKET, im_str(frames[i]));
        assert_int_equal(m.kind, WIRE_BAD);
    }
}

static void compressed_texts_come_back_as_they_were(void **state)
{
    (void)state;
    struct im_str text = IM_STR("a text, and a text that is a text like a text");
    struct deflate *d = deflate_new();
    struct im_out out = {0};
    for (int i = 0; i < 2; i++) { /* nothing is left of the first */
        struct im_str packed = deflate_pack(d, text);
        assert_true(packed.len < text.len);
        wire_put_packed(&out, packed);
        assert_memory_equal(im_out_data(&out), "\xc1", 1);
        assert_int_equal((uint8_t)im_out_data(&out)[1], 0x80 | packed.len);
        struct im_str plain = deflate_unpack(d, packed);
        assert_true(im_str_eq(plain, text));
        assert_null(deflate_unpack(d, IM_STR("\xff\xff\xff")).p);
        out.len = 0;
    }
    struct wire_message m = wire_take(WIRE_WEBSOCKET, IM_STR("\xc1\x01x"));
    assert_true(m.kind == WIRE_TEXT && m.packed);
    im_out_clear(&out);
    deflate_free(&d);
}

static void a_frame_that_is_sent_is_masked_and_whole(void **state)
{
    (void)state;
    struct im_out out = {0};
    wire_put(WIRE_WEBSOCKET, &out, IM_STR("hello"));
    assert_int_equal(out.len, 11);
    assert_memory_equal(im_out_data(&out), "\x81\x85\0\0\0\0hello", 11);
    out.len = 0;
    wire_put_pong(&out, IM_STR("hi"));
    assert_memory_equal(im_out_data(&out), "\x8a\x82\0\0\0\0hi", 8);
    im_out_clear(&out);
}

static void lines_are_taken_one_by_one(void **state)
{
    (void)state;
    struct wire_message m = wire_take(WIRE_LINES, IM_STR("one\ntwo"));
    assert_int_equal(m.kind, WIRE_TEXT);
    assert_str(m.data, "one");
    assert_int_equal(m.used, 4);
    m = wire_take(WIRE_LINES, IM_STR("two"));
    assert_int_equal(m.kind, WIRE_PART);
    assert_int_equal(m.used, 0);
}

static void an_upgrade_is_taken_when_its_head_is_whole(void **state)
{
    (void)state;
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    bool good = false;
    for (size_t n = 0; n < sizeof answer - 1; n++)
        assert_int_equal(wire_take_answer((struct im_str){answer, n}, &good), 0);
    assert_int_equal(wire_take_answer(im_str(answer), &good), sizeof answer - 1);
    assert_true(good);
    assert_true(wire_take_answer(IM_STR("HTTP/1.1 403 Forbidden\r\n\r\n"), &good) > 0);
    assert_false(good);
}

/* Endpoints. */

static void endpoints_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        enum wire_framing framing;
        bool tls;
        int family;
    } good[] = {
        {"ws://127.0.0.1:3688", WIRE_WEBSOCKET, false, AF_INET}, {"wss://127.0.0.1:1/", WIRE_WEBSOCKET, true, AF_INET},
        {"tcp://127.0.0.1:3689", WIRE_LINES, false, AF_INET},    {"tls://[::1]:3689", WIRE_LINES, true, AF_INET6},
        {"unix:/tmp/imd.sock", WIRE_LINES, false, AF_UNIX},
    };
    struct endpoint e;
    const char *problem;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(endpoint_parse(&e, good[i].url, &problem));
        assert_int_equal(e.framing, good[i].framing);
        assert_int_equal(e.tls, good[i].tls);
        assert_int_equal(e.address.ss_family, good[i].family);
    }
}

static void endpoints_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "127.0.0.1:3688", "http://127.0.0.1:3688", "ws://127.0.0.1", "ws://:80", "ws://127.0.0.1:", "unix:"};
    struct endpoint e;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *problem = NULL;
        assert_false(endpoint_parse(&e, wrong[i], &problem));
        assert_non_null(problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(any_value_is_known_to_one_part_in_128),
        cmocka_unit_test(the_most_is_told_exactly_and_nothing_of_nothing),
        cmocka_unit_test(what_comes_once_and_in_order_is_good),
        cmocka_unit_test(lost_messages_are_counted),
        cmocka_unit_test(messages_that_come_twice_are_counted),
        cmocka_unit_test(messages_out_of_order_are_counted_and_not_lost),
        cmocka_unit_test(a_gap_of_any_size_is_remembered),
        cmocka_unit_test(a_text_comes_back_as_it_was_made),
        cmocka_unit_test(a_text_that_was_changed_anywhere_is_noticed),
        cmocka_unit_test(frames_of_every_length_are_taken),
        cmocka_unit_test(control_frames_are_told_apart),
        cmocka_unit_test(what_no_server_may_send_is_bad),
        cmocka_unit_test(compressed_texts_come_back_as_they_were),
        cmocka_unit_test(a_frame_that_is_sent_is_masked_and_whole),
        cmocka_unit_test(lines_are_taken_one_by_one),
        cmocka_unit_test(an_upgrade_is_taken_when_its_head_is_whole),
        cmocka_unit_test(endpoints_are_understood),
        cmocka_unit_test(endpoints_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
