# SPDX-License-Identifier: Apache-2.0
"""Which measurements make up a run, how long they take, and where results go."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import child
from benchmarks.sampler import split, steady
from benchmarks.serving import engine, server, trainer
from benchmarks.variants import COMPILED
from tools.fork import machine
from tools.fork.program import step

PARTS = ("cpu", "cuda", "split", "engine", "trainer", "server")
# What to count compilations in.
CELLS = [
    {"level": level, "rows": rows, "dtype": dtype, "mode": mode}
    for level, rows, dtype, mode in (
        ("gather_logprobs", "own", "float32", "raw_logprobs"),
        ("forward", "own", "float32", "raw_logprobs"),
        ("forward", "padded", "float32", "raw_logits"),
        ("forward", "padded", "bfloat16", "raw_logits"),
    )
]

Json = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One process that measures.

    Attributes:
        file: The name of the JSON that its result goes into.
        title: What it does, for a person.
        seconds: What it takes on two slow cores; the rest of a run is scaled by it.
        run: Measures; returns what goes into the JSON.
    """

    file: str
    title: str
    seconds: float
    run: Callable[[], list[Json]]


@dataclass(frozen=True)
class Planner:
    """Plans a run.

    Attributes:
        quick: Whether to do only what shows that all is well.
        report: The folder for results and logs.
        scratch: An empty folder for compilers' caches and what else is made.
    """

    quick: bool
    report: Path
    scratch: Path

    def steps(self, parts: list[str]) -> Iterator[Step]:
        """Yield the steps of a run, in order.

        Args:
            parts: Of PARTS; others have no steps.
        """
        # First, to fail early: TRL comes from the package index.
        if not self.quick:
            yield from self._in_use(parts)
        for device in [it for it in ("cpu", "cuda") if it in parts]:
            yield from self._compilations(device)
            yield from self._steady(device)
            yield from self._memory(device)
        if "split" in parts:
            for version in split.torch_versions():
                run = partial(split.measure, version)
                yield Step("split", f"generated code, torch {version}", 15, run)
        # `make test` and `make demo` serve with the engine, so a quick run need not.
        if "engine" in parts and not self.quick:
            for variant in engine.VARIANTS:
                run = partial(engine.measure, variant, self.report)
                yield Step("engine", f"the engine, {variant}", 60, run)

    def _in_use(self, parts: list[str]) -> Iterator[Step]:
        """Yield the steps of those that people run: with a cache empty, then filled."""
        measures = {"trainer": (trainer.measure, 70), "server": (server.measure, 100)}
        for part in [it for it in measures if it in parts]:
            measure, seconds = measures[part]
            for variant in engine.SERVED:
                for cache in ("cold", "warm"):
                    title = f"the {part}, {variant}, {cache} cache"
                    run = partial(measure, variant, cache, self.scratch, self.report)
                    yield Step(part, title, seconds, run)

    def _compilations(self, device: str) -> Iterator[Step]:
        # Apart for their times; counts may share a process, which takes long to start.
        groups = [[*COMPILED]] if self.quick else [[it] for it in COMPILED]
        for variants in groups:
            names = ", ".join(variants)
            for cache in ("cold",) if self.quick else ("cold", "warm"):
                yield self._child(
                    "compilations",
                    f"compilations, {names}, {cache} cache",
                    {"variants": variants, "cells": CELLS, "cache": cache},
                    device,
                    15 + len(variants) * len(CELLS) * (8 if cache == "cold" else 4),
                    "-".join((device, *variants)),
                )

    def _steady(self, device: str) -> Iterator[Step]:
        batches = (1, 8) if self.quick else steady.BATCHES
        seconds = 0.2 if self.quick else 4.0
        for level, vocabulary, rows in steady.QUICK if self.quick else steady.CASES:
            asked = {"level": level, "vocabulary": vocabulary, "rows": rows}
            yield self._child(
                "steady",
                f"steady state, {level}, vocabulary {vocabulary}",
                {**asked, "batches": batches, "seconds": seconds},
                device,
                20 + 2 * seconds * len(batches),
            )

    def _memory(self, device: str) -> Iterator[Step]:
        shape = {"batch": 64 if self.quick else 1024, "vocabulary": 151936}
        for level in ("op",) if self.quick else ("op", "forward"):
            asked = {"level": level, **shape}
            yield self._child("memory", f"memory, {level}", asked, device, 25)

    def _child(
        self,
        module: str,
        title: str,
        request: Json,
        device: str,
        seconds: float,
        folder: str = "all",
    ) -> Step:
        """Return a step that runs a module's ``measure`` with a cache folder."""
        name = f"{module}-{device}"
        request = {**request, "device": device}
        log = self.report / f"{name}.log"
        cache = {"TORCHINDUCTOR_CACHE_DIR": str(self.scratch / folder)}
        run = partial(child.call, f"sampler.{module}", request, cache, log)
        return Step(name, f"{title}, {device}", seconds, run)


def run(planned: list[Step], quick: bool, report: Path) -> dict[str, Json]:
    """Run the steps and write their results, a JSON file each kind.

    Args:
        planned: The steps.
        quick: What they were planned with; goes into the files.
        report: The folder for the files.

    Returns:
        By name, what the files hold.

    Raises:
        ForkError: A step failed.
    """
    if not planned:
        return {}
    head = {"machine": machine.describe(), "quick": quick}
    results: dict[str, Json] = {}
    start = time.perf_counter()
    for number, it in enumerate(planned):
        spent = time.perf_counter() - start
        with step(f"{time_left(planned, number, spent)}: {it.title}"):
            result = it.run()
        content = results.setdefault(it.file, {**head, "results": []})
        content["results"] += result
        # Only when whole: the report trusts what an interrupted run has left.
        if it.file not in {later.file for later in planned[number + 1 :]}:
            path = report / f"{it.file}.json"
            path.write_text(json.dumps(content, indent=1) + "\n")
    return results


def time_left(planned: list[Step], done: int, spent: float) -> str:
    """Say how long the steps that are left take, going by those that are done.

    Args:
        planned: The steps.
        done: How many of them are done.
        spent: Seconds that these took.
    """
    expected = [it.seconds for it in planned]
    pace = spent / sum(expected[:done]) if done else 1.0
    return f"{pace * sum(expected[done:]) / 60:.0f} min left"
