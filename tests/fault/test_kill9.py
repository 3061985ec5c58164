"""kill -9 in full traffic: what was acknowledged is there, once per cid."""

import collections
import os
import random
import threading

import pytest

from imdtest.clients import Im
from imdtest.kinds import LINKS
from imdtest.links import Closed

CYCLES = 8
SENDERS = 6
PIPELINE = 24
FAST = {"limits": {"rate": 0, "burst": 1000000, "history": 1000}}


class Sender(threading.Thread):
    """Sends numbered messages under cids, some at once, until the server dies; then the rest again under the same cids."""

    def __init__(self, number, peer):
        super().__init__(daemon=True)
        self.me, self.peer = f"sender{number}", peer
        self.kind = ["line", "websocket", "unix"][number % 3]
        self.next, self.unanswered, self.acknowledged = 0, [], {}
        self.daemon_, self.enough, self.problem = None, threading.Event(), None

    def again(self, daemon):
        fresh = Sender.__new__(Sender)
        threading.Thread.__init__(fresh, daemon=True)
        fresh.__dict__.update({k: v for k, v in self.__dict__.items()
                               if k in ("me", "peer", "kind", "next", "unanswered", "acknowledged", "problem")})
        fresh.daemon_, fresh.enough = daemon, threading.Event()
        return fresh

    def run(self):
        im = None
        try:
            im = Im(LINKS[self.kind](self.daemon_))
            im.login(self.me)
            waiting = collections.deque()
            for number in list(self.unanswered):
                self.post(im, waiting, number)
            while not self.enough.is_set():
                while len(waiting) < PIPELINE:
                    self.next += 1
                    self.unanswered.append(self.next - 1)
                    self.post(im, waiting, self.next - 1)
                self.take(im, waiting)
            while waiting:
                self.take(im, waiting)
        except (Closed, OSError):
            pass
        except AssertionError as error:
            self.problem = error
        finally:
            if im:
                try:
                    im.close()
                except Exception:
                    pass

    def post(self, im, waiting, number):
        waiting.append((number, im.post("send", to=self.peer, text=f"text {number}", cid=f"cid-{number}")))

    def take(self, im, waiting):
        number, request = waiting[0]
        reply = im.reply(request)
        waiting.popleft()
        assert reply["op"] == "ok", reply
        before = self.acknowledged.setdefault(number, (reply["seq"], reply["pos"], reply["ts"]))
        assert before == (reply["seq"], reply["pos"], reply["ts"]), f"{number}: {before} became {reply}"
        self.unanswered.remove(number)


def whole_history(daemon, user, peer):
    im = Im(LINKS["line"](daemon))
    im.login(user, "reader")
    messages, more, after = [], True, 0
    while more:
        page = im.ask("history", conv=peer, after=after, limit=1000)
        messages += page["messages"]
        more, after = page["more"], page["messages"][-1]["seq"] if page["messages"] else after
    im.close()
    return messages


def check(daemon, sender):
    messages = whole_history(daemon, sender.me, sender.peer)
    assert [m["seq"] for m in messages] == list(range(1, len(messages) + 1)), "seq is dense"
    assert [int(m["pos"]) for m in messages] == sorted({int(m["pos"]) for m in messages})
    by_cid = collections.Counter(m["cid"] for m in messages)
    assert all(n == 1 for n in by_cid.values()), [c for c, n in by_cid.items() if n > 1]
    there = {m["cid"]: m for m in messages}
    for number, (seq, pos, ts) in sender.acknowledged.items():
        message = there.get(f"cid-{number}")
        assert message, f"message {number} of {sender.me} was acknowledged, and is gone"
        assert (message["text"], message["seq"], message["pos"], message["ts"]) == (f"text {number}", seq, pos, ts)
    assert messages == [m | {"conv": sender.peer} for m in messages]
    return len(messages)


@pytest.mark.parametrize("sync", ["full", "normal"])
def test_every_acknowledged_message_survives_once(imd, sync):
    rng = random.Random(f"kill9 {sync}")
    daemon = imd({**FAST, "store": {"sync": sync}})
    senders = [Sender(n, f"receiver{n % 2}") for n in range(SENDERS)]
    acknowledged = 0
    for cycle in range(CYCLES):
        senders = [s.again(daemon) for s in senders]
        for sender in senders:
            sender.start()
        goal = acknowledged + rng.randint(100, 700)
        while sum(len(s.acknowledged) for s in senders) < goal and any(s.is_alive() for s in senders):
            senders[cycle % SENDERS].join(rng.random() / 100)
        daemon.kill9()
        for sender in senders:
            sender.join(60)
            assert not sender.is_alive() and not sender.problem, sender.problem
        acknowledged = sum(len(s.acknowledged) for s in senders)
        assert acknowledged >= goal
        daemon.start()
        for sender in senders:
            check(daemon, sender)
    senders = [s.again(daemon) for s in senders]  # the last retries
    for sender in senders:
        sender.enough.set()
        sender.start()
    for sender in senders:
        sender.join(60)
        assert not sender.is_alive() and not sender.problem, sender.problem
        assert not sender.unanswered
    total = sum(check(daemon, s) for s in senders)
    assert total == sum(s.next for s in senders), "every message that was ever tried is there, once"
    for number in (0, 1):
        mine = [s for s in senders if s.peer == f"receiver{number}"]
        receiver = Im(LINKS["websocket"](daemon))
        receiver.login(f"receiver{number}", "late", since="0")
        got = [receiver.msg() for _ in range(sum(s.next for s in mine))]
        assert collections.Counter((m["from"], m["cid"]) for m in got) == \
            collections.Counter((s.me, f"cid-{n}") for s in mine for n in range(s.next))
        assert [int(m["pos"]) for m in got] == sorted(int(m["pos"]) for m in got)
        receiver.close()


def test_ok_means_on_disk(imd):
    """Killed the moment the answer is here, after one, two, three … messages since the start."""
    daemon, total = imd(FAST), 0
    for count in (1, 2, 3, 1, 4, 2, 1, 1):
        im = Im(LINKS["line"](daemon))
        im.login("a")
        for _ in range(count):
            total += 1
            assert im.say("b", str(total))["seq"] == total
        daemon.kill9()
        im.close()
        daemon.start()
        assert [m["text"] for m in whole_history(daemon, "a", "b")] == [str(n + 1) for n in range(total)]


def test_a_receiver_with_a_named_device_misses_nothing_over_kills(imd):
    daemon = imd(FAST)
    sender, seen, sent, pos = None, [], 0, None
    for cycle in range(4):
        sender = Im(LINKS["line"](daemon))
        sender.login("a")
        phone = Im(LINKS["websocket"](daemon))
        phone.login("b", "phone")
        for _ in range(50):
            sender.say("b", str(sent), cid=str(sent))
            sent += 1
        for _ in range(30 if cycle < 3 else sent):
            event = phone.msg()
            seen.append(int(event["text"]))
            if seen[-1] == sent - 1:
                break
            if len(seen) % 7 == 0:
                phone.tell("ack", pos=event["pos"])
        daemon.kill9()
        for im in (sender, phone):
            try:
                im.close()
            except Exception:
                pass
        daemon.start()
    assert sorted(set(seen)) == list(range(sent)), "nothing is skipped; what was not acknowledged may come again"


def test_a_torn_write_ahead_log_is_no_obstacle(imd):
    """The tail that power loss leaves: cut the log file in mid-record; the server starts, with a whole history."""
    daemon = imd(FAST)
    sender = Im(LINKS["line"](daemon))
    sender.login("a")
    for n in range(50):
        sender.say("b", str(n), cid=str(n))
    daemon.kill9()
    sender.close()
    wal = os.path.join(daemon.dir, "imd.db-wal")
    if os.path.exists(wal) and os.path.getsize(wal) > 100:
        with open(wal, "r+b") as f:
            f.truncate(os.path.getsize(wal) - 100)
    daemon.start()
    messages = whole_history(daemon, "a", "b")
    assert [m["text"] for m in messages] == [str(n) for n in range(len(messages))]
    again = Im(LINKS["line"](daemon))
    again.login("a")
    for n in range(50):
        assert again.say("b", str(n), cid=str(n))["seq"] == n + 1
    again.close()
    assert len(whole_history(daemon, "a", "b")) == 50
