"""What is kept for so long, or so many, and no more: erased for all to see, and nothing else is."""

import os
import sqlite3

import pytest

from imdtest.wait import until

DAY = 24 * 60 * 60 * 1000
OFTEN = {"interval": "100ms"}


def keeping(**keys):
    return {"retention": {**OFTEN, **keys}, "limits": {"rate": 0, "burst": 1000000, "history": 1000}}


def history(im, conv):
    return im.ask("history", conv=conv, limit=1000)["messages"]


def texts(im, conv):
    return [m["text"] for m in history(im, conv) if m["op"] == "msg"]


def found(im, text):
    return [r["messages"][r["at"]]["text"] for r in im.ask("search", text=text)["results"]]


def age(daemon, condition, ms=2 * DAY):
    """Makes events older, as no clock can in a test: in the database of a server that has ended."""
    daemon.term()
    with sqlite3.connect(os.path.join(daemon.dir, "imd.db")) as db:
        assert db.execute(f"UPDATE events SET ts = ts - {ms} WHERE {condition}").rowcount > 0
    daemon.start()


def reload(daemon, config, what):
    daemon.write_config(config)
    assert what in daemon.imctl("reload", json=False)


def swept(daemon, im, conv, count):
    until(lambda: len(texts(im, conv)) <= count, f"{conv} to shrink to {count} messages")


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
def test_so_many_messages_are_kept_and_what_came_after_the_oldest_of_them(imd, connect, kind):
    daemon = imd({**keeping(), "store": {"kind": kind}})
    a, b = connect(daemon, "line", "a"), connect(daemon, "websocket", "b")
    for n in range(20):
        a.say("b", f"apple {n} 苹果", cid=f"c{n}")
    first_edit = a.ask("edit", conv="b", seq=1, text="pear of old")
    b.ask("react", conv="a", seq=20, emoji="👍")
    last = a.ask("edit", conv="b", seq=19, text="cherry 19")
    short = [b.say("c", f"plum {n}") for n in range(3)]
    assert len(found(a, "apple")) == 18 and found(a, "pear") == ["pear of old"]
    reload(daemon, {**keeping(count=5), "store": {"kind": kind}}, "retention.count")
    swept(daemon, a, "b", 5)
    now = history(b, "a")
    assert [m["seq"] for m in now] == [16, 17, 18, 19, 20]
    assert [m["text"] for m in now] == [f"apple {n} 苹果" for n in (15, 16, 17)] + ["cherry 19", "apple 19 苹果"][:0] + \
        [f"apple 18 苹果" if False else "cherry 19", "apple 19 苹果"]
    assert now[4]["reactions"] == [{"emoji": "👍", "count": 1, "mine": True}]
    assert sorted(found(a, "apple")) == sorted(f"apple {n} 苹果" for n in (15, 16, 17, 19))
    assert len(found(b, "苹果")) == 4 and found(a, "cherry") == ["cherry 19"] and found(a, "pear") == []
    assert texts(b, "c") == [f"plum {n}" for n in range(3)]
    assert a.refused("edit", conv="b", seq=15, text="x") == "no_such_message"
    assert a.refused("react", conv="b", seq=1, emoji="👍") == "no_such_message"
    assert a.refused("send", to="b", text="x", reply=1) == "no_such_message"
    next_ = a.say("b", "on it goes")
    assert next_["seq"] == last["seq"] + 1 and int(next_["pos"]) > int(short[-1]["pos"]) > int(first_edit["pos"])
