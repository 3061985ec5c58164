import os
import sys

import pytest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "..", "e2e"))
pytest.register_assert_rewrite("wsraw")

from imdtest.certs import client_context, make_certificate  # noqa: E402
from imdtest.daemon import Imd  # noqa: E402
import wsraw  # noqa: E402

CONFIG = {"debug": {"echo": True}, "store": {"kind": "memory"}, "http": {"head_timeout": "1s", "idle_timeout": "1s"},
          "websocket": {"ping": "1s", "pong_timeout": "1500ms"}}
# Long cases must not be taken for silence.
PATIENT = {"debug": {"echo": True}, "store": {"kind": "memory"}}


class Server:
    """Where the server under test listens; `imd` is None if somebody else started it."""

    def __init__(self, address, imd=None, tls=None, tls_address=None):
        self.address, self.imd, self.tls, self.tls_address = address, imd, tls, tls_address

    def connect(self, path="/echo", **options):
        return wsraw.WebSocket(self.address, path, **options)

    def raw(self):
        return wsraw.Raw(self.address)


def started(config, certificate=None, **options):
    imd = Imd(config, tls=certificate, **options)
    tls = client_context(certificate) if certificate else None
    return Server(("127.0.0.1", imd.ws_port), imd, tls, ("127.0.0.1", imd.wss_port))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return make_certificate(str(tmp_path_factory.mktemp("tls")))


@pytest.fixture(scope="session")
def server(certificate):
    """A server with /echo. IM_ECHO=HOST:PORT tests one that runs already."""
    if os.environ.get("IM_ECHO"):
        host, port = os.environ["IM_ECHO"].rsplit(":", 1)
        yield Server((host, int(port)))
        return
    it = started(PATIENT, certificate)
    yield it
    it.imd.close()


@pytest.fixture
def start():
    """start(config) -> Server: one with a configuration of its own."""
    made = []

    def make(config=None, **options):
        made.append(started({**PATIENT, **(config or {})}, **options))
        return made[-1]

    yield make
    for it in made:
        it.imd.close()


@pytest.fixture
def impatient(start):
    return start(CONFIG)


@pytest.fixture
def ws(server):
    it = server.connect()
    yield it
    it.close()
