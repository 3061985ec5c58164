#include <stdio.h>
#include <string.h>

#include "tests/conform/store_act.h"

/* Records: small values by kind and key. */

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* "k1=v1 (owner/name) k2=v2 …": the rows of an operation. */
static const char *records(struct box *b, struct im_store_records op)
{
    op.op.kind = IM_STORE_RECORDS;
    op.limit = op.limit ? op.limit : 100;
    assert_int_equal(box_do(b, &op.op), IM_OK);
    char text[4000] = "";
    size_t len = 0;
#define PUT(...) len += (size_t)snprintf(text + len, sizeof text - len, __VA_ARGS__)
    for (size_t i = 0; i < op.count; i++) {
        const struct im_record *r = &op.rows[i];
        assert_int_equal(r->kind, op.kind);
        PUT("%s%.*s=%.*s", i ? " " : "", (int)r->key.len, r->key.p, (int)r->value.len, r->value.p);
        if (r->owner.p || r->name.p)
            PUT(" (%.*s/%.*s)", (int)r->owner.len, r->owner.p ? r->owner.p : "", (int)r->name.len,
                r->name.p ? r->name.p : "");
        if (r->expires_ms)
            PUT(" until %d", (int)(r->expires_ms - ACT_TIME));
    }
    PUT("%s", op.more ? " …" : "");
#undef PUT
    free(op.rows);
    return text_printf("%s", text);
}

static const char *all(struct box *b, enum im_record_kind kind)
{
    return records(b, (struct im_store_records){.kind = kind});
}

static enum im_reason put_if(struct box *b, enum im_record_kind kind, const char *key, const char *value,
                             const char *expect)
{
    struct im_store_record_put op = {.op.kind = IM_STORE_RECORD_PUT,
                                     .record = {.kind = kind, .key = im_str(key), .value = im_str(value)},
                                     .check = true,
                                     .expect = im_str(expect)};
    return box_do(b, &op.op);
}

static uint64_t drop(struct box *b, enum im_record_kind kind, const char *key, const char *owner, const char *name)
{
    struct im_store_record_drop op = {.op.kind = IM_STORE_RECORD_DROP,
                                      .kind = kind,
                                      .key = im_str(key),
                                      .owner = im_str(owner),
                                      .name = im_str(name),
                                      .count = 99};
    assert_int_equal(box_do(b, &op.op), IM_OK);
    return op.count;
}

static void a_record_is_found_by_its_key(void **state)
{
    put_record(*state, IM_RECORD_ACCOUNT, "ann", NULL, NULL, "1");
    put_record(*state, IM_RECORD_PROFILE, "ann", NULL, NULL, "2");
    put_record(*state, IM_RECORD_ACCOUNT, "bob", NULL, NULL, "3");
    struct im_store_records op = {.kind = IM_RECORD_ACCOUNT, .key = IM_STR("ann")};
    assert_string_equal(records(*state, op), "ann=1");
    op.kind = IM_RECORD_PROFILE;
    assert_string_equal(records(*state, op), "ann=2");
    op.kind = IM_RECORD_SEEN;
    assert_string_equal(records(*state, op), "");
    op = (struct im_store_records){.kind = IM_RECORD_ACCOUNT, .key = IM_STR("an")};
    assert_string_equal(records(*state, op), "");
    put_record(*state, IM_RECORD_ACCOUNT, "ann", "o", "n", "4");
    assert_string_equal(all(*state, IM_RECORD_ACCOUNT), "ann=4 (o/n) bob=3");
    put_record(*state, IM_RECORD_ACCOUNT, "ann", NULL, NULL, "5");
    assert_string_equal(all(*state, IM_RECORD_ACCOUNT), "ann=5 bob=3");
    assert_int_equal(box_stats(*state).users, 0);
}

static void any_bytes_come_back_as_they_were(void **state)
{
    static const char odd[] = "\0\xff'\"; DROP TABLE records; --\n\xf0\x9f";
    struct im_record r = {.kind = IM_RECORD_REPORT,
                          .key = IM_STR("小明\n'"),
                          .owner = IM_STR("翠花"),
                          .name = IM_STR(""),
                          .value = {odd, sizeof odd - 1},
                          .expires_ms = INT64_MAX};
    struct im_store_record_put put = {.op.kind = IM_STORE_RECORD_PUT, .record = r};
    assert_int_equal(box_do(*state, &put.op), IM_OK);
    put.record.key = IM_STR("empty");
    put.record.owner = put.record.name = (struct im_str){0};
    put.record.value = IM_STR("");
    put.record.expires_ms = 0;
    assert_int_equal(box_do(*state, &put.op), IM_OK);
    struct im_store_records op = {.op.kind = IM_STORE_RECORDS, .kind = IM_RECORD_REPORT, .limit = 9};
    assert_int_equal(box_do(*state, &op.op), IM_OK);
    assert_int_equal(op.count, 2);
    assert_true(str_is(op.rows[0].key, "empty") && str_is(op.rows[0].value, ""));
    assert_true(op.rows[0].owner.p == NULL && op.rows[0].name.p == NULL && op.rows[0].expires_ms == 0);
    assert_true(im_str_eq(op.rows[1].key, r.key) && im_str_eq(op.rows[1].value, r.value));
    assert_true(str_is(op.rows[1].owner, "翠花") && str_is(op.rows[1].name, ""));
    assert_int_equal(op.rows[1].expires_ms, INT64_MAX);
    free(op.rows);
}

static void a_put_can_demand_what_was_there(void **state)
{
    assert_int_equal(put_if(*state, IM_RECORD_INVITE, "k", "1", "0"), IM_CONFLICT);
    assert_int_equal(put_if(*state, IM_RECORD_INVITE, "k", "1", NULL), IM_OK);
    assert_int_equal(put_if(*state, IM_RECORD_INVITE, "k", "2", NULL), IM_CONFLICT);
    assert_int_equal(put_if(*state, IM_RECORD_INVITE, "k", "2", ""), IM_CONFLICT);
    assert_int_equal(put_if(*state, IM_RECORD_INVITE, "k", "2", "11"), IM_CONFLICT);
    assert_string_equal(all(*state, IM_RECORD_INVITE), "k=1");
    assert_int_equal(put_if(*state, IM_RECORD_INVITE, "k", "", "1"), IM_OK);
    assert_int_equal(put_if(*state, IM_RECORD_INVITE, "k", "3", NULL), IM_CONFLICT); /* empty is not absent */
    assert_int_equal(put_if(*state, IM_RECORD_INVITE, "k", "3", ""), IM_OK);
    assert_int_equal(put_if(*state, IM_RECORD_TOKEN, "k", "4", NULL), IM_OK);
    drop(*state, IM_RECORD_INVITE, "k", NULL, NULL);
    assert_int_equal(put_if(*state, IM_RECORD_INVITE, "k", "5", "3"), IM_CONFLICT);
    assert_int_equal(put_if(*state, IM_RECORD_INVITE, "k", "5", NULL), IM_OK);
}

static void of_two_who_demand_the_same_one_wins(void **state)
{
    put_record(*state, IM_RECORD_INVITE, "code", NULL, NULL, "0");
    struct im_store_record_put ops[8];
    for (size_t i = 0; i < COUNT(ops); i++) {
        ops[i] = (struct im_store_record_put){
            .op.kind = IM_STORE_RECORD_PUT,
            .record = {.kind = IM_RECORD_INVITE, .key = IM_STR("code"), .value = im_str(text_printf("%zu", i + 1))},
            .check = true,
            .expect = IM_STR("0")};
        box_submit(*state, &ops[i].op);
    }
    for (size_t i = 0; i < COUNT(ops); i++) {
        box_wait(*state, &ops[i].op);
        assert_int_equal(ops[i].op.status, i == 0 ? IM_OK : IM_CONFLICT);
    }
    assert_string_equal(all(*state, IM_RECORD_INVITE), "code=1");
}

static void an_owner_has_one_record_of_a_name(void **state)
{
    put_record(*state, IM_RECORD_TOKEN, "h1", "ann", "pc", "1");
    put_record(*state, IM_RECORD_TOKEN, "h2", "ann", "phone", "2");
    put_record(*state, IM_RECORD_TOKEN, "h3", "bob", "pc", "3");
    put_record(*state, IM_RECORD_TOKEN, "h4", "ann", NULL, "4");
    put_record(*state, IM_RECORD_TOKEN, "h5", "ann", NULL, "5");
    put_record(*state, IM_RECORD_HOOK, "h6", "ann", "pc", "6");
    put_record(*state, IM_RECORD_TOKEN, "h7", "ann", "pc", "7");
    assert_string_equal(all(*state, IM_RECORD_TOKEN),
                        "h2=2 (ann/phone) h3=3 (bob/pc) h4=4 (ann/) h5=5 (ann/) h7=7 (ann/pc)");
    assert_string_equal(all(*state, IM_RECORD_HOOK), "h6=6 (ann/pc)");
    put_record(*state, IM_RECORD_TOKEN, "h2", "ann", "pc", "8"); /* takes the place of two */
    assert_string_equal(all(*state, IM_RECORD_TOKEN), "h2=8 (ann/pc) h3=3 (bob/pc) h4=4 (ann/) h5=5 (ann/)");
}

static void records_are_listed_by_key(void **state)
{
    static const struct {
        const char *owner, *after;
        uint32_t limit;
        const char *told;
    } rows[] = {{NULL, NULL, 9, "B=4 (bob/) a=1 (ann/) b=2 c=3 (ann/) 小=5 (ann/)"},
                {NULL, NULL, 2, "B=4 (bob/) a=1 (ann/) …"},
                {NULL, "b", 2, "c=3 (ann/) 小=5 (ann/)"},
                {NULL, "bb", 1, "c=3 (ann/) …"},
                {"ann", NULL, 9, "a=1 (ann/) c=3 (ann/) 小=5 (ann/)"},
                {"ann", NULL, 2, "a=1 (ann/) c=3 (ann/) …"},
                {"ann", "c", 2, "小=5 (ann/)"},
                {"zoe", NULL, 9, ""},
                {NULL, "小", 9, ""}};
    put_record(*state, IM_RECORD_HOOK, "c", "ann", NULL, "3");
    put_record(*state, IM_RECORD_HOOK, "小", "ann", NULL, "5");
    put_record(*state, IM_RECORD_HOOK, "a", "ann", NULL, "1");
    put_record(*state, IM_RECORD_HOOK, "B", "bob", NULL, "4");
    put_record(*state, IM_RECORD_HOOK, "b", NULL, NULL, "2");
    put_record(*state, IM_RECORD_BAN, "aa", "ann", NULL, "x");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct im_store_records op = {.kind = IM_RECORD_HOOK,
                                      .owner = im_str(rows[i].owner),
                                      .after = im_str(rows[i].after),
                                      .limit = rows[i].limit};
        assert_string_equal(records(*state, op), rows[i].told);
    }
}

static void records_are_dropped_by_key_or_owner_or_name(void **state)
{
    static const char *const owners[] = {"ann", "bob"}, *const names[] = {"pc", "phone", NULL};
    for (size_t o = 0; o < COUNT(owners); o++)
        for (size_t n = 0; n < COUNT(names); n++)
            put_record(*state, IM_RECORD_TOKEN, text_printf("%zu%zu", o, n), owners[o], names[n], "v");
    put_record(*state, IM_RECORD_HOOK, "00", "ann", "pc", "v");
    assert_int_equal(drop(*state, IM_RECORD_TOKEN, "00", NULL, NULL), 1);
    assert_int_equal(drop(*state, IM_RECORD_TOKEN, "00", NULL, NULL), 0);
    assert_int_equal(drop(*state, IM_RECORD_TOKEN, NULL, "bob", "phone"), 1);
    assert_int_equal(drop(*state, IM_RECORD_TOKEN, NULL, "bob", "phone"), 0);
    assert_string_equal(all(*state, IM_RECORD_TOKEN), "01=v (ann/phone) 02=v (ann/) 10=v (bob/pc) 12=v (bob/)");
    assert_int_equal(drop(*state, IM_RECORD_TOKEN, NULL, "ann", NULL), 2);
    assert_int_equal(drop(*state, IM_RECORD_TOKEN, NULL, "zoe", NULL), 0);
    assert_string_equal(all(*state, IM_RECORD_TOKEN), "10=v (bob/pc) 12=v (bob/)");
    assert_string_equal(all(*state, IM_RECORD_HOOK), "00=v (ann/pc)");
}

static void records_outlive_the_store_being_closed(void **state)
{
    if (!box_keeps(*state))
        skip();
    put_record(*state, IM_RECORD_ACCOUNT, "ann", NULL, NULL, "{}");
    put_record(*state, IM_RECORD_TOKEN, "h1", "ann", "pc", "1");
    put_record(*state, IM_RECORD_TOKEN, "h2", "ann", "pc", "2");
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(all(*state, IM_RECORD_ACCOUNT), "ann={}");
        assert_string_equal(all(*state, IM_RECORD_TOKEN), "h2=2 (ann/pc)");
        box_close(*state);
        box_open(*state);
    }
}

const struct store_test store_record_tests[] = {
    STORE_TEST(a_record_is_found_by_its_key),
    STORE_TEST(any_bytes_come_back_as_they_were),
    STORE_TEST(a_put_can_demand_what_was_there),
    STORE_TEST(of_two_who_demand_the_same_one_wins),
    STORE_TEST(an_owner_has_one_record_of_a_name),
    STORE_TEST(records_are_listed_by_key),
    STORE_TEST(records_are_dropped_by_key_or_owner_or_name),
    STORE_TEST(records_outlive_the_store_being_closed),
    {NULL, NULL},
};
