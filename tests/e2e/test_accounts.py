"""What accounts mean for the server itself: load, crashes, reload, configuration, people at a line."""

import json
import os
import subprocess

import pytest

from imdtest.clients import Im
from imdtest.kinds import LINKS, classroom_path
from imdtest.links import WsLink
from imdtest.wait import until

CHEAP = {"argon2_memory": "64KiB", "argon2_ops": 1}


def auth(**keys):
    return {"auth": {**CHEAP, **keys}}


@pytest.fixture
def accounts(imd):
    """Everybody has an account, and may make one."""
    return imd(auth(mode="password", register="on"))


def register(connect, server, user, device=None):
    im = connect(server, "line", device=device)
    reply = im.ask("register", user=user, password="correct horse")
    im.user = reply["user"]
    return im, reply


def test_hashing_holds_nobody_up(imd, connect):
    """While the one thread is busy with a queue of passwords, messages go to and fro."""
    server = imd({"auth": {"argon2_memory": "32MiB", "argon2_ops": 8, "hash_queue": 3}})
    a, b = connect(server, "line", "a"), connect(server, "line", "b")
    guessers = [connect(server, "line") for _ in range(6)]
    asked = [im.post("login", user=f"nobody{i}", password="x") for i, im in enumerate(guessers)]
    said = 0
    while server.metric("passwords_hashed_total") < 3:
        assert a.say("b", f"{said}")["online"] and b.msg()["text"] == f"{said}"
        said += 1
    assert said >= 3
    names = [im.reply(number)["name"] for im, number in zip(guessers, asked)]
    assert names.count("busy") == 3 and names.count("bad_login") == 3


def test_a_daemon_that_is_hashing_ends_well(imd, connect):
    server = imd({"auth": {"argon2_memory": "32MiB", "argon2_ops": 8}})
    for i in range(4):
        connect(server, "line").post("login", user=f"nobody{i}", password="x")
    until(lambda: server.metric("passwords_hashed_total") > 0)
    server.term()


def test_accounts_and_tokens_survive_kill_9_and_lie_nowhere_in_the_clear(accounts, connect):
    _, reply = register(connect, accounts, "ann", "phone")
    accounts.restart("kill")
    connect(accounts, "line").login("ann", password="correct horse")
    connect(accounts, "line").ask("login", token=reply["token"])
    for name in os.listdir(accounts.dir):
        path = os.path.join(accounts.dir, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                data = file.read()
            assert b"correct horse" not in data and reply["token"].encode() not in data, name


def test_bye_is_answered_when_the_token_is_gone_for_good(accounts, connect):
    im, reply = register(connect, accounts, "ann", "phone")
    im.ask("bye", forget=True)
    accounts.restart("kill")
    assert connect(accounts, "line", device="phone").refused("login", token=reply["token"]) == "bad_token"


def test_a_reload_changes_the_cost_without_a_restart(accounts, connect):
    register(connect, accounts, "ann")
    accounts.write_config(auth(mode="password", register="on", argon2_ops=3))
    assert "auth.argon2_ops" in accounts.imctl("reload", json=False)
    connect(accounts, "line").login("ann", password="correct horse")
    register(connect, accounts, "bob")
    accounts.term()
    with open(os.path.join(accounts.dir, "imd.db"), "rb") as file:
        assert file.read().count(b"$argon2id$v=19$m=64,t=3,p=1$") == 2
    accounts.start()
    connect(accounts, "line").login("ann", password="correct horse")


def test_an_account_is_guarded_against_guesses_from_many_addresses(accounts, connect, closing):
    register(connect, accounts, "ann")
    for i in range(6):
        im = closing(Im(LINKS["line"](accounts, source=f"127.0.0.{i + 2}")))
        assert im.refused("login", user="ann", password="guess") == ("bad_login" if i < 5 else "back_off")


def test_a_device_in_use_may_be_refused_instead_of_replaced(imd, connect):
    server = imd({"devices": {"duplicate": "refuse"}})
    first, second = connect(server, "line", "ann", "phone"), connect(server, "websocket", device="phone")
    assert second.refused("login", user="ann") == "device_in_use"
    first.ask("ping")
    first.close()
    until(lambda: server.online()["users"] == 0)
    second.login("ann")


@pytest.mark.parametrize("unix", [False, True])
def test_a_person_logs_in_with_a_password(accounts, connect, human, unix):
    register(connect, accounts, "小明")
    person = human(accounts, unix=unix)
    person.type("/login 小明 wrong")
    person.expect("Wrong id or password")
    person.type("/login 小明 correct horse")
    person.expect(r"^\* .*小明")


def test_the_classrooms_address_may_name_a_group(imd, connect, closing):
    server = imd()
    owner = connect(server, "line", "小明")
    owner.ask("group", do="create", conv="#课堂", public=True)
    for user in ("a", "b"):
        connect(server, "line", user).ask("group", do="join", conv="#课堂")
    a, b = (closing(WsLink(server.ws_url(classroom_path(user, "#课堂")), None)) for user in ("a", "b"))
    until(lambda: server.online()["sessions"] == 5)
    a.send("大家好")
    assert owner.msg()["text"] == "大家好"
    text = b.recv()
    while "大家好" not in text:  # what the log had for b
        text = b.recv()


@pytest.mark.parametrize("keys, problem", [
    ({"jwt_keys": ["RS256:x"]}, "auth.jwt_keys: \"RS256:x\" is not HS256:FILE or EdDSA:FILE"),
    ({"jwt_keys": ["HS256:missing"]}, "auth.jwt_keys: missing: No such file or directory"),
    ({"unix_users": ["root"]}, "auth.unix_users: \"root\" is not SYSTEM-USER:ID"),
    ({"unix_users": ["root:a b"]}, "auth.unix_users: \"root:a b\" does not name an id"),
    ({"unix_users": ["root:a", "root:b"]}, "auth.unix_users: \"root:b\": this system user has an id already"),
    ({"unix_users": ["no-such-user:a"]}, "auth.unix_users: no user \"no-such-user\" on this system"),
    ({"backoff_start": "10m", "backoff_most": "5m"}, "auth.backoff_start: must not be longer than auth.backoff_most"),
])
def test_a_wrong_configuration_is_refused_with_its_place(shared, tmp_path, keys, problem):
    config = tmp_path / "imd.yaml"
    config.write_text(f"data_dir: {tmp_path}\nlisten:\n  - transport: unix\n    address: s\nauth: {json.dumps(keys)}\n")
    done = subprocess.run([shared.program, "-t", "-c", config], capture_output=True, text=True, check=False)
    assert done.returncode == 78 and problem in done.stderr, done.stderr
    assert f"{config}:5:" in done.stderr


def test_a_key_that_spoils_later_is_refused_at_reload(imd, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef0123456789abcdef\n")
    server = imd(auth(mode="token", jwt_keys=[f"HS256:{secret}"]))
    secret.write_text("short\n")
    done = server.imctl_run("reload")
    assert done.returncode != 0 and "has 5 bytes; a secret needs 32 or more" in done.stdout + done.stderr


def test_open_mode_alone_needs_leave_for_a_public_address(shared, tmp_path):
    config = tmp_path / "imd.yaml"
    for mode, code in [("open", 78), ("password", 0), ("token", 0)]:
        config.write_text(f"data_dir: {tmp_path}\nlisten:\n  - transport: line\n    address: 0.0.0.0:0\n"
                          f"auth: {{mode: {mode}}}\n")
        done = subprocess.run([shared.program, "-t", "-c", config], capture_output=True, text=True, check=False)
        assert done.returncode == code, (mode, done.stderr)
