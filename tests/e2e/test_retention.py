"""What is kept only so long, or only so many of: the rest is erased for all to see, and nothing but it."""

import os
import sqlite3

import pytest

from imdtest.wait import until

DAY = 24 * 60 * 60 * 1000


def keeping(kind="sqlite", **keys):
    return {"retention": {"interval": "100ms", **keys}, "limits": {"rate": 0, "burst": 1000000, "history": 1000},
            "store": {"kind": kind}}


def history(im, conv):
    return im.ask("history", conv=conv, limit=1000)["messages"]


def texts(im, conv):
    return [m["text"] for m in history(im, conv) if m["op"] == "msg"]


def found(im, text):
    return sorted(r["messages"][r["at"]]["text"] for r in im.ask("search", text=text)["results"])


def replayed(daemon, connect, user):
    """What a device that has nothing gets."""
    im = connect(daemon, "line")
    im.login(user, "new", since="0")
    return [e for e in im.settle().events if "pos" in e and e["op"] != "reset"]


def reload(daemon, config, what):
    daemon.write_config(config)
    assert what in daemon.imctl("reload", json=False)


def shrinks(im, conv, to):
    until(lambda: texts(im, conv) == to, f"{conv} to shrink to {to}")


def make_older(daemon, where, count, ms=2 * DAY):
    """Makes so many events older, as no clock can be turned in a test: in the database of a server that has ended."""
    daemon.term()
    with sqlite3.connect(os.path.join(daemon.dir, "imd.db")) as db:
        assert db.execute(f"UPDATE events SET ts = ts - {ms} WHERE {where}").rowcount == count
    db.close()


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
def test_so_many_messages_are_kept_and_what_came_after_the_oldest_of_them(imd, connect, kind):
    daemon = imd(keeping(kind))
    a, b = connect(daemon, "line", "a"), connect(daemon, "websocket", "b")
    for n in range(20):
        a.say("b", f"apple {n} 苹果")
    a.ask("edit", conv="b", seq=1, text="pear of old")
    b.ask("react", conv="a", seq=20, emoji="👍")
    last = a.ask("edit", conv="b", seq=19, text="cherry")
    for n in range(3):
        b.say("c", f"plum {n}")
    assert len(found(a, "apple")) == 18 and found(a, "pear") == ["pear of old"]
    reload(daemon, keeping(kind, count=5), "retention.count")
    kept = [f"apple {n} 苹果" for n in (15, 16, 17)] + ["cherry", "apple 19 苹果"]
    shrinks(a, "b", kept)
    assert texts(b, "a") == kept and [m["seq"] for m in history(b, "a")] == [16, 17, 18, 19, 20]
    assert history(b, "a")[-1]["reactions"] == [{"emoji": "👍", "count": 1, "mine": True}]
    assert [(e["op"], e["seq"]) for e in replayed(daemon, connect, "a") if e["conv"] == "b"] == \
        [("msg", n) for n in range(16, 21)] + [("edit", 21), ("react", 22), ("edit", 23)]
    assert texts(b, "c") == ["plum 0", "plum 1", "plum 2"], "of every conversation so many"
    for im in (a, b):
        assert found(im, "apple") == found(im, "苹果") == sorted(t for t in kept if t != "cherry")
        assert found(im, "cherry") == ["cherry"] and found(im, "pear") == []
    gone = {"conv": "b", "seq": 15}
    too_old = (("edit", {"text": "x"}), ("react", {"emoji": "👍"}), ("delete", {}), ("delete", {"for": "me"}))
    for op, fields in too_old:
        assert a.refused(op, **gone, **fields) == "no_such_message"
    assert a.refused("send", to="b", text="x", reply=15) == "no_such_message"
    assert a.say("b", "it goes on")["seq"] == last["seq"] + 1


def test_what_is_older_goes_and_what_is_younger_stays(imd, connect):
    daemon = imd(keeping())
    a, b = connect(daemon, "line", "a"), connect(daemon, "line", "b")
    a.ask("group", do="create", conv="#tea", public=True, history="all")
    b.ask("group", do="join", conv="#tea")
    old, young = [f"old leaf {n}" for n in range(4)], [f"young leaf {n}" for n in range(3)]
    for text in old + young:
        a.say("#tea", text)
    a.say("b", "old and alone")
    a.say("c", "young and alone")
    make_older(daemon, "body LIKE 'old%'", 5)
    daemon.write_config(keeping(age="1d"))
    daemon.start()
    a, b = connect(daemon, "line", "a"), connect(daemon, "line", "b")
    shrinks(a, "b", [])
    assert texts(a, "#tea") == texts(b, "#tea") == old + young, "the oldest, the group's beginning, is young"
    assert texts(a, "c") == ["young and alone"] and found(a, "alone") == ["young and alone"]
    make_older(daemon, "body = ''", 2)
    daemon.start()
    a, b = connect(daemon, "line", "a"), connect(daemon, "line", "b")
    shrinks(a, "#tea", young)
    assert texts(b, "#tea") == young and found(b, "old") == [] and found(b, "leaf") == sorted(young)
    assert [m["op"] for m in history(a, "#tea")] == ["msg"] * 3
    assert {m["user"]: m["role"] for m in a.ask("group", do="members", conv="#tea")["members"]} == \
        {"a": "owner", "b": "member"}, "what is erased is the past, not what came of it"


@pytest.mark.parametrize("how", ["term", "kill"])
def test_numbers_go_on_when_everything_is_erased_and_after_a_restart(imd, connect, how):
    daemon = imd(keeping())
    a = connect(daemon, "line", "a")
    for n in range(7):
        last = a.say("b", f"gone {n}")
    reload(daemon, keeping(age="1ms"), "retention.age")
    shrinks(a, "b", [])
    assert found(a, "gone") == [] and replayed(daemon, connect, "a") == []
    reload(daemon, keeping(), "retention.age")
    daemon.restart(how)
    a = connect(daemon, "line", "a")
    assert history(a, "b") == []
    for n in range(1, 3):
        sent = a.say("b", f"new {n}")
        assert (sent["seq"], int(sent["pos"])) == (last["seq"] + n, int(last["pos"]) + n)
    b = connect(daemon, "websocket", "b")
    assert b.texts(2) == ["new 1", "new 2"] and b.pending() == []
    row, = connect(daemon, "line", "b").ask("conversations")["conversations"]
    assert (row["seq"], row["unread"], row["last"]["text"]) == (9, 2, "new 2")


def test_what_was_erased_is_not_in_the_files_any_more(imd, connect):
    daemon = imd(keeping())
    a = connect(daemon, "line", "a")
    a.say("b", "the first word was Xylophon")
    a.ask("edit", conv="b", seq=1, text="the second word was Yggdrasil")
    a.say("b", "the third word is Zanzibar")

    def words():
        daemon.term()
        data = b""
        for name in os.listdir(daemon.dir):
            if name.startswith("imd.db"):
                with open(os.path.join(daemon.dir, name), "rb") as file:
                    data += file.read().lower()
        return [word for word in ("xylophon", "yggdrasil", "zanzibar") if word.encode() in data]

    assert words() == ["xylophon", "yggdrasil", "zanzibar"]
    daemon.write_config(keeping(count=1))
    daemon.start()
    shrinks(connect(daemon, "line", "a"), "b", ["the third word is Zanzibar"])
    assert words() == ["zanzibar"]


def test_who_was_away_gets_what_is_left_in_order(imd, connect):
    daemon = imd(keeping())
    connect(daemon, "line", "b", "phone").close()
    a = connect(daemon, "line", "a")
    for n in range(10):
        a.say("b", str(n))
    reload(daemon, keeping(count=4), "retention.count")
    shrinks(a, "b", ["6", "7", "8", "9"])
    phone = connect(daemon, "websocket", "b", "phone")
    assert phone.texts(4) == ["6", "7", "8", "9"] and phone.pending() == []


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
def test_a_message_can_be_changed_only_for_so_long(imd, connect, kind):
    def windows(**keys):
        return {"messages": keys, "store": {"kind": kind}}

    def too_late(op, **fields):
        until(lambda: a.refused(op, conv="b", **fields) == "too_late", f"{op} to be too late")

    daemon = imd(windows())
    a, b = connect(daemon, "line", "a"), connect(daemon, "line", "b")
    for n in range(3):
        a.say("b", f"frist {n}")
    a.ask("edit", conv="b", seq=1, text="first 0")
    reload(daemon, windows(edit_window="1ms"), "messages.edit_window")
    too_late("edit", seq=1, text="again")
    assert texts(b, "a") == ["first 0", "frist 1", "frist 2"]
    a.ask("delete", conv="b", seq=3)  # has a window of its own
    b.ask("react", conv="a", seq=1, emoji="👍")
    reload(daemon, windows(delete_window="1ms"), "messages.delete_window")
    too_late("delete", seq=1)
    assert b.refused("delete", conv="a", seq=1) == "forbidden"
    a.ask("delete", conv="b", seq=1, **{"for": "me"})
    assert texts(a, "b") == ["frist 1", ""] and texts(b, "a") == ["first 0", "frist 1", ""]
    a.ask("edit", conv="b", seq=2, text="first 1")  # a day again
    reload(daemon, windows(edit_window="0", delete_window="0"), "messages.delete_window")
    a.ask("edit", conv="b", seq=2, text="first one")
    a.ask("delete", conv="b", seq=2)
    assert texts(b, "a") == ["first 0", "", ""]


def test_who_keeps_order_in_a_group_may_delete_at_any_time(imd, connect):
    daemon = imd()
    owner, member = connect(daemon, "line", "owner"), connect(daemon, "line", "member")
    owner.ask("group", do="create", conv="#tea", public=True)
    member.ask("group", do="join", conv="#tea")
    for text in ("rude", "polite"):
        seq = member.say("#tea", text)["seq"]
    reload(daemon, {"messages": {"delete_window": "1ms"}}, "messages.delete_window")
    assert member.refused("delete", conv="#tea", seq=seq - 1) == "too_late"
    owner.ask("delete", conv="#tea", seq=seq - 1)
    assert texts(member, "#tea") == ["", "polite"]


def test_the_default_window_is_a_day(imd, connect):
    daemon = imd()
    a = connect(daemon, "line", "a")
    a.say("b", "frist")
    a.say("b", "secnod")
    make_older(daemon, "body = 'frist'", 1, DAY + 1)
    daemon.start()
    a = connect(daemon, "line", "a")
    assert a.refused("edit", conv="b", seq=1, text="first") == "too_late"
    a.ask("edit", conv="b", seq=2, text="second")
    a.ask("delete", conv="b", seq=1)
    assert texts(a, "b") == ["", "second"]
