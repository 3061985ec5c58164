"""imctl, and the admin sockets under it."""

import json
import os
import pty
import re
import select
import shutil
import socket
import stat
import subprocess
import tempfile
import threading

import pytest

from imdtest.daemon import find_program
from imdtest.wait import PATIENCE, until

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def run(*args, env=None, program=None, **options):
    program = program or find_program("imctl", "IMCTL")
    environment = {**os.environ, **(env or {})}
    if env is None:
        environment.pop("IMCTL_SOCKET", None)
    return subprocess.run([program, *args], capture_output=True, text=True, timeout=30, check=False,
                          env=environment, **options)


@pytest.fixture(scope="module")
def stranger():
    """stranger(*args, group) runs imctl as somebody else, who may not look into the folder where it was built."""
    try:
        subprocess.run(["/bin/true"], cwd="/", user=NOBODY, group=NOBODY, extra_groups=[], check=True)
    except OSError as problem:
        pytest.skip(f"nobody else can run a program here: {problem}")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program = shutil.copy(find_program("imctl", "IMCTL"), folder)

        def as_nobody(*args, group=NOBODY):
            return run(*args, program=program, cwd="/", user=NOBODY, group=group, extra_groups=[])

        yield as_nobody


class Admin:
    """The admin socket, as `nc -U` sees it."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rb")

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def recv(self):
        line = self.lines.readline()
        return json.loads(line) if line else None

    def call(self, method, params=None, id=1):
        self.send(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, **({} if params is None else {"params": params})}) + "\n")
        return self.recv()

    def close(self):
        self.lines.close()
        self.socket.close()


@pytest.fixture
def admin(closing):
    return lambda path: closing(Admin(path))


# commands

def test_status_tells_how_the_server_is(imd, connect):
    daemon = imd()
    connect(daemon, "line", "小明").say("翠花", "你好")
    status = daemon.imctl("status")
    assert status["state"] == "running" and status["pid"] == daemon.process.pid
    assert (status["users"], status["sessions"], status["connections"]) == (1, 1, 1)
    assert status["config"] == daemon.config_path and status["log_level"] == "debug"
    assert [row["transport"] for row in status["listen"]] == ["websocket", "line", "unix"]
    assert status["metrics"] == f"127.0.0.1:{daemon.metrics_port}"
    store = status["store"]
    assert store["kind"] == "sqlite" and store["failed"] is False and re.fullmatch("[0-9a-f]{32}", store["epoch"])
    assert (store["events"], store["users"], store["conversations"]) == (1, 2, 1)
    text = daemon.imctl("status", json=False)
    assert re.search(r"^state +running$", text, re.M) and re.search(r"^store\.events +1$", text, re.M)


def test_online_for_people_and_programs(shared):
    assert set(shared.online()) == {"users", "sessions", "transports"}
    assert re.search(r"^transports\.websocket  +\d+$", shared.imctl("online", json=False), re.M)


def test_json_is_one_value_on_one_line(shared):
    for command in (["online"], ["status"], ["sessions"], ["counters"], ["config"], ["commands"], ["help"], ["log", "level"]):
        done = shared.imctl_run(*command, json_out=True)
        assert done.returncode == 0 and done.stderr == "" and done.stdout.count("\n") == 1
        assert isinstance(json.loads(done.stdout), dict)


def test_sessions_are_a_table_that_lines_up(imd, connect):
    daemon = imd()
    for user in ("小明", "翠花", "bob", "ありがとう"):
        connect(daemon, "line", user)
    lines = daemon.imctl("sessions", json=False).splitlines()
    assert lines[0].split() == ["ID", "USER", "DEVICE", "TRANSPORT", "DIALECT", "STATE", "ADDRESS", "AGE", "IDLE", "QUEUED"]

    def column(line):
        """Where the transport begins, in columns of a terminal."""
        before = line[:line.index(" line ")]
        return sum(2 if ord(c) >= 0x1100 else 1 for c in before)

    assert len(lines) == 5 and len({column(line) for line in lines[1:]}) == 1
    assert column(lines[1]) + 1 == lines[0].index("TRANSPORT")


def test_sessions_of_one_user_and_a_limit(imd, connect):
    daemon = imd()
    for user in ("Bob", "Bob", "小明"):
        connect(daemon, "line", user)
    assert [row["user"] for row in daemon.imctl("sessions", "bob")["sessions"]] == ["Bob", "Bob"]
    result = daemon.imctl("sessions", "limit=1")
    assert len(result["sessions"]) == 1 and result["total"] == 3
    assert "1 of 3 sessions; more with limit=NUMBER" in daemon.imctl("sessions", "limit=1", json=False)
    assert daemon.imctl("sessions", "nobody", json=False) == "no sessions\n"
    assert daemon.imctl_run("sessions", "a b").returncode == 65
    assert daemon.imctl_run("sessions", "limit=10001").returncode == 64


def test_what_peers_say_of_themselves_is_escaped(imd, connect):
    daemon = imd()
    im = connect(daemon, "line")
    im.hello(device="\u202ed\u009b", agent="\x1b[2J\x07")
    im.login("a")
    for as_json in (True, False):
        done = daemon.imctl_run("sessions", json_out=as_json)
        assert done.returncode == 0 and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.stdout), done.stdout


def test_kick_by_user_by_session_and_when_it_is_not_clear(imd, connect):
    daemon = imd()
    session = connect(daemon, "line", "小明").ask  # noqa: F841  keeps it connected
    rows = {row["user"]: row["id"] for row in daemon.imctl("sessions")["sessions"]}
    number = str(rows["小明"])
    twin = connect(daemon, "line", number)
    done = daemon.imctl_run("kick", number)
    assert done.returncode == 64 and f"user={number}" in done.stderr and f"session={number}" in done.stderr
    assert daemon.online()["sessions"] == 2
    assert daemon.imctl("kick", f"user={number}") == {"closed": 1, "user": number}
    twin.wait_closed()
    assert daemon.imctl("kick", number) == {"closed": 1, "session": int(number)}
    until(lambda: daemon.online()["sessions"] == 0)
    kicks = [line.split("admin: audit ")[1] for line in daemon.logs.splitlines() if "admin: audit" in line]
    assert kicks == [f'command="kick who={number}" by_uid={os.getuid()} outcome=bad_field',
                     f'command="kick user={number}" by_uid={os.getuid()} outcome=ok',
                     f'command="kick who={number}" by_uid={os.getuid()} outcome=ok']


@pytest.mark.parametrize("who, status, said", [
    (["nobody"], 67, "nobody is not online"),
    (["99999"], 67, "nor is there a session of that number"),
    (["session=99999"], 65, "no session 99999"),
    ([], 64, "kick needs one of"),
    (["a", "b"], 64, "kick needs one of"),
])
def test_kick_of_nobody_says_so(shared, who, status, said):
    done = shared.imctl_run("kick", *who)
    assert done.returncode == status and said in done.stderr, done.stderr


def test_counters_have_every_counter(shared):
    counters = shared.imctl("counters")
    assert counters["logins_total"] >= 0 and set(counters) >= {"refused_total", "closed_total", "store_commits_total"}


def test_config_is_the_configuration_in_force(imd):
    daemon = imd({"limits": {"text": "2KiB", "rate": 7}})
    config = daemon.imctl("config")
    assert config["limits"]["text"] == "2KiB" and config["limits"]["rate"] == 7 and config["public_open"] is False
    assert config["listen"][1]["address"] == f"127.0.0.1:{daemon.line_port}" and config["admin"]["group"] is None


def test_reload_tells_what_changed_and_what_needs_a_restart(imd, connect):
    daemon = imd()
    assert daemon.imctl("reload") == {"changed": [], "needs_restart": [], "changes": []}
    assert daemon.imctl("reload", json=False) == "Read again; nothing is different.\n"
    daemon.write_config({"limits": {"text": "2KiB"}, "store": {"readers": 2}, "websocket": {"ping": "29s"}, "metrics": None})
    result = daemon.imctl("reload")
    assert result["changed"] == ["limits.text", "websocket.ping"]
    assert result["needs_restart"] == ["metrics.address", "store.readers"]
    assert {row["key"]: (row["before"], row["now"], row["effect"]) for row in result["changes"]} == {
        "limits.text": ("16KiB", "2KiB", "at once"), "websocket.ping": ("30s", "29s", "at once"),
        "metrics.address": (f"127.0.0.1:{daemon.metrics_port}", None, "after a restart"),
        "store.readers": (1, 2, "after a restart")}
    config = daemon.imctl("config")
    assert config["limits"]["text"] == "2KiB" and config["store"]["readers"] == 1
    assert config["metrics"]["address"] == f"127.0.0.1:{daemon.metrics_port}"
    assert connect(daemon, "line").hello()["limits"]["text"] == 2048
    assert re.search(r"^store.readers +1 +2 +after a restart$", daemon.imctl("reload", json=False), re.M)


def test_reload_of_a_broken_file_changes_nothing(imd):
    daemon = imd()
    daemon.write_config({"limits": {"text": "2KiB", "rate": "x"}, "lang": "xx"})
    done = daemon.imctl_run("reload")
    assert done.returncode == 78 and "limits.rate" in done.stderr and "lang" in done.stderr
    assert daemon.imctl("config")["limits"]["text"] == "16KiB"


def test_the_log_level_is_changed_until_the_next_reload(imd, connect):
    daemon = imd({"log": {"level": "info"}})
    levels = daemon.imctl("log", "level")
    assert levels["level"] == "info" and set(levels["parts"].values()) == {"info"}
    connect(daemon, "line", "quiet").close()
    until(lambda: daemon.online()["sessions"] == 0)
    assert "debug" not in daemon.logs
    assert daemon.imctl("log", "level", "debug")["level"] == "debug"
    connect(daemon, "line", "loud").close()
    until(lambda: " debug " in daemon.logs, "a line of that level")
    assert daemon.imctl_run("log", "level", "loud").returncode == 64
    daemon.imctl("reload")
    assert daemon.imctl("log", "level") == levels


def test_shutdown_answers_and_stops(imd):
    daemon = imd()
    assert "deadline_ms" in daemon.imctl("shutdown")
    assert daemon.wait_exit() == 0
    assert not os.path.exists(daemon.admin_path)
    done = daemon.imctl_run("status")
    assert done.returncode == 69 and "Is imd running?" in done.stderr


def test_help_is_the_daemons(shared):
    table = shared.imctl("commands")["commands"]
    text = shared.imctl("help", json=False)
    for row in table:
        assert re.search(r"^  " + re.escape(row["name"].replace(".", " ")) + r"\b", text, re.M), row["name"]
        one = shared.imctl("help", *row["name"].split("."), json=False)
        assert row["help"].split(". ")[0].rstrip(".") in one.replace("\n", " ")
        for arg in row["args"]:
            assert arg["help"] in " ".join(one.split())
    assert "imctl kick 小明" in shared.imctl("help", "kick", json=False)


# when something is wrong

@pytest.mark.parametrize("words, said", [
    (["stauts"], 'did you mean "status"?'),
    (["log", "levl"], 'did you mean "log level"?'),
    (["log"], 'did you mean "log level"?'),
    (["fly"], '"imctl help" lists all'),
    (["help", "kik"], 'did you mean "kick"?'),
    (["status", "x"], 'takes no "x"'),
    (["sessions", "limit=many"], "must be a whole number"),
])
def test_what_was_mistyped_is_a_usage_error_with_advice(shared, words, said):
    done = shared.imctl_run(*words)
    assert done.returncode == 64 and said in done.stderr and done.stdout == ""


@pytest.mark.parametrize("words, said", [
    (["tail", "events", "-c", "2"], "tail has no -c (after -- a word is taken as it is); see: imctl help tail"),
    (["log", "level", "--nonsense=x"], "log level has no --nonsense=x"),
    (["status", "--json"], "status has no --json: before the command, imctl has it; see: imctl help status"),
    (["history", "delete", "ann"], "history delete asks first, and there is nobody to ask: say -y, or -n"),
    (["-y", "status"], "status has no -y; see: imctl help status"),
    (["log", "level", "info", "store", "1s", "more"], 'log level takes no "more"'),
    (["ban", "add", "ann", "--for"], "ban add needs a value after --for"),
])
def test_how_a_command_was_called_wrongly_is_said_as_it_is_typed(shared, words, said):
    done = shared.imctl_run(*words)
    assert done.returncode == 64 and said in done.stderr and done.stdout == "", done.stderr


def test_the_answer_may_stand_before_the_command(imd):
    daemon = imd()
    assert set(daemon.imctl("-n", "shutdown")) == {"sessions", "deadline_ms"}
    assert daemon.imctl("status")["state"] == "running"
    daemon.imctl("-y", "shutdown")
    assert daemon.wait_exit() == 0


def test_usage():
    for args in ([], ["-x"], ["-s"]):
        done = run(*args)
        assert done.returncode == 64 and done.stdout == ""
    assert re.match(r"imctl \d+\.\d+", run("--version").stdout)


def test_help_works_without_a_server_and_tells_more_with_one(shared, tmp_path):
    done = run("-s", str(tmp_path / "none"), "--help")
    assert done.returncode == 0 and "Usage: imctl" in done.stdout and done.stderr == ""
    done = run("-s", shared.admin_path, "--help")
    assert done.returncode == 0 and "Usage: imctl" in done.stdout and "  sessions" in done.stdout


def test_the_socket_comes_from_the_environment_too(shared):
    assert run("online", env={"IMCTL_SOCKET": shared.admin_path}).returncode == 0
    assert run("-s", shared.admin_path, "online", env={"IMCTL_SOCKET": "/nonexistent"}).returncode == 0


def test_no_server(tmp_path):
    path = str(tmp_path / "a.sock")
    done = run("-s", path, "status")
    assert done.returncode == 69 and path in done.stderr and "Is imd running?" in done.stderr
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
    done = run("-s", path, "status")
    assert done.returncode == 69 and "not running" in done.stderr


def test_what_is_not_an_admin_socket(shared, tmp_path):
    done = run("-s", shared.config_path, "status")
    assert done.returncode == 64 and "not a socket" in done.stderr
    done = run("-s", shared.unix_path, "status")
    assert done.returncode == 76 and "is it one for chatting?" in done.stderr
    done = run("-s", "/" + "x" * 200, "status")
    assert done.returncode == 64 and "107 bytes" in done.stderr


@as_root
def test_a_socket_that_may_not_be_used_says_who_may(imd, tmp_path, stranger):
    daemon = imd()
    os.chmod(daemon.dir, 0o755)
    done = stranger("-s", daemon.admin_path, "status")
    assert done.returncode == 77 and "sudo imctl" in done.stderr


@as_root
def test_another_user_is_refused_even_if_the_permissions_are_wide(imd, admin, stranger):
    daemon = imd({"admin": {"mode": "0666"}})
    os.chmod(daemon.dir, 0o755)
    done = stranger("-s", daemon.admin_path, "status")
    assert done.returncode == 77 and f"user {NOBODY} may not use this socket" in done.stderr
    assert daemon.metric("admin_refused_total") == 1
    assert daemon.online()["sessions"] == 0


@as_root
def test_a_member_of_the_group_is_let_in(imd, stranger):
    import grp
    import pwd
    nobody = pwd.getpwuid(NOBODY)
    group = grp.getgrgid(nobody.pw_gid)
    daemon = imd({"admin": {"mode": "0660", "group": group.gr_name}})
    os.chmod(daemon.dir, 0o755)
    assert os.stat(daemon.admin_path).st_gid == group.gr_gid
    done = stranger("-s", daemon.admin_path, "--json", "online", group=group.gr_gid)
    assert done.returncode == 0, done.stderr


def test_the_read_only_socket_reads_only(imd, connect):
    daemon = imd({"admin": {"read_address": "read.sock", "read_mode": "0600"}})
    path = os.path.join(daemon.dir, "read.sock")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    connect(daemon, "line", "小明")
    assert json.loads(run("-s", path, "--json", "online").stdout)["users"] == 1
    assert run("-s", path, "log", "level").returncode == 0
    for command in (["kick", "小明"], ["reload"], ["shutdown", "-y"], ["log", "level", "error"]):
        done = run("-s", path, *command)
        assert done.returncode == 77 and "reading only" in done.stderr
    assert daemon.online()["users"] == 1


@as_root
def test_whoever_the_permissions_let_in_may_read(imd, stranger):
    daemon = imd({"admin": {"read_address": "read.sock", "read_mode": "0666"}})
    os.chmod(daemon.dir, 0o755)
    done = stranger("-s", os.path.join(daemon.dir, "read.sock"), "online")
    assert done.returncode == 0, done.stderr


def test_another_version_is_mentioned(tmp_path):
    path = str(tmp_path / "fake.sock")
    answers = [{"version": "99.1", "commands": [{"name": "new.thing", "args": [], "show": "sparkles"}]}, {"a": {"b": 1}}]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)

    def serve():
        connection, _ = listener.accept()
        lines = connection.makefile("r")
        for result in answers:
            request = json.loads(lines.readline())
            connection.sendall((json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}) + "\n").encode())
        lines.close()
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    done = run("-s", path, "new", "thing")
    thread.join()
    listener.close()
    assert done.returncode == 0 and done.stdout == "a.b  1\n"
    assert "the server is imd 99.1" in done.stderr


# terminals

def on_terminal(command, env):
    """What a program writes when its output is a terminal."""
    main, side = pty.openpty()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=side, stderr=side, env={**os.environ, **env})
    os.close(side)
    out = b""
    while select.select([main], [], [], PATIENCE)[0]:
        try:
            piece = os.read(main, 4096)
        except OSError:
            break
        if not piece:
            break
        out += piece
    os.close(main)
    assert process.wait(PATIENCE) == 0
    return out.decode()


def test_only_a_terminal_gets_bold_and_only_if_it_wants_it(imd, connect):
    daemon = imd()
    connect(daemon, "line", "小明")
    command = [find_program("imctl", "IMCTL"), "-s", daemon.admin_path, "sessions"]
    assert "\x1b[1m" in on_terminal(command, {"TERM": "xterm", "NO_COLOR": ""})
    assert "\x1b" not in on_terminal(command, {"TERM": "xterm", "NO_COLOR": "1"})
    assert "\x1b" not in on_terminal(command, {"TERM": "dumb", "NO_COLOR": ""})
    assert "\x1b" not in daemon.imctl("sessions", json=False)


# the protocol, as a person types it

def test_nc_asks_and_is_answered(shared):
    done = subprocess.run(["nc", "-N", "-U", shared.admin_path], input='{"jsonrpc":"2.0","id":1,"method":"online"}', text=True,
                          capture_output=True, timeout=30, check=False)
    assert json.loads(done.stdout)["result"]["users"] >= 0


def test_requests_in_one_piece_are_answered_in_order(shared, admin):
    conn = admin(shared.admin_path)
    methods = ["status", "online", "status", "counters", "nope", "status", "log.level"] * 5
    conn.send("".join(json.dumps({"jsonrpc": "2.0", "id": n, "method": m}) + "\n" for n, m in enumerate(methods)))
    answers = [conn.recv() for _ in methods]
    assert [answer["id"] for answer in answers] == list(range(len(methods)))
    assert all(("error" in answer) == (m == "nope") for answer, m in zip(answers, methods))


def test_a_request_one_byte_at_a_time(shared, admin):
    conn = admin(shared.admin_path)
    for byte in b'\r\n {"jsonrpc":"2.0","id":"\xe5\xb0\x8f","method":"online"}\r\n':
        conn.send(bytes([byte]))
    assert conn.recv()["id"] == "小"


def test_errors_have_their_codes(shared, admin):
    conn = admin(shared.admin_path)
    for line, code, name in (("x", -32700, "parse_error"), ("[]", -32600, "bad_request"), ('{"jsonrpc":"2.0","id":1}', -32600, "bad_request"),
                             ('{"jsonrpc":"2.0","id":1,"method":"x"}', -32601, "unknown_command"),
                             ('{"jsonrpc":"2.0","id":1,"method":"kick","params":{"whom":1}}', -32602, "bad_params"),
                             ('{"jsonrpc":"2.0","id":1,"method":"kick","params":["nobody"]}', -32000, "no_such_user")):
        conn.send(line + "\n")
        error = conn.recv()["error"]
        assert (error["code"], error["data"]["name"]) == (code, name)


def test_a_notification_is_not_answered(shared, admin):
    conn = admin(shared.admin_path)
    conn.send('{"jsonrpc":"2.0","method":"online"}\n')
    assert conn.call("online", id=5)["id"] == 5


def test_a_line_that_does_not_end_is_refused(shared, admin):
    conn = admin(shared.admin_path)
    try:
        conn.send(b"x" * (64 * 1024 + 1))
    except OSError:
        pass
    assert conn.recv()["error"]["data"]["name"] == "too_long"
    assert conn.recv() is None
    assert admin(shared.admin_path).call("online")["id"] == 1


def test_who_asks_without_reading_holds_up_nobody(imd, admin):
    daemon = imd()
    before = daemon.rss_kib()
    greedy = admin(daemon.admin_path)
    greedy.socket.settimeout(0.3)
    request = (json.dumps({"jsonrpc": "2.0", "id": 1, "method": "commands"}) + "\n").encode() * 100
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 64 << 20:
            sent += greedy.socket.send(request)
    assert daemon.online()["users"] == 0
    assert daemon.rss_kib() - before < 32 * 1024
    greedy.close()
    assert daemon.online()["users"] == 0


def test_a_request_whose_asker_has_gone_does_no_harm(imd, admin):
    daemon = imd()
    for _ in range(20):
        conn = Admin(daemon.admin_path)
        conn.send('{"jsonrpc":"2.0","id":1,"method":"status"}\n' * 3)
        conn.close()
    assert daemon.imctl("status")["state"] == "running"


def test_admin_connections_are_capped_and_clients_do_not_count(imd, admin, connect):
    daemon = imd({"admin": {"connections": 2}, "limits": {"connections": 2}})
    first = admin(daemon.admin_path)
    assert first.call("online")["id"] == 1
    for user in ("a", "b"):
        connect(daemon, "line", user)
    second = admin(daemon.admin_path)
    assert second.call("online")["result"]["users"] == 2
    third = daemon.imctl_run("online")
    assert third.returncode == 75 and "as many admin connections as it takes" in third.stderr
    second.close()
    until(lambda: daemon.imctl_run("online").returncode == 0, "a free place")
    assert daemon.metric("connections_accepted_total") == 2


def test_the_admin_socket_answers_while_draining(imd, connect, admin):
    daemon = imd({"shutdown": {"deadline": "30s"}, "websocket": {"close_timeout": "60s"}})
    from imdtest.links import LineLink
    link = LineLink(daemon.line_port)
    link.send('{"op":"login","user":"a","id":1}')
    link.recv()
    daemon.imctl("shutdown")
    try:
        assert daemon.imctl("status")["state"] == "draining"
        assert daemon.get("/healthz").status == 503
        daemon.imctl("shutdown")
        assert daemon.wait_exit() == 0
    finally:
        link.close()


def test_whoever_asks_for_an_end_is_answered_before_it_comes(imd, admin):
    """Nobody to wait for, and the tick that finds that out is due in the turn in which it is asked: another one asks
    so much in the turn before that it is late."""
    daemon = imd()
    first, second = admin(daemon.admin_path), admin(daemon.admin_path)
    assert first.call("status")["result"]["state"] == second.call("status")["result"]["state"] == "running"
    first.send('{"jsonrpc":"2.0","method":"reload"}\n' + '{"jsonrpc":"2.0","method":"commands"}\n' * 400)
    until(lambda: "reload: done" in daemon.logs, "it to be asked", pause=0)
    second.send('{"jsonrpc":"2.0","id":2,"method":"shutdown"}\n')
    assert second.recv()["result"]["sessions"] == 0
    assert daemon.wait_exit() == 0


def test_a_notification_that_asks_the_store_holds_up_nothing(imd, admin):
    daemon = imd()
    client = admin(daemon.admin_path)
    client.send('{"jsonrpc":"2.0","method":"status"}\n{"jsonrpc":"2.0","id":5,"method":"online"}\n')
    assert client.recv()["id"] == 5
    gone = admin(daemon.admin_path)
    gone.send('{"jsonrpc":"2.0","method":"status"}\n')
    gone.close()
    assert daemon.online()["sessions"] == 0
