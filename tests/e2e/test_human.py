"""A person at netcat."""

import os
import pwd
import re
import subprocess

import pytest

UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]")


@pytest.fixture(params=["line", "unix"])
def person(request, human):
    return lambda daemon, user=None: human(daemon, user, unix=request.param == "unix")


def test_to_sets_whom_plain_lines_go_to(shared, person, connect, name):
    a, b, c = person(shared, name("a")), connect(shared, "line", name("b")), connect(shared, "line", name("c"))
    a.type(f"/to {b.user}")
    a.type("hello")
    assert b.msg()["text"] == "hello"
    a.type(f"/to {c.user}")
    a.type("hello c")
    assert c.msg()["text"] == "hello c"
    assert b.pending() == []


def test_msg_goes_to_a_name_and_keeps_the_target(shared, person, connect, name):
    a, b, c = person(shared, name("a")), connect(shared, "line", name("b")), connect(shared, "line", name("c"))
    a.type(f"/to {b.user}")
    a.type(f"/msg {c.user} two words")
    assert c.msg()["text"] == "two words"
    a.type("still b")
    assert b.msg()["text"] == "still b"


def test_incoming_messages_have_a_clock_and_a_name(shared, person, connect, name):
    a, b = person(shared, name("小明")), connect(shared, "line", name("翠花"))
    b.say(name("小明"), "你好")
    assert re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d " + re.escape(b.user) + ": 你好", a.next_line())


def test_own_messages_do_not_come_again(shared, person, connect, name):
    me, b = name("a"), connect(shared, "line", name("b"))
    for text in ("first", "second"):
        a = person(shared, me)
        for n in range(3):
            a.type(f"/msg {b.user} {text} {n}")
            assert b.msg()["text"] == f"{text} {n}"
        a.type("/quit")
        assert not [line for line in a.wait_closed()[0] if "→" in line]
    a = person(shared, me)
    b.say(me, "third")
    assert a.next_line().endswith(f" {b.user}: third")


def test_an_away_peer_is_told(shared, person, name):
    a = person(shared, name("小明"))
    a.type(f"/msg {name('翠花')} 在吗")
    a.expect(rf"^\* {name('翠花')} is away; your message waits")


def test_who(shared, person, connect, name):
    a = person(shared, name("a"))
    connect(shared, "line", name("b"))
    a.type(f"/who {name('b')} {name('c')}")
    a.expect(rf"{name('b')}.*online")
    a.expect(rf"{name('c')}.*(offline|away)")


def test_history(shared, person, connect, name):
    a, b = person(shared, name("a")), connect(shared, "line", name("b"))
    a.type(f"/to {b.user}")
    for n in range(1, 6):
        a.type(f"line {n}")
    assert b.texts(5)[-1] == "line 5"
    a.type("/history 3")
    for n in (3, 4, 5):
        a.expect(rf"^(\d\d:\d\d|\d{{4}}-).* {name('a')}: line {n}$")


def test_conversations(shared, person, connect, name):
    a, b = person(shared, name("a")), connect(shared, "line", name("b"))
    b.say(name("a"), "the last one")
    a.expect("the last one")
    a.type("/conversations")
    a.expect(re.escape(b.user))


def test_history_has_numbers_that_commands_take(shared, person, connect, name):
    a, b = person(shared, name("a")), connect(shared, "line", name("b"))
    a.type(f"/to {b.user}")
    a.type("one")
    a.type("two")
    assert b.texts(2) == ["one", "two"]
    a.type("/history")
    number = a.expect(r"^[-0-9]+ [0-9:]+ \[(\d+)\] \S+: one$").group(1)
    a.type(f"/reply {number} yes")
    assert b.msg()["reply"] == int(number)
    a.type(f"/edit {number} one and only")
    a.expect(f"^\\* Message {number} is edited")
    edit = b.event("edit")
    assert (edit["ref"], edit["text"]) == (int(number), "one and only")
    a.type("/history")
    a.expect(rf"\[{number}\] \S+ \(edited\): one and only$")


def test_lines_that_come_together_mean_what_they_would_one_by_one(shared, person, connect, name):
    a, b = person(shared, name("a")), connect(shared, "line", name("b"))
    a.type(f"/to {b.user}")
    a.type("one")
    first = b.msg()["seq"]
    a.type("two\n/delete\nthree\n/edit third\nfour")
    second = b.msg()["seq"]
    assert b.event("delete")["ref"] == second != first
    third = b.msg()["seq"]
    edit = b.event("edit")
    assert (edit["ref"], edit["text"]) == (third, "third")
    assert b.msg()["text"] == "four"
    group = "#" + name("g")
    a.type(f"/create {group}\nonly for {group}\n/join #{name('none')}\nstill there")
    a.expect("No such group")
    assert b.pending() == []


def test_who_talks_to_nobody_yet_answers_whoever_wrote_last(shared, person, connect, name):
    a, b = person(shared, name("a")), connect(shared, "line", name("b"))
    first = b.say(name("a"), "are you there?")["seq"]
    a.expect("are you there")
    a.type("/r yes")
    event = b.msg()
    assert (event["text"], event["reply"]) == ("yes", first)
    a.type("and I stay")
    assert b.texts(1) == ["and I stay"]


def test_the_newest_message_is_meant_where_no_number_is_given(shared, person, connect, name):
    a, b = person(shared, name("a")), connect(shared, "line", name("b"))
    a.type(f"/to {b.user}")
    first = b.say(name("a"), "first")["seq"]
    a.expect("first$")
    a.type("/react 👍")
    react = b.event("react")
    assert (react["ref"], react["emoji"], react["on"]) == (first, "👍", True)
    a.type("/unreact 👍")
    assert not b.event("react")["on"]
    a.type("helo")
    seq = b.msg()["seq"]
    a.type("/edit hello")
    assert b.event("edit")["ref"] == seq
    a.type("/delete")
    assert b.event("delete")["ref"] == seq


def test_what_others_change_is_shown(shared, person, connect, name):
    a, b = person(shared, name("a")), connect(shared, "line", name("b"))
    seq = b.say(name("a"), "helo")["seq"]
    b.ask("edit", conv=name("a"), seq=seq, text="hello")
    a.expect(rf"^\d\d:\d\d {b.user} \(edited {seq}\): hello$")
    b.ask("react", conv=name("a"), seq=seq, emoji="🐱")
    a.expect(rf"^\d\d:\d\d \* {b.user} reacts to message {seq}: 🐱$")
    b.ask("delete", conv=name("a"), seq=seq)
    a.expect(rf"^\d\d:\d\d \* {b.user} deleted message {seq}$")


def test_a_group_from_its_making_to_its_end(shared, person, connect, name):
    a, b, group = person(shared, name("a")), connect(shared, "line", name("b")), "#" + name("g")
    a.type(f"/create {group} cats and dogs")
    a.expect(rf"^\* Talking to {group} now")
    a.type(f"/invite {b.user}")
    assert b.event("member")["do"] == "invite"
    b.ask("group", do="join", conv=group)
    a.expect(rf"^\d\d:\d\d {group} \* {b.user} joined$")
    a.type("welcome")
    assert b.msg()["text"] == "welcome"
    b.say(group, "thanks")
    a.expect(rf"^\d\d:\d\d {group} {b.user}: thanks$")
    b.say(group, f"@{name('a')} are you there?")
    a.expect(rf"^» \d\d:\d\d {group} {b.user}: ")
    a.type(f"/mute {b.user}")
    assert b.event("member")["role"] == "muted"
    assert b.refused("send", to=group, text="mmh") == "muted"
    a.type(f"/unmute {b.user}")
    assert b.event("member")["role"] == "member"
    a.type("/topic only cats")
    assert b.event("member")["topic"] == "only cats"
    a.type("/info")
    a.expect(rf"^\* {group}: only cats$")
    a.type("/members")
    a.expect(rf"^  {b.user} \(here\)$")
    a.type("/set public history all")
    assert b.event("member")["public"] is True
    a.type("/groups")
    a.expect(rf"^  {group} \(2\)  only cats$")
    a.type(f"/kick {b.user}")
    assert b.event("member")["do"] == "kick"
    a.type(f"/ban {b.user}")
    a.type(f"/destroy {group}")
    a.expect("deleted the group$")
    assert b.refused("group", do="join", conv=group) == "no_such_group"


def test_names_are_completed_by_a_star_or_a_tab(shared, person, connect, name):
    a, b = person(shared, name("a")), connect(shared, "line", name("bartholomew"))
    a.type("/msg barth* hi")
    a.expect("^! Nobody seen here begins with barth")
    b.say(name("a"), "hello")
    a.expect("hello$")
    a.type("/msg barth* by star")
    a.type("/msg barth\tby tab")
    assert b.texts(2) == ["by star", "by tab"]
    b2 = connect(shared, "line", name("bartleby"))
    b2.say(name("a"), "hello too")
    a.expect("hello too$")
    a.type("/msg bart* hi")
    a.expect(rf"^! That could be {b2.user}, {b.user}")


def test_search_finds_and_goes_on(shared, person, connect, name):
    a, b = person(shared, name("a")), connect(shared, "line", name("b"))
    for n in range(30):
        b.say(name("a"), f"今天下午开会吗 {n}")
    a.expect("开会吗 29$")
    a.type("/search 开会")
    a.expect(rf"^[-0-9]+ [0-9:]+ {b.user} \[30\] {b.user}: 今天下午开会吗 29$")
    a.expect(r"^\* /more")
    a.type("/more")
    a.expect("开会吗 0$")
    a.type("/more")
    a.expect("^! That was all")


def test_people_come_go_and_say_who_they_are(shared, person, connect, name):
    a, b = person(shared, name("a")), person(shared, name("b"))
    a.type(f"/who {name('b')}")
    a.expect(f"{name('b')} is online$")
    b.type("/away at lunch")
    a.expect(rf"^\* {name('b')} is away: at lunch$")
    b.type("/name Bob the Builder")
    b.expect("profile is changed")
    a.type(f"/whois {name('b')}")
    a.expect(rf"^      {name('b')} \(Bob the Builder\)$")
    a.type(f"/report {name('b')} builds too loudly")
    a.expect(r"^\* Thank you\. Your report has the number \S+\.$")
    a.type("/devices")
    a.expect(r"^  \(without a name\) \(this one\)$")


def test_the_blocked_one_learns_nothing(shared, person, connect, name):
    a, b = person(shared, name("a")), connect(shared, "line", name("b"))
    a.type(f"/block {b.user}")
    a.expect(r"^\* Blocked")
    assert b.say(name("a"), "psst")["online"] is False
    a.type("/blocked")
    assert a.next_line() == f"  {b.user}"
    a.type(f"/unblock {b.user}")
    a.expect("No longer blocked")


def test_receipts_are_shown_to_those_who_ask(shared, person, connect, name):
    a, b = person(shared, name("a")), connect(shared, "line", name("b"))
    a.type("/receipts on")
    a.type(f"/msg {b.user} hi")
    b.ask("read", conv=name("a"), seq=b.msg()["seq"])
    a.expect(rf"^\* {b.user} has read up to message 1$")


def test_what_a_group_hears_in_chinese(shared, person, connect, name):
    a, b, group = person(shared, name("小明")), connect(shared, "line", name("翠花")), "#" + name("猫")
    a.type("/lang zh")
    a.type(f"/create {group}")
    a.expect(rf"^\* {group}: {name('小明')} 建立了群$")
    a.type("/set public")
    a.expect("修改了群设置$")
    b.ask("group", do="join", conv=group)
    a.expect(rf"^\d\d:\d\d {group} \* {b.user} 加入了群$")


def test_help_names_every_command(shared, person):
    a = person(shared)
    a.type("/help")
    missing = {"/login", "/to", "/msg", "/edit", "/react", "/who", "/history", "/search", "/conversations", "/create",
               "/block", "/lang", "/ping", "/quit"}
    while missing:
        line = a.next_line()
        missing -= {command for command in missing if command in line}


def test_lang_changes_the_language(shared, person, name):
    a = person(shared)
    a.type("/lang zh")
    a.type("/nonsense")
    a.expect("没有这个命令")
    a.type("/lang en")
    a.type("/nonsense")
    a.expect("No such command")


def test_ping_and_quit(shared, person, name):
    a = person(shared, name())
    a.type("/ping")
    a.expect("(?i)pong")
    a.type("/quit")
    a.wait_closed()


@pytest.mark.parametrize("line, pattern", [
    ("/fly", "No such command"),
    ("/login", r"^! .*/login NAME"),
    ("/login a/b", r"^! .*id"),
    ("/msg", r"^! .*/msg NAME TEXT"),
    ("/msg b", r"^! .*/msg NAME TEXT"),
    ("/lang fr", r"^! .*/lang"),
    ("/history x", r"^! "),
    ("plain words", r"^! .*/to"),
])
def test_mistakes_are_explained(shared, person, line, pattern):
    a = person(shared)
    a.type(line)
    a.expect(pattern)
    a.type("/ping")
    a.expect("(?i)pong")


def test_a_plain_line_without_a_target_is_explained(shared, person, name):
    a = person(shared, name())
    a.type("hello?")
    a.expect(r"^! .*/to")


def test_two_slashes_begin_a_message_with_a_slash(shared, person, connect, name):
    a, b = person(shared, name("a")), connect(shared, "line", name("b"))
    a.type(f"/to {b.user}")
    a.type("//etc/passwd")
    assert b.msg()["text"] == "/etc/passwd"


def test_help_on_one_command(shared, person):
    a = person(shared)
    a.type("/help msg")
    a.expect(r"/msg NAME TEXT")


def test_a_line_that_starts_with_a_brace_switches_to_json(shared, human, name):
    a = human(shared, name())
    a.type('{"op":"ping","id":"x"}')
    assert a.next_line().startswith('{"op":"ok","id":"x"')


def test_telnet_line_ends_are_accepted(shared, human, connect, name):
    a, b = human(shared), connect(shared, "line", name("b"))
    a.type(f"/login {name('a')}\r")
    a.type(f"/msg {b.user} hi\r")
    assert b.msg()["text"] == "hi"


def test_nothing_a_peer_sends_moves_the_cursor_of_a_terminal(shared, person, connect, name):
    a, b = person(shared, name("a")), connect(shared, "line", name("b"))
    nasty = "\x1b[2J\x1b]0;t\x07\r\x08\x7f\x9b31m\u202eabc\u2066\u200f|end"
    b.say(name("a"), nasty)
    line = a.expect(r"\|end$").string
    assert not UNSAFE.search(line), ascii(line)
    assert r"\x1b[2J" in line and r"\x7f" in line and r"\u{202e}" in line.lower()
    b.say(name("a"), "first\nsecond 12:00 mallory: forged")
    a.expect("first")
    a.type("/ping")
    while not re.search("(?i)pong", line := a.next_line()):
        assert not re.match(r"\d\d:\d\d mallory", line) and not line.startswith("second"), line


def test_escapes_in_the_answers_to_mistakes(shared, person):
    a = person(shared)
    a.type("/\x1b[31m")
    assert not UNSAFE.search(a.next_line())
    a.type("/login \x1b[31mred")
    assert not UNSAFE.search(a.next_line())


def test_invalid_bytes_are_refused(shared, human):
    a = human(shared)
    a.link.send_bytes(b"/login \xff\xfe\n")
    a.expect(r"^! .*UTF-8")
    a.type("/ping")
    a.expect("(?i)pong")


@pytest.mark.parametrize("where", ["tcp", "unix"])
def test_input_from_a_pipe_is_answered_after_its_end(shared, connect, name, where):
    me, you, there = name("a"), name("b"), name("c")
    peer = connect(shared, "line", there)
    place = ["-U", shared.unix_path] if where == "unix" else ["127.0.0.1", str(shared.line_port)]
    done = subprocess.run(["nc", "-N", *place], input=f"/login {me}\n/msg {you} hi\n/msg {there} hi c\n/ping\n",
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0
    assert f"* {you} is away; your message waits" in done.stdout and re.search("(?i)pong", done.stdout)
    assert peer.msg()["text"] == "hi c"
    assert connect(shared, "line", you).msg()["text"] == "hi"


def test_json_from_a_pipe_is_answered_after_its_end(shared, name):
    lines = ['{"op":"login","id":1,"user":"%s"}' % name("a")]
    lines += ['{"op":"send","id":%d,"to":"%s","text":"x"}' % (n, name("b")) for n in range(2, 150)]
    done = subprocess.run(["nc", "-N", "127.0.0.1", str(shared.line_port)], input="\n".join(lines) + "\n",
                          capture_output=True, text=True, timeout=20, check=False)
    assert len([line for line in done.stdout.splitlines() if line.startswith('{"op":"ok"')]) == 149


def test_a_last_line_without_its_end_counts(shared, connect, name):
    peer = connect(shared, "line", name("b"))
    subprocess.run(["nc", "-N", "127.0.0.1", str(shared.line_port)], input=f"/login {name('a')}\n/msg {name('b')} no newline",
                   capture_output=True, text=True, timeout=20, check=False)
    assert peer.msg()["text"] == "no newline"


def test_accounts_have_passwords(imd, human, name):
    daemon = imd({"auth": {"mode": "password", "register": "on", "argon2_memory": "64KiB", "argon2_ops": 1}})
    a = human(daemon)
    a.type("/login 小明")
    a.expect("^! This id needs its password")
    a.type("/register 小明 correct-horse")
    a.expect("^\\* You are 小明")
    a.type("/password correct-horse battery-staple")
    a.expect("^\\* Your password is changed")
    a.type("/msg nobody hi")
    a.expect("^! No such user")
    b = human(daemon)
    b.type("/login 小明 correct-horse")
    b.expect("^! Wrong id or password")
    b.type("/login 小明 battery-staple")
    b.expect("^\\* You are 小明")


def test_on_a_unix_socket_the_system_says_who_it_is(imd, human):
    user = pwd.getpwuid(os.getuid()).pw_name
    daemon = imd({"auth": {"unix_users": [f"{user}:小明"]}})
    a = human(daemon, unix=True)
    a.type("/login")
    a.expect("^\\* You are 小明")
    b = human(daemon)
    b.type("/login")
    b.expect("^! Who are you")
