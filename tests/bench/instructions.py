"""How many instructions a message costs the server, counted by callgrind: nearly the same every time, whatever else the machine
does; what leaves in which turn of the loop depends a little on when it comes. Two runs of different length are compared, so that what the start and the end cost does not count.

usage: instructions.py VALGRIND"""

import json
import os
import re
import subprocess
import sys
import tempfile

from servers import BUILD, HERE, imd

RECORD = os.path.join(HERE, "instructions.json")
# Where an answer may wait for some turns.
TOLERANCE = {"im.v1, 1 in flight": 0.12, "im.v1, 16 in flight": 0.12, "im.v1, 16 in flight, 1 KiB": 0.12,
             "im.v1, delivery in a group of 101": 0.12}
TOLERANCE_ELSE = 0.03
SHORT, LONG = 1000, 5000

# name, arguments of imbench, deliveries of a message
CASES = [
    ("classroom, 1 in flight", ["-c", 2, "pingpong"], 1),
    ("im.v1, 1 in flight", ["-c", 2, "-P", "json", "pingpong"], 1),
    ("classroom, 16 in flight", ["-c", 2, "-w", 16, "pairs"], 1),
    ("im.v1, 16 in flight", ["-c", 2, "-w", 16, "-P", "json", "pairs"], 1),
    ("im.v1, 16 in flight, 1 KiB", ["-c", 2, "-w", 16, "-s", 1024, "-P", "json", "pairs"], 1),
    ("im.v1, delivery in a group of 101", ["-c", 102, "-P", "json", "fanout"], 101),
]
# The same for tests/bench/core_alone: scenario, store, users.
CORE_CASES = [
    ("the core alone, pairs", ["pairs", "elsewhere", 2], 1),
    ("the core alone, delivery in a group of 101", ["group", "elsewhere", 102], 101),
]


def counted(valgrind, arguments, messages):
    """All instructions of a server, or of the core alone, that has passed on so many messages."""
    with tempfile.TemporaryDirectory(prefix="imd-callgrind-") as folder:
        out = os.path.join(folder, "out")
        callgrind = (valgrind, "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}")
        if "elsewhere" in arguments:
            command = [*callgrind, os.path.join(BUILD, "tests/bench/core_alone"), *map(str, arguments), str(messages)]
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        else:
            with imd(core=None, wrapper=callgrind) as server:
                server.imbench("--patience", 60, "-n", messages, *arguments)
        with open(out, encoding="utf-8") as f:
            return int(re.search(r"^(?:totals|summary): (\d+)", f.read(), re.M).group(1))


def per_delivery(valgrind, arguments, deliveries):
    short, long = SHORT // deliveries + 50, LONG // deliveries + 250
    return (counted(valgrind, arguments, long) - counted(valgrind, arguments, short)) / ((long - short) * deliveries)


def recorded():
    try:
        with open(RECORD, encoding="utf-8") as f:
            return json.load(f)
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def main():
    before, now, worse = recorded(), {}, []
    print(f"{'instructions for each delivery':40}{'now':>10}{'recorded':>10}{'change':>9}")
    for name, arguments, deliveries in CASES + CORE_CASES:
        count = now[name] = round(per_delivery(sys.argv[1], arguments, deliveries))
        change = count / before[name] - 1 if name in before else None
        if change is not None and change > TOLERANCE.get(name, TOLERANCE_ELSE):
            worse.append(f"{name} ({change:+.1%})")
        print(f"{name:40}{count:>10}{before.get(name, '-'):>10}" + (f"{change:>+9.1%}" if change is not None else ""), flush=True)
    if os.environ.get("BENCH_RECORD"):
        with open(RECORD, "w", encoding="utf-8") as f:
            json.dump(now, f, indent=1)
            f.write("\n")
        print("recorded in", os.path.relpath(RECORD))
    elif worse:
        raise SystemExit(f"worse: {'; '.join(worse)}\n"
                         "If it is worth it: make bench-instructions BENCH_RECORD=1")


main()
