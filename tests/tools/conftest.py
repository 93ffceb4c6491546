# SPDX-License-Identifier: Apache-2.0
"""Nobody's settings; and the miniature release, its sdist and its fork."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from fake_release import (
    FILES,
    MODULE,
    OVERLAY,
    TEST,
    VERSION,
    Miniature,
    make_archive,
    write,
)
from tools.fork.release import Release
from tools.fork.settings import environment
from tools.fork.source.tree import Trees


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {*os.environ} - {*environment()}:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Miniature:
    """What each test gets a copy of."""
    folder = tmp_path_factory.mktemp("original")
    files = {f"vllm-{VERSION}/{name}": content for name, content in FILES.items()}
    (folder / "downloads").mkdir()
    sdist = make_archive(folder / f"downloads/vllm-{VERSION}.tar.gz", files)
    write(folder / "overlay", {MODULE: OVERLAY, TEST: b"def test_new(): pass\n"})
    digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
    release = Release(VERSION, "0", {"vllm": (digest,)})
    trees = Trees.inside(folder / "build")
    made = Miniature(release, sdist, folder / "overlay", trees)
    made.make_fork()
    return made


@pytest.fixture
def mini(original: Miniature, tmp_path: Path) -> Miniature:
    for name in ("downloads", "overlay", "build"):
        shutil.copytree(original.overlay.with_name(name), tmp_path / name)
    sdist = tmp_path / "downloads" / original.sdist.name
    trees = Trees.inside(tmp_path / "build")
    return Miniature(original.release, sdist, tmp_path / "overlay", trees)


@pytest.fixture
def overlay(mini: Miniature) -> Path:
    """A repository like ours, for the miniature release."""
    return mini.overlay
