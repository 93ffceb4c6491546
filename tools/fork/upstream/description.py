# SPDX-License-Identifier: Apache-2.0
"""The words of the commits, and of a pull request for each."""

from pathlib import Path

from tools.fork import UPSTREAM_TEST, documents
from tools.fork.child import Json
from tools.fork.engine import demo
from tools.fork.engine.generate import SAMPLING
from tools.fork.release import Release, read_report
from tools.fork.sampler import measure
from tools.fork.source.tree import Trees, changed_lines, tree_name

_HERE = Path(__file__).parent


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
    trees: Trees,
    commit: str,
    message: str,
    sampler: Json,
    reports: Path,
) -> str:
    """Return a commit's description under upstream's headings.

    The commit is one of the fork's, or that with a person's ``message``. Of ``sampler``
    is told what was measured of the commit's, and of ``reports`` those that are of what
    this commit makes or, for the last one, of what all of them make.
    """
    title, _, body = message.partition("\n\n")
    tree, last = tree_name(trees.fork, commit), tree_name(trees.fork)
    all_tests, engine, upstream = (
        read_report(reports, name, last) for name in ("test", "demo", "upstream-tests")
    )
    tests = {it["tree"]: {**all_tests, **it} for it in all_tests.get("commits", ())}
    data = dict(
        title=title,
        purpose=body.partition("Tested by")[0].strip(),
        test_path=UPSTREAM_TEST,
        release=release,
        lines={
            it: changed_lines(trees.fork, f"{commit}~", commit, it)
            for it in ("vllm", "tests")
        },
        sampler=sampler,
        measure=measure,
        test=tests.get(tree),
        last=tree == last,
        engine=engine,
        demo=demo,
        upstream=upstream,
    )
    return documents.render(_HERE / "description.md.jinja", data)
