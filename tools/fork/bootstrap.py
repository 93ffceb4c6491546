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

from tools.fork.settings import ROOT as ROOT
from tools.fork.settings import for_programs, packages

# The virtual environment, once this has been entered.
VENV = Path(sys.prefix)
# Not VLLM_...: vLLM warns of those that it does not know.
_HOLDER = "FORK_LOCK_HOLDER"


def enter(arguments: "list[str]", venv: Path) -> "str | None":
    """Go on with this command in its virtual environment, made if need be.

    Returns:
        None once inside; else, in a sentence, why not.
    """
    problem = problem_with_path(arguments[0], ROOT) or lock(ROOT / "build")
    if problem or Path(sys.prefix) == venv:
        return problem
    problem = _make_venv(venv)
    if problem:
        return problem
    python = str(venv / "bin/python")
    env = {**os.environ, **for_programs()}  # with the person's settings of git
    os.execve(python, [python, "-m", "tools.fork", *arguments], env)


def problem_with_python(
    version: "tuple[int, ...]", arguments: "list[str] | tuple[()]" = ()
) -> "str | None":
    """Return what is wrong with a Python of this version, in a sentence, or None.

    Args:
        version: Its first two numbers.
        arguments: The command's; ``apply`` and ``wheel`` run with later versions too.
    """
    latest = (3, 99) if {"apply", "wheel"} & {*arguments[:1]} else (3, 13)
    if (3, 10) <= version <= latest:
        return None
    return (
        f"This is Python {version[0]}.{version[1]}, but vLLM needs one from 3.10 to "
        "3.13; name one of those, for example: make demo PYTHON=python3.12"
    )


def problem_with_path(command: str, root: Path) -> "str | None":
    """Return why a command cannot work in a checkout at ``root``, or None."""
    if command in ("lint", "wheel") or not re.search(r"[\s'\"\\]", str(root)):
        return None
    return (
        "torch.compile does not work in a folder with a space or quote in its path, "
        f"which {root} has; move the checkout, then run this again. `make apply` works."
    )


def lock(folder: Path) -> "str | None":
    """Hold this checkout, by a file in ``folder``, until the process ends.

    Returns:
        None if it is held, or cannot be, which is printed; else, in a sentence, that
        another command holds it.
    """
    # Taken before exec, which keeps both the process and the lock, or by the command
    # that has started this one.
    if os.environ.get(_HOLDER) in {str(os.getpid()), str(os.getppid())}:
        return None
    try:
        folder.mkdir(exist_ok=True)
        file = os.open(str(folder / ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return (
            "Another command is at work in this checkout; wait until it has ended, "
            "then run this one again."
        )
    except OSError as error:
        if error.filename:
            return (
                f"{error.filename} cannot be written ({error.strerror}); run this as "
                "the user who owns the checkout."
            )
        said = f"This file system cannot lock ({error.strerror})"
        print(f"  {said}: run one command at a time in this checkout.", flush=True)
    os.set_inheritable(file, True)
    os.environ[_HOLDER] = str(os.getpid())
    return None


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


def _make_venv(venv: Path) -> "str | None":
    """Make the virtual environment, with uv and our tools, unless it is there."""
    stamp = venv / ".tools-installed"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    python = venv / "bin/python"
    running = sysconfig.get_python_version()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        if not (venv / "lib" / f"python{running}").exists():
            there = os.path.relpath(str(venv))
            print(f"  {there} is of another Python; delete it to have {running}")
        return None
    print(f"  {os.path.relpath(str(venv))}, with the tools ...", flush=True)
    if not (python.exists() and stamp.exists()):
        clear = [sys.executable, "-m", "venv", "--clear", str(venv)]
        if subprocess.call(clear, env=for_programs()):
            return (
                "The virtual environment could not be made; on Debian and Ubuntu it "
                f"needs the package python{running}-venv."
            )
    pip = [str(python), "-m", "pip", "install", "-qq", "uv"]
    uv = [str(venv / "bin/uv"), "pip", "install", "--quiet", "--group", "dev"]
    env = for_programs(packages(str(python)))
    programs = (pip, [*uv, "-p", str(python)])
    if any(subprocess.call(it, cwd=str(ROOT), env=env) for it in programs):
        return (
            f"The tools could not be installed into {os.path.relpath(str(venv))}; "
            "check the network and `pip config list`, then run this again."
        )
    stamp.write_text(wanted)
    return None
