# SPDX-License-Identifier: Apache-2.0
"""What is woven into the real release, and the patch that comes of it.

`make test` runs this after the build, which is where the release comes from.
"""

import os
from pathlib import Path

import pytest

from fake_release import git
from tools.fork.release import described
from tools.fork.releases.woven import RECORD
from tools.fork.source import tree

RELEASE = described(os.environ.get("FORK_RELEASE"))
FORK = tree.trees(RELEASE).fork
pytestmark = pytest.mark.skipif(not FORK.exists(), reason="no fork yet: make weave")


def test_the_woven_files_are_those_of_the_record() -> None:
    recorded = RECORD.read_text("utf-8").splitlines()
    theirs = [it for it in recorded if f"  {RELEASE.version}/" in it]

    said = "make weave RELEASE=all writes woven.sha256 anew: read it"
    assert tree.digests(FORK, RELEASE) == theirs, said


def test_the_patches_make_of_the_untouched_release_what_is_tested(
    tmp_path: Path,
) -> None:
    patches = tree.format_patches(FORK, RELEASE.tag, tmp_path)
    untouched = tmp_path / "untouched"
    tree.make_worktree(FORK, untouched, RELEASE.tag)

    git(untouched, "am", "--keep-non-patch", *map(str, patches))

    assert git(untouched, "status", "--porcelain") == ""
    assert tree.tree_name(untouched) == tree.tree_name(FORK)
