"""HTTP/1.1 beside the WebSockets: statuses, keep-alive, fields, and requests that are not quite requests."""

import base64
import hashlib
import re
import socket

import pytest

SECURITY = {"x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin"}


def ask(server, data):
    with server.raw() as raw:
        raw.send(data)
        return raw.response()


def request(path="/healthz", method="GET", version="1.1", fields="", host="Host: localhost\r\n"):
    return f"{method} {path} HTTP/{version}\r\n{host}{fields}\r\n".encode("latin-1")


STATUS = {
    "page": (request("/"), 200),
    "health": (request(), 200),
    "health-with-query": (request("/healthz?verbose"), 200),
    "absolute-form": (request("http://localhost/healthz"), 200),
    "http-1.0": (request(version="1.0", host=""), 200),
    "content-length-0": (request(fields="Content-Length: 0\r\n"), 200),
    "tabs-and-spaces": (request(fields="X-A: \t a b \t \r\n"), 200),
    "obs-text": (request(fields="X-A: \xff\xfe\r\n"), 200),
    "empty-line-first": (b"\r\n" + request(), 200),
    "not-found": (request("/nowhere"), 404),
    "dots": (request("/../etc/passwd"), 404),
    "encoded-dots": (request("/%2e%2e/etc/passwd"), 404),
    "post": (request(method="POST", fields="Content-Length: 3\r\n") + b"abc", 405),
    "delete": (request(method="DELETE"), 405),
    "options": (request("*", method="OPTIONS"), 405),
    "made-up-method": (request(method="BREW"), 405),
    "body": (request(fields="Content-Length: 3\r\n") + b"abc", 413),
    "chunked": (request(fields="Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n", 413),
    "both-lengths": (request(fields="Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400),
    "bad-length": (request(fields="Content-Length: 3a\r\n"), 400),
    "negative-length": (request(fields="Content-Length: -1\r\n"), 400),
    "two-lengths": (request(fields="Content-Length: 0\r\nContent-Length: 0\r\n"), 400),
    "huge-length": (request(fields="Content-Length: 99999999999999999999999\r\n"), 400),
    "no-host": (request(host=""), 400),
    "empty-host": (request(host="Host: \r\n"), 400),
    "two-hosts": (request(host="Host: a\r\nHost: a\r\n"), 400),
    "bad-host": (request(host="Host: a/b\r\n"), 400),
    "bare-lf": (request().replace(b"\r\n", b"\n"), 400),
    "bare-lf-in-fields": (request(fields="X-A: b\nX-C: d\r\n"), 400),
    "bare-cr": (request(fields="X-A: b\rc\r\n"), 400),
    "folded": (request(fields="X-A: b\r\n c\r\n"), 400),
    "space-before-colon": (request(fields="X-A : b\r\n"), 400),
    "no-colon": (request(fields="X-A\r\n"), 400),
    "empty-name": (request(fields=": b\r\n"), 400),
    "bad-name": (request(fields="X(A): b\r\n"), 400),
    "nul": (request(fields="X-A: \0\r\n"), 400),
    "escape": (request(fields="X-A: \x1b[2J\r\n"), 400),
    "relative-target": (request("healthz"), 400),
    "fragment": (request("/healthz#a"), 400),
    "space-in-target": (request("/health z"), 400),
    "control-in-target": (request("/health\x01z"), 400),
    "raw-utf8-target": (request("/\xe4\xbd\xa0"), 400),
    "no-version": (b"GET /healthz\r\n\r\n", 400),
    "bad-version": (request(version="1.x"), 400),
    "lower-case-version": (request().replace(b"HTTP/", b"http/"), 400),
    "http-2.0": (request(version="2.0"), 505),
    "http-0.9": (request(version="0.9"), 505),
    "http-2-preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "tls-to-plain-port": (bytes.fromhex("16030100a5010000a1030300"), 400),
    "long-line": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 431),
    "long-field": (request(fields="X-A: " + "b" * 9000 + "\r\n"), 431),
    "many-fields": (request(fields="X-A: b\r\n" * 2000), 431),
    "many-known-fields": (request(fields="Connection: a\r\n" * 40), 431),
    "endless-head": (b"GET / HTTP/1.1\r\nX: " + b"a" * 20000, 431),
}


@pytest.mark.parametrize("name", STATUS)
def test_status(server, name):
    data, expected = STATUS[name]
    if not server.imd and "/healthz" in str(data[:40]) and expected == 200:
        pytest.skip("the daemon's page")
    status, headers, body = ask(server, data)
    assert status == expected and body
    for field, value in SECURITY.items():
        assert headers[field] == value
    assert headers["content-security-policy"] and headers["permissions-policy"]
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", headers["date"])
    if status == 405:
        assert headers["allow"] == "GET, HEAD"
    if status in (400, 405, 413, 431, 505) or "1.0" in name:
        assert headers["connection"] == "close"


@pytest.mark.parametrize("name", [name for name, row in STATUS.items() if len(row[0]) < 400])
def test_status_byte_by_byte(server, name):
    data, expected = STATUS[name]
    with server.raw() as raw:
        for i in range(len(data)):
            try:
                raw.send(data[i:i + 1])
            except ConnectionError:
                break
        assert raw.response()[0] == expected


def test_refused_connection_closes(server):
    with server.raw() as raw:
        raw.send(STATUS["bare-lf"][0])
        assert raw.response()[0] == 400
        assert raw.at_end()


def test_keep_alive_and_pipelining(server):
    with server.raw() as raw:
        raw.send(request("/nowhere") * 50 + request("/nowhere", fields="Connection: close\r\n"))
        for _ in range(50):
            assert "connection" not in raw.response()[1]
        assert raw.response()[1]["connection"] == "close"
        assert raw.at_end()


def test_pipelined_requests_beyond_measure_wait(server):
    """Nobody reads the answers: the server stops reading the requests."""
    one = request("/nowhere")
    with server.raw() as raw:
        raw.sock.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                raw.send(one * 100)
                sent += 100
                assert sent < 2_000_000
        raw.sock.settimeout(20)
        for _ in range(sent):
            assert raw.response()[0] == 404


def test_http_1_0_does_not_stay(server):
    with server.raw() as raw:
        raw.send(request(version="1.0", fields="Connection: keep-alive\r\n"))
        assert raw.response()[1]["connection"] == "close"
        assert raw.at_end()


def test_head_has_no_body(server):
    with server.raw() as raw:
        for path in ("/", "/nowhere"):
            raw.send(request(path, method="HEAD"))
            _, headers, _ = raw.response("HEAD")
            assert int(headers["content-length"]) > 0
            raw.send(request(path))
            status, again, body = raw.response()
            assert again["content-length"] == headers["content-length"] and len(body) == int(headers["content-length"])


def test_page_is_not_sent_twice(server):
    with server.raw() as raw:
        raw.send(request("/"))
        status, headers, _ = raw.response()
        etag = headers["etag"]
        for value, expected in ((etag, 304), (f'"x", W/{etag}', 304), ("*", 304), ('"x"', 200), (etag.strip('"'), 200)):
            raw.send(request("/", fields=f"If-None-Match: {value}\r\n"))
            status, headers, body = raw.response()
            assert status == expected and headers["etag"] == etag
            assert bool(body) == (status == 200)


def test_each_form_of_the_page_has_its_own_tag(server):
    tags = {}
    with server.raw() as raw:
        for coding in ("identity", "gzip"):
            raw.send(request("/", fields=f"Accept-Encoding: {coding}\r\n"))
            _, headers, _ = raw.response()
            assert headers.get("content-encoding", "identity") == coding
            tags[coding] = headers["etag"]
        assert tags["gzip"] != tags["identity"]
        for coding in tags:
            for tag in tags.values():
                raw.send(request("/", fields=f"Accept-Encoding: {coding}\r\nIf-None-Match: {tag}\r\n"))
                status, headers, _ = raw.response()
                assert (status, headers["etag"]) == (304, tag)


def test_half_closed_client_gets_its_answer(server):
    with server.raw() as raw:
        raw.send(request("/nowhere"))
        raw.sock.shutdown(socket.SHUT_WR)
        assert raw.response()[0] == 404
        assert raw.at_end()


def test_not_found_is_a_page_in_both_languages(server):
    for language, words in (("zh-CN,zh;q=0.9,en;q=0.8", "页面不存在"), ("en, zh;q=0.5", "Not found"), ("fr", "Not found")):
        status, headers, body = ask(server, request("/nowhere", fields=f"Accept-Language: {language}\r\n"))
        assert status == 404 and words in body.decode()
        assert headers["content-type"] == "text/html; charset=utf-8" and headers["vary"] == "Accept-Language"
    style = re.search(rb"<style>(.*?)</style>", body, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    assert f"'sha256-{digest}'" in headers["content-security-policy"]


def test_nothing_of_the_request_comes_back(server):
    body = ask(server, request("/<script>alert(1)</script>"))[2]
    assert b"script" not in body


def test_refusals_are_counted(start):
    server = start()
    for name in ("bare-lf", "not-found", "post", "body", "long-line", "http-2.0"):
        ask(server, STATUS[name][0])
    for reason in ("http_bad_request", "http_not_found", "http_method", "http_body", "http_head_too_large", "http_version"):
        assert server.imd.metric(f'refused_total{{reason="{reason}"}}') == 1


def test_metrics_listener_has_no_websocket(server):
    if not server.imd:
        pytest.skip("needs the metrics address")
    response = server.imd.get("/ws")
    assert response.status == 404
    assert server.imd.get("/healthz").status == 200
