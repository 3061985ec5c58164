"""Who somebody is: accounts, passwords, tokens, signed tokens, system users and invitations, over every transport."""

import base64
import hashlib
import hmac
import json
import os
import pwd
import re
import sqlite3
import subprocess
import time
from urllib.parse import quote

import pytest

from imdtest.clients import Im
from imdtest.daemon import free_port
from imdtest.kinds import Classroom, classroom_path
from imdtest.links import RawWsLink, WsLink
from imdtest.wait import until

CHEAP = {"argon2_memory": "8KiB", "argon2_ops": 1}
CODES = {"password_needed": 401, "bad_login": 401, "bad_token": 401, "back_off": 429, "forbidden": 403}
SECRET = b"0123456789abcdef0123456789abcdef"
OTHER_SECRET = b"another secret of thirty-two byte"


@pytest.fixture(params=("line", "unix", "websocket"))
def kind(request):
    return request.param


def password(user):
    return f"{user} loves 馒头"


@pytest.fixture
def serve(imd):
    """serve("ann", "bob", mode="password") -> Imd, with these accounts."""

    def make(*users, **auth):
        daemon = imd({"auth": {**CHEAP, **auth}})
        for user in users:
            daemon.imctl("user", "add", user, stdin=password(user) + "\n")
        return daemon

    return make


@pytest.fixture
def enter(connect):
    """enter(imd, kind, "ann", "phone") -> the client, and the answer to its login."""

    def make(daemon, kind, user, device=None, **fields):
        im = connect(daemon, kind)
        return im, im.login(user, device, **(fields or {"password": password(user)}))

    return make


def refusal(im, **fields):
    """The whole answer to a login that must fail, but for the request's id."""
    reply = im.reply(im.post("login", **fields))
    assert reply["op"] == "err" and reply["code"] == CODES[reply["name"]], reply
    del reply["id"]
    return reply


def refused(im, **fields):
    return refusal(im, **fields)["name"]


# modes


@pytest.mark.parametrize("mode, ways", [("open", ["open", "password", "token"]), ("password", ["password", "token"]),
                                        ("token", ["token"])])
@pytest.mark.parametrize("register", ["off", "invite", "on"])
def test_hello_tells_how_to_come_in(serve, connect, mode, ways, register):
    hello = connect(serve(mode=mode, register=register)).hello()
    assert (hello["auth"], hello["register"]) == (ways, "off" if mode == "token" else register)


def test_in_open_mode_a_registered_id_needs_its_password(serve, connect, kind):
    daemon = serve("ann", mode="open")
    im = connect(daemon, kind)
    assert refused(im, user="ann") == "password_needed"
    assert refused(im, user="ANN") == "password_needed"
    assert refused(im, user="ann", password="wrong") == "bad_login"
    assert im.login("ann", password=password("ann"))["user"] == "ann"
    assert "token" not in connect(daemon, kind).login("passer-by")


def test_an_unknown_id_and_a_wrong_password_are_told_apart_by_nothing(serve, connect, kind):
    daemon = serve("ann", "off", mode="password", backoff_start="0ms")
    daemon.imctl("user", "add", "bot", "robot")
    daemon.imctl("user", "disable", "off")
    im = connect(daemon, kind)
    assert refusal(im, user="ann") == refusal(im, user="nobody")
    wrong = refusal(im, user="ann", password="wrong")
    assert wrong["name"] == "bad_login"
    for user, given in [("nobody", "wrong"), ("robot", ""), ("robot", "wrong"), ("off", password("off"))]:
        before = daemon.metric("passwords_hashed_total")
        assert refusal(im, user=user, password=given) == wrong
        assert daemon.metric("passwords_hashed_total") == before + 1, "the same work"
    assert daemon.metric("logins_failed_total") == 5
    im.login("ann", password=password("ann"))


def test_in_token_mode_nothing_else_logs_in(serve, connect, kind):
    daemon = serve("ann", mode="token", register="on")
    im = connect(daemon, kind)
    assert refused(im, user="ann") == "forbidden"
    assert refused(im, user="ann", password=password("ann")) == "forbidden"
    assert im.refused("register", user="bob", password="long enough") == "register_off"
    assert im.ask("login", token=daemon.imctl("token", "create", "ann")["token"])["user"] == "ann"
    assert im.refused("password", password=password("ann"), new="long enough") == "forbidden"


def test_where_there_are_accounts_nobody_else_can_be_written_to(serve, enter, kind):
    im, _ = enter(serve("ann", "bob", mode="password"), kind, "ann")
    assert im.refused("send", to="nobody", text="hi") == "no_such_user"
    assert im.say("bob", "hi")["online"] is False


def test_what_is_kept_and_logged_lets_nobody_in(serve, enter, connect, kind):
    daemon = serve("ann", mode="password")
    _, reply = enter(daemon, kind, "ann", "phone")
    api = daemon.imctl("token", "create", "ann")["token"]
    code = daemon.imctl("invite", "create")["code"]
    jwt = signed(claims(sub="ann"))
    refused(connect(daemon, kind), token=jwt)
    refused(connect(daemon, kind), user="ann", password="my other password")
    daemon.term()
    for folder, _, files in os.walk(daemon.dir):
        for file in files:
            with open(os.path.join(folder, file), "rb") as f:
                data = f.read()
            for secret in (password("ann"), "my other password", reply["token"], api, code, jwt):
                assert secret.encode() not in data, f"{secret} is in {file}"


def test_without_a_login_nothing_is_told(serve, connect, kind):
    im = connect(serve("ann", mode="password"), kind)
    refused(im, user="ann", password="wrong")
    for op, fields in [("send", {"to": "ann", "text": "hi"}), ("conversations", {}), ("profile", {"user": "ann"})]:
        assert im.refused(op, **fields) == "login_first"


# passwords


def accounts(daemon):
    """The account records as they lie in the database of a server that has ended."""
    with sqlite3.connect(os.path.join(daemon.dir, "imd.db")) as db:
        return {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM records WHERE kind = 0")}


def test_a_hash_with_other_parameters_is_renewed_at_the_next_login(serve, enter, kind):
    daemon = serve("ann", "bob", mode="password")
    daemon.term()
    assert "$argon2id$v=19$m=8,t=1,p=1$" in accounts(daemon)["ann"]["password"]
    daemon.write_config({"auth": {"mode": "password", "argon2_memory": "16KiB", "argon2_ops": 2}})
    daemon.start()
    enter(daemon, kind, "ann")
    daemon.term()
    assert "$m=16,t=2,p=1$" in accounts(daemon)["ann"]["password"]
    assert "$m=8,t=1,p=1$" in accounts(daemon)["bob"]["password"]
    daemon.start()
    enter(daemon, kind, "ann"), enter(daemon, kind, "bob")


def test_a_new_password_ends_what_rested_on_the_old_one(serve, enter, connect, kind):
    daemon = serve("ann", mode="password")
    phone, on_phone = enter(daemon, kind, "ann", "phone")
    laptop, on_laptop = enter(daemon, "unix", "ann", "laptop")
    api = daemon.imctl("token", "create", "ann")["token"]
    script, _ = enter(daemon, kind, None, token=api)
    assert phone.refused("password", new="long enough") == "password_needed"
    assert phone.refused("password", password="wrong", new="long enough") == "bad_login"
    assert phone.refused("password", password=password("ann"), new="short") == "weak_password"
    phone.ask("password", password=password("ann"), new="long enough")
    assert laptop.event("bye")["name"] == "revoked"
    laptop.wait_closed()
    im = connect(daemon, kind)
    assert refused(im, user="ann", password=password("ann")) == "bad_login"
    assert refused(im, token=on_laptop["token"]) == "bad_token"
    im.login("ann", password="long enough")
    script.ask("ping"), phone.ask("ping")
    enter(daemon, kind, None, token=api), enter(daemon, kind, None, "phone", token=on_phone["token"])


def test_guessing_takes_longer_and_longer(serve, connect, kind):
    daemon = serve("ann", "bob", mode="password", backoff_start="1h", backoff_most="1h")
    im = connect(daemon, kind)
    for _ in range(5):
        assert refused(im, user="ann", password="wrong") == "bad_login"
    reply = refusal(im, user="ANN", password=password("ann"))
    assert (reply["name"], reply["retry"]) == ("back_off", True) and 3_500_000 < reply["after"] <= 3_600_000
    im.login("bob", password=password("bob"))


def test_after_the_wait_the_owner_gets_in(serve, connect, kind):
    daemon = serve("ann", mode="password", backoff_start="1s", backoff_most="1s")
    im = connect(daemon, kind)
    for _ in range(5):
        assert refused(im, user="ann", password="wrong") == "bad_login"

    def comes_in():
        reply = im.reply(im.post("login", user="ann", password=password("ann")))
        assert reply["op"] == "ok" or reply["name"] == "back_off", reply
        return reply["op"] == "ok"

    until(comes_in, "the wait to end")
    assert refused(connect(daemon, kind), user="ann", password="wrong") == "bad_login", "forgiven"


def test_an_address_has_to_wait_too(imd, connect):
    daemon = imd({"auth": {**CHEAP, "mode": "password", "backoff_start": "1h", "backoff_most": "1h"},
                  "limits": {"count_loopback": True}})
    im = connect(daemon, "line", source="127.0.0.2")
    for n in range(5):
        assert refused(im, user=f"user{n}", password="wrong") == "bad_login"
    assert refused(connect(daemon, "line", source="127.0.0.2"), user="fresh", password="wrong") == "back_off"
    assert refused(connect(daemon, "line", source="127.0.0.3"), user="fresh", password="wrong") == "bad_login"


# session tokens


def test_a_named_device_gets_a_token_that_stands_for_the_password(serve, enter, kind):
    daemon = serve("ann", mode="password", token_lifetime="2d")
    _, reply = enter(daemon, kind, "ann")
    assert "token" not in reply, "nobody asked for a device"
    _, first = enter(daemon, kind, "ann", "phone")
    assert re.fullmatch(r"[\w-]{43}", first["token"])
    assert abs(first["expires"] / 1000 - time.time() - 2 * 86400) < 600
    daemon.restart()
    im, again = enter(daemon, kind, "ann", "phone", token=first["token"])
    assert again["user"] == "ann" and "token" not in again
    assert [d["device"] for d in im.ask("devices")["devices"] if d["current"]] == ["phone"]


def test_a_token_knows_its_device_and_fits_no_other(serve, enter, connect, kind):
    daemon = serve("ann", "bob", mode="password")
    first, reply = enter(daemon, kind, "ann", "phone")
    im = connect(daemon, kind)
    im.hello("tablet")
    assert refused(im, token=reply["token"]) == "bad_token"
    im = connect(daemon, kind)
    assert refused(im, user="bob", token=reply["token"]) == "bad_token"
    im.ask("login", token=reply["token"])
    assert [d["device"] for d in im.ask("devices")["devices"] if d["current"]] == ["phone"]
    assert first.event("bye")["name"] == "replaced"


def test_a_device_has_one_token(serve, enter, connect, kind):
    daemon = serve("ann", mode="password")
    _, first = enter(daemon, kind, "ann", "phone")
    _, second = enter(daemon, kind, "ann", "phone")
    assert first["token"] != second["token"]
    assert refused(connect(daemon, kind), token=first["token"]) == "bad_token"
    enter(daemon, kind, None, token=second["token"])
    rows = daemon.imctl("token", "list", "ann")["tokens"]
    assert [(t["use"], t["device"]) for t in rows] == [("session", "phone")]


def bye_forget(daemon, phone, laptop):
    phone.ask("bye", forget=True)


def devices_forget(daemon, phone, laptop):
    laptop.ask("devices", device="phone", forget=True)


def imctl_passwd(daemon, phone, laptop):
    daemon.imctl("user", "passwd", "ann", stdin="brand new one\n")


def imctl_revoke(daemon, phone, laptop):
    rows = daemon.imctl("token", "list", "ann")["tokens"]
    daemon.imctl("token", "revoke", next(t["id"] for t in rows if t["device"] == "phone"))


@pytest.mark.parametrize("end", [bye_forget, devices_forget, imctl_passwd, imctl_revoke])
def test_a_token_ends_before_the_answer(serve, enter, connect, kind, end):
    daemon = serve("ann", mode="password")
    phone, reply = enter(daemon, kind, "ann", "phone")
    laptop, _ = enter(daemon, "unix", "ann", "laptop")
    end(daemon, phone, laptop)
    phone.wait_closed()
    assert refused(connect(daemon, kind), token=reply["token"]) == "bad_token"


def test_bye_alone_keeps_the_token(serve, enter, kind):
    daemon = serve("ann", mode="password")
    im, reply = enter(daemon, kind, "ann", "phone")
    im.ask("bye")
    im.wait_closed()
    enter(daemon, kind, None, token=reply["token"])


def test_a_token_expires(serve, connect, kind):
    daemon = serve("ann", mode="token")
    token = daemon.imctl("token", "create", "ann", "expires=2s")["token"]
    connect(daemon, kind).ask("login", token=token)

    def is_over():
        im = connect(daemon, kind)
        reply = im.reply(im.post("login", token=token))
        return reply.get("name") == "bad_token"

    until(is_over, "the token to expire", pause=0.1)


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "..", "a.b.c", "x" * 5000])
def test_what_is_no_token_is_refused(serve, connect, kind, token):
    reply = connect(serve("ann", mode="password"), kind).refused("login", token=token)
    assert reply in ("bad_token", "bad_field", "too_long")


# signed tokens


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(payload, secret=SECRET, **header):
    text = ".".join(b64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT", **header}, payload))
    return text + "." + b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())


def claims(**changes):
    """Good ones, with changes; None takes a claim away."""
    now = int(time.time())
    all_claims = {"sub": "小明", "aud": "imd", "iat": now, "exp": now + 300, **changes}
    return {name: value for name, value in all_claims.items() if value is not None}


class Signer:
    """An Ed25519 key pair, made and used by the openssl program."""

    def __init__(self, folder):
        self.private, self.public = str(folder / "private.pem"), str(folder / "public.pem")
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.private], check=True)
        subprocess.run(["openssl", "pkey", "-in", self.private, "-pubout", "-out", self.public], check=True)
        self.text = folder / "text"

    def sign(self, payload, **header):
        text = ".".join(b64(json.dumps(part).encode()) for part in ({"alg": "EdDSA", **header}, payload))
        self.text.write_text(text)
        done = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.private, "-in", str(self.text)],
                              check=True, capture_output=True)
        return text + "." + b64(done.stdout)

    def public_bytes(self):
        """As somebody would take it for a secret: the file."""
        with open(self.public, "rb") as f:
            return f.read()


@pytest.fixture
def signer(tmp_path):
    return Signer(tmp_path)


@pytest.fixture
def embed(imd, signer, tmp_path):
    """A server that knows one key of each algorithm."""

    def make(**auth):
        (tmp_path / "secret").write_bytes(SECRET + b"\n")
        keys = [f"HS256:{tmp_path}/secret", f"EdDSA:{signer.public}"]
        return imd({"auth": {**CHEAP, "backoff_start": "0ms", "jwt_keys": keys, **auth}})

    return make


@pytest.mark.parametrize("mode", ["open", "password", "token"])
def test_another_system_signs_its_users_in(embed, connect, signer, kind, mode):
    daemon = embed(mode=mode)
    ming, hong = connect(daemon, kind), connect(daemon, kind)
    assert ming.ask("login", token=signed(claims()))["user"] == "小明"
    assert hong.ask("login", user="小红", token=signer.sign(claims(sub="小红", aud=["other", "imd"])))["user"] == "小红"
    ming.say("小红", "hi")
    assert hong.msg()["text"] == "hi"
    made = {u["user"]: u["account"] for u in daemon.imctl("user", "list")["users"]}
    assert made == dict.fromkeys(["小红", "小明"], "none" if mode == "open" else "active")


BAD = {
    "expired": lambda s: signed(claims(exp=int(time.time()) - 60)),
    "without exp": lambda s: signed(claims(exp=None)),
    "not yet": lambda s: signed(claims(nbf=int(time.time()) + 300)),
    "for another server": lambda s: signed(claims(aud="forum")),
    "for no server": lambda s: signed(claims(aud=None)),
    "for nobody": lambda s: signed(claims(sub=None)),
    "for no id": lambda s: signed(claims(sub="a b")),
    "with a wrong secret": lambda s: signed(claims(), OTHER_SECRET),
    "with alg none": lambda s: signed(claims(), alg="none").rsplit(".", 1)[0] + ".",
    "with alg none and a signature": lambda s: signed(claims(), alg="none"),
    "with the public key as the secret": lambda s: signed(claims(), s.public_bytes()),
    "with a secret, called EdDSA": lambda s: signed(claims(), alg="EdDSA"),
    "with EdDSA, called HS256": lambda s: s.sign(claims(), alg="HS256"),
    "with claims changed": lambda s: swap_claims(s.sign(claims()), claims(sub="root")),
    "with another signature": lambda s: s.sign(claims()).rsplit(".", 1)[0] + "." + s.sign(claims(sub="b")).rsplit(".", 1)[1],
    "with extensions": lambda s: signed(claims(), crit=["b64"], b64=False),
    "padded": lambda s: signed(claims()) + "=",
    "in four parts": lambda s: signed(claims()) + ".x",
}


def swap_claims(token, payload):
    header, _, signature = token.split(".")
    return f"{header}.{b64(json.dumps(payload).encode())}.{signature}"


def test_a_bad_signed_token_is_refused_without_saying_why(embed, connect, signer, kind):
    daemon = embed(mode="token")
    im = connect(daemon, kind)
    answers = {what: refusal(im, token=make(signer)) for what, make in BAD.items()}
    wanted = refusal(im, token="A" * 43)
    assert wanted["name"] == "bad_token" and answers == dict.fromkeys(BAD, wanted)
    assert refused(im, user="小红", token=signed(claims())) == "bad_token"
    assert daemon.imctl("user", "list")["users"] == []
    assert 'exp: is past' in daemon.logs, "the operator can see why"
    assert im.ask("login", token=signed(claims()))["user"] == "小明"


def test_the_audience_and_the_leeway_are_the_operators(embed, connect, kind):
    daemon = embed(mode="token", jwt_audience="chat.example.org", jwt_leeway="10m")
    im = connect(daemon, kind)
    assert refused(im, token=signed(claims())) == "bad_token"
    im.ask("login", token=signed(claims(aud="chat.example.org", exp=int(time.time()) - 300)))


def test_the_signed_token_of_a_closed_account_is_refused(embed, connect, kind):
    daemon = embed(mode="token")
    im = connect(daemon, kind)
    im.ask("login", token=signed(claims()))
    daemon.imctl("user", "disable", "小明")
    assert im.event("bye")["name"] == "revoked"
    assert refused(connect(daemon, kind), token=signed(claims())) == "bad_token"
    daemon.imctl("user", "enable", "小明")
    connect(daemon, kind).ask("login", token=signed(claims()))


# system users


def me():
    return pwd.getpwuid(os.getuid()).pw_name


def test_a_system_user_needs_nothing_on_a_unix_socket(serve, connect):
    daemon = serve("bob", mode="password", unix_users=[f"{me()}:喵喵"])
    im = connect(daemon, "unix")
    assert im.ask("login")["user"] == "喵喵"
    assert im.refused("password", password="none", new="x") == "weak_password"
    im.ask("password", new="long enough")
    assert connect(daemon, "unix").ask("login", user="喵喵")["user"] == "喵喵"
    assert connect(daemon, "line").login("喵喵", password="long enough")["user"] == "喵喵"


def test_a_system_user_is_nobody_elsewhere_and_nobody_else(serve, connect, kind):
    daemon = serve("bob", mode="password", unix_users=[f"{me()}:喵喵"])
    im = connect(daemon, kind)
    assert refused(im, user="bob") == "password_needed"
    if kind != "unix":
        assert im.refused("login") == "bad_field"
        assert refused(im, user="喵喵") == "password_needed"
    im.login("bob", password=password("bob"))


def test_every_system_user_may_have_the_id_of_the_same_name(serve, connect):
    daemon = serve(mode="token", unix_users=["*"])
    assert connect(daemon, "unix").ask("login")["user"] == me()


def test_without_a_mapping_a_system_user_is_nobody(serve, connect):
    daemon = serve(mode="password")
    assert connect(daemon, "unix").refused("login") == "bad_field"


# registering


def test_whoever_registers_is_logged_in(serve, enter, connect, kind):
    daemon = serve(mode="password", register="on")
    im = connect(daemon, kind)
    im.hello("phone")
    assert im.refused("register", user="ann", password="short") == "weak_password"
    assert im.refused("register", user="a b", password="long enough") == "bad_id"
    reply = im.ask("register", user="ann", password=password("ann"))
    assert reply["user"] == "ann" and reply["token"] and reply["expires"]
    assert im.refused("register", user="bob", password="long enough") == "logged_in"
    assert connect(daemon, kind).refused("register", user="ANN", password="long enough") == "user_exists"
    enter(daemon, kind, "ann"), enter(daemon, kind, None, token=reply["token"])


def test_registering_in_open_mode_keeps_an_id_for_oneself(serve, connect, kind):
    daemon = serve(mode="open", register="on")
    squatter = connect(daemon, "unix", "ann")
    im = connect(daemon, kind)
    im.ask("register", user="ann", password=password("ann"))
    assert squatter.event("bye")["name"] == "revoked"
    assert refused(connect(daemon, kind), user="ann") == "password_needed"


@pytest.mark.parametrize("mode", ["open", "password"])
def test_registration_may_be_closed(serve, connect, kind, mode):
    im = connect(serve(mode=mode), kind)
    assert im.refused("register", user="ann", password="long enough") == "register_off"
    assert im.refused("register", user="ann", password="long enough", invite="x") == "register_off"


def test_an_invitation_is_good_for_so_many_and_so_long(serve, connect, kind):
    daemon = serve(mode="password", register="invite", backoff_start="0ms")
    code = daemon.imctl("invite", "create", "uses=2")["code"]
    im = connect(daemon, kind)
    assert im.refused("register", user="ann", password="long enough") == "bad_invite"
    assert im.refused("register", user="ann", password="long enough", invite=code[:-1]) == "bad_invite"
    im.ask("register", user="ann", password="long enough", invite=code)
    assert connect(daemon, kind).refused("register", user="ann", password="long enough", invite=code) == "user_exists"
    connect(daemon, kind).ask("register", user="bob", password="long enough", invite=code)
    assert connect(daemon, kind).refused("register", user="cat", password="long enough", invite=code) == "bad_invite"
    assert all(i["uses"] == 0 for i in daemon.imctl("invite", "list")["invites"])


def test_of_many_with_one_invitation_at_once_one_gets_in(serve, connect, kind):
    daemon = serve(mode="password", register="invite", backoff_start="0ms")
    code = daemon.imctl("invite", "create", "uses=1")["code"]
    people = [connect(daemon, kind) for _ in range(5)]
    asked = [im.post("register", user=f"u{n}", password="long enough", invite=code) for n, im in enumerate(people)]
    answers = [im.reply(number) for im, number in zip(people, asked)]
    assert sorted(a.get("name", a["op"]) for a in answers) == 4 * ["bad_invite"] + ["ok"]
    assert len(daemon.imctl("user", "list")["users"]) == 1


# the address of the chat with one peer


def chat_url(daemon, token, user="ann", peer="bob"):
    return daemon.ws_url(f"{classroom_path(user, peer)}?token={quote(token, safe='')}")


def test_a_token_in_the_address_lets_in(serve, enter, closing):
    daemon = serve("ann", "bob", mode="password")
    token = daemon.imctl("token", "create", "ann")["token"]
    bob, _ = enter(daemon, "line", "bob")
    ann = closing(Classroom(daemon, WsLink(chat_url(daemon, token), None), "ann", "bob"))
    ann.say("hello")
    assert bob.msg()["text"] == "hello"
    bob.say("ann", "hi")
    ann.hear("hi")


def test_a_signed_token_in_the_address_lets_in_too(embed, closing):
    daemon = embed(mode="token")
    im = closing(Im(WsLink(chat_url(daemon, signed(claims()), "小明", "小红"))))
    first = im.event("ok")
    assert first["user"] == "小明" and "id" not in first


@pytest.mark.parametrize("protocol", [None, "im.v1"])
def test_an_address_without_its_token_is_closed(serve, closing, protocol):
    daemon = serve("ann", "bob", "cat", mode="password")
    token = daemon.imctl("token", "create", "ann")["token"]
    paths = [classroom_path("ann", "bob"), classroom_path("ann", "bob") + "?token=" + "A" * 43,
             classroom_path("cat", "bob") + "?token=" + token, classroom_path("ann", "bob") + "?token="]
    for path in paths:
        _, closed = closing(WsLink(daemon.ws_url(path), protocol)).wait_closed()
        assert closed.code == 1008, path
    raw = closing(RawWsLink(daemon.ws_port, classroom_path("ann", "bob") + "?token=%zz", protocol))
    assert raw.status == 400
    assert daemon.online()["sessions"] == 0


# configuration


def test_a_key_that_cannot_be_used_stops_the_start_with_its_name(imd, tmp_path):
    daemon = imd({"auth": CHEAP})
    (tmp_path / "short").write_bytes(b"too short")
    daemon.write_config({"auth": {"jwt_keys": [f"HS256:{tmp_path}/short"]}})
    done = subprocess.run([daemon.program, "-t", "-c", daemon.config_path], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "auth.jwt_keys" in done.stderr and "32" in done.stderr


def test_open_mode_is_for_loopback_unless_said_otherwise(imd):
    daemon = imd()
    for auth, ok in [({"mode": "open"}, False), ({"mode": "password"}, True), ({"mode": "token"}, True)]:
        listen = [{"transport": "line", "address": f"0.0.0.0:{free_port()}"}]
        daemon.write_config({"listen": listen, "auth": auth})
        done = subprocess.run([daemon.program, "-t", "-c", daemon.config_path], capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == ok, done.stderr
        assert ok or "public_open" in done.stderr
