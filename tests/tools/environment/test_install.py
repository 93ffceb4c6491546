# SPDX-License-Identifier: Apache-2.0
"""Installing: what uv is told, with uv itself left out."""

import re
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from fake_release import make_program, write
from tools.fork import ForkError, program
from tools.fork.environment import install
from tools.fork.program import run
from tools.fork.release import Release

RELEASE = Release("9.9.9", "0.1", {}, torch_cpu="0.2")


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mock:
    stand_in = Mock()
    monkeypatch.setattr(install, "uv", stand_in)
    monkeypatch.setattr(install, "VENV", tmp_path)
    return stand_in


def test_without_a_gpu_the_small_torch_is_asked_for_first(
    uv: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for device, answers, asked in (
        ("cpu", [b""], ["--torch-backend=cpu torch==0.2"]),
        ("cpu", [ForkError, b""], ["--torch-backend=cpu torch==0.2", "torch==0.2"]),
        ("cuda", [b""], ["torch==0.1"]),
    ):
        monkeypatch.setattr(install, "device", Mock(return_value=device))
        uv.reset_mock()
        uv.side_effect = answers

        install.install_torch(RELEASE, "--reinstall")

        calls = [it.args[5:] for it in uv.call_args_list]
        assert [" ".join(it for it in call if "torch" in it) for call in calls] == asked
        assert {"--reinstall", "setuptools>=77.0.3,<81"} <= {*calls[-1]}


def test_requirements_of_the_device(
    uv: Mock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for device, asked, versions, left_out in (
        ("cpu", "triton @ a", "torch==0.2 triton", "torchaudio torchcodec torchvision"),
        ("cuda", "triton==3", "torch==0.1", ""),
    ):
        monkeypatch.setattr(install, "device", Mock(return_value=device))
        text = f"--extra-index-url an-index\n-r common.txt\n{asked}"
        write(tmp_path, {f"requirements/{device}.txt": text.encode()})

        install.install_requirements(RELEASE, tmp_path)

        words = uv.call_args.args[5:]
        files = dict(zip(words[::2], map(Path, words[1::2]), strict=True))
        common = f"-r {tmp_path}/requirements/common.txt\n{asked}"
        assert files["-r"].read_text() == common
        assert files["--overrides"].read_text().split() == versions.split()
        assert files["--excludes"].read_text().split() == left_out.split()


def test_a_gpu_counts_only_with_a_working_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install.device() == "cpu"
    for script in ("echo none", "echo GPU 0; exit 9", "echo GPU 0"):
        make_program(tmp_path / "nvidia-smi", script)
        assert install.device() == ("cuda" if script == "echo GPU 0" else "cpu")


def test_all_that_the_system_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    monkeypatch.setattr("ctypes.CDLL", Mock(side_effect=OSError))
    for device, more in (("cpu", " libnuma1"), ("cuda", "")):
        monkeypatch.setattr(install, "device", Mock(return_value=device))
        said = rf"need the C.. compiler g.*apt install g\+\+ python3\.\d+-dev{more}\)"
        with pytest.raises(ForkError, match=said):
            install.check_system()


def test_an_old_git_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ForkError, match=r"git is missing\. Install git 2\.32"):
        install.check_git()
    make_program(tmp_path / "git", "echo git version 2.31.1")
    with pytest.raises(ForkError, match=r"This is git version 2\.31\.1\. Install"):
        install.check_git()


def test_a_program_that_fails(tmp_path: Path) -> None:
    make_program(tmp_path / "counts", "seq 0 29; exit 3")
    with pytest.raises(ForkError, match=r"^It failed:\n    15\n(.|\n)*    29$"):
        run([tmp_path / "counts"], "It failed:")


def test_a_long_step_shows_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "_PULSE", 0.01)

    with program.step("work"):
        time.sleep(0.2)

    pattern = r"  work (\.\.\. \d+ s )+\.\.\. \d+\.\d s\n"
    assert re.fullmatch(pattern, capsys.readouterr().out)
