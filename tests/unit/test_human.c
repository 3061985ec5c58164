#include "tests/unit/person.h"

/* What people type in human mode, and what it asks for. */

struct row {
    const char *line, *asks;
};

static void check_rows(struct person *p, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *asks = person_ask(p, rows[i].line);
        if (strcmp(asks, rows[i].asks) != 0)
            fail_msg("%s: asks: %s", rows[i].line, asks);
    }
}
#define check(person, rows) check_rows(person, rows, sizeof(rows) / sizeof *(rows))

static const struct row anywhere[] = {
    {"/login 小明", "login user=小明"},
    {"/nick 小明", "login user=小明"},
    {"/login", "login"},
    {"/login a  pass word ", "login user=a password=pass word"},
    {"/register a secret123", "register user=a password=secret123"},
    {"/register a secret123 code", "register user=a password=secret123 invite=code"},
    {"/token abc", "login token=abc"},
    {"/password new12345", "password new=new12345"},
    {"/passwd old12345 new12345", "password password=old12345 new=new12345"},
    {"/msg b  two  words ", "send to=b text=two  words"},
    {"/privmsg #g hi", "send to=#g text=hi"},
    {"/search 开会", "search text=开会"},
    {"/search #g 开会 明天", "search text=开会 明天 conv=#g"},
    {"/search #g", "search text=#g"},
    {"/conversations", "conversations"},
    {"/groups", "group do=list"},
    {"/list", "group do=list"},
    {"/leave #g", "group conv=#g do=leave"},
    {"/part #g", "group conv=#g do=leave"},
    {"/invite b #g", "group user=b conv=#g do=invite"},
    {"/invite #g b", "group user=b conv=#g do=invite"},
    {"/kick #g b", "group user=b conv=#g do=kick"},
    {"/ban b #g", "group user=b conv=#g do=ban"},
    {"/unban b #g", "group user=b conv=#g do=unban"},
    {"/role b owner #g", "group user=b conv=#g do=role role=owner"},
    {"/role #g b muted", "group user=b conv=#g do=role role=muted"},
    {"/op b #g", "group user=b conv=#g do=role role=admin"},
    {"/deop #g b", "group user=b conv=#g do=role role=member"},
    {"/mute b #g", "group user=b conv=#g do=role role=muted"},
    {"/unmute b #g", "group user=b conv=#g do=role role=member"},
    {"/voice b #g", "group user=b conv=#g do=role role=member"},
    {"/topic #g  cats & dogs", "group text=cats & dogs conv=#g do=topic"},
    {"/topic #g", "group conv=#g do=info"},
    {"/set #g public", "group conv=#g do=set public=true"},
    {"/set #g private history all", "group conv=#g do=set public=false history=all"},
    {"/mode #g history joined", "group conv=#g do=set history=joined"},
    {"/members #g", "group conv=#g do=members"},
    {"/names #g", "group conv=#g do=members"},
    {"/info #g", "group conv=#g do=info"},
    {"/destroy #g", "group conv=#g do=delete"},
    {"/who b 小明 #g", "presence users=b,小明,#g"},
    {"/unwatch", "presence users="},
    {"/whois", "profile"},
    {"/whois b", "profile user=b"},
    {"/name Annie the  First", "profile name=Annie the  First"},
    {"/name -", "profile name="},
    {"/avatar https://a.example/a.png", "profile avatar=https://a.example/a.png"},
    {"/avatar -", "profile avatar="},
    {"/seen on", "profile seen=true"},
    {"/seen off", "profile seen=false"},
    {"/away", "presence text= state=away"},
    {"/away out for lunch", "presence text=out for lunch state=away"},
    {"/back", "presence text= state=online"},
    {"/dnd exam", "presence text=exam state=dnd"},
    {"/block b", "block user=b on=true"},
    {"/ignore b", "block user=b on=true"},
    {"/unblock b", "block user=b on=false"},
    {"/blocked", "block"},
    {"/report b insults people", "report user=b text=insults people"},
    {"/report b 12 insults people", "report user=b text=insults people conv=b seq=12"},
    {"/report #g 12 rubbish", "report text=rubbish conv=#g seq=12"},
    {"/report #g rubbish", "report text=rubbish conv=#g"},
    {"/devices", "devices"},
    {"/forget old phone", "devices device=old phone forget=true"},
    {"/ping", "ping"},
    {"/quit", "bye"},
    {"/receipts on", "none"},
    {"/lang en", "none"},
    {"/help", "none"},
    {"/create #cats", "group conv=#cats do=create"},
    {"/create cats all about cats", "group text=all about cats conv=#cats do=create"},
    {"/join #cats", "group conv=#cats do=join"},
    {"/j dogs", "group conv=#dogs do=join"},
    {"/to b", "none"},
    {"/query #g", "none"},
    {"", "none"},
    {"  \t", "none"},
};

static const struct row with_b[] = {
    {"hi there ", "send to=b text=hi there "},
    {"//etc", "send to=b text=/etc"},
    {"/me waves", "send to=b text=/me waves"},
    {"/reply 12 yes", "send to=b text=yes reply=12"},
    {"/edit 12 no", "edit text=no conv=b seq=12"},
    {"/delete 12", "delete conv=b seq=12"},
    {"/delete 12 me", "delete conv=b seq=12 for=me"},
    {"/react 12 👍", "react conv=b seq=12 emoji=👍 on=true"},
    {"/unreact 12 👍", "react conv=b seq=12 emoji=👍 on=false"},
    {"/read", "read conv=b seq=9223372036854775807"},
    {"/read 12", "read conv=b seq=12"},
    {"/history", "history conv=b limit=20"},
    {"/h 5", "history conv=b limit=5"},
    {"/history 100000", "history conv=b limit=1000"},
    {"/who", "presence users=b"},
};

static const struct row with_group[] = {
    {"/leave", "group conv=#g do=leave"},
    {"/invite b", "group user=b conv=#g do=invite"},
    {"/op b", "group user=b conv=#g do=role role=admin"},
    {"/role b member", "group user=b conv=#g do=role role=member"},
    {"/topic cats", "group text=cats conv=#g do=topic"},
    {"/topic", "group conv=#g do=info"},
    {"/set public", "group conv=#g do=set public=true"},
    {"/members", "group conv=#g do=members"},
    {"/info", "group conv=#g do=info"},
    {"/history", "history conv=#g limit=20"},
};

static void commands_ask_for_what_they_say(void **state)
{
    struct person *p = *state;
    check(p, anywhere);
    person_ask(p, "/to b");
    check(p, with_b);
    person_ask(p, "/to #g");
    check(p, with_group);
}

static bool in_rows(const struct row *rows, size_t n, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (rows[i].line[0] == '/' && strncmp(rows[i].line + 1, name, len) == 0 && strchr(" ", rows[i].line[len + 1]))
            return true;
    return false;
}
#define among(rows, name) in_rows(rows, sizeof(rows) / sizeof *(rows), name)

static void every_command_is_tried(void **state)
{
    (void)state;
    for (size_t i = 0; i < im_human_slash_count; i++) {
        const char *name = im_human_slashes[i].name;
        if (!among(anywhere, name) && !among(with_b, name) && strcmp(name, "more") != 0)
            fail_msg("no test of /%s", name);
    }
}

static void names_of_commands_are_one_s_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < im_human_slash_count; i++) {
        const struct im_human_slash *s = &im_human_slashes[i];
        assert_ptr_equal(im_human_slash_find(im_str(s->name)), s);
        for (const char *alias = s->aliases; *alias; alias += strspn(alias, " ")) {
            size_t len = strcspn(alias, " ");
            assert_ptr_equal(im_human_slash_find((struct im_str){alias, len}), s);
            alias += len;
        }
    }
}

static const struct row mistakes[] = {
    {"/fly", "! No such command; try /help. (/fly)"},
    {"/histroy 5", "! No such command; did you mean /history?"},
    {"/msg b", "! Usage: /msg NAME TEXT"},
    {"/lang fr", "! Usage: /lang en|zh"},
    {"/receipts maybe", "! Usage: /receipts on|off"},
    {"/to a/b", "! Not a valid id: 1 to 32 letters, digits, '.', '_' or '-'. (U+002F is not allowed in an id)"},
    {"/to #", "! Not a valid id: 1 to 32 letters, digits, '.', '_' or '-'. (an id cannot be empty)"},
    {"hello", "! Whom to? Say /to NAME first, or /msg NAME TEXT."},
    {"/me waves", "! Whom to? Say /to NAME first, or /msg NAME TEXT."},
    {"/edit x", "! Whom to? Say /to NAME first, or /msg NAME TEXT."},
    {"/history", "! Whom to? Say /to NAME first, or /msg NAME TEXT."},
    {"/who", "! Nobody to look up; say /who NAME."},
    {"/leave", "! Which group? Say /to #GROUP first, or name it."},
    {"/kick b", "! Which group? Say /to #GROUP first, or name it."},
    {"/kick #g", "! Usage: /kick NAME [#GROUP]"},
    {"/role b #g", "! Usage: /role NAME owner|admin|member|muted [#GROUP]"},
    {"/set #g", "! Usage: /set [#GROUP] public|private|history all|history joined"},
    {"/set #g history", "! Usage: /set [#GROUP] public|private|history all|history joined"},
    {"/set #g public whatever", "! Usage: /set [#GROUP] public|private|history all|history joined"},
    {"/destroy g", "! Usage: /destroy #GROUP"},
    {"/more", "! That was all."},
    {"/msg b*  hi", "! Nobody seen here begins with b."},
    {"\xff", "! Not valid UTF-8."},
};

static const struct row mistakes_with_b[] = {
    {"/edit no number", "! Which message? /history shows their numbers."},
    {"/delete", "! Which message? /history shows their numbers."},
    {"/delete 5 you", "! Usage: /delete [SEQ] [me]"},
    {"/react 👍", "! Which message? /history shows their numbers."},
    {"/read x", "! Usage: /read [SEQ]"},
    {"/history 0", "! Usage: /history [COUNT]"},
    {"/history x", "! Usage: /history [COUNT]"},
    {"/edit 99999999999999999999 x", "! Which message? /history shows their numbers."},
    {"/topic cats", "! Which group? Say /to #GROUP first, or name it."},
};

static void mistakes_are_explained(void **state)
{
    struct person *p = *state;
    check(p, mistakes);
    person_ask(p, "/to b");
    check(p, mistakes_with_b);
}

static void fields_keep_their_bounds(void **state)
{
    struct person *p = *state;
    char line[2000];
    person_ask(p, "/to b");
    snprintf(line, sizeof line, "/react 1 %065d", 0);
    assert_asks(p, line, "! Too long. (emoji: at most 64 bytes)");
    snprintf(line, sizeof line, "/login a %01025d", 0);
    assert_asks(p, line, "! Too long. (password: at most 1024 bytes)");
}

static void people_come_and_go(struct person *p)
{
    static const char *const names[] = {"anna", "Annegret", "bob", "小明", "小红"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        im_human_remember_name(&p->link, im_str(names[i]));
    im_human_remember_name(&p->link, IM_STR("#books"));
    im_human_remember_name(&p->link, IM_STR("#boats"));
}

static const struct row completions[] = {
    {"/msg b* hi*", "send to=bob text=hi*"},
    {"/msg b\thi", "send to=bob text=hi"},
    {"/msg b\t hi", "send to=bob text=hi"},
    {"/msg ANNEG* hi", "send to=Annegret text=hi"},
    {"/msg anna* hi", "send to=anna text=hi"}, /* itself, though it may begin another */
    {"/msg 小明* hi", "send to=小明 text=hi"},
    {"/msg #bo* hi", "! That could be #boats, #books."},
    {"/msg #boo* hi", "send to=#books text=hi"},
    {"/msg an* hi", "! That could be Annegret, anna."},
    {"/msg an\thi", "! That could be Annegret, anna."},
    {"/msg zoe\thi", "send to=zoe text=hi"}, /* just a TAB between two words */
    {"/msg zoe* hi", "! Nobody seen here begins with zoe."},
    {"/msg a/* hi", "! Nobody seen here begins with a/."},
    {"/invite b* #boo*", "group user=bob conv=#books do=invite"},
    {"/kick #boa* b*", "group user=bob conv=#boats do=kick"},
    {"/topic #boa* new topic*", "group text=new topic* conv=#boats do=topic"},
    {"/who b* 小红*", "presence users=bob,小红"},
    {"/whois bo*", "profile user=bob"},
    {"/block bo\t", "block user=bob on=true"},
    {"/search #boo* word*", "search text=word* conv=#books"},
    {"/join #boo*", "group conv=#books do=join"},
    {"/to b*", "none"},
    {"hi", "send to=bob text=hi"},
};

static void names_are_completed_where_only_one_fits(void **state)
{
    struct person *p = *state;
    people_come_and_go(p);
    check(p, completions);
}

static void a_long_choice_is_cut_short(void **state)
{
    struct person *p = *state;
    char name[32];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "somebody-%020d", i);
        im_human_remember_name(&p->link, im_str(name));
    }
    const char *asks = person_ask(p, "/to some*");
    assert_non_null(strstr(asks, ", …."));
    assert_true(strlen(asks) < 200);
}

static void memory_is_bounded_and_forgets_the_oldest(void **state)
{
    struct person *p = *state;
    char name[32];
    im_human_remember_name(&p->link, IM_STR("first"));
    for (int i = 0; i < 2 * IM_HUMAN_SEEN_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        im_human_remember_name(&p->link, im_str(name));
        if (i == IM_HUMAN_SEEN_MAX / 2)
            im_human_remember_name(&p->link, IM_STR("first"));
    }
    assert_int_equal(p->link.human->seen_count, IM_HUMAN_SEEN_MAX);
    assert_null(im_human_find(&p->link, IM_STR("first")));
    assert_null(im_human_find(&p->link, IM_STR("n5")));
    assert_non_null(im_human_find(&p->link, im_str(name)));
    im_human_remember_name(&p->link, IM_STR("not/a name"));
    assert_non_null(im_human_find(&p->link, IM_STR("n33")));
}

static void who_only_waits_remembers_nothing(void **state)
{
    struct person *p = *state;
    person_ask(p, "/login a");
    assert_null(p->link.human);
    person_ask(p, "/msg b hi");
    person_ask(p, "/help");
    assert_null(p->link.human);
    person_ask(p, "{\"op\":\"ping\"}");
    assert_null(p->link.human);
}

static void a_brace_ends_human_mode_and_its_memory(void **state)
{
    struct person *p = *state;
    im_human_remember_name(&p->link, IM_STR("b"));
    assert_asks(p, "{\"op\":\"ping\"}", "ping");
    assert_null(p->link.human);
    assert_ptr_equal(p->link.dialect, &im_dialect_json);
}

static void short_forms_mean_the_newest_message_there(void **state)
{
    struct person *p = *state;
    person_ask(p, "/to b");
    person_send(&p->link, direct_msg("b", "a", 3, "x"), false);
    person_send(&p->link, direct_msg("c", "a", 9, "x"), false);
    assert_asks(p, "/reply sure, why not", "send to=b text=sure, why not reply=3");
    assert_asks(p, "/react 👍", "react conv=b seq=3 emoji=👍 on=true");
    assert_asks(p, "/edit x", "! Which message? /history shows their numbers.");
    person_ask(p, "mine");
    person_answer(p, (struct im_reply){.send = {.msg = direct_msg("a", "b", 4, "mine"), .online = true}});
    person_send(&p->link, direct_msg("b", "a", 5, "x"), false);
    assert_asks(p, "/edit mine!", "edit text=mine! conv=b seq=4");
    assert_asks(p, "/delete", "delete conv=b seq=4");
    assert_asks(p, "/delete me", "delete conv=b seq=4 for=me");
    assert_asks(p, "/reply x", "send to=b text=x reply=5");
    assert_asks(p, "/reply 3", "send to=b text=3 reply=5"); /* one word is the text */
}

static void more_goes_on_where_the_answer_ended(void **state)
{
    struct person *p = *state;
    person_ask(p, "/to b");
    person_ask(p, "/history 2");
    struct im_event **events = im_alloc(2 * sizeof(struct im_event *));
    events[0] = direct_msg("b", "a", 7, "x");
    events[1] = direct_msg("a", "b", 8, "y");
    person_heard(p);
    person_answer(p, (struct im_reply){.self = IM_STR("a"), .history = {IM_STR("b"), events, 2, true}});
    assert_hears(p, "2023-11-14 22:13 [7] b: x\n2023-11-14 22:13 [8] a: y\n* /more shows what follows\n");
    person_ask(p, "/to c");
    assert_asks(p, "/more", "history conv=b before=7 limit=2");
    person_answer(p, (struct im_reply){.self = IM_STR("a"), .history = {.conv = IM_STR("b")}});
    assert_asks(p, "/more", "! That was all.");

    person_ask(p, "/search #g 开会");
    assert_asks(p, "/more", "! That was all."); /* not answered yet */
    p->cmd.op = IM_OP_SEARCH;
    person_answer(p, (struct im_reply){.search = {.next = 77}});
    assert_asks(p, "/more", "search text=开会 pos=77 conv=#g");

    person_ask(p, "/members #g");
    struct im_member_row *members = im_zalloc(sizeof *members);
    members->name = IM_STR("bob");
    person_answer(p,
                  (struct im_reply){.group = {.what = IM_GROUP_MEMBERS, .members = members, .count = 1, .more = true}});
    assert_asks(p, "/more", "group conv=#g next=bob do=members");

    person_ask(p, "/groups");
    struct im_group_row *groups = im_zalloc(sizeof *groups);
    groups->name = IM_STR("#cats");
    person_answer(p, (struct im_reply){.group = {.what = IM_GROUP_LIST, .groups = groups, .count = 1, .more = true}});
    assert_asks(p, "/more", "group next=#cats do=list");
}

static void help_tells_of_every_command_in_both_languages(void **state)
{
    struct person *p = *state;
    for (size_t lang = 0; lang < IM_LANG_COUNT; lang++) {
        person_ask(p, lang == IM_ZH ? "/lang zh" : "/lang en");
        person_heard(p);
        person_ask(p, "/help");
        person_heard(p);
        for (size_t i = 0; i < im_human_slash_count; i++)
            assert_non_null(strstr(p->heard, im_human_slashes[i].help[lang]));
        for (size_t i = 0; i < im_human_slash_count; i++) {
            char line[64];
            snprintf(line, sizeof line, "/help /%s", im_human_slashes[i].name);
            person_ask(p, line);
            assert_hears_part(p, im_human_slashes[i].help[lang]);
        }
    }
    person_ask(p, "/help part");
    assert_hears_part(p, "(= /part)");
    assert_asks(p, "/help fly", "! 没有这个命令，请输入 /help。 (/help)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        person_test(commands_ask_for_what_they_say),
        person_test(every_command_is_tried),
        person_test(names_of_commands_are_one_s_own),
        person_test(mistakes_are_explained),
        person_test(fields_keep_their_bounds),
        person_test(names_are_completed_where_only_one_fits),
        person_test(a_long_choice_is_cut_short),
        person_test(memory_is_bounded_and_forgets_the_oldest),
        person_test(who_only_waits_remembers_nothing),
        person_test(a_brace_ends_human_mode_and_its_memory),
        person_test(short_forms_mean_the_newest_message_there),
        person_test(more_goes_on_where_the_answer_ended),
        person_test(help_tells_of_every_command_in_both_languages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
