"""A person at netcat."""

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


def test_help_names_every_command(shared, person):
    a = person(shared)
    a.type("/help")
    missing = {"/login", "/to", "/msg", "/who", "/history", "/conversations", "/lang", "/ping", "/quit"}
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
