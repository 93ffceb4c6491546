# SPDX-License-Identifier: Apache-2.0
"""The parts of a run, each measured step by step into a JSON file."""

import itertools
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import expected, sampler
from benchmarks.serving.measure import measure
from benchmarks.variants import LOGS, SERVED
from tools.fork import ForkError, child, documents
from tools.fork.child import Json
from tools.fork.program import step

# The trainer first, to fail early: TRL comes from the package index.
PARTS = ("trainer", "server", "cpu", "cuda")
QUICK = ("cpu", "cuda")  # those that serve nothing


def plan(part: str, quick: bool, scratch: Path) -> dict[str, Callable[[], list[Json]]]:
    """Return, by title, what measures results of a part.

    ``scratch`` is an empty folder, for the caches of compilers and what else is made.
    """
    if part in QUICK:
        asked = {title: {**it, "device": part} for title, it in sampler.plan(quick)}
        return {title: partial(_call, it, scratch) for title, it in asked.items()}
    return {
        f"{variant}, {cache} cache": partial(measure, part, variant, cache, scratch)
        for variant, cache in itertools.product(SERVED, ("cold", "warm"))
    }


def _call(asked: Json, scratch: Path) -> list[Json]:
    env = {"TORCHINDUCTOR_CACHE_DIR": str(scratch / asked["device"])}
    log = LOGS / f"benchmark-{asked['device']}.log"
    return list(child.call([sys.executable], sampler.__name__, asked, env, log))


def run(part: str, quick: bool, machine: Json, scratch: Path, folder: Path) -> None:
    """Measure a part and, if it shows what it should, write its JSON into a folder."""
    results = []
    steps = plan(part, quick, scratch)
    for number, (title, measure_step) in enumerate(steps.items(), 1):
        with step(f"{part}, {number} of {len(steps)}: {title}"):
            results += measure_step()
    command = f".venv/bin/python -m benchmarks {part}"
    if problems := "\n".join(expected.problems(part, results)):
        raise ForkError(problems)
    content: Json = {
        "command": f"{command} --quick" if quick else command,
        "machine": machine,
        "results": results,
    }
    # Only when whole: the report trusts what an interrupted run has left.
    documents.write(folder / f"{part}.json", content)
