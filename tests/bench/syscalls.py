"""What a message asks of the kernel: system calls as strace counts them, and faults of memory that was not there yet."""

import collections
import os
import re
import tempfile

from servers import CORES, imd, until

KINDS = [
    ("reads", re.compile(r"(p?read|readv|recv\w*)$")),
    ("writes", re.compile(r"(p?write|writev|send\w*)$")),
    ("epoll_wait", re.compile(r"epoll_p?wait2?$")),
]
REST = "others"
# A line of strace -c: % time, seconds, usecs/call, calls, errors where there are any, the call.
LINE = re.compile(r" *[0-9.]+ +[0-9.]+ +\d+ +(\d+)(?: +\d+)? +(\w+)$", re.M)


def kind_of(call):
    return next((kind for kind, pattern in KINDS if pattern.match(call)), REST)


def summary(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def calls(strace, arguments, sends, workers):
    """By kind, of a whole run. The tracer stands aside, so that the server is our child and is ended as ever."""
    with tempfile.TemporaryDirectory(prefix="imd-strace-") as folder:
        out = os.path.join(folder, "out")
        with imd(core=CORES[0] if workers == 1 else None, wrapper=(strace, "-D", "-f", "-c", "-o", out), workers=workers) as server:
            server.imbench("--patience", 60, "-n", sends, *arguments)
        until(lambda: " total\n" in summary(out), "strace to tell", 10)
        found = collections.Counter()
        for count, call in LINE.findall(summary(out)):
            if call != "total":
                found[kind_of(call)] += int(count)
        return found


def faults(arguments, sends, workers):
    with imd(core=CORES[0] if workers == 1 else None, workers=workers) as server:
        server.imbench("--patience", 60, "-n", sends, *arguments)
        return server.faults()


def per_message(strace, arguments, deliveries, workers):
    """As where.per_delivery(): the difference between two runs. New memory comes in large steps: so many more of them."""
    few, many = 2000 // deliveries, 22000 // deliveries
    short, long = (calls(strace, arguments, n, workers) for n in (few, many))
    found = {kind: max(0, long[kind] - short[kind]) / ((many - few) * deliveries) for kind in [*(k for k, _ in KINDS), REST]}
    few, many = few * 10, many * 10
    new = faults(arguments, many, workers) - faults(arguments, few, workers)
    return found, max(0, new) / ((many - few) * deliveries)
