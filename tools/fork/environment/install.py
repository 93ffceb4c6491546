# SPDX-License-Identifier: Apache-2.0
"""Install the fork, editable, into the virtual environment."""

import ctypes
import os
import re
import shutil
import sysconfig
from contextlib import suppress
from pathlib import Path

from tools.fork import ForkError
from tools.fork.bootstrap import VENV
from tools.fork.program import Word, run, step, uv
from tools.fork.release import Release, build_requirements


def device() -> str:
    """Return ``cuda`` where an NVIDIA driver works, else ``cpu``."""
    with suppress(ForkError):  # there is none, or it cannot be run, or finds no driver
        if b"GPU" in run(["nvidia-smi", "-L"], ""):
            return "cuda"
    return "cpu"


def check_system() -> None:
    """Check for what Inductor compiles with, and what the CPU's extensions load."""
    lacks = {}  # by Debian's name of the package
    compiler = os.environ.get("CXX", "g++")
    if not shutil.which(compiler):
        lacks["g++"] = f"the C++ compiler {compiler}"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        lacks[f"python{sysconfig.get_python_version()}-dev"] = "Python's headers"
    try:
        if device() == "cpu":
            ctypes.CDLL("libnuma.so.1")
    except OSError:
        lacks["libnuma1"] = "libnuma.so.1"
    if lacks:
        raise ForkError(
            f"torch.compile and vLLM's extensions need {', '.join(lacks.values())}, "
            "which this machine lacks; install that (Debian, Ubuntu: apt install "
            f"{' '.join(lacks)}) and run again."
        )


def check_git() -> None:
    """Check for a git that knows what the trees are made with (GIT_CONFIG_GLOBAL)."""
    wanted = "Install git 2.32 or newer (Debian, Ubuntu: apt install git) and run again"
    printed = run(["git", "--version"], f"{wanted}; git said:").decode()
    found = re.search(r"(\d+)\.(\d+)", printed)
    if found and (int(found[1]), int(found[2])) < (2, 32):
        raise ForkError(f"This is {printed.strip()}. {wanted}.")


def install_torch(release: Release, *options: Word) -> None:
    """Install the release's torch and what upstream's setup.py imports.

    Without a GPU, torch's own index is asked first: its CPU build is much smaller.
    """
    version = release.torch_on(device())
    wanted = [*options, f"torch=={version}", *build_requirements()]
    with step(f"torch {version}, and what upstream builds with"):
        if device() == "cpu":
            with suppress(ForkError):
                _pip("", "--torch-backend=cpu", *wanted, env={"UV_HTTP_RETRIES": "0"})
                return
            print("torch's ordinary build ...", end=" ", flush=True)
        _pip("torch could not be installed; uv said:", *wanted)


def install_requirements(release: Release, tree: Path, *options: Word) -> None:
    """Install what the release asks for on this device."""
    # The CPU build of torch has a version of its own, and its companions, which
    # nothing here uses, are not on every index or need the ordinary build.
    overrides, excludes = VENV / "overrides.txt", VENV / "excludes.txt"
    versions = [f"torch=={release.torch_on(device())}"]
    theirs = tree / "requirements" / f"{device()}.txt"
    text = theirs.read_text()
    if "triton @" in text:
        # A build for a CPU that is on no index; vLLM only looks at triton there, so
        # that the ordinary one does.
        versions.append("triton")
    overrides.write_text("\n".join(versions))
    companions = ["torchaudio", "torchcodec", "torchvision"]
    excludes.write_text("\n".join(companions if device() == "cpu" else []))
    # Which index to ask is this machine's business.
    lines = [it for it in text.splitlines() if not it.startswith("--")]
    requirements = VENV / theirs.name
    requirements.write_text("\n".join(lines).replace("-r ", f"-r {theirs.parent}/"))
    wanted: list[Word] = ["--overrides", overrides, "--excludes", excludes]
    with step(f"what vLLM asks for ({theirs.name})"):
        failure = "vLLM's requirements could not be installed; uv said:"
        _pip(failure, *options, *wanted, "-r", requirements)


def install_editable(release: Release, tree: Path, wheel: Path) -> None:
    """Install the tree with upstream's setup.py and the wheel's extensions."""
    # compat: a plain path entry. An import hook would lose against the vllm/ folder
    # of this repository wherever Python is started from its root.
    options = ["--no-deps", "--no-build-isolation", "-C", "editable_mode=compat"]
    env = {
        "SETUPTOOLS_SCM_PRETEND_VERSION": release.version,
        "VLLM_TARGET_DEVICE": device(),
        "VLLM_USE_PRECOMPILED": "1",
        "VLLM_PRECOMPILED_WHEEL_LOCATION": str(wheel),
    }
    with step(f"vLLM {release.version} for {device()}, editable"):
        failure = "upstream's setup.py failed; it said:"
        _pip(failure, *options, "--reinstall-package", "vllm", "-e", tree, env=env)


def _pip(failure: str, *options: Word, env: dict[str, str] | None = None) -> None:
    uv(failure, "pip", "install", "-p", VENV / "bin/python", *options, env=env)
