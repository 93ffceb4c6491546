# SPDX-License-Identifier: Apache-2.0
"""Weave the change into releases, without building anything."""

from dataclasses import dataclass
from pathlib import Path

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.environment import build
from tools.fork.release import Release, all_described
from tools.fork.source.tree import (
    changed_lines,
    digests,
    make_worktree,
    tree_name,
    trees,
)

RECORD = ROOT / "woven.sha256"


@dataclass(frozen=True)
class Woven:
    """What became of the change in a release."""

    stock: Path  # the release's source tree, or as much of it as sampling needs
    fork: Path | None  # the same with the change; None where it does not fit
    said: str  # how many lines were changed, or why it does not fit
    name: str  # git's, for the content of the fork, or else of the release


def weave_all() -> dict[str, Woven]:
    """Weave the change into every release, and record the digests of what is woven.

    So a review sees which files of which releases a change touches.
    """
    found, lines = {}, []
    for release in all_described():
        found[release.version] = made = weave(release)
        lines += digests(made.fork, release) if made.fork else []
    RECORD.write_text("\n".join([*lines, ""]))
    return found


def weave(release: Release) -> Woven:
    """Fetch a release and weave the change into it."""
    print(f"vLLM {release.version}", flush=True)
    made = trees(release)
    try:
        build.make_trees(release, "sdist" if "vllm" in release.digests else "cpu-wheel")
    except ForkError as error:
        if not made.fork.exists():
            raise
        make_worktree(made.fork, made.stock, release.tag)
        return Woven(made.stock, None, str(error), release.tag)
    lines = changed_lines(made.fork, release.tag, "HEAD", "vllm")
    return Woven(made.stock, made.fork, lines, tree_name(made.fork))
