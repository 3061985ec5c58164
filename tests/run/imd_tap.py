"""A pytest plugin that reports every test as a line of TAP, for tests/run/driver; with --part K/N only of every Nth file,
so that a folder's tests can run beside each other."""

import pytest


class Tap:
    def __init__(self, config):
        self.config = config
        self.count = 0

    def line(self, good, nodeid, note=""):
        self.count += 1
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        name = "".join(c if c.isprintable() and c != "#" else "?" for c in nodeid)
        reporter.ensure_newline()
        reporter.write_line(f"{'ok' if good else 'not ok'} {self.count} - {name}{note}")

    def pytest_runtest_logreport(self, report):
        if report.skipped and hasattr(report, "wasxfail"):
            self.line(True, report.nodeid, " (expected to fail)")
        elif report.skipped:
            self.line(True, report.nodeid, " # SKIP")
        elif report.when == "call" or report.failed:
            self.line(report.passed, report.nodeid, "" if report.when == "call" else f" ({report.when})")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_report_teststatus(self):
        """No dots and letters between the lines of TAP."""
        outcome = yield
        category, _, word = outcome.get_result()
        outcome.force_result((category, "", word))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self):
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line(f"1..{self.count}")


def pytest_addoption(parser):
    parser.addoption("--part", default="1/1", help="K/N: of N parts the Kth")


def pytest_collection_modifyitems(config, items):
    part, parts = map(int, config.getoption("--part").split("/"))
    files = sorted({item.fspath for item in items})
    wanted = set(files[part - 1::parts])
    config.hook.pytest_deselected(items=[item for item in items if item.fspath not in wanted])
    items[:] = [item for item in items if item.fspath in wanted]


def pytest_configure(config):
    config.pluginmanager.register(Tap(config), "imd_tap_reporter")
