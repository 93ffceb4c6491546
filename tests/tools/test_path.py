# SPDX-License-Identifier: Apache-2.0
"""From the miniature release to an installed fork, or to what setup.py is told."""

import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from fake_release import MODULE, SAMPLER, VERSION, Miniature, git
from tools.fork import ForkError
from tools.fork.environment import build, install
from tools.fork.release import Release


@pytest.fixture(autouse=True)
def here(mini: Miniature, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU, with what a build needs of the system and the package index."""
    monkeypatch.setattr(build, "DOWNLOADS", mini.sdist.parent)
    monkeypatch.setattr(build, "_STAMP", mini.sdist.parent / "stamp")
    monkeypatch.setattr(install, "device", lambda: "cpu")
    monkeypatch.setattr(install, "check_system", lambda: None)
    monkeypatch.setattr(os, "environ", {**os.environ})


def test_for_setup_py_what_the_caller_set_stays(mini: Miniature) -> None:
    os.environ["VLLM_USE_PRECOMPILED"] = "0"
    package = build.prepare_for_setup(mini.release)
    assert b"mark(" in (package / MODULE).read_bytes()
    assert os.environ["SETUPTOOLS_SCM_PRETEND_VERSION"] == VERSION
    assert "VLLM_PRECOMPILED_WHEEL_LOCATION" not in os.environ

    os.environ |= {"VLLM_TARGET_DEVICE": "cpu", "VLLM_USE_PRECOMPILED": "1"}
    os.environ["SETUPTOOLS_SCM_PRETEND_VERSION"] = "mine"
    build.prepare_for_setup(mini.with_wheel())
    assert {it.name for it in package.rglob("*.so")} == {"_C.abi3.so", "_D.so"}
    assert "recursive-include vllm *.so" in (package / "MANIFEST.in").read_text()
    assert os.environ["SETUPTOOLS_SCM_PRETEND_VERSION"] == "mine"
    assert os.environ["VLLM_PRECOMPILED_WHEEL_LOCATION"].endswith(".whl")


def test_for_setup_py_it_matters_what_torch_was_built_for(
    mini: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = Mock(side_effect=FileNotFoundError)
    monkeypatch.setattr(build, "make_trees", lambda release: mini.trees)
    monkeypatch.setattr(build, "fetch", fetch)
    os.environ["VLLM_USE_PRECOMPILED"] = "1"
    for device, asked in (("hip", []), ("cuda", ["cuda-wheel"])):
        torch = SimpleNamespace(version=SimpleNamespace(**{device: "12.8"}))
        monkeypatch.setitem(sys.modules, "torch", torch)
        with suppress(FileNotFoundError):
            build.prepare_for_setup(mini.release)
        assert [it.args[1] for it in fetch.call_args_list] == asked

    os.environ |= {"VLLM_TARGET_DEVICE": "cpu", "VLLM_USE_PRECOMPILED": "0"}
    torch.__version__ = "2.10.0"
    said = r"CPU build, but this is torch 2\.10\.0 for CUDA 12\.8.*g\+\+ 12\.3.*oneDNN"
    with pytest.raises(ForkError, match=said):
        build.prepare_for_setup(mini.release)


def test_installs_once_and_anew_when_the_inputs_change_or_it_was_interrupted(
    mini: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = replace(mini.with_wheel(), from_wheel=(MODULE,))
    installing = Mock()

    def editable(release: Release, tree: Path, wheel: Path) -> None:
        assert (tree / "vllm/_C.abi3.so").read_bytes() == b"compiled"
        assert (tree / MODULE).read_bytes() == SAMPLER
        assert not git(tree, "status", "--porcelain")
        (tree / "vllm/_version.py").touch()

    def steps(torch: str) -> list[str]:
        installing.reset_mock()
        build.make(replace(release, torch=torch))
        return [
            " ".join([name, *(it for it in words if isinstance(it, str))])
            for name, words, _ in installing.mock_calls
        ]

    installing.editable.side_effect = editable
    for it in ("torch", "requirements", "editable"):
        monkeypatch.setattr(install, f"install_{it}", getattr(installing, it))
    once = ["torch", "requirements", "editable"]
    assert (steps("1"), steps("1"), steps("2")) == (once, [], once)
    (mini.fork / "vllm/_version.py").unlink()  # as in a tree that was made anew
    assert steps("2") == once
    # A wheel that cannot be had leaves the installation as it was.
    with pytest.raises(ForkError, match="no cpu-wheel of it"):
        build.make(mini.release)
    assert steps("2") == []

    installing.torch.side_effect = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        steps("3")
    installing.torch.side_effect = None
    again = ["torch --reinstall", "requirements --reinstall", "editable"]
    assert steps("2") == again
    built = mini.fork / "vllm/_C.abi3.so"
    assert built.samefile(mini.trees.stock / "vllm/_C.abi3.so")

    release = replace(release, from_wheel=("vllm/no.py",))
    with pytest.raises(ForkError, match=r"whl has no vllm/no\.py, so it is not"):
        steps("4")
    built.unlink()
    built.mkdir()
    with pytest.raises(ForkError, match=r"whl could not be unpacked \(.+\); mend that"):
        steps("4")
