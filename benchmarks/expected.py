# SPDX-License-Identifier: Apache-2.0
"""What the measurements have to show: no time, only counts, and equal training."""

import itertools
from collections.abc import Iterator

from tools.fork.child import Json

# What TRL logs of a step, and must log whatever the variant and the cache.
SAME = ("loss", "grad_norm", "reward", "reward_std", "completions/mean_length")


def problems(part: str, results: list[Json]) -> Iterator[str]:
    """Yield, a sentence each, what a part's results do not show that they should."""
    for variant, count, where in _waiting(part, results):
        compiled = f"{variant.capitalize()} compiled {count} times {where}"
        if variant == "fork" and count:
            yield f"{compiled}; expected was nothing."
        # One function for a single row, and again for more.
        if variant == "stock" and count < 2:
            yield f"{compiled}, so this shows nothing."
    if part == "trainer":
        yield from _of_training(results)


def _waiting(part: str, results: list[Json]) -> Iterator[tuple[str, int, str]]:
    """Yield how many times a variant compiled while a request waited, and where."""
    for it in results:
        if "cache" in it:
            where = f"after the start-up of the {part} with a {it['cache']} cache"
            yield it["variant"], len(it["compilations"]), where
        else:
            where = f"in calls of {it['level']}, vocabulary {it['vocabulary']}"
            yield from ((name, count, where) for name, count in it["waiting"].items())


def _of_training(results: list[Json]) -> Iterator[str]:
    one, *others = results
    for run, what in itertools.product(others, SAME):
        found, wanted = ([it[what] for it in by["steps"]] for by in (run, one))
        if found != wanted:
            which, first = (f"{it['variant']}, {it['cache']}" for it in (run, one))
            yield f"The trainer's {what} on {which} are others than on {first}."
