# SPDX-License-Identifier: Apache-2.0
"""Weave the change into releases, without building anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.fork import ForkError
from tools.fork.environment import build
from tools.fork.release import Release
from tools.fork.source import record
from tools.fork.source.tree import (
    changed_lines,
    make_worktree,
    touched_files,
    tree_name,
    trees,
)


@dataclass(frozen=True)
class Woven:
    """What became of the change in a release."""

    stock: Path  # the release's source tree, or as much of it as sampling needs
    fork: Path | None  # the same with the change; None where it does not fit
    said: str  # how many lines were changed, or why it does not fit
    name: str  # git's, for the content of the fork, or else of the release
    files: Mapping[str, bytes]  # what is woven, by path


def weave(releases: Sequence[Release]) -> dict[str, Woven]:
    """Fetch releases, weave the change into each, and record what comes of it."""
    found = {}
    for release in releases:
        print(f"vLLM {release.version}", flush=True)
        found[release.version] = _weave(release)
    record.write({version: it.files for version, it in found.items()})
    return found


def _weave(release: Release) -> Woven:
    made = trees(release)
    try:
        build.make_trees(release, "sdist" if "vllm" in release.digests else "cpu-wheel")
    except ForkError as error:
        if not made.fork.exists():
            raise
        make_worktree(made.fork, made.stock, release.tag)
        return Woven(made.stock, None, str(error), release.tag, {})
    lines = changed_lines(made.fork, release.tag, "HEAD", "vllm")
    files = touched_files(made.fork, release.tag)
    return Woven(made.stock, made.fork, lines, tree_name(made.fork), files)
