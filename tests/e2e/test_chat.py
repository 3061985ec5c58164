"""Two people chat, whatever they sit at."""

from urllib.parse import quote

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from imdtest.clients import Im
from imdtest.kinds import AWAY, KINDS, LINKS, classroom_path
from imdtest.links import Closed, RawWsLink, WsLink

TEXTS = ["hi", "你好，小明！", "🐱 meow \"quoted\" \\ back/slash", "a:b: c", "x" * 3000]


@pytest.mark.parametrize("left", KINDS)
@pytest.mark.parametrize("right", KINDS)
def test_any_two_kinds_of_clients_chat_both_ways(shared, chat, name, left, right):
    me, you = name("小明"), name("翠花")
    a = chat(shared, left, me, you)
    b = chat(shared, right, you, me)
    for text in TEXTS:
        assert a.say(text) in (True, None)
        b.hear(text)
        assert b.say(f"re: {text}") in (True, None)
        a.hear(f"re: {text}")
    for end in (a, b):
        if hasattr(end, "nothing_more"):
            end.nothing_more()


def test_many_messages_arrive_in_order(shared, chat, name):
    me, you = name("a"), name("b")
    a, b = chat(shared, "websocket", me, you), chat(shared, "line-json", you, me)
    for n in range(300):
        a.im.tell("send", to=you, text=str(n))
    assert b.im.texts(300) == [str(n) for n in range(300)]


def test_every_session_of_both_users_sees_a_message(shared, connect, name):
    me, you = name("a"), name("b")
    mine = [connect(shared, kind, me) for kind in ("line", "unix", "websocket")]
    yours = [connect(shared, kind, you) for kind in ("line", "unix", "websocket")]
    sent = mine[0].say(you, "all of you")
    for im in mine[1:] + yours:
        event = im.msg()
        assert (event["text"], event["from"], event["to"], event["pos"]) == ("all of you", me, you, sent["pos"])
        assert event["conv"] == (you if im in mine else me)


def test_positions_and_sequence_numbers_tell_the_order(shared, connect, name):
    me, you, third = name("a"), name("b"), name("c")
    a = connect(shared, "line", me)
    first, other, second = a.say(you, "1"), a.say(third, "2"), a.say(you, "3")
    assert (first["seq"], second["seq"], other["seq"]) == (1, 2, 1)
    assert int(first["pos"]) < int(other["pos"]) < int(second["pos"])
    assert (first["conv"], other["conv"]) == (you, third)
    assert second["ts"] >= first["ts"] > 1_600_000_000_000


def test_a_message_to_oneself_comes_once(shared, connect, name):
    me = name("a")
    a, other = connect(shared, "line", me), connect(shared, "websocket", me)
    a.say(me, "note to self")
    assert other.msg()["text"] == "note to self"
    assert other.pending() == []


def test_names_are_the_same_user_by_case_and_normalisation(shared, connect, name):
    base = name("Zoé")
    composed, decomposed = base, base.replace("é", "e\u0301")
    a = connect(shared, "line", composed)
    b = connect(shared, "line", name("b"))
    for spelling in (decomposed, composed.upper(), composed.lower()):
        assert b.say(spelling, spelling)["online"] is True
        assert a.msg()["text"] == spelling
    assert connect(shared, "unix").login(decomposed)["user"] == composed


# the classroom chat

def test_classroom_shows_bare_text_of_the_target_and_names_others(shared, chat, name):
    ming, hua, third = name("小明"), name("翠花"), name("李雷")
    room = chat(shared, "classroom", ming, hua)
    a, b = chat(shared, "line-json", hua, ming), chat(shared, "line-json", third, ming)
    a.say("在吗")
    room.hear("在吗")
    b.say("我也在")
    room.hear("我也在", third)
    a.say("好")
    room.hear("好")


def test_classroom_never_gives_back_own_messages(shared, chat, name):
    ming, hua = name("小明"), name("翠花")
    room, peer = chat(shared, "classroom", ming, hua), chat(shared, "classroom", hua, ming)
    for n in range(20):
        room.say(f"out {n}")
        peer.hear(f"out {n}")
        peer.say(f"in {n}")
        room.hear(f"in {n}")


def test_classroom_answers_exactly_that_the_peer_is_away(shared, chat, closing, name):
    ming, hua = name("小明"), name("翠花")
    room = closing(WsLink(shared.ws_url(classroom_path(ming, hua)), None))
    for n in range(3):
        room.send(f"message {n}")
        assert room.recv() == "对方不在线" == AWAY
    peer = chat(shared, "classroom", hua, ming)
    for n in range(3):
        peer.hear(f"message {n}")
    room.send("now you are there")
    peer.hear("now you are there")
    peer.say("yes")
    assert room.recv() == "yes"


@pytest.mark.parametrize("path, ok", [
    ("/ws/{a}/{b}", True),
    ("/ws/{A}/{B}", True),
    ("/ws/{a}%E8%8A%B1/%e5%b0%8f{b}", True),
    ("/ws/{a}/{b}?x=anything", True),
    ("/ws/{a}", False),
    ("/ws/{a}/", False),
    ("/ws//{b}", False),
    ("/ws/{a}/{b}/c", False),
    ("/ws/{a}/%ff", False),
    ("/ws/{a}/%zz", False),
    ("/ws/{a}/b%00", False),
    ("/ws/{a}/%20", False),
    ("/ws/{a}/%2e%2e%2f", False),
    ("/ws/{a}/" + "x" * 33, False),
    ("/ws/{a}/%E2%80%AE", False),
])
def test_classroom_url_names(shared, closing, name, path, ok):
    a, b = name("小明"), name("翠花")
    path = path.format(a=quote(a), b=quote(b), A="".join(f"%{c:02X}" for c in a.encode()), B="".join(f"%{c:02x}" for c in b.encode()))
    link = closing(RawWsLink(shared.ws_port, path, None))
    if ok:
        assert link.status == 101, link.head
        link.send("anybody?")
        assert link.recv() == AWAY
    elif link.status == 101:
        with pytest.raises(Closed) as ended:
            link.recv()
        assert ended.value.code == 1008
    else:
        assert 400 <= link.status < 500, link.head


def test_percent_encoded_names_are_the_names(shared, chat, connect, closing, name):
    ming, hua = name("小明"), name("翠花")
    raw = closing(RawWsLink(shared.ws_port, "/ws/" + "/".join("".join(f"%{b:02x}" for b in n.encode()) for n in (ming, hua)), None))
    peer = connect(shared, "line", hua)
    raw.send("你好")
    event = peer.msg()
    assert (event["from"], event["to"], event["text"]) == (ming, hua, "你好")


def test_the_same_url_with_im_v1_is_logged_in_json(shared, chat, name):
    ming, hua = name("小明"), name("翠花")
    page, room = chat(shared, "url-json", ming, hua), chat(shared, "classroom", hua, ming)
    reply = page.im.say(hua, "你好", cid="c1")
    assert (reply["online"], reply["conv"]) == (True, hua)
    room.hear("你好")
    assert page.im.refused("login", user=ming) == "logged_in"


def test_an_unknown_subprotocol_is_not_pretended_to(shared, closing, name):
    link = closing(RawWsLink(shared.ws_port, classroom_path(name("a"), name("b")), "chat, superchat"))
    assert "sec-websocket-protocol" not in link.head.lower()


def test_im_v1_is_chosen_among_several_subprotocols(shared, closing):
    link = closing(RawWsLink(shared.ws_port, "/ws", "chat, im.v1"))
    assert link.status == 101 and "sec-websocket-protocol: im.v1" in link.head.lower()


def test_binary_messages_are_refused(shared, closing, name):
    link = closing(RawWsLink(shared.ws_port, classroom_path(name("a"), name("b")), None))
    link.send_bytes(RawWsLink.frame(b"\x00\x01", RawWsLink.BINARY))
    with pytest.raises(Closed) as ended:
        link.recv()
    assert ended.value.code == 1003


@pytest.mark.parametrize("kind", LINKS)
def test_large_texts_pass_whole(shared, connect, name, kind):
    a, b = connect(shared, kind, name("a")), connect(shared, kind, name("b"))
    text = "喵" * 5000 + "\n" + "e\u0301" * 100
    a.say(b.user, text)
    assert b.msg()["text"] == text


def test_the_classroom_over_tls(shared, closing, chat, name):
    ming, hua = name("小明"), name("翠花")
    room = closing(WsLink(shared.ws_url(classroom_path(ming, hua), tls=True), None, context=shared.tls_context))
    room.send("在吗")
    assert room.recv() == AWAY
    peer = chat(shared, "nc", hua, ming)
    peer.hear("在吗")
    peer.say("在")
    assert room.recv() == "在"


def test_tls_works_where_openssl_may_use_the_kernels(imd, certificate, closing, monkeypatch, tmp_path):
    config = tmp_path / "openssl.cnf"
    config.write_text("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nOptions = KTLS\n")
    monkeypatch.setenv("OPENSSL_CONF", str(config))
    daemon = imd(tls=certificate)
    a, b = (Im(closing(WsLink(daemon.ws_url(tls=True), context=daemon.tls_context))) for _ in range(2))
    a.login("ann"), b.login("bob")
    texts = ["x" * size for size in (1, 100, 5000, 16000)]
    for text in texts:
        a.say("bob", text)
    assert b.texts(len(texts)) == texts


@pytest.mark.parametrize("compression", ["deflate", None])
def test_a_client_chooses_compression(shared, closing, connect, name, compression):
    link = closing(WsLink(shared.ws_url(), compression=compression))
    assert [e.name for e in link.ws.extensions] == (["permessage-deflate"] if compression else [])
    im, peer = Im(link), connect(shared, "line", name("b"))
    im.login(name("a"))
    text = "喵喵喵！" * 1000
    im.say(peer.user, text)
    peer.say(im.user, text)
    assert peer.msg()["text"] == im.msg()["text"] == text


def test_a_fan_out_is_compressed_once_in_each_form(imd, closing):
    daemon = imd()
    groups, others, rounds = ("#cats", "#dogs"), 12, 5

    def client(user, path="/ws", protocol="im.v1", bits=None):
        packed = ClientPerMessageDeflateFactory(server_max_window_bits=bits, client_max_window_bits=True)
        link = closing(WsLink(daemon.ws_url(path), protocol, compression=None, extensions=[packed]))
        if not protocol:
            return link
        im = Im(link)
        im.login(user)
        return im

    sender, same = client("ann"), client("ann")
    for group in groups:
        sender.ask("group", do="create", conv=group, public=True)
    members = [client(f"m{at}", bits=(None, 9, 12)[at % 3]) for at in range(others)]
    for member in members:
        for group in groups:
            member.ask("group", do="join", conv=group)
    room = client("m0", classroom_path("m0", groups[0]), None)
    before = daemon.imctl("counters")
    texts = [f"{at} " + "warm fur " * 30 for at in range(2 * rounds)]
    for number in [sender.post("send", to=groups[at % 2], text=text) for at, text in enumerate(texts)]:
        sender.reply(number)
    for im in [same, *members]:
        assert im.texts(len(texts)) == texts
    while room.recv().split(": ", 1)[1] != texts[-1]:
        pass
    after = daemon.imctl("counters")
    grown = {name: after[name] - before[name] for name in after if name.startswith("websocket_deflate")}
    forms = 3 * len(texts)  # as its sender sees it, as others do, and bare; each worker compresses for its own
    assert forms <= grown["websocket_deflate_runs_total"] <= forms * daemon.workers
    assert grown["websocket_deflated_sent_total"] == (1 + others + 1) * len(texts)
