"""Readers that stop reading and senders that never do cost themselves time, and nobody else anything."""

import json
import time

import pytest

from imdtest.clients import Im
from imdtest.kinds import classroom_path
from imdtest.links import Blaster, LineLink, RawWsLink
from imdtest.wait import PATIENCE, until

TIGHT = {
    "store": {"sync": "normal"},
    "limits": {"rate": 0, "burst": 1000000, "queue_soft": "8KiB", "queue_hard": "256KiB", "replay_bytes": "32KiB"},
}
COUNT, TEXT = 3000, "喵" * 700  # about 6 MB: more than the kernel keeps for a socket whose reader sleeps


def slow_link(daemon, kind):
    small = {"receive_buffer": 4096}
    return {
        "line": lambda: LineLink(daemon.line_port, **small),
        "unix": lambda: LineLink(daemon.unix_path, **small),
        "line-tls": lambda: LineLink(daemon.line_tls_port, daemon.tls_context, **small),
        "websocket": lambda: RawWsLink(daemon.ws_port, **small),
        "websocket-tls": lambda: RawWsLink(daemon.wss_port, context=daemon.tls_context, host="localhost", **small),
    }[kind]()


def send_many(sender, to, count=COUNT, text=TEXT):
    for n in range(count - 1):
        sender.tell("send", to=to, text=f"{n} {text}")
    sender.say(to, f"{count - 1} {text}")


@pytest.mark.parametrize("device", [None, "phone"])
@pytest.mark.parametrize("kind", ["line", "unix", "line-tls", "websocket", "websocket-tls"])
def test_a_reader_that_stops_falls_behind_and_gets_everything_once_in_order(imd, certificate, connect, closing, kind, device):
    daemon = imd(TIGHT, tls=certificate)
    slow = closing(Im(slow_link(daemon, kind)))
    slow.login("slow", device)
    live = connect(daemon, "line", "slow")
    sender = connect(daemon, "line", "fast")
    before = daemon.rss_kib()
    send_many(sender, "slow")
    assert live.texts(COUNT) == [f"{n} {TEXT}" for n in range(COUNT)]
    assert daemon.metric("sessions_fell_behind_total") >= 1
    assert daemon.grew_at_most(before, 32 * 1024)
    for n in range(COUNT):
        event = slow.msg()
        assert (event["seq"], event["text"]) == (n + 1, f"{n} {TEXT}")
    sender.say("slow", "caught up")
    assert slow.msg()["text"] == "caught up"
    assert slow.pending() == []
    assert daemon.imctl("counters")["sessions_fell_behind_total"] >= 1


def test_a_slow_classroom_reads_on_too(imd, connect, closing):
    daemon = imd(TIGHT)
    room = closing(RawWsLink(daemon.ws_port, classroom_path("slow", "fast"), None, receive_buffer=4096))
    sender = connect(daemon, "line", "fast")
    send_many(sender, "slow")
    assert daemon.metric("sessions_fell_behind_total") >= 1
    for n in range(COUNT):
        assert room.recv() == f"{n} {TEXT}"


def test_a_slow_reader_that_leaves_finds_the_rest_when_it_is_back(imd, connect, closing):
    daemon = imd(TIGHT)
    slow = closing(Im(slow_link(daemon, "line")))
    slow.login("slow", "phone")
    sender = connect(daemon, "line", "fast")
    send_many(sender, "slow")
    got = [slow.msg() for _ in range(100)]
    slow.ask("ack", pos=got[-1]["pos"])
    slow.close()
    again = connect(daemon, "websocket", "slow", "phone")
    assert [e["seq"] for e in (again.msg() for _ in range(COUNT - 100))] == list(range(101, COUNT + 1))


def test_a_reader_that_takes_nothing_is_closed_in_the_end(imd, connect, closing):
    daemon = imd({**TIGHT, "limits": {**TIGHT["limits"], "stall": "1s"}})
    slow = closing(Im(slow_link(daemon, "line")))
    slow.login("slow")
    sender = connect(daemon, "line", "fast")
    send_many(sender, "slow")
    until(lambda: daemon.online()["sessions"] == 1, "the stalled reader to be closed")
    until(lambda: daemon.closed("too_slow") == 1, "the reason to be counted")
    assert connect(daemon, "line", "slow", "other").ask("history", conv="fast", limit=1)["messages"]


def test_a_sender_that_never_reads_is_held_and_others_go_on(imd, connect, closing):
    daemon = imd({"store": {"sync": "normal"}, "limits": {"queue_soft": "16KiB", "queue_hard": "4MiB"}})
    count = 5000
    flood = closing(Im(LineLink(daemon.line_port, receive_buffer=4096)))
    flood.login("flood")
    data = b"".join(json.dumps({"op": "send", "id": f"f{n}", "to": "sink", "text": f"{n}", "cid": f"c{n}"}).encode() + b"\n"
                    for n in range(count))
    writer = Blaster(flood.link, data)
    a, b = connect(daemon, "websocket", "a"), connect(daemon, "line", "b")
    worst = 0
    for n in range(50):
        start = time.monotonic()
        a.say("b", f"ping {n}")
        assert b.msg()["text"] == f"ping {n}"
        worst = max(worst, time.monotonic() - start)
    assert worst < PATIENCE / 5, f"others waited {worst:.2f} s"
    replies = [flood.reply(f"f{n}") for n in range(count)]
    writer.join()
    assert [r["seq"] for r in replies] == list(range(1, count + 1))
    sink = connect(daemon, "line", "sink")
    assert sink.texts(count) == [str(n) for n in range(count)]


def test_a_user_above_the_rate_is_held_not_refused(imd, connect, closing):
    daemon = imd({"store": {"sync": "normal"}, "limits": {"rate": 100, "burst": 20}})
    flood, b = connect(daemon, "line", "flood"), connect(daemon, "line", "b")
    start = time.monotonic()
    posted = [flood.post("send", to="b", text=str(n)) for n in range(120)]
    assert all(flood.reply(number)["op"] == "ok" for number in posted)
    assert time.monotonic() - start > 0.7  # (120 - 20) / 100 s, less a tick
    assert b.texts(120) == [str(n) for n in range(120)]
    assert daemon.metric("sessions_held_total") >= 1


def test_a_flood_of_pings_without_reading_is_held(imd, connect, closing):
    daemon = imd({"limits": {"rate": 0, "burst": 1000000}})
    flood = closing(Im(LineLink(daemon.line_port, receive_buffer=4096)))
    flood.ask("login", user="flood")
    before = daemon.rss_kib()
    writer = Blaster(flood.link, b'{"op":"ping","id":"p"}\n' * 300000)
    a, b = connect(daemon, "line", "a"), connect(daemon, "line", "b")
    for n in range(30):
        a.say("b", str(n))
        assert b.msg()["text"] == str(n)
    assert daemon.grew_at_most(before, 32 * 1024)
    del writer


def test_control_frames_are_rated(imd, closing, connect):
    daemon = imd()
    link = closing(RawWsLink(daemon.ws_port))
    link.send('{"op":"login","id":1,"user":"flood"}')
    link.recv()
    Blaster(link, RawWsLink.frame(b"x" * 125, RawWsLink.PING) * 5000)
    assert link.wait_closed()[1].code in (1006, 1008)
    link.close()
    until(lambda: daemon.closed("ws_control_flood") == 1, "the reason to be counted")
