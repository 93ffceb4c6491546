# SPDX-License-Identifier: Apache-2.0
"""Installing: what uv is told, with uv itself left out."""

import re
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from fake_release import make_program
from tools.fork import ForkError, program
from tools.fork.environment import install
from tools.fork.program import run
from tools.fork.release import Release

RELEASE = Release("9.9.9", "0.1", {}, torch_cpu="0.2")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What uv was told, in words and variables; with "refused", no CPU torch is had."""
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


def test_without_a_gpu_the_small_torch_is_asked_for_first(
    told: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def asked(*refused: str, device: str = "cpu") -> list[str]:
        told[:] = refused
        monkeypatch.setattr(install, "device", lambda: device)
        install.install_torch(RELEASE, "--reinstall")
        calls = [" ".join(words) for words, _ in told[len(refused) :]]
        assert "setuptools>=77.0.3,<81" in calls[-1]
        return [it.partition(" cmake")[0] for it in calls]

    small = "--torch-backend=cpu --reinstall torch==0.2"
    assert asked() == [small]
    assert asked("refused") == [small, "--reinstall torch==0.2"]
    assert asked(device="cuda") == ["--reinstall torch==0.1"]
    assert "torch 0.1+cpu: the CPU build, 0.0 GB" in capsys.readouterr().out


def test_requirements_of_the_device(
    told: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    companions = "torchaudio\ntorchcodec\ntorchvision"
    (tmp_path / "requirements").mkdir()
    for device, asked, versions, left_out in (
        ("cpu", "triton==3", "torch==0.2", companions),
        ("cpu", "triton @ a", "torch==0.2\ntriton", companions),
        ("cuda", "triton==3", "torch==0.1", ""),
    ):
        monkeypatch.setattr(install, "device", lambda device=device: device)
        requirements = tmp_path / f"requirements/{device}.txt"
        requirements.write_text(f"--extra-index-url an-index\n-r common.txt\n{asked}")

        install.install_requirements(RELEASE, tmp_path)

        words, _ = told[-1]
        files = dict(zip(words[::2], map(Path, words[1::2]), strict=True))
        common = f"-r {requirements.parent}/common.txt\n{asked}"
        assert files["-r"].read_text() == common
        assert files["--overrides"].read_text() == versions
        assert files["--excludes"].read_text() == left_out


def test_the_tree_is_installed_by_upstreams_setup(
    told: list[Any], tmp_path: Path
) -> None:
    install.install_editable(RELEASE, tmp_path, tmp_path / "a.whl")

    ((words, variables),) = told
    assert words[-2:] == ["-e", str(tmp_path)]
    assert variables == {
        "SETUPTOOLS_SCM_PRETEND_VERSION": "9.9.9",
        "VLLM_TARGET_DEVICE": "cpu",
        "VLLM_USE_PRECOMPILED": "1",
        "VLLM_PRECOMPILED_WHEEL_LOCATION": str(tmp_path / "a.whl"),
    }


def test_a_gpu_counts_only_with_a_working_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install.device() == "cpu"
    for script, mode, device in (
        ("echo GPU 0", 0o755, "cuda"),
        ("echo none", 0o755, "cpu"),
        ("echo GPU 0; exit 9", 0o755, "cpu"),
        ("echo GPU 0", 0o644, "cpu"),
    ):
        make_program(tmp_path / "nvidia-smi", script, mode)
        assert install.device() == device


def test_a_program_that_fails_or_is_missing(tmp_path: Path) -> None:
    make_program(tmp_path / "counts", "seq 0 29; exit 3")
    with pytest.raises(ForkError, match=r"^It failed:\n    15\n(.|\n)*    29$"):
        run([tmp_path / "counts"], "It failed:")
    with pytest.raises(ForkError, match="no-such-program is missing"):
        run(["no-such-program"], "It failed:")


def test_what_the_system_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    patch = monkeypatch.setattr
    patch("ctypes.CDLL", Mock(side_effect=OSError))
    patch(install, "device", lambda: "cuda")
    install.check_system()
    patch(install, "device", lambda: "cpu")
    with pytest.raises(ForkError, match=r"libnuma\.so\.1 .* apt install libnuma1"):
        install.check_system()
    patch("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(ForkError, match=r"apt install python3\.\d+-dev"):
        install.check_system()
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ForkError, match=r"no C\+\+ compiler g\+\+.*apt install g\+\+"):
        install.check_system()


def test_an_old_git_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ForkError, match=r"git is missing\. Install git 2\.32"):
        install.check_git()
    for script, said in (
        ("echo git version 2.31.1", "This is git version 2.31.1. Install git 2.32"),
        ("echo broken; exit 1", "or newer .* and run again; git said:\n    broken"),
    ):
        make_program(tmp_path / "git", script)
        with pytest.raises(ForkError, match=said):
            install.check_git()


def test_a_long_step_shows_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "_PULSE", 0.01)

    with program.step("work"):
        time.sleep(0.2)

    pattern = r"  work (\.\.\. \d+ s )+\.\.\. \d+\.\d s\n"
    assert re.fullmatch(pattern, capsys.readouterr().out)
