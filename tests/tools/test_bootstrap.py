"""Starting: the right Python, the right machine, one command at a time."""

import multiprocessing
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tools.fork import ForkError, __main__, bootstrap, cli, install
from tools.fork.release import described


@pytest.mark.parametrize("version", [(2, 7), (3, 9), (3, 14)])
def test_a_python_outside_the_range(version: tuple[int, int]) -> None:
    said = bootstrap.problem_with_python(version)

    assert said is not None
    assert "{}.{}, but vLLM needs one from 3.10 to 3.13".format(*version) in said


@pytest.mark.parametrize("version", [(3, 10), (3, 11), (3, 12), (3, 13)])
def test_a_python_inside_the_range(version: tuple[int, int]) -> None:
    assert bootstrap.problem_with_python(version) is None


def test_the_wrong_python_ends_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 0))

    assert __main__.main() == 1
    assert "This is Python 3.9" in capsys.readouterr().err


def hold_lock(folder: Path, pipe: Connection) -> None:
    pipe.send(bootstrap.lock(folder))
    pipe.recv()


def test_two_commands_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_FORK_LOCK_HOLDER", "")
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


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ForkError, match=r"no C\+\+ compiler g\+\+.*apt install g\+\+"):
        install.check_compiler()


def test_no_python_headers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))

    with pytest.raises(ForkError, match="apt install python3-dev"):
        install.check_compiler()


def test_a_release_that_is_not_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["build", "--release", "0.0.1"]) == 1
    assert "does not describe vLLM 0.0.1, only 0.19.1" in capsys.readouterr().err


def test_the_pinned_release_is_described() -> None:
    release = described(None)

    assert release.tag == f"v{release.version}"
    assert {"sdist", "cpu-wheel", "cuda-wheel"} <= release.digests.keys()


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
