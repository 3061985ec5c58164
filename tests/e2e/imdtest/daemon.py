"""One imd process under test."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from .wait import PATIENCE, until

CRASH = re.compile(r"ERROR: (Address|Leak|Thread|Memory)Sanitizer|runtime error:|Assertion .* failed|AddressSanitizer:|"
                   r"WARNING: ThreadSanitizer|stack smashing|free\(\): |corrupted ")


def find_program(name, variable):
    """The built program: from the environment, or beside this source tree."""
    if os.environ.get(variable):
        return os.path.abspath(os.environ[variable])
    here = os.path.dirname(os.path.abspath(__file__))
    top = os.path.abspath(os.path.join(here, "..", "..", ".."))
    places = [os.environ.get("top_builddir", "."), os.path.join(top, "run", "build"), os.path.join(top, "build"), top]
    for place in places:
        for path in (os.path.join(place, name), os.path.join(place, "tools", name, name)):
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return os.path.abspath(path)
    raise FileNotFoundError(f"no built {name}; set {variable}")


def free_ports(count):
    """Ports nobody has, all different: every probe stays bound until the last is."""
    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def free_port():
    return free_ports(1)[0]


def merge(base, extra):
    """Nested dictionaries; a value of None takes the key away."""
    out = dict(base)
    for key, value in (extra or {}).items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merge(out[key], value)
        else:
            out[key] = value
    return out


def to_yaml(config):
    return "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in config.items())


class ImctlFailed(AssertionError):
    def __init__(self, args, rc, out, err):
        super().__init__(f"imctl {' '.join(args)}: exit {rc}\n{out}{err}")
        self.rc, self.out, self.err = rc, out, err


class Imd:
    """
    A daemon with a WebSocket, a line and a Unix listener (tls=True: also a WebSocket and a line listener with TLS), an
    admin socket and metrics, all in a folder of its own under /tmp (a Unix socket's path must be short).

    `config` is merged over the defaults below; `ws` adds keys to every WebSocket listener.
    """

    def __init__(self, config=None, tls=None, ws=None, start=True):
        self.dir = tempfile.mkdtemp(prefix="imd-", dir="/tmp")
        self.program = find_program("imd", "IMD")
        self.config_path = os.path.join(self.dir, "imd.yaml")
        self.stderr_path = os.path.join(self.dir, "stderr.log")
        self.unix_path = os.path.join(self.dir, "imd.sock")
        self.admin_path = os.path.join(self.dir, "admin.sock")
        self.extra, self.tls, self.ws_keys = config or {}, tls, ws or {}
        self.workers = int(os.environ.get("IMD_WORKERS", "1"))
        self.process = None
        self.over = True  # nobody minds that there is no process
        self.expected_exit = 0
        self._choose_ports()
        self.write_config()
        if start:
            self.start()

    # configuration

    def _choose_ports(self):
        self.ws_port, self.line_port, self.metrics_port, self.wss_port, self.line_tls_port = free_ports(5)

    def defaults(self):
        listen = [
            {"transport": "websocket", "address": f"127.0.0.1:{self.ws_port}", **self.ws_keys},
            {"transport": "line", "address": f"127.0.0.1:{self.line_port}"},
            {"transport": "unix", "address": "imd.sock", "mode": "0660"},
        ]
        if self.tls:
            tls = {"cert": self.tls.cert, "key": self.tls.key}
            listen += [
                {"transport": "websocket", "address": f"127.0.0.1:{self.wss_port}", "tls": tls, **self.ws_keys},
                {"transport": "line", "address": f"127.0.0.1:{self.line_tls_port}", "tls": tls},
            ]
        return {
            "listen": listen,
            "admin": {"address": "admin.sock", "mode": "0660"},
            "metrics": {"address": f"127.0.0.1:{self.metrics_port}"},
            "store": {"kind": "sqlite", "path": "imd.db", "sync": "full"},
            "data_dir": self.dir,
            "workers": self.workers,
            "shutdown": {"deadline": "1s", "spread": "100ms"},
            "log": {"level": "debug"},
        }

    def write_config(self, config=None):
        if config is not None:
            self.extra = config
        with open(self.config_path, "w", encoding="utf-8") as f:
            f.write(to_yaml(merge(self.defaults(), self.extra)))

    # life

    def start(self):
        assert not self.alive()
        for attempt in range(3):
            self._spawn()
            self.over = False
            try:
                until(lambda: not self.alive() or self.is_ready(), "imd to be ready", 3 * PATIENCE)
                if self.alive():
                    return self
            except AssertionError:
                self.kill9()
                raise AssertionError("imd does not become ready\n" + self.tail())
            self.over = True
            if attempt == 2 or "in use" not in self.tail():
                raise AssertionError(f"imd exited with {self.process.returncode} at start\n" + self.tail())
            self._choose_ports()  # somebody was quicker
            self.write_config()

    def _spawn(self):
        env = dict(os.environ)
        env.setdefault("ASAN_OPTIONS", "detect_leaks=1:exitcode=99")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1:exitcode=99")
        with open(self.stderr_path, "ab") as log:
            self.process = subprocess.Popen([self.program, "-c", self.config_path], cwd="/", env=env,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def is_ready(self):
        try:
            return self.get("/healthz", timeout=1).status == 200 and os.path.exists(self.admin_path)
        except OSError:
            return False

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait_exit(self, timeout=3 * PATIENCE):
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError("imd does not end\n" + self.tail()) from None
        self.over = True
        return code

    def term(self):
        """An orderly end; its exit code."""
        self.signal(signal.SIGTERM)
        code = self.wait_exit()
        assert code == self.expected_exit, f"imd exited with {code}\n" + self.tail()
        return code

    def kill9(self):
        self.signal(signal.SIGKILL)
        assert self.wait_exit() == -signal.SIGKILL, "imd was dead already\n" + self.tail()

    def restart(self, how="term"):
        if not self.over:
            self.kill9() if how == "kill" else self.term()
        return self.start()

    def close(self):
        """Ends the daemon, and complains about anything it did wrong in its life."""
        try:
            if not self.over:
                died = self.process.poll()
                assert died is None, f"imd died with {died}\n" + self.tail()
                self.term()
            found = CRASH.search(self.logs)
            assert not found, f"imd reported {found.group(0)!r}\n" + self.logs[max(0, found.start() - 500):][:8000]
        finally:
            if self.process is not None and self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.dir, ignore_errors=True)

    # what it says

    @property
    def logs(self):
        try:
            with open(self.stderr_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def tail(self, size=4000):
        return self.logs[-size:]

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def grew_at_most(self, before_kib, limit_kib):
        """Whether memory is bounded. What a sanitizer or valgrind keeps for itself is not, so they pass."""
        return self.instrumented() or self.rss_kib() - before_kib <= limit_kib

    def instrumented(self):
        exe = f"/proc/{self.process.pid}/exe"
        with open(exe, "rb") as f:
            return os.path.realpath(exe) != os.path.realpath(self.program) or re.search(rb"__[atm]san_init", f.read()) is not None

    # addresses

    def ws_url(self, path="/ws", tls=False):
        return f"wss://localhost:{self.wss_port}{path}" if tls else f"ws://127.0.0.1:{self.ws_port}{path}"

    # administration and HTTP

    def imctl_run(self, *args, json_out=False, timeout=PATIENCE, stdin=None):
        if args[0] in ("shutdown", "drain", "upgrade") and "-n" not in args:  # they would ask
            args = (*args, "-y")
        command = [find_program("imctl", "IMCTL"), "-s", self.admin_path] + (["--json"] if json_out else []) + list(args)
        return subprocess.run(command, capture_output=True, text=True, timeout=3 * timeout, check=False, input=stdin or "")

    def imctl(self, *args, json=True, stdin=None):
        """Runs imctl; its parsed output, or with json=False its text. ImctlFailed on a non-zero exit."""
        done = self.imctl_run(*args, json_out=json, stdin=stdin)
        if done.returncode != 0:
            raise ImctlFailed(args, done.returncode, done.stdout, done.stderr)
        return parse_json(done.stdout) if json else done.stdout

    def online(self):
        return self.imctl("online")

    def metrics(self):
        """Samples by name with labels as written: {'imd_logins_total': 3.0, …}."""
        response = self.get("/metrics")
        assert response.status == 200, response.status
        out = {}
        for line in response.body.decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                out[name] = float(value)
        return out

    def metric(self, name):
        return self.metrics()[f"imd_{name}"]

    def closed(self, reason):
        """How many connections ended for this reason."""
        return self.metric(f'closed_total{{reason="{reason}"}}')

    def refused(self, reason):
        """How many requests or connections were refused for this reason."""
        return self.metric(f'refused_total{{reason="{reason}"}}')

    def get(self, path, port=None, method="GET", headers=None, timeout=PATIENCE):
        """Of the metrics listener unless told otherwise."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.metrics_port, timeout=timeout)
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            response.body = response.read()
            return response
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    def page(self, path, method="GET", headers=None):
        return self.get(path, self.ws_port, method, headers)


def parse_json(text):
    """One JSON value, or a list of them when there is one per line."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
