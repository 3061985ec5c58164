"""A program at a terminal of its own."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from .wait import PATIENCE

ESCAPES = re.compile(r"\r\x1b\[\d+G|\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]|\a|\x0f")


class Terminal:
    def __init__(self, pid, fd):
        self.pid, self.fd, self.seen, self.all, self.status = pid, fd, "", "", None

    def type(self, text):
        os.write(self.fd, text.encode())

    def _read(self, end):
        if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
            return False
        try:
            piece = os.read(self.fd, 65536)
        except OSError:  # nobody is at the other end any more
            return False
        text = piece.decode(errors="replace")
        self.all += text
        self.seen += text.replace("\a", "")
        return bool(piece)

    def expect(self, pattern):
        """Waits until this is shown, and forgets what was shown up to there."""
        end = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.seen, re.S)):
            if not self._read(end):
                raise AssertionError(f"no {pattern!r} but {self.seen!r}")
        self.seen = self.seen[found.end():]
        return found

    def expect_plain(self, pattern):
        """The same in what is left without colours and movements; for programs that edit lines."""
        end = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, ESCAPES.sub("", self.seen), re.S)):
            if not self._read(end):
                raise AssertionError(f"no {pattern!r} but {self.seen!r}")
        self.seen = ""
        return found

    def frame(self, wanted):
        """Waits for a whole full-screen picture that has this; its lines."""
        end = time.monotonic() + PATIENCE
        while True:
            pieces = self.seen.split("\x1b[H")
            for n in range(len(pieces) - 1, 0, -1):
                text = pieces[n]
                if "\x1b[J" in text and re.search(wanted, ESCAPES.sub("", text.split("\x1b[J")[0]), re.S):
                    self.seen = "\x1b[H".join([""] + pieces[n + 1:])
                    return ESCAPES.sub("", text.split("\x1b[J")[0]).replace("\r", "").split("\n")
            if not self._read(end):
                raise AssertionError(f"no picture with {wanted!r} but {self.seen[-3000:]!r}")

    def resize(self, columns, lines):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def mode(self):
        return termios.tcgetattr(self.fd)[:4]

    def wait(self):
        """Reads all that is left, and waits for the end; the exit status, negative for a signal."""
        if self.status is None:
            end = time.monotonic() + PATIENCE
            while self._read(end):
                pass
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status


@contextlib.contextmanager
def at_terminal(*command, env=None, columns=80, lines=24):
    """Runs a program; env is added to this process's, and a value of None takes away."""
    environment = {k: v for k, v in {**os.environ, **(env or {})}.items() if v is not None}
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        os.execvpe(command[0], command, environment)
    terminal = Terminal(pid, fd)
    try:
        yield terminal
    finally:
        if terminal.status is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(fd)
