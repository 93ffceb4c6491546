# SPDX-License-Identifier: Apache-2.0
"""Other people's settings: what programs see of them, and what they do with that."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fake_release import make_program, make_wheel, write
from tools.fork import program, settings
from tools.fork.bootstrap import ROOT

DROPPED = (
    "PYTHONSAFEPATH PYTEST_ADDOPTS COVERAGE_RCFILE MAKEFLAGS MAKELEVEL GIT_DIR "
    "GIT_EXTERNAL_DIFF PIP_USER PIP_TARGET PIP_NO_DEPS UV_TORCH_BACKEND UV_PROJECT"
)
KEPT = (
    "PYTHONPATH PIP_INDEX_URL PIP_NO_CACHE_DIR UV_INDEX_COMPANY_PASSWORD UV_CACHE_DIR "
    "UV_CONFIG_FILE GIT_AUTHOR_NAME GIT_CONFIG_GLOBAL CXX PATH USER"
)


def test_what_programs_see(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in f"{DROPPED} {KEPT} no_proxy".split():
        monkeypatch.setenv(name, "theirs")
    monkeypatch.delenv("NO_PROXY", raising=False)

    found = settings.for_programs({"PYTEST_ADDOPTS": "ours"})

    assert found.pop("PYTEST_ADDOPTS") == "ours"
    assert not {*DROPPED.split()} & found.keys()
    assert {found[name] for name in KEPT.split()} == {"theirs"}
    # Our own servers are not behind a proxy.
    assert found["no_proxy"] == found["NO_PROXY"] == "theirs,localhost,127.0.0.1"


@pytest.mark.parametrize(
    ("home", "moved"), [("here", "XDG_CACHE_HOME"), ("no", "HOME")]
)
def test_a_user_without_a_name_or_a_home(
    home: str, moved: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.delenv("USER", raising=False)
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setattr("os.access", lambda path, how: False)  # root may always
    monkeypatch.setenv("HOME", str(tmp_path / home))

    found = settings.for_programs()

    assert found["USER"] == str(os.getuid())
    assert found[moved] == str(tmp_path / "build/home")
    assert found["HOME"] in (str(tmp_path / "here"), found[moved])
    assert (tmp_path / "build/home").is_dir()


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pip.conf of somebody's, who has told pip and uv nothing else."""
    for name in [it for it in os.environ if it.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    file = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path))
    return file


def test_uv_asks_where_pip_asks_and_nothing_is_installed_elsewhere(
    pip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip.write_text(
        "[global]\nindex-url = file:///one\nuser = true\ntarget = /elsewhere\n"
        "[install]\nfind-links =\n    /two\n    /three\nno-deps = true\n"
    )
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "file:///four file:///five")

    found = settings.packages(sys.executable)

    assert found["PIP_CONFIG_FILE"] == os.devnull
    assert found["PIP_INDEX_URL"] == found["UV_DEFAULT_INDEX"] == "file:///one"
    assert found["UV_INDEX"] == "file:///four file:///five"
    assert found["UV_FIND_LINKS"] == "/two,/three"
    assert not {"PIP_USER", "PIP_TARGET", "PIP_NO_DEPS"} & found.keys()


def test_a_uv_that_is_told_of_an_index_itself(
    pip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> list[str]:
        return [it for it in settings.packages(sys.executable) if it.startswith("UV_")]

    pip.write_text("[global]\nindex-url = file:///one\n")
    monkeypatch.setenv("UV_INDEX_URL", "file:///two")
    assert not told()
    monkeypatch.delenv("UV_INDEX_URL")
    write(pip.parent, {"uv/uv.toml": b'[[index]]\nurl = "file:///two"\n'})
    assert not told()


def test_uv_installs_from_there_what_no_project_around_us_overrides(
    pip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links, there = tmp_path / "links", tmp_path / "there"
    links.mkdir()
    for version in ("1", "2"):
        make_wheel(links, "thing", version, {})
    told = f"no-index = true\nfind-links = {links}\nextra-index-url = file:///one\n"
    pip.write_text(f"[global]\n{told}")
    ours = (ROOT / "pyproject.toml").read_bytes()
    theirs = b'[tool.uv]\noverride-dependencies = ["thing==1"]\n'
    write(tmp_path, {"clone/pyproject.toml": ours, "pyproject.toml": theirs})
    monkeypatch.setattr(program, "ROOT", tmp_path / "clone")
    monkeypatch.chdir(tmp_path)

    program.uv("", "pip", "install", "-p", sys.executable, "--target", there, "thing")

    assert settings.packages(sys.executable)["UV_INDEX"] == ""
    assert [it.name for it in there.glob("*.dist-info")] == ["thing-2.dist-info"]


def test_make_runs_one_command_at_a_time_and_from_here(tmp_path: Path) -> None:
    says = 'echo "begin $PYTHONSAFEPATH"; sleep 0.3; echo end'
    make_program(tmp_path / "python", says)
    theirs = {**os.environ, "PYTHONSAFEPATH": "1", "MAKEFLAGS": "-j2"}
    make = ["make", "-s", "lint", "test", f"PYTHON={tmp_path / 'python'}"]

    done = subprocess.run(make, cwd=ROOT, env=theirs, capture_output=True, text=True)

    assert done.stdout.splitlines() == ["begin ", "end"] * 2
