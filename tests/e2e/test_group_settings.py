"""Changing a group: what is not named stays; a request that is repeated is answered again, and changes nothing."""

import pytest


@pytest.fixture(params=["sqlite", "memory"])
def kind(request):
    return request.param


@pytest.fixture
def daemon(imd, kind):
    return imd({"store": {"kind": kind}})


@pytest.fixture
def owner(daemon, connect):
    owner = connect(daemon, "line", "owner")
    owner.ask("group", do="create", conv="#tea", public=True)
    connect(daemon, "line", "b").ask("group", do="join", conv="#tea")
    return owner


def settings(im):
    info = im.ask("group", do="info", conv="#tea")
    return info["public"], info["history"]


def group(im, **fields):
    return im.ask("group", conv="#tea", **fields)


def refused(im, **fields):
    return im.refused("group", conv="#tea", **fields)


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize("history", ["all", "joined"])
def test_what_set_does_not_name_stays(owner, public, history):
    group(owner, do="set", cid="both", public=not public, history="all" if history == "joined" else "joined")
    other = settings(owner)
    group(owner, do="set", cid="1", public=public)
    assert settings(owner) == (public, other[1])
    group(owner, do="set", cid="2", history=history)
    assert settings(owner) == (public, history)
    group(owner, do="set", cid="3", public=not public)
    assert settings(owner) == (not public, history)
    assert refused(owner, do="set") == "bad_field"
    assert settings(owner) == (not public, history)


def test_the_event_tells_both_settings(daemon, connect, owner):
    member = connect(daemon, "websocket", "b")
    group(owner, do="set", history="all")
    event = member.event("member")
    assert (event["do"], event["public"], event["history"]) == ("set", True, "all")
    group(owner, do="set", public=False)
    event = member.event("member")
    assert (event["public"], event["history"]) == (False, "all")


def test_what_is_set_already_is_no_event(owner):
    for fields in ({"public": True}, {"history": "joined"}, {"public": True, "history": "joined"}):
        assert group(owner, do="set", **fields) ["same"] is True


REPEATED = [
    ("set", {"public": False}, [{"public": True}, {"history": "all"}, {"public": False, "history": "all"}]),
    ("set", {"history": "all"}, [{"history": "joined"}, {"public": False}, {"public": False, "history": "all"}]),
    ("set", {"public": False, "history": "all"}, [{"public": True, "history": "all"}, {"history": "joined"}]),
    ("topic", {"text": "Green"}, [{"text": "Black"}, {"text": ""}]),
    ("role", {"user": "b", "role": "admin"}, [{"user": "b", "role": "muted"}, {"user": "c", "role": "admin"}]),
    ("invite", {"user": "c"}, [{"user": "d"}]),
    ("kick", {"user": "b"}, [{"user": "c"}]),
    ("ban", {"user": "b"}, [{"user": "c"}]),
]


@pytest.mark.parametrize("do, fields, others", REPEATED)
def test_repeated_it_is_answered_again_and_with_others_refused(daemon, connect, kind, owner, do, fields, others):
    first = group(owner, do=do, cid="c1", **fields)
    info, members = group(owner, do="info"), group(owner, do="members")["members"]

    def check(im):
        again = group(im, do=do, cid="c1", **fields)
        assert again["dup"] is True and "dup" not in first
        assert [again[k] for k in ("conv", "seq", "pos", "ts")] == [first[k] for k in ("conv", "seq", "pos", "ts")]
        for other in others:
            assert refused(im, do=do, cid="c1", **other) == "cid_conflict", other
        for other in ("set", "topic"):
            if other != do:
                assert refused(im, do=other, cid="c1", public=False, text="x") == "cid_conflict"
        assert im.refused("send", to="#tea", text="x", cid="c1") == "cid_conflict"
        now = group(im, do="info")
        assert {k: now[k] for k in info if k not in ("id", "online")} == \
            {k: info[k] for k in info if k not in ("id", "online")}
        assert [(m["user"], m["role"]) for m in group(im, do="members")["members"]] == \
            [(m["user"], m["role"]) for m in members]

    check(owner)
    if kind == "sqlite":
        daemon.restart("kill")
        check(connect(daemon, "websocket", "owner"))


def test_a_repeated_set_does_not_bring_back_what_was_set_since(owner):
    group(owner, do="set", cid="c1", public=False)
    group(owner, do="set", cid="c2", public=True)
    assert group(owner, do="set", cid="c1", public=False)["dup"] is True
    assert settings(owner) == (True, "joined")


def test_creating_again_is_answered_again(owner):
    first = owner.ask("group", do="create", conv="#den", text="ours", public=True, cid="c1")
    again = owner.ask("group", do="create", conv="#den", text="ours", public=True, cid="c1")
    assert again["dup"] is True and again["pos"] == first["pos"]
    ours = {"text": "ours", "public": True}
    for other in (ours | {"text": "mine"}, ours | {"public": False}, ours | {"history": "all"}):
        assert owner.refused("group", do="create", conv="#den", cid="c1", **other) == "cid_conflict"


def test_deleting_again_is_answered_again(owner):
    first = group(owner, do="delete", cid="c1")
    again = group(owner, do="delete", cid="c1")
    assert again["dup"] is True and again["pos"] == first["pos"]
    assert refused(owner, do="info") == "no_such_group"
