"""Try each release that pyproject.toml describes, and make a table of them."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tools.fork import ForkError, build
from tools.fork.bootstrap import ROOT
from tools.fork.command import step
from tools.fork.engine import of_sampling
from tools.fork.fetch import fetch
from tools.fork.install import run_under_torch
from tools.fork.markdown import table
from tools.fork.outcomes import in_words
from tools.fork.probe import CALLS
from tools.fork.release import Release, all_described, described, reports
from tools.fork.sources import on_disk, woven
from tools.fork.tree import changed_lines, make_worktree, trees

DOCUMENT = ROOT / "docs/releases.md"
_SAMPLE = "vllm/v1/sample/"
_HEAD = """\
# The change on other releases

Written by `make releases`, which fetches each release that `pyproject.toml` describes,
weaves the change in, and calls `Sampler.gather_logprobs` of both under the release's
own torch, with real Inductor and stand-ins for the rest of vLLM. "The new test" ran
there too. "Engine" is what `make test RELEASE=<release>` and
`make demo RELEASE=<release>` last reported on this machine.

"""
_COLUMNS = (
    *("vLLM", "torch", "batch 1, then 2", "another vocabulary", "empty batch"),
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
    """

    stock: Path
    fork: Path | None
    said: str


def show() -> int:
    """Try every release, print the table, and write it to docs/releases.md.

    Returns:
        The exit status: 0.
    """
    build.make(described(None))  # pip needs its torch to fetch any release
    rows: list[list[str]] = []
    notes: list[str] = []
    for release in all_described():
        print(f"vLLM {release.version}", flush=True)
        tree = _weave(release)
        with step(f"its sampler under torch {release.torch}"):
            found = _probe(release, tree)
        rows.append(row(release, tree, found, engine_outcome(reports(release))))
        notes += notes_on(release, tree, found)
    lines = [*table(_COLUMNS, rows), "", *notes]
    print("\n".join(["", *lines]))
    DOCUMENT.write_text(_HEAD + "\n".join(lines) + "\n")
    print(f"\nThe table: {DOCUMENT.relative_to(ROOT)}")
    return 0


def _weave(release: Release) -> Woven:
    """Fetch a release and weave the change in."""
    made = trees(release)
    if "vllm" not in release.digests:
        wheel = fetch(release, "cpu-wheel", build.DOWNLOADS)
        with zipfile.ZipFile(wheel) as archive:
            names = [it for it in archive.namelist() if it.startswith(_SAMPLE)]
            archive.extractall(made.stock, names)
        try:
            woven(ROOT, partial(on_disk, made.stock))
        except ForkError as error:
            return Woven(made.stock, None, str(error))
        raise ForkError(f"The change fits {release.version}: describe its sdist.")
    try:
        build.make_trees(release)
    except ForkError as error:
        if not made.fork.exists():
            raise
        make_worktree(made.fork, made.stock, release.tag)
        return Woven(made.stock, None, str(error))
    return Woven(made.stock, made.fork, changed_lines(made.fork, release.tag))


def _probe(release: Release, tree: Woven) -> Json:
    """Run `tools.fork.probe` under the release's torch, in an environment of uv's."""
    both = [tree.stock, *([tree.fork] if tree.fork else [])]
    printed = run_under_torch(
        release.torch,
        ("pytest", "setuptools"),
        ["tools.fork.probe", *both],
        f"The sampler of {release.version} could not be run; it said:",
    )
    found: Json = json.loads(printed)
    return found


def row(release: Release, tree: Woven, found: Json, engine: str) -> list[str]:
    """Return the cells of a release, in the order of the table's columns."""
    return [
        release.version,
        found["torch"],
        *verdicts(found["stock"]),
        tree.said if tree.fork else "does not fit",
        total(found["fork"]) if tree.fork else "",
        in_words(found["test"]) if tree.fork else "",
        engine,
    ]


def verdicts(calls: list[Json]) -> list[str]:
    """Return what a second batch, another vocabulary and an empty batch each cause."""
    _, second, *vocabularies, empty = calls
    return [_verdict([second]), _verdict(vocabularies), _verdict([empty])]


def _verdict(calls: list[Json]) -> str:
    if any(it["error"] for it in calls):
        return "**crashes**"
    return "**recompiles**" if any(it["compiled"] for it in calls) else "ok"


def total(calls: list[Json]) -> str:
    """Return how often all calls together compile the op, or that they fail."""
    if any(it["error"] for it in calls):
        return "**fails**"
    compiled = sum(it["compiled"] for it in calls)
    return f"{compiled} compilation{'' if compiled == 1 else 's'}"


def engine_outcome(report: Path) -> str:
    """Return what `make test` and `make demo` reported last, in words."""
    said = []
    if (report / "test.json").exists():
        said.append(f"test: {json.loads((report / 'test.json').read_text())['fork']}")
    if (report / "demo.json").exists():
        variants = json.loads((report / "demo.json").read_text())["variants"]
        compiled = [
            f"{name} {len(list(of_sampling(it['steps'])))}"
            for name, it in variants.items()
        ]
        said.append(f"demo compiled: {', '.join(compiled)}")
    return "; ".join(said) or "not run"


def notes_on(release: Release, tree: Woven, found: Json) -> Iterator[str]:
    """Yield a line for each thing that does not fit or fails, with the reason."""
    if not tree.fork:
        reason = tree.said.splitlines()[-1].strip()
        yield f"- {release.version}: {reason}"
    errors = {"the release": found["stock"], "with the change": found.get("fork", [])}
    for name, calls in errors.items():
        for (batch, vocabulary), it in zip(CALLS, calls, strict=False):
            if it["error"]:
                size = f"batch {batch}, vocabulary {vocabulary}"
                # Dynamo goes on for several sentences.
                error = it["error"].split(". ")[0]
                yield f"- {release.version}, {name}, {size}: {error}"
                break
