"""What operators do to a live server through imctl: backups, bans, notices, draining, and what is asked before."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import threading

import pytest

from imdtest.clients import Im
from imdtest.daemon import ImctlFailed, find_program
from imdtest.kinds import LINKS
from imdtest.terminal import at_terminal as terminal
from imdtest.wait import until


@pytest.fixture
def server(imd):
    return imd()


@pytest.fixture
def enter(server, connect):
    def make(user, kind="line", device=None):
        im = connect(server, kind)
        im.login(user, device)
        return im
    return make


def refused(server, *words):
    with pytest.raises(ImctlFailed) as failure:
        server.imctl(*words)
    return failure.value


def imctl(server, *words, **options):
    return subprocess.run([find_program("imctl", "IMCTL"), "-s", server.admin_path, *words], capture_output=True, text=True,
                          timeout=60, check=False, **options)


def imd_run(server, *words):
    return subprocess.run([find_program("imd", "IMD"), "-c", server.config_path, *words], capture_output=True, text=True,
                          timeout=60, check=False)


def audits(server):
    return [line.split("admin: audit ")[1] for line in server.logs.splitlines() if "admin: audit" in line]


# backup, store check, restore

def backup(server, enter):
    enter("ann").ask("send", to="bob", text="kept")
    path = os.path.join(server.dir, "copy.db")
    done = server.imctl("backup", path)
    assert done["file"] == path and done["events"] == 1 and done["bytes"] == os.path.getsize(path)
    copy = sqlite3.connect(path)
    assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert copy.execute("SELECT body FROM events").fetchall() == [("kept",)]
    assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    copy.close()
    assert sorted(n for n in os.listdir(server.dir) if n.startswith("copy")) == ["copy.db"]
    assert os.stat(path).st_mode & 0o777 == 0o600


def store_check(server, enter):
    enter("ann").ask("send", to="bob", text="kept")
    done = server.imctl("store", "check")
    assert done["store"] == "ok" and done["events"] == 1


def test_backup_never_overwrites_and_leaves_nothing_behind(server):
    path = os.path.join(server.dir, "there")
    with open(path, "w", encoding="ascii") as f:
        f.write("mine")
    assert "is there already" in refused(server, "backup", path).err
    with open(path, encoding="ascii") as f:
        assert f.read() == "mine"
    assert "No such file" in refused(server, "backup", "/nonexistent/folder/copy.db").err
    assert not [n for n in os.listdir(server.dir) if n.endswith(".part")]


def test_a_backup_path_begins_where_imctl_runs(server, tmp_path):
    os.chmod(tmp_path, 0o777)
    done = imctl(server, "backup", "here.db", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "here.db").exists()


def test_memory_has_nothing_to_back_up(imd):
    server = imd({"store": {"kind": "memory", "path": None}})
    assert "kept in memory" in refused(server, "backup", "/tmp/never.db").err
    assert server.imctl("store", "check")["store"] == "ok"


def check_copy(path, acknowledged):
    """A backup is a sound store, whole in itself, and has all that was acknowledged before it began."""
    copy = sqlite3.connect(path)
    assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert copy.execute("PRAGMA foreign_key_check").fetchall() == []
    rows = copy.execute("SELECT pos, conv, seq, body FROM events ORDER BY pos").fetchall()
    copy.close()
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1)), "no gap in the log"
    seqs = {}
    for _, conv, seq, _ in rows:
        assert seq == seqs.get(conv, 0) + 1, "no gap in a conversation"
        seqs[conv] = seq
    missing = acknowledged - {row[3] for row in rows}
    assert not missing, f"{len(missing)} of {len(acknowledged)}"
    return len(rows)


def test_a_backup_under_load_has_everything_that_was_acknowledged_before(server, enter, connect):
    stop, acked = threading.Event(), [[] for _ in range(4)]

    def write(who):
        im = people[who]
        while not stop.is_set():  # twenty at a time, so that they share transactions
            texts = [f"{who}-{len(acked[who]) + n}-" + "x" * 300 for n in range(20)]
            posted = [im.post("send", to=f"peer{who}", text=text) for text in texts]
            for number, text in zip(posted, texts):
                assert im.reply(number)["op"] == "ok"
                acked[who].append(text)

    people = [enter(f"writer{n}") for n in range(4)]
    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    try:
        grown = 0
        for n in range(5):
            until(lambda: sum(map(len, acked)) > grown + 200, "load")
            before = {text for texts in acked for text in list(texts)}
            path = os.path.join(server.dir, f"load{n}.db")
            done = server.imctl("backup", path)
            assert check_copy(path, before) == done["events"] >= len(before)
            grown = sum(map(len, acked))
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    for im in people:
        im.close()
    server.term()
    done = imd_run(server, "--restore", path)
    assert done.returncode == 0, done.stderr
    server.start()
    peer = connect(server, "line")
    peer.login("peer0")
    assert peer.msg()["text"].startswith("0-0-")


def test_restore_brings_back_what_was_and_clients_start_over(server, connect):
    ann = connect(server, "line")
    epoch = ann.hello()["epoch"]
    ann.login("ann")
    ann.ask("send", to="bob", text="one")
    path = os.path.join(server.dir, "copy.db")
    server.imctl("backup", path)
    ann.ask("send", to="bob", text="two")
    running = imd_run(server, "--restore", path)
    assert running.returncode == 74 and "in use by process" in running.stderr
    ann.close()
    server.term()
    done = imd_run(server, "--restore", path)
    assert done.returncode == 0, done.stderr
    server.start()
    bob = connect(server, "line")
    assert bob.hello()["epoch"] != epoch
    bob.login("bob")
    assert bob.msg()["text"] == "one"
    assert server.imctl("status")["store"]["events"] == 1
    old = sqlite3.connect(os.path.join(server.dir, "imd.db.replaced"))
    assert old.execute("SELECT body FROM events ORDER BY pos").fetchall() == [("one",), ("two",)]
    old.close()


def test_restore_takes_no_file_that_is_not_sound(server, enter):
    enter("ann").ask("send", to="bob", text="one")
    path = os.path.join(server.dir, "copy.db")
    server.imctl("backup", path)
    server.term()
    with open(path, "r+b") as f:
        f.seek(4096)
        f.write(b"\xff" * 4096)
    other = os.path.join(server.dir, "other.db")
    sqlite3.connect(other).executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    for bad in (path, other, server.config_path, os.path.join(server.dir, "none")):
        done = imd_run(server, "--restore", bad)
        assert done.returncode != 0 and "nothing was changed" in done.stderr, bad
    server.start()
    assert server.imctl("status")["store"]["events"] == 1


# bans and mutes

def ban_add(server, enter, connect):
    ann = enter("ann")
    done = server.imctl("ban", "add", "ANN", "--for", "1h", "--reason", "rude")
    assert (done["kind"], done["who"], done["closed"]) == ("user", "ANN", 1) and done["until"]
    assert ann.event("bye")["name"] == "banned"
    again = connect(server, "line")
    assert again.refused("login", user="ann") == "banned"
    enter("bob")


def ban_list(server):
    server.imctl("ban", "add", "ann", "--reason", "rude")
    server.imctl("ban", "add", "2001:db8::/32")
    server.imctl("ban", "add", "user=10.0.0.1")
    server.imctl("mute", "bob")
    rows = [(b["kind"], b["who"]) for b in server.imctl("ban", "list")["bans"]]
    assert rows == [("mute", "bob"), ("net", "2001:db8::/32"), ("user", "10.0.0.1"), ("user", "ann")]


def ban_del(server, connect):
    server.imctl("ban", "add", "ann")
    assert server.imctl("ban", "del", "Ann") == {"kind": "user", "who": "ann", "ended": True}
    connect(server, "line").login("ann")
    assert refused(server, "ban", "del", "ann").rc == 65


def mute(server, enter):
    ann = enter("ann")
    server.imctl("mute", "ann", "--for", "1h", "--reason", "too loud")
    assert ann.refused("send", to="bob", text="hello") == "muted"
    assert ann.refused("group", do="create", conv="#tea") == "muted"
    ann.ask("history", conv="bob")


def unmute(server, enter):
    ann = enter("ann")
    server.imctl("mute", "ann")
    server.imctl("unmute", "ann")
    ann.ask("send", to="bob", text="hello")
    assert refused(server, "unmute", "ann").rc == 65


def test_a_banned_address_is_not_let_in_and_bans_outlive_a_restart(server, connect):
    ann = connect(server, "line")
    ann.login("ann")
    assert server.imctl("ban", "add", "127.0.0.0/8")["closed"] == 1
    assert ann.event("bye")["name"] == "banned"
    server.restart()
    refusals = server.refused("banned")
    link = LINKS["line"](server)
    assert link.wait_closed()[0] == []
    link.close()
    until(lambda: server.refused("banned") == refusals + 1, "a refusal")
    local = Im(LINKS["unix"](server))
    local.login("bob")
    local.close()
    server.imctl("ban", "del", "127.0.0.0/8")
    connect(server, "line").login("ann")


def test_a_ban_ends_with_its_time(server, connect):
    server.imctl("ban", "add", "ann", "--for", "1s")
    assert connect(server, "line").refused("login", user="ann") == "banned"
    until(lambda: not server.imctl("ban", "list")["bans"], "the end of the ban")
    connect(server, "line").login("ann")


@pytest.mark.parametrize("words", [["10.0.0.1/24"], ["10.0.0.0/33"], ["1.2.3/8"], ["::1/129"], [], ["a b"], ["ann", "user=ann"]])
def test_what_cannot_be_banned_is_said(server, words):
    assert refused(server, "ban", "add", *words).rc in (64, 65)
    assert server.imctl("ban", "list")["bans"] == []


# broadcast, send

def broadcast(server, enter):
    ann, bob = enter("ann"), enter("bob", "websocket")
    ann.ask("group", do="create", conv="#tea")
    assert server.imctl("broadcast", "soon", "-n")["sessions"] == 2
    assert server.imctl("broadcast", "soon")["sessions"] == 2
    assert ann.event("notice")["text"] == "soon" and bob.event("notice")["text"] == "soon"
    assert server.imctl("broadcast", "tea", "--group", "#tea")["sessions"] == 1
    assert ann.event("notice")["text"] == "tea"
    assert server.imctl("broadcast", "web", "--transport=websocket")["sessions"] == 1
    assert bob.event("notice")["text"] == "web"
    assert server.imctl("broadcast", "you", "--user", "ANN")["sessions"] == 1
    assert ann.event("notice")["text"] == "you"
    assert server.imctl("broadcast", "some", "--filter", "user=bob and transport=web*")["sessions"] == 1
    assert bob.event("notice")["text"] == "some"
    assert refused(server, "broadcast", "x", "--filter", "nonsense=1").rc == 64
    assert refused(server, "broadcast", "").rc == 64


def send(server, enter):
    ann = enter("ann")
    done = server.imctl("send", "helpdesk", "ann", "-- hello")
    assert (done["seq"], done["pos"]) == (1, 1)
    assert server.imctl("why", str(done["pos"]))["event"]["from"] == "helpdesk"
    msg = ann.msg()
    assert (msg["from"], msg["text"], msg["bot"]) == ("helpdesk", "-- hello", True)
    assert refused(server, "send", "helpdesk", "#none", "x").rc == 65
    ann.ask("group", do="create", conv="#tea")
    assert refused(server, "send", "helpdesk", "#tea", "x").rc == 65


# log level, audit

def test_a_log_level_goes_back_by_itself(imd):
    server = imd({"log": {"level": "info"}})
    done = server.imctl("log", "level", "debug", "store", "--for", "1s")
    assert done["parts"]["store"] == "debug" and 0 < done["back_in_ms"] <= 1000
    until(lambda: server.imctl("log", "level")["parts"]["store"] == "info", "the level of the configuration")
    assert "the levels of the configuration are back" in server.logs
    assert any("log.level level=debug part=store for=1s" in line for line in audits(server))


def test_every_act_is_written_down_and_no_secret_with_it(server):
    server.imctl("user", "add", "ann", stdin="correct horse\n")
    server.imctl("broadcast", "between us")
    server.imctl("hook", "add", "h", "ann", "http://127.0.0.1:9/private-path", "secret=", stdin="very-secret-one\n")
    refused(server, "kick", "nobody")
    refused(server, "ban", "add", "1.2.3/8")
    server.imctl("status")
    lines = audits(server)
    uid = f"by_uid={os.getuid()}"
    assert lines[0] == f'command="user.add name=ann" {uid} outcome=ok'
    assert lines[1] == f'command="broadcast text=(10 bytes)" {uid} outcome=ok'
    assert "hook.add name=h user=ann" in lines[2]
    assert lines[3] == f'command="kick who=nobody" {uid} outcome=no_such_user'
    assert lines[4].endswith("outcome=bad_field") and len(lines) == 5
    for secret in ("correct horse", "between us", "private-path", "very-secret-one"):
        assert secret not in "\n".join(lines)


# draining

def drain(server, enter):
    people = [enter(f"user{n}") for n in range(10)]
    plan = server.imctl("drain", "-n", "--rate", "5")
    assert plan["sessions"] == 10 and plan["rate"] == 5
    assert server.imctl("status")["state"] == "running"
    process = draining(server, "--rate", "5", "--deadline", "30s")
    people[0].event("bye")
    assert server.imctl("drain", "-n")["state"] == "draining"
    assert people[9].ask("send", to="user0", text="still here")["seq"] == 1
    for im in people:
        im.close()
    items = [json.loads(line) for line in process.communicate(timeout=60)[0].splitlines()]
    assert process.returncode == 0 and server.wait_exit() == 0
    assert items[0]["told"] == 0 and items[0]["left"] == 10 and items[0]["eta_ms"] == 2000
    assert items[-1]["left"] == 0 and items[-1]["took_ms"] > 0


def draining(server, *words, form="--json"):
    return subprocess.Popen([find_program("imctl", "IMCTL"), "-s", server.admin_path, form, "drain", "-y", *words],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_drain_tells_how_it_goes_to_its_end(server, enter):
    people = [enter(f"user{n}") for n in range(30)]
    process = draining(server, "--rate", "10", "--deadline", "60s")
    items = []
    for im in people:  # each leaves when told, as clients do
        im.event("bye")
        im.close()
    items = [json.loads(line) for line in process.communicate(timeout=60)[0].splitlines()]
    told, left, eta = ([item[key] for item in items] for key in ("told", "left", "eta_ms"))
    assert told == sorted(told) and told[0] == 0 and told[-1] == 30 and 3 <= len(items) <= 8, items
    assert left == sorted(left, reverse=True) and (left[0], left[-1]) == (30, 0)
    assert eta == sorted(eta, reverse=True) and (eta[0], eta[-1]) == (3000, 0)
    assert all(t + rest >= 30 for t, rest in zip(told, left)), items
    assert process.returncode == 0 and server.wait_exit() == 0


def test_a_drain_goes_on_when_nobody_watches_and_may_be_watched_again(server, enter):
    people = [enter(f"user{n}") for n in range(3)]
    first = draining(server, "--rate", "1", "--deadline", "60s")
    assert json.loads(first.stdout.readline())["left"] == 3
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)
    second = draining(server, form="--csv")
    assert second.stdout.readline() == "told,left,eta_ms,more\n"
    for im in people:
        im.event("bye")
        im.close()
    rows = second.communicate(timeout=60)[0].splitlines()
    assert rows[-1].startswith("3,0,0,") and second.returncode == 0
    assert server.wait_exit() == 0


def test_a_drain_ends_at_its_deadline_and_says_who_was_left(imd, connect):
    server = imd({"websocket": {"close_timeout": "60s"}})
    connect(server, "line", "stuck")
    process = draining(server, "--deadline", "1s", form="--plain")
    last = process.communicate(timeout=60)[0].splitlines()[-1].split("\t")
    assert last[:3] == ["1", "1", "0"] and process.returncode == 0
    assert server.wait_exit() == 0


def test_a_drain_is_a_live_line_at_a_terminal(server, enter):
    people = [enter(f"user{n}") for n in range(3)]
    with terminal(find_program("imctl", "IMCTL"), "-s", server.admin_path, "drain", "-y", "--rate", "2", env={"TERM": "xterm"}) as imctl_there:
        imctl_there.expect(r"\rtold 0  left 3  eta 1s\x1b\[K")
        for im in people:
            im.event("bye")
            im.close()
        imctl_there.expect(r"\rtold 3  left 0  eta 0ms  took \d+[ms0-9]*\x1b\[K\r\n")
        assert imctl_there.wait() == 0
    assert server.wait_exit() == 0


# the rest of upgrades is in test_upgrade.py

def upgrade(server, enter):
    enter("ann").ask("send", to="bob", text="kept")
    plan = server.imctl("upgrade", "-n")
    assert plan["sessions"] == 1 and plan["opens"] == [] and plan["leaves"] == []
    done = server.imctl("upgrade")
    assert done["outcome"] == "ok" and done["pid"] == plan["pid"] == server.process.pid
    assert enter("bob").msg()["text"] == "kept"


# what is asked before

def at_terminal(server, *args):
    here, there = os.openpty()
    process = subprocess.Popen(["setsid", "-c", "-w", find_program("imctl", "IMCTL"), "-s", server.admin_path, *args],
                               stdin=there, stdout=there, stderr=there)
    os.close(there)
    return process, here


def read_until(terminal, end):
    shown = b""
    while not shown.endswith(end):
        shown += os.read(terminal, 1000)
    return shown.decode()


def test_what_is_dangerous_asks(server):
    done = imctl(server, "shutdown", stdin=subprocess.DEVNULL)
    assert done.returncode == 64 and "say -y" in done.stderr
    done = imctl(server, "shutdown", "-n")
    assert done.returncode == 0 and "deadline" in done.stdout
    process, terminal = at_terminal(server, "shutdown")
    assert "sessions" in read_until(terminal, b"[y/N] ")
    os.write(terminal, b"n\n")
    assert process.wait(30) == 75
    os.close(terminal)
    assert server.imctl("status")["state"] == "running"
    process, terminal = at_terminal(server, "shutdown")
    read_until(terminal, b"[y/N] ")
    os.write(terminal, b"y\n")
    assert process.wait(30) == 0
    os.close(terminal)
    assert server.wait_exit() == 0


def test_options_stand_anywhere_and_values_may_look_like_options(server, enter):
    ann = enter("ann")
    assert server.imctl("broadcast", "--user=ann", "--", "-n")["sessions"] == 1
    assert ann.event("notice")["text"] == "-n"
    assert imctl(server, "status", "-y").returncode == 64
    assert imctl(server, "status", "--nonsense", "x").returncode == 64


# a user's data

def history_export(server, enter):
    ann, bob = enter("ann"), enter("bob")
    for n in range(3):
        ann.ask("send", to="bob", text=f"a{n}")
        bob.ask("send", to="ann", text=f"b{n}\u202e")
    ann.ask("delete", conv="bob", seq=1)
    done = imctl(server, "history", "export", "ann")
    assert done.returncode == 0 and "\u202e" not in done.stdout, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["op"] for r in rows] == ["msg"] * 6 + ["delete"]
    assert [r.get("text") for r in rows[:3]] == ["", "b0\u202e", "a1"] or rows[1]["text"] == "b0\u202e"
    assert "a0" not in done.stdout
    own = [json.loads(line) for line in imctl(server, "history", "export", "ann", "own=yes").stdout.splitlines()]
    assert {r["from"] for r in own} == {"ann"} and len(own) == 4
    assert imctl(server, "history", "export", "nobody").returncode == 65
    assert any("history.export user=ann" in line for line in audits(server))


def test_an_export_of_many_pages_is_whole(server, enter):
    ann = enter("ann")
    for n in range(1100):
        ann.ask("send", to="bob", text=str(n))
    done = imctl(server, "--json", "history", "export", "bob")
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == [str(n) for n in range(1100)]


def history_delete(server, enter):
    ann, bob = enter("ann"), enter("bob")
    ann.ask("send", to="bob", text="secret one")
    bob.ask("send", to="ann", text="not hers")
    ann.ask("group", do="create", conv="#tea", public=True)
    bob.ask("group", do="join", conv="#tea")
    ann.ask("group", do="role", conv="#tea", user="bob", role="owner")
    ann.ask("send", to="#tea", text="secret two")
    ann.ask("group", do="leave", conv="#tea")
    assert server.imctl("history", "delete", "ann", "-n")["messages"] == 2
    done = imctl(server, "history", "delete", "ann", stdin=subprocess.DEVNULL)
    assert done.returncode == 64 and "say -y" in done.stderr
    done = server.imctl("history", "delete", "ann", "-y")
    assert (done["erased"], done["kept"]) == (2, 0)
    assert [e["op"] for e in (bob.event("delete"), bob.event("delete"))] == ["delete"] * 2
    assert [m["text"] for m in bob.ask("history", conv="ann")["messages"] if not m.get("deleted")] == ["not hers"]
    server.term()
    with open(os.path.join(server.dir, "imd.db"), "rb") as f:
        assert b"secret" not in f.read()
    server.start()


def queue_purge(server, enter):
    ann = enter("ann")
    enter("bob", device="phone").close()
    until(lambda: server.online()["sessions"] == 1, "bob to be away")
    for n in range(5):
        ann.ask("send", to="bob", text=f"old{n}")
    plan = server.imctl("queue", "purge", "bob", "phone", "-n")
    assert plan["events"] == 5
    assert server.imctl("queue", "purge", "bob", "phone", "-y")["devices"] == 1
    bob = enter("bob", device="phone")
    ann.ask("send", to="bob", text="new")
    assert bob.msg()["text"] == "new"
    server.imctl("queue", "purge", "bob", "-y")
    assert bob.event("reset")["pos"]
    assert "bob has no such device" in refused(server, "queue", "purge", "bob", "tablet", "-y").err
    ann.ask("send", to="carol", text="x")
    assert "carol has no device: nobody has come" in refused(server, "queue", "purge", "carol", "-y").err


# judging

def doctor(server):
    done = imctl(server, "doctor")
    rows = {(row[0], row[1]) for row in (line.split() for line in done.stdout.splitlines())}
    assert done.returncode == 0, done.stdout
    for what in ("store", "configuration", "durability", "safety", "disk", "memory"):
        assert ("OK", what) in rows, done.stdout
    found = [line for line in done.stdout.splitlines() if " listener " in line]
    assert len(found) == 4 and all(line.startswith("OK ") and line.endswith(": answers") for line in found), done.stdout
    assert re.fullmatch(r"\d+ ok, \d+ to look at, 0 wrong", done.stdout.splitlines()[-1])
    assert "\x1b" not in done.stdout
    assert server.online()["sessions"] == 0


def test_doctor_finds_what_is_wrong(server):
    os.chmod(server.dir, 0o777)
    server.write_config({"limits": {"rate": "x"}})
    server.imctl("ban", "add", "127.0.0.0/8")
    done = imctl(server, "--json", "doctor")
    rows = {(r["state"], r["what"]): r for r in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert "limits.rate" in rows["FAIL", "configuration"]["found"] and rows["FAIL", "data_dir"]["advice"]
    assert ("FAIL", "listener") in rows and ("OK", "listener") in rows and ("OK", "store") in rows


def test_doctor_tells_of_changes_that_wait_and_of_what_is_not_safe(imd):
    server = imd({"store": {"sync": "normal"}, "public_open": True,
                  "listen": [{"transport": "line", "address": "0.0.0.0:0"}]})
    server.write_config({**server.extra, "store": {"sync": "full"}, "limits": {"text": "2KiB"}})
    rows = [r for r in json.loads(imctl(server, "--json", "doctor").stdout)["checks"] if r["state"] == "WARN"]
    said = {(r["what"], r["found"]) for r in rows}
    assert ("configuration", "2 changes in the file are not in effect, 1 of them need a restart") in said
    assert ("durability", "store.sync normal: a power cut may take the last messages") in said
    assert len([r for r in rows if r["what"] == "safety"]) == 2 and all(r["advice"] for r in rows)


def test_doctor_knows_tls(imd, certificate):
    server = imd(tls=certificate)
    rows = json.loads(imctl(server, "--json", "doctor").stdout)["checks"]
    assert [r["state"] for r in rows if r["what"] == "listener"] == ["OK"] * 6
    assert [r["found"] for r in rows if r["what"] == "certificate"][0].endswith("days left")


def check(server, enter):
    enter("ann")
    for words, status, said in ((["sessions"], 0, "OK - sessions: 1"), (["sessions", "--warn", "1"], 1, "WARNING"),
                                (["sessions", "--warn", "1", "--crit", "1"], 2, "CRITICAL"), (["store"], 0, "OK"),
                                (["disk", "--warn", "100", "--crit", "100"], 2, "CRITICAL"),
                                (["disk", "--warn", "0", "--crit", "0"], 0, "disk="), (["sessions", "--warn", "2", "--crit", "1"], 3, "UNKNOWN - warn must be"),
                                (["sessions", "--crit", "1"], 2, "| sessions=1;1;1"),
                                (["sessions"], 0, "| sessions=1;;\n"), (["certificate"], 0, "certificate=U;14:;3:"),
                                (["store"], 0, "OK - store: works | store=0;1;2"), (["hooks"], 0, "hooks=0;1;"),
                                (["memory", "--warn", "1"], 1, "WARNING - memory: "), (["throttled"], 0, "throttled=0"),
                                (["nonsense"], 3, "UNKNOWN - name must be one of ")):
        done = imctl(server, "check", *words)
        assert (done.returncode, said in done.stdout) == (status, True), (words, done)
    figure = json.loads(imctl(server, "--json", "check", "certificate").stdout)
    assert (figure["state"], figure["value"], figure["warn"], figure["crit"]) == ("OK", None, 14, 3)
    server.term()
    done = imctl(server, "check", "sessions")
    assert done.returncode == 3 and done.stdout.startswith("UNKNOWN - nothing at ") and done.stderr == ""
    server.start()


COMMANDS = [backup, store_check, ban_add, ban_list, ban_del, mute, unmute, broadcast, send, drain, upgrade, history_export, history_delete,
            queue_purge, doctor, check]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda f: f.__name__)
def test_command(request, server, command):
    wanted = command.__code__.co_varnames[1:command.__code__.co_argcount]
    command(server, *[request.getfixturevalue(name) for name in wanted])


def test_every_command_of_these_has_its_test(server):
    mine = {"backup", "store", "ban", "mute", "unmute", "broadcast", "send", "drain", "upgrade", "queue", "history", "doctor", "check"}
    names = {c["name"].replace(".", "_") for c in server.imctl("commands")["commands"] if c["name"].split(".")[0] in mine}
    assert names == {f.__name__ for f in COMMANDS}
