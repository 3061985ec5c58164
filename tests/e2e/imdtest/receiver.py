"""Where webhooks go: an HTTP server that takes notes, and answers as it is told."""

import hashlib
import hmac
import http.server
import json
import ssl
import threading

from .wait import PATIENCE, until


class Delivery:
    def __init__(self, headers, body, status):
        self.headers, self.body, self.status = headers, body, status
        self.pos = int(headers["X-IM-Delivery"])
        self.event = json.loads(body)

    def is_signed(self, secret):
        signed = self.headers["X-IM-Timestamp"].encode() + b"." + self.body
        wanted = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        return hmac.compare_digest(wanted, self.headers["X-IM-Signature"])


class Receiver:
    """`answer(delivery_number)` gives the status, None closes without one; it may block. Default: always 200."""

    def __init__(self, answer=None, port=0, certificate=None):
        self.answer = answer or (lambda number: 200)
        self.certificate = certificate
        self.deliveries, self.lock = [], threading.Lock()
        self.over = threading.Event()
        self.start(port)

    def start(self, port):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver.take(self)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # it was the other side's doing

        self.server = Server(("127.0.0.1", port), Handler)
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate.cert, self.certificate.key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def take(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        with self.lock:
            delivery = Delivery(handler.headers, body, None)
            self.deliveries.append(delivery)
            number = len(self.deliveries)
        status = self.answer(number)
        if status is None or self.over.is_set():
            handler.close_connection = True
            return
        delivery.status = status
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def url(self, path="/hook", host="127.0.0.1"):
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}{path}"

    def events(self, op="msg"):
        with self.lock:
            return [d.event for d in self.deliveries if d.event["op"] == op]

    def accepted(self):
        """What was answered with 2xx, in order, once each: as a receiver that looks at the delivery's number has it."""
        with self.lock:
            seen = {}
            for d in self.deliveries:
                if d.status and 200 <= d.status < 300:
                    seen.setdefault(d.pos, d)
            return list(seen.values())

    def texts(self):
        return [d.event["text"] for d in self.accepted() if d.event["op"] == "msg"]

    def wait(self, count, timeout=PATIENCE):
        """So many deliveries have come, answered or not."""
        until(lambda: len(self.deliveries) >= count, f"{count} deliveries, not {len(self.deliveries)}", timeout)
        return self.deliveries[:count]

    def wait_texts(self, texts, timeout=PATIENCE):
        def there():
            assert self.texts() == texts
            return True
        until(there, "the deliveries", timeout)

    def stop(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    close = stop
