# SPDX-License-Identifier: Apache-2.0
"""Report what the trainer and the server showed, as parts of docs/results.md."""

import itertools
import math
import statistics
from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks.report import in_use
from benchmarks.serving.client import ROUNDS, WAVES
from benchmarks.serving.engine import SERVED
from benchmarks.summary import percentile, why
from tools.fork import markdown

_TRAINER = """
The `GRPOTrainer` of TRL {trl}, `vllm_mode="colocate"`, vLLM in its default mode, trains
a small random Llama
([benchmarks/serving/training.py](../benchmarks/serving/training.py)): 8 completions a
step, which end one by one, and new weights for vLLM after each. *Cold* starts with
empty compiler caches, *warm* is the same again. *Compiled* counts what of
`vllm/v1/sample/` was, after the trainer and its engine were there, and says how long
that took. This part alone: `.venv/bin/python -m benchmarks trainer`.
"""

_SERVER = """
`vllm serve` in its default mode, with a small random Llama, and the `openai` client
{openai} ([benchmarks/serving/client.py](../benchmarks/serving/client.py)):
completions and chats in turn, streamed, with logprobs, in waves of {waves}
requests, each wave once the one before has ended, and all {rounds} times over. *Cold*
starts with empty compiler caches; *warm* is a restart: the same server once more.
*Compiled* counts what of `vllm/v1/sample/` was, after the server was up, as torch's
structured trace has it. This part alone: `.venv/bin/python -m benchmarks server`.
"""

Json = dict[str, Any]
Results = dict[str, Json]

_CACHES = {"cold": "empty caches", "warm": "filled caches"}
_START = ("", "start-up", "compiled", "taking")
PERCENTS = {"p50": 50, "p99": 99, "worst": 100}


def for_a_user(results: Results) -> Iterator[str]:
    """Yield a table of what somebody notices, and a picture, if it was measured."""
    parts = [it for it in ("trainer", "server") if it in results]
    if not parts:
        yield "Not measured."
        return
    titles = [f"{it}, {cache}" for cache in _CACHES.values() for it in SERVED]
    rows = [row for part in parts for row in _user_rows(part, results[part]["results"])]
    yield table(("", *titles), rows)
    if "server" in parts:
        yield "![Longest wait for a token by wave, stock above fork.](server.png)"


def _user_rows(part: str, runs: list[Json]) -> Iterator[list[str]]:
    chosen = [it for cache in _CACHES for it in runs if it["cache"] == cache]
    for title, value in _NOTICED[part].items():
        yield [f"{part}: {title}", *map(value, chosen)]
    yield [f"{part}: start-up", *(f"{it['started']:.0f} s" for it in chosen)]
    counts = [str(len(in_use.compiled(it))) for it in chosen]
    yield [f"{part}: compilations of the sampler after that", *counts]


def _longest_step(run: Json) -> str:
    return f"{max(it['seconds'] for it in run['steps']):.2f} s"


def _first_request(run: Json) -> str:
    return "fails" if in_use.errors(run) else f"{in_use.first_request(run)[0]:.2f} s"


def _longest_wait(run: Json) -> str:
    return f"{max(it['wait'] for it in in_use.waves(run)):.2f} s"


_NOTICED = {
    "trainer": {"longest step": _longest_step},
    "server": {
        "first request": _first_request,
        "longest wait for a token": _longest_wait,
    },
}


def trainer(results: Results, name: str) -> Iterator[str]:
    """Yield the paragraphs about the trainer."""
    runs = results[name]["results"]
    yield _TRAINER.format(trl=runs[0]["trl"])
    yield "![Seconds of each step of training, stock above fork.](trainer.png)"
    head = (*_START, "step 1", "step 2", "later steps, median")
    yield table(head, map(_trainer_row, runs))
    yield from _reasons(runs, "step")
    yield _sameness(runs)


def trainer_in_full(results: Results, name: str) -> Iterator[str]:
    """Yield what each step of training gave, with an empty cache."""
    cold = [it for it in results[name]["results"] if it["cache"] == "cold"]
    titles = [f"{what}, {it['variant']}" for what in ("reward", "loss") for it in cold]
    steps = zip(*(it["steps"] for it in cold), strict=True)
    yield "The means of the rewards, and the losses, of each step:"
    yield table(("step", *titles), map(_value_row, itertools.count(1), steps))


def _trainer_row(run: Json) -> Iterator[Any]:
    first, second, *later = [it["seconds"] for it in run["steps"]]
    yield from _start(run)
    yield from (f"{it:.2f} s" for it in (first, second, statistics.median(later)))


def _value_row(number: int, steps: tuple[Json, ...]) -> Iterator[Any]:
    yield number
    yield from (f"{statistics.mean(it['rewards']):.6f}" for it in steps)
    yield from (f"{it['loss']:.9f}" for it in steps)


def _sameness(runs: list[Json]) -> str:
    same = (
        f"Equal in all {len(runs)} runs, in each of {len(runs[0]['steps'])} steps, "
        f"number by number: {', '.join(in_use.SAME)}."
    )
    return " ".join(in_use.differences(runs)) or same


def server(results: Results, name: str) -> Iterator[str]:
    """Yield the paragraphs about the server, and about its restart."""
    runs = results[name]["results"]
    waves = ", ".join(map(str, WAVES))
    yield _SERVER.format(openai=runs[0]["openai"], waves=waves, rounds=ROUNDS)
    failed = [it for run in runs for it in in_use.errors(run)]
    if failed:
        yield f"{len(failed)} requests failed, the first of them so: {failed[0]}"
        return
    yield "![Longest wait for a token by wave, after a restart.](restart.png)"
    head = ("requests", "errors", "first request", "like it, median", "ratio")
    yield table((*_START, *head), map(_server_row, runs))
    yield from _reasons(runs, "wave")


def server_in_full(results: Results, name: str) -> Iterator[str]:
    """Yield how long tokens took, by the size of the wave."""
    runs = results[name]["results"]
    if any(map(in_use.errors, runs)):
        yield "Requests failed: see [results.md](results.md)."
        return
    for cache in _CACHES:
        yield (
            f"Milliseconds to the first and to the next token, {cache}, by the size of "
            f"the wave: {' / '.join(PERCENTS)}. Tokens that come together are 0 apart."
        )
        chosen = [it for it in runs if it["cache"] == cache]
        what = ("first token", "next token")
        titles = [f"{token}, {it['variant']}" for token in what for it in chosen]
        rows = (_size_row(size, chosen) for size in sorted(set(WAVES)))
        yield table(("wave", *titles), rows)


def _server_row(run: Json) -> Iterator[Any]:
    first, like = in_use.first_request(run)
    yield from _start(run)
    yield len(run["requests"])
    yield len(in_use.errors(run))
    yield f"{first * 1e3:.0f} ms"
    yield f"{like * 1e3:.0f} ms"
    yield f"{first / like:.1f}"


def _size_row(size: int, runs: list[Json]) -> Iterator[Any]:
    yield size
    waits = [
        in_use.waits([it for it in run["requests"] if it["size"] == size])
        for run in runs
    ]
    for samples in (*(first for first, _ in waits), *(gaps for _, gaps in waits)):
        found = (percentile(samples, it) * 1e3 for it in PERCENTS.values())
        yield " / ".join(f"{it:.0f}" for it in found)


def _start(run: Json) -> Iterator[Any]:
    found = in_use.compiled(run)
    yield in_use.name(run)
    yield f"{run['started']:.0f} s"
    yield len(found)
    yield f"{math.fsum(it['seconds'] for it in found):.2f} s"


def _reasons(runs: list[Json], places: str) -> Iterator[str]:
    """Yield a list of what was compiled after start-up, when, and why."""
    lines = [
        f"- {in_use.name(run)}: `{it['function']}` in {places} {it['place']}, "
        f"{it['seconds']:.2f} s: {why(it)}"
        for run in runs
        for it in in_use.compiled(run)
    ]
    if lines:
        yield "What was compiled after start-up, and why:"
        yield "\n".join(lines)


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table in Markdown, all but its first column aligned to the right."""
    return "\n".join(markdown.table(head, rows, "---:"))
