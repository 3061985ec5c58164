"""TERM drains, HUP reloads or keeps the old, USR1 reopens the log."""

import json
import os
import re
import signal
import socket
import stat
import subprocess

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


def test_the_service_manager_hears_that_it_is_ready_and_lives(imd, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "300000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        daemon = imd()
        if b"libsystemd" not in open(f"/proc/{daemon.process.pid}/maps", "rb").read():
            pytest.skip("built without libsystemd")
        assert [manager.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        daemon.term()
        manager.setblocking(False)
        said = []
        while not said or said[-1] != b"STOPPING=1":
            said.append(manager.recv(100))
        assert set(said[:-1]) <= {b"WATCHDOG=1"}


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
