"""Stores that cannot be opened, and disks that fill up."""

import os
import sqlite3
import subprocess

import pytest

from imdtest.clients import Im, Refused
from imdtest.daemon import Imd
from imdtest.links import LineLink
from imdtest.wait import until


@pytest.fixture
def stopped(imd):
    """A daemon that has run, with a message in its store, and has ended."""
    daemon = imd()
    im = Im(LineLink(daemon.line_port))
    im.login("a")
    im.say("b", "kept")
    im.close()
    daemon.term()
    return daemon


def refuses_to_start(daemon):
    """Runs it to its end, which must come at once and not be a crash; what it said."""
    done = subprocess.run([daemon.program, "-c", daemon.config_path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode > 0, done
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return done.stderr


def test_a_newer_schema_is_refused_and_left_alone(stopped):
    path = os.path.join(stopped.dir, "imd.db")
    with sqlite3.connect(path) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute("PRAGMA user_version = 999")
    db.close()
    said = refuses_to_start(stopped)
    assert "newer" in said and "imd.db" in said, said
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 999
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    stopped.start()


def test_a_damaged_store_is_refused(stopped):
    path = os.path.join(stopped.dir, "imd.db")
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        for at in range(4096, size, 4096):
            f.seek(at)
            f.write(b"\xa5" * 512)
    said = refuses_to_start(stopped)
    assert "damaged" in said or "malformed" in said or "corrupt" in said, said


def test_something_that_is_no_database_is_refused_and_kept(stopped):
    path = os.path.join(stopped.dir, "imd.db")
    for name in os.listdir(stopped.dir):
        if name.startswith("imd.db"):
            os.unlink(os.path.join(stopped.dir, name))
    with open(path, "wb") as f:
        f.write(b"my only copy of a novel\n" * 500)
    refuses_to_start(stopped)
    with open(path, "rb") as f:
        assert f.read() == b"my only copy of a novel\n" * 500


def test_a_store_in_a_folder_that_is_not_there_is_refused(stopped):
    stopped.write_config({"store": {"path": "nowhere/imd.db"}})
    assert "nowhere" in refuses_to_start(stopped)


class SmallDisk(Imd):
    """Its store lies on a file system of its own with little room, in a mount namespace; /proc leads there."""

    def _spawn(self):
        self.disk = os.path.join(self.dir, "disk")
        os.makedirs(self.disk, exist_ok=True)
        with open(self.stderr_path, "ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=3m none "$1" && exec "$2" -c "$3"', "sh",
                 self.disk, self.program, self.config_path], cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def filler(self):
        return f"/proc/{self.process.pid}/root{self.disk}/filler"

    def fill(self):
        with open(self.filler(), "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"\0" * 4096)
            except OSError:
                pass

    def free(self):
        os.unlink(self.filler())


def may_mount():
    return subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="needs to mount a small file system")
def test_a_full_disk_refuses_and_recovers_by_itself(request):
    daemon = SmallDisk({"store": {"path": "disk/imd.db"}})
    request.node.imds = [daemon]
    try:
        a, b = Im(LineLink(daemon.line_port)), Im(LineLink(daemon.line_port))
        a.login("a")
        b.login("b")
        assert told(daemon) == (False, False)
        kept = [a.say("b", f"before {n}", cid=f"before-{n}")["seq"] for n in range(20)]
        daemon.fill()
        refused = None
        for n in range(2000):  # the write-ahead log may have some room left
            try:
                kept.append(a.say("b", f"{n} " + "x" * 8000, cid=f"c{n}")["seq"])
            except Refused as error:
                refused = (n, error.reply)
                break
        assert refused, "the disk never filled up"
        number, reply = refused
        assert reply["name"] == "store_full" and reply["code"] == 507 and reply["retry"] is True, reply
        assert [m["seq"] for m in a.ask("history", conv="b", before=21)["messages"]] == kept[:20], "reading goes on"
        assert daemon.alive()
        assert told(daemon) == (True, False)
        daemon.free()
        again = until(lambda: retried(a, number), "the store to recover")
        assert again["seq"] == len(kept) + 1 and "dup" not in again
        assert told(daemon) == (False, False)
        kept.append(again["seq"])
        assert [b.msg()["seq"] for _ in kept] == kept == list(range(1, len(kept) + 1))
        a.close()
        b.close()
    finally:
        daemon.close()


def told(daemon):
    """Whether the store is full, and whether it has failed, as status and metrics agree."""
    store = daemon.imctl("status")["store"]
    assert (daemon.metric("store_full"), daemon.metric("store_failed")) == (store["full"], store["failed"])
    return store["full"], store["failed"]


def retried(im, number):
    try:
        return im.say("b", f"{number} " + "x" * 8000, cid=f"c{number}")
    except Refused as error:
        assert error.name == "store_full", error
        return None
