# SPDX-License-Identifier: Apache-2.0
"""The record of woven files: what changes is seen, by release and file."""

import subprocess
from pathlib import Path

from fake_release import write
from tools.fork.release import described
from tools.fork.source import record

PINNED = described(None).version


def test_a_release_is_written_anew_and_the_others_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "woven.sha256"
    before = {"0.33.0": {"b": b"1"}, PINNED: {"c": b""}, "8.8.8": {"a": b"1"}}
    record.write(before, file)
    assert record.differing("8.8.8", {"a": b"1"}, file) == []

    record.write({PINNED: {"b": b"1", "a": b"2"}}, file)

    lines = file.read_text().splitlines()
    paths = [f"{PINNED}/a", f"{PINNED}/b", "0.33.0/b"]
    assert [it.split("  ")[1] for it in lines] == paths
    write(tmp_path, dict(zip(paths, (b"2", b"1", b"1"), strict=True)))
    check = ["sha256sum", "--check", "--quiet", str(file)]
    subprocess.run(check, cwd=tmp_path, check=True)


def test_what_differs_is_named(tmp_path: Path) -> None:
    file = tmp_path / "woven.sha256"
    assert record.differing(PINNED, {"a": b""}, file) == [f"{PINNED}/a"]

    record.write({PINNED: {"a": b"1", "b": b"1", "c": b"1"}}, file)

    found = record.differing(PINNED, {"a": b"2", "b": b"1", "d": b"1"}, file)
    assert found == [f"{PINNED}/{name}" for name in "acd"]
