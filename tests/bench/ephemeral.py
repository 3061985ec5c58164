"""What is told and not kept: that somebody is typing."""

import json
import os
import socket
import time

BATCH = 1000  # events under way at a time, when it is about CPU


class Talker:
    def __init__(self, server, name):
        host, _, port = server.urls["tcp"].removeprefix("tcp://").rpartition(":")
        self.socket = socket.create_connection((host, int(port)), 20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        self.tell({"op": "login", "id": 1, "user": name})
        while json.loads(self.line()).get("id") != 1:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def tell(self, *requests):
        self.socket.sendall(b"".join(json.dumps(request).encode() + b"\n" for request in requests))

    def more(self):
        got = self.socket.recv(1 << 20)
        assert got, "the server is gone"
        return got

    def line(self):
        while b"\n" not in self.rest:
            self.rest += self.more()
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def lines(self, count):
        """So many, and whether each is of the kind that was asked for is for whoever counts more closely."""
        assert self.rest == b""
        while count > 0:
            count -= self.more().count(b"\n")
        assert count == 0, "more than there should be"


def measure(server, seconds):
    """{ cpu_us: of the server for each, per_second, p50_us: one at a time }"""
    with Talker(server, "ann") as ann, Talker(server, "bob") as bob:
        events = [{"op": "typing", "conv": "bob", "on": n % 2 == 0} for n in range(BATCH)]
        for event in events[:2]:
            ann.tell(event)
            assert json.loads(bob.line()) | {"for": 0} == {"op": "typing", "conv": "ann", "user": "ann", "on": event["on"], "for": 0}
        took = []
        for n in range(500):
            start = time.perf_counter()
            ann.tell(events[n % 2])
            bob.line()
            took.append((time.perf_counter() - start) * 1e6)
        batch = b"".join(json.dumps(event).encode() + b"\n" for event in events)
        before, start, count = sum(server.times()), time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            ann.socket.sendall(batch)
            bob.lines(BATCH)
            count += BATCH
        spent = (sum(server.times()) - before) / os.sysconf("SC_CLK_TCK")
        return {"cpu_us": spent * 1e6 / count, "per_second": count / (time.perf_counter() - start), "p50_us": sorted(took)[len(took) // 2]}
