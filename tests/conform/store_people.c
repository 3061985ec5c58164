#include <stdio.h>
#include <string.h>

#include "tests/conform/store_act.h"

/* Users, their devices, and whom they have blocked. */

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* "pc 3 at 5; phone 0 at 7": name, cursor and when it was seen (after ACT_TIME), by name. */
static const char *devices(struct box *b, const char *user)
{
    struct im_store_devices op = {.op.kind = IM_STORE_DEVICES, .key = key_of(user)};
    assert_int_equal(box_do(b, &op.op), IM_OK);
    char rows[20][80], text[2000] = "";
    assert_true(op.count <= COUNT(rows));
    for (size_t i = 0; i < op.count; i++) {
        const struct im_device_row *r = &op.rows[i];
        assert_false(r->online || r->current);
        snprintf(rows[i], sizeof rows[i], "%.*s %d at %d", (int)r->name.len, r->name.p, (int)r->cursor,
                 (int)(r->seen_ms - ACT_TIME));
    }
    qsort(rows, op.count, sizeof *rows, (int (*)(const void *, const void *))strcmp);
    for (size_t i = 0; i < op.count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? "; " : "", rows[i]);
    free(op.rows);
    return text_printf("%s", text);
}

static void come(struct box *b, const char *user, const char *device, int at, uint32_t max)
{
    struct im_store_login op = op_login(user, device);
    op.ts_ms = ACT_TIME + at;
    op.max_devices = max;
    assert_int_equal(box_do(b, &op.op), IM_OK);
    drop_login(&op);
}

static void ack(struct box *b, const char *user, const char *device, uint64_t pos, int at)
{
    struct im_store_cursor row = {key_of(user), im_str(device), pos};
    struct im_store_cursors op = {.op.kind = IM_STORE_CURSORS, .rows = &row, .count = 1, .ts_ms = ACT_TIME + at};
    assert_int_equal(box_do(b, &op.op), IM_OK);
}

static void devices_are_listed(void **state)
{
    assert_string_equal(devices(*state, "ann"), "");
    come(*state, "ann", "", 1, 10);
    come(*state, "ann", "pc", 2, 10);
    come(*state, "ann", "手机", 3, 10);
    come(*state, "bob", "tablet", 4, 10);
    for (unsigned i = 0; i < 5; i++)
        say(*state, "bob", "ann", "hi");
    ack(*state, "ann", "pc", 4, 7);
    assert_string_equal(devices(*state, "ann"), " 0 at 1; pc 4 at 7; 手机 0 at 3");
    come(*state, "ann", "手机", 8, 10);
    assert_string_equal(devices(*state, "ann"), " 0 at 1; pc 4 at 7; 手机 0 at 8");
    assert_string_equal(devices(*state, "zoe"), "");
}

static void a_device_unseen_for_longest_makes_room(void **state)
{
    say(*state, "bob", "ann", "hi");
    say(*state, "bob", "ann", "hi");
    come(*state, "ann", "", 0, 2);
    come(*state, "ann", "pc", 1, 2);
    come(*state, "ann", "phone", 2, 2);
    ack(*state, "ann", "pc", 1, 3);
    come(*state, "ann", "tablet", 4, 2); /* the phone goes; the default one is no named one */
    assert_string_equal(devices(*state, "ann"), " 0 at 0; pc 1 at 3; tablet 1 at 4");
    come(*state, "ann", "pc", 5, 2);
    come(*state, "ann", "phone", 6, 2);
    assert_string_equal(devices(*state, "ann"), " 0 at 0; pc 1 at 5; phone 1 at 6");
    come(*state, "ann", "watch", 1, 1); /* the one that comes stays, whatever the clock says */
    assert_string_equal(devices(*state, "ann"), " 0 at 0; watch 1 at 1");
}

static void a_login_tells_the_furthest_cursor(void **state)
{
    for (unsigned i = 0; i < 3; i++)
        say(*state, "bob", "ann", "hi");
    come(*state, "ann", "pc", 0, 9);
    come(*state, "ann", "phone", 0, 9);
    ack(*state, "ann", "pc", 2, 0);
    struct im_store_login op = box_login(*state, "ann", "phone");
    assert_int_equal(op.cursor, 0);
    assert_int_equal(op.furthest, 2);
    assert_int_equal(op.head, 3);
    op = box_login(*state, "ann", "tablet");
    assert_int_equal(op.cursor, 2);
    assert_int_equal(op.furthest, 2);
}

static enum im_reason drop_device(struct box *b, const char *user, const char *device)
{
    struct im_store_device_drop op = {.op.kind = IM_STORE_DEVICE_DROP, .key = key_of(user), .device = im_str(device)};
    return box_do(b, &op.op);
}

static void a_device_can_be_forgotten(void **state)
{
    for (unsigned i = 0; i < 3; i++)
        say(*state, "bob", "ann", "hi");
    come(*state, "ann", "pc", 0, 9);
    come(*state, "ann", "phone", 0, 9);
    ack(*state, "ann", "pc", 3, 0);
    ack(*state, "ann", "phone", 1, 0);
    assert_int_equal(drop_device(*state, "ann", "pc"), IM_OK);
    assert_string_equal(devices(*state, "ann"), "phone 1 at 0");
    assert_int_equal(drop_device(*state, "ann", "pc"), IM_NO_SUCH_DEVICE);
    assert_int_equal(drop_device(*state, "zoe", "pc"), IM_NO_SUCH_DEVICE);
    assert_int_equal(drop_device(*state, "bob", "phone"), IM_NO_SUCH_DEVICE);
    ack(*state, "ann", "pc", 3, 0);
    assert_string_equal(devices(*state, "ann"), "phone 1 at 0");
    assert_int_equal(box_login(*state, "ann", "pc").cursor, 1);
}

/* "bob cat": keys of whom the user has blocked, as a login tells. */
static const char *blocked(struct box *b, const char *user)
{
    struct im_store_login op = op_login(user, NULL);
    assert_int_equal(box_do(b, &op.op), IM_OK);
    char rows[20][80], text[2000] = "";
    assert_true(op.blocked_count <= COUNT(rows));
    for (size_t i = 0; i < op.blocked_count; i++)
        snprintf(rows[i], sizeof rows[i], "%.*s", (int)op.blocked[i].len, op.blocked[i].p);
    qsort(rows, op.blocked_count, sizeof *rows, (int (*)(const void *, const void *))strcmp);
    for (size_t i = 0; i < op.blocked_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", rows[i]);
    drop_login(&op);
    return text_printf("%s", text);
}

static const char *told_users(struct box *b, struct im_store_users op)
{
    op.op.kind = IM_STORE_USERS;
    assert_int_equal(box_do(b, &op.op), IM_OK);
    char text[4000] = "";
    for (size_t i = 0; i < op.count; i++) {
        const struct im_user_row *r = &op.rows[i];
        assert_true(im_str_eq(r->key, key_of(text_printf("%.*s", (int)r->name.len, r->name.p))));
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s%s", i ? " " : "", (int)r->name.len, r->name.p,
                 r->claimed ? "" : "?");
    }
    free(op.rows);
    return text_printf("%s%s", text, op.more ? " …" : "");
}

static void users_block_and_unblock_others(void **state)
{
    box_login(*state, "ann", "");
    box_login(*state, "Bob", "");
    assert_int_equal(block(*state, "ann", "bob", true, 2), IM_OK);
    assert_int_equal(block(*state, "ann", "Zoe", true, 2), IM_OK); /* who comes to be by it */
    assert_int_equal(block(*state, "ann", "cat", true, 2), IM_TOO_MANY);
    assert_int_equal(block(*state, "ann", "bob", true, 2), IM_OK); /* already */
    assert_string_equal(blocked(*state, "ann"), "bob zoe");
    assert_string_equal(blocked(*state, "bob"), "");
    assert_string_equal(told_users(*state, (struct im_store_users){.blocked_by = key_of("ann"), .limit = 10}),
                        "Bob Zoe?");
    assert_string_equal(told_users(*state, (struct im_store_users){.blocked_by = key_of("bob"), .limit = 10}), "");
    assert_int_equal(box_stats(*state).users, 3);
    assert_int_equal(block(*state, "ann", "bob", false, 2), IM_OK);
    assert_int_equal(block(*state, "ann", "bob", false, 2), IM_OK);
    assert_int_equal(block(*state, "ann", "nobody", false, 2), IM_OK);
    assert_int_equal(block(*state, "nobody", "ann", false, 2), IM_OK);
    assert_string_equal(blocked(*state, "ann"), "zoe");
    assert_int_equal(block(*state, "ann", "cat", true, 2), IM_OK);
    assert_string_equal(blocked(*state, "ann"), "cat zoe");
}

static void all_whom_one_has_blocked_are_listed(void **state)
{
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(block(*state, "ann", text_printf("b%02u", i), true, 100), IM_OK);
    struct im_store_users op = {.op.kind = IM_STORE_USERS, .blocked_by = key_of("ann"), .limit = 3};
    assert_int_equal(box_do(*state, &op.op), IM_OK);
    assert_int_equal(op.count, 30);
    free(op.rows);
}

static void users_are_listed_by_key(void **state)
{
    static const struct {
        const char *after;
        uint32_t limit;
        const char *told;
    } rows[] = {{NULL, 10, "ann? Bob Cat 小明?"},
                {NULL, 2, "ann? Bob …"},
                {"bob", 2, "Cat 小明?"},
                {"b", 1, "Bob …"},
                {"小明", 5, ""},
                {"cat", 1, "小明?"}};
    box_login(*state, "Bob", "");
    say(*state, "Bob", "小明", "hi");
    say(*state, "Bob", "ann", "hi");
    box_login(*state, "Cat", "");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct im_store_users op = {.limit = rows[i].limit};
        if (rows[i].after)
            op.after = key_of(rows[i].after);
        assert_string_equal(told_users(*state, op), rows[i].told);
    }
}

static const char *found_event(struct box *b, uint64_t pos, const char *from, const char *cid)
{
    struct im_store_find op = {
        .op.kind = IM_STORE_FIND, .pos = pos, .from = from ? key_of(from) : (struct im_str){0}, .cid = im_str(cid)};
    assert_int_equal(box_do(b, &op.op), IM_OK);
    const char *text = op.event ? text_printf("%d %s", (int)op.event->msg.pos, told(op.event)) : "";
    im_event_drop(&op.event);
    return text;
}

static void an_event_is_found_by_its_pos_or_its_cid(void **state)
{
    do_act(*state, ACT(.from = "ann", .to = "bob", .text = "one", .cid = "c"));
    do_act(*state, ACT(.from = "bob", .to = "ann", .text = "two", .cid = "c"));
    assert_string_equal(found_event(*state, 1, NULL, NULL), "1 ann:one");
    assert_string_equal(found_event(*state, 2, NULL, NULL), "2 bob:two");
    assert_string_equal(found_event(*state, 0, "ann", "c"), "1 ann:one");
    assert_string_equal(found_event(*state, 0, "bob", "c"), "2 bob:two");
    assert_string_equal(found_event(*state, 3, NULL, NULL), "");
    assert_string_equal(found_event(*state, 0, "ann", "d"), "");
    assert_string_equal(found_event(*state, 0, "zoe", "c"), "");
    block(*state, "bob", "ann", true, 9);
    do_act(*state, ACT(.from = "ann", .to = "bob", .text = "three"));
    assert_string_equal(found_event(*state, 3, NULL, NULL), "3 ann:three ?");
    sweep(*state, &(struct im_store_sweep){.now_ms = ACT_TIME + 1000, .retention_ms = 1, .limit = 100});
    assert_string_equal(found_event(*state, 1, NULL, NULL), "");
    assert_string_equal(found_event(*state, 0, "ann", "c"), "");
}

static void people_outlive_the_store_being_closed(void **state)
{
    if (!box_keeps(*state))
        skip();
    come(*state, "Ann", "pc", 5, 9);
    say(*state, "bob", "ann", "hi");
    ack(*state, "ann", "pc", 1, 6);
    block(*state, "ann", "cat", true, 9);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(told_users(*state, (struct im_store_users){.limit = 9}), "Ann bob? cat?");
        assert_string_equal(strstr(devices(*state, "ann"), "pc"), "pc 1 at 6");
        assert_string_equal(blocked(*state, "ann"), "cat");
        box_close(*state);
        box_open(*state);
    }
}

const struct store_test store_people_tests[] = {
    STORE_TEST(devices_are_listed),
    STORE_TEST(a_device_unseen_for_longest_makes_room),
    STORE_TEST(a_login_tells_the_furthest_cursor),
    STORE_TEST(a_device_can_be_forgotten),
    STORE_TEST(users_block_and_unblock_others),
    STORE_TEST(all_whom_one_has_blocked_are_listed),
    STORE_TEST(users_are_listed_by_key),
    STORE_TEST(an_event_is_found_by_its_pos_or_its_cid),
    STORE_TEST(people_outlive_the_store_being_closed),
    {NULL, NULL},
};
