"""What is gathered costs few commits, however much there is of it: counted, not timed."""

import pytest

LOTS = 1000
GATHER = {"retention": {"interval": "1d"}, "limits": {"rate": 0, "burst": 1000000}}
FEW = 3  # where the interval ends meanwhile: one write of cursors, one of marks; and one for whatever else there may be


def commits(daemon):
    return daemon.metric("store_commits_total")


def fill(sender, to, count=LOTS):
    for n in range(count - 1):
        sender.tell("send", to=to, text=str(n))
    sender.say(to, str(count - 1))


@pytest.fixture(params=["sqlite", "memory"])
def daemon(imd, request):
    """A commit of the memory store is one write; of sqlite's, all that wait at the time."""
    return imd({**GATHER, "store": {"kind": request.param, "cursor_interval": "60s"}})


@pytest.mark.parametrize("devices", [1, 20])
def test_a_thousand_acks_cost_a_few_commits(daemon, connect, devices):
    each = LOTS // devices
    phones = [connect(daemon, "unix", "b", f"phone{n}") for n in range(devices)]
    sender = connect(daemon, "line", "a")
    fill(sender, "b", each + 1)
    places = [[phone.msg()["pos"] for _ in range(each + 1)] for phone in phones]
    before = commits(daemon)
    for at in range(each):
        for phone, its in zip(phones, places):
            phone.ask("ack", pos=its[at])
    assert commits(daemon) - before <= FEW
    for phone in phones:
        phone.ask("bye")
        phone.wait_closed()
    for n in range(devices):  # and yet they count
        again = connect(daemon, "line", "b", f"phone{n}")
        assert [m["text"] for m in again.pending()] == [str(each)]


@pytest.mark.parametrize("named", [True, False])
def test_a_thousand_reads_cost_a_few_commits(daemon, connect, named):
    sender = connect(daemon, "line", "a")
    reader = connect(daemon, "unix", "b", "phone" if named else None)
    fill(sender, "b")
    seqs = [reader.msg()["seq"] for _ in range(LOTS)]
    before = commits(daemon)
    for seq in seqs[:-1]:
        reader.ask("read", conv="a", seq=seq)
    assert commits(daemon) - before <= FEW
    reader.ask("bye")
    reader.wait_closed()
    row, = connect(daemon, "line", "b").ask("conversations")["conversations"]
    assert (row["read"], row["unread"]) == (seqs[-2], 1)


def test_reads_of_many_people_in_many_conversations_are_one_write(daemon, connect):
    readers = [connect(daemon, "line", f"reader{n}") for n in range(20)]
    senders = [connect(daemon, "line", f"sender{n}") for n in range(10)]
    for sender in senders:
        for reader in readers:
            for text in "12345":
                sender.say(reader.user, text)
    before = commits(daemon)
    for seq in range(1, 6):
        for sender in senders:
            for reader in readers:
                reader.ask("read", conv=sender.user, seq=seq)
    assert commits(daemon) - before <= FEW
    for reader in readers:
        reader.ask("bye")
        reader.wait_closed()
        rows = connect(daemon, "line", reader.user).ask("conversations")["conversations"]
        assert [(row["read"], row["unread"]) for row in rows] == [(5, 0)] * len(senders)
