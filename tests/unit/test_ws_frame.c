#include <stdio.h>
#include <stdlib.h>

#include "core/mem.h"
#include "tests/unit/unit.h"
#include "tests/unit/ws_script.h"

enum { FIN_TEXT = IM_WS_FIN | IM_WS_TEXT, FIN_CONT = IM_WS_FIN | IM_WS_CONTINUATION };

static int set_up(void **state)
{
    static struct ws_script s;
    ws_script_init(&s);
    *state = &s;
    return 0;
}

static int tear_down(void **state)
{
    ws_script_clear(*state);
    return 0;
}

static void messages_come_out_as_they_went_in(void **state)
{
    struct ws_script *s = *state;
    static const size_t sizes[] = {0, 1, 7, 8, 9, 125, 126, 127, 65535, 65536, 99999};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *payload = im_alloc(sizes[i] + 1), expected[64];
        memset(payload, 'x', sizes[i]);
        payload[sizes[i]] = '\0';
        ws_script_frame(s, IM_WS_FIN | IM_WS_BINARY, payload, sizes[i]);
        if (sizes[i] > 100)
            snprintf(expected, sizeof expected, "binary(%zu bytes) text(after)", sizes[i]);
        else
            snprintf(expected, sizeof expected, "binary(%s) text(after)", payload);
        ws_script_text(s, FIN_TEXT, "after");
        ws_script_expect(s, expected);
        free(payload);
    }
}

static void control_frames_come_between_fragments(void **state)
{
    struct ws_script *s = *state;
    ws_script_text(s, IM_WS_TEXT, "one ");
    ws_script_text(s, IM_WS_FIN | IM_WS_PING, "p1");
    ws_script_text(s, IM_WS_CONTINUATION, "");
    ws_script_text(s, IM_WS_FIN | IM_WS_PONG, "");
    ws_script_text(s, FIN_CONT, "two");
    ws_script_frame(s, IM_WS_FIN | IM_WS_CLOSE, "\x03\xe8why", 5);
    ws_script_expect(s, "ping(p1) pong() text(one two) close(1000 why)");
}

static void a_frame_s_first_byte_can_be_its_last(void **state)
{
    struct ws_script *s = *state;
    static const uint8_t bad[] = {0x91, 0xa1, 0xc1, 0xf1, 0x83, 0x87, 0x8b, 0x8f, 0x03, 0x80, 0x00, 0x08, 0x09, 0x0a};
    for (size_t i = 0; i < sizeof bad; i++) {
        ws_script_text(s, FIN_TEXT, "ok");
        ws_script_raw(s, &bad[i], 1);
        ws_script_expect(s, "text(ok) error(ws_protocol)");
    }
}

static void data_frames_do_not_interleave(void **state)
{
    struct ws_script *s = *state;
    ws_script_text(s, IM_WS_TEXT, "one");
    ws_script_raw(s, "\x81", 1);
    ws_script_expect(s, "error(ws_protocol)");
    ws_script_text(s, IM_WS_TEXT, "one");
    ws_script_text(s, FIN_CONT, "");
    ws_script_raw(s, "\x80", 1);
    ws_script_expect(s, "text(one) error(ws_protocol)");
}

static void second_byte_and_length_are_judged_at_once(void **state)
{
    struct ws_script *s = *state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *expected;
    } rows[] = {
        {"\x81\x05", 2, "error(ws_protocol)"},         /* not masked */
        {"\x89\xfe", 2, "error(ws_protocol)"},         /* a long ping */
        {"\x88\x81", 2, "error(ws_protocol)"},         /* half a close code */
        {"\x81\xfe\x00\x7d", 4, "error(ws_protocol)"}, /* 125 in 16 bits */
        {"\x81\xff\0\0\0\0\0\0\xff\xff", 10, "error(ws_protocol)"},
        {"\x81\xff\x80\0\0\0\0\0\0\0", 10, "error(ws_protocol)"},
        {"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10, "error(ws_too_big)"},
        {"\x81\xff\0\0\0\0\0\x01\x86\xa1", 10, "error(ws_too_big)"}, /* 100001 */
        {"\x81\xff\0\0\0\0\0\x01\x86\xa0", 10, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ws_script_raw(s, rows[i].bytes, rows[i].len);
        ws_script_expect(s, rows[i].expected);
    }
}

static void the_limit_is_the_message_s_not_the_frame_s(void **state)
{
    struct ws_script *s = *state;
    s->limits.message_bytes = 10;
    ws_script_text(s, IM_WS_TEXT, "12345");
    ws_script_text(s, FIN_CONT, "67890");
    ws_script_text(s, IM_WS_TEXT, "12345");
    ws_script_raw(s, "\x80\x86", 2);
    ws_script_expect(s, "text(1234567890) error(ws_too_big)");
}

static void fragments_are_counted_even_when_empty(void **state)
{
    struct ws_script *s = *state;
    s->limits.fragments = 3;
    for (int round = 0; round < 2; round++) {
        ws_script_text(s, IM_WS_TEXT, "");
        ws_script_text(s, IM_WS_CONTINUATION, "");
        ws_script_text(s, FIN_CONT, "");
    }
    ws_script_text(s, IM_WS_TEXT, "");
    ws_script_text(s, IM_WS_CONTINUATION, "");
    ws_script_text(s, IM_WS_CONTINUATION, "");
    ws_script_raw(s, "\x80", 1);
    ws_script_expect(s, "text() text() error(ws_fragments)");
}

static void close_codes_and_texts_are_checked(void **state)
{
    struct ws_script *s = *state;
    static const uint16_t good[] = {1000, 1003, 1007, 1014, 3000, 4999}, bad[] = {0, 999, 1004, 1006, 1015, 2999, 5000};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(im_ws_close_code_ok(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(im_ws_close_code_ok(bad[i]));
    ws_script_frame(s, IM_WS_FIN | IM_WS_CLOSE, "", 0);
    ws_script_expect(s, "close()");
    ws_script_frame(s, IM_WS_FIN | IM_WS_CLOSE, "\x03\xed", 2);
    ws_script_expect(s, "error(ws_protocol)");
    ws_script_frame(s, IM_WS_FIN | IM_WS_CLOSE, "\x03\xe8\xe4\xbd", 4);
    ws_script_expect(s, "error(ws_utf8)");
}

static void text_is_checked_across_fragments(void **state)
{
    struct ws_script *s = *state;
    ws_script_text(s, IM_WS_TEXT, "\xe4\xbd");
    ws_script_text(s, FIN_CONT, "\xa0");
    ws_script_text(s, FIN_TEXT, "cut \xe4\xbd");
    ws_script_expect(s, "text(\xe4\xbd\xa0) error(ws_utf8)");
}

static void an_invalid_octet_fails_in_mid_frame(void **state)
{
    struct ws_script *s = *state;
    ws_script_text(s, FIN_TEXT, "fine, then \xff and much more");
    s->bytes.len -= 14; /* up to the bad octet */
    ws_script_expect(s, "error(ws_utf8)");
}

static void binary_may_hold_anything(void **state)
{
    struct ws_script *s = *state;
    ws_script_frame(s, IM_WS_FIN | IM_WS_BINARY, "\xff\xfe", 2);
    ws_script_expect(s, "binary(\xff\xfe)");
}

struct box {
    struct im_ws_pool *pool;
    struct im_ws_parser parser;
    struct ws_script *script;
};

static struct box box_of(void **state)
{
    struct box b = {.pool = im_ws_pool_new(), .script = *state};
    im_ws_parser_init(&b.parser, b.pool, &b.script->deflate);
    return b;
}

static struct im_ws_event feed_at(struct box *b, uint64_t now_ms, struct im_str *in)
{
    struct im_ws_event e;
    im_ws_feed(&b->parser, &b->script->limits, now_ms, in, &e);
    if (e.kind != IM_WS_EV_NONE)
        im_ws_event_done(&b->parser);
    return e;
}

static void box_end(struct box *b)
{
    im_ws_parser_clear(&b->parser);
    im_ws_pool_drop(&b->pool);
}

static void control_frames_are_rated(void **state)
{
    struct box b = box_of(state);
    uint8_t ping[] = {0x89, 0x80, 0, 0, 0, 0};
    b.script->limits.controls = 10;
    for (uint64_t i = 0; i < 31; i++) {
        struct im_str in = {(const char *)ping, sizeof ping};
        uint64_t now = i < 10 ? 0 : (i - 9) * 100; /* ten at once, then one each 100 ms: all fine */
        assert_int_equal(feed_at(&b, now, &in).kind, IM_WS_EV_PING);
    }
    struct im_str in = {(const char *)ping, sizeof ping};
    struct im_ws_event e = feed_at(&b, 2199, &in);
    assert_int_equal(e.kind, IM_WS_EV_ERROR);
    assert_int_equal(e.reason, IM_WS_CONTROL_FLOOD);
    box_end(&b);
}

static void a_message_must_end_in_time(void **state)
{
    struct box b = box_of(state);
    struct im_str begin = {"\x01\x80\0\0\0\0", 6}, more = {"\x00\x80\0\0\0\0", 6}, again = more;
    assert_int_equal(feed_at(&b, 100, &begin).kind, IM_WS_EV_NONE);
    assert_int_equal(feed_at(&b, 1100, &more).kind, IM_WS_EV_NONE);
    assert_int_equal(feed_at(&b, 1101, &again).reason, IM_WS_SLOW);
    box_end(&b);
}

static void a_whole_message_is_read_into_the_shared_buffer(void **state)
{
    struct box b = box_of(state);
    ws_script_text(b.script, FIN_TEXT, "whole");
    struct im_str in = {im_out_data(&b.script->bytes), b.script->bytes.len}, copy = in;
    struct im_ws_event e;
    feed_at(&b, 0, &copy);
    const uint8_t *shared = b.pool->spare.p;
    assert_non_null(shared);
    copy = in;
    im_ws_feed(&b.parser, &b.script->limits, 0, &copy, &e);
    assert_ptr_equal(e.data.p, shared);
    assert_str(e.data, "whole");
    im_ws_event_done(&b.parser);
    assert_null(b.parser.message.p);
    assert_ptr_equal(b.pool->spare.p, shared);
    box_end(&b);
}

static void what_is_announced_takes_no_memory(void **state)
{
    struct box b = box_of(state);
    struct im_str in = {"\x82\xff\0\0\0\0\0\x01\x86\xa0\0\0\0\0xyz", 17};
    feed_at(&b, 0, &in);
    assert_in_range(b.parser.message.cap, 3, 1024);
    box_end(&b);
}

static void a_message_that_waits_does_not_keep_the_big_buffer(void **state)
{
    struct box b = box_of(state);
    im_ws_buffer_reserve(&b.pool->spare, 60000, 60000);
    struct im_str in = {"\x02\x83\0\0\0\0xyz", 9};
    feed_at(&b, 0, &in);
    assert_int_equal(b.parser.message.len, 3);
    assert_in_range(b.parser.message.cap, 3, 1024);
    assert_int_equal(b.pool->spare.cap, 60000);
    box_end(&b);
}

static void skipping_hears_only_control_frames(void **state)
{
    struct box b = box_of(state);
    ws_script_text(b.script, IM_WS_TEXT, "begun");
    struct im_str in = {im_out_data(&b.script->bytes), b.script->bytes.len};
    feed_at(&b, 0, &in);
    im_ws_parser_skip(&b.parser);
    assert_null(b.parser.message.p);
    im_out_clear(&b.script->bytes);
    ws_script_text(b.script, FIN_CONT, "not even UTF-8: \xff");
    ws_script_text(b.script, FIN_TEXT, "new");
    ws_script_text(b.script, IM_WS_FIN | IM_WS_CLOSE, "");
    in = (struct im_str){im_out_data(&b.script->bytes), b.script->bytes.len};
    assert_int_equal(feed_at(&b, 0, &in).kind, IM_WS_EV_CLOSE);
    assert_int_equal(in.len, 0);
    box_end(&b);
}

static void heads_are_as_short_as_can_be(void **state)
{
    uint8_t head[IM_WS_HEAD_MAX];
    (void)state;
    assert_int_equal(im_ws_frame_head(head, 0x81, 125), 2);
    assert_memory_equal(head, "\x81\x7d", 2);
    assert_int_equal(im_ws_frame_head(head, 0x81, 126), 4);
    assert_memory_equal(head, "\x81\x7e\x00\x7e", 4);
    assert_int_equal(im_ws_frame_head(head, 0x81, 65535), 4);
    assert_int_equal(im_ws_frame_head(head, 0x82, 65536), 10);
    assert_memory_equal(head, "\x82\x7f\0\0\0\0\0\x01\0\0", 10);
}

static void close_text_is_cut_between_code_points(void **state)
{
    uint8_t frame[IM_WS_FRAME_MAX];
    char text[200];
    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text + 121, "\xe4\xbd\xa0", 3);
    assert_int_equal(im_ws_close_frame(frame, 1001, (struct im_str){text, sizeof text}), 2 + 2 + 121);
    assert_memory_equal(frame, "\x88\x7b\x03\xe9x", 5);
    assert_int_equal(im_ws_close_frame(frame, 0, IM_STR("ignored")), 2);
    assert_memory_equal(frame, "\x88\x00", 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(messages_come_out_as_they_went_in),
        T(control_frames_come_between_fragments),
        T(a_frame_s_first_byte_can_be_its_last),
        T(data_frames_do_not_interleave),
        T(second_byte_and_length_are_judged_at_once),
        T(the_limit_is_the_message_s_not_the_frame_s),
        T(fragments_are_counted_even_when_empty),
        T(close_codes_and_texts_are_checked),
        T(text_is_checked_across_fragments),
        T(an_invalid_octet_fails_in_mid_frame),
        T(binary_may_hold_anything),
        T(control_frames_are_rated),
        T(a_message_must_end_in_time),
        T(a_whole_message_is_read_into_the_shared_buffer),
        T(what_is_announced_takes_no_memory),
        T(a_message_that_waits_does_not_keep_the_big_buffer),
        T(skipping_hears_only_control_frames),
        T(heads_are_as_short_as_can_be),
        T(close_text_is_cut_between_code_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
