# SPDX-License-Identifier: Apache-2.0
"""What the measurements have to show: no time, only counts, and equal training."""

import itertools
from collections.abc import Iterator

from tools.fork.child import Json

# By variant and level, what is counted in the sequence of
# benchmarks/sampler/compilations.py, which serves three models. The fork compiles ranks
# ahead, one graph for the first vocabulary and one for all others; merged fails on each
# model's empty batch.
EXPECTED = {
    ("stock", "gather_logprobs"): {"op": 3, "crashes": 0},
    ("merged", "gather_logprobs"): {"op": 2, "crashes": 3},
    ("fork", "gather_logprobs"): {"op": 2, "waiting": 0, "crashes": 0},
    ("fork", "forward"): {"waiting": 0, "crashes": 0},
}
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
        wanted = EXPECTED.get((cell["variant"], cell["level"]), {})
        found = {it: cell[it] for it in wanted}
        if found != wanted:
            yield (
                f"{cell['variant']} had {_told(found)} in {cell['level']}, rows "
                f"{cell['rows']}, {cell['dtype']}; expected were {_told(wanted)}."
            )


def _told(counts: Json) -> str:
    return ", ".join(f"{it} {name}" for name, it in counts.items())


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
