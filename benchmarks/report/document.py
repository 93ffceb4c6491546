# SPDX-License-Identifier: Apache-2.0
"""Write docs/results.md, its pictures, and all tables, from the measurements' JSON."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.report import document_in_use, pictures
from benchmarks.report.document_in_use import PERCENTS, table
from benchmarks.summary import (
    LIMIT,
    LIMITED,
    OP,
    break_even,
    compiled,
    crashes,
    latencies,
    lost,
    percentile,
    why,
)
from benchmarks.variants import COMPILED, VARIANTS
from tools.fork.release import MERGED

Json = dict[str, Any]
Results = dict[str, Json]  # by the name of the file
_Cells = dict[tuple[str, ...], Json]  # by level, rows, dtype and variant
_PLAIN = ("gather_logprobs", "own", "float32")

_NONE = "not measured"

_HEAD = """
# What the change costs and saves

Written by `make bench`, which measures all of it anew but the generated code, and what
is for a GPU only where there is one; every figure is from the JSON in `build/report/`.
Compared are:

- **stock**: vLLM {release} as released;
- **merged**: upstream's own version of the change, from the tree of vLLM {merged};
- **fork**: this repository's;
- **eager**: stock with `(x >= values).sum(-1)`, not compiled;
- **limit**: stock with `x.sum(-1)`: one read of the same memory, and no comparison.

Only the sampler of each tree is loaded, and one torch runs them all: for times and
memory in one process and in turn, for compilations each in a process of its own. The
engine, a trainer and a server run the whole of stock and of the fork. What is too long
for this page is in [all-results.md](all-results.md).
"""

_COMPILATIONS = f"""
One model after the other is served, each with a sampler of its own: vocabularies of
32000, 128256 and 151936, or, *padded*, of 32001, 50257 and 50272; batches of 1, 2, 3,
8, 64, 257 and 1, for `gather_logprobs` also an empty one. `{OP}` is compiled on every
device, `compiled_random_sample` on the CPU only. *Ahead* is what is compiled while a
sampler is constructed, before there is a request. *Lost* is what calls spent compiling,
in the middle of serving: with an empty Inductor cache on disk, and with one that an
earlier run has filled.
"""

_STEADY = """
Microseconds a call, the median; a ratio is the median of the ratios within a round, in
which every variant is timed once in an order drawn anew, with the quartiles. **Bold**
is a median above {limit} for fork/merged or fork/stock. The op alone gets its arguments
as the sampler marks them; `gather_logprobs` includes marking them. *Padded* rows are
those of a padded vocabulary, float32.
{clock}
"""
_CLOCKS = {
    "cpu": "Why an unbacked batch can be slower at batch 1 is in "
    "[CONTRIBUTING.md](../CONTRIBUTING.md).",
    "cuda": "Times are the card's own, by CUDA events: the calls are queued while it "
    "sleeps, so it never waits for Python.",
}

_BREAK_EVEN = """
Steps at vocabulary {vocabulary} after which a slower `gather_logprobs` has cost the
{saved:.2f} s of compiling that stock lost with its first model and a cold cache,
empty batches apart; *never* where it is not slower than stock.
"""

_MEMORY = """
Peak memory beyond an input of {batch} x {vocabulary} float32 ({input}), as prompt
logprobs have it, everything compiled before.
"""
_HOWS = {
    "cpu": "Measured as the peak of the process's resident memory.",
    "cuda": "Measured as the peak of torch's allocator.",
}

_ENGINE = """
The rollout of the end-to-end test
([tools/fork/engine/rollout.py](../tools/fork/engine/rollout.py)),
through vLLM's engine with a tiny model of vocabulary 151936: groups of up to 8
requests, which end one by one. Milliseconds, with nothing compiled before the engine
was loaded, which took {loaded}. Merged is vLLM {merged} as released, with its own
torch, and follow-up the same with our change on top.
"""

_SPLIT = """
What Inductor generates for an H200 from `Sampler.gather_logprobs` at vocabulary 151936,
read by `python -m benchmarks split` without a GPU: it says how the work is cut up, not
how long it takes. Where a row is not split, one thread block walks all of it. A graph
is traced at the batch that it is first needed for; the calls are of batch 1, then 8.
*Newest* is the change on the newest release, with its hint.
"""


def write(results: Results, folder: Path) -> None:
    """Write results.md, all-results.md and their pictures.

    Args:
        results: The content of the JSON files, by name; those that are missing are
            reported as not measured.
        folder: Where to.
    """
    (folder / "results.md").write_text(text(results))
    (folder / "all-results.md").write_text(in_full(results))
    if "engine" in results:
        pictures.draw_stalls(results["engine"], folder / "stalls.png")
    if "trainer" in results:
        pictures.draw_training(results["trainer"], folder / "trainer.png")
    if "server" in results:
        pictures.draw_serving(results["server"], "cold", folder / "server.png")
        pictures.draw_serving(results["server"], "warm", folder / "restart.png")
    for name in ("steady-cpu", "steady-cuda"):
        if name in results:
            pictures.draw_ratios(results[name], folder / f"{name}.png")


def text(results: Results) -> str:
    """Return the text of results.md."""
    release = {it["machine"]["release"] for it in results.values() if "machine" in it}
    parts = [
        _HEAD.format(
            release=", ".join(sorted(release)) or "of the pinned release",
            merged=MERGED,
        ),
        "## What changes for a user",
        *document_in_use.for_a_user(results),
        *_section(
            results, "## Compilations and stalls", "compilations-cpu", _compiling
        ),
        *_section(results, "## Steady state", "steady-cpu", _steady),
        *_section(results, "## Memory", "memory-cpu", _memory),
        *_section(results, "## The engine", "engine", _engine),
        *_section(results, "## A trainer", "trainer", document_in_use.trainer),
        *_section(
            results, "## A server, and its restart", "server", document_in_use.server
        ),
        "## GPU",
        "Measured by `python -m benchmarks cuda`.",
        *_section(results, "### Compilations", "compilations-cuda", _compiling),
        *_section(results, "### Steady state", "steady-cuda", _steady),
        *_section(results, "### Memory", "memory-cuda", _memory),
        "### Generated code",
        _SPLIT,
        *_split(results),
    ]
    return "\n\n".join(it.strip() for it in parts) + "\n"


def _split(results: Results) -> Iterator[str]:
    if "split" not in results:
        yield f"{_NONE.capitalize()}."
        return
    head = ("torch", "variant", "graphs", "traced at", "kernels", "a row is split")
    rows = [
        (
            *(read["torch"], variant, len(graphs), f"batch {it['batch']}"),
            *(it["kernels"], f"{it['split']} ways" if it["split"] > 1 else "no"),
        )
        for read in results["split"]["results"]
        for variant, graphs in read["variants"].items()
        for it in graphs
    ]
    yield table(head, rows)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {it}" for it in lines)


def in_full(results: Results) -> str:
    """Return the text of all-results.md: the tables that results.md does without."""
    in_use = document_in_use
    parts = [
        "# All that was measured",
        "The long tables behind [results.md](results.md), written with it.",
        *_section(results, "## Steady state", "steady-cpu", _steady_in_full),
        *_section(results, "## Steady state on a GPU", "steady-cuda", _steady_in_full),
        *_section(results, "## A trainer", "trainer", in_use.trainer_in_full),
        *_section(results, "## A server", "server", in_use.server_in_full),
    ]
    return "\n\n".join(it.strip() for it in parts) + "\n"


def summary(results: Results) -> list[str]:
    """Return the answers in short, for a person at a terminal."""
    lines: list[str] = []
    for name, short in {
        "compilations-cpu": _short_compilations,
        "steady-cpu": _short_steady,
        "steady-cuda": _short_steady,
    }.items():
        lines += short(results[name]) if name in results else [f"{name}: {_NONE}."]
    return [*lines, "", *document_in_use.for_a_user(results)]


def _section(
    results: Results,
    title: str,
    name: str,
    body: Callable[[Results, str], Iterator[str]],
) -> Iterator[str]:
    yield title
    if name not in results:
        yield f"{_NONE.capitalize()}."
        return
    it = results[name]["machine"]
    # Whatever is not told otherwise runs on a GPU where there is one.
    gpu = None if name.endswith("-cpu") else it["gpu"]
    device = gpu or f"{it['cpu']}, {it['cores']} cores"
    quick = " **A quick run: its times say little.**" if results[name]["quick"] else ""
    yield (
        f"{device}, {it['threads']} threads, torch {it['torch']}, Python "
        f"{it['python']}, vLLM {it['release']}, {it['date']}; the load average was "
        f"{it['load']:.1f} at the start.{quick}"
    )
    yield from body(results, name)


def _cells(result: Json, cache: str) -> _Cells:
    return {
        (it["level"], it["rows"], it["dtype"], run["variant"]): it
        for run in result["results"]
        if run["cache"] == cache
        for it in run["cells"]
    }


def _compiling(results: Results, name: str) -> Iterator[str]:
    cold, warm = (_cells(results[name], it) for it in ("cold", "warm"))
    yield _list(_short_compilations(results[name]))
    yield _COMPILATIONS
    head = ("", f"`{OP}`", "both", "ahead", "crashes", "lost, cold", "lost, warm")
    yield table(head, (_compiling_row(it, cold, warm) for it in cold))
    yield "Why, in calls of `gather_logprobs`:"
    yield _list(_reasons(cold))


def _compiling_row(key: tuple[str, ...], cold: _Cells, warm: _Cells) -> Iterator[Any]:
    cell = cold[key]
    level, rows, dtype, variant = key
    inputs = "" if rows == "own" else f", {rows}, {dtype}"
    yield f"`{level}`{inputs}, {variant}"
    yield compiled(cell, OP)
    yield compiled(cell)
    yield compiled(cell, waiting=False)
    yield len(crashes(cell))
    yield f"{lost(cell):.2f} s"
    yield f"{lost(warm[key]):.2f} s" if key in warm else _NONE


def _reasons(cells: _Cells) -> Iterator[str]:
    """Yield why calls compiled, each reason once."""
    found: dict[str, list[str]] = {}
    for key in [it for it in cells if it[:3] == _PLAIN]:
        for call in cells[key]["calls"]:
            for it in call["compilations"] if call["batch"] is not None else ():
                error = f"**{call['error'].split(' - ')[0]}** " if call["error"] else ""
                where = f"{call['batch']} x {call['vocabulary']}"
                found.setdefault(f"{key[3]}: {error}{why(it)}", []).append(where)
    for reason, places in found.items():
        yield f"{reason}, at {', '.join(places)}"


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def _short_compilations(result: Json) -> Iterator[str]:
    cells = _cells(result, "cold")
    for name in COMPILED:
        cell = cells[(*_PLAIN, name)]
        whole = cells[("forward", "own", "float32", name)]
        crashed = len(crashes(cell))
        crash = f" and crashes on {crashed} of the empty batches" if crashed else ""
        yield (
            f"Over all batches of three models, {name} compiles `{OP}` "
            f"{_times(compiled(cell, OP, waiting=True))} in the middle of serving"
            f"{crash}; the whole sampler loses {lost(whole):.2f} s there."
        )


def _steady(results: Results, name: str) -> Iterator[str]:
    yield _list(_short_steady(results[name]))
    yield f"![Ratios by batch: fork to stock and fork to merged.]({name}.png)"
    runs = [it for it in results[name]["results"] if it["level"] == "forward"]
    if not runs:
        return
    yield "A whole step of sampling, `Sampler.forward`: median ratios, by vocabulary."
    titles = [f"{_case(run)}, {ratio}" for run in runs for ratio in LIMITED]
    points = zip(*(run["points"] for run in runs), strict=True)
    yield table(("batch", *titles), map(_ratio_row, points))


def _case(run: Json) -> str:
    return f"{run['vocabulary']}{', padded' if run['rows'] == 'padded' else ''}"


def _ratio_row(points: tuple[Json, ...]) -> Iterator[str]:
    yield points[0]["batch"]
    yield from (_median(point, name) for point in points for name in LIMITED)


def _median(point: Json, name: str) -> str:
    """Return the median of a ratio, bold where it is above the limit."""
    median = point["ratios"][name]["median"]
    mark = "**" if name in LIMITED and median > LIMIT else ""
    return f"{mark}{median:.2f}{mark}"


def _steady_in_full(results: Results, name: str) -> Iterator[str]:
    runs = results[name]["results"]
    yield _STEADY.format(limit=LIMIT, clock=_CLOCKS[name.split("-")[1]])
    for run in runs:
        yield f"`{run['level']}`, vocabulary {_case(run)}:"
        ratios = tuple(run["points"][0]["ratios"])
        op = run["level"] == "op"
        gigabytes = (f"fork, GB/s of {run['copy_bandwidth'] / 1e9:.0f}",) if op else ()
        yield table(
            ("batch", *VARIANTS, *ratios, *gigabytes),
            (_steady_row(it, run, op) for it in run["points"]),
        )
    if any(run["level"] == "op" for run in runs):
        yield "GB/s is of one read of the input, beside what a large copy reaches."
    yield from _breaking_even(results, name)


def _steady_row(point: Json, run: Json, op: bool) -> Iterator[str]:
    yield str(point["batch"])
    for variant in VARIANTS:
        yield f"{point['seconds'][variant]['median'] * 1e6:.1f}"
    for name, it in point["ratios"].items():
        yield f"{_median(point, name)} ({it['low']:.2f} to {it['high']:.2f})"
    if op:
        size = 4 * point["batch"] * run["vocabulary"]
        yield f"{size / point['seconds']['fork']['median'] / 1e9:.1f}"


def _breaking_even(results: Results, name: str) -> Iterator[str]:
    compilations = results.get(name.replace("steady", "compilations"))
    runs = [it for it in results[name]["results"] if it["level"] == "gather_logprobs"]
    if not compilations or not runs:
        return
    cell = _cells(compilations, "cold")[(*_PLAIN, "stock")]
    first = cell["calls"][0]["vocabulary"]
    kept = [it for it in cell["calls"] if it["vocabulary"] == first and it["batch"]]
    saved = lost({"calls": kept})
    run = max(runs, key=lambda it: it["vocabulary"])
    yield _BREAK_EVEN.format(vocabulary=run["vocabulary"], saved=saved)
    variants = ("merged", "fork")
    rows = (
        (it["batch"], *(_steps_text(saved, it["seconds"], each) for each in variants))
        for it in run["points"]
    )
    yield table(("batch", *variants), rows)


def _steps_text(saved: float, seconds: Json, variant: str) -> str:
    slower = seconds[variant]["median"] - seconds["stock"]["median"]
    steps = break_even(saved, slower)
    return "never" if steps is None else f"{steps:,}"


def _short_steady(result: Json) -> Iterator[str]:
    for name in LIMITED:
        medians = [
            it["ratios"][name]["median"]
            for run in result["results"]
            if run["level"] == "forward"
            for it in run["points"]
        ]
        above = sum(it > LIMIT for it in medians)
        yield (
            f"A whole step of sampling, all compiled, {name}: the median ratio is "
            f"{min(medians):.2f} to {max(medians):.2f}, above the limit at {above} of "
            f"{len(medians)} points."
        )


def _memory(results: Results, name: str) -> Iterator[str]:
    runs = results[name]["results"]
    shape = {it: runs[0][it] for it in ("batch", "vocabulary")}
    yield _MEMORY.format(**shape, input=_megabytes(runs[0]["input"]))
    yield _HOWS[name.split("-")[1]]
    extra = {f"`{it['level']}`": it["extra"] for it in runs}
    rows = (
        (name, *(_megabytes(it[each]) for each in VARIANTS))
        for name, it in extra.items()
    )
    yield table(("", *VARIANTS), rows)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _engine(results: Results, name: str) -> Iterator[str]:
    runs = results[name]["results"]
    loaded = ", ".join(f"{it['loaded']:.0f} s on {it['variant']}" for it in runs)
    yield _ENGINE.format(merged=MERGED, loaded=loaded)
    yield "![Longest wait for a token, by group of requests.](stalls.png)"
    tokens = ("first token", "next token")
    head = ("", *(f"{token}, {it}" for token in tokens for it in PERCENTS))
    yield table(head, map(_engine_row, runs))


def _engine_row(run: Json) -> Iterator[str]:
    yield run["variant"]
    for samples in latencies(run["groups"]):
        found = (percentile(samples, it) * 1e3 for it in PERCENTS.values())
        yield from (f"{it:.0f}" for it in found)
