"""The page and what else is served over HTTP."""

import contextlib
import gzip
import re
import socket

import pytest

from imdtest.links import RawWsLink, dial, drain_socket


def raw(daemon, data, port=None):
    """Sends bytes, and reads until the server closes; the status and all of it."""
    sock = dial(port or daemon.ws_port)
    try:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        answer = drain_socket(sock)
    finally:
        sock.close()
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found.group(1)) if found else None, answer


def test_the_page_is_there(shared):
    response = shared.page("/")
    assert response.status == 200 and response.getheader("Content-Type").startswith("text/html")
    assert "喵喵号" in response.body.decode()
    assert int(response.getheader("Content-Length")) == len(response.body)


def test_the_page_has_security_headers(shared):
    response = shared.page("/")
    csp = response.getheader("Content-Security-Policy")
    assert "default-src 'none'" in csp or "default-src 'self'" in csp
    assert "unsafe-eval" not in csp and "script-src 'unsafe-inline'" not in csp and "frame-ancestors 'none'" in csp
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    assert response.getheader("Referrer-Policy")


def test_what_the_page_needs_is_served(shared):
    text = shared.page("/").body.decode()
    parts = re.findall(r'(?:src|href)="(/?[^":]+\.(?:js|css|svg|png|webmanifest))"', text)
    assert any(p.endswith(".js") for p in parts) and any(p.endswith(".css") for p in parts)
    for part in parts:
        response = shared.page("/" + part.lstrip("./"))
        assert response.status == 200, part
        want = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}.get(part.rsplit(".", 1)[1])
        if want:
            assert response.getheader("Content-Type").startswith(want)


def test_an_etag_answers_304(shared):
    first = shared.page("/")
    etag = first.getheader("ETag")
    assert re.fullmatch(r'(W/)?"[^"]+"', etag)
    for value in (etag, f'"other", {etag}', "*"):
        again = shared.page("/", headers={"If-None-Match": value})
        assert again.status == 304 and again.body == b"" and again.getheader("ETag") == etag
    assert shared.page("/", headers={"If-None-Match": '"other"'}).status == 200


def test_gzip_when_the_client_takes_it(shared):
    plain = shared.page("/")
    packed = shared.page("/", headers={"Accept-Encoding": "br, gzip;q=0.8"})
    assert packed.getheader("Content-Encoding") == "gzip" and gzip.decompress(packed.body) == plain.body
    assert "accept-encoding" in packed.getheader("Vary").lower() and "accept-encoding" in plain.getheader("Vary").lower()
    assert plain.getheader("Content-Encoding") is None
    assert shared.page("/", headers={"Accept-Encoding": "gzip;q=0"}).getheader("Content-Encoding") is None


def test_head_is_get_without_the_body(shared):
    get, head = shared.page("/"), shared.page("/", "HEAD")
    assert head.status == 200 and head.body == b""
    for header in ("Content-Length", "Content-Type", "ETag", "Content-Security-Policy"):
        assert head.getheader(header) == get.getheader(header)


@pytest.mark.parametrize("path", ["/nothing", "/%2e%2e/etc/passwd", "/../etc/passwd", "/ws/", "/index.php", "/%ff", "/echo"])
def test_what_is_not_there_is_a_404_page(shared, path):
    response = shared.page(path)
    assert response.status == 404 and response.getheader("Content-Type").startswith("text/html")
    assert b"<html" in response.body and b"passwd" not in response.body
    assert response.getheader("Content-Security-Policy")


def test_healthz(shared):
    for port in (shared.ws_port, shared.metrics_port):
        response = shared.get("/healthz", port)
        assert response.status == 200 and response.body


def test_the_page_is_not_on_the_metrics_port_nor_metrics_on_the_page(shared):
    assert shared.page("/metrics").status == 404
    assert shared.get("/", shared.metrics_port).status == 404


def test_connections_are_kept_alive(shared):
    status, answer = raw(shared, b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n" * 3)
    assert status == 200 and answer.count(b"HTTP/1.1 200 ") == 3


REQUEST = "GET {} HTTP/1.1\r\nHost: h\r\n{}\r\n"


@pytest.mark.parametrize("request_, status", [
    (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400),
    (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    (b"GET /\r\n\r\n", 400),
    (b"\x16\x03\x01\x00\xf8 hello\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405),
    (b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 413),
    (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 2000 + b"\r\n", 431),
    (b"GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", 426),
    (b"GET /ws/a/b HTTP/1.1\r\nHost: a\r\n\r\n", 426),
])
def test_malformed_and_oversized_requests(shared, request_, status):
    assert raw(shared, request_)[0] == status


UPGRADE = {"Host": "h", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "im.v1"}


@pytest.mark.parametrize("change, status", [
    ({}, 101),
    ({"Connection": "keep-alive, upgrade"}, 101),
    ({"Upgrade": "WebSocket"}, 101),
    ({"Sec-WebSocket-Version": "8"}, 426),
    ({"Sec-WebSocket-Version": None}, {400, 426}),
    ({"Sec-WebSocket-Key": None}, 400),
    ({"Sec-WebSocket-Key": "short"}, 400),
    ({"Connection": None}, {400, 426}),
    ({"Upgrade": "h2c"}, {400, 426}),
    ({"Content-Length": "3"}, {400, 413}),
    ({"Sec-WebSocket-Protocol": None}, 400),
    ({"Sec-WebSocket-Protocol": "chat"}, 400),
])
def test_the_upgrade_is_checked(shared, change, status):
    headers = {k: v for k, v in {**UPGRADE, **change}.items() if v is not None}
    got, answer = raw(shared, ("GET /ws HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n").encode())
    assert got in (status if isinstance(status, set) else {status}), answer
    if got == 101:
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
    if got == 426:
        assert re.search(rb"(?i)sec-websocket-version: 13\r\n", answer)


def test_the_first_frame_may_come_with_the_request(shared, name):
    with contextlib.closing(dial(shared.ws_port)) as sock:
        sock.sendall(RawWsLink.request("/ws", "im.v1") + RawWsLink.frame(b'{"op":"ping","id":1}'))
        answer = b""
        while b'{"op":"ok","id":1' not in answer:
            more = sock.recv(4096)
            assert more, answer
            answer += more
        assert answer.startswith(b"HTTP/1.1 101 ")


def test_echo_is_off_unless_asked_for(imd, closing):
    daemon = imd({"debug": {"echo": True}})
    link = closing(RawWsLink(daemon.ws_port, "/echo", None))
    assert link.status == 101
    link.send("again 再来")
    assert link.recv() == "again 再来"


# metrics

def test_metrics_has_every_counter(shared, connect, name):
    connect(shared, "line", name()).say(name("b"), "x")
    values = shared.metrics()
    for counter in ("connections_accepted_total", "accept_paused_total", "logins_total", "commands_total", "events_appended_total",
                    "sends_duplicate_total", "events_delivered_total", "events_replayed_total", "sends_waiting_total",
                    "sessions_fell_behind_total", "sessions_held_total", "ephemeral_dropped_total", "bytes_received_total",
                    "bytes_sent_total", "websocket_messages_received_total", "websocket_messages_sent_total",
                    "http_requests_total", "tls_handshakes_total", "store_commits_total", "store_failures_total"):
        assert f"imd_{counter}" in values, counter
    for counter in ("logins_total", "events_appended_total", "bytes_received_total", "bytes_sent_total", "store_commits_total"):
        assert values[f"imd_{counter}"] >= 1, counter


def test_metrics_is_in_the_exposition_format(shared):
    response = shared.get("/metrics")
    assert response.getheader("Content-Type").startswith("text/plain; version=0.0.4")
    typed = set(re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", response.body.decode(), re.M))
    helped = set(re.findall(r"^# HELP (\S+) .+$", response.body.decode(), re.M))
    sample = re.compile(r'^([a-zA-Z_:][\w:]*)(\{(\w+="[^"\n]*",?)*\})? \d+(\.\d+)?(e[+-]?\d+)?$')
    for line in response.body.decode().splitlines():
        if not line.startswith("#"):
            assert (found := sample.match(line)), line
            family = re.sub("_(bucket|sum|count)$", "", found.group(1)) if "_seconds_" in line else found.group(1)
            assert family in typed and family in helped, line


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text"])
def test_metrics_are_what_scrapers_want_and_name_nobody(shared, connect, name, accept):
    """As promtool check metrics has it: a family in one piece, its help and type before its samples, no sample twice."""
    connect(shared, "line", name("翠花"), "phone").say(name("小明"), "x")
    seen, samples, family = set(), set(), None
    for line in shared.get("/metrics", headers={"Accept": accept}).body.decode().splitlines():
        word = line.split(" ")
        if line == "# EOF":
            continue
        if word[1] == "HELP":
            assert word[2] not in seen and len(word) > 4 and line.endswith("."), line
            family, kind = word[2], None
            seen.add(family)
            continue
        if word[1] == "TYPE":
            assert word[2] == family and kind is None, line
            kind = word[3]
            if accept == "text/plain":
                assert family.endswith("_total") == (kind == "counter"), line
            continue
        sample, value = line.rsplit(" ", 1)
        assert sample not in samples and kind and float(value) >= 0, line
        samples.add(sample)
        base = sample.split("{")[0]
        assert base in {"counter": {family, family + "_total"}, "gauge": {family},
                        "histogram": {family + end for end in ("_bucket", "_sum", "_count")}}[kind], line
        assert set(re.findall(r"(\w+)=", sample[len(base):])) <= {"reason", "transport", "version", "le"}, line
    assert {"imd_users_online", "process_resident_memory_bytes", "imd_loop_lag_seconds"} <= seen
    assert not any(who in sample for sample in samples for who in (name("翠花"), name("小明")))


def test_metrics_is_open_metrics_for_those_who_ask(shared):
    accept = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5"
    response = shared.get("/metrics", headers={"Accept": accept})
    assert response.getheader("Content-Type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    lines = response.body.decode().splitlines()
    assert lines.pop() == "# EOF" and response.body.endswith(b"\n")
    types = dict(re.findall(r"^# TYPE (\S+) (counter|gauge|histogram)$", response.body.decode(), re.M))
    assert types and not any(name.endswith("_total") for name in types)
    for line in lines:
        if not line.startswith("#"):
            name = re.match(r"\w+", line).group(0)
            kind = {"_total": "counter", "_bucket": "histogram", "_sum": "histogram", "_count": "histogram"}
            family, suffix = re.match(r"(.*?(?:_seconds(?=_))?)(_total|(?<=_seconds)_(?:bucket|sum|count))?$", name).groups()
            assert types[family] == kind.get(suffix, "gauge"), line
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
    except ImportError:
        return
    families = {family.name for family in text_string_to_metric_families(response.body.decode())}
    assert families == set(types)


def test_counters_count(shared, connect, name):
    before = shared.metrics()
    a, b = connect(shared, "line", name("a")), connect(shared, "websocket", name("b"))
    for n in range(10):
        a.say(b.user, str(n), cid=f"c{n}")
    a.say(b.user, "0", cid="c0")
    b.texts(10)
    after = shared.metrics()
    grown = {k: after[k] - before.get(k, 0) for k in after}
    assert grown["imd_logins_total"] == 2 and grown["imd_events_appended_total"] == 10
    assert grown["imd_sends_duplicate_total"] == 1 and grown["imd_connections_accepted_total"] >= 2
    assert grown["imd_websocket_messages_received_total"] >= 1 and grown["imd_websocket_messages_sent_total"] >= 11
