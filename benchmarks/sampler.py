# SPDX-License-Identifier: Apache-2.0
"""Call the samplers of all variants: count what each compiles, then time it in turn."""

import random
import statistics
import time
import timeit
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks.variants import VARIANTS, calls, draw, folder
from tools.fork.child import Json
from tools.fork.sampler import stand_ins
from tools.fork.sampler.observe import compilations, construct

_BATCHES = (1, 2, 4, 8, 16, 64, 256, 1024)
_QUICK = [("forward", 151936, "own")]
# Level, vocabulary and rows; padded ones are float32, and so they stay at any batch.
_CASES = [
    *(("forward", size, "own") for size in (32000, 151936)),
    ("forward", 50257, "padded"),
    *(("gather_logprobs", size, "own") for size in (32000, 151936)),
    ("op", 151936, "own"),
]
_SAMPLE = 2e-3  # seconds that one sample of the fastest variant takes, at least
_ROUNDS = 5, 200  # at least and at most
_QUEUED = 20  # calls that a sample on a GPU queues at most
_ASLEEP = 30_000_000  # cycles, over 10 ms: the time to queue them

Call = Callable[[], Any]


def plan(quick: bool) -> Iterator[tuple[str, Json]]:
    """Yield, by title, what to ask `main` for in processes of their own.

    One vocabulary a process, as in a server: upstream's version compiles its first.
    """
    batches, seconds = ((1, 8), 0.2) if quick else (_BATCHES, 2.5)
    for level, vocabulary, rows in _QUICK if quick else _CASES:
        case = {"level": level, "vocabulary": vocabulary, "rows": rows}
        title = f"{level}, vocabulary {vocabulary}"
        yield title, {**case, "batches": batches, "seconds": seconds}


def main(
    level: str,
    vocabulary: int,
    rows: str,
    batches: list[int],
    seconds: float,
    device: str,
) -> Iterator[Json]:
    """Time one level at every batch, for about so many seconds each: one result.

    By variant, ``ahead`` counts what it compiled when its sampler was constructed, and
    ``waiting`` what in calls.
    """
    import torch

    loaded = {it: stand_ins.load(folder(it), device) for it in VARIANTS}
    samplers, ahead, waiting = {}, {}, dict.fromkeys(VARIANTS, 0)
    for variant, modules in loaded.items():
        samplers[variant] = construct(modules, vocabulary)
        ahead[variant] = len(compilations())
    points = []
    with torch.inference_mode():
        logits = draw(max(batches), vocabulary, rows, device)
        for batch in batches:
            timed = {}
            for variant, modules in loaded.items():
                call = calls(modules, samplers[variant], level, logits[:batch])
                call()
                call()
                timed[variant] = call
                waiting[variant] += len(compilations())
            if level == "op":  # reads the same memory, and compares nothing
                timed["limit"] = partial(logits[:batch].sum, -1)
            samples = _in_turn(timed, device, seconds)
            points.append({"batch": batch, **summarise(samples)})
    case = {"level": level, "vocabulary": vocabulary, "rows": rows}
    yield {**case, "ahead": ahead, "waiting": waiting, "points": points}


def summarise(samples: dict[str, list[float]]) -> Json:
    """Return the quartiles of the seconds of each round, and of the ratios in it."""
    ratios = {
        f"fork/{it}": [a / b for a, b in zip(samples["fork"], samples[it], strict=True)]
        for it in samples
        if it != "fork"
    }
    return {
        "rounds": len(samples["fork"]),
        "seconds": {name: _quartiles(it) for name, it in samples.items()},
        "ratios": {name: _quartiles(it) for name, it in ratios.items()},
    }


def _quartiles(samples: list[float]) -> Json:
    found = statistics.quantiles(samples, n=4, method="inclusive")
    # Five digits are more than any clock is good for.
    rounded = (float(f"{it:.5g}") for it in found)
    return dict(zip(("low", "median", "high"), rounded, strict=True))


def _in_turn(
    calls: dict[str, Call], device: str, seconds: float
) -> dict[str, list[float]]:
    """Return, by variant, the seconds a call of each round."""
    time_calls = _time_on_gpu if device == "cuda" else _time_on_cpu
    fastest = min(time_calls(call, 1) for call in calls.values())
    count = max(1, min(_QUEUED, round(_SAMPLE / fastest)))
    samples: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    order, shuffle = list(calls), random.Random(0).shuffle
    for number in range(_ROUNDS[1]):
        if number >= _ROUNDS[0] and time.perf_counter() > end:
            break
        # Anew each round, so that none always follows the one that empties the cache.
        shuffle(order)
        for name in order:
            samples[name].append(time_calls(calls[name], count))
    return samples


def _time_on_cpu(call: Call, count: int) -> float:
    return timeit.timeit(call, number=count) / count


def _time_on_gpu(call: Call, count: int) -> float:
    """Return the card's own seconds a call: it sleeps while the calls are queued."""
    import torch

    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda._sleep(_ASLEEP)
    start.record()
    for _ in range(count):
        call()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1e3 / count
