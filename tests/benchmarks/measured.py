# SPDX-License-Identifier: Apache-2.0
"""Figures as the measurements leave them, made up."""

from typing import Any

from benchmarks import expected
from benchmarks.sampler import steady
from benchmarks.variants import OP

MACHINE = {"cpu": "A CPU", "cores": 2, "gpu": "A GPU", "threads": 2, "load": 0.5}
MACHINE |= {"torch": "2", "python": "3", "release": "1", "date": "today"}


def compiled(seconds: float, **more: Any) -> Any:
    shape = {"function": OP, "seconds": seconds, "reason": None, "failed": False}
    return {**shape, **more}


# By variant: op, ahead, waiting, crashes, lost.
COUNTS = {
    "stock": (3, 0, 3, 0, 11.0),
    "merged": (2, 0, 2, 3, 9.25),
    "fork": (2, 6, 0, 0, 0.0),
}


def cells() -> list[Any]:
    names = ("op", "ahead", "waiting", "crashes", "lost")
    inputs = {"rows": "own", "dtype": "float32", "mode": "raw_logprobs", "calls": []}
    return [
        {"variant": variant, "level": level, **inputs}
        | dict(zip(names, counts, strict=True))
        for variant, counts in COUNTS.items()
        for level in ("gather_logprobs", "forward")
    ]


def timed(level: str, fork: float = 1e-5) -> Any:
    others = {"stock": 1e-5, "merged": 2e-5, "eager": 1e-4, "limit": 1e-5}
    points = []
    for batch, seconds in ((1, fork), (8, 1e-5)):
        samples = {name: [it] * 2 for name, it in {**others, "fork": seconds}.items()}
        points.append({"batch": batch, **steady.summarise(samples)})
    return {"level": level, "vocabulary": 1000, "rows": "own", "points": points}


def in_use(**more: Any) -> list[Any]:
    """Return runs that compiled what they should; a step or wave has each."""
    late = [compiled(2.0, place=at) for at in (1, 2)]
    return [
        {"variant": variant, "cache": cache, "started": 40.0, **more}
        | {"compilations": found}
        for variant, found in (("stock", late), ("fork", []))
        for cache in ("cold", "warm")
    ]


def results() -> dict[str, list[Any]]:
    step = {"rewards": [1.0, 0.5], "lengths": [3, 4], "loss": 0.5, "grad_norm": 1.0}
    steps = [{**step, "seconds": 0.25 + at} for at in range(12)]
    requests = {"requests": 576, "failed": 0, "error": None, "first": 3.5, "alike": 1.0}
    waves = [{"size": 1, "wait": 3.0}, {"size": 32, "wait": 0.5}]
    extra = {"stock": 0, "fork": 0, "eager": 3_000_000}
    shape = {"level": "op", "batch": 8, "vocabulary": 1000, "input": 32_000_000}
    return {
        "trainer": in_use(trl="1", steps=steps),
        "server": in_use(openai="3", waves=waves, **requests),
        "compilations_cpu": cells(),
        "steady_cpu": [timed("forward"), timed("op")],
        "memory_cpu": [{**shape, "extra": extra}],
    }


def figures(found: dict[str, list[Any]]) -> dict[str, Any]:
    return {
        name: {"command": f"measure {name}", "machine": MACHINE, "results": its}
        | {"problems": [*expected.problems(name, its)]}
        for name, its in found.items()
    }
