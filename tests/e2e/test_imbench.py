"""imbench against the real daemon: every scenario over every endpoint. Nothing here depends on how fast anything is."""

import json
import re
import subprocess
import xml.etree.ElementTree

import pytest
import websockets
from imdtest.daemon import Imd, find_program
from imdtest.fixtures import close_all
from imdtest.links import Loop
from imdtest.wait import PATIENCE, until

URLS = {
    "ws": lambda imd: f"ws://127.0.0.1:{imd.ws_port}",
    "wss": lambda imd: f"wss://127.0.0.1:{imd.wss_port}",
    "tcp": lambda imd: f"tcp://127.0.0.1:{imd.line_port}",
    "tls": lambda imd: f"tls://127.0.0.1:{imd.line_tls_port}",
    "unix": lambda imd: f"unix:{imd.unix_path}",
}
ENDPOINTS = [("ws", "classroom"), ("ws", "json"), ("wss", "classroom"), ("wss", "json"), ("tcp", "json"), ("tls", "json"),
             ("unix", "json")]
SCENARIOS = ["pingpong", "pairs", "rate", "fanout", "idle", "durable", "storm", "connect", "slow", "history"]
JSON_ONLY = ["durable", "history"]
NOTHING_WRONG = {"lost": 0, "duplicated": 0, "misordered": 0, "unanswered": 0}


def command(*arguments):
    return [find_program("imbench", "IMBENCH"), *map(str, arguments)]


def imbench(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=6 * PATIENCE, check=False)


def wrongs(result):
    return {key: result["messages"][key] for key in NOTHING_WRONG}


def good(done):
    """The result of a run in which nothing was wrong."""
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert wrongs(result) == NOTHING_WRONG
    assert result["messages"]["received"] == result["messages"]["expected"]
    return result


@pytest.fixture(scope="module")
def server(certificate):
    daemon = Imd({"store": {"kind": "memory", "path": None, "sync": None}, "limits": {"rate": 0}, "log": {"level": "info"}},
                 tls=certificate)
    yield daemon
    close_all([daemon])


@pytest.mark.parametrize("transport,protocol", ENDPOINTS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_over_every_endpoint(server, scenario, transport, protocol):
    if protocol == "classroom" and scenario in JSON_ONLY:
        done = imbench("-P", protocol, scenario, URLS[transport](server))
        assert done.returncode == 64 and "needs json" in done.stderr
        return
    result = good(imbench("-j", "-c", 8, "-w", 4, "-t", 0.1, "-W", 0.05, "-r", 1000, "-d", 60, "-P", protocol,
                          "-p", server.process.pid, "--patience", PATIENCE, scenario, URLS[transport](server)))
    messages = result["messages"]
    assert (result["scenario"], result["protocol"], result["connections"]) == (scenario, protocol, 8)
    assert messages["expected"] == messages["sent"] * (7 if scenario == "fanout" else 1)
    if scenario in ("idle", "connect"):
        assert messages["sent"] == 0 and (result["done"] > 0) == (scenario == "connect")
    else:
        assert messages["sent"] > 0
    assert result["latency_us"]["count"] == result["done"]
    assert result["server"]["rss"] > 0


def test_so_many_messages_are_sent_as_were_asked_for(server):
    for scenario, receivers in (("pingpong", 1), ("pairs", 1), ("rate", 1), ("fanout", 7), ("durable", 1)):
        result = good(imbench("-j", "-c", 8, "-w", 3, "-n", 100, scenario, URLS["ws"](server)))
        assert result["messages"]["sent"] == 100
        assert result["messages"]["received"] == 100 * receivers


def test_messages_are_compressed_both_ways(server):
    names = ("websocket_messages_sent_total", "websocket_deflated_sent_total", "websocket_deflate_runs_total")
    for arguments in (["fanout"], ["-P", "json", "pairs"]):
        before = server.imctl("counters")
        good(imbench("-j", "-z", "-c", 8, "-s", 500, "-n", 40, *arguments, URLS["ws"](server)))
        after = server.imctl("counters")
        sent, packed, runs = (after[name] - before[name] for name in names)
        assert sent >= packed >= 40 and runs >= 40
        assert runs <= packed
    assert "ws:// and wss://" in imbench("-z", "pairs", URLS["tcp"](server)).stderr


def test_tls_is_taken_up_again_where_that_is_asked_for(server):
    for resume in (True, False):
        tls = good(imbench("-j", "-c", 2, "-t", 0.3, "-W", 0, *["--resume"] * resume, "connect", URLS["wss"](server)))["tls"]
        assert tls["handshakes"] > 2
        assert (tls["resumed"] > 0) == resume
    assert "wss:// and tls://" in imbench("--resume", "connect", URLS["ws"](server)).stderr


def test_what_is_durable_is_acknowledged_once_it_is_on_disk(imd):
    daemon = imd({"limits": {"rate": 0}})
    result = good(imbench("-j", "-c", 8, "-n", 200, "durable", URLS["ws"](daemon)))
    assert result["messages"]["sent"] == 200
    assert daemon.imctl("status")["store"]["events"] == 200


def test_big_messages_are_whole(server):
    assert good(imbench("-j", "-c", 4, "-s", 16000, "-n", 50, "pairs", URLS["ws"](server)))["size"] == 16000


def test_a_server_that_dies_is_told(imd):
    daemon = imd({"store": {"kind": "memory", "path": None, "sync": None}})
    process = subprocess.Popen(command("-j", "-c", 8, "-t", 600, "pingpong", URLS["ws"](daemon)), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    until(lambda: daemon.metric('sessions{transport="websocket"}') == 8, "everybody to be in")
    until(lambda: daemon.metric("events_delivered_total") > 0, "messages to be on their way")
    daemon.kill9()
    out, err = process.communicate(timeout=3 * PATIENCE)
    assert process.returncode == 69
    assert re.fullmatch(r"imbench: b[0-9a-f]{8}-\d: (the server closed it|Connection reset by peer|Broken pipe)\n", err), err
    result = json.loads(out)
    assert result["problem"] in err
    assert result["messages"]["sent"] > 0


def test_a_server_that_is_not_there_is_told(server):
    done = imbench("-c", 2, "pingpong", f"unix:{server.dir}/nobody.sock")
    assert done.returncode == 69
    assert "No such file or directory" in done.stderr


def test_what_the_server_refuses_is_told(imd):
    daemon = imd({"limits": {"text": 40}})
    done = imbench("-c", 2, "-P", "json", "pingpong", URLS["ws"](daemon))
    assert done.returncode == 76
    assert "too_long" in done.stderr


class Relay:
    """Passes texts on between two, and does wrong to some of the first one's, which are counted from 1 on."""

    def __init__(self, wrong):
        self.wrong, self.peers, self.count = wrong, {}, 0

    async def handle(self, ws):
        _, _, me, peer = ws.path.split("/")
        self.peers[me] = ws
        async for text in ws:
            self.count += me.endswith("-0")
            for passed in self.wrong(self.count, text) if me.endswith("-0") else [text]:
                await self.peers[peer].send(passed)


def swap(kept):
    """The tenth message comes after the eleventh."""

    def wrong(n, text):
        if n == 10:
            kept.append(text)
            return []
        return [text, kept.pop()] if n == 11 else [text]

    return wrong


WRONGS = {
    "lost": lambda n, text: [] if n == 10 else [text],
    "duplicated": lambda n, text: [text, text] if n == 10 else [text],
    "misordered": swap([]),
}


@pytest.fixture
def relay():
    """relay(wrong): the URL of a server that does so."""
    servers = []

    async def start(wrong):
        return await websockets.serve(Relay(wrong).handle, "127.0.0.1", 0)

    def make(wrong):
        servers.append(Loop.run(start(wrong)))
        return "ws://127.0.0.1:%d" % servers[-1].sockets[0].getsockname()[1]

    async def stop(server):
        server.close()
        await server.wait_closed()

    yield make
    for server in servers:
        Loop.run(stop(server))


@pytest.mark.parametrize("kind", WRONGS)
def test_a_message_that_is_not_as_it_should_be_is_noticed(relay, kind):
    done = imbench("-j", "-c", 2, "-r", 1000, "-n", 40, "--patience", 0.5, "rate", relay(WRONGS[kind]))
    assert done.returncode == 65
    assert done.stderr == "imbench: not every message came once and in order\n"
    assert wrongs(json.loads(done.stdout)) == {**NOTHING_WRONG, kind: 1}


def test_a_text_that_nobody_sent_is_noticed(relay):
    done = imbench("-c", 2, "-n", 40, "pingpong", relay(lambda n, text: [text[:-1] + "y"]))
    assert done.returncode == 76
    assert "got a text that nobody sent" in done.stderr


def test_people_get_a_table_and_pictures(server, tmp_path):
    picture = tmp_path / "plot.svg"
    done = imbench("-c", 4, "-t", 0.2, "-p", server.process.pid, "--svg", picture, "pairs", URLS["ws"](server))
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("pairs at ws://", "0 lost, 0 twice, 0 out of order", "throughput", "p99", "us for each of", "imbench"):
        assert word in done.stdout
    root = xml.etree.ElementTree.parse(picture).getroot()
    assert len([e for e in root.iter() if e.get("class") == "line"]) == 2


@pytest.mark.parametrize("arguments,says", [
    ([], "Usage"),
    (["pingpong"], "Usage"),
    (["dance", "ws://127.0.0.1:1"], 'no scenario "dance"'),
    (["pingpong", "http://127.0.0.1:1"], "must begin with"),
    (["pingpong", "ws://127.0.0.1"], "needs HOST:PORT"),
    (["pingpong", "ws://127.0.0.1:99999"], "needs a port from 1 to 65535"),
    (["pingpong", "ws://127.0.0.1:0"], "needs a port from 1 to 65535"),
    (["-t", "0", "pingpong", "ws://127.0.0.1:1"], "--time: must be more than 0"),
    (["-c", "1", "pingpong", "ws://127.0.0.1:1"], "--connections"),
    (["-c", "7", "pingpong", "ws://127.0.0.1:1"], "--connections: must be even"),
    (["-c", "6", "slow", "ws://127.0.0.1:1"], "at least 8"),
    (["-s", "31", "pingpong", "ws://127.0.0.1:1"], "--size"),
    (["-t", "soon", "pingpong", "ws://127.0.0.1:1"], "--time"),
    (["-p", "999999999", "pingpong", "ws://127.0.0.1:1"], "--pid"),
    (["-P", "irc", "pingpong", "ws://127.0.0.1:1"], "--protocol"),
    (["-P", "classroom", "pingpong", "tcp://127.0.0.1:1"], "over ws://"),
    (["-n", "5", "storm", "ws://127.0.0.1:1"], "measured for a time"),
    (["--faster", "pingpong", "ws://127.0.0.1:1"], "--help"),
])
def test_wrong_usage_is_explained(arguments, says):
    done = imbench(*arguments)
    assert done.returncode == 64
    assert says in done.stderr and done.stdout == ""


def test_help_names_every_scenario():
    done = imbench("--help")
    assert done.returncode == 0
    for name in SCENARIOS:
        assert re.search(rf"^  {name} ", done.stdout, re.M)
    assert imbench("--version").stdout.startswith("imbench ")
