# SPDX-License-Identifier: Apache-2.0
"""Nobody's settings; and the miniature release, its sdist and its fork."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from fake_release import FILES, MODULE, OVERLAY, TEST, VERSION, make_archive, write
from tools.fork.release import Release
from tools.fork.settings import environment
from tools.fork.source.tree import Trees, make_fork


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {*os.environ} - {*environment()}:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, an overlay for it, and the fork of both."""
    folder = tmp_path_factory.mktemp("miniature")
    files = {f"vllm-{VERSION}/{name}": content for name, content in FILES.items()}
    sdist = make_archive(folder / f"vllm-{VERSION}.tar.gz", files)
    write(folder / "overlay", {MODULE: OVERLAY, TEST: b"def test_new(): pass\n"})
    make_fork(describe(sdist), sdist, folder / "build/fork", folder / "overlay")
    return folder


def describe(sdist: Path) -> Release:
    digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
    return Release(VERSION, "0", {"vllm": (digest,)})


@pytest.fixture
def sdist(miniature: Path, tmp_path: Path) -> Path:
    (tmp_path / "downloads").mkdir()
    name = f"vllm-{VERSION}.tar.gz"
    return Path(shutil.copy(miniature / name, tmp_path / "downloads"))


@pytest.fixture
def release(miniature: Path) -> Release:
    return describe(miniature / f"vllm-{VERSION}.tar.gz")


@pytest.fixture
def overlay(miniature: Path, tmp_path: Path) -> Path:
    """A repository like ours, for the miniature release."""
    return Path(shutil.copytree(miniature / "overlay", tmp_path / "overlay"))


@pytest.fixture
def made(miniature: Path, tmp_path: Path) -> Trees:
    """Where the trees of the miniature release are; the fork is made."""
    shutil.copytree(miniature / "build", tmp_path / "build")
    return Trees.inside(tmp_path / "build")
