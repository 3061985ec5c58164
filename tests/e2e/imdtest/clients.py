"""Clients: what a program (im.v1), a person at netcat, and the classroom page do over a link."""

import collections
import itertools
import json
import os
import re
import time

from .links import Closed, Silence
from .schema import Schema
from .wait import PATIENCE

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
with open(os.path.join(TOP, "doc", "im.v1.schema.json"), encoding="utf-8") as file:
    SCHEMA = Schema(file.read())
CHECKED = 300  # messages of one connection that are held against the schema; enough of them are alike


class Refused(AssertionError):
    def __init__(self, reply):
        super().__init__(str(reply))
        self.reply, self.name, self.code = reply, reply.get("name"), reply.get("code")


class Im:
    """A program that speaks im.v1. Keeps events and replies apart, in the order in which they came, and sees to it that
    each is as the schema says."""

    def __init__(self, link):
        self.link = link
        self.ids = itertools.count(1)
        self.events = collections.deque()
        self.replies = {}
        self.asked = {}
        self.checks = CHECKED
        self.user = None

    # requests

    def tell(self, op, **fields):
        """Asks for no reply."""
        self.link.send(json.dumps({"op": op, **fields}, ensure_ascii=False))

    def post(self, op, **fields):
        """Sends, and returns the id to wait for with reply()."""
        number = next(self.ids)
        self.asked[number] = op
        self.link.send(json.dumps({"op": op, "id": number, **fields}, ensure_ascii=False))
        return number

    def reply(self, number, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while number not in self.replies:
            self._take(end)
        return self.replies.pop(number)

    def ask(self, op, **fields):
        reply = self.reply(self.post(op, **fields))
        if reply["op"] != "ok":
            raise Refused(reply)
        return reply

    def refused(self, op, **fields):
        """Asks for what must be refused; the name of the reason."""
        reply = self.reply(self.post(op, **fields))
        assert reply["op"] == "err", reply
        return reply["name"]

    # events

    def _check(self, frame):
        op = frame["op"]
        asked = self.asked.pop(frame.get("id"), None)
        if op == "err":
            SCHEMA.check(frame, "reply-err")
        elif op != "ok":
            SCHEMA.check(frame, f"event-{op}")
        elif asked:
            SCHEMA.check(frame, f"reply-{asked}")

    def _take(self, end):
        frame = json.loads(self.link.recv(max(0.001, end - time.monotonic())))
        if self.checks > 0:
            self.checks -= 1
            self._check(frame)
        if "id" in frame:
            self.replies[frame["id"]] = frame
        else:
            self.events.append(frame)

    def event(self, op, timeout=PATIENCE):
        """The next event of this kind; earlier ones of other kinds stay."""
        end = time.monotonic() + timeout
        seen = 0
        while True:
            for at, frame in itertools.islice(enumerate(self.events), seen, None):
                if frame["op"] == op:
                    del self.events[at]
                    return frame
            seen = len(self.events)
            self._take(end)

    def msg(self, timeout=PATIENCE):
        return self.event("msg", timeout)

    def texts(self, count):
        return [self.msg()["text"] for _ in range(count)]

    def settle(self):
        """What the log had for this session is in `events`: its reads are answered in order."""
        self.ask("history", conv=self.user, limit=1) if self.user else self.ask("ping")
        return self

    def pending(self, op="msg"):
        self.settle()
        return [e for e in self.events if e["op"] == op]

    # habits

    def hello(self, device=None, lang=None, agent=None):
        fields = {"device": device, "lang": lang, "agent": agent}
        return self.ask("hello", v=1, **{k: v for k, v in fields.items() if v is not None})

    def login(self, user, device=None, **fields):
        if device is not None:
            self.hello(device)
        reply = self.ask("login", user=user, **fields)
        self.user = user
        return reply

    def say(self, to, text, **fields):
        return self.ask("send", to=to, text=text, **fields)

    def wait_closed(self, timeout=PATIENCE):
        """Reads on until the end of the connection; the Closed."""
        end = time.monotonic() + timeout
        while True:
            try:
                self._take(end)
            except Closed as closed:
                return closed

    def close(self):
        self.link.close()


class Human:
    """A person at netcat."""

    def __init__(self, link):
        self.link = link

    def type(self, line):
        self.link.send(line)

    def expect(self, pattern, timeout=PATIENCE):
        """Reads lines until one matches; the match. What was skipped is in the failure's message."""
        end, skipped = time.monotonic() + timeout, []
        while True:
            try:
                line = self.link.recv(max(0.001, end - time.monotonic()))
            except (Silence, Closed) as error:
                raise AssertionError(f"no line like {pattern!r} came, but {skipped!r}, then: {error}") from None
            found = re.search(pattern, line)
            if found:
                return found
            skipped.append(line)

    def next_line(self, timeout=PATIENCE):
        return self.link.recv(timeout)

    def login(self, user):
        self.type(f"/login {user}")
        self.expect(rf"^\* .*{re.escape(user)}")

    def wait_closed(self, timeout=PATIENCE):
        return self.link.wait_closed(timeout)

    def close(self):
        self.link.close()
