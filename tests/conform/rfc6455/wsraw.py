"""A WebSocket client that does what it is told, rules or not, and holds the server to every rule."""

import base64
import hashlib
import os
import re
import socket
import ssl
import struct
import zlib

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NAMES = {TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}
PATIENCE = 20 * float(os.environ.get("IM_PATIENCE", "1"))
TAIL = b"\x00\x00\xff\xff"


def frame(opcode, payload=b"", fin=True, rsv=0, mask=b"\x37\xfa\x21\x3d", length=None, form=None):
    """One frame, masked unless mask is None. `length` lies about the length; `form` (7, 16, 64) picks its encoding."""
    n = len(payload) if length is None else length
    form = form or (7 if n < 126 else 16 if n < 65536 else 64)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0 if mask is None else 0x80
    head += {7: lambda: bytes([bit | n]), 16: lambda: bytes([bit | 126]) + struct.pack("!H", n),
             64: lambda: bytes([bit | 127]) + struct.pack("!Q", n)}[form]()
    if mask is None:
        return head + payload
    return head + mask + xor(payload, mask)


def xor(payload, mask):
    n = len(payload)
    key = (mask * (n // 4 + 1))[:n]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(n, "big")


def fragments(opcode, payload, size, rsv=0):
    """The message in frames of `size` bytes each."""
    parts = [payload[i:i + size] for i in range(0, len(payload), size)] or [b""]
    return [frame(opcode if i == 0 else CONT, part, i == len(parts) - 1, rsv if i == 0 else 0)
            for i, part in enumerate(parts)]


def close_payload(code=None, reason=b""):
    return b"" if code is None else struct.pack("!H", code) + reason


def chunks(data, size):
    return [data[i:i + size] for i in range(0, len(data), size)]


class Refused(Exception):
    def __init__(self, status, headers, body):
        super().__init__(f"{status} {body!r}")
        self.status, self.headers, self.body = status, headers, body


class Raw:
    """A TCP (or TLS) connection."""

    def __init__(self, address, tls=None):
        self.sock = socket.create_connection(address, timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.buffer = b""

    def send(self, data):
        self.sock.sendall(data)

    def fill(self):
        """More bytes; False at the end of the stream."""
        try:
            data = self.sock.recv(1 << 18)
        except ssl.SSLEOFError:
            data = b""
        self.buffer += data
        return bool(data)

    def take(self, n):
        if n > len(self.buffer):
            parts, have = [self.buffer], len(self.buffer)
            while have < n:
                data = self.sock.recv(1 << 18)
                if not data:
                    raise EOFError(f"the server closed with {have} of {n} bytes")
                parts.append(data)
                have += len(data)
            self.buffer = b"".join(parts)
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def take_head(self):
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill():
                raise EOFError(f"no response head, only {self.buffer!r}")
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        assert version == "HTTP/1.1"
        return int(status), [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]

    def response(self, method="GET"):
        """status, headers as a dict of lower-case names, body."""
        status, pairs = self.take_head()
        headers = {}
        for name, value in pairs:
            key = name.lower()
            headers[key] = headers[key] + ", " + value if key in headers else value
        length = int(headers.get("content-length", 0))
        body = b"" if method == "HEAD" or status in (101, 304) else self.take(length)
        return status, headers, body

    def at_end(self):
        """Waits for the server to close; True if nothing came before that."""
        try:
            while self.fill():
                pass
        except ConnectionResetError:
            pass
        return self.buffer == b""

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def upgrade_request(path="/echo", key="dGhlIHNhbXBsZSBub25jZQ==", host="localhost", drop=(), **fields):
    """The head of an opening handshake. Fields by name with '_' for '-'; `drop` leaves some out."""
    lines = {"Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key,
             "Sec-WebSocket-Version": "13"}
    lines.update({name.replace("_", "-"): value for name, value in fields.items()})
    head = [f"GET {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in lines.items() if name not in drop]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


class WebSocket(Raw):
    """Raw frames over an open WebSocket; `deflate` holds the negotiated parameters, or None."""

    def __init__(self, address, path="/echo", extensions=None, protocol=None, tls=None, key=None, **fields):
        super().__init__(address, tls)
        key = key or base64.b64encode(os.urandom(16)).decode()
        if extensions:
            fields["Sec_WebSocket_Extensions"] = extensions
        if protocol:
            fields["Sec_WebSocket_Protocol"] = protocol
        self.send(upgrade_request(path, key, **fields))
        status, headers, body = self.response()
        if status != 101:
            self.close()
            raise Refused(status, headers, body)
        self.headers = headers
        assert headers["upgrade"].lower() == "websocket" and headers["connection"].lower() == "upgrade"
        accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
        assert headers["sec-websocket-accept"] == accept
        self.deflate = None
        if "sec-websocket-extensions" in headers:
            self._start_deflate(headers["sec-websocket-extensions"])

    # permessage-deflate

    def _start_deflate(self, value):
        name, *parts = [part.strip() for part in value.split(";")]
        assert name == "permessage-deflate"
        self.deflate = dict(part.split("=") if "=" in part else (part, True) for part in parts)
        assert len(self.deflate) == len(parts)
        self.server_bits = int(self.deflate.get("server_max_window_bits", 15))
        self._packer = self._unpacker = None
        self.packed_frames = 0

    def pack(self, payload):
        if not self._packer or "client_no_context_takeover" in self.deflate:
            self._packer = zlib.compressobj(6, zlib.DEFLATED, -int(self.deflate.get("client_max_window_bits", 15)))
        out = self._packer.compress(payload) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        assert out.endswith(TAIL)
        return out[:-4]

    def unpack(self, payload):
        if not self._unpacker or "server_no_context_takeover" in self.deflate:
            self._unpacker = zlib.decompressobj(-self.server_bits)  # fails if the server looks further back
        out = self._unpacker.decompress(payload + TAIL)
        assert not self._unpacker.unconsumed_tail and not self._unpacker.unused_data
        self.packed_frames += 1
        return out

    # what comes

    def event(self):
        """The next frame the server sent, as ("text", payload), ("close", code, reason) …; ("end",) when it closed."""
        if not self.buffer and not self.fill():
            return ("end",)
        first, second = self.take(2)
        opcode, packed = first & 0x0f, first & 0x40
        assert first & 0x80, "the server does not fragment"
        assert not first & 0x30 and not second & 0x80 and opcode in NAMES
        assert not packed or (self.deflate is not None and opcode in (TEXT, BINARY))
        n = second & 0x7f
        if n == 126:
            n, = struct.unpack("!H", self.take(2))
            assert n >= 126
        elif n == 127:
            n, = struct.unpack("!Q", self.take(8))
            assert n >= 65536
        assert opcode < 8 or n < 126
        payload = self.take(n)
        if packed:
            payload = self.unpack(payload)
        if opcode == TEXT:
            payload.decode("utf-8")
        if opcode == CLOSE:
            return self._close_event(payload)
        return (NAMES[opcode], payload)

    def _close_event(self, payload):
        if not payload:
            return ("close", None, b"")
        code, = struct.unpack("!H", payload[:2])
        payload[2:].decode("utf-8")
        return ("close", code, payload[2:])

    def expect(self, *events):
        for wanted in events:
            assert self.event() == wanted

    def expect_failure(self, code):
        """The server fails the connection: its close frame, and then it ends the TCP connection, first."""
        event = self.event()
        assert event[:2] == ("close", code)
        assert self.at_end()

    def goodbye(self, code=1000):
        """A clean end begun by us."""
        self.send(frame(CLOSE, close_payload(code)))
        assert self.event() == ("close", code, b"")
        assert self.at_end()

    # what goes

    def send_message(self, opcode, payload, fragment=0, packed=None):
        rsv = 0
        if self.deflate is not None and packed is not False:
            payload, rsv = self.pack(payload), 4
        if fragment:
            self.send(b"".join(fragments(opcode, payload, fragment, rsv)))
        else:
            self.send(frame(opcode, payload, rsv=rsv, mask=os.urandom(4)))

    def send_chopped(self, frames, chop):
        """chop 0: all at once; "frames": one write per frame; a number: that many bytes per write."""
        if chop == "frames":
            pieces = frames
        else:
            whole = b"".join(frames)
            pieces = chunks(whole, chop) if chop else [whole]
        for piece in pieces:
            self.send(piece)


def parse_hex(text):
    return bytes.fromhex(re.sub(r"\s", "", text))
