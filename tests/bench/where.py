"""Where instructions and bytes go: what valgrind writes, by part of the program."""

import collections
import os
import re
import subprocess
import tempfile

from servers import imd

# The first that matches: where a function is, "file:function [object]".
PARTS = [
    (r"core/(dialect|json_scan|str|bytes|command)", "reading and writing messages (dialects, JSON)"),
    (r"transports/(ws_|websocket)", "WebSocket frames"),
    (r"transports/(stream|loop|listener|tls|line)", "streams, and the loop's work"),
    (r"stores/", "the store in memory"),
    (r"core/(event|mem)", "events: made, counted, dropped"),
    (r"core/", "the core: sessions, routing, receipts"),
    (r"tools/imd/", "the daemon: clock, store's wake-up"),
    (r"(malloc|free|calloc|realloc|sysmalloc|unlink_chunk|brk|morecore|tcache)", "malloc and free"),
    (r"siphash|libsodium", "SipHash, for lookups"),
    (r"libevent", "libevent"),
    (r"(mem(cpy|move|set|cmp|chr)|str(len|cmp|chr|nlen))", "copying and comparing (libc)"),
]
REST = "the rest (libc, system calls' user side)"
UNKNOWN = re.compile(r"^\((\d+)\)(?: (.*))?$")


def part_of(place):
    for pattern, part in PARTS:
        if re.search(pattern, place):
            return part
    return REST


def full_name(known, text):
    """Callgrind writes a name once, with a number that stands for it from then on."""
    number, name = UNKNOWN.match(text).groups()
    if name is not None:
        known[number] = name
    return known[number]


def read_callgrind(path, wanted):
    """What was counted in each function (instructions, Ir; or others of callgrind's events), not in those it calls, by part."""
    names = {"fl": {}, "fn": {}, "ob": {}}
    at = {"fl": "", "fn": "", "ob": ""}
    kinds = {"fi": "fl", "fe": "fl", "cfi": "fl", "cfl": "fl", "cfn": "fn", "cob": "ob"}
    found, skip, columns = collections.Counter(), False, []
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line.startswith("events:"):
                events = line.split()[1:]
                columns = [1 + events.index(event) for event in wanted]
            key, _, value = line.rstrip("\n").partition("=")
            if line[0].isdigit() or line[0] in "+-*":
                if not skip:
                    costs = line.split()  # zeros at the end are left out
                    found[part_of(f"{at['fl']}:{at['fn']} [{at['ob']}]")] += sum(int(costs[c]) for c in columns if c < len(costs))
                skip = False
            elif key == "calls":
                skip = True  # the next line has the cost of what is called
            elif value.startswith("("):
                name = full_name(names[kinds.get(key, key)], value)
                if key in at:
                    at[key] = name
    return found


# A cache as large as what a core has for itself.
CACHE = ("--cache-sim=yes", "--LL=1048576,16,64")
MISSES = ("DLmr", "DLmw")


def counted(valgrind, arguments, messages, events, options):
    """By part, of a whole run that passes on so many messages."""
    with tempfile.TemporaryDirectory(prefix="imd-callgrind-") as folder:
        out = os.path.join(folder, "out")
        wrapper = (valgrind, "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}", *options)
        with imd(core=None, wrapper=wrapper) as server:
            server.imbench("--patience", 120, "-n", messages, *arguments)
        return read_callgrind(out, events)


def per_delivery(valgrind, arguments, deliveries, short, long, events=("Ir",), options=()):
    """The difference between two runs, so that what the start and the end cost does not count."""
    sends = short // deliveries + 50, long // deliveries + 250
    few, many = (counted(valgrind, arguments, n, events, options) for n in sends)
    return {part: max(0, many[part] - few[part]) / ((sends[1] - sends[0]) * deliveries) for part in many}


# Memory. The first line of a block's history that matches says whose it is.
OWNERS = [
    (r"lib(ssl|crypto)|CRYPTO_|bufferevent_openssl|libevent_openssl", "TLS: OpenSSL's connection, libevent's bufferevent"),
    (r"libz\.|ws_deflate", "compression"),
    (r"libevent", "libevent: who waits for which descriptor"),
    (r"transports/|\((stream|listener|tls|line|loop|gate)[a-z_]*\.c", "the stream: socket, deadlines, the peer's address"),
    (r"\((websocket|ws_[a-z]+|http[a-z_]*)\.c", "the WebSocket: frames, keeping alive, the link"),
    (r"\(session\.c", "the session: state, rate, steps, positions"),
    (r"\((directory|presence|groups|receipts|ops_[a-z]+)\.c", "the user in the directory"),
    (r"\(memory[a-z_]*\.c", "the store's own: the user, the device and its cursor"),
]
PASSED_OVER = re.compile(r"malloc|calloc|realloc|im_alloc|im_zalloc|im_realloc|im_strndup|strdup|im_name_dup|\(name\.c|\(bytes\.c|\?\?\?$")


def owner_of(frame):
    if PASSED_OVER.search(frame):
        return None
    return next((owner for pattern, owner in OWNERS if re.search(pattern, frame)), None)


def read_massif(path):
    """Bytes by owner. The tree leads from who allocates to who wanted it: the first that is known has all below."""
    found, settled = collections.Counter(), None
    with open(path, encoding="utf-8") as f:
        for line in f:
            node = re.match(r"( *)n(\d+): (\d+) (.*)", line)
            if line.startswith("mem_heap_extra_B="):
                found["malloc's own: heads and rounding"] = int(line.partition("=")[2])
            elif node and (settled is None or len(node.group(1)) <= settled):
                owner = owner_of(node.group(4))
                settled = len(node.group(1)) if owner or node.group(2) == "0" else None
                if settled is not None:
                    found[owner or "the rest"] += int(node.group(3))
    return found


def heap(valgrind, arguments, over, connections):
    """Of a server with so many idle connections."""
    massif = (valgrind, "--quiet", "--tool=massif", "--threshold=0.001", "--depth=30", "--massif-out-file=/dev/null")
    with tempfile.TemporaryDirectory(prefix="imd-massif-") as folder, imd(core=None, wrapper=massif) as server, \
         server.idlers(connections, *arguments, over=over):
        out = os.path.join(folder, "out")
        subprocess.run([os.path.join(os.path.dirname(valgrind), "vgdb"), f"--pid={server.pid}", "detailed_snapshot", out],
                       stderr=subprocess.DEVNULL, check=True)
        return read_massif(out)


def bytes_per_connection(valgrind, arguments, over, few, many):
    less, more = (heap(valgrind, arguments, over, n) for n in (few, many))
    return {owner: (more[owner] - less[owner]) / (many - few) for owner in more}
