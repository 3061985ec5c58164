#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "stores/result.h"

static void no_rows_are_no_block(void **state)
{
    struct im_block b = {.kind = IM_ROW_USER};
    size_t count = 7;
    (void)state;
    assert_null(im_block_finish(&b, &count));
    assert_int_equal(count, 0);
}

static void a_block_has_copies_of_its_strings(void **state)
{
    struct im_block b = {.kind = IM_ROW_RECORD};
    size_t count;
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        char key[8] = {'k', (char)('0' + i / 10), (char)('0' + i % 10)}, value[3] = {'v', (char)i, 0};
        im_block_add(
            &b,
            &(struct im_record){
                .kind = IM_RECORD_HOOK, .key = im_str(key), .owner = IM_STR(""), .value = {value, 3}, .expires_ms = i});
    }
    struct im_record *rows = im_block_finish(&b, &count);
    assert_int_equal(count, 100);
    assert_int_equal(b.count, 0);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(rows[i].key.len, 3);
        assert_int_equal(rows[i].key.p[1], '0' + i / 10);
        assert_int_equal(rows[i].value.p[1], i);
        assert_int_equal(rows[i].expires_ms, i);
        assert_non_null(rows[i].owner.p);
        assert_int_equal(rows[i].owner.len, 0);
        assert_null(rows[i].name.p);
    }
    free(rows);
}

static void every_kind_of_row_keeps_its_strings(void **state)
{
    static const struct {
        enum im_row_kind kind;
        size_t strings;
    } rows[] = {{IM_ROW_SEAT, 2},   {IM_ROW_KEY, 1},  {IM_ROW_GROUP, 2}, {IM_ROW_MEMBER, 1},
                {IM_ROW_DEVICE, 1}, {IM_ROW_USER, 2}, {IM_ROW_CONV, 1}}; /* the strings that rows begin with */
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        union {
            struct im_str strings[2];
            struct im_seat_row seat;
            struct im_group_row group;
            struct im_member_row member;
            struct im_device_row device;
            struct im_user_row user;
            struct im_conv_row conv;
        } row;
        char first[] = "first", second[] = "second";
        struct im_block b = {.kind = rows[i].kind};
        size_t count;
        memset(&row, 0, sizeof row);
        row.strings[0] = im_str(first);
        if (rows[i].strings > 1)
            row.strings[1] = im_str(second);
        im_block_add(&b, &row);
        memset(first, 'x', 5);
        memset(second, 'x', 6);
        struct im_str *out = im_block_finish(&b, &count);
        assert_int_equal(count, 1);
        assert_str(out[0], "first");
        if (rows[i].strings > 1)
            assert_str(out[1], "second");
        free(out);
    }
}

static void a_cleared_block_can_be_used_again(void **state)
{
    struct im_block b = {.kind = IM_ROW_KEY};
    size_t count;
    (void)state;
    im_block_add(&b, &IM_STR("one"));
    im_block_clear(&b);
    im_block_add(&b, &IM_STR("two"));
    struct im_str *keys = im_block_finish(&b, &count);
    assert_int_equal(count, 1);
    assert_str(keys[0], "two");
    free(keys);
}

static struct im_event *event(const char *text)
{
    return im_event_new(IM_EV_MSG, &(struct im_msg){.body = im_str(text)});
}

static void rows_of_conversations_go_without_events_beyond_their_bytes(void **state)
{
    struct im_rows rows = {.limit_bytes = 6};
    size_t count;
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(im_rows_full(&rows), i == 2);
        im_rows_add(&rows, &(struct im_conv_row){.name = IM_STR("ann"),
                                                 .topic = IM_STR("tea"),
                                                 .last = im_rows_full(&rows) ? NULL : event("1234")});
    }
    struct im_conv_row *out = im_rows_finish(&rows, &count);
    assert_int_equal(count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_str(out[i].name, "ann");
        assert_str(out[i].topic, "tea");
        assert_int_equal(out[i].last != NULL, i < 2);
        im_event_drop(&out[i].last);
    }
    free(out);
    rows = (struct im_rows){.limit_bytes = 6};
    im_rows_add(&rows, &(struct im_conv_row){.last = event("1234")});
    im_rows_clear(&rows);
    assert_null(im_rows_finish(&rows, &count));
}

static void hits_stop_at_their_limits(void **state)
{
    (void)state;
    for (unsigned by_bytes = 0; by_bytes < 2; by_bytes++) {
        struct im_hits hits = im_hits(by_bytes ? 10 : 2, by_bytes ? 5 : 1000);
        for (unsigned i = 0; i < 2; i++) {
            struct im_page page = im_page(0, 0);
            assert_false(im_hits_full(&hits));
            im_page_add(&page, event("b"));
            im_page_add(&page, event("12"));
            im_hits_add(&hits, &page, 1);
            assert_null(page.events);
        }
        assert_true(im_hits_full(&hits));
        assert_int_equal(hits.count, 2);
        assert_str(hits.hits[1].events[hits.hits[1].at]->msg.body, "12");
        im_hits_clear(&hits);
        assert_int_equal(hits.count, 0);
    }
    struct im_hits none = im_hits(0, 0);
    assert_false(im_hits_full(&none));
}

static void reactions_are_lines(void **state)
{
    struct im_reactions r = {0};
    (void)state;
    im_reactions_add(&r, IM_STR("\xF0\x9F\x91\x8D"), 3, true);
    im_reactions_add(&r, IM_STR("two words"), UINT64_MAX, false);
    assert_str(((struct im_str){r.text, r.len}), "\xF0\x9F\x91\x8D 3 1\ntwo words 18446744073709551615 0");
    free(r.text);
}

static void search_looks_into_texts(void **state)
{
    static const struct {
        const char *mime;
        bool deleted, searched;
    } rows[] = {{NULL, false, true},         {NULL, true, false},     {"text/markdown", false, true},
                {"image/png", false, false}, {"text/", false, false}, {"text/plain", true, false},
                {"textual/x", false, false}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(im_msg_searched(&(struct im_msg){.mime = im_str(rows[i].mime), .deleted = rows[i].deleted}),
                         rows[i].searched);
}

/* A result is nothing, given, and taken back. */
static void what_was_given_is_taken_back(void **state)
{
    struct im_store_login login = {.op.kind = IM_STORE_LOGIN, .seats = (void *)1, .blocked = (void *)1, .head = 9};
    struct im_store_search search = {.op.kind = IM_STORE_SEARCH, .hits = (void *)1, .count = 1, .next = 1};
    struct im_store_append append = {.op.kind = IM_STORE_APPEND, .event = event("x"), .earlier = (void *)1};
    struct im_block seats = {.kind = IM_ROW_SEAT};
    struct im_page page = im_page(0, 0);
    struct im_hits hits = im_hits(1, 1);
    (void)state;
    im_result_start(&login.op);
    im_result_start(&search.op);
    im_result_start(&append.op);
    assert_true(login.seats == NULL && login.blocked == NULL && login.head == 0 && login.seat_count == 0);
    assert_true(search.hits == NULL && search.count == 0 && search.next == 0 && append.earlier == NULL);
    im_block_add(&seats, &(struct im_seat_row){.name = IM_STR("#a")});
    login.seats = im_block_finish(&seats, &login.seat_count);
    im_page_add(&page, event("y"));
    im_hits_add(&hits, &page, 0);
    search.hits = hits.hits;
    search.count = hits.count;
    append.earlier = event("z");
    append.event->msg.pos = append.event->msg.seq = 5;
    append.event->msg.hidden = true;
    im_result_clear(&login.op);
    im_result_clear(&search.op);
    im_result_clear(&append.op);
    assert_true(login.seats == NULL && login.seat_count == 0 && search.hits == NULL && search.count == 0);
    assert_true(append.earlier == NULL && append.event->msg.pos == 0 && !append.event->msg.hidden);
    im_event_drop(&append.event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_rows_are_no_block),
        cmocka_unit_test(a_block_has_copies_of_its_strings),
        cmocka_unit_test(every_kind_of_row_keeps_its_strings),
        cmocka_unit_test(a_cleared_block_can_be_used_again),
        cmocka_unit_test(rows_of_conversations_go_without_events_beyond_their_bytes),
        cmocka_unit_test(hits_stop_at_their_limits),
        cmocka_unit_test(reactions_are_lines),
        cmocka_unit_test(search_looks_into_texts),
        cmocka_unit_test(what_was_given_is_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
