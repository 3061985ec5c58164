"""A server with many clients is emptied at a gentle pace."""

import json
import resource
import selectors
import socket
import subprocess
import time

import pytest

from imdtest.daemon import find_program
from imdtest.wait import until

SESSIONS = 5000
RATE = 2000


@pytest.fixture
def room():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < SESSIONS + 500:
        pytest.skip(f"this system allows {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, SESSIONS + 500), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Crowd:
    """Bare clients over TCP: what each is told, and when."""

    def __init__(self, port, size):
        self.selector, self.heard, self.open = selectors.DefaultSelector(), {}, 0
        for n in range(size):
            s = socket.create_connection(("127.0.0.1", port))
            s.sendall(json.dumps({"op": "login", "id": 1, "user": f"u{n}"}).encode() + b"\n")
            self.heard[s] = b""
            self.selector.register(s, selectors.EVENT_READ)
            self.open += 1

    def listen(self, seconds=0.1):
        for key, _ in self.selector.select(seconds):
            data = key.fileobj.recv(65536)
            self.heard[key.fileobj] += data
            if not data:
                self.selector.unregister(key.fileobj)
                key.fileobj.close()
                self.open -= 1

    def told(self, what):
        return sum(what in text for text in self.heard.values())

    def close(self):
        for s in self.heard:
            s.close()
        self.selector.close()


def test_thousands_are_sent_away_at_the_rate_that_was_asked_for(imd, closing, room):
    daemon = imd({"log": {"level": "warn"}, "shutdown": {"deadline": "5s"}})
    crowd = closing(Crowd(daemon.line_port, SESSIONS))
    until(lambda: crowd.listen() or crowd.told(b'"op":"ok"') == SESSIONS, "everybody to be logged in")
    assert daemon.online() == {"users": SESSIONS, "sessions": SESSIONS,
                               "transports": {"websocket": 0, "line": SESSIONS, "unix": 0}}
    began = time.monotonic()
    command = [find_program("imctl", "IMCTL"), "-s", daemon.admin_path, "drain", "--rate", str(RATE), "--deadline", "60s", "-y"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        until(lambda: crowd.listen() or crowd.told(b'"bye"') > 0, "the first to be told")
        assert crowd.told(b'"bye"') < SESSIONS / 2, "not all at once"
        until(lambda: crowd.listen() or crowd.open == 0, "everybody to be gone")
        took = time.monotonic() - began
        assert daemon.wait_exit() == 0
    assert took > 0.8 * SESSIONS / RATE, f"{took} s"
    byes = [text.splitlines()[-1] for text in crowd.heard.values()]
    assert all(json.loads(bye)["op"] == "bye" and json.loads(bye)["reconnect"] is True for bye in byes)
