# SPDX-License-Identifier: Apache-2.0
"""Unpacking: all or nothing, and nothing outside the target."""

import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from fake_release import make_archive
from tools.fork import ForkError
from tools.fork.source.unpack import unpack_extensions, unpack_sdist


@pytest.fixture(params=["with a filter", "without"], autouse=True)
def python(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python of today, and one whose tarfile has no filters yet."""
    if request.param == "without":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)


def test_unpacks_the_one_folder(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "a.tar.gz", {"vllm-1/vllm/a.py": b"1"})

    unpack_sdist(archive, tmp_path / "tree")

    assert (tmp_path / "tree/vllm/a.py").read_bytes() == b"1"
    assert sorted(it.name for it in tmp_path.iterdir()) == ["a.tar.gz", "tree"]


def test_root_gives_the_files_to_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("vllm-1/a.py")
        member.uid, member.gid, member.uname = 12345, 12345, "daemon"
        tar.addfile(member)
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda _, *owner: given.append(owner))
    monkeypatch.setattr(os, "lchown", lambda _, *owner: given.append(owner))

    unpack_sdist(tmp_path / "a.tar.gz", tmp_path / "tree")

    # Python's filter asks for no change at all, which is -1.
    assert set(given) <= {(os.getuid(), os.getgid()), (-1, -1)}


@pytest.mark.parametrize("member", ["../outside.py", "vllm-1/../../outside.py"])
def test_a_member_that_escapes_is_refused(tmp_path: Path, member: str) -> None:
    files = {"vllm-1/a.py": b"1", member: b"2"}
    archive = make_archive(tmp_path / "a.tar.gz", files)
    folder = tmp_path / "inside/deeper"
    folder.mkdir(parents=True)

    with pytest.raises(ForkError, match=r"a\.tar\.gz is not safe to unpack.*outside"):
        unpack_sdist(archive, folder / "tree")
    assert not list(folder.iterdir())
    assert not list(tmp_path.rglob("outside.py"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_what_is_neither_file_nor_folder_is_refused(
    tmp_path: Path, kind: bytes
) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("vllm-1/a.py")
        member.type, member.linkname = kind, "../../outside.py"
        tar.addfile(member)

    with pytest.raises(ForkError, match=r"safe to unpack: vllm-1/a\.py is a link"):
        unpack_sdist(tmp_path / "a.tar.gz", tmp_path / "tree")
    assert [it.name for it in tmp_path.iterdir()] == ["a.tar.gz"]


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "a.tar.gz", {"vllm-1/a.py": bytes(100_000)})
    archive.write_bytes(archive.read_bytes()[:-20])

    with pytest.raises(ForkError, match=r"a\.tar\.gz is damaged.*delete it"):
        unpack_sdist(archive, tmp_path / "tree")
    assert [it.name for it in tmp_path.iterdir()] == ["a.tar.gz"]


def test_a_full_disk_is_not_a_damaged_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = make_archive(tmp_path / "a.tar.gz", {"vllm-1/vllm/a.py": b"1"})
    wheel = make_wheel(tmp_path / "a.whl", ["vllm/_C.abi3.so"])

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "extractall", full)
    monkeypatch.setattr(zipfile.ZipFile, "extractall", full)
    said = r"could not be unpacked \(.*No space left on device\); mend that"
    with pytest.raises(ForkError, match=said):
        unpack_sdist(archive, tmp_path / "tree")
    with pytest.raises(ForkError, match=said):
        unpack_extensions(wheel, tmp_path / "tree")


def make_wheel(path: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return path


def test_takes_only_extensions_from_a_wheel(tmp_path: Path) -> None:
    names = ["vllm/_C.abi3.so", "vllm/a.py", "other/_C.so", "vllm/sub/_D.so"]
    wheel = make_wheel(tmp_path / "a.whl", names)

    unpack_extensions(wheel, tmp_path / "tree")

    found = [it for it in (tmp_path / "tree").rglob("*") if it.is_file()]
    assert sorted(it.name for it in found) == ["_C.abi3.so", "_D.so"]


def test_an_extension_that_escapes_stays_inside(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "a.whl", ["vllm/../../../outside.so"])

    unpack_extensions(wheel, tmp_path / "tree")

    (outside,) = tmp_path.rglob("outside.so")
    assert outside.is_relative_to(tmp_path / "tree")


def test_a_wheel_without_extensions_or_a_damaged_one(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "a.whl", ["vllm/a.py"])
    with pytest.raises(ForkError, match="no compiled extension"):
        unpack_extensions(wheel, tmp_path / "tree")

    wheel.write_bytes(wheel.read_bytes()[:10])
    with pytest.raises(ForkError, match="is damaged"):
        unpack_extensions(wheel, tmp_path / "tree")
