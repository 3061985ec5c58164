"""What imctl shows of a live server."""

import json
import re
import subprocess
import threading

import pytest

from imdtest.daemon import find_program
from imdtest.wait import PATIENCE, until


class Stream:
    """imctl with a command that streams; its lines as they come."""

    def __init__(self, daemon, *args, json_out=True):
        options = ["--json"] if json_out else []
        self.process = subprocess.Popen([find_program("imctl", "IMCTL"), "-s", daemon.admin_path, *options, *args],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = []
        self.thread = threading.Thread(target=lambda: self.lines.extend(iter(self.process.stdout.readline, "")))
        self.thread.start()

    def wait(self):
        """What it printed, once it has ended by itself."""
        status = self.process.wait(PATIENCE)
        self.thread.join()
        assert status == 0, self.process.stderr.read()
        return self.lines

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def stream(closing):
    return lambda *args, **options: closing(Stream(*args, **options))


def histogram(daemon, name):
    """The buckets (bound, count) of a histogram, its sum and its count."""
    text = daemon.get("/metrics").body.decode()
    buckets = [(float(bound), int(n)) for bound, n in re.findall(rf'^imd_{name}_bucket{{le="(.*)"}} (\d+)$', text, re.M)]
    return (buckets, float(re.search(rf"^imd_{name}_sum (.*)$", text, re.M).group(1)),
            int(re.search(rf"^imd_{name}_count (.*)$", text, re.M).group(1)))


# latency

def latency(daemon, *args):
    return {row["what"]: row for row in daemon.imctl("latency", *args)["latency"]}


def test_latency_tells_what_was_measured(imd, connect):
    daemon = imd()
    im = connect(daemon, "line", "小明")
    for n in range(20):
        im.say("翠花", f"{n}")
    until(lambda: latency(daemon)["loop_lag"]["count"] > 2)
    rows = latency(daemon)
    assert rows["store_commit"]["count"] >= 20 and rows["fanout"]["count"] >= 20
    for row in rows.values():
        assert row["p50_us"] <= row["p90_us"] <= row["p99_us"] <= row["p999_us"] <= row["max_us"]
        assert row["mean_us"] <= row["max_us"]
    text = daemon.imctl("latency", json=False)
    assert text.splitlines()[0].split() == ["WHAT", "COUNT", "MEAN", "P50", "P90", "P99", "P999", "MAX"]
    assert re.search(r"^store_commit +\d+ +[\d.]+(us|ms|s) ", text, re.M)


def test_latency_of_the_seconds_to_come(imd, connect, stream):
    daemon = imd()
    im = connect(daemon, "line", "小明")
    im.say("翠花", "before")
    watch = stream(daemon, "latency", "1")
    rows = {row["what"]: row for row in json.loads(watch.wait()[-1])["latency"]}
    assert rows["loop_lag"]["count"] > 0 and rows["store_commit"]["count"] < latency(daemon)["store_commit"]["count"]
    assert daemon.imctl_run("latency", "0").returncode == 64


def test_histograms_are_metrics(imd, connect):
    daemon = imd()
    connect(daemon, "line", "小明").say("翠花", "你好")
    for name in ("loop_lag_seconds", "store_commit_seconds", "fanout_seconds"):
        buckets, total, count = histogram(daemon, name)
        assert [n for _, n in buckets] == sorted(n for _, n in buckets)
        assert [bound for bound, _ in buckets] == sorted(bound for bound, _ in buckets)
        assert buckets[-1] == (float("inf"), count) and total >= 0
    assert histogram(daemon, "store_commit_seconds")[2] > 0


# sessions

def session_of(daemon, user):
    return daemon.imctl("sessions", user)["sessions"][0]["id"]


def test_a_session_in_full(imd, connect):
    daemon = imd()
    im = connect(daemon, "line")
    im.hello(device="phone", agent="e2e")
    im.login("小明")
    im.say("小明", "note")
    one = daemon.imctl("session", str(session_of(daemon, "小明")))
    assert (one["user"], one["device"], one["agent"], one["seat"], one["state"]) == ("小明", "phone", "e2e", "chat", "live")
    assert one["commands"] == 3 and one["sent"] == 3 and one["commands_per_second"] > 0
    assert 0 < one["rate_left"] <= one["rate_burst"] and one["held"] is None and one["throttled"] is False
    assert one["head"] == 1 and one["cursor"] == 0 and one["behind"] == 1
    assert [step["state"] for step in one["states"]] == ["open", "logging_in", "live"]
    ago = [step["ago_ms"] for step in one["states"]]
    assert ago == sorted(ago, reverse=True) and ago[0] <= one["age_ms"]
    assert one["tls_version"] is None and one["tls_cipher"] is None
    im.ask("ack", pos="1")
    assert daemon.imctl("session", str(one["id"]))["behind"] == 0
    assert re.search(r"^states +open \d+\w+ ago$", daemon.imctl("session", str(one["id"]), json=False), re.M)
    done = daemon.imctl_run("session", "99")
    assert done.returncode == 65 and "no session 99" in done.stderr


@pytest.mark.parametrize("kind", ["line-tls", "websocket-tls"])
def test_a_session_tells_of_its_tls(imd, certificate, connect, kind):
    daemon = imd(tls=certificate)
    im = connect(daemon, kind, "小明")
    one = daemon.imctl("session", str(session_of(daemon, "小明")))
    assert one["tls"] is True and one["tls_version"].startswith("TLSv1.") and one["tls_cipher"]
    im.close()


def test_sessions_that_a_filter_lets_through(imd, connect):
    daemon = imd()
    for kind, user in (("line", "Bob"), ("websocket", "Bob"), ("line", "小明")):
        connect(daemon, kind, user)

    def users(*args):
        return sorted(f"{row['user']} {row['transport']}" for row in daemon.imctl("sessions", *args)["sessions"])

    assert users("--filter", "user=bob") == ["Bob line", "Bob websocket"]
    assert users("--filter=user=bob and transport=web*") == ["Bob websocket"]
    assert users("filter=user!=bob and queue<1KiB and age<1h") == ["小明 line"]
    assert users("bob", "--filter", "idle>1d") == []
    done = daemon.imctl_run("sessions", "--filter", "usr=bob")
    assert done.returncode == 64 and 'did you mean "user"?' in done.stderr


def test_queues_tell_who_is_behind_and_since_when(imd, connect):
    daemon = imd()
    phone = connect(daemon, "line")
    phone.hello(device="phone")
    phone.login("翠花")
    assert daemon.imctl("queues", json=False) == "Nobody is behind.\n"
    sender = connect(daemon, "line", "小明")
    for n in range(3):
        sender.say("翠花", str(n))
    rows = daemon.imctl("queues")["queues"]
    assert [(row["user"], row["device"], row["state"], row["behind"]) for row in rows] == [("翠花", "phone", "live", 3)]
    assert rows[0]["oldest_ms"] >= 0
    row, = daemon.imctl("queues", "翠花")["queues"]
    assert (row["waiting"], row["more"], row["state"], row["session"]) == (3, False, "live", rows[0]["session"])
    phone.texts(3)
    phone.ask("ack", pos="2")
    assert daemon.imctl("queues")["queues"][0]["behind"] == 1
    phone.close()
    until(lambda: daemon.online()["users"] == 1)
    sender.say("翠花", "away")
    row, = daemon.imctl("queues", "翠花")["queues"]
    assert (row["waiting"], row["state"], row["session"]) == (2, "away", None) and row["oldest_ms"] >= 0
    assert daemon.imctl("queues", "nobody")["queues"] == []
    assert daemon.imctl_run("queues", "limit=1001").returncode == 64


def test_queues_begin_with_the_furthest(imd, connect):
    daemon = imd()
    sender = connect(daemon, "line", "小明")
    for n, user in enumerate(("a", "b", "c")):
        im = connect(daemon, "line")
        im.hello(device="d")
        im.login(user)
    for user in "abc":
        sender.say(user, "x")
    for user in "cb":
        sender.say(user, "x")
    result = daemon.imctl("queues", "limit=2")
    assert [row["user"] for row in result["queues"]] == ["b", "c"] and result["total"] == 3


def test_limits_tell_who_is_slowed_down(imd, connect):
    daemon = imd({"limits": {"rate": 1, "burst": 3}})
    assert daemon.imctl("limits", json=False) == "Nobody is being slowed down.\n"
    im = connect(daemon, "line", "小明")
    for n in range(5):
        im.tell("send", to="翠花", text=str(n))
    rows = until(lambda: daemon.imctl("limits")["throttled"])
    assert (rows[0]["what"], rows[0]["who"], rows[0]["why"]) == ("session", "小明", "rate")
    assert rows[0]["session"] == session_of(daemon, "小明")
    assert [row["id"] for row in daemon.imctl("sessions", "--filter", "throttled=yes")["sessions"]] == [rows[0]["session"]]


def test_limits_tell_of_failed_logins(imd, connect):
    daemon = imd({"auth": {"mode": "password", "backoff_start": "1m"}})
    daemon.imctl("user", "add", "小明", stdin="long enough a password\n")
    for _ in range(6):
        im = connect(daemon, "line")
        im.refused("login", user="小明", password="wrong password")
    row, = [row for row in daemon.imctl("limits")["throttled"] if row["what"] == "account"]
    assert row["who"] == "小明" and row["why"] == "failed logins" and row["failures"] >= 5 and row["wait_ms"] > 0


def test_users_and_how_they_are_here(imd, connect):
    daemon = imd()
    phone = connect(daemon, "line")
    phone.hello(device="phone")
    phone.login("翠花")
    im = connect(daemon, "line", "Bob")
    connect(daemon, "websocket", "bob")
    for _ in range(3):
        im.say("翠花", "1")
    im.say("away", "2")
    rows = {row["user"]: row for row in daemon.imctl("users")["users"]}
    assert list(rows) == ["away", "Bob", "翠花"]
    assert (rows["Bob"]["sessions"], rows["Bob"]["devices"], rows["Bob"]["behind"]) == (2, 1, 0)
    assert (rows["翠花"]["sessions"], rows["翠花"]["behind"]) == (1, 3) and rows["翠花"]["seen"]
    assert rows["away"] == {"user": "away", "sessions": 0, "devices": 0, "behind": None, "idle_ms": None, "seen": None}
    assert [row["user"] for row in daemon.imctl("users", "--online")["users"]] == ["Bob", "翠花"]
    for options in (["limit=1"], ["limit=1", "--online"]):
        seen, after = [], []
        while True:
            page = daemon.imctl("users", *options, *after)
            seen += [row["user"] for row in page["users"]]
            if "next" not in page:
                break
            after = [f"after={page['next']}"]
        assert seen == (["Bob", "翠花"] if "--online" in options else ["away", "Bob", "翠花"])
    assert "more with after=away" in daemon.imctl("users", "limit=1", json=False)
    assert daemon.imctl_run("users", "limit=0").returncode == 64


def test_status_tells_what_it_costs_and_who_does_not_get_on(imd, connect):
    daemon = imd({"limits": {"rate": 1, "burst": 3}})
    phone = connect(daemon, "line")
    phone.hello(device="phone")
    phone.login("翠花")
    im = connect(daemon, "line", "小明")
    before = daemon.imctl("status")
    assert (before["sessions_held"], before["sessions_behind"]) == (0, 0)
    for n in range(5):
        im.tell("send", to="翠花", text=str(n))
    until(lambda: daemon.imctl("status")["sessions_held"] == 1, "the sender to be slowed down")
    status = daemon.imctl("status")
    assert status["sessions_behind"] == 1 and status["cpu_ms"] >= before["cpu_ms"]
    assert status["memory_bytes"] > 1 << 20 and status["disk_free_bytes"] > 0
    assert status["connections_max"] == 100000 and status["descriptors_max"] > 0
    assert re.search(r"^store\.bytes +[\d.]+ [KM]iB$", daemon.imctl("status", json=False), re.M)


# the read-only socket

def test_what_people_do_is_not_for_the_socket_that_only_reads(imd, connect):
    daemon = imd({"admin": {"read_address": "read.sock"}})
    im = connect(daemon, "line", "小明")
    im.ask("group", do="create", conv="#tea")
    im.say("#tea", "1")
    table = daemon.imctl("commands")["commands"]
    people = {command["name"] for command in table if command["access"] == "people"}
    assert people == {"why", "group.members", "report.list", "report.show", "user.show"}
    for words in (["why", "2"], ["group", "members", "#tea"], ["user", "show", "小明"], ["report", "list"]):
        assert daemon.imctl_run(*words).returncode == 0
        done = subprocess.run([find_program("imctl", "IMCTL"), "-s", f"{daemon.dir}/read.sock", *words],
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 77 and "shows what people do" in done.stderr


def test_groups_with_counts(imd, connect):
    daemon = imd()
    owner, other = connect(daemon, "line", "小明"), connect(daemon, "line", "翠花")
    owner.ask("group", do="create", conv="#tea", public=True)
    other.ask("group", do="join", conv="#tea")
    owner.ask("group", do="create", conv="#quiet")
    rows = {row["group"]: row for row in daemon.imctl("groups")["groups"]}
    assert (rows["#tea"]["members"], rows["#tea"]["online"], rows["#quiet"]["online"]) == (2, 2, 1)
    other.close()
    until(lambda: daemon.imctl("group", "show", "#tea")["online"] == 1)
    assert daemon.imctl("groups", json=False).splitlines()[0].split() == ["GROUP", "MEMBERS", "ONLINE", "TOPIC"]


# tail

def is_watched(daemon, count=1):
    """Wait until so many have asked: from then on they hear of everything."""
    until(lambda: daemon.logs.count("admin: tail") >= count, "somebody who watches")


def items(stream):
    return [json.loads(line) for line in stream.wait()]


def test_tail_shows_events_and_no_bodies(imd, connect, stream):
    daemon = imd()
    im = connect(daemon, "line", "小明")
    im.ask("group", do="create", conv="#tea")
    watch = stream(daemon, "tail", "events", "--count", "3")
    is_watched(daemon)
    im.say("翠花", "secret", cid="c1")
    im.say("#tea", "secret")
    im.ask("react", conv="翠花", seq=1, emoji="👍", on=True)
    *events, result = items(watch)
    assert [(e["type"], e["from"], e["to"], e["pos"]) for e in events] == [
        ("msg", "小明", "翠花", 2), ("msg", "小明", "#tea", 3), ("react", "小明", "翠花", 4)]
    assert events[0]["cid"] == "c1" and events[0]["bytes"] == 6 and events[0]["session"] == session_of(daemon, "小明")
    assert result == {"items": 3, "dropped": 0} and not any("body" in event for event in events)
    assert re.search(r"admin: tail of=events bodies=no .*by_uid=\d+", daemon.logs)


def test_bodies_are_shown_to_who_asks_and_that_is_logged(imd, connect, stream):
    daemon = imd({"admin": {"read_address": "read.sock", "read_mode": "0600"}})
    im = connect(daemon, "line", "小明")
    watch = stream(daemon, "tail", "events", "--count", "1", "--bodies")
    is_watched(daemon)
    assert "of=events bodies=yes" in daemon.logs
    im.say("翠花", "\x1b[31m你好")
    assert items(watch)[0]["body"] == "\\x1b[31m你好"
    path = f"{daemon.dir}/read.sock"
    for words in (["tail", "events", "--bodies"], ["tail", "events"]):
        done = subprocess.run([find_program("imctl", "IMCTL"), "-s", path, *words], capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        assert done.returncode == 77 and "reading only" in done.stderr


def test_tail_for_people_is_a_line_each(imd, connect, stream):
    daemon = imd()
    im = connect(daemon, "line", "小明")
    watch = stream(daemon, "tail", "events", "count=1", "bodies=yes", json_out=False)
    is_watched(daemon)
    im.say("翠花", "\x1b[31m你好")
    line, = watch.wait()
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z msg 小明 翠花 pos=1 seq=1 bytes=11 B body=\\x1b\[31m你好 session=\d+\n$", line), line


@pytest.mark.parametrize("args, wanted", [
    (["--user", "BOB"], ["小明 Bob", "Bob 小明", "小明 #tea"]),
    (["--group", "#tea"], ["小明 #tea", "小明 #tea"]),
    (["--type", "react"], ["小明 #tea"]),
    (["--session", "{小明}"], ["小明 Bob", "小明 翠花", "小明 #tea", "小明 #tea"]),
])
def test_tail_of_what_was_asked_for(imd, connect, stream, args, wanted):
    daemon = imd()
    im, bob = connect(daemon, "line", "小明"), connect(daemon, "line", "Bob")
    im.ask("group", do="create", conv="#tea")
    args = [arg.replace("{小明}", str(session_of(daemon, "小明"))) for arg in args]
    watch = stream(daemon, "tail", "events", *args, "--count", str(len(wanted)))
    is_watched(daemon)
    im.say("bob", "1")
    bob.say("小明", "2")
    im.say("翠花", "3")
    if "--user" in args:
        im.ask("group", do="invite", conv="#tea", user="bob")
        events = items(watch)[:-1]
        assert [f"{e['from']} {e['to']}" for e in events] == wanted and events[-1]["type"] == "member"
        return
    seq = im.say("#tea", "4")["seq"]
    im.ask("react", conv="#tea", seq=seq, emoji="👍", on=True)
    assert [f"{e['from']} {e['to']}" for e in items(watch)[:-1]] == wanted


def test_tail_of_the_log(imd, connect, stream):
    daemon = imd()
    watch = stream(daemon, "tail", "log", "--user", "小明", "--type", "session", "--count", "2")
    is_watched(daemon)
    connect(daemon, "line", "Bob")
    connect(daemon, "line", "小明").close()
    *lines, result = items(watch)
    assert [(line["sub"], line["event"], line["level"], line["user"]) for line in lines] == [
        ("session", "login", "info", "小明"), ("session", "ended", "info", "小明")]
    assert result["items"] == 2


def test_who_watches_and_does_not_read_loses_items_and_is_told(imd, connect, closing):
    daemon = imd({"limits": {"rate": 0}})
    im = connect(daemon, "line", "小明")
    from test_imctl import Admin
    slow = closing(Admin(daemon.admin_path))
    slow.send('{"jsonrpc":"2.0","id":1,"method":"tail","params":["events"]}\n')
    is_watched(daemon)
    before = daemon.rss_kib()
    for n in range(8000):
        im.tell("send", to="翠花", text=str(n), cid=f"{n}" + "c" * 50)
    im.say("翠花", "the last")
    assert daemon.grew_at_most(before, 32 * 1024)
    slow.send("\n")
    items, seen = 0, 0
    while "result" not in (message := slow.recv()):
        assert message["method"] == "tail" and message["params"]["id"] == 1
        items += 1
        seen += message["params"]["item"].get("dropped", 0)
    result = message["result"]
    assert result["items"] == items and items + result["dropped"] == 8001 and 0 <= seen <= result["dropped"]
    assert result["dropped"] > 0 and slow.call("online", id=2)["id"] == 2


def test_a_stream_ends_with_the_next_request_and_with_its_asker(imd, connect, closing):
    daemon = imd()
    from test_imctl import Admin
    im = connect(daemon, "line", "小明")
    admin, gone = closing(Admin(daemon.admin_path)), Admin(daemon.admin_path)
    for n, one in enumerate((admin, gone), 1):
        one.send('{"jsonrpc":"2.0","id":1,"method":"tail","params":["log"]}\n')
        is_watched(daemon, n)
    gone.close()
    admin.send('{"jsonrpc":"2.0","id":2,"method":"online"}\n')
    answers = []
    while len(answers) < 2:
        message = admin.recv()
        if "method" not in message:
            answers.append(message["id"])
    assert answers == [1, 2]
    im.say("翠花", "goes on")
    assert daemon.imctl_run("tail", "nothing").returncode == 64


def test_a_stream_does_not_keep_the_server_from_stopping(imd, stream):
    daemon = imd()
    watch = stream(daemon, "tail", "log")
    is_watched(daemon)
    daemon.term()
    assert watch.process.wait(PATIENCE) == 75


# config

def test_config_diff(imd):
    daemon = imd({"limits": {"text": "2KiB"}})

    def rows():
        return {row["key"]: row for row in daemon.imctl("config", "diff")["differences"]}

    assert rows()["limits.text"] == {"key": "limits.text", "value": "2KiB", "default": "16KiB", "file": None, "needs": None}
    assert not any(row["needs"] for row in rows().values()) and "limits.rate" not in rows()
    assert rows()["listen"]["value"][1] == f"line 127.0.0.1:{daemon.line_port}"
    daemon.write_config({"limits": {"text": "2KiB", "rate": 7}, "store": {"readers": 2}})
    assert (rows()["limits.rate"]["file"], rows()["limits.rate"]["needs"]) == (7, "reload")
    assert (rows()["store.readers"]["value"], rows()["store.readers"]["needs"]) == (1, "restart")
    daemon.imctl("reload")
    assert rows()["limits.rate"]["value"] == 7 and rows()["limits.rate"]["needs"] is None
    assert rows()["store.readers"]["needs"] == "restart"
    assert re.search(r"^store.readers +1 +1 +2 +restart$", daemon.imctl("config", "diff", json=False), re.M)


def test_config_diff_of_a_broken_file_says_what_is_wrong(imd):
    daemon = imd({"limits": {"text": "2KiB"}})
    daemon.write_config({"limits": {"rate": "x"}})
    result = daemon.imctl("config", "diff")
    assert "limits.text" in [row["key"] for row in result["differences"]]
    assert len(result["problems"]) == 1 and "limits.rate" in result["problems"][0]
    assert "limits.rate: must be" in daemon.imctl("config", "diff", json=False)


# why

def why(daemon, *args):
    result = daemon.imctl("why", *args)
    return result["event"], {(row["user"], row["device"]): row["state"] for row in result["devices"]}


def test_why_tells_a_messages_way(imd, connect):
    daemon = imd()
    phone = connect(daemon, "line")
    phone.hello(device="phone")
    phone.login("翠花")
    sender = connect(daemon, "line")
    sender.hello(device="pc")
    sender.login("小明")
    sent = sender.say("翠花", "secret", cid="c1")
    event, states = why(daemon, sent["pos"])
    assert (event["from"], event["to"], event["cid"], event["type"], event["bytes"]) == ("小明", "翠花", "c1", "msg", 6)
    phone.texts(1)
    assert until(lambda: why(daemon, sent["pos"])[1][("翠花", "phone")] == "written")
    phone.ask("ack", pos=sent["pos"])
    until(lambda: why(daemon, sent["pos"])[1][("翠花", "phone")] == "received", "the cursor in the store")
    phone.ask("read", conv="小明", seq=sent["seq"])
    until(lambda: why(daemon, sent["pos"])[1][("翠花", "phone")] == "read", "the mark in the store")
    assert why(daemon, "c1", "小明")[0]["pos"] == event["pos"]
    phone.close()
    until(lambda: daemon.online()["users"] == 1)
    second = sender.say("翠花", "away")
    assert why(daemon, second["pos"])[1][("翠花", "phone")] == "waiting"
    third = sender.say("阿强", "hello")
    assert why(daemon, third["pos"])[1][("阿强", None)] == "never here"
    text = daemon.imctl("why", sent["pos"], json=False)
    assert "secret" not in text and re.search(r"^event.cid +c1$", text, re.M) and re.search(r"^翠花 +phone +read ", text, re.M)


def test_why_of_a_group_is_about_every_member(imd, connect):
    daemon = imd()
    owner, other = connect(daemon, "line", "小明"), connect(daemon, "line", "翠花")
    owner.ask("group", do="create", conv="#tea", public=True)
    other.ask("group", do="join", conv="#tea")
    sent = owner.say("#tea", "hi")
    until(lambda: why(daemon, sent["pos"])[1] == {("小明", ""): "read", ("翠花", ""): "received"}, "both cursors")
    other.ask("read", conv="#tea", seq=sent["seq"])
    until(lambda: why(daemon, sent["pos"])[1][("翠花", "")] == "read")


@pytest.mark.parametrize("args, status, said", [
    (["99999"], 65, "never committed"), (["0"], 64, "needs a position"), (["c9"], 64, "needs a position"),
    (["c9", "nobody"], 65, "never committed"), (["c9", "a b"], 65, "user:")])
def test_why_of_what_is_not_there(shared, args, status, said):
    done = shared.imctl_run("why", *args)
    assert done.returncode == status and said in done.stderr
