"""Accounts, tokens, invitations, groups and reports through imctl: a test for each command."""

import os
import re
import subprocess
import termios

import pytest

from imdtest.clients import Im
from imdtest.daemon import ImctlFailed, find_program
from imdtest.kinds import LINKS

PASSWORD = {"auth": {"mode": "password", "register": "invite", "argon2_memory": "64KiB", "argon2_ops": 1}}


@pytest.fixture
def server(imd):
    daemon = imd(PASSWORD)
    daemon.imctl("user", "add", "ann", stdin="correct horse\n")
    daemon.imctl("user", "add", "bob", stdin="battery staple\n")
    return daemon


@pytest.fixture
def enter(server, connect):
    def make(user, password, device=None, kind="line"):
        im = connect(server, kind)
        im.login(user, device, password=password)
        return im
    return make


def refused(server, *words, stdin=None):
    with pytest.raises(ImctlFailed) as failure:
        server.imctl(*words, stdin=stdin)
    return failure.value


def user_add(server, enter):
    enter("ann", "correct horse")
    assert "has an account" in refused(server, "user", "add", "ANN", stdin="another one\n").err
    assert "8 characters" in refused(server, "user", "add", "cat", stdin="short\n").err
    assert "command line" in refused(server, "user", "add", "cat", "password=secret stuff").err
    assert refused(server, "user", "add", "a b", stdin="long enough\n").rc == 65


def user_add_bot(server, enter):
    server.imctl("user", "add", "bot", "weather")
    token = server.imctl("token", "create", "weather")["token"]
    bot, ann = Im(LINKS["unix"](server)), enter("ann", "correct horse")
    assert bot.ask("login", token=token)["user"] == "weather"
    bot.ask("send", to="ann", text="rain")
    assert ann.msg()["bot"] is True
    bot.close()


def user_passwd(server, enter, connect):
    old = enter("ann", "correct horse", "phone")
    server.imctl("user", "passwd", "ann", stdin="brand new one\n")
    assert old.event("bye")["name"] == "revoked"
    assert connect(server, "line").refused("login", user="ann", password="correct horse") == "bad_login"
    enter("ann", "brand new one")
    assert refused(server, "user", "passwd", "nobody", stdin="long enough\n").rc == 67


def user_list(server):
    rows = {u["user"]: u["account"] for u in server.imctl("user", "list")["users"]}
    assert rows == {"ann": "active", "bob": "active"}
    page = server.imctl("user", "list", "limit=1")
    assert [u["user"] for u in page["users"]] == ["ann"]
    page = server.imctl("user", "list", "after=" + page["next"])
    assert [u["user"] for u in page["users"]] == ["bob"] and "next" not in page


def user_show(server, enter):
    ann = enter("ann", "correct horse", "phone")
    ann.ask("group", do="create", conv="#tea")
    ann.ask("profile", name="Ann O'Nym")
    shown = server.imctl("user", "show", "Ann")
    assert shown["online"] and shown["groups"] == ["#tea (owner)"] and shown["devices"] == ["phone"]
    assert shown["name"] == "Ann O'Nym" and shown["account"] == "active"
    assert refused(server, "user", "show", "nope").rc == 65


def user_disable(server, enter, connect):
    ann = enter("ann", "correct horse", "phone")
    server.imctl("token", "create", "ann")
    tokens = len(server.imctl("token", "list", "ann")["tokens"])
    assert server.imctl("user", "disable", "ann") == {"user": "ann", "closed": 1, "tokens": tokens}
    assert ann.event("bye")["name"] == "revoked"
    assert connect(server, "line").refused("login", user="ann", password="correct horse") == "bad_login"


def user_enable(server, enter):
    server.imctl("user", "disable", "ann")
    server.imctl("user", "enable", "ann")
    enter("ann", "correct horse")


def user_delete(server, enter, connect):
    ann, bob = enter("ann", "correct horse"), enter("bob", "battery staple")
    ann.ask("group", do="create", conv="#tea", public=True)
    bob.ask("group", do="join", conv="#tea")
    ann.event("member")
    server.imctl("hook", "add", "anns", "ann", "http://127.0.0.1:9/")
    plan = server.imctl("user", "delete", "ann", "-n")
    assert (plan["user"], plan["account"], plan["online"], plan["groups"]) == ("ann", "active", True, ["#tea (owner)"])
    assert "say -y" in refused(server, "user", "delete", "ann").err
    assert server.imctl("user", "delete", "ann", "-y")["closed"] == 2  # hers, and that of the webhook
    assert ann.event("bye")["name"] == "revoked"
    assert (event := bob.event("member"))["do"] == "role" and event["role"] == "owner"
    assert bob.event("member")["do"] == "leave"
    assert server.imctl("hook", "list")["hooks"] == []
    assert connect(server, "line").refused("login", user="ann", password="correct horse") == "bad_login"
    assert "not given twice" in refused(server, "user", "add", "ann", stdin="correct horse\n").err
    assert bob.refused("send", to="ann", text="are you there?") == "no_such_user"


def token_create(server, connect):
    made = server.imctl("token", "create", "ann", "label=script", "expires=1h")
    assert re.fullmatch(r"[\w-]{43}", made["token"]) and made["expires"]
    assert connect(server, "line").ask("login", token=made["token"])["user"] == "ann"
    assert refused(server, "token", "create", "nobody").rc == 67


def token_list(server, enter):
    enter("ann", "correct horse", "phone")
    server.imctl("token", "create", "bob", "label=script")
    rows = {(t["user"], t["use"], t["device"], t["label"]) for t in server.imctl("token", "list")["tokens"]}
    assert rows == {("ann", "session", "phone", ""), ("bob", "api", None, "script")}
    assert [t["user"] for t in server.imctl("token", "list", "bob")["tokens"]] == ["bob"]


def token_revoke(server, connect):
    token = server.imctl("token", "create", "ann")["token"]
    im = connect(server, "line")
    im.ask("login", token=token)
    number = server.imctl("token", "list", "ann")["tokens"][0]["id"]
    assert server.imctl("token", "revoke", number)["sessions"] == 1
    assert im.event("bye")["name"] == "revoked"
    assert connect(server, "line").refused("login", token=token) == "bad_token"
    assert refused(server, "token", "revoke", number).rc == 65


def invite_create(server, connect):
    code = server.imctl("invite", "create", "uses=1")["code"]
    assert connect(server, "line").ask("register", user="cat", password="long enough", invite=code)["user"] == "cat"
    assert connect(server, "line").refused("register", user="dan", password="long enough", invite=code) == "bad_invite"


def invite_list(server):
    server.imctl("invite", "create", "uses=3", "expires=1d")
    assert [i["uses"] for i in server.imctl("invite", "list")["invites"]] == [3]


def invite_revoke(server, connect):
    code = server.imctl("invite", "create")["code"]
    server.imctl("invite", "revoke", server.imctl("invite", "list")["invites"][0]["id"])
    assert connect(server, "line").refused("register", user="dan", password="long enough", invite=code) == "bad_invite"


def group_list(server, enter):
    ann = enter("ann", "correct horse")
    ann.ask("group", do="create", conv="#tea", text="milk first")
    ann.ask("group", do="create", conv="#红茶", public=True)
    rows = {g["group"]: (g["public"], g["topic"]) for g in server.imctl("group", "list")["groups"]}
    assert rows == {"#tea": (False, "milk first"), "#红茶": (True, "")} or rows == {"#tea": (False, "milk first"),
                                                                                    "#红茶": (True, None)}


def group_show(server, enter):
    enter("ann", "correct horse").ask("group", do="create", conv="#tea")
    assert server.imctl("group", "show", "#TEA")["members"] == 1
    assert refused(server, "group", "show", "#none").rc == 65
    assert "begins with" in refused(server, "group", "show", "tea").err


def group_members(server, enter):
    enter("ann", "correct horse").ask("group", do="create", conv="#tea")
    assert server.imctl("group", "members", "#tea")["members"] == [{"user": "ann", "role": "owner", "online": True}]


def group_delete(server, enter):
    ann = enter("ann", "correct horse")
    ann.ask("group", do="create", conv="#tea")
    assert server.imctl("group", "delete", "#tea", "-n")["group"] == "#tea"
    server.imctl("group", "delete", "#tea", "-y")
    assert ann.event("member")["do"] == "delete"
    assert server.imctl("group", "list")["groups"] == []


def report_list(server, enter):
    ticket = enter("ann", "correct horse").ask("report", user="bob", text="rude\u202e")["ticket"]
    row = server.imctl("report", "list")["reports"][0]
    assert (row["ticket"], row["by"], row["user"], row["text"]) == (ticket, "ann", "bob", "rude\u202e")
    assert "\u202e" not in server.imctl("report", "list", json=False)


def report_show(server, enter):
    ann, bob = enter("ann", "correct horse"), enter("bob", "battery staple")
    seq = bob.ask("send", to="ann", text="you fool")["seq"]
    ticket = ann.ask("report", conv="bob", seq=seq, text="rude")["ticket"]
    bob.ask("delete", conv="ann", seq=seq)
    shown = server.imctl("report", "show", ticket)
    assert (shown["text"], shown["from"], shown["message"], shown["seq"]) == ("rude", "bob", "you fool", seq)
    assert refused(server, "report", "show", "none").rc == 65


def report_close(server, enter):
    ticket = enter("ann", "correct horse").ask("report", user="bob", text="rude")["ticket"]
    server.imctl("report", "close", ticket)
    assert server.imctl("report", "list")["reports"] == []
    assert refused(server, "report", "close", ticket).rc == 65


COMMANDS = [user_add, user_add_bot, user_passwd, user_list, user_show, user_disable, user_enable, user_delete, token_create,
            token_list, token_revoke, invite_create, invite_list, invite_revoke, group_list, group_show, group_members,
            group_delete, report_list, report_show, report_close]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda f: f.__name__)
def test_command(request, server, command):
    wanted = command.__code__.co_varnames[1:command.__code__.co_argcount]
    command(server, *[request.getfixturevalue(name) for name in wanted])


def test_every_command_has_its_test(server):
    names = {c["name"].replace(".", "_") for c in server.imctl("commands")["commands"]}
    here = {n for n in names if n.split("_")[0] in ("user", "token", "invite", "group", "report")}
    assert here == {f.__name__ for f in COMMANDS}


def at_terminal(server, *args):
    """imctl with a terminal of its own: the process, the other end, and this end."""
    here, there = os.openpty()
    imctl = subprocess.Popen(["setsid", "-c", "-w", find_program("imctl", "IMCTL"), "-s", server.admin_path, *args], stdin=there,
                             stdout=there, stderr=there)
    return imctl, here, there


def echoes(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def test_ctrl_c_at_a_password_leaves_a_terminal_that_shows_what_is_typed(server):
    imctl, here, there = at_terminal(server, "user", "add", "eve")
    shown = b""
    while not shown.endswith(b"New password: "):
        shown += os.read(here, 1000)
    assert not echoes(there)
    os.write(here, b"\x03")
    assert imctl.wait(20) != 0
    assert echoes(there)
    os.close(here)
    os.close(there)
    assert "eve" not in [u["user"] for u in server.imctl("user", "list")["users"]]


def test_a_password_typed_at_a_terminal_is_not_shown(server):
    imctl, here, there = at_terminal(server, "user", "add", "dan")
    os.close(there)
    shown = b""
    for prompt in (b"New password: ", b"Again, new password: "):
        while not shown.endswith(prompt):
            shown += os.read(here, 1000)
        os.write(here, b"long enough\n")
    assert imctl.wait(20) == 0, shown
    os.close(here)
    assert b"long enough" not in shown
    assert "dan" in [u["user"] for u in server.imctl("user", "list")["users"]]
