"""Whether a message, a login, a page of history cost more in a store of ten million messages than in a small one. The
large one is filled first, which takes minutes and four gigabytes beside the build. SIZE_USERS=N makes it another size;
with SIZE_FOLDER=FOLDER the stores stay there for the next time.

usage: size.py VALGRIND"""

import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

from page import mark, told, write_part

BUILD = os.environ.get("top_builddir", ".")
SIZE = os.path.join(BUILD, "tests/bench/size")
FEW, MANY = 1000, int(os.environ.get("SIZE_USERS", "100000"))
COUNT, COUNTED = 5000, 500
REPEATS = 3
SENDING_MOST = 1.1

# name in size.c, title; at most so many times the instructions
CASES = [
    ("send", "message to a peer", SENDING_MOST),
    ("send_group", "message to a group", SENDING_MOST),
    ("mark", "read mark", None),
    ("login", "login", None),
    ("since_nothing", "coming back, nothing new", None),
    ("since_page", "coming back, 50 of many", None),
    ("history", "50 messages of a group's history", None),
    ("conversations", "list of conversations", None),
    ("search", "search, 20 found", None),
    ("stats", "statistics", None),
]


def size(*arguments, wrapper=()):
    done = subprocess.run([*wrapper, SIZE, *map(str, arguments)], stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout


def filled(folder, users):
    path = os.path.join(folder, f"{users}.db")
    there = path + ".json"
    if not os.path.exists(there):
        print(f"size: filling with {users} users", file=sys.stderr, flush=True)
        told = size("fill", path, users)
        with open(there, "w", encoding="utf-8") as f:
            f.write(told)
    with open(there, encoding="utf-8") as f:
        return path, json.load(f)


def folder():
    """Where the stores are, for `with`."""
    kept = os.environ.get("SIZE_FOLDER")
    return contextlib.nullcontext(kept) if kept else tempfile.TemporaryDirectory(prefix="imd-size-", dir=BUILD)


def copied(store):
    """Each finds the same, and nothing of a run that was broken off."""
    path = store + ".work"
    for beside in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + beside)
    shutil.copyfile(store, path)
    return path


def worked(store, users, active):
    path = copied(store)
    result = json.loads(size("work", path, users, active, COUNT))
    os.unlink(path)
    return result


def counted(valgrind, store, users):
    path = copied(store)
    out = store + ".callgrind"
    size("work", path, users, users, COUNTED,
         wrapper=(valgrind, "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}"))
    os.unlink(path)
    lines = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", out], stdout=subprocess.PIPE,
                           check=True, text=True).stdout
    return {name: int(count.replace(",", "")) // COUNTED
            for count, name in re.findall(r"^ *([0-9,]+) .*size\.c:case_(\w+)", lines, re.M)}


def told_pages(case):
    return f"{case['read']:.1f} + {case['written']:.1f}"


def main():
    with folder() as stores:
        small, _ = filled(stores, FEW)
        large, there = filled(stores, MANY)
        runs = [[worked(small, FEW, FEW), worked(large, MANY, FEW), worked(large, MANY, MANY)] for _ in range(REPEATS)]
        counts = [counted(sys.argv[1], small, FEW), counted(sys.argv[1], large, MANY)]
        boots = [float(size("boot", store)) for store in (small, large)]
        large_bytes = os.path.getsize(large)
    columns = [{name: [run[name]["us"] for run in column] for name in column[0]} for column in zip(*runs)]
    pages = [{name: told_pages(run) for name, run in runs[0][i].items()} for i in (0, 2)]
    rows = [["", f"small: {FEW:,} users, µs", f"large, {FEW:,} active, µs", "large, all active, µs", "small, instructions",
             "large, instructions", "ratio", "target", "small, pages read + written", "large, pages read + written"]]
    for name, title, most in CASES:
        few, many = counts[0][name], counts[1][name]
        ratio = many / few
        rows.append([title] + [told(column[name], ".1f") for column in columns] +
                    [f"{few:,}", f"{many:,}", f"{ratio:.2f}" + mark(most is None or ratio <= most), f"≤ {most}" if most else "",
                     pages[0][name], pages[1][name]])
    sweeps = [statistics.median(columns[i]["sweep"]) * COUNT / 1e3 for i in (0, 2)]
    write_part("size", [
        f"The large store: {there['events']:,} events, {there['users']:,} users, {there['conversations']:,} direct "
        f"conversations, {there['groups']:,} groups; {large_bytes / 1e9:.1f} GB. Opening it takes {boots[1]:.1f} s, the "
        f"small one {boots[0]:.2f} s. Retention looks through the small one in {sweeps[0]:.0f} ms and through the large one "
        f"in {sweeps[1]:.0f} ms, a thousand conversations at a time."], rows)


main()
