"""What imctl prints, in every format, for every command; and its commands that look again and again."""

import contextlib
import csv
import io
import json
import re
import shlex
import subprocess
import threading

import pytest

from imdtest.daemon import find_program
from imdtest.terminal import at_terminal
from imdtest.wait import PATIENCE, until

FORMATS = ["people", "json", "csv", "plain"]
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

# Words that succeed where `example` of the table needs something that is not there, or does not end. A command of
# which neither succeeds fails the test.
WORDS = {
    "user.add": "fresh", "user.add.bot": "freshbot", "user.passwd": "ann", "user.show": "ann", "user.disable": "ann",
    "user.enable": "ann", "token.create": "ann label='a, \"b\"'",
    "token.revoke": "{token}", "invite.revoke": "{invite}", "group.show": "#tea", "group.members": "#tea",
    "report.show": "{ticket}", "report.close": "{ticket}", "hook.add": "new ann http://127.0.0.1:9/",
    "hook.show": "h", "hook.test": "h", "hook.disable": "h", "hook.enable": "h", "hook.del": "h", "hook.in": "ann bob",
    "top": "-b -i 1 -c 1", "stat": "-c 1", "wait": "ready", "log.level": "", "help": "help", "kick": "小明",
    "tail": "events --count 2", "latency": "1", "session": "{session}", "why": "{pos}", "queues": "", "drain": "-n", "upgrade": "-n",
    "backup": "{dir}/copy.db", "send": "ann bob 'one, \"two\"'", "history.export": "小明", "history.delete": "bob -y",
    "queue.purge": "小明 -y", "check": "sessions --warn 9", "user.delete": "victim -y", "group.delete": "#gone -y",
    "shutdown": "-y", "ban.add": "mallory --for 1h", "ban.del": "spammer", "mute": "ann --for 1h", "unmute": "bob",
}
STDIN = "long enough for a password\n"
# What ends the server comes last, and what takes things away comes late.
LATE = ["hook.del", "group.delete", "report.close", "user.delete", "history.delete", "kick", "shutdown"]
JUDGES = ("doctor", "check", "hook.test")  # their status tells what they found


def order(command):
    name = command["name"]
    return (LATE.index(name) + 2 if name in LATE else command["access"] == "write", name)


@pytest.fixture
def world(imd, connect):
    """A server with one of everything, and what the commands are to be told."""
    daemon = imd({"auth": {"argon2_memory": "64KiB", "argon2_ops": 1}})
    for name in ("ann", "bob", "victim"):
        daemon.imctl("user", "add", name, stdin=STDIN)
    person = connect(daemon, "line", "小明", device="phone, \"old\"")
    for group in ("#tea", "#gone"):
        person.ask("group", do="create", conv=group, text="milk, \"first\" and last")
    daemon.imctl("hook", "add", "h", "ann", "http://127.0.0.1:9/")
    daemon.imctl("token", "create", "bob", "label=spare")
    daemon.imctl("invite", "create")
    daemon.imctl("ban", "add", "spammer", "--reason", "spam, \"and\" more")
    daemon.imctl("mute", "bob")
    daemon.person = person
    daemon.values = {
        "dir": daemon.dir, "pos": person.say("bob", "first, \"and\" only\u202e")["pos"],
        "session": daemon.imctl("sessions")["sessions"][0]["id"],
        "ticket": person.ask("report", user="bob", text="rude, \"very\"\u202e")["ticket"],
        "token": daemon.imctl("token", "list")["tokens"][0]["id"],
        "invite": daemon.imctl("invite", "list")["invites"][0]["id"],
    }
    return daemon


@contextlib.contextmanager
def busy(person):
    """Somebody writes all the while."""
    stop = threading.Event()

    def write():
        while not stop.wait(0.05):
            person.ask("send", to="ann", text="chat, \"chat\"\u202e")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def run(daemon, form, words):
    """Runs a command that may go on for ever; what it printed and said, and its status or None."""
    options = [] if form == "people" else [f"--{form}"]
    command = [find_program("imctl", "IMCTL"), "-s", daemon.admin_path, *options, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(STDIN.encode(), timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.terminate()
            out, err = process.communicate()
            return out.decode(), err.decode(), None
    return out.decode(), err.decode(), process.returncode


def check_people(command, out):
    assert "\t" not in out


def check_json(command, out):
    for line in out.splitlines():
        json.loads(line)


def names_of(command):
    kind, *rest = command["show"].split()
    known = {"table": rest[1:], "report": rest[1:], "findings": rest[1:], "ndjson": rest, "line": [*rest, "more"], "text": ["text"],
             "fields": ["field", "value"]}
    return known.get(kind)


def check_csv(command, out):
    rows = list(csv.reader(io.StringIO(out)))
    assert len(rows) == out.count("\n"), "one record is one line"
    assert rows[0] == names_of(command) or names_of(command) is None
    assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in rows[0]), "names for programs"
    assert {len(row) for row in rows} == {len(rows[0])}


def check_plain(command, out):
    names = names_of(command)
    counts = {line.count("\t") + 1 for line in out.splitlines()}
    assert len(counts) <= 1 and (names is None or counts <= {len(names)})


CHECKS = {"people": check_people, "json": check_json, "csv": check_csv, "plain": check_plain}


@pytest.mark.parametrize("form", FORMATS)
def test_every_command_prints_every_format(world, form):
    table = world.imctl("commands")["commands"]
    for command in sorted(table, key=order):
        name = command["name"]
        words = shlex.split(WORDS[name].format(**world.values) if name in WORDS else command["example"])
        if name in WORDS:
            words = name.split(".") + words if name != "help" else ["help"]
        words = [word for word in words if word != "--json"]
        with busy(world.person) if name == "tail" else contextlib.nullcontext():
            out, err, status = run(world, form, words)
        said = f"{form}: {words}: {status}\n{out}{err}"
        assert not CONTROLS.search(out), said
        assert status == 0 or (name in JUDGES and status == 1), said
        assert out or name == "wait" or form in ("people", "plain"), said
        if name == "wait":
            assert (out, err) == ("", ""), said
            continue
        try:
            CHECKS[form](command, out)
        except (AssertionError, ValueError) as problem:
            raise AssertionError(f"{problem}\n{said}") from problem
        if name == "shutdown":
            world.wait_exit()


def test_a_stream_has_one_line_of_names_and_its_others_in_a_column(world):
    with busy(world.person):
        rows = list(csv.DictReader(io.StringIO(run(world, "csv", ["tail", "events", "count=3", "bodies=yes"])[0])))
        lines = run(world, "plain", ["tail", "events", "count=2"])[0].splitlines()
        items = [json.loads(line) for line in run(world, "json", ["tail", "events", "count=2"])[0].splitlines()]
    assert [(row["type"], row["from"], row["to"]) for row in rows] == [("msg", "小明", "ann")] * 3
    assert all("chat" in json.loads(row["more"])["body"] for row in rows), rows
    assert len(lines) == 2 and lines[0].split("\t")[1:4] == ["msg", "小明", "ann"]
    assert [item["from"] for item in items[:2]] == ["小明"] * 2


def test_pages_have_one_line_of_names(world):
    for n in range(1100):
        world.person.ask("send", to="bob", text=str(n))
    rows = list(csv.DictReader(io.StringIO(run(world, "csv", ["history", "export", "bob"])[0])))
    texts = [json.loads(row["events"]).get("text") for row in rows]
    assert texts[-1100:] == [str(n) for n in range(1100)] and len(texts) < 1110


def test_csv_and_plain_have_the_values_as_they_are(world):
    rows = list(csv.DictReader(io.StringIO(run(world, "csv", ["sessions"])[0])))
    as_json = world.imctl("sessions")["sessions"]
    assert [row["id"] for row in rows] == [str(row["id"]) for row in as_json]
    assert rows[0]["device"] == as_json[0]["device"] == 'phone, "old"'
    assert rows[0]["queued_bytes"] == "0" and rows[0]["age_ms"].isdigit()
    fields = dict(line.split("\t") for line in run(world, "plain", ["status"])[0].splitlines())
    assert fields["store.failed"] == "false" and fields["listen[1].transport"] == "line" and fields["users"] == "1"
    assert run(world, "plain", ["log", "level"])[0].startswith("level\tdebug\n")
    report = list(csv.DictReader(io.StringIO(run(world, "csv", ["report", "list"])[0])))[0]
    assert 'rude,' in report["text"] and '"very"' in report["text"]


def test_an_empty_list_is_the_names_alone(imd):
    daemon = imd()
    assert run(daemon, "csv", ["report", "list"])[0].count("\n") == 1
    assert run(daemon, "plain", ["report", "list"])[0] == ""


def test_a_list_that_was_cut_is_mentioned_beside_it(world, connect):
    connect(world, "line", "second")
    for form in ("csv", "plain"):
        out, err, status = run(world, form, ["sessions", "limit=1"])
        assert status == 0 and re.search(r"1 of \d sessions", err) and " of " not in out


def on_terminal(daemon, columns, *words):
    command = [find_program("imctl", "IMCTL"), "-s", daemon.admin_path, *words]
    with at_terminal(*command, env={"TERM": "dumb"}, columns=columns) as terminal:
        assert terminal.wait() == 0
        return terminal.all.replace("\r\n", "\n")


def columns_of(line):
    return sum(2 if ord(c) >= 0x1100 and c != "…" else 1 for c in line)


def test_tables_are_shortened_to_the_terminal_and_nowhere_else(world, connect):
    connect(world, "line", "ありがとうございますありがとうございます", device="a device with a rather long name indeed")
    for columns in (80, 100):
        lines = on_terminal(world, columns, "sessions").splitlines()
        assert all(columns_of(line) <= columns for line in lines) and any("…" in line for line in lines)
        assert len({columns_of(line) for line in lines}) == 1, "the last column is of numbers: all end with it"
    for line in (on_terminal(world, 250, "sessions"), run(world, "people", ["sessions"])[0]):
        assert "ありがとうございますありがとうございます" in line and "…" not in line
    token = re.search(r"token +(\S+)", on_terminal(world, 30, "token", "create", "ann")).group(1)
    assert len(token) == 43, "what is shown once is shown whole"


def test_a_column_of_words_and_numbers_is_shortened_like_words(imd):
    daemon = imd({"limits": {"rate": 7}})
    lines = on_terminal(daemon, 80, "config", "diff").splitlines()
    assert all(columns_of(line) <= 80 for line in lines), lines
    assert any(re.match("limits.rate +7 ", line) for line in lines) and any("…" in line for line in lines), lines
    starts = {re.match(r"\S+ +", line).end() for line in lines}
    assert len(starts) == 1, "words begin below each other"


# stat

FIELDS = ["time", "users", "sessions", "commands", "events", "delivered", "commits", "bytes_received", "bytes_sent",
          "accepted", "logins", "refused", "fell_behind", "dropped"]


def test_stat_prints_a_line_for_each_interval(world, connect):
    out, _, status = run(world, "people", ["stat", "-c", "2"])
    lines = out.splitlines()
    assert status == 0 and len(lines) == 3 and lines[0].split()[:3] == ["TIME", "USERS", "SESSIONS"]
    assert all(re.match(r"\d\d:\d\d:\d\d +1 +1 ", line) for line in lines[1:])
    rows = [json.loads(line) for line in run(world, "json", ["stat", "interval=1", "count=2"])[0].splitlines()]
    assert len(rows) == 2 and all(list(row) == FIELDS for row in rows)
    assert list(csv.reader(io.StringIO(run(world, "csv", ["stat", "-c", "1"])[0])))[0] == FIELDS
    assert len(run(world, "plain", ["stat", "-c", "1"])[0].rstrip("\n").split("\t")) == len(FIELDS)


def test_stat_counts_what_happens(world, connect):
    command = [find_program("imctl", "IMCTL"), "-s", world.admin_path, "--json", "stat", "-i", "1"]
    sender = connect(world, "line", "sender")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        for n in range(3):
            sender.ask("send", to="bob", text=str(n))
        seen = [json.loads(process.stdout.readline()) for _ in range(2)]
        assert any(row["events"] > 0 and row["bytes_received"] > 0 for row in seen)
        process.terminate()


def test_stat_ends_with_its_server(world):
    command = [find_program("imctl", "IMCTL"), "-s", world.admin_path, "stat"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        world.term()
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode in (69, 75) and err


def test_stat_fits_a_narrow_terminal(world):
    for columns in (60, 80, 200):
        assert all(len(line) <= columns for line in on_terminal(world, columns, "stat", "-c", "1").splitlines())


# wait

def test_wait_for_a_server_that_is_there_or_not(imd):
    daemon = imd()
    assert run(daemon, "people", ["wait", "ready"]) == ("", "", 0)
    _, err, status = run(daemon, "people", ["wait", "stopped", "-t", "1"])
    assert status == 75 and "not stopped within 1" in err
    daemon.term()
    assert run(daemon, "people", ["wait", "stopped"]) == ("", "", 0)
    _, err, status = run(daemon, "people", ["wait", "ready", "timeout=1"])
    assert status == 75 and "not ready within 1" in err
    assert run(daemon, "people", ["wait"])[2] == 64 and run(daemon, "people", ["wait", "nonsense"])[2] == 64


def test_wait_sees_it_come_and_go(imd):
    daemon = imd()
    command = [find_program("imctl", "IMCTL"), "-s", daemon.admin_path, "wait"]
    with subprocess.Popen([*command, "stopped"]) as stopped:
        until(lambda: daemon.imctl("status"), "an answer")
        assert stopped.poll() is None
        daemon.term()
        assert stopped.wait(PATIENCE) == 0
    with subprocess.Popen([*command, "ready"]) as ready:
        daemon.start()
        assert ready.wait(PATIENCE) == 0


def test_what_imctl_does_itself_is_refused_by_the_server(imd):
    daemon = imd()
    request = '{"jsonrpc":"2.0","id":1,"method":"top"}\n'
    done = subprocess.run(["nc", "-N", "-U", daemon.admin_path], input=request, text=True, capture_output=True,
                          timeout=PATIENCE, check=False)
    assert "imctl's own" in json.loads(done.stdout)["error"]["message"]
