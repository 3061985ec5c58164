"""Deadlines are absolute, connections are capped, origins are checked."""

import os
import resource
import time

import pytest

from imdtest.clients import Im
from imdtest.daemon import Imd
from imdtest.links import Closed, LineLink, RawWsLink, WsLink, dial, drain_socket
from imdtest.wait import PATIENCE, until

SHORT_MS = 600
SHORT = f"{SHORT_MS}ms"
CLIENT_HELLO = bytes.fromhex("16030100f8010000f40303") + b"\x00" * 300


def dribble(sock, data, every=0.05):
    """Sends one byte at a time until the server ends the connection; how long that took, and what it said."""
    start, said = time.monotonic(), b""
    sock.settimeout(every)
    for byte in data * 1000:
        try:
            sock.sendall(bytes([byte]))
            while True:
                got = sock.recv(4096)
                if not got:
                    return time.monotonic() - start, said
                said += got
        except TimeoutError:
            pass
        except OSError:
            return time.monotonic() - start, said
        assert time.monotonic() - start < PATIENCE, "still connected"
    raise AssertionError("out of bytes")


def in_time(took):
    assert SHORT_MS / 1000 - 0.2 <= took <= SHORT_MS / 1000 + PATIENCE / 5, took


def closed_by(daemon, reason):
    until(lambda: daemon.closed(reason) >= 1, f"a connection to be counted as closed by {reason}")


@pytest.fixture
def hasty(imd, certificate):
    return imd({"auth": {"login_timeout": SHORT, "human_timeout": SHORT}, "http": {"head_timeout": SHORT, "idle_timeout": SHORT},
                "tls": {"handshake_timeout": SHORT}, "websocket": {"close_timeout": "200ms"}}, tls=certificate)


@pytest.mark.parametrize("place", ["wss", "line"])
def test_a_tls_handshake_one_byte_at_a_time(hasty, closing, place):
    sock = closing(dial(hasty.wss_port if place == "wss" else hasty.line_tls_port))
    in_time(dribble(sock, CLIENT_HELLO)[0])
    closed_by(hasty, "tls_timeout")


def test_a_silent_tls_handshake(hasty, closing):
    sock = closing(dial(hasty.line_tls_port))
    start = time.monotonic()
    drain_socket(sock)
    in_time(time.monotonic() - start)


@pytest.mark.parametrize("tls", [False, True])
def test_a_request_head_one_byte_at_a_time(hasty, closing, tls):
    sock = closing(dial(hasty.wss_port, hasty.tls_context) if tls else dial(hasty.ws_port))
    took, said = dribble(sock, b"GET /ws HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"y" * 4000)
    in_time(took)
    assert said == b"" or said.startswith(b"HTTP/1.1 408 ")
    closed_by(hasty, "upgrade_timeout")


@pytest.mark.parametrize("place", ["line", "unix", "line-tls"])
@pytest.mark.parametrize("data", [b'{"op":"login","user":"' + b"x" * 4000, b"/login " + b"x" * 4000, b'{"op":"ping"}\n', b"\n"],
                         ids=["half a login", "half a command", "pings", "empty lines"])
def test_a_login_that_never_comes_on_a_line(hasty, closing, place, data):
    sock = closing({"line": lambda: dial(hasty.line_port), "unix": lambda: dial(hasty.unix_path),
                    "line-tls": lambda: dial(hasty.line_tls_port, hasty.tls_context)}[place]())
    in_time(dribble(sock, data)[0])
    closed_by(hasty, "login_timeout")


def test_a_websocket_login_that_never_comes(hasty, closing):
    link = closing(RawWsLink(hasty.ws_port))
    frame = RawWsLink.frame(b'{"op":"ping","id":1}')
    in_time(dribble(link.socket, frame)[0])
    closed_by(hasty, "login_timeout")
    link = closing(RawWsLink(hasty.ws_port))
    assert link.wait_closed()[1].code == 1008


def test_who_is_logged_in_has_all_the_time(hasty, connect):
    ims = [connect(hasty, kind, "a") for kind in ("line", "unix", "websocket", "line-tls", "websocket-tls")]
    sock = dial(hasty.line_port)  # its end is the clock
    drain_socket(sock)
    for im in ims:
        im.ask("ping")


def test_an_idle_http_connection_is_closed(hasty, closing):
    sock = closing(dial(hasty.ws_port))
    sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    start = time.monotonic()
    assert drain_socket(sock).startswith(b"HTTP/1.1 200 ")
    in_time(time.monotonic() - start)


def test_a_person_has_longer_than_a_program(imd, human, connect):
    daemon = imd({"auth": {"login_timeout": "300ms", "human_timeout": "1h"}})
    person, program = human(daemon), connect(daemon, "line")
    person.type("/help")
    program.ask("ping")
    assert program.wait_closed()
    person.login("a")


# caps

def refused_at_the_door(daemon, kind="line"):
    """Whether a new connection gets no service."""
    try:
        if kind == "websocket":
            return RawWsLink(daemon.ws_port).status != 101
        link = LineLink(daemon.unix_path if kind == "unix" else daemon.line_port)
        link.send('{"op":"ping","id":1}')
        return '"ok"' not in link.recv()
    except (Closed, OSError):
        return True


def test_connections_are_capped_in_all(imd, connect):
    daemon = imd({"limits": {"connections": 6}})
    here = [connect(daemon, kind, "a") for kind in ("line", "unix", "websocket") * 2]
    for kind in ("line", "unix", "websocket"):
        assert refused_at_the_door(daemon, kind), kind
    for im in here:
        im.ask("ping")
    assert daemon.online()["sessions"] == 6
    assert daemon.refused("full") >= 3
    here.pop().close()
    until(lambda: not refused_at_the_door(daemon), "a place to be free again")


def test_connections_are_capped_per_address(imd, connect):
    daemon = imd({"limits": {"per_address": 3, "count_loopback": True}})
    here = [connect(daemon, kind, "a") for kind in ("line", "line", "websocket")]
    assert refused_at_the_door(daemon) and refused_at_the_door(daemon, "websocket")
    assert daemon.refused("full_address") == 2
    connect(daemon, "unix", "b")
    connect(daemon, "line", "c", source="127.0.0.2")
    here.pop(0).close()
    until(lambda: not refused_at_the_door(daemon), "a place to be free again")


def test_loopback_is_not_capped_by_default(imd, connect):
    daemon = imd({"limits": {"per_address": 2}})
    for _ in range(5):
        connect(daemon, "line", "a")


def test_running_out_of_descriptors_pauses_accepting(imd, connect):
    daemon = imd({"limits": {"descriptor_reserve": 16}})
    hold = [connect(daemon, "line", "a")]
    used = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (used + 4, used + 4))
    socks = [dial(daemon.line_port) for _ in range(12)]
    hold[0].ask("ping")
    for sock in socks:
        sock.close()
    connect(daemon, "line", "b").say("a", "back again")
    assert hold[0].msg()["text"] == "back again"


# origins

@pytest.mark.parametrize("origin, status", [
    (None, 101),
    ("http://{host}", 101),
    ("https://friend.example", 101),
    ("https://friend.example:8443", 403),
    ("https://evil.example", 403),
    ("https://friend.example.evil.example", 403),
    ("http://friend.example", 403),
    ("null", 403),
    ("http://{host}.evil.example", 403),
])
@pytest.mark.parametrize("path", ["/ws", "/ws/a/b"])
def test_a_foreign_page_may_not_connect(origin_imd, closing, path, origin, status):
    host = f"127.0.0.1:{origin_imd.ws_port}"
    headers = [f"Origin: {origin.format(host=host)}"] if origin else []
    link = closing(RawWsLink(origin_imd.ws_port, path, "im.v1" if path == "/ws" else None, headers=headers))
    assert link.status == status, link.head


@pytest.fixture(scope="module")
def origin_imd():
    daemon = Imd(ws={"origins": ["https://friend.example"]})
    yield daemon
    daemon.close()


def test_the_origins_list_may_allow_all(imd, closing):
    daemon = imd(ws={"origins": ["*"]})
    assert closing(RawWsLink(daemon.ws_port, headers=["Origin: https://anything.example"])).status == 101


# keepalive

def test_a_peer_that_answers_no_ping_is_gone(imd, closing, connect):
    daemon = imd({"websocket": {"ping": "200ms", "pong_timeout": "700ms"}})
    link = closing(RawWsLink(daemon.ws_port))
    link.send('{"op":"login","id":1,"user":"mute"}')
    assert link.recv_frame()[0] == RawWsLink.TEXT
    assert link.recv_frame()[0] == RawWsLink.PING
    alive = closing(WsLink(daemon.ws_url()))
    Im(alive).login("alive")
    until(lambda: daemon.online()["sessions"] == 1, "the mute peer to be given up")
    closed_by(daemon, "ping_timeout")
    Im(alive).ask("ping")


def test_a_hard_limit_says_which_it_is(imd, connect):
    daemon = imd({"limits": {"sessions_per_user": 1, "blocked": 1, "reports": 1}, "groups": {"per_user": 1},
                  "messages": {"reactions": 1}})
    a = connect(daemon, "line", "a")
    a.say("b", "hello")

    def detail(im, op, **fields):
        reply = im.reply(im.post(op, **fields))
        assert (reply["op"], reply["name"]) == ("err", "too_many"), reply
        return reply["detail"]

    a.ask("group", do="create", conv="#one")
    a.ask("react", conv="b", seq=1, emoji="👍", on=True)
    a.ask("block", user="c", on=True)
    a.ask("report", user="d", text="rude")
    assert detail(a, "group", do="create", conv="#two") == "groups of one user: at most 1"
    assert detail(a, "react", conv="b", seq=1, emoji="🎉", on=True) == "different reactions to a message: at most 1"
    assert detail(a, "block", user="d", on=True) == "blocked users: at most 1"
    assert detail(a, "report", user="e", text="rude") == "reports that are open: at most 1"
    assert detail(connect(daemon, "line"), "login", user="a") == "sessions of one user: at most 1"
