# SPDX-License-Identifier: Apache-2.0
"""Time calls once everything is compiled, all variants in turn in one process."""

import random
import time
from collections.abc import Callable
from typing import Any

from benchmarks.summary import quartiles, ratios
from benchmarks.variants import LEVELS, VARIANTS, Variant, width

BATCHES = (1, 2, 4, 8, 16, 64, 256, 1024)
QUICK = [("forward", 151936, "own")]
# Level, vocabulary and rows; padded ones are float32, and so they stay at any batch.
CASES = [
    *((level, size, "own") for size in (32000, 151936) for level in LEVELS),
    ("forward", 50257, "padded"),
]
_SAMPLE = 2e-3  # seconds that one sample of the fastest variant takes, at least
_ROUNDS = 5, 200  # at least and at most
_QUEUED = 20  # calls that a sample on a GPU queues at most
_ASLEEP = 30_000_000  # cycles, over 10 ms: the time to queue them
_COPIED = 2**28  # bytes

Json = dict[str, Any]


def measure(
    level: str,
    vocabulary: int,
    rows: str,
    batches: list[int],
    seconds: float,
    device: str,
) -> list[Json]:
    """Time one level at every batch.

    One vocabulary a process, as in a server: upstream's version compiles its first.

    Args:
        level: One of LEVELS.
        vocabulary: The number of columns.
        rows: One of ROWS.
        batches: The numbers of rows.
        seconds: How long to go on at each batch, about.
        device: ``cpu`` or ``cuda``.

    Returns:
        One result: the level, the vocabulary, the rows, the bandwidth of a copy in
        bytes read and written a second, and per batch the quartiles of the seconds a
        call by variant, and those of the paired ratios.
    """
    import torch

    time_calls = _time_on_gpu if device == "cuda" else _time_on_cpu
    points = []
    with torch.inference_mode():
        wide = torch.randn(max(batches), width(vocabulary, rows), device=device)
        everything = wide[:, :vocabulary]
        loaded = {it: Variant.load(it, device) for it in VARIANTS}
        samplers = {name: it.sampler(vocabulary) for name, it in loaded.items()}
        for batch in batches:
            calls = {
                name: variant.calls(samplers[name], level, everything[:batch])
                for name, variant in loaded.items()
            }
            samples = _in_turn(calls, time_calls, seconds)
            points.append(
                {
                    "batch": batch,
                    "seconds": {it: quartiles(samples[it]) for it in samples},
                    "ratios": ratios(samples),
                }
            )
    return [
        {
            "level": level,
            "vocabulary": vocabulary,
            "rows": rows,
            "copy_bandwidth": _copy_bandwidth(device, time_calls),
            "points": points,
        }
    ]


Timer = Callable[[Callable[[], Any], int], float]


def _in_turn(
    calls: dict[str, Callable[[], Any]], time_calls: Timer, seconds: float
) -> dict[str, list[float]]:
    """Return, by variant, the seconds a call of each round."""
    for call in calls.values():
        call()  # compiles
        call()
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


def _time_on_cpu(call: Callable[[], Any], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def _time_on_gpu(call: Callable[[], Any], count: int) -> float:
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


def _copy_bandwidth(device: str, time_calls: Timer) -> float:
    import torch

    source = torch.zeros(_COPIED, dtype=torch.uint8, device=device)
    target = torch.ones_like(source)
    return 2 * _COPIED / min(time_calls(lambda: target.copy_(source), 1) for _ in "123")
