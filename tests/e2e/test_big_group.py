"""A group of a thousand: some listen, some are slow, most are away; all of them get everything, in order."""

from imdtest.clients import Im
from imdtest.links import LineLink

MEMBERS, HERE, SLOW, MESSAGES = 1000, 150, 5, 60
CONFIG = {"limits": {"rate": 0, "burst": 1000000, "queue_soft": "16KiB", "replay": 200}, "groups": {"members": MEMBERS}}


def texts(im):
    seen = []
    while len(seen) < MESSAGES:
        seen.append(im.msg())
    return seen


def test_everybody_gets_everything(imd, name):
    daemon = imd(CONFIG)
    owner = Im(LineLink(daemon.line_port))
    owner.login("owner", "desk")
    owner.ask("group", do="create", conv="#all", public=True)
    for at in range(1, MEMBERS - 1):
        member = Im(LineLink(daemon.line_port))
        member.login(f"m{at}")
        member.ask("group", do="join", conv="#all")
        member.close()
    last = Im(LineLink(daemon.line_port))
    last.login("last")
    last.ask("group", do="join", conv="#all")
    late = Im(LineLink(daemon.line_port))
    late.login("late")
    assert late.refused("group", do="join", conv="#all") == "group_full"
    assert owner.ask("group", do="info", conv="#all")["members"] == MEMBERS

    here = [Im(LineLink(daemon.line_port)) for _ in range(HERE)]
    slow = [Im(LineLink(daemon.line_port, receive_buffer=4096)) for _ in range(SLOW)]
    for at, im in enumerate(here + slow, 1):
        im.login(f"m{at}", "desk", since=owner.ask("ping") and last.ask("conversations")["conversations"][0]["last"]["pos"])
    body = "x" * 3000
    for at in range(MESSAGES):
        owner.ask("send", to="#all", text=f"{at} {body}", cid=str(at))
    places = [m["pos"] for m in texts(last)]
    for im in here:
        assert [m["pos"] for m in texts(im)] == places
    for im in slow:  # they have read nothing so far
        assert [m["text"].split()[0] for m in texts(im)] == [str(n) for n in range(MESSAGES)]
    for at in (HERE + SLOW + 1, MEMBERS - 2):  # and these were not there at all
        away = Im(LineLink(daemon.line_port))
        away.login(f"m{at}")
        assert [m["pos"] for m in texts(away)] == places
        away.close()
    page = owner.ask("group", do="members", conv="#all", limit=400)
    names = [m["user"] for m in page["members"]]
    while "next" in page:
        page = owner.ask("group", do="members", conv="#all", limit=400, next=page["next"])
        names += [m["user"] for m in page["members"]]
    assert len(names) == len(set(names)) == MEMBERS
    assert owner.ask("group", do="info", conv="#all")["online"] == HERE + SLOW + 2
    for im in here + slow + [owner, last, late]:
        im.close()
