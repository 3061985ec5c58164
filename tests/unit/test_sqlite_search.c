#include "tests/unit/sqlite_file.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"
#include "stores/sqlite_boot.h"
#include "stores/sqlite_filter.h"
#include "stores/sqlite_write.h"

/* What search finds must not depend on which chunks have a filter; and that they have one must save work. */

static int setup(void **state)
{
    struct box *b = box_new(&im_store_rows[IM_STORE_SQLITE]);
    b->sync_full = false;
    *state = b;
    box_open(b);
    return 0;
}

static int teardown(void **state)
{
    struct box *b = *state;
    box_free(&b);
    return 0;
}

static unsigned pick(uint32_t *random, unsigned below)
{
    *random = *random * 1664525 + 1013904223;
    return (unsigned)((uint64_t)*random * below >> 32);
}

static const char *const words[] = {"meet",  "Meeting", "meat",   "开会",     "今天下午", "会",      "吗",
                                    "Grüße", "strasse", "Straße", "zeppelin", "a",        "ab",      "abc",
                                    "ab-c",  "翠花",    "花",     "ひらがな", "ｆｕｌｌ", "한국어",  "กรุงเทพ",
                                    "x1",    "2024",    "👍",      "été",      "été",      "подъезд", "extraordinarily"};
enum { WORDS = sizeof words / sizeof *words };

static const char *some_text(uint32_t *random, unsigned most)
{
    static char text[400];
    size_t len = 0;
    text[0] = '\0';
    for (unsigned n = 1 + pick(random, most); n > 0; n--)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", words[pick(random, WORDS)],
                                pick(random, 3) ? " " : "");
    return text;
}

/* A query as people type it: the beginning of something. */
static const char *some_query(uint32_t *random)
{
    static char query[400];
    snprintf(query, sizeof query, "%s", some_text(random, 2));
    size_t len = strlen(query), keep = 1 + pick(random, (unsigned)len);
    while (keep < len && ((unsigned char)query[keep] & 0xc0) == 0x80)
        keep++;
    query[keep] = '\0';
    return query;
}

static void filter_never_denies_what_is_there(void **state)
{
    uint32_t random = 1;
    unsigned denied = 0, absent = 0;
    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        char texts[8][400];
        struct im_filter f = {0};
        size_t len;
        for (unsigned i = 0; i < 8; i++) {
            snprintf(texts[i], sizeof texts[i], "%s", some_text(&random, 4));
            im_filter_add(&f, im_str(texts[i]));
        }
        uint8_t *bits = im_filter_finish(&f, &len);
        for (unsigned n = 0; n < 50; n++) {
            const char *query = some_query(&random);
            struct im_filter_query q = im_filter_query(im_str(query));
            bool may = im_filter_may(&q, bits, len), there = false;
            for (unsigned i = 0; i < 8; i++)
                there = there || im_search_match(im_str(texts[i]), im_str(query));
            if (there && !may)
                fail_msg("the filter denies \"%s\"", query);
            absent += !there && q.count > 0;
            denied += !there && q.count > 0 && !may;
        }
        free(bits);
    }
    assert_true(absent > 1000 && denied * 10 > absent * 5);
}

static void filter_lets_little_pass_that_is_not_there(void **state)
{
    struct im_filter f = {0};
    size_t len;
    unsigned passed = 0;
    (void)state;
    for (unsigned i = 0; i < 500; i++)
        im_filter_add(&f, im_str(text_printf("w%xy", i * 2654435761u)));
    uint8_t *bits = im_filter_finish(&f, &len);
    for (unsigned i = 1000; i < 11000; i++) {
        struct im_filter_query q = im_filter_query(im_str(text_printf("w%xy.", i * 2654435761u)));
        assert_int_equal(q.count, 1);
        passed += im_filter_may(&q, bits, len);
    }
    assert_true(passed < 10000 / 10);
    assert_true(len < 500 * 10);
    free(bits);
}

static void filter_of_nothing_denies_all_but_no_filter_nothing(void **state)
{
    struct im_filter f = {0};
    size_t len;
    (void)state;
    uint8_t *bits = im_filter_finish(&f, &len);
    struct im_filter_query q = im_filter_query(IM_STR("hi"));
    assert_false(im_filter_may(&q, bits, len));
    assert_true(im_filter_may(&q, bits, 0));
    free(bits);
}

static int64_t chores(const struct box *b)
{
    return file_ask(b->path, "SELECT count(*) FROM chores");
}

static int64_t filters(const struct box *b)
{
    return file_ask(b->path, "SELECT count(*) FROM filters");
}

/* Filters are made when nobody waits. */
static void await_filters(const struct box *b)
{
    time_t until = time(NULL) + 60;
    while (chores(b) > 0) {
        assert_true(time(NULL) < until);
        usleep(1000);
    }
}

static void fill(struct box *b, const char *from, const char *to, const char *text, unsigned count)
{
    enum { TOGETHER = 64 };
    struct im_store_append ops[TOGETHER];
    for (unsigned done = 0; done < count; done += TOGETHER) {
        unsigned n = count - done < TOGETHER ? count - done : TOGETHER;
        for (unsigned i = 0; i < n; i++) {
            ops[i] = op_append(from, to, NULL, text_printf("%s %u", text, done + i + 1));
            box_submit(b, &ops[i].op);
        }
        for (unsigned i = 0; i < n; i++) {
            box_wait(b, &ops[i].op);
            assert_int_equal(ops[i].op.status, IM_OK);
            im_event_drop(&ops[i].event);
        }
    }
}

enum { RANDOM_TEXTS = 700 };

/* All hits, page by page, each as "seq ". */
static const char *all_hits(struct box *b, const char *user, const char *conv, const char *query, uint32_t limit)
{
    static char out[RANDOM_TEXTS * 5];
    size_t len = 0;
    uint64_t before = 0;
    out[0] = '\0';
    do {
        struct im_store_search op = op_search(user, conv, query, limit, 0);
        op.before = before;
        assert_int_equal(box_do(b, &op.op), IM_OK);
        assert_true(op.count <= limit && (op.next == 0 || op.count == limit));
        for (size_t i = 0; i < op.count; i++)
            len += (size_t)snprintf(out + len, sizeof out - len, "%u ", (unsigned)op.hits[i].events[0]->msg.seq);
        before = op.next;
        drop_hits(&op);
    } while (before);
    return out;
}

static const char *expected_hits(char (*texts)[400], const char *query)
{
    static char out[RANDOM_TEXTS * 5];
    size_t len = 0;
    out[0] = '\0';
    for (unsigned i = RANDOM_TEXTS; i > 0; i--)
        if (im_search_match(im_str(texts[i - 1]), im_str(query)))
            len += (size_t)snprintf(out + len, sizeof out - len, "%u ", i);
    return out;
}

static void found_is_what_matches_with_filters_and_without(void **state)
{
    struct box *b = *state;
    static char texts[RANDOM_TEXTS][400];
    uint32_t random = 7;
    fill(b, "cat", "dan", "meet 开会 abc", 200); /* others' messages */
    for (unsigned i = 0; i < RANDOM_TEXTS; i++) {
        snprintf(texts[i], sizeof texts[i], "%s", some_text(&random, 3));
        box_send(b, i % 3 ? "ann" : "bob", i % 3 ? "bob" : "ann", texts[i]);
    }
    await_filters(b);
    assert_int_equal(filters(b), RANDOM_TEXTS / 64 + 200 / 64);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned n = 0; n < 120; n++) {
            const char *query = some_query(&random), *expected = expected_hits(texts, query);
            assert_string_equal(all_hits(b, "ann", "bob", query, 1000), expected);
            assert_string_equal(all_hits(b, "bob", NULL, query, 1000), expected);
            assert_string_equal(all_hits(b, "bob", NULL, query, 1 + pick(&random, 90)), expected);
        }
        file_run(b->path, "DELETE FROM filters WHERE random() % 2");
    }
}

static void chunk_whose_filter_denies_is_not_looked_into(void **state)
{
    struct box *b = *state;
    fill(b, "ann", "bob", "hello", 64 * 3);
    await_filters(b);
    assert_string_equal(found(b, "bob", "ann", "hello 100"), "ann/100");
    file_run(b->path, "UPDATE filters SET bits = zeroblob(100) WHERE id & 0xffffff = 1");
    assert_string_equal(found(b, "bob", "ann", "hello 100"), "");
    assert_string_equal(found(b, "bob", "ann", "hello 150"), "ann/150");
    file_run(b->path, "UPDATE filters SET bits = zeroblob(0) WHERE id & 0xffffff = 1");
    assert_string_equal(found(b, "bob", "ann", "hello 100"), "ann/100");
}

static bool filter_may(struct box *b, unsigned chunk, const char *word)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    struct im_filter_query q = im_filter_query(im_str(word));
    assert_int_equal(sqlite3_open(b->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT bits FROM filters WHERE id & 0xffffff = ?1", -1, &s, NULL),
                     SQLITE_OK);
    sqlite3_bind_int(s, 1, (int)chunk);
    bool may = sqlite3_step(s) != SQLITE_ROW ||
               im_filter_may(&q, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
    sqlite3_finalize(s);
    sqlite3_close(db);
    return may;
}

static void edits_and_deletions_make_a_new_filter(void **state)
{
    struct box *b = *state;
    say(b, "ann", "bob", "secretword and zebra");
    fill(b, "ann", "bob", "hello", 64 * 2);
    await_filters(b);
    assert_true(filter_may(b, 0, "secretword") && filter_may(b, 0, "hello") && !filter_may(b, 0, "giraffe"));
    edit(b, "ann", "bob", 1, "secretword and giraffe");
    assert_string_equal(found(b, "bob", NULL, "giraffe"), "ann/1");
    assert_string_equal(found(b, "bob", NULL, "zebra"), "");
    await_filters(b);
    assert_int_equal(filters(b), 2);
    assert_true(filter_may(b, 0, "giraffe"));
    assert_string_equal(found(b, "bob", NULL, "giraffe"), "ann/1");
    erase(b, "ann", "bob", 1);
    await_filters(b);
    assert_int_equal(filters(b), 2);
    assert_false(filter_may(b, 0, "secretword"));
    assert_false(filter_may(b, 0, "giraffe"));
    assert_true(filter_may(b, 0, "hello"));
    box_close(b);
    file_check(b->path);
}

static void what_was_swept_is_in_no_filter(void **state)
{
    struct box *b = *state;
    fill(b, "ann", "bob", "hello", 64 * 3);
    await_filters(b);
    struct im_store_sweep op = {.op.kind = IM_STORE_SWEEP, .now_ms = ACT_TIME, .retention_count = 100, .limit = 7};
    sweep(b, &op);
    assert_int_equal(filters(b), 1);
    assert_string_equal(found(b, "bob", "ann", "hello 92"), "");
    assert_string_equal(found(b, "bob", "ann", "hello 93"), "ann/93");
    box_close(b);
    file_check(b->path);
}

static void filters_that_were_not_made_are_made_after_the_next_start(void **state)
{
    struct box *b = *state;
    fill(b, "ann", "bob", "hello", 64 * 5);
    await_filters(b);
    box_close(b);
    file_run(b->path, "INSERT INTO chores SELECT id FROM filters; DELETE FROM filters");
    box_open(b);
    await_filters(b);
    assert_int_equal(filters(b), 5);
    assert_int_equal(box_stats(b).events, 64 * 5);
}

/* A writer that never has time to spare: none of its own threads. */
static void filters_are_made_in_full_traffic_when_too_many_wait(void **state)
{
    struct box *b = *state;
    struct im_store_options o = {.path = b->path};
    struct im_writer *w = im_zalloc(sizeof *w);
    struct im_error error;
    char epoch[33];
    box_close(b);
    unlink(b->path);
    file_make_v1(b->path, 64 * 4003);
    assert_int_equal(im_boot_writer(&o, &w->db, &error), IM_OK);
    assert_int_equal(im_writer_start(w, NULL, epoch), SQLITE_OK);
    assert_int_equal(w->chores, 4003);
    for (unsigned i = 0; i < 10; i++) {
        struct im_store_append op = op_append("ann", "bob", NULL, "hi");
        w->ops[0] = &op.op;
        w->count = 1;
        assert_true(im_writer_batch(w));
        assert_int_equal(w->status[0], IM_OK);
        assert_int_equal(w->chores, i < 3 ? 4002 - i : 4000);
        im_event_drop(&op.event);
    }
    assert_int_equal(filters(b), 3);
    assert_true(im_writer_idle_work(w));
    im_writer_idle(w);
    assert_true(w->chores < 4000);
    assert_int_equal(w->chores, chores(b));
    im_writer_close(w);
    free(w);
    file_check(b->path);
    box_open(b);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_never_denies_what_is_there),
        cmocka_unit_test(filter_lets_little_pass_that_is_not_there),
        cmocka_unit_test(filter_of_nothing_denies_all_but_no_filter_nothing),
        T(found_is_what_matches_with_filters_and_without),
        T(chunk_whose_filter_denies_is_not_looked_into),
        T(edits_and_deletions_make_a_new_filter),
        T(what_was_swept_is_in_no_filter),
        T(filters_that_were_not_made_are_made_after_the_next_start),
        T(filters_are_made_in_full_traffic_when_too_many_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
