"""Completion of imctl's words: by imctl itself, and in the shells."""

import contextlib
import os
import re
import shutil
import subprocess

import pytest

from imdtest.daemon import find_program
from imdtest.terminal import at_terminal

TOP = os.path.join(os.path.dirname(__file__), "..", "..")
SCRIPTS = os.path.join(TOP, "etc", "completions")


@pytest.fixture
def people(imd, connect):
    """A server with users, groups, sessions and the rest to be named."""
    daemon = imd()
    for name in ("alice", "alois", "小明"):
        connect(daemon, "line", name)
    daemon.imctl("user", "add", "bob", stdin="long enough\n")
    daemon.imctl("user", "add", "carol", stdin="long enough\n")
    admin = connect(daemon, "line", "alice")
    admin.ask("group", do="create", conv="#tea", topic="t")
    admin.ask("group", do="create", conv="#喝茶", topic="t")
    daemon.imctl("hook", "add", "log", "bob", "http://127.0.0.1:9/")
    return daemon


def offered(daemon, *words):
    done = subprocess.run([find_program("imctl", "IMCTL"), "-s", daemon.admin_path, "--complete", "--", *words],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


def test_words_are_completed_from_the_servers_table(people):
    methods = [c["name"] for c in people.imctl("commands")["commands"]]
    assert set(offered(people, "")) == {name.split(".")[0] for name in methods}
    assert offered(people, "ki") == ["kick"] and offered(people, "log", "") == ["level"]
    assert set(offered(people, "user", "")) == {m.split(".")[1] for m in methods if m.startswith("user.")}
    assert offered(people, "user", "add", "b") == ["bot"]
    assert offered(people, "help", "user", "sh") == ["show"]
    assert offered(people, "log", "level", "") == ["error", "warn", "info", "debug", "level=", "part=", "for="]
    assert offered(people, "log", "level", "debug", "st") == ["store", "stream"]
    assert offered(people, "log", "level", "part=st") == ["part=store", "part=stream"]
    assert offered(people, "log", "level", "part=store", "le") == ["level="]
    assert offered(people, "nonsense", "") == [] and offered(people, "--j") == ["--json"]
    assert offered(people, "--json", "-s", people.admin_path, "onl") == ["online"]
    assert offered(people, "user", "passwd", "bob", "") == []


def test_what_there_is_is_fetched_live(people, connect):
    assert set(offered(people, "kick", "a")) == {"alice", "alois"}
    assert set(offered(people, "kick", "小")) == {"小明"}
    ids = {str(row["id"]) for row in people.imctl("sessions")["sessions"]}
    assert ids <= set(offered(people, "kick", ""))
    assert set(offered(people, "kick", "session=")) == {f"session={n}" for n in ids}
    row = people.imctl("sessions", "小明")["sessions"][0]
    done = people.imctl_run("--complete", "--", "session", str(row["id"]))
    assert f"{row['id']}\t小明\n" in done.stdout, "whose it is"
    assert offered(people, "user", "show", "c") == ["carol"] and offered(people, "kick", "c") == []
    assert offered(people, "group", "show", "#") == ["#tea", "#喝茶"] or \
        offered(people, "group", "show", "#") == ["#喝茶", "#tea"]
    assert offered(people, "hook", "show", "") == ["log", "name="]
    assert offered(people, "user", "add", "bo") == ["bot"]  # not the names that are taken
    connect(people, "line", "anna")
    assert set(offered(people, "kick", "a")) == {"alice", "alois", "anna"}


def test_every_list_that_completion_asks_for_is_there(people):
    table = people.imctl("commands")["commands"]
    by_name = {c["name"]: c for c in table}
    for command in table:
        for arg in command["args"]:
            for source in filter(None, arg.get("from", "").split("|")):
                method, key, *columns = source.split()
                show = by_name[method]["show"].split()
                assert show[:2] == ["table", key] and set(columns) <= set(show[2:]), (command["name"], source)
                assert key in people.imctl(*method.split("."))


def test_without_a_server_there_is_nothing_and_no_noise(tmp_path):
    done = subprocess.run([find_program("imctl", "IMCTL"), "-s", str(tmp_path / "none"), "--complete", "--", ""],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == done.stderr == "" and done.returncode != 0


# shells

@contextlib.contextmanager
def shell(daemon, tmp_path, *command):
    """An interactive shell at a terminal, in which `imctl` manages this daemon."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir(exist_ok=True)
    link = bin_dir / "imctl"
    if not link.exists():
        link.symlink_to(find_program("imctl", "IMCTL"))
    env = {"PATH": f"{bin_dir}:{os.environ['PATH']}", "IMCTL_SOCKET": daemon.admin_path, "TERM": "dumb",
           "LC_ALL": "C.UTF-8", "HOME": str(tmp_path), "HISTFILE": "/dev/null", "INPUTRC": "/dev/null", "COLUMNS": "200"}
    with at_terminal(*command, env=env) as terminal:
        yield terminal


@pytest.fixture
def bash(people, tmp_path):
    with shell(people, tmp_path, "bash", "--norc", "--noprofile", "-i") as terminal:
        terminal.people = people
        terminal.type(f"PS1='rea''dy> '; bind 'set enable-bracketed-paste off'; . {SCRIPTS}/imctl.bash\n")
        terminal.expect("ready> ")
        yield terminal


@pytest.mark.parametrize("typed, completed", [
    ("imctl onl\t", "imctl online "),
    ("imctl user pas\t", "imctl user passwd "),
    ("imctl kick ali\t", "imctl kick alice "),
    ("imctl kick 小\t", "imctl kick 小明 "),
    ("imctl kick who=ali\t", "imctl kick who=alice "),
    ("imctl kick wh\tali\t", "imctl kick who=alice "),
    ("imctl group show \\#te\t", r"imctl group show \\#tea "),
    ("imctl group show '#te\t", "imctl group show '#tea' "),
    ("imctl log level debug part=liste\t", "imctl log level debug part=listener "),
    ("imctl --js\t", "imctl --json "),
])
def test_bash_completes(bash, typed, completed):
    bash.type(typed)
    bash.expect(completed)


def test_bash_lists_what_is_possible(bash):
    bash.type("imctl kick al\t\t")
    bash.expect(r"alice\s+alois")


def test_bash_runs_what_it_completed(bash):
    bash.type("imctl group show \\#te\t\n")
    bash.expect(r"group +#tea")


def test_bash_completes_paths_of_sockets(bash, tmp_path):
    bash.type(f"imctl -s {bash.people.dir}/adm\t")
    bash.expect(re.escape(bash.people.admin_path) + " ")


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
@pytest.mark.parametrize("line, expected", [("imctl kick al", {"alice", "alois"}), ("imctl user passw", {"passwd"}),
                                            ("imctl log level part=st", {"part=store", "part=stream"})])
def test_fish_completes(people, tmp_path, line, expected):
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "imctl").symlink_to(find_program("imctl", "IMCTL"))
    env = {**os.environ, "PATH": f"{bin_dir}:{os.environ['PATH']}", "IMCTL_SOCKET": people.admin_path, "HOME": str(tmp_path),
           "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    done = subprocess.run(["fish", "--no-config", "-c", f"source {SCRIPTS}/imctl.fish; complete -C '{line}'"], env=env,
                          capture_output=True, text=True, timeout=60, check=False)
    assert {row.split("\t")[0] for row in done.stdout.splitlines()} == expected, done.stderr


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
@pytest.mark.parametrize("typed, completed", [("imctl onl\t", "online "), ("imctl kick ali\t", "alice "),
                                              ("imctl group show \\#te\t", "tea ")])
def test_zsh_completes(people, tmp_path, typed, completed):
    with shell(people, tmp_path, "zsh", "-f", "-i") as terminal:
        terminal.type(f"unsetopt zle_bracketed_paste; PS1='rea''dy> '; fpath=({SCRIPTS} $fpath); "
                      f"autoload -U compinit; compinit -u -D; print com''piled\n")
        terminal.expect("compiled")
        terminal.expect("ready> ")
        terminal.type(typed)
        terminal.expect(completed)
