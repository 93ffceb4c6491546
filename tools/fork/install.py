"""Install the fork, editable, into the virtual environment."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tools.fork import ForkError
from tools.fork.bootstrap import VENV
from tools.fork.command import Word, run, step
from tools.fork.release import Release, build_requirements


def device() -> str:
    """Return ``cuda`` where an NVIDIA driver works, else ``cpu``."""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True)
    except FileNotFoundError:
        return "cpu"
    return "cuda" if done.returncode == 0 and b"GPU" in done.stdout else "cpu"


def check_compiler() -> None:
    """Check for what Inductor compiles with.

    Raises:
        ForkError: No C++ compiler, or no Python headers.
    """
    compiler = os.environ.get("CXX", "g++")
    if not shutil.which(compiler):
        raise ForkError(
            f"There is no C++ compiler {compiler}, which torch.compile needs; install "
            "it (Debian, Ubuntu: apt install g++) and run again."
        )
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        raise ForkError(
            "Python's headers are missing, which torch.compile needs; install them "
            "(Debian, Ubuntu: apt install python3-dev) and run again."
        )


def install_torch(release: Release) -> None:
    """Install the release's torch and what upstream's setup.py imports.

    Without a GPU, torch's own index is asked first: its CPU build is much smaller.

    Raises:
        ForkError: No network, or no such torch for this Python.
    """
    wanted = [f"torch=={release.torch}", *build_requirements()]
    with step(f"torch {release.torch}, and what upstream builds with"):
        if not (device() == "cpu" and _install_cpu_torch(wanted)):
            _pip("torch could not be installed; uv said:", *wanted)
    print(f"    {_describe_torch()}")


def _install_cpu_torch(wanted: list[str]) -> bool:
    try:
        _pip("", "--torch-backend=cpu", *wanted, env={"UV_HTTP_RETRIES": "0"})
    except ForkError:
        return False
    return True


def _describe_torch() -> str:
    code = "import torch; print(torch.__version__, torch.__path__[0])"
    printed = run([sys.executable, "-c", code], "torch cannot be imported:").decode()
    version, folder = printed.split(maxsplit=1)
    package = Path(folder.strip())
    folders = [package, package.with_name("nvidia"), package.with_name("triton")]
    size = sum(file.lstat().st_size for it in folders for file in it.rglob("*"))
    build = "the small CPU build" if version.endswith("+cpu") else "the CUDA build"
    return f"torch {version}: {build}, {size / 1e9:.1f} GB"


def install_requirements(release: Release, tree: Path) -> None:
    """Install what the release asks for on this device.

    Raises:
        ForkError: Some of it cannot be had.
    """
    # The CPU build of torch has a version of its own, and its two companions, which
    # nothing here uses, are not on every index.
    overrides, excludes = VENV / "overrides.txt", VENV / "excludes.txt"
    overrides.write_text(f"torch=={release.torch}\n")
    excludes.write_text("torchaudio\ntorchvision\n" if device() == "cpu" else "")
    requirements = tree / "requirements" / f"{device()}.txt"
    options: list[Word] = ["--overrides", overrides, "--excludes", excludes]
    with step(f"what vLLM asks for ({requirements.name})"):
        failure = "vLLM's requirements could not be installed; uv said:"
        _pip(failure, *options, "-r", requirements)


def install_editable(release: Release, tree: Path, wheel: Path) -> None:
    """Install the tree with upstream's setup.py and the wheel's extensions.

    Raises:
        ForkError: setup.py failed.
    """
    # compat: a plain path entry. An import hook would lose against the vllm/ folder
    # of this repository wherever Python is started from its root.
    options = ["--no-deps", "--no-build-isolation", "-C", "editable_mode=compat"]
    with step(f"vLLM {release.version} for {device()}, editable"):
        env = build_environment(release, device(), wheel)
        failure = "upstream's setup.py failed; it said:"
        _pip(failure, *options, "--reinstall-package", "vllm", "-e", tree, env=env)


def build_environment(release: Release, target: str, wheel: Path) -> dict[str, str]:
    """Return what tells upstream's setup.py to build ``release`` around ``wheel``."""
    return {
        "SETUPTOOLS_SCM_PRETEND_VERSION": release.version,
        "VLLM_TARGET_DEVICE": target,
        "VLLM_USE_PRECOMPILED": "1",
        "VLLM_PRECOMPILED_WHEEL_LOCATION": str(wheel),
    }


def _pip(failure: str, *options: Word, env: dict[str, str] | None = None) -> None:
    uv: list[Word] = [VENV / "bin/uv", "pip", "install", "-p", VENV / "bin/python"]
    run([*uv, *options], failure, env=env)
