# SPDX-License-Identifier: Apache-2.0
"""Starting: the right Python, the right machine, one command at a time."""

import errno
import multiprocessing
import subprocess
import sys
from contextlib import nullcontext
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tools.fork import ForkError, __main__, bootstrap, cli, commands, release
from tools.fork.environment import install
from tools.fork.release import described


@pytest.mark.parametrize("version", [(2, 7), (3, 9), (3, 14)])
def test_a_python_outside_the_range(version: tuple[int, int]) -> None:
    said = bootstrap.problem_with_python(version)

    assert said is not None
    assert "{}.{}, but vLLM needs one from 3.10 to 3.13".format(*version) in said


@pytest.mark.parametrize("version", [(3, 10), (3, 11), (3, 12), (3, 13)])
def test_a_python_inside_the_range(version: tuple[int, int]) -> None:
    assert bootstrap.problem_with_python(version) is None


def test_the_wrong_python_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 0))

    assert "This is Python 3.9" in str(__main__.main())


def hold_lock(folder: Path, pipe: Connection) -> None:
    pipe.send(bootstrap.lock(folder))
    pipe.recv()


def test_two_commands_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORK_LOCK_HOLDER", "")
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=hold_lock, args=(tmp_path, theirs)
    )
    process.start()
    assert ours.recv() is None

    said = bootstrap.lock(tmp_path)
    process.kill()
    process.join()

    assert said is not None
    assert "Another command is at work in this checkout; wait" in said
    assert bootstrap.lock(tmp_path) is None
    assert bootstrap.lock(tmp_path) is None


def test_a_command_that_another_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORK_LOCK_HOLDER", "")
    assert bootstrap.lock(tmp_path) is None
    code = "from pathlib import Path; from tools.fork import bootstrap; "
    code += f"print(bootstrap.lock(Path({str(tmp_path)!r})))"
    started = [sys.executable, "-c", code]

    said = subprocess.run(started, cwd=bootstrap.ROOT, capture_output=True, text=True)
    assert said.stdout == "None\n"
    monkeypatch.setenv("FORK_LOCK_HOLDER", "1")
    said = subprocess.run(started, cwd=bootstrap.ROOT, capture_output=True, text=True)
    assert said.stdout.startswith("Another command is at work")


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ForkError, match=r"no C\+\+ compiler g\+\+.*apt install g\+\+"):
        install.check_system()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo git version 2.31.1", "This is git version 2.31.1. Install git 2.32"),
        ("echo broken; exit 1", "or newer .* and run again; git said:\n    broken"),
        (None, "git is missing. Install git 2.32"),
    ],
)
def test_an_old_git_or_none(
    script: str | None, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if script:
        (tmp_path / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ForkError, match=said):
        install.check_git()


def test_no_python_headers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))

    with pytest.raises(ForkError, match=r"apt install python3\.\d+-dev"):
        install.check_system()


@pytest.mark.parametrize(("device", "needed"), [("cpu", True), ("cuda", False)])
def test_no_libnuma(device: str, needed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr("ctypes.CDLL", missing)
    monkeypatch.setattr(install, "device", lambda: device)

    said = pytest.raises(ForkError, match=r"libnuma\.so\.1 .* apt install libnuma1")
    with said if needed else nullcontext():
        install.check_system()


def resolved(requirement: str, *options: str) -> str:
    """What uv prints for the one release that this index has, and only for a GPU."""
    if requirement != "vllm==0.0.1":
        return ""
    if "--generate-hashes" in options:
        return "vllm==0.0.1 \\\n    --hash=sha256:ab1 \\\n    --hash=sha256:cd2\n"
    return "numpy==2\ntorch==2.0.0\nvllm==0.0.1\n"


def test_a_release_that_is_not_described(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(release, "_compile", resolved)

    with pytest.raises(ForkError) as refused:
        commands.run(cli.parse(["build", "--release", "0.0.1"]))
    before, _, entry = str(refused.value).partition("add it:\n")
    assert "releases.toml describes only vLLM 0.10.2, " in before
    added = tmp_path / "releases.toml"
    added.write_text(release.RELEASES.read_text() + entry)
    found = described("0.0.1", added)
    assert (found.torch, found.digests) == ("2.0.0", {"vllm": ("ab1", "cd2")})


def test_a_release_that_the_index_does_not_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(release, "_compile", resolved)

    with pytest.raises(ForkError, match=r"no vLLM 0\.0\.2 either, or does not answer"):
        commands.run(cli.parse(["build", "--release", "0.0.2"]))


def test_each_release_has_a_virtual_environment_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "releases.toml").write_text('pinned = "1"\n["1"]\n["2"]\n')
    places = {None: ".venv", "1": ".venv", "2": "build/2/.venv", "../3": ".venv"}
    assert bootstrap.environment_for("wheel", "2", tmp_path) == bootstrap.VENV
    monkeypatch.setattr(bootstrap, "find_spec", lambda name: None)
    assert bootstrap.environment_for("wheel", "2", tmp_path) == tmp_path / ".venv"
    for version, place in places.items():
        venv = bootstrap.environment_for("test", version, tmp_path)
        assert venv == tmp_path / place
    venv = bootstrap.environment_for("patch", "2", tmp_path)
    assert venv == tmp_path / ".venv"


@pytest.mark.parametrize("option", ["--release=2", "--rel 2"])
def test_however_a_release_is_named_it_has_its_environment(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: list[Path] = []
    version = release.all_described()[0].version
    typed = option.replace("2", version).split()
    monkeypatch.setattr(sys, "argv", ["fork", "build", *typed])
    monkeypatch.setattr(
        bootstrap, "enter", lambda _, venv: entered.append(venv) or "stop"
    )

    assert __main__.main() == "stop"
    assert entered == [bootstrap.ROOT / "build" / version / ".venv"]


def test_a_checkout_that_somebody_else_owns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORK_LOCK_HOLDER", "")
    (tmp_path / ".lock").mkdir()

    said = bootstrap.lock(tmp_path)
    assert said is not None
    assert f"{tmp_path}/.lock cannot be written" in said


def test_a_file_system_that_cannot_lock(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def flock(file: int, how: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setenv("FORK_LOCK_HOLDER", "")
    monkeypatch.setattr("fcntl.flock", flock)

    assert bootstrap.lock(tmp_path) is None
    said = capsys.readouterr().out
    assert "cannot lock (Function not implemented): run one command at a time" in said


@pytest.mark.parametrize("name", ["a folder", "it's", "clone"])
def test_a_path_that_no_compiler_gets_to_see_whole(name: str, tmp_path: Path) -> None:
    said = bootstrap.problem_with_path("demo", tmp_path / name)

    assert (said is None) == (name == "clone")
    assert bootstrap.problem_with_path("lint", tmp_path / name) is None


def test_the_pinned_release_is_described() -> None:
    pinned = described(None)

    assert pinned.tag == f"v{pinned.version}"
    assert {*release.PACKAGES} == pinned.digests.keys()
    assert pinned in release.all_described()


def test_our_toml_reads_as_any_toml() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has none")
    for name, of_it in (("releases.toml", None), ("pyproject.toml", "build-system")):
        file = bootstrap.ROOT / name
        ours, theirs = release.read(file), tomllib.loads(file.read_text("utf-8"))
        assert (ours == theirs) if of_it is None else (ours[of_it] == theirs[of_it])


def test_an_interrupted_installation_is_done_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(install, "_STAMP", tmp_path / "stamp")
    with pytest.raises(KeyboardInterrupt), install.installing("inputs") as options:
        assert options == []
        raise KeyboardInterrupt
    assert not install.installed("inputs")

    with install.installing("inputs") as options:
        assert options == ["--reinstall"]
    assert install.installed("inputs")
