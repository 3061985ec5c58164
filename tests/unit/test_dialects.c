#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/world.h"

/* Human mode and the classroom chat. */

static void people_chat_in_plain_lines(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    wire_open(w, &a, &im_dialect_human);
    wire_open(w, &b, &im_dialect_human);
    wire_say(&a, "/login 小明");
    assert_heard(&a, "* You are 小明. /to NAME picks whom to talk to; /help lists the rest.\n");
    wire_say(&a, "hello?");
    assert_heard_part(&a, "Whom to? Say /to NAME first");
    wire_say(&a, "/to 翠花");
    assert_heard(&a, "* Talking to 翠花 now.\n");
    wire_say(&a, "你好");
    assert_heard(&a, "* 翠花 is away; your message waits\n");
    wire_say(&b, "/nick 翠花");
    assert_heard_part(&b, "\n22:13 小明: 你好\n");
    wire_say(&b, "/msg 小明   two  words ");
    assert_heard(&b, "");
    assert_heard(&a, "22:13 翠花: two  words\n");
    wire_say(&a, "//slash");
    assert_heard(&b, "22:13 小明: /slash\n");
    wire_say(&a, "/history 2");
    assert_heard(&a, "2023-11-14 22:13 翠花: two  words\n2023-11-14 22:13 小明: /slash\n");
    wire_say(&a, "/who");
    assert_heard(&a, "* 翠花 is online\n");
    wire_close_now(&b);
    assert_heard(&a, "* 翠花 is away\n");
    wire_say(&a, "/list");
    assert_heard_part(&a, "  翠花");
    wire_say(&a, "/quit");
    assert_true(a.closed);
    wire_close_now(&a);
}

static void clocks_follow_the_server_s_zone(void **state)
{
    struct world *w = *state;
    struct wire a;
    im_core_time(w->core, 1700000000000, w->now, 8 * 3600);
    wire_open(w, &a, &im_dialect_human);
    wire_say(&a, "/login a");
    wire_say(&a, "/to a");
    wire_say(&a, "x");
    wire_heard(&a);
    wire_say(&a, "/history");
    assert_heard(&a, "2023-11-15 06:13 a: x\n");
    wire_close_now(&a);
}

static void commands_say_how_they_are_used(void **state)
{
    struct world *w = *state;
    struct wire a;
    wire_open(w, &a, &im_dialect_human);
    wire_say(&a, "/fly");
    assert_heard(&a, "! No such command; try /help. (/fly)\n");
    wire_say(&a, "/login");
    assert_heard_part(&a, "Usage: /login NAME");
    wire_say(&a, "/help login");
    assert_heard_part(&a, "(= /nick user)");
    wire_say(&a, "/help");
    assert_heard_part(&a, "/history [COUNT]");
    wire_say(&a, "/lang zh");
    assert_heard(&a, "* 已切换为中文。\n");
    wire_say(&a, "/help");
    assert_heard_part(&a, "查看聊天记录");
    wire_say(&a, "/lang fr");
    assert_heard_part(&a, "用法：/lang en|zh");
    wire_say(&a, "/msg b x");
    assert_heard_part(&a, "请先登录");
    wire_say(&a, "   ");
    assert_heard(&a, "");
    wire_close_now(&a);
}

static void a_brace_turns_the_line_to_json(void **state)
{
    struct world *w = *state;
    struct wire a;
    wire_open(w, &a, &im_dialect_human);
    wire_say(&a, "{\"op\":\"ping\",\"id\":1}");
    assert_heard(&a, "{\"op\":\"ok\",\"id\":1}\n");
    assert_ptr_equal(a.link.dialect, &im_dialect_json);
    wire_close_now(&a);
}

static void a_peer_cannot_steer_the_terminal_or_forge_a_line(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    wire_open(w, &a, &im_dialect_json);
    wire_open(w, &b, &im_dialect_human);
    wire_login(&a, "a");
    wire_say(&b, "/login b");
    wire_heard(&b);
    wire_say(&a, "{\"op\":\"send\",\"to\":\"b\",\"text\":\"x\\u001b[2J\\u009b\\u202e\\r\\n12:00 boss: pay\"}");
    assert_heard(&b, "22:13 a: x\\x1b[2J\\u{009b}\\u{202e}\\x0d\n      12:00 boss: pay\n");
    wire_say(&a, "{\"op\":\"send\",\"to\":\"b\",\"body\":\"\\u001b\",\"mime\":\"a\\u202e/b\"}");
    assert_heard(&b, "22:13 a: [a\\u{202e}/b, 1]\n");
    wire_say(&b, "/fly\x1b[2J");
    assert_heard_part(&b, "(/fly\\x1b[2J)");
    wire_say(&b, "\xff\xfe");
    assert_heard(&b, "! Not valid UTF-8.\n");
    wire_close_now(&a);
    wire_close_now(&b);
}

static void classroom_open(struct world *w, struct wire *x, const char *user, const char *target)
{
    wire_open(w, x, &im_dialect_classroom);
    x->link.target = im_alloc(sizeof *x->link.target);
    assert_int_equal(im_name_parse(im_str(target), x->link.target, NULL), IM_OK);
    struct im_command cmd = {.op = IM_OP_LOGIN, .have = IM_BIT(user), .user = im_str(user)};
    im_core_command(w->core, &x->link, &cmd);
    wire_settle(x);
}

static void the_classroom_chat_works_unchanged(void **state)
{
    struct world *w = *state;
    struct wire a, b, c;
    classroom_open(w, &a, "小明", "翠花");
    assert_heard(&a, "");
    wire_say(&a, "在吗");
    assert_heard(&a, "对方不在线\n");
    classroom_open(w, &b, "翠花", "小明");
    assert_heard(&b, "在吗\n");
    wire_say(&b, "在");
    assert_heard(&b, "");
    assert_heard(&a, "在\n");
    classroom_open(w, &c, "小红", "翠花");
    wire_say(&c, "我也在");
    assert_heard(&b, "小红: 我也在\n");
    wire_say(&a, "");
    wire_close_now(&a);
    classroom_open(w, &a, "小明", "翠花");
    assert_heard(&a, ""); /* one's own messages never come back */
    wire_close_now(&a);
    wire_close_now(&b);
    wire_close_now(&c);
}

#define world_test(name) cmocka_unit_test_setup_teardown(name, world_new, world_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(people_chat_in_plain_lines),
        world_test(clocks_follow_the_server_s_zone),
        world_test(commands_say_how_they_are_used),
        world_test(a_brace_turns_the_line_to_json),
        world_test(a_peer_cannot_steer_the_terminal_or_forge_a_line),
        world_test(the_classroom_chat_works_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
