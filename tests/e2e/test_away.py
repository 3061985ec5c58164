"""A message to somebody who is away waits, through restarts, and comes when they do."""

import pytest

from imdtest.kinds import KINDS

WAITING = [f"waiting {n} 等你" for n in range(5)]


@pytest.mark.parametrize("how", ["term", "kill"])
def test_what_waits_survives_a_restart_for_every_kind_of_client(imd, chat, connect, name, how):
    daemon = imd()
    pairs = {kind: (name(f"a.{kind}"), name(f"b.{kind}")) for kind in KINDS}
    for kind, (me, you) in pairs.items():
        sender = chat(daemon, kind, me, you)
        for text in WAITING:
            there = sender.say(text)
            if there is None:
                sender.expect_away()
            else:
                assert there is False
    daemon.restart(how)
    for kind, (me, you) in pairs.items():
        receiver = chat(daemon, kind, you, me)
        for text in WAITING:
            receiver.hear(text)
        if hasattr(receiver, "nothing_more"):
            receiver.nothing_more()


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_unnamed_device_got_does_not_come_again(shared, chat, connect, name, kind):
    me, you = name("a"), name("b")
    sender = connect(shared, "line", me)
    for text in WAITING:
        sender.say(you, text)
    receiver = chat(shared, kind, you, me)
    for text in WAITING:
        receiver.hear(text)
    if hasattr(receiver, "nothing_more"):
        receiver.nothing_more()
    receiver.close()
    again = connect(shared, "websocket", you)
    sender.say(you, "new")
    assert again.msg()["text"] == "new"


def test_a_cursor_outlives_an_orderly_restart(imd, connect, name):
    daemon = imd()
    sender, receiver = connect(daemon, "line", "a"), connect(daemon, "line", "b")
    sender.say("b", "seen")
    assert receiver.msg()["text"] == "seen"
    receiver.settle()
    daemon.restart()
    sender, receiver = connect(daemon, "line", "a"), connect(daemon, "line", "b")
    sender.say("b", "new")
    assert receiver.msg()["text"] == "new"


@pytest.mark.parametrize("restart", [None, "term", "kill"])
def test_a_named_device_gets_again_what_it_did_not_acknowledge(imd, connect, restart):
    daemon = imd({"store": {"cursor_interval": "0ms"}})
    sender, phone = connect(daemon, "line", "a"), connect(daemon, "websocket", "b", "phone")
    sender.say("b", "1")
    sender.say("b", "2")
    sender.say("b", "3")
    events = [phone.msg() for _ in range(3)]
    phone.ask("ack", pos=events[1]["pos"])
    phone.settle()
    phone.close()
    if restart:
        daemon.restart(restart)
    phone = connect(daemon, "websocket", "b", "phone")
    again = [phone.msg()["text"]]
    while again[-1] != "3":
        again.append(phone.msg()["text"])
    if restart == "kill":  # the newest acks may not have been written: more comes, nothing is missed
        assert again == ["1", "2", "3"][-len(again):]
    else:
        assert again == ["3"]
    assert phone.pending() == []


def test_each_named_device_has_a_cursor_of_its_own(shared, connect, name):
    me, you = name("a"), name("b")
    for device in ("phone", "laptop"):
        connect(shared, "line", you, device).close()
    sender = connect(shared, "line", me)
    sent = sender.say(you, "for both")
    phone = connect(shared, "line", you, "phone")
    assert phone.msg()["text"] == "for both"
    phone.ask("ack", pos=sent["pos"])
    phone.settle()
    phone.close()
    assert connect(shared, "line", you, "laptop").msg()["text"] == "for both"
    phone = connect(shared, "line", you, "phone")
    assert phone.pending() == []


def test_ack_never_goes_back(shared, connect, name):
    me, you = name("a"), name("b")
    phone = connect(shared, "line", you, "phone")
    sender = connect(shared, "line", me)
    first, second = sender.say(you, "1"), sender.say(you, "2")
    assert phone.texts(2) == ["1", "2"]
    phone.ask("ack", pos=second["pos"])
    phone.ask("ack", pos=first["pos"])
    phone.settle()
    phone.close()
    assert connect(shared, "line", you, "phone").pending() == []


def test_login_since_replays_from_there(shared, connect, name):
    me, you = name("a"), name("b")
    sender = connect(shared, "line", me)
    positions = [sender.say(you, str(n))["pos"] for n in range(6)]
    epoch = connect(shared, "line").hello()["epoch"]
    again = connect(shared, "websocket")
    again.login(you, "phone", since=positions[2], epoch=epoch)
    assert again.texts(3) == ["3", "4", "5"]
    assert again.pending() == []


def test_login_since_zero_replays_everything(shared, connect, name):
    me, you = name("a"), name("b")
    sender, receiver = connect(shared, "line", me), connect(shared, "line", you)
    for n in range(3):
        sender.say(you, str(n))
    assert receiver.texts(3) == ["0", "1", "2"]
    again = connect(shared, "line")
    again.login(you, "new", since="0")
    assert again.texts(3) == ["0", "1", "2"]


def test_another_epoch_is_a_reset(shared, connect, name):
    me = name("a")
    head = connect(shared, "line", me).say(name("b"), "x")["pos"]
    im = connect(shared, "websocket")
    im.login(me, "phone", since=head, epoch="0" * 32)
    reset = int(im.event("reset")["pos"])
    assert reset <= int(head) and all(int(e["pos"]) > reset for e in im.pending())
    connect(shared, "line", name("b")).say(me, "after the reset")
    while im.msg()["text"] != "after the reset":
        pass


def test_since_beyond_the_head_is_a_reset(shared, connect, name):
    me = name("a")
    im = connect(shared, "line")
    epoch = im.hello("phone")["epoch"]
    im.login(me, since=str(2**62), epoch=epoch)
    assert int(im.event("reset")["pos"]) < 2**62
    connect(shared, "line", name("b")).say(me, "after the reset")
    assert im.msg()["text"] == "after the reset"


def test_the_memory_store_forgets_and_says_so_by_its_epoch(imd, connect):
    daemon = imd({"store": {"kind": "memory"}})
    a = connect(daemon, "line")
    old = a.hello("d")["epoch"]
    a.login("a")
    a.say("b", "lost")
    pos = a.say("b", "lost too")["pos"]
    daemon.restart()
    b = connect(daemon, "line")
    assert b.hello("d")["epoch"] != old
    b.login("b", since=pos, epoch=old)
    b.event("reset")
    assert b.pending() == []


def test_the_sqlite_store_keeps_its_epoch(imd, connect):
    daemon = imd()
    old = connect(daemon).hello()["epoch"]
    daemon.restart("kill")
    assert connect(daemon).hello()["epoch"] == old


def test_thousands_that_wait_come_in_order(imd, connect):
    daemon = imd({"store": {"sync": "normal"}, "limits": {"rate": 0, "burst": 1000000}})
    sender = connect(daemon, "line", "a")
    for n in range(2999):
        sender.tell("send", to="b", text=f"{n}")
    sender.say("b", "2999")
    for kind in ("line", "websocket", "unix"):
        receiver = connect(daemon, kind)
        receiver.login("b", kind, since="0")
        assert receiver.texts(3000) == [str(n) for n in range(3000)]
