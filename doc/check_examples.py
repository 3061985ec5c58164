"""Tries the examples of the documents on the built daemon.

Configurations (```yaml in the READMEs, the first literal block of imd.yaml(5)) go through `imd -t`. Conversations
(```im in doc/protocol.md) are held: "WHO → line" is sent, "WHO ← line" must come, where … stands for anything and
12:01 for any time; "name":"…" in what is sent is what was heard under that name before. All of them together are one
conversation on one server. Who has said bye connects anew. Passing events may come between or not, and a little
earlier or later; nothing else may. Every message fits the schema, and every op and event of the schema occurs.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.environ.get("top_srcdir") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IMD = os.path.abspath(os.environ.get("IMD", "tools/imd/imd"))
PATIENCE = 20
SERVER = """\
listen:
  - {{ transport: unix, address: imd.sock }}
store: {{ kind: {store} }}
auth: {{ register: "on", argon2_ops: 1, argon2_memory: 8KiB }}
presence: {{ linger: 0ms, group_interval: 100ms }}
"""
PASSING = ("receipt", "typing", "presence")
UNSAID = {"notice"}  # an event that the server has no cause for in a conversation

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, "tests/e2e"))
from imdtest.schema import Schema  # noqa: E402


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def fences(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", read(page), re.M | re.S)


def fits(line, expected):
    clock = re.compile(r"\b\d\d:\d\d\b")
    pattern = ".*".join(map(re.escape, clock.sub("12:01", expected).split("…")))
    return re.fullmatch(pattern, clock.sub("12:01", line)) is not None


class Person:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r", encoding="utf-8", newline="\n")
        self.asked = {}  # requests by id
        self.passed = []  # passing events that were not expected yet
        self.leaving = False

    def say(self, line):
        self.socket.sendall((line + "\n").encode())

    def hear(self):
        return self.lines.readline().rstrip("\n")

    def close(self):
        self.lines.close()
        self.socket.close()


class Conversation:
    """People on one server, and what of im.v1 has occurred between them."""

    def __init__(self, path, schema):
        self.path = path
        self.schema = schema
        self.people = {}
        self.heard = {}  # the last string under each name
        self.occurred = set()

    def say(self, who, line):
        person = self.people.get(who)
        if person is None or person.leaving:
            person = self.people[who] = Person(self.path)
        line = re.sub(r'"(\w+)":"…"', lambda m: f'"{m[1]}":"{self.heard[m[1]]}"', line)
        if line.startswith("{"):
            request = json.loads(line)
            person.asked[request.get("id")] = request
            person.leaving = request["op"] == "bye"
        person.say(line)

    def note(self, person, line):
        """A message of the server: it, and the request it answers, fit the schema."""
        message = json.loads(line)
        self.heard.update((name, value) for name, value in message.items() if isinstance(value, str))
        if message["op"] == "err":
            self.schema.check(message, "reply-err")
        elif message["op"] == "ok":
            request = person.asked[message["id"]]
            self.schema.check(request, "request-" + request["op"])
            self.schema.check(message, "reply-" + request["op"])
            self.occurred.add("request-" + request["op"])
        else:
            self.schema.check(message, "event-" + message["op"])
            self.occurred.add("event-" + message["op"])
        return message

    def hear(self, who, expected):
        person = self.people[who]
        for line in person.passed:
            if fits(line, expected):
                person.passed.remove(line)
                return
        while True:
            line = person.hear()
            message = self.note(person, line) if line.startswith("{") else {}
            if fits(line, expected):
                return
            assert message.get("op") in PASSING, f"{who} expected {expected}\n   heard {line}"
            person.passed.append(line)

    def hold(self, text):
        for line in filter(None, text.split("\n")):
            match = re.fullmatch(r"(\S+) ([→←]) (.*)", line)
            assert match, f"not a line of a conversation: {line}"
            who, direction, what = match.groups()
            try:
                (self.say if direction == "→" else self.hear)(who, what)
            except (AssertionError, OSError, ValueError) as error:
                raise AssertionError(f"{line}\n{error}") from error

    def check_complete(self):
        names = {"request-" + name for name in self.schema.names("request")}
        names |= {"event-" + name for name in self.schema.names("event") if name not in UNSAID}
        assert self.occurred >= names, f"in no conversation: {', '.join(sorted(names - self.occurred))}"


def start(folder, store):
    config = os.path.join(folder, "imd.yaml")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"data_dir: {folder}\n" + SERVER.format(store=store))
    daemon = subprocess.Popen([IMD, "-c", config], stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while daemon.poll() is None and time.monotonic() < deadline:
        try:
            Person(os.path.join(folder, "imd.sock"))
            return daemon
        except OSError:
            time.sleep(0.01)
    daemon.kill()
    raise AssertionError("imd does not start")


@contextlib.contextmanager
def server(folder, store):
    daemon = start(folder, store)
    try:
        yield
        daemon.terminate()
        assert daemon.wait(PATIENCE) == 0, f"imd exited with {daemon.returncode}"
    finally:
        daemon.kill()


def check_commands(folder):
    """Every admin command is in imctl(1)."""
    with server(folder, "memory"):
        admin = Person(os.path.join(folder, "admin.sock"))
        admin.say('{"jsonrpc":"2.0","id":1,"method":"commands"}')
        commands = [c["name"].replace(".", " ") for c in json.loads(admin.hear())["result"]["commands"]]
        admin.close()
    with open("doc/imctl.1", encoding="utf-8") as page:  # which is made, here
        described = re.findall(r"^\.It Ic ([a-z ]*[a-z])", page.read(), re.M)
    assert sorted(commands) == sorted(described), f"imd has {sorted(commands)}, imctl(1) has {sorted(described)}"


def check_conversations(folder, store):
    with server(folder, store):
        conversation = Conversation(os.path.join(folder, "imd.sock"), Schema(read("doc/im.v1.schema.json")))
        for text in fences("doc/protocol.md", "im"):
            conversation.hold(text)
        conversation.check_complete()
        for person in conversation.people.values():
            person.close()


def check_configuration(folder, text):
    path = os.path.join(folder, "example.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    done = subprocess.run([IMD, "-t", "-c", path], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def cases():
    for store in ("memory", "sqlite"):
        yield f"conversations of doc/protocol.md, store {store}", check_conversations, (store,)
    yield "commands of imctl(1)", check_commands, ()
    for page in ("README.md", "README.zh-CN.md"):
        for n, text in enumerate(fences(page, "yaml"), 1):
            yield f"configuration {n} of {page}", check_configuration, (text,)
    literal = re.search(r"^\.Bd -literal\n(listen:.*?)^\.Ed$", read("doc/imd.yaml.5.in"), re.M | re.S).group(1)
    yield "configuration of imd.yaml(5)", check_configuration, (literal,)


def main():
    failed = 0
    count = 0
    for count, (name, check, arguments) in enumerate(cases(), 1):
        with tempfile.TemporaryDirectory(prefix="imd-doc-") as folder:
            try:
                check(folder, *arguments)
                print(f"ok {count} - {name}", flush=True)
            except (AssertionError, OSError) as error:
                failed = 1
                print(f"not ok {count} - {name}\n# " + str(error).replace("\n", "\n# "), flush=True)
    print(f"1..{count}")
    return failed


sys.exit(main())
