# SPDX-License-Identifier: Apache-2.0
"""What the measurements have to show: no time, only counts, and equal training."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.variants import OP

# The compilations of OP, and whether a batch crashes, in the sequence of
# benchmarks/sampler/compilations.py for `gather_logprobs`, which serves three models.
# The fork compiles nothing in a call, and ahead one graph for the first vocabulary and
# one for all others.
EXPECTED = {"stock": (3, False), "merged": (2, True), "fork": (2, False)}
# What the trainer or the server must show to show anything.
STOCK, STEPS, REQUESTS = 2, 10, 500
# What training must have in common, step by step, whatever the variant and the cache.
SAME = ("rewards", "lengths", "loss", "grad_norm")

Json = dict[str, Any]


def problems(name: str, results: list[Json]) -> Iterator[str]:
    """Yield, a sentence each, what a file's results do not show that they should."""
    finders: dict[str, Callable[[list[Json]], Iterator[str]]] = {
        "compilations_cpu": _of_compilations,
        "compilations_cuda": _of_compilations,
        "trainer": _of_trainer,
        "server": _of_server,
    }
    if name in finders:
        yield from finders[name](results)


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


def _of_trainer(results: list[Json]) -> Iterator[str]:
    yield from _of_serving("The trainer", results)
    for run in results:
        if len(run["steps"]) < STEPS:
            yield f"The trainer made {len(run['steps'])} steps on {_name(run)}."
    one, *others = results
    for run, what in itertools.product(others, SAME):
        pairs = zip(run["steps"], one["steps"], strict=False)
        differ = [at for at, (a, b) in enumerate(pairs) if a[what] != b[what]]
        if differ:
            yield (
                f"The trainer's {what} on {_name(run)} is another than on "
                f"{_name(one)} after step {differ[0]}."
            )


def _of_server(results: list[Json]) -> Iterator[str]:
    yield from _of_serving("The server", results)
    for run in results:
        if run["failed"]:
            yield (
                f"The server failed {run['failed']} requests on {_name(run)}; the "
                f"first: {run['error']}"
            )
        if run["requests"] < REQUESTS:
            yield f"The server got {run['requests']} requests on {_name(run)}."


def _of_serving(what: str, results: list[Json]) -> Iterator[str]:
    for run in results:
        names = ", ".join(it["function"] for it in run["compilations"])
        if run["variant"] == "fork" and names:
            yield (
                f"{what} compiled {names} after start-up on {_name(run)}; expected was "
                "nothing."
            )
        count = len(run["compilations"])
        if run["variant"] == "stock" and count < STOCK:
            yield (
                f"{what} compiled {count} times after start-up on {_name(run)}, so "
                "this shows nothing."
            )


def _name(run: Json) -> str:
    return f"{run['variant']}, {run['cache']}"
