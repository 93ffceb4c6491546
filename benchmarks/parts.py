# SPDX-License-Identifier: Apache-2.0
"""The parts of a run, and the JSON files that each measures."""

import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import expected
from benchmarks.sampler import compilations, steady
from benchmarks.serving.measure import measure
from benchmarks.variants import LOGS, SERVED
from tools.fork import child, documents, machine
from tools.fork.child import Json
from tools.fork.program import step

# The trainer first, to fail early: TRL comes from the package index.
PARTS = ("trainer", "server", "cpu", "cuda")

Steps = dict[str, Callable[[], list[Json]]]


@dataclass(frozen=True)
class File:
    """A JSON file: the part it belongs to, and by title what measures its results."""

    name: str
    part: str
    steps: Steps


def plan(part: str, quick: bool, scratch: Path) -> Iterator[File]:
    """Yield the files of a part; quick ones have the counts, and nothing is served.

    ``scratch`` is an empty folder, for the caches of compilers and what else is made.
    """
    if part in ("cpu", "cuda"):
        for kind, module in {"compilations": compilations, "steady": steady}.items():
            steps: Steps = {
                title: partial(_call, kind, {**asked, "device": part}, scratch)
                for title, asked in module.plan(quick)
            }
            yield File(f"{kind}_{part}", part, steps)
    elif not quick:
        steps = {
            f"{variant}, {cache} cache": partial(measure, part, variant, cache, scratch)
            for variant, cache in itertools.product(SERVED, ("cold", "warm"))
        }
        yield File(part, part, steps)


def _call(kind: str, asked: Json, scratch: Path) -> list[Json]:
    env = {"TORCHINDUCTOR_CACHE_DIR": str(scratch / asked["device"])}
    log = LOGS / f"{kind}_{asked['device']}.log"
    module = f"benchmarks.sampler.{kind}"
    return list(child.call([sys.executable], module, asked, env, log))


def run(files: list[File], quick: bool, folder: Path) -> list[str]:
    """Measure files, write each into a folder, and return the problems of all."""
    described = machine.describe() if files else {}
    problems: list[str] = []
    for file in files:
        results = []
        for number, (title, measure_step) in enumerate(file.steps.items(), 1):
            with step(f"{file.name}, {number} of {len(file.steps)}: {title}"):
                results += measure_step()
        command = f".venv/bin/python -m benchmarks {file.part}"
        content: Json = {
            "command": f"{command} --quick" if quick else command,
            "machine": described,
            "results": results,
            "problems": list(expected.problems(file.name, results)),
        }
        # Only when whole: the report trusts what an interrupted run has left.
        documents.write(folder / f"{file.name}.json", content)
        problems += content["problems"]
    return problems
