"""Fixtures that tests/e2e and tests/fault share."""

import itertools

import pytest

from .certs import client_context, make_certificate
from .clients import Human, Im
from .daemon import Imd
from .kinds import KINDS, LINKS
from .links import LineLink, NcLink


class Closer:
    """Closes clients at the end of a test, whatever happened to them."""

    def __init__(self):
        self.things = []

    def __call__(self, thing):
        self.things.append(thing)
        return thing

    def close(self):
        for thing in reversed(self.things):
            try:
                thing.close()
            except Exception:  # it may be gone long ago
                pass


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return make_certificate(str(tmp_path_factory.mktemp("tls")))


@pytest.fixture
def imd(request):
    """Makes daemons: imd(config, tls=certificate, ws={...}) -> Imd. They must end well."""
    made = []

    def make(config=None, tls=None, **options):
        daemon = Imd(config, tls, start=False, **options)
        made.append(daemon)
        if tls:
            daemon.tls_context = client_context(tls)
        daemon.start()
        return daemon

    request.node.imds = made
    yield make
    close_all(made)


def close_all(daemons):
    errors = []
    for daemon in daemons:
        try:
            daemon.close()
        except AssertionError as error:
            errors.append(error)
    if errors:
        raise errors[0]


@pytest.fixture(scope="session")
def shared_imd(certificate):
    """One daemon for all tests that need nothing special and clean up by using names of their own."""
    daemon = Imd(tls=certificate)
    daemon.tls_context = client_context(certificate)
    yield daemon
    close_all([daemon])


@pytest.fixture
def shared(request, shared_imd):
    request.node.imds = [shared_imd]
    return shared_imd


@pytest.fixture
def closing():
    closer = Closer()
    yield closer
    closer.close()


_numbers = itertools.count(1)


@pytest.fixture
def name():
    """Names nobody else uses: name("小明") -> 小明7."""
    number = next(_numbers)
    return lambda stem="u": f"{stem}{number}"


@pytest.fixture
def connect(closing):
    """connect(imd, "websocket", user="a", device="d") -> Im, logged in when a user is given."""

    def make(daemon, kind="line", user=None, device=None, **options):
        im = closing(Im(LINKS[kind](daemon, **options)))
        if user is not None:
            im.login(user, device)
        elif device is not None:
            im.hello(device)
        return im

    return make


@pytest.fixture
def human(closing):
    """human(imd, user=None, unix=False, nc=False) -> Human."""

    def make(daemon, user=None, unix=False, nc=False):
        if nc:
            link = NcLink("-U", daemon.unix_path) if unix else NcLink("127.0.0.1", str(daemon.line_port))
        else:
            link = LineLink(daemon.unix_path if unix else daemon.line_port)
        person = closing(Human(link))
        if user:
            person.login(user)
        return person

    return make


@pytest.fixture
def chat(closing):
    """chat(imd, "nc", me, peer): a chat client of that kind."""
    return lambda daemon, kind, me, peer: closing(KINDS[kind](daemon, me, peer))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for daemon in getattr(item, "imds", []):
            if tail := daemon.tail():
                report.sections.append((f"imd log ({daemon.config_path})", tail))
