"""make bench: what a message costs imd, beside the least that it could cost, in the same run; writes what it finds out
into results.json beside this file, and from it the tables of doc/benchmarks.md and its pictures.

BENCH_SECONDS: how long each run measures. BENCH_ONLY: parts, with commas between; the others stay as they are."""

import json
import os
import resource
import shutil
import statistics
import sys
import time

import ephemeral
import page
import syscalls
import where
from page import mark, told
from servers import CORES, HERE, WAITED, can_have_workers, core_alone, core_letters, durable_floor, floor, imd, new_memory

SECONDS = float(os.environ.get("BENCH_SECONDS", "1"))
VALGRIND = os.environ.get("VALGRIND", "")
STRACE = shutil.which("strace")
DISTURBED = 1.5
REPEATS = 3
SIDE_REPEATS = 5  # where it is compared with the floor
RATIO_REPEATS = 9  # in the first table, of short runs: a server may have a bad start and keep it
RESULTS = os.path.join(HERE, "results.json")
WARM = ("-W", min(0.5, SECONDS))
TIME = ("-t", SECONDS, *WARM)
PROTOCOLS = ("classroom", "json")
TITLES = {"floor": "floor", "classroom": "classroom", "json": "im.v1"}

# name, arguments of imbench, at most so many times the floor: classroom, im.v1
RATIOS = [
    ("1 in flight", ["pingpong"], 1.25, 1.8),
    ("16 in flight", ["pairs", "-w", 16], 2.5, 6),
    ("16 × 1 KiB", ["pairs", "-w", 16, "-s", 1024], 2.5, 5),
    ("fan-out 1", ["fanout", "-w", 1], 1.15, 1.15),
    ("fan-out 8", ["fanout", "-w", 8], 1.5, 1.5),
]
RATE, RATE_RATIO = 20000, 3
LATENCY_LEAST = 2  # seconds: a p99 of less is that of a moment
MANY_MOST = 1.1  # with many connections: so many times the ratio with 1,000
IDLE_MOST = 2.5 * 1024
DURABLE_LEAST, DURABLE_COMMITS = 0.7, 2
EPHEMERAL_MOST = 1.1
DURABLE = ("-c", 200, "-w", 8)
IN_FLIGHT = 200 // 2 * 8
CORE_LEAST = 1000000

# What has no floor to be compared with: title, arguments, transport.
OTHERS = [
    ("reconnect storm", ["storm"], "ws"),
    ("reconnect storm, im.v1", ["storm", "-P", "json"], "ws"),
    ("slow readers", ["slow", "-r", 20000], "ws"),
    ("history", ["history"], "ws"),
    ("16 in flight, lines", ["pairs", "-w", 16], "tcp"),
    ("16 in flight, lines, TLS", ["pairs", "-w", 16], "tls"),
    ("16 in flight, Unix socket", ["pairs", "-w", 16], "unix"),
]

# The same plain, over TLS, and compressed. Texts that compressing is worth it for; and all are words.
COATS = [("plain", [], "ws"), ("TLS", [], "wss"), ("deflate", ["-z"], "ws"), ("both", ["-z"], "wss")]
COATED = [
    ("1 in flight", ["-c", 200, "pingpong"]),
    ("16 in flight", ["-c", 200, "pairs", "-w", 16]),
    ("16 × 1 KiB", ["-c", 200, "pairs", "-w", 16, "-s", 1024]),
    ("16 × 1 KiB, im.v1", ["-c", 200, "pairs", "-w", 16, "-s", 1024, "-P", "json"]),
    ("fan-out 8", ["fanout", "-w", 8]),
    ("fan-out 8 × 1 KiB", ["fanout", "-w", 8, "-s", 1024]),
]
ARRIVALS = [
    ("plain", [], "ws"),
    ("TLS, full handshakes", [], "wss"),
    ("TLS, resumed", ["--resume"], "wss"),
]

# Idle connections: title, arguments, transport, and how many valgrind looks at.
IDLERS = [
    ("classroom", ["-P", "classroom"], "ws", (1000, 3000)),
    ("im.v1", ["-P", "json"], "ws", (1000, 3000)),
    ("im.v1, deflate", ["-P", "json", "-z"], "ws", (1000, 3000)),
    ("im.v1, TLS", ["-P", "json"], "wss", (200, 600)),
]

# What callgrind looks at: title, arguments, deliveries of a message; deliveries of the short and the long run, about.
PROFILES = [(f"{title}, {how}", [*arguments, "-P", protocol], deliveries)
            for protocol, title in (("classroom", "classroom"), ("json", "im.v1"))
            for how, arguments, deliveries in (("1 in flight", ["-c", 2, "-w", 1, "pairs"], 1),
                                               ("16 in flight", ["-c", 2, "-w", 16, "pairs"], 1),
                                               ("fan-out 1", ["-c", 102, "-w", 1, "fanout"], 101))]
PROFILE_SHORT, PROFILE_LONG = 1000, 5000

# How many users there are when it is counted what comes from memory.
CACHED = (2, 1000, 6000)

# What strace looks at: title, arguments, deliveries of a message, workers.
CALLS = [(f"{TITLES[protocol]}, {how}" + (", workers: 2" if workers > 1 else ""), [*arguments, "-P", protocol], deliveries, workers)
         for how, arguments, deliveries, workers in (("1 in flight", ["pingpong"], 1, 1),
                                                     ("16 in flight", ["pairs", "-w", 16], 1, 1),
                                                     ("fan-out 1", ["-c", 200, "fanout", "-w", 1], 199, 1),
                                                     ("16 in flight", ["pairs", "-w", 16], 1, 2),
                                                     ("fan-out 8", ["-c", 200, "fanout", "-w", 8], 199, 2))
         for protocol in PROTOCOLS]


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def values(results, *path):
    found = []
    for result in results:
        for key in path:
            result = result[key]
        found.append(result)
    return found


def median(results, *path):
    return statistics.median(values(results, *path))


CPU = ("server", "cpu_us")


def cpu(results):
    return median(results, *CPU)


def quotients(results, least, *path):
    """Of each round, how many times `least` it was."""
    return [n / floors for n, floors in zip(values(results, *path), values(least, *path))]


def disturbance(name, runs, *ratios):
    """Nobody costs less than the least; and a floor that differs from itself is none."""
    if max(runs) <= DISTURBED * min(runs) and min(map(statistics.median, ratios), default=1) >= 1:
        return []
    return [f"{name}: the floor itself was disturbed: its runs were {', '.join(f'{n:.4g}' for n in runs)} µs."]


def side_by_side(arguments, repeats=SIDE_REPEATS):
    """The floor and imd by turns, each time a new one, so that all see the same moods of the machine."""
    results = {"floor": [], "classroom": [], "json": []}
    for _ in range(repeats):
        with floor() as server:
            results["floor"].append(server.imbench("--relay", *arguments))
        for protocol in PROTOCOLS:
            with imd() as server:
                results[protocol].append(server.imbench("-P", protocol, *arguments))
    return results


# Parts: each returns rows of cells, the first one being the heading, what is to be said of them, and what the pictures
# need.


def measure_ratios():
    rows = [["", "floor, µs", "classroom", "target", "im.v1", "target"]]
    bars, remarks = [], []
    for name, arguments, *targets in RATIOS:
        say(name)
        results = side_by_side([*TIME, *arguments], RATIO_REPEATS)
        row = [name, told(values(results["floor"], *CPU), ".2f")]
        ratios = [quotients(results[protocol], results["floor"], *CPU) for protocol in PROTOCOLS]
        for protocol, found, target in zip(PROTOCOLS, ratios, targets):
            ratio = statistics.median(found)
            row += [told(found, ".2f", mark(ratio <= target)), f"≤ {target}"]
            bars.append((f"{name}, {TITLES[protocol]}", ratio, target))
        rows.append(row)
        remarks += disturbance(name, values(results["floor"], *CPU), *ratios)
    return {"rows": rows, "bars": bars, "remarks": remarks}


def curve(results):
    """Of all runs: at each percentile that each of them has, the median."""
    shortest = min((r["latency_us"]["curve"] for r in results), key=len)
    return [(percent, statistics.median(r["latency_us"]["curve"][i][1] for r in results))
            for i, (percent, _) in enumerate(shortest)]


def measure_latency():
    say(f"{RATE} messages a second")
    results = side_by_side(["-t", max(LATENCY_LEAST, 2 * SECONDS), *WARM, "rate", "-r", RATE])
    p99 = ("latency_us", "p99")
    least = median(results["floor"], *p99)
    rows, ratios = [["", "p50, µs", "p99, µs", "p99.9, µs", "p99 ÷ floor", "target"]], []
    for who, title in TITLES.items():
        row = [title] + [told(values(results[who], "latency_us", p), ".0f") for p in ("p50", "p99", "p999")]
        ratio = median(results[who], *p99) / least
        ratios.append(ratio)
        rows.append(row + (["1", ""] if who == "floor" else [f"{ratio:.2f}{mark(ratio <= RATE_RATIO)}", f"≤ {RATE_RATIO}"]))
    return {"rows": rows, "remarks": disturbance("p99", values(results["floor"], *p99), *([r] for r in ratios)),
            "curves": {TITLES[who]: curve(r) for who, r in results.items()}}


def most_connections():
    return min(18000, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500) // 2 * 2)


def measure_connections():
    """One round of so many takes a while: they get as much time as they need for some, and to begin with for two, as the
    first message of a conversation costs many times what the others do."""
    rows = [["connections", "floor, µs", "classroom, µs", "÷ floor", "target", "im.v1, µs", "÷ floor", "target"]]
    at_most, remarks = [], []
    for count in (1000, most_connections()):
        say(f"{count} connections")
        rounds = max(1, count // 4000)
        results = side_by_side(["-t", rounds * SECONDS, "-W", max(1, rounds // 2), "-c", count, "pingpong"],
                               REPEATS if count > 1000 else SIDE_REPEATS)
        ratios = [quotients(results[protocol], results["floor"], *CPU) for protocol in PROTOCOLS]
        at_most = at_most or [statistics.median(found) * MANY_MOST for found in ratios]
        row = [f"{count}", told(values(results["floor"], *CPU), ".2f")]
        for protocol, found, most in zip(PROTOCOLS, ratios, at_most):
            good = statistics.median(found) <= most
            row += [f"{cpu(results[protocol]):.2f}", told(found, ".2f", mark(good)), f"≤ {most:.2f}" if count > 1000 else ""]
        rows.append(row)
        remarks += disturbance(f"{count} connections", values(results["floor"], *CPU), *ratios)
    return {"rows": rows, "remarks": remarks}


def idle_rss(arguments, over, count):
    with imd() as server:
        return server.imbench("-t", 0.1, "-W", 0.2, "-c", count, *arguments, "idle", over=over)["server"]["rss_per_connection"]


def by_owner():
    """From valgrind; without it, nothing."""
    columns = []
    for title, arguments, over, (few, many) in IDLERS if VALGRIND else []:
        say(f"where the bytes are: {title}")
        columns.append((title, where.bytes_per_connection(VALGRIND, arguments, over, few, many)))
    owners = sorted({owner for _, found in columns for owner, n in found.items() if n >= 8},
                    key=lambda owner: -columns[0][1].get(owner, 0))
    return columns, owners


def measure_memory():
    rows = [["bytes for each idle connection"] + [title for title, *_ in IDLERS]]
    for count in (1000, most_connections()):
        say(f"{count} idle connections")
        values = [idle_rss(arguments, over, count) for _, arguments, over, _ in IDLERS]
        rows.append([f"RSS, {count} connections"] + [f"{n:.0f}" for n in values])
        for i in (1, 2):
            rows[-1][i] += mark(values[i - 1] <= IDLE_MOST) + f" (≤ {IDLE_MOST:.0f})"
    columns, owners = by_owner()
    for owner in owners:
        rows.append([owner] + [f"{max(0, found.get(owner, 0)):.0f}" for _, found in columns])
    if columns:
        rows.append(["together, as malloc sees it"] + [f"{sum(found.values()):.0f}" for _, found in columns])
    return {"rows": rows, "stacks": [(title, [(owner, found.get(owner, 0)) for owner in owners]) for title, found in columns]}


def durable():
    """One run; with it, what each message cost the two threads that see it, and how many were committed at once."""
    with imd(store="sqlite", core=None) as server:
        result = server.imbench("-t", 2 * SECONDS, *WARM, *DURABLE, "durable")
        threads = server.threads()
        messages, commits = result["messages"]["received"], server.imctl("counters")["store_commits_total"]
        return result | {"core_us": threads["imd"] / messages, "writer_us": threads["imd-writer"] / messages,
                         "batch": messages / commits}


def measure_durable():
    say("durable")
    bare, full = [], []
    for _ in range(REPEATS):
        bare.append(durable_floor(2 * SECONDS, IN_FLIGHT, 64))
        full.append(durable())
    shares = quotients(full, bare, "per_second")
    commits = [r["latency_us"]["p50"] / b["commit_us"]["p50"] for r, b in zip(full, bare)]
    good = statistics.median(shares) >= DURABLE_LEAST, statistics.median(commits) <= DURABLE_COMMITS
    work = [r["writer_us"] / b["cpu_us"] for r, b in zip(full, bare)]
    return {"rows": [
        ["", "bare SQLite", "imd", "ratio", "target"],
        ["messages per second", f"{median(bare, 'per_second'):.0f}", f"{median(full, 'per_second'):.0f}",
         told(shares, ".0%", mark(good[0])), f"≥ {DURABLE_LEAST:.0%}"],
        ["commit p50 / acknowledgement p50, µs", f"{median(bare, 'commit_us', 'p50'):.0f}", f"{median(full, 'latency_us', 'p50'):.0f}",
         told(commits, ".2f", mark(good[1])), f"≤ {DURABLE_COMMITS}"],
        ["messages in a transaction", f"{median(bare, 'batch'):.0f}", f"{median(full, 'batch'):.0f}", "", ""],
        ["µs CPU each of the thread that writes", f"{median(bare, 'cpu_us'):.2f}", f"{median(full, 'writer_us'):.2f}",
         told(work, ".2f"), ""],
        ["µs CPU each of the core's thread", "", f"{median(full, 'core_us'):.2f}", "", ""],
    ], "remarks": disturbance("commits", values(bare, "commit_us", "p50"))}


def measure_ephemeral():
    found = {}
    for _ in range(REPEATS):
        for store in ("memory", "sqlite"):
            say(f"ephemeral: {store}")
            with imd(store=store) as server:
                found.setdefault(store, []).append(ephemeral.measure(server, max(1, SECONDS)))
    rows = [["somebody is typing", "store memory", "store sqlite, sync full", "ratio", "target"]]
    for title, key, most in (("µs CPU each", "cpu_us", EPHEMERAL_MOST), ("one at a time, p50, µs", "p50_us", None)):
        memory, sqlite = (median(found[store], key) for store in ("memory", "sqlite"))
        ratios = quotients(found["sqlite"], found["memory"], key)
        good = most is None or statistics.median(ratios) <= most
        rows.append([title, f"{memory:.2f}", f"{sqlite:.2f}", told(ratios, ".2f", mark(good)), f"≤ {most}" if most else ""])
    return {"rows": rows}


def measure_coats():
    """By turns, so that each meets the same moods of the machine."""
    rows = [["µs CPU for each delivery"] + [title for title, *_ in COATS]]
    for name, arguments in COATED:
        found = {title: [] for title, *_ in COATS}
        for _ in range(REPEATS):
            for title, coat, over in COATS:
                say(f"{name}, {title}")
                with imd() as server:
                    found[title].append(server.imbench("-t", max(0.5, SECONDS), *arguments, *coat, over=over))
        rows.append([name] + [told(values(runs, *CPU), ".2f") for runs in found.values()])
    return {"rows": rows}


def measure_arrivals():
    rows = [["", "per second", "p50, µs", "p99, µs", "µs CPU each"]]
    for title, arguments, over in ARRIVALS:
        say(f"arrivals: {title}")
        with imd() as server:
            r = server.imbench(*TIME, *arguments, "connect", over=over)
        rows.append([title, f"{r['per_second']:.0f}", f"{r['latency_us']['p50']:.0f}", f"{r['latency_us']['p99']:.0f}",
                     f"{r['server']['cpu_us']:.1f}"])
    return {"rows": rows}


IN_MEMORY = "the store works on this thread too, and takes new memory for each message"
CORE_WORK = [  # title, scenario, users, messages; what makes it slower
    ("messages in pairs, 1,000 users", "pairs", 1000, 300000, ""),
    ("messages in pairs, 18,000 users", "pairs", 18000, 300000, "everybody's memory is in no cache"),
    ("deliveries in a group of 1,000", "group", 1000, 2000, ""),
]
CORE_WAYS = [  # title, program, store; what makes it slower
    ("store in memory", core_alone, "memory", IN_MEMORY),
    ("store elsewhere", core_alone, "elsewhere", ""),
    ("in memory + letters", core_letters, "memory", IN_MEMORY),
    ("elsewhere + letters", core_letters, "elsewhere", "letters come from another core's cache"),
]


def below(title, why, rates):
    """Where one thread does less than it is to do, be it not the figure with the target."""
    slow = [way for way, rate in zip(CORE_WAYS, rates) if rate < CORE_LEAST]
    reasons = dict.fromkeys(filter(None, [why, *(reason for *_, reason in slow)]))
    return [f"{title}: below {CORE_LEAST:,} a second: {', '.join(way for way, *_ in slow)}. Why: {'; '.join(reasons)}."] if slow else []


def measure_core():
    """What stays on the core's thread; and what the rest of a message costs, which other threads can do."""
    rows = [["", *(title for title, *_ in CORE_WAYS), "target"]]
    remarks, alone = [], None
    for title, scenario, users, messages, why in CORE_WORK:
        say(f"the core alone: {title}")
        runs = [[program(scenario, store, users, messages)["per_second"] for _ in range(REPEATS)] for _, program, store, _ in CORE_WAYS]
        rates = [statistics.median(found) for found in runs]
        rows.append([title] + [told(found, ",.0f") for found in runs] + [""])
        if scenario == "pairs":
            remarks += below(title, why, rates)
        if not alone:  # the first is what the target is about: everything counts, and the store is another thread's
            alone = rates
            rows[-1][4] = told(runs[3], ",.0f", mark(rates[3] >= CORE_LEAST))
            rows[-1][5] = f"≥ {CORE_LEAST:,}"
    for title, arguments in (("1 in flight", ["pingpong"]), ("16 in flight", ["pairs", "-w", 16])):
        with imd() as server:
            whole = server.imbench(*TIME, "-P", "json", *arguments)["server"]["cpu_us"]
        feeds = [max(0, whole - 1e6 / alone[0]) * rate / 1e6 for rate in alone[2:]]
        rows.append([f"I/O threads it keeps busy, im.v1, {title}", "", ""] + [f"{n:.1f}" for n in feeds] + [""])
    return {"rows": rows, "remarks": remarks}


def measure_workers():
    """Where this imd can have I/O threads: what a second one brings. Nobody has a core to themselves."""
    rows = [["", "workers: 1, per second", "workers: 2, per second", "more", "target", "µs CPU each, 1", "µs CPU each, 2",
             "cores busy, imd + imbench: 1", "2"]]
    for name, arguments, over in (("16 in flight", ["pairs", "-w", 16], "ws"), ("16 in flight, TLS", ["pairs", "-w", 16], "wss"),
                                  ("16 × 1 KiB, im.v1, deflate", ["pairs", "-w", 16, "-s", 1024, "-P", "json", "-z"], "ws"),
                                  ("1 in flight", ["pingpong"], "ws"), ("fan-out 8", ["fanout", "-w", 8], "ws")):
        say(f"workers: {name}")
        found = {}
        for _ in range(REPEATS):
            for count in (1, 2):
                with imd(core=None, workers=count) as server:
                    found.setdefault(count, []).append(server.imbench(*TIME, *arguments, over=over))
        one, two = (median(found[n], "per_second") for n in (1, 2))
        more = [ratio - 1 for ratio in quotients(found[2], found[1], "per_second")]
        least = 0 if "TLS" in name or "deflate" in name else -0.1
        rows.append([name, f"{one:.0f}", f"{two:.0f}", told(more, "+.0%", mark(statistics.median(more) >= least)),
                     f"≥ {least:+.0%}" if least else "> 0", f"{cpu(found[1]):.2f}", f"{cpu(found[2]):.2f}",
                     *(" + ".join(f"{median(found[n], who, 'busy'):.2f}" for who in ("server", "imbench")) for n in (1, 2))])
    return {"rows": rows}


def measure_others():
    rows = [["", "per second", "of", "p50, µs", "p99, µs", "µs CPU each"]]
    for title, arguments, over in OTHERS:
        say(title)
        with imd() as server:
            r = server.imbench(*TIME, *arguments, over=over)
        rows.append([title, f"{r['per_second']:.0f}", r["unit"], f"{r['latency_us']['p50']:.0f}",
                     f"{r['latency_us']['p99']:.0f}", f"{r['server']['cpu_us']:.2f}"])
    return {"rows": rows}


def kernels_share(arguments):
    with imd() as server:
        before = server.times()
        server.imbench("-t", max(1, SECONDS), *arguments)
        user, kernel = (after - then for after, then in zip(server.times(), before))
    return kernel / (user + kernel)


def measure_profile():
    columns, shares = [], []
    for title, arguments, deliveries in PROFILES:
        say(f"where the time goes: {title}")
        columns.append(where.per_delivery(VALGRIND, arguments, deliveries, PROFILE_SHORT, PROFILE_LONG))
        shares.append(kernels_share([1000 if a in (2, 102) else a for a in arguments]))
    parts = sorted({part for found in columns for part, n in found.items() if n >= 1},
                   key=lambda part: -sum(found.get(part, 0) for found in columns))
    rows = [["instructions for each delivery"] + [title for title, *_ in PROFILES]]
    for part in parts:
        rows.append([part] + [f"{found.get(part, 0):,.0f}" for found in columns])
    rows.append(["together"] + [f"{sum(found.values()):,.0f}" for found in columns])
    rows.append(["the kernel's share of the CPU time, which is not in these"] + [f"{share:.0%}" for share in shares])
    return {"rows": rows}


def measure_cache():
    """Of what a message touches, how much has to come from memory. By a model of a cache, so that it can be repeated."""
    columns, titles = [], []
    for protocol in PROTOCOLS:
        for users in CACHED:
            titles.append(f"{TITLES[protocol]}, {users:,} users")
            say(f"what is in no cache: {titles[-1]}")
            few, many = max(PROFILE_SHORT, 2 * users), max(PROFILE_LONG, 6 * users)
            columns.append(where.per_delivery(VALGRIND, ["-c", users, "-P", protocol, "pingpong"], 1, few, many, where.MISSES,
                                              where.CACHE))
    parts = sorted({part for found in columns for part, n in found.items() if n >= 0.1},
                   key=lambda part: -sum(found.get(part, 0) for found in columns))
    rows = [["lines of 64 bytes for each message", *titles]]
    for part in parts:
        rows.append([part] + [f"{found.get(part, 0):.1f}" for found in columns])
    rows.append(["together"] + [f"{sum(found.values()):.1f}" for found in columns])
    return {"rows": rows}


def measure_syscalls():
    rows = [["for each delivery", *(kind for kind, _ in syscalls.KINDS), syscalls.REST, "page faults"]]
    for title, arguments, deliveries, workers in CALLS:
        if workers > 1 and not can_have_workers(workers):
            continue
        say(f"what is asked of the kernel: {title}")
        found, faults = syscalls.per_message(STRACE, arguments, deliveries, workers)
        rows.append([title] + [f"{n:.3f}" for n in found.values()] + [f"{faults:.3f}"])
    return {"rows": rows}


MEASURES = {
    "ratios": measure_ratios, "latency": measure_latency, "connections": measure_connections, "memory": measure_memory,
    "durable": measure_durable, "ephemeral": measure_ephemeral, "coats": measure_coats, "arrivals": measure_arrivals,
    "core": measure_core, "workers": measure_workers, "others": measure_others, "profile": measure_profile,
    "cache": measure_cache, "syscalls": measure_syscalls,
}


def chosen():
    names = os.environ.get("BENCH_ONLY", "")
    wanted = [name.strip() for name in names.split(",")] if names else list(MEASURES)
    unknown = [name for name in wanted if name not in MEASURES]
    if unknown:
        raise SystemExit(f"bench: BENCH_ONLY: there is no part {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    for name, possible, why in (("workers", can_have_workers(2), "this machine or this imd cannot"),
                                ("profile", VALGRIND, "valgrind is missing (Debian: valgrind)"),
                                ("cache", VALGRIND, "valgrind is missing (Debian: valgrind)"),
                                ("syscalls", STRACE, "strace is missing (Debian: strace)")):
        if name in wanted and not possible:
            say(f"{name} is left as it was: {why}")
            wanted.remove(name)
    return wanted


def measure(name):
    WAITED.clear()
    start = time.monotonic()
    memory = new_memory()
    part = MEASURES[name]()
    waited = statistics.median(WAITED) if WAITED else 0
    say(f"{name}: {time.monotonic() - start:.0f} s")
    return {**part, "when": {"date": page.today(), "seconds": SECONDS, "waited": round(waited, 3), "machine": page.machine(len(CORES)),
                             **memory}}


def main():
    try:
        with open(RESULTS, encoding="utf-8") as f:
            results = json.load(f)
    except FileNotFoundError:
        results = {}
    for name in chosen():
        results[name] = measure(name)
        with open(RESULTS, "w", encoding="utf-8") as f:  # what is there is there, however it ends
            json.dump(results, f, ensure_ascii=False, indent=1)
            f.write("\n")
    page.write(results)


if __name__ == "__main__":
    main()
