# SPDX-License-Identifier: Apache-2.0
"""Try the change on each release that releases.toml describes."""

import hashlib
import shutil
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tools.fork import ForkError, documents, machine
from tools.fork.bootstrap import ROOT
from tools.fork.engine.serve import of_sampling
from tools.fork.environment import build
from tools.fork.model_runner import on_v1
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


def run() -> None:
    """Try every release, and write docs/figures/releases.json and docs/releases.md."""
    results = []
    for release in all_described():
        print(f"vLLM {release.version}", flush=True)
        woven = _weave(release)
        with step(f"its sampler under torch {release.torch}"):
            found = measure.measure(
                release, woven.stock, woven.fork, woven.name, reports(release)
            )
        results.append(result(release, woven, found, reports(release)))
    head = {"command": "make releases", "machine": machine.describe()}
    file = ROOT / documents.FIGURES / "releases.json"
    documents.write(file, {**head, "results": results})
    print("\n".join(["", *documents.update()]))
    print(f"The table: docs/releases.md, from {file.relative_to(ROOT)}")


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


def result(release: Release, woven: Woven, found: Json, report: Path) -> Json:
    """Return what was found of a release.

    Returns:
        The ``release``, its ``torch``, and which models run ``on_v1``; what happened on
        ``stock`` in each call but the first; the ``lines`` changed, or None and as
        ``misfit`` why the change does not fit; what happened on the ``fork``: the
        compilations ``waiting`` and ``ahead``, and the first ``error``; the outcomes of
        the new ``test``; and what `make test` and `make demo` last reported of that
        tree, as ``tested`` and ``shown``.
    """
    test, demo = (reported(report, name, woven.name) for name in ("test", "demo"))
    fork = found.get("fork")
    return {
        "release": release.version,
        "torch": found["stock"]["torch"],
        "on_v1": on_v1(release.version),
        "stock": [_verdict(it) for it in found["stock"]["calls"][1:]],
        "lines": woven.said if woven.fork else None,
        "misfit": None if woven.fork else woven.said.splitlines()[-1].strip(),
        "fork": fork
        and {
            "waiting": sum(it["compiled"] for it in fork["calls"]),
            "ahead": fork["ahead"]["compiled"],
            "error": next(filter(None, map(_error, _steps(fork))), None),
        },
        "test": found.get("test"),
        "tested": test["commits"][-1]["outcomes"] if test else None,
        "shown": demo
        and {
            name: len([*of_sampling(it["steps"])])
            for name, it in demo["variants"].items()
        },
    }


def _steps(found: Json) -> list[Json]:
    return [found["ahead"], *found["calls"]]


def _error(step: Json) -> str | None:
    # Dynamo goes on for several sentences.
    return step["error"] and str(step["error"]).split(". ")[0]


def _verdict(call: Json) -> str:
    return "crashes" if call["error"] else "recompiles" if call["compiled"] else "ok"
