"""The opening handshake: what becomes a WebSocket, and the status of what does not."""

import json
import time
import urllib.parse

import pytest
import wsraw
from wsraw import Raw, Refused, upgrade_request

CHAT = {"path": "/ws", "Sec_WebSocket_Protocol": "im.v1"}


def answer(server, request):
    with server.raw() as raw:
        raw.send(request)
        return raw.response(request.split(b" ", 1)[0].decode())


def changed(**options):
    return upgrade_request(**{**CHAT, **options})


ACCEPTED = {
    "plain": changed(),
    "case-of-tokens": changed(Upgrade="WebSocket", Connection="keep-alive, UPGRADE"),
    "several-upgrades": changed(Upgrade="h2c, websocket"),
    "several-subprotocols": changed(Sec_WebSocket_Protocol="chat, im.v1,  other"),
    "subprotocol-in-second-line": changed(Sec_WebSocket_Protocol="chat\r\nSec-WebSocket-Protocol: im.v1"),
    "own-origin": changed(host="localhost:3688", Origin="http://localhost:3688"),
    "own-origin-over-tls": changed(host="localhost", Origin="https://LOCALHOST"),
    "own-origin-below-localhost": changed(host="chat.localhost:3688", Origin="http://chat.localhost:3688"),
    "own-origin-ipv4": changed(host="127.1.2.3:3688", Origin="http://127.1.2.3:3688"),
    "own-origin-ipv6": changed(host="[::1]:3688", Origin="http://[::1]:3688"),
    "own-origin-ipv6-without-port": changed(host="[::1]", Origin="http://[::1]"),
    "other-host-without-origin": changed(host="chat.example"),
    "absolute-target": changed().replace(b"GET /ws", b"GET http://localhost/ws"),
    "query": changed(path="/ws?token=abc"),
    "empty-line-first": b"\r\n" + changed(),
    "names-in-small-letters": changed().replace(b"Upgrade:", b"upgrade:").replace(b"Host:", b"HOST:"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(server, name):
    status, headers, _ = answer(server, ACCEPTED[name])
    assert status == 101
    assert headers["sec-websocket-protocol"] == "im.v1"
    assert headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, 1.3
    assert "sec-websocket-extensions" not in headers


REFUSED = {
    "no-upgrade": (changed(drop=("Upgrade", "Connection")), 426),
    "other-upgrade": (changed(Upgrade="h2c"), 426),
    "connection-without-upgrade": (changed(Connection="keep-alive"), 400),
    "version-12": (changed(Sec_WebSocket_Version="12"), 426),
    "version-013": (changed(Sec_WebSocket_Version="013"), 426),
    "no-version": (changed(drop=("Sec-WebSocket-Version",)), 400),
    "two-versions": (changed(Sec_WebSocket_Version="13\r\nSec-WebSocket-Version: 13"), 400),
    "no-key": (changed(drop=("Sec-WebSocket-Key",)), 400),
    "two-keys": (changed(key="dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400),
    "short-key": (changed(key="dGhlIHNhbXBsZSBub25j"), 400),
    "key-of-17-bytes": (changed(key="dGhlIHNhbXBsZSBub25jZSE="), 400),
    "key-not-base64": (changed(key="dGhlIHNhbXBs*SBub25jZQ=="), 400),
    "key-not-canonical": (changed(key="dGhlIHNhbXBsZSBub25jZR=="), 400),
    "no-host": (changed(drop=("Host",)), 400),
    "two-hosts": (changed(host="localhost\r\nHost: localhost"), 400),
    "http-1.0": (changed().replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
    "head": (changed().replace(b"GET", b"HEAD"), 405),
    "post": (changed().replace(b"GET", b"POST"), 405),
    "body": (changed(Content_Length="5"), 413),
    "no-subprotocol": (changed(drop=("Sec-WebSocket-Protocol",)), 400),
    "other-subprotocol": (changed(Sec_WebSocket_Protocol="im.v2, IM.V1"), 400),
    "other-path": (changed(path="/nowhere"), 404),
    "page-path": (changed(path="/"), 404),
    "half-a-pair": (changed(path="/ws/a"), 404),
    "too-many-parts": (changed(path="/ws/a/b/c"), 404),
    "empty-user": (changed(path="/ws//b"), 400),
    "empty-target": (changed(path="/ws/a/"), 400),
    "bad-escape": (changed(path="/ws/a%2/b"), 400),
    "nul": (changed(path="/ws/a%00/b"), 400),
    "bad-utf8": (changed(path="/ws/%ff/b"), 400),
    "control": (changed(path="/ws/a%1b/b"), 400),
    "encoded-slash": (changed(path="/ws/a%2fb/c"), 400),
    "long-id": (changed(path="/ws/" + "a" * 33 + "/b"), 400),
    "very-long-id": (changed(path="/ws/" + "a" * 3000 + "/b"), 400),
    "foreign-origin": (changed(Origin="http://evil.example"), 403),
    "origin-of-another-port": (changed(host="localhost:3688", Origin="http://localhost:3689"), 403),
    "rebound-name": (changed(host="evil.example", Origin="http://evil.example"), 403),
    "rebound-name-with-port": (changed(host="evil.example:3688", Origin="http://evil.example:3688"), 403),
    "rebound-name-like-localhost": (changed(host="notlocalhost", Origin="http://notlocalhost"), 403),
    "rebound-name-like-ipv4": (changed(host="127.0.0.1.evil.example", Origin="http://127.0.0.1.evil.example"), 403),
    "rebound-name-on-a-pair": (changed(path="/ws/a/b", host="evil.example", Origin="http://evil.example"), 403),
    "origin-null": (changed(Origin="null"), 403),
    "two-origins": (changed(Origin="http://localhost\r\nOrigin: http://localhost"), 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(server, name):
    request, expected = REFUSED[name]
    status, headers, body = answer(server, request)
    assert status == expected
    assert body if name != "head" else not body
    if status == 426:
        assert headers["sec-websocket-version"] == "13"
        assert headers["upgrade"] == "websocket" and "upgrade" in headers["connection"].lower()
    if status == 405:
        assert headers["allow"] == "GET, HEAD"


def test_refusals_say_why(server):
    for name, words in {"no-subprotocol": b"im.v1", "long-id": b"user's id", "empty-target": b"target's id",
                        "no-key": b"Sec-WebSocket-Key"}.items():
        assert words in answer(server, REFUSED[name][0])[2]


def test_allowed_origins(start):
    server = start(ws={"origins": ["https://chat.example"]})
    for origin, status in (("https://chat.example", 101), ("https://CHAT.example", 101), ("http://chat.example", 403),
                           ("http://localhost", 101), ("https://chat.example.evil", 403)):
        assert answer(server, changed(Origin=origin))[0] == status
    behind_a_proxy = changed(host="chat.example", Origin="https://chat.example")
    assert answer(server, behind_a_proxy)[0] == 101
    everyone = start(ws={"origins": ["*"]})
    assert answer(everyone, changed(Origin="null"))[0] == 101
    assert everyone.imd.metric('refused_total{reason="origin_forbidden"}') == 0
    assert server.imd.metric('refused_total{reason="origin_forbidden"}') == 2


def test_frames_right_behind_the_request(server):
    for split in (False, True):
        with server.raw() as raw:
            data = upgrade_request("/echo") + wsraw.frame(wsraw.TEXT, b"early")
            for piece in wsraw.chunks(data, 1) if split else [data]:
                raw.send(piece)
            assert raw.response()[0] == 101
            assert raw.take(7) == b"\x81\x05early"


def test_echo_is_off_by_default(start):
    server = start({"debug": {"echo": False}})
    with pytest.raises(Refused) as refused:
        server.connect("/echo")
    assert refused.value.status == 404


def test_deflate_can_be_turned_off(start):
    server = start({"websocket": {"deflate": False}})
    with server.connect(extensions="permessage-deflate") as ws:
        assert ws.deflate is None


# What speaks behind it

def test_im_v1_speaks_json(server):
    with server.connect("/ws", protocol="im.v1") as ws:
        ws.send_message(wsraw.TEXT, b'{"op":"ping","id":1}')
        kind, payload = ws.event()
        assert kind == "text" and json.loads(payload)["id"] == 1
        ws.goodbye()


def test_im_v1_on_a_pair_is_logged_in(server):
    with server.connect("/ws/%E5%B0%8F%E6%98%8E/%E7%BF%A0%E8%8A%B1", protocol="im.v1") as ws:
        kind, payload = ws.event()
        assert kind == "text" and json.loads(payload)["user"] == "小明"
        ws.goodbye()


def test_classroom_ignores_other_subprotocols(server):
    with server.connect("/ws/" + urllib.parse.quote("甲") + "/%E4%B9%99", protocol="chat") as ws:
        assert "sec-websocket-protocol" not in ws.headers
        ws.send_message(wsraw.TEXT, "你好".encode())
        ws.expect(("text", "对方不在线".encode()))
        ws.goodbye()


@pytest.mark.parametrize("path, protocol", [("/ws", "im.v1"), ("/ws/bin1/bin2", None)])
def test_binary_is_not_for_chat(server, path, protocol):
    with server.connect(path, protocol=protocol) as ws:
        ws.send_message(wsraw.BINARY, b"{}")
        ws.expect_failure(1003)


def test_chat_limits(start):
    server = start({"limits": {"message": "1KiB", "text": "512", "fragments": 4, "controls": 10}})
    for path, protocol in (("/ws", "im.v1"), ("/ws/a/b", None)):
        with server.connect(path, protocol=protocol) as ws:
            ws.send_message(wsraw.TEXT, b"*" * 1025)
            ws.expect_failure(1009)
        with server.connect(path, protocol=protocol) as ws:
            ws.send(b"".join(wsraw.fragments(wsraw.TEXT, b"hello", 1)))
            ws.expect_failure(1008)
        with server.connect(path, protocol=protocol) as ws:
            ws.send(wsraw.frame(wsraw.PING, b"x") * 11)
            ws.expect(*[("pong", b"x")] * 10)
            ws.expect_failure(1008)
    assert server.imd.metric('closed_total{reason="ws_too_big"}') == 2
    assert server.imd.metric('closed_total{reason="ws_fragments"}') == 2
    assert server.imd.metric('closed_total{reason="ws_control_flood"}') == 2


# Time

def test_silent_peer_is_pinged_and_then_dropped(impatient):
    with impatient.connect() as ws:
        ws.expect(("ping", b""))
        assert ws.at_end()
    assert impatient.imd.metric('closed_total{reason="ping_timeout"}') == 1


def test_peer_that_answers_pings_stays(impatient):
    with impatient.connect() as ws:
        for _ in range(3):
            ws.expect(("ping", b""))
            ws.send(wsraw.frame(wsraw.PONG))
        ws.goodbye()


def test_message_that_never_ends_is_cut_off(impatient):
    """Signs of life keep the connection, not the message."""
    with impatient.connect() as ws:
        ws.send(wsraw.frame(wsraw.TEXT, b"begun", fin=False))
        while (event := ws.event()) == ("ping", b""):
            ws.send(wsraw.frame(wsraw.PONG))
        assert event[:2] == ("close", 1008)


def test_kicked_peer_gets_the_reason_and_finishes_the_handshake(server):
    if not server.imd:
        pytest.skip("needs imctl")
    with server.connect("/ws/kicked/friend") as ws:
        server.imd.imctl("kick", "kicked")
        event = ws.event()
        assert event[:2] == ("close", 4003) and event[2]
        ws.send(wsraw.frame(wsraw.CLOSE, wsraw.close_payload(4003)))
        assert ws.at_end()


def test_closed_peer_that_does_not_answer_is_cut_off(start):
    server = start({"websocket": {"close_timeout": "300ms"}})
    with server.connect("/ws/mute/friend") as ws:
        server.imd.imctl("kick", "mute")
        assert ws.event()[:2] == ("close", 4003)
        ws.send(wsraw.frame(wsraw.TEXT, b"I do not care"))
        assert ws.at_end()
    assert server.imd.metric('closed_total{reason="kicked"}') == 1


def test_request_head_has_a_deadline_that_bytes_do_not_move(impatient):
    began = time.monotonic()
    with impatient.raw() as raw:
        raw.sock.settimeout(0.1)
        request = upgrade_request("/echo")
        ended = False
        for i in range(len(request)):
            try:
                raw.send(request[i:i + 1])
                ended = raw.sock.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                ended = True
            break
        assert ended and 0.9 < time.monotonic() - began < 5
    assert impatient.imd.metric('closed_total{reason="upgrade_timeout"}') == 1


def test_connection_without_a_request_ends(impatient):
    with Raw(impatient.address) as raw:
        assert raw.at_end()
