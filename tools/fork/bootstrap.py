# SPDX-License-Identifier: Apache-2.0
"""Get from any Python to the virtual environment, one command at a time.

This runs before anything is installed, and on Pythons too old for the rest: standard
library only, and no syntax that is new.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from tools.fork import ForkError
from tools.fork.settings import ROOT as ROOT
from tools.fork.settings import for_programs, packages

# The virtual environment, once this has been entered.
VENV = Path(sys.prefix)
# Not VLLM_...: vLLM warns of those that it does not know.
_HOLDER = "FORK_LOCK_HOLDER"


def check_python(version: "tuple[int, ...]", command: str = "") -> None:
    """Check that a Python of this version, its first two numbers, will do."""
    latest = (3, 99) if command in ("apply", "wheel") else (3, 13)
    if not (3, 10) <= version <= latest:
        raise ForkError(
            f"This is Python {version[0]}.{version[1]}, but vLLM needs one from 3.10 "
            "to 3.13; name one of those, for example: make demo PYTHON=python3.12"
        )


def enter(arguments: "list[str]", venv: Path) -> None:
    """Go on in the virtual environment, made if need be; return once inside."""
    if arguments[0] not in ("lint", "wheel") and re.search(r"[\s'\"\\]", str(ROOT)):
        raise ForkError(
            "torch.compile does not work in a folder with a space or quote in its "
            f"path, which {ROOT} has; move the checkout, then run this again. "
            "`make apply` works."
        )
    lock(ROOT / "build")
    if Path(sys.prefix) == venv:
        return
    _make_venv(venv)
    python = str(venv / "bin/python")
    env = {**os.environ, **for_programs()}  # with the person's settings of git
    os.execve(python, [python, "-m", "tools.fork", *arguments], env)


def lock(folder: Path) -> None:
    """Hold this checkout, by a file in ``folder``, until the process ends."""
    # Taken before exec, which keeps both the process and the lock, or by the command
    # that has started this one.
    if os.environ.get(_HOLDER) in {str(os.getpid()), str(os.getppid())}:
        return
    try:
        folder.mkdir(exist_ok=True)
        file = os.open(str(folder / ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ForkError(
            "Another command is at work in this checkout; wait until it has ended, "
            "then run this one again."
        ) from None
    except OSError as error:
        if error.filename:
            raise ForkError(
                f"{error.filename} cannot be written ({error.strerror}); run this as "
                "the user who owns the checkout."
            ) from error
        said = f"This file system cannot lock ({error.strerror})"
        print(f"  {said}: run one command at a time in this checkout.", flush=True)
    os.set_inheritable(file, True)
    os.environ[_HOLDER] = str(os.getpid())


def environment_for(command: str, release: "str | None", root: Path = ROOT) -> Path:
    """Return where the virtual environment for a command is.

    A release that releases.toml describes has its own torch, so it is installed into
    an environment of its own. The pinned one's does where nothing is built, and for a
    wheel any that has pip.
    """
    if command == "wheel" and find_spec("pip"):  # Debian's own Python has none
        return VENV
    described = (root / "releases.toml").read_text("utf-8")
    own = f'["{release}"]' in described and f'pinned = "{release}"' not in described
    own = own and command not in ("patch", "weave", "wheel")
    return (root / f"build/{release}" if own else root) / ".venv"


def _make_venv(venv: Path) -> None:
    """Make the virtual environment, with uv and our tools, unless it is there."""
    stamp = venv / ".tools-installed"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    python, shown = venv / "bin/python", os.path.relpath(str(venv))
    running = sysconfig.get_python_version()
    made = python.exists() and stamp.exists()
    if made and stamp.read_text() == wanted:
        if not (venv / "lib" / f"python{running}").exists():
            print(f"  {shown} is of another Python; delete it to have {running}")
        return
    print(f"  {shown}, with the tools ...", flush=True)
    clear = [sys.executable, "-m", "venv", "--clear", str(venv)]
    if not made and subprocess.call(clear, env=for_programs()):
        raise ForkError(
            "The virtual environment could not be made; on Debian and Ubuntu it "
            f"needs the package python{running}-venv."
        )
    pip = [str(python), "-m", "pip", "install", "-qq", "uv"]
    uv = [str(venv / "bin/uv"), "pip", "install", "--quiet", "--group", "dev"]
    env = for_programs(packages(str(python)))
    programs = (pip, [*uv, "-p", str(python)])
    if any(subprocess.call(it, cwd=str(ROOT), env=env) for it in programs):
        raise ForkError(
            f"The tools could not be installed into {shown}; check the network and "
            "`pip config list`, then run this again."
        )
    stamp.write_text(wanted)
