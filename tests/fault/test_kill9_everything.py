"""kill -9 while everything that lasts is being done: messages, groups, edits, reactions, deletions, read marks."""

import collections
import os
import random
import threading

from imdtest.clients import Im
from imdtest.kinds import LINKS
from imdtest.links import Closed
from imdtest.wait import until

CYCLES = int(os.environ.get("IM_KILLS", "20"))
PEOPLE = 6
PIPELINE = 12
GROUPS = ["#tea", "#红茶"]
FAST = {"limits": {"rate": 0, "burst": 1000000, "history": 1000}}

# What may be answered to a request that came too late or was not allowed to whom it was.
HARMLESS = {"no_such_message", "no_such_group", "not_member", "forbidden", "muted", "banned", "last_owner", "group_exists",
            "bad_field"}


class Actor(threading.Thread):
    """Does random lasting things, some at once, until the server dies; then the unanswered ones again, as they were."""

    def __init__(self, number, memory=None):
        super().__init__(daemon=True)
        self.me = f"person{number}"
        self.kind = ["line", "websocket", "unix"][number % 3]
        self.memory = memory or {"next": 0, "open": {}, "done": {}, "seen": collections.defaultdict(list),
                                 "random": random.Random(number)}
        self.daemon_, self.enough, self.problem = None, threading.Event(), None

    def again(self, daemon):
        number = int(self.me.removeprefix("person"))
        fresh = Actor(number, self.memory)
        fresh.daemon_ = daemon
        return fresh

    def run(self):
        im = None
        try:
            im = Im(LINKS[self.kind](self.daemon_))
            im.login(self.me)
            waiting = collections.deque()
            for number, (op, fields) in list(self.memory["open"].items()):
                waiting.append((number, im.post(op, **fields)))
            while not self.enough.is_set():
                while len(waiting) < PIPELINE:
                    number, (op, fields) = self.think()
                    waiting.append((number, im.post(op, **fields)))
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

    def think(self):
        rng, number = self.memory["random"], self.memory["next"]
        self.memory["next"] += 1
        cid = f"{self.me}-{number}"
        conv = rng.choice(GROUPS + [f"person{n}" for n in range(PEOPLE)])
        seen = self.memory["seen"][conv]
        what = rng.random()
        if number < len(GROUPS):
            conv = GROUPS[number]
            step = ("group", {"do": "create", "conv": conv, "public": True, "cid": cid})
        elif number < 2 * len(GROUPS):
            step = ("group", {"do": "join", "conv": GROUPS[number - len(GROUPS)], "cid": cid})
        elif what < 0.5 or not seen:
            step = ("send", {"to": conv, "text": f"text {number}", "cid": cid})
        elif what < 0.65:
            step = ("edit", {"conv": conv, "seq": rng.choice(seen), "text": f"edit {number}", "cid": cid})
        elif what < 0.8:
            step = ("react", {"conv": conv, "seq": rng.choice(seen), "emoji": rng.choice("👍❤😀"), "cid": cid,
                              "on": rng.random() < 0.7})
        elif what < 0.87:
            step = ("delete", {"conv": conv, "seq": rng.choice(seen), "for": rng.choice(["all", "me"]), "cid": cid})
        elif what < 0.93:
            step = ("group", {"do": rng.choice(["leave", "join", "topic"]), "conv": rng.choice(GROUPS), "cid": cid,
                              "text": f"topic {number}"})
        else:
            step = ("group", {"do": rng.choice(["role", "kick", "invite"]), "conv": rng.choice(GROUPS), "cid": cid,
                              "user": f"person{rng.randrange(PEOPLE)}", "role": rng.choice(["member", "admin", "muted"])})
        self.memory["open"][number] = step
        return number, step

    def take(self, im, waiting):
        number, request = waiting[0]
        reply = im.reply(request)
        waiting.popleft()
        op, fields = self.memory["open"].pop(number)
        if reply["op"] == "err":
            assert reply["name"] in HARMLESS, (op, fields, reply)
            return
        if "pos" not in reply:
            assert reply.get("same"), reply
            return
        self.memory["done"][number] = (op, fields, reply)
        if op == "send":
            self.memory["seen"][fields["to"]].append(reply["seq"])


def everything(daemon, user, upto):
    """All that the user's log has, as a device that has seen nothing gets it."""
    im = Im(LINKS["line"](daemon))
    im.login(user, "auditor", since="0")
    events = []
    while not events or int(events[-1]["pos"]) < upto:
        events.append(next_durable(im))
    im.close()
    return events


def next_durable(im):
    while True:
        while im.events:
            frame = im.events.popleft()
            if "pos" in frame and frame["op"] != "reset":
                return frame
        im.ask("ping")


EVENT = {"send": "msg", "edit": "edit", "react": "react", "delete": "delete", "group": "member"}


def check(daemon, actor):
    done = actor.memory["done"]
    if not done:
        return
    last = max(int(reply["pos"]) for _, _, reply in done.values())
    events = everything(daemon, actor.me, last)
    places = [int(e["pos"]) for e in events]
    assert places == sorted(set(places)), "in the order of the log, each once"
    mine = {e["cid"]: e for e in events if e["from"] == actor.me and "cid" in e}
    by_cid = collections.Counter(e["cid"] for e in events if e["from"] == actor.me and "cid" in e)
    assert all(n == 1 for n in by_cid.values()), [c for c, n in by_cid.items() if n > 1]
    for number, (op, fields, reply) in done.items():
        event = mine.get(f"{actor.me}-{number}")
        if event is None and op == "group" and fields["do"] == "leave":
            continue  # who declines an invitation sees no more of the group
        assert event, f"{op} {fields} was acknowledged with {reply}, and is gone"
        assert (event["op"], event["pos"], event["ts"]) == (EVENT[op], reply["pos"], reply["ts"]), (event, reply)


def test_whatever_was_acknowledged_is_there_once(imd):
    rng = random.Random("kill9 everything")
    daemon = imd(FAST)
    actors = [Actor(n) for n in range(PEOPLE)]
    for cycle in range(CYCLES):
        actors = [a.again(daemon) for a in actors]
        before = sum(len(a.memory["done"]) for a in actors)
        goal = before + rng.randint(20, 300)
        for actor in actors:
            actor.start()
        until(lambda: sum(len(a.memory["done"]) for a in actors) >= goal or not any(a.is_alive() for a in actors))
        daemon.kill9()
        for actor in actors:
            actor.join(60)
            assert not actor.is_alive() and not actor.problem, actor.problem
        assert sum(len(a.memory["done"]) for a in actors) >= goal
        daemon.start()
        if cycle % 5 == 4 or cycle == CYCLES - 1:
            for actor in actors:
                check(daemon, actor)
    actors = [a.again(daemon) for a in actors]
    for actor in actors:
        actor.enough.set()
        actor.start()
    for actor in actors:
        actor.join(60)
        assert not actor.is_alive() and not actor.problem, actor.problem
        assert not actor.memory["open"]
        check(daemon, actor)
    done = collections.Counter(op for a in actors for op, _, _ in a.memory["done"].values())
    assert set(done) == set(EVENT), f"not everything was tried: {done}"
