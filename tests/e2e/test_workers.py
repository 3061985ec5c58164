"""Several threads for connections: what is theirs alone. The rest of this folder holds for them too: IMD_WORKERS=3."""

import json
import os
import resource
import socket
import ssl
import struct
import subprocess
import threading

import pytest

from imdtest.clients import Im
from imdtest.daemon import find_program, to_yaml
from imdtest.links import Closed, LineLink, RawWsLink, dial, drain_socket
from imdtest.wait import until

WORKERS = 3


@pytest.fixture(params=[False, True], ids=["shared", "apart"])
def apart(request):
    """Has the core a thread to itself?"""
    return request.param


@pytest.fixture
def daemon(imd, certificate, apart):
    return imd({"workers": WORKERS, "core_apart": apart}, tls=certificate)


def rows(daemon):
    return {row["thread"]: row for row in daemon.imctl("workers")["workers"]}


def crowd(connect, daemon, kind, count=48):
    """So many that each worker has some: the kernel picks."""
    return [connect(daemon, kind, f"{kind}{n}") for n in range(count)]


@pytest.mark.parametrize("kind", ["line", "websocket"])
def test_every_thread_has_some(daemon, connect, kind, apart):
    people = crowd(connect, daemon, kind)
    table = rows(daemon)
    assert list(table) == ["core"] + [f"worker {n + 1}" for n in range(WORKERS if apart else WORKERS - 1)]
    core, *workers = table.values()
    assert core.get("sessions", 0) + sum(row["sessions"] for row in workers) == len(people) == daemon.online()["sessions"]
    assert ("sessions" in core) is not apart and core.get("sessions") != 0
    assert all(row["sessions"] > 0 and row["up"] > 0 and row["down"] > 0 and row["up_full"] == 0 for row in workers)
    text = daemon.imctl("workers", json=False)
    assert text.split()[:3] == ["THREAD", "LOAD", "SESSIONS"], text


def test_each_thread_has_its_name(daemon, apart):
    """For `top -H` and debuggers."""
    names = set()
    for thread in os.listdir(f"/proc/{daemon.process.pid}/task"):
        with open(f"/proc/{daemon.process.pid}/task/{thread}/comm", encoding="ascii") as comm:
            names.add(comm.read().rstrip("\n"))
    workers = {f"imd-worker-{n + 1}" for n in range(WORKERS if apart else WORKERS - 1)}
    assert names == {"imd", "imd-writer", "imd-reader", "imd-care", "imd-hash"} | workers


def test_a_group_spans_all_workers(daemon, connect):
    people = crowd(connect, daemon, "line", 12) + crowd(connect, daemon, "websocket", 12) + crowd(connect, daemon, "unix", 4)
    people[0].ask("group", do="create", conv="#all", public=True)
    for person in people[1:]:
        person.ask("group", do="join", conv="#all")
    for n in range(20):
        people[n].say("#all", f"{n} 大家好")
    for index, person in enumerate(people):
        heard = person.texts(19 if index < 20 else 20)
        assert heard == [f"{n} 大家好" for n in range(20) if n != index]


def test_what_was_asked_before_a_goodbye_is_done(daemon, connect, closing):
    """The core holds a link while it logs in; what follows, and the end, wait for that."""
    to = connect(daemon, "line", "to")
    for n in range(20):
        link = closing(RawWsLink(daemon.ws_port, "/ws", "im.v1"))
        lines = [{"op": "login", "id": 1, "user": f"hasty{n}"}] + [{"op": "send", "to": "to", "text": f"{n} {k}"} for k in range(3)]
        frames = b"".join(RawWsLink.frame(json.dumps(line).encode()) for line in lines)
        link.socket.sendall(frames + RawWsLink.frame(b"\x03\xe8", RawWsLink.CLOSE))
        assert to.texts(3) == [f"{n} {k}" for k in range(3)]
    until(lambda: daemon.online()["sessions"] == 1)


def test_answers_on_a_half_closed_line_come_in_order(daemon):
    sock = dial(daemon.line_port)
    lines = [{"op": "login", "id": 0, "user": "half"}] + [{"op": "send", "id": n, "to": "other", "text": str(n)} for n in range(1, 201)]
    sock.sendall(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    sock.shutdown(socket.SHUT_WR)
    answers = [json.loads(line) for line in drain_socket(sock).splitlines()]
    sock.close()
    assert [a["id"] for a in answers if "id" in a] == list(range(201)) and all(a["op"] == "ok" for a in answers if "id" in a)


def test_people_type_ahead_and_each_line_waits_for_the_one_before(daemon, closing):
    link = closing(LineLink(daemon.line_port))
    link.send_bytes("/login ann\n/to bob\none\n/to carl\ntwo\n/history\n".encode())
    heard = []
    while not any("two" in line for line in heard):
        heard.append(link.recv())
    assert not any("one" in line for line in heard if "history" in line)


def is_taken(person, line):
    try:
        person.link.send(line)
        while True:
            answer = json.loads(person.link.recv())
            if answer.get("id") == 9:
                return answer["op"] == "ok"
    except (Closed, OSError):
        return False


def test_a_reload_reaches_every_worker(daemon, connect):
    people = crowd(connect, daemon, "line", 12)
    daemon.write_config({"workers": WORKERS, "limits": {"message": "1KiB", "text": "512"}})
    assert "limits.message" in daemon.imctl("reload", json=False)
    for person in people:  # the letter to its worker may still be on its way
        until(lambda: not is_taken(person, json.dumps({"op": "send", "id": 9, "to": "x", "text": "y" * 2000})))
    newcomer = connect(daemon, "line", "newcomer")
    assert newcomer.ask("hello")["limits"]["message"] == 1024


def test_links_go_on_when_what_they_may_have_under_way_changes(imd, closing):
    """Two threads count it, and learn of a reload one after the other."""
    count, limits = 3000, {"rate": 0, "inflight": 4}
    store = {"kind": "memory", "path": None, "sync": None}
    daemon = imd({"workers": 2, "store": store, "limits": limits})
    links = [closing(LineLink(daemon.line_port)) for _ in range(8)]
    answered = [0] * len(links)

    def ask(index):
        lines = [{"op": "login", "id": 0, "user": f"eager{index}"}]
        lines += [{"op": "send", "id": n, "to": "other", "text": str(n)} for n in range(1, count + 1)]
        links[index].send_bytes("".join(json.dumps(line) + "\n" for line in lines).encode())

    def hear(index):
        while answered[index] <= count:
            answered[index] += "id" in json.loads(links[index].recv())

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(links)) for work in (ask, hear)]
    for thread in threads:
        thread.start()
    for inflight in (64, 4) * 6:
        limits["inflight"] = inflight
        daemon.write_config({"workers": 2, "store": store, "limits": limits})
        assert "limits.inflight" in daemon.imctl("reload", json=False)
    for thread in threads:
        thread.join()
    assert answered == [count + 1] * len(links)


def test_a_peer_that_goes_before_its_requests_are_done_leaves_no_session(daemon, closing):
    """What it asked before its bye is answered to nobody, and what it asked behind it waits for a link that has ended."""
    ping, bye = ({"op": op, "id": 2} for op in ("ping", "bye"))
    requests = "".join(json.dumps(line) + "\n" for line in [ping] * 5 + [bye] + [ping] * 5).encode()
    for n in range(60):
        link = closing(LineLink(daemon.line_port))
        Im(link).login(f"hasty{n}")
        link.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        link.socket.sendall(requests)
        link.close()
    until(lambda: daemon.online()["sessions"] == 0)


def test_an_idle_http_connection_is_no_session(daemon, closing):
    for _ in range(12):
        closing(dial(daemon.ws_port)).sendall(b"GET /")
    assert all(row.get("sessions", 0) == 0 for row in rows(daemon).values())


def test_whoever_is_banned_meets_no_worker(daemon, connect):
    daemon.imctl("ban", "add", "127.0.0.0/8")
    for _ in range(8):
        with pytest.raises((Closed, OSError)):
            LineLink(daemon.line_port).recv()
    assert daemon.refused("banned") >= 8
    daemon.imctl("ban", "del", "127.0.0.0/8")
    connect(daemon, "line", "again").say("x", "y")


def test_a_second_server_on_the_same_port_is_noticed(daemon, tmp_path):
    config = {"workers": 2, "data_dir": str(tmp_path),
              "listen": [{"transport": "line", "address": f"127.0.0.1:{daemon.line_port}"}]}
    (tmp_path / "imd.yaml").write_text(to_yaml(config))
    second = subprocess.run([daemon.program, "-c", tmp_path / "imd.yaml"], capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 71 and "in use" in second.stderr


def test_a_start_that_runs_out_of_descriptors_leaves_nothing(tmp_path, apart):
    path = tmp_path / "imd.sock"
    config = {"workers": WORKERS, "core_apart": apart, "data_dir": str(tmp_path), "admin": {"address": "admin.sock"},
              "store": {"kind": "memory"}, "listen": [{"transport": "line", "address": "127.0.0.1:0"}, {"transport": "unix", "address": str(path)}]}
    (tmp_path / "imd.yaml").write_text(to_yaml(config))
    codes = set()
    for limit in range(17, 60, 2):
        process = subprocess.Popen([find_program("imd", "IMD"), "-c", tmp_path / "imd.yaml"], stderr=subprocess.PIPE, text=True,
                                   preexec_fn=lambda most=limit: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)))
        told = []
        while not told or " imd: ready" not in told[-1]:
            told.append(process.stderr.readline())
            if not told[-1]:
                break
        process.terminate()
        process.communicate()
        codes.add(process.returncode)
        libevent = "evsig_init_" in "".join(told)  # it ends the program itself when there is none for a loop's signals
        assert process.returncode == (0 if told[-1] else 1 if libevent else 71), (limit, told)
        assert libevent or not path.exists(), limit
    assert {0, 71} <= codes


def test_a_tls_session_is_resumed_by_any_worker(daemon):
    context = ssl.create_default_context(cafile=daemon.tls.cert)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # whose tickets come within the handshake
    session, reused = None, []
    for _ in range(12):
        with context.wrap_socket(socket.create_connection(("127.0.0.1", daemon.line_tls_port)),
                                 server_hostname="localhost", session=session) as sock:
            reused.append(sock.session_reused)
            session = session or sock.session
    assert reused == [False] + [True] * 11


def test_shutdown_tells_everybody(daemon, connect):
    people = crowd(connect, daemon, "line", 12) + crowd(connect, daemon, "websocket", 12)
    daemon.signal(15)
    for person in people:
        with pytest.raises(Closed):
            while True:
                if json.loads(person.link.recv())["op"] == "bye":
                    person.byes = 1
        assert person.byes
    assert daemon.wait_exit() == 0
