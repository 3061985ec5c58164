"""The servers that are measured, each on free ports of loopback, and imbench beside them."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

from imdtest.certs import make_certificate  # noqa: E402
from imdtest.daemon import find_program, free_ports  # noqa: E402
from imdtest.wait import until  # noqa: E402

BUILD = os.environ.get("top_builddir", ".")
# Of each run: which part of the time the server could have run but had no core, for others had them.
WAITED = []
CORES = sorted(os.sched_getaffinity(0))


def on_core(core):
    """For Popen: the server gets the first core for itself and imbench the last, where there are two."""
    return None if core is None or len(CORES) < 2 else lambda: os.sched_setaffinity(0, {core})


def reachable(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Server:
    def __init__(self, process, urls):
        self.process, self.pid, self.urls = process, process.pid, urls

    def stat(self):
        with open(f"/proc/{self.pid}/stat", encoding="utf-8") as f:
            return f.read().rpartition(")")[2].split()

    def times(self):
        """CPU time so far, in user mode and in the kernel; in clock ticks."""
        fields = self.stat()
        return int(fields[11]), int(fields[12])

    def threads(self):
        """CPU time so far of each thread by its name, in microseconds; "imd" is the core's."""
        found = {}
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{thread}/comm", encoding="utf-8") as f:
                name = f.read().rstrip("\n")
            with open(f"/proc/{self.pid}/task/{thread}/schedstat", encoding="utf-8") as f:
                found[name] = found.get(name, 0) + int(f.read().split()[0]) / 1e3
        return found

    def faults(self):
        """Pages of memory so far that were not there when they were touched, and were not read from a disk."""
        return int(self.stat()[7])

    def imctl(self, *command):
        done = subprocess.run([find_program("imctl", "IMCTL"), "--socket", self.urls["admin"], "--json", *command],
                              stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout)

    def sessions(self):
        return self.imctl("online")["sessions"]

    @contextlib.contextmanager
    def idlers(self, connections, *arguments, over="ws"):
        """So many connections that say nothing."""
        command = [find_program("imbench", "IMBENCH"), "--quiet", "--time", "600", "--patience", "60", "-c", str(connections),
                   *map(str, arguments), "idle", self.urls[over]]
        with ended(subprocess.Popen(command, stdout=subprocess.DEVNULL)):
            until(lambda: self.sessions() == connections, "everybody to be in", 120)
            yield

    def imbench(self, *arguments, over="ws", quiet=True):
        """One run; what it found out. SystemExit when a message was not as it should be."""
        command = [find_program("imbench", "IMBENCH"), "--json", "--pid", str(self.pid), *map(str, arguments), self.urls[over]]
        done = subprocess.run(command + ["--quiet"] * quiet, stdout=subprocess.PIPE, text=True, check=False,
                              preexec_fn=on_core(CORES[-1]))
        if done.returncode != 0:
            raise SystemExit(f"bench: {' '.join(command)}: exit {done.returncode}\n{done.stdout}")
        result = json.loads(done.stdout)
        WAITED.append(result["server"]["waited"])
        if result["imbench"]["bottleneck"]:
            print("bench: imbench was the bottleneck:", " ".join(command), file=sys.stderr)
        return result


@contextlib.contextmanager
def ended(process):
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def floor():
    with ended(subprocess.Popen([os.path.join(BUILD, "tests/bench/floor")], stdout=subprocess.PIPE, text=True,
                                preexec_fn=on_core(CORES[0]))) as process, process.stdout:
        yield Server(process, {"ws": f"ws://127.0.0.1:{int(process.stdout.readline())}"})


@contextlib.contextmanager
def imd(store="memory", core=CORES[0], wrapper=(), workers=1):
    """A new one, with nothing in it; wrapper: what to run it in. Its store is on the disk that we build on; a socket's path
    must be short."""
    with tempfile.TemporaryDirectory(prefix="imd-bench-", dir=BUILD) as folder, \
         tempfile.TemporaryDirectory(prefix="imd-", dir="/tmp") as sockets:
        make_certificate(folder)
        ports = dict(zip(("WS", "WSS", "LINE", "TLS"), free_ports(4)))
        with open(os.path.join(HERE, "imd.yaml"), encoding="utf-8") as f:
            config = f.read()
        for key, value in {"DIR": os.path.abspath(folder), "SOCKETS": sockets, "STORE": store, "WORKERS": workers, **ports}.items():
            config = config.replace(f"@{key}@", str(value))
        path = os.path.join(folder, "imd.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(config)
        with open(os.path.join(folder, "log"), "w+", encoding="utf-8") as log, \
             ended(subprocess.Popen([*wrapper, find_program("imd", "IMD"), "-c", path], stderr=log, stdout=log,
                                    preexec_fn=on_core(core))) as process:
            try:
                until(lambda: process.poll() is not None or all(map(reachable, ports.values())), "imd to be ready", 60)
                assert process.poll() is None
            except AssertionError:
                log.seek(0)
                raise SystemExit("bench: imd does not start:\n" + log.read()) from None
            yield Server(process, {"ws": f"ws://127.0.0.1:{ports['WS']}", "wss": f"wss://127.0.0.1:{ports['WSS']}",
                                   "tcp": f"tcp://127.0.0.1:{ports['LINE']}", "tls": f"tls://127.0.0.1:{ports['TLS']}",
                                   "unix": f"unix:{sockets}/imd.sock", "admin": f"{sockets}/admin.sock"})


def said(program, *arguments, core=CORES[0]):
    """What one of our small programs prints."""
    done = subprocess.run([os.path.join(BUILD, "tests/bench", program), *map(str, arguments)], stdout=subprocess.PIPE,
                          text=True, check=True, preexec_fn=on_core(core))
    return json.loads(done.stdout)


def core_alone(scenario, store, users, messages):
    return said("core_alone", scenario, store, users, messages)


def core_letters(scenario, store, users, messages):
    """It sees to its two threads' cores itself."""
    return said("core_letters", scenario, store, users, messages, core=None)


def new_memory():
    return said("new_memory")


def can_have_workers(count):
    """Does this imd have so many?"""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(f"workers: {count}\n")
        config.flush()
        return subprocess.run([find_program("imd", "IMD"), "-t", "-c", config.name], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0


def durable_floor(seconds, batch, size):
    with tempfile.TemporaryDirectory(prefix="imd-bench-", dir=BUILD) as folder:
        done = subprocess.run([os.path.join(BUILD, "tests/bench/durable_floor"), os.path.join(folder, "floor.db"),
                               str(seconds), str(batch), str(size)], stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout)
