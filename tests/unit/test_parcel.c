#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "transports/parcel.h"

/* Packed, moved to another place, and opened twice. */
static struct im_parcel *send(const struct im_command *cmd, struct im_command *out)
{
    size_t size = im_parcel_size(cmd);
    struct im_parcel *packed = im_alloc(size), *moved = im_alloc(size);
    assert_int_equal(size % 8, 0);
    im_parcel_pack(packed, cmd);
    im_parcel_open(packed, out);
    memcpy(moved, packed, size);
    memset((void *)packed, 0xa5, size);
    free(packed);
    im_parcel_open(moved, out);
    assert_null(out->release);
    assert_null(out->memory);
    assert_int_equal(out->op, cmd->op);
    assert_int_equal(out->have, cmd->have);
    return moved;
}

static void check_str(struct im_str got, struct im_str expected)
{
    assert_int_equal(got.len, expected.len);
    assert_non_null(got.p);
    assert_memory_equal(got.p, expected.p, expected.len);
    assert_ptr_not_equal(got.p, expected.p);
}

/* Each field alone, and all together: the parts of a parcel are of any length. */
static void fill(struct im_command *cmd, uint64_t which, struct im_str *several)
{
    cmd->have = which;
    unsigned n = 0;
#define IM_FIELD_STR(name)  cmd->name = (struct im_str){&"0123456789abcdef"[n % 3], n % 14};
#define IM_FIELD_U64(name)  cmd->name = UINT64_MAX - n;
#define IM_FIELD_POS(name)  cmd->name = n + 1;
#define IM_FIELD_BOOL(name) cmd->name = true;
#define IM_FIELD_STRS(name) cmd->name = several, cmd->name##_count = n % 2 ? 3 : 2;
#define IM_FIELD(member, name, type, max)                                                                              \
    if (which & IM_BIT(member)) {                                                                                      \
        IM_FIELD_##type(member)                                                                                        \
    }                                                                                                                  \
    n++;
#include "core/tbl/fields.def"
#undef IM_FIELD
#undef IM_FIELD_STR
#undef IM_FIELD_U64
#undef IM_FIELD_POS
#undef IM_FIELD_BOOL
#undef IM_FIELD_STRS
}

static void compare(const struct im_command *got, const struct im_command *cmd)
{
#define IM_FIELD_STR(name)  check_str(got->name, cmd->name);
#define IM_FIELD_U64(name)  assert_int_equal(got->name, cmd->name);
#define IM_FIELD_POS(name)  assert_int_equal(got->name, cmd->name);
#define IM_FIELD_BOOL(name) assert_true(got->name);
#define IM_FIELD_STRS(name)                                                                                            \
    assert_int_equal(got->name##_count, cmd->name##_count);                                                            \
    for (size_t i = 0; i < cmd->name##_count; i++)                                                                     \
        check_str(got->name[i], cmd->name[i]);
#define IM_FIELD(member, name, type, max)                                                                              \
    if (cmd->have & IM_BIT(member)) {                                                                                  \
        IM_FIELD_##type(member)                                                                                        \
    }
#include "core/tbl/fields.def"
#undef IM_FIELD
#undef IM_FIELD_STR
#undef IM_FIELD_U64
#undef IM_FIELD_POS
#undef IM_FIELD_BOOL
#undef IM_FIELD_STRS
}

static struct im_str several[] = {{"小明", 6}, {"", 0}, {"a name", 6}};

static void test_every_field(void **state)
{
    (void)state;
    for (unsigned field = 0; field < IM_FIELD_COUNT; field++) {
        struct im_command cmd = {.op = IM_OP_SEND}, got;
        fill(&cmd, (uint64_t)1 << field, several);
        struct im_parcel *p = send(&cmd, &got);
        compare(&got, &cmd);
        free(p);
    }
}

static void test_all_of_them(void **state)
{
    (void)state;
    struct im_name name;
    assert_int_equal(im_name_parse(IM_STR("Zoë"), &name, NULL), IM_OK);
    struct im_name *whom = im_name_dup(&name);
    struct im_command cmd = {.op = IM_OP_LOGIN,
                             .id = IM_STR("\"a request\""),
                             .to_name = whom,
                             .or_close = true,
                             .trusted = true,
                             .seat = IM_SEAT_SENDER};
    struct im_command got;
    fill(&cmd, ((uint64_t)1 << IM_FIELD_COUNT) - 1, several);
    struct im_parcel *p = send(&cmd, &got);
    compare(&got, &cmd);
    check_str(got.id, cmd.id);
    check_str(im_name_text(got.to_name), im_name_text(whom));
    check_str(im_name_key(got.to_name), im_name_key(whom));
    assert_true(got.or_close && got.trusted && got.seat == IM_SEAT_SENDER);
    free(p);
    free(whom);
}

static void test_what_is_not_there(void **state)
{
    (void)state;
    struct im_command cmd = {.op = IM_OP_PING}, got;
    struct im_parcel *p = send(&cmd, &got);
    assert_null(got.id.p);
    assert_null(got.to_name);
    assert_false(got.or_close || got.trusted);
    assert_int_equal(got.seat, IM_SEAT_CHAT);
    free(p);
}

static struct im_slip *send_slip(const struct im_msg *m, bool brief, struct im_msg *out)
{
    size_t size = im_slip_size(m, brief);
    struct im_slip *slip = im_alloc(size);
    assert_in_range(size, 1, 100000);
    assert_int_equal(size % 8, 0);
    memset((void *)slip, 0xa5, size);
    im_slip_pack(slip, m, brief);
    memset(out, 0x5a, sizeof *out);
    im_slip_open(slip, out);
    return slip;
}

static void check_absent(struct im_str s)
{
    assert_null(s.p);
    assert_int_equal(s.len, 0);
}

static const struct im_msg message = {
    .kind = IM_CONV_DIRECT,
    .pos = UINT64_MAX,
    .seq = 7,
    .ts_ms = -1,
    .from = {"Xiao Ming", 9},
    .from_key = {"xiao ming", 9},
    .to = {"Li", 2},
    .to_key = {"li", 2},
    .cid = {"", 0},
    .body = {"How do you do?", 14},
    .mentions = {"li", 2},
    .ref = 6,
    .bot = true,
    .hidden = true,
};

static void test_a_slip_says_what_the_message_does(void **state)
{
    struct im_msg got;
    (void)state;
    struct im_slip *slip = send_slip(&message, false, &got);
    assert_int_equal(got.kind, message.kind);
    assert_true(got.pos == message.pos && got.seq == message.seq && got.ts_ms == message.ts_ms);
    assert_true(got.ref == message.ref && got.bot && got.hidden && !got.deleted);
    check_str(got.from, message.from);
    check_str(got.from_key, message.from_key);
    check_str(got.to, message.to);
    check_str(got.to_key, message.to_key);
    check_str(got.cid, message.cid); /* empty is not absent */
    check_str(got.body, message.body);
    check_str(got.mentions, message.mentions);
    check_absent(got.mime);
    check_absent(got.user);
    check_absent(got.reactions);
    free(slip);
}

static void test_a_brief_slip_says_where_it_is(void **state)
{
    struct im_msg got;
    (void)state;
    struct im_slip *slip = send_slip(&message, true, &got);
    assert_int_equal(got.kind, message.kind);
    assert_true(got.pos == message.pos && got.seq == message.seq && got.ts_ms == message.ts_ms);
    check_str(got.to, message.to);
    check_str(got.to_key, message.to_key);
    check_absent(got.from);
    check_absent(got.body);
    free(slip);
}

static void test_what_is_no_plain_message_has_no_slip(void **state)
{
    struct im_msg m = message;
    (void)state;
    m.deleted = true;
    assert_int_equal(im_slip_size(&m, false), 0);
    m = message;
    m.edited_ms = 1;
    assert_int_equal(im_slip_size(&m, false), 0);
    m = message;
    m.reactions = IM_STR("+ 1 0");
    assert_int_equal(im_slip_size(&m, false), 0);
    m = message;
    m.body.len = UINT16_MAX + 1;
    assert_int_equal(im_slip_size(&m, false), 0);
    assert_true(im_slip_size(&m, true) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field),
        cmocka_unit_test(test_all_of_them),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_a_slip_says_what_the_message_does),
        cmocka_unit_test(test_a_brief_slip_says_where_it_is),
        cmocka_unit_test(test_what_is_no_plain_message_has_no_slip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
