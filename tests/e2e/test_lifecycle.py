"""TERM drains, HUP reloads or keeps the old, USR1 reopens the log."""

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import threading

import pytest

from imdtest.certs import client_context, make_certificate, served_certificate
from imdtest.daemon import free_port, merge, to_yaml
from imdtest.kinds import LINKS
from imdtest.links import Closed, LineLink
from imdtest.wait import PATIENCE, until


def test_term_tells_everybody_to_come_back_and_exits_0(imd, certificate, connect, chat, human):
    daemon = imd(tls=certificate)
    ims = {kind: connect(daemon, kind, "a") for kind in LINKS}
    person, room = human(daemon, "a"), chat(daemon, "classroom", "a", "b")
    new = connect(daemon, "websocket")  # not logged in
    daemon.signal(signal.SIGTERM)
    for kind, im in ims.items():
        bye = im.event("bye")
        assert bye["reconnect"] is True and bye["code"] == 503 and 0 <= bye["after"] <= 100, bye
        assert im.wait_closed().code == (1012 if kind.startswith("websocket") else None)
    person.expect("restarting")
    person.wait_closed()
    assert room.link.wait_closed()[1].code == 1012
    assert new.wait_closed().code == 1012
    assert daemon.wait_exit() == 0
    assert not os.path.exists(daemon.unix_path) and not os.path.exists(daemon.admin_path)


def test_int_ends_it_as_well(imd, connect):
    daemon = imd()
    im = connect(daemon, "line", "a")
    daemon.signal(signal.SIGINT)
    im.event("bye")
    assert daemon.wait_exit() == 0


def test_a_drain_takes_no_new_connections(imd, connect):
    daemon = imd({"shutdown": {"deadline": "20s"}})
    stuck = LineLink(daemon.line_port)  # never reads, never leaves by itself
    stuck.send('{"op":"login","user":"a"}')
    im = connect(daemon, "line", "b")
    daemon.signal(signal.SIGTERM)
    im.event("bye")

    def refused():
        try:
            LineLink(daemon.line_port).recv()
        except (OSError, Closed):
            return True

    until(refused, "new connections to be refused")
    stuck.close()
    im.close()
    assert daemon.wait_exit() == 0


def test_what_was_sent_before_term_is_answered_and_kept(imd, connect):
    daemon = imd()
    im = connect(daemon, "line", "a")
    posted = [im.post("send", to="b", text=str(n), cid=f"c{n}") for n in range(500)]
    im.reply(posted[10])
    daemon.signal(signal.SIGTERM)
    im.wait_closed()
    acknowledged = {n for n, number in enumerate(posted) if im.replies.get(number, {}).get("op") == "ok"} | {10}
    assert daemon.wait_exit() == 0
    daemon.start()
    b, texts = connect(daemon, "line"), set()
    b.login("b", "d", since="0")
    while not acknowledged <= texts:
        texts.add(int(b.msg()["text"]))


def test_the_deadline_of_a_drain_holds(imd, closing):
    daemon = imd({"shutdown": {"deadline": "500ms"}, "websocket": {"close_timeout": "60s"}})
    links = [closing(LineLink(daemon.line_port)) for _ in range(3)]
    for link in links:
        link.send('{"op":"login","user":"a","id":1}')
        link.recv()
    daemon.signal(signal.SIGTERM)  # nobody closes an end of theirs
    assert daemon.wait_exit() == 0


def test_imctl_shutdown_is_term(imd, connect):
    daemon = imd()
    im = connect(daemon, "websocket", "a")
    daemon.imctl("shutdown")
    assert im.event("bye")["reconnect"] is True
    assert daemon.wait_exit() == 0


def test_the_unix_socket_has_its_mode(imd):
    daemon = imd()
    for path in (daemon.unix_path, daemon.admin_path):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660


def test_a_socket_left_behind_by_kill_9_is_no_obstacle(imd, connect):
    daemon = imd()
    daemon.kill9()
    assert os.path.exists(daemon.unix_path)
    daemon.start()
    connect(daemon, "unix", "a")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_it_listens_on_ipv6(imd):
    daemon, port = imd(), free_port()
    daemon.term()
    daemon.write_config({"listen": [*daemon.defaults()["listen"], {"transport": "line", "address": f"[::1]:{port}"}]})
    daemon.start()
    with socket.create_connection(("::1", port), 10) as s:
        s.sendall(b"/ping\n")
        assert b"pong" in s.recv(100)


def test_a_second_daemon_on_the_same_store_does_not_start(imd):
    daemon = imd()
    path = os.path.join(daemon.dir, "second.yaml")
    config = merge(daemon.defaults(), {"listen": [{"transport": "line", "address": f"127.0.0.1:{free_port()}"}],
                                       "admin": {"address": "second.sock"}, "metrics": None})
    with open(path, "w", encoding="utf-8") as f:
        f.write(to_yaml(config))
    done = subprocess.run([daemon.program, "-c", path], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0 and ("in use" in done.stderr or "locked" in done.stderr), done.stderr
    assert daemon.alive()


# reload

def reload(daemon, config=None):
    if config is not None:
        daemon.write_config(config)
    size = len(daemon.logs)
    daemon.signal(signal.SIGHUP)
    return until(lambda: "reload" in daemon.logs[size:] and daemon.logs[size:], "the reload to be logged")


def test_hup_keeps_connections_and_takes_new_values(imd, certificate, connect):
    daemon = imd(tls=certificate)
    ims = [connect(daemon, kind, "a") for kind in LINKS]
    for im in ims:
        im.settle()
    assert ims[0].say("b", "x" * 2000)
    reload(daemon, {"limits": {"text": "1KiB"}})
    until(lambda: ims[0].refused("send", to="b", text="x" * 2000) == "too_long", "the new limit")
    for im in ims:
        im.ask("ping")
    assert connect(daemon, "line").hello()["limits"]["text"] == 1024


def test_hup_serves_a_new_certificate_and_drops_nobody(imd, tmp_path, connect, closing):
    old = make_certificate(str(tmp_path / "served"))
    daemon = imd(tls=old)
    ims = [connect(daemon, kind, "a") for kind in ("line-tls", "websocket-tls")]
    before = served_certificate(daemon.line_tls_port)
    new = make_certificate(str(tmp_path / "new"))
    for a, b in zip(new, old):
        os.replace(a, b)
    assert served_certificate(daemon.line_tls_port) == before
    reload(daemon)
    for port in (daemon.line_tls_port, daemon.wss_port):
        until(lambda port=port: served_certificate(port) != before, "the new certificate")
        with open(old.cert, encoding="ascii") as f:
            assert served_certificate(port).strip() == f.read().strip()
    for im in ims:
        im.ask("ping")
    daemon.tls_context = client_context(old)
    fresh = connect(daemon, "websocket-tls", "b")
    ims[0].say("b", "across certificates")
    assert fresh.msg()["text"] == "across certificates"


@pytest.mark.parametrize("damage", ["missing", "garbage", "other key"])
def test_hup_with_a_bad_certificate_keeps_the_old(imd, tmp_path, connect, damage):
    old = make_certificate(str(tmp_path / "served"))
    daemon = imd(tls=old)
    before = served_certificate(daemon.wss_port)
    if damage == "missing":
        os.unlink(old.cert)
    elif damage == "garbage":
        with open(old.cert, "w", encoding="ascii") as f:
            f.write("not a certificate\n")
    else:
        os.replace(make_certificate(str(tmp_path / "new")).key, old.key)
    said = reload(daemon)
    assert old.cert in said or old.key in said
    assert served_certificate(daemon.wss_port) == before == served_certificate(daemon.line_tls_port)


def test_hup_that_cannot_open_the_log_changes_nothing_else(imd, tmp_path, connect):
    old = make_certificate(str(tmp_path / "served"))
    daemon = imd({"log": {"file": "imd.log", "level": "debug"}}, tls=old)
    before = served_certificate(daemon.wss_port)
    for a, b in zip(make_certificate(str(tmp_path / "new")), old):
        os.replace(a, b)
    # a folder that is there, so that only opening the file itself fails
    for path, problem in (("no/such/folder/imd.log", "No such file"), (".", "Is a directory")):
        daemon.write_config({"log": {"file": path, "level": "debug"}, "limits": {"text": "1KiB"}})
        done = daemon.imctl_run("reload")
        assert done.returncode != 0 and problem in done.stderr and "log" in done.stderr, done
        assert served_certificate(daemon.wss_port) == before == served_certificate(daemon.line_tls_port)
        assert connect(daemon, "line").hello()["limits"]["text"] == 16 * 1024
    assert "nothing was changed" in done.stderr
    daemon.write_config({"log": {"file": "imd.log", "level": "debug"}})
    daemon.imctl("reload")
    assert served_certificate(daemon.wss_port) != before


@pytest.mark.parametrize("text, why", [
    ("limits: {text: 1KiB}\nlimtis: 5\n", ":2:"),
    ("limits: {text: 1KiB, text: 2KiB}\n", ":1:"),
    ("limits: {text: lots}\n", ":1:"),
    ("limits: [\n", ":"),
    ("workers: 99\n", ":1:"),
])
def test_hup_with_a_broken_configuration_keeps_the_old_and_says_why(imd, connect, text, why):
    daemon = imd()
    im = connect(daemon, "line", "a")
    with open(daemon.config_path, encoding="utf-8") as f:
        good = f.read()
    with open(daemon.config_path, "w", encoding="utf-8") as f:
        f.write(text)
    said = reload(daemon)
    assert daemon.config_path + why in said, said
    assert im.say("b", "x" * 5000)
    connect(daemon, "unix", "c").ask("ping")
    assert connect(daemon, "line").hello()["limits"]["text"] == 16 * 1024
    with open(daemon.config_path, "w", encoding="utf-8") as f:
        f.write(good)
    reload(daemon, {"limits": {"text": "2KiB"}})
    until(lambda: connect(daemon, "line").hello()["limits"]["text"] == 2048, "the repaired configuration")


def test_imctl_reload_reports_what_is_wrong(imd):
    daemon = imd()
    daemon.imctl("reload")
    daemon.write_config({"limits": {"text": "lots"}})
    done = daemon.imctl_run("reload")
    assert done.returncode != 0 and "limits.text" in done.stdout + done.stderr
    assert daemon.imctl("online")["users"] == 0


def test_signals_during_the_start_wait_for_its_end(imd, connect):
    daemon = imd()
    daemon.term()
    with open(daemon.config_path, encoding="utf-8") as f:
        text = f.read()
    os.unlink(daemon.config_path)
    os.mkfifo(daemon.config_path)
    daemon._spawn()
    daemon.over = False
    with open(daemon.config_path, "w", encoding="utf-8") as f:  # it has begun, and waits for its configuration
        daemon.signal(signal.SIGHUP)
        daemon.signal(signal.SIGUSR1)
        f.write(text)
    until(lambda: daemon.logs.count("imd: ready") == 2, "it to be ready all the same")
    with open(daemon.config_path, "w", encoding="utf-8") as f:  # it lives, and HUP was not forgotten
        f.write(text)
    until(lambda: "reload: done" in daemon.logs and "opened again" in daemon.logs, "both signals to be obeyed")
    connect(daemon, "line", "a")


def test_the_service_manager_hears_that_it_is_ready_and_lives(imd, connect, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "900000")  # the queue holds what comes until the end
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        daemon = imd()
        if b"libsystemd" not in open(f"/proc/{daemon.process.pid}/maps", "rb").read():
            pytest.skip("built without libsystemd")
        ready = manager.recv(1000)
        assert ready.startswith(b"READY=1\nSTATUS=Listening: websocket 127.0.0.1:"), ready
        assert [manager.recv(100) for _ in range(2)] == [b"WATCHDOG=1", b"WATCHDOG=1"]
        daemon.imctl("reload")
        said = heard_until(manager, b"READY=1")
        assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", said[-2]), said
        connect(daemon, "line", "a")
        daemon.term()
        said = heard_until(manager, b"STOPPING=1\nSTATUS=Stopping: SIGTERM")
        assert set(said[:-1]) <= {b"WATCHDOG=1"}, said


def heard_until(manager, last):
    said = []
    while not said or said[-1] != last:
        said.append(manager.recv(1000))
    return [word for word in said if word != b"WATCHDOG=1" or word == last]


def test_a_server_that_hangs_stops_telling_that_it_lives(imd, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "300000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        daemon = imd()
        if b"libsystemd" not in open(f"/proc/{daemon.process.pid}/maps", "rb").read():
            pytest.skip("built without libsystemd")
        while manager.recv(1000) != b"WATCHDOG=1":
            pass
        daemon.signal(signal.SIGSTOP)
        until(lambda: open(f"/proc/{daemon.process.pid}/stat", encoding="ascii").read().rsplit(") ", 1)[1][0] == "T",
              "it to be stopped")
        manager.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                manager.recv(1000)
        manager.settimeout(1)  # three times as long as it may be silent
        with pytest.raises(TimeoutError):
            manager.recv(1000)
        daemon.signal(signal.SIGCONT)
        manager.settimeout(PATIENCE)
        assert manager.recv(1000) == b"WATCHDOG=1"


# logs

def test_usr1_reopens_the_log(imd, connect):
    daemon = imd({"log": {"file": "imd.log", "level": "debug"}})
    path = os.path.join(daemon.dir, "imd.log")
    until(lambda: os.path.getsize(path) > 0, "the log to be written")
    os.rename(path, path + ".1")
    connect(daemon, "line", "before")
    assert not os.path.exists(path)
    daemon.signal(signal.SIGUSR1)
    until(lambda: os.path.exists(path), "the log to be made anew")
    connect(daemon, "line", "a").close()
    until(lambda: os.path.getsize(path) > 0, "the new log to be written")


def test_what_peers_control_is_escaped_in_the_log(imd, closing):
    daemon = imd()
    link = closing(LineLink(daemon.line_port))
    link.send('{"op":"hello","id":1,"v":1,"agent":"\\u001b[31m\\nforged level=error","device":"d\\u001b]0;"}')
    link.recv()
    link.send('{"op":"login","id":2,"user":"a"}')
    link.recv()
    link.close()
    until(lambda: "ended" in daemon.logs, "the end to be logged")
    assert "\x1b" not in daemon.logs and not any(line.startswith("forged") for line in daemon.logs.splitlines())


def test_a_part_of_the_server_logs_more_than_the_rest(imd, connect):
    daemon = imd({"log": {"level": "warn", "parts": ["login:debug", "session:debug"]}})
    connect(daemon, "line", "a").close()
    until(lambda: " debug session: " in daemon.logs, "a line of that part")
    assert not re.search(r" (info|debug) +(?!login|session)\w+: ", daemon.logs), daemon.logs
    assert daemon.imctl("log", "level")["parts"]["session"] == "debug"
    assert daemon.imctl("log", "level", "info", "imd")["parts"]["imd"] == "info"
    daemon.write_config({"log": {"level": "warn"}})
    daemon.imctl("reload")
    assert set(daemon.imctl("log", "level")["parts"].values()) == {"warn"}


@pytest.mark.parametrize("parts, problem", [
    (["stor:debug"], 'no part "stor" logs; did you mean "store"?'),
    (["zzzzzz:debug"], "imctl log level lists them"),
    (["store:loud"], "must be one of error, warn, info, debug"),
    (["store"], "must be PART:LEVEL, such as store:debug"),
])
def test_a_part_that_cannot_be_is_refused(imd, parts, problem):
    daemon = imd()
    daemon.write_config({"log": {"parts": parts}})
    done = daemon.imctl_run("reload")
    assert done.returncode == 78 and problem in done.stderr and "log.parts" in done.stderr


def test_every_part_that_logs_is_in_the_table():
    top = os.environ.get("top_srcdir", os.path.join(os.path.dirname(__file__), "..", ".."))
    with open(os.path.join(top, "core", "tbl", "subsystems.def"), encoding="utf-8") as f:
        table = set(re.findall(r'IM_SUBSYSTEM\("(\w+)"', f.read()))
    used = set()
    for folder in ("core", "stores", "transports", "tools/imd"):
        for name in os.listdir(os.path.join(top, folder)):
            if name.endswith(".c"):
                with open(os.path.join(top, folder, name), encoding="utf-8") as f:
                    used |= set(re.findall(r'IM_LOG\([^"]*?"(\w+)"', f.read()))
    assert used == table


def test_repeated_lines_are_counted_beyond_the_rate(imd, connect):
    daemon = imd({"log": {"level": "debug", "rate": 2}})
    for _ in range(20):
        connect(daemon, "line", "a").close()
    until(lambda: "lines left out" in daemon.logs, "what was left out to be told")
    left_out = sum(int(n) for n in re.findall(r"lines left out sub=session event=\S+ count=(\d+)", daemon.logs))
    assert left_out > 0, daemon.logs


def test_the_journal_gets_entries_with_fields(imd, connect, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "socket"))
        entries = []

        def read():  # without a pause: such a socket holds few datagrams
            with contextlib.suppress(OSError):
                while datagram := journal.recv(10000):
                    entries.append(dict(line.split("=", 1) for line in datagram.decode().splitlines()))

        reader = threading.Thread(target=read)
        reader.start()
        daemon = imd({"log": {"format": "journald", "file": str(tmp_path / "socket")}})
        connect(daemon, "line", "小明")
        entry = until(lambda: next((e for e in entries if e.get("IMD_USER") == "小明"), None), "the user's entry")
        assert entry["MESSAGE"].startswith(f"{entry['IMD_SUBSYSTEM']}: {entry['IMD_EVENT']} ")
        daemon.term()
        journal.shutdown(socket.SHUT_RDWR)
        reader.join(PATIENCE)
    assert all(e["SYSLOG_IDENTIFIER"] == "imd" and e["PRIORITY"] in "3467" for e in entries)
    assert daemon.logs == ""


@pytest.mark.parametrize("form", ["text", "logfmt", "json"])
def test_log_lines_have_the_form_that_was_asked_for(imd, connect, form):
    daemon = imd({"log": {"format": form}})
    connect(daemon, "line", "小明").close()
    until(lambda: daemon.online()["sessions"] == 0)
    for line in daemon.logs.splitlines():
        if form == "json":
            assert isinstance(json.loads(line), dict)
        elif form == "logfmt":
            assert re.fullmatch(r'(\w+=("(\\.|[^"\\])*"|[^\s"=]*)\s?)+', line), line
