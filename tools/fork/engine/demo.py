# SPDX-License-Identifier: Apache-2.0
"""Run the engine on stock and on the fork, and show where the time went."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.fork import ForkError, machine
from tools.fork.bootstrap import ROOT
from tools.fork.child import Json
from tools.fork.engine import generate, picture
from tools.fork.engine.generate import of_sampling, told
from tools.fork.environment import build
from tools.fork.release import Release, report_folder
from tools.fork.source.tree import tree_name

BATCHES = (1, 1, 2, 2, 3, 1, 8, 8)
_REQUEST = {"temperature": 1.0, "logprobs": 5, "max_tokens": 4, "ignore_eos": True}
_GREEDY = {**_REQUEST, "temperature": 0.0}
# Drawn and greedy tokens, each batch of requests once the one before has ended.
GROUPS = [*([_REQUEST] * batch for batch in BATCHES), [_GREEDY] * max(BATCHES)]


def run(release: Release) -> None:
    """Run both variants, and print them side by side.

    The report, demo.json and demo.png, is there only if stock compiles of the sampling
    step while requests wait, the fork does not, and both give the same tokens, ranks
    and logprobs.
    """
    trees, report = build.make(release), report_folder(release)
    file, drawn = report / "demo.json", report / "demo.png"
    for path in (file, drawn):
        path.unlink(missing_ok=True)
    print("The engine in vLLM's default mode, stock then fork, nothing compiled yet:")
    runs = {}
    for name, tree in (("stock", trees.stock), ("fork", trees.fork)):
        with tempfile.TemporaryDirectory() as empty:
            models = [(generate.QWEN, GROUPS)]
            (runs[name],) = generate.run(name, tree, models, report, Path(empty))
    problems = "\n".join(find_problems(runs))
    for step in (it for run in runs.values() for it in run["steps"]):
        del step["outputs"]
    result = {
        **machine.describe(),
        "release": release.version,
        "command": f"make demo RELEASE={release.version}",
        "tree": tree_name(trees.fork),
        "device": runs["fork"]["loaded"]["device"],
        "vocabulary": generate.QWEN["vocabulary"],
        "variants": runs,
    }
    print("\n".join(["", *rows(result), ""]))
    if problems:
        raise ForkError(problems)
    file.write_text(json.dumps(result, indent=1) + "\n")
    draw(file, drawn)
    print(summary(result))
    print(f"The report: {report.relative_to(ROOT)}/demo.json and demo.png")


def rows(result: Json) -> Iterator[str]:
    """Yield the lines of a table: loading, then a batch each, stock beside fork."""
    runs = result["variants"].values()
    loading = ["loading", *(told(run["loaded"]) for run in runs)]
    batches = [
        [steps[0]["batch"], *map(told, steps)]
        for steps in zip(*(run["steps"] for run in runs), strict=True)
    ]
    head = ["batch", *result["variants"]]
    for cells in [head, ["---"] * len(head), loading, *batches]:
        yield f"| {' | '.join(map(str, cells))} |"


def summary(result: Json) -> str:
    """Return what the run shows, in a few sentences."""
    totals = [f"{_totals(*it)}." for it in result["variants"].items()]
    return " ".join([*totals, "Tokens, ranks and logprobs are the same, bit for bit."])


def _totals(variant: str, run: Json) -> str:
    """Return what a variant compiled, and when."""
    lost = [it["seconds"] for it in of_sampling(run["steps"])]
    seconds = run["loaded"]["seconds"]
    ahead = sum(it["seconds"] for it in run["loaded"]["compilations"])
    return (
        f"{variant.capitalize()} compiled {len(lost)} times, {sum(lost):.2f} s, while "
        f"requests waited; loading took {seconds:.0f} s, {ahead:.1f} s of it compiling"
    )


def draw(report: Path, path: Path) -> None:
    """Draw the batches of a report."""
    result = json.loads(report.read_text())
    rows = {
        _totals(variant, run): [
            (it["batch"], it["seconds"], bool(of_sampling([it]))) for it in run["steps"]
        ]
        for variant, run in result["variants"].items()
    }
    title = (
        f"vLLM {result['release']} in its default mode, nothing compiled before; torch "
        f"{result['torch']}, {result['gpu'] or result['cpu']}, {result['date']}"
    )
    picture.draw(report, path, title, ("seconds", "requests in the batch"), rows)


def find_problems(runs: Mapping[str, Json]) -> Iterator[str]:
    """Yield, a sentence each, what the runs do not show that they should."""
    stock, fork = runs["stock"]["steps"], runs["fork"]["steps"]
    if not of_sampling(stock):
        yield "Stock compiled nothing while requests waited, so this shows nothing."
    for it in of_sampling(fork):
        yield f"The fork compiled {it['function']}: {it['reason'] or 'the first time'}."
    if [it["outputs"] for it in stock] != [it["outputs"] for it in fork]:
        yield "Tokens, ranks or logprobs of the fork differ from stock's."
