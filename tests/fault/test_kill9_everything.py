"""kill -9 while everything that lasts is being done, and what is too much is erased: what was acknowledged is there."""

import collections
import os
import random
import threading

from websockets.exceptions import WebSocketException

from imdtest.clients import Im
from imdtest.kinds import LINKS
from imdtest.links import Closed
from imdtest.wait import until

CYCLES = int(os.environ.get("IM_KILLS", "20"))
PEOPLE = 6
HOLDERS = 2
PIPELINE = 12
KEEP = 25  # retention.count
EVENTS = 8  # so many of any kind are kept for each message
GROUPS = ["#tea", "#红茶"]
CONFIG = {
    "limits": {"rate": 0, "burst": 1000000, "history": 1000, "reports": 1000},
    "retention": {"count": KEEP, "interval": "100ms", "step": 100},
    "store": {"cursor_interval": "10ms"},
    "auth": {"register": "on", "argon2_memory": "8KiB", "argon2_ops": 1, "backoff_start": "0"},
}

# What may be answered to what came too late or was not allowed to whom it was. conflict: two profiles at once.
HARMLESS = {"no_such_message", "no_such_group", "not_member", "forbidden", "muted", "banned", "last_owner",
            "group_exists", "bad_field", "conflict"}


def durable(events):
    return [e for e in events if "pos" in e and e["op"] != "reset"]


class Worker(threading.Thread):
    """Does things until the server dies. `memory` outlives the thread and the server."""

    def __init__(self, daemon, memory):
        super().__init__(daemon=True)
        self.server, self.memory, self.links = daemon, memory, []
        self.enough, self.problem = threading.Event(), None

    def connect(self, kind="line"):
        im = Im(LINKS[kind](self.server))
        im.checks = 50
        self.links.append(im)
        return im

    def run(self):
        try:
            self.work()
        except (Closed, OSError, WebSocketException):  # the last: dead in mid-handshake, or closing
            pass
        except Exception as error:  # for the main thread to raise
            self.problem = error
        finally:
            for im in self.links:
                try:
                    im.close()
                except Exception:
                    pass


# People who write, and do all that is theirs to do with messages, groups, and each other.


class Memory:
    def __init__(self, number):
        self.me, self.kind = f"person{number}", ["line", "websocket", "unix"][number % 3]
        self.random = random.Random(number)
        self.next = 0
        self.open = {}  # number: (op, fields), not answered
        self.done = {}  # number: (op, fields, reply), with an event in the log
        self.kept = {}  # what: value, acknowledged, of what is no event
        self.tickets = {}  # of reports: text
        self.tried = collections.Counter()
        self.said = collections.defaultdict(list)  # conv: seqs of one's own messages
        self.heard = collections.defaultdict(list)  # and of others'
        self.read = collections.defaultdict(int)  # conv: how far, as the server said once it was written
        self.mine = []  # groups of one's own

    def is_guest(self, group):
        """Is it known that somebody else has made it?"""
        made = {f["conv"] for _, f, _ in self.done.values() if f.get("do") == "create"}
        return self.next > 100 and group not in made

    def may_be(self, what, never):
        """What may stand there now: what was acknowledged last, or what was asked for since."""
        asked = [state(*step) for step in self.open.values()]
        return [self.kept.get(what, never)] + [value for name, value in asked if name == what]


def state(op, fields):
    """What a request sets, if that is no event."""
    if op == "block":
        return ("block", fields["user"]), fields["on"]
    if op == "profile":
        return ("profile",), (fields["name"], fields["avatar"])
    return None, None


class Actor(Worker):
    def work(self):
        m, waiting = self.memory, collections.deque()
        im = self.connect(m.kind)
        im.login(m.me)
        for number, (op, fields) in list(m.open.items()):
            waiting.append((number, im.post(op, **fields)))
        while not self.enough.is_set():
            while len(waiting) < PIPELINE:
                op, fields = self.think()
                m.open[m.next - 1] = op, fields
                m.tried[fields.get("do", op)] += 1
                waiting.append((m.next - 1, im.post(op, **fields)))
            self.take(im, waiting)
        while waiting:
            self.take(im, waiting)

    def think(self):
        m = self.memory
        m.next += 1
        if m.next <= 2 * len(GROUPS):
            do = "create" if m.next <= len(GROUPS) else "join"
            return "group", {"do": do, "conv": GROUPS[m.next % len(GROUPS)], "public": True, "history": "all",
                             "cid": self.cid()}
        return getattr(self, m.random.choices([w for w, _ in WAYS], [n for _, n in WAYS])[0])()

    def cid(self):
        return f"{self.memory.me}-{self.memory.next}"

    def conv(self):
        return self.memory.random.choice(2 * GROUPS + [f"person{n}" for n in range(PEOPLE)])

    def somebody(self):
        return f"person{self.memory.random.randrange(PEOPLE)}"

    def about(self, op, messages, **fields):
        """Something about one of the newest messages of some conversation."""
        conv = self.conv()
        if not messages[conv]:
            return self.say(conv)
        return op, {"conv": conv, "seq": self.memory.random.choice(messages[conv][-10:]), **fields}

    def any(self):
        return self.memory.random.choice([self.memory.said, self.memory.heard])

    def say(self, conv=None):
        return "send", {"to": conv or self.conv(), "text": f"text {self.memory.next}", "cid": self.cid()}

    def edit(self):
        return self.about("edit", self.memory.said, text=f"edit {self.memory.next}", cid=self.cid())

    def react(self):
        rng = self.memory.random
        return self.about("react", self.any(), emoji=rng.choice("👍❤😀"), on=rng.random() < 0.7, cid=self.cid())

    def delete(self):
        m, whose = self.memory, self.memory.random.choice(["all", "me"])
        return self.about("delete", m.said if whose == "all" else self.any(), cid=self.cid(), **{"for": whose})

    def read(self):
        return self.about("read", self.memory.heard)

    def come_or_go(self):
        m, do, conv = self.memory, *map(self.memory.random.choice, [["join", "join", "leave", "topic"], GROUPS])
        if do == "leave" and not m.is_guest(conv):  # as the only member one would end it
            do = "topic"
        return "group", {"do": do, "conv": conv, "text": f"topic {m.next}", "cid": self.cid()}

    def rule(self):
        rng = self.memory.random
        do = rng.choice(["role", "role", "kick", "invite", "ban", "unban", "unban", "set"])
        return "group", {"do": do, "conv": rng.choice(GROUPS), "user": self.somebody(), "cid": self.cid(),
                         "role": rng.choice(["member", "member", "admin", "muted"]), "public": rng.random() < 0.7,
                         "history": rng.choice(["all", "joined"])}

    def own_group(self):
        """A group of one's own begins, or ends."""
        m = self.memory
        if m.mine and m.random.random() < 0.5:
            return "group", {"do": "delete", "conv": m.mine.pop(), "cid": self.cid()}
        m.mine.append(f"#{m.me}-{m.next}")
        return "group", {"do": "create", "conv": m.mine[-1], "text": f"topic {m.next}", "cid": self.cid()}

    def block(self):
        other = self.somebody()
        if other == self.memory.me:
            return self.say()
        return "block", {"user": other, "on": self.memory.random.random() < 0.4}

    def profile(self):
        return "profile", {"name": f"name {self.memory.next}", "avatar": f"avatar {self.memory.next}"}

    def report(self):
        return "report", {"user": self.somebody(), "text": f"report {self.cid()}"}

    def take(self, im, waiting):
        m = self.memory
        number, request = waiting[0]
        reply = im.reply(request)
        waiting.popleft()
        op, fields = m.open.pop(number)
        while im.events:
            event = im.events.popleft()
            if event["op"] == "msg" and event["from"] != m.me:
                m.heard[event["conv"]].append(event["seq"])
            if event["op"] == "receipt" and event["user"] == m.me and "read" in event:
                m.read[event["conv"]] = max(m.read[event["conv"]], event["read"])
        if reply["op"] == "err":
            assert reply["name"] in HARMLESS, (op, fields, reply)
        elif "pos" in reply:
            m.done[number] = op, fields, reply
            if op == "send":
                m.said[fields["to"]].append(reply["seq"])
        elif op == "report":
            m.tickets[reply["ticket"]] = fields["text"]
        elif state(op, fields)[0]:
            m.kept[state(op, fields)[0]] = state(op, fields)[1]
        else:
            assert reply.get("same") or op == "read", reply


WAYS = [("say", 45), ("edit", 10), ("react", 12), ("delete", 7), ("read", 8), ("come_or_go", 6), ("rule", 10),
        ("own_group", 3), ("block", 3), ("profile", 2), ("report", 2)]


# People who have accounts, passwords, and devices that come and go.


class Account:
    """What is known of it. gone: tokens that must not be good any more; loose: of which that is not known."""

    def __init__(self, user):
        self.user, self.password = user, None
        self.devices, self.tokens, self.gone, self.loose = set(), {}, [], []
        self.doing = None  # (what, …), asked for and not answered


class Wallet:
    def __init__(self, number):
        self.number, self.random, self.next, self.accounts = number, random.Random(f"holder {number}"), 0, []
        self.tried = collections.Counter()

    def secret(self):
        self.next += 1
        return f"password {self.number} {self.next}"


class Holder(Worker):
    def work(self):
        w = self.memory
        while not self.enough.is_set():
            if not w.accounts or w.random.random() < 0.1:
                w.accounts.append(Account(f"holder{w.number}-{len(w.accounts)}"))
            account = w.random.choice(w.accounts[-3:])
            if account.password is None:
                self.register(account)
            else:
                getattr(self, w.random.choice(["enter", "enter", "change", "forget"]))(account)

    def begin(self, account, *doing):
        account.doing = doing
        self.memory.tried[doing[0]] += 1

    def end(self, account, im):
        account.doing = None
        im.close()

    def register(self, account):
        secret = self.memory.secret()
        im = self.connect("unix")
        im.hello("home")
        self.begin(account, "register", secret)
        account.tokens["home"] = im.ask("register", user=account.user, password=secret)["token"]
        account.password = secret
        account.devices.add("home")
        self.end(account, im)

    def enter(self, account):
        device = f"device{self.memory.random.randrange(4)}"
        im = self.connect()
        im.hello(device)
        self.begin(account, "enter", device)
        token = im.ask("login", user=account.user, password=account.password)["token"]
        account.devices.add(device)
        account.gone += [account.tokens.pop(device)] if device in account.tokens else []
        account.tokens[device] = token
        self.end(account, im)

    def change(self, account):
        secret, im = self.memory.secret(), self.connect("websocket")
        im.login(account.user, password=account.password)
        self.begin(account, "change", secret)
        im.ask("password", password=account.password, new=secret)
        account.password = secret
        account.gone += list(account.tokens.values()) + account.loose
        account.tokens, account.loose = {}, []
        self.end(account, im)

    def forget(self, account):
        if not account.devices:
            return
        device, im = self.memory.random.choice(sorted(account.devices)), self.connect()
        im.login(account.user, password=account.password)
        self.begin(account, "forget", device)
        im.ask("devices", device=device, forget=True)
        account.devices.remove(device)
        account.gone += [account.tokens.pop(device)] if device in account.tokens else []
        self.end(account, im)


def lets_in(daemon, **fields):
    im = Im(LINKS["line"](daemon))
    reply = im.reply(im.post("login", **fields))
    im.close()
    assert reply["op"] == "ok" or reply["name"] in ("bad_login", "bad_token", "password_needed"), reply
    return reply["op"] == "ok"


def settle(daemon, account):
    """After a crash: what was acknowledged stands; what was asked for has happened, or has not; nothing else has."""
    what, about = account.doing or (None, None)
    account.doing = None
    if what == "register":
        account.password = about if lets_in(daemon, user=account.user, password=about) else None
    elif what == "change":
        if lets_in(daemon, user=account.user, password=about):
            account.password = about
        account.loose += account.tokens.values()  # go first, and may be going
        account.tokens = {}
    if account.password is None:
        assert lets_in(daemon, user=account.user), "not registered, so anybody's"
        return
    assert lets_in(daemon, user=account.user, password=account.password), vars(account)
    assert not lets_in(daemon, user=account.user)
    im = Im(LINKS["line"](daemon))
    im.login(account.user, password=account.password)
    devices = {row["device"] for row in im.ask("devices")["devices"] if row["device"]}
    im.close()
    if what in ("enter", "forget", "register"):
        unsure = {"home" if what == "register" else about}
        assert devices - unsure == account.devices - unsure, vars(account)
        account.loose += [account.tokens.pop(d) for d in unsure if d in account.tokens]  # another by now, or gone
        account.devices = devices
    assert devices == account.devices, (devices, vars(account))
    for token in account.tokens.values():
        assert lets_in(daemon, token=token), vars(account)
    for token in account.gone[-10:]:
        assert not lets_in(daemon, token=token), vars(account)


# What must be there.


class Audit:
    """All that is in the log, from what every person gets who has seen nothing."""

    def __init__(self, daemon, people):
        self.views = {}
        readers = {user: Im(LINKS["line"](daemon)) for user in people}
        for user, im in readers.items():
            im.checks = 20
            im.login(user, "auditor", since="0")
        states = until(lambda: live(daemon, "auditor", len(people)), "everything to be sent")
        assert len(states) == len(people)
        self.logs, self.own, self.places = collections.defaultdict(dict), {}, {}
        for user, im in readers.items():
            im.ask("ping")
            self.views[user] = durable(im.events)
            self.own[user] = [e for e in self.views[user] if "seq" not in e]
            self.places[user] = {e["pos"] for e in self.views[user]}
            im.close()
        for user, view in self.views.items():
            for event in view:
                if "seq" in event:
                    self.add(self.log(user, event["conv"]), event)

    @staticmethod
    def log(user, conv):
        """One name for a conversation."""
        return conv if conv.startswith("#") else " ".join(sorted((user, conv)))

    def add(self, log, event):
        same = {k: v for k, v in event.items() if k != "conv"}
        before = self.logs[log].setdefault(event["seq"], same)
        assert {k: before[k] for k in ("op", "pos", "from", "ts")} == {k: same[k] for k in ("op", "pos", "from", "ts")}

    def counted(self, log, event):
        """Is it a message that counts, which one that a blocked one wrote does not?"""
        if event["op"] != "msg":
            return False
        return log.startswith("#") or all(event["pos"] in self.places[user] for user in log.split())

    def is_swept(self):
        """Everything is there that is due to be, and nothing that is not."""
        for log, events in self.logs.items():
            first, last = min(events), max(events)
            assert sorted(events) == list(range(first, last + 1)), f"{log}: {sorted(events)}"
            messages = sum(self.counted(log, event) for event in events.values())
            if first > 1:
                assert messages >= KEEP or last - first + 1 >= KEEP * EVENTS, f"{log}: {messages} left, from {first}"
            if messages - self.counted(log, events[first]) >= KEEP or last - first >= KEEP * EVENTS:
                return False
        return True


def live(daemon, device, count):
    rows = [s for s in daemon.imctl("sessions")["sessions"] if s.get("device") == device]
    return rows if len(rows) == count and all(s["state"] == "live" for s in rows) else None


def audit(daemon, memories, wallets):
    """Once what is to be erased is: the log and what came of it."""
    people = [m.me for m in memories]

    def swept():
        seen = Audit(daemon, people)
        return seen if seen.is_swept() else None

    seen = until(swept, "what is too much to be erased, and no more", pause=0.05)
    for m in memories:
        check_log(seen, m)
        check_people(daemon, seen, m)
    check_groups(daemon, seen, memories)
    check_reports(daemon, memories)
    for account in (a for w in wallets for a in w.accounts):
        settle(daemon, account)


EVENT = {"send": "msg", "edit": "edit", "react": "react", "delete": "delete", "group": "member"}
TOLD = {"send": ["text"], "edit": ["text"], "react": ["emoji", "on"], "delete": ["for"], "group": ["do"]}
OF_GROUP = {"role": ["user", "role"], "kick": ["user"], "invite": ["user"], "ban": ["user"], "unban": ["user"],
            "set": ["public", "history"], "create": ["public", "history"]}


def check_log(seen, m):
    events = seen.views[m.me]
    places = [int(e["pos"]) for e in events]
    assert places == sorted(set(places)), "in the order of the log, each once"
    by_cid = collections.Counter(e["cid"] for log in seen.logs.values() for e in log.values() if e["from"] == m.me)
    assert all(n == 1 for n in by_cid.values()), [c for c, n in by_cid.items() if n > 1]
    own = {e["cid"]: e for e in seen.own[m.me]}
    for op, fields, reply in m.done.values():
        if "seq" in reply:
            log = seen.logs[seen.log(m.me, reply["conv"])]
            if log and reply["seq"] < min(log):
                continue  # erased, as it had to be
            event = log.get(reply["seq"])
        else:
            event = own.get(fields["cid"])
        assert event, f"{op} {fields} was acknowledged with {reply}, and is gone"
        assert (event["op"], event["pos"], event["ts"], event["from"], event["cid"]) == \
            (EVENT[op], reply["pos"], reply["ts"], m.me, fields["cid"]), (event, reply)
        blank = is_blank(seen.logs[seen.log(m.me, reply["conv"])], event)
        for name in TOLD[op] + OF_GROUP.get(fields.get("do"), []):
            expected = "" if blank and name == "text" else fields.get(name, event.get(name))
            assert event.get(name) == expected, (name, event, fields)


def is_blank(log, event):
    """Was the message deleted for all, or, of an edit, the message erased?"""
    message = event["ref"] if event["op"] == "edit" else event.get("seq")
    return (event["op"] == "edit" and message < min(log)) or \
        any(e["op"] == "delete" and e["ref"] == message for e in log.values())


def check_people(daemon, seen, m):
    im = Im(LINKS["line"](daemon))
    im.login(m.me)
    blocked = im.ask("block")["users"]
    for other in {what[1] for what in m.kept if what[0] == "block"}:
        assert (other in blocked) in m.may_be(("block", other), False)
    profile = im.ask("profile")
    assert (profile.get("name"), profile.get("avatar")) in m.may_be(("profile",), (None, None))
    rows = {row["conv"]: row for row in im.ask("conversations")["conversations"]}
    view = collections.defaultdict(list)
    for event in seen.views[m.me]:
        view[event["conv"]].append(event)
    assert {conv for conv in view if not conv.startswith("#")} <= set(rows)
    for conv, row in rows.items():
        log = seen.logs[seen.log(m.me, conv)]
        written = [reply["seq"] for op, fields, reply in m.done.values() if op == "send" and fields["to"] == conv]
        assert max([m.read[conv]] + written) <= row["read"] <= max(log), (conv, row, m.read[conv])
        mine = {e["ref"] for e in view[conv] if e["op"] == "delete" and e["for"] == "me"}
        unread = [e["seq"] for e in view[conv] if e["op"] == "msg" and e["from"] != m.me and e["seq"] > row["read"]
                  and not is_blank(log, e) and e["seq"] not in mine]
        assert row["unread"] == len(unread), (row, unread)
        check_history(im, m.me, conv, view[conv], log)
    im.close()


def check_history(im, me, conv, view, log):
    """Messages as they stand now are what the log made of them."""
    page = im.ask("history", conv=conv, limit=1000)
    gone = {e["ref"] for e in view if e["op"] == "delete" and e["for"] == "me"}
    expected = [e for e in view if e["op"] == "msg" and e["seq"] not in gone]
    messages = [e for e in page["messages"] if e["op"] == "msg"]
    assert not page["more"] and [e["seq"] for e in messages] == [e["seq"] for e in expected]
    edits = {e["ref"]: e["text"] for e in view if e["op"] == "edit"}
    given = {(e["ref"], e["emoji"], e["from"]): e for _, e in sorted(log.items()) if e["op"] == "react"}
    places = {e["pos"] for e in view}
    for now, said in zip(messages, expected):
        if is_blank(log, said):
            assert now["deleted"] and now["text"] == "", now
            continue
        assert now["text"] == edits.get(now["seq"], said["text"]), (now, said)
        reactions = {r["emoji"]: (r["count"], r.get("mine", False)) for r in now.get("reactions", [])}
        counts, mine = collections.Counter(), set()
        for (seq, emoji, who), e in given.items():
            if seq == now["seq"] and e["on"] and (conv.startswith("#") or e["pos"] in places):
                counts[emoji] += 1
                mine |= {emoji} if who == me else set()
        assert reactions == {emoji: (n, emoji in mine) for emoji, n in counts.items()}, now


def check_groups(daemon, seen, memories):
    for group in GROUPS:
        if not (changes := [e for _, e in sorted(seen.logs[group].items()) if e["op"] == "member"]):
            continue
        roles = {row["user"]: row["role"] for row in daemon.imctl("group", "members", group)["members"]}
        last = {e.get("user", e["from"]): e["role"] for e in changes if "role" in e}
        assert last == {user: roles.get(user, "none") for user in last}, group
        shown = daemon.imctl("group", "show", group)
        for name, key in (("topic", "topic"), ("set", "public"), ("set", "history")):
            told = [e[key] for e in changes if e["do"] == name]
            assert not told or shown[key] == told[-1], (shown, told)
    there = {row["group"] for row in daemon.imctl("group", "list", "limit=1000")["groups"]}
    for m in memories:
        asked = {fields["conv"] for op, fields in m.open.values() if op == "group"}
        made = {f["conv"]: None for _, f, _ in m.done.values() if f.get("do") == "create" and f["conv"] not in GROUPS}
        ended = {f["conv"] for _, f, _ in m.done.values() if f.get("do") == "delete"}
        for group in set(made) - asked:
            assert (group in there) == (group not in ended), group


def check_reports(daemon, memories):
    reports = {row["ticket"]: row["text"] for row in daemon.imctl("report", "list")["reports"]}
    for m in memories:
        assert m.tickets.items() <= reports.items()
        own = collections.Counter(text for text in reports.values() if text.startswith(f"report {m.me}-"))
        assert set(own) <= set(m.tickets.values()) | {f["text"] for op, f in m.open.values() if op == "report"}


def test_whatever_was_acknowledged_is_there_once(imd):
    rng = random.Random("kill9 everything")
    daemon = imd(CONFIG)
    memories, wallets = [Memory(n) for n in range(PEOPLE)], [Wallet(n) for n in range(HOLDERS)]

    def done():
        return sum(len(m.done) for m in memories)

    def work(enough, until_):
        workers = [Actor(daemon, m) for m in memories] + [Holder(daemon, w) for w in wallets]
        for worker in workers:
            if enough:
                worker.enough.set()
            worker.start()
        until_(workers)
        for worker in workers:
            worker.join(60)
            assert not worker.is_alive()
            if worker.problem:
                raise worker.problem

    for _ in range(CYCLES):
        goal = done() + rng.randint(20, 200)

        def kill(workers):
            until(lambda: done() >= goal or not all(w.is_alive() for w in workers))
            daemon.kill9()

        work(False, kill)
        assert done() >= goal
        daemon.start()
        audit(daemon, memories, wallets)
    work(True, lambda workers: None)
    assert not any(m.open for m in memories)
    audit(daemon, memories, wallets)
    tried = sum((x.tried for x in memories + wallets), collections.Counter())
    if CYCLES >= 20:
        never = EVERYTHING - set(tried)
        assert not never, f"never tried: {never}"


EVERYTHING = {"send", "edit", "delete", "react", "read", "block", "profile", "report"} | \
    {"create", "join", "leave", "invite", "kick", "ban", "unban", "role", "topic", "set"} | \
    {"register", "enter", "change", "forget"}
