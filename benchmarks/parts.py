# SPDX-License-Identifier: Apache-2.0
"""The parts of a run, and the steps that each is made of."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import expected
from benchmarks.sampler import steady
from benchmarks.serving import server, trainer
from benchmarks.variants import COMPILED, LOGS, SERVED
from tools.fork import child, documents, machine
from tools.fork.program import step

# The trainer first, to fail early: TRL comes from the package index.
PARTS = ("trainer", "server", "cpu", "cuda")

Json = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """What measures a part of the results in the JSON file of this name."""

    part: str
    file: str
    title: str
    run: Callable[[], list[Json]]


@dataclass(frozen=True)
class Planner:
    """Plans a run.

    Attributes:
        quick: Whether to do only what shows that all is well.
        scratch: An empty folder, for the caches of compilers and what else is made.
    """

    quick: bool
    scratch: Path

    def steps(self, parts: list[str]) -> Iterator[Step]:
        """Yield the steps of parts, in order; a quick run has no trainer or server."""
        for part in [it for it in PARTS if it in parts]:
            if part in ("cpu", "cuda"):
                yield from self._compilations(part)
                yield from self._steady(part)
                yield from self._memory(part)
            elif not self.quick:
                yield from self._in_use(part)

    def _in_use(self, part: str) -> Iterator[Step]:
        """Yield the steps of what people run: with a cache empty, then filled."""
        measure = {"trainer": trainer.measure, "server": server.measure}[part]
        for variant in SERVED:
            for cache in ("cold", "warm"):
                title = f"the {part}, {variant}, {cache} cache"
                run = partial(measure, variant, cache, self.scratch)
                yield Step(part, part, title, run)

    def _compilations(self, device: str) -> Iterator[Step]:
        # Apart for their times; counts may share a process, which takes long to start.
        for variants in [[*COMPILED]] if self.quick else [[it] for it in COMPILED]:
            title = f"compilations, {', '.join(variants)}"
            asked = {"variants": variants}
            yield self._child("compilations", title, asked, device, variants[0])

    def _steady(self, device: str) -> Iterator[Step]:
        asked: Json = {"batches": steady.BATCHES, "seconds": 2.5}
        if self.quick:
            asked = {"batches": (1, 8), "seconds": 0.2}
        for level, vocabulary, rows in steady.QUICK if self.quick else steady.CASES:
            case = {"level": level, "vocabulary": vocabulary, "rows": rows}
            title = f"steady state, {level}, vocabulary {vocabulary}"
            yield self._child("steady", title, {**case, **asked}, device)

    def _memory(self, device: str) -> Iterator[Step]:
        shape = {"batch": 64 if self.quick else 1024, "vocabulary": 151936}
        for level in ("op",) if self.quick else ("op", "forward"):
            asked = {"level": level, **shape}
            yield self._child("memory", f"memory, {level}", asked, device)

    def _child(
        self, module: str, title: str, asked: Json, device: str, cache: str = "all"
    ) -> Step:
        """Return a step that runs a module's ``main`` with a cache folder."""
        name = f"{module}_{device}"
        env = {"TORCHINDUCTOR_CACHE_DIR": str(self.scratch / f"{device}-{cache}")}
        asked = {**asked, "device": device}
        program = [sys.executable], f"benchmarks.sampler.{module}"
        log = LOGS / f"{name}.log"

        def run() -> list[Json]:
            return list(child.call(*program, asked, env, log))

        return Step(device, name, f"{title}, {device}", run)


def run(planned: list[Step], quick: bool, figures: Path) -> Json:
    """Run the steps, and write a JSON file into ``figures`` for each kind of results.

    Returns:
        By name, what the files hold: the ``command`` that makes them, the ``machine``,
        the ``problems`` that `benchmarks.expected` finds, and the ``results``.

    Raises:
        ForkError: A step failed.
    """
    described = machine.describe() if planned else {}
    files: dict[str, Json] = {}
    for number, it in enumerate(planned, 1):
        with step(f"{number} of {len(planned)}: {it.title}"):
            result = it.run()
        command = f".venv/bin/python -m benchmarks {it.part}{' --quick' * quick}"
        head: Json = {"command": command, "machine": described, "results": []}
        content = files.setdefault(it.file, head)
        content["results"] += result
        # Only when whole: the report trusts what an interrupted run has left.
        if it.file not in {later.file for later in planned[number:]}:
            content["problems"] = list(expected.problems(it.file, content["results"]))
            documents.write(figures / f"{it.file}.json", content)
    return files
