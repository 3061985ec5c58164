"""Tries the examples of the documents on the built daemon.

Configurations (```yaml in the READMEs, the first literal block of imd.yaml(5)) go through `imd -t`. Conversations
(```im in doc/protocol.md) are held: "WHO → line" is sent, "WHO ← line" must come, where … stands for anything and
12:01 for any time. All of them together are one conversation on one server.
"""

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
  - { transport: unix, address: imd.sock }
store: { kind: memory }
"""


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def fences(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", read(page), re.M | re.S)


class Person:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r", encoding="utf-8", newline="\n")

    def say(self, line):
        self.socket.sendall((line + "\n").encode())

    def hear(self, expected):
        clock = re.compile(r"\b\d\d:\d\d\b")
        heard = self.lines.readline().rstrip("\n")
        pattern = ".*".join(map(re.escape, clock.sub("12:01", expected).split("…")))
        assert re.fullmatch(pattern, clock.sub("12:01", heard)), f"expected {expected}\n   heard {heard}"


def converse(text, people, path):
    for line in filter(None, text.split("\n")):
        match = re.fullmatch(r"(\S+) ([→←]) (.*)", line)
        assert match, f"not a line of a conversation: {line}"
        who, direction, what = match.groups()
        if direction == "→":
            if who not in people:
                people[who] = Person(path)
            people[who].say(what)
            continue
        people[who].hear(what)


def start(folder):
    config = os.path.join(folder, "imd.yaml")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"data_dir: {folder}\n{SERVER}")
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


def check_commands(folder):
    """Every admin command is in imctl(1)."""
    admin = Person(os.path.join(folder, "admin.sock"))
    admin.say('{"jsonrpc":"2.0","id":1,"method":"commands"}')
    commands = [c["name"].replace(".", " ") for c in json.loads(admin.lines.readline())["result"]["commands"]]
    described = re.findall(r"^\.It Ic ([a-z ]*[a-z])", read("doc/imctl.1"), re.M)
    assert sorted(commands) == sorted(described), f"imd has {sorted(commands)}, imctl(1) has {sorted(described)}"


def check_daemon(folder):
    daemon = start(folder)
    try:
        check_commands(folder)
        people = {}
        for text in fences("doc/protocol.md", "im"):
            converse(text, people, os.path.join(folder, "imd.sock"))
        for person in people.values():
            person.socket.close()
        daemon.terminate()
        assert daemon.wait(PATIENCE) == 0, f"imd exited with {daemon.returncode}"
    finally:
        daemon.kill()


def check_configuration(folder, text):
    path = os.path.join(folder, "example.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    done = subprocess.run([IMD, "-t", "-c", path], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def cases():
    yield "conversations of doc/protocol.md, commands of imctl(1)", check_daemon, ()
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
