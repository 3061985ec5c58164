"""`imctl online` equals a recount, always."""

import collections
import random

import pytest

from imdtest.kinds import KINDS, transport_of
from imdtest.links import LineLink, RawWsLink
from imdtest.wait import until


def recount(clients):
    """What imctl must say of [(user, transport)] that are logged in."""
    by = collections.Counter(transport for _, transport in clients)
    return {"users": len({user for user, _ in clients}), "sessions": len(clients),
            "transports": {t: by[t] for t in ("websocket", "line", "unix")}}


def expect_online(daemon, clients):
    want = recount(clients)
    seen = []

    def same():
        seen[:] = [daemon.online()]
        assert seen[0] == want
        return True

    until(same, f"imctl online to say {want}")


def sessions(daemon):
    rows = daemon.imctl("sessions")
    return rows["sessions"] if isinstance(rows, dict) else rows


def test_nobody_is_online_at_first(imd):
    daemon = imd()
    assert daemon.online() == recount([])


def test_the_example_of_the_manual(imd, connect):
    daemon = imd()
    connect(daemon, "websocket", "小明")
    connect(daemon, "websocket", "翠花")
    connect(daemon, "line", "翠花")
    assert daemon.online() == {"users": 2, "sessions": 3, "transports": {"websocket": 2, "line": 1, "unix": 0}}


def test_every_kind_of_client_is_counted_and_uncounted(imd, chat):
    daemon = imd()
    here = []
    for kind in KINDS:
        here.append((chat(daemon, kind, "a", "b"), ("a", transport_of(kind))))
        expect_online(daemon, [who for _, who in here])
    while here:
        here.pop(0)[0].close()
        expect_online(daemon, [who for _, who in here])


def test_connections_that_did_not_log_in_do_not_count(imd, connect, human):
    daemon = imd()
    connect(daemon, "line").ask("ping")
    connect(daemon, "websocket").hello("d")
    human(daemon)
    connect(daemon, "unix", "a")
    expect_online(daemon, [("a", "unix")])


def test_errors_do_not_count_twice(imd, connect):
    daemon = imd()
    a = connect(daemon, "line", "a")
    for _ in range(5):
        assert a.refused("login", user="b") == "logged_in"
        assert a.refused("fly") == "bad_op"
    refused = connect(daemon, "websocket")
    assert refused.refused("login", user="no way") == "bad_id"
    expect_online(daemon, [("a", "line")])
    refused.login("c")
    expect_online(daemon, [("a", "line"), ("c", "websocket")])


def test_an_error_followed_by_a_close_uncounts_once(imd, closing, connect):
    daemon = imd()
    connect(daemon, "line", "a")
    for opcode in (3, 11):  # reserved opcodes
        link = closing(RawWsLink(daemon.ws_port))
        link.send('{"op":"login","id":1,"user":"a"}')
        assert '"ok"' in link.recv()
        expect_online(daemon, [("a", "line"), ("a", "websocket")])
        link.send_bytes(RawWsLink.frame(b"", opcode))
        link.send_bytes(RawWsLink.frame(b"\x03\xe8", RawWsLink.CLOSE))
        assert link.wait_closed()[1].code == 1002
        link.reset()
        expect_online(daemon, [("a", "line")])


def test_a_reset_connection_is_uncounted(imd, connect):
    daemon = imd()
    for kind in ("line", "websocket"):
        a = connect(daemon, kind, "a")
        expect_online(daemon, [("a", kind)])
        a.link.reset()
        expect_online(daemon, [])


def test_a_half_closed_session_ends(imd, connect):
    daemon = imd()
    a = connect(daemon, "line", "a")
    a.link.half_close()
    a.wait_closed()
    expect_online(daemon, [])


@pytest.mark.parametrize("kind", ["line", "websocket", "unix"])
def test_a_device_that_signs_in_again_replaces_itself(imd, connect, kind):
    daemon = imd()
    connect(daemon, "unix", "a")
    old = connect(daemon, kind, "a", "phone")
    new = connect(daemon, "line", "a", "phone")
    bye = old.event("bye")
    assert bye["code"] == 409 and bye["reconnect"] is False, bye
    closed = old.wait_closed()
    assert closed.code == (4009 if kind == "websocket" else None)
    expect_online(daemon, [("a", "unix"), ("a", "line")])
    connect(daemon, "line", "b").say("a", "to the new one")
    assert new.msg()["text"] == "to the new one"


def test_unnamed_and_other_devices_replace_nobody(imd, connect):
    daemon = imd()
    here = [connect(daemon, "line", "a", device) for device in (None, None, "phone", "laptop")]
    connect(daemon, "line", "b", "phone")
    expect_online(daemon, [("a", "line")] * 4 + [("b", "line")])
    for im in here:
        im.ask("ping")


def test_a_kicked_session_is_told_and_the_others_stay(imd, connect):
    daemon = imd()
    a, other = connect(daemon, "websocket"), connect(daemon, "line", "a")
    session = a.login("a")["session"]
    daemon.imctl("kick", session)
    bye = a.event("bye")
    assert bye["code"] == 403 and bye["reconnect"] is False
    assert a.wait_closed().code == 4003
    expect_online(daemon, [("a", "line")])
    other.ask("ping")


def test_a_kicked_user_loses_every_session(imd, connect, chat, human):
    daemon = imd()
    mine = [connect(daemon, kind, "小明") for kind in ("line", "unix", "websocket")]
    person, room = human(daemon, "小明"), chat(daemon, "classroom", "小明", "b")
    connect(daemon, "line", "b")
    daemon.imctl("kick", "小明")
    for im in mine:
        im.event("bye")
        im.wait_closed()
    person.expect("operator closed")
    person.wait_closed()
    assert room.link.wait_closed()[1].code == 4003
    expect_online(daemon, [("b", "line")])
    connect(daemon, "line", "小明")
    expect_online(daemon, [("b", "line"), ("小明", "line")])


def test_sessions_lists_what_online_counts(imd, connect):
    daemon = imd()
    connect(daemon, "websocket", "小明", "phone")
    connect(daemon, "line", "翠花")
    connect(daemon, "line").ask("ping")
    rows = sessions(daemon)
    assert sorted(row["user"] for row in rows if row.get("user")) == ["小明", "翠花"]
    phone = next(row for row in rows if row.get("user") == "小明")
    assert phone["transport"] == "websocket" and phone["device"] == "phone"


def test_a_sessions_cap_refuses_and_does_not_count(imd, connect):
    daemon = imd({"limits": {"sessions_per_user": 3}})
    here = [connect(daemon, "line", "a") for _ in range(3)]
    fourth = connect(daemon, "line")
    assert fourth.refused("login", user="a") == "too_many"
    expect_online(daemon, [("a", "line")] * 3)
    here.pop().close()
    expect_online(daemon, [("a", "line")] * 2)
    connect(daemon, "line", "a")
    expect_online(daemon, [("a", "line")] * 3)


def test_the_gauges_in_metrics_agree(imd, connect):
    daemon = imd()
    for kind in ("line", "line", "websocket"):
        connect(daemon, kind, "a")
    values = daemon.metrics()
    users = [v for k, v in values.items() if "users" in k and "_total" not in k]
    in_sessions = sum(v for k, v in values.items() if k.startswith("imd_sessions") and "_total" not in k)
    assert users == [1.0] and in_sessions == 3.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_random_day_never_drifts(imd, connect, chat, seed):
    """Logins, duplicate devices, mistakes, kicks and all manner of ends, against a model."""
    daemon, rng, here = imd(), random.Random(seed), {}  # client -> (user, transport, device)

    def enter():
        kind = rng.choice(["line", "unix", "websocket"])
        user, device = rng.choice("abc"), rng.choice([None, None, "phone", "laptop"])
        im = connect(daemon, kind, user, device)
        for other in [c for c, who in here.items() if device and (who[0], who[2]) == (user, device)]:
            del here[other]
        here[im] = (user, kind, device)

    def leave():
        im = rng.choice(list(here))
        kind = here.pop(im)[1]
        rng.choice([im.close, lambda: im.ask("bye")] + ([im.link.reset] if kind != "unix" else []))()

    def err():
        im = rng.choice(list(here))
        im.refused(rng.choice(["fly", "login", "history"]))

    def kick_user():
        user = rng.choice(list(here.values()))[0]
        daemon.imctl("kick", user)
        for im in [c for c, who in here.items() if who[0] == user]:
            del here[im]

    def stranger():
        link = LineLink(daemon.line_port)
        link.send("/login no-such-thing-as-this-very-long-name-of-somebody")
        link.close()

    for _ in range(40):
        rng.choice([enter, enter, enter] + ([leave, leave, err, kick_user, stranger] if here else [enter]))()
        expect_online(daemon, [who[:2] for who in here.values()])
