"""Sockets that the service manager opened: the real mechanism, descriptors from 3 on and LISTEN_* in the environment."""

import contextlib
import os
import re
import socket
import subprocess
import sys

import pytest

from imdtest.daemon import Imd
from imdtest.links import LineLink
from imdtest.wait import until

# Puts the descriptors where they must be, and tells their reader's own pid.
STARTER = """
import fcntl, os, sys
names, fds, command = sys.argv[1], [int(n) for n in sys.argv[2].split(",")], sys.argv[3:]
high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in fds]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=names)
os.closerange(3 + len(fds), 200)
os.execv(command[0], command)
"""


@pytest.fixture
def passing(imd, monkeypatch):
    """passing({"name": socket, …}, config) -> a daemon started with these sockets."""
    real, choose = subprocess.Popen, Imd._choose_ports
    given = {}

    def popen(command, **options):
        fds = [s.fileno() for s in given["sockets"]]
        command = [sys.executable, "-c", STARTER, ":".join(given["names"]), ",".join(map(str, fds)), *command]
        return real(command, pass_fds=fds, **options)

    def make(sockets, config, **where):
        given.update(names=[name for name, _ in sockets], sockets=[s for _, s in sockets])
        monkeypatch.setattr(Imd, "_choose_ports", lambda self: (choose(self), self.__dict__.update(where)))
        monkeypatch.setattr(subprocess, "Popen", popen)
        try:
            daemon = imd(config)
        finally:
            monkeypatch.setattr(Imd, "_choose_ports", choose)
            monkeypatch.setattr(subprocess, "Popen", real)
        if b"libsystemd" not in open(f"/proc/{daemon.process.pid}/maps", "rb").read():
            pytest.skip("built without libsystemd")
        return daemon

    return make


@pytest.fixture
def bound():
    """bound(address) -> a socket that listens there."""
    with contextlib.ExitStack() as stack:

        def make(address=("127.0.0.1", 0)):
            s = stack.enter_context(socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET))
            s.bind(address)
            s.listen()
            return s

        yield make


def test_listeners_take_sockets_by_name(passing, bound, connect, tmp_path):
    line, web, unix, admin, metrics = bound(), bound(), bound(str(tmp_path / "im")), bound(str(tmp_path / "adm")), bound()
    line_port, web_port, metrics_port = (s.getsockname()[1] for s in (line, web, metrics))
    early = socket.create_connection(("127.0.0.1", line_port))  # before anybody is there to answer
    early.sendall(b"/ping\n")

    daemon = passing([("lines", line), ("web", web), ("here", unix), ("ctl", admin), ("m", metrics)], {
        "listen": [{"transport": "websocket", "address": "systemd:web"}, {"transport": "line", "address": "systemd:lines"},
                   {"transport": "unix", "address": "systemd:here"}],
        "admin": {"address": "systemd:ctl"}, "metrics": {"address": "systemd:m"}},
        line_port=line_port, ws_port=web_port, metrics_port=metrics_port, admin_path=str(tmp_path / "adm"),
        unix_path=str(tmp_path / "im"))
    early.settimeout(10)
    assert b"pong" in early.recv(1000)
    early.close()
    for kind in ("websocket", "line", "unix"):
        connect(daemon, kind, "a").ask("ping")
    assert {row["address"] for row in daemon.imctl("status")["listen"]} >= {f"127.0.0.1:{line_port}", f"127.0.0.1:{web_port}"}
    assert "not used" not in daemon.logs
    daemon.term()
    assert os.path.exists(tmp_path / "im") and os.path.exists(tmp_path / "adm")  # they are not ours
    waiting = socket.create_connection(("127.0.0.1", line_port))  # still open for the next server
    waiting.close()


def test_a_listener_takes_the_socket_that_is_bound_to_its_address(passing, bound, connect, tmp_path):
    line = bound()
    port = line.getsockname()[1]
    daemon = passing([("imd.socket", line)], {"listen": [{"transport": "line", "address": f"127.0.0.1:{port}"}]}, line_port=port)
    connect(daemon, "line", "a").ask("ping")
    daemon.term()
    LineLink(port).close()


def test_the_next_program_gets_them_too_and_they_stay_what_they_are(passing, bound, connect, tmp_path):
    line, unix, admin = bound(), bound(str(tmp_path / "im")), bound(str(tmp_path / "adm"))
    port = line.getsockname()[1]
    daemon = passing([("lines", line), ("here", unix), ("ctl", admin)], {
        "listen": [{"transport": "line", "address": "systemd:lines"}, {"transport": "unix", "address": "systemd:here"}],
        "admin": {"address": "systemd:ctl"}},
        line_port=port, admin_path=str(tmp_path / "adm"), unix_path=str(tmp_path / "im"))
    modes = [os.stat(tmp_path / name).st_mode for name in ("im", "adm")]
    for _ in range(2):
        assert daemon.imctl("upgrade")["outcome"] == "ok"
        for kind in ("line", "unix"):
            connect(daemon, kind, "a").ask("ping")
    assert [os.stat(tmp_path / name).st_mode for name in ("im", "adm")] == modes
    daemon.term()
    assert os.path.exists(tmp_path / "im") and os.path.exists(tmp_path / "adm")
    LineLink(port).close()


def held_by(pid):
    held = set()
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            held.add(os.readlink(f"/proc/{pid}/fd/{number}"))
    return held


def test_a_socket_that_nobody_uses_is_told_and_closed(passing, bound, connect):
    spare = bound()
    daemon = passing([("spare", spare)], {})
    until(lambda: re.search(r"warn +imd: a socket that was passed is not used name=spare", daemon.logs))
    inode = os.stat(f"/proc/self/fd/{spare.fileno()}").st_ino
    assert f"socket:[{inode}]" not in held_by(daemon.process.pid)
    connect(daemon, "line", "a")


@pytest.mark.parametrize("how, said", [
    ("missing", "systemd:web: no socket of that name was passed by the service manager"),
    ("datagram", "what the service manager passed as web is no listening stream socket"),
    ("unix", "systemd:web: is a Unix socket"),
    ("public", "is not loopback and auth.mode is open"),
])
def test_a_socket_that_will_not_do_is_refused(passing, bound, tmp_path, how, said):
    if how == "datagram":
        wrong = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        wrong.bind(("127.0.0.1", 0))
    else:
        wrong = bound(str(tmp_path / "un")) if how == "unix" else bound(("0.0.0.0" if how == "public" else "127.0.0.1", 0))
    with wrong, pytest.raises(AssertionError) as failed:
        passing([("other" if how == "missing" else "web", wrong)],
                {"listen": [{"transport": "line", "address": "systemd:web"}]})
    if "libsystemd" not in os.popen(f"ldd {os.environ.get('IMD', '')}").read():
        pytest.skip("built without libsystemd")
    assert said in str(failed.value)
