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
    assert_heard(
        &a, "2023-11-14 22:13 [2] 翠花: two  words\n2023-11-14 22:13 [3] 小明: /slash\n* /more shows what follows\n");
    wire_say(&a, "/more");
    assert_heard(&a, "2023-11-14 22:13 [1] 小明: 你好\n");
    wire_say(&a, "/who");
    assert_heard(&a, "* 翠花 is online\n");
    wire_close_now(&b);
    world_time(w, w->config->linger_ms + 1);
    assert_heard_part(&a, "* 翠花 is offline");
    wire_say(&a, "/conversations");
    assert_heard_part(&a, "  翠花");
    wire_say(&a, "/quit");
    assert_true(a.closed);
    wire_close_now(&a);
}

static void person_open(struct world *w, struct wire *x, const char *user)
{
    char line[64];
    wire_open(w, x, &im_dialect_human);
    snprintf(line, sizeof line, "/login %s", user);
    wire_say(x, line);
    wire_heard(x);
}

static void people_change_what_they_said(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    person_open(w, &a, "anna");
    person_open(w, &b, "bob");
    wire_say(&a, "/to bob");
    wire_say(&b, "/to anna");
    wire_heard(&a), wire_heard(&b);
    wire_say(&a, "helo");
    assert_heard(&b, "22:13 anna: helo\n");
    wire_say(&a, "/edit hello");
    assert_heard(&a, "* Message 1 is edited.\n");
    assert_heard(&b, "22:13 anna (edited 1): hello\n");
    wire_say(&b, "/react 👍");
    assert_heard(&b, "* You react to message 1.\n");
    assert_heard(&a, "22:13 * bob reacts to message 1: 👍\n");
    wire_say(&b, "/react 👍");
    assert_heard(&b, "* It is so already.\n");
    wire_say(&b, "/reply hi");
    assert_heard(&a, "22:13 bob (↩ 1): hi\n");
    wire_say(&b, "/history");
    assert_heard(&b, "2023-11-14 22:13 [1] anna (edited, 👍 1): hello\n2023-11-14 22:13 [4] bob (↩ 1): hi\n");
    wire_say(&b, "/unreact 1 👍");
    assert_heard(&b, "* Taken back from message 1.\n");
    assert_heard(&a, "22:13 * bob takes back from message 1: 👍\n");
    wire_say(&a, "/delete");
    assert_heard(&b, "22:13 * anna deleted message 1\n");
    wire_say(&b, "/delete me");
    assert_heard(&b, "* Message 4 is deleted.\n");
    wire_say(&b, "/history");
    assert_heard(&b, "2023-11-14 22:13 [1] anna (deleted)\n");
    wire_say(&b, "/edit 1 mine now");
    assert_heard_part(&b, "! ");
    wire_close_now(&a);
    wire_close_now(&b);
}

static void groups_are_run_from_the_keyboard(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    person_open(w, &a, "anna");
    person_open(w, &b, "bob");
    wire_say(&a, "/create #猫 all about cats");
    assert_heard(&a, "* #猫: anna made the group\n* Talking to #猫 now.\n");
    wire_say(&a, "/invite bob");
    assert_heard(&a, "* #猫: anna invited bob\n");
    assert_heard(&b, "22:13 #猫 * anna invited bob\n");
    wire_say(&b, "/join #*");
    assert_heard(&b, "* #猫: bob joined\n* Talking to #猫 now.\n");
    assert_heard(&a, "22:13 #猫 * bob joined\n");
    wire_say(&a, "@bob look");
    assert_heard(&a, "");
    assert_heard(&b, "» 22:13 #猫 anna: @bob look\n");
    wire_say(&b, "/me looks");
    assert_heard(&a, "22:13 #猫 * bob looks\n");
    wire_say(&b, "/topic dogs");
    assert_heard_part(&b, "! Not allowed.");
    wire_say(&a, "/op bo*");
    assert_heard(&a, "* #猫: anna made bob an admin\n");
    assert_heard(&b, "22:13 #猫 * anna made bob an admin\n");
    wire_say(&b, "/topic dogs");
    assert_heard(&b, "* #猫: bob set the topic: dogs\n");
    wire_say(&a, "/set public history all");
    wire_heard(&a);
    assert_heard(&b, "22:13 #猫 * anna changed the group's settings\n");
    wire_say(&a, "/info");
    assert_heard(&a, "* #猫: dogs\n      public; members see what was written before they came; members: 2, here: 2; "
                     "you are an owner; since 2023-11-14\n");
    wire_say(&a, "/members");
    assert_heard(&a, "  anna (an owner, here)\n  bob (an admin, here)\n");
    wire_say(&b, "/groups");
    assert_heard(&b, "  #猫 (2)  dogs\n");
    wire_say(&b, "/conversations");
    assert_heard_part(&b, "  #猫");
    wire_say(&a, "/leave");
    assert_heard_part(&a, "! A group needs an owner");
    wire_say(&a, "/kick bob");
    assert_heard(&a, "* #猫: anna removed bob\n");
    wire_say(&b, "woof");
    assert_heard_part(&b, "! Only members may do that.");
    wire_say(&a, "/destroy #猫");
    assert_heard(&a, "* #猫: anna deleted the group\n");
    wire_say(&a, "meow");
    assert_heard_part(&a, "! Whom to?");
    wire_close_now(&a);
    wire_close_now(&b);
}

static void people_look_each_other_up(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    person_open(w, &a, "anna");
    person_open(w, &b, "bob");
    wire_say(&a, "/who bob");
    assert_heard(&a, "* bob is online\n");
    wire_say(&b, "/away at lunch");
    assert_heard(&b, "* You are away now.\n");
    assert_heard(&a, "* bob is away: at lunch\n");
    wire_say(&b, "/back");
    assert_heard(&b, "* You are back.\n");
    assert_heard(&a, "* bob is online\n");
    wire_say(&b, "/name Bob the Builder");
    assert_heard(&b, "* Your profile is changed.\n");
    wire_say(&a, "/whois bo*");
    assert_heard(&a, "* bob is online\n      bob (Bob the Builder)\n");
    wire_say(&a, "/unwatch");
    wire_heard(&a);
    wire_say(&b, "/dnd");
    assert_heard(&a, "");
    wire_say(&a, "/msg bob 今天下午开会吗");
    wire_heard(&b);
    wire_say(&b, "/search 开会");
    assert_heard(&b, "2023-11-14 22:13 anna [1] anna: 今天下午开会吗\n");
    wire_say(&b, "/block anna");
    assert_heard(&b, "* Blocked.\n");
    wire_say(&b, "/blocked");
    assert_heard(&b, "  anna\n");
    wire_say(&a, "/msg bob hello?");
    assert_heard(&a, "* bob is away; your message waits\n");
    assert_heard(&b, "");
    wire_say(&b, "/unblock anna");
    assert_heard(&b, "* No longer blocked.\n");
    wire_say(&b, "/devices");
    assert_heard_part(&b, "(without a name)");
    wire_close_now(&a);
    wire_close_now(&b);
}

static void who_has_read_is_told_on_request(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    person_open(w, &a, "anna");
    person_open(w, &b, "bob");
    wire_say(&a, "/receipts on");
    wire_say(&a, "/msg bob hi");
    wire_heard(&a);
    wire_say(&b, "/to anna");
    wire_say(&b, "/read");
    world_time(w, 1000);
    assert_heard(&a, "* bob has read up to message 1\n");
    wire_close_now(&a);
    wire_close_now(&b);
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
    assert_heard(&a, "2023-11-15 06:13 [1] a: x\n");
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
    assert_heard(&a, "! Who are you? Say /login NAME, or /login NAME PASSWORD.\n");
    wire_say(&a, "/msg b");
    assert_heard(&a, "! Usage: /msg NAME TEXT\n");
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
    assert_int_equal(im_conv_parse(im_str(target), x->link.target, NULL), IM_OK);
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

static void a_group_in_the_classroom_has_names(void **state)
{
    struct world *w = *state;
    struct wire a, b, c;
    person_open(w, &a, "anna");
    wire_say(&a, "/create #猫");
    wire_say(&a, "/set public");
    person_open(w, &b, "bob");
    wire_say(&b, "/join #猫");
    wire_close_now(&b);
    classroom_open(w, &b, "bob", "#猫");
    classroom_open(w, &c, "bob", "anna");
    wire_heard(&b), wire_heard(&c);
    wire_say(&a, "meow");
    assert_heard(&b, "anna: meow\n");
    assert_heard(&c, "#猫 anna: meow\n");
    wire_heard(&a);
    wire_say(&b, "woof");
    assert_heard(&b, "");
    assert_heard(&a, "22:13 #猫 bob: woof\n");
    wire_say(&a, "/edit hiss");
    wire_say(&a, "/react 👍");
    wire_say(&a, "/topic cats");
    wire_say(&a, "/delete");
    assert_heard(&b, "");
    assert_heard(&c, "");
    wire_say(&a, "/msg bob hi");
    assert_heard(&b, "anna: hi\n");
    assert_heard(&c, "hi\n");
    wire_close_now(&a);
    wire_close_now(&b);
    wire_close_now(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(people_chat_in_plain_lines),
        world_test(people_change_what_they_said),
        world_test(groups_are_run_from_the_keyboard),
        world_test(people_look_each_other_up),
        world_test(who_has_read_is_told_on_request),
        world_test(clocks_follow_the_server_s_zone),
        world_test(commands_say_how_they_are_used),
        world_test(a_brace_turns_the_line_to_json),
        world_test(a_peer_cannot_steer_the_terminal_or_forge_a_line),
        world_test(the_classroom_chat_works_unchanged),
        world_test(a_group_in_the_classroom_has_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
