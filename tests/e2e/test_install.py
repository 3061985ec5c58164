"""What make install puts where, and whether the tools it is for take it."""

import json
import os
import re
import shutil
import subprocess

import pytest

from imdtest.daemon import find_program
from imdtest.wait import until

BUILD = os.path.dirname(os.path.dirname(os.path.dirname(find_program("imd", "IMD"))))
APPARMOR_INCLUDES = "/etc/apparmor.d/abstractions/base"


def run(*command, **options):
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    env.update(PATH=f"{os.environ['PATH']}:/usr/sbin:/sbin", LC_ALL="C.UTF-8")
    env.update(options.pop("env", {}))
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, env=env, **options)


def needs(program):
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    return pytest.mark.skipif(not found, reason=f"{program} is not installed")


PLACES = ("bindir", "sysconfdir", "localstatedir", "runstatedir", "systemdsystemunitdir", "sysusersdir", "tmpfilesdir",
          "logrotatedir", "apparmordir", "bashcompletiondir", "zshcompletiondir", "fishcompletiondir", "mandir", "pkgdatadir",
          "docdir")


class Installed:
    """A folder with what make install makes. path("sysconfdir", "imd.yaml") is where that is there; the folders as imd
    knows them are attributes."""

    def __init__(self, root):
        self.root = root
        rule = "include Makefile\nshow-places:\n" + "".join(f"\t@echo '{name}=$({name})'\n" for name in PLACES)
        done = run("make", "-s", "-C", BUILD, "-f", "-", "show-places", input=rule)
        assert done.returncode == 0, done.stderr
        for line in done.stdout.splitlines():
            self.__dict__.__setitem__(*line.split("=", 1))

    def path(self, place, name):
        return os.path.join(self.root + getattr(self, place), name)

    def read(self, place, name):
        with open(self.path(place, name), encoding="utf-8") as f:
            return f.read()


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    if not os.path.exists(os.path.join(BUILD, "Makefile")):
        pytest.skip("not beside a build tree")
    root = str(tmp_path_factory.mktemp("root"))
    done = run("make", "-C", BUILD, "install", f"DESTDIR={root}")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return Installed(root)


def test_everything_is_in_its_place(installed):
    for place, name in (("bindir", "imd"), ("bindir", "imctl"), ("sysconfdir", "imd/imd.yaml"), ("logrotatedir", "imd"),
                        ("apparmordir", "imd"), ("systemdsystemunitdir", "imd.service"),
                        ("systemdsystemunitdir", "imd.socket"), ("sysusersdir", "imd.conf"), ("tmpfilesdir", "imd.conf"),
                        ("bashcompletiondir", "imctl"), ("zshcompletiondir", "_imctl"), ("fishcompletiondir", "imctl.fish"),
                        ("mandir", "man1/imctl.1"), ("mandir", "man5/imd.yaml.5"), ("mandir", "man7/im-protocol.7"),
                        ("mandir", "man8/imd.8"), ("pkgdatadir", "grafana-dashboard.json"),
                        ("pkgdatadir", "prometheus-alerts.yaml"), ("docdir", "README.md")):
        assert os.path.isfile(installed.path(place, name)), (place, name)
    assert os.path.isdir(installed.path("sysconfdir", "imd/imd.yaml.d"))
    for folder, _, names in os.walk(installed.root):
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                text = f.read()
            if not text.startswith(b"\x7fELF"):
                assert not re.search(rb"@(bindir|sysconfdir|localstatedir|runstatedir|NOTIFY|SERVICE_TYPE)@", text), name
                assert installed.root.encode() not in text, name


def test_what_was_installed_goes_again_without_a_trace(installed, tmp_path):
    assert run("make", "-C", BUILD, "install", f"DESTDIR={tmp_path}").returncode == 0
    done = run("make", "-C", BUILD, "uninstall", f"DESTDIR={tmp_path}")
    assert done.returncode == 0, done.stderr
    left = [os.path.join(folder, name) for folder, folders, names in os.walk(tmp_path) for name in [*names, *folders]
            if name in names or ("imd" in name and not name.startswith("imd-"))]  # the prefix may be in imd-VERSION
    assert left == []


def test_the_configuration_of_somebody_stays(installed):
    path = installed.path("sysconfdir", "imd/imd.yaml")
    before = installed.read("sysconfdir", "imd/imd.yaml")
    assert f"data_dir: {installed.localstatedir}/lib/imd\n" in before
    with open(path, "a", encoding="utf-8") as f:
        f.write("lang: zh\n")
    assert run("make", "-C", BUILD, "install-data", f"DESTDIR={installed.root}").returncode == 0
    assert installed.read("sysconfdir", "imd/imd.yaml") == before + "lang: zh\n"
    with open(path, "w", encoding="utf-8") as f:
        f.write(before)


@needs("systemd-analyze")
def test_the_unit_is_hardened(installed):
    unit = installed.path("systemdsystemunitdir", "imd.service")
    done = run("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=15", unit)
    if "nrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot look at files")
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


@needs("systemd-analyze")
def test_the_units_are_understood(installed, tmp_path):
    for name in ("imd.service", "imd.socket"):
        text = installed.read("systemdsystemunitdir", name).replace(f"{installed.bindir}/imd", find_program("imd", "IMD"))
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = run("systemd-analyze", "verify", "--man=no", str(tmp_path / "imd.service"), str(tmp_path / "imd.socket"))
    assert "imd.s" not in done.stderr, done.stderr


@needs("systemd-sysusers")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_user_and_the_directories_are_made(installed):
    os.makedirs(f"{installed.root}/etc", exist_ok=True)
    done = run("systemd-sysusers", f"--root={installed.root}", installed.path("sysusersdir", "imd.conf"))
    assert done.returncode == 0, done.stderr
    with open(f"{installed.root}/etc/passwd", encoding="utf-8") as f:
        assert re.search(rf"^imd:x:\d+:\d+:Instant messaging server:{installed.localstatedir}/lib/imd:", f.read(), re.M)
    run("systemd-tmpfiles", f"--root={installed.root}", "--create", installed.path("tmpfilesdir", "imd.conf"))
    for place, name, mode in (("runstatedir", "imd", 0o755), ("localstatedir", "lib/imd", 0o750),
                              ("localstatedir", "log/imd", 0o750)):
        assert os.stat(installed.path(place, name)).st_mode & 0o777 == mode, name


@needs("apparmor_parser")
@pytest.mark.skipif(not os.path.exists(APPARMOR_INCLUDES), reason="AppArmor's abstractions are not installed")
def test_the_apparmor_profile_compiles(installed):
    done = run("apparmor_parser", "-Q", "-K", "-W", installed.path("apparmordir", "imd"))
    assert done.returncode == 0, done.stderr


@needs("logrotate")
def test_logrotate_rotates_and_imd_follows(imd, installed, tmp_path):
    logs, bin_dir = tmp_path / "log", tmp_path / "bin"
    logs.mkdir()
    bin_dir.mkdir()
    daemon = imd({"log": {"file": str(logs / "imd.log"), "level": "debug"}})
    (bin_dir / "systemctl").write_text("#!/bin/sh\n"  # what systemd would do
                                       f'[ "$*" = "kill --kill-whom=main --signal=USR1 imd.service" ] && kill -USR1 {daemon.process.pid}\n')
    (bin_dir / "systemctl").chmod(0o755)
    text = installed.read("logrotatedir", "imd")
    theirs = f"{installed.localstatedir}/log/imd"
    assert "su imd imd" in text and f"{theirs}/*.log" in text
    config = tmp_path / "logrotate.conf"
    config.write_text(text.replace(theirs, str(logs)).replace("su imd imd", ""), encoding="utf-8")
    config.chmod(0o644)
    logs.chmod(0o755)
    until(lambda: os.path.getsize(logs / "imd.log") > 0, "a log")
    done = run("logrotate", "-f", "-s", str(tmp_path / "state"), str(config),
               env={"PATH": f"{bin_dir}:{os.environ['PATH']}:/usr/sbin"})
    assert done.returncode == 0, done.stderr
    until(lambda: "opened again" in (logs / "imd.log").read_text(encoding="utf-8"), "the new log")
    assert "imd: ready" in (logs / "imd.log.1").read_text(encoding="utf-8")


# monitoring

def names_in(path):
    top = os.path.join(os.path.dirname(__file__), "..", "..", "etc")
    with open(os.path.join(top, path), encoding="utf-8") as f:
        text = f.read()
    return text, set(re.findall(r"\bimd_[a-z_]+", text))


@pytest.mark.parametrize("path", ["grafana-dashboard.json", "prometheus-alerts.yaml"])
def test_dashboard_and_alerts_name_metrics_that_there_are(shared, path):
    text, names = names_in(path)
    there = {re.sub(r"\{.*", "", name) for name in shared.metrics()}
    assert len(names) >= 4 and names <= there, names - there
    if path.endswith(".json"):
        panels = json.loads(text)["panels"]
        assert all(panel["title"] and panel["description"] and panel["targets"] for panel in panels)


@needs("promtool")
def test_promtool_has_no_complaint(shared):
    done = subprocess.run(["promtool", "check", "metrics"], input=shared.get("/metrics").body, capture_output=True,
                          timeout=60, check=False)
    assert done.returncode == 0 and done.stdout + done.stderr == b""
    rules = os.path.join(os.path.dirname(__file__), "..", "..", "etc", "prometheus-alerts.yaml")
    assert run("promtool", "check", "rules", rules).returncode == 0
