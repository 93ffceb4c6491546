# SPDX-License-Identifier: Apache-2.0
"""Call a module of ours in a process of its own: JSON in, a line of JSON per result.

``python -m tools.fork.child <module>`` calls the module's ``main`` with the keywords
that the JSON on standard input has. Each thing that it yields becomes a line; what else
is printed there goes to standard error.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.program import Word, for_programs

Json = dict[str, Any]


def call(
    python: Sequence[Word],
    module: str,
    keywords: Mapping[str, Any],
    env: Mapping[str, str],
    log: Path,
) -> Iterator[Any]:
    """Call ``main`` of a module, and yield each of its results as it comes.

    ``python`` is a command line; what the process prints goes into ``log``. One that
    fails is a ForkError.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as errors, TemporaryFile("w+") as asked:
        json.dump(keywords, asked)
        asked.seek(0)
        process = subprocess.Popen(
            [*python, "-m", "tools.fork.child", module],
            cwd=ROOT,
            env=for_programs(env),
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        yield from map(json.loads, process.stdout or ())
    if process.wait():
        raise ForkError(f"{module} failed; {ending(log)}")


def ending(log: Path) -> str:
    """Return, for a person, how a log ends."""
    last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    return f"{log} ends:\n{last}"


if __name__ == "__main__":
    results = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for result in importlib.import_module(sys.argv[1]).main(**json.load(sys.stdin)):
        print(json.dumps(result), file=results)
