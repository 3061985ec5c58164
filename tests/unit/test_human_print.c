#include "tests/unit/person.h"

/* What human mode shows. */

/* IM_STR() where only a constant is allowed. */
#define VIEW(literal)                                                                                                  \
    {                                                                                                                  \
        (literal), sizeof(literal) - 1                                                                                 \
    }
#define GROUP(sender, ...)                                                                                             \
    {                                                                                                                  \
        .kind = IM_CONV_GROUP, .pos = 9, .seq = 4, .ts_ms = PERSON_TS, .from = VIEW(sender), .from_key = VIEW(sender), \
        .to = VIEW("#猫"), .to_key = VIEW("#猫"), __VA_ARGS__                                                          \
    }
#define DIRECT(sender, recipient, ...)                                                                                 \
    {                                                                                                                  \
        .kind = IM_CONV_DIRECT, .pos = 9, .seq = 4, .ts_ms = PERSON_TS, .from = VIEW(sender),                          \
        .from_key = VIEW(sender), .to = VIEW(recipient), .to_key = VIEW(recipient), __VA_ARGS__                        \
    }
#define BODY(text) .body = VIEW(text)
#define USER(name) .user = VIEW(name), .user_key = VIEW(name)

static const struct live {
    enum im_event_type type;
    bool own;
    struct im_msg msg;
    const char *lines[IM_LANG_COUNT];
} lives[] = {
    {IM_EV_MSG, false, DIRECT("翠花", "a", BODY("你好")), {"22:13 翠花: 你好\n", "22:13 翠花: 你好\n"}},
    {IM_EV_MSG, true, DIRECT("a", "翠花", BODY("hi")), {"22:13 a → 翠花: hi\n", "22:13 a → 翠花: hi\n"}},
    {IM_EV_MSG, false, GROUP("翠花", BODY("hi")), {"22:13 #猫 翠花: hi\n", "22:13 #猫 翠花: hi\n"}},
    {IM_EV_MSG, true, GROUP("a", BODY("hi")), {"22:13 a → #猫: hi\n", "22:13 a → #猫: hi\n"}},
    {IM_EV_MSG,
     false,
     DIRECT("b", "a", BODY("one\ntwo\n")),
     {"22:13 b: one\n      two\n      \n", "22:13 b: one\n      two\n      \n"}},
    {IM_EV_MSG, false, DIRECT("b", "a", BODY("yes"), .ref = 12), {"22:13 b (↩ 12): yes\n", "22:13 b (↩ 12): yes\n"}},
    {IM_EV_MSG,
     false,
     DIRECT("news", "a", BODY("rain"), .bot = true),
     {"22:13 news (bot): rain\n", "22:13 news (机器人): rain\n"}},
    {IM_EV_MSG, false, DIRECT("b", "a", .deleted = true), {"22:13 b (deleted)\n", "22:13 b (已删除)\n"}},
    {IM_EV_MSG, false, DIRECT("b", "a", BODY("/me waves")), {"22:13 * b waves\n", "22:13 * b waves\n"}},
    {IM_EV_MSG,
     false,
     GROUP("b", BODY("/me waves"), .ref = 3),
     {"22:13 #猫 * b (↩ 3) waves\n", "22:13 #猫 * b (↩ 3) waves\n"}},
    {IM_EV_MSG,
     false,
     DIRECT("b", "a", BODY("\x89PNG"), .mime = VIEW("image/png")),
     {"22:13 b: [image/png, 4]\n", "22:13 b: [image/png, 4]\n"}},
    {IM_EV_EDIT,
     false,
     DIRECT("b", "a", BODY("yes!"), .ref = 12),
     {"22:13 b (edited 12): yes!\n", "22:13 b (修改了 12): yes!\n"}},
    {IM_EV_EDIT,
     true,
     GROUP("a", BODY("yes!"), .ref = 12),
     {"22:13 a → #猫 (edited 12): yes!\n", "22:13 a → #猫 (修改了 12): yes!\n"}},
    {IM_EV_DELETE, false, DIRECT("b", "a", .ref = 12), {"22:13 * b deleted message 12\n", "22:13 * b 删除了消息 12\n"}},
    {IM_EV_DELETE,
     true,
     DIRECT("a", "b", .ref = 12),
     {"22:13 b * a deleted message 12\n", "22:13 b * a 删除了消息 12\n"}},
    {IM_EV_DELETE,
     true,
     {.kind = IM_CONV_SELF,
      .ts_ms = PERSON_TS,
      .from = VIEW("a"),
      .from_key = VIEW("a"),
      .to = VIEW("#猫"),
      .to_key = VIEW("#猫"),
      .ref = 12},
     {"22:13 #猫 * a deleted message 12 for this side alone\n", "22:13 #猫 * a 在自己这边删除了消息 12\n"}},
    {IM_EV_REACT,
     false,
     GROUP("b", BODY("👍"), .ref = 12, .on = true),
     {"22:13 #猫 * b reacts to message 12: 👍\n", "22:13 #猫 * b 回应消息 12：👍\n"}},
    {IM_EV_REACT,
     false,
     DIRECT("b", "a", BODY("👍"), .ref = 12),
     {"22:13 * b takes back from message 12: 👍\n", "22:13 * b 撤回对消息 12 的回应：👍\n"}},
    {IM_EV_MEMBER,
     false,
     GROUP("b", .change = IM_CHANGE_CREATE),
     {"22:13 #猫 * b made the group\n", "22:13 #猫 * b 建立了群\n"}},
    {IM_EV_MEMBER,
     false,
     GROUP("b", .change = IM_CHANGE_INVITE, USER("a")),
     {"22:13 #猫 * b invited a\n", "22:13 #猫 * b 邀请了 a\n"}},
    {IM_EV_MEMBER,
     false,
     GROUP("b", .change = IM_CHANGE_ROLE, .role = IM_ROLE_ADMIN, USER("a")),
     {"22:13 #猫 * b made a an admin\n", "22:13 #猫 * b 将 a 设为管理员\n"}},
    {IM_EV_MEMBER,
     true,
     GROUP("a", .change = IM_CHANGE_TOPIC, BODY("cats")),
     {"22:13 #猫 * a set the topic: cats\n", "22:13 #猫 * a 修改了群主题：cats\n"}},
};

static void events_are_readable_in_both_languages(void **state)
{
    struct person *p = *state;
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++)
        for (size_t lang = 0; lang < IM_LANG_COUNT; lang++) {
            p->link.lang = (enum im_lang)lang;
            person_send(&p->link, im_event_new(lives[i].type, &lives[i].msg), lives[i].own);
            assert_hears(p, lives[i].lines[lang]);
        }
}

static void bytes_are_made_once_for_each_language(void **state)
{
    struct person *p = *state;
    struct im_event *e = direct_msg("b", "a", 1, "hi");
    for (size_t lang = 0; lang < IM_LANG_COUNT; lang++) {
        p->link.lang = (enum im_lang)lang;
        struct im_bytes *one = p->link.dialect->encode(&p->link, e, false);
        struct im_bytes *two = p->link.dialect->encode(&p->link, e, false);
        assert_ptr_equal(one, two);
        im_bytes_drop(&one);
        im_bytes_drop(&two);
    }
    assert_ptr_not_equal(e->forms[IM_FORM_HUMAN_EN][0], e->forms[IM_FORM_HUMAN_ZH][0]);
    im_event_drop(&e);
}

static void log_in(struct person *p, const char *user)
{
    char line[64];
    snprintf(line, sizeof line, "/login %s", user);
    person_ask(p, line);
    person_answer(p, (struct im_reply){.login = {.user = im_str(user), .session = 1, .token = IM_STR("secret")}});
    assert_null(strstr(person_heard(p), "secret"));
}

static void mention(struct person *p, const char *from, const char *who)
{
    struct im_msg msg = GROUP("b", BODY("look"));
    msg.from = msg.from_key = im_str(from);
    msg.mentions = im_str(who);
    person_send(&p->link, im_event_new(IM_EV_MSG, &msg), false);
}

static void who_is_mentioned_sees_it(void **state)
{
    struct person *p = *state;
    mention(p, "b", "anna");
    assert_hears(p, "22:13 #猫 b: look\n"); /* not logged in: nobody is meant */
    log_in(p, "Anna");
    mention(p, "b", "bob ANNA");
    assert_hears(p, "» 22:13 #猫 b: look\n");
    mention(p, "b", "*");
    assert_hears(p, "» 22:13 #猫 b: look\n");
    mention(p, "b", "bob annabel");
    assert_hears(p, "22:13 #猫 b: look\n");
    mention(p, "anna", "*");
    assert_hears(p, "22:13 #猫 anna: look\n");
}

static struct im_event **list_of(struct im_event *a, struct im_event *b)
{
    struct im_event **list = im_alloc(2 * sizeof(struct im_event *));
    list[0] = a;
    list[1] = b;
    return list;
}

static void history_shows_messages_as_they_stand(void **state)
{
    struct person *p = *state;
    static const struct im_msg edited = GROUP("b", BODY("look"), .ref = 2, .edited_ms = 1, .mentions = VIEW("a"),
                                              .reactions = VIEW("👍 3 1\n❤️ 1 0"));
    static const struct im_msg gone = GROUP("b", .deleted = true, .edited_ms = 1);
    static const struct im_msg join = GROUP("c", .change = IM_CHANGE_JOIN);
    person_ask(p, "/to #猫");
    person_heard(p);
    person_ask(p, "/history");
    person_answer(p, (struct im_reply){.self = IM_STR("a"),
                                       .history = {.conv = IM_STR("#猫"),
                                                   .events = list_of(im_event_new(IM_EV_MSG, &edited),
                                                                     im_event_new(IM_EV_MSG, &gone)),
                                                   .count = 2}});
    assert_hears(p, "» 2023-11-14 22:13 [4] b (↩ 2, edited, 👍 3, ❤️ 1): look\n"
                    "2023-11-14 22:13 [4] b (deleted)\n");
    person_answer(
        p, (struct im_reply){.history = {.events = list_of(im_event_new(IM_EV_MEMBER, &join), NULL), .count = 1}});
    assert_hears(p, "2023-11-14 22:13 [4] * c joined\n");
    person_answer(p, (struct im_reply){.history = {.conv = IM_STR("#猫")}});
    assert_hears(p, "* No messages yet.\n");
}

static void search_says_where(void **state)
{
    struct person *p = *state;
    static const struct im_msg group = GROUP("b", BODY("开会吗"));
    struct im_hit *hits = im_zalloc(2 * sizeof *hits);
    hits[0] = (struct im_hit){.events = list_of(direct_msg("a", "b", 7, "开会"), direct_msg("b", "a", 8, "ok")), 2, 0};
    hits[1] = (struct im_hit){.events = list_of(im_event_new(IM_EV_MSG, &group), NULL), 1, 0};
    person_ask(p, "/search 开会");
    person_answer(p, (struct im_reply){.self = IM_STR("a"), .search = {.hits = hits, .count = 2, .next = 9}});
    assert_hears(p, "2023-11-14 22:13 b [7] a: 开会\n2023-11-14 22:13 #猫 [4] b: 开会吗\n* /more shows what follows\n");
    person_answer(p, (struct im_reply){.search = {0}});
    assert_hears(p, "* Nothing found.\n");
}

static void conversations_show_what_is_new(void **state)
{
    struct person *p = *state;
    struct im_conv_row *rows = im_zalloc(3 * sizeof *rows);
    rows[0] = (struct im_conv_row){.name = IM_STR("#猫"), .unread = 2, .read_seq = 3, .mention_seq = 4};
    rows[1] = (struct im_conv_row){
        .name = IM_STR("b"), .last = direct_msg("a", "b", 7, "hi\nthere"), .peer_read = 6, .peer_received = 7};
    rows[2] = (struct im_conv_row){
        .name = IM_STR("c"), .last = direct_msg("c", "a", 7, "hi"), .peer_read = 7, .peer_received = 7};
    person_ask(p, "/conversations");
    person_answer(p, (struct im_reply){.self = IM_STR("a"), .conversations = {rows, 3}});
    assert_hears(p, "  #猫 (unread: 2, @you)\n"
                    "  b (received)  2023-11-14 22:13 [7] a: hi…\n"
                    "  c  2023-11-14 22:13 [7] c: hi\n");
    person_ask(p, "/to #*");
    assert_hears(p, "* Talking to #猫 now.\n");
}

static void a_preview_is_short(void **state)
{
    struct person *p = *state;
    char text[400] = "";
    for (int i = 0; i < 100; i++)
        strcat(text, "喵");
    struct im_conv_row *rows = im_zalloc(sizeof *rows);
    rows[0] = (struct im_conv_row){.name = IM_STR("b"), .last = direct_msg("b", "a", 7, text)};
    person_ask(p, "/conversations");
    person_answer(p, (struct im_reply){.self = IM_STR("a"), .conversations = {rows, 1}});
    const char *heard = person_heard(p);
    assert_true(im_str_utf8(im_str(heard)));
    assert_true(strlen(heard) < 160);
    assert_non_null(strstr(heard, "喵…\n"));
}

static struct im_event *member_event(enum im_change change, bool same)
{
    struct im_msg msg = GROUP("a", .change = change);
    if (same)
        msg.pos = 0;
    return im_event_new(IM_EV_MEMBER, &msg);
}

static void who_comes_into_a_group_talks_there(void **state)
{
    struct person *p = *state;
    person_ask(p, "/join #猫");
    person_answer(p, (struct im_reply){.group = {.msg = member_event(IM_CHANGE_JOIN, false)}});
    assert_hears(p, "* #猫: a joined\n* Talking to #猫 now.\n");
    assert_asks(p, "hi", "send to=#猫 text=hi");
    person_ask(p, "/to b");
    person_heard(p);
    person_ask(p, "/join #猫");
    assert_asks(p, "hi", "send to=b text=hi"); /* not there yet */
    person_ask(p, "/join #猫");
    person_answer(p, (struct im_reply){.group = {.msg = member_event(IM_CHANGE_JOIN, true)}});
    assert_hears(p, "* Talking to #猫 now.\n");
    person_ask(p, "/leave");
    person_answer(p, (struct im_reply){.group = {.msg = member_event(IM_CHANGE_LEAVE, false)}});
    assert_hears(p, "* #猫: a left\n");
    assert_asks(p, "hi", "! Whom to? Say /to NAME first, or /msg NAME TEXT.");
    person_ask(p, "/invite b #猫");
    person_answer(p, (struct im_reply){.group = {.msg = member_event(IM_CHANGE_INVITE, true)}});
    assert_hears(p, "* It is so already.\n");
}

static void groups_are_described(void **state)
{
    struct person *p = *state;
    struct im_group_row *info = im_zalloc(sizeof *info);
    *info = (struct im_group_row){.name = IM_STR("#猫"),
                                  .topic = IM_STR("cats"),
                                  .settings = IM_GROUP_PUBLIC,
                                  .members = 3,
                                  .online = 2,
                                  .role = IM_ROLE_OWNER,
                                  .created_ms = PERSON_TS};
    person_ask(p, "/info #猫");
    person_answer(p, (struct im_reply){.group = {.what = IM_GROUP_INFO, .groups = info}});
    assert_hears(p, "* #猫: cats\n      public; members see what is written from when they came; members: 3, here: 2; "
                    "you are an owner; since 2023-11-14\n");
    struct im_member_row *members = im_zalloc(2 * sizeof *members);
    members[0] = (struct im_member_row){IM_STR("a"), IM_ROLE_OWNER, true};
    members[1] = (struct im_member_row){IM_STR("b"), IM_ROLE_MEMBER, false};
    person_ask(p, "/members #猫");
    person_answer(p, (struct im_reply){.group = {.what = IM_GROUP_MEMBERS, .members = members, .count = 2}});
    assert_hears(p, "  a (an owner, here)\n  b\n");
    struct im_group_row *groups = im_zalloc(2 * sizeof *groups);
    groups[0] = (struct im_group_row){.name = IM_STR("#猫"), .topic = IM_STR("cats\nand dogs"), .members = 3};
    groups[1] = (struct im_group_row){.name = IM_STR("#x"), .members = 1};
    person_ask(p, "/groups");
    person_answer(p, (struct im_reply){.group = {.what = IM_GROUP_LIST, .groups = groups, .count = 2, .more = true}});
    assert_hears(p, "  #猫 (3)  cats…\n  #x (1)\n* /more shows what follows\n");
    person_answer(p, (struct im_reply){.group = {.what = IM_GROUP_LIST}});
    assert_hears(p, "* No public groups.\n");
}

static void presence(struct person *p, const struct im_presence_row *row, const char *line)
{
    person_send(&p->link, im_event_presence(row), false);
    assert_hears(p, line);
}

static void presence_is_told(void **state)
{
    struct person *p = *state;
    presence(p, &(struct im_presence_row){.user = IM_STR("b"), .state = IM_ONLINE}, "* b is online\n");
    presence(p, &(struct im_presence_row){.user = IM_STR("b"), .state = IM_AWAY, .text = IM_STR("lunch\n* c is away")},
             "* b is away: lunch\\x0a* c is away\n");
    presence(p, &(struct im_presence_row){.user = IM_STR("b"), .state = IM_DND}, "* b does not want to be disturbed\n");
    presence(p, &(struct im_presence_row){.user = IM_STR("b"), .seen_ms = PERSON_TS},
             "* b is offline (last here 2023-11-14 22:13)\n");
    presence(p, &(struct im_presence_row){.user = IM_STR("#猫"), .online = 12}, "* #猫: 12 here\n");
}

static void people_and_devices_are_described(void **state)
{
    struct person *p = *state;
    struct im_profile *profile = im_zalloc(sizeof *profile);
    *profile = (struct im_profile){.user = IM_STR("b"),
                                   .name = IM_STR("Bob"),
                                   .avatar = IM_STR("https://x/y.png"),
                                   .bot = true,
                                   .presence = {.user = IM_STR("b"), .state = IM_ONLINE}};
    person_ask(p, "/whois b");
    person_answer(p, (struct im_reply){.profile = {profile}});
    assert_hears(p, "* b is online\n      b (Bob, bot)\n      avatar: https://x/y.png\n");
    struct im_device_row *rows = im_zalloc(3 * sizeof *rows);
    rows[0] = (struct im_device_row){.name = IM_STR(""), .online = true, .current = true};
    rows[1] = (struct im_device_row){.name = IM_STR("phone"), .online = true};
    rows[2] = (struct im_device_row){.name = IM_STR("old"), .seen_ms = PERSON_TS};
    person_ask(p, "/devices");
    person_answer(p, (struct im_reply){.devices = {.rows = rows, .count = 3, .list = true}});
    assert_hears(p, "  (without a name) (this one)\n  phone (here)\n  old (last here 2023-11-14 22:13)\n");
    struct im_str *users = im_zalloc(2 * sizeof *users);
    users[0] = IM_STR("b");
    users[1] = IM_STR("c");
    person_ask(p, "/blocked");
    person_answer(p, (struct im_reply){.block = {.users = users, .count = 2, .list = true}});
    assert_hears(p, "  b\n  c\n");
    person_answer(p, (struct im_reply){.block = {.list = true}});
    assert_hears(p, "* You have blocked nobody.\n");
}

static const struct done {
    const char *line, *said;
} dones[] = {
    {"/ping", "* pong\n"},
    {"/away lunch", "* You are away now.\n"},
    {"/back", "* You are back.\n"},
    {"/dnd", "* You are not to be disturbed now.\n"},
    {"/unwatch", "* You are told of nobody's coming and going now.\n"},
    {"/block b", "* Blocked.\n"},
    {"/unblock b", "* No longer blocked.\n"},
    {"/forget phone", "* The device is forgotten.\n"},
    {"/password new12345", "* Your password is changed.\n"},
    {"/name Bob", "* Your profile is changed.\n"},
    {"/seen off", "* Your profile is changed.\n"},
    {"/quit", ""},
};

static void what_is_done_is_said(void **state)
{
    struct person *p = *state;
    for (size_t i = 0; i < sizeof dones / sizeof *dones; i++) {
        person_ask(p, dones[i].line);
        person_answer(p, (struct im_reply){0});
        assert_hears(p, dones[i].said);
    }
    person_ask(p, "/to b");
    person_ask(p, "/read");
    person_heard(p);
    person_answer(p, (struct im_reply){0});
    assert_hears(p, "* Marked as read.\n");
    person_ask(p, "/report b rude");
    person_answer(p, (struct im_reply){.report = {IM_STR("r7")}});
    assert_hears(p, "* Thank you. Your report has the number r7.\n");
}

static void answer_change(struct person *p, const char *line, enum im_event_type type, const char *said)
{
    static const struct im_msg msg = DIRECT("a", "b", .ref = 4, BODY("x"));
    person_ask(p, line);
    person_answer(p, (struct im_reply){.send = {.msg = im_event_new(type, &msg)}});
    assert_hears(p, said);
}

static void changes_of_messages_are_confirmed(void **state)
{
    struct person *p = *state;
    person_ask(p, "/to b");
    person_heard(p);
    answer_change(p, "/edit 4 x", IM_EV_EDIT, "* Message 4 is edited.\n");
    answer_change(p, "/delete 4", IM_EV_DELETE, "* Message 4 is deleted.\n");
    answer_change(p, "/react 4 x", IM_EV_REACT, "* You react to message 4.\n");
    answer_change(p, "/unreact 4 x", IM_EV_REACT, "* Taken back from message 4.\n");
    person_ask(p, "/react 4 x");
    person_answer(p, (struct im_reply){.send = {.msg = direct_msg("a", "b", 0, "")}});
    assert_hears(p, "* It is so already.\n");
    answer_change(p, "hi", IM_EV_MSG, "* b is away; your message waits\n");
    p->cmd.op = IM_OP_SEND;
    static const struct im_msg group = GROUP("a", BODY("x"));
    person_answer(p, (struct im_reply){.send = {.msg = im_event_new(IM_EV_MSG, &group)}});
    assert_hears(p, "");
}

static void receipts_are_shown_on_request(void **state)
{
    struct person *p = *state;
    log_in(p, "a");
    person_send(&p->link, im_event_receipt(IM_CONV_DIRECT, IM_STR("b"), IM_STR("b"), 4, 3), false);
    assert_hears(p, "");
    person_ask(p, "/receipts on");
    person_heard(p);
    person_send(&p->link, im_event_receipt(IM_CONV_DIRECT, IM_STR("b"), IM_STR("b"), 4, 3), false);
    assert_hears(p, "* b has read up to message 3\n");
    person_send(&p->link, im_event_receipt(IM_CONV_GROUP, IM_STR("#猫"), IM_STR("b"), 0, 3), false);
    assert_hears(p, "* #猫: b has read up to message 3\n");
    person_send(&p->link, im_event_receipt(IM_CONV_DIRECT, IM_STR("b"), IM_STR("b"), 4, 0), false);
    person_send(&p->link, im_event_receipt(IM_CONV_DIRECT, IM_STR("b"), IM_STR("A"), 0, 4), false);
    person_send(&p->link, im_event_typing(IM_STR("b"), IM_STR("b"), true, 6000), false);
    assert_hears(p, "");
}

static void refusals_and_ends_are_said(void **state)
{
    struct person *p = *state;
    person_send(&p->link, im_event_err(IM_OP_LOGIN, IM_DIALECT_ID, IM_BACK_OFF, (struct im_str){0}, 4001), false);
    assert_hears(p, "! Too many failed attempts; wait before the next. (again in 5 s)\n");
    person_send(&p->link, im_event_bye(IM_KICKED, false, 0), false);
    assert_hears(p, "* An operator closed this session.\n");
    person_send(&p->link, im_event_reset(7), false);
    assert_hears(p, "* Messages may be missing here; /history shows them.\n");
    person_send(&p->link, im_event_notice(IM_OK, IM_STR("tea at five\x1b[2J\nbring cups")), false);
    assert_hears(p, "tea at five\\x1b[2J\nbring cups\n");
}

#define NASTY "x\x1b[2J\xc2\x9b\xe2\x80\xae\r\n12:00 boss: pay"

static void harmless(struct person *p)
{
    const char *heard = person_heard(p);
    assert_true(*heard != '\0');
    for (const char *c = heard; *c; c++)
        assert_true((unsigned char)*c >= 0x20 || *c == '\n');
    assert_null(strstr(heard, "\xc2\x9b"));
    assert_null(strstr(heard, "\xe2\x80\xae"));
    assert_null(strstr(heard, "\n12:00"));
}

/* Whatever a peer can choose, in whatever is shown of it. */
static void a_peer_cannot_steer_the_terminal_or_forge_a_line(void **state)
{
    struct person *p = *state;
    const struct im_str nasty = IM_STR(NASTY);
    struct im_msg msg = {.kind = IM_CONV_GROUP,
                         .from = nasty,
                         .from_key = nasty,
                         .to = nasty,
                         .to_key = nasty,
                         .body = nasty,
                         .mentions = nasty,
                         .user = nasty,
                         .user_key = nasty,
                         .reactions = nasty,
                         .ref = 1};
    for (enum im_event_type type = IM_EV_MSG; type <= IM_EV_LAST_DURABLE; type++)
        for (unsigned change = 0; change < IM_CHANGE_COUNT; change++) {
            msg.change = (enum im_change)change;
            msg.on = !msg.on;
            person_send(&p->link, im_event_new(type, &msg), change % 2 == 0);
            harmless(p);
        }
    msg.mime = nasty;
    person_send(&p->link, im_event_new(IM_EV_MSG, &msg), false);
    harmless(p);
    person_send(&p->link, im_event_presence(&(struct im_presence_row){.user = nasty, .text = nasty}), false);
    harmless(p);
    struct im_group_row *group = im_zalloc(sizeof *group);
    *group = (struct im_group_row){.name = nasty, .topic = nasty};
    person_ask(p, "/info #g");
    person_answer(p, (struct im_reply){.group = {.what = IM_GROUP_INFO, .groups = group}});
    harmless(p);
    struct im_profile *profile = im_zalloc(sizeof *profile);
    *profile =
        (struct im_profile){.user = nasty, .name = nasty, .avatar = nasty, .presence = {.user = nasty, .text = nasty}};
    person_ask(p, "/whois b");
    person_answer(p, (struct im_reply){.profile = {profile}});
    harmless(p);
    struct im_device_row *device = im_zalloc(sizeof *device);
    *device = (struct im_device_row){.name = nasty};
    person_ask(p, "/devices");
    person_answer(p, (struct im_reply){.devices = {.rows = device, .count = 1, .list = true}});
    harmless(p);
}

static void marks_cannot_be_forged(void **state)
{
    struct person *p = *state;
    person_send(&p->link, direct_msg("b", "a", 1, "(edited 3): x » y"), false);
    assert_hears(p, "22:13 b: (edited 3): x » y\n");
    person_send(&p->link, direct_msg("b", "a", 1, "* c is away"), false);
    assert_hears(p, "22:13 b: * c is away\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        person_test(events_are_readable_in_both_languages),
        person_test(bytes_are_made_once_for_each_language),
        person_test(who_is_mentioned_sees_it),
        person_test(history_shows_messages_as_they_stand),
        person_test(search_says_where),
        person_test(conversations_show_what_is_new),
        person_test(a_preview_is_short),
        person_test(who_comes_into_a_group_talks_there),
        person_test(groups_are_described),
        person_test(presence_is_told),
        person_test(people_and_devices_are_described),
        person_test(what_is_done_is_said),
        person_test(changes_of_messages_are_confirmed),
        person_test(receipts_are_shown_on_request),
        person_test(refusals_and_ends_are_said),
        person_test(a_peer_cannot_steer_the_terminal_or_forge_a_line),
        person_test(marks_cannot_be_forged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
