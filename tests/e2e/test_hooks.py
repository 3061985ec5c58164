"""Webhooks: what happens in a chat is posted to others, and what others post is said in a chat."""

import http.client
import json
import os
import random
import re
import socket
import subprocess
import threading
import time

import pytest

from imdtest.certs import make_certificate
from imdtest.clients import Im
from imdtest.daemon import ImctlFailed, free_port
from imdtest.kinds import LINKS
from imdtest.receiver import Receiver
from imdtest.wait import until

QUICK = {"hooks": {"retry_first": "20ms", "retry_most": "100ms", "timeout": "5s"}, "limits": {"rate": 0, "burst": 1000000}}


@pytest.fixture
def receiver(closing):
    return lambda *args, **options: closing(Receiver(*args, **options))


def add(daemon, name, user, url, **options):
    """Adds a hook that is ready; its secret."""
    made = daemon.imctl("hook", "add", name, user, url, *(f"{key}={value}" for key, value in options.items()))
    ready(daemon, name)
    return made["secret"]


def show(daemon, name):
    return daemon.imctl("hook", "show", name)


def tried(daemon, name):
    """What a test that is not accepted tells."""
    done = daemon.imctl_run("hook", "test", name, json_out=True)
    assert done.returncode == 1
    return json.loads(done.stdout)


def ready(daemon, name):
    until(lambda: show(daemon, name)["state"] != "starting", f"hook {name} to be up")


# going out


def test_deliveries_are_signed_and_in_order(imd, connect, receiver):
    daemon, there = imd(QUICK), receiver()
    secret = add(daemon, "archive", "bot", there.url("/in?key=a%20b"))
    a, bot = connect(daemon, user="a"), connect(daemon, user="bot", device="other")
    for n in range(100):
        a.post("send", to="bot", text=f"喵 {n}")
    there.wait_texts([f"喵 {n}" for n in range(100)])
    for delivery in there.deliveries:
        assert delivery.is_signed(secret) and not delivery.is_signed(secret + "x")
        assert delivery.headers["X-IM-Event"] == "msg" and delivery.headers["X-IM-Hook"] == "archive"
        assert delivery.headers["Content-Type"] == "application/json"
        assert abs(int(delivery.headers["X-IM-Timestamp"]) - time.time()) < 100
        assert str(delivery.pos) == delivery.event["pos"]
    assert there.events() == [bot.msg() for _ in range(100)], "the same as any client gets"
    until(lambda: show(daemon, "archive")["behind"] == 0, "the last acknowledgement")
    assert daemon.metric("hooks_delivered_total") == 100


def test_the_documented_ways_to_verify_work(imd, connect, receiver, tmp_path):
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "doc", "hooks.md"), encoding="utf-8") as f:
        page = f.read()
    python = next(b for b in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S) if "is_genuine" in b)
    shell = next(b for b in re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S) if "openssl" in b)
    daemon, there = imd(QUICK), receiver()
    secret = add(daemon, "h", "bot", there.url())
    connect(daemon, user="a").say("bot", "喵 \" \\ '")
    delivery = there.wait(1)[0]
    there.wait_texts(["喵 \" \\ '"])
    names = {}
    exec(python, names)
    assert names["is_genuine"](secret, delivery.headers, delivery.body)
    assert not names["is_genuine"](secret, delivery.headers, delivery.body + b" ")
    assert not names["is_genuine"]("x" + secret, delivery.headers, delivery.body)
    for body, expected in ((delivery.body, 0), (delivery.body.replace(b"msg", b"MSG"), 1)):
        (tmp_path / "body.json").write_bytes(body)
        env = {**os.environ, "secret": secret, "timestamp": delivery.headers["X-IM-Timestamp"],
               "signature": delivery.headers["X-IM-Signature"]}
        assert subprocess.run(["/bin/sh", "-c", shell], cwd=tmp_path, env=env, check=False).returncode == expected


def test_nobody_is_online_by_a_hook(imd, connect, receiver):
    daemon, there = imd(QUICK), receiver()
    add(daemon, "h", "bot", there.url())
    a = connect(daemon, user="a")
    assert a.say("bot", "hi")["online"] is False
    assert daemon.online()["users"] == 1
    there.wait_texts(["hi"])


def test_what_fails_is_tried_again_and_stays_in_order(imd, connect, receiver):
    statuses = {1: 500, 2: None, 3: 404, 5: 503, 6: 302}
    daemon, there = imd(QUICK), receiver(lambda number: statuses.get(number, 200))
    add(daemon, "h", "bot", there.url())
    a = connect(daemon, user="a")
    for n in range(5):
        a.say("bot", str(n))
    there.wait_texts([str(n) for n in range(5)])
    assert [d.event["text"] for d in there.deliveries[:7]] == ["0", "0", "0", "0", "1", "1", "1"]
    assert daemon.metric("hooks_failed_total") == 4, "a kept connection that ends is just made anew"
    until(lambda: show(daemon, "h")["behind"] == 0, "the last acknowledgement")
    state = show(daemon, "h")
    assert state["failures_in_a_row"] == 0 and state["last_status"] == 200 and state["problem"] == ""


def test_a_receiver_that_is_down_gets_all_later(imd, connect, receiver):
    daemon, port = imd(QUICK), free_port()
    daemon.imctl("hook", "add", "h", "bot", f"http://127.0.0.1:{port}/")
    a = connect(daemon, user="a")
    for n in range(20):
        a.say("bot", str(n))

    def retrying():
        state = show(daemon, "h")
        assert state["state"] in ("retrying", "posting") and state["failures_in_a_row"] > 0
        assert state["behind"] == state["waiting"] == 20 and state["last_status"] is None
        assert "refused" in state["problem"].lower()
        return True
    until(retrying, "the hook to fail")
    there = receiver(port=port)
    there.wait_texts([str(n) for n in range(20)])


def test_a_receiver_that_hangs_holds_nobody_up(imd, connect, receiver):
    hung = threading.Event()
    daemon, there = imd(QUICK), receiver(lambda number: hung.wait(30) and 200)
    add(daemon, "h", "bot", there.url())
    a, b, bot = (connect(daemon, user=user) for user in ("a", "b", "bot"))
    for n in range(200):
        assert a.say("bot", str(n))["online"]
        a.say("b", str(n))
    assert bot.texts(200) == b.texts(200) == [str(n) for n in range(200)]
    begun = time.monotonic()
    assert daemon.term() == 0
    assert time.monotonic() - begun < 3, "nor is the end of the server held up"
    hung.set()


def test_what_does_not_fit_into_memory_waits_in_the_log(imd, connect, receiver):
    hung = threading.Event()
    limits = {"queue_soft": "16KiB", "queue_hard": "256KiB", "replay_bytes": "16KiB", "rate": 0, "burst": 1000000}
    daemon, there = imd({**QUICK, "limits": limits}), receiver(lambda number: hung.wait(30) and 200)
    add(daemon, "h", "bot", there.url())
    a = connect(daemon, user="a")
    texts = [f"{n} " + "x" * 1000 for n in range(300)]
    for text in texts:
        a.say("bot", text)
    state = show(daemon, "h")
    assert state["behind"] == 300 and 0 < state["waiting"] < 100
    queued = [s["queued_bytes"] for s in daemon.imctl("sessions")["sessions"] if s["transport"] == "hook"]
    assert 0 < queued[0] < 64 * 1024
    assert daemon.metric("sessions_fell_behind_total") >= 1
    hung.set()
    there.wait_texts(texts)
    until(lambda: show(daemon, "h")["behind"] == 0, "the last acknowledgement")


def test_nothing_is_lost_when_the_server_dies(imd, receiver):
    """kill -9 in traffic, with a receiver that fails now and then."""
    rng = random.Random("hooks")
    daemon, there = imd(QUICK), receiver(lambda number: rng.choice([200, 200, 200, 200, 500, None]))
    add(daemon, "h", "bot", there.url())
    sent = 0
    for _ in range(6):
        a = Im(LINKS["line"](daemon))
        a.login("a")
        for _ in range(rng.randint(20, 60)):
            a.say("bot", str(sent), cid=str(sent))
            sent += 1
        goal = len(there.deliveries) + rng.randint(1, 10)
        until(lambda: len(there.deliveries) >= goal, "some deliveries")
        daemon.kill9()
        a.close()
        daemon.start()
    there.wait_texts([str(n) for n in range(sent)], 60)
    repeats = [d.pos for d in there.deliveries if d.status == 200]
    for earlier, later in zip(repeats, repeats[1:]):
        assert later <= earlier + 1, "it may go back over what was delivered, and never skips"


def test_a_hook_goes_on_after_a_restart(imd, connect, receiver):
    daemon, there = imd(QUICK), receiver()
    secret = add(daemon, "h", "bot", there.url(), events="msg", when="always", conversations="a,#g")
    connect(daemon, user="a").say("bot", "1")
    there.wait_texts(["1"])
    before = show(daemon, "h")
    daemon.restart()
    ready(daemon, "h")
    connect(daemon, user="a").say("bot", "2")
    there.wait_texts(["1", "2"])
    assert there.deliveries[-1].is_signed(secret) and len(there.deliveries) == 2, "and nothing comes twice"
    after = show(daemon, "h")
    for key in ("user", "url", "events", "conversations", "when", "enabled"):
        assert before[key] == after[key]


def test_away_means_while_the_user_is_not_here(imd, connect, receiver):
    daemon, there = imd(QUICK), receiver()
    connect(daemon, user="bob", device="phone").close()
    until(lambda: daemon.online()["users"] == 0, "bob to leave")
    add(daemon, "push", "bob", there.url(), when="away", events="msg")
    a = connect(daemon, user="a")
    a.say("bob", "away 1")
    there.wait_texts(["away 1"])
    bob = connect(daemon, user="bob", device="phone")
    a.say("bob", "here")
    bob.say("a", "answer")
    assert bob.texts(2) == ["away 1", "here"]
    bob.close()
    until(lambda: daemon.online()["users"] == 1, "bob to leave")
    a.say("bob", "away 2")
    there.wait_texts(["away 1", "away 2"])


def test_a_hook_is_told_what_it_asked_for(imd, connect, receiver):
    daemon, there, all_of_it = imd(QUICK), receiver(), receiver()
    add(daemon, "some", "bot", there.url(), events="msg,react", conversations="a")
    add(daemon, "all", "bot", all_of_it.url(), own="yes")
    a, b, bot = (connect(daemon, user=user) for user in ("a", "b", "bot"))
    first = a.say("bot", "from a")
    b.say("bot", "from b")
    bot.say("a", "own")
    a.ask("edit", conv="bot", seq=first["seq"], text="from A")
    a.ask("react", conv="bot", seq=first["seq"], emoji="👍")
    until(lambda: len(all_of_it.accepted()) == 5, "all events")
    assert [d.headers["X-IM-Event"] for d in all_of_it.accepted()] == ["msg", "msg", "msg", "edit", "react"]
    until(lambda: show(daemon, "some")["behind"] == 0, "the others to be passed over")
    assert [(d.event["op"], d.event.get("text")) for d in there.accepted()] == [("msg", "from a"), ("react", None)]
    assert daemon.metric("hooks_skipped_total") == 3


def test_a_new_hook_begins_now(imd, connect, receiver):
    daemon, there = imd(QUICK), receiver()
    a = connect(daemon, user="a")
    for n in range(5):
        a.say("bot", f"before {n}")
    for name in ("first", "second"):
        add(daemon, name, "bot", there.url())
    a.say("bot", "after")
    until(lambda: len(there.deliveries) == 2, "both")
    daemon.restart("kill")
    connect(daemon, user="a").say("bot", "later")
    until(lambda: [e["text"] for e in there.events()].count("later") == 2, "both again")
    assert {e["text"] for e in there.events()} == {"after", "later"}


def test_a_group_can_be_followed(imd, connect, receiver):
    daemon, there = imd(QUICK), receiver()
    add(daemon, "h", "bot", there.url(), conversations="#room")
    a, bot = connect(daemon, user="a"), connect(daemon, user="bot")
    a.ask("group", do="create", conv="#room", public=True)
    bot.ask("group", do="join", conv="#room")
    a.say("#room", "hi all")
    a.say("bot", "not here")
    until(lambda: "hi all" in there.texts(), "the message")
    until(lambda: show(daemon, "h")["behind"] == 0, "the rest to be passed over")
    assert there.texts() == ["hi all"] and {d.event["conv"] for d in there.accepted()} == {"#room"}


def test_https_is_verified(imd, connect, receiver, tmp_path, monkeypatch):
    good, other = make_certificate(str(tmp_path / "good")), make_certificate(str(tmp_path / "other"))
    monkeypatch.setenv("SSL_CERT_FILE", good.cert)
    daemon, there, liar = imd(QUICK), receiver(certificate=good), receiver(certificate=other)
    add(daemon, "good", "bot", there.url(host="localhost"))
    add(daemon, "bad", "bot", liar.url(host="localhost"))
    a = connect(daemon, user="a")
    for n in range(10):
        a.say("bot", str(n))
    there.wait_texts([str(n) for n in range(10)])
    until(lambda: "certificate" in show(daemon, "bad")["problem"], "the refusal")
    assert liar.deliveries == []
    answer = tried(daemon, "bad")
    assert not answer["accepted"] and "certificate" in answer["problem"]
    assert daemon.imctl("hook", "test", "good")["accepted"]


def test_gone_disables_the_hook_for_good(imd, connect, receiver):
    daemon, there = imd(QUICK), receiver(lambda number: 410)
    add(daemon, "h", "bot", there.url())
    a = connect(daemon, user="a")
    a.say("bot", "1")
    until(lambda: show(daemon, "h")["state"] == "disabled", "the hook to be disabled")
    assert show(daemon, "h")["enabled"] is False and len(there.deliveries) == 1
    daemon.restart()
    until(lambda: show(daemon, "h")["state"] == "disabled", "the hook to be read")
    row, = daemon.imctl("hook", "list")["hooks"]
    assert row["problem"] == "the receiver answered 410: it wants no more"
    assert daemon.imctl_run("check", "hooks").returncode == 1
    there.answer = lambda number: 200
    assert daemon.imctl("hook", "enable", "h")["enabled"]
    there.wait_texts(["1"])
    assert "410" not in show(daemon, "h")["problem"]


# administration


def test_disabled_hooks_fall_behind_and_deleted_ones_forget(imd, connect, receiver):
    daemon, there = imd(QUICK), receiver()
    add(daemon, "h", "bot", there.url())
    a = connect(daemon, user="a")
    a.say("bot", "1")
    there.wait_texts(["1"])
    assert daemon.imctl("hook", "disable", "h") == {"name": "h", "enabled": False}
    a.say("bot", "2")
    assert daemon.imctl("hook", "list")["hooks"][0]["state"] == "disabled"
    daemon.imctl("hook", "enable", "h")
    there.wait_texts(["1", "2"])
    until(lambda: show(daemon, "h")["behind"] == 0, "the last acknowledgement")
    assert daemon.imctl("hook", "del", "h") == {"name": "h", "deleted": True}
    assert daemon.imctl("hook", "list")["hooks"] == []
    add(daemon, "h", "bot", there.url())
    a.say("bot", "3")
    there.wait_texts(["1", "2", "3"])
    assert len(there.deliveries) == 3


@pytest.mark.parametrize("args, problem", [
    (["Bad Name", "bot", "http://a/"], "name:"),
    (["h", "no one", "http://a/"], "user:"),
    (["h", "bot", "ftp://a/"], "url:"),
    (["h", "bot", "http://a b/"], "url:"),
    (["h", "bot", "http://a/", "events=msg,typing"], "events:"),
    (["h", "bot", "http://a/", "when=sometimes"], "when must be one of"),
    (["h", "bot", "http://a/", "conversations=,"], "id"),
    (["h", "bot", "http://a/", "secret=a-long-enough-secret"], "command line"),
    (["h", "bot", "http://a/", "secret="], "secret:"),
])
def test_a_bad_hook_is_refused(shared, args, problem):
    with pytest.raises(ImctlFailed) as failed:
        shared.imctl("hook", "add", *args, stdin="short\n")
    assert problem in failed.value.err
    assert all(h["name"] != "h" for h in shared.imctl("hook", "list")["hooks"])


def test_a_secret_may_be_brought_along(imd):
    daemon = imd()
    secret = "brought-along-0123456789"
    assert daemon.imctl("hook", "add", "h", "bot", "http://127.0.0.1:9/", "secret=", stdin=secret + "\n")["secret"] == secret


def test_names_are_taken_once(imd, receiver):
    daemon, there = imd(QUICK), receiver()
    add(daemon, "h", "bot", there.url())
    with pytest.raises(ImctlFailed, match="already"):
        daemon.imctl("hook", "add", "h", "other", there.url())
    for command in ("show", "del", "enable", "disable", "test"):
        with pytest.raises(ImctlFailed, match="no hook"):
            daemon.imctl("hook", command, "x")


def test_where_there_are_accounts_the_user_must_have_one(imd, receiver):
    daemon, there = imd({**QUICK, "auth": {"mode": "password"}}), receiver()
    for args in (["add", "h", "nobody", there.url()], ["in", "nobody", "a"]):
        with pytest.raises(ImctlFailed, match="no account"):
            daemon.imctl("hook", *args)


def test_a_test_event_goes_beside_the_queue(imd, receiver):
    daemon, there = imd(QUICK), receiver(lambda number: 200 if number == 1 else 418)
    secret = add(daemon, "h", "bot", there.url())
    answer = daemon.imctl("hook", "test", "h")
    assert answer == {"name": "h", "accepted": True, "status": 200, "problem": ""}
    delivery = there.deliveries[0]
    assert delivery.is_signed(secret) and delivery.event["op"] == "test" and delivery.headers["X-IM-Event"] == "test"
    assert tried(daemon, "h")["accepted"] is False
    there.stop()
    assert "refused" in tried(daemon, "h")["problem"].lower()


def test_who_may_only_look_does_not_see_secrets(imd, receiver):
    daemon, there = imd({**QUICK, "admin": {"read_address": "read.sock"}}), receiver()
    add(daemon, "h", "bot", there.url("/secret/path"))

    def look(command):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(f"{daemon.dir}/read.sock")
            s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, **command}).encode() + b"\n")
            return s.makefile().readline()
    for command in ({"method": "hook.list"}, {"method": "hook.show", "params": ["h"]}):
        answer = look(command)
        assert f"http://127.0.0.1:{there.port}" in answer and "secret" not in answer
    assert "forbidden" in look({"method": "hook.test", "params": ["h"]})


# coming in


def hook_in(daemon, user, to):
    made = daemon.imctl("hook", "in", user, to)
    assert made["path"].startswith("/hooks/") and made["user"] == user and made["to"] == to
    return made["path"]


def post(daemon, path, body, kind="application/json", method="POST", headers=None):
    """(status, the JSON or the text of the answer)"""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.ws_port, timeout=10)
    try:
        if not isinstance(body, (str, bytes)):
            body = json.dumps(body, ensure_ascii=False)
        body = body.encode() if isinstance(body, str) else body
        connection.request(method, path, body, {"Content-Type": kind, **(headers or {})})
        response = connection.getresponse()
        text = response.read().decode()
        return response.status, json.loads(text) if response.getheader("Content-Type") == "application/json" else text
    finally:
        connection.close()


def test_a_post_is_said(imd, connect):
    daemon = imd(QUICK)
    path, a = hook_in(daemon, "bot", "a"), connect(daemon, user="a")
    status, answer = post(daemon, path, "disk is full 喵\n", "text/plain; charset=utf-8")
    event = a.msg()
    assert status == 200 and answer == {"op": "ok", "conv": "a", "seq": 1, "pos": event["pos"], "ts": event["ts"],
                                        "online": True}
    assert (event["from"], event["text"]) == ("bot", "disk is full 喵")
    status, answer = post(daemon, path, {"text": "again", "cid": "x", "reply": 1, "unknown": {}})
    assert status == 200 and answer["seq"] == 2
    event = a.msg()
    assert (event["text"], event["cid"], event["reply"]) == ("again", "x", 1)
    status, repeated = post(daemon, path, {"text": "again", "cid": "x", "reply": 1})
    assert status == 200 and repeated["dup"] and repeated["seq"] == 2
    assert post(daemon, path, {"body": "{}", "mime": "application/json"})[0] == 200
    assert a.msg()["mime"] == "application/json"
    assert a.pending() == [] and daemon.online()["users"] == 1, "nobody is online by it"
    assert daemon.metric("hooks_received_total") == 4


def test_curl_can_do_it(imd, connect):
    daemon = imd(QUICK)
    path, a = hook_in(daemon, "bot", "a"), connect(daemon, user="a")
    try:
        done = subprocess.run(["curl", "-sS", "-H", "Expect: 100-continue", "--json", '{"text":"from curl"}',
                               f"http://127.0.0.1:{daemon.ws_port}{path}"], capture_output=True, text=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("no curl here")
    assert done.returncode == 0 and json.loads(done.stdout)["op"] == "ok"
    assert a.msg()["text"] == "from curl"


def test_it_works_over_tls_too(imd, connect, certificate):
    daemon = imd(QUICK, tls=certificate)
    path, a = hook_in(daemon, "bot", "a"), connect(daemon, user="a")
    connection = http.client.HTTPSConnection("localhost", daemon.wss_port, context=daemon.tls_context, timeout=10)
    for n in range(3):  # on one connection
        connection.request("POST", path, f"text {n}", {"Content-Type": "text/plain"})
        response = connection.getresponse()
        assert response.status == 200 and json.loads(response.read())["seq"] == n + 1
        assert a.msg()["text"] == f"text {n}"
    connection.close()


def test_a_hook_posts_to_one_conversation(imd, connect):
    daemon = imd(QUICK)
    path, a = hook_in(daemon, "bot", "a"), connect(daemon, user="a")
    connect(daemon, user="b")
    status, answer = post(daemon, path, {"text": "x", "to": "b"})
    assert status == 403 and answer["name"] == "forbidden"
    assert post(daemon, path, {"text": "x", "to": "a"})[0] == 200
    assert a.msg()["text"] == "x"


def test_a_group_takes_it_from_members(imd, connect):
    daemon = imd(QUICK)
    path, a = hook_in(daemon, "bot", "#alerts"), connect(daemon, user="a")
    assert post(daemon, path, {"text": "x"})[0] == 404
    a.ask("group", do="create", conv="#alerts", public=True)
    status, answer = post(daemon, path, {"text": "x"})
    assert status == 403 and answer["name"] == "not_member"
    bot = connect(daemon, user="bot")
    bot.ask("group", do="join", conv="#alerts")
    bot.close()
    assert post(daemon, path, {"text": "x"})[0] == 200
    assert a.msg()["text"] == "x"


@pytest.mark.parametrize("body, kind, status, name", [
    ("", "text/plain", 400, "bad_field"),
    ("\n", "text/plain", 400, "bad_field"),
    (b"\xff\xfe", "text/plain", 400, "bad_utf8"),
    ("x" * 20000, "text/plain", 413, "too_long"),
    ("{", "application/json", 400, "bad_json"),
    ("[]", "application/json", 400, "bad_json"),
    ('{"text":"a","text":"b"}', "application/json", 400, "bad_json"),
    ("{}", "application/json", 400, "bad_field"),
    ('{"text":1}', "application/json", 400, "bad_field"),
    ("[" * 1000, "application/json", 400, "bad_json"),
], ids=["empty", "blank", "no-utf8", "too-long", "cut-off", "array", "twice", "nothing", "number", "deep"])
def test_a_bad_message_is_answered(shared, body, kind, status, name):
    path = hook_in(shared, "bad-bot", "somebody")
    got, answer = post(shared, path, body, kind)
    assert (got, answer["op"], answer["name"]) == (status, "err", name)


def test_only_tokens_for_hooks_open_hooks(imd, connect):
    daemon = imd(QUICK)
    path = hook_in(daemon, "bot", "a")
    for token in ("x", path[7:] + "x", path[7:-1], "..", "%2e%2e", "a/b"):
        status, answer = post(daemon, f"/hooks/{token}", {"text": "x"})
        assert (status, answer["name"], "detail" in answer) == (401, "bad_token", False), token
    assert connect(daemon).refused("login", token=path[7:]) in ("bad_token", "back_off")
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        assert post(daemon, path, "", method=method)[0] == 405
    assert post(daemon, "/hooks/", "")[0] == 405


def test_guessing_costs_time(imd):
    daemon = imd({"limits": {"count_loopback": True}})
    path = hook_in(daemon, "bot", "a")
    statuses = [post(daemon, f"/hooks/guess{n}", {"text": "x"})[0] for n in range(10)]
    assert statuses[0] == 401 and statuses[-1] == 429
    assert post(daemon, path, {"text": "x"})[0] == 429, "whoever guesses has to wait, even with the right one"


def test_posts_are_held_to_the_rate_however_many_connections(imd, connect):
    daemon = imd({**QUICK, "limits": {"rate": 1, "burst": 3}})
    path, other = hook_in(daemon, "bot", "a"), hook_in(daemon, "bot", "b")
    answers = [post(daemon, path, {"text": "x"}) for _ in range(5)]
    assert [status for status, _ in answers[:3]] == [200] * 3
    assert answers[-1][0] == 429 and answers[-1][1]["name"] == "flood" and 0 < answers[-1][1]["after"] <= 1000
    assert post(daemon, other, {"text": "x"})[0] == 200, "each has its own"


def test_a_token_that_was_revoked_is_closed(imd, connect):
    """As an operator would: the record is gone."""
    daemon = imd({**QUICK, "store": {"kind": "memory", "path": None, "sync": None}})
    path = hook_in(daemon, "bot", "a")
    assert post(daemon, path, {"text": "x"})[0] == 200
    daemon.restart()  # forgets everything
    assert post(daemon, path, {"text": "x"})[0] == 401


def test_many_at_once(imd, connect):
    daemon = imd(QUICK)
    path, a = hook_in(daemon, "bot", "a"), connect(daemon, user="a")
    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(post(daemon, path, {"text": str(n)})[0]))
               for n in range(40)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [200] * 40
    assert sorted(int(t) for t in a.texts(40)) == list(range(40))


def test_a_bot_answers_through_both(imd, connect, receiver):
    """Out to a receiver, and from it in again, as a bot does."""
    daemon = imd(QUICK)
    path = hook_in(daemon, "echo", "a")
    there = receiver()
    there.answer = lambda number: post(daemon, path, {"text": "you said: " + there.deliveries[number - 1].event["text"]})[0]
    add(daemon, "echo", "echo", there.url(), events="msg", conversations="a")
    a = connect(daemon, user="a")
    for text in ("hi", "喵"):
        a.say("echo", text)
        assert a.msg()["text"] == f"you said: {text}"
    until(lambda: show(daemon, "echo")["behind"] == 0, "its own words to be passed over")
    assert len(there.deliveries) == 2
