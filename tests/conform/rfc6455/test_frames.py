"""RFC 6455: framing, control frames, fragmentation, UTF-8 and closing, case by case."""

import time

import pytest
from wsraw import BINARY, CLOSE, CONT, PING, PONG, TEXT, WebSocket, close_payload, frame, parse_hex

HELLO = b"Hello, world!"


def case(name, frames, expect=(), fails=None, chop=0):
    """Sends frames; expects these events, and then the failure, or that a clean close follows."""
    return pytest.param(frames, list(expect), fails, chop, id=name)


def text(payload, **options):
    return frame(TEXT, payload, **options)


def echoes():
    """1: unfragmented messages."""
    for group, opcode, kind, octet in ((1, TEXT, "text", b"*"), (2, BINARY, "binary", b"\xfe")):
        sizes = [(0, 0), (125, 0), (126, 0), (127, 0), (128, 0), (65535, 0), (65536, 0), (65536, 997)]
        for i, (n, chop) in enumerate(sizes, 1):
            yield case(f"1.{group}.{i}", [frame(opcode, octet * n)], [(kind, octet * n)], chop=chop)


def pings():
    """2: pings and pongs."""
    odd = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
    many = [b"payload-%d" % i for i in range(10)]
    ten = [frame(PING, p) for p in many], [("pong", p) for p in many]
    yield case("2.1", [frame(PING)], [("pong", b"")])
    yield case("2.2", [frame(PING, HELLO)], [("pong", HELLO)])
    yield case("2.3", [frame(PING, odd)], [("pong", odd)])
    yield case("2.4", [frame(PING, b"\xfe" * 125)], [("pong", b"\xfe" * 125)])
    yield case("2.5", [frame(PING, b"\xfe" * 126)], fails=1002)
    yield case("2.6", [frame(PING, b"\xfe" * 125)], [("pong", b"\xfe" * 125)], chop=1)
    yield case("2.7", [frame(PONG)])
    yield case("2.8", [frame(PONG, b"unsolicited pong payload")])
    yield case("2.9", [frame(PONG, b"unsolicited"), frame(PING, b"ping payload")], [("pong", b"ping payload")])
    yield case("2.10", *ten)
    yield case("2.11", *ten, chop=1)


def reserved_bits():
    """3: what was valid before the violation is answered first."""
    first = [text(HELLO)], [("text", HELLO)]
    yield case("3.1", [text(HELLO, rsv=1)], fails=1002)
    for i, (rsv, chop) in enumerate(((2, 0), (3, "frames"), (4, 1)), 2):
        yield case(f"3.{i}", first[0] + [text(HELLO, rsv=rsv), frame(PING)], first[1], 1002, chop)
    yield case("3.5", [frame(BINARY, b"\x00\xff" * 4, rsv=5)], fails=1002)
    yield case("3.6", [frame(PING, HELLO, rsv=6)], fails=1002)
    yield case("3.7", [frame(CLOSE, rsv=7)], fails=1002)


def reserved_opcodes():
    """4"""
    for group, start in ((1, 3), (2, 11)):
        yield case(f"4.{group}.1", [frame(start)], fails=1002)
        yield case(f"4.{group}.2", [frame(start + 1, b"reserved opcode payload")], fails=1002)
        for i, (payload, chop) in enumerate(((b"", 0), (b"payload", 0), (b"payload", 1)), 3):
            frames = [text(HELLO), frame(start - 1 + i, payload), frame(PING)]
            yield case(f"4.{group}.{i}", frames, [("text", HELLO)], 1002, chop)


def fragmentation():
    """5"""
    a, b = b"fragment1", b"fragment2"
    two = [text(a, fin=False), frame(CONT, b)]
    yield case("5.1", [frame(PING, a, fin=False), frame(CONT, b)], fails=1002)
    yield case("5.2", [frame(PONG, a, fin=False), frame(CONT, b)], fails=1002)
    for i, chop in enumerate((0, "frames", 1)):
        yield case(f"5.{3 + i}", two, [("text", a + b)], chop=chop)
        yield case(f"5.{6 + i}", [two[0], frame(PING, b"ping"), two[1]], [("pong", b"ping"), ("text", a + b)], chop=chop)
        yield case(f"5.{9 + i}", [frame(CONT, a), text(HELLO)], fails=1002, chop=chop)
        yield case(f"5.{12 + i}", [frame(CONT, a, fin=False), text(HELLO)], fails=1002, chop=chop)
    yield case("5.15", two + [frame(CONT, b"fragment3", fin=False), text(HELLO)], [("text", a + b)], 1002)
    for number, fin in ((16, False), (17, True)):
        yield case(f"5.{number}", 2 * [frame(CONT, b"fragment0", fin=fin), text(a, fin=False), frame(CONT, b)], fails=1002)
    yield case("5.18", [text(a, fin=False), text(b)], fails=1002)
    five = [b"fragment%d" % i for i in range(1, 6)]
    sequence = [text(five[0], fin=False), frame(CONT, five[1], fin=False), frame(PING, b"pongme 1!"),
                frame(CONT, five[2], fin=False), frame(CONT, five[3], fin=False), frame(PING, b"pongme 2!"),
                frame(CONT, five[4])]
    answers = [("pong", b"pongme 1!"), ("pong", b"pongme 2!"), ("text", b"".join(five))]
    yield case("5.19", sequence, answers)
    yield case("5.20", sequence, answers, chop="frames")


KOSME = "κόσμε".encode()
UTF8_TEXT = "Hello-µ@ßöäüàá-UTF-8!!".encode()

# 6.5 … 6.23: sequences, one per case; whether they are well-formed is Python's judgement.
UTF8 = {
    5: [b"hello\x24world", b"hello\xc2\xa2world", b"hello\xe2\x82\xacworld", b"hello\xf0\xa4\xad\xa2world",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"],
    6: [KOSME[:i] for i in range(1, len(KOSME) + 1)],
    7: ["00", "c280", "e0a080", "f0908080"],
    8: ["f888808080", "fc8480808080"],
    9: ["7f", "dfbf", "efbfbf", "f48fbfbf"],
    10: ["f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf"],
    11: ["ed9fbf", "ee8080", "efbfbd", "f48fbfbf", "f4908080"],
    12: ["80", "bf", "80bf", "80bf80", "80bf80bf", "80bf80bf80", "80bf80bf80bf", bytes(range(0x80, 0xc0))],
    13: [b"".join(bytes([c, 0x20]) for c in range(*span))
         for span in ((0xc0, 0xe0), (0xe0, 0xf0), (0xf0, 0xf8), (0xf8, 0xfc), (0xfc, 0xfe))],
    14: ["c0", "e080", "f08080", "f8808080", "fc80808080", "df", "efbf", "f7bfbf", "fbbfbfbf", "fdbfbfbfbf"],
    15: ["c0 e080 f08080 f8808080 fc80808080 df efbf f7bfbf fbbfbfbf fdbfbfbfbf"],
    16: ["fe", "ff", "fefeffff"],
    17: ["c0af", "e080af", "f08080af", "f8808080af", "fc80808080af"],
    18: ["c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf"],
    19: ["c080", "e08080", "f0808080", "f880808080", "fc8080808080"],
    20: ["eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf"],
    21: ["eda080edb080", "eda080edbfbf", "edadbfedb080", "edadbfedbfbf", "edae80edb080", "edae80edbfbf", "edafbfedb080",
         "edafbfedbfbf"],
    22: [chr(plane << 16 | last).encode() for plane in range(17) for last in (0xfffe, 0xffff)],
    23: [chr(c).encode() for c in range(0xfff9, 0x10000)],
}


def well_formed(payload):
    try:
        payload.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


def utf8_cases():
    """6.1 to 6.3, and 6.5 on"""
    bad = KOSME + b"\xed\xa0\x80edited"
    octets = lambda p: [frame(TEXT if i == 0 else CONT, p[i:i + 1], i == len(p) - 1) for i in range(len(p))]  # noqa: E731
    middle = b"middle frame payload"
    half = len("Hello-µ@ßöä".encode())
    yield case("6.1.1", [text(b"")], [("text", b"")])
    yield case("6.1.2", [text(b"", fin=False), frame(CONT, fin=False), frame(CONT)], [("text", b"")])
    yield case("6.1.3", [text(b"", fin=False), frame(CONT, middle, fin=False), frame(CONT)], [("text", middle)])
    yield case("6.2.1", [text(UTF8_TEXT)], [("text", UTF8_TEXT)])
    yield case("6.2.2", [text(UTF8_TEXT[:half], fin=False), frame(CONT, UTF8_TEXT[half:])], [("text", UTF8_TEXT)])
    yield case("6.2.3", octets(UTF8_TEXT), [("text", UTF8_TEXT)])
    yield case("6.2.4", octets(KOSME), [("text", KOSME)])
    yield case("6.3.1", [text(bad)], fails=1007)
    yield case("6.3.2", octets(bad), fails=1007)
    for group, rows in UTF8.items():
        for i, row in enumerate(rows, 1):
            payload = parse_hex(row) if isinstance(row, str) else row
            if well_formed(payload):
                yield case(f"6.{group}.{i}", [text(payload)], [("text", payload)])
            else:
                yield case(f"6.{group}.{i}", [text(payload)], fails=1007)


def closing():
    """7, where we say the first close; nothing that comes after it is answered."""
    def bye(name, frames, code, expect=()):
        return case(name, frames, [*expect, ("close", code, b"")], "closed")

    done = frame(CLOSE, close_payload(1000))
    big = (b"BAsd7&jh23" * 26215)[:256 * 1024]
    yield bye("7.1.1", [text(HELLO), done], 1000, [("text", HELLO)])
    yield bye("7.1.2", [done, done], 1000)
    yield bye("7.1.3", [done, frame(PING)], 1000)
    yield bye("7.1.4", [done, text(HELLO)], 1000)
    yield bye("7.1.5", [text(b"fragment1", fin=False), done, frame(CONT, b"fragment2")], 1000)
    yield bye("7.1.6", [text(big), done, frame(PING)], 1000, [("text", big)])
    yield bye("7.3.1", [frame(CLOSE)], None)
    yield case("7.3.2", [frame(CLOSE, b"a")], fails=1002)
    yield bye("7.3.3", [done], 1000)
    yield bye("7.3.4", [frame(CLOSE, close_payload(1000, b"Hello World!"))], 1000)
    yield bye("7.3.5", [frame(CLOSE, close_payload(1000, b"*" * 123))], 1000)
    yield case("7.3.6", [frame(CLOSE, close_payload(1000, b"*" * 124))], fails=1002)
    yield case("7.5.1", [frame(CLOSE, close_payload(1000, KOSME + b"\xed\xa0\x80edited"))], fails=1007)
    good = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999, 1012, 1013, 1014]
    for i, code in enumerate(good, 1):
        yield bye(f"7.7.{i}", [frame(CLOSE, close_payload(code))], code)
    bad = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 1015]
    for i, code in enumerate(bad, 1):
        yield case(f"7.9.{i}", [frame(CLOSE, close_payload(code))], fails=1002)
    for i, code in enumerate((5000, 65535), 1):
        yield case(f"7.13.{i}", [frame(CLOSE, close_payload(code))], fails=1002)


def lengths():
    """5.2: the shortest form, no top bit, and masked."""
    yield case("length-16-not-needed", [text(b"abc", form=16)], fails=1002)
    yield case("length-64-not-needed", [text(b"abc", form=64)], fails=1002)
    yield case("length-64-for-65535", [text(b"", length=65535, form=64)], fails=1002)
    for shift in (31, 32, 62):
        for delta in (-1, 0, 1):
            yield case(f"length-2^{shift}{delta:+d}", [text(b"", length=(1 << shift) + delta, form=64)], fails=1009)
    for n in ((1 << 63), (1 << 63) + 1, (1 << 64) - 1):
        yield case(f"length-{n}", [text(b"", length=n, form=64)], fails=1002)
    yield case("unmasked", [text(HELLO), text(HELLO, mask=None)], [("text", HELLO)], 1002)
    yield case("unmasked-close", [frame(CLOSE, close_payload(1000), mask=None)], fails=1002)
    yield case("zero-mask", [text(HELLO, mask=bytes(4))], [("text", HELLO)])
    yield case("rsv1-on-continuation", [text(b"a", fin=False), frame(CONT, b"b", rsv=4)], fails=1002)


ALL = [*echoes(), *pings(), *reserved_bits(), *reserved_opcodes(), *fragmentation(), *utf8_cases(), *closing(), *lengths()]


def run(ws, frames, expect, fails, chop):
    try:
        ws.send_chopped(frames, chop)
    except (BrokenPipeError, ConnectionResetError):
        assert fails  # it had seen enough
    ws.expect(*expect)
    if fails == "closed":
        assert ws.at_end()
    elif fails:
        ws.expect_failure(fails)
    else:
        ws.goodbye()


@pytest.mark.parametrize("frames, expect, fails, chop", ALL)
def test_case(ws, frames, expect, fails, chop):
    run(ws, frames, expect, fails, chop)


def rsv1_has_a_meaning(param):
    return any(f[0] & 0x40 and f[0] & 0x0f in (TEXT, BINARY) for f in param.values[0])


@pytest.mark.parametrize("frames, expect, fails, chop", [param for param in ALL if not rsv1_has_a_meaning(param)])
def test_case_compressed(server, frames, expect, fails, chop):
    """The same with permessage-deflate negotiated, but used by the server alone."""
    with server.connect(extensions="permessage-deflate; client_max_window_bits") as ws:
        run(ws, frames, expect, fails, chop)


def test_case_over_tls(server):
    if not server.tls:
        pytest.skip("no TLS listener")
    for param in ALL[::7]:
        with WebSocket(server.tls_address, "/echo", tls=server.tls) as ws:
            run(ws, *param.values)


# 6.4: an invalid octet fails the connection when it comes, however much of the message is missing.

BAD_SPLITS = [
    ("6.4.1", [KOSME, b"\xf4\x90\x80\x80", b"edited"], 1, True),
    ("6.4.2", [KOSME + b"\xf4", b"\x90", b"\x80\x80edited"], 1, True),
    ("6.4.3", [KOSME, b"\xf4\x90\x80\x80", b"edited"], 1, False),
    ("6.4.4", [KOSME + b"\xf4", b"\x90", b"\x80\x80edited"], 1, False),
]


@pytest.mark.parametrize("parts, bad, fragmented", [pytest.param(*row[1:], id=row[0]) for row in BAD_SPLITS])
def test_invalid_text_fails_at_once(ws, parts, bad, fragmented):
    if fragmented:
        pieces = [frame(TEXT if i == 0 else CONT, p, i == len(parts) - 1) for i, p in enumerate(parts)]
    else:
        whole = text(b"".join(parts))
        head = len(whole) - sum(map(len, parts))
        ends = [head + sum(map(len, parts[:i + 1])) for i in range(len(parts))]
        pieces = [whole[start:end] for start, end in zip([0] + ends, ends)]
    for piece in pieces[:bad]:
        ws.send(piece)
    ws.send(b"")
    if fragmented:  # so far nothing is wrong
        ws.send(frame(PING, b"still there"))
        ws.expect(("pong", b"still there"))
    ws.send(pieces[bad])
    ws.expect_failure(1007)


def test_first_offending_byte_is_enough(server):
    """Nothing is awaited once the verdict is known: one byte, two, or the length."""
    prefixes = [(b"\x83", 1002), (b"\x90", 1002), (b"\x80", 1002), (b"\x09", 1002), (b"\x81\x05", 1002),
                (b"\x89\xfe", 1002), (b"\x88\x81", 1002), (b"\x81\xfe\x00\x7d", 1002),
                (b"\x81\xff\x00\x00\x00\x00\x40\x00\x00\x00", 1009)]
    for prefix, code in prefixes:
        with server.connect() as ws:
            ws.send(prefix)
            ws.expect_failure(code)


def test_server_closes_first_and_promptly(ws):
    began = time.monotonic()
    ws.goodbye()
    assert time.monotonic() - began < 1
