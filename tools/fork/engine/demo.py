# SPDX-License-Identifier: Apache-2.0
"""Run the engine on stock and on the fork, and show where the time went."""

import json
import textwrap
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tools.fork.bootstrap import ROOT
from tools.fork.engine import picture, serve
from tools.fork.engine.serve import of_sampling
from tools.fork.release import Release
from tools.fork.source.tree import Trees, tree_name

SETUP = serve.QWEN
BATCHES = (1, 1, 2, 2, 3, 1, 8, 8)
_REQUEST = {"temperature": 1.0, "logprobs": 5, "max_tokens": 4, "ignore_eos": True}
_GREEDY = {**_REQUEST, "temperature": 0.0}
# Drawn and greedy tokens, each batch of requests once the one before has ended.
GROUPS = [*([_REQUEST] * batch for batch in BATCHES), [_GREEDY] * max(BATCHES)]
_WIDTH = 48

Json = dict[str, Any]


def show(release: Release, trees: Trees, report: Path) -> int:
    """Run both variants, print them side by side; write demo.png.

    If all is well, ``report`` gets demo.json, else there is none there afterwards.

    Returns:
        The exit status: 0 if stock compiles of the sampling step while requests wait,
        the fork does not, and both give the same tokens, ranks and logprobs.

    Raises:
        ForkError: The engine failed.
    """
    (report / "demo.json").unlink(missing_ok=True)
    print("The engine, stock then fork, each with nothing compiled yet:")
    runs = {
        variant: serve.run(variant, tree, SETUP, GROUPS, report)
        for variant, tree in (("stock", trees.stock), ("fork", trees.fork))
    }
    result = {
        "release": release.version,
        "tree": tree_name(trees.fork),
        "torch": runs["fork"]["loaded"]["torch"],
        "device": runs["fork"]["loaded"]["device"],
        "vocabulary": SETUP["vocabulary"],
        "variants": {name: _kept(run) for name, run in runs.items()},
    }
    picture.draw(result, report / "demo.png")
    print("\n" + "\n".join(table(result)) + "\n")
    problems = list(find_problems(runs))
    if problems:
        print("\n".join(problems))
        return 1
    (report / "demo.json").write_text(json.dumps(result, indent=1) + "\n")
    print(summary(result))
    print(f"The report: {report.relative_to(ROOT)}/demo.json and demo.png")
    return 0


def _kept(run: Json) -> Json:
    kept = ("batch", "seconds", "compilations")
    steps = [{name: it[name] for name in kept} for it in run["groups"]]
    return {"loaded": run["loaded"]["seconds"], "steps": steps}


def table(result: Json) -> Iterator[str]:
    """Yield the lines of a table: a step each, stock beside fork."""
    variants = result["variants"]
    yield "batch  " + "".join(f"{name:<{_WIDTH}}" for name in variants).rstrip()
    loaded = [f"{it['loaded']:8.2f} s to load" for it in variants.values()]
    yield f"       {''.join(f'{it:<{_WIDTH}}' for it in loaded)}".rstrip()
    for steps in zip(*(run["steps"] for run in variants.values()), strict=True):
        cells = [[f"{it['seconds']:8.2f} s", *_compiled(it)] for it in steps]
        for number, lines in enumerate(zip_longest(*cells, fillvalue="")):
            batch = "" if number else steps[0]["batch"]
            yield f"{batch:>5}  {''.join(f'{it:<{_WIDTH}}' for it in lines)}".rstrip()


def _compiled(step: Json) -> Iterator[str]:
    for it in of_sampling([step]):
        yield f"{it['seconds']:8.2f} s {it['function']}"
        if it["reason"]:
            pad = " " * 11
            # What comes behind "#" is where in the source that was decided.
            why = it["reason"].partition("  #")[0]
            yield from textwrap.wrap(
                why, _WIDTH - 2, initial_indent=pad, subsequent_indent=pad
            )


def summary(result: Json) -> str:
    """Return what the run shows, in a few sentences."""
    parts, loaded = [], []
    for variant, run in result["variants"].items():
        compiled = list(of_sampling(run["steps"]))
        seconds = sum(it["seconds"] for it in compiled)
        parts.append(f"{variant} compiled {len(compiled)} times, {seconds:.2f} s")
        loaded.append(f"{run['loaded']:.0f} s on {variant}")
    return (
        f"While requests waited, {', '.join(parts)}. Loading the engine took "
        f"{', '.join(loaded)}. Tokens, ranks and logprobs are the same, bit for bit."
    )


def find_problems(runs: dict[str, Json]) -> Iterator[str]:
    """Yield, a sentence each, what the runs do not show that they should."""
    stock, fork = runs["stock"]["groups"], runs["fork"]["groups"]
    if not list(of_sampling(stock)):
        yield "Stock compiled nothing while requests waited, so this shows nothing."
    for it in of_sampling(fork):
        yield f"The fork compiled {it['function']}: {it['reason'] or 'the first time'}."
    if [it["outputs"] for it in stock] != [it["outputs"] for it in fork]:
        yield "Tokens, ranks or logprobs of the fork differ from stock's."
