# SPDX-License-Identifier: Apache-2.0
"""Starting: the right Python, one command at a time, in the release's environment."""

import errno
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from fake_release import write
from tools.fork import ForkError, __main__, bootstrap, commands, release
from tools.fork.release import described


@pytest.mark.parametrize(
    ("version", "command", "fits"),
    [
        ((3, 9), "apply", False),
        ((3, 10), "demo", True),
        ((3, 13), "demo", True),
        ((3, 14), "demo", False),
        ((3, 14), "apply", True),
        ((3, 14), "wheel", True),
    ],
)
def test_which_pythons_will_do(
    version: tuple[int, int], command: str, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    monkeypatch.setattr(sys, "argv", ["fork", command])
    monkeypatch.setattr(commands, "parse", Mock(side_effect=ForkError("It fits.")))
    said = "{}.{}, but vLLM needs one from 3.10 to 3.13".format(*version)

    with pytest.raises(ForkError, match="It fits" if fits else said):
        __main__.main()


def test_a_path_that_no_compiler_gets_to_see_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock = Mock()
    monkeypatch.setattr(bootstrap, "lock", lock)
    for place in (Path("/a folder"), Path("/it's")):
        monkeypatch.setattr(bootstrap, "ROOT", place)
        with pytest.raises(ForkError, match=f"quote in its path, which {place} has"):
            bootstrap.enter(["demo"], bootstrap.VENV)
        bootstrap.enter(["lint"], bootstrap.VENV)
        lock.assert_called_with(place / "build")


@pytest.fixture
def unheld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FORK_LOCK_HOLDER", "")
    return tmp_path


def test_two_commands_at_once(unheld: Path) -> None:
    def another() -> "subprocess.Popen[bytes]":
        code = "from pathlib import Path; from tools.fork import bootstrap; "
        code += f"bootstrap.lock(Path({str(unheld)!r})); print(flush=True); input()"
        program, pipe = [sys.executable, "-c", code], subprocess.PIPE
        made = subprocess.Popen(program, cwd=bootstrap.ROOT, stdin=pipe, stdout=pipe)
        assert made.stdout and made.stdout.read(1)  # else it was refused
        return made

    with another() as process:
        with pytest.raises(ForkError, match="is at work in this checkout; wait"):
            bootstrap.lock(unheld)
        process.kill()
    bootstrap.lock(unheld)
    bootstrap.lock(unheld)
    with another() as process:  # one that this command has started
        process.kill()


def test_a_checkout_that_cannot_be_locked(
    unheld: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(errno.ENOSYS, "Function not implemented")
    monkeypatch.setattr("fcntl.flock", Mock(side_effect=error))

    bootstrap.lock(unheld)
    said = capsys.readouterr().out
    assert "cannot lock (Function not implemented): run one command at a time" in said
    monkeypatch.setenv("FORK_LOCK_HOLDER", "")
    (unheld / ".lock").unlink()
    (unheld / ".lock").mkdir()
    with pytest.raises(ForkError, match=f"{unheld}/.lock cannot be written"):
        bootstrap.lock(unheld)


def test_each_release_has_a_virtual_environment_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "releases.toml").write_text('pinned = "1"\n["1"]\n["2"]\n')
    assert bootstrap.environment_for("wheel", "2", tmp_path) == bootstrap.VENV
    monkeypatch.setattr(bootstrap, "find_spec", lambda name: None)
    places = {
        ("test", "1"): ".venv",
        ("test", "2"): "build/2/.venv",
        ("test", "../3"): ".venv",
        ("wheel", "2"): ".venv",
    }
    for how, place in places.items():
        assert bootstrap.environment_for(*how, tmp_path) == tmp_path / place


def test_a_command_goes_on_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    version = release.all_described()[0].version
    venv = bootstrap.ROOT / "build" / version / ".venv"
    enter = Mock(side_effect=ForkError("stop"))
    monkeypatch.setattr(bootstrap, "enter", enter)
    monkeypatch.setattr(sys, "argv", ["fork", "build", f"--rel={version}"])
    with pytest.raises(ForkError, match="stop"):
        __main__.main()
    enter.assert_called_once_with(["build", f"--rel={version}"], venv)
    monkeypatch.setattr(sys, "argv", ["fork", "apply", "/"])
    with pytest.raises(ForkError, match="neither checkout nor"):
        __main__.main()


def test_the_virtual_environment_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running = f"python{sysconfig.get_python_version()}"
    call = Mock()
    monkeypatch.setattr(subprocess, "call", call)
    monkeypatch.setattr(bootstrap, "packages", lambda python: {})

    def made(*statuses: int) -> Any:
        call.side_effect = statuses
        call.reset_mock()
        bootstrap._make_venv(tmp_path)
        return [it.args[0] for it in call.call_args_list]

    with pytest.raises(ForkError, match=f"needs the package {running}-venv"):
        made(1)
    write(tmp_path, {"bin/python": b"", f"lib/{running}/here": b""})
    with pytest.raises(ForkError, match="tools could not be installed"):
        made(0, 0, 1)
    assert "--clear" in made(0, 0, 0)[0]
    assert not made()
    assert "of another Python" not in capsys.readouterr().out
    (tmp_path / "lib").rename(tmp_path / "lib64")
    assert not made()
    assert "is of another Python; delete it to have" in capsys.readouterr().out
    (tmp_path / ".tools-installed").write_text("others")
    assert "--clear" not in made(0, 0)[0]


def test_a_release_that_is_not_described(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    digests = "vllm==0.0.1 \\\n    --hash=sha256:ab1 \\\n    --hash=sha256:cd2\n"
    resolved = {  # by the one release of this index, which is only for a GPU
        ("vllm==0.0.1",): "numpy==2\ntorch==2.0.0\nvllm==0.0.1\n",
        ("vllm==0.0.1", "--generate-hashes", "--no-deps"): digests,
    }
    monkeypatch.setattr(release, "_compile", lambda *asked: resolved.get(asked, ""))

    with pytest.raises(ForkError) as refused:
        described("0.0.1")
    before, _, entry = str(refused.value).partition("add it:\n")
    assert "releases.toml describes only vLLM 0.10.2, " in before
    added = tmp_path / "releases.toml"
    added.write_text(release.RELEASES.read_text() + entry)
    monkeypatch.setattr(release, "RELEASES", added)
    found = described("0.0.1")
    assert (found.torch, found.digests) == ("2.0.0", {"vllm": ("ab1", "cd2")})
    with pytest.raises(ForkError, match=r"no vLLM 0\.0\.2 either, or does not answer"):
        described("0.0.2")


def test_our_toml_reads_as_any_toml() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has none")
    ours, pyproject = release.RELEASES, bootstrap.ROOT / "pyproject.toml"
    assert release.read(ours) == tomllib.loads(ours.read_text("utf-8"))
    theirs = tomllib.loads(pyproject.read_text("utf-8"))
    assert release.read(pyproject)["build-system"] == theirs["build-system"]
