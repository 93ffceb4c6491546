# SPDX-License-Identifier: Apache-2.0
"""Run a program, and show the step it belongs to."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.settings import for_programs as for_programs
from tools.fork.settings import packages

Word = str | Path  # of a command line
_PULSE = 20.0  # seconds without a sign of life


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print what begins, now and then that it goes on, then the seconds it took."""
    print(f"  {title} ...", end=" ", flush=True)
    start = time.perf_counter()
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(_PULSE):
            print(f"{time.perf_counter() - start:.0f} s ...", end=" ", flush=True)

    pulse = threading.Thread(target=go_on, daemon=True)
    pulse.start()
    try:
        yield
    finally:
        ended.set()
        pulse.join()
    print(f"{time.perf_counter() - start:.1f} s", flush=True)


def run(
    program: Sequence[Word],
    failure: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> bytes:
    """Run a program to its end, quietly, and return its standard output.

    If it fails, an error has the sentence ``failure`` and the last lines printed.
    """
    try:
        done = subprocess.run(
            program,
            cwd=cwd,
            env=for_programs(env),
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        gone = isinstance(error, FileNotFoundError)
        said = "is missing" if gone else f"cannot be run ({error.strerror})"
        raise ForkError(f"{error.filename} {said}. {failure}") from error
    if done.returncode:
        printed = (done.stdout + done.stderr).decode("utf-8", "replace").strip()
        last = [f"    {line}" for line in printed.splitlines()[-15:]]
        raise ForkError("\n".join([failure, *last]))
    return done.stdout


def uv(failure: str, *words: Word, env: Mapping[str, str] | None = None) -> bytes:
    """Run uv as `run` does, on the index that pip is told of.

    It runs in our folder, for its search for settings of a project ends there.
    """
    told = {**packages(sys.executable), **(env or {})}
    return run([VENV / "bin/uv", *words], failure, ROOT, told)


def stream(
    failure: str,
    module: str,
    *words: Word,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> None:
    """Run a module of the environment in full view; ``failure`` is the error if any."""
    # No script beside Python: those of a checkout that was moved name another Python.
    program = [VENV / "bin/python", "-m", module, *words]
    sys.stdout.flush()
    if subprocess.run(program, cwd=cwd, env=for_programs(env)).returncode:
        raise ForkError(failure)
