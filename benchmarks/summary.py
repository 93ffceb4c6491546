# SPDX-License-Identifier: Apache-2.0
"""What the measurements say: plain arithmetic on their JSON."""

import itertools
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Json = dict[str, Any]

OP = "batched_count_greater_than"
# The compilations of the op, and whether a batch crashes, in the sequence of
# benchmarks/sampler/compilations.py for `gather_logprobs`. The fork compiles nothing in
# a call.
EXPECTED = {"stock": (3, False), "merged": (2, True), "fork": (1, False)}
# The median ratio above which a timing is marked, and the ratios that it is for.
LIMIT = 1.02
LIMITED = ("fork/merged", "fork/stock")
_RATIOS = ("fork/stock", "fork/merged", "fork/limit")


def quartiles(samples: Sequence[float]) -> Json:
    """Return the median of at least two samples, and the quartiles around it."""
    low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
    return {"low": low, "median": median, "high": high}


def ratios(samples: dict[str, list[float]]) -> Json:
    """Return the quartiles of the ratios of samples taken in the same round."""
    pairs = {name: name.split("/") for name in _RATIOS}
    return {
        name: quartiles(
            [a / b for a, b in zip(samples[top], samples[bottom], strict=True)]
        )
        for name, (top, bottom) in pairs.items()
    }


def percentile(samples: Iterable[float], percent: float) -> float:
    """Return the smallest sample that ``percent`` of them do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def compiled(cell: Json, function: str = "", waiting: bool | None = None) -> int:
    """Count the compilations in a cell that succeeded.

    Args:
        cell: A cell of the compilations.
        function: Only this one, if given.
        waiting: Only those in a call, or only those while a sampler is constructed, if
            given.
    """
    return sum(
        not it["failed"] and function in ("", it["function"])
        for call in cell["calls"]
        if waiting in (None, call["batch"] is not None)
        for it in call["compilations"]
    )


def crashes(cell: Json) -> list[Json]:
    """Return the calls of a cell that ended with an error."""
    return [call for call in cell["calls"] if call["error"]]


def lost(cell: Json) -> float:
    """Return the seconds that calls spent compiling."""
    return math.fsum(
        it["seconds"]
        for call in cell["calls"]
        if call["batch"] is not None
        for it in call["compilations"]
    )


def why(compilation: Json) -> str:
    """Return why something was compiled, for a person."""
    # What comes behind "#" is where in the source that was decided.
    reason = str(compilation["reason"]).split("  #")[0].split(": ", 1)[-1]
    return f"`{reason}`" if compilation["reason"] else "its first call"


def find_problems(results: list[Json]) -> Iterator[str]:
    """Yield, a sentence each, where the compilations are not what we say they are.

    Args:
        results: The results of the compilations.
    """
    for result in results:
        variant = result["variant"]
        for cell in result["cells"]:
            waited = compiled(cell, waiting=True)
            if variant == "fork" and (waited or crashes(cell)):
                yield (
                    f"fork compiled {waited} times in calls of {cell['level']}, rows "
                    f"{cell['rows']}, {cell['dtype']}, with {len(crashes(cell))} "
                    "crashes; expected was none of either."
                )
            found = compiled(cell, OP), bool(crashes(cell))
            if cell["level"] == "gather_logprobs" and found != EXPECTED[variant]:
                yield (
                    f"{variant} compiled {OP} {found[0]} times in {cell['level']} and "
                    f"{'crashed' if found[1] else 'did not crash'}; expected were "
                    f"{EXPECTED[variant][0]} and "
                    f"{'a crash' if EXPECTED[variant][1] else 'no crash'}."
                )


def break_even(saved: float, slower: float) -> int | None:
    """Return after how many steps a slower kernel has cost what was saved, or None.

    Args:
        saved: Seconds, once.
        slower: Seconds a step; None is returned where it is not slower.
    """
    return math.ceil(saved / slower) if slower > 0 else None


def latencies(groups: list[Json]) -> tuple[list[float], list[float]]:
    """Return the times to the first token and those between tokens, in seconds.

    Args:
        groups: Each with ``times``: per request, when each token came, in seconds
            after the group did.
    """
    requests = [times for group in groups for times in group["times"]]
    gaps = [b - a for it in requests for a, b in itertools.pairwise(it)]
    return [it[0] for it in requests], gaps
