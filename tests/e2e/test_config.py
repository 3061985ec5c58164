"""imd's options, and what it says of broken configurations."""

import grp
import json
import os
import re
import subprocess

import pytest

from imdtest.certs import make_certificate
from imdtest.daemon import find_program, free_port

EXAMPLE = """\
listen:
  - { transport: websocket, address: "127.0.0.1:3688" }
  - { transport: line,      address: "127.0.0.1:3689" }
  - { transport: unix,      address: "imd.sock", mode: "0660" }
admin:   { address: "admin.sock", mode: "0660" }
metrics: { address: "127.0.0.1:3690" }
store:   { kind: sqlite, path: "imd.db", sync: full }   # kind: memory, sync: normal
auth:    { mode: open }
workers: 1
data_dir: "."          # relative paths resolve here
"""


def run(*args, cwd="/", timeout=30):
    return subprocess.run([find_program("imd", "IMD"), *args], cwd=cwd, capture_output=True, text=True, timeout=timeout,
                          check=False)


@pytest.fixture
def config(tmp_path):
    """config(text) -> the path of a file that holds it."""

    def make(text, name="imd.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return make


def test_the_example_of_the_manual_is_good(config, tmp_path):
    done = run("-t", "-c", config(EXAMPLE), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "good" in done.stdout and done.stderr == ""
    assert os.listdir(tmp_path) == ["imd.yaml"]


BROKEN = {
    "unknown key": ("\nlimtis: {}\n", r":2:1: limtis: unknown key; did you mean \"limits\"\?"),
    "unknown nested key": ("limits:\n  txt: 1\n", r":2:3: limits.txt: unknown key; did you mean \"text\"\?"),
    "key of another section": ("limits: { ping: 1s }\n", r":1:11: limits.ping: .*\"websocket.ping\""),
    "duplicate key": ("lang: en\nlang: zh\n", r":2:1: lang: is given twice; first in line 1"),
    "duplicate section": ("log: {}\nlog: {}\n", r":2:1: log: is given twice"),
    "wrong kind": ("store: memory\n", r":1:8: store: must be a mapping"),
    "list for a value": ("lang: [en]\n", r":1:7: lang: must be a single value, not a list"),
    "no value": ("lang:\n", r":1:6: lang: needs a value"),
    "out of range": ("workers: 99\n", r":1:10: workers: must be 1 to 64, not 99"),
    "not a number": ("limits: {rate: fast}\n", r":1:16: limits.rate: must be a whole number, not \"fast\""),
    "no unit": ("limits: {stall: 60}\n", r":1:17: limits.stall: must be a time with its unit"),
    "wrong unit": ("limits: {text: 1KB}\n", r":1:16: limits.text: must be a size"),
    "not a choice": ("store: {kind: sqlit}\n", r":1:15: store.kind: must be one of .*did you mean \"sqlite\"\?"),
    "not a boolean": ("public_open: yes\n", r":1:14: public_open: must be true or false"),
    "public and open": ("listen: [{transport: line, address: '0.0.0.0:3689'}]\n", r":1:28: listen\[0\].address: .*public_open"),
    "no listener": ("listen: []\n", r":1:1: listen: needs at least one"),
    "no transport": ("listen: [{address: '127.0.0.1:1'}]\n", r":1:10: listen\[0\].transport: is missing"),
    "the same address twice": ("listen: [{transport: line, address: '127.0.0.1:1'}, {transport: websocket, address: '127.0.0.1:1'}]\n",
                               r":1:76: listen\[1\].address: .* is the address of listen\[0\].address too"),
    "certificate without a key": ("listen: [{transport: line, address: '127.0.0.1:1', tls: {cert: a}}]\n",
                                  r":1:58: listen\[0\].tls.cert: needs tls.key"),
    "limits that contradict": ("limits: {queue_soft: 4MiB, queue_hard: 1MiB}\n", r":1:10: limits.queue_soft: must be smaller"),
    "bad mode": ("admin: {mode: '9999'}\n", r":1:9: admin.mode: must be octal"),
    "a tab": ("limits:\n\trate: 1\n", r":2:1: YAML: .*tabs"),
    "unclosed": ("lang: \"en\n", r":2:1: YAML: "),
    "two documents": ("lang: en\n---\nlang: zh\n", r":2:1: YAML: only one document"),
    "an alias": ("lang: &a en\n", r":1:7: YAML: anchors and aliases"),
    "not UTF-8": (b"data_dir: \xff\n", r":1:11: YAML: not UTF-8"),
    "control characters": ("\"\\e[2J\": 1\n", r":1:1: \\x1b\[2J: unknown key"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_configuration_is_refused_with_its_place(config, name):
    text, expected = BROKEN[name]
    path = config(text)
    done = run("-t", "-c", path)
    assert done.returncode == 78
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines and all(line.startswith(path + ":") for line in lines), done.stderr
    assert re.match(re.escape(path) + expected, lines[0]), done.stderr
    assert "\x1b" not in done.stderr
    started = run("-c", path)
    assert started.returncode == 78 and started.stderr == done.stderr


def test_every_problem_is_told(config):
    path = config("workers: 0\nlang: xx\nlimits: {rate: x, foo: 1}\n")
    done = run("-t", "-c", path)
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["workers", "lang", "limits.rate", "limits.foo"]


def test_a_missing_file_is_an_error(tmp_path):
    done = run("-t", "-c", str(tmp_path / "none.yaml"))
    assert done.returncode == 78
    assert done.stderr == f"{tmp_path}/none.yaml: No such file or directory\n"


@pytest.mark.parametrize("damage", ["missing", "garbage", "other key", None])
def test_certificates_are_tested_too(config, tmp_path, damage):
    good, other = make_certificate(str(tmp_path / "a")), make_certificate(str(tmp_path / "b"))
    cert, key = good.cert, good.key
    if damage == "missing":
        cert = str(tmp_path / "none")
    elif damage == "garbage":
        cert = config("not a certificate", "garbage.pem")
    elif damage == "other key":
        key = other.key
    path = config("listen: " + json.dumps([{"transport": "line", "address": "127.0.0.1:1", "tls": {"cert": cert, "key": key}}]))
    done = run("-t", "-c", path, cwd=tmp_path)
    assert done.returncode == (78 if damage else 0), done.stderr
    if damage:
        column = path_column(path, '"key": ' if damage == "other key" else '"cert": ')
        assert done.stderr.startswith(f"{path}:1:{column}: listen[0].tls.{'key' if damage == 'other key' else 'cert'}: "), done.stderr
        assert run("-c", path, cwd=tmp_path).stderr == done.stderr


def path_column(path, text):
    with open(path, encoding="utf-8") as f:
        return f.read().index(text) + 1


LONG = "/tmp/" + "x" * 103


@pytest.mark.parametrize("text, status, expected", [
    ("\ndata_dir: /proc/none/data\n", 71, ":2:1: data_dir: /proc/none/data: No such file"),
    ("data_dir: /dev/null\n", 71, ":1:1: data_dir: /dev/null: Not a directory"),
    ("log: {file: no/such/folder/imd.log}\n", 71, ":1:7: log.file: no/such/folder/imd.log: No such file"),
    ("admin: {group: nobodys-group}\n", 78, ':1:9: admin.group: no group "nobodys-group" on this system'),
    (f"admin: {{address: {LONG}}}\n", 78, ":1:9: admin.address: a Unix socket's path may have 107 bytes, not 108"),
    (f"admin: {{read_address: {LONG}}}\n", 78, ":1:9: admin.read_address: a Unix socket's path may"),
    (f"listen: [{{transport: unix, address: {LONG}}}]\n", 78, ":1:28: listen[0].address: a Unix socket's path may"),
    ("listen: [{transport: line, address: '127.0.0.1:1', tls: {cert: none, key: none}}]\n", 78,
     ":1:58: listen[0].tls.cert: No such file or directory"),
])
def test_what_lies_outside_the_file_is_tested_before_anything_is_made(config, tmp_path, text, status, expected):
    path = config(text)
    for args in ("-t", "-c", path), ("-c", path):
        done = run(*args, cwd=tmp_path)
        assert done.returncode == status and done.stdout == ""
        assert done.stderr.startswith(path + expected) and done.stderr.count("\n") == 1, done.stderr
    assert os.listdir(tmp_path) == ["imd.yaml"]


def test_a_socket_path_of_the_full_length_is_good(config, tmp_path):
    assert run("-t", "-c", config(f"admin: {{address: {LONG[:-1]}}}\n"), cwd=tmp_path).returncode == 0


def test_the_installed_configuration_is_good_once_its_group_is_there(config, tmp_path):
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "etc", "imd.yaml"), encoding="utf-8") as f:
        text = f.read()
    assert text.count("data_dir: /var/lib/imd\n") == text.count("group: imd }") == 1
    text = text.replace("/var/lib/imd\n", f"{tmp_path}\n")
    path = config(text.replace("group: imd }", "group: nobodys-group }"))
    done = run("-t", "-c", path)
    assert done.returncode == 78
    assert re.fullmatch(re.escape(path) + r':11:\d+: admin.group: no group "nobodys-group" on this system\n', done.stderr), done.stderr
    group = grp.getgrgid(os.getgid()).gr_name
    done = run("-t", "-c", config(text.replace("group: imd }", f"group: {group} }}")))
    assert done.returncode == 0, done.stderr


def test_the_merged_configuration_loads_as_the_same(config):
    path = config(EXAMPLE + "limits: { text: 12345, stall: 90s }\n")
    first = run("-T", "-c", path)
    assert first.returncode == 0, first.stderr
    assert re.search(r"^  text: 12345$", first.stdout, re.M) and re.search(r"^  stall: 90s$", first.stdout, re.M)
    assert re.search(r"^  login_timeout: 10s$", first.stdout, re.M)
    assert run("-T", "-c", config(first.stdout, "merged.yaml")).stdout == first.stdout


def test_the_printed_default_loads_as_the_default(config):
    printed = run("--print-default-config")
    assert printed.returncode == 0 and printed.stdout.count("#") > 60
    assert run("-T", "-c", config(printed.stdout, "printed.yaml")).stdout == run("-T", "-c", config("", "empty.yaml")).stdout


def test_a_file_without_listen_has_the_usual_listeners(config):
    shown = run("-T", "-c", config("lang: zh\n")).stdout
    for address in ("127.0.0.1:3688", "127.0.0.1:3689", "imd.sock"):
        assert f'address: "{address}"' in shown


def test_version_help_and_usage():
    assert re.match(r"imd \d+\.\d+", run("--version").stdout)
    for flag in ("-h", "--help"):
        done = run(flag)
        assert done.returncode == 0 and "--print-default-config" in done.stdout
    for args in (["-x"], ["-c"], ["extra"], ["--bogus"]):
        done = run(*args)
        assert done.returncode == 64 and done.stdout == "" and "imd --help" in done.stderr


def test_output_that_cannot_be_written_is_an_error():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([find_program("imd", "IMD"), "--print-default-config"], stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=30, check=False)
    assert done.returncode == 74 and "No space left" in done.stderr


# starting

def start(config, text):
    return run("-c", config(text))


def test_the_data_directory_is_made_and_private(config, tmp_path):
    data = tmp_path / "data"
    done = start(config, f"data_dir: {data}\nstore: {{kind: memory}}\n"
                         "listen: [{transport: unix, address: 'no/such/folder/imd.sock'}]\n")
    assert done.returncode == 71 and "no/such/folder" in done.stderr
    assert os.stat(data).st_mode & 0o777 == 0o700


def test_a_data_directory_that_cannot_be_is_named(config):
    done = start(config, "data_dir: /proc/none/data\n")
    assert done.returncode == 71 and "/proc/none/data" in done.stderr


def test_an_address_in_use_is_named(imd, config, tmp_path):
    daemon = imd()
    done = start(config, f"data_dir: {tmp_path}\nstore: {{kind: memory}}\n"
                         f"listen: [{{transport: line, address: '127.0.0.1:{daemon.line_port}'}}]\n")
    assert done.returncode == 71
    assert f"127.0.0.1:{daemon.line_port}" in done.stderr and "in use" in done.stderr


def test_an_admin_group_that_does_not_exist_is_named(config, tmp_path):
    done = start(config, f"data_dir: {tmp_path}\nstore: {{kind: memory}}\nadmin: {{group: nobodys-group}}\n"
                         f"listen: [{{transport: line, address: '127.0.0.1:{free_port()}'}}]\n")
    assert done.returncode == 78 and "nobodys-group" in done.stderr


def test_a_log_that_cannot_be_written_is_named(config, tmp_path):
    done = start(config, f"data_dir: {tmp_path}\nlog: {{file: no/such/folder/imd.log}}\n")
    assert done.returncode == 71 and "no/such/folder/imd.log" in done.stderr


def test_a_store_that_cannot_be_opened_is_named(config, tmp_path):
    (tmp_path / "imd.db").write_bytes(b"this is not a database, whatever its name says" * 100)
    done = start(config, f"data_dir: {tmp_path}\nlisten: [{{transport: line, address: '127.0.0.1:{free_port()}'}}]\n")
    assert done.returncode == 74 and "imd.db" in done.stderr


def test_one_line_says_when_it_is_ready_and_where(imd):
    daemon = imd()
    lines = [line for line in daemon.logs.splitlines() if "imd: ready" in line]
    assert len(lines) == 1
    for address in (f"websocket 127.0.0.1:{daemon.ws_port}", f"line 127.0.0.1:{daemon.line_port}", "unix imd.sock"):
        assert address in lines[0]
    assert f"config={daemon.config_path}" in lines[0]


def test_port_0_takes_a_free_port_and_says_which(imd):
    daemon = imd({"listen": [{"transport": "line", "address": "127.0.0.1:0"}]})
    (row,) = daemon.imctl("status")["listen"]
    assert re.fullmatch(r"127\.0\.0\.1:[1-9]\d*", row["address"])
    assert f"line {row['address']}" in daemon.logs
