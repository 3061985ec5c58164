"""imd.yaml.d: files that change a configuration without touching it."""

import os
import subprocess

import pytest

from imdtest.daemon import find_program


def run(*args, cwd="/"):
    return subprocess.run([find_program("imd", "IMD"), *args], cwd=cwd, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def files(tmp_path):
    """files({"10-a.yaml": text, …}, main) -> the path of the main file."""

    def make(drop_ins, main="lang: zh\nlimits: {text: 4KiB, rate: 5}\n"):
        path = tmp_path / "imd.yaml"
        path.write_text(main, encoding="utf-8")
        (tmp_path / "imd.yaml.d").mkdir(exist_ok=True)
        for name, text in drop_ins.items():
            (tmp_path / "imd.yaml.d" / name).write_text(text, encoding="utf-8")
        return str(path)

    return make


def test_later_files_win_key_by_key(files, tmp_path):
    path = files({"20-b.yaml": "limits: {text: 8KiB}\n", "10-a.yaml": "limits: {text: 2KiB, burst: 7}\nlang: en\n"})
    shown = run("-T", "-c", path).stdout
    for line in ("lang: en", "  text: 8KiB", "  rate: 5", "  burst: 7"):
        assert f"\n{line}\n" in shown
    checked = run("--check", "-c", path, cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout == (f"{path}: the configuration is good\n  with {path}.d/10-a.yaml\n"
                              f"  with {path}.d/20-b.yaml\n")


def test_a_list_is_replaced_as_a_whole(files):
    path = files({"a.yaml": "listen: [{transport: line, address: '127.0.0.1:5'}]\nauth: {unix_users: ['b:c']}\n"},
                 "listen: [{transport: unix, address: x}, {transport: line, address: '127.0.0.1:4'}]\n"
                 "auth: {unix_users: ['*']}\n")
    shown = run("-T", "-c", path).stdout
    assert shown.count("transport:") == 1 and '"127.0.0.1:5"' in shown and 'unix_users: ["b:c"]' in shown


def test_other_files_there_are_not_read(files):
    path = files({name: "nonsense: 1\n" for name in (".a.yaml", "a.yaml~", "a.yaml.dpkg-old", "README")})
    assert run("-T", "-c", path).returncode == 0


@pytest.mark.parametrize("text, problem", [
    ("limtis: {}\n", '1:1: limtis: unknown key; did you mean "limits"?'),
    ("\nlimits: {text: 1KiB, text: 2KiB}\n", "2:22: limits.text: is given twice; first in line 2"),
    ("limits: {text: 128KiB}\n", "1:10: limits.text: must not be larger than limits.message"),
    ("data_dir: /proc/none/x\n", "1:1: data_dir: /proc/none/x: No such file or directory"),
])
def test_a_problem_is_told_with_the_file_that_has_it(files, text, problem):
    path = files({"10-a.yaml": "lang: en\n", "20-b.yaml": text})
    done = run("-t", "-c", path)
    assert done.returncode in (71, 78) and done.stdout == ""
    assert done.stderr == f"{path}.d/20-b.yaml:{problem}\n"


def test_a_file_that_cannot_be_read_is_an_error(files):
    path = files({})
    os.symlink("nowhere", f"{path}.d/a.yaml")
    assert run("-t", "-c", path).stderr == f"{path}.d/a.yaml: No such file or directory\n"


def test_a_file_in_its_place_is_an_error(files):
    path = files({})
    os.rmdir(f"{path}.d")
    with open(f"{path}.d", "w", encoding="ascii"):
        pass
    assert run("-t", "-c", path).stderr == f"{path}.d: Not a directory\n"


def test_reload_reads_them_and_imctl_names_them(imd, connect):
    daemon = imd()
    assert daemon.imctl("config")["files"] == [daemon.config_path]
    folder = daemon.config_path + ".d"
    os.mkdir(folder)
    with open(os.path.join(folder, "limits.yaml"), "w", encoding="utf-8") as f:
        f.write("limits: {text: 1KiB}\n")
    assert daemon.imctl("reload")["changed"] == ["limits.text"]
    config = daemon.imctl("config")
    assert config["limits"]["text"] == "1KiB" and config["files"] == [daemon.config_path, os.path.join(folder, "limits.yaml")]
    assert connect(daemon, "line").hello()["limits"]["text"] == 1024
    with open(os.path.join(folder, "limits.yaml"), "w", encoding="utf-8") as f:
        f.write("limits: {text: lots}\n")
    done = daemon.imctl_run("reload")
    assert done.returncode == 78 and f"{folder}/limits.yaml:1:16: limits.text: " in done.stderr
    assert daemon.imctl("config") == config
