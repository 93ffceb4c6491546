"""Run the engine on stock and on the fork, and show where the time went."""

import json
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tools.fork import ForkError, engine, picture
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.command import environment
from tools.fork.release import Release
from tools.fork.tree import Trees, tree_name

SAMPLING = "vllm/v1/sample/"
BATCHES = (1, 1, 2, 2, 3, 1, 8, 8)
_REQUEST = {"temperature": 1.0, "logprobs": 5, "max_tokens": 4, "ignore_eos": True}
_WIDTH = 48

Json = dict[str, Any]


def show(release: Release, trees: Trees, report: Path) -> int:
    """Run both variants, print them side by side, and write the report.

    Args:
        release: The release that both are of.
        trees: Their source trees.
        report: The folder for demo.json and demo.png.

    Returns:
        The exit status: 0 if stock compiles the sampling step again (unless it has
        marks of its own), the fork does not, and both give the same greedy tokens,
        ranks and logprobs.

    Raises:
        ForkError: The engine failed.
    """
    report.mkdir(parents=True, exist_ok=True)
    print("The engine, stock then fork, each with nothing compiled yet:")
    groups = [[_REQUEST] * batch for batch in BATCHES]
    greedy = [{**_REQUEST, "temperature": 0.0}] * max(BATCHES)
    runs = {
        variant: run_engine(variant, tree, [*groups, greedy], report)
        for variant, tree in (("stock", trees.stock), ("fork", trees.fork))
    }
    result = {
        "release": release.version,
        "tree": tree_name(trees.fork),
        "torch": runs["fork"]["loaded"]["torch"],
        "device": runs["fork"]["loaded"]["device"],
        "vocabulary": engine.VOCABULARY,
        "variants": {name: {"steps": _steps(run)} for name, run in runs.items()},
    }
    (report / "demo.json").write_text(json.dumps(result, indent=1) + "\n")
    picture.draw(result, report / "demo.png")
    print("\n" + "\n".join(table(result)) + "\n")
    problems = list(find_problems(runs, marks_the_batch(trees.stock)))
    print("\n".join(problems or [summary(result)]))
    print(f"The report: {report.relative_to(ROOT)}/demo.json and demo.png")
    return 1 if problems else 0


def marks_the_batch(stock: Path) -> bool:
    """Tell whether a release does so itself, as from 0.20.0 on."""
    return b"mark_unbacked" in (stock / SAMPLING / "sampler.py").read_bytes()


def _steps(run: Json) -> list[Json]:
    kept = ("batch", "seconds", "compilations")
    return [{name: it[name] for name in kept} for it in run["groups"][:-1]]


def table(result: Json) -> Iterator[str]:
    """Yield the lines of a table: a step each, stock beside fork."""
    variants = result["variants"]
    yield "batch  " + "".join(f"{name:<{_WIDTH}}" for name in variants).rstrip()
    for steps in zip(*(run["steps"] for run in variants.values()), strict=True):
        cells = [[f"{it['seconds']:8.2f} s", *_compiled(it)] for it in steps]
        for number, lines in enumerate(zip_longest(*cells, fillvalue="")):
            batch = "" if number else steps[0]["batch"]
            yield f"{batch:>5}  {''.join(f'{it:<{_WIDTH}}' for it in lines)}".rstrip()


def _compiled(step: Json) -> Iterator[str]:
    for it in step["compilations"]:
        yield f"{it['seconds']:8.2f} s {it['function']}"
        if it["reason"]:
            pad = " " * 11
            yield from textwrap.wrap(
                it["reason"], _WIDTH - 2, initial_indent=pad, subsequent_indent=pad
            )


def summary(result: Json) -> str:
    """Return what the run shows, in one sentence."""
    parts = []
    for variant, run in result["variants"].items():
        again = recompilations(run["steps"])
        seconds = sum(it["seconds"] for it in again)
        parts.append(
            f"{variant} recompiled {len(again)} times and lost {seconds:.2f} s"
        )
    return (
        f"After the first batch, {', '.join(parts)}. Greedy tokens, ranks and logprobs "
        "are the same, bit for bit."
    )


def recompilations(groups: list[Json]) -> list[Json]:
    """Return what was compiled of the sampling step after the first group."""
    return [
        it
        for group in groups[1:]
        for it in group["compilations"]
        if it["file"].startswith(SAMPLING)
    ]


def find_problems(runs: dict[str, Json], marked: bool) -> Iterator[str]:
    """Yield, a sentence each, what the runs do not show that they should.

    Args:
        runs: What the engine reports, by variant.
        marked: Whether stock marks the batch itself.
    """
    stock, fork = runs["stock"]["groups"], runs["fork"]["groups"]
    if not marked and not recompilations(stock[:-1]):
        yield "Stock did not recompile after its first batch, so this shows nothing."
    for it in recompilations(fork):
        yield f"The fork compiled {it['function']} again: {it['reason']}."
    if stock[-1]["outputs"] != fork[-1]["outputs"]:
        yield "Greedy tokens, ranks or logprobs of the fork differ from stock's."


def run_engine(
    variant: str,
    tree: Path,
    groups: list[list[Json]],
    logs: Path,
    quiet: bool = False,
) -> Json:
    """Serve groups of requests from a tree, in a fresh process, nothing compiled yet.

    Args:
        variant: The tree's name, for a person.
        tree: The source tree.
        groups: Per request, what to tell SamplingParams.
        logs: The folder for what vLLM prints.
        quiet: Whether not to print each group.

    Returns:
        ``{"loaded": ..., "groups": [...]}`` as the engine reports them.

    Raises:
        ForkError: The engine failed.
    """
    log = logs / f"engine-{variant}.log"
    results: Json = {"groups": []}
    with tempfile.TemporaryDirectory() as cache, log.open("w") as errors:
        env = {
            "PYTHONPATH": str(tree),
            "TORCHINDUCTOR_CACHE_DIR": cache,
            "VLLM_CACHE_ROOT": cache,
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "HF_HUB_OFFLINE": "1",
        }
        process = subprocess.Popen(
            [VENV / "bin/python", "-m", "tools.fork.engine"],
            cwd=ROOT,
            env=environment(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdin
        assert process.stdout
        json.dump(groups, process.stdin)
        process.stdin.close()
        for line in process.stdout:
            ((kind, content),) = json.loads(line).items()
            if not quiet:
                _print_progress(variant, kind, content)
            if kind == "group":
                results["groups"].append(content)
            else:
                results[kind] = content
    if process.wait() or len(results["groups"]) != len(groups):
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise ForkError(f"The engine failed on {variant}; {log} ends:\n{last}")
    return results


def _print_progress(variant: str, kind: str, content: Json) -> None:
    took = f"{content['seconds']:.2f} s"
    if kind == "loaded":
        print(f"  {variant}: engine loaded, {took}", flush=True)
    else:
        names = [it["function"] for it in content["compilations"]]
        compiled = f", compiled {' and '.join(names)}" if names else ""
        print(f"  {variant}: batch {content['batch']}, {took}{compiled}", flush=True)
