# SPDX-License-Identifier: Apache-2.0
"""Run a measurement in a process of its own."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.program import environment


def call(module: str, request: dict[str, Any], env: dict[str, str], log: Path) -> Any:
    """Return what ``measure`` of a module of benchmarks returns in a fresh process.

    What the process prints goes into ``log``.

    Raises:
        ForkError: It failed.
    """
    program = [sys.executable, "-m", "benchmarks.child", module]
    with log.open("w") as errors:
        done = subprocess.run(
            program,
            cwd=ROOT,
            env=environment(env),
            input=json.dumps(request),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    if done.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise ForkError(f"Measuring {module} of {request} failed; {log} ends:\n{last}")
    return json.loads(done.stdout)


if __name__ == "__main__":
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a compiler prints is for the log
    measure = importlib.import_module(f"benchmarks.{sys.argv[1]}").measure
    json.dump(measure(**json.load(sys.stdin)), results)
    results.close()
