# SPDX-License-Identifier: Apache-2.0
"""Try the change on each release that releases.toml describes."""

from pathlib import Path

from tools.fork import documents, machine
from tools.fork.apply.model_runner import on_v1
from tools.fork.bootstrap import ROOT
from tools.fork.child import Json
from tools.fork.engine.generate import of_sampling
from tools.fork.program import step
from tools.fork.release import Release, all_described, read_report, report_folder
from tools.fork.releases.woven import weave_all
from tools.fork.sampler import measure
from tools.fork.source.tree import changed_lines, tree_name


def run() -> None:
    """Try every release, and write docs/figures/releases.json and docs/releases.md."""
    results = []
    trees = weave_all()
    for release in all_described():
        made, reports = trees[release.version], report_folder(release)
        tree = tree_name(made.fork)
        with step(f"{release.version}'s sampler under torch {release.torch}"):
            found = measure.measure(release, made.stock, made.fork, tree, reports)
        lines = changed_lines(made.fork, release.tag, "HEAD", "vllm")
        results.append({"lines": lines, **result(release, found, reports)})
    head = {"command": "make releases", "machine": machine.describe()}
    file = ROOT / documents.FIGURES / "releases.json"
    documents.write(file, {**head, "results": results})
    print("\n".join(["", *documents.update()]))
    print(f"The table: docs/releases.md, from {file.relative_to(ROOT)}")


def result(release: Release, found: Json, reports: Path) -> Json:
    """Return what was found of a release, as templates/releases.md.jinja shows it.

    ``tested`` and ``shown`` are what `make test` and `make demo` last reported of it.
    """
    last = found["tree"]
    test, demo = (read_report(reports, name, last) for name in ("test", "demo"))
    shown = {name: it["steps"] for name, it in demo.get("variants", {}).items()}
    steps = [found["fork"]["ahead"], *found["fork"]["calls"]]
    return {
        "release": release.version,
        "on_v1": on_v1(release.version),
        "problems": [it["error"] for it in steps if it["error"]],
        **found,
        "tested": test["commits"][-1]["outcomes"] if test else None,
        "shown": {name: len(of_sampling(it)) for name, it in shown.items()},
    }
