"""Presence, read marks, profiles and paging, between several sessions of several users."""

QUICK = {"presence": {"linger": 0}}


def test_a_blocked_user_learns_nothing_when_the_blocker_leaves(imd, connect):
    daemon = imd(QUICK)
    watcher, other = connect(daemon, user="w"), connect(daemon, user="c")
    for im in (watcher, other):
        im.ask("presence", users=["p"])
    p = connect(daemon, user="p")
    assert watcher.event("presence")["state"] == other.event("presence")["state"] == "online"
    p.ask("block", user="w")
    assert watcher.event("presence")["state"] == "offline"
    for _ in range(2):
        p.close()
        assert other.event("presence")["state"] == "offline"
        p = connect(daemon, user="p")
        assert other.event("presence")["state"] == "online"
    assert watcher.pending("presence") == []
    p.ask("block", user="w", on=False)
    assert watcher.event("presence")["state"] == "online"


def test_what_one_has_read_is_told_to_ones_other_sessions(imd, connect):
    daemon = imd()
    a, b = connect(daemon, user="a"), connect(daemon, user="Bob")
    here, there = connect(daemon, user="a", device="here"), connect(daemon, user="a", device="there")
    seq = b.say("a", "hi")["seq"]
    for im in (a, here, there):
        im.msg()
    here.ask("read", conv="BOB", seq=seq)
    for im in (a, there):
        receipt = im.event("receipt")
        assert (receipt["conv"], receipt["user"], receipt["read"]) == ("Bob", "a", seq)
    assert b.event("receipt")["user"] == "a"
    assert here.pending("receipt") == []


def test_profiles_that_are_set_one_after_the_other_are_all_set(imd, connect):
    daemon = imd()
    a, again = connect(daemon, user="a"), connect(daemon, user="a")
    numbers = [(im, im.post("profile", **field)) for n in range(10) for im, field in
               ((a, {"name": f"A{n}"}), (again, {"avatar": f"pic{n}"}))]
    for im, number in numbers:
        im.reply(number)
    profile = a.ask("profile")
    assert (profile["name"], profile["avatar"]) == ("A9", "pic9")


def test_history_around_counts_messages_whatever_lies_between(imd, connect):
    daemon = imd()
    a, b = connect(daemon, user="a"), connect(daemon, user="b")
    seqs = []
    for part in range(2):
        seqs += [a.say("b", f"m{part}.{n}")["seq"] for n in range(10)]
        for n in range(10):
            b.ask("react", conv="a", seq=seqs[0], emoji="👍", on=n % 2 == 0)
    def around(seq, limit):
        answer = b.ask("history", conv="a", around=seq, limit=limit)
        return [m["seq"] for m in answer["messages"]], answer["more"]
    assert around(seqs[5], 5) == (seqs[3:8], True)
    assert around(seqs[9] + 4, 5) == (seqs[7:12], True), "among the reactions"
    assert around(seqs[-1] + 10, 5) == (seqs[-3:], False), "the newest event"
    assert around(seqs[0], 5) == (seqs[:5], True)
    assert around(seqs[4], 1)[0] == [seqs[4]]


def test_of_many_changes_at_once_the_last_one_stays(imd, connect):
    daemon = imd()
    a = connect(daemon, "line", "a")
    for turn in range(20):
        posted = []
        for n in range(12):
            posted.append(a.post("profile", name=f"name {turn}-{n}"))
            posted.append(a.post("send", to="b", text="x"))
        assert all(a.reply(number)["op"] == "ok" for number in posted)
        assert a.ask("profile")["name"] == f"name {turn}-11"
