"""make bench: what a message costs imd, beside the least that it could cost, in the same run; writes what it finds out
into doc/benchmarks.md and doc/benchmarks.svg. BENCH_SECONDS: how long each run measures."""

import datetime
import os
import platform
import re
import resource
import statistics
import sys

import chart
from servers import CORES, HERE, WAITED, durable_floor, floor, imd

SECONDS = float(os.environ.get("BENCH_SECONDS", "1"))
REPEATS = 3
DOC = os.path.join(HERE, "..", "..", "doc")
TIME = ("-t", SECONDS)

# name, arguments of imbench, at most so many times the floor: classroom, im.v1
RATIOS = [
    ("1 in flight", ["pingpong"], 1.25, 1.8),
    ("16 in flight", ["pairs", "-w", 16], 2.5, 6),
    ("16 × 1 KiB", ["pairs", "-w", 16, "-s", 1024], 2.5, 5),
    ("fan-out 1", ["fanout", "-w", 1], 1.15, 1.15),
    ("fan-out 8", ["fanout", "-w", 8], 1.5, 1.5),
]
RATE, RATE_RATIO = 20000, 3
IDLE_MOST = 2.5 * 1024
DURABLE_LEAST, DURABLE_COMMITS = 0.7, 2
DURABLE = ("-c", 200, "-w", 8)
IN_FLIGHT = 200 // 2 * 8
PROTOCOLS = ("classroom", "json")
TITLES = {"classroom": "classroom", "json": "im.v1"}

# What has no floor to be compared with: title, arguments, transport.
OTHERS = [
    ("reconnect storm", ["storm"], "ws"),
    ("reconnect storm, im.v1", ["storm", "-P", "json"], "ws"),
    ("slow readers", ["slow", "-r", 20000], "ws"),
    ("history", ["history"], "ws"),
    ("16 in flight, TLS", ["pairs", "-w", 16], "wss"),
    ("16 in flight, lines", ["pairs", "-w", 16], "tcp"),
    ("16 in flight, lines, TLS", ["pairs", "-w", 16], "tls"),
    ("16 in flight, Unix socket", ["pairs", "-w", 16], "unix"),
]


def say(text):
    print(text, file=sys.stderr, flush=True)


def median(results, *path):
    values = []
    for result in results:
        for key in path:
            result = result[key]
        values.append(result)
    return statistics.median(values)


def cpu(results):
    return median(results, "server", "cpu_us")


def side_by_side(arguments):
    """The floor and imd by turns, each time a new one, so that all see the same moods of the machine."""
    results = {"floor": [], "classroom": [], "json": []}
    for _ in range(REPEATS):
        with floor() as server:
            results["floor"].append(server.imbench(*TIME, "--relay", *arguments))
        for protocol in PROTOCOLS:
            with imd() as server:
                results[protocol].append(server.imbench(*TIME, "-P", protocol, *arguments))
    return results


# Tables: rows of cells, the first one being the heading.


def mark(good):
    return "" if good else " **(missed)**"


def measure_ratios():
    rows = [["", "floor, µs", "classroom", "target", "im.v1", "target"]]
    bars = []
    for name, arguments, *targets in RATIOS:
        say(f"bench: {name}")
        results = side_by_side(arguments)
        least = cpu(results["floor"])
        row = [name, f"{least:.2f}"]
        for protocol, target in zip(PROTOCOLS, targets):
            ratio = cpu(results[protocol]) / least
            row += [f"{ratio:.2f}{mark(ratio <= target)}", f"≤ {target}"]
            bars.append((f"{name}, {TITLES[protocol]}", ratio, target))
        rows.append(row)
    return rows, bars


def measure_rate():
    say(f"bench: {RATE} messages a second")
    results = side_by_side(["rate", "-r", RATE])
    least = median(results["floor"], "latency_us", "p99")
    rows = [["", "p50, µs", "p99, µs", "p99.9, µs", "p99 ÷ floor", "target"]]
    for who, title in {"floor": "floor", **TITLES}.items():
        p50, p99, p999 = (median(results[who], "latency_us", p) for p in ("p50", "p99", "p999"))
        ratio = p99 / least
        rows.append([title, f"{p50:.0f}", f"{p99:.0f}", f"{p999:.0f}"] +
                    (["1", ""] if who == "floor" else [f"{ratio:.2f}{mark(ratio <= RATE_RATIO)}", f"≤ {RATE_RATIO}"]))
    return rows


def most_connections():
    return min(18000, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500) // 2 * 2)


def measure_connections():
    rows = [["connections", "RSS for each idle one, bytes", "target", "1 in flight, µs per message"]]
    for count in (1000, most_connections()):
        say(f"bench: {count} connections")
        for protocol in PROTOCOLS:
            with imd() as server:
                idle = server.imbench(*TIME, "-c", count, "-P", protocol, "idle")["server"]["rss_per_connection"]
            with imd() as server:  # one round of so many takes a while
                busy = server.imbench("-t", max(1, count // 4000) * SECONDS, "-c", count, "-P", protocol, "pingpong")["server"]["cpu_us"]
            rows.append([f"{count}, {TITLES[protocol]}", f"{idle:.0f}{mark(idle <= IDLE_MOST)}", f"≤ {IDLE_MOST:.0f}",
                         f"{busy:.2f}"])
    return rows


def measure_durable():
    say("bench: durable")
    bare, full = [], []
    for _ in range(REPEATS):
        bare.append(durable_floor(2 * SECONDS, IN_FLIGHT, 64))
        with imd(store="sqlite", core=None) as server:
            full.append(server.imbench("-t", 2 * SECONDS, *DURABLE, "durable"))
    rate, ack = median(full, "per_second"), median(full, "latency_us", "p50")
    least, commit = median(bare, "per_second"), median(bare, "commit_us", "p50")
    share, commits = rate / least, ack / commit
    return [
        ["", "bare SQLite", "imd", "ratio", "target"],
        ["messages per second", f"{least:.0f}", f"{rate:.0f}", f"{share:.0%}{mark(share >= DURABLE_LEAST)}",
         f"≥ {DURABLE_LEAST:.0%}"],
        ["commit p50 / acknowledgement p50, µs", f"{commit:.0f}", f"{ack:.0f}",
         f"{commits:.2f}{mark(commits <= DURABLE_COMMITS)}", f"≤ {DURABLE_COMMITS}"],
    ]


def measure_others():
    rows = [["", "per second", "of", "p50, µs", "p99, µs", "µs CPU each"]]
    for title, arguments, over in OTHERS:
        say(f"bench: {title}")
        with imd() as server:
            r = server.imbench(*TIME, *arguments, over=over)
        rows.append([title, f"{r['per_second']:.0f}", r["unit"], f"{r['latency_us']['p50']:.0f}",
                     f"{r['latency_us']['p99']:.0f}", f"{r['server']['cpu_us']:.2f}"])
    return rows


# The page.


def first_line(path, pattern):
    try:
        with open(path, encoding="utf-8") as f:
            found = re.search(pattern, f.read(), re.M)
            return found.group(1) if found else "unknown"
    except OSError:
        return "unknown"


def machine():
    return (f"{len(CORES)} cores of {first_line('/proc/cpuinfo', r'^model name.*: (.*)')}, "
            f"{int(first_line('/proc/meminfo', r'^MemTotal: *([0-9]+)')) // 1048576} GiB, Linux {platform.release()}, "
            f"{first_line('/etc/os-release', r'^PRETTY_NAME=.(.*).$')}")


def quiet():
    waited = statistics.median(WAITED)
    return (f"The servers were kept waiting for a core {waited:.0%} of the time" +
            (": the machine was busy, and what is told of latencies and of what is durable says little." if waited > 0.1 else "."))


def as_table(rows):
    lines = ["| " + " | ".join(rows[0]) + " |", "|---" + "|--:" * (len(rows[0]) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows[1:]])


def replace_measured(text, measured):
    """What stands between the two marks is ours; the rest of the page is written by hand."""
    head, _, rest = text.partition("<!-- measured -->\n")
    _, _, tail = rest.partition("<!-- /measured -->\n")
    return f"{head}<!-- measured -->\n\n{measured}\n\n<!-- /measured -->\n{tail}"


def main():
    ratios, bars = measure_ratios()
    tables = {
        "CPU per delivered message, as a multiple of the floor": ratios,
        f"Latency at {RATE:,} messages a second": measure_rate(),
        "Connections": measure_connections(),
        "Durable: store sqlite, sync full": measure_durable(),
        "The rest": measure_others(),
    }
    today = datetime.datetime.now(datetime.timezone.utc).date()
    measured = "\n\n".join([f"Measured on {today} with `BENCH_SECONDS={SECONDS:g} make bench`: {machine()}. {quiet()}"] +
                           [f"### {title}\n\n{as_table(rows)}" for title, rows in tables.items()] +
                           ["![CPU per delivered message, as a multiple of the floor](benchmarks.svg)"])
    print(measured)
    with open(os.path.join(DOC, "benchmarks.svg"), "w", encoding="utf-8") as f:
        f.write(chart.bars("CPU per delivered message, as a multiple of the floor (line: target)", bars))
    path = os.path.join(DOC, "benchmarks.md")
    with open(path, encoding="utf-8") as f:
        page = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(replace_measured(page, measured))


main()
