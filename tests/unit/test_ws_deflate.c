#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "core/mem.h"
#include "tests/unit/unit.h"
#include "tests/unit/ws_script.h"

static int set_up(void **state)
{
    static struct ws_script s;
    ws_script_init(&s);
    s.deflate = (struct im_ws_deflate){.on = true, .bits = 15};
    *state = &s;
    return 0;
}

static int tear_down(void **state)
{
    ws_script_clear(*state);
    return 0;
}

/* Negotiation. */

static void negotiated(const char *value, bool keep, enum im_ws_offer result, const char *expected)
{
    struct im_ws_deflate d;
    char answer[IM_WS_DEFLATE_ANSWER] = "";
    char *exact = im_strndup(value, strlen(value));
    exact = realloc(exact, strlen(value) ? strlen(value) : 1);
    assert_int_equal(im_ws_deflate_negotiate((struct im_str){exact, strlen(value)}, keep, &d, answer), result);
    if (result == IM_WS_OFFER_TAKEN)
        assert_string_equal(answer, expected);
    assert_int_equal(d.on, result == IM_WS_OFFER_TAKEN);
    free(exact);
}

static void offers_are_met_or_declined(void **state)
{
    (void)state;
    const enum im_ws_offer taken = IM_WS_OFFER_TAKEN, none = IM_WS_OFFER_NONE, malformed = IM_WS_OFFER_MALFORMED;
#define PLAIN "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    negotiated("permessage-deflate", false, taken, PLAIN);
    negotiated("Permessage-Deflate", false, taken, PLAIN);
    negotiated("permessage-deflate", true, taken, "permessage-deflate");
    negotiated("permessage-deflate; server_no_context_takeover", true, taken,
               "permessage-deflate; server_no_context_takeover");
    negotiated("permessage-deflate; client_no_context_takeover", true, taken,
               "permessage-deflate; client_no_context_takeover");
    negotiated("permessage-deflate; client_max_window_bits", false, taken, PLAIN);
    negotiated("permessage-deflate; client_max_window_bits=8", false, taken, PLAIN);
    negotiated("permessage-deflate;server_max_window_bits=9", false, taken, PLAIN "; server_max_window_bits=9");
    negotiated("permessage-deflate; server_max_window_bits=8, permessage-deflate", false, taken, PLAIN);
    negotiated("other; x=1, permessage-deflate; server_max_window_bits=\"12\"", true, taken,
               "permessage-deflate; server_max_window_bits=12");
    negotiated("", false, none, NULL);
    negotiated(" , ,", false, none, NULL);
    negotiated("x-webkit-deflate-frame", false, none, NULL);
    negotiated("permessage-deflate; server_max_window_bits=8", false, none, NULL);
    negotiated("permessage-deflate; server_max_window_bits=16", false, none, NULL);
    negotiated("permessage-deflate; server_max_window_bits=010", false, none, NULL);
    negotiated("permessage-deflate; server_max_window_bits", false, none, NULL);
    negotiated("permessage-deflate; client_max_window_bits=7", false, none, NULL);
    negotiated("permessage-deflate; client_max_window_bits=\"\\9\"", false, none, NULL);
    negotiated("permessage-deflate; unknown", false, none, NULL);
    negotiated("permessage-deflate; client_no_context_takeover; client_no_context_takeover", false, none, NULL);
    negotiated("permessage-deflate; client_max_window_bits; client_max_window_bits", false, none, NULL);
    negotiated("permessage-deflate;", false, malformed, NULL);
    negotiated("permessage-deflate x", false, malformed, NULL);
    negotiated("permessage-deflate; server_max_window_bits=", false, malformed, NULL);
    negotiated("permessage-deflate; x=\"", false, malformed, NULL);
    negotiated("permessage-deflate; x=\"\\", false, malformed, NULL);
    negotiated("=", false, malformed, NULL);
}

/* Messages in. */

static void packed(struct ws_script *s, uint8_t first, const char *hex)
{
    uint8_t bytes[256];
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned octet;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &octet), 1);
        bytes[i] = (uint8_t)octet;
    }
    ws_script_frame(s, first, bytes, n);
}

enum {
    PACKED = IM_WS_FIN | IM_WS_RSV1 | IM_WS_TEXT,
    PACKED_PART = IM_WS_RSV1 | IM_WS_TEXT,
    LAST = IM_WS_FIN | IM_WS_CONTINUATION
};

static void examples_of_the_standard_inflate(void **state)
{
    struct ws_script *s = *state;
    packed(s, PACKED, "f248cdc9c90700");             /* 7.2.3.1 */
    packed(s, PACKED, "000500faff48656c6c6f00");     /* 7.2.3.3 */
    packed(s, PACKED, "f348cdc9c9070000");           /* 7.2.3.4: marked final */
    packed(s, PACKED, "f24805000000ffffcac9c90700"); /* 7.2.3.5: two blocks */
    packed(s, PACKED, "00");                         /* 7.2.3.6: empty */
    packed(s, PACKED, "");
    packed(s, PACKED_PART, "f248cd");
    packed(s, LAST, "c9c90700");
    ws_script_expect(s, "text(Hello) text(Hello) text(Hello) text(Hello) text() text() text(Hello)");
}

static void a_window_that_is_kept_reaches_back(void **state)
{
    struct ws_script *s = *state;
    s->deflate.theirs_kept = true;
    packed(s, PACKED, "f248cdc9c90700");
    packed(s, PACKED, "f200110000"); /* 7.2.3.2 */
    ws_script_expect(s, "text(Hello) text(Hello)");
    s->deflate.theirs_kept = false;
    packed(s, PACKED, "f248cdc9c90700");
    packed(s, PACKED, "f200110000");
    ws_script_expect(s, "text(Hello) error(ws_deflate)");
}

static void a_window_outlives_a_final_block(void **state)
{
    struct ws_script *s = *state;
    s->deflate.theirs_kept = true;
    packed(s, PACKED, "f348cdc9c9070000");
    packed(s, PACKED, "f200110000");
    ws_script_expect(s, "text(Hello) text(Hello)");
}

static void only_a_message_s_first_frame_says_it_is_compressed(void **state)
{
    struct ws_script *s = *state;
    packed(s, PACKED_PART, "f248cd");
    ws_script_raw(s, "\xc0", 1);
    ws_script_expect(s, "error(ws_protocol)");
    ws_script_raw(s, "\xc9", 1);
    ws_script_expect(s, "error(ws_protocol)");
    packed(s, PACKED, "f248cdc9c90700");
    ws_script_text(s, IM_WS_FIN | IM_WS_TEXT, "plain");
    ws_script_expect(s, "text(Hello) text(plain)");
}

static void corrupt_and_truncated_data_fail(void **state)
{
    struct ws_script *s = *state;
    packed(s, PACKED, "07");
    ws_script_expect(s, "error(ws_deflate)");
    packed(s, PACKED, "f248cd");
    ws_script_expect(s, "error(ws_deflate)");
    packed(s, PACKED, "0105000000");
    ws_script_expect(s, "error(ws_deflate)");
}

static size_t deflate_message(const void *data, size_t n, uint8_t *out, size_t cap)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (uint8_t *)(uintptr_t)data;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)cap;
    assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
    size_t len = cap - z.avail_out - 4;
    deflateEnd(&z);
    return len;
}

static void what_inflates_is_bounded_to_the_byte(void **state)
{
    struct ws_script *s = *state;
    char *zeros = im_zalloc(5000);
    uint8_t out[1000];
    for (size_t n = 4094; n <= 4098; n++) {
        size_t len = deflate_message(zeros, n, out, sizeof out);
        char expected[64];
        s->limits.message_bytes = 4096;
        ws_script_frame(s, PACKED, out, len);
        snprintf(expected, sizeof expected, "text(%zu bytes)", n);
        ws_script_expect(s, n > 4096 ? "error(ws_too_big)" : expected);
    }
    free(zeros);
}

static void invalid_text_fails_when_it_is_complete(void **state)
{
    struct ws_script *s = *state;
    uint8_t out[100];
    size_t len = deflate_message("fine \xff", 6, out, sizeof out);
    ws_script_frame(s, PACKED_PART, out, len);
    ws_script_frame(s, LAST, "\x00\x00\xff\xff", 4);
    ws_script_expect(s, "error(ws_utf8)");
}

static enum im_ws_event_kind feed_once(struct im_ws_parser *p, const struct ws_script *s, struct im_ws_event *e)
{
    struct im_str in = {im_out_data(&s->bytes), s->bytes.len};
    im_ws_feed(p, &s->limits, 5, &in, e);
    return e->kind;
}

static void messages_that_never_end_keep_nobody_from_an_inflater(void **state)
{
    enum { MANY = 2000 };
    struct ws_script *s = *state;
    struct im_ws_pool *pool = im_ws_pool_new();
    struct im_ws_parser *half = im_zalloc(MANY * sizeof *half), whole = {0};
    struct im_ws_event e;
    packed(s, PACKED_PART, "f248cd");
    for (size_t i = 0; i < MANY; i++) {
        im_ws_parser_init(&half[i], pool, &s->deflate);
        assert_int_equal(feed_once(&half[i], s, &e), IM_WS_EV_NONE);
        assert_null(half[i].inflater);
    }
    assert_int_equal(pool->inflating, 0);
    im_out_clear(&s->bytes);
    packed(s, PACKED, "f248cdc9c90700");
    im_ws_parser_init(&whole, pool, &s->deflate);
    assert_int_equal(feed_once(&whole, s, &e), IM_WS_EV_MESSAGE);
    assert_memory_equal(e.data.p, "Hello", 5);
    im_ws_event_done(&whole);
    im_ws_parser_clear(&whole);
    for (size_t i = 0; i < MANY; i++)
        im_ws_parser_clear(&half[i]);
    free(half);
    im_ws_pool_drop(&pool);
}

static void a_compressed_message_that_never_ends_is_bounded(void **state)
{
    struct ws_script *s = *state;
    char *noise = im_zalloc(1000);
    s->limits.message_bytes = 4096;
    ws_script_frame(s, PACKED_PART, noise, 1000);
    for (int i = 0; i < 4; i++)
        ws_script_frame(s, IM_WS_CONTINUATION, noise, 1000);
    ws_script_expect(s, "error(ws_too_big)");
    free(noise);
}

/* Messages out. */

/* The payload of a frame, inflated. */
static void assert_inflates(const struct im_bytes *framed, size_t off, const char *plain, int bits)
{
    uint8_t out[10000];
    size_t head = framed->data[off + 1] == 126 ? 4 : 2, len = framed->len - off - head;
    uint8_t *in = im_alloc(len + 4);
    z_stream z = {0};
    assert_int_equal(framed->data[off], PACKED);
    assert_int_equal(head == 4 ? framed->data[off + 2] << 8 | framed->data[off + 3] : framed->data[off + 1], len);
    memcpy(in, framed->data + off + head, len);
    memcpy(in + len, "\x00\x00\xff\xff", 4);
    assert_int_equal(inflateInit2(&z, -bits), Z_OK);
    z.next_in = in;
    z.avail_in = (uInt)len + 4;
    z.next_out = out;
    z.avail_out = sizeof out;
    assert_int_equal(inflate(&z, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(z.total_out, strlen(plain));
    assert_memory_equal(out, plain, z.total_out);
    inflateEnd(&z);
    free(in);
}

static struct im_bytes *wordy(size_t n)
{
    struct im_out out = {0};
    for (size_t i = 0; out.len < n; i++)
        im_out_printf(&out, "word%zu ", i % 97);
    out.len = n;
    im_out_char(&out, '\0');
    struct im_bytes *b = im_out_take(&out);
    b->len--;
    return b;
}

static void a_shared_message_is_compressed_once(void **state)
{
    struct im_ws_pool *pool = im_ws_pool_new();
    struct im_bytes *plain = wordy(3000), *other = im_bytes_hold(plain);
    size_t off, off2;
    uint64_t runs = 0;
    (void)state;
    struct im_bytes *a = im_ws_deflate_shared(pool, plain, PACKED, 15, 3, &off, &runs);
    struct im_bytes *b = im_ws_deflate_shared(pool, plain, PACKED, 15, 3, &off2, &runs);
    struct im_bytes *small = im_ws_deflate_shared(pool, plain, PACKED, 9, 3, &off2, &runs);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, small);
    assert_int_equal(runs, 2);
    assert_inflates(a, off, (const char *)plain->data, 15);
    assert_inflates(small, off2, (const char *)plain->data, 9);
    im_bytes_drop(&a);
    im_bytes_drop(&b);
    im_bytes_drop(&small);
    im_bytes_drop(&other);
    im_bytes_drop(&plain);
    im_ws_pool_drop(&pool);
}

/* What a group of all kinds of clients gets: the forms an event may take, each for every window that may be asked for.
 */
static uint64_t runs_of_a_fan_out(struct im_ws_pool *pool, size_t len, int least_bits)
{
    enum { FORMS = 4, RECIPIENTS = 1000 };
    struct im_bytes *forms[FORMS];
    uint64_t runs = 0;
    size_t off;
    for (unsigned i = 0; i < FORMS; i++) {
        forms[i] = wordy(len);
        im_bytes_hold(forms[i]);
    }
    for (int i = 0; i < RECIPIENTS; i++) {
        struct im_bytes *plain = forms[i % FORMS];
        int bits = least_bits + i / FORMS % (16 - least_bits);
        struct im_bytes *framed = im_ws_deflate_shared(pool, plain, PACKED, bits, 3, &off, &runs);
        assert_inflates(framed, off, (const char *)plain->data, bits);
        im_bytes_drop(&framed);
    }
    for (unsigned i = 0; i < FORMS; i++) {
        struct im_bytes *same = forms[i];
        im_bytes_drop(&same);
        im_bytes_drop(&forms[i]);
    }
    return runs;
}

static void a_fan_out_is_compressed_once_in_each_form(void **state)
{
    struct im_ws_pool *pool = im_ws_pool_new();
    (void)state;
    assert_int_equal(runs_of_a_fan_out(pool, 500, 9), 4); /* fits into every window */
    assert_int_equal(runs_of_a_fan_out(pool, 512, 9), 4);
    assert_int_equal(runs_of_a_fan_out(pool, 9000, 14), 4);
    assert_int_equal(runs_of_a_fan_out(pool, 9000, 15), 4);
    assert_int_equal(runs_of_a_fan_out(pool, 9000, 13), 8); /* does not fit into one of them */
    im_ws_pool_drop(&pool);
}

static void a_message_nobody_shares_is_not_held(void **state)
{
    struct im_ws_pool *pool = im_ws_pool_new();
    struct im_bytes *plain = wordy(3000);
    size_t off;
    uint64_t runs = 0;
    (void)state;
    struct im_bytes *a = im_ws_deflate_shared(pool, plain, PACKED, 15, 3, &off, &runs);
    assert_int_equal(plain->refs, 1);
    assert_inflates(a, off, (const char *)plain->data, 15);
    im_bytes_drop(&a);
    im_bytes_drop(&plain);
    im_ws_pool_drop(&pool);
}

static void what_does_not_shrink_goes_as_it_is(void **state)
{
    struct im_ws_pool *pool = im_ws_pool_new();
    struct im_bytes *noise = im_bytes_new("\x01\x93\xf7\x22\xe8\x4c\x9a\x10\x55", 9);
    struct z_stream_s *kept = NULL;
    size_t off;
    uint64_t runs = 0;
    (void)state;
    assert_null(im_ws_deflate_shared(pool, noise, PACKED, 15, 3, &off, &runs));
    assert_null(im_ws_deflate_kept(&kept, (struct im_str){(char *)noise->data, noise->len}, PACKED, 15, 3, &off));
    struct im_bytes *plain = wordy(500);
    struct im_str text = {(const char *)plain->data, plain->len};
    struct im_bytes *a = im_ws_deflate_kept(&kept, text, PACKED, 15, 3, &off); /* must not refer to the noise */
    assert_inflates(a, off, text.p, 15);
    im_bytes_drop(&a);
    im_bytes_drop(&plain);
    im_bytes_drop(&noise);
    im_ws_deflater_end(&kept);
    im_ws_pool_drop(&pool);
}

static void a_kept_window_makes_repetition_cheap(void **state)
{
    struct z_stream_s *kept = NULL;
    struct im_bytes *plain = wordy(3000);
    struct im_str text = {(const char *)plain->data, plain->len};
    size_t off, off2;
    (void)state;
    struct im_bytes *a = im_ws_deflate_kept(&kept, text, PACKED, 15, 3, &off);
    struct im_bytes *b = im_ws_deflate_kept(&kept, text, PACKED, 15, 3, &off2);
    assert_true(b->len * 4 < a->len);
    im_bytes_drop(&a);
    im_bytes_drop(&b);
    im_bytes_drop(&plain);
    im_ws_deflater_end(&kept);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(offers_are_met_or_declined),
        T(examples_of_the_standard_inflate),
        T(a_window_that_is_kept_reaches_back),
        T(a_window_outlives_a_final_block),
        T(only_a_message_s_first_frame_says_it_is_compressed),
        T(corrupt_and_truncated_data_fail),
        T(what_inflates_is_bounded_to_the_byte),
        T(invalid_text_fails_when_it_is_complete),
        T(messages_that_never_end_keep_nobody_from_an_inflater),
        T(a_compressed_message_that_never_ends_is_bounded),
        T(a_shared_message_is_compressed_once),
        T(a_fan_out_is_compressed_once_in_each_form),
        T(a_message_nobody_shares_is_not_held),
        T(what_does_not_shrink_goes_as_it_is),
        T(a_kept_window_makes_repetition_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
