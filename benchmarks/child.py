# SPDX-License-Identifier: Apache-2.0
"""Run a measurement in a process of its own."""

import importlib
import json
import os
import sys
from typing import Any

from tools.fork.bootstrap import ROOT
from tools.fork.program import run


def call(module: str, request: dict[str, Any], env: dict[str, str]) -> Any:
    """Return what ``measure`` of a module of benchmarks returns in a fresh process.

    Raises:
        ForkError: It failed; the last lines that it printed are said.
    """
    program = [sys.executable, "-m", "benchmarks.child", module, json.dumps(request)]
    failure = f"Measuring {module} of {request} failed; it said:"
    return json.loads(run(program, failure, ROOT, env))


if __name__ == "__main__":
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a compiler prints is no result
    measure = importlib.import_module(f"benchmarks.{sys.argv[1]}").measure
    json.dump(measure(**json.loads(sys.argv[2])), results)
    results.close()
