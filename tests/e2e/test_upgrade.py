"""Another program takes the server's place: under traffic, and where it cannot."""

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import threading
import time

import pytest

from imdtest.clients import Im, Refused
from imdtest.daemon import ImctlFailed, find_program, free_port
from imdtest.kinds import LINKS
from imdtest.links import Closed, LineLink, RawWsLink, Silence
from imdtest.wait import PATIENCE, until


def refused(server, *words):
    with pytest.raises(ImctlFailed) as failure:
        server.imctl("upgrade", *words)
    return failure.value


@pytest.fixture
def other(tmp_path):
    """Another program of the same version, so that it can be told which one runs."""
    path = str(tmp_path / "imd-next")
    shutil.copy(find_program("imd", "IMD"), path)
    return path


@pytest.fixture
def script(tmp_path):
    """script(text) -> the path of a program in the shell; $IMD is the real one, and $HOW how it is called."""
    os.chmod(tmp_path, 0o755)

    def make(text):
        path = tmp_path / "imd-script"
        path.write_text(f"#!/bin/sh\nIMD='{find_program('imd', 'IMD')}'\n"
                        'case "$* $IMD_HANDOVER" in *--rehearse*) HOW=rehearsal;; *\'"trial":true\'*) HOW=trial;; *) HOW=real;; esac\n'
                        + text, encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return make


def program(server):
    return os.readlink(f"/proc/{server.process.pid}/exe")


# under traffic

class Traffic:
    """People who write and people who read, over every transport, and who come back whenever they are told to."""

    READERS = ("websocket", "line", "unix", "classroom")
    WRITERS = ("websocket", "line", "unix")

    def __init__(self, server):
        self.server, self.stop, self.failures = server, threading.Event(), []
        self.sent = {kind: [] for kind in self.READERS}  # acknowledged
        self.heard = {kind: [] for kind in self.READERS}
        self.returns = 0
        self.writers = [self.person(self.write, kind) for kind in self.WRITERS]
        self.threads = self.writers + [self.person(self.read, kind) for kind in self.READERS]

    def person(self, what, kind):
        return threading.Thread(target=self.guard, args=(what, kind), daemon=True)

    def guard(self, what, kind):
        try:
            what(kind)
        except Exception as error:  # told by the test, which is another thread
            self.failures.append(f"{what.__name__} {kind}: {error!r}")

    def enter(self, kind, name, pos):
        """Told to come back before it was in, it does."""
        while True:
            try:
                im = Im(LINKS[kind](self.server))
                im.hello("d")
                im.login(name, **({"since": pos} if pos else {}))
                return im
            except (Closed, Refused):
                self.returns += 1

    def write(self, kind):
        im, n = self.enter(kind, f"writer-{kind}", None), 0
        while not self.stop.is_set():
            to = self.READERS[n % len(self.READERS)]
            try:
                im.ask("send", to=f"reader-{to}", text=f"{kind}-{n}", cid=f"c{n}")
            except Closed:
                im.close()
                self.returns += 1
                im = self.enter(kind, f"writer-{kind}", None)
                continue  # the same once more, with the same cid
            self.sent[to].append(f"{kind}-{n}")
            n += 1
        im.close()

    def done(self):
        return not any(writer.is_alive() for writer in self.writers) and all(len(self.heard[k]) >= len(self.sent[k]) for k in self.READERS)

    def read(self, kind):
        (self.read_classroom if kind == "classroom" else self.read_json)(kind)

    def read_json(self, kind):
        im, pos = self.enter(kind, f"reader-{kind}", None), None
        while not self.done():
            try:
                msg = im.msg(timeout=0.05)
                pos = msg["pos"]
                self.heard[kind].append(msg["text"])
                im.tell("ack", pos=pos)
            except Silence:
                continue
            except Closed:
                im.close()
                self.returns += 1
                im = self.enter(kind, f"reader-{kind}", pos)
        im.close()

    def read_classroom(self, kind):
        link, path = None, "/ws/reader-classroom/writer-line"
        while not self.done():
            try:
                link = link or RawWsLink(self.server.ws_port, path, None)
                self.heard[kind].append(link.recv(0.05).rsplit(": ", 1)[-1])
            except Silence:
                continue
            except Closed:
                link, self.returns = None, self.returns + 1
        link.close()

    @contextlib.contextmanager
    def flowing(self):
        for thread in self.threads:
            thread.start()
        try:
            yield self
        finally:
            self.stop.set()
            for thread in self.threads:
                thread.join(3 * PATIENCE)
        assert self.failures == []
        assert not any(thread.is_alive() for thread in self.threads), {
            kind: set(self.sent[kind]) ^ set(self.heard[kind]) for kind in self.READERS}

    def has_flowed(self, more):
        counts = {kind: len(heard) for kind, heard in self.heard.items()}
        until(lambda: all(len(self.heard[k]) >= counts[k] + more for k in counts) or self.failures, "traffic", 3 * PATIENCE)
        assert self.failures == []


class Knocking:
    """Somebody who connects again and again, to every address there is: nobody may be refused."""

    def __init__(self, server):
        self.places = [server.unix_path, server.admin_path, server.line_port, server.ws_port, server.metrics_port]
        self.stop, self.made, self.refused = threading.Event(), 0, []
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.stop.wait(0.001):
            for place in self.places:
                with socket.socket(socket.AF_UNIX if isinstance(place, str) else socket.AF_INET) as s:
                    try:
                        s.connect(place if isinstance(place, str) else ("127.0.0.1", place))
                        self.made += 1
                    except OSError as error:
                        self.refused.append((place, error))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def test_under_traffic_nothing_acknowledged_is_lost_and_nobody_is_refused(imd, other):
    server = imd({"limits": {"rate": 0}})
    pid, first = server.process.pid, program(server)
    gaps = []
    with Traffic(server).flowing() as traffic, Knocking(server) as knocking:
        for binary in (other, first, other):
            traffic.has_flowed(50)
            done = server.imctl("upgrade", "--binary", binary)
            assert (done["outcome"], done["pid"], done["binary"]) == ("ok", pid, binary)
            assert program(server) == binary
            gaps.append(done["gap_us"] / 1000)
        traffic.has_flowed(50)
    total = sum(len(sent) for sent in traffic.sent.values())
    for kind in traffic.READERS:
        assert sorted(traffic.heard[kind]) == sorted(traffic.sent[kind]), kind
    assert knocking.refused == [] and knocking.made > 100
    assert traffic.returns >= 3 * len(traffic.threads), "everybody was told to come back, each time"
    assert all(gap < 2000 * PATIENCE / 10 for gap in gaps)
    print(f"\n# upgrades under traffic: {total} messages, 0 lost, 0 doubled; {knocking.made} connections, 0 refused; "
          f"nobody accepted for {', '.join(f'{gap:.0f} ms' for gap in gaps)}")


@pytest.mark.parametrize("workers", [(4, 1), (4, 2), (1, 3)])
def test_another_number_of_workers_refuses_nobody(imd, connect, workers):
    """Somebody who does not leave makes the others wait, in the queues of all the sockets that there were."""
    server = imd({"workers": workers[0]})
    stuck = connect(server, "line", "stuck")
    server.write_config({"workers": workers[1]})
    process = subprocess.Popen([find_program("imctl", "IMCTL"), "-s", server.admin_path, "upgrade", "-y"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stuck.event("bye")
    waiting = [Im(LineLink(server.line_port)) for _ in range(32)]
    asked = [im.post("ping") for im in waiting]
    assert process.wait(3 * PATIENCE) == 0, process.communicate()
    for im, number in zip(waiting, asked):
        assert im.reply(number)["op"] == "ok"
        im.close()
    assert "not used" not in server.logs
    assert len(server.imctl("workers")["workers"]) == workers[1]
    server.imctl("upgrade")
    assert [connect(server, "line", f"later{n}").ask("ping")["op"] for n in range(16)] == ["ok"] * 16


def test_who_connects_meanwhile_waits_and_is_answered(imd, connect, other):
    """Somebody who does not leave keeps the old program; the others wait for the next."""
    server = imd()
    stuck = connect(server, "line", "stuck")
    process = subprocess.Popen([find_program("imctl", "IMCTL"), "-s", server.admin_path, "upgrade", "-y", "--binary", other],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stuck.event("bye")
    assert program(server) != other
    waiting = [Im(LineLink(place)) for place in (server.line_port, server.unix_path) for _ in range(5)]
    asked = [im.post("ping") for im in waiting]
    assert process.wait(3 * PATIENCE) == 0, process.communicate()
    for im, number in zip(waiting, asked):
        assert im.reply(number)["op"] == "ok"
        im.close()
    assert program(server) == other


def test_the_default_is_where_it_was_started_from(imd, other):
    server = imd()
    server.term()
    server.program = other
    server.start()
    shutil.copy(other, other + ".new")
    os.rename(other + ".new", other)  # as an installation does it
    assert program(server) == other + " (deleted)"
    done = server.imctl("upgrade")
    assert done["binary"] == other and program(server) == other
    assert server.imctl("upgrade")["outcome"] == "ok"


def test_what_is_known_stays_known(imd, connect):
    server = imd()
    ann = connect(server, "line", "ann", "d")
    ann.say("bob", "kept")
    epoch = server.imctl("status")["store"]["epoch"]
    server.imctl("ban", "add", "mallory")
    assert server.imctl("status")["upgrade"] is None
    server.imctl("upgrade")
    status = server.imctl("status")
    assert status["store"]["epoch"] == epoch and status["upgrade"]["outcome"] == "ok" and status["store"]["events"] == 1
    assert connect(server, "line").refused("login", user="mallory") == "banned"
    bob = connect(server, "unix", "bob", "d")
    assert bob.msg()["text"] == "kept"
    audit = [line for line in server.logs.splitlines() if "admin: audit command=upgrade" in line]
    assert len(audit) == 1 and f"by_uid={os.getuid()} outcome=ok" in audit[0]


def test_unix_sockets_keep_their_files_and_modes(imd, connect):
    server = imd({"admin": {"address": "admin.sock", "mode": "0600"}})
    before = {path: os.stat(path) for path in (server.unix_path, server.admin_path)}
    server.imctl("upgrade")
    for path, was in before.items():
        now = os.stat(path)
        assert (now.st_ino, now.st_mode) == (was.st_ino, was.st_mode)
    connect(server, "unix", "ann")
    server.term()
    assert not os.path.exists(server.unix_path) and not os.path.exists(server.admin_path)


def test_listeners_come_and_go_with_the_configuration(imd, connect):
    server = imd()
    port, listen = free_port(), server.defaults()["listen"]
    changed = [{"transport": "line", "address": f"127.0.0.1:{port}"}, listen[0], {"transport": "unix", "address": "new.sock"}]
    old_line = server.line_port
    server.write_config({"listen": changed})
    plan = server.imctl("upgrade", "-n")
    assert plan["opens"] == [f"127.0.0.1:{port}", "new.sock"]
    assert plan["leaves"] == [f"127.0.0.1:{old_line}", os.path.realpath(server.unix_path)]
    assert os.path.exists(server.unix_path) and not os.path.exists(os.path.join(server.dir, "new.sock"))
    connect(server, "line", "ann").close()
    server.imctl("upgrade")
    server.line_port = port
    connect(server, "line", "a")
    connect(server, "websocket", "a")
    Im(LineLink(os.path.join(server.dir, "new.sock"))).ask("ping")
    assert not os.path.exists(server.unix_path)
    with pytest.raises(ConnectionRefusedError):
        LineLink(old_line)


@pytest.mark.parametrize("before, after", [(1, 2), (2, 2), (2, 1), (3, 2)])
def test_another_number_of_workers_opens_and_leaves_no_address(imd, connect, before, after):
    server = imd({"workers": before})
    server.write_config({"workers": after})
    plan = server.imctl("upgrade", "-n")
    assert (plan["opens"], plan["leaves"]) == ([], []), "the same addresses are served"
    server.imctl("upgrade")
    connect(server, "unix", "ann")
    connect(server, "line", "bob")


def test_another_mode_takes_effect(imd):
    server = imd()
    server.write_config({"listen": [{**row, **({"mode": "0600"} if row["transport"] == "unix" else {})} for row in server.defaults()["listen"]]})
    server.imctl("upgrade", "-n")
    assert stat.S_IMODE(os.stat(server.unix_path).st_mode) == 0o660
    server.imctl("upgrade")
    assert stat.S_IMODE(os.stat(server.unix_path).st_mode) == 0o600


def test_tls_comes_back_too(imd, certificate, connect):
    server = imd(tls=certificate)
    server.imctl("upgrade")
    for kind in LINKS:
        connect(server, kind, "a")


# where it cannot

def unchanged(server, connect):
    connect(server, "line", "ann").ask("ping")
    status = server.imctl("status")
    assert status["upgrade"] is None and status["state"] == "running"


@pytest.mark.parametrize("text, said", [
    ("exit 3", "exited with 3"),
    ("exit 0", "no imd"),
    ("echo '{}'", "no imd"),
    ("echo broken >&2; exit 1", "exited with 1: broken"),
    ("kill -SEGV $$", "signal 11"),
    ("echo 'imd: unrecognized option' >&2; exit 64", "unrecognized option"),
])
def test_a_program_that_cannot_is_refused_before_anybody_is_disturbed(imd, connect, script, text, said):
    server = imd()
    ann = connect(server, "line", "ann")
    failure = refused(server, "--binary", script(text))
    assert failure.rc == 70 and "nothing was changed" in failure.err and said in failure.err, failure.err
    ann.ask("ping")
    unchanged(server, connect)


@pytest.mark.parametrize("path, said", [("/nonexistent/imd", "No such file"), ("/etc/passwd", "Permission denied"), ("/tmp", "not a file")])
def test_what_is_no_program_is_refused(imd, connect, path, said):
    server = imd()
    if os.getuid() == 0 and path == "/etc/passwd" and os.access(path, os.X_OK):
        pytest.skip("everything may be executed")
    assert said in refused(server, "--binary", path).err
    unchanged(server, connect)


def test_a_broken_configuration_is_told_with_its_place(imd, connect):
    server = imd()
    server.write_config({"limits": {"rate": "many"}})
    failure = refused(server)
    assert failure.rc == 78 and f"{server.config_path}:" in failure.err and "limits.rate" in failure.err
    unchanged(server, connect)


def test_an_address_that_is_taken_is_told(imd, connect):
    server = imd()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        server.write_config({"metrics": {"address": f"127.0.0.1:{s.getsockname()[1]}"}})
        assert "Address already in use" in refused(server).err
    unchanged(server, connect)


def test_a_store_that_it_does_not_know_is_told(imd, connect):
    server = imd()
    with sqlite3.connect(os.path.join(server.dir, "imd.db")) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute("PRAGMA user_version = 1000")
    db.close()
    failure = refused(server)
    assert f"schema version 1000, this program knows up to {version}" in failure.err
    db = sqlite3.connect(os.path.join(server.dir, "imd.db"))
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    unchanged(server, connect)


def test_another_store_needs_a_restart(imd, connect):
    server = imd()
    server.write_config({"store": {"path": "other.db"}})
    assert "another store" in refused(server).err
    assert not os.path.exists(os.path.join(server.dir, "other.db"))
    unchanged(server, connect)


def test_a_store_in_memory_would_be_lost(imd, connect):
    server = imd({"store": {"kind": "memory", "path": None}})
    failure = refused(server)
    assert failure.rc == 78 and "would be lost" in failure.err
    unchanged(server, connect)


@pytest.mark.parametrize("text, said", [
    ('[ $HOW = trial ] && { echo "no libimd.so" >&2; exit 127; }', "exited with 127: no libimd.so"),
    ("[ $HOW = trial ] && kill -ABRT $$", "signal 6"),
    ('[ $HOW = real ] && exec "$IMD" -c /nonexistent.yaml', "then exited with 78"),
    ('[ $HOW = trial ] && rm "$0"', "No such file"),
])
def test_when_it_fails_late_the_program_before_goes_on(imd, connect, script, text, said):
    server = imd()
    ann = connect(server, "line", "ann", "d")
    ann.say("bob", "kept")
    pid, before = server.process.pid, program(server)
    failure = refused(server, "--binary", script(text + '\nexec "$IMD" "$@"'))
    assert failure.rc == 70 and said in failure.err and "goes on" in failure.err, failure.err
    assert (server.process.pid, program(server)) == (pid, before)
    status = server.imctl("status")
    assert status["upgrade"]["outcome"] == "failed" and said in status["upgrade"]["problem"]
    assert connect(server, "line", "bob", "d").msg()["text"] == "kept"
    for kind in ("websocket", "unix"):
        connect(server, kind, "ann")
    assert server.imctl("upgrade", "--binary", before)["outcome"] == "ok"


def test_only_one_at_a_time_and_none_while_it_stops(imd, connect, script):
    server = imd()
    gate = os.path.join(server.dir, "gate")
    os.mkfifo(gate)
    slow = script(f"read _ < {gate}\nexit 1")
    first = subprocess.Popen([find_program("imctl", "IMCTL"), "-s", server.admin_path, "upgrade", "-y", "--binary", slow],
                             stderr=subprocess.PIPE, text=True)
    with open(gate, "w", encoding="ascii") as f:  # waits until it is read
        failure = refused(server)
        assert failure.rc == 75 and "under way already" in failure.err
        f.write("go\n")
    assert first.wait(PATIENCE) == 70 and "exited with 1" in first.communicate()[1]
    stuck = LineLink(server.line_port)
    stuck.send('{"op":"login","user":"a","id":1}')
    stuck.recv()
    server.write_config({**server.extra, "shutdown": {"deadline": "20s"}})
    server.imctl("reload")
    server.imctl("shutdown")
    failure = refused(server)
    assert failure.rc == 75 and "draining" in failure.err
    stuck.close()
    assert server.wait_exit() == 0


def test_a_drain_ends_the_look_at_another_program(imd, script):
    server = imd()
    gate = os.path.join(server.dir, "gate")
    os.mkfifo(gate)
    process = subprocess.Popen([find_program("imctl", "IMCTL"), "-s", server.admin_path, "upgrade", "-y", "--binary",
                                script(f"read _ < {gate}; exit 1")], stderr=subprocess.PIPE, text=True)
    with open(gate, "w", encoding="ascii"):
        server.signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 75 and "the server is stopping" in process.communicate()[1]
    assert server.wait_exit() == 0


def test_term_while_it_hands_over_stops_it(imd, connect, other):
    server = imd({"websocket": {"close_timeout": "60s"}})
    stuck = connect(server, "line", "stuck")
    process = subprocess.Popen([find_program("imctl", "IMCTL"), "-s", server.admin_path, "upgrade", "-y", "--binary", other,
                                "--deadline", "30s"], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    stuck.event("bye")
    server.signal(signal.SIGTERM)
    until(lambda: "the upgrade is given up" in server.logs, "the end of the upgrade")
    stuck.close()
    assert server.wait_exit() == 0
    assert process.wait(PATIENCE) not in (0, None)
    assert not os.path.exists(server.unix_path) and not os.path.exists(server.admin_path)


def test_the_service_manager_is_told(imd, other, monkeypatch, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        server = imd()
        if b"libsystemd" not in open(f"/proc/{server.process.pid}/maps", "rb").read():
            pytest.skip("built without libsystemd")
        server.imctl("upgrade", "--binary", other)
        said, end = [], time.monotonic() + PATIENCE
        while sum("READY=1" in line for line in said) < 2 and time.monotonic() < end:
            said += manager.recv(4096).decode().split("\n")
        known = [line.split("=")[0] for line in said if line.split("=")[0] in ("READY", "RELOADING", "STOPPING", "MAINPID")]
        assert known == ["READY", "RELOADING", "READY"], said


def test_it_asks_before(imd):
    server = imd()
    command = [find_program("imctl", "IMCTL"), "-s", server.admin_path, "upgrade"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 64 and "say -y" in done.stderr
    assert server.imctl("status")["upgrade"] is None


def test_the_socket_for_reading_does_not(imd):
    server = imd({"admin": {"address": "admin.sock", "mode": "0660", "read_address": "read.sock"}})
    done = subprocess.run([find_program("imctl", "IMCTL"), "-s", os.path.join(server.dir, "read.sock"), "upgrade", "-y"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 77 and "for reading only" in done.stderr
    assert server.imctl("upgrade")["outcome"] == "ok"
    subprocess.run([find_program("imctl", "IMCTL"), "-s", os.path.join(server.dir, "read.sock"), "status"], check=True,
                   capture_output=True, timeout=30)


def test_many_in_a_row_leave_no_descriptor(imd):
    server = imd({"log": {"level": "warn"}})
    pid = server.process.pid
    counts = []
    for _ in range(10):
        assert server.imctl("upgrade")["pid"] == pid
        counts.append(len(os.listdir(f"/proc/{pid}/fd")))
    assert max(counts) < min(counts) + 5, counts  # imctl's socket may still be there, or not
