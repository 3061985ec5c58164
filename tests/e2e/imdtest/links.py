"""Ways to carry messages to imd and back: lines and WebSocket, in several real clients."""

import asyncio
import base64
import collections
import os
import select
import socket
import ssl
import struct
import subprocess
import threading
import time

import websockets

from .wait import PATIENCE


class Closed(Exception):
    """The connection ended; code is the WebSocket close code, None for lines."""

    def __init__(self, code=None, reason=""):
        super().__init__(f"closed: {code} {reason}")
        self.code, self.reason = code, reason


class Silence(AssertionError):
    """Nothing came in time."""


def dial(address, context=None, receive_buffer=None, source=None):
    """Connects to a port on loopback or a Unix socket's path, with TLS when a context is given."""
    if isinstance(address, str):
        s = socket.socket(socket.AF_UNIX)
    else:
        s = socket.socket(socket.AF_INET)
        address = ("127.0.0.1", address)
    if receive_buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if source:
        s.bind((source, 0))
    s.settimeout(PATIENCE)
    s.connect(address)
    if s.family == socket.AF_INET:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(s, server_hostname="localhost") if context else s


class LineLink:
    """Lines over a socket: TCP, TLS or Unix."""

    def __init__(self, address, context=None, receive_buffer=None, source=None):
        self.socket = dial(address, context, receive_buffer, source)
        self.buffer = b""

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, text):
        self.send_bytes(text.encode() + b"\n")

    def recv(self, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0:
                raise Silence("no line came")
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 16)
            except (TimeoutError, ssl.SSLWantReadError):
                continue
            except OSError as error:
                raise Closed(reason=str(error)) from None
            if not data:
                raise Closed(reason="end" if not self.buffer else "end in mid-line")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode()

    def wait_closed(self, timeout=PATIENCE):
        """Reads on until the end; what came before it, and the end itself."""
        lines, end = [], time.monotonic() + timeout
        while True:
            try:
                lines.append(self.recv(max(0.01, end - time.monotonic())))
            except Closed as closed:
                return lines, closed

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Ends with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


class NcLink:
    """The netcat program itself."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(["nc", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, bufsize=0)
        self.buffer = b""

    def send(self, text):
        self.process.stdin.write(text.encode() + b"\n")

    def recv(self, timeout=PATIENCE):
        end = time.monotonic() + timeout
        fd = self.process.stdout.fileno()
        while b"\n" not in self.buffer:
            if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
                raise Silence("netcat printed nothing")
            data = os.read(fd, 1 << 16)
            if not data:
                raise Closed(reason="end")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    wait_closed = LineLink.wait_closed

    def close(self):
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()
        self.process.terminate()
        self.process.wait()


class Loop:
    """The one asyncio loop that python-websockets runs on, in a thread of its own."""

    loop = None

    @classmethod
    def run(cls, coroutine, timeout=None):
        if cls.loop is None:
            cls.loop = asyncio.new_event_loop()
            threading.Thread(target=cls.loop.run_forever, daemon=True).start()
        future = asyncio.run_coroutine_threadsafe(coroutine, cls.loop)
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise


class WsLink:
    """The websockets library."""

    def __init__(self, url, protocol="im.v1", context=None, **options):
        options.setdefault("ping_interval", None)
        options.setdefault("max_size", None)
        options.setdefault("close_timeout", 0.3)  # the library waits it out when the server was killed
        subprotocols = [protocol] if protocol else None
        self.ws = Loop.run(self._open(url, subprotocols=subprotocols, ssl=context, open_timeout=PATIENCE, **options))
        if protocol:
            assert self.ws.subprotocol == protocol

    @staticmethod
    async def _open(url, **options):
        return await websockets.connect(url, **options)

    def send(self, text):
        try:
            Loop.run(self.ws.send(text), 3 * PATIENCE)
        except websockets.ConnectionClosed as error:
            raise self._closed(error) from None

    async def _recv(self, timeout):
        return await asyncio.wait_for(self.ws.recv(), timeout)

    def recv(self, timeout=PATIENCE):
        try:
            return Loop.run(self._recv(timeout))
        except (TimeoutError, asyncio.TimeoutError):
            raise Silence("no WebSocket message came") from None
        except websockets.ConnectionClosed as error:
            raise self._closed(error) from None

    @staticmethod
    def _closed(error):
        return Closed(error.rcvd.code, error.rcvd.reason) if error.rcvd else Closed(1006)

    wait_closed = LineLink.wait_closed

    def close(self, code=1000):
        Loop.run(self.ws.close(code), 3 * PATIENCE)

    def reset(self):
        Loop.loop.call_soon_threadsafe(self.ws.transport.abort)


class RawWsLink:
    """A WebSocket written out by hand on a socket, for clients that misbehave or stop reading."""

    TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

    def __init__(self, port, path="/ws", protocol="im.v1", context=None, receive_buffer=None, headers=(), host=None):
        self.socket = dial(port, context, receive_buffer)
        self.buffer = b""
        self.socket.sendall(self.request(path, protocol, headers, host or f"127.0.0.1:{port}"))
        self.head = self._read_head()
        self.status = int(self.head.split(" ", 2)[1])

    @staticmethod
    def request(path, protocol=None, headers=(), host="127.0.0.1"):
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode()]
        lines += [f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []
        return "\r\n".join([*lines, *headers, "", ""]).encode()

    def _fill(self, timeout):
        self.socket.settimeout(max(0.001, timeout))
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            raise Silence("no bytes came") from None
        except OSError as error:
            raise Closed(1006, str(error)) from None
        if not data:
            raise Closed(1006, "end")
        self.buffer += data

    def _read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            self._fill(PATIENCE)
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return head.decode("latin-1")

    @staticmethod
    def frame(payload, opcode=TEXT, fin=True):
        mask = os.urandom(4)
        size = len(payload)
        head = bytes([(0x80 if fin else 0) | opcode])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", size)
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", size)
        key = (mask * (size // 4 + 1))[:size]
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big") if size else b""
        return head + mask + masked

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, text):
        self.send_bytes(self.frame(text.encode()))

    def _need(self, size, end):
        while len(self.buffer) < size:
            self._fill(end - time.monotonic())

    def recv_frame(self, timeout=PATIENCE):
        end = time.monotonic() + timeout
        self._need(2, end)
        opcode, size, start = self.buffer[0] & 15, self.buffer[1] & 127, 2
        assert not self.buffer[1] & 128, "a server's frames are not masked"
        if size >= 126:
            width = 2 if size == 126 else 8
            self._need(2 + width, end)
            size, start = int.from_bytes(self.buffer[2:2 + width], "big"), 2 + width
        self._need(start + size, end)
        payload, self.buffer = self.buffer[start:start + size], self.buffer[start + size:]
        return opcode, payload

    def recv(self, timeout=PATIENCE):
        while True:
            opcode, payload = self.recv_frame(timeout)
            if opcode == self.TEXT:
                return payload.decode()
            if opcode == self.PING:
                self.send_bytes(self.frame(payload, self.PONG))
            elif opcode == self.CLOSE:
                code = int.from_bytes(payload[:2], "big") if payload else 1005
                self.send_bytes(self.frame(payload[:2], self.CLOSE))
                raise Closed(code, payload[2:].decode())

    wait_closed = LineLink.wait_closed
    reset = LineLink.reset
    close = LineLink.close


class Blaster:
    """Writes to a socket on a thread of its own, so that a server that holds it back does not hold the test."""

    def __init__(self, link, data):
        self.error = None
        self.thread = threading.Thread(target=self._run, args=(link, data), daemon=True)
        self.thread.start()

    def _run(self, link, data):
        try:
            link.socket.settimeout(6 * PATIENCE)
            link.socket.sendall(data)
        except OSError as error:
            self.error = error

    def done(self):
        return not self.thread.is_alive()

    def join(self, timeout=3 * PATIENCE):
        self.thread.join(timeout)
        assert self.done(), "the server takes no more"
        if self.error:
            raise self.error


def drain_socket(link, size=1 << 16):
    """Reads whatever comes until the end; its bytes."""
    parts = collections.deque()
    while True:
        try:
            data = link.recv(size)
        except OSError:
            break
        if not data:
            break
        parts.append(data)
    return b"".join(parts)
