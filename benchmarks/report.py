"""Write docs/results.md and its pictures from the JSON of the measurements."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import pictures
from benchmarks.summary import (
    LIMITS,
    OP,
    break_even,
    compiled,
    crashes,
    latencies,
    lost,
    percentile,
)
from benchmarks.variants import COMPILED, MERGED, VARIANTS
from tools.fork import markdown

Json = dict[str, Any]
Results = dict[str, Json]  # by the name of the file
_Cells = dict[tuple[Any, ...], Json]  # by level, dtype, inference and variant

_NONE = "not measured"

_HEAD = """
# What the change costs and saves

Written by `make bench`, which measures all of it anew; every figure is from the JSON
that it leaves in `build/report/`. Compared are, in one process and in turn:

- **stock**: vLLM {release} as released;
- **merged**: upstream's own version of the change, from the tree of vLLM {merged};
- **fork**: this repository's;
- **eager**: stock with `(x >= values).sum(-1)`, not compiled;
- **limit**: stock with `x.sum(-1)`: one read of the same memory, and no comparison.

Only the sampler of each tree is loaded, and one torch runs them all.
"""

_COMPILATIONS = f"""
Batches of 1, 2, 3, 8, 64, 257, 0 and 1, for each of the vocabularies 32000, 128256 and
151936, float32, in inference mode. `{OP}` is compiled on every device,
`compiled_random_sample` on the CPU only. *Lost* is what was spent compiling after the
first call, which is in the middle of serving: with an empty Inductor cache on disk, and
with one that an earlier run has filled. *Threads* counts what is compiled again when
batches of 1 and 2 come after the number of threads has changed.
"""

_CELLS = """
The same for other inputs: compilations of both functions, and how many of the empty
batches crashed. bfloat16 are logits that are asked for as logprobs
(`logprobs_mode="raw_logits"`), which `Sampler.forward` makes float32 first.
"""

_STEADY = """
Microseconds a call, the median; a ratio is the median of the ratios within a round, in
which every variant is timed once in an order drawn anew, with the quartiles. **Bold**
is a median above {merged} for fork/merged or {stock} for fork/stock. The op alone gets
its arguments as the sampler marks them; `gather_logprobs` includes marking them.
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
{saved:.2f} s of compiling that stock lost in its first vocabulary with a cold cache,
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
The rollout of the end-to-end test ([tools/fork/rollout.py](../tools/fork/rollout.py)),
through vLLM's engine with a tiny model of vocabulary 151936: groups of up to 8
requests, which end one by one. Milliseconds after the first request, which compiles in
both. Merged is {none}: its release needs another torch.
"""

_SPLIT = """
What Inductor generates for an H200 from `Sampler.gather_logprobs` at vocabulary 151936,
read by `python -m benchmarks.split` without a GPU: it says how the work is cut up, not
how long it takes. Where a row is not split, one thread block walks all of it. A graph
is traced at the batch that it is first needed for; the calls are of batch 1, then 8.
"""


def write(results: Results, folder: Path) -> None:
    """Write results.md and its pictures.

    Args:
        results: The content of the JSON files, by name; those that are missing are
            reported as not measured.
        folder: Where to.
    """
    (folder / "results.md").write_text(text(results))
    if "engine" in results:
        pictures.draw_stalls(results["engine"], folder / "stalls.png")
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
        "## In short",
        _list(summary(results)),
        *_section(
            results, "## Compilations and stalls", "compilations-cpu", _compiling
        ),
        *_section(results, "## Steady state", "steady-cpu", _steady),
        *_section(results, "## Memory", "memory-cpu", _memory),
        *_section(results, "## The engine", "engine", _engine),
        "## GPU",
        "Measured by `python -m benchmarks cuda`.",
        *_section(results, "### Compilations", "compilations-cuda", _compiling),
        *_section(results, "### Steady state", "steady-cuda", _steady),
        *_section(results, "### Memory", "memory-cuda", _memory),
        "### Generated code",
        _SPLIT,
        _split(results["split"]) if "split" in results else f"{_NONE.capitalize()}.",
    ]
    return "\n\n".join(it.strip() for it in parts) + "\n"


def _split(found: Json) -> str:
    head = ("torch", "variant", "graphs", "traced at", "kernels", "a row is split")
    return table(
        head,
        (
            (
                *(torch, variant, len(graphs), f"batch {it['batch']}", it["kernels"]),
                f"{it['split']} ways" if it["split"] > 1 else "no",
            )
            for torch, variants in found.items()
            for variant, graphs in variants.items()
            for it in graphs
        ),
    )


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {it}" for it in lines)


def summary(results: Results) -> list[str]:
    """Return the answers in short, a sentence each."""
    lines: list[str] = []
    for name, (title, short) in {
        "compilations-cpu": ("Compilations", _short_compilations),
        "steady-cpu": ("Steady state on the CPU", _short_steady),
        "steady-cuda": ("Steady state on a GPU", _short_steady),
        "memory-cpu": ("Memory", _short_memory),
        "engine": ("The engine", _short_engine),
    }.items():
        found = results.get(name)
        lines += short(title, found) if found else [f"{title}: {_NONE}."]
    return lines


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
    device = it["gpu"] if name.endswith("cuda") else f"{it['cpu']}, {it['cores']} cores"
    quick = " **A quick run: its times say little.**" if results[name]["quick"] else ""
    yield (
        f"{device}, {it['threads']} threads, torch {it['torch']}, Python "
        f"{it['python']}, vLLM {it['release']}, {it['date']}; the load average was "
        f"{it['load']:.1f} at the start.{quick}"
    )
    yield from body(results, name)


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table in Markdown, all but its first column aligned to the right."""
    return "\n".join(markdown.table(head, rows, "---:"))


def _cells(result: Json, cache: str) -> _Cells:
    return {
        (it["level"], it["dtype"], it["inference"], run["variant"]): it
        for run in result["results"]
        if run["cache"] == cache
        for it in run["cells"]
    }


def _compiling(results: Results, name: str) -> Iterator[str]:
    cold, warm = (_cells(results[name], it) for it in ("cold", "warm"))
    yield _COMPILATIONS
    head = ("", f"`{OP}`", "both", "crashes", "lost, cold", "lost, warm", "threads")
    plain = {it: cell for it, cell in cold.items() if it[1:3] == ("float32", True)}
    yield table(head, (_compiling_row(it, cold, warm) for it in plain))
    yield "Why, in `gather_logprobs`:"
    yield _list(_reasons(plain))
    others = dict.fromkeys(it[:3] for it in cold if it not in plain)
    if others:
        yield _CELLS
        yield table(
            ("", *COMPILED),
            (
                (
                    _cell_title(it),
                    *(_count_text(cold[(*it, name)]) for name in COMPILED),
                )
                for it in others
            ),
        )


def _compiling_row(key: tuple[Any, ...], cold: _Cells, warm: _Cells) -> Iterator[Any]:
    cell = cold[key]
    yield f"`{key[0]}`, {key[3]}"
    yield compiled(cell, OP)
    yield compiled(cell)
    yield len(crashes(cell))
    yield f"{lost(cell):.2f} s"
    yield f"{lost(warm[key]):.2f} s" if key in warm else _NONE
    yield compiled(cell, threads_changed=True)


def _reasons(cells: _Cells) -> Iterator[str]:
    """Yield why there were compilations after the first, each reason once."""
    found: dict[str, list[str]] = {}
    for (level, _, _, variant), cell in cells.items():
        for call in cell["calls"][1:]:
            if level == "forward" or call["threads_changed"]:
                continue
            for it in call["compilations"]:
                # What comes behind "#" is where in the source that was decided.
                reason = str(it["reason"]).split("  #")[0].split(": ", 1)[-1]
                error = f"**{call['error'].split(' - ')[0]}** " if call["error"] else ""
                where = f"{call['batch']} x {call['vocabulary']}"
                found.setdefault(f"{variant}: {error}`{reason}`", []).append(where)
    for reason, places in found.items():
        yield f"{reason}, at {', '.join(places)}"


def _cell_title(key: tuple[Any, ...]) -> str:
    return f"`{key[0]}`, {key[1]}, {'inference' if key[2] else 'outside'}"


def _count_text(cell: Json) -> str:
    crashed = len(crashes(cell))
    return f"{compiled(cell)}{f', {crashed} crashes' if crashed else ''}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _short_compilations(title: str, result: Json) -> Iterator[str]:
    cells = _cells(result, "cold")
    for name in COMPILED:
        cell = cells[("gather_logprobs", "float32", True, name)]
        whole = cells[("forward", "float32", True, name)]
        crashed = len(crashes(cell))
        crash = f" and crashes on {crashed} of the empty batches" if crashed else ""
        yield (
            f"Over all batches and vocabularies, {name} compiles `{OP}` "
            f"{_times(compiled(cell, OP))}{crash}; the whole sampler loses "
            f"{lost(whole):.2f} s to compiling after its first call."
        )


def _steady(results: Results, name: str) -> Iterator[str]:
    result = results[name]
    device = name.split("-")[1]
    yield _STEADY.format(
        merged=LIMITS["fork/merged"], stock=LIMITS["fork/stock"], clock=_CLOCKS[device]
    )
    yield f"![Ratios by batch: fork to stock and fork to merged.]({name}.png)"
    for run in result["results"]:
        yield f"`{run['level']}`, vocabulary {run['vocabulary']}:"
        ratios = tuple(run["points"][0]["ratios"])
        op = run["level"] == "op"
        gigabytes = (f"fork, GB/s of {run['copy_bandwidth'] / 1e9:.0f}",) if op else ()
        yield table(
            ("batch", *VARIANTS, *ratios, *gigabytes),
            (_steady_row(it, run["vocabulary"], op) for it in run["points"]),
        )
    if any(run["level"] == "op" for run in result["results"]):
        yield "GB/s is of one read of the input, beside what a large copy reaches."
    yield from _breaking_even(results, name)


def _steady_row(point: Json, vocabulary: int, op: bool) -> Iterator[str]:
    yield str(point["batch"])
    for variant in VARIANTS:
        yield f"{point['seconds'][variant]['median'] * 1e6:.1f}"
    for name, it in point["ratios"].items():
        mark = "**" if it["median"] > LIMITS.get(name, float("inf")) else ""
        spread = f"{it['low']:.2f} to {it['high']:.2f}"
        yield f"{mark}{it['median']:.2f}{mark} ({spread})"
    if op:
        size = 4 * point["batch"] * vocabulary
        yield f"{size / point['seconds']['fork']['median'] / 1e9:.1f}"


def _breaking_even(results: Results, name: str) -> Iterator[str]:
    compilations = results.get(name.replace("steady", "compilations"))
    runs = [it for it in results[name]["results"] if it["level"] == "gather_logprobs"]
    if not compilations or not runs:
        return
    cell = _cells(compilations, "cold")[("gather_logprobs", "float32", True, "stock")]
    first = cell["calls"][0]["vocabulary"]
    kept = [it for it in cell["calls"] if it["vocabulary"] == first and it["batch"] > 0]
    saved = lost({"calls": kept})
    run = max(runs, key=lambda it: it["vocabulary"])
    yield _BREAK_EVEN.format(vocabulary=run["vocabulary"], saved=saved)
    yield table(
        ("batch", "merged", "fork"),
        (
            (
                it["batch"],
                *(
                    _steps_text(saved, it["seconds"], variant)
                    for variant in ("merged", "fork")
                ),
            )
            for it in run["points"]
        ),
    )


def _steps_text(saved: float, seconds: Json, variant: str) -> str:
    slower = seconds[variant]["median"] - seconds["stock"]["median"]
    steps = break_even(saved, slower)
    return "never" if steps is None else f"{steps:,}"


def _short_steady(title: str, result: Json) -> Iterator[str]:
    points = [it for run in result["results"] for it in run["points"]]
    for name, limit in LIMITS.items():
        medians = [it["ratios"][name]["median"] for it in points]
        above = sum(it > limit for it in medians)
        yield (
            f"{title}, {name}: the median ratio is "
            f"{min(medians):.2f} to {max(medians):.2f}, above {limit} at {above} of "
            f"{len(medians)} points."
        )


def _memory(results: Results, name: str) -> Iterator[str]:
    runs = results[name]["results"]
    shape = {it: runs[0][it] for it in ("batch", "vocabulary")}
    yield _MEMORY.format(**shape, input=_megabytes(runs[0]["input"]))
    yield _HOWS[name.split("-")[1]]
    yield table(
        ("", *VARIANTS),
        (
            (f"`{run['level']}`", *(_megabytes(run["extra"][it]) for it in VARIANTS))
            for run in runs
        ),
    )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _short_memory(title: str, result: Json) -> Iterator[str]:
    for it in result["results"]:
        extra = [f"{name} {_megabytes(it['extra'][name])}" for name in VARIANTS]
        yield (
            f"Memory of `{it['level']}` beyond its input of {_megabytes(it['input'])}: "
            f"{', '.join(extra)}."
        )


def _engine(results: Results, name: str) -> Iterator[str]:
    yield _ENGINE.format(none=_NONE)
    yield "![Seconds to each next token, over the rollout.](stalls.png)"
    percents = {"p50": 50, "p99": 99, "worst": 100}
    head = [
        f"{what}, {it}" for what in ("first token", "next token") for it in percents
    ]
    yield table(
        ("", *head),
        (
            (
                run["variant"],
                *(
                    f"{percentile(samples, it) * 1e3:.0f}"
                    for samples in latencies(run["groups"][1:])
                    for it in percents.values()
                ),
            )
            for run in results[name]["results"]
        ),
    )


def _short_engine(title: str, result: Json) -> Iterator[str]:
    for run in result["results"]:
        first, gaps = (max(it) for it in latencies(run["groups"][1:]))
        yield (
            f"In the engine's rollout, after the first request, {run['variant']} keeps "
            f"a request waiting {first:.2f} s at worst for its first token and "
            f"{gaps:.2f} s for a next one."
        )
