# SPDX-License-Identifier: Apache-2.0
"""Installing: what uv is told, with uv itself left out."""

import re
import subprocess
import sys
import sysconfig
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tools.fork import ForkError, bootstrap, program
from tools.fork.environment import install
from tools.fork.program import run
from tools.fork.release import Release

RELEASE = Release("9.9.9", "0.1", {})


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What uv was told: words and environment. Fails on the words in `refused`."""
    calls: list[Any] = []
    torch = f"0.1+cpu None {tmp_path / 'torch'}".encode()

    def record(failure: str, *program: Any, env: Any = None) -> bytes:
        words = [str(word) for word in program]
        calls.append((words[4:], env))
        if "refused" in calls[0] and "--torch-backend=cpu" in words:
            raise ForkError(failure)
        return b""

    monkeypatch.setattr(install, "uv", record)
    monkeypatch.setattr(install, "run", lambda *_: torch)
    monkeypatch.setattr(install, "VENV", tmp_path)
    monkeypatch.setattr(install, "device", lambda: "cpu")
    (tmp_path / "torch").mkdir()
    return calls


def test_the_small_torch_is_asked_for_first(
    told: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    install.install_torch(RELEASE, "--reinstall")

    ((words, _),) = told
    assert words[:3] == ["--torch-backend=cpu", "--reinstall", "torch==0.1"]
    assert "setuptools>=77.0.3,<81" in words
    assert "torch 0.1+cpu: the CPU build, 0.0 GB" in capsys.readouterr().out


def test_where_there_is_no_small_torch_the_ordinary_one_is_installed(
    told: list[Any],
) -> None:
    told.append("refused")

    install.install_torch(RELEASE)

    _, (first, _), (second, _) = told
    assert first == ["--torch-backend=cpu", *second]


def test_with_a_gpu_the_ordinary_torch_is_installed(
    told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "device", lambda: "cuda")

    install.install_torch(replace(RELEASE, torch_cpu="0.2"))

    ((words, _),) = told
    assert words[0] == "torch==0.1"


def test_a_release_may_have_another_torch_on_a_cpu(told: list[Any]) -> None:
    install.install_torch(replace(RELEASE, torch_cpu="0.2"))

    ((words, _),) = told
    assert "torch==0.2" in words


@pytest.mark.parametrize(
    ("device", "asked", "versions", "left_out"),
    [
        ("cpu", "triton==3", "torch==0.1", "torchaudio\ntorchcodec\ntorchvision"),
        (
            "cpu",
            "triton @ a",
            "torch==0.1\ntriton",
            "torchaudio\ntorchcodec\ntorchvision",
        ),
        ("cuda", "triton==3", "torch==0.1", ""),
    ],
)
def test_requirements_of_the_device(
    told: list[Any],
    device: str,
    asked: str,
    versions: str,
    left_out: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(install, "device", lambda: device)

    requirements = tmp_path / f"requirements/{device}.txt"
    requirements.parent.mkdir()
    requirements.write_text(f"--extra-index-url an-index\n-r common.txt\n{asked}")

    install.install_requirements(RELEASE, tmp_path)

    ((words, _),) = told
    told_of = f"-r {requirements.parent}/common.txt\n{asked}"
    assert words[-2] == "-r"
    assert Path(words[-1]).read_text() == told_of
    assert Path(words[words.index("--overrides") + 1]).read_text() == versions
    assert Path(words[words.index("--excludes") + 1]).read_text() == left_out


def test_the_tree_is_installed_by_upstreams_setup(
    told: list[Any], tmp_path: Path
) -> None:
    install.install_editable(RELEASE, tmp_path, tmp_path / "a.whl")

    ((words, env),) = told
    assert words[-2:] == ["-e", str(tmp_path)]
    assert env == {
        "SETUPTOOLS_SCM_PRETEND_VERSION": "9.9.9",
        "VLLM_TARGET_DEVICE": "cpu",
        "VLLM_USE_PRECOMPILED": "1",
        "VLLM_PRECOMPILED_WHEEL_LOCATION": str(tmp_path / "a.whl"),
    }


@pytest.mark.parametrize(
    ("script", "device"),
    [
        ("echo GPU 0", "cuda"),
        ("echo none", "cpu"),
        ("exit 9", "cpu"),
        ("may not be run", "cpu"),
        (None, "cpu"),
    ],
)
def test_a_gpu_counts_only_with_a_working_driver(
    script: str | None, device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o644 if "may not" in script else 0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert install.device() == device


def test_a_program_that_fails_or_is_missing() -> None:
    code = "print('\\n'.join(map(str, range(30)))); raise SystemExit(3)"
    with pytest.raises(ForkError, match=r"^It failed:\n    15\n(.|\n)*    29$"):
        run([sys.executable, "-c", code], "It failed:")
    with pytest.raises(ForkError, match="no-such-program is missing"):
        run(["no-such-program"], "It failed:")


def test_the_virtual_environment_is_made_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made: list[list[str]] = []
    venv = tmp_path / ".venv"

    def call(program: list[str], env: dict[str, str], cwd: str = "") -> int:
        made.append(program)
        (venv / "bin").mkdir(parents=True, exist_ok=True)
        (venv / "bin/python").touch()
        return len(made) in failing

    def enter() -> str | None:
        made.clear()
        return bootstrap.enter(["demo"], venv)

    class Replaced(Exception):
        pass

    def execve(program: str, arguments: list[str], env: dict[str, str]) -> None:
        assert arguments == [str(venv / "bin/python"), "-m", "tools.fork", "demo"]
        raise Replaced

    failing: tuple[int, ...] = (1,)
    monkeypatch.setattr(bootstrap, "lock", lambda folder: None)
    monkeypatch.setattr(subprocess, "call", call)
    monkeypatch.setattr(bootstrap, "packages", lambda python: {})
    monkeypatch.setattr("os.execve", execve)

    running = f"python{sysconfig.get_python_version()}"
    assert f"needs the package {running}-venv" in (enter() or "")
    failing = (3,)
    assert "tools could not be installed" in (enter() or "")
    failing = ()
    with pytest.raises(Replaced):
        enter()
    assert len(made) == 3
    (venv / "lib" / running).mkdir(parents=True)
    with pytest.raises(Replaced):
        enter()
    assert not made
    assert "of another Python" not in capsys.readouterr().out
    (venv / "lib" / running).rmdir()
    with pytest.raises(Replaced):
        enter()
    assert "is of another Python; delete it to have" in capsys.readouterr().out


def test_a_long_step_shows_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "_PULSE", 0.01)

    pattern = r"  work (\.\.\. \d+ s )+\.\.\. \d+\.\d s\n"

    with program.step("work"):
        time.sleep(0.2)

    assert re.fullmatch(pattern, capsys.readouterr().out)
