# SPDX-License-Identifier: Apache-2.0
"""Try each release that releases.toml describes, and make a table of them."""

import hashlib
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.engine.serve import of_sampling
from tools.fork.environment import build
from tools.fork.markdown import table
from tools.fork.model_runner import on_v1
from tools.fork.outcomes import in_words
from tools.fork.program import step
from tools.fork.release import Release, all_described, reported, reports
from tools.fork.sampler import measure
from tools.fork.source.fetch import fetch
from tools.fork.source.overlay import on_disk, woven
from tools.fork.source.tree import (
    Trees,
    changed_lines,
    make_worktree,
    tree_name,
    trees,
)

DOCUMENT = ROOT / "docs/releases.md"
_HEAD = """\
# The change on other releases

Written by `make releases`, which fetches each release that `releases.toml` describes,
weaves the change in, and calls `Sampler.gather_logprobs` of both under the release's
own torch, with real Inductor and stand-ins for the rest of vLLM. "The new test" ran
there too. "Engine" is what `make test RELEASE=<release>` and
`make demo RELEASE=<release>` last reported on this machine; what keeps one from
running on a CPU is said at its entry in `releases.toml`.

"On V1" says who needs it on a GPU: which models the release runs there on Model Runner
V1, whose sampler the change is to, unless a setting says otherwise. V2 counts ranks
with a kernel of its own. A CPU without Triton runs all models on V1.

"""
_COLUMNS = (
    *("vLLM", "torch", "on V1"),
    *("batch 2, then 1", "then 8", "empty batch"),
    *("lines changed", "with the change", "the new test", "engine"),
)

Json = dict[str, Any]


@dataclass(frozen=True)
class Woven:
    """What became of the change in a release.

    Attributes:
        stock: The release's source tree, or as much of it as sampling needs.
        fork: The same with the change; None where it does not fit.
        said: How many lines were changed; or why it does not fit.
        name: A name for the content of the fork, or else of the release.
    """

    stock: Path
    fork: Path | None
    said: str
    name: str


def show() -> None:
    """Try every release, print the table, and write it to docs/releases.md."""
    rows: list[list[str]] = []
    notes: dict[str, list[str]] = {}
    for release in all_described():
        print(f"vLLM {release.version}", flush=True)
        tree = _weave(release)
        with step(f"its sampler under torch {release.torch}"):
            found = measure.measure(
                release, tree.stock, tree.fork, tree.name, reports(release)
            )
        engine = engine_outcome(reports(release), tree.name)
        rows.append(row(release, tree, found, engine))
        for note in notes_on(tree, found):
            notes.setdefault(note, []).append(release.version)
    said = [f"- {', '.join(versions)}: {note}" for note, versions in notes.items()]
    lines = [*table(_COLUMNS, rows), "", *said]
    print("\n".join(["", *lines]))
    DOCUMENT.write_text(_HEAD + "\n".join(lines) + "\n")
    print(f"\nThe table: {DOCUMENT.relative_to(ROOT)}")


def _weave(release: Release) -> Woven:
    """Fetch a release and weave the change in."""
    made = trees(release)
    if "vllm" not in release.digests:
        return _weave_wheel(fetch(release, "cpu-wheel", build.DOWNLOADS), made)
    try:
        build.make_trees(release)
    except ForkError as error:
        if not made.fork.exists():
            raise
        make_worktree(made.fork, made.stock, release.tag)
        return Woven(made.stock, None, str(error), release.tag)
    lines = changed_lines(made.fork, release.tag, "HEAD", "vllm")
    return Woven(made.stock, made.fork, lines, tree_name(made.fork))


def _weave_wheel(wheel: Path, made: Trees) -> Woven:
    """Weave the change into as much of a wheel as sampling needs."""
    for folder in (made.stock, made.fork):
        shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        # What sampling needs, and what our sources ask whether it is there.
        names = [it for it in archive.namelist() if it.endswith(".py")]
        archive.extractall(made.stock, names)
    try:
        changed = woven(ROOT, partial(on_disk, made.stock))
    except ForkError as error:
        return Woven(made.stock, None, str(error), wheel.name)
    shutil.copytree(made.stock, made.fork)
    for name, content in changed.items():
        (made.fork / name).parent.mkdir(parents=True, exist_ok=True)
        (made.fork / name).write_bytes(content)
    folders = (it / "vllm" for it in (made.stock, made.fork))
    lines = changed_lines(made.fork, "--no-index", *folders)
    digest = hashlib.sha256(b"".join(changed.values())).hexdigest()
    return Woven(made.stock, made.fork, lines, digest)


def row(release: Release, tree: Woven, found: Json, engine: str) -> list[str]:
    """Return the cells of a release, in the order of the table's columns."""
    return [
        release.version,
        found["stock"]["torch"],
        on_v1(release.version),
        *verdicts(found["stock"]["calls"]),
        tree.said if tree.fork else "does not fit",
        total(found["fork"]) if tree.fork else "",
        in_words(found["test"]) if tree.fork else "",
        engine,
    ]


def verdicts(calls: list[Json]) -> list[str]:
    """Return what a single row, more of them and an empty batch each cause."""
    return [
        "**crashes**" if it["error"] else "**recompiles**" if it["compiled"] else "ok"
        for it in calls[1:]
    ]


def total(found: Json) -> str:
    """Return how often calls compile and what is compiled ahead, or that they fail."""
    if any(it["error"] for it in [found["ahead"], *found["calls"]]):
        return "**fails**"
    waiting = sum(it["compiled"] for it in found["calls"])
    return f"{waiting} compilations, {found['ahead']['compiled']} ahead"


def engine_outcome(report: Path, tree: str) -> str:
    """Return what `make test` and `make demo` reported of a tree, in words."""
    test, demo = (reported(report, name, tree) for name in ("test", "demo"))
    said = []
    if test:
        said.append(f"test: {test['commits'][-1]['outcomes']}")
    if demo:
        steps = {name: it["steps"] for name, it in demo["variants"].items()}
        compiled = [f"{name} {len([*of_sampling(it)])}" for name, it in steps.items()]
        said.append(f"demo compiled: {', '.join(compiled)}")
    return "; ".join(said) or "not run"


def notes_on(tree: Woven, found: Json) -> Iterator[str]:
    """Yield what does not fit or fails in a release, with the reason."""
    if not tree.fork:
        yield tree.said.splitlines()[-1].strip()
    sides = {"the release": found["stock"], "with the change": found.get("fork")}
    for name, side in sides.items():
        steps = [side["ahead"], *side["calls"]] if side else []
        for when, it in zip(measure.STEPS, steps, strict=False):
            if it["error"]:
                # Dynamo goes on for several sentences.
                yield f"{name}, {when}: {it['error'].split('. ')[0]}"
                break
