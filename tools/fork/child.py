# SPDX-License-Identifier: Apache-2.0
"""Call a module of ours in a process of its own: JSON in, a line of JSON per result.

``python -m tools.fork.child <module> <JSON>`` calls the module's ``main`` with the
keywords that the JSON has, of at most 128 KiB, which is Linux's limit. Each thing that
it yields becomes a line; what else is printed there goes to standard error.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.program import for_programs


def call(
    module: str, keywords: Mapping[str, Any], env: Mapping[str, str], log: Path
) -> Iterator[Any]:
    """Call ``main`` of a module, and yield each of its results as it comes.

    Its settings are ours and ``env``; what it prints goes into ``log``.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "tools.fork.child", module, json.dumps(keywords)]
    with log.open("w") as errors:
        process = subprocess.Popen(
            words,
            cwd=ROOT,
            env=for_programs(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdout
        yield from map(json.loads, process.stdout)
    if process.wait():
        raise ForkError(f"{module} failed; {ending(log)}")


def ending(log: Path) -> str:
    """Return, for a person, how a log ends."""
    last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    return f"{log} ends:\n{last}"


if __name__ == "__main__":
    results = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    module, keywords = sys.argv[1:]
    for result in importlib.import_module(module).main(**json.loads(keywords)):
        print(json.dumps(result), file=results)
