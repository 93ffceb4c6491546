# SPDX-License-Identifier: Apache-2.0
"""`make apply`: what may be named, and what is said of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fake_release import FILES, MODULE, VERSION, make_program, make_wheel, write
from tools.fork import ForkError
from tools.fork.apply import compare, installed, target
from tools.fork.bootstrap import ROOT

SITE = "lib/python3.12/site-packages"


@pytest.fixture
def environment(tmp_path: Path, overlay: Path) -> Path:
    """A virtual environment whose Python is this one, with its packages hidden."""
    folder = tmp_path / "env"
    wheel = make_wheel(tmp_path, "vllm", VERSION, FILES)
    shutil.unpack_archive(wheel, folder / SITE, "zip")
    start = f"PYTHONPATH=$PYTHONPATH:{folder / SITE} exec {sys.executable} -S"
    make_program(folder / "bin/python", f'{start} "$@"')
    return folder


def test_an_environment_may_be_named_in_three_ways(
    environment: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tree = environment.parent / "tree"
    write(tree, FILES)
    monkeypatch.setenv("PYTHONPATH", str(tree))
    monkeypatch.chdir(tree)
    found = environment / SITE, environment / "bin/python"
    for named in ("", "bin/python", SITE):
        assert target.find(environment / named) == found
    (environment / SITE / ".git").mkdir()
    assert target.find(environment) == found
    said = capsys.readouterr().out
    assert said == f"vLLM is installed there as an editable checkout: {found[0]}\n"

    (environment / SITE / "vllm").rename(environment / "gone")
    with pytest.raises(ForkError, match=r"has no vLLM\. Name a checkout"):
        target.find(environment)


def test_what_can_be_no_vllm_is_named(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "vllm", VERSION, {})
    for mode, said in ((0o644, "Permission denied"), (0o755, "Exec format error")):
        wheel.chmod(mode)
        with pytest.raises(ForkError, match=rf"{wheel} cannot be run \({said}\)"):
            target.find(wheel)
    # This repository has a vllm/ folder of its own.
    for place in (ROOT, Path("/")):
        with pytest.raises(ForkError, match="is neither checkout nor environment"):
            target.find(place)
    with pytest.raises(ForkError, match="no record of the wheel"):
        installed.read(tmp_path)


def test_where_only_pip_is_installed_it_runs_and_ends_with_a_sentence(
    tmp_path: Path,
) -> None:
    (tmp_path / "pip.py").touch()
    settings = {"FORK_LOCK_HOLDER": str(os.getpid()), "PYTHONPATH": str(tmp_path)}
    for typed, said in (
        ("apply none", "none is neither checkout nor environment. Name a checkout"),
        (f"apply {'n' * 300}", "n/vllm/__init__.py cannot be used (File name too lon"),
        ("wheel --release=0", "\n`make build RELEASE=0` offers an entry"),
    ):
        program = [sys.executable, "-S", "-m", "tools.fork", *typed.split()]
        env = {**os.environ, **settings}
        done = subprocess.run(program, cwd=ROOT, env=env, capture_output=True)
        assert done.returncode == 1
        assert said in done.stderr.decode()


def test_says_what_was_done_and_how_to_take_it_back(
    environment: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch = make_wheel(tmp_path, "torch", "2.9+cpu", {})
    shutil.unpack_archive(torch, environment / SITE, "zip")
    monkeypatch.setattr(compare, "lines", lambda *_: ["it compiles less"])

    def said(force: bool = False, undo: bool = False) -> str:
        target.apply(Path(environment.name), force, undo)
        return capsys.readouterr().out

    monkeypatch.chdir(environment.parent)
    first = said()
    assert f"vLLM {VERSION} with torch 2.9+cpu in " in first
    assert f"make apply VLLM={environment} UNDO=1\nWhat is running has the" in first
    assert first.endswith("it compiles less\n")
    assert "is there already" in said()
    assert f"{MODULE} is the release's own again" in said(undo=True)
    assert "is not there" in said(undo=True)
    write(environment / SITE, {MODULE: FILES[MODULE] + b"# theirs\n"})
    said(force=True)
    assert f"{MODULE} is somebody else's own again" in said(undo=True)
