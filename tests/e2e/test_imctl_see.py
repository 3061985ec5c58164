"""What imctl shows of a live server."""

import json
import re
import subprocess
import threading

import pytest

from imdtest.daemon import find_program
from imdtest.wait import PATIENCE, until


class Stream:
    """imctl with a command that streams; its lines as they come."""

    def __init__(self, daemon, *args, json_out=True):
        options = ["--json"] if json_out else []
        self.process = subprocess.Popen([find_program("imctl", "IMCTL"), "-s", daemon.admin_path, *options, *args],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = []
        self.thread = threading.Thread(target=lambda: self.lines.extend(iter(self.process.stdout.readline, "")))
        self.thread.start()

    def wait(self):
        """What it printed, once it has ended by itself."""
        status = self.process.wait(PATIENCE)
        self.thread.join()
        assert status == 0, self.process.stderr.read()
        return self.lines

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def stream(closing):
    return lambda *args, **options: closing(Stream(*args, **options))


def histogram(daemon, name):
    """The buckets (bound, count) of a histogram, its sum and its count."""
    text = daemon.get("/metrics").body.decode()
    buckets = [(float(bound), int(n)) for bound, n in re.findall(rf'^imd_{name}_bucket{{le="(.*)"}} (\d+)$', text, re.M)]
    return (buckets, float(re.search(rf"^imd_{name}_sum (.*)$", text, re.M).group(1)),
            int(re.search(rf"^imd_{name}_count (.*)$", text, re.M).group(1)))


# latency

def latency(daemon, *args):
    return {row["what"]: row for row in daemon.imctl("latency", *args)["latency"]}


def test_latency_tells_what_was_measured(imd, connect):
    daemon = imd()
    im = connect(daemon, "line", "小明")
    for n in range(20):
        im.say("翠花", f"{n}")
    until(lambda: latency(daemon)["loop_lag"]["count"] > 2)
    rows = latency(daemon)
    assert rows["store_commit"]["count"] >= 20 and rows["fanout"]["count"] >= 20
    for row in rows.values():
        assert row["p50_us"] <= row["p90_us"] <= row["p99_us"] <= row["p999_us"] <= row["max_us"]
        assert row["mean_us"] <= row["max_us"]
    text = daemon.imctl("latency", json=False)
    assert text.splitlines()[0].split() == ["WHAT", "COUNT", "MEAN", "P50", "P90", "P99", "P999", "MAX"]
    assert re.search(r"^store_commit +\d+ +[\d.]+(us|ms|s) ", text, re.M)


def test_latency_of_the_seconds_to_come(imd, connect, stream):
    daemon = imd()
    im = connect(daemon, "line", "小明")
    im.say("翠花", "before")
    watch = stream(daemon, "latency", "1")
    rows = {row["what"]: row for row in json.loads(watch.wait()[-1])["latency"]}
    assert rows["loop_lag"]["count"] > 0 and rows["store_commit"]["count"] < latency(daemon)["store_commit"]["count"]
    assert daemon.imctl_run("latency", "0").returncode == 64


def test_histograms_are_metrics(imd, connect):
    daemon = imd()
    connect(daemon, "line", "小明").say("翠花", "你好")
    for name in ("loop_lag_seconds", "store_commit_seconds", "fanout_seconds"):
        buckets, total, count = histogram(daemon, name)
        assert [n for _, n in buckets] == sorted(n for _, n in buckets)
        assert [bound for bound, _ in buckets] == sorted(bound for bound, _ in buckets)
        assert buckets[-1] == (float("inf"), count) and total >= 0
    assert histogram(daemon, "store_commit_seconds")[2] > 0
