"""RFC 6455 and 7692 in bulk: large messages, many messages, compression. IM_FULL=1 sends 1,000 messages in each case."""

import json
import os
import random
import zlib

import pytest
from wsraw import BINARY, TEXT, Refused, chunks, fragments, frame

FULL = bool(os.environ.get("IM_FULL"))
COUNT = 1000 if FULL else 4
KIB, MIB = 1024, 1024 * 1024
KINDS = {TEXT: ("text", b"*"), BINARY: ("binary", b"\xfe")}


# 9: limits and performance

def big_cases():
    for group, opcode in ((1, TEXT), (2, BINARY)):
        for i, size in enumerate((64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB), 1):
            yield pytest.param(opcode, size, 0, 0, id=f"9.{group}.{i}")
    for group, opcode in ((3, TEXT), (4, BINARY)):
        for i, size in enumerate((64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB), 1):
            yield pytest.param(opcode, 4 * MIB, size, 0, id=f"9.{group}.{i}")
    for group, opcode in ((5, TEXT), (6, BINARY)):
        for i, size in enumerate((64, 128, 256, 512, 1024, 2048), 1):
            yield pytest.param(opcode, MIB, 0, size, id=f"9.{group}.{i}")


@pytest.mark.parametrize("opcode, size, fragment, chop", big_cases())
def test_big_message(ws, opcode, size, fragment, chop):
    kind, octet = KINDS[opcode]
    payload = octet * size
    data = b"".join(fragments(opcode, payload, fragment)) if fragment else frame(opcode, payload)
    for piece in chunks(data, chop) if chop else [data]:
        ws.send(piece)
    event = ws.event()
    assert event[0] == kind and event[1] == payload
    ws.goodbye()


def many_cases():
    for group, opcode in ((7, TEXT), (8, BINARY)):
        for i, size in enumerate((0, 16, 64, 256, 1024, 4096), 1):
            yield pytest.param(opcode, size, id=f"9.{group}.{i}")


@pytest.mark.parametrize("opcode, size", many_cases())
def test_many_messages(ws, opcode, size):
    kind, octet = KINDS[opcode]
    for _ in range(1000):
        ws.send(frame(opcode, octet * size))
        assert ws.event() == (kind, octet * size)
    ws.goodbye()


def test_many_messages_at_once_meet_backpressure(ws):
    """Nobody reads: the server stops reading, and loses nothing."""
    payload = b"*" * 4096
    ws.sock.settimeout(0.5)
    sent = 0
    one = frame(TEXT, payload)
    with pytest.raises(TimeoutError):
        rest = b""
        while True:
            rest = rest or one
            done = ws.sock.send(rest)
            sent += done == len(rest)
            rest = rest[done:]
            assert sent < 100_000, "the server takes whatever comes"
    ws.sock.settimeout(20)
    for _ in range(sent):
        assert ws.event() == ("text", payload)
        if rest:
            ws.sock.setblocking(True)
            ws.send(rest)
            rest = b""
            sent += 1
    assert ws.event() == ("text", payload)
    ws.goodbye()


def test_autofragmented_message(ws):
    """10.1.1"""
    payload = b"*" * 65536
    ws.send_message(TEXT, payload, fragment=1300)
    assert ws.event() == ("text", payload)
    ws.goodbye()


# 12 and 13: compression

SIZES = [(16, 0), (64, 0), (256, 0), (1024, 0), (4096, 0), (8192, 0), (16384, 0), (32768, 0), (65536, 0), (131072, 0),
         (8192, 256), (16384, 256), (32768, 256), (65536, 256), (131072, 256), (131072, 1024), (131072, 4096),
         (131072, 32768)]

WORDS = "聊天 喵喵号 die Verwandlung the quick brown fox jumps над ленивой собакой ζαφείρι προφταίνω 😀 message".split()


def material(kind):
    """Two million bytes or so of it, the same every time."""
    chance = random.Random(f"rfc7692-{kind}")
    if kind == "json":
        rows = [{"op": "msg", "seq": i, "from": chance.choice(WORDS), "n": chance.random()} for i in range(20000)]
        return json.dumps(rows, ensure_ascii=True).encode()
    if kind == "utf8":
        return " ".join(chance.choice(WORDS) for _ in range(150000)).encode()
    if kind == "html":
        return b"".join(b"<p class=\"c%d\">%s</p>\n" % (chance.randrange(9), chance.choice(WORDS).encode())
                        for _ in range(40000))
    if kind == "ascii":
        return " ".join("%s%d" % (chance.choice(["alpha", "beta", "gamma"]), chance.randrange(1000))
                        for _ in range(200000)).encode()
    row = bytearray(512)  # an image: neighbours are alike, no two equal
    out = bytearray()
    for _ in range(3000):
        for x in range(512):
            row[x] = (row[x] + row[x - 1] + chance.randrange(5)) // 2 & 0xff
        out += row
    return bytes(out)


@pytest.fixture(scope="module")
def materials():
    made = {}

    def get(kind):
        if kind not in made:
            made[kind] = material(kind)
        return made[kind]

    return get


def slices(data, size, text):
    at = 0
    while True:
        if at + size > len(data):
            at = 0
        part = data[at:at + size]
        at += size
        yield part.decode("utf-8", "ignore").encode() if text else part


def exchange(ws, data, size, fragment, opcode, count=COUNT):
    parts = slices(data, size, opcode == TEXT)
    kind = KINDS[opcode][0]
    for _ in range(count):
        part = next(parts)
        ws.send_message(opcode, part, fragment)
        event = ws.event()
        assert event[0] == kind and event[1] == part
    if size >= 1024:
        assert ws.packed_frames == count, "the server compresses what it can"
    ws.goodbye()


DEFAULT_OFFER = "permessage-deflate; client_no_context_takeover; client_max_window_bits"


@pytest.mark.parametrize("size, fragment", SIZES)
@pytest.mark.parametrize("kind, opcode", [pytest.param("json", TEXT, id="12.1"), pytest.param("utf8", TEXT, id="12.2"),
                                          pytest.param("html", BINARY, id="12.3"), pytest.param("ascii", TEXT, id="12.4"),
                                          pytest.param("image", BINARY, id="12.5")])
def test_compressed(server, materials, kind, opcode, size, fragment):
    with server.connect(extensions=DEFAULT_OFFER) as ws:
        assert ws.deflate is not None
        exchange(ws, materials(kind), size, fragment, opcode)


def offer(plain, bits):
    return DEFAULT_OFFER + ("; server_no_context_takeover" if plain else "") + (
        f"; server_max_window_bits={bits}" if bits else "")


OFFERS = [
    pytest.param([(False, 0)], id="13.1"),
    pytest.param([(True, 0)], id="13.2"),
    pytest.param([(False, 9)], id="13.3"),
    pytest.param([(False, 15)], id="13.4"),
    pytest.param([(True, 9)], id="13.5"),
    pytest.param([(True, 15)], id="13.6"),
    pytest.param([(True, 9), (True, 15), (False, 0)], id="13.7"),
]


@pytest.mark.parametrize("size, fragment", SIZES)
@pytest.mark.parametrize("offers", OFFERS)
def test_negotiated(server, materials, offers, size, fragment):
    with server.connect(extensions=", ".join(offer(*o) for o in offers)) as ws:
        plain, bits = offers[0]
        if plain:
            assert "server_no_context_takeover" in ws.deflate
        assert ws.deflate.get("server_max_window_bits", "0") == str(bits)
        exchange(ws, materials("json"), size, fragment, TEXT)


@pytest.mark.parametrize("bits", range(9, 16))
def test_every_window_size(server, materials, bits):
    with server.connect(extensions=f"permessage-deflate; server_max_window_bits={bits}") as ws:
        assert ws.deflate["server_max_window_bits"] == str(bits)
        exchange(ws, materials("utf8"), 40000, 0, TEXT)


@pytest.mark.parametrize("client", ["", "; client_no_context_takeover"])
@pytest.mark.parametrize("own", ["", "; server_no_context_takeover", "; server_max_window_bits=10"])
def test_windows_kept_between_messages(start, materials, client, own):
    server = start({"websocket": {"deflate_takeover": True, "deflate_min": 0}})
    with server.connect(extensions="permessage-deflate" + client + own) as ws:
        assert ("client_no_context_takeover" in ws.deflate) == bool(client)
        assert ("server_no_context_takeover" in ws.deflate) == ("server_no" in own)
        parts = slices(materials("json"), 5000, True)
        for _ in range(20):
            part = next(parts)
            ws.send_message(TEXT, part)
            assert ws.event() == ("text", part)
        noise = random.Random(1).randbytes(3000)
        for payload in (noise, b"after noise " * 40, noise, b"after noise " * 40, b""):
            ws.send_message(BINARY, payload)
            assert ws.event() == ("binary", payload)
        ws.goodbye()


DECLINED = [
    "permessage-deflate; server_max_window_bits=8",
    "permessage-deflate; server_max_window_bits",
    "permessage-deflate; server_max_window_bits=16",
    "permessage-deflate; server_max_window_bits=09",
    "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
    "permessage-deflate; client_max_window_bits=7",
    "permessage-deflate; client_max_window_bits=abc",
    "permessage-deflate; client_no_context_takeover=1",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; unknown",
    "x-webkit-deflate-frame",
    "permessage-bzip2, permessage-deflate; unknown=1",
]


@pytest.mark.parametrize("extensions", DECLINED)
def test_offer_that_cannot_be_met_is_declined(server, extensions):
    with server.connect(extensions=extensions) as ws:
        assert ws.deflate is None
        ws.send(frame(TEXT, b"*" * 1000))
        ws.expect(("text", b"*" * 1000))
        ws.send(frame(TEXT, b"", rsv=4))
        ws.expect_failure(1002)


@pytest.mark.parametrize("extensions, bits", [
    ("permessage-deflate; unknown, permessage-deflate; server_max_window_bits=10", "10"),
    ("permessage-deflate; server_max_window_bits=8, permessage-deflate", None),
    ('permessage-deflate; server_max_window_bits="11"', "11"),
    ("foo; a=b; c=\"d\", , permessage-deflate;server_max_window_bits=12;client_max_window_bits=9", "12"),
])
def test_first_offer_that_can_be_met_is_taken(server, extensions, bits):
    with server.connect(extensions=extensions) as ws:
        assert ws.deflate.get("server_max_window_bits") == bits


@pytest.mark.parametrize("extensions", ["permessage-deflate; =1", "permessage-deflate;", "permessage deflate", 'a; b="c',
                                        "permessage-deflate; server_max_window_bits="])
def test_malformed_extensions_are_refused(server, extensions):
    with pytest.raises(Refused) as refused:
        server.connect(extensions=extensions)
    assert refused.value.status == 400


# What may be inside a compressed message

def raw_deflate(payload, **options):
    z = zlib.compressobj(9, zlib.DEFLATED, -15, **options)
    return z.compress(payload) + z.flush(zlib.Z_SYNC_FLUSH)


@pytest.fixture
def packed(server):
    with server.connect(extensions="permessage-deflate") as ws:
        yield ws


@pytest.mark.parametrize("payload, plain", [
    pytest.param(b"\x00", b"", id="empty-block"),
    pytest.param(b"", b"", id="nothing"),
    pytest.param(bytes.fromhex("f248cdc9c90700"), b"Hello", id="rfc7692-7.2.3.1"),
    pytest.param(bytes.fromhex("000500faff48656c6c6f00"), b"Hello", id="rfc7692-7.2.3.3-stored"),
    pytest.param(bytes.fromhex("f348cdc9c9070000"), b"Hello", id="rfc7692-7.2.3.4-final"),
    pytest.param(bytes.fromhex("f248050000 00ffff cac9c90700".replace(" ", "")), b"Hello", id="rfc7692-7.2.3.5-blocks"),
    pytest.param(b"\x03\x00" * 3000 + b"\x00", b"", id="final-blocks"),
    pytest.param(raw_deflate(b"x" * 1000)[:-4], b"x" * 1000, id="long-run"),
])
def test_compressed_forms(packed, payload, plain):
    for fragment in (0, 1):
        packed.send(b"".join(fragments(TEXT, payload, fragment or 1 << 20, rsv=4)))
        packed.expect(("text", plain))
    packed.goodbye()


def test_compressed_and_plain_messages_mix(packed):
    for i in range(10):
        payload = b"message %d " % i * 60
        packed.send_message(TEXT, payload, packed=i % 2 == 0)
        packed.expect(("text", payload))
    packed.goodbye()


@pytest.mark.parametrize("payload", [b"\x07", b"\xff\xff\xff", b"\x01\x05\x00\x00\x00hello", b"\x05\x00" + b"\xee" * 40],
                         ids=["block-type-3", "ones", "bad-stored-length", "bad-codes"])
def test_corrupt_data_fails(packed, payload):
    packed.send(frame(TEXT, payload, rsv=4))
    packed.expect_failure(1007)


def test_truncated_data_fails(packed):
    packed.send(frame(TEXT, raw_deflate(bytes(range(32, 127)) * 3)[:40], rsv=4))
    packed.expect_failure(1007)


@pytest.mark.parametrize("size", [0, 1])
def test_invalid_text_within_compressed_data_fails(packed, size):
    packed.send(b"".join(fragments(TEXT, raw_deflate(b"fine so far \xff")[:-4], size or 1 << 20, rsv=4)))
    packed.expect_failure(1007)


def test_bomb_is_stopped_while_it_inflates(server):
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = z.compress(bytes(80 * MIB)) + z.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < 100 * KIB
    with server.connect(extensions="permessage-deflate") as ws:
        ws.send(frame(BINARY, bomb[:-4], rsv=4))
        ws.expect_failure(1009)


def test_message_of_exactly_the_limit_passes(start):
    server = start({"debug": {"echo": True, "echo_message": "64KiB", "echo_fragments": 8}})
    payload = random.Random(2).randbytes(65536)
    with server.connect(extensions="permessage-deflate") as ws:
        for packed in (False, True):
            ws.send_message(BINARY, payload, packed=packed)
            ws.expect(("binary", payload))
            ws.send_message(BINARY, payload, fragment=10000, packed=packed)
            ws.expect(("binary", payload))
        ws.send_message(BINARY, bytes(65536))
        ws.expect(("binary", bytes(65536)))
    for packed in (False, True):
        with server.connect(extensions="permessage-deflate") as ws:
            ws.send_message(BINARY, bytes(65537), packed=packed)
            ws.expect_failure(1009)
    with server.connect() as ws:
        ws.send(b"".join(fragments(TEXT, b"*" * 9, 1)))
        ws.expect_failure(1008)
