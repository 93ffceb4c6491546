# SPDX-License-Identifier: Apache-2.0
"""Weaving into the real release, and the patch that comes of it.

`make test` runs this after the build, which is where the release comes from.
"""

from pathlib import Path

import pytest

from fake_release import git
from tools.fork.release import described
from tools.fork.source import tree

RELEASE = described(None)
FORK = tree.trees(RELEASE).fork


@pytest.mark.skipif(not FORK.exists(), reason="no fork yet: make build first")
def test_the_patches_make_of_the_untouched_release_what_is_tested(
    tmp_path: Path,
) -> None:
    patches = tree.format_patches(FORK, RELEASE.tag, tmp_path)
    untouched = tmp_path / "untouched"
    tree.make_worktree(FORK, untouched, RELEASE.tag)

    git(untouched, "am", "--keep-non-patch", *map(str, patches))

    assert git(untouched, "status", "--porcelain") == ""
    assert tree.tree_name(untouched) == tree.tree_name(FORK)
