"""Every operation over every transport: one row for each, and a row that is missing fails."""

import os
import re

import pytest

from imdtest.kinds import LINKS

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "core", "tbl")


class Scene:
    """Two people who talk, one of them over the transport under test, and a group that the other has made."""

    def __init__(self, server, connect, name, kind):
        self.server, self.connect, self.name, self.kind = server, connect, name, kind
        self.me, self.peer = connect(server, kind, name("小明")), connect(server, "unix", name("peer"))
        self.group = "#" + name("茶")
        self.peer.ask("group", do="create", conv=self.group, public=True, history="all")

    def both(self, op):
        return self.me.event(op), self.peer.event(op)

    def sent(self, text="hello"):
        reply = self.me.say(self.peer.user, text)
        self.peer.msg()
        return reply["seq"]

    def got(self, text="hello"):
        self.peer.say(self.me.user, text)
        return self.me.msg()["seq"]


def op_hello(s):
    reply = s.me.hello(lang="zh", agent="table")
    assert reply["v"] == 1 and reply["epoch"]
    assert reply["register"] in ("off", "invite", "on")


def op_register(s):
    fresh = s.connect(s.server, s.kind)
    assert fresh.refused("register", user=s.name("new"), password="long enough") == "register_off"


def op_login(s):
    fresh = s.connect(s.server, s.kind)
    assert fresh.login(s.name("other"))["user"] == s.name("other")


def op_password(s):
    assert s.me.refused("password", new="x") == "weak_password"


def op_send(s):
    reply = s.me.say(s.peer.user, "hi", cid="c")
    event = s.peer.msg()
    assert (event["conv"], event["seq"], event["pos"], event["cid"]) == (s.me.user, reply["seq"], reply["pos"], "c")
    answer = s.peer.say(s.me.user, "ho", reply=reply["seq"])
    assert s.me.msg()["reply"] == reply["seq"] and answer["online"]


def op_edit(s):
    seq = s.sent("frist")
    reply = s.me.ask("edit", conv=s.peer.user, seq=seq, text="first")
    event = s.peer.event("edit")
    assert (event["ref"], event["text"], event["seq"]) == (seq, "first", reply["seq"])
    now = s.peer.ask("history", conv=s.me.user)["messages"][-1]
    assert (now["text"], now["seq"]) == ("first", seq) and now["edited"]


def op_delete(s):
    seq = s.sent("oops")
    s.me.ask("delete", conv=s.peer.user, seq=seq)
    event = s.peer.event("delete")
    assert (event["ref"], event["for"]) == (seq, "all")
    now = s.peer.ask("history", conv=s.me.user)["messages"][-1]
    assert now["deleted"] and now["text"] == ""
    mine = s.got("not for me")
    s.me.ask("delete", conv=s.peer.user, seq=mine, **{"for": "me"})
    assert all(m["seq"] != mine for m in s.me.ask("history", conv=s.peer.user)["messages"])
    assert any(m["seq"] == mine for m in s.peer.ask("history", conv=s.me.user)["messages"])


def op_react(s):
    seq = s.got()
    s.me.ask("react", conv=s.peer.user, seq=seq, emoji="👍")
    event = s.peer.event("react")
    assert (event["ref"], event["emoji"], event["on"]) == (seq, "👍", True)
    now = s.me.ask("history", conv=s.peer.user)["messages"][-1]
    assert now["reactions"] == [{"emoji": "👍", "count": 1, "mine": True}]
    assert s.me.ask("react", conv=s.peer.user, seq=seq, emoji="👍")["same"] is True
    s.me.ask("react", conv=s.peer.user, seq=seq, emoji="👍", on=False)
    assert s.peer.event("react")["on"] is False


def op_ack(s):
    phone = s.connect(s.server, s.kind)
    phone.login(s.name("owner"), "phone")
    s.peer.say(phone.user, "1")
    phone.ask("ack", pos=phone.msg()["pos"])
    assert s.peer.event("receipt")["received"] == 1


def op_read(s):
    seq = s.got()
    s.me.ask("read", conv=s.peer.user, seq=seq)
    while "read" not in (receipt := s.peer.event("receipt")):
        pass
    assert (receipt["conv"], receipt["user"], receipt["read"]) == (s.me.user, s.me.user, seq)
    row = next(c for c in s.me.ask("conversations")["conversations"] if c["conv"] == s.peer.user)
    assert (row["unread"], row["read"]) == (0, seq)


def op_typing(s):
    s.me.ask("typing", conv=s.peer.user)
    event = s.peer.event("typing")
    assert (event["conv"], event["user"], event["on"]) == (s.me.user, s.me.user, True) and event["for"] > 0


def op_history(s):
    first = s.sent("1")
    s.sent("2"), s.sent("3")
    page = s.me.ask("history", conv=s.peer.user, after=first, limit=1)
    assert [m["text"] for m in page["messages"]] == ["2"] and page["more"]


def op_search(s):
    s.sent("今天下午开会吗"), s.sent("see you at the meeting"), s.sent("so long")
    results = s.me.ask("search", text="开会")["results"]
    assert [r["messages"][r["at"]]["text"] for r in results] == ["今天下午开会吗"]
    results = s.me.ask("search", text="meet", conv=s.peer.user, context=1)["results"]
    assert [m["text"] for m in results[0]["messages"]] == ["今天下午开会吗", "see you at the meeting", "so long"]


def op_conversations(s):
    s.got("new"), s.me.ask("group", do="join", conv=s.group)
    rows = {c["conv"]: c for c in s.me.ask("conversations")["conversations"]}
    assert rows[s.peer.user]["unread"] == 1 and rows[s.peer.user]["last"]["text"] == "new"
    assert rows[s.group]["role"] == "member" and rows[s.group]["members"] == 2


def op_group(s):
    s.me.ask("group", do="join", conv=s.group)
    event = s.peer.event("member")
    assert (event["do"], event["from"], event["conv"]) == ("join", s.me.user, s.group)
    s.me.say(s.group, f"hello @{s.peer.user}")
    assert s.peer.msg()["mentions"] == [s.peer.user]
    s.peer.ask("group", do="topic", conv=s.group, text="oolong")
    assert s.me.event("member")["topic"] == "oolong"
    info = s.me.ask("group", do="info", conv=s.group)
    assert (info["topic"], info["members"], info["online"], info["role"]) == ("oolong", 2, 2, "member")
    roles = {m["user"]: m["role"] for m in s.me.ask("group", do="members", conv=s.group)["members"]}
    assert roles == {s.me.user: "member", s.peer.user: "owner"}
    assert s.me.refused("group", do="kick", conv=s.group, user=s.peer.user) == "forbidden"
    s.peer.ask("group", do="kick", conv=s.group, user=s.me.user)
    assert s.me.event("member")["do"] == "kick"
    assert s.me.refused("send", to=s.group, text="hm") == "not_member"


def op_presence(s):
    rows = s.me.ask("presence", users=[s.peer.user])["users"]
    assert rows == [{"user": s.peer.user, "state": "online"}]
    s.peer.ask("presence", state="away", text="午饭")
    event = s.me.event("presence")
    assert (event["user"], event["state"], event["text"]) == (s.peer.user, "away", "午饭")


def op_block(s):
    s.me.ask("block", user=s.peer.user)
    assert s.me.ask("block")["users"] == [s.peer.user]
    assert s.peer.say(s.me.user, "please")["online"] is False
    s.me.ask("block", user=s.peer.user, on=False)
    assert s.peer.say(s.me.user, "thanks")["online"] is True
    assert s.me.msg()["text"] == "thanks"


def op_profile(s):
    s.peer.ask("profile", name="Peer Gynt")
    profile = s.me.ask("profile", user=s.peer.user)
    assert (profile["name"], profile["state"]) == ("Peer Gynt", "online")


def op_report(s):
    assert s.me.ask("report", user=s.peer.user, text="rude")["ticket"]


def op_devices(s):
    phone = s.connect(s.server, s.kind)
    phone.login(s.name("owner"), "phone")
    laptop = s.connect(s.server, "unix")
    laptop.login(s.name("owner"), "laptop")
    rows = {d["device"]: d for d in phone.ask("devices")["devices"]}
    assert rows["phone"]["current"] and rows["laptop"]["online"]
    phone.ask("devices", device="laptop", forget=True)
    assert laptop.event("bye")["name"] == "revoked"


def op_ping(s):
    assert s.me.ask("ping")["op"] == "ok"


def op_bye(s):
    s.me.ask("bye")
    s.me.wait_closed()


def ops():
    with open(os.path.join(SOURCE, "ops.def"), encoding="utf-8") as f:
        return re.findall(r'^IM_OP\(\w+, "(\w+)"', f.read(), re.M)


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("op", ops())
def test_op(shared, connect, name, kind, op):
    globals()[f"op_{op}"](Scene(shared, connect, name, kind))
