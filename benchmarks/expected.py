# SPDX-License-Identifier: Apache-2.0
"""What the measurements have to show: no time, only counts, and equal training."""

import itertools
from collections.abc import Iterator

from benchmarks import Json
from benchmarks.variants import OP

# The compilations of OP, and whether a batch crashes, in the sequence of
# benchmarks/sampler/compilations.py for `gather_logprobs`, which serves three models.
# The fork compiles nothing in a call, and ahead one graph for the first vocabulary and
# one for all others.
EXPECTED = {"stock": (3, False), "merged": (2, True), "fork": (2, False)}
# What training must have in common, step by step, whatever the variant and the cache.
SAME = ("rewards", "lengths", "loss", "grad_norm")


def problems(name: str, results: list[Json]) -> Iterator[str]:
    """Yield, a sentence each, what a file's results do not show that they should."""
    if name.startswith("compilations"):
        yield from _of_compilations(results)
    if name in ("trainer", "server"):
        yield from _of_serving(name, results)
    if name == "trainer":
        yield from _of_training(results)


def _of_compilations(results: list[Json]) -> Iterator[str]:
    for cell in results:
        variant, crashed = cell["variant"], bool(cell["crashes"])
        if variant == "fork" and (cell["waiting"] or crashed):
            yield (
                f"fork compiled {cell['waiting']} times in calls of {cell['level']}, "
                f"rows {cell['rows']}, {cell['dtype']}, with {cell['crashes']} "
                "crashes; expected was none of either."
            )
        wanted, crash = EXPECTED[variant]
        found = cell["op"], crashed
        if cell["level"] == "gather_logprobs" and found != (wanted, crash):
            yield (
                f"{variant} compiled {OP} {cell['op']} times in gather_logprobs and "
                f"{'crashed' if crashed else 'did not crash'}; expected were "
                f"{wanted} and {'a crash' if crash else 'no crash'}."
            )


def _of_serving(name: str, results: list[Json]) -> Iterator[str]:
    for run in results:
        functions = [it["function"] for it in run["compilations"]]
        if run["variant"] == "fork" and functions:
            yield (
                f"The {name} compiled {', '.join(functions)} after start-up on "
                f"{_which(run)}; expected was nothing."
            )
        # One function for a single row, and again for more.
        if run["variant"] == "stock" and len(functions) < 2:
            yield (
                f"The {name} compiled {len(functions)} times after start-up on "
                f"{_which(run)}, so this shows nothing."
            )
        if run.get("failed"):
            yield (
                f"The {name} failed {run['failed']} requests on {_which(run)}; the "
                f"first: {run['error']}"
            )


def _of_training(results: list[Json]) -> Iterator[str]:
    one, *others = results
    for run, what in itertools.product(others, SAME):
        found, wanted = ([it[what] for it in by["steps"]] for by in (run, one))
        if found != wanted:
            yield (
                f"The trainer's {what} on {_which(run)} are others than on "
                f"{_which(one)}."
            )


def _which(run: Json) -> str:
    return f"{run['variant']}, {run['cache']}"
