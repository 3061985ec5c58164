"""imctl as a shell: what is typed at a terminal."""

import contextlib
import os
import re
import signal
import stat

import pytest

from imdtest.daemon import find_program
from imdtest.terminal import at_terminal
from imdtest.wait import until

PROMPT = "imctl> "


@contextlib.contextmanager
def shell_of(daemon, home, **env):
    environment = {"HOME": str(home), "XDG_STATE_HOME": None, "TERM": "xterm", "LC_ALL": "C.UTF-8", "IMCTL_SOCKET": None}
    with at_terminal(find_program("imctl", "IMCTL"), "-s", daemon.admin_path, env={**environment, **env}) as terminal:
        terminal.expect(PROMPT)
        yield terminal


@pytest.fixture
def server(imd, connect):
    daemon = imd()
    for name in ("alice", "alois", "小明"):
        connect(daemon, "line", name)
    return daemon


@pytest.fixture
def shell(server, tmp_path):
    with shell_of(server, tmp_path) as terminal:
        terminal.server = server
        yield terminal


def run(shell, line, shows):
    shell.type(line + "\n")
    found = shell.expect(shows)
    shell.expect(PROMPT)
    return found


def test_it_greets_takes_commands_and_ends(server, tmp_path):
    with shell_of(server, tmp_path) as shell:
        assert re.search(r"imd \d\S*, up \S+, 3 online\. ", shell.all)
        run(shell, "online", r"users +3\r\n")
        run(shell, "--json online", r'\{"users":3,')
        run(shell, "--csv online", r"field,value\r\nusers,3\r\n")
        run(shell, "help kick", r"imctl kick")
        run(shell, "onlin", 'did you mean "online"')
        shell.type("exit\n")
        assert shell.wait() == 0


@pytest.mark.parametrize("end", ["\x04", "quit\n"])
def test_its_end_leaves_the_terminal_as_it_was(server, tmp_path, end):
    command = [find_program("imctl", "IMCTL"), "-s", server.admin_path]
    script = f"stty -a; {' '.join(command)}; echo over $?; stty -a; echo done"
    with at_terminal("sh", "-c", script, env={"HOME": str(tmp_path), "TERM": "xterm"}) as terminal:
        before = terminal.expect("(speed .*?)imd ").group(1)
        terminal.expect(PROMPT)
        terminal.type(end)
        terminal.expect("over 0\r\n")
        assert terminal.expect("(speed .*?)done").group(1) == before


def test_words_are_completed_and_what_there_is_is_fetched_live(shell, connect):
    shell.type("ki\t小\t")
    shell.expect_plain("kick 小明 ")
    shell.type("\x03")
    shell.expect(PROMPT)
    shell.type("kick al\t")
    shell.expect_plain(f"alice +alois.*{PROMPT}kick al")
    connect(shell.server, "line", "bobby")
    shell.type("\x15kick bo\t\n")
    shell.expect_plain("kick bobby ")
    shell.expect(r"user +bobby")
    shell.expect(PROMPT)
    shell.type("user \t")
    shell.expect_plain(r"passwd +Give an account another password")


def test_completion_quotes_what_needs_it(shell):
    name = "a \"b\" 'c"
    shell.server.imctl("user", "add", "bot", "weather")
    shell.type("token create 'wea\t")
    shell.expect_plain("weather ")
    shell.type("\x03")
    shell.expect(PROMPT)
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    run(shell, f'token create weather "label={quoted}"', "token +[A-Za-z0-9_-]{43}")
    assert name in [row["label"] for row in shell.server.imctl("token", "list")["tokens"]]
    run(shell, "token create weather 'open", "a quote is not closed")


@pytest.mark.parametrize("locale", ["C.UTF-8", "C", "POSIX"])
def test_characters_are_characters_whatever_the_locale(server, tmp_path, locale):
    with shell_of(server, tmp_path, LC_ALL=locale) as shell:
        shell.type("kick 小红\x7f明\n")  # one key takes one character away
        shell.expect(r"user +小明")
    until(lambda: {row["user"] for row in server.imctl("sessions")["sessions"]} == {"alice", "alois"}, "the others")


def test_ctrl_c_drops_a_line_and_ends_a_command_but_not_the_shell(shell):
    shell.type("shutdown\x03")
    shell.expect(PROMPT)
    shell.type("stat\n")
    shell.expect(r"TIME +USERS.*?\n[0-9:]+ +3 ")
    shell.type("\x03")
    shell.expect(PROMPT)
    mode = shell.mode()
    shell.type("user add eve\n")
    shell.expect("New password: ")
    assert shell.mode() != mode, "the password is not shown"
    shell.type("\x03")
    shell.expect(PROMPT)
    run(shell, "online", r"users +3\r\n")
    assert shell.server.imctl("status")["state"] == "running"
    assert "eve" not in [u["user"] for u in shell.server.imctl("user", "list")["users"]]


def test_secrets_are_asked_for_in_the_shell_too(shell):
    shell.type("user add eve\n")
    for prompt in ("New password: ", "Again, new password: "):
        shell.expect(prompt)
        shell.type("long enough\n")
    shell.expect(PROMPT)
    assert "long enough" not in shell.all
    assert "eve" in [u["user"] for u in shell.server.imctl("user", "list")["users"]]


def test_what_destroys_something_asks_in_the_shell_too(shell):
    shell.type("--json queue purge alice\n")
    shell.expect(r"events +0.*?\[y/N\] ")
    shell.type("n\n")
    shell.expect("nothing was done")
    shell.expect(PROMPT)
    shell.type("shutdown\n")
    shell.expect(r"sessions +3\r\n.*?\[y/N\] ")
    shell.type("\x03")
    shell.expect(PROMPT)
    run(shell, "online", r"users +3\r\n")
    run(shell, "group list", "no groups")
    shell.type("shutdown\n")
    shell.expect(r"\[y/N\] ")
    shell.type("y\n")
    shell.expect(PROMPT)
    assert shell.server.wait_exit() == 0


def test_a_stream_goes_on_until_ctrl_c(shell, connect):
    shell.type("tail events\n")
    until(lambda: "tail of=events" in shell.server.logs, "the stream")
    connect(shell.server, "line", "bobby").say("小明", "hello")
    shell.expect(r"msg bobby 小明 ")
    shell.type("\x03")
    shell.expect(PROMPT)
    run(shell, "online", "users +4")


def test_a_server_that_was_started_again_is_the_one_that_answers(shell):
    run(shell, "online", r"users +3\r\n")
    shell.server.term()
    run(shell, "online", "Is imd running|not running")
    shell.type("onl\t\x15")  # nothing to offer, and no noise
    shell.server.start()
    run(shell, "online", r"users +0\r\n")
    shell.type("ki\t\n")
    shell.expect_plain("kick needs one of")


def test_history_is_kept_for_the_next_time_and_without_secrets(server, tmp_path):
    state = tmp_path / "state"
    path = state / "imctl" / "history"
    with shell_of(server, tmp_path, XDG_STATE_HOME=str(state)) as shell:
        run(shell, "group show '#none'", "No such group")
        run(shell, "user add eve password=hunter22", "command line")
        run(shell, "user ad eve password=hunter22", "no command")
        run(shell, "hook add h eve http://127.0.0.1/hunter22 secret=hunter22", "command line")
        run(shell, "kick user=小红", "not online")
        shell.type("exit\n")
        assert shell.wait() == 0
    assert path.read_text("utf-8") == "group show '#none'\nkick user=小红\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with shell_of(server, tmp_path, XDG_STATE_HOME=str(state)) as shell:
        shell.type("\x10\n")
        shell.expect("小红 is not online")
    with shell_of(server, tmp_path) as shell:
        run(shell, "online", "users")
    assert (tmp_path / ".local" / "state" / "imctl" / "history").read_text() == "online\n"


def test_a_history_that_has_grown_long_is_cut(server, tmp_path):
    path = tmp_path / ".local" / "state" / "imctl" / "history"
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"line {n}\n" for n in range(2500)))
    with shell_of(server, tmp_path):
        lines = path.read_text().splitlines()
    assert len(lines) == 1000 and lines[-1] == "line 2499"


def test_a_history_that_cannot_be_kept_is_no_matter(server, tmp_path):
    (tmp_path / ".local").write_text("a file, where a folder would have to be")
    with shell_of(server, tmp_path) as shell:
        run(shell, "online", r"users +3\r\n")
    with shell_of(server, tmp_path, HOME=None) as shell:
        run(shell, "online", r"users +3\r\n")


def test_a_shell_without_a_server_says_so_and_waits_for_one(server, tmp_path):
    server.term()
    with shell_of(server, tmp_path) as shell:
        assert re.search("Is imd running|not running", shell.all)
        server.start()
        run(shell, "online", r"users +0\r\n")


def test_ctrl_z_stops_a_command_with_its_shell(server, tmp_path):
    script = f"set -m; {find_program('imctl', 'IMCTL')} -s {server.admin_path}; echo stopped; fg; echo over"
    with at_terminal("bash", "-c", script, env={"HOME": str(tmp_path), "TERM": "xterm"}) as terminal:
        terminal.expect(PROMPT)
        terminal.type("stat\n")
        terminal.expect("TIME")
        terminal.type("\x1a")
        terminal.expect("stopped\r\n.*?imctl.*?\r\n[0-9:]+ +3 ")
        terminal.type("\x03")
        terminal.expect(PROMPT)
        terminal.type("exit\n")
        terminal.expect("over")


# top

@contextlib.contextmanager
def top_of(daemon, *args, columns=80, lines=24, **env):
    command = [find_program("imctl", "IMCTL"), "-s", daemon.admin_path, "top", "-i", "1", *args]
    with at_terminal(*command, env={"TERM": "xterm", "NO_COLOR": None, **env}, columns=columns, lines=lines) as terminal:
        yield terminal


def users_of(frame):
    at = next(n for n, line in enumerate(frame) if "USER" in line)
    return [line.split()[1] for line in frame[at + 1:]]


def test_top_shows_the_server_and_its_sessions_in_any_order(server):
    with top_of(server, "-s", "user") as top:
        frame = top.frame("alice.*小明")
        assert re.match(r"imd [0-9:]+  version \S+  state running  up ", frame[0])
        assert frame[1].startswith("users 3  sessions 3  connections 3 of 100000  held 0  behind 0")
        assert re.match(r"cpu \S+  memory \S+ MiB  log 0  store ", frame[2])
        assert users_of(frame) == ["alice", "alois", "小明"]
        top.type("r")
        assert users_of(top.frame("小明.*alice")) == ["小明", "alois", "alice"]
        top.type("S")
        assert users_of(top.frame("ID↑")) == ["alice", "alois", "小明"]
        top.type("\x1b[C")
        top.frame("USER↑")
        top.type("h")
        assert any("order by the next column" in line for line in top.frame("this help"))
        top.type("x")
        top.frame("USER↑")
        top.type("p")
        top.frame("PAUSED")
        top.type("+")
        top.frame("every 2s")
        top.type("q")
        assert top.wait() == 0


def test_top_shows_rates(server, connect):
    sender = connect(server, "line", "sender")
    with top_of(server, columns=200) as top:
        top.frame("sender")
        for n in range(5):
            sender.ask("send", to="alice", text=str(n))
        top.frame(r"events [1-9]")


def test_top_begins_with_the_busiest(server, connect):
    sender = connect(server, "line", "sender")
    with top_of(server, "--filter", "user!=小明") as top:
        assert "IN/s↓" in "".join(top.frame("sender.*"))
        until(lambda: sender.ask("send", to="alice", text="x") and users_of(top.frame("sender"))[0] == "sender",
              "the sender to be the first")
        frame = top.frame("sender")
        assert sorted(users_of(frame)) == ["alice", "alois", "sender"] and not any("ADDRESS" in line for line in frame)
        top.resize(200, 24)
        top.frame("TRANSPORT.*ADDRESS.*AGENT")


def test_top_takes_the_size_of_the_terminal(server, connect):
    for n in range(30):
        connect(server, "line", f"user{n:02}")
    with top_of(server, "-s", "user", columns=60, lines=14) as top:
        frame = top.frame("user00")
        assert len(frame) <= 14 and all(width(line) <= 60 for line in frame)
        top.resize(200, 50)
        assert len(users_of(top.frame("user29"))) == 33
        top.resize(80, 15)
        top.frame("alice")
        for _ in range(10):
            top.type("\x1b[6~")
        assert users_of(top.frame("小明"))[-1] == "小明"


def width(line):
    return sum(2 if ord(c) >= 0x1100 and c not in "…↑↓" else 1 for c in line)


@pytest.mark.parametrize("end", ["q", "\x03", signal.SIGTERM, signal.SIGHUP])
def test_top_leaves_the_terminal_as_it_was(server, end):
    with top_of(server) as top:
        top.frame("alice")
        within = top.mode()
        if isinstance(end, str):
            top.type(end)
        else:
            os.kill(top.pid, end)
        until(lambda: top.mode() != within, "the mode it found")
        status = top.wait()
        assert status == (0 if end == "q" else -(signal.SIGINT if end == "\x03" else end))
        assert top.all.endswith("\x1b[?25h\x1b[?1049l")


def test_top_waits_for_a_server_that_is_started_again(server):
    with top_of(server) as top:
        top.frame("alice")
        server.term()
        top.frame("the server is not there")
        server.start()
        top.frame("state running.*users 0 ")
        top.type("q")
        assert top.wait() == 0


def test_top_has_no_style_where_it_is_not_wanted(server):
    with top_of(server, NO_COLOR="1") as top:
        top.frame("alice")
        assert not re.search(r"\x1b\[[0-9;]*m", top.all)
    with top_of(server) as top:
        top.frame("alice")
        assert "\x1b[1m" in top.all


def test_top_as_text(server):
    for args in (["-b"], []):
        done = server.imctl_run("top", *args, "-i", "1", "-c", "2", "sort=user")
        assert done.returncode == 0 and "\x1b" not in done.stdout
        looks = done.stdout.split("\n\nimd ")
        assert len(looks) == 2 and all(re.search("alice.*alois.*小明", look, re.S) for look in looks)
    done = server.imctl_run("top", "-i", "1", "-c", "2", json_out=True)
    looks = done.stdout.splitlines()
    assert len(looks) == 2 and '"users":3' in looks[0] and '"user":"小明"' in looks[0]
    done = server.imctl_run("top", "-s", "nonsense")
    assert done.returncode == 64 and "must be one of" in done.stderr
