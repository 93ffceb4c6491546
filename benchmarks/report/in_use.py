# SPDX-License-Identifier: Apache-2.0
"""What the trainer and the server show: plain arithmetic on their JSON."""

import itertools
import statistics
from collections.abc import Iterator
from typing import Any

from benchmarks.summary import latencies
from tools.fork.engine.serve import of_sampling

# What a run must show to show anything: compilations on stock, steps, requests.
STOCK, STEPS, REQUESTS = 2, 10, 500
# What training must have in common, step by step, whatever the variant and the cache.
SAME = ("rewards", "lengths", "loss", "grad_norm")

Json = dict[str, Any]


def compiled(run: Json) -> list[Json]:
    """Return what of the sampling step was compiled after start-up.

    Args:
        run: A result of the trainer or of the server.

    Returns:
        The compilations, each with its ``place``: the step that it was in, or the wave
        during or after which it came, counted from 1; 0 is before the first.
    """
    if "steps" in run:
        return [
            {**it, "place": number}
            for number, step in enumerate(run["steps"], 1)
            for it in of_sampling([step])
        ]
    return [
        {**it, "place": sum(wave["sent"] <= it["start"] for wave in waves(run))}
        for it in of_sampling([run])
        if it["start"] > 0
    ]


def waves(run: Json) -> list[Json]:
    """Return, per wave of requests, its ``size``, ``sent`` and the longest ``wait``.

    Args:
        run: A result of the server. ``sent`` is in seconds after the server was up; a
            wait is for a first or a next token, in seconds.
    """
    groups = itertools.groupby(run["requests"], key=lambda it: it["wave"])
    return [_wave([*requests]) for _, requests in groups]


def _wave(requests: list[Json]) -> Json:
    first, gaps = waits(requests)
    return {
        "size": len(requests),
        "sent": min(it["sent"] for it in requests),
        "wait": max([0.0, *first, *gaps]),
    }


def waits(requests: list[Json]) -> tuple[list[float], list[float]]:
    """Return the waits for first and for next tokens, in seconds."""
    return latencies([{"times": [it["times"] for it in requests if it["times"]]}])


def first_request(run: Json) -> tuple[float, float]:
    """Return the seconds of a server's first request, and those of one like it.

    Args:
        run: A result of the server, without errors.

    Returns:
        Of the first, and the median of the later ones that were also sent alone.
    """
    first, *others = [it["times"][-1] for it in run["requests"] if it["size"] == 1]
    return first, statistics.median(others)


def problems_of_trainer(results: list[Json]) -> Iterator[str]:
    """Yield, a sentence each, what training does not show that it should."""
    yield from _problems_of_compiling("The trainer", results)
    for run in results:
        if len(run["steps"]) < STEPS:
            yield f"The trainer made {len(run['steps'])} steps on {name(run)}."
    yield from differences(results)


def differences(results: list[Json]) -> Iterator[str]:
    """Yield, a sentence each, what of SAME differs between runs of the trainer."""
    one, *others = results
    for run in others:
        for what in SAME:
            ours, theirs = ([it[what] for it in each["steps"]] for each in (run, one))
            if ours != theirs:
                same = itertools.takewhile(
                    lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False)
                )
                yield (
                    f"The trainer's {what} on {name(run)} is another than on "
                    f"{name(one)} after step {len([*same])}."
                )


def problems_of_server(results: list[Json]) -> Iterator[str]:
    """Yield, a sentence each, what serving does not show that it should."""
    yield from _problems_of_compiling("The server", results)
    for run in results:
        failed = errors(run)
        if failed:
            yield (
                f"The server failed {len(failed)} requests on {name(run)}; the first: "
                f"{failed[0]}"
            )
        if len(run["requests"]) < REQUESTS:
            yield f"The server got {len(run['requests'])} requests on {name(run)}."


def errors(run: Json) -> list[str]:
    """Return what went wrong with requests, a sentence each."""
    return [it["error"] for it in run["requests"] if it["error"]]


def name(run: Json) -> str:
    """Return what a run is, for a person."""
    return f"{run['variant']}, {run['cache']}"


def _problems_of_compiling(what: str, results: list[Json]) -> Iterator[str]:
    for run in results:
        found = compiled(run)
        if run["variant"] == "fork" and found:
            names = ", ".join(it["function"] for it in found)
            yield (
                f"{what} compiled {names} after start-up on {name(run)}; expected was "
                "nothing."
            )
        if run["variant"] == "stock" and len(found) < STOCK:
            yield (
                f"{what} compiled {len(found)} times after start-up on {name(run)}, so "
                "this shows nothing."
            )
