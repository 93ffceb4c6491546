# SPDX-License-Identifier: Apache-2.0
"""From the pinned release to an installed fork, doing only what is not done yet."""

import os
import sys
from pathlib import Path

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.environment import install
from tools.fork.program import step
from tools.fork.release import Release
from tools.fork.source.fetch import fetch
from tools.fork.source.tree import (
    Trees,
    keep_out_of_git,
    make_fork,
    make_worktree,
    share_built_files,
    trees,
    unpack,
)

DOWNLOADS = ROOT / "build/downloads"
_STAMP = VENV / ".fork-installed"  # from which inputs
_UNFINISHED = "unfinished"
_EXTENSIONS = "vllm/*.so"


def make_trees(release: Release, kind: str = "sdist") -> Trees:
    """Fetch the release, weave our change in, and put the untouched one beside it.

    A ``cpu-wheel`` in place of the sdist has as much as sampling needs.
    """
    install.check_git()
    made = trees(release)
    with step(f"vLLM {release.version}'s source"):
        archive = fetch(release, kind, DOWNLOADS)
    with step("our change woven in, as two commits on top"):
        stashed = make_fork(release, archive, made.fork)
        make_worktree(made.fork, made.stock, release.tag)
    if stashed:
        print(f"    edits found in {made.fork} are kept there: git stash list")
    return made


def make(release: Release) -> Trees:
    """Build and install the fork into the virtual environment."""
    install.check_system()
    device = install.device()
    digests = [it for found in release.digests.values() for it in found]
    versions = sys.version, release.torch_on(device)
    inputs = "\n".join([*versions, str(ROOT), device, *digests])
    made = make_trees(release)
    generated = made.fork / "vllm/_version.py"
    installed = _STAMP.read_text() if _STAMP.exists() else ""
    if installed != inputs or not generated.exists():
        # First: a release without this file stops before gigabytes are fetched.
        with step(f"vLLM {release.version}'s wheel for {device}"):
            wheel = fetch(release, f"{device}-wheel", DOWNLOADS)
        # A package may be there in part, and would pass for installed.
        options = ["--reinstall"] if installed == _UNFINISHED else []
        _STAMP.write_text(_UNFINISHED)
        install.install_torch(release, *options)
        install.install_requirements(release, made.fork, *options)
        with step("the wheel's compiled extensions"):
            modules = release.from_wheel if device == "cpu" else ()
            unpack(wheel, made.fork, _EXTENSIONS, *modules)
            keep_out_of_git(made.fork, modules)
        install.install_editable(release, made.fork, wheel)
        _STAMP.write_text(inputs)
    share_built_files(made.fork, made.stock)
    return made


def prepare_for_setup(release: Release) -> Path:
    """Make a tree of the fork and set what its setup.py, to be run next, is told.

    What the caller has set in the environment stays.
    """
    asked = os.environ.get("VLLM_USE_PRECOMPILED", "").lower() in ("1", "true")
    if not asked and os.environ.get("VLLM_TARGET_DEVICE") == "cpu":
        _check_torch_for_compiling()
    made = make_trees(release)
    make_worktree(made.fork, made.package, "HEAD")
    if "VLLM_VERSION_OVERRIDE" not in os.environ:
        # The tree's commits are ours, so git cannot tell the version.
        os.environ.setdefault("SETUPTOOLS_SCM_PRETEND_VERSION", release.version)
    # For other devices upstream's setup.py knows where to look.
    if asked and (device := _target_device()) in ("cpu", "cuda"):
        wheel = fetch(release, f"{device}-wheel", DOWNLOADS)
        unpack(wheel, made.package, _EXTENSIONS)
        # Upstream's setup.py takes along only those that a GPU or one kind of CPU uses.
        with (made.package / "MANIFEST.in").open("a") as manifest:
            manifest.write("recursive-include vllm *.so\n")
        os.environ.setdefault("VLLM_PRECOMPILED_WHEEL_LOCATION", str(wheel))
    return made.package


def _check_torch_for_compiling() -> None:
    import torch

    if torch.version.cuda:  # CMake asks for CUDA then, after half an hour
        raise ForkError(
            "Compiling for a CPU needs torch's CPU build, but this is torch "
            f"{torch.__version__} for CUDA {torch.version.cuda}. Install the CPU build "
            "beside the rest of [build-system] in pyproject.toml, g++ 12.3 or newer, "
            "and libnuma's headers (libnuma-dev), and use --no-build-isolation; CMake "
            "fetches oneDNN, or FETCHCONTENT_SOURCE_DIR_ONEDNN names it. With "
            "VLLM_USE_PRECOMPILED=1 nothing is compiled."
        )


def _target_device() -> str:
    """Return what upstream's setup.py will build for."""
    if named := os.environ.get("VLLM_TARGET_DEVICE"):
        return named
    import torch

    builds = ("hip", "xpu", "cuda")
    return next((it for it in builds if getattr(torch.version, it, None)), "cpu")
