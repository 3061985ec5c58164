"""doc/benchmarks.md and its pictures, from results.json. What stands between the marks of the page is ours; the rest of
it is written by hand."""

import collections
import datetime
import os
import platform
import re
import statistics

import chart

DOC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "doc")

# What others cost, as multiples of the same floor, and the RSS of an idle connection in KB: measured once, in one run,
# medians of three, on a machine like this one.
OTHERS = [
    ("µWebSockets relay (C++, no messaging): publish / send", "1.1 / 1.0", "1.15 / 12.5", "1.55 / 7.6", "1.0", "1.0", "0.3–0.7"),
    ("inspircd", "1.4", "4.3", "–", "1.25", "1.9", "2.1"),
    ("mosquitto QoS 0 / QoS 1", "2.0 / 3.5", "30 / 58", "19 / 46", "2.2 / 2.9", "16 / 25", "1.0"),
    ("ngircd", "2.1", "9.1", "–", "1.4", "2.6", "2.7"),
    ("node `ws` relay", "2.4", "20", "17", "1.8", "13", "7.0"),
    ("redis pub/sub", "2.5", "4.0", "3.6", "1.2", "1.55", "10"),
    ("nats-server", "2.5", "3.9", "4.4", "2.0", "2.9", "23"),
    ("ejabberd", "12", "90", "67", "–", "–", "37"),
]

# name of the part, its heading, what is said before the table
PARTS = [
    ("ratios", "CPU per delivered message, as a multiple of the floor", ""),
    ("latency", "Latency at 20,000 messages a second", "From when a message was due, not from when it was sent."),
    ("connections", "Many connections, 1 in flight",
     "Everybody's memory is touched in turn: with 18,000 it is in no cache, neither the kernel's part of a connection nor\n"
     "ours. That holds for the floor too, and the ratio tells what is our own."),
    ("memory", "Memory", "What each idle session costs, login and directory entry included, and where each byte of it is (valgrind's massif)."),
    ("durable", "Durable: store sqlite, sync full",
     "While one transaction is written, those of the one before are answered, so fewer share one than in bare SQLite, which\n"
     "puts as many into each as imd has in flight. The thread that writes also looks up who it is, where it goes, and the `cid`."),
    ("ephemeral", "Ephemeral events", "They are not kept, and do not wait for what is."),
    ("coats", "TLS and permessage-deflate", "Compressed once for all who get the same bytes; over TLS, each connection encrypts for itself."),
    ("arrivals", "Arrivals", "Connecting, TLS (P-256), the upgrade and the login in its URL; 100 at a time."),
    ("core", "The core's thread alone",
     "`tests/bench/core_alone`: decoded commands in, events out and dropped. *Elsewhere*: messages are committed by other\n"
     "threads, as with SQLite. *Letters* (`tests/bench/core_letters`): both come from and go to the mailboxes of another\n"
     "thread, and its reading and writing these is counted. What a message costs beyond that can be done by others: so many\n"
     "it keeps busy."),
    ("workers", "Workers", "Two threads and the generator share two cores: nobody has one to themselves."),
    ("others", "The rest", ""),
    ("profile", "Where the time goes", "By callgrind, in the server's own code and its libraries."),
    ("cache", "What is in no cache",
     "By callgrind's model of a cache of 1 MiB: what each message touches of the server's memory that has to come from\n"
     "further away, 1 in flight. The kernel's own memory is not in it."),
    ("syscalls", "What is asked of the kernel",
     "By `strace -c -f`, for each delivery; between threads a letter's wake-up is a write and a read. It slows the server\n"
     "down, so that more is ready at each epoll_wait than otherwise. Page faults were counted without it. A fan-out is to 199."),
]
PICTURES = {
    "ratios": ("benchmarks.svg", "CPU per delivered message, as a multiple of the floor"),
    "latency": ("benchmarks-latency.svg", "Latency by percentile at 20,000 messages a second"),
    "memory": ("benchmarks-memory.svg", "Where the bytes of an idle connection are"),
}


def mark(good):
    return "" if good else " **(missed)**"


def told(numbers, form, remark=""):
    """The median, what there is to say of it, and how far the runs were from each other."""
    to = " to " if form.startswith("+") else "–"  # a dash is no minus
    return f"{statistics.median(numbers):{form}}{remark} ({min(numbers):{form}}{to}{max(numbers):{form}})"


def today():
    return str(datetime.datetime.now(datetime.timezone.utc).date())


def first_line(path, pattern):
    try:
        with open(path, encoding="utf-8") as f:
            found = re.search(pattern, f.read(), re.M)
            return found.group(1) if found else "unknown"
    except OSError:
        return "unknown"


def machine(cores):
    return (f"{cores} cores of {first_line('/proc/cpuinfo', r'^model name.*: (.*)')}, "
            f"{int(first_line('/proc/meminfo', r'^MemTotal: *([0-9]+)')) // 1048576} GiB, Linux {platform.release().split('-')[0]}, "
            f"{first_line('/etc/os-release', r'^PRETTY_NAME=.(.*).$')}")


def measured(when):
    return f"Measured on {when['date']} with `BENCH_SECONDS={when['seconds']:g} make bench`: {when['machine']}."


def busy(when):
    """Others ran on the machine too: CPU time does not mind much, all the rest does."""
    return f"*The servers were kept waiting for a core {when['waited']:.0%} of the time.*" if when["waited"] > 0.1 else ""


def new_memory(results):
    """What it cost beside each part that stands under the first line: the median. None where nobody looked."""
    found = {}
    for key in ("page_us", "huge_us"):
        costs = [r["when"][key] for r in results if key in r["when"]]
        if not costs:
            return None
        found[key] = statistics.median(costs)
    return found


def dear(when, usual):
    """Whatever appends to a log in memory looks worse then."""
    if not usual or "page_us" not in when or when["page_us"] <= 1.5 * usual["page_us"]:
        return ""
    return f"*New memory was dear: {when['page_us']:.2g} µs for a page.*"


def remarks(part):
    return [f"*{remark}*" for remark in part.get("remarks", [])]


def as_table(rows):
    lines = ["| " + " | ".join(rows[0]) + " |", "|---" + "|--:" * (len(rows[0]) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows[1:]])


def beside_others(results):
    """Of our own rows, what is comparable."""
    rows = [["", "1 in flight", "16 in flight", "16 × 1 KiB", "fan-out 1", "fan-out 8", "KB for each idle connection"]]
    ratios = results["ratios"]["rows"][1:]
    idle = results["memory"]["rows"][1]
    for title, column, memory in (("**imd**, classroom", 2, 1), ("**imd**, im.v1", 4, 2)):
        rows.append([title] + [row[column].partition(" ")[0] for row in ratios] + [f"{int(idle[memory].partition(' ')[0]) / 1000:.1f}"])
    return ("### Beside others\n\nMultiples of the floor. The others were measured in a run of their own, against the same floor: "
            "medians of three, each\nwith its own protocol.\n\n" + as_table(rows + [list(row) for row in OTHERS]))


def render(results):
    """What most parts were measured in stands above; the others say it themselves."""
    whens = collections.Counter(measured(r["when"]) for r in results.values())
    usual = whens.most_common(1)[0][0]
    memory = new_memory([r for r in results.values() if measured(r["when"]) == usual])
    sections = [usual]
    if memory:
        sections.append(f"A page of new memory (4 KiB) costs {memory['page_us']:.2g} µs here, and {memory['huge_us']:.2g} µs where huge pages are asked for.")
    for name, heading, text in PARTS:
        if name not in results:
            continue
        when = results[name]["when"]
        own = [measured(when)] * (measured(when) != usual) + [busy(when), dear(when, memory)]
        sections.append("\n\n".join(filter(None, [f"### {heading}", text, *own, as_table(results[name]["rows"]), *remarks(results[name])])))
        if name in PICTURES:
            file, title = PICTURES[name]
            sections.append(f"![{title}]({file})")
        if name == "ratios" and "memory" in results:
            sections.append(beside_others(results))
    return "\n\n".join(sections)


def draw(results):
    pictures = {
        "ratios": lambda r: chart.bars(r["bars"], "line: target"),
        "latency": lambda r: chart.percentiles(r["curves"], "µs"),
        "memory": lambda r: chart.stacks(r["stacks"], "bytes"),
    }
    for name, picture in pictures.items():
        if name in results and (name != "memory" or results[name]["stacks"]):
            file, title = PICTURES[name]
            with open(os.path.join(DOC, file), "w", encoding="utf-8") as f:
                f.write(chart.page(title, *picture(results[name])))


def replace_part(name, new):
    """What stands between the marks of one part."""
    path = os.path.join(DOC, "benchmarks.md")
    with open(path, encoding="utf-8") as f:
        head, _, rest = f.read().partition(f"<!-- {name} -->\n")
    _, _, tail = rest.partition(f"<!-- /{name} -->\n")
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"{head}<!-- {name} -->\n\n{new}\n\n<!-- /{name} -->\n{tail}")


def write_part(name, paragraphs, rows):
    part = "\n\n".join([*paragraphs, as_table(rows)])
    print(part)
    replace_part(name, part)


def write(results):
    new = render(results)
    print(new)
    draw(results)
    replace_part("measured", new)
