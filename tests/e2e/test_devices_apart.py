"""Two devices of one user that were away while everything happened: each gets all of it, in order, once."""

import itertools

import pytest

SHOWN = ("op", "conv", "seq", "pos", "from", "ref", "text", "emoji", "on", "for", "do", "user", "role", "topic", "cid",
         "public", "history")


class Scene:
    """b has a phone and a laptop, and is in #tea with a and c. What happens is noted as b must hear of it."""

    def __init__(self, daemon, connect):
        self.daemon, self.connect, self.log, self.numbers = daemon, connect, [], itertools.count()
        self.a, self.c = connect(daemon, "line", "a"), connect(daemon, "unix", "c")
        self.people = {"a": self.a, "c": self.c}
        self.start = {}
        for device in ("phone", "laptop"):
            im = connect(daemon, "websocket")
            self.start[device] = im.login("b", device)["pos"]
            im.close()
        self.epoch = connect(daemon).hello()["epoch"]

    def does(self, who, op, shows=None, hidden=False, **fields):
        """`who` asks for it; b is to get the event with what `shows` says beside what was asked for."""
        im = self.people[who]
        cid = f"cid-{next(self.numbers)}"
        reply = im.ask(op, cid=cid, **fields)
        if hidden:
            return reply["seq"]
        event = {"op": {"send": "msg", "group": "member"}.get(op, op), "from": who, "cid": cid, "pos": reply["pos"]}
        if "seq" in reply:
            event["seq"] = reply["seq"]
        told = dict(fields)
        conv = told.pop("to", None) or told.pop("conv")
        event["conv"] = conv if conv.startswith("#") else (who if conv == "b" else conv)
        if op in ("edit", "react", "delete"):
            event["ref"] = told.pop("seq")
        if op == "react":
            event["on"] = told.pop("on", True)
        if op == "delete":
            event["for"] = told.pop("for", "all")
        if told.get("do") == "topic":
            event["topic"] = told.pop("text")
        event.update(told | (shows or {}))
        self.log.append(event)
        return reply.get("seq")

    def happens(self):
        """A day without b's devices: b speaks once, too, from a line that names none."""
        does = self.does
        tea = {"conv": "#tea"}
        does("a", "send", to="b", text="frist")
        does("a", "group", do="create", public=True, **tea, hidden=True)
        does("c", "group", do="join", **tea, hidden=True)
        does("a", "group", do="invite", user="b", **tea, shows={"role": "invited"})
        does("a", "edit", conv="b", seq=1, text="first")
        line = self.people["b"] = self.connect(self.daemon, "line")
        line.login("b", since=self.start["phone"])
        does("b", "group", do="join", **tea, shows={"role": "member"})
        spoken = does("b", "send", to="#tea", text="I am in")
        mine = does("b", "send", to="a", text="to a, from b's line")
        does("b", "delete", conv="a", seq=1, **{"for": "me"})
        past = {"conv": "#past"}  # of which b sees what was before, too
        does("c", "group", do="create", public=True, history="all", **past, shows={"role": "owner"})
        does("c", "send", to="#past", text="before b came")
        does("b", "group", do="join", **past, shows={"role": "member"})
        line.close()
        does("c", "react", conv="#tea", seq=spoken, emoji="👍")
        does("c", "react", conv="#tea", seq=spoken, emoji="👍", on=False)
        does("a", "react", conv="b", seq=mine, emoji="🎉")
        oops = does("c", "send", to="#tea", text="oops")
        does("c", "delete", conv="#tea", seq=oops)
        self.blanked = next(e for e in self.log if e.get("text") == "oops")
        does("a", "group", do="topic", text="Green or black?", **tea)
        does("a", "group", do="role", user="b", role="admin", **tea)
        does("a", "group", do="set", history="all", public=False, **tea)
        does("c", "send", to="b", text="psst")
        does("a", "group", do="kick", user="c", **tea, shows={"role": "none"})
        does("a", "group", do="invite", user="c", **tea, shows={"role": "invited"})
        does("c", "group", do="leave", **tea, shows={"role": "none"})
        does("a", "group", do="ban", user="c", **tea, shows={"role": "banned"})
        does("a", "group", do="unban", user="c", **tea, shows={"role": "none"})
        for n in range(20):
            does("a", "send", to="#tea" if n % 2 else "b", text=f"chatter {n}")
        does("a", "group", do="kick", user="b", **tea, shows={"role": "none"})
        does("a", "send", to="#tea", text="not for b any more", hidden=True)
        does("c", "send", to="b", text="the last")

    def expected(self):
        """As it is told now: what was said in the past and with b in mind, but not what was deleted since."""
        return [event | ({"text": ""} if event is self.blanked else {}) for event in self.log]

    def got(self, im, count):
        """The next so many durable events, and that there are no more."""
        events = []
        while len(events) < count:
            im.settle()
            events += [e for e in im.events if "pos" in e and e["op"] != "reset"]
            im.events.clear()
        im.settle()
        assert not [e for e in im.events if "pos" in e], im.events
        return events

    def login(self, device, kind, **fields):
        im = self.connect(self.daemon, kind)
        im.login("b", device, **fields)
        return im


def plain(events):
    return [{key: e[key] for key in SHOWN if key in e} for e in events]


def same(got, expected):
    shown = plain(got)
    for at, event in enumerate(expected):
        assert at < len(shown) and {k: shown[at].get(k) for k in event} == event, (at, shown[at:at + 1], event)
    assert len(shown) == len(expected), shown[len(expected):]
    places = [int(e["pos"]) for e in got]
    assert places == sorted(set(places))


@pytest.fixture(params=["sqlite", "memory"])
def scene(imd, connect, request):
    scene = Scene(imd({"store": {"kind": request.param}}), connect)
    scene.happens()
    return scene


@pytest.mark.parametrize("kinds", [("line", "websocket"), ("websocket", "unix")])
def test_both_get_everything_in_order_once_by_their_own_cursors(scene, kinds):
    expected = scene.expected()
    phone = scene.login("phone", kinds[0])
    same(scene.got(phone, len(expected)), expected)
    laptop = scene.login("laptop", kinds[1])
    same(scene.got(laptop, len(expected)), expected)
    half = len(expected) // 2
    phone.ask("ack", pos=expected[half - 1]["pos"])
    laptop.ask("ack", pos=expected[-1]["pos"])
    for im in (phone, laptop):
        im.ask("bye")
        im.wait_closed()
    phone, laptop = scene.login("phone", kinds[1]), scene.login("laptop", kinds[0])
    same(scene.got(phone, len(expected) - half), expected[half:])
    same(scene.got(laptop, 0), [])


def test_at_once_with_others_that_come_meanwhile(scene, connect):
    """Live events follow what was missed, without a gap or one twice."""
    expected = scene.expected()
    late = connect(scene.daemon, "line")
    late.hello("laptop")
    phone = scene.login("phone", "line")
    asked = [scene.a.post("send", to="b", text=f"live {n}") for n in range(30)]
    late.login("b")
    asked += [scene.a.post("send", to="b", text=f"live {n}") for n in range(30, 60)]
    places = [scene.a.reply(number)["pos"] for number in asked]
    live = [{"op": "msg", "text": f"live {n}", "pos": pos} for n, pos in enumerate(places)]
    for im in (phone, late):
        same(scene.got(im, len(expected) + 60), expected + live)


@pytest.mark.parametrize("at", [0, 1, 7, -1])
def test_each_says_since_what_it_has(scene, at):
    """The cursors that the server has play no part, not even one that is further."""
    expected = scene.expected()
    had = {"phone": expected[at], "laptop": expected[5]}
    for device, kind in (("phone", "websocket"), ("laptop", "line")):
        im = scene.login(device, kind, since=had[device]["pos"], epoch=scene.epoch)
        rest = [e for e in expected if int(e["pos"]) > int(had[device]["pos"])]
        same(scene.got(im, len(rest)), rest)
        if rest:
            im.ask("ack", pos=rest[-1]["pos"])
        im.ask("bye")
        im.wait_closed()
    for device in had:
        again = scene.login(device, "unix", since=scene.start["phone"], epoch=scene.epoch)
        same(scene.got(again, len(expected)), expected)


def test_a_line_that_breaks_in_the_middle_loses_nothing(scene):
    """The phone is cut off again and again, having acknowledged what it had: the next one goes on from there."""
    expected, got = scene.expected(), []
    while len(got) < len(expected):
        phone = scene.login("phone", "line")
        phone.settle()
        some = [e for e in phone.events if "pos" in e][:7]
        got += some
        phone.ask("ack", pos=some[-1]["pos"])
        phone.ask("bye")
        phone.wait_closed()
    same(got, expected)
    laptop = scene.login("laptop", "websocket")
    same(scene.got(laptop, len(expected)), expected)
