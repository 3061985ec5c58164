"""What is wrong is refused with its reason, and the session goes on where it can."""

import json

import pytest

from imdtest.clients import Refused
from imdtest.links import Closed, RawWsLink

BAD = {
    "not json": ("{op", "bad_json"),
    "empty object": ("{}", "bad_field"),
    "trailing garbage": ('{"op":"ping"} x', "bad_json"),
    "two objects": ('{"op":"ping"}{"op":"ping"}', "bad_json"),
    "duplicate key": ('{"op":"ping","op":"ping"}', "bad_json"),
    "duplicate inner key": ('{"op":"ping","x":{"a":1,"a":2}}', "bad_json"),
    "depth 33": ('{"op":"ping","x":' + "[" * 32 + "]" * 32 + "}", "bad_json"),
    "depth 5000": ('{"op":"ping","x":' + "[" * 5000 + "]" * 5000 + "}", "bad_json"),
    "NUL escape": ('{"op":"send","to":"bob","text":"a\\u0000b"}', "bad_field"),
    "lone high surrogate": ('{"op":"ping","x":"\\ud83d"}', "bad_json"),
    "lone low surrogate": ('{"op":"ping","x":"\\udc00"}', "bad_json"),
    "huge real": ('{"op":"ping","x":1e999}', "bad_json"),
    "huge integer": ('{"op":"ping","x":123456789012345678901234567890}', "bad_json"),
    "NaN": ('{"op":"ping","x":NaN}', "bad_json"),
    "single quotes": ("{'op':'ping'}", "bad_json"),
    "unterminated": ('{"op":"ping"', "bad_json"),
    "64 KiB of {},": ('{"op":"ping","x":[' + "{}," * 21000 + "{}]}", "bad_json"),
    "unknown op": ('{"op":"fly"}', "bad_op"),
    "op is not a string": ('{"op":5}', "bad_field"),
    "no op": ('{"id":1}', "bad_field"),
    "wrong type": ('{"op":"login","user":5}', "bad_field"),
    "missing field": ('{"op":"login"}', "bad_field"),
    "empty name": ('{"op":"login","user":""}', "bad_id"),
    "long name": ('{"op":"login","user":"' + "x" * 33 + '"}', "bad_id"),
    "name with space": ('{"op":"login","user":"a b"}', "bad_id"),
    "name with slash": ('{"op":"login","user":"a/b"}', "bad_id"),
    "name with newline": ('{"op":"login","user":"a\\nb"}', "bad_id"),
    "name with bidi override": ('{"op":"login","user":"a\\u202eb"}', "bad_id"),
    "name with zero width": ('{"op":"login","user":"a\\u200bb"}', "bad_id"),
    "emoji name": ('{"op":"login","user":"\U0001f431"}', "bad_id"),
    "position is a number": ('{"op":"login","user":"x","since":5}', "bad_field"),
    "position is not one": ('{"op":"login","user":"x","since":"-1"}', "bad_field"),
    "device too long": ('{"op":"hello","v":1,"device":"' + "d" * 65 + '"}', "too_long"),
}
BAD_BYTES = {
    "invalid UTF-8": (b'{"op":"ping","x":"\xff"}', {"bad_json", "bad_utf8"}),
    "overlong UTF-8": (b'{"op":"ping","x":"\xc0\xaf"}', {"bad_json", "bad_utf8"}),
    "surrogate in UTF-8": (b'{"op":"ping","x":"\xed\xa0\x80"}', {"bad_json", "bad_utf8"}),
    "truncated UTF-8": (b'{"op":"ping","x":"\xe5\xb0"}', {"bad_json", "bad_utf8"}),
    "NUL byte": (b'{"op":"ping","x":"\x00"}', {"bad_json", "bad_utf8"}),
}


@pytest.mark.parametrize("kind", ["line", "unix", "websocket"])
@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_gets_its_reason(shared, connect, kind, case):
    text, reason = BAD[case]
    im = connect(shared, kind)
    im.ask("ping")  # JSON mode
    im.link.send(text)
    error = im.event("err") if '"id"' not in text else im.reply(1)
    assert error["name"] == reason and error["retry"] is False and error["text"], error
    im.ask("ping")


@pytest.mark.parametrize("kind", ["line", "unix"])
@pytest.mark.parametrize("case", BAD_BYTES)
def test_bad_bytes_on_a_line(shared, connect, kind, case):
    data, reasons = BAD_BYTES[case]
    im = connect(shared, kind)
    im.ask("ping")
    im.link.send_bytes(data + b"\n")
    assert im.event("err")["name"] in reasons
    im.ask("ping")


@pytest.mark.parametrize("case", ["invalid UTF-8", "overlong UTF-8", "surrogate in UTF-8", "truncated UTF-8"])
def test_bad_bytes_in_a_websocket_message_close_it(shared, closing, case):
    link = closing(RawWsLink(shared.ws_port))
    link.send_bytes(RawWsLink.frame(BAD_BYTES[case][0]))
    with pytest.raises(Closed) as ended:
        link.recv()
    assert ended.value.code == 1007


def test_depth_32_passes(shared, connect):
    im = connect(shared)
    im.link.send('{"op":"ping","id":1,"x":' + "[" * 31 + "]" * 31 + "}")
    assert im.reply(1)["op"] == "ok"


@pytest.mark.parametrize("fields, reason", [
    ({"text": "x"}, "bad_field"),
    ({"to": "b"}, "bad_field"),
    ({"to": "b", "text": 5}, "bad_field"),
    ({"to": "", "text": "x"}, "bad_id"),
    ({"to": "a b", "text": "x"}, "bad_id"),
    ({"to": "#nowhere", "text": "x"}, "no_such_group"),
    ({"to": "b", "text": "x" * (16 * 1024 + 1)}, "too_long"),
    ({"to": "b", "text": "x", "cid": "c" * 65}, "too_long"),
    ({"to": "b", "text": ""}, "bad_field"),
])
def test_a_bad_send(shared, connect, name, fields, reason):
    im = connect(shared, "line", name("bad"))
    assert im.refused("send", **fields) == reason
    im.say(name("b"), "still here")


@pytest.mark.parametrize("op, fields, reason", [
    ("ack", {}, "bad_field"),
    ("ack", {"pos": 5}, "bad_field"),
    ("ack", {"pos": "x"}, "bad_field"),
    ("history", {}, "bad_field"),
    ("history", {"conv": "a b"}, "bad_id"),
    ("history", {"conv": "b", "limit": -1}, "bad_field"),
    ("history", {"conv": "b", "before": "7"}, "bad_field"),
    ("presence", {}, "bad_field"),
    ("presence", {"users": "b"}, "bad_field"),
    ("presence", {"users": ["a b"]}, "bad_id"),
    ("presence", {"users": ["b"] * 257}, "bad_field"),
])
def test_a_bad_request_of_a_user(shared, connect, name, op, fields, reason):
    im = connect(shared, "line", name("bad"))
    assert im.refused(op, **fields) == reason
    im.ask("ping")


def test_an_error_keeps_the_id_where_it_can_be_read(shared, connect):
    im = connect(shared)
    im.link.send('{"id":"abc","op":"fly"}')
    assert im.reply("abc")["name"] == "bad_op"
    im.link.send('{"id":4,"op":"login"}')
    assert im.reply(4)["name"] == "bad_field"


def test_errors_speak_the_clients_language(shared, connect):
    english, chinese = connect(shared), connect(shared)
    english.hello(lang="en")
    chinese.hello(lang="zh-CN")
    texts = []
    for im in (english, chinese):
        with pytest.raises(Refused) as refused:
            im.ask("ack", pos="1")
        texts.append(refused.value.reply["text"])
    assert texts == ["Log in first.", "请先登录。"]


@pytest.mark.parametrize("kind", ["line", "unix"])
def test_an_endless_line_is_refused(shared, connect, kind, name):
    im = connect(shared, kind, name())
    before = shared.rss_kib()
    try:
        for _ in range(64):
            im.link.send_bytes(b'x' * (1 << 17))
    except OSError:
        pass
    try:
        assert im.event("err")["name"] == "too_long"
    except Closed:
        pass
    assert shared.grew_at_most(before, 8 * 1024)
    connect(shared, kind, name("next"))


def test_an_oversized_websocket_message_is_refused(shared, closing, connect, name):
    link = closing(RawWsLink(shared.ws_port))
    link.send(json.dumps({"op": "ping", "x": "y" * (64 * 1024)}))
    with pytest.raises(Closed) as ended:
        link.recv()
    assert ended.value.code == 1009


def test_hello_of_another_version(shared, connect):
    with pytest.raises(Refused):
        connect(shared).ask("hello", v=2)


def test_refusals_are_counted_by_reason(shared, connect):
    before = shared.refused("bad_op")
    assert connect(shared).refused("fly") == "bad_op"
    assert shared.refused("bad_op") == before + 1
