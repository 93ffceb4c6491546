# SPDX-License-Identifier: Apache-2.0
"""Unpacking what was fetched."""

import os
import tarfile
from pathlib import Path

import pytest

from fake_release import make_archive, make_wheel
from tools.fork import ForkError
from tools.fork.source.unpack import unpack_extensions, unpack_sdist


def test_the_one_folder_of_an_sdist_becomes_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAR_OPTIONS", "--exclude=*.py")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("vllm-1/a.py")
        member.uid, member.gid, member.uname = 12345, 12345, "daemon"
        tar.addfile(member)

    unpack_sdist(tmp_path / "a.tar.gz", tmp_path / "tree")

    assert (tmp_path / "tree/a.py").stat().st_uid == os.getuid()


def test_an_sdist_that_cannot_be_unpacked(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "a.tar.gz", {"vllm-1/a.py": bytes(100_000)})
    archive.write_bytes(archive.read_bytes()[:-20])

    with pytest.raises(ForkError, match=r"a\.tar\.gz could not .* run again:\n.*end"):
        unpack_sdist(archive, tmp_path / "tree")


def test_extensions_of_a_wheel(tmp_path: Path) -> None:
    names = ["vllm/_C.abi3.so", "vllm/a.py", "vllm/b.py", "_C.so", "vllm/sub/_D.so"]
    wheel = make_wheel(tmp_path, "vllm", "1", dict.fromkeys(names, b""))

    unpack_extensions(wheel, tmp_path / "tree", ["vllm/b.py"])

    found = [it for it in (tmp_path / "tree").rglob("*") if it.is_file()]
    assert {it.name for it in found} == {"_C.abi3.so", "_D.so", "b.py"}

    (tmp_path / "full").touch()
    with pytest.raises(ForkError, match=r"whl could not be unpacked \(.+\); mend that"):
        unpack_extensions(wheel, tmp_path / "full")
    with pytest.raises(ForkError, match="no compiled extension"):
        unpack_extensions(make_wheel(tmp_path, "vllm", "2", {}), tmp_path / "tree")
