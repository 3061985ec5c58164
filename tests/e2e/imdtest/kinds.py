"""The kinds of chat clients, each a person with one peer, so that any two can be put together in a table."""

import re
from urllib.parse import quote

from .clients import Human, Im
from .links import LineLink, NcLink, RawWsLink, WsLink
from .wait import until

AWAY = "对方不在线"


class JsonChat:
    def __init__(self, link, me, peer, login=True):
        self.me, self.peer, self.im = me, peer, Im(link)
        if login:
            self.im.login(me)
        else:
            first = self.im.event("ok")
            assert first["user"] == me and "id" not in first, first
            self.im.user = me

    def say(self, text):
        """True when the peer was there."""
        return self.im.say(self.peer, text)["online"]

    def hear(self, text, sender=None):
        """The next message must be this one; own ones, which other devices of a user get too, do not count."""
        event = self.im.msg()
        while event["from"] == self.me and self.peer != self.me:
            event = self.im.msg()
        assert (event["text"], event["from"]) == (text, sender or self.peer), event

    def nothing_more(self):
        assert [e for e in self.im.pending() if e["from"] != self.me] == []

    def close(self):
        self.im.close()


class HumanChat:
    def __init__(self, link, me, peer):
        self.me, self.peer, self.human = me, peer, Human(link)
        self.human.login(me)
        self.human.type(f"/to {peer}")
        self.said = False

    def say(self, text):
        self.human.type(text)
        return None  # told by a line only when the peer is away

    def expect_away(self):
        self.human.expect(rf"^\* {re.escape(self.peer)} is away; your message waits")

    def hear(self, text, sender=None):
        found = self.human.expect(r"^\d\d:\d\d (?P<from>[^:*]+): (?P<text>.*)$")
        assert (found["text"], found["from"]) == (text, sender or self.peer), found[0]

    def nothing_more(self):
        self.human.type("/history 1")  # is answered after what the log had, with a date before the time
        while not re.match(r"\d{4}-\d\d-\d\d ", line := self.human.next_line()):
            assert not re.match(r"\d\d:\d\d ", line), line

    def close(self):
        self.human.close()


class Classroom:
    def __init__(self, imd, link, me, peer):
        self.me, self.peer, self.link = me, peer, link
        until(lambda: any(s["state"] in ("live", "behind") for s in imd.imctl("sessions", me)["sessions"]),
              f"{me} to be logged in")  # nothing on this endpoint says so

    def say(self, text):
        self.link.send(text)
        return None

    def hear(self, text, sender=None):
        line = self.link.recv()
        assert line == (text if sender in (None, self.peer) else f"{sender}: {text}"), line

    def expect_away(self):
        assert self.link.recv() == AWAY

    def close(self):
        self.link.close()


def classroom_path(me, peer):
    return f"/ws/{quote(me, safe='')}/{quote(peer, safe='')}"


KINDS = {
    "nc": lambda imd, me, peer: HumanChat(NcLink("127.0.0.1", str(imd.line_port)), me, peer),
    "nc-U": lambda imd, me, peer: HumanChat(NcLink("-U", imd.unix_path), me, peer),
    "line-json": lambda imd, me, peer: JsonChat(LineLink(imd.line_port), me, peer),
    "unix-json": lambda imd, me, peer: JsonChat(LineLink(imd.unix_path), me, peer),
    "websocket": lambda imd, me, peer: JsonChat(WsLink(imd.ws_url()), me, peer),
    "url-json": lambda imd, me, peer: JsonChat(WsLink(imd.ws_url(classroom_path(me, peer))), me, peer, login=False),
    "classroom": lambda imd, me, peer: Classroom(imd, WsLink(imd.ws_url(classroom_path(me, peer)), None), me, peer),
    "classroom-raw": lambda imd, me, peer: Classroom(imd, RawWsLink(imd.ws_port, classroom_path(me, peer), None), me, peer),
}


def transport_of(kind):
    """What imctl counts a kind under."""
    return {"nc": "line", "line-json": "line", "nc-U": "unix", "unix-json": "unix"}.get(kind, "websocket")


# the same protocol over every transport, TLS off and on
LINKS = {
    "line": lambda imd, **o: LineLink(imd.line_port, **o),
    "unix": lambda imd, **o: LineLink(imd.unix_path, **o),
    "websocket": lambda imd, **o: WsLink(imd.ws_url(), **o),
    "line-tls": lambda imd, **o: LineLink(imd.line_tls_port, imd.tls_context, **o),
    "websocket-tls": lambda imd, **o: WsLink(imd.ws_url(tls=True), context=imd.tls_context, **o),
}
