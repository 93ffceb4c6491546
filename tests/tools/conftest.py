# SPDX-License-Identifier: Apache-2.0
"""Nobody's settings; and the miniature release, served through pip's own options."""

import hashlib
import os
from pathlib import Path

import pytest

from fake_release import FILES, OVERLAY, VERSION, make_archive
from tools.fork.release import Release
from tools.fork.settings import environment


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {*os.environ} - {*environment()}:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the package index, with the release in it."""
    folder = tmp_path / "index"
    folder.mkdir()
    files = {f"vllm-{VERSION}/{name}": content for name, content in FILES.items()}
    make_archive(folder / f"vllm-{VERSION}.tar.gz", files)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def sdist(index: Path) -> Path:
    (path,) = index.iterdir()
    return path


@pytest.fixture
def release(sdist: Path) -> Release:
    digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
    return Release(VERSION, "0", {"vllm": (digest,)})


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    """A repository like ours, for the miniature release."""
    folder = tmp_path / "overlay"
    source = folder / "vllm/v1/sample/sampler.py"
    source.parent.mkdir(parents=True)
    source.write_bytes(OVERLAY)
    test = folder / "tests/v1/sample/test_new.py"
    test.parent.mkdir(parents=True)
    test.write_bytes(b"def test_new(): pass\n")
    return folder
