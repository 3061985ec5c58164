"""Every operation of im.v1 over every transport, TLS off and on."""

import json

import pytest

from imdtest.clients import Refused
from imdtest.kinds import LINKS

pytestmark = pytest.mark.parametrize("kind", LINKS)


def test_hello_tells_who_the_server_is(shared, connect, kind):
    reply = connect(shared, kind).hello("d1", "zh")
    assert reply["v"] == 1 and reply["auth"] == ["open", "password", "token"] and reply["ping"] == 30000
    assert len(reply["epoch"]) == 32 and reply["limits"]["text"] == 16 * 1024
    assert reply["epoch"] == connect(shared, "unix").hello()["epoch"]


def test_login(shared, connect, name, kind):
    reply = connect(shared, kind).login(name("小明"))
    assert reply["user"] == name("小明") and int(reply["session"]) > 0 and int(reply["pos"]) >= 0


def test_login_once(shared, connect, name, kind):
    im = connect(shared, kind, name())
    assert im.refused("login", user=name()) == "logged_in"
    assert im.refused("login", user=name("other")) == "logged_in"
    im.ask("ping")


def test_only_after_login(shared, connect, name, kind):
    im = connect(shared, kind)
    for op, fields in [("send", {"to": name(), "text": "x"}), ("ack", {"pos": "1"}), ("history", {"conv": name()}),
                       ("conversations", {}), ("presence", {"users": [name()]})]:
        assert im.refused(op, **fields) == "login_first"
    im.login(name())


def test_send(shared, connect, name, kind):
    a, b = connect(shared, kind, name("a")), connect(shared, kind, name("翠花"))
    reply = a.say(b.user, "hi", cid="c1")
    assert reply["online"] is True and reply["conv"] == b.user and reply["seq"] == 1 and "dup" not in reply
    event = b.msg()
    assert event == {"op": "msg", "conv": a.user, "seq": 1, "pos": reply["pos"], "from": a.user, "to": b.user,
                     "ts": reply["ts"], "text": "hi", "cid": "c1"}


def test_send_without_id_is_done_and_not_answered(shared, connect, name, kind):
    a, b = connect(shared, kind, name("a")), connect(shared, kind, name("b"))
    a.tell("send", to=b.user, text="quiet")
    assert b.msg()["text"] == "quiet"
    a.settle()
    assert not a.replies and not a.events


def test_send_twice_with_one_cid_is_one_message(shared, connect, name, kind):
    a, b = connect(shared, kind, name("a")), connect(shared, kind, name("b"))
    first = a.say(b.user, "once", cid="c")
    again = a.say(b.user, "once", cid="c")
    assert again["dup"] is True and [again[k] for k in ("seq", "pos", "ts", "conv")] == [first[k] for k in ("seq", "pos", "ts", "conv")]
    a.say(b.user, "end")
    assert b.texts(2) == ["once", "end"]


def test_one_cid_with_other_content_is_a_conflict(shared, connect, name, kind):
    a, b = connect(shared, kind, name("a")), connect(shared, kind, name("b"))
    a.say(b.user, "this", cid="c")
    with pytest.raises(Refused) as refused:
        a.say(b.user, "that", cid="c")
    assert (refused.value.code, refused.value.name) == (409, "cid_conflict")
    assert a.refused("send", to=name("other"), text="this", cid="c") == "cid_conflict"
    assert b.texts(1) == ["this"] and b.pending() == []


def test_cids_belong_to_their_user(shared, connect, name, kind):
    a, b = connect(shared, kind, name("a")), connect(shared, kind, name("b"))
    assert "dup" not in a.say(b.user, "x", cid="same") and "dup" not in b.say(a.user, "y", cid="same")


def test_ack(shared, connect, name, kind):
    a, b = connect(shared, kind, name("a")), connect(shared, kind, name("b"), "phone")
    a.say(b.user, "1")
    b.ask("ack", pos=b.msg()["pos"])
    b.settle().close()
    b = connect(shared, kind, b.user, "phone")
    assert b.pending() == []


def test_history(shared, connect, name, kind):
    a, b = connect(shared, kind, name("a")), connect(shared, kind, name("b"))
    for n in range(1, 11):
        (a if n % 2 else b).say(b.user if n % 2 else a.user, str(n))
    newest = a.ask("history", conv=b.user, limit=4)
    assert [m["text"] for m in newest["messages"]] == ["7", "8", "9", "10"] and newest["more"] is True
    assert newest["conv"] == b.user and {m["conv"] for m in newest["messages"]} == {b.user}
    before = a.ask("history", conv=b.user, before=7, limit=100)
    assert [m["seq"] for m in before["messages"]] == [1, 2, 3, 4, 5, 6] and before["more"] is False
    after = b.ask("history", conv=a.user, after=3, limit=2)
    assert [m["text"] for m in after["messages"]] == ["4", "5"] and after["more"] is True
    assert a.ask("history", conv=b.user, after=10)["messages"] == []
    assert a.ask("history", conv=name("nobody"))["messages"] == []


def test_history_is_private(shared, connect, name, kind):
    a, b, c = (connect(shared, kind, name(n)) for n in "abc")
    a.say(b.user, "secret")
    assert c.ask("history", conv=b.user)["messages"] == [] and c.ask("history", conv=a.user)["messages"] == []
    assert c.pending() == [] and c.ask("conversations")["conversations"] == []


def test_conversations(shared, connect, name, kind):
    a, b, c = (connect(shared, kind, name(n)) for n in "abc")
    a.say(b.user, "to b")
    a.say(c.user, "to c")
    b.say(a.user, "back")
    rows = a.ask("conversations")["conversations"]
    assert [(r["conv"], r["last"]["text"], r["seq"]) for r in rows] == [(b.user, "back", 2), (c.user, "to c", 1)]
    assert all({"unread", "read"} <= r.keys() for r in rows)
    assert rows[0]["unread"] == 1
    assert [r["conv"] for r in c.ask("conversations")["conversations"]] == [a.user]


def test_presence(shared, connect, name, kind):
    a = connect(shared, kind, name("a"))
    reply = a.ask("presence", users=[name("b"), a.user])
    states = {row["user"]: row["state"] for row in reply["users"]}
    assert states == {name("b"): "offline", a.user: "online"}
    b = connect(shared, kind, name("b"))
    assert {k: v for k, v in a.event("presence").items() if k != "op"} == {"user": name("b"), "state": "online"}
    second = connect(shared, kind, name("b"))
    second.close()
    b.close()
    assert a.event("presence")["state"] == "offline"
    a.settle()
    assert [e for e in a.events if e["op"] == "presence"] == []


def test_ping(shared, connect, name, kind):
    im = connect(shared, kind)
    assert im.ask("ping")["op"] == "ok"
    im.login(name())
    im.ask("ping")


def test_bye(shared, connect, name, kind):
    im = connect(shared, kind, name())
    im.ask("bye")
    closed = im.wait_closed()
    assert closed.code == (1000 if kind.startswith("websocket") else None)


def test_what_was_asked_before_bye_is_answered(shared, connect, name, kind):
    im = connect(shared, kind, name("a"))
    posted = [im.post("send", to=name("b"), text=str(n)) for n in range(20)]
    im.post("bye")
    assert [im.reply(number)["seq"] for number in posted] == list(range(1, 21))
    im.wait_closed()


def test_ids_come_back_as_they_were(shared, connect, name, kind):
    im = connect(shared, kind)
    for id_ in (0, 7, -3, "seven", "", "ü\"\\", 2**53):
        im.link.send('{"op":"ping","id":%s}' % json.dumps(id_))
        assert im.reply(id_)["id"] == id_


def test_unknown_fields_are_ignored(shared, connect, name, kind):
    im = connect(shared, kind)
    im.ask("login", user=name(), color="red", nested={"a": [1, {"b": None}]})
    im.ask("send", to=name("b"), text="x", flavour=1.5e3)


def test_replies_come_in_the_order_of_the_requests(shared, connect, name, kind):
    im = connect(shared, kind, name())
    posted = [im.post("send", to=name("b"), text="x") for n in range(40)]
    assert [im.reply(n)["seq"] for n in posted] == list(range(1, 41))
